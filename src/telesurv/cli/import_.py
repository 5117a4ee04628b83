"""`telesurv import`: recordings of other formats to Parquet."""

from pathlib import Path

import click

from telesurv.cli._output import progress
from telesurv.cli._run import INSTANT, LOGGING, with_settings
from telesurv.settings import Settings

EPILOG = """\b
Examples:
  telesurv import mitdb/100 mitdb/101 --out recording
  telesurv import night.edf --patient p-07 --start 2026-05-04T22:10:00+02:00 --out recording
  telesurv import bidmc_01_Numerics.csv --mapping numerics.toml --out recording

SRC is a WFDB record (with or without .hea), an EDF or CSV file, or a folder of such. Each record
becomes a patient under its own name. A signal that nobody knows is kept under a sanitised name,
and said; annotations are kept beside."""


@click.command("import", epilog=EPILOG)
@click.argument("src", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--out",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="The recording; parts are added when it exists.",
)
@click.option("--patient", metavar="P", help="The pseudonym, instead of the record's name.")
@click.option(
    "--start",
    type=INSTANT,
    metavar="INSTANT",
    help="When a recording without a date began [2000-01-01T00:00:00Z]",
)
@click.option(
    "--mapping",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="What a CSV file's columns are.",
)
@click.option("--json", "as_json", is_flag=True, help="Say what came of it as one JSON object.")
@with_settings(*LOGGING)
def command(
    settings: Settings,
    src: tuple[Path, ...],
    out: Path,
    patient: str | None,
    start: int | None,
    mapping: Path | None,
    as_json: bool,
) -> None:
    """Read WFDB, EDF and CSV recordings into Parquet."""
    from telesurv.importers import import_recordings

    with progress("import") as advance:
        imported = import_recordings(
            list(src), out, patient=patient, start_ns=start, mapping=mapping, progress=advance
        )
    raise AssertionError(imported)
