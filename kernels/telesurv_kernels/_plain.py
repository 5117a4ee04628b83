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
def plain_until(
    samples: NDArray[np.int16], mask: NDArray[np.uint8], first: int, last: int, raw: int, edge: int
) -> int:
    """Return the first sample of first..last that is not plain, `last` if all are.

    `raw` is the code before the first, and `edge` the step that may begin a pacing pulse.
    """
    bits: Any = np.uint8(0)
    part = mask[first:last]
    for k in range(part.size):
        bits |= part[k]
    if bits & NO_SIGNAL:
        for k in range(first, last):
            if mask[k] & NO_SIGNAL:
                last = k
                break
    if edge == EDGE_NEVER or first == last:
        return last
    if abs(np.int64(samples[first]) - raw) >= edge:
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
def readable_of(mask: NDArray[np.uint8], first: int, last: int) -> int:
    """Return how many samples of first..last can be read."""
    readable = 0
    part = mask[first:last]
    for k in range(part.size):
        readable += part[k] == 0
    return readable


@kernel
def remember(
    s: Any,
    samples: NDArray[np.int16],
    mask: NDArray[np.uint8],
    first: int,
    last: int,
    shift: int,
) -> None:
    """Take codes and bits of first..last, CODES at most, into the row's memory."""
    begin = (first + shift) & (CODES - 1)
    straight = min(last - first, CODES - begin)
    rest = last - first - straight
    copy(samples[first : first + straight], s["codes"][begin:])
    copy(mask[first : first + straight], s["bits"][begin:])
    copy(samples[last - rest : last], s["codes"])
    copy(mask[last - rest : last], s["bits"])
