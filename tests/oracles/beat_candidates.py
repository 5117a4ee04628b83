"""Candidates of beats, batch and obvious: whole arrays for the signal.

Shares only constants with the kernel. Sums are NumPy's.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from math import ceil

import numpy as np
from numpy.typing import NDArray

from oracles.beat_pulses import without_pulses
from telesurv_kernels import _band, _pulses, _shapes
from telesurv_kernels import _beats_rule as k
from telesurv_kernels import _candidates as c
from telesurv_kernels._dtypes import LIKE_SHIFT, UNSURE
from telesurv_kernels._plain import NO_SIGNAL
from telesurv_kernels.quality import MISSING


@dataclass
class Candidate:
    peak: int
    uv: float
    mv: float
    slope: float
    flags: int
    like: float = 0.0

    @property
    def explained(self) -> bool:
        return self.like >= c.EXPLAINED

    @property
    def told(self) -> int:
        """Return its flags, with the step of its likeness."""
        step = np.searchsorted(c.LIKE_STEPS, self.like, "right") + 1 if self.like else 0
        return int(self.flags | step << LIKE_SHIFT)


@dataclass
class Samples:
    """Turns the rule's durations into samples."""

    rate_hz: float

    def __call__(self, seconds: float) -> int:
        return round(seconds * self.rate_hz)

    @property
    def block(self) -> int:
        return max(1, int(self.rate_hz / _band.BLOCK_HZ))

    @property
    def quarter(self) -> int:
        return self.block * round(k.MARK_S * self.rate_hz / self.block)

    @property
    def window(self) -> int:
        """Return the blocks whose power is one."""
        return round(k.POWER_S * self.rate_hz / self.block)


def stretches(
    bits: NDArray[np.uint8], restarts: Iterable[int], n: Samples
) -> list[tuple[int, int]]:
    """Return where signal begins, and where nothing more is known of it."""
    edges = sorted({0, *restarts, len(bits)})
    found = []
    for first, last in pairwise(edges):
        starts = []
        dead = n(k.DEAD_S)  # as if no signal had been there before
        for i in range(first, last):
            if not bits[i] & NO_SIGNAL:
                if dead >= n(k.DEAD_S):
                    starts.append(i)
                dead = 0
            elif starts:
                dead += 1
        found += list(pairwise([*starts, last]))
    return found


def without_holes(
    codes: NDArray[np.int16], bits: NDArray[np.uint8], rate_hz: float, scale_mv: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return codes in which missing samples repeat the last one, and those with no step after.

    The latter begin with 0. Pacing pulses are taken out between the holes.
    """
    filled = codes.astype(np.int64)
    missing = (bits & MISSING).astype(bool)
    edges = [0, *(np.flatnonzero(np.diff(missing)) + 1).tolist(), len(codes)]
    for first, last in pairwise(edges):
        if not missing[first]:
            filled[first:last] = without_pulses(filled[first:last], rate_hz, scale_mv)
    even = np.zeros(len(codes), np.int64)
    offset = filled[0]
    for i in range(1, len(codes)):
        if missing[i]:
            filled[i] = filled[i - 1]
        elif missing[i - 1]:
            offset += filled[i] - filled[i - 1]
            if abs(offset) > k.OFFSET_MAX:
                offset = filled[i]
        even[i] = filled[i] - offset
    return filled, even


def blocks(even: NDArray[np.int64], gap: int, n: Samples) -> NDArray[np.int64]:
    """Return the sums of the complete blocks of a stretch that begins at `gap`."""
    early = np.concatenate([np.zeros(gap % n.block, np.int64), even])
    whole = len(early) // n.block
    totals: NDArray[np.int64] = early[: whole * n.block].reshape(whole, n.block).sum(1)
    return totals


def power_of(totals: NDArray[np.int64], scale_mv: float, n: Samples) -> NDArray[np.int64]:
    """Return the sum of squares of the last POWER_S of the band, in whole uV, by block."""
    taps = _band.taps_of(n.rate_hz / n.block) * (1000 * scale_mv / n.block)
    band = np.zeros(len(totals), np.float32)
    for late, tap in enumerate(taps[: len(totals)].astype(np.float32)):
        # In the kernel's precision and order.
        band[late:] += tap * totals[: len(totals) - late].astype(np.float32)
    uv = np.rint(np.clip(band, -_band.BAND_UV_MAX, _band.BAND_UV_MAX)).astype(np.int64)
    total = np.concatenate([np.zeros(n.window, np.int64), np.cumsum(uv**2)])
    power: NDArray[np.int64] = total[n.window :] - total[: len(uv)]
    return power


def floor_of(level_uv: float, n: Samples) -> int:
    """Return the least power of a candidate."""
    usual = n.window * (c.OLD_LEVEL * level_uv) ** 2
    return max(round(n.window * k.FLOOR_UV**2), int(usual))


def peak_to_top(n: Samples) -> int:
    """Return how far the end of a hill's top block lies behind the centre of its QRS."""
    return round((n.window * n.block - 1) / 2 + k.BAND_DELAY_S * n.rate_hz)


@dataclass
class Hills:
    """Finds the hills of the power, block by block."""

    n: Samples
    valley: int = 0
    top: int | None = None  # block of the highest power of the hill that rises
    height: int = 0

    def step(self, block: int, power: int, floor: int) -> tuple[int, int] | None:
        """Return block and power of the top of the hill that is over, if one is."""
        if self.top is None:
            if power > 2 * self.valley and power >= floor:
                self.top, self.height = block, power
            self.valley = min(self.valley, power)
        elif power > self.height:
            self.top, self.height = block, power
        elif 2 * power < self.height or (block - self.top) * self.n.block >= self.n(k.HILL_S):
            over = self.top, self.height
            self.valley, self.top = power, None
            return over
        return None


def candidate(
    filled: NDArray[np.int64],
    bits: NDArray[np.uint8],
    top: int,
    power: int,
    over: int,
    scale_mv: float,
    n: Samples,
) -> Candidate | None:
    """Return the candidate of a hill, its R-peak in samples of the stretch, if it is one.

    `top` is the last sample of its highest block, and `over` the one that shows that it is over.
    """
    centre = top - peak_to_top(n)
    first = max(centre - n(k.PEAK_S), over - _shapes.CODES + 1)
    last = min(centre + n(k.PEAK_S), over)
    if last < first or first < 0 or (bits[last : over + 1] & MISSING).all():
        return None
    near = filled[first : last + 1]
    peak = first + int(np.argmax(np.abs(near * len(near) - near.sum())))
    if is_pulse(near, peak - first, n):
        return None
    uv = float(np.sqrt(power / n.window))
    height = float((filled[peak] * len(near) - near.sum()) / len(near) * scale_mv)
    step = n(k.STEP_S)
    slope = float(np.abs(near[step:] - near[:-step]).max(initial=0) * scale_mv)
    return Candidate(peak, uv, height, slope, UNSURE if bits[peak] else 0)


def is_pulse(near: NDArray[np.int64], peak: int, n: Samples) -> bool:
    """Return whether nothing but a pulse is among the codes about a peak."""
    feet = ceil(_pulses.NARROW_S * n.rate_hz)
    if n.rate_hz < _pulses.NARROW_RATE_HZ or not feet <= peak < len(near) - feet:
        return False
    away = near * len(near) - near.sum()
    away *= np.sign(away[peak])
    if max(away[peak - feet], away[peak + feet]) > _pulses.NARROW_SHARE * away[peak]:
        return False
    beside = np.concatenate([away[: peak - feet + 1], away[peak + feet :]])
    return bool(np.abs(beside).max() <= _pulses.PULSE_ALONE * away[peak])
