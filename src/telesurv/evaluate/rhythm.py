"""Atrial and ventricular fibrillation of WFDB records against what experts marked.

By the rules of ANSI/AAMI EC57, as the WFDB tool `epicmp` applies them: **episodes** agree where
they overlap at all; **duration** is the time that both call so. Beside them **beats** (those
that lie in episodes, and those that do not), how long it took to **decide**, and how much of
each marked rhythm was called so. Noise that experts marked does not count; there is no learning
period, for records are as short as 40 s.

What is scored is what the service runs over a lead, a second at a time. Records that hold beats
alone are heard by the kernels of RR intervals, which is all that can be scored there; with
`reference_beats` so are the others, by the experts' beats and classes: it tells what detection
and classes cost.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from telesurv.cascade import LEAD_KERNELS
from telesurv.evaluate import spans
from telesurv.evaluate.about import About, about
from telesurv.evaluate.figures import Histogram, histogram
from telesurv.evaluate.rhythm_figures import (
    Average,
    RhythmFigures,
    Tally,
    average,
    rhythm_figures,
)
from telesurv.evaluate.rhythm_marks import (
    BEAT_ANNOTATORS,
    NOISE,
    Called,
    Marks,
    called,
    hear_beats,
    read_marks,
)
from telesurv.lead import Lead, Unsuited, hear, read_lead
from telesurv_kernels import _dtypes as codes

DELAY_BIN_MS = 5_000
"""Width of the bars of the histogram of delays."""

Progress = Callable[[float, float, str], None]


@dataclass(frozen=True, slots=True)
class Target:
    """A condition, and the marks of experts that say it."""

    condition: int
    rhythms: tuple[str, ...]
    from_beats: bool  # RR intervals tell


TARGETS = {
    "atrial-fibrillation": Target(codes.ATRIAL_FIBRILLATION, ("(AFIB", "(AFL"), True),
    "atrial-fibrillation, flutter not counted as such": Target(
        codes.ATRIAL_FIBRILLATION, ("(AFIB",), True
    ),
    "ventricular-fibrillation": Target(
        codes.VENTRICULAR_FIBRILLATION, ("(VF", "(VFIB", "(VFL"), False
    ),
}
"""What is judged, flutter of the ventricles with fibrillation."""


class RecordRhythm(msgspec.Struct, frozen=True, kw_only=True):
    """One record."""

    folder: str
    record: str
    lead: str | None  # None: of beats alone
    judged_s: float
    figures: dict[str, RhythmFigures]  # by target


class RhythmReport(msgspec.Struct, frozen=True, kw_only=True, tag="rhythm", tag_field="kind"):
    """What `evaluate` found."""

    about: About
    folders: tuple[str, ...]
    lead: int | None  # None: the first ECG
    reference_beats: bool
    left_out: tuple[str, ...]  # records of which nothing says the rhythm
    records: tuple[RecordRhythm, ...]
    gross: dict[str, RhythmFigures]
    average: dict[str, Average]
    delays: dict[str, Histogram]  # of `decided`


def evaluate(
    folders: Sequence[Path],
    *,
    lead: int | None = None,
    reference_beats: bool = False,
    progress: Progress = lambda done, total, text: None,
) -> RhythmReport:
    """Score every record of some folders of which something says the rhythm.

    That is a file `.atr` with rhythms, beats that experts marked (then there is none of those
    that are looked for), or a comment `rhythm: AF`, or another, in its header.

    Parameters
    ----------
    lead : number of the signal, from 0; None: the first ECG
    reference_beats : hear the experts' beats instead of the signal

    Raises
    ------
    Unsuited
        where no record has marks, or a lead cannot be analysed
    """
    places = [(folder, record) for folder in folders for record in _records(folder)]
    records: list[RecordRhythm] = []
    left_out: list[str] = []
    gross: dict[str, Tally] = {}
    for number, (folder, path) in enumerate(places):
        progress(number, len(places), path.name)
        read = _read(path, lead)
        marks = read_marks(path, len(read.samples) / read.rate_hz if read else None)
        if marks is None or (reference_beats and not len(marks.beats_s)):
            left_out.append(path.name)
            continue
        record, tallies = judge(folder.resolve().name, path.name, read, marks, reference_beats)
        records.append(record)
        for name, tally in tallies.items():
            gross.setdefault(name, Tally()).add(tally)
    if not records:
        raise Unsuited(
            f"{', '.join(map(str, folders))}: no WFDB record whose rhythm is marked (NAME.atr, "
            f"beats, or a comment 'rhythm: …'); {len(places)} records without"
        )
    of_target = {name: [r.figures[name] for r in records if name in r.figures] for name in gross}
    return RhythmReport(
        about=about(("quality", *LEAD_KERNELS)),
        folders=tuple(folder.resolve().name for folder in folders),
        lead=lead,
        reference_beats=reference_beats,
        left_out=tuple(left_out),
        records=tuple(records),
        gross={name: rhythm_figures(tally) for name, tally in gross.items()},
        average={name: average(figures) for name, figures in of_target.items()},
        delays={
            name: histogram(np.array(tally.delays_ms), DELAY_BIN_MS)
            for name, tally in gross.items()
        },
    )


def judge(
    folder: str, name: str, lead: Lead | None, marks: Marks, reference_beats: bool
) -> tuple[RecordRhythm, dict[str, Tally]]:
    """Hear one record and score it, by target."""
    signal = None if reference_beats else lead
    if signal is None:
        finding = hear_beats(marks.beats_s, marks.classes, marks.end_s)
    else:
        finding = hear(signal).finding
    tallies = {
        target_name: tally(target, called(finding, target.condition, marks.end_s), marks)
        for target_name, target in TARGETS.items()
        if target.from_beats or signal is not None
    }
    record = RecordRhythm(
        folder=folder,
        record=name,
        lead=signal.name if signal else None,
        judged_s=round(next(iter(tallies.values())).judged_s, 3),
        figures={target_name: rhythm_figures(one) for target_name, one in tallies.items()},
    )
    return record, tallies


def tally(target: Target, found: Sequence[Called], marks: Marks) -> Tally:
    """Count what was called against what experts marked."""
    judged = spans.without([(0.0, marks.end_s)], marks.spans(NOISE))
    truth = spans.both(marks.spans(*target.rhythms), judged)
    said = spans.both((one.span for one in found), judged)
    counted = Tally(
        reference=len(truth),
        found=sum(spans.overlap(one, said) for one in truth),
        called=len(said),
        right=sum(spans.overlap(one, truth) for one in said),
        judged_s=spans.length_s(judged),
        reference_s=spans.length_s(truth),
        called_s=spans.length_s(said),
        both_s=spans.length_s(spans.both(truth, said)),
    )
    beats_s = marks.beats_s[_within(marks.beats_s, judged)]
    inside, of_called = _within(beats_s, truth), _within(beats_s, said)
    counted.inside, counted.outside = int(inside.sum()), int((~inside).sum())
    counted.inside_called = int((inside & of_called).sum())
    counted.outside_called = int((~inside & of_called).sum())
    for episode in truth:
        detected = [one.detected_s for one in found if spans.overlap(episode, [one.span])]
        if detected:
            counted.delays_ms.append(max(min(detected) - episode[0], 0.0) * 1000)
    for one in found if len(beats_s) else ():
        counted.delays_beats.append(int(_within(beats_s, [(one.onset_s, one.detected_s)]).sum()))
    for rhythm in sorted({code for *_, code in marks.rhythms}):
        of_rhythm = spans.both(marks.spans(rhythm), judged)
        if of_rhythm:
            shared = spans.length_s(spans.both(of_rhythm, said))
            counted.rhythms[rhythm] = spans.length_s(of_rhythm), shared
    return counted


def _within(times_s: NDArray[np.float64], of: Sequence[spans.Span]) -> NDArray[np.bool_]:
    inside = np.zeros(len(times_s), np.bool_)
    for begin, end in of:
        inside |= (times_s >= begin) & (times_s < end)
    return inside


def _records(folder: Path) -> list[Path]:
    """Return the records of a folder, without suffix: those with a header or with beats."""
    suffixes = (".hea", *(f".{name}" for name in BEAT_ANNOTATORS))
    return sorted({one.with_suffix("") for one in folder.iterdir() if one.suffix in suffixes})


def _read(record: Path, lead: int | None) -> Lead | None:
    """Read a record's lead; None where it holds no signals."""
    import wfdb

    if not record.with_suffix(".hea").exists() or not wfdb.rdheader(str(record)).n_sig:
        return None
    return read_lead(record, lead)
