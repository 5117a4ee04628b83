"""R-peaks of WFDB records against the beats that experts marked, by the rules of `ec57`.

What is scored is what the service runs: `quality` and `beats`, one lead, a second at a time,
without a look ahead.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from telesurv.evaluate import ec57
from telesurv.evaluate.about import About, about
from telesurv.lead import Lead, Unsuited, hear, read_lead

BEAT_SYMBOLS = frozenset("NLRBAaJSVrFejnE/fQ?")
"""WFDB's codes of beats; `!`, a flutter wave, is none."""

PACED = frozenset("/f")
"""Of paced beats. EC57 leaves records with pacemakers out of its summaries."""

ANNOTATOR = "atr"

Progress = Callable[[float, float, str], None]


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    """Times in ms."""

    median_ms: float | None
    p99_ms: float | None


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """Counts, and the shares that follow from them; None where nothing was counted."""

    beats: int  # that the experts marked
    missed: int
    invented: int
    sensitivity: float | None
    predictivity: float | None
    f1: float | None


class RecordBeats(msgspec.Struct, frozen=True, kw_only=True):
    """One record."""

    folder: str
    record: str
    lead: str
    rate_hz: float
    judged_min: float  # minutes that count
    paced: bool
    figures: Figures
    offset_ms: float | None  # median of R-peak minus the experts' mark
    decided: Spread  # signal after the R-peak that it took to decide


class BeatsReport(msgspec.Struct, frozen=True, kw_only=True, tag="beats", tag_field="kind"):
    """What `evaluate` found."""

    about: About
    folders: tuple[str, ...]
    lead: int | None  # None: the first ECG
    window_ms: float
    learning_s: float
    left_out: tuple[str, ...]  # records without beats that experts marked
    records: tuple[RecordBeats, ...]
    gross: Figures
    gross_without_paced: Figures
    average_sensitivity: float | None
    average_predictivity: float | None
    offset_ms: float | None
    decided: Spread


@dataclass(frozen=True, slots=True)
class Reference:
    """What experts marked, in samples of the lead."""

    beats: NDArray[np.int64]
    fibrillation: list[tuple[int, int]]
    paced: bool


@dataclass(frozen=True, slots=True)
class Judged:
    """One record, and the counts and times behind it."""

    record: RecordBeats
    score: ec57.Score
    offsets_ms: NDArray[np.float64]
    delays_ms: NDArray[np.float64]


def evaluate(
    folders: Sequence[Path],
    *,
    lead: int | None = None,
    learning_s: float = ec57.LEARNING_S,
    progress: Progress = lambda done, total, text: None,
) -> BeatsReport:
    """Score every record of some folders that has reference annotations (`.atr`).

    Parameters
    ----------
    lead : number of the signal, from 0; None: the first ECG
    learning_s : what lies before does not count

    Raises
    ------
    Unsuited
        where no record has annotations of beats, or a lead cannot be analysed
    """
    found = [(folder, path) for folder in folders for path in sorted(folder.glob("*.hea"))]
    judged: list[Judged] = []
    left_out: list[str] = []
    for number, (folder, path) in enumerate(found):
        progress(number, len(found), path.stem)
        if not path.with_suffix(f".{ANNOTATOR}").exists():
            left_out.append(path.stem)
            continue
        read = read_lead(path, lead)
        reference = read_reference(path.with_suffix(""), read)
        if len(reference.beats):
            judged.append(judge(folder.resolve().name, read, reference, learning_s))
        else:
            left_out.append(path.stem)
    if not judged:
        raise Unsuited(
            f"{', '.join(map(str, folders))}: no WFDB record with beats in NAME.{ANNOTATOR}; "
            f"{len(found)} records without"
        )
    return _report(judged, folders, lead, learning_s, left_out)


def judge(folder: str, lead: Lead, reference: Reference, learning_s: float) -> Judged:
    """Find the beats of a lead and score them."""
    found = hear(lead).beats
    peaks = found["sample"].astype(np.int64)

    def counted(samples: NDArray[np.int64]) -> NDArray[np.int64]:
        return ec57.counted(
            samples, lead.rate_hz, learning_s=learning_s, excluded=reference.fibrillation
        )

    beats, peaks_counted = counted(reference.beats), counted(peaks)
    pairs = ec57.match(beats, peaks_counted, ec57.WINDOW_S * lead.rate_hz)
    score = ec57.Score(len(pairs), len(beats) - len(pairs), len(peaks_counted) - len(pairs))
    ms = 1000 / lead.rate_hz
    offsets = (peaks_counted[pairs[:, 1]] - beats[pairs[:, 0]]).astype(np.float64) * ms
    delays = (found["decided"] - peaks)[np.isin(peaks, peaks_counted)].astype(np.float64) * ms
    whole_s = len(lead.samples) / lead.rate_hz
    record = RecordBeats(
        folder=folder,
        record=lead.record,
        lead=lead.name,
        rate_hz=lead.rate_hz,
        judged_min=round(max(whole_s - learning_s, 0) / 60, 2),
        paced=reference.paced,
        figures=_figures(score),
        offset_ms=_median(offsets),
        decided=_spread(delays),
    )
    return Judged(record, score, offsets, delays)


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
    beats = samples[np.isin(symbols, list(BEAT_SYMBOLS))]
    return Reference(beats, fibrillation, bool(np.isin(symbols, list(PACED)).any()))


def _report(
    judged: list[Judged],
    folders: Sequence[Path],
    lead: int | None,
    learning_s: float,
    left_out: list[str],
) -> BeatsReport:
    unpaced = [one.score for one in judged if not one.record.paced]
    return BeatsReport(
        about=about(("quality", "beats")),
        folders=tuple(folder.resolve().name for folder in folders),
        lead=lead,
        window_ms=ec57.WINDOW_S * 1000,
        learning_s=learning_s,
        left_out=tuple(left_out),
        records=tuple(one.record for one in judged),
        gross=_figures(ec57.gross(one.score for one in judged)),
        gross_without_paced=_figures(ec57.gross(unpaced)),
        average_sensitivity=_mean(one.record.figures.sensitivity for one in judged),
        average_predictivity=_mean(one.record.figures.predictivity for one in judged),
        offset_ms=_median(np.concatenate([one.offsets_ms for one in judged])),
        decided=_spread(np.concatenate([one.delays_ms for one in judged])),
    )


def _figures(score: ec57.Score) -> Figures:
    hits, missed, invented = score.true_positives, score.false_negatives, score.false_positives
    either = 2 * hits + missed + invented
    return Figures(
        beats=hits + missed,
        missed=missed,
        invented=invented,
        sensitivity=_known(score.sensitivity),
        predictivity=_known(score.predictivity),
        f1=_known(2 * hits / either if either else float("nan")),
    )


def _known(share: float) -> float | None:
    return None if np.isnan(share) else round(share, 6)


def _mean(shares: Iterable[float | None]) -> float | None:
    known = [one for one in shares if one is not None]
    return round(sum(known) / len(known), 6) if known else None


def _median(times_ms: NDArray[np.float64]) -> float | None:
    return round(float(np.median(times_ms)), 2) if len(times_ms) else None


def _spread(times_ms: NDArray[np.float64]) -> Spread:
    p99 = round(float(np.percentile(times_ms, 99)), 2) if len(times_ms) else None
    return Spread(median_ms=_median(times_ms), p99_ms=p99)
