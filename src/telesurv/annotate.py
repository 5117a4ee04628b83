"""Beats and rhythms of WFDB records as standard annotation files, found by the streaming kernels.

What is written is what the service finds (`lead.hear`), so that any standard tool can score it.

**Beats** stand at their R-peak. Their class is written as a code that `bxb` and its like map
back to it: N, S (supraventricular), V, F (fusion), Q (paced, or of no known kind). A beat that was
not classified is an N: its place is scored, and a score of classes counts it as the commonest.

**Rhythms** are changes (`+`) at the onset and the end that a finding names, not when it was
decided. Codes are those of MIT-BIH's databases (`RHYTHMS`): VF stands for flutter, too, and VT
for runs from three ventricular beats on, as in MIT-BIH Arrhythmia, so for the shorter ones
that are no `ventricular-tachycardia` as well. Where several rhythms are present the graver is
written. `(N` says that no such rhythm was found, no more: rates, pauses and single ectopic beats
have no code.

WFDB keeps one annotation a sample: a change that falls on a beat goes a sample before it when a
rhythm begins, and a sample behind it when one ends.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from telesurv.lead import Lead, hear, read_lead
from telesurv_kernels import _dtypes as codes

ANNOTATOR = "tsv"
"""Extension of the files."""

SYMBOLS = {
    0: "N",
    codes.NORMAL: "N",
    codes.SUPRAVENTRICULAR: "S",
    codes.VENTRICULAR: "V",
    codes.FUSION: "F",
    codes.UNKNOWN: "Q",
}
"""WFDB's code of each class of beats; 0: not classified."""

RHYTHMS = {
    codes.VENTRICULAR_FIBRILLATION: "(VF",
    codes.ASYSTOLE: "(ASYS",
    codes.VENTRICULAR_TACHYCARDIA: "(VT",
    codes.VENTRICULAR_RUN: "(VT",
    codes.SUPRAVENTRICULAR_TACHYCARDIA: "(SVTA",
    codes.ATRIAL_FIBRILLATION: "(AFIB",
    codes.BIGEMINY: "(B",
    codes.TRIGEMINY: "(T",
}
"""MIT-BIH's code of a condition that is a rhythm, the gravest first."""

NONE = "(N"
CHANGE = "+"


@dataclass(frozen=True, slots=True)
class Annotated:
    """What was found in a record, and where it was written."""

    record: str
    lead: str
    symbols: dict[str, int]  # how many beats have which code
    rhythms: dict[str, int]  # how often which rhythm begins
    unsure: int
    signal_s: float
    file: Path

    @property
    def beats(self) -> int:
        """How many beats were found."""
        return sum(self.symbols.values())


def annotate(record: Path, lead: int | None, out: Path) -> Annotated:
    """Find the beats and rhythms of a record and write them as annotations.

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
    heard = hear(read)
    flags = heard.beats["flags"]
    symbols = [SYMBOLS[code] for code in (flags >> codes.CLASS_SHIFT & codes.CLASS_MASK).tolist()]
    at = np.rint(heard.beats["sample"] / read.every).astype(np.int64)
    placed = dict(zip(at.tolist(), symbols, strict=True))
    end = (len(read.samples) - 1) // read.every
    changes = {} if end < 0 else place(rhythm_changes(heard.finding), placed, read.record_hz, end)
    out.mkdir(parents=True, exist_ok=True)
    return Annotated(
        record=read.record,
        lead=read.name,
        symbols=dict(sorted(Counter(symbols).items())),
        rhythms=dict(sorted(Counter(changes.values()).items())),
        unsure=int(((flags & codes.UNSURE) != 0).sum()),
        signal_s=len(read.samples) / read.rate_hz,
        file=_write(read, placed, changes, out),
    )


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


def rhythm_changes(finding: NDArray[Any]) -> list[tuple[int, str]]:
    """Return when which rhythm begins, in ns, from the findings of event kernels.

    A rhythm that was on when the record ended lasts to its end.
    """
    spans: list[tuple[int, float, int]] = []  # onset, end, condition
    open_: dict[int, int] = {}
    for one in finding[np.isin(finding["condition"], list(RHYTHMS))]:
        kind, condition = int(one["kind"]), int(one["condition"])
        if kind == codes.ON:
            open_.setdefault(condition, int(one["onset_ns"]))
        elif kind == codes.OFF and condition in open_:
            spans.append((open_.pop(condition), int(one["end_ns"]), condition))
        elif kind == codes.EPISODE:
            spans.append((int(one["onset_ns"]), int(one["end_ns"]), condition))
    spans += [(onset_ns, np.inf, condition) for condition, onset_ns in open_.items()]
    changes, now = [(0, NONE)], NONE
    for time_ns in sorted({int(edge) for span in spans for edge in span[:2] if edge < np.inf}):
        present = {condition for onset, end, condition in spans if onset <= time_ns < end}
        rhythm = next((code for condition, code in RHYTHMS.items() if condition in present), NONE)
        if rhythm != now:
            changes.append((time_ns, rhythm))
            now = rhythm
    return changes


def place(
    changes: Sequence[tuple[int, str]], beats: dict[int, str], rate_hz: float, end: int
) -> dict[int, str]:
    """Return changes of rhythm by sample, none of them that of a beat.

    Parameters
    ----------
    changes : time in ns and rhythm, in order
    beats : by sample
    rate_hz : of the record's time base
    end : the record's last sample
    """
    placed: dict[int, str] = {}
    for time_ns, rhythm in changes:
        sample = min(max(round(time_ns * rate_hz / 1e9), 0), end)
        if sample in beats:
            behind = rhythm == NONE or sample == 0
            sample += 1 if behind and sample < end else -1
        # Of two changes on one sample, or out of order by this sample, the later one is true.
        for later in [other for other in placed if other >= sample]:
            del placed[later]
        placed[sample] = rhythm
    return placed


def _write(lead: Lead, beats: dict[int, str], changes: dict[int, str], out: Path) -> Path:
    import wfdb

    file = out / f"{lead.record}.{ANNOTATOR}"
    at = np.array(sorted({*beats, *changes}), np.int64)
    if len(at) == 0:  # wfdb refuses to write none: the end of the file is two zero bytes
        file.write_bytes(b"\0\0")
        return file
    wfdb.wrann(
        lead.record,
        ANNOTATOR,
        at,
        symbol=[beats.get(sample, CHANGE) for sample in at.tolist()],
        aux_note=["" if sample in beats else changes[sample] for sample in at.tolist()],
        chan=np.full(len(at), lead.number),
        fs=lead.record_hz,
        write_dir=str(out),
    )
    return file
