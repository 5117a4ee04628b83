"""Samples of which none is missing, in no long run: most of all, and `quality` has little to say.

The state of `quality` is then what it is sample by sample, but most samples need no look: a run
within a band covers a stretch of half its length that begins at a multiple of that, and ends at
the latest where two neighbours are further apart than the band. Where the signal is quieter than
this can tell, nothing is changed, and `quality` goes through it.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from telesurv_kernels._jit import kernel
from telesurv_kernels._noise import NO_MEASUREMENT


@kernel
def _extent(codes: NDArray[np.int16]) -> tuple[int, int]:
    """Return the lowest and the highest code, the one for no measurement included."""
    low, high = np.int16(32767), np.int16(-32768)
    for k in range(codes.size):  # by number: compilers do not take several at once otherwise
        low = min(low, codes[k])
        high = max(high, codes[k])
    return int(low), int(high)


@kernel
def _stays(codes: NDArray[np.int16], run: int, band: int) -> bool:
    """Whether `run` samples in a row may lie within a band; where they do, it is so.

    Such a run covers a stretch of half its length that begins at a multiple of that.
    """
    half = run // 2
    for first in range(0, codes.size - half, half):
        low = high = np.int64(codes[first])
        if abs(np.int64(codes[first + half]) - low) > band:
            continue
        for code in codes[first + 1 : first + half]:
            low = min(low, np.int64(code))
            high = max(high, np.int64(code))
            if high - low > band:
                break
        if high - low <= band:
            return True
    return False


@kernel
def take_lively(s: Any, p: Any, codes: NDArray[np.int16]) -> bool:
    """Take in samples if all are measured and no run gets long; return whether it was done."""
    band = p["constant_codes"]
    size = codes.size
    lowest, highest = _extent(codes)
    if lowest == NO_MEASUREMENT:
        return False
    if _stays(codes, p["rail_run"], 0) or _stays(codes, p["constant_run"], band):
        return False
    # The runs that were there before.
    ahead = 0
    while ahead < size and np.int64(codes[ahead]) == s["previous"]:
        ahead += 1
    if s["same"] + ahead >= p["rail_run"]:
        return False
    low, high, run, run_first = s["low"], s["high"], s["run"], s["run_first"]
    place = 0
    while place < size:
        code = np.int64(codes[place])
        if code < high - band or code > low + band:
            break
        low = min(low, code)
        high = max(high, code)
        place += 1
    if run + place >= p["constant_run"]:
        return False
    run += place
    # The last ones.
    last = size - 1
    while last > place and abs(np.int64(codes[last]) - np.int64(codes[last - 1])) <= band:
        last -= 1
    for k in range(max(last, place), size):
        code = np.int64(codes[k])
        run += 1
        if code < high - band or code > low + band or k == last:
            low = high = code
            run = 1
            run_first = s["count"] + k
        low = min(low, code)
        high = max(high, code)
    s["low"], s["high"], s["run"], s["run_first"] = low, high, run, run_first
    code = codes[size - 1]
    first = size - 1
    while first > 0 and codes[first - 1] == code:
        first -= 1
    s["same"] = size - first + (s["same"] if ahead == size else 0)
    s["previous"] = np.int64(code)
    s["lowest"] = min(s["lowest"], lowest)
    s["highest"] = max(s["highest"], highest)
    s["count"] += size
    return True
