"""`telesurv simulate`: realistic patients with scripted events."""

import click


@click.command("simulate")
def command() -> None:
    """Make realistic patients with scripted events, to Parquet or to Kafka."""
