"""`telesurv plan`: put patients' plans onto the log, or print their schema."""

import contextlib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from telesurv.cli._output import result
from telesurv.cli._run import KAFKA, LOGGING, with_settings
from telesurv.settings import Settings

if TYPE_CHECKING:
    from telesurv.alerts.model import Plan
    from telesurv_streams.log import Log

ACKNOWLEDGED_S = 30.0
"""How long Kafka may take to acknowledge."""

EPILOG = """\b
Examples:
  telesurv plan schema > plan.schema.json
  telesurv plan put p-07.json --bootstrap kafka:9092

A plan says what is expected of a patient, by when, and their limits. A new version takes effect
where the owner of the patient's partition puts it among the frames; versions rise."""


@click.group("plan", epilog=EPILOG)
def command() -> None:
    """Put a patient's plan, or print the plans' schema."""


@command.command("schema")
def schema() -> None:
    """Print the JSON Schema of a plan."""
    from telesurv import plans

    click.echo(json.dumps(plans.schema(), indent=2))


@command.command("put")
@click.argument(
    "file",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path),
)
@click.option("--check", is_flag=True, help="Only say whether they are valid.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@with_settings(*KAFKA, *LOGGING)
def put(settings: Settings, file: tuple[Path, ...], check: bool, as_json: bool) -> None:
    """Check plans (JSON, one a file), then put them all; - is standard input."""
    from telesurv.connect import connect
    from telesurv.plans import BadPlan, read_plan

    plans = []
    for path in file:
        raw = sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
        try:
            plans.append(read_plan(raw))
        except BadPlan as error:
            raise click.ClickException(f"{path}: {error}") from None
    if not check:
        with contextlib.closing(connect(settings)) as log:
            _put_all(log, plans)
    fields = {plan.patient: plan.version for plan in plans}
    verb = "valid" if check else "put"
    lines = [f"{verb}: {patient}, version {version}" for patient, version in fields.items()]
    result(as_json, fields, "\n".join(lines))


def _put_all(log: "Log", plans: "list[Plan]") -> None:
    import msgspec

    from telesurv_streams.log import PATIENTS, Outgoing

    with contextlib.closing(log.sink()) as sink:
        ticket = 0
        for plan in plans:
            key = plan.patient.encode()
            ticket = sink.send(Outgoing(PATIENTS, key, msgspec.json.encode(plan)))
        sink.wait(ticket, ACKNOWLEDGED_S)
