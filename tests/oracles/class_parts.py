"""What the oracle of classes keeps of beats, and its arithmetic."""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from telesurv_kernels import _kinds as k

Array = NDArray[np.float64]


@dataclass(eq=False)
class Kind:
    shape: Array
    size: float
    width_s: float
    share: float = 0.0
    members: int = 0
    reigned: int = 0
    vote: float = 0.0
    rr_s: list[float] = field(default_factory=list)  # running means, newest last
    early: list[float] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)
    p_alike: float = 0.0


class Qrs(NamedTuple):
    middle: int  # block
    size: float
    width_s: float
    rough: float  # noise before it
    onset: int  # block
    begin: float  # way that the signal goes after it


class Times(NamedTuple):
    rr_s: float | None
    by_mean: float
    by_basic: float
    irregular: float
    unsteady: float
    basic_s: float


class Judged(NamedTuple):
    ventricular: float
    supraventricular: float
    p_alike: float
    too_early: float  # evidence that it would have, did it come later


def towards(mean: float, value: float, members: int) -> float:
    return mean + (value - mean) / min(members, k.KIND_BEATS)


def last_of(means: list[float], otherwise: float) -> float:
    return means[-1] if means else otherwise


def rounded(share: float) -> float:
    """As the kernel stores it: which of the rarest kinds is given up depends on it."""
    return float(np.float32(share))


def correlation(x: Array, y: Array) -> float:
    return float(np.corrcoef(x, y)[0, 1]) if np.ptp(x) and np.ptp(y) else 0.0


def irregularity(rr_s: list[float]) -> float:
    steps = np.sort(np.abs(np.diff(rr_s)))
    return float(steps[len(steps) // 2] / np.mean(rr_s)) if len(steps) > 1 else 0.0


def unit(x: Array) -> Array:
    centred = x - x.mean()
    scaled: Array = centred * k.UNIT / np.linalg.norm(centred)
    return scaled


def onset_of(slopes: Array) -> int:
    """Return at which slope ONSET of the activity has passed."""
    passed = np.cumsum(slopes**2)
    return int(np.argmax(passed >= k.ONSET * passed[-1]))
