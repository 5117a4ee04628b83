"""The ring beside a plain memory of everything that was ever given to it."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from telesurv_kernels import _dtypes as d
from telesurv_kernels import ring
from telesurv_kernels.beats import FINDING

SIZE = 64


def kept(rows: int = 2) -> tuple[NDArray[np.int16], NDArray[np.uint8]]:
    return np.full((rows, SIZE), -1, np.int16), np.zeros((rows, SIZE // 2), np.uint8)


def signal(count: int) -> tuple[NDArray[np.int16], NDArray[np.uint8]]:
    k = np.arange(count)
    return (k * 7 % 30_000).astype(np.int16), (k * 37 % 128).astype(np.uint8)


def first_reason(bits: int) -> int:
    """Bits of the mask that its first reason stands for: all of noise, whichever is set."""
    return next((int(one) for one in ring.REASONS[1:] if bits & one), 0)


def ints(*values: int) -> NDArray[np.int64]:
    return np.array(values, np.int64)


@pytest.mark.parametrize("rate_hz", [0.0, 0.01, 1.0, 25.0, 125.0, 250.0, 360.0, 1000.0])
def test_capacity_holds_the_span(rate_hz: float) -> None:
    size = ring.capacity(rate_hz)
    assert size >= ring.SPAN_S * rate_hz
    assert size % 64 == 0
    assert 64 <= size < ring.SPAN_S * rate_hz + 128


@given(st.lists(st.integers(0, 200), min_size=1, max_size=12))
@settings(max_examples=60, deadline=None)
def test_the_newest_samples_are_there(counts: list[int]) -> None:
    total = sum(counts)
    samples, mask = signal(total)
    samples_kept, mask_kept = kept()
    for first, last in pairwise([0, *np.cumsum(counts).tolist()]):
        segments = np.array([(1, 0, last - first, 0)], d.SEGMENT)
        part = samples[first:last].copy(), mask[first:last].copy()
        ring.push(samples_kept, mask_kept, segments, ints(first), *part)
    newest = np.arange(max(0, total - SIZE), total)
    assert np.array_equal(samples_kept[1, newest % SIZE], samples[newest])
    masks = ring.masks(mask_kept[1], newest % SIZE)
    assert np.array_equal(masks, [first_reason(bits) for bits in mask[newest].tolist()])
    again = np.zeros_like(mask_kept[1])
    ring.set_masks(again, newest % SIZE, masks)
    assert np.array_equal(ring.masks(again, newest % SIZE), masks)
    assert (samples_kept[0] == -1).all(), "another row"


def test_segments_of_one_call_lie_anywhere_in_the_samples() -> None:
    samples, mask = signal(100)
    samples_kept, mask_kept = kept()
    segments = np.array([(0, 40, 50, 0), (1, 10, 20, 1), (0, 50, 60, 0)], d.SEGMENT)
    ring.push(samples_kept, mask_kept, segments, ints(60, 0, 70), samples, mask)
    assert np.array_equal(samples_kept[0, np.arange(60, 80) % SIZE], samples[40:60])
    assert np.array_equal(samples_kept[1, :10], samples[10:20])


@given(st.integers(0, 300), st.integers(0, 300), st.integers(1, 100))
@settings(max_examples=100, deadline=None)
def test_refill_writes_only_what_the_ring_still_holds(count: int, start: int, length: int) -> None:
    samples_kept, _ = kept(1)
    samples, _ = signal(600)
    ring.refill(samples_kept, 0, start, count, samples[start : start + length])
    for slot in range(SIZE):
        owner = [k for k in range(max(0, count - SIZE), count) if k % SIZE == slot]
        refilled = owner and start <= owner[0] < start + length
        assert samples_kept[0, slot] == (samples[owner[0]] if refilled else -1)


def test_the_last_beats_are_remembered() -> None:
    beats, head = np.zeros((2, ring.BEATS_MAX), ring.BEATS), ints(0, 0)
    samples = np.arange(300, dtype=np.int64) * 200
    for first in range(0, 300, 7):
        sample = samples[first : first + 7]
        found = np.zeros(2 * len(sample), FINDING)
        found["row"], found["kind"] = 1, d.MARK
        found["kind"][::2], found["sample"][::2] = d.BEAT, sample
        found["decided"] = found["sample"] + 90
        found["flags"] = found["sample"] % 400 // 200
        ring.remember_beats(beats, head, found)
    assert head.tolist() == [0, 300]
    for number in range(300 - ring.BEATS_MAX, 300):
        beat = beats[1, number % ring.BEATS_MAX]
        sample = int(samples[number])
        assert beat.item() == (sample, 90, sample % 400 // 200)
    assert not beats[0].tobytes().strip(b"\0")


def remember(
    tables: tuple[NDArray[Any], ...], sample: int, anchor: tuple[int, int], offset: int = 0
) -> None:
    place = np.array([(offset, sample, 5, 1, 10)], ring.PLACE)
    ring.remember_places(*tables, ints(0), place, ints(anchor[0]), ints(anchor[1]))


def tables() -> tuple[NDArray[Any], ...]:
    return (
        np.zeros((1, ring.PLACES_MAX), ring.PLACE),
        ints(0),
        np.zeros((1, ring.ANCHORS_MAX), ring.ANCHOR),
        ints(0),
    )


def test_places_and_changed_anchors_are_remembered() -> None:
    made = tables()
    for number in range(100):
        remember(made, 10 * number, (number // 3 * 30, number // 3 * 1000), offset=number)
    places, places_head, _, anchors_head = made
    assert (places_head[0], anchors_head[0]) == (100, 34)
    newest = np.sort(places[0]["offset"])
    assert newest.tolist() == list(range(100 - ring.PLACES_MAX, 100))


@given(st.lists(st.integers(1, 50), min_size=1, max_size=3 * ring.ANCHORS_MAX), st.data())
@settings(max_examples=80, deadline=None)
def test_the_anchor_of_a_sample_is_the_newest_that_is_not_past_it(
    steps: list[int], data: st.DataObject
) -> None:
    made = tables()
    anchors = [(int(at), int(at) * 4 + 1) for at in np.cumsum([0, *steps])]
    for anchor in anchors:
        remember(made, anchor[0], anchor)
    sample = data.draw(st.integers(0, anchors[-1][0] + 20))
    known = anchors[-ring.ANCHORS_MAX :]
    expected = next((a for a in reversed(known) if a[0] <= sample), known[0])
    found = ints(0), ints(0)
    ring.anchor_of(made[2], made[3], ints(0), ints(sample), *found)
    assert (found[0][0], found[1][0]) == expected


def test_no_anchor_is_none() -> None:
    made, found = tables(), (ints(7), ints(8))
    ring.anchor_of(made[2], made[3], ints(0), ints(5), *found)
    assert (found[0][0], found[1][0]) == (7, 8)
