"""Noise of an ECG lead: motion, muscle, mains. How `quality` tells it from beats.

Codes are summed in boxes of about 8 ms. Of each 100 ms, a *block*, are known the mean level and
the mean sizes of the slope over two boxes (10 to 40 Hz, where a QRS is steep) and of the bend
over one (20 to 60 Hz). Of the last 24 blocks (2.4 s: at 25 a minute they hold a beat, at 200 most
lie between beats) the second steepest stands for the QRS, the tenth calmest for what lies between.

- **Motion**: between the beats the slope is a quarter of the QRS's, and the baseline, as means of
  half a second, travels 1 mV and 6 times the slope. Electrode motion lies below 10 Hz with a
  baseline that wanders far (Moody, Muldrow and Mark 1984); fibrillation and fast tachycardias, as
  steep throughout, average out within half a second.
- **Muscle**: between the beats the bend is 0.3 of the QRS's slope, and most blocks bend three
  quarters as much as they slope: a spectrum that reaches beyond 40 Hz. No heart's does;
  fibrillation bends a third of its slope (`vfdb`, measured).
- **Mains**: a block that obeys x(t + T) + x(t - T) = 2 cos(wT) x(t) of 50 or 60 Hz is no muscle,
  and noise where its bend is twice the QRS's slope: the band-pass of `beats` removes less.

What is below 0.05 mV between the beats is no noise, whatever its kind: an asystole is nearly
silent, and its hum is no reason not to say so. Noise lasts half a second longer than it is found.
"""

import math
from typing import Any

import numpy as np

from telesurv_kernels._jit import kernel

BOX_S = 0.0083
BLOCK_S = 0.1
BLOCKS = 24  # 2.4 s
CALM_BLOCKS = 10  # so many of them lie between the beats
BASE_BLOCKS = 5  # a mean level of half a second
HOLD_BLOCKS = 5
RATE_HZ_MIN = 100.0  # below it, bends tell nothing

MOTION_SHARE = 0.25  # of the QRS's slope
MUSCLE_SHARE = 0.3
MAINS_SHARE = 2.0
LEAST_MV = 0.05  # slope or bend that is noise
MOTION_MV = 1.0  # least travel of the baseline
MOTION_TRAVEL = 6.0  # and so many times the slope
MUSCLE_BEND = 0.75  # bend to slope
TONE = 0.35  # what a tone leaves of the bend, at most
MAINS_HZ = (50.0, 60.0)

FAR = 1 << 40

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
    """Forget the signal."""
    s["box"] = 0
    s["box_left"] = p["box"]
    s["boxes"] = 0
    s["blocks"] = 0
    s["noise"] = 0


@kernel
def add_box(s: Any, p: Any) -> None:
    """Take a whole box in; judge, where it completes a block."""
    new = s["box"]
    s["box"] = 0
    s["box_left"] = p["box"]
    if s["boxes"] == 0 and s["blocks"] == 0:
        # As if the level had always been this.
        s["sums"][0] = s["sums"][1] = new
        s["bend_recent"][0] = s["bend_recent"][1] = 0
        s["slope_sum"] = s["bend_sum"] = s["level_sum"] = 0
        s["tone_sum"][0] = s["tone_sum"][1] = 0.0
    one, two = s["sums"][0], s["sums"][1]
    bend = new - 2 * one + two
    s["slope_sum"] += abs(new - two)
    s["bend_sum"] += abs(bend)
    s["level_sum"] += new
    for tone in range(2):
        s["tone_sum"][tone] += abs(
            bend + s["bend_recent"][1] - p["tone"][tone] * s["bend_recent"][0]
        )
    s["sums"][1] = one
    s["sums"][0] = new
    s["bend_recent"][1] = s["bend_recent"][0]
    s["bend_recent"][0] = bend
    s["boxes"] += 1
    if s["boxes"] == p["block"]:
        _close(s, p)


@kernel
def _close(s: Any, p: Any) -> None:
    """Remember a block, and judge."""
    slot = s["blocks"] % BLOCKS
    s["slopes"][slot] = s["slope_sum"]
    s["bends"][slot] = s["bend_sum"]
    s["levels"][slot] = s["level_sum"]
    tonal = min(s["tone_sum"][0], s["tone_sum"][1]) < TONE * s["bend_sum"]
    s["tonal"] = (s["tonal"] << 1 | tonal) & ((1 << BLOCKS) - 1)
    s["slope_sum"] = s["bend_sum"] = s["level_sum"] = 0
    s["tone_sum"][0] = s["tone_sum"][1] = 0.0
    s["boxes"] = 0
    s["blocks"] += 1
    if s["blocks"] < BLOCKS:
        return
    found = _judge(s, p)
    if found != 0:
        s["noise"] = found
        s["noise_left"] = HOLD_BLOCKS
    elif s["noise"] != 0:
        s["noise_left"] -= 1
        if s["noise_left"] <= 0:
            s["noise"] = 0


@kernel
def _judge(s: Any, p: Any) -> int:
    """Return what noise the last blocks hold: MOTION, MUSCLE, MAINS or 0."""
    slopes, bends, levels = s["slopes"], s["bends"], s["levels"]
    steepest = steep = np.int64(0)
    # The baseline: means of half a second, in which the waves of a tachycardia cancel.
    level = np.int64(0)
    low, high = np.int64(FAR), np.int64(-FAR)
    for age in range(BLOCKS):
        slot = (s["blocks"] + age) % BLOCKS
        slope = slopes[slot]
        steep = max(steep, min(slope, steepest))
        steepest = max(steepest, slope)
        level += levels[slot]
        if age >= BASE_BLOCKS:
            level -= levels[slot - BASE_BLOCKS]
        if age >= BASE_BLOCKS - 1:
            low = min(low, level)
            high = max(high, level)
    travel = (high - low) / BASE_BLOCKS
    moved = max(MOTION_SHARE * steep, p["least"])
    bent = max(MUSCLE_SHARE * steep, p["least"])
    hummed = max(MAINS_SHARE * steep, p["least"])
    calm = flat = silent = smooth = mellow = 0
    for slot in range(BLOCKS):
        calm += slopes[slot] <= moved
        flat += MOTION_TRAVEL * slopes[slot] < travel
        smooth += bends[slot] < MUSCLE_BEND * slopes[slot]
        age = (s["blocks"] - 1 - slot) % BLOCKS
        if s["tonal"] >> age & 1:
            silent += 1
            mellow += bends[slot] <= hummed
        else:
            silent += bends[slot] <= bent
            mellow += 1
    if mellow < CALM_BLOCKS:
        return MAINS
    if silent < CALM_BLOCKS and smooth < CALM_BLOCKS:
        return MUSCLE
    if calm < CALM_BLOCKS and flat >= CALM_BLOCKS and travel >= p["travel"]:
        return MOTION
    return 0
