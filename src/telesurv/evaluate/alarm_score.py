"""The 2015 challenge's score of alarms: (TP + TN) / (TP + TN + FP + 5 FN)."""

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from telesurv.evaluate.intervals import share, wilson

FALSE_NEGATIVE_COSTS = 5
"""A true alarm that is not confirmed counts as much as five false ones that are."""

SEED, DRAWS = 1, 10_000

WHOLE_SET = {
    "Asystole": (22, 100),
    "Bradycardia": (46, 43),
    "Tachycardia": (131, 9),
    "Ventricular_Flutter_Fib": (6, 52),
    "Ventricular_Tachycardia": (89, 252),
}
"""True and false alarms among the challenge's 750 public records."""

Bounds = tuple[float, float]


class TypeFigures(msgspec.Struct, frozen=True, kw_only=True):
    """Alarms of one type; positive: true, or confirmed."""

    type: str
    condition: str
    tp: int
    fp: int
    tn: int
    fn: int
    sensitivity: float | None
    sensitivity_interval: Bounds | None  # Wilson, 95 %
    specificity: float | None
    specificity_interval: Bounds | None


class Interval(msgspec.Struct, frozen=True, kw_only=True):
    """A score, and its interval by bootstrap."""

    score: float
    low: float  # 95 %
    high: float
    seed: int = SEED
    draws: int = DRAWS


def figures(kind: str, condition: str, alarms: Sequence[tuple[bool, bool]]) -> TypeFigures:
    """Count alarms of a type, each (true, confirmed)."""
    tp, fn = alarms.count((True, True)), alarms.count((True, False))
    fp, tn = alarms.count((False, True)), alarms.count((False, False))
    return TypeFigures(
        type=kind,
        condition=condition,
        tp=tp,
        fp=fp,
        tn=tn,
        fn=fn,
        sensitivity=share(tp, tp + fn),
        sensitivity_interval=wilson(tp, tp + fn),
        specificity=share(tn, tn + fp),
        specificity_interval=wilson(tn, tn + fp),
    )


def score(types: Sequence[TypeFigures]) -> Interval | None:
    """Return the score of the alarms as they are; None without any."""
    cells = [(t.tp, t.tp + t.fn, t.fp, t.fp + t.tn) for t in types]
    if not cells:
        return None
    return _interval(np.array(cells, np.int64), np.ones((len(cells), 2)))


def whole_set_score(types: Sequence[TypeFigures]) -> Interval | None:
    """Return the score with each type's true and false alarms weighted to the whole set.

    None where a type lacks true or false alarms: then a part cannot stand for the whole.
    """
    cells = np.array([(t.tp, t.tp + t.fn, t.fp, t.fp + t.tn) for t in types], np.int64)
    if not len(cells) or not cells[:, [1, 3]].all():
        return None
    whole = np.array([WHOLE_SET[t.type] for t in types], np.float64)
    return _interval(cells, whole / cells[:, [1, 3]])


def _interval(cells: NDArray[np.int64], weights: NDArray[np.float64]) -> Interval:
    """Score cells and bootstrap them.

    Parameters
    ----------
    cells : int64[types, 4], true alarms confirmed, true ones, false ones confirmed, false ones
    weights : float64[types, 2], of a true alarm and of a false one

    Notes
    -----
    Alarms are drawn again within each type, true and false ones apart, so how many of them
    are confirmed is binomial. Where all or none are, a draw cannot differ: the interval is
    then too narrow, and the types' own (Wilson) say more.
    """
    rng = np.random.default_rng(SEED)
    tp, fp = cells[:, 0], cells[:, 2]
    true, false = cells[:, 1], cells[:, 3]
    drawn_tp = rng.binomial(true, tp / np.maximum(true, 1), (DRAWS, len(cells)))
    drawn_fp = rng.binomial(false, fp / np.maximum(false, 1), (DRAWS, len(cells)))

    def scored(tp: NDArray[np.int64], fp: NDArray[np.int64]) -> NDArray[np.float64]:
        right = tp * weights[:, 0] + (false - fp) * weights[:, 1]
        missed = (true - tp) * weights[:, 0] * FALSE_NEGATIVE_COSTS
        total = right + fp * weights[:, 1] + missed
        shares: NDArray[np.float64] = right.sum(-1) / total.sum(-1)
        return shares

    low, high = np.percentile(scored(drawn_tp, drawn_fp), [2.5, 97.5])
    whole = float(scored(tp, fp))
    return Interval(score=round(whole, 6), low=round(float(low), 6), high=round(float(high), 6))
