"""Timelines in order: what a sender does, and what is analysed of it."""

from dataclasses import replace
from typing import Any

import pytest

from order_cases import AHEAD_NS, MS, T0, Line, S, Sent, Taken, Tick, after, frames, unnumbered
from telesurv_streams.order import HELD_MAX, HELD_NS
from telesurv_streams.timeline import (
    AHEAD,
    BEFORE_POSITION,
    DUPLICATE,
    GAPS,
    JUMPED_BACK,
    OVERLAP,
)


def test_the_first_frame_restarts_and_the_others_continue() -> None:
    line = after(frames(range(3)))
    assert line.taken[0] == [
        Taken(T0, 0, 1, 0, T0),
        Taken(T0 + S, 250, 0, 0, T0),
        Taken(T0 + 2 * S, 500, 0, 0, T0),
    ]
    assert line.state[0]["end_ns"] == T0 + 3 * S
    assert line.state[0]["begin_ns"] == T0


@pytest.mark.parametrize("make", [frames, unnumbered])
def test_a_duplicate_counts_once(make: Any) -> None:
    line = after([*make(range(3)), *make([2]), *make([0]), *make([3])])
    assert line.starts_s == [0, 1, 2, 3]
    assert line.reasons == [DUPLICATE, DUPLICATE]
    assert line.state[0]["count"] == 1000


@pytest.mark.parametrize("make", [frames, unnumbered])
@pytest.mark.parametrize("order", [(0, 2, 1, 3), (0, 3, 2, 1, 4), (0, 1, 4, 2, 3, 5)])
def test_reordered_frames_are_mended(make: Any, order: tuple[int, ...]) -> None:
    line = after(make(order))
    assert line.taken == after(make(sorted(order))).taken
    assert not line.rejected


def test_a_missing_frame_is_waited_for_until_four_wait() -> None:
    line = after(frames([0, 2, 3, 4]))
    assert line.starts_s == [0]
    line.give(frames([5]))
    assert line.starts_s == [0, 2, 3, 4, 5]
    assert [taken.restart for taken in line.taken[0]] == [1, 1, 0, 0, 0]
    assert line.taken[0][1] == Taken(T0 + 2 * S, 250, 1, 250, T0 + 2 * S)
    assert len(line.released) == HELD_MAX
    assert (line.state[0]["gap_begin_ns"][0], line.state[0]["gap_end_ns"][0]) == (
        T0 + S,
        T0 + 2 * S,
    )


@pytest.mark.parametrize("make", [frames, unnumbered])
def test_or_until_the_log_is_five_seconds_on(make: Any) -> None:
    arrived_ns = T0 + 3 * S
    line = after([*make([0, 2]), Tick(arrived_ns + HELD_NS - 1)])
    assert line.starts_s == [0]
    line.give([Tick(arrived_ns + HELD_NS)])
    assert line.starts_s == [0, 2]
    assert not line.order.held


def test_a_later_frame_lets_time_pass_as_a_tick_does() -> None:
    line = after([*frames([0, 2]), replace(frames([3])[0], arrival_ns=T0 + 8 * S)])
    assert line.starts_s == [0, 2, 3]


def test_the_wait_counts_from_the_earliest_that_waits() -> None:
    late = replace(frames([2])[0], arrival_ns=T0 + 6 * S)
    line = after([*frames([0, 3]), late, Tick(T0 + 4 * S + HELD_NS)])
    assert line.starts_s == [0, 2, 3]


def test_a_frame_that_comes_after_the_wait_is_backfill() -> None:
    line = after([*frames([0, 2, 3, 4, 5]), *frames([1])])
    assert line.starts_s == [0, 2, 3, 4, 5]
    assert line.reasons == [BEFORE_POSITION]


def test_without_numbers_backfill_of_a_gap_is_told_from_a_duplicate() -> None:
    line = after([*unnumbered([0, 2, 3, 4, 5]), *unnumbered([1]), *unnumbered([3])])
    assert line.reasons == [BEFORE_POSITION, DUPLICATE]


def test_so_many_gaps_are_remembered() -> None:
    twos = [*unnumbered(range(0, 2 * GAPS + 4, 2)), Tick(T0 + 60 * S)]
    line = after(twos)
    line.give(unnumbered([2 * GAPS + 1, 3]))
    assert line.reasons == [BEFORE_POSITION, BEFORE_POSITION]


def test_a_gap_in_sequence_is_not_waited_for() -> None:
    line = after([*frames([0, 1]), Sent(T0 + 10 * S, 2)])
    assert line.taken[0][-1] == Taken(T0 + 10 * S, 500, 1, 500, T0 + 10 * S)


def test_what_overlaps_is_not_analysed() -> None:
    assert after([*unnumbered([0, 1]), *unnumbered([1.5])]).reasons == [OVERLAP]
    numbered = Sent(T0 + S // 2, 1)
    assert after([*frames([0]), numbered]).reasons == [OVERLAP]


def test_a_frame_from_last_week_is_backfill() -> None:
    week = 7 * 86_400 * S
    old = Sent(T0 - week, -1, arrival_ns=T0 + 2 * S)
    line = after([*unnumbered([0, 1]), old, *unnumbered([2])])
    assert line.reasons == [BEFORE_POSITION]
    assert line.starts_s == [0, 1, 2]


def test_a_frame_from_tomorrow_changes_nothing() -> None:
    tomorrow = Sent(T0 + 86_400 * S, 2, arrival_ns=T0 + 2 * S)
    line = after([*frames([0, 1]), tomorrow])
    assert line.late_ns == [86_398 * S]
    line.give(frames([2]))
    assert line.reasons == [AHEAD]
    assert line.starts_s == [0, 1, 2]
    assert [taken.restart for taken in line.taken[0]] == [1, 0, 0]


@pytest.mark.parametrize("ahead_ns", [AHEAD_NS, AHEAD_NS + 1])
def test_so_far_ahead_of_arrival_a_frame_may_start(ahead_ns: int) -> None:
    sent = Sent(T0, 0, arrival_ns=T0 - ahead_ns)
    assert after([sent]).reasons == ([] if ahead_ns == AHEAD_NS else [AHEAD])
    both = Line()
    both.give(frames([0]))
    both.give([replace(frames([1])[0], arrival_ns=T0 + S - ahead_ns)])
    assert both.reasons == ([] if ahead_ns == AHEAD_NS else [AHEAD])


def test_a_clock_that_is_set_back_in_sequence_is_no_duplicate() -> None:
    back = [Sent(T0 + (n - 100) * S, n) for n in range(3, 6)]
    line = after([*frames([0, 1, 2]), *back])
    assert line.late_ns == [-98 * S]
    line.give(frames([3]))
    assert line.reasons == [JUMPED_BACK] * 3
    assert line.starts_s == [0, 1, 2, 3]


def test_a_clock_that_jumps_forward_leaves_a_gap() -> None:
    ahead = Sent(T0 + 60 * S, 2, arrival_ns=T0 + 3 * S)
    line = after([*frames([0, 1]), ahead, Sent(T0 + 61 * S, 3)])
    assert [taken.restart for taken in line.taken[0]] == [1, 0, 1, 0]


def test_a_device_that_counts_from_the_beginning_again() -> None:
    again = [Sent(T0 + (3 + n) * S, n) for n in range(3)]
    line = after([*frames(range(3)), *again])
    assert line.starts_s == [0, 1, 2, 3, 4, 5]
    assert [taken.restart for taken in line.taken[0]] == [1, 0, 0, 0, 0, 0]
    jittery = after([*frames(range(3)), Sent(T0 + 3 * S - 5 * MS, 0)])
    assert not jittery.rejected


def test_a_device_whose_number_never_changes() -> None:
    line = after([Sent(T0 + n * S, 7) for n in range(4)] + [Sent(T0 + 3 * S, 7)])
    assert line.starts_s == [0, 1, 2, 3]
    assert line.reasons == [DUPLICATE]


def test_a_device_that_skips_numbers_but_no_time() -> None:
    line = after([Sent(T0 + n * S + n % 2 * 5 * MS, 2 * n) for n in range(4)])
    assert len(line.taken[0]) == 4
    assert sum(taken.restart for taken in line.taken[0]) == 1


@pytest.mark.parametrize(
    "change", [{"rate_hz": 500.0, "count": 500}, {"scale": 0.0025}], ids=["rate", "scale"]
)
def test_new_settings_restart_at_an_anchor(change: dict[str, Any]) -> None:
    line = after([*frames([0, 1]), *frames([2, 3], **change)])
    assert [taken.restart for taken in line.taken[0]] == [1, 0, 1, 0]
    assert line.taken[0][2][1:] == (500, 1, 500, T0 + 2 * S)
    assert line.state[0]["end_ns"] == T0 + 4 * S


def test_single_readings_are_their_own_anchors() -> None:
    reading = Sent(T0, -1, count=1, rate_hz=0.0)
    times = [0, 40, 41, 3600]
    sent = [replace(reading, start_ns=T0 + t * S) for t in times]
    line = after(sent)
    assert [t.anchor_ns for t in line.taken[0]] == [T0 + t * S for t in times]
    assert [t.anchor_sample for t in line.taken[0]] == [0, 1, 2, 3]
    line.give([sent[-1], sent[1]])
    assert line.reasons == [DUPLICATE, BEFORE_POSITION]


def test_readings_after_frames_and_frames_after_readings() -> None:
    reading = Sent(T0 + 5 * S, -1, count=1, rate_hz=0.0)
    line = after([*unnumbered([0, 1]), reading, *unnumbered([6]), Tick(T0 + 12 * S)])
    assert [taken.restart for taken in line.taken[0]] == [1, 0, 1, 1]
    assert line.taken[0][-1][1:] == (501, 1, 501, T0 + 6 * S)
