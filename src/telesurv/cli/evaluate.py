"""`telesurv evaluate`: score what the engine finds against what experts say."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from telesurv.cli._output import progress, table
from telesurv.cli._run import DURATION, with_settings
from telesurv.settings import Settings

if TYPE_CHECKING:
    from telesurv.evaluate.page import Report

F = TypeVar("F", bound=Callable[..., Any])

EPILOG = """\b
Examples:
  telesurv evaluate beats mitdb --out accuracy-mitdb.json
  telesurv evaluate alarms challenge-2015 --out accuracy-challenge-2015.json
  telesurv evaluate table accuracy-*.json --out ACCURACY.md"""

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
FILE = click.Path(dir_okay=False, path_type=Path)


@click.group("evaluate", epilog=EPILOG)
def command() -> None:
    """Score beats and alarms against what experts say of WFDB records."""


def _outputs(run: F) -> F:
    out = click.option("--out", type=FILE, metavar="FILE", help="Write the report as JSON.")
    as_json = click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
    return out(as_json(run))


@command.command("beats")
@click.argument("folder", nargs=-1, required=True, type=FOLDER)
@click.option(
    "--lead", type=click.IntRange(0), metavar="N", help="Which signal, from 0 [the first ECG]"
)
@click.option(
    "--learning",
    type=DURATION,
    default="5m",
    metavar="DURATION",
    help="What lies before does not count [5m, as in EC57]",
)
@_outputs
@with_settings("cache_dir")
def beats(
    settings: Settings,
    folder: tuple[Path, ...],
    lead: int | None,
    learning: float,
    out: Path | None,
    as_json: bool,
) -> None:
    """Score R-peaks of WFDB records that have reference beats (.atr), by EC57."""
    from telesurv.evaluate.beats import evaluate
    from telesurv.lead import Unsuited

    with progress("evaluate beats") as advance:
        try:
            report = evaluate(folder, lead=lead, learning_s=learning, progress=advance)
        except Unsuited as error:
            raise click.ClickException(str(error)) from None
    _say(report, out, as_json)


@command.command("alarms")
@click.argument("folder", type=FOLDER)
@_outputs
@with_settings("cache_dir")
def alarms(settings: Settings, folder: Path, out: Path | None, as_json: bool) -> None:
    """Judge the monitors' alarms of ALARMS.csv (record,type,true), as in the 2015 challenge."""
    from telesurv.evaluate.alarms import evaluate
    from telesurv.importers import Unreadable
    from telesurv.lead import Unsuited

    with progress("evaluate alarms") as advance:
        try:
            report = evaluate(folder, advance)
        except (Unsuited, Unreadable) as error:
            raise click.ClickException(str(error)) from None
    _say(report, out, as_json)


@command.command("table")
@click.argument("report", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--out", type=FILE, metavar="FILE", help="Where the page goes [standard output]")
def table_(report: tuple[Path, ...], out: Path | None) -> None:
    """Make one Markdown page of reports that beats and alarms wrote."""
    from telesurv.evaluate.page import load, markdown

    try:
        page = markdown([load(file) for file in report])
    except ValueError as error:
        raise click.ClickException(f"no report of telesurv evaluate: {error}") from None
    if out is None:
        click.echo(page, nl=False)
    else:
        out.write_text(page)


def _say(report: "Report", out: Path | None, as_json: bool) -> None:
    from telesurv.evaluate.page import dump, heads, notes, rows

    if out is not None:
        out.write_bytes(dump(report))
    if as_json:
        click.echo(dump(report), nl=False)
    else:
        click.echo("\n".join([table(rows(report), heads(report)), "", *notes(report)]))
