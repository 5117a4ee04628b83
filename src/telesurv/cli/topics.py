"""`telesurv topics`: create them as the service needs them, or list them."""

import contextlib

import click

from telesurv.cli._output import result, table
from telesurv.cli._run import KAFKA, LOGGING, with_settings
from telesurv.settings import Settings

EPILOG = """\b
Examples:
  telesurv topics create --bootstrap kafka:9092 --replication 3
  telesurv topics list --json

The number of frame partitions is fixed once the topic exists: it bounds how many workers share
the patients."""


@click.group("topics", epilog=EPILOG)
def command() -> None:
    """Create the topics, or list them."""


@command.command("create")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@with_settings(*KAFKA, "frame_partitions", "replication", *LOGGING)
def create(settings: Settings, as_json: bool) -> None:
    """Create what is missing; refuse where one exists with other settings."""
    from telesurv.connect import connect, topics_of

    with contextlib.closing(connect(settings)) as log:
        topics = topics_of(settings)
        made = log.create(topics)
    kept = [topic.name for topic in topics if topic.name not in made]
    lines = [*(f"created  {name}" for name in made), *(f"existed  {name}" for name in kept)]
    result(as_json, {"created": made, "existed": kept}, "\n".join(lines))


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@with_settings(*KAFKA, "frame_partitions", *LOGGING)
def list_(settings: Settings, as_json: bool) -> None:
    """Print the topics, with what the broker has of them."""
    from telesurv.connect import connect, topics_of
    from telesurv_streams.log import Misconfigured

    rows: list[tuple[str, int | None, int]] = []
    with contextlib.closing(connect(settings)) as log:
        for topic in topics_of(settings):
            try:
                there: int | None = log.partitions(topic.name)
            except Misconfigured:
                there = None
            rows.append((topic.name, there, topic.partitions))
    fields = {name: {"partitions": there, "expected": wanted} for name, there, wanted in rows}
    lines = [(name, str(there or "missing"), str(wanted)) for name, there, wanted in rows]
    result(as_json, fields, table(lines, ("topic", "partitions", "expected")))
