"""The band of a QRS in `beats`: sums of blocks of samples, band-pass, power of the last 100 ms.

The band-pass is a high-pass and a low-pass of second order (Butterworth) for the 0.2 s in which
they ring to a thousandth; what the end makes of a level or of a slope is taken out again. A filter
without feedback has outputs that do not wait for each other: up to a second of blocks is done at
once, in single precision, each output in the same order of its terms.
"""

from functools import cache
from math import fsum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from telesurv_kernels._biquad import highpass, lowpass
from telesurv_kernels._jit import kernel

BAND_HZ = (8.0, 24.0)  # of a QRS
BLOCK_HZ = 100.0  # the band is taken from blocks of samples at this rate, or up to twice it
RING_S = 0.2  # for so long the band-pass answers
TAPS = 40  # blocks of that at most
WINDOW = 24  # blocks of the band remembered: those of a power at most, and a few
BLOCKS = 208  # worked on at once, in eights: a second at 200 Hz
BAND_UV_MAX = 30000


@cache  # a lead that begins costs its making otherwise
def taps_of(block_hz: float) -> NDArray[np.float64]:
    """Return what the band-pass makes of a block of 1 among blocks of 0, shape ``(TAPS,)``.

    Longer than RING_S there are zeros. A level and a slope leave nothing.
    """
    size = round(RING_S * block_hz)
    answer = np.zeros(size)
    answer[0] = 1.0
    for b0, b1, b2, a1, a2 in (highpass(block_hz, BAND_HZ[0]), lowpass(block_hz, BAND_HZ[1])):
        given = np.concatenate([np.zeros(2), answer])
        made = np.zeros(size + 2)
        for n in range(2, size + 2):
            made[n] = b0 * given[n] + b1 * given[n - 1] + b2 * given[n - 2]
            made[n] -= a1 * made[n - 1] + a2 * made[n - 2]
        answer = made[2:]
    # Exact sums: those of NumPy and its products may depend on where in memory the numbers lie.
    answer -= fsum(answer) / size
    slope = np.arange(size) - (size - 1) / 2
    answer -= fsum(slope * answer) / fsum(slope * slope) * slope
    taps = np.concatenate([answer, np.zeros(TAPS - size)])
    taps.setflags(write=False)
    return taps


@kernel
def take_in(blocks: int, less: int, work: Any) -> None:
    """Make sums of some blocks, less so much each, inputs of the band-pass."""
    totals, inputs = work["totals"][:blocks], work["inputs"][TAPS : TAPS + blocks]
    offset = np.int32(less)
    for q in range(totals.size):
        inputs[q] = np.float32(np.int32(totals[q] - offset))


@kernel
def pass_band(p: Any, blocks: int, work: Any) -> None:
    """Take the band from the inputs of some blocks, in whole uV."""
    taps = p["taps"]
    size = (blocks + 7) & ~7
    inputs, passed = work["inputs"], work["passed"][:size]
    passed[:] = np.float32(0.0)
    for j in range(0, p["ring"], 4):
        c0, c1, c2, c3 = taps[j], taps[j + 1], taps[j + 2], taps[j + 3]
        x = inputs[TAPS - 3 - j : TAPS - j + size]
        for q in range(passed.size):
            passed[q] = (((passed[q] + c0 * x[q + 3]) + c1 * x[q + 2]) + c2 * x[q + 1]) + c3 * x[q]
    band_uv = work["band_uv"][WINDOW : WINDOW + size]
    least, most = np.float32(-BAND_UV_MAX), np.float32(BAND_UV_MAX)
    for q in range(band_uv.size):
        band_uv[q] = np.int32(np.rint(min(max(passed[q], least), most)))


@kernel
def sum_power(p: Any, power: int, blocks: int, work: Any) -> None:
    """Take the power after each of some blocks; `power` is that before them."""
    window = p["power"]
    new = work["band_uv"][WINDOW : WINDOW + blocks]
    old = work["band_uv"][WINDOW - window : WINDOW - window + blocks]
    change, powers = work["change"][:blocks], work["powers"][:blocks]
    for q in range(blocks):
        change[q] = new[q] * new[q] - old[q] * old[q]
    for q in range(blocks):
        power += change[q]
        powers[q] = power


@kernel
def range_of(powers: NDArray[np.int64]) -> tuple[int, int]:
    """Return the lowest and the highest of some powers."""
    low: Any = powers[0]
    high: Any = powers[0]
    for q in range(powers.size):
        low = min(low, powers[q])
        high = max(high, powers[q])
    return low, high


@kernel
def until_hill(powers: NDArray[np.int64], top: int, floor: int) -> tuple[int, int]:
    """Return how many powers come before one that begins a hill, and the lowest since the last."""
    for q in range(powers.size):
        if powers[q] >= floor and powers[q] > 2 * top:
            return q, top
        top = min(top, powers[q])
    return powers.size, top


@kernel
def sum_quarter(s: Any, first: int, last: int, work: Any) -> None:
    """Add the blocks first..last to their quarter: level, slopes and bends."""
    x = work["inputs"][TAPS - 2 + first : TAPS + last]
    level, slopes, bends = np.int32(0), np.int32(0), np.int32(0)
    two = np.float32(2.0)
    for q in range(x.size - 2):
        level += np.int32(x[q + 2])
        slopes += np.int32(abs(x[q + 2] - x[q]))
        bends += np.int32(abs(x[q + 2] - two * x[q + 1] + x[q]))
    s["level"] += level
    s["slopes"] += slopes
    s["bends"] += bends


@kernel
def recall(s: Any, work: Any) -> None:
    """Lay what the row remembers of blocks before those to come."""
    inputs, band_uv = work["inputs"], work["band_uv"]
    for q in range(TAPS):
        inputs[q] = s["inputs"][q]
    for q in range(WINDOW):
        band_uv[q] = s["band_uv"][q]


@kernel
def retain(s: Any, blocks: int, work: Any) -> None:
    """Let the row remember the last blocks."""
    inputs, band_uv = work["inputs"][blocks:], work["band_uv"][blocks:]
    for q in range(TAPS):
        s["inputs"][q] = inputs[q]
    for q in range(WINDOW):
        s["band_uv"][q] = band_uv[q]
