"""Pacing pulses in the signal of `beats`: taken out before the filters, with their tail.

A pulse of a pacemaker is no beat, only what it captures is: a heart that a pacemaker no longer
moves stands still, however loud the pulses are. A pulse rises out of a flat signal within a
sample or two and is over after 2 ms (IEC 60601-2-27, 201.12.1.101.13: 0.1 to 2 ms, 2 to 700 mV);
no QRS returns so soon. The front end's high-pass leaves a tail of the other sign that decays.

- An edge of 0.15 mV from one sample to the next, twice the step before it or more, begins one,
  and the signal is held where it was. What does not come back to 0.45 of the pulse's height, or
  beyond, within 2.5 ms and a sample was none: the signal goes on where it is.
- After it came back a sample is let pass; then the sums of two stretches of 5 ms tell the tail's
  decay, if it is of the other sign and decays. Until then the signal is held, for less than the
  time from a pulse to its QRS; from then on the tail is subtracted until 0.01 mV of it are left.

At rates below 400 Hz, where a pulse is smeared over one or two samples and could be an r,
nothing is taken out. From 200 Hz on a candidate's largest deflection that is over within 7 ms on
either side is a pulse, too: shorter than any QRS (a monitor is not to count a QRS of 10 ms or
less; those of newborns take 40 ms). Where nothing of a tenth of its height is beside it, it is
none; else its QRS is, and the R-peak stays on the pulse, where annotators put it.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from telesurv_kernels._jit import kernel

PULSE_RATE_HZ = 400.0
EDGE_MV = 0.15
EDGE_SHARE = 2  # of the step before it
PULSE_S = 0.0025  # and a sample
RETURNED = 0.45  # of the edge's height
FIT_S = 0.005
TAIL_MV = 0.01  # what is left of a tail when it is over
NARROW_RATE_HZ = 200.0
NARROW_S = 0.007  # from a peak to both its feet
NARROW_SHARE = 0.35  # of a narrow peak's height, at its feet
PULSE_ALONE = 0.1  # of its height is all that is left beside it
NOTHING, HELD, FIT, TAIL = 0, 1, 2, 3
EDGE_CODES_MIN = 4
EDGE_NEVER = 1 << 20  # more than codes can differ
CODE_MAX = 32767


@kernel
def begin_pulse(s: Any, p: Any, base: int, code: int) -> None:
    """Note that a pulse may begin with `code`, after `base`."""
    s["pulse"] = HELD
    s["pulse_base"] = base
    s["pulse_height"] = code - base
    s["pulse_left"] = p["pulse"]
    s["tail"] = 0.0


@kernel
def without_pulse(s: Any, p: Any, code: int) -> Any:
    """Return the code of a sample in a pulse or its tail as it would be without them."""
    if s["pulse"] == TAIL:
        s["tail"] *= s["tail_decay"]
        if abs(s["tail"]) < p["tail_end"]:
            s["pulse"] = NOTHING
        left = np.int64(np.rint(code - s["tail"]))
        return min(max(left, -CODE_MAX), CODE_MAX)
    base = s["pulse_base"]
    away = code - base
    s["pulse_left"] -= 1
    if s["pulse"] == HELD:
        height = s["pulse_height"]
        if np.sign(height) * away <= RETURNED * abs(height):
            s["pulse"] = FIT
            s["pulse_left"] = 2 * p["pulse_fit"]
            s["tail_sum"][0] = s["tail_sum"][1] = 0
        elif s["pulse_left"] == 0:
            s["pulse"] = NOTHING
            return code
        elif abs(away) > abs(height):
            s["pulse_height"] = away
        return base
    s["tail_sum"][0 if s["pulse_left"] >= p["pulse_fit"] else 1] += away
    if s["pulse_left"] == 0:
        _fit(s, p)
    return base


@kernel
def _fit(s: Any, p: Any) -> None:
    """Find what is left of the tail at the last sample of the second stretch."""
    size = p["pulse_fit"]
    first, second = s["tail_sum"][0], s["tail_sum"][1]
    s["pulse"] = NOTHING
    if abs(second) < abs(first) and first * second > 0 > first * s["pulse_height"]:
        decay = (second / first) ** (1.0 / size)
        left = first * (1.0 - decay) / (1.0 - decay**size) * decay ** (2 * size - 1)
        if abs(left) >= p["tail_end"]:
            s["pulse"] = TAIL
            s["tail"] = left
            s["tail_decay"] = decay


@kernel
def is_pulse(p: Any, near: NDArray[np.int16], total: int, peak: int) -> bool:
    """Return whether the deflections of some codes are those of a pulse alone.

    `total` is the sum of the codes and `peak` where they are farthest from their mean.
    """
    feet = p["narrow"]
    size = near.size
    if feet == 0 or peak < feet or peak + feet >= size:
        return False
    height = np.int64(near[peak]) * size - total
    before = np.int64(near[peak - feet]) * size - total
    after = np.int64(near[peak + feet]) * size - total
    if height < 0:
        height, before, after = -height, -before, -after
    if max(before, after) > NARROW_SHARE * height:
        return False
    for k in range(size):
        deflection = abs(np.int64(near[k]) * size - total)
        if abs(k - peak) >= feet and deflection > PULSE_ALONE * height:
            return False
    return True
