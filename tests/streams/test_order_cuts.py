"""Timelines in order: the same however a network muddles and a reader cuts them."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from order_cases import (
    MS,
    T0,
    Line,
    S,
    Sent,
    Slow,
    Tick,
    after,
    frames,
)
from telesurv_streams.order import Order, Rows
from telesurv_streams.timeline import (
    DUPLICATE,
)


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
        assert other.sequence == whole.sequence
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


def test_what_a_tick_releases_comes_in_the_order_in_which_it_began_to_wait() -> None:
    begun = [Sent(T0, 0, line=line) for line in (0, 1)]
    waiting = [
        Sent(T0 + 3 * S, 3, line=1),
        Sent(T0 + 2 * S, 2, line=0),
        Sent(T0 + 2 * S, 2, line=1),
    ]
    what = [*begun, *waiting, Tick(T0 + 30 * S)]
    for cuts in ([], [2], [3], [5], range(6)):
        found = cut(what, cuts)
        assert [line for _, line, _ in found.sequence] == [0, 1, 1, 1, 0]
        assert [(start - T0) // S for *_, start in found.sequence] == [0, 0, 2, 3, 2]


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
