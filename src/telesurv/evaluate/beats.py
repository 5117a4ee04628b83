"""R-peaks of WFDB records against the beats that experts marked, by the rules of `ec57`.

What is scored is what the service runs: `quality` and `beats`, one lead, a second at a time,
without a look ahead. All beats count. Beside it stands what is true where `quality` calls the
signal readable: a beat is in readable signal when the mask of its mark's sample says so, a
detection when that of its R-peak does, and a second is readable when all its samples are.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from telesurv.evaluate import ec57, seconds
from telesurv.evaluate.about import About, about
from telesurv.evaluate.figures import (
    Figures,
    Histogram,
    Spread,
    densest,
    figures,
    histogram,
    mean,
    median,
    rounded,
    spread,
)
from telesurv.evaluate.intervals import share
from telesurv.lead import Lead, Unsuited, hear, read_lead

BEAT_SYMBOLS = frozenset("NLRBAaJSVrFejnE/fQ?")
"""WFDB's codes of beats; `!`, a flutter wave, is none."""

PACED = frozenset("/f")
"""Of paced beats. EC57 leaves records with pacemakers out of its summaries."""

ANNOTATOR = "atr"

STRETCH_S = 10.0
STRETCHES_A_RECORD, STRETCHES = 2, 12
"""Worst stretches that a report names: of one record, and of all."""

Progress = Callable[[float, float, str], None]


class Noise(msgspec.Struct, frozen=True, kw_only=True):
    """Where noise was mixed in: from `from_s` on, every other `period_s`."""

    from_s: float
    period_s: float

    def at(self, time_s: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Whether instants lie in noise."""
        periods = np.floor((time_s - self.from_s) / self.period_s)
        noisy: NDArray[np.bool_] = (periods >= 0) & (periods % 2 == 0)
        return noisy


class Readable(msgspec.Struct, frozen=True, kw_only=True):
    """What is true of signal that was called readable, and how much of it there is."""

    figures: Figures  # of beats and detections in readable samples
    judged_s: int  # whole seconds that count
    readable_s: int  # of them
    readable: float | None
    noisy_s: int  # of the seconds that count, those with noise mixed in
    noisy_readable_s: int
    noisy_readable: float | None


class Stretch(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of a record with many errors."""

    folder: str
    record: str
    begin_s: float
    length_s: float
    missed: int
    invented: int


class RecordBeats(msgspec.Struct, frozen=True, kw_only=True):
    """One record."""

    folder: str
    record: str
    lead: str
    rate_hz: float
    judged_min: float  # minutes that count
    paced: bool
    figures: Figures
    readable: Readable
    offset_ms: float | None  # median of R-peak minus the experts' mark
    decided: Spread  # signal after the R-peak that it took to decide


class BeatsReport(msgspec.Struct, frozen=True, kw_only=True, tag="beats", tag_field="kind"):
    """What `evaluate` found."""

    about: About
    folders: tuple[str, ...]
    lead: int | None  # None: the first ECG
    window_ms: float
    learning_s: float
    noise: Noise | None
    left_out: tuple[str, ...]  # records without beats that experts marked
    records: tuple[RecordBeats, ...]
    gross: Figures
    gross_without_paced: Figures
    average_sensitivity: float | None
    average_predictivity: float | None
    readable: Readable
    offset_ms: float | None
    decided: Spread
    delays: Histogram  # of `decided`
    worst: tuple[Stretch, ...]  # the fullest of errors first


@dataclass(frozen=True, slots=True)
class Reference:
    """What experts marked, in samples of the lead."""

    beats: NDArray[np.int64]
    symbols: NDArray[np.str_]  # of the beats
    fibrillation: list[tuple[int, int]]
    paced: bool


@dataclass(frozen=True, slots=True)
class Judged:
    """One record, and the counts and times behind it."""

    record: RecordBeats
    score: ec57.Score
    readable_score: ec57.Score
    offsets_ms: NDArray[np.float64]
    delays_ms: NDArray[np.float64]
    worst: list[Stretch]


@dataclass(frozen=True, slots=True)
class Rules:
    """What counts, and what is known of the records."""

    learning_s: float = ec57.LEARNING_S
    noise: Noise | None = None


def evaluate(
    folders: Sequence[Path],
    *,
    lead: int | None = None,
    only: Sequence[str] = (),
    learning_s: float = ec57.LEARNING_S,
    noise: Noise | None = None,
    progress: Progress = lambda done, total, text: None,
) -> BeatsReport:
    """Score every record of some folders that has reference annotations (`.atr`).

    Parameters
    ----------
    lead : number of the signal, from 0; None: the first ECG
    only : patterns of record names, as of files; none: every record
    learning_s : what lies before does not count
    noise : where noise was mixed into the records, if it was

    Raises
    ------
    Unsuited
        where no record has annotations of beats, or a lead cannot be analysed
    """
    rules = Rules(learning_s, noise)
    left_out: list[str] = []
    judged = [
        judge(path.resolve().parent.name, read, reference, rules)
        for path, read, reference in annotated(folders, lead, only, left_out, progress)
    ]
    return _report(judged, folders, lead, rules, left_out)


def annotated(
    folders: Sequence[Path],
    lead: int | None,
    only: Sequence[str],
    left_out: list[str],
    progress: Progress,
) -> Iterator[tuple[Path, Lead, Reference]]:
    """Read the records in which experts marked beats; names of others go to `left_out`.

    Raises `Unsuited` when there was none.
    """
    found = records_of(folders, only)
    for number, path in enumerate(found):
        progress(number, len(found), path.stem)
        if path.with_suffix(f".{ANNOTATOR}").exists():
            read = read_lead(path, lead)
            reference = read_reference(path.with_suffix(""), read)
            if len(reference.beats):
                yield path, read, reference
                continue
        left_out.append(path.stem)
    if len(left_out) == len(found):
        raise Unsuited(
            f"{', '.join(map(str, folders))}: no WFDB record with beats in NAME.{ANNOTATOR}; "
            f"{len(found)} records without"
        )


def records_of(folders: Sequence[Path], only: Sequence[str] = ()) -> list[Path]:
    """Return the headers of the folders' records whose names match a pattern, in order."""
    return [
        path
        for folder in folders
        for path in sorted(folder.glob("*.hea"))
        if not only or any(Path(path.stem).match(pattern) for pattern in only)
    ]


def judge(folder: str, lead: Lead, reference: Reference, rules: Rules) -> Judged:
    """Find the beats of a lead and score them."""
    heard = hear(lead)
    peaks = heard.beats["sample"].astype(np.int64)
    of = ec57.compare(
        reference.beats,
        peaks,
        lead.rate_hz,
        learning_s=rules.learning_s,
        excluded=reference.fibrillation,
    )
    score = ec57.Score(len(of.pairs), len(of.missed), len(of.invented))
    good = heard.mask == 0
    at_beats = np.minimum(reference.beats, len(good) - 1)  # a mark may lie on the record's end
    readable_score = ec57.Score(
        int(good[at_beats[of.pairs[:, 0]]].sum()),
        int(good[at_beats[of.missed]].sum()),
        int(good[peaks[of.invented]].sum()),
    )
    ms = 1000 / lead.rate_hz
    offsets = (peaks[of.pairs[:, 1]] - reference.beats[of.pairs[:, 0]]).astype(np.float64) * ms
    judged = np.sort(np.concatenate([of.pairs[:, 1], of.invented]))
    delays = (heard.beats["decided"][judged] - peaks[judged]).astype(np.float64) * ms
    record = RecordBeats(
        folder=folder,
        record=lead.record,
        lead=lead.name,
        rate_hz=lead.rate_hz,
        judged_min=round(max(len(good) / lead.rate_hz - rules.learning_s, 0) / 60, 2),
        paced=reference.paced,
        figures=figures(score),
        readable=_readable(readable_score, *_seconds(heard.mask, lead.rate_hz, rules)),
        offset_ms=median(offsets),
        decided=spread(delays),
    )
    errors = reference.beats[of.missed] / lead.rate_hz, peaks[of.invented] / lead.rate_hz
    worst = worst_of(folder, lead.record, *errors)
    return Judged(record, score, readable_score, offsets, delays, worst)


def read_reference(record: Path, lead: Lead) -> Reference:
    """Read what experts marked in a record (without suffix), in samples of `lead`.

    Fibrillation lies between `[` and `]`; one that is not closed lasts to the end.
    """
    import wfdb

    marks = wfdb.rdann(str(record), ANNOTATOR)
    samples = np.asarray(marks.sample, np.int64) * lead.every
    symbols = np.array(marks.symbol, str)
    fibrillation, begun = [], None
    for at, symbol in zip(samples.tolist(), symbols.tolist(), strict=True):
        if symbol == "[":
            begun = at
        elif symbol == "]" and begun is not None:
            fibrillation.append((begun, at))
            begun = None
    if begun is not None:
        fibrillation.append((begun, len(lead.samples)))
    is_beat = np.isin(symbols, list(BEAT_SYMBOLS))
    paced = bool(np.isin(symbols, list(PACED)).any())
    return Reference(samples[is_beat], symbols[is_beat], fibrillation, paced)


def _seconds(mask: NDArray[np.uint8], rate_hz: float, rules: Rules) -> tuple[int, int, int, int]:
    """Count whole seconds that count, the readable ones, and both of those with noise."""
    readable = seconds.bits(mask, rate_hz) == 0
    begin_s = np.arange(len(readable), dtype=np.float64)
    counts = begin_s >= rules.learning_s
    noisy = counts & rules.noise.at(begin_s) if rules.noise else np.zeros_like(counts)
    return (
        int(counts.sum()),
        int((counts & readable).sum()),
        int(noisy.sum()),
        int((noisy & readable).sum()),
    )


def _readable(
    score: ec57.Score, judged_s: int, readable_s: int, noisy_s: int, noisy_readable_s: int
) -> Readable:
    return Readable(
        figures=figures(score),
        judged_s=judged_s,
        readable_s=readable_s,
        readable=rounded(share(readable_s, judged_s)),
        noisy_s=noisy_s,
        noisy_readable_s=noisy_readable_s,
        noisy_readable=rounded(share(noisy_readable_s, noisy_s)),
    )


def worst_of(
    folder: str, record: str, missed_s: NDArray[np.float64], invented_s: NDArray[np.float64]
) -> list[Stretch]:
    """Return the stretches of a record that are the fullest of errors."""
    found = []
    for begin_s in densest(np.concatenate([missed_s, invented_s]), STRETCH_S, STRETCHES_A_RECORD):
        begin_s = round(begin_s, 1)
        missed, invented = (
            int(((times_s >= begin_s) & (times_s < begin_s + STRETCH_S)).sum())
            for times_s in (missed_s, invented_s)
        )
        found.append(
            Stretch(
                folder=folder,
                record=record,
                begin_s=begin_s,
                length_s=STRETCH_S,
                missed=missed,
                invented=invented,
            )
        )
    return found


def _report(
    judged: list[Judged],
    folders: Sequence[Path],
    lead: int | None,
    rules: Rules,
    left_out: list[str],
) -> BeatsReport:
    unpaced = [one.score for one in judged if not one.record.paced]
    delays_ms = np.concatenate([one.delays_ms for one in judged])
    parts = [one.record.readable for one in judged]
    worst = sorted(
        (stretch for one in judged for stretch in one.worst),
        key=lambda stretch: -(stretch.missed + stretch.invented),
    )
    return BeatsReport(
        about=about(("quality", "beats")),
        folders=tuple(folder.resolve().name for folder in folders),
        lead=lead,
        window_ms=ec57.WINDOW_S * 1000,
        learning_s=rules.learning_s,
        noise=rules.noise,
        left_out=tuple(left_out),
        records=tuple(one.record for one in judged),
        gross=figures(ec57.gross(one.score for one in judged)),
        gross_without_paced=figures(ec57.gross(unpaced)),
        average_sensitivity=mean(one.record.figures.sensitivity for one in judged),
        average_predictivity=mean(one.record.figures.predictivity for one in judged),
        readable=_readable(
            ec57.gross(one.readable_score for one in judged),
            sum(part.judged_s for part in parts),
            sum(part.readable_s for part in parts),
            sum(part.noisy_s for part in parts),
            sum(part.noisy_readable_s for part in parts),
        ),
        offset_ms=median(np.concatenate([one.offsets_ms for one in judged])),
        decided=spread(delays_ms),
        delays=histogram(delays_ms),
        worst=tuple(worst[:STRETCHES]),
    )
