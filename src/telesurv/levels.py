"""Levels: accepted frames cut so that no ring overflows before its alerts have been shown.

Each patient's frames get level numbers of their own, in the order of the log. A level holds
some seconds of a patient; a frame that restarts a timeline, and a long one, begins a level.
What a patient's alerts say does not depend on it.
"""

import numpy as np
from numpy.typing import NDArray

from telesurv.analysis import PIECE_S


def levels(
    patient: NDArray[np.int64],
    timeline: NDArray[np.int64],
    span_s: NDArray[np.float64],
    restart: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Return the level of each accepted frame, in the order of the log.

    Parameters
    ----------
    patient, timeline : int64[n]
    span_s : float64[n], length of each frame
    restart : int64[n], 1 where a frame restarts its timeline
    """
    count = len(patient)
    if not count:
        return np.zeros(0, np.int64)
    order = np.lexsort((np.arange(count), timeline))
    filled = _running(timeline[order], span_s[order])
    raw = np.zeros(count, np.int64)
    raw[order] = np.maximum(np.ceil(filled / PIECE_S).astype(np.int64) - 1, 0)
    order = np.lexsort((np.arange(count), patient))
    whose = patient[order]
    head = np.concatenate(([True], whose[1:] != whose[:-1]))
    group = np.cumsum(head) - 1
    # Frames that must begin a level push everything after them one up; a long one also ends it.
    long = span_s[order] > PIECE_S
    after_long = np.concatenate(([False], long[:-1])) & ~head
    cuts = ((restart[order] == 1) | long | after_long) & ~head
    pushed = _running(whose, cuts.astype(np.float64)).astype(np.int64)
    # Highest so far within the patient, by an offset that keeps patients apart.
    apart = int(raw.max()) + 1
    highest = np.maximum.accumulate(raw[order] + group * apart) - group * apart
    result = np.zeros(count, np.int64)
    result[order] = highest + pushed
    return result


def _running(key: NDArray[np.int64], value: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the running sum of values within runs of one key."""
    total = np.cumsum(value)
    head = np.concatenate(([True], key[1:] != key[:-1]))
    before = (total - value)[head]
    result: NDArray[np.float64] = total - before[np.cumsum(head) - 1]
    return result
