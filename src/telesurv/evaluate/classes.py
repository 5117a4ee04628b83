"""Classes of beats of WFDB records against those that experts marked, by ANSI/AAMI EC57.

What is scored is what the service runs: `quality`, `beats` and `classes`, one lead, without a
look ahead. Pairs of beats are those of `ec57`; a beat that was not detected
stands in column `x` and is missed by its class, one that was invented in row `O`.

The sums are those of the WFDB tool `bxb`: a ventricular beat is a hit where it was called V; of
the others N, S and what was invented are false positives where they were called V, whereas a
fusion beat (F) called V is none, nor is Q. Supraventricular ones likewise: N, V, F and what was
invented. Symbols are mapped as by de Chazal, O'Dwyer and Reilly 2004: escape beats of the
atria and the node (e, j) are N. EC57 leaves records with pacemakers out of its summaries.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from telesurv.evaluate import ec57
from telesurv.evaluate.about import About, about
from telesurv.evaluate.beats import Reference, annotated
from telesurv.evaluate.figures import Spread, interval, rounded, spread
from telesurv.evaluate.intervals import share
from telesurv.lead import AFTER_S, Lead, hear
from telesurv_kernels import _dtypes as codes
from telesurv_kernels import beats, classes, quality
from telesurv_streams.frame import MISSING

SYMBOLS = {"N": "NLRBejn", "S": "AaJS", "V": "VEr", "F": "F", "Q": "/fQ?"}
"""WFDB's codes of beats by class."""

ROWS = ("N", "S", "V", "F", "Q", "O")
"""Of a matrix: what experts marked; O: nothing."""

COLUMNS = ("n", "s", "v", "f", "q", "x")
"""What was found; q: unclassifiable or not classified; x: nothing."""

_COLUMN_OF = {
    codes.NORMAL: 0,
    codes.SUPRAVENTRICULAR: 1,
    codes.VENTRICULAR: 2,
    codes.FUSION: 3,
    codes.UNKNOWN: 4,
    0: 4,
}
_FALSE = {"V": ("N", "S", "O"), "S": ("N", "V", "F", "O")}
"""Rows that are false positives in the column of a class."""

Bounds = tuple[float, float]
Weights = tuple[NDArray[np.float64], NDArray[np.float64]]
Progress = Callable[[float, float, str], None]
Matrix = tuple[tuple[int, ...], ...]
"""Counts by ROWS and COLUMNS."""


class ClassFigures(msgspec.Struct, frozen=True, kw_only=True):
    """Counts of one class, and the shares that follow from them; None where nothing counts."""

    beats: int  # that the experts marked
    missed: int  # called otherwise, or not detected
    invented: int
    sensitivity: float | None
    sensitivity_interval: Bounds | None  # Wilson, 95 %
    predictivity: float | None
    predictivity_interval: Bounds | None
    false_positive_rate: float | None  # of the beats and inventions of other classes


class ClassScore(msgspec.Struct, frozen=True, kw_only=True):
    """What was found against what experts marked, of one record or of several."""

    matrix: Matrix
    ventricular: ClassFigures
    supraventricular: ClassFigures


class RecordClasses(msgspec.Struct, frozen=True, kw_only=True):
    """One record."""

    folder: str
    record: str
    lead: str
    rate_hz: float
    paced: bool
    score: ClassScore
    decided: Spread  # signal after the R-peak that it took to classify


class ClassesReport(msgspec.Struct, frozen=True, kw_only=True, tag="classes", tag_field="kind"):
    """What `evaluate` found."""

    about: About
    folders: tuple[str, ...]
    lead: int | None  # None: the first ECG
    window_ms: float
    learning_s: float
    left_out: tuple[str, ...]  # records without beats that experts marked
    records: tuple[RecordClasses, ...]
    gross: ClassScore
    gross_without_paced: ClassScore
    decided: Spread


@dataclass(frozen=True, slots=True)
class Judged:
    """One record, and the times behind it."""

    record: RecordClasses
    delays_ms: NDArray[np.float64]


def evaluate(
    folders: Sequence[Path],
    *,
    lead: int | None = None,
    only: Sequence[str] = (),
    learning_s: float = ec57.LEARNING_S,
    progress: Progress = lambda done, total, text: None,
) -> ClassesReport:
    """Score every record of some folders that has reference annotations (`.atr`).

    Parameters
    ----------
    lead : number of the signal, from 0; None: the first ECG
    only : patterns of record names, as of files; none: every record
    learning_s : what lies before does not count

    Raises
    ------
    Unsuited
        where no record has annotations of beats, or a lead cannot be analysed
    """
    left_out: list[str] = []
    judged = [
        judge(path.resolve().parent.name, read, reference, learning_s)
        for path, read, reference in annotated(folders, lead, only, left_out, progress)
    ]
    records = [one.record for one in judged]
    return ClassesReport(
        about=about(("quality", "beats", "classes")),
        folders=tuple(folder.resolve().name for folder in folders),
        lead=lead,
        window_ms=ec57.WINDOW_S * 1000,
        learning_s=learning_s,
        left_out=tuple(left_out),
        records=tuple(records),
        gross=score(_sum([one.score.matrix for one in records])),
        gross_without_paced=score(_sum([one.score.matrix for one in records if not one.paced])),
        decided=spread(np.concatenate([one.delays_ms for one in judged])),
    )


def judge(
    folder: str,
    lead: Lead,
    reference: Reference,
    learning_s: float,
    weights: Weights | None = None,
) -> Judged:
    """Classify the beats of a lead and score them; `weights` as in `classified`."""
    found = classified(lead, weights)
    peaks = found["sample"].astype(np.int64)
    called = found["flags"] >> codes.CLASS_SHIFT & codes.CLASS_MASK
    of = ec57.compare(
        reference.beats,
        peaks,
        lead.rate_hz,
        learning_s=learning_s,
        excluded=reference.fibrillation,
    )
    counts = np.zeros((len(ROWS), len(COLUMNS)), np.int64)
    rows = rows_of(reference)
    columns = np.array([_COLUMN_OF[one] for one in called.tolist()], np.int64)
    np.add.at(counts, (rows[of.pairs[:, 0]], columns[of.pairs[:, 1]]), 1)
    counts[:, COLUMNS.index("x")] = np.bincount(rows[of.missed], minlength=len(ROWS))
    counts[ROWS.index("O")] += np.bincount(columns[of.invented], minlength=len(COLUMNS))
    judged = np.sort(np.concatenate([of.pairs[:, 1], of.invented]))
    delays = (found["decided"] - peaks)[judged].astype(np.float64) * (1000 / lead.rate_hz)
    record = RecordClasses(
        folder=folder,
        record=lead.record,
        lead=lead.name,
        rate_hz=lead.rate_hz,
        paced=reference.paced,
        score=score(counts),
        decided=spread(delays),
    )
    return Judged(record, delays)


def score(counts: NDArray[np.int64]) -> ClassScore:
    """Return the figures of a matrix, int64[ROWS, COLUMNS]."""
    return ClassScore(
        matrix=tuple(tuple(row) for row in counts.tolist()),
        ventricular=_figures(counts, "V"),
        supraventricular=_figures(counts, "S"),
    )


def classified(lead: Lead, weights: Weights | None = None) -> NDArray[Any]:
    """Return the BEATs of a lead, with class and the sample at which each was decided.

    Parameters
    ----------
    weights : of both sums of `classes`; None: its own, as the service runs it
    """
    if weights is None:
        return hear(lead).beats
    samples, mask, events = listened(lead)
    state, params = np.zeros(1, classes.STATE), np.array([classes.params(lead.rate_hz)])
    params["ventricular"][0], params["supraventricular"][0] = weights
    found = np.zeros(len(events), classes.FINDING)
    classes.advance(state, params, whole(samples), samples, mask, events, found)
    kept = (found["kind"] == codes.BEAT) & (found["sample"] < len(lead.samples))
    of_lead: NDArray[Any] = found[kept]
    return of_lead


def listened(lead: Lead) -> tuple[NDArray[np.int16], NDArray[np.uint8], NDArray[Any]]:
    """Return a lead with missing samples after its end, its mask, and what `beats` finds.

    At once: the kernels find the same however a signal is cut.
    """
    after = np.full(round(AFTER_S * lead.rate_hz), MISSING, np.int16)
    samples = np.concatenate([lead.samples, after])
    mask = np.zeros(len(samples), np.uint8)
    segment = whole(samples)
    wave = quality.params(lead.rate_hz, lead.scale_mv, ecg=True)
    ignored = np.zeros(quality.capacity(len(samples), 1), quality.FINDING)
    quality.advance(np.zeros(1, quality.STATE), np.array([wave]), segment, samples, mask, ignored)
    peaks = np.array([beats.params(lead.rate_hz, lead.scale_mv)])
    found = np.zeros(beats.capacity(len(samples), 1), beats.FINDING)
    count = beats.advance(np.zeros(1, beats.STATE), peaks, segment, samples, mask, found)
    return samples, mask, found[:count]


def whole(samples: NDArray[np.int16]) -> NDArray[Any]:
    """Return one segment, of all samples, with which a row begins."""
    return np.array([(0, 0, len(samples), 1)], codes.SEGMENT)


def rows_of(reference: Reference) -> NDArray[np.int64]:
    """Return the row of a matrix to which each beat belongs that experts marked."""
    row_of = {symbol: row for row, name in enumerate(SYMBOLS) for symbol in SYMBOLS[name]}
    return np.array([row_of[symbol] for symbol in reference.symbols.tolist()], np.int64)


def _sum(matrices: list[Matrix]) -> NDArray[np.int64]:
    total = np.zeros((len(ROWS), len(COLUMNS)), np.int64)
    for matrix in matrices:
        total += np.array(matrix, np.int64)
    return total


def _figures(counts: NDArray[np.int64], name: str) -> ClassFigures:
    row, column = ROWS.index(name), COLUMNS.index(name.lower())
    hits, marked = int(counts[row, column]), int(counts[row].sum())
    invented = int(sum(counts[ROWS.index(other), column] for other in _FALSE[name]))
    others = np.delete(counts, row, 0)
    rejected = int(others.sum() - others[:, column].sum() - others[:, COLUMNS.index("x")].sum())
    return ClassFigures(
        beats=marked,
        missed=marked - hits,
        invented=invented,
        sensitivity=rounded(share(hits, marked)),
        sensitivity_interval=interval(hits, marked),
        predictivity=rounded(share(hits, hits + invented)),
        predictivity_interval=interval(hits, hits + invented),
        false_positive_rate=rounded(share(invented, rejected + invented)),
    )
