"""`telesurv replay`: recordings through the engine, or into Kafka."""

import contextlib
from pathlib import Path

import click

from telesurv.cli._output import counted, progress, result
from telesurv.cli._run import KAFKA, LOGGING, SPEED, with_settings
from telesurv.settings import Settings

EPILOG = """\b
Examples:
  telesurv replay recording --alerts alerts.jsonl
  telesurv replay recording --patient a103l --speed 60 --bootstrap kafka:9092

Without --bootstrap the engine runs here, and --alerts gets what it found. With it the frames go
to Kafka in mode replay, with their device times, and the workers there find the same alerts
under the same ids."""


@click.command("replay", epilog=EPILOG)
@click.argument("recording", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--patient", multiple=True, metavar="P", help="Only this one; may be repeated.")
@click.option(
    "--speed", type=SPEED, default="max", help="max, 1 (real time), or another factor [max]"
)
@click.option(
    "--alerts",
    type=click.Path(dir_okay=False, path_type=Path, allow_dash=True),
    metavar="FILE.jsonl",
    help="Where the alerts go, one JSON object a line; - is standard output.",
)
@click.option("--all-revisions", is_flag=True, help="Every revision, not the last of each alert.")
@click.option("--json", "as_json", is_flag=True, help="Say what came of it as one JSON object.")
@with_settings(*KAFKA, "cache_dir", *LOGGING)
def command(
    settings: Settings,
    recording: tuple[Path, ...],
    patient: tuple[str, ...],
    speed: float | None,
    alerts: Path | None,
    all_revisions: bool,
    as_json: bool,
) -> None:
    """Play recordings through the engine, or into Kafka."""
    if settings.bootstrap and (alerts or all_revisions):
        raise click.UsageError("with --bootstrap the alerts are on the log: leave --alerts out")
    from telesurv.connect import connect
    from telesurv.replay import replay

    with contextlib.ExitStack() as stack:
        log = (
            stack.enter_context(contextlib.closing(connect(settings)))
            if settings.bootstrap
            else None
        )
        advance = stack.enter_context(progress("replay"))
        played = replay(
            list(recording),
            patient=list(patient),
            speed=speed,
            log=log,
            alerts_file=alerts,
            all_revisions=all_revisions,
            mode="replay",
            progress=advance,
        )
    fields = {
        "patients": played.patients,
        "frames": played.frames,
        "signal_s": played.signal_s,
        "alerts": played.alerts,
    }
    parts = [
        counted(played.frames, "frame"),
        counted(played.patients, "patient"),
        f"{played.signal_s / 3600:.2f} h",
        *([counted(played.alerts, "alert")] if not settings.bootstrap else []),
    ]
    # Where the alerts themselves go to standard output, the summary must not join them.
    result(as_json, fields, ", ".join(parts), err=str(alerts) == "-")
