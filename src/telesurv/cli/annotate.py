"""`telesurv annotate`: realistic patients with scripted events."""

import click


@click.command("annotate")
def command() -> None:
    """Find the beats of WFDB records, as standard annotation files."""
