"""Levels: accepted frames cut so that no ring overflows before its alerts have been shown.

Each patient's frames get level numbers of their own, in the order of the log. A level holds
some seconds of a patient; a frame that restarts a timeline, and a long one, begins a level.
What a patient's alerts say does not depend on it.
"""

import numpy as np
from numpy.typing import NDArray

from telesurv.analysis import PIECE_S

CROWDED_S = 4.0
"""A level may hold this much of a timeline, and what its longest piece has more."""


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
    if not len(patient):
        return np.zeros(0, np.int64)
    result = _levels(patient, timeline, span_s, restart)
    # Where one channel comes after the other, the later ones crowd into the levels of the first:
    # then levels count what comes of all channels together.
    order = np.lexsort((result, timeline))
    other = np.diff(timeline[order], prepend=-1) | np.diff(result[order], prepend=-1)
    begins = np.flatnonzero(other)
    held_s = np.add.reduceat(span_s[order], begins)
    alone = np.diff(np.append(begins, len(order))) == 1
    crowded = np.unique(patient[order[begins[(held_s > CROWDED_S) & ~alone]]])
    if len(crowded):
        together = np.where(np.isin(patient, crowded), -1 - patient, timeline)
        result = _levels(patient, together, span_s, restart)
    return result


def _levels(
    patient: NDArray[np.int64],
    timeline: NDArray[np.int64],
    span_s: NDArray[np.float64],
    restart: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Count levels by how much of each timeline has come, whatever comes in between."""
    count = len(patient)
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
