"""Shapes of beats, batch and obvious: windows cut from arrays of slopes and bends.

Shares only constants with the kernel.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from telesurv_kernels import _shapes as k

SINGLE = np.float32


def in_turn(terms: NDArray[np.float32]) -> Any:
    """Sum along the last axis one after the other in single precision, as the kernel does."""
    total = np.zeros(terms.shape[:-1], SINGLE)
    for j in range(terms.shape[-1]):
        total += terms[..., j]
    return total


Views = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Slopes and bends of one shape, points along."""


@dataclass
class Grid:
    """Where the points of a shape lie, in samples."""

    rate_hz: float

    def __post_init__(self) -> None:
        self.stride, self.step, self.points = k.grid_of(self.rate_hz)
        self.before = self.points * self.stride // 2
        self.after = (self.points + 1) * self.stride - self.before - 1
        self.near = round(k.LEARN_REACH_S * self.rate_hz / self.step)


@dataclass
class Shapes:
    """The shapes that are known of a row, and how to find them in its codes."""

    grid: Grid
    uses: list[int] = field(default_factory=lambda: [0] * k.SHAPES)
    known: list[Views | None] = field(default_factory=lambda: [None] * k.SHAPES)

    def windows(self, codes: NDArray[np.int64], at: NDArray[np.int64]) -> Views:
        """Return slopes and bends around samples of `codes`, one row a sample."""
        g = self.grid
        sums = np.convolve(codes, np.ones(g.stride, np.int64))[g.stride - 1 :].astype(float)
        points = at[:, None] - g.before + g.stride * np.arange(g.points)[None, :]
        before, here, after = (sums[points + shift] for shift in (-g.stride, 0, g.stride))
        return after - before, before - 2 * here + after

    def likeness(
        self, codes: NDArray[np.int64], at: NDArray[np.int64], uses: int
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Return, for samples of `codes`, how alike the most alike shape is, and which it is."""
        most, which = np.zeros(len(at), np.float32), np.zeros(len(at), np.int64)
        windows = [view.astype(np.float32) for view in self.windows(codes, at)]
        for shape, views in enumerate(self.known):
            if views is None or self.uses[shape] < uses:
                continue
            above, below = [], []
            for window, view in zip(windows, views, strict=True):
                own = view.astype(np.float32)
                energy = max(in_turn(own * own), SINGLE(1))
                dot, size = in_turn(window * own), in_turn(window * window)
                gain = np.clip(dot * (SINGLE(1) / energy), k.SINGLE_GAIN_MIN, k.SINGLE_GAIN_MAX)
                left = size + gain * (gain * energy - SINGLE(2) * dot)
                above.append(size + k.SINGLE_FLOOR * energy)
                below.append(np.maximum(left, SINGLE(0)) + k.SINGLE_FLOOR * energy)
            alike = (above[0] * above[1]) / (below[0] * below[1])
            which[alike > most] = shape
            most = np.maximum(most, alike)
        return most.astype(float), which

    def learn(self, codes: NDArray[np.int64], peak: int, oldest: int) -> None:
        """Count the beat at sample `peak` of `codes`, of which those before `oldest` are gone."""
        g = self.grid
        at = peak + g.step * np.arange(-g.near, g.near + 1)
        if at[0] - g.before - g.stride < oldest:
            return
        alike, which = self.likeness(codes, at, 1)
        best = int(np.argmax(alike))
        if alike[best] < k.LEARN_LIKENESS:
            best, shape = g.near, int(np.argmin(self.uses))
            self.uses[shape], self.known[shape] = 0, None
        else:
            shape = int(which[best])
        self.uses[shape] = min(self.uses[shape] + 1, k.USES_MAX)
        seen = [view[0] for view in self.windows(codes, at[best : best + 1])]
        was = self.known[shape]
        if was is not None:
            seen = [o + k.LEARN_SHARE * (n - o) for o, n in zip(was, seen, strict=True)]
        # The kernel keeps them in single precision.
        self.known[shape] = (
            seen[0].astype(np.float32).astype(float),
            seen[1].astype(np.float32).astype(float),
        )
