"""Scores of what was found against what experts marked."""
