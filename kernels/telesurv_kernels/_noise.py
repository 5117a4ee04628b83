"""Noise of an ECG lead: motion, muscle, mains. How `quality` tells it from beats.

Codes are summed in boxes of about 8 ms. Of each 100 ms, a *block*, are known the mean level and
the mean sizes of the slope over two boxes (10 to 40 Hz, where a QRS is steep) and of the bend
over one (20 to 60 Hz). 24 blocks, 2.4 s, are judged: at 25 a minute they hold a beat, at 200 most
lie between beats. The second steepest of them stands for the QRS. The *usual* QRS is that of this
lead: every 2.4 s it moves towards the steepest by a twentieth upwards or a fifth downwards, where
the beats do not stand out by a 32nd of that, and not at all in silence: noise that lasts for
minutes would else become the measure of itself.

- **Motion**: between the beats the slope is a seventh of the usual QRS's, and the level changes by
  nearly that slope from most blocks to the next, or the slope is a third of the present
  QRS's throughout; and the baseline, as means of half a second, travels 1.2 mV, 6 times the slope
  of half of the blocks. Electrode motion lies below 10 Hz with a baseline that wanders far (Moody,
  Muldrow and Mark 1984); fibrillation and fast tachycardias, as steep throughout, average out
  within half a second.
- **A jump**: the mean of half a second is 2 mV from that of the half before: an electrode that is
  touched. It is motion at once. Of 1000 blocks not one of `mitdb`, of readable `cinc2017`, of
  `vfdb`'s ventricular fibrillation or of true alarms of `challenge-2015` is 1.7 mV away, of
  `vfdb`'s largest rhythms (atrial fibrillation, ventricular tachycardia) 1 in 200 is 1.9 mV.
- **Muscle**: between the beats the bend is three quarters of the usual QRS's slope, and most
  blocks bend three quarters as much as they slope: a spectrum that reaches beyond 40 Hz. No
  heart's does; fibrillation bends a third of its slope (`vfdb`, measured).
- **Mains**: a block that obeys x(t + T) + x(t - T) = 2 cos(wT) x(t) of 50 or 60 Hz is no muscle,
  and noise where its bend is twice the usual slope: the band-pass of `beats` removes less.

Muscle and mains below 0.05 mV and motion below 0.02 mV are no noise: an asystole is nearly silent,
and its hum is no reason not to say so. Noise begins when 5 blocks more found it than did not, and
lasts up to 1.5 s longer than it is found.

The limits were set by hand, on `noise` for what lets `beats` err, on `vfdb` and `challenge-2015`
for what must not be masked; no records were kept apart. Those of slope and level a fifth up or
down, F1 of the R-peaks where `noise` is readable stays within 99.1 and 99.4 % (here 99.2) while 47
to 67 % of its seconds at 6 dB (here 55) and 95 to 100 % at 12 dB are readable.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from telesurv_kernels._blocks import sum_blocks
from telesurv_kernels._jit import kernel

BOX_S = 0.0083
BLOCK_S = 0.1
BLOCKS = 24  # 2.4 s
LOUD_BLOCKS = 15  # so many of them leave too few between the beats
CALM_BLOCKS = 10  # and so many are enough
HALF_BLOCKS = 12
BASE_BLOCKS = 5  # a mean level of half a second
LEVELS = 8  # blocks whose level is remembered
RATE_HZ_MIN = 100.0  # below it, bends tell nothing

SURE = 5  # blocks that found noise, less those that did not, until it is said
SURE_MAX = 15  # at most: so many without noise end it

ROUGH_SHARE = 0.14  # of the usual QRS's slope: slope between beats, of motion
SWING_SHARE = 0.95  # ... change of the level from a block to the next, of motion
MUSCLE_SHARE = 0.75  # ... bend, of muscle
MAINS_SHARE = 2.0  # ... bend, of mains
EVEN_SHARE = 0.35  # of the present QRS's slope: slope between beats, of motion
MUSCLE_BEND = 0.75  # bend to slope
MOTION_TRAVEL = 6.0  # travel of the baseline to slope
TONE = 0.35  # what a tone leaves of the bend, at most
MAINS_HZ = (50.0, 60.0)

LEAST_MV = 0.05  # slope of a QRS; bend that is noise
ROUGH_MV = 0.03  # slope that is motion
TRAVEL_MV = 1.2  # of the baseline in motion
JUMP_MV = 2.0  # ... that is motion at once

RISE, FALL = 0.05, 0.2  # of the usual slope, each 2.4 s
NOISY_PACE = 1 / 32  # so much slower where beats do not stand out
SILENT = 0.125  # of the usual slope: no beat

NO_BOX = -1  # since a restart
WINDOW = (1 << BLOCKS) - 1

ROOM = 256  # boxes that are worked on at once

BOXES_WORK = np.dtype(
    [
        ("totals", np.int32, (2 + ROOM,)),  # sums of codes, those of the two boxes before first
        ("bends", np.int32, (2 + ROOM,)),
        ("slopes", np.int32, (ROOM,)),
        ("ends", np.int32, (ROOM,)),  # last sample
    ]
)
"""Working space of a call; all that is read of it was written before."""

NO_MEASUREMENT = -32768  # the code of a missing sample

MOTION, MUSCLE, MAINS = 16, 32, 64


def box_of(rate_hz: float) -> tuple[int, int]:
    """Return samples of a box and boxes of a block."""
    box = max(1, round(BOX_S * rate_hz))
    return box, max(2, round(BLOCK_S * rate_hz / box))


def tone_of(rate_hz: float, box: int, mains_hz: float) -> float:
    """Return 2 cos(wT) of a tone, T the length of a box."""
    return 2.0 * math.cos(2.0 * math.pi * mains_hz * box / rate_hz)


@kernel
def restart(s: Any, p: Any) -> None:
    """Forget the signal, but not the usual QRS."""
    s["box"] = 0
    s["box_left"] = p["box"]
    s["boxes"] = NO_BOX
    s["closed"] = 0
    s["base"] = 0
    s["noise"] = 0
    s["sure"] = 0
    s["swung"] = s["rough"] = s["bent"] = s["hummed"] = s["smooth"] = 0


@kernel
def look_for_noise(
    s: Any, p: Any, codes: NDArray[np.int16], marks: NDArray[np.uint8], measured: bool, work: Any
) -> None:
    """Take some samples in, and add the noise there is to their mask.

    Parameters
    ----------
    measured : that none of them is missing is known
    work : BOXES_WORK
    """
    size = p["box"]
    block = p["block"]
    totals, ends = work["totals"], work["ends"]
    box = s["box"]
    box_left = s["box_left"]
    boxes = s["boxes"]
    slope_sum, bend_sum, level_sum = s["slope_sum"], s["bend_sum"], s["level_sum"]
    left_0, left_1 = s["tone_sum"][0], s["tone_sum"][1]
    noise = s["noise"]
    since = k = 0  # what is not marked yet
    while k < codes.size:
        whole = 0
        if measured and box_left == size and k + size <= codes.size:
            whole = min((codes.size - k) // size, ROOM)
            sum_blocks(codes, k, size, totals[2 : 2 + whole])
            _count(ends[:whole], k + size - 1, size)
            k += whole * size
        else:
            most = 1 if measured else ROOM
            while k < codes.size and whole < most:
                code = codes[k]
                k += 1
                if code == NO_MEASUREMENT:
                    continue
                box += np.int64(code)
                box_left -= 1
                if box_left == 0:
                    totals[2 + whole] = box
                    ends[whole] = k - 1
                    whole += 1
                    box = 0
                    box_left = size
            if whole == 0:
                break
        if boxes == NO_BOX:
            # As if the level had always been this.
            s["sums"][:] = totals[2]
            s["bend_recent"][:] = 0
            slope_sum = bend_sum = level_sum = boxes = 0
            left_0 = left_1 = 0.0
        _bend(s, whole, work)
        at = 0
        while at < whole:
            until = min(whole, at + block - boxes)
            slope, bend, level = _sum(work, at, until)
            slope_sum += slope
            bend_sum += bend
            level_sum += level
            boxes += until - at
            loud = boxes < block or _take(s, p, slope_sum, bend_sum, level_sum)
            if loud:  # else what tones leave is of no account
                left_0, left_1 = _sum_left(p, work, at, until, left_0, left_1)
            at = until
            if boxes == block:
                found = _close(s, p, bend_sum, loud, min(left_0, left_1))
                if found != noise:
                    end = ends[at - 1]
                    _mark(codes[since:end], marks[since:end], noise)
                    since = int(end)
                    noise = found
                slope_sum = bend_sum = level_sum = boxes = 0
                left_0 = left_1 = 0.0
    _mark(codes[since:], marks[since:], noise)
    s["box"] = box
    s["box_left"] = box_left
    s["boxes"] = boxes
    s["slope_sum"], s["bend_sum"], s["level_sum"] = slope_sum, bend_sum, level_sum
    s["tone_sum"][0], s["tone_sum"][1] = left_0, left_1


@kernel
def _count(ends: NDArray[np.int32], first: int, step: int) -> None:
    """Write where boxes end, the first of them at `first`."""
    end, more = np.int32(first), np.int32(step)
    for q in range(ends.size):
        ends[q] = np.int32(end + np.int32(q) * more)


@kernel
def _bend(s: Any, whole: int, work: Any) -> None:
    """Take slope and bend of some boxes."""
    totals, bends = work["totals"], work["bends"]
    for q in range(2):
        totals[q], bends[q] = s["sums"][1 - q], s["bend_recent"][1 - q]
    slopes, bent = work["slopes"][:whole], bends[2 : 2 + whole]
    one, two, new = totals[1 : 1 + whole], totals[:whole], totals[2 : 2 + whole]
    for q in range(whole):
        slopes[q] = abs(new[q] - two[q])
        bent[q] = new[q] - np.int32(2) * one[q] + two[q]
    for q in range(2):
        s["sums"][1 - q], s["bend_recent"][1 - q] = totals[whole + q], bends[whole + q]


@kernel
def _sum(work: Any, first: int, last: int) -> tuple[int, int, int]:
    """Return the sums of slope, of the size of the bend, and of the level of some boxes."""
    slopes, bends = work["slopes"][first:last], work["bends"][2 + first : 2 + last]
    totals = work["totals"][2 + first : 2 + last]
    slope, bend, level = np.int32(0), np.int32(0), np.int32(0)
    for q in range(slopes.size):
        slope = np.int32(slope + slopes[q])
        bend = np.int32(bend + abs(bends[q]))
        level = np.int32(level + totals[q])
    return int(slope), int(bend), int(level)


@kernel
def _sum_left(
    p: Any, work: Any, first: int, last: int, left_0: float, left_1: float
) -> tuple[float, float]:
    """Add what the tones leave of some boxes' bends, one after the other."""
    tone_0, tone_1 = p["tone"][0], p["tone"][1]
    bends = work["bends"]
    for q in range(first, last):
        both, between = np.float64(bends[q] + bends[q + 2]), bends[q + 1]
        left_0 += abs(both - tone_0 * between)
        left_1 += abs(both - tone_1 * between)
    return left_0, left_1


@kernel
def _mark(codes: NDArray[np.int16], marks: NDArray[np.uint8], noise: int) -> None:
    """Add noise to the mask of what was measured."""
    if noise != 0:
        for k in range(codes.size):
            marks[k] |= noise if codes[k] != NO_MEASUREMENT else 0


@kernel
def _take(s: Any, p: Any, slope: int, bend: int, level: int) -> bool:
    """Take the sums of a whole block in; return whether its bend may be noise."""
    slopes, levels, bases = s["slopes"], s["levels"], s["bases"]
    blocks = s["closed"]
    slot = blocks % BLOCKS
    swing = abs(level - levels[(blocks - 1) & (LEVELS - 1)]) if blocks > 0 else np.int64(0)
    base = s["base"] + level
    if blocks >= BASE_BLOCKS:
        base -= levels[(blocks - BASE_BLOCKS) & (LEVELS - 1)]
    slopes[slot] = slope
    levels[blocks & (LEVELS - 1)] = level
    bases[slot] = s["base"] = base
    blocks += 1
    s["closed"] = blocks
    if s["learnt"] == 0 or slot == BLOCKS - 1:
        _learn(s, p, min(blocks, BLOCKS))
    usual = max(s["usual"], p["least"])
    rough = max(ROUGH_SHARE * usual, p["rough"])
    s["swung"] = (s["swung"] << 1 | (swing > SWING_SHARE * usual)) & WINDOW
    s["rough"] = (s["rough"] << 1 | (slope > rough)) & WINDOW
    s["smooth"] = (s["smooth"] << 1 | (bend < MUSCLE_BEND * slope)) & WINDOW
    return bool(bend > max(MUSCLE_SHARE * usual, p["least"]))


@kernel
def _close(s: Any, p: Any, bend: int, loud: bool, left: float) -> int:
    """Judge the last blocks; return what noise there is from the last sample on.

    `loud`: the newest may be noise, and `left` is what the better of the two tones leaves of it.
    """
    tonal = loud and left < TONE * bend
    usual = max(s["usual"], p["least"])
    s["bent"] = (s["bent"] << 1 | (loud and not tonal)) & WINDOW
    s["hummed"] = (s["hummed"] << 1 | (tonal and bend > MAINS_SHARE * usual)) & WINDOW
    blocks = s["closed"]
    if blocks < BLOCKS:
        return 0
    found = 0
    if s["hummed"] != 0 and _ones(s["hummed"]) >= LOUD_BLOCKS:
        found = MAINS
    elif s["bent"] != 0 and _ones(s["bent"]) >= LOUD_BLOCKS and _ones(s["smooth"]) < CALM_BLOCKS:
        found = MUSCLE
    elif _ones(s["rough"]) >= LOUD_BLOCKS and _moves(s, p):
        found = MOTION
    sure = s["sure"]
    # The mean of the last half a second is far from that of the one before it.
    before = (blocks - 1 - BASE_BLOCKS) % BLOCKS
    if abs(s["base"] - s["bases"][before]) > BASE_BLOCKS * p["jump"]:
        sure = SURE_MAX
        s["noise"] = MOTION
    elif found != 0:
        sure = min(sure + 1, SURE_MAX)
        if sure >= SURE or s["noise"] != 0:
            s["noise"] = found
    else:
        sure = max(sure - 1, 0)
        if sure == 0:
            s["noise"] = 0
    s["sure"] = sure
    return int(s["noise"])


@kernel
def _ones(word: int) -> int:
    """Count the ones of the lower 32 bits."""
    twos = int(word) - (int(word) >> 1 & 0x55555555)
    fours = (twos & 0x33333333) + (twos >> 2 & 0x33333333)
    eights = fours + (fours >> 4) & 0x0F0F0F0F
    return (eights * 0x01010101 & 0xFFFFFFFF) >> 24


@kernel
def _learn(s: Any, p: Any, count: int) -> None:
    """Bring the usual slope of a QRS up to date with the last `count` blocks."""
    slopes = s["slopes"]
    steep = _steep(slopes, count)
    usual = s["usual"]
    if s["learnt"] == 0:
        s["usual"] = steep
        if count == BLOCKS:
            s["learnt"] = 1
        return
    calm = 0
    for slot in range(count):
        calm += slopes[slot] <= ROUGH_SHARE * steep
    clean = calm >= CALM_BLOCKS
    if clean and usual < p["least"]:
        s["usual"] = steep
    elif steep > SILENT * usual:
        pace = usual if clean else NOISY_PACE * usual
        s["usual"] = min(max(steep, usual - FALL * pace), usual + RISE * pace)


@kernel
def _steep(slopes: Any, count: int) -> int:
    """Return the second steepest of the first `count` slopes."""
    steepest = steep = np.int64(0)
    for slot in range(count):
        slope = np.int64(slopes[slot])
        steep = max(steep, min(slope, steepest))
        steepest = max(steepest, slope)
    return int(steep)


@kernel
def _moves(s: Any, p: Any) -> bool:
    """Whether the baseline, as means of half a second, travels far: what no tachycardia's does."""
    slopes, bases = s["slopes"], s["bases"]
    oldest = s["closed"] % BLOCKS
    low = high = last = bases[oldest - 1 if oldest > 0 else BLOCKS - 1]
    for slot in range(BLOCKS):
        age = slot - oldest if slot >= oldest else slot - oldest + BLOCKS
        base = bases[slot] if age >= BASE_BLOCKS - 1 else last  # of whole half seconds
        low, high = min(low, base), max(high, base)
    travel = (np.int64(high) - np.int64(low)) / BASE_BLOCKS
    if travel < p["travel"]:
        return False
    flat = 0
    for slot in range(BLOCKS):
        flat += MOTION_TRAVEL * slopes[slot] < travel
    if flat < HALF_BLOCKS:
        return False
    if _ones(s["swung"]) >= HALF_BLOCKS:
        return True
    even = EVEN_SHARE * _steep(slopes, BLOCKS)
    calm = 0
    for slot in range(BLOCKS):
        calm += slopes[slot] <= even
    return calm < CALM_BLOCKS
