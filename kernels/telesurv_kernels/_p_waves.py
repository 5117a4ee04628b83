"""The P that the usual beats of a lead have before them, in the state of `classes`.

Called once a beat, as `_kinds`, which says what `s`, `p` and `work` are.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from telesurv_kernels._jit import kernel
from telesurv_kernels._kinds import CODES, KIND_BEATS, ONSET, UNIT, clip

P_SHAPE = 24  # blocks of a P: 0.15 s at 160 Hz


@kernel
def _onset_of(shape: NDArray[np.int16], size: int) -> int:
    """Return where in a shape ONSET of its activity has passed, as in `centre`."""
    squares: Any = 0
    for i in range(1, size - 1):
        slope = np.int64(shape[i + 1]) - np.int64(shape[i - 1])
        squares += slope * slope
    passed: Any = 0
    at = 0
    while at < size - 2 and passed < ONSET * squares:
        at += 1
        slope = np.int64(shape[at + 1]) - np.int64(shape[at - 1])
        passed += slope * slope
    return at


@kernel
def p_alike(s: Any, p: Any, work: NDArray[np.int64], first: int) -> Any:
    """Return how the signal from block `first` on correlates with the usual P; 1: unknown."""
    if s["p_beats"] == 0:
        return 1.0
    size = p["p_size"]
    usuals = s["p_shape"][:size]
    x: Any = 0
    y: Any = 0
    xx: Any = 0
    yy: Any = 0
    xy: Any = 0
    codes = work[CODES, first : first + size]
    for i in range(size):
        code = codes[i]
        usual = np.int64(usuals[i])
        x += code
        y += usual
        xx += code * code
        yy += usual * usual
        xy += code * usual
    spread = np.float64(xx * size - x * x) * np.float64(yy * size - y * y)
    return (xy * size - x * y) / np.sqrt(spread) if spread > 0 else 0.0


@kernel
def p_alike_before(s: Any, p: Any, work: NDArray[np.int64], onset: int) -> Any:
    """Return how what comes before the onset of an unusual QRS correlates with the usual P.

    Of QRS that differ nothing but the onsets can be laid one upon the other, give or take half
    the shifts that are tried: P to onset takes as long in a bundle branch block.
    """
    size = 2 * p["half"] + 1
    first = onset - _onset_of(s["shape"][s["dominant"]], size) + p["half"] - p["before"]
    best: Any = -1.0
    for lag in range(-(p["search"] // 2), p["search"] // 2 + 1):
        best = max(best, p_alike(s, p, work, max(first + lag, 0)))
    return best


@kernel
def learn_p(s: Any, p: Any, work: NDArray[np.int64], first: int, norm: float) -> None:
    """Move the usual P towards the signal from block `first` on, of a beat of that norm."""
    shape = s["p_shape"]
    size = p["p_size"]
    total = 0
    codes = work[CODES, first : first + size]
    for i in range(size):
        total += codes[i]
    s["p_beats"] = min(s["p_beats"] + 1, KIND_BEATS)
    rate = 1.0 / s["p_beats"]
    gain = UNIT / norm
    mean = total / size
    for i in range(size):
        old = np.float64(shape[i])
        new = old + rate * ((codes[i] - mean) * gain - old)
        shape[i] = np.int64(np.rint(clip(new, -UNIT, UNIT)))
