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


@dataclass
class Grid:
    """Where the points of a shape lie, in samples."""

    rate_hz: float

    def __post_init__(self) -> None:
        self.stride, self.step, self.points = k.grid_of(self.rate_hz)
        self.before = self.points * self.stride // 2
        self.after = (self.points + 1) * self.stride - self.before - 1
        self.near = round(k.LEARN_REACH_S * self.rate_hz / self.step)
        self.around = 2 * self.near * self.step  # so far from a candidate its shape may lie


@dataclass
class Shapes:
    """The shapes that are known of a row, by their rises, and how to find them in its codes."""

    grid: Grid
    uses: list[int] = field(default_factory=lambda: [0] * k.SHAPES)
    known: list[NDArray[np.float32] | None] = field(default_factory=lambda: [None] * k.SHAPES)

    def rises(self, codes: NDArray[np.int64], at: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the rises from one stride to the next around samples of `codes`, a row each."""
        g = self.grid
        sums = np.convolve(codes, np.ones(g.stride, np.int64))[g.stride - 1 :].astype(float)
        points = at[:, None] - g.before + g.stride * np.arange(g.points + 1)[None, :]
        # Beyond what a shape takes, on which nothing hangs, there may be no codes.
        here, before = (np.clip(points - back, 0, len(sums) - 1) for back in (0, g.stride))
        return (sums[here] - sums[before]).astype(SINGLE)

    def products(
        self, codes: NDArray[np.int64], at: NDArray[np.int64], own: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the products of slopes and of bends with those of a shape, summed as the kernel.

        Rounded otherwise, the more alike of two equals would be another.
        """
        x = self.rises(codes, at)
        within = [
            in_turn(self.rises(codes, at + shift)[:, 1:-1] * own[1:-1])
            for shift in (-self.grid.stride, 0, self.grid.stride)
        ]
        same = SINGLE(2) * within[1] + (own[0] * x[:, 0] + own[-1] * x[:, -1])
        cross = (within[0] + within[2]) + (own[0] * x[:, 1] + own[-1] * x[:, -2])
        return same + cross, same - cross

    def likeness(
        self, codes: NDArray[np.int64], at: NDArray[np.int64], uses: int
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Return, for samples of `codes`, how alike the most alike shape is, and which it is."""
        most, which = np.zeros(len(at), np.float32), np.zeros(len(at), np.int64)
        sizes = [in_turn(view * view) for view in views(self.rises(codes, at))]
        for shape, own in enumerate(self.known):
            if own is None or self.uses[shape] < uses:
                continue
            energies = [max(in_turn(view * view), SINGLE(1)) for view in views(own)]
            above, below = [], []
            for size, energy, dot in zip(
                sizes, energies, self.products(codes, at, own), strict=True
            ):
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
        seen = self.rises(codes, at[best : best + 1])[0].astype(float)
        was = self.known[shape]
        if was is not None:
            seen = was + k.LEARN_SHARE * (seen - was)
        self.known[shape] = seen.astype(SINGLE)


def views(rises: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return slopes and bends, of two rises in a row along the last axis."""
    return rises[..., 1:] + rises[..., :-1], rises[..., 1:] - rises[..., :-1]
