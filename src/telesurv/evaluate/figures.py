"""Counts, shares and times as reports hold them."""

from collections.abc import Iterable, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from telesurv.evaluate.ec57 import Score
from telesurv.evaluate.intervals import share, wilson

Bounds = tuple[float, float]

BIN_MS = 25
"""Width of the bars of a histogram of times."""


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    """Times in ms; None where there are none."""

    median_ms: float | None
    p99_ms: float | None
    max_ms: float | None


class Histogram(msgspec.Struct, frozen=True, kw_only=True):
    """How many times lie in [k, k + 1) bins from 0; the last bin ends after the largest."""

    bin_ms: int
    counts: tuple[int, ...]


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """Counts, and the shares that follow from them; None where nothing was counted."""

    beats: int  # that the experts marked
    missed: int
    invented: int
    sensitivity: float | None
    sensitivity_interval: Bounds | None  # Wilson, 95 %
    predictivity: float | None
    predictivity_interval: Bounds | None
    f1: float | None


def figures(score: Score) -> Figures:
    """Return a score's counts with their shares."""
    hits, missed, invented = score.true_positives, score.false_negatives, score.false_positives
    return Figures(
        beats=hits + missed,
        missed=missed,
        invented=invented,
        sensitivity=rounded(share(hits, hits + missed)),
        sensitivity_interval=interval(hits, hits + missed),
        predictivity=rounded(share(hits, hits + invented)),
        predictivity_interval=interval(hits, hits + invented),
        f1=rounded(share(2 * hits, 2 * hits + missed + invented)),
    )


def interval(hits: int, cases: int) -> Bounds | None:
    """Return Wilson's interval, rounded."""
    bounds = wilson(hits, cases)
    return None if bounds is None else (round(bounds[0], 6), round(bounds[1], 6))


def rounded(value: float | None) -> float | None:
    """Return a share as a report holds it."""
    return None if value is None else round(value, 6)


def mean(shares: Iterable[float | None]) -> float | None:
    """Return the mean of the shares that are known."""
    known = [one for one in shares if one is not None]
    return round(sum(known) / len(known), 6) if known else None


def median(times_ms: NDArray[np.float64]) -> float | None:
    """Return the median, rounded; None of nothing."""
    return round(float(np.median(times_ms)), 2) if len(times_ms) else None


def spread(times_ms: NDArray[np.float64]) -> Spread:
    """Return how times are spread."""
    if not len(times_ms):
        return Spread(median_ms=None, p99_ms=None, max_ms=None)
    p99, largest = float(np.percentile(times_ms, 99)), float(times_ms.max())
    return Spread(median_ms=median(times_ms), p99_ms=round(p99, 2), max_ms=round(largest, 2))


def histogram(times_ms: NDArray[np.float64], bin_ms: int = BIN_MS) -> Histogram:
    """Count times, none of them negative."""
    counts = np.bincount((times_ms // bin_ms).astype(np.int64)).tolist()
    return Histogram(bin_ms=bin_ms, counts=tuple(counts))


def densest(
    times_s: Sequence[float] | NDArray[np.float64], length_s: float, most: int
) -> list[float]:
    """Return where the windows begin that hold most of some instants.

    The fullest comes first, each holds its instants about its middle, and no two the same ones.
    """
    left = np.sort(np.asarray(times_s, np.float64))
    begins: list[float] = []
    while len(left) and len(begins) < most:
        held = np.searchsorted(left, left + length_s, side="right") - np.arange(len(left))
        first = int(held.argmax())
        last = first + int(held[first]) - 1
        middle = (left[first] + left[last]) / 2
        begins.append(max(0.0, float(middle - length_s / 2)))
        left = left[(left < begins[-1]) | (left > begins[-1] + length_s)]
    return begins
