"""Timelines in order: time stamps that are not quite right."""

from itertools import pairwise

import numpy as np
import pytest

from order_cases import MS, T0, S, Sent, Slow, after, frames, unnumbered
from telesurv_streams.timeline import (
    DUPLICATE,
    JITTER_NS,
    STEP_NS,
)


def test_half_a_sample_moves_nothing_and_more_does() -> None:
    half = 2 * MS
    line = after([*frames([0]), Sent(T0 + S + half, 1), Sent(T0 + 2 * S + half + 1, 2)])
    assert [taken.anchor_ns for taken in line.taken[0]] == [T0, T0, T0 + 2 * S + half + 1]
    assert [taken.anchor_sample for taken in line.taken[0]] == [0, 0, 500]
    assert sum(taken.restart for taken in line.taken[0]) == 1


@pytest.mark.parametrize("drift", [200e-6, -200e-6, 0.002])
def test_a_clock_that_drifts_is_followed(drift: float) -> None:
    length = round((1 + drift) * S)
    line = after([Sent(T0 + n * length, n) for n in range(1000)])
    assert len(line.taken[0]) == 1000
    assert sum(taken.restart for taken in line.taken[0]) == 1
    for n, taken in enumerate(line.taken[0]):
        at_ns = taken.anchor_ns + (taken.sample - taken.anchor_sample) * 4 * MS
        assert abs(at_ns - (T0 + n * length)) <= 2 * MS


@pytest.mark.parametrize(("numbered", "jitter_ns"), [(True, 45 * MS), (False, 9 * MS)])
@pytest.mark.parametrize("span_s", [0.08, 0.2, 1.0])
def test_jitter_neither_loses_nor_restarts(numbered: bool, jitter_ns: int, span_s: float) -> None:
    """What the rhythm kernel bears: no step of over 20 ms between one MARK and the next."""
    rng = np.random.default_rng(1)
    count = round(span_s * 250)
    sent = [
        Sent(T0 + n * count * 4 * MS + int(rng.integers(-jitter_ns, jitter_ns)),
             n if numbered else -1, count, arrival_ns=T0 + n * S)
        for n in range(400)
    ]  # fmt: skip
    line = after(sent)
    assert len(line.taken[0]) == 400
    assert sum(taken.restart for taken in line.taken[0]) == 1
    anchors = {taken.anchor_sample: taken.anchor_ns for taken in line.taken[0]}
    for (sample, at_ns), (next_sample, next_ns) in pairwise(sorted(anchors.items())):
        assert next_sample - sample >= 250
        assert abs(next_ns - at_ns - (next_sample - sample) * 4 * MS) <= 10 * MS


@pytest.mark.parametrize("numbered", [True, False])
def test_short_frames_with_jitter_are_still_told_from_duplicates(numbered: bool) -> None:
    sent = [Sent(T0 + n * 40 * MS + (n * 7) % 16 * MS, n if numbered else -1, 10) for n in range(9)]
    twice = [frame for frame in sent for _ in range(2)]
    line = after(twice)
    assert len(line.taken[0]) == 9
    assert line.reasons == [DUPLICATE] * 9


@pytest.mark.parametrize("number", [-1, 0])
def test_a_reading_a_second_is_told_from_its_duplicate(number: int) -> None:
    sent = [Sent(T0 + n * S, n if number == 0 else -1, 1, 1.0) for n in (0, 1, 1, 2, 1, 3)]
    line = after(sent)
    assert line.starts_s == [0, 1, 2, 3]
    assert line.reasons == [DUPLICATE, DUPLICATE]


@pytest.mark.parametrize("number", [-1, 0])
def test_a_reading_a_second_may_come_a_little_early(number: int) -> None:
    starts = [0, 1, 1.7, 3, 4.3]
    sent = [Sent(T0 + round(s * S), n if number == 0 else -1, 1, 1.0) for n, s in enumerate(starts)]
    line = after(sent)
    assert len(line.taken[0]) == 5
    assert line.taken == after(sent, Slow()).taken


def test_what_a_step_is() -> None:
    for late_ns, restarts in ((STEP_NS, 0), (STEP_NS + 1, 1)):
        line = after([*frames([0]), Sent(T0 + S + late_ns, 1)])
        assert line.taken[0][1].restart == restarts
    for late_ns, waits in ((JITTER_NS, 0), (JITTER_NS + 1, 1)):
        line = after([*unnumbered([0]), Sent(T0 + S + late_ns)])
        assert len(line.order.held) == waits
