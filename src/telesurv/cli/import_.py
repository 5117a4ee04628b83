"""`telesurv import`: recordings of other formats to Parquet."""

from pathlib import Path

import click

from telesurv.cli._output import progress, result
from telesurv.cli._run import INSTANT, LOGGING, with_settings
from telesurv.settings import Settings

EPILOG = """\b
Examples:
  telesurv import mitdb/100 mitdb/101 --out recordings
  telesurv import night.edf --patient p-07 --start 2026-05-04T22:10:00+02:00 --out recordings
  telesurv import ward.csv --mapping columns.toml --out recordings

SRC is a WFDB record (with or without .hea), an EDF or CSV file, or a folder of such. Each record
becomes a recording in a folder of its own, of a patient under its own name. A signal that nobody
knows is kept under a sanitised name, and said; annotations are kept beside. Ends with 1 where a
file could not be read; the others are imported all the same."""


@click.command("import", epilog=EPILOG)
@click.argument("src", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--out",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Gets a folder for each recording.",
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
) -> int:
    """Read WFDB, EDF and CSV recordings into Parquet."""
    import msgspec

    from telesurv.importers import import_recordings

    with progress("import") as advance:
        reports = import_recordings(
            src, out, patient=patient, start_ns=start, mapping=mapping, progress=advance
        )
    sentences = "\n".join(report.sentence() for report in reports)
    result(as_json, {"recordings": msgspec.to_builtins(reports)}, sentences)
    # What is no recording at all has no format; leaving that out is no failure.
    failed = any(report.error and report.format for report in reports)
    return 1 if failed or all(report.error for report in reports) else 0
