"""`telesurv annotate`: beats and rhythms of WFDB records, as standard annotation files."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from telesurv.cli._output import progress, result
from telesurv.cli._run import with_settings
from telesurv.settings import Settings

if TYPE_CHECKING:
    from telesurv.annotate import Annotated

EPILOG = """\b
Examples:
  telesurv annotate mitdb/100 mitdb/101 --out found
  telesurv annotate night.hea --lead 1 --out found

Writes RECORD.tsv: every beat that the streaming engine finds, at its R-peak,
as N, S, V, F or Q by its class (N where it was not classified), and changes of
rhythm as + with (VF (ASYS (VT (SVTA (AFIB (B (T, or (N where none of them was
found. Score it with any standard tool, e.g. `bxb -r 100 -a atr tsv`."""


@click.command("annotate", epilog=EPILOG)
@click.argument("wfdb_record", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--out",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Where the annotation files go.",
)
@click.option(
    "--lead", type=click.IntRange(0), metavar="N", help="Which signal, from 0 [the first ECG]"
)
@click.option("--json", "as_json", is_flag=True, help="Say what came of it as one JSON object.")
@with_settings("cache_dir")
def command(
    settings: Settings, wfdb_record: tuple[Path, ...], out: Path, lead: int | None, as_json: bool
) -> None:
    """Find beats and rhythms of WFDB records, as standard annotation files."""
    from telesurv.annotate import annotate_all
    from telesurv.lead import Unsuited

    with progress("annotate") as advance:
        try:
            found = list(annotate_all(wfdb_record, lead, out, advance))
        except Unsuited as error:
            raise click.ClickException(str(error)) from None
        except FileNotFoundError as error:
            seen = f"{error.filename}: no such file" if error.filename else str(error)
            raise click.ClickException(f"{seen}, expected a WFDB record with its header") from None
    fields = {
        one.record: {
            "lead": one.lead,
            "beats": one.beats,
            "symbols": one.symbols,
            "rhythms": one.rhythms,
            "unsure": one.unsure,
            "signal_s": one.signal_s,
            "file": str(one.file),
        }
        for one in found
    }
    result(as_json, fields, "\n".join(_sentence(one) for one in found))


def _sentence(one: "Annotated") -> str:
    kinds = ", ".join(f"{count} {symbol}" for symbol, count in one.symbols.items())
    said = f"{one.file}: {one.beats} beats in {one.signal_s / 60:.1f} min of {one.lead}"
    said += f" ({kinds})" if len(one.symbols) > 1 else ""
    said += f", {one.unsure} of them where the signal is unreadable" if one.unsure else ""
    rhythms = [f"{rhythm} {count}" for rhythm, count in one.rhythms.items() if rhythm != "(N"]
    return said + (f"; rhythms: {', '.join(rhythms)}" if rhythms else "")
