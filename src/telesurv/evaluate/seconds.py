"""Whole seconds of a lead: readable, or why not.

A second is readable when all its samples are. One that is not has one reason, the first of
`REASONS` that any of its samples bears.
"""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from telesurv_kernels import _noise, quality

REASONS = {
    "lead off": quality.LEAD_OFF_BIT,
    "flat": quality.CONSTANT,
    "saturated": quality.SATURATED,
    "motion": _noise.MOTION,
    "muscle": _noise.MUSCLE,
    "mains": _noise.MAINS,
    "missing": quality.MISSING,
}
"""Names of the mask's bits; where there are several, the first counts."""

NAMES = ("", *REASONS)
"""Of the numbers that `number_of` gives; 0 is readable."""


def bits(mask: NDArray[np.uint8], rate_hz: float) -> NDArray[np.uint8]:
    """Return the bits that the mask has anywhere in each whole second."""
    edges = np.rint(np.arange(int(len(mask) / rate_hz) + 1) * rate_hz).astype(np.int64)
    edges = np.minimum(edges, len(mask))
    if len(edges) < 2:
        return np.zeros(0, np.uint8)
    found: NDArray[np.uint8] = np.bitwise_or.reduceat(mask[: edges[-1]], edges[:-1])
    return found


def number_of(mask: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return the number of the reason of each byte of a mask."""
    number = np.zeros(len(mask), np.int64)
    for at in range(len(NAMES) - 1, 0, -1):
        number[(mask & REASONS[NAMES[at]]) != 0] = at
    return number


def runs(mask: NDArray[np.uint8]) -> list[tuple[int, int, str]]:
    """Return the unreadable stretches of a mask, [from, to) and why."""
    number = number_of(mask)
    edges = np.flatnonzero(np.diff(number, prepend=-1, append=-1)).tolist()
    return [(begin, end, NAMES[number[begin]]) for begin, end in pairwise(edges) if number[begin]]
