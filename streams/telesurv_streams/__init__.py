"""Frames of vital signs, and the logs and files that they come from and go to."""
