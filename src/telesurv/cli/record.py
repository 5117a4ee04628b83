"""`telesurv record`: a topic of frames to Parquet, as it comes."""

import contextlib
from pathlib import Path

import click

from telesurv.cli._output import counted, progress, result
from telesurv.cli._run import DURATION, KAFKA, LOGGING, with_settings
from telesurv.settings import Settings

EPILOG = """\b
Examples:
  telesurv record --bootstrap kafka:9092 --out recording
  telesurv record --out recording --until-end

Runs until Ctrl-C or SIGTERM, and closes the last part then; after a crash every finished part is
readable. A replay of the recording gives the alerts of the live run."""


@click.command("record", epilog=EPILOG)
@click.option(
    "--out",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="The recording; goes on where it ended when it exists.",
)
@click.option("--until-end", is_flag=True, help="Stop at what the topic holds now.")
@click.option("--duration", type=DURATION, metavar="DURATION", help="Stop after so long.")
@click.option("--json", "as_json", is_flag=True, help="Say what came of it as one JSON object.")
@with_settings(*KAFKA, *LOGGING)
def command(
    settings: Settings, out: Path, until_end: bool, duration: float | None, as_json: bool
) -> None:
    """Write a topic of frames to Parquet as it comes."""
    from telesurv.connect import connect
    from telesurv.recorder import record

    with contextlib.closing(connect(settings)) as log, progress("record") as advance:
        recorded = record(log, out, until_end=until_end, duration_s=duration, progress=advance)
    fields = {"records": recorded.records, "frames": recorded.frames, "parts": recorded.parts}
    sentence = (
        f"{counted(recorded.records, 'record')}, {counted(recorded.frames, 'frame')} "
        f"in {counted(recorded.parts, 'part')}"
    )
    result(as_json, fields, f"{sentence} of {out}")
