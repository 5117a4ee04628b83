"""Plain samples of `beats`: those of which nothing has to be said one by one.

Signal is there, and it begins no pacing pulse: nearly all are. They are looked through and
remembered many at once, in slices, for which the compiler has instructions.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from telesurv_kernels._jit import kernel
from telesurv_kernels._pulses import EDGE_NEVER
from telesurv_kernels._shapes import CODES, copy
from telesurv_kernels.quality import CONSTANT, LEAD_OFF_BIT, MISSING

NO_SIGNAL = MISSING | CONSTANT | LEAD_OFF_BIT  # bits of the mask


@kernel
def is_readable(mask: NDArray[np.uint8]) -> bool:
    """Return whether all samples of some can be read."""
    bits = np.uint8(0)
    for k in range(mask.size):
        bits = np.uint8(bits | mask[k])
    return bool(bits == 0)


@kernel
def _count_readable(mask: NDArray[np.uint8]) -> int:
    """Return how many of some samples can be read."""
    readable = 0
    for k in range(mask.size):
        readable += mask[k] == 0
    return readable


@kernel
def readable_of(mask: NDArray[np.uint8], first: int, last: int) -> int:
    """Return how many samples of first..last can be read."""
    return _count_readable(mask[first:last])


@kernel
def _lost(mask: NDArray[np.uint8], first: int, last: int) -> int:
    """Return the first sample of first..last without signal, else `last`."""
    for k in range(first, last):
        if mask[k] & NO_SIGNAL:
            return k
    return last


@kernel
def _steep(samples: NDArray[np.int16], first: int, last: int, raw: int, edge: int) -> int:
    """Return the first sample of first..last that steps by `edge`, else `last`."""
    if first < last and abs(np.int64(samples[first]) - raw) >= edge:
        return first
    steep: Any = 0
    before, after = samples[first : last - 1], samples[first + 1 : last]
    for k in range(after.size):
        steep += abs(np.int64(after[k]) - np.int64(before[k])) >= edge
    if steep > 0:
        for k in range(after.size):
            if abs(np.int64(after[k]) - np.int64(before[k])) >= edge:
                return first + 1 + k
    return last


@kernel
def plain_until(
    samples: NDArray[np.int16],
    mask: NDArray[np.uint8],
    first: int,
    last: int,
    raw: int,
    edge: int,
    clear: bool,
) -> int:
    """Return the first sample of first..last that is not plain, `last` if all are.

    `raw` is the code before the first, `edge` the step that may begin a pacing pulse, and `clear`
    says that all can be read. Each look is a function of its own: where there are branches
    between slices of an array, a compiler counts references to it at each.
    """
    last = last if clear else _lost(mask, first, last)
    return last if edge == EDGE_NEVER else _steep(samples, first, last, raw, edge)


@kernel
def remember(
    s: Any,
    samples: NDArray[np.int16],
    mask: NDArray[np.uint8],
    first: int,
    last: int,
    shift: int,
    clear: bool,
) -> None:
    """Take codes and bits of first..last, CODES at most, into the row's memory.

    `clear` says that all can be read; then bits need no copying where the memory holds none.
    """
    begin = (first + shift) & (CODES - 1)
    straight = min(last - first, CODES - begin)
    rest = last - first - straight
    copy(samples[first : first + straight], s["codes"][begin:])
    copy(samples[last - rest : last], s["codes"])
    if clear and first + shift - s["bits_end"] >= CODES:
        return
    copy(mask[first : first + straight], s["bits_recent"][begin:])
    copy(mask[last - rest : last], s["bits_recent"])
    if not clear:
        s["bits_end"] = last + shift
