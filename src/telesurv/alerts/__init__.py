"""Alerts: what a person sees of the kernels' findings."""
