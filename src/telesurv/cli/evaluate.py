"""`telesurv evaluate`: score what the engine finds against what experts say."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from telesurv.cli._output import Advance, progress, table
from telesurv.cli._run import DURATION, with_settings
from telesurv.settings import Settings

if TYPE_CHECKING:
    from telesurv.evaluate.beats import Noise
    from telesurv.evaluate.looks import Report

F = TypeVar("F", bound=Callable[..., Any])

EPILOG = """\b
Examples:
  telesurv evaluate beats mitdb --json accuracy-mitdb.json --html mitdb.html
  telesurv evaluate beats noise --only '*06' --noise-from 5m --noise-period 2m
  telesurv evaluate classes mitdb --lead 0
  telesurv evaluate rhythm vfdb afdb --html rhythm.html
  telesurv evaluate alarms challenge-2015 --html alarms.html
  telesurv evaluate quality cinc2017 --html quality.html
  telesurv evaluate table accuracy-*.json --out ACCURACY.md"""

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
FILE = click.Path(dir_okay=False, path_type=Path)
OUTPUT = click.Path(dir_okay=False, allow_dash=True, path_type=Path)


@click.group("evaluate", epilog=EPILOG)
def command() -> None:
    """Score what is found in WFDB records against what experts say of them."""


def _outputs(run: F) -> F:
    as_json = click.option(
        "--json",
        "json_file",
        type=OUTPUT,
        metavar="FILE",
        help="Write the report as JSON; - prints it instead of the tables.",
    )
    as_html = click.option(
        "--html",
        "html_file",
        type=FILE,
        metavar="FILE",
        help="Write a page with tables, plots and the worst stretches.",
    )
    return as_json(as_html(run))


_folders = click.argument("folder", nargs=-1, required=True, type=FOLDER, metavar="DIR...")
_lead = click.option(
    "--lead", type=click.IntRange(0), metavar="N", help="Which signal, from 0 [the first ECG]"
)
_learning = click.option(
    "--learning",
    type=DURATION,
    default="5m",
    metavar="DURATION",
    help="What lies before does not count [5m, as in EC57]",
)


_only = click.option(
    "--only",
    multiple=True,
    metavar="PATTERN",
    help="Only records whose name matches, such as '*06'; may be repeated.",
)


def _noise(run: F) -> F:
    begin = click.option(
        "--noise-from",
        type=DURATION,
        metavar="DURATION",
        help="Noise was mixed in from here on, in every other period: tell how much of it is "
        "called readable.",
    )
    period = click.option(
        "--noise-period",
        type=DURATION,
        default="2m",
        metavar="DURATION",
        help="How long noise lasts, and the calm after it [2m]",
    )
    return begin(period(run))


def _mixed_in(from_s: float | None, period_s: float) -> "Noise | None":
    from telesurv.evaluate.beats import Noise

    if period_s <= 0:
        raise click.BadParameter("noise lasts longer than that", param_hint="--noise-period")
    return None if from_s is None else Noise(from_s=from_s, period_s=period_s)


@command.command("beats")
@_folders
@_lead
@_only
@_learning
@_noise
@_outputs
@with_settings("cache_dir")
def beats(
    settings: Settings,
    folder: tuple[Path, ...],
    lead: int | None,
    only: tuple[str, ...],
    learning: float,
    noise_from: float | None,
    noise_period: float,
    json_file: Path | None,
    html_file: Path | None,
) -> None:
    """Score R-peaks by EC57.

    Of the WFDB records of DIR, those with beats that experts marked (.atr) are scored.
    """
    from telesurv.evaluate.beats import evaluate

    noise = _mixed_in(noise_from, noise_period)

    def run(advance: Advance) -> "Report":
        return evaluate(
            folder, lead=lead, only=only, learning_s=learning, noise=noise, progress=advance
        )

    _evaluate("evaluate beats", run, folder, json_file, html_file)


@command.command("classes")
@_folders
@_lead
@_only
@_learning
@_outputs
@with_settings("cache_dir")
def classes(
    settings: Settings,
    folder: tuple[Path, ...],
    lead: int | None,
    only: tuple[str, ...],
    learning: float,
    json_file: Path | None,
    html_file: Path | None,
) -> None:
    """Score the classes of beats by EC57.

    Of the WFDB records of DIR, those with beats that experts marked (.atr) are scored.
    """
    from telesurv.evaluate.classes import evaluate

    def run(advance: Advance) -> "Report":
        return evaluate(folder, lead=lead, only=only, learning_s=learning, progress=advance)

    _evaluate("evaluate classes", run, folder, json_file, html_file)


@command.command("rhythm")
@_folders
@_lead
@click.option(
    "--reference-beats",
    is_flag=True,
    help="Hear the experts' beats instead of a signal: what detection and classes cost.",
)
@_outputs
@with_settings("cache_dir")
def rhythm(
    settings: Settings,
    folder: tuple[Path, ...],
    lead: int | None,
    reference_beats: bool,
    json_file: Path | None,
    html_file: Path | None,
) -> None:
    """Score atrial and ventricular fibrillation by EC57.

    Episodes, durations and beats of the WFDB records of DIR whose rhythm experts marked (.atr).
    """
    from telesurv.evaluate.rhythm import evaluate

    def run(advance: Advance) -> "Report":
        return evaluate(folder, lead=lead, reference_beats=reference_beats, progress=advance)

    _evaluate("evaluate rhythm", run, folder, json_file, html_file)


@command.command("alarms")
@click.argument("folder", type=FOLDER, metavar="DIR")
@_outputs
@with_settings("cache_dir")
def alarms(
    settings: Settings, folder: Path, json_file: Path | None, html_file: Path | None
) -> None:
    """Judge monitors' alarms as the 2015 challenge does.

    DIR holds WFDB records with an alarm at 5:00 each, and ALARMS.csv (record,type,true).
    """
    from telesurv.evaluate.alarms import evaluate

    _evaluate(
        "evaluate alarms", lambda advance: evaluate(folder, advance), [folder], json_file, html_file
    )


@command.command("leads")
@_folders
@_only
@_learning
@_outputs
@with_settings("cache_dir")
def leads(
    settings: Settings,
    folder: tuple[Path, ...],
    only: tuple[str, ...],
    learning: float,
    json_file: Path | None,
    html_file: Path | None,
) -> None:
    """Score the R-peaks of all ECG leads together by EC57.

    What several leads say is combined beat by beat, as in the service.
    """
    from telesurv.evaluate.leads import evaluate

    def run(advance: Advance) -> "Report":
        return evaluate(folder, only=only, learning_s=learning, progress=advance)

    _evaluate("evaluate leads", run, folder, json_file, html_file)


@command.command("quality")
@_folders
@click.option(
    "--lead", type=click.IntRange(0), metavar="N", help="Which signal, from 0 [every ECG]"
)
@_only
@_noise
@_outputs
@with_settings("cache_dir")
def quality(
    settings: Settings,
    folder: tuple[Path, ...],
    lead: int | None,
    only: tuple[str, ...],
    noise_from: float | None,
    noise_period: float,
    json_file: Path | None,
    html_file: Path | None,
) -> None:
    """Say which seconds are unreadable, and why.

    Of the ECG leads of the WFDB records of DIR; beside it what the database knows of them: a
    record's class (REFERENCE.csv) or alarm (ALARMS.csv), noise or rhythms that experts marked
    (.atr).
    """
    from telesurv.evaluate.quality import evaluate

    noise = _mixed_in(noise_from, noise_period)

    def run(advance: Advance) -> "Report":
        return evaluate(folder, lead=lead, only=only, noise=noise, progress=advance)

    _evaluate("evaluate quality", run, folder, json_file, html_file)


@command.command("table")
@click.argument("report", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--out", type=FILE, metavar="FILE", help="Where the page goes [standard output]")
def table_(report: tuple[Path, ...], out: Path | None) -> None:
    """Make one Markdown page of reports.

    REPORT is a file that another of these commands wrote with --json.
    """
    from telesurv.evaluate.looks import load
    from telesurv.evaluate.page import markdown

    try:
        page = markdown([load(file) for file in report])
    except ValueError as error:
        raise click.ClickException(f"no report of telesurv evaluate: {error}") from None
    if out is None:
        click.echo(page, nl=False)
    else:
        out.write_text(page)


def _evaluate(
    label: str,
    run: Callable[[Advance], "Report"],
    folders: Sequence[Path],
    json_file: Path | None,
    html_file: Path | None,
) -> None:
    """Run an evaluation, write its report, and say it."""
    from telesurv.importers import Unreadable
    from telesurv.lead import Unsuited

    for file in (json_file, html_file):  # before the work, not after it
        if file is not None and not file.resolve().parent.is_dir():
            raise click.ClickException(f"{file}: there is no folder {file.resolve().parent}")
    with progress(label) as advance:
        try:
            report = run(advance)
        except (Unsuited, Unreadable) as error:
            raise click.ClickException(str(error)) from None
    from telesurv.evaluate.looks import dump
    from telesurv.evaluate.page import text

    to_stdout = json_file is not None and str(json_file) == "-"
    if json_file is not None and not to_stdout:
        json_file.write_bytes(dump(report))
    if html_file is not None:
        from telesurv.evaluate.html_page import html

        html_file.write_text(html(report, {folder.resolve().name: folder for folder in folders}))
    click.echo(dump(report).decode() if to_stdout else text(report, table), nl=not to_stdout)
