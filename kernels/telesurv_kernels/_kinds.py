"""Kinds of beats in the state of `classes`: what a beat is compared with, and learned from it.

Called once a beat, so they work on the fields of the state (`s`) and the params (`p`) of one
row; `classes` describes the rules. Signal is in codes: nothing here depends on the gain.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from telesurv_kernels._jit import kernel

KINDS = 8  # of beats that are remembered
RING = 640  # blocks: 4 s at 160 Hz
SHAPE = 37  # blocks of a QRS: 2 * 18 + 1 at 160 Hz
NEAR = 52  # and of what its shifts cover: 6 more on either side, 1 for slopes
LONG = 104  # blocks from P to T: 0.65 s at 160 Hz
INTERVALS = 16  # RR remembered
UNIT = 16384.0  # norm of a shape

SIMILAR = 0.9  # least similarity within a kind
SURELY_SIMILAR = 0.96  # to the dominant kind: no other is looked at
SHARE_BEATS = 300  # over which shares fade
KIND_BEATS = 16  # over which a kind changes
EARLY_RR = 0.9  # a kind that comes earlier than this is premature
FAST_RR_S = 0.6  # 100/min: from here on it may be ventricular tachycardia
FASTER = 0.8  # ... if it is also faster than the dominant kind by this
LESS = 0.4  # what the share of a premature kind counts
MUCH_LESS = 0.2  # and of a fast one
STAYS = 1.3  # what the share of the dominant kind counts
AGAIN = 2.0  # and of one that was dominant
REIGNED_BEATS = 60  # for so many beats
RR_S_MAX = 3.0  # longer is no RR to learn from
RR_S_FIRST = 0.8  # before any is known
SINUS_RR = 0.85  # of the mean RR; the P of an earlier beat is none to learn


@kernel
def interrupt(s: Any, p: Any, sample: int) -> None:
    """Forget what came before `sample`; kinds stay."""
    s["begin"] = (sample + p["factor"] - 1) // p["factor"]
    s["follows"] = 0
    s["last_rr_s"] = 0.0
    s["last_kind"] = 0
    s["last_ventricular"] = 0


@kernel
def clip(value: float, low: float, high: float) -> float:
    return min(max(value, low), high)


@kernel
def code_at(ring: NDArray[Any], block: int) -> Any:
    """Return the code of a block, counted from a whole turn of the ring that lies before it.

    So it is below 2 * RING: a comparison costs less than a remainder.
    """
    return np.int64(ring[block - RING if block >= RING else block])


@kernel
def centre(s: Any, p: Any, block: Any) -> tuple[Any, Any]:
    """Return where the activity about a block is centred, and how long it is, in blocks.

    The length is (sum of |slope|)^2 / sum of slope^2: that of a plateau of the same sums.
    """
    ring = s["ring"]
    squares: Any = 0
    moment: Any = 0
    slopes: Any = 0
    for i in range(-p["centre"], p["centre"] + 1):
        slope = code_at(ring, block + i + 1) - code_at(ring, block + i - 1)
        squares += slope * slope
        moment += slope * slope * i
        slopes += abs(slope)
    if squares == 0:
        return block, 0.0
    middle = block + np.int64(np.rint(moment / squares))
    return middle, np.float64(slopes) * np.float64(slopes) / squares


@kernel
def masked_within(s: Any, first: int, last: int) -> bool:
    """Whether one of the blocks from `first` up to `last` is masked."""
    for block in range(first, last):
        slot = block - RING if block >= RING else block
        if np.int64(s["ring_masked"][slot >> 3]) >> (slot & 7) & 1:
            return True
    return False


@kernel
def _correlation(near: NDArray[Any], shape: NDArray[Any], first: int, size: int) -> Any:
    """Return the correlation of a shape with `near` from `first` on."""
    total: Any = 0
    squares: Any = 0
    product: Any = 0
    rest: Any = 0  # rounding leaves the shape a mean, and codes may lie far from 0
    for i in range(size):
        code = np.int64(near[first + i])
        weight = np.int64(shape[i])
        total += code
        squares += code * code
        product += code * weight
        rest += weight
    spread = squares - total * total / size
    return (product - rest * total / size) / (UNIT * np.sqrt(spread)) if spread > 0 else 0.0


@kernel
def compare(s: Any, p: Any, kind: int) -> tuple[Any, Any]:
    """Return the best correlation of `near` with a kind, and its shift in blocks.

    From no shift on it is sought where the correlation grows, as far as it grows. Between
    blocks it is read off the parabola through three of them.
    """
    near = s["near"]
    shape = s["shape"][kind]
    size = 2 * p["half"] + 1
    search = p["search"]
    shift = 0
    best = _correlation(near, shape, search, size)
    left = _correlation(near, shape, search - 1, size)
    right = _correlation(near, shape, search + 1, size)
    while right > best and shift < search:
        shift += 1
        left = best
        best = right
        right = -2.0
        if shift < search:
            right = _correlation(near, shape, search + shift + 1, size)
    while left > best and shift > -search:
        shift -= 1
        right = best
        best = left
        left = -2.0
        if shift > -search:
            left = _correlation(near, shape, search + shift - 1, size)
    bend = left - 2.0 * best + right
    if -search < shift < search and bend < 0:
        best = min(best - (left - right) ** 2 / (8.0 * bend), 1.0)
    return best, shift


@kernel
def similarity(correlation: float, ratio: float) -> float:
    """Return 1 - d^2 / 2, d the distance as a share of the larger norm (`ratio` of the two)."""
    return 1.0 - 0.5 * (1.0 + ratio * ratio - 2.0 * ratio * correlation) / max(1.0, ratio * ratio)


@kernel
def median_step_s(s: Any) -> Any:
    """Return the median of the differences between successive RR."""
    intervals = s["intervals"]
    size = min(intervals, INTERVALS) - 1
    if size < 2:
        return 0.0
    rr_s = s["rr_s"]
    steps_s = s["steps_s"]  # sorted, as they come
    newer = rr_s[(intervals - 1) % INTERVALS]
    for i in range(size):
        older = rr_s[(intervals - 2 - i) % INTERVALS]
        step = np.float32(abs(newer - older))
        newer = older
        slot = i
        while slot > 0 and steps_s[slot - 1] > step:
            steps_s[slot] = steps_s[slot - 1]
            slot -= 1
        steps_s[slot] = step
    return np.float64(steps_s[size // 2])


@kernel
def mean_rr_s(s: Any, rr_s: float) -> Any:
    """Return the mean of the last RR, without the present one."""
    size = min(s["intervals"], INTERVALS)
    if size == 0:
        return rr_s if rr_s > 0 else RR_S_FIRST
    total = 0.0
    for i in range(size):
        total += s["rr_s"][i]
    return total / size


@kernel
def alike(s: Any, origin: int, first: int, last: int) -> Any:
    """Return how the signal correlates with the long shape from `first` to `last` of it."""
    size = last - first
    if s["long_beats"] == 0 or size < 3:
        return 1.0
    ring = s["ring"]
    long = s["long"]
    x: Any = 0
    y: Any = 0
    xx: Any = 0
    yy: Any = 0
    xy: Any = 0
    for i in range(first, last):
        code = code_at(ring, origin + i)
        usual = np.int64(long[i])
        x += code
        y += usual
        xx += code * code
        yy += usual * usual
        xy += code * usual
    spread = np.float64(xx * size - x * x) * np.float64(yy * size - y * y)
    return (xy * size - x * y) / np.sqrt(spread) if spread > 0 else 0.0


@kernel
def learn_shape(s: Any, p: Any, kind: int, shift: int) -> None:
    """Move a kind's shape towards the QRS in `near`."""
    near = s["near"]
    shape = s["shape"][kind]
    size = 2 * p["half"] + 1
    first = p["search"] + shift
    total: Any = 0
    squares: Any = 0
    for i in range(first, first + size):
        code = np.int64(near[i])
        total += code
        squares += code * code
    spread = squares - total * total / size
    if spread <= 0:
        return
    gain = UNIT / np.sqrt(spread)
    mean = total / size
    rate = 1.0 / min(s["members"][kind], KIND_BEATS)
    squares_new = 0.0
    for i in range(size):
        old = np.float64(shape[i])
        new = old + rate * ((np.int64(near[first + i]) - mean) * gain - old)
        squares_new += new * new
    scale = UNIT / np.sqrt(squares_new) if squares_new > 0 else 0.0
    for i in range(size):
        old = np.float64(shape[i])
        new = old + rate * ((np.int64(near[first + i]) - mean) * gain - old)
        shape[i] = np.int64(np.rint(clip(new * scale, -UNIT, UNIT)))


@kernel
def learn_long(s: Any, p: Any, origin: int) -> None:
    """Move the long shape towards the signal that begins at block `origin`."""
    ring = s["ring"]
    long = s["long"]
    size = p["before"] + p["after"]
    total: Any = 0
    squares: Any = 0
    for i in range(size):
        code = code_at(ring, origin + i)
        total += code
        squares += code * code
    spread = squares - total * total / size
    if spread <= 0:
        return
    s["long_beats"] = min(s["long_beats"] + 1, KIND_BEATS)
    rate = 1.0 / s["long_beats"]
    gain = UNIT / np.sqrt(spread)
    mean = total / size
    for i in range(size):
        old = np.float64(long[i])
        new = old + rate * ((code_at(ring, origin + i) - mean) * gain - old)
        long[i] = np.int64(np.rint(clip(new, -UNIT, UNIT)))


@kernel
def towards(mean: Any, value: float, members: int) -> float:
    """Return a mean over KIND_BEATS at most, moved by its newest value."""
    old = np.float64(mean)
    return old + (value - old) / min(members, KIND_BEATS)


@kernel
def found_kind(s: Any) -> int:
    """Give up the least used kind but the dominant one for a new kind; return its place."""
    least = -1
    for kind in range(KINDS):
        if s["members"][kind] > 0 and kind == s["dominant"]:
            continue
        if least < 0 or s["share"][kind] < s["share"][least]:
            least = kind
    s["share"][least] = 0.0
    s["members"][least] = 0
    s["timed"][least] = 0
    s["followed"][least] = 0
    s["reigned"][least] = 0
    s["early"][least] = 1.0
    s["pause"][least] = 1.0
    s["vote"][least] = 0.0
    return least


@kernel
def elect(s: Any) -> None:
    """Say which kind is dominant."""
    dominant = s["dominant"]
    usual_s = np.float64(s["rr_mean_s"][dominant])
    most = -1.0
    for kind in range(KINDS):
        if s["members"][kind] == 0:
            continue
        weight = np.float64(s["share"][kind])
        if np.float64(s["early"][kind]) < EARLY_RR:
            weight *= LESS
        rr_s = np.float64(s["rr_mean_s"][kind])
        if s["timed"][kind] > 0 and rr_s < FAST_RR_S and rr_s < FASTER * usual_s:
            weight *= MUCH_LESS
        if kind == s["dominant"]:
            weight *= STAYS
        elif s["reigned"][kind] >= REIGNED_BEATS:
            weight *= AGAIN
        if weight > most:
            most = weight
            dominant = kind
    if dominant != s["dominant"]:
        s["vote"][dominant] = 0.0  # its beats were told by how they differ from another
    s["dominant"] = dominant
    s["reigned"][dominant] = min(s["reigned"][dominant] + 1, REIGNED_BEATS)
