"""Whole seconds of a lead: readable, or why not.

A second is readable when all its samples are. One that is not has one reason, the first of
`REASONS` that any of its samples bears.
"""

import numpy as np
from numpy.typing import NDArray

from telesurv_kernels import _noise, quality

REASONS = (
    (quality.LEAD_OFF_BIT, "lead off"),
    (quality.CONSTANT, "flat"),
    (quality.SATURATED, "saturated"),
    (_noise.MOTION, "motion"),
    (_noise.MUSCLE, "muscle"),
    (_noise.MAINS, "mains"),
    (quality.MISSING, "missing"),
)
"""Bits of the mask and their names; where there are several, the first counts."""

NAMES = tuple(name for _, name in REASONS)


def bits(mask: NDArray[np.uint8], rate_hz: float) -> NDArray[np.uint8]:
    """Return the bits that the mask has anywhere in each whole second."""
    edges = np.rint(np.arange(int(len(mask) / rate_hz) + 1) * rate_hz).astype(np.int64)
    edges = np.minimum(edges, len(mask))
    if len(edges) < 2:
        return np.zeros(0, np.uint8)
    found: NDArray[np.uint8] = np.bitwise_or.reduceat(mask[: edges[-1]], edges[:-1])
    return found
