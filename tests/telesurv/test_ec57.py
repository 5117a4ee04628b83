"""EC57 scores: pairs, what counts, sums."""

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from telesurv.evaluate.ec57 import Score, counted, gross, match, score


def at(*samples: int) -> NDArray[np.int64]:
    return np.array(samples, np.int64)


@pytest.mark.parametrize(
    ("beats", "found", "pairs"),
    [
        ((), (), []),
        ((100,), (), []),
        ((), (100,), []),
        ((100,), (115,), [(0, 0)]),  # the window's edge is within
        ((100,), (116,), []),
        ((100,), (84,), []),
        ((100,), (95, 101), [(0, 1)]),  # the nearer detection
        ((100, 110), (108,), [(1, 0)]),  # the nearer beat
        ((100, 110), (104, 112), [(0, 0), (1, 1)]),
        ((100,), (90, 110), [(0, 0)]),  # as near: the earlier
        ((100, 200, 300), (100, 300), [(0, 0), (2, 1)]),
    ],
)
def test_pairs(
    beats: tuple[int, ...], found: tuple[int, ...], pairs: list[tuple[int, int]]
) -> None:
    assert match(at(*beats), at(*found), 15).tolist() == [list(pair) for pair in pairs]


spaced = st.lists(st.integers(40, 90), max_size=6).map(lambda gaps: np.cumsum(gaps, dtype=np.int64))


@given(spaced, spaced)
def test_no_other_pairing_finds_more(beats: NDArray[np.int64], found: NDArray[np.int64]) -> None:
    # Beats and detections that are further apart than two windows: the pairing is unique.
    edges = [(i, j) for i, b in enumerate(beats) for j, f in enumerate(found) if abs(b - f) <= 15]
    best = max(
        size
        for size in range(len(edges) + 1)
        for chosen in combinations(edges, size)
        if len({i for i, _ in chosen}) == len({j for _, j in chosen}) == size
    )
    assert len(match(beats, found, 15)) == best


def test_the_learning_period_and_fibrillation_do_not_count() -> None:
    samples = at(0, 29_999, 30_000, 40_000, 45_000, 50_000, 50_001)
    kept = counted(samples, 100.0, excluded=[(40_000, 50_000)])
    assert kept.tolist() == [30_000, 50_001]
    assert counted(samples, 100.0, learning_s=0).tolist() == samples.tolist()


def test_a_record_is_scored_at_its_rate() -> None:
    beats = at(100, 40_000, 41_000, 42_000)
    found = at(500, 40_015, 41_016, 43_000)
    assert score(beats, found, 100.0) == Score(1, 2, 2)
    assert score(beats, found, 125.0) == Score(2, 1, 1)


def test_gross_sums_the_counts() -> None:
    total = gross([Score(90, 10, 0), Score(10, 0, 90)])
    assert total == Score(100, 10, 90)
    assert total.sensitivity == pytest.approx(100 / 110)
    assert total.predictivity == pytest.approx(100 / 190)


def test_without_beats_there_is_no_figure() -> None:
    assert math.isnan(Score(0, 0, 0).sensitivity)
    assert math.isnan(Score(0, 0, 0).predictivity)
