"""Pairs of beats and detections, by assignment: as many as can be, then as near as can be.

No order of time, no walk along two lists: a cost for each pair that lies within the window,
solved by SciPy.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment


def pairs(
    beats: NDArray[np.int64], found: NDArray[np.int64], window: float
) -> list[tuple[int, int]]:
    """Return indices of the beat and of its detection, rising."""
    return [
        (first_beat + i, first_found + j)
        for first_beat, last_beat, first_found, last_found in _clusters(beats, found, window)
        for i, j in _assigned(beats[first_beat:last_beat], found[first_found:last_found], window)
    ]


def _assigned(
    beats: NDArray[np.int64], found: NDArray[np.int64], window: float
) -> list[tuple[int, int]]:
    distance = np.abs(beats[:, None] - found[None, :]).astype(np.float64)
    near = distance <= window
    none = (window + 1) * (len(beats) + len(found) + 1)  # dearer than any sum of pairs
    chosen = zip(*linear_sum_assignment(np.where(near, distance, none)), strict=True)
    return sorted((int(i), int(j)) for i, j in chosen if near[i, j])


def _clusters(
    beats: NDArray[np.int64], found: NDArray[np.int64], window: float
) -> list[tuple[int, int, int, int]]:
    """Cut a record where nothing lies within the window, so that matrices stay small."""
    edges = np.unique(np.concatenate([beats, found]))
    cuts = edges[1:][np.diff(edges) > window] if len(edges) else edges
    of_beats = [0, *np.searchsorted(beats, cuts).tolist(), len(beats)]
    of_found = [0, *np.searchsorted(found, cuts).tolist(), len(found)]
    return list(zip(of_beats, of_beats[1:], of_found, of_found[1:], strict=False))
