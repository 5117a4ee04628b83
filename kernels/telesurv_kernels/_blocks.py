"""Sums of blocks of samples, many at once: a slower signal of what changes slowly."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from telesurv_kernels._jit import kernel


@kernel
def _sum(codes: NDArray[np.int16], size: int, totals: NDArray[np.int32]) -> None:
    """Sum as many blocks of `size` codes as there are totals; the usual sizes are written out."""
    if size == 1:
        for q in range(totals.size):
            totals[q] = codes[q]
    elif size == 2:
        for q in range(totals.size):
            totals[q] = np.int32(codes[2 * q]) + np.int32(codes[2 * q + 1])
    elif size == 3:
        for q in range(totals.size):
            two = np.int32(codes[3 * q]) + np.int32(codes[3 * q + 1])
            totals[q] = two + np.int32(codes[3 * q + 2])
    else:
        for q in range(totals.size):
            total: Any = 0
            for j in range(size * q, size * (q + 1)):
                total += np.int64(codes[j])
            totals[q] = total


@kernel
def sum_blocks(
    samples: NDArray[np.int16], first: int, size: int, totals: NDArray[np.int32]
) -> None:
    """Sum blocks of `size` samples, from `first` on, as many as there are totals."""
    _sum(samples[first : first + size * totals.size], size, totals)
