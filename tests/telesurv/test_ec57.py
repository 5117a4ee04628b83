"""EC57 scores: pairs, what counts, sums. Three independent matchers look at the pairs."""

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from wfdb.processing import compare_annotations

from oracles import matching
from telesurv.evaluate.beats import read_reference
from telesurv.evaluate.ec57 import WINDOW_S, Score, compare, gross, match, score
from telesurv.lead import hear, read_lead


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


WINDOW = 15


def sequences(gap_min: int, gap_max: int, size_max: int) -> st.SearchStrategy[NDArray[np.int64]]:
    gaps = st.lists(st.integers(gap_min, gap_max), max_size=size_max)
    return gaps.map(lambda gaps: np.cumsum(gaps, dtype=np.int64))


def oracle(beats: NDArray[np.int64], found: NDArray[np.int64], window: float) -> list[list[int]]:
    return [list(pair) for pair in matching.pairs(beats, found, window)]


@given(sequences(2 * WINDOW + 1, 90, 40), sequences(1, 90, 60))
def test_pairs_are_those_of_an_assignment(
    beats: NDArray[np.int64], found: NDArray[np.int64]
) -> None:
    # Beats over two windows apart, as at up to 199/min, and whatever is found: each detection
    # has one beat at most, and of several the nearest (of two as near: either) is its pair.
    pairs, best = (
        match(beats, found, WINDOW),
        np.array(oracle(beats, found, WINDOW), int).reshape(-1, 2),
    )
    assert pairs[:, 0].tolist() == best[:, 0].tolist()
    distances = [np.abs(beats[p[:, 0]] - found[p[:, 1]]).tolist() for p in (pairs, best)]
    assert distances[0] == distances[1]


@given(sequences(1, 60, 12), sequences(1, 60, 12))
def test_in_a_crowd_the_nearest_goes_before_the_most(
    beats: NDArray[np.int64], found: NDArray[np.int64]
) -> None:
    # EC57's walk in the order of time never finds more pairs than there can be, each of its
    # pairs is one to one, rising and near, and what it leaves is nearer to nothing that is free.
    pairs = match(beats, found, WINDOW)
    assert len(pairs) <= len(matching.pairs(beats, found, WINDOW))
    assert (np.diff(pairs, axis=0) > 0).all()
    assert (np.abs(beats[pairs[:, 0]] - found[pairs[:, 1]]) <= WINDOW).all()
    free_beats = np.setdiff1d(np.arange(len(beats)), pairs[:, 0])
    free_found = np.setdiff1d(np.arange(len(found)), pairs[:, 1])
    for beat, other in matching.pairs(beats[free_beats], found[free_found], WINDOW):
        i, j = int(free_beats[beat]), int(free_found[other])
        nearest = np.abs(found - beats[i]).min(), np.abs(beats - found[j]).min()
        assert min(nearest) < abs(beats[i] - found[j])


@given(sequences(2 * WINDOW + 1, 90, 20), sequences(2 * WINDOW + 1, 90, 20))
def test_wfdb_counts_the_same(beats: NDArray[np.int64], found: NDArray[np.int64]) -> None:
    # Its window excludes its edge, and it refuses sequences without any.
    if len(beats) and len(found):
        theirs = compare_annotations(beats, found, WINDOW + 1)
        pairs = len(match(beats, found, WINDOW))
        assert (theirs.tp, theirs.fn, theirs.fp) == (pairs, len(beats) - pairs, len(found) - pairs)


@pytest.mark.recordings
@pytest.mark.parametrize("record", ["mitdb/203", "mitdb/207", "noise/118em00", "noise/119em06"])
def test_three_matchers_agree_on_real_records(recordings: Path, record: str) -> None:
    lead = read_lead(recordings / record, None)
    reference = read_reference(recordings / record, lead)
    found = hear(lead).beats["sample"].astype(np.int64)
    window = WINDOW_S * lead.rate_hz
    pairs = match(reference.beats, found, window).tolist()
    assert pairs == oracle(reference.beats, found, window)
    theirs = compare_annotations(reference.beats, found, int(window) + 1)
    assert theirs.tp == len(pairs)
    # What counts, asked sample by sample.
    start = 300 * lead.rate_hz
    inside = np.zeros(len(lead.samples) + 1, np.bool_)
    for first, last in reference.fibrillation:
        inside[first : last + 1] = True
    of = compare(reference.beats, found, lead.rate_hz, excluded=reference.fibrillation)
    kept = [b for b in reference.beats.tolist() if b >= start and not inside[b]]
    assert len(of.pairs) + len(of.missed) == len(kept)
    paired = {j for _, j in pairs}
    other = [f for j, f in enumerate(found.tolist()) if j not in paired]
    assert len(of.invented) == sum(f >= start and not inside[f] for f in other)


def test_the_learning_period_and_fibrillation_do_not_count() -> None:
    beats = at(0, 29_999, 30_000, 40_000, 45_000, 50_000, 50_001)
    every = score(beats, at(), 100.0, learning_s=0)
    assert every == Score(0, 7, 0)
    fibrillation = [(40_000, 50_000)]
    assert score(beats, at(), 100.0, excluded=fibrillation) == Score(0, 2, 0)
    assert score(at(), beats, 100.0, excluded=fibrillation) == Score(0, 0, 2)


def test_pairs_are_made_before_it_is_asked_what_counts() -> None:
    # A beat that counts, found a sample before it does, and one that does not, found after.
    assert score(at(30_000), at(29_999), 100.0) == Score(1, 0, 0)
    assert score(at(29_999), at(30_000), 100.0) == Score(0, 0, 0)
    # A beat just out of fibrillation that was found in it; beats in it pair with nothing.
    fibrillation = [(40_000, 50_000)]
    assert score(at(50_005), at(49_999), 100.0, excluded=fibrillation) == Score(1, 0, 0)
    assert score(at(49_999), at(50_005), 100.0, excluded=fibrillation) == Score(0, 0, 1)
    of = compare(at(45_000, 60_000, 61_000), at(60_001, 62_000), 100.0, excluded=fibrillation)
    assert (of.pairs.tolist(), of.missed.tolist(), of.invented.tolist()) == ([[1, 0]], [2], [1])


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
