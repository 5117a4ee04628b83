"""Candidates of beats, batch and obvious: whole arrays for the signal.

Shares only constants with the kernel. Filters are scipy's, sums are NumPy's.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from math import ceil

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from oracles.beat_pulses import without_pulses
from telesurv_kernels import _beats_rule as k
from telesurv_kernels import _candidates as c
from telesurv_kernels import _pulses, _shapes
from telesurv_kernels._dtypes import UNSURE
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


@dataclass
class Samples:
    """Turns the rule's durations into samples."""

    rate_hz: float

    def __call__(self, seconds: float) -> int:
        return round(seconds * self.rate_hz)


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
            if not bits[i] & k.NO_SIGNAL:
                if dead >= n(k.DEAD_S):
                    starts.append(i)
                dead = 0
            elif starts:
                dead += 1
        found += list(pairwise([*starts, last]))
    return found


def without_holes(
    codes: NDArray[np.int16], bits: NDArray[np.uint8], rate_hz: float, scale_mv: float
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return codes and mV in which missing samples repeat the last one, without a step after.

    Pacing pulses are taken out between the holes.
    """
    filled = codes.astype(np.int64)
    missing = (bits & MISSING).astype(bool)
    edges = [0, *(np.flatnonzero(np.diff(missing)) + 1).tolist(), len(codes)]
    for first, last in pairwise(edges):
        if not missing[first]:
            filled[first:last] = without_pulses(filled[first:last], rate_hz, scale_mv)
    mv = np.zeros(len(codes))
    offset = filled[0] * scale_mv
    for i in range(1, len(codes)):
        if bits[i] & MISSING:
            filled[i], mv[i] = filled[i - 1], mv[i - 1]
        else:
            if bits[i - 1] & MISSING:
                offset = filled[i] * scale_mv - mv[i - 1]
            mv[i] = filled[i] * scale_mv - offset
    return filled, mv


def power_of(mv: NDArray[np.float64], n: Samples) -> NDArray[np.int64]:
    """Return the sum of squares of the last POWER_S of the band, in whole uV."""
    band = mv
    for cutoff, kind in zip(k.BAND_HZ, ("highpass", "lowpass"), strict=True):
        band = signal.lfilter(*signal.butter(2, cutoff, kind, fs=n.rate_hz), band)
    uv = np.rint(np.clip(band * 1000, -k.BAND_UV_MAX, k.BAND_UV_MAX)).astype(np.int64)
    total = np.concatenate([np.zeros(n(k.POWER_S), np.int64), np.cumsum(uv**2)])
    power: NDArray[np.int64] = total[n(k.POWER_S) :] - total[: len(uv)]
    return power


def power_floor(n: Samples) -> int:
    """Return the least power of a candidate."""
    return round(n(k.POWER_S) * k.FLOOR_UV**2)


def peak_to_top(n: Samples) -> int:
    """Return how far the top of a hill lies behind the centre of its QRS."""
    return n(k.POWER_S) // 2 + n(k.BAND_DELAY_S)


def hills(power: NDArray[np.int64], n: Samples) -> tuple[dict[int, int], list[int | None]]:
    """Return the top of each hill by the sample at which it is over, and of that which rises."""
    found: dict[int, int] = {}
    rising: list[int | None] = []
    valley, top = 0, None
    for i, height in enumerate(power.tolist()):
        if top is None:
            if height > 2 * valley:
                top = i
            valley = min(valley, height)
        elif height > power[top]:
            top = i
        elif 2 * height < power[top] or i - top >= n(k.HILL_S):
            found[i] = top
            valley, top = height, None
        rising.append(top)
    return found, rising


def candidates(
    filled: NDArray[np.int64],
    power: NDArray[np.int64],
    bits: NDArray[np.uint8],
    gap: int,
    scale_mv: float,
    n: Samples,
) -> dict[int, Candidate]:
    """Return the candidates of a stretch that begins at `gap` by the sample that shows them."""
    floor, delay = power_floor(n), peak_to_top(n)
    found = {}
    for over, top in hills(power, n)[0].items():
        first = max(top - delay - n(k.PEAK_S), over - _shapes.CODES + 1)
        last = min(top - delay + n(k.PEAK_S), over)
        lost = (bits[max(last, 0) : over + 1] & MISSING).all()
        if power[top] < floor or last < first or first < 0 or lost:
            continue
        near = filled[first : last + 1]
        peak = first + int(np.argmax(np.abs(near * len(near) - near.sum())))
        if is_pulse(near, peak - first, n):
            continue
        uv = float(np.sqrt(power[top] / n(k.POWER_S)))
        height = float((filled[peak] * len(near) - near.sum()) / len(near) * scale_mv)
        step = n(k.STEP_S)
        slope = float(np.abs(near[step:] - near[:-step]).max(initial=0) * scale_mv)
        found[gap + over] = Candidate(gap + peak, uv, height, slope, UNSURE if bits[peak] else 0)
    return found


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
