"""Pacing pulses in the signal of beats, batch and obvious: found by looking ahead.

Shares only constants with the kernel.
"""

from math import ceil

import numpy as np
from numpy.typing import NDArray

from telesurv_kernels import _pulses as k

Codes = NDArray[np.int64]


def without_pulses(codes: Codes, rate_hz: float, scale_mv: float) -> Codes:
    """Return codes of a stretch without holes as they would be without pulses and their tails."""
    clean = codes.copy()
    if rate_hz < k.PULSE_RATE_HZ:
        return clean
    longest, size = ceil(k.PULSE_S * rate_hz) + 1, ceil(k.FIT_S * rate_hz)
    edge = max(round(k.EDGE_MV / scale_mv), k.EDGE_CODES_MIN)
    steps = np.diff(codes, prepend=codes[:1])
    before = np.concatenate([[0], steps[:-1]])
    begins = (np.abs(steps) >= edge) & (k.EDGE_SHARE * np.abs(before) <= np.abs(steps))
    i, end = 1, len(codes)
    while i < end:
        if not begins[i]:
            i += 1
            continue
        part = before[i] if steps[i] * before[i] > 0 else 0  # of a sample
        base = int(clip(clean[i - 1] - part))
        away = codes[i:] - base
        over, height = returned(away, longest)
        if over is None:  # no pulse: only held for so long
            clean[i : i + longest] = base
            clean[i + longest :] = codes[i + longest :]
            i += longest + 1
            continue
        after = i + over + 1 + 2 * size
        clean[i:after] = base
        clean[after:] = codes[after:]
        if after <= end:
            first, second = (part.sum() for part in np.split(away[over + 1 : after - i], 2))
            if abs(second) < abs(first) and first * second > 0 > first * height:
                left = tail(first, second, size, end - after, k.TAIL_MV / scale_mv)
                clean[after : after + len(left)] -= np.rint(left).astype(np.int64)
                clean[after:] = clip(clean[after:])
        i = after
    return clean


def clip(codes: Codes) -> Codes:
    return np.clip(codes, -k.CODE_MAX, k.CODE_MAX)


def returned(away: Codes, longest: int) -> tuple[int | None, int]:
    """Return after how many samples a pulse that begins with the first one is over; its height."""
    height = int(away[0])
    for n in range(1, min(longest + 1, len(away))):
        if np.sign(height) * away[n] <= k.RETURNED * abs(height):
            return n, height
        if n < longest and abs(away[n]) > abs(height):
            height = int(away[n])
    return None, height


def tail(first: int, second: int, size: int, length: int, end: float) -> NDArray[np.float64]:
    """Return what follows two stretches of a decay with these sums, until it is `end`."""
    decay = (second / first) ** (1 / size)
    begun = first * (1 - decay) / (1 - decay**size)
    left = begun * decay ** (2 * size - 1 + np.arange(length + 1))
    if abs(left[0]) < end:
        return np.zeros(0)
    below = np.flatnonzero(np.abs(left) < end)
    return left[1 : (below[0] if len(below) else length) + 1]
