"""Timelines in order: what a sender does, and what is analysed of it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from telesurv_streams.order import HELD_MAX, HELD_NS, Held, Order, Ordered, Rows
from telesurv_streams.timeline import (
    AHEAD,
    BEFORE_POSITION,
    DUPLICATE,
    GAPS,
    JITTER_NS,
    JUMPED_BACK,
    OVERLAP,
    STEP_NS,
    TIMELINE,
)

S, MS = 1_000_000_000, 1_000_000
T0 = 1_750_000_000 * S
AHEAD_NS = 120 * S


@dataclass(frozen=True)
class Sent:
    """A frame as it comes: its number, 250 samples a second unless it says otherwise."""

    start_ns: int
    number: int = -1
    count: int = 250
    rate_hz: float = 250.0
    scale: float = 0.005
    arrival_ns: int | None = None  # default: when it is over
    line: int = 0

    @property
    def arrives_ns(self) -> int:
        span_ns = round(self.count / self.rate_hz * 1e9) if self.rate_hz else 0
        return self.start_ns + span_ns if self.arrival_ns is None else self.arrival_ns


class Tick(NamedTuple):
    """Time passed in the log."""

    arrival_ns: int


class Taken(NamedTuple):
    """An accepted frame: which, and what the kernels are told of it."""

    start_ns: int
    sample: int
    restart: int
    anchor_sample: int
    anchor_ns: int


class Slow(Order):
    """Walks every row."""

    def _smooth(self, timelines: Any, rows: Rows, order: Any) -> NDArray[np.bool_]:
        return np.zeros(len(order), bool)


class Line:
    """Gives what was sent to an order, in batches, and keeps what came of it."""

    def __init__(self, order: Order | None = None, lines: int = 1) -> None:
        self.order = order or Order()
        self.state = np.zeros(lines, TIMELINE)
        self.taken: list[list[Taken]] = [[] for _ in range(lines)]
        self.rejected: list[tuple[Sent, str]] = []
        self.released: list[Held] = []
        self.dropped: list[tuple[Held, str]] = []
        self.place = 0

    def give(self, batch: Sequence[Sent | Tick]) -> Ordered:
        frames: list[tuple[int, Sent]] = []
        ticks: dict[int, list[tuple[int, int]]] = {}
        for what in batch:
            if isinstance(what, Tick):
                for line in range(len(self.state)):
                    ticks.setdefault(line, []).append((self.place, what.arrival_ns))
            else:
                frames.append((self.place, what))
            self.place += 1
        sent = [frame for _, frame in frames]

        def ints(values: Iterable[int]) -> NDArray[np.int64]:
            return np.array(list(values), np.int64)

        rows = Rows(
            timeline=ints(f.line for f in sent),
            start_ns=ints(f.start_ns for f in sent),
            rate_hz=np.array([f.rate_hz for f in sent], float),
            scale=np.array([f.scale for f in sent], float),
            offset=np.zeros(len(sent)),
            sequence=ints(f.number for f in sent),
            count=ints(f.count for f in sent),
            arrival_ns=ints(f.arrives_ns for f in sent),
            ahead_ns=np.full(len(sent), AHEAD_NS),
            place=ints(place for place, _ in frames),
        )

        def take(index: int) -> Held:
            f, place = sent[index], frames[index][0]
            samples = np.full(f.count, index, np.int16)
            where = (f.arrives_ns, place, 0)
            return Held(f.start_ns, f.rate_hz, f.scale, 0.0, f.number, *where, samples)

        ordered = self.order.advance(self.state, rows, take, ticks)
        columns = (ordered.sample, ordered.restart, ordered.anchor_sample, ordered.anchor_ns)
        for at, row in enumerate(ordered.row.tolist()):
            start_ns = sent[row].start_ns if row >= 0 else ordered.released[-1 - row].start_ns
            found = Taken(start_ns, *(int(column[at]) for column in columns))
            self.taken[ordered.timeline[at]].append(found)
        self.rejected += [(sent[index], reason) for index, reason, _ in ordered.rejected]
        self.late_ns = [late_ns for _, _, late_ns in ordered.rejected]
        self.released += ordered.released
        self.dropped += [(held, reason) for _, held, reason in ordered.dropped]
        assert (np.diff(ordered.place) >= 0).all()
        return ordered

    @property
    def starts_s(self) -> list[float]:
        return [(taken.start_ns - T0) / S for taken in self.taken[0]]

    @property
    def reasons(self) -> list[str]:
        return [reason for _, reason in self.rejected]


def after(given_: Iterable[Sent | Tick], order: Order | None = None) -> Line:
    """Give one at a time."""
    line = Line(order)
    for what in given_:
        line.give([what])
    return line


def frames(numbers: Iterable[int], **changes: Any) -> list[Sent]:
    """Frames of one second, numbered."""
    return [replace(Sent(T0 + n * S, n), **changes) for n in numbers]


def unnumbered(seconds: Iterable[float], **changes: Any) -> list[Sent]:
    return [replace(Sent(T0 + round(s * S)), **changes) for s in seconds]


# What a sender does.


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


# Time stamps that are not quite right.


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


# What holds however it is cut.


@st.composite
def muddled(draw: st.DrawFn) -> tuple[list[Sent], list[Sent]]:
    """Frames in order, and as a network within bounds delivers them."""
    numbered = draw(st.booleans())
    count = draw(st.integers(2, 25))
    span = draw(st.sampled_from([20, 250, 2500]))
    gaps = draw(st.sets(st.integers(1, count), max_size=2))
    start, sent = T0, []
    for n in range(count):
        start += span * 4 * MS + (20 * S if n in gaps else 0)
        sent.append(Sent(start, n if numbered else -1, span, arrival_ns=T0 + 900 * S + n))
    if not numbered:  # what waits for a gap to be one must not meet another
        sent = [replace(s, arrival_ns=T0 + 900 * S) for s in sent]
    delays = draw(st.lists(st.sampled_from([0, 0, 0, 1, 2, 3]), min_size=count, max_size=count))
    delays[0] = 0
    order = sorted(range(count), key=lambda n: (n + delays[n], -delays[n], n))
    given_ = [sent[n] for n in order]
    for n in draw(st.lists(st.integers(0, count - 1), max_size=5)):
        at = draw(st.integers(given_.index(sent[n]) + 1, len(given_)))
        given_.insert(at, sent[n])
    return sent, given_


@given(muddled(), st.data())
@settings(max_examples=120, deadline=None)
def test_muddled_within_bounds_is_as_in_order(
    sent_given: tuple[list[Sent], list[Sent]], data: st.DataObject
) -> None:
    sent, given_ = sent_given
    end = Tick(T0 + 2000 * S)
    straight = after([*sent, end])
    line = Line()
    cuts = data.draw(st.sets(st.integers(0, len(given_)), max_size=6))
    for first, last in pairwise(sorted({0, len(given_), *cuts})):
        line.give(given_[first:last])
    line.give([end])
    assert line.taken == straight.taken
    assert line.state.tobytes() == straight.state.tobytes()
    assert len(straight.taken[0]) == len(sent)
    assert set(line.reasons) <= {DUPLICATE}


@st.composite
def anything(draw: st.DrawFn) -> list[Sent | Tick]:
    """Whatever senders do, in two timelines; often the next frame in order."""
    what: list[Sent | Tick] = []
    position = [T0, T0]
    number = [0, 0]
    arrival = T0
    rates = st.sampled_from([250.0, 250.0, 1.0, 0.0, 125.0])
    for _ in range(draw(st.integers(1, 40))):
        arrival += draw(st.sampled_from([0, MS, S, 4 * S, 30 * S]))
        line = draw(st.integers(0, 1))
        if draw(st.integers(0, 9)) == 0:
            what.append(Tick(arrival))
            continue
        rate = draw(rates) if draw(st.integers(0, 7)) == 0 else (250.0, 1.0)[line]
        count = 1 if rate == 0 else draw(st.sampled_from([1, 5, 250]))
        shift = draw(
            st.sampled_from(
                [0, 0, 0, 0, 0, 1 * MS, -1 * MS, 2 * MS, 15 * MS, -19 * MS, 25 * MS, 60 * MS,
                 -99 * MS, 101 * MS, 400 * MS, -400 * MS, 500 * MS, 700 * MS, S, -S, 2 * S,
                 -3 * S, 3600 * S]
            )
        )  # fmt: skip
        step = draw(st.sampled_from([1, 1, 1, 1, 1, 1, 2, 3, 0, -1, -5]))
        start = position[line] + shift
        numbered = draw(st.integers(0, 15)) != 0
        sent = Sent(
            start, max(number[line] + step, 0) if numbered else -1, count, rate,
            draw(st.sampled_from([0.005] * 9 + [0.01])), max(arrival, start), line,
        )  # fmt: skip
        what.append(sent)
        arrival = max(arrival, start)
        if shift < 3600 * S and step > 0:
            number[line] += step
            position[line] = start + (round(count / rate * 1e9) if rate else S)
    return what


def cut(what: Sequence[Sent | Tick], cuts: Iterable[int], order: Order | None = None) -> Line:
    line = Line(order, lines=2)
    for first, last in pairwise(sorted({0, len(what), *cuts})):
        line.give(what[first:last])
    return line


@given(anything(), st.data())
@settings(max_examples=150, deadline=None)
def test_anything_is_the_same_however_it_is_cut(
    what: list[Sent | Tick], data: st.DataObject
) -> None:
    cuts = data.draw(st.sets(st.integers(0, len(what)), max_size=10))
    whole, pieces = cut(what, ()), cut(what, cuts)
    single, slow = cut(what, range(len(what))), cut(what, (), Slow())
    for other in (pieces, single, slow):
        assert other.taken == whole.taken
        assert sorted(other.rejected, key=repr) == sorted(whole.rejected, key=repr)
        assert other.state.tobytes() == whole.state.tobytes()
        dropped = sorted((held.start_ns, reason) for held, reason in other.dropped)
        assert dropped == sorted((held.start_ns, reason) for held, reason in whole.dropped)
        held = {line: [h.start_ns for h in rows] for line, rows in other.order.held.items()}
        assert held == {line: [h.start_ns for h in r] for line, r in whole.order.held.items()}


@given(anything())
@settings(max_examples=120, deadline=None)
def test_anything_leaves_a_sane_timeline(what: list[Sent | Tick]) -> None:
    line = cut(what, range(len(what)))
    sent = sum(isinstance(w, Sent) for w in what)
    taken = sum(map(len, line.taken))
    waiting = sum(map(len, line.order.held.values()))
    assert taken + waiting + len(line.rejected) + len(line.dropped) == sent
    for found in line.taken:
        assert [t.sample for t in found] == sorted({t.sample for t in found})
        for before, now in pairwise(found):
            if not now.restart and now.anchor_sample != now.sample:
                assert (now.anchor_sample, now.anchor_ns) == (
                    before.anchor_sample,
                    before.anchor_ns,
                )


def test_the_fast_path_takes_what_continues() -> None:
    class Counting(Order):
        walked = 0

        def _walk_rough(self, walk: Any, rows: Rows, rough: Any, ticks: Any) -> None:
            Counting.walked += len(rough)
            super()._walk_rough(walk, rows, rough, ticks)

    line = Line(Counting())
    line.give(frames([0]))
    line.give(frames(range(1, 100)))
    assert Counting.walked == 1
    assert len(line.taken[0]) == 100
