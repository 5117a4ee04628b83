"""Kinds of beats in the state of `classes`: what a beat is compared with, and learned from it.

Called once a beat, so they work on the fields of the state (`s`) and the params (`p`) of one
row; `classes` describes the rules. Signal is in codes: nothing here depends on the gain. `work`
is the working space of a call: the codes about the beat, sums of them, differences of RR.
Loops run over slices: the compiler sees that no index is negative, and takes several at once.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from telesurv_kernels._jit import kernel

KINDS = 8  # of beats that are remembered
RING = 512  # blocks: 3.2 s at 160 Hz; a power of 2
SHAPE = 37  # blocks of a QRS: 2 * 18 + 1 at 160 Hz
INTERVALS = 16  # RR remembered; a power of 2
UNIT = 16384.0  # norm of a shape

CODES, TOTALS, SQUARES, STEPS, ROWS = 0, 1, 2, 3, 4  # of the working space
WIDTH = 160  # blocks about a beat: 0.97 s at 160 Hz

ONSET = 0.03  # share of the activity that comes before a QRS has begun
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
ROW_BEATS = 20  # in a row, neither early nor fast, make a kind dominant
ROW_P = 0.25  # ... before which the usual P is seen
EARLY_MEAN = 0.85  # of the mean RR; the P of an earlier beat is none to learn
RR_S_MAX = 3.0  # longer is no RR to learn from
RR_S_FIRST = 0.8  # before any is known
MICRO = 1e6  # of a second
NEVER = 1 << 62


@kernel
def interrupt(s: Any, p: Any, sample: int) -> None:
    """Forget what came before `sample`; kinds stay."""
    s["begin"] = (sample + p["factor"] - 1) // p["factor"]
    s["follows"] = 0
    s["last_rr_s"] = 0.0
    s["last_kind"] = 0
    s["last_ventricular"] = 0
    s["row"] = 0
    s["sudden"] = 0


@kernel
def clip(value: float, low: float, high: float) -> float:
    return min(max(value, low), high)


@kernel
def gather(s: Any, first: int, count: int, work: NDArray[np.int64]) -> None:
    """Copy blocks of the ring, from `first` on, to the working space."""
    ring = s["ring"]
    slot = first & (RING - 1)
    upto = min(count, RING - slot)
    for i in range(upto):
        work[CODES, i] = ring[slot + i]
    for i in range(upto, count):
        work[CODES, i] = ring[slot + i - RING]


@kernel
def centre(p: Any, work: NDArray[np.int64], at: int) -> tuple[int, float, float, int]:
    """Return where the activity about a block is centred, its length, its begin and its onset.

    The length, in blocks, is (sum of |slope|)^2 / sum of slope^2: that of a plateau of the same
    sums. The onset is where ONSET of the activity has passed, and the begin the way that the
    signal goes, up or down, within INITIAL_S from there.
    """
    squares = 0
    moment = 0
    slopes = 0
    reach = p["centre"]
    first = at - reach
    older = work[CODES, first - 1 : at + reach]
    newer = work[CODES, first + 1 : at + reach + 2]
    for i in range(2 * reach + 1):
        slope = newer[i] - older[i]
        squares += slope * slope
        moment += slope * slope * i
        slopes += abs(slope)
    if squares == 0:
        return at, 0.0, 0.0, at
    onset = 0
    passed = 0
    while passed < ONSET * squares:
        slope = newer[onset] - older[onset]
        passed += slope * slope
        onset += 1
    initial = 0
    for i in range(onset - 1, min(onset - 1 + p["initial"], 2 * reach + 1)):
        initial += abs(newer[i] - older[i])
    middle = first + int(np.rint(moment / squares))
    length = np.float64(slopes) * np.float64(slopes) / squares
    return middle, length, initial / 2.0, first + onset - 1


@kernel
def masked_within(s: Any, first: int, last: int) -> bool:
    """Whether one of the blocks from `first` up to `last` is masked."""
    block = first
    while block < last:
        slot = block & (RING - 1)
        bits = np.int64(s["ring_masked"][slot >> 3]) >> (slot & 7)
        if slot & 7 == 0 and last - block >= 8:
            if bits != 0:
                return True
            block += 8
        else:
            if bits & 1 != 0:
                return True
            block += 1
    return False


@kernel
def sum_up(p: Any, work: NDArray[np.int64], middle: int) -> None:
    """Sum codes and their squares of the QRS about `middle`, at every shift that is tried."""
    half = p["half"]
    search = p["search"]
    first = middle - search - half
    size = 2 * half + 1
    total = 0
    squares = 0
    codes = work[CODES, first : first + size]
    for i in range(size):
        total += codes[i]
        squares += codes[i] * codes[i]
    work[TOTALS, 0] = total
    work[SQUARES, 0] = squares
    for shift in range(2 * search):
        gone = work[CODES, first + shift]
        come = work[CODES, first + shift + size]
        total += come - gone
        squares += come * come - gone * gone
        work[TOTALS, shift + 1] = total
        work[SQUARES, shift + 1] = squares


@kernel
def _correlation(
    shape: NDArray[np.int16], rest: int, work: NDArray[np.int64], first: int, shift: int, size: int
) -> Any:
    """Return the correlation of a shape with the QRS at a shift (0: the earliest)."""
    total = work[TOTALS, shift]
    spread = work[SQUARES, shift] - total * total / size
    if spread <= 0:
        return 0.0
    product = 0
    codes = work[CODES, first + shift : first + shift + size]
    for i in range(size):
        product += codes[i] * np.int64(shape[i])
    return (product - rest * total / size) / (UNIT * np.sqrt(spread))


@kernel
def compare(s: Any, p: Any, work: NDArray[np.int64], middle: int, kind: int) -> tuple[float, int]:
    """Return the best correlation of the QRS about `middle` with a kind, and its shift in blocks.

    From no shift on it is sought where the correlation grows, as far as it grows. Between
    blocks it is read off the parabola through three of them.
    """
    shape = s["shape"][kind]
    size = 2 * p["half"] + 1
    search = p["search"]
    first = middle - search - p["half"]
    rest: Any = 0  # rounding leaves the shape a mean, and codes may lie far from 0
    for i in range(size):
        rest += np.int64(shape[i])
    shift = 0
    best = _correlation(shape, rest, work, first, search, size)
    left = _correlation(shape, rest, work, first, search - 1, size)
    right = _correlation(shape, rest, work, first, search + 1, size)
    while right > best and shift < search:
        shift += 1
        left = best
        best = right
        right = -2.0
        if shift < search:
            right = _correlation(shape, rest, work, first, search + shift + 1, size)
    while left > best and shift > -search:
        shift -= 1
        right = best
        best = left
        left = -2.0
        if shift > -search:
            left = _correlation(shape, rest, work, first, search + shift - 1, size)
    bend = left - 2.0 * best + right
    if -search < shift < search and bend < 0:
        best = min(best - (left - right) ** 2 / (8.0 * bend), 1.0)
    return best, shift


@kernel
def similarity(correlation: float, ratio: float) -> float:
    """Return 1 - d^2 / 2, d the distance as a share of the larger norm (`ratio` of the two)."""
    return 1.0 - 0.5 * (1.0 + ratio * ratio - 2.0 * ratio * correlation) / max(1.0, ratio * ratio)


@kernel
def middle_of(work: NDArray[np.int64], size: int) -> Any:
    """Return the median (the upper one of two) of the first STEPS, in seconds.

    By rank: the value that has as many below it.
    """
    steps = work[STEPS, :INTERVALS]
    for i in range(size, INTERVALS):
        steps[i] = NEVER
    rank = size // 2
    for i in range(size):
        value = steps[i]
        below = 0
        same = 0
        for k in range(INTERVALS):
            below += steps[k] < value
            same += steps[k] == value
        if below <= rank < below + same:
            return value / MICRO
    return 0.0


@kernel
def median_step_s(rr_us: NDArray[np.int32], intervals: int, work: NDArray[np.int64]) -> Any:
    """Return the median of the differences between successive RR."""
    size = min(intervals, INTERVALS) - 1
    if size < 2:
        return 0.0
    newer = np.int64(rr_us[(intervals - 1) & (INTERVALS - 1)])
    for i in range(size):
        older = np.int64(rr_us[(intervals - 2 - i) & (INTERVALS - 1)])
        work[STEPS, i] = abs(newer - older)
        newer = older
    return middle_of(work, size)


@kernel
def mean_rr_s(rr_us: NDArray[np.int32], intervals: int) -> Any:
    """Return the mean of the last RR; there is one at least."""
    size = min(intervals, INTERVALS)
    total: Any = 0
    for i in range(size):
        total += np.int64(rr_us[i])
    return total / (MICRO * size)


@kernel
def learn_shape(
    s: Any, p: Any, work: NDArray[np.int64], middle: int, kind: int, shift: int
) -> None:
    """Move a kind's shape towards the QRS about `middle`."""
    shape = s["shape"][kind]
    size = 2 * p["half"] + 1
    total = work[TOTALS, p["search"] + shift]
    spread = work[SQUARES, p["search"] + shift] - total * total / size
    if spread <= 0:
        return
    first = middle + shift - p["half"]
    codes = work[CODES, first : first + size]
    gain = UNIT / np.sqrt(spread)
    mean = total / size
    rate = 1.0 / min(s["members"][kind], KIND_BEATS)
    squares_new = 0.0
    for i in range(size):
        old = np.float64(shape[i])
        new = old + rate * ((codes[i] - mean) * gain - old)
        squares_new += new * new
    scale = UNIT / np.sqrt(squares_new) if squares_new > 0 else 0.0
    for i in range(size):
        old = np.float64(shape[i])
        new = old + rate * ((codes[i] - mean) * gain - old)
        shape[i] = np.int64(np.rint(clip(new * scale, -UNIT, UNIT)))


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
    s["paused"][least] = 0
    s["reigned"][least] = 0
    s["early"][least] = 1.0
    s["vote"][least] = 0.0
    return least


@kernel
def _take_over(s: Any, kind: int) -> None:
    """Make a kind dominant that came in a row, the others' shares being larger or not."""
    dominant = s["dominant"]
    share = s["share"][kind]
    s["share"][kind] = max(share, s["share"][dominant])
    s["share"][dominant] = min(share, s["share"][dominant])
    s["reigned"][dominant] = 0
    s["vote"][kind] = 0.0  # its beats were told by how they differ from another
    s["dominant"] = kind


@kernel
def elect(s: Any, newest: int) -> None:
    """Say which kind is dominant, the `newest` beat being of that kind."""
    row = s["row"] >= ROW_BEATS and np.float64(s["p_alike"][newest]) > ROW_P
    if row and newest != s["dominant"]:
        _take_over(s, newest)
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
        s["vote"][dominant] = 0.0
    s["dominant"] = dominant
    s["reigned"][dominant] = min(s["reigned"][dominant] + 1, REIGNED_BEATS)
