"""How sure a share is that a few cases gave."""

import math

import numpy as np
from numpy.typing import NDArray

Bounds = tuple[float, float]

Z = 1.959964
"""Of a two-sided interval of 95 %."""

SEED, DRAWS = 1, 2000
"""Of intervals by bootstrap."""

RECORDS_MIN = 5
"""Of which one is told."""


def wilson(hits: int, cases: int) -> Bounds | None:
    """Return the 95 % interval of a share (Wilson 1927); None without cases.

    Unlike the normal one it stays within 0 and 1, and is no point where all cases agree.
    """
    if not cases:
        return None
    share, weight = hits / cases, Z * Z / cases
    middle = (share + weight / 2) / (1 + weight)
    half = math.sqrt(share * (1 - share) * weight + weight * weight / 4) / (1 + weight)
    return max(middle - half, 0.0), min(middle + half, 1.0)


def share(hits: int, cases: int) -> float | None:
    """Return hits / cases, None without cases."""
    return hits / cases if cases else None


def over_records(hits: NDArray[np.int64], cases: NDArray[np.int64]) -> Bounds | None:
    """Return the 95 % interval of sum(hits) / sum(cases) by drawing records again.

    Seconds of one record are much alike: an interval that took each for a case of its own would
    be far too narrow. None of few records, whose draws say nothing.
    """
    if len(hits) < RECORDS_MIN or not cases.all():
        return None
    rng = np.random.default_rng(SEED)
    drawn = [rng.integers(0, len(hits), len(hits)) for _ in range(DRAWS)]
    return _middle([hits[one].sum() / cases[one].sum() for one in drawn])


def area_under_curve(
    positive: NDArray[np.float64], negative: NDArray[np.float64]
) -> tuple[float, Bounds] | None:
    """Return how often a positive case has the larger value, and its 95 % interval.

    That is the area under the ROC curve (Mann and Whitney 1947; equal values count half), and its
    interval by bootstrap within each kind. None where a kind is empty.
    """
    if not len(positive) or not len(negative):
        return None
    larger = positive[:, None] > negative
    won = larger + 0.5 * (positive[:, None] == negative)
    rng = np.random.default_rng(SEED)

    def drawn(count: int) -> NDArray[np.float64]:
        return rng.multinomial(count, np.full(count, 1 / count)) / count

    draws = [drawn(len(positive)) @ won @ drawn(len(negative)) for _ in range(DRAWS)]
    return float(won.mean()), _middle(draws)


def _middle(draws: list[float]) -> Bounds:
    low, high = np.percentile(draws, [2.5, 97.5])
    return float(low), float(high)
