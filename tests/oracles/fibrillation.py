"""Fibrillation, batch and obvious: whole arrays of steps, then of windows, then the rule.

Shares only constants with the kernel.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, lfilter

from telesurv_kernels import _waveform as w
from telesurv_kernels import fibrillation as k
from telesurv_kernels._dtypes import OFF, ON

Finding = tuple[int, int, int, int, float]
"""kind, onset, end, detected, value"""


@dataclass
class Block:
    """Half a second: its last sample + 1, and the sums of `_waveform`."""

    end: int
    readable: bool
    sums: NDArray[np.int64]
    window: NDArray[np.int64] | None = None  # sums of the window that ends here
    rate_hz: float = 0.0
    margin: float = 0.0


def filtered(uv: NDArray[np.float64], lost: NDArray[np.bool_], hz: float) -> list[NDArray[Any]]:
    """Return y, and the slope, of each step; each run of steps that are there by itself."""
    y, slope = np.zeros(len(uv), np.int64), np.zeros(len(uv), np.int64)
    edges = np.flatnonzero(np.diff(np.concatenate([[True], lost, [True]]).astype(int)))
    for first, last in zip(edges[::2], edges[1::2], strict=True):
        high = lfilter(*butter(2, k.HIGHPASS_HZ, "highpass", fs=hz), uv[first:last] - uv[first])
        y[first:last] = np.rint(np.clip(high, -w.LIMIT_UV, w.LIMIT_UV))
        slope[first:last] = np.diff(y[first:last], prepend=0)
    return [y, slope]


def blocks_of(
    codes: NDArray[np.int64], mask: NDArray[np.uint8], rate_hz: float, scale_mv: float, at: int
) -> list[Block]:
    """Return the blocks of a piece of signal that begins with sample `at` of its row."""
    step = round(rate_hz / k.STEP_HZ)
    hz = rate_hz / step
    size = int(np.ceil(k.BLOCK_S * hz))
    steps = len(codes) // step
    bits = mask[: steps * step].reshape(-1, step)
    lost = ((bits & k.NO_SIGNAL) != 0).any(axis=1)
    uv = codes[: steps * step].reshape(-1, step).sum(axis=1) * (scale_mv * 1000) / step
    y, slope = filtered(uv, lost, hz)
    begin = np.zeros(steps, int)  # of the run of steps that each is in
    for i in range(steps):
        begin[i] = i + 1 if lost[i] else begin[i - 1] if i else 0
    made: list[Block] = []
    lag = first_lag = round(k.LAG_FIRST_S * hz)
    for number in range(steps // size):
        span = range(number * size, (number + 1) * size)
        there = [i for i in span if not lost[i]]
        earlier = [y[i - lag] if i - lag >= begin[i] else 0 for i in there]
        sums = np.zeros(5, np.int64)
        sums[w.AMPLITUDE] = sum(abs(y[i]) for i in there)
        sums[w.SLOPE] = sum(abs(slope[i]) for i in there)
        sums[w.SLOPE_SQUARED] = sum(slope[i] ** 2 for i in there)
        sums[w.LEFT] = sum(abs(y[i] + e) for i, e in zip(there, earlier, strict=True))
        sums[w.WHOLE] = sum(abs(y[i]) + abs(e) for i, e in zip(there, earlier, strict=True))
        masked = bits[number * size : (number + 1) * size]
        even = sums[w.LEFT] <= k.EVEN_LEAKAGE * sums[w.WHOLE]
        readable = bool(np.isin(masked, (0, k.MOTION) if even else (0,)).all())
        made.append(Block(at + (number + 1) * size * step, readable, sums))
        lag = first_lag
        if number + 1 >= w.WINDOW and all(block.readable for block in made[-w.WINDOW :]):
            block = made[-1]
            judge(block, made[-w.WINDOW :], w.WINDOW * size, hz)
            if block.rate_hz > 0:
                lag = int(np.clip(np.rint(hz / 2 / block.rate_hz), 2, int(k.LAG_S_MAX * hz)))
    return made


def judge(block: Block, window: list[Block], steps: int, hz: float) -> None:
    """Say how much the window that ends with a block looks like fibrillation."""
    block.window = sums = sum(b.sums for b in window)
    amplitude, slope, squared, left, whole = (float(x) for x in sums)
    if amplitude:
        block.rate_hz = slope / (2 * np.pi * amplitude) * hz
    if amplitude < w.FLAT_UV * steps:
        block.margin = -w.MARGIN_MAX
        return
    margin = slope**2 / (steps * squared) - k.LINE_FILL - w.LINE_LEAKAGE * left / whole
    margin -= w.SLOW_PER_HZ * max(0.0, w.SLOW_HZ - block.rate_hz)
    margin -= w.FAST_PER_HZ * max(0.0, block.rate_hz - w.FAST_HZ)
    block.margin = float(np.clip(margin, -w.MARGIN_MAX, w.MARGIN_MAX))


class Row:
    """The rule, over a row's blocks."""

    def __init__(self, rate_hz: float) -> None:
        step = round(rate_hz / k.STEP_HZ)
        self.rate_hz = rate_hz
        self.length = int(np.ceil(k.BLOCK_S * rate_hz / step)) * step
        self.found: list[Finding] = []
        self.since_on: list[Block] | None = None  # windows since it is present
        self.candidate: list[Block] | None = None  # windows since it began, if not confirmed
        self.said = False  # that it is a candidate
        self.barred: list[Block] | None = None  # windows since the last one came to nothing

    def say(self, kind: int, block: Block, onset: int, end: int, value: float) -> None:
        self.found.append((kind, onset, end, block.end - 1, value))

    def retract(self, block: Block) -> None:
        assert self.candidate is not None
        onset = self.candidate[0].end - w.WINDOW * self.length
        self.say(k.CANDIDATE, block, 0, onset, 0.0)
        self.candidate, self.said, self.barred = None, False, []

    def take(self, row: list[Block]) -> None:
        """Judge the last of the blocks that follow each other without a hole."""
        block = row[-1]
        windows = [b for b in row if b.window is not None]
        if block.window is None:
            if self.candidate is not None:
                self.retract(block)
            return
        if self.since_on is not None:
            self.end(block)
            return
        last = [b.margin for b in windows[-k.ON_WINDOWS :]]
        if len(last) == k.ON_WINDOWS and last[-1] > 0 and sum(last) > k.ON_WINDOWS * k.ON_MARGIN:
            onset = block.end - (w.WINDOW + k.ON_WINDOWS - 2) * self.length
            if not self.said:
                self.say(k.CANDIDATE, block, onset, 0, 1.0)
            self.say(ON, block, onset, 0, (block.end - onset) / self.rate_hz)
            self.since_on, self.candidate, self.barred = [block], None, None
            return
        self.suspect(block)

    def end(self, block: Block) -> None:
        """See whether fibrillation that is present has ended."""
        assert self.since_on is not None
        self.since_on.append(block)
        above = max(i for i, b in enumerate(self.since_on) if i == 0 or b.margin > k.OFF_MARGIN)
        if len(self.since_on) - 1 - above >= k.OFF_WINDOWS:
            end = self.since_on[above].end - w.WINDOW * self.length // 2
            self.say(k.CANDIDATE, block, 0, end, 0.0)
            self.say(OFF, block, 0, end, 0.0)
            self.since_on, self.said = None, False

    def suspect(self, block: Block) -> None:
        """See whether there is a candidate."""
        if self.candidate is not None:
            self.candidate.append(block)
            missed = [b.margin <= 0 for b in self.candidate[-k.CANDIDATE_MISSES :]]
            if all(missed) or len(self.candidate) > k.CANDIDATE_WINDOWS:
                self.retract(block)
            return
        if self.barred is not None:
            calm = [b.margin <= 0 for b in self.barred[-k.REARM_WINDOWS :]]
            if len(calm) < k.REARM_WINDOWS or not all(calm):
                self.barred.append(block)
                return
        if block.margin > 0:
            self.candidate, self.said = [block], True
            self.say(k.CANDIDATE, block, block.end - w.WINDOW * self.length, 0, 1.0)


def findings(
    samples: NDArray[np.int16],
    mask: NDArray[np.uint8],
    rate_hz: float,
    scale_mv: float,
    restarts: Iterable[int] = (),
) -> list[Finding]:
    """Return what is found in a row's whole signal."""
    row = Row(rate_hz)
    for first, last in pairwise(sorted({0, *restarts, len(samples)})):
        codes = samples[first:last].astype(np.int64)
        together: list[Block] = []
        for block in blocks_of(codes, mask[first:last], rate_hz, scale_mv, first):
            together = [*together, block] if block.readable else [block]
            row.take(together)
    return row.found
