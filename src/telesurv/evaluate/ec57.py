"""QRS detection scored by the rules of ANSI/AAMI EC57, as the WFDB tool `bxb` applies them.

A beat is found when a detection lies within 150 ms of it; pairs are made one to one, in the
order of time, the nearest preferred. The first 5 minutes are a learning period, and beats
and detections in ventricular fibrillation do not count. A beat that was missed while nothing
was analysed (EC57's *shutdown*: signal that was called unreadable) counts as missed like any
other. Sensitivity is TP / (TP + FN), positive predictivity TP / (TP + FP); *gross* figures
sum the counts of all records.

Pairs are made before it is asked what counts: the beat at 5:00.01 and its detection at
4:59.99 are a pair, and a detection whose beat lies in the learning period is not invented.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

WINDOW_S = 0.150
"""Largest distance of a detection from its beat."""

LEARNING_S = 300.0
"""Beats before this time do not count."""


@dataclass(frozen=True, slots=True)
class Score:
    """Counts of one record, or of several summed."""

    true_positives: int
    false_negatives: int
    false_positives: int

    @property
    def sensitivity(self) -> float:
        """Share of the beats that were found; NaN where there are none."""
        beats = self.true_positives + self.false_negatives
        return self.true_positives / beats if beats else float("nan")

    @property
    def predictivity(self) -> float:
        """Share of the detections that are beats; NaN where there are none."""
        found = self.true_positives + self.false_positives
        return self.true_positives / found if found else float("nan")


def match(beats: NDArray[np.int64], found: NDArray[np.int64], window: float) -> NDArray[np.int64]:
    """Pair beats with detections.

    Parameters
    ----------
    beats, found : int64[n], int64[m], sorted samples
    window : largest distance of a pair, in samples

    Returns
    -------
    int64[pairs, 2]: indices of the beat and of its detection, both rising.
    """
    pairs: list[tuple[int, int]] = []
    i = j = 0
    while i < len(beats) and j < len(found):
        distance = abs(int(found[j]) - int(beats[i]))
        if distance > window:
            if found[j] < beats[i]:
                j += 1
            else:
                i += 1
        elif i + 1 < len(beats) and abs(int(found[j]) - int(beats[i + 1])) < distance:
            i += 1
        elif j + 1 < len(found) and abs(int(found[j + 1]) - int(beats[i])) < distance:
            j += 1
        else:
            pairs.append((i, j))
            i += 1
            j += 1
    return np.array(pairs, np.int64).reshape(-1, 2)


class Matched(NamedTuple):
    """What counts: indices of beats and of detections, rising."""

    pairs: NDArray[np.int64]  # [n, 2]: of the beat and of its detection
    missed: NDArray[np.int64]  # beats
    invented: NDArray[np.int64]  # detections


def compare(
    beats: NDArray[np.int64],
    found: NDArray[np.int64],
    rate_hz: float,
    *,
    learning_s: float = LEARNING_S,
    excluded: Sequence[tuple[int, int]] = (),
) -> Matched:
    """Return which beats of a record were found, which were missed, and what was invented.

    Parameters
    ----------
    beats, found : int64[n], int64[m], sorted samples
    rate_hz : samples a second
    learning_s : what lies before does not count
    excluded : first and last sample of the stretches that do not count (fibrillation)
    """
    real = np.flatnonzero(_outside(beats, excluded))
    pairs = match(beats[real], found, WINDOW_S * rate_hz)
    pairs[:, 0] = real[pairs[:, 0]]
    start = learning_s * rate_hz
    missed = np.setdiff1d(real, pairs[:, 0])
    invented = np.setdiff1d(np.arange(len(found)), pairs[:, 1])
    invented = invented[_outside(found[invented], excluded)]
    return Matched(
        pairs[beats[pairs[:, 0]] >= start],
        missed[beats[missed] >= start],
        invented[found[invented] >= start],
    )


def _outside(samples: NDArray[np.int64], excluded: Sequence[tuple[int, int]]) -> NDArray[np.bool_]:
    outside = np.ones(len(samples), np.bool_)
    for first, last in excluded:
        outside &= (samples < first) | (samples > last)
    return outside


def score(
    beats: NDArray[np.int64],
    found: NDArray[np.int64],
    rate_hz: float,
    *,
    learning_s: float = LEARNING_S,
    excluded: Sequence[tuple[int, int]] = (),
) -> Score:
    """Count `compare`; its parameters."""
    of = compare(beats, found, rate_hz, learning_s=learning_s, excluded=excluded)
    return Score(len(of.pairs), len(of.missed), len(of.invented))


def gross(scores: Iterable[Score]) -> Score:
    """Return the sum of several records' counts."""
    every = list(scores)
    return Score(
        sum(one.true_positives for one in every),
        sum(one.false_negatives for one in every),
        sum(one.false_positives for one in every),
    )
