"""How much the waveform of a stretch looks like fibrillation: filter, sums, margin.

What `fibrillation` measures; its docstring says why. The fields lie in the state and the
parameters of that kernel. Unit: uV.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from telesurv_kernels._jit import kernel

WINDOW = 4  # blocks in a window
RING = 64  # y remembered: half a period of 0.5 s, at 62.5 Hz
LIMIT_UV = 30000

LINE_LEAKAGE = 0.25  # fill has to exceed line_fill by so much of the leakage
SLOW_HZ, SLOW_PER_HZ = 3.2, 0.3  # the margin is less by this for each Hz below
FAST_HZ, FAST_PER_HZ = 6.5, 0.074  # and for each Hz above
MARGIN_MAX = 0.15
FLAT_UV = 32  # mean of |y|: a sine of 0.1 mV peak to peak

AMPLITUDE, SLOPE, SLOPE_SQUARED, LEFT, WHOLE = range(5)
"""Sums of a block: |y|, |slope|, slope^2, |y + y before half a period|, |y| + |y before|."""


@kernel
def filter_step(s: Any, p: Any, sum_codes: int) -> None:
    """Filter the mean of a step, and add it to the sums of its block."""
    s["steps"] += 1
    if s["lost"] != 0:
        s["lost"] = 0
        s["running"] = 0
        return
    uv = sum_codes * p["scale_uv"] / p["step"]
    if s["running"] == 0:
        # The signal begins at 0: no step for the filter to ring.
        s["running"] = 1
        s["offset_uv"] = uv
        s["input_uv"][:] = 0.0
        s["high_uv"][:] = 0.0
        s["last_uv"] = 0
        s["y_uv"][:] = 0
        s["lag"] = p["lag_first"]
    x = uv - s["offset_uv"]
    b = p["high"]
    before, after = s["input_uv"], s["high_uv"]
    high = b[0] * x + b[1] * before[0] + b[2] * before[1] - b[3] * after[0] - b[4] * after[1]
    before[1] = before[0]
    before[0] = x
    after[1] = after[0]
    after[0] = high
    y = np.int64(np.rint(min(max(high, -LIMIT_UV), LIMIT_UV)))
    slope = y - s["last_uv"]
    s["last_uv"] = y
    slot = (s["slot"] + 1) & (RING - 1)
    s["slot"] = slot
    s["y_uv"][slot] = y
    earlier = np.int64(s["y_uv"][(slot - s["lag"]) & (RING - 1)])
    sums = s["sums"]
    sums[AMPLITUDE] += abs(y)
    sums[SLOPE] += abs(slope)
    sums[SLOPE_SQUARED] += slope * slope
    sums[LEFT] += abs(y + earlier)
    sums[WHOLE] += abs(y) + abs(earlier)


@kernel
def begin_block(s: Any) -> None:
    """Begin a block."""
    s["steps"] = 0
    s["sums"][:] = 0


@kernel
def mean_rate_hz(recent: NDArray[np.int64], step_hz: float) -> float:
    """Return the mean frequency of a window; 0 where there is no signal."""
    amplitude = recent[:, AMPLITUDE].sum()
    if amplitude == 0:
        return 0.0
    return float(recent[:, SLOPE].sum() / (2.0 * np.pi * amplitude) * step_hz)


@kernel
def margin_of(p: Any, recent: NDArray[np.int64], rate_hz: float) -> float:
    """Return by how much a window fills its time more than an organised rhythm does."""
    steps = WINDOW * p["block"]
    if recent[:, AMPLITUDE].sum() < FLAT_UV * steps:
        return -MARGIN_MAX
    slope = np.float64(recent[:, SLOPE].sum())
    fill = slope * slope / (steps * recent[:, SLOPE_SQUARED].sum())
    leakage = recent[:, LEFT].sum() / recent[:, WHOLE].sum()
    margin = fill - p["line_fill"] - LINE_LEAKAGE * leakage
    margin -= SLOW_PER_HZ * max(0.0, SLOW_HZ - rate_hz)
    margin -= FAST_PER_HZ * max(0.0, rate_hz - FAST_HZ)
    return float(min(max(margin, -MARGIN_MAX), MARGIN_MAX))
