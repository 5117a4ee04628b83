"""Beats of WFDB records as standard annotation files, found by the streaming kernels.

What is written is what the service finds (`lead.hear`), so that any standard tool can score it.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from telesurv.lead import Lead, hear, read_lead
from telesurv_kernels import _dtypes as codes

ANNOTATOR = "tsv"
"""Extension of the files."""


@dataclass(frozen=True, slots=True)
class Annotated:
    """What was found in a record, and where it was written."""

    record: str
    lead: str
    beats: int
    unsure: int
    signal_s: float
    file: Path


def annotate(record: Path, lead: int | None, out: Path) -> Annotated:
    """Find the beats of a record and write them as annotations `N` at the R-peaks.

    Parameters
    ----------
    record : with or without `.hea`
    lead : number of the signal, from 0; None: the first ECG
    out : folder of the annotation file; made when missing

    Raises
    ------
    Unsuited
        Where there is no such lead, it is no voltage, or its rate is not 100 to 1000 Hz.
    """
    read = read_lead(record, lead)
    beats = hear(read).beats
    peaks, unsure = beats["sample"], (beats["flags"] & codes.UNSURE) != 0
    out.mkdir(parents=True, exist_ok=True)
    at = np.maximum.accumulate(np.rint(peaks / read.every).astype(np.int64))
    file = _write(read, at, out)
    duration_s = len(read.samples) / read.rate_hz
    return Annotated(read.record, read.name, len(at), int(unsure.sum()), duration_s, file)


def annotate_all(
    records: Sequence[Path],
    lead: int | None,
    out: Path,
    progress: Callable[[float, float, str], None] | None = None,
) -> Iterator[Annotated]:
    """Annotate one record after the other; raises as `annotate`."""
    for number, record in enumerate(records):
        if progress:
            progress(number, len(records), record.name)
        yield annotate(record, lead, out)


def _write(lead: Lead, at: NDArray[np.int64], out: Path) -> Path:
    import wfdb

    file = out / f"{lead.record}.{ANNOTATOR}"
    if len(at) == 0:  # wfdb refuses to write none: the end of the file is two zero bytes
        file.write_bytes(b"\0\0")
        return file
    wfdb.wrann(
        lead.record,
        ANNOTATOR,
        at,
        symbol=["N"] * len(at),
        chan=np.full(len(at), lead.number),
        fs=lead.record_hz,
        write_dir=str(out),
    )
    return file
