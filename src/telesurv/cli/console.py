"""`telesurv console`: realistic patients with scripted events."""

import click


@click.command("console")
def command() -> None:
    """Show alerts and trends in the browser."""
