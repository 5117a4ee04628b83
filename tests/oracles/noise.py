"""Noise of an ECG lead, batch and obvious: arrays of boxes and blocks, sorted windows.

Shares only constants with the kernel.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from telesurv_kernels import _noise as k


def blocks(
    codes: NDArray[np.int64], rate_hz: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Return mean slope, bend and level of each block, and whether mains explain the bend."""
    box, many = k.box_of(rate_hz)
    count = len(codes) // (box * many)
    sums = codes[: count * many * box].reshape(-1, box).sum(1)
    held = np.concatenate([[sums[0]] * 2, sums])
    slope = np.abs(held[2:] - held[:-2])
    bend = held[2:] - 2 * held[1:-1] + held[:-2]
    past = np.concatenate([[0, 0], bend])
    left = [
        np.abs(past[2:] + past[:-2] - k.tone_of(rate_hz, box, hz) * past[1:-1]) for hz in k.MAINS_HZ
    ]
    sizes = [np.reshape(part, (count, many)).sum(1) for part in (slope, np.abs(bend), sums, *left)]
    tonal = np.minimum(sizes[3], sizes[4]) < k.TONE * sizes[1]
    size = box * many
    return sizes[0] / size, sizes[1] / size, sizes[2] / size, tonal


def found(codes: NDArray[np.int64], rate_hz: float, scale: float) -> NDArray[np.int64]:
    """Return what noise each block completes."""
    slopes, bends, levels, tonal = blocks(codes, rate_hz)
    kinds = np.zeros(len(slopes), np.int64)
    least, travel_min = k.LEAST_MV / scale, k.MOTION_MV / scale
    for last in range(k.BLOCKS - 1, len(slopes)):
        window = slice(last - k.BLOCKS + 1, last + 1)
        slope, bend = slopes[window], bends[window]
        steep = np.sort(slope)[-2]
        base = sliding_window_view(levels[window], k.BASE_BLOCKS).mean(1)
        travel = np.ptp(base)

        def few_below(size: NDArray[np.float64], share: float, steep: float = steep) -> bool:
            return bool(np.sort(size)[k.CALM_BLOCKS - 1] > max(share * steep, least))

        still = np.sum(k.MOTION_TRAVEL * slope < travel) < k.CALM_BLOCKS
        smooth = np.sum(bend < k.MUSCLE_BEND * slope) >= k.CALM_BLOCKS
        hums = tonal[window]
        if few_below(np.where(hums, bend, 0), k.MAINS_SHARE):
            kinds[last] = k.MAINS
        elif few_below(np.where(hums, 0, bend), k.MUSCLE_SHARE) and not smooth:
            kinds[last] = k.MUSCLE
        elif few_below(slope, k.MOTION_SHARE) and not still and travel >= travel_min:
            kinds[last] = k.MOTION
    return kinds


def bits(codes: NDArray[np.int64], rate_hz: float, scale: float, *, ecg: bool) -> NDArray[np.int64]:
    """Return the noise bit of each sample of a stretch without holes."""
    box, many = k.box_of(rate_hz)
    told = np.zeros(len(codes), np.int64)
    if not ecg or rate_hz < k.RATE_HZ_MIN or len(codes) < box * many:
        return told
    present, left = 0, 0
    for block, kind in enumerate(found(codes, rate_hz, scale).tolist()):
        left = k.HOLD_BLOCKS if kind else left - 1
        present = kind or (present if left > 0 else 0)
        told[(block + 1) * box * many - 1 :] = present
    return told
