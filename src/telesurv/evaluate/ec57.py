"""QRS detection scored by the rules of ANSI/AAMI EC57, as the WFDB tool `bxb` applies them.

A beat is found when a detection lies within 150 ms of it; pairs are made one to one, in the
order of time, the nearest preferred. The first 5 minutes are a learning period, and beats
and detections in ventricular fibrillation do not count. Sensitivity is TP / (TP + FN),
positive predictivity TP / (TP + FP); *gross* figures sum the counts of all records.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

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


def counted(
    samples: NDArray[np.int64],
    rate_hz: float,
    *,
    learning_s: float = LEARNING_S,
    excluded: Sequence[tuple[int, int]] = (),
) -> NDArray[np.int64]:
    """Return the samples that count.

    Parameters
    ----------
    samples : int64[n]
    rate_hz : samples a second
    learning_s : what lies before does not count
    excluded : first and last sample of the stretches that do not count (fibrillation)
    """
    kept = samples >= learning_s * rate_hz
    for first, last in excluded:
        kept &= (samples < first) | (samples > last)
    return samples[kept]


def score(
    beats: NDArray[np.int64],
    found: NDArray[np.int64],
    rate_hz: float,
    *,
    learning_s: float = LEARNING_S,
    excluded: Sequence[tuple[int, int]] = (),
) -> Score:
    """Score the detections of one record.

    Parameters
    ----------
    beats, found : int64[n], int64[m], sorted samples
    rate_hz : samples a second
    learning_s, excluded : see `counted`
    """
    beats = counted(beats, rate_hz, learning_s=learning_s, excluded=excluded)
    found = counted(found, rate_hz, learning_s=learning_s, excluded=excluded)
    pairs = len(match(beats, found, WINDOW_S * rate_hz))
    return Score(pairs, len(beats) - pairs, len(found) - pairs)


def gross(scores: Iterable[Score]) -> Score:
    """Return the sum of several records' counts."""
    every = list(scores)
    return Score(
        sum(one.true_positives for one in every),
        sum(one.false_negatives for one in every),
        sum(one.false_positives for one in every),
    )
