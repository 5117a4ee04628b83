"""Noise of an ECG lead, batch and obvious: arrays of boxes and blocks, sorted windows.

Shares only constants with the kernel.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from telesurv_kernels import _noise as k


class Blocks(NamedTuple):
    """Slope, bend and level of each block, summed over it, and whether mains explain the bend."""

    slopes: NDArray[np.int64]
    bends: NDArray[np.int64]
    levels: NDArray[np.int64]
    tonal: NDArray[np.bool_]


@dataclass
class Usual:
    """Slope of the lead's QRS, summed over a block; it outlives a gap."""

    slope: float = 0.0
    learnt: bool = False

    def learn(self, slopes: NDArray[np.int64], least: float) -> None:
        """Take in the slopes of a window, or of what there is of the first one."""
        steep = float(np.sort(np.append(slopes, 0))[-2])
        clean = np.sum(slopes <= k.ROUGH_SHARE * steep) >= k.CALM_BLOCKS
        if not self.learnt or (clean and self.slope < least):
            self.slope = steep
        elif steep > k.SILENT * self.slope:
            pace = self.slope if clean else k.NOISY_PACE * self.slope
            low, high = self.slope - k.FALL * pace, self.slope + k.RISE * pace
            self.slope = float(np.clip(steep, low, high))
        self.learnt = self.learnt or len(slopes) == k.BLOCKS


def blocks(codes: NDArray[np.int64], rate_hz: float) -> Blocks:
    """Cut a stretch without holes into blocks."""
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
    return Blocks(sizes[0], sizes[1], sizes[2], tonal)


def judged(of: Blocks, usual: NDArray[np.float64], codes: float) -> tuple[int, bool]:
    """Return what noise a window holds, and whether the baseline jumped at its end.

    `usual` is what the usual slope was with each of its blocks, `codes` a mV summed over a block.
    """
    base = sliding_window_view(of.levels, k.BASE_BLOCKS).sum(1) / k.BASE_BLOCKS
    jumped = bool(abs(base[-1] - base[-1 - k.BASE_BLOCKS]) > k.JUMP_MV * codes)
    hummed = of.tonal & (of.bends > k.MAINS_SHARE * usual)
    bent = ~of.tonal & (of.bends > np.maximum(k.MUSCLE_SHARE * usual, k.LEAST_MV * codes))
    smooth = of.bends < k.MUSCLE_BEND * of.slopes
    rough = of.slopes > np.maximum(k.ROUGH_SHARE * usual, k.ROUGH_MV * codes)
    if np.sum(hummed) >= k.LOUD_BLOCKS:
        return k.MAINS, jumped
    if np.sum(bent) >= k.LOUD_BLOCKS and np.sum(smooth) < k.CALM_BLOCKS:
        return k.MUSCLE, jumped
    travel = np.ptp(base)
    travels = travel >= k.TRAVEL_MV * codes
    still = np.sort(of.slopes)[k.HALF_BLOCKS - 1] * k.MOTION_TRAVEL >= travel
    if np.sum(rough) < k.LOUD_BLOCKS or not travels or still:
        return 0, jumped
    return k.MOTION, jumped


def uneasy(of: Blocks, swings: NDArray[np.int64], usual: NDArray[np.float64]) -> bool:
    """Whether a window's level swings from block to block, or slopes as much as the QRS."""
    steep = np.sort(of.slopes)[-2]
    even = np.sort(of.slopes)[k.CALM_BLOCKS - 1] > k.EVEN_SHARE * steep
    return bool(np.sum(swings > k.SWING_SHARE * usual) >= k.HALF_BLOCKS or even)


def present(of: Blocks, codes: float, usual: Usual) -> list[int]:
    """Return what noise there is from each block's last sample on."""
    swings = np.abs(np.diff(of.levels, prepend=of.levels[:1]))
    known: list[float] = []
    told, now, sure = [], 0, 0
    for end in range(1, len(of.slopes) + 1):
        if not usual.learnt or end % k.BLOCKS == 0:
            usual.learn(of.slopes[max(end - k.BLOCKS, 0) : end], k.LEAST_MV * codes)
        known.append(max(usual.slope, k.LEAST_MV * codes))
        if end >= k.BLOCKS:
            window = slice(end - k.BLOCKS, end)
            then = np.array(known[window])
            part = Blocks(*(column[window] for column in of))
            kind, jumped = judged(part, then, codes)
            if kind == k.MOTION and not uneasy(part, swings[window], then):
                kind = 0
            sure = k.SURE_MAX if jumped else min(max(sure + (1 if kind else -1), 0), k.SURE_MAX)
            if jumped:
                now = k.MOTION
            elif kind and (now or sure >= k.SURE):
                now = kind
            elif sure == 0:
                now = 0
        told.append(now)
    return told


def bits(
    codes: NDArray[np.int64], rate_hz: float, scale: float, usual: Usual, *, ecg: bool
) -> NDArray[np.int64]:
    """Return the noise bit of each sample of a stretch without holes."""
    box, many = k.box_of(rate_hz)
    size = box * many
    told = np.zeros(len(codes), np.int64)
    if not ecg or rate_hz < k.RATE_HZ_MIN or len(codes) < size:
        return told
    for block, kind in enumerate(present(blocks(codes, rate_hz), size / scale, usual)):
        told[(block + 1) * size - 1 :] = kind
    return told
