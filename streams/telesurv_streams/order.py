"""Timelines in order: duplicates dropped, reordering mended within bounds, gaps marked.

Input is rows in the order of the log; output is which of them are analysed, in which order,
and which are not and why. Nearly every row continues its timeline: those are taken many at
once. A timeline with any other row is walked row by row.

A row that comes too early (the one before it is missing) waits until the missing one is
there, or four wait, or the log is five seconds past its arrival (a tick, or a later row of
the timeline): then there was a gap. Waiting counts arrival, so a replay waits alike.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from telesurv_streams.frame import sample_time_ns
from telesurv_streams.timeline import (
    AHEAD,
    DUPLICATE,
    STEP_NS,
    TIMELINE,
    WAIT,
    end_ns,
    follow,
    judge,
    move_anchor,
    note_gap,
    step_ns,
    tolerance_ns,
)

HELD_MAX = 4
"""Rows of a timeline that wait for a missing one."""

HELD_NS = 5_000_000_000
"""Arrival time for which they wait at most."""


@dataclass(slots=True)
class Rows:
    """Rows in log order. `place` rises with the log: record, then row within it."""

    timeline: NDArray[np.int64]
    start_ns: NDArray[np.int64]
    rate_hz: NDArray[np.float64]
    scale: NDArray[np.float64]
    offset: NDArray[np.float64]
    sequence: NDArray[np.int64]
    count: NDArray[np.int64]  # samples in the row
    arrival_ns: NDArray[np.int64]
    ahead_ns: NDArray[np.int64]  # how far a row may start after its arrival
    place: NDArray[np.int64]


@dataclass(slots=True)
class Held:
    """A row that waits, with all that is needed to analyse it later."""

    start_ns: int
    rate_hz: float
    scale: float
    offset: float
    sequence: int
    arrival_ns: int
    log_offset: int  # where the log holds it
    log_row: int
    samples: NDArray[np.int16]


@dataclass(slots=True)
class Ordered:
    """What is to be analysed, in the order of `place`, then of time."""

    row: NDArray[np.int64]  # index of the input row; -1 - j is released[j]
    timeline: NDArray[np.int64]
    place: NDArray[np.int64]  # of the record that made it analysable
    sample: NDArray[np.int64]  # index k of its first sample in the timeline
    restart: NDArray[np.int64]  # 1: does not continue the signal before
    anchor_sample: NDArray[np.int64]  # the anchor in force for the row
    anchor_ns: NDArray[np.int64]
    released: list[Held] = field(default_factory=list)
    # Input row, reason, and how far it starts after its arrival (`AHEAD`) or after the position.
    rejected: list[tuple[int, str, int]] = field(default_factory=list)
    dropped: list[tuple[int, Held, str]] = field(default_factory=list)  # timeline, row, reason


class Order:
    """The order of all timelines of a table; waiting rows by timeline."""

    def __init__(self) -> None:
        self.held: dict[int, list[Held]] = {}

    def advance(
        self,
        timelines: NDArray[Any],
        rows: Rows,
        take: Callable[[int], Held],
        ticks: Callable[[int], Sequence[tuple[int, int]]],
    ) -> Ordered:
        """Order a batch of rows and advance their timelines.

        Parameters
        ----------
        timelines : TIMELINE[…], updated in place
        rows : the batch
        take : makes a `Held` of an input row that has to wait
        ticks : asked for a timeline with waiting rows, (place, arrival) of ticks in this batch
        """
        order = np.argsort(rows.timeline, kind="stable")
        smooth = self._smooth(timelines, rows, order)
        fast = self._take_smooth(timelines, rows, order[smooth])
        walk = _Walk(self.held, timelines, rows, take)
        rough = order[~smooth]
        self._walk_rough(walk, rows, rough, ticks)
        return _merge(fast, walk)

    def _smooth(
        self, timelines: NDArray[Any], rows: Rows, order: NDArray[np.int64]
    ) -> NDArray[np.bool_]:
        """Which rows (in timeline order) belong to timelines whose rows all continue."""
        if not len(order):
            return np.zeros(0, bool)
        timeline = rows.timeline[order]
        head = np.concatenate(([True], timeline[1:] != timeline[:-1]))
        heads = np.flatnonzero(head)
        group = np.cumsum(head) - 1
        state = timelines[timeline]
        rate, start, sequence = rows.rate_hz[order], rows.start_ns[order], rows.sequence[order]
        before = np.concatenate(([0], np.cumsum(rows.count[order])[:-1]))
        before -= before[heads][group]
        expected = sample_time_ns(
            state["anchor_ns"], state["count"] + before - state["anchor_sample"], rate
        )
        last_sequence = np.where(head, state["sequence"], np.roll(sequence, 1))
        last_start = np.where(head, state["end_ns"], np.roll(start, 1))
        continues = np.where(
            rate > 0, np.abs(start - expected) <= tolerance_ns(rate), start > last_start
        )
        good = (
            continues
            & (state["started"] == 1)
            & (state["rate_hz"] == rate)
            & (state["scale"] == rows.scale[order])
            & (state["offset"] == rows.offset[order])
            & (sequence == np.where(last_sequence < 0, -1, last_sequence + 1))
            & (start <= rows.arrival_ns[order] + rows.ahead_ns[order])
        )
        if self.held:
            good &= ~np.isin(timeline, np.fromiter(self.held, np.int64))
        smooth: NDArray[np.bool_] = np.logical_and.reduceat(good, heads)[group]
        return smooth

    def _take_smooth(
        self, timelines: NDArray[Any], rows: Rows, index: NDArray[np.int64]
    ) -> Ordered:
        """Accept rows that continue their timelines; `index` is in timeline order."""
        timeline, count = rows.timeline[index], rows.count[index]
        none = np.zeros(len(index), np.int64)
        if not len(index):
            return Ordered(index, timeline, none, none, none, none, none)
        head = np.concatenate(([True], timeline[1:] != timeline[:-1]))
        heads, group = np.flatnonzero(head), np.cumsum(head) - 1
        before = np.concatenate(([0], np.cumsum(count)[:-1]))
        before -= before[heads][group]
        sample = timelines["count"][timeline] + before
        tails = np.concatenate((heads[1:], [len(index)])) - 1
        last = timeline[tails]
        total = sample[tails] + count[tails]
        rate = rows.rate_hz[index[tails]]
        timelines["count"][last] = total
        timelines["sequence"][last] = rows.sequence[index[tails]]
        timelines["start_ns"][last] = rows.start_ns[index[tails]]
        timelines["end_ns"][last] = np.where(
            rate > 0,
            sample_time_ns(
                timelines["anchor_ns"][last], total - timelines["anchor_sample"][last], rate
            ),
            rows.start_ns[index[tails]],
        )
        reading = rows.rate_hz[index] == 0  # each is its own anchor
        return Ordered(
            index,
            timeline,
            rows.place[index],
            sample,
            none,
            np.where(reading, sample, timelines["anchor_sample"][timeline]),
            np.where(reading, rows.start_ns[index], timelines["anchor_ns"][timeline]),
        )

    def _walk_rough(
        self,
        walk: "_Walk",
        rows: Rows,
        rough: NDArray[np.int64],
        ticks: Callable[[int], Sequence[tuple[int, int]]],
    ) -> None:
        """Walk the other timelines, rows and ticks in the order of the log."""
        by_timeline: dict[int, list[tuple[int, int, int]]] = {}
        for index in rough.tolist():
            entry = (int(rows.place[index]), index, 0)
            by_timeline.setdefault(int(rows.timeline[index]), []).append(entry)
        for timeline in (*self.held, *by_timeline):
            for place, arrival_ns in ticks(timeline):
                known = by_timeline.setdefault(timeline, [])
                if (place, -1, arrival_ns) not in known:
                    known.append((place, -1, arrival_ns))
        for timeline, entries in by_timeline.items():
            for place, index, arrival_ns in sorted(entries):
                if index >= 0:
                    walk.offer(timeline, index)
                else:
                    walk.release(timeline, place, arrival_ns)


def _merge(fast: Ordered, walk: "_Walk") -> Ordered:
    slow = np.array(walk.accepted, np.int64).reshape(-1, 9)
    # What a tick releases of several timelines comes in the order in which it began to wait.
    none = np.full(len(fast.place), -1)
    keys = [np.concatenate((none, slow[:, at])) for at in (8, 7)]
    order = np.lexsort((*keys, np.concatenate((fast.place, slow[:, 2]))))
    parts = (
        fast.row,
        fast.timeline,
        fast.place,
        fast.sample,
        fast.restart,
        fast.anchor_sample,
        fast.anchor_ns,
    )
    columns = [np.concatenate((part, slow[:, at]))[order] for at, part in enumerate(parts)]
    ordered = Ordered(*columns)  # type: ignore[arg-type]
    ordered.released, ordered.rejected = walk.released, walk.rejected
    ordered.dropped = walk.dropped
    return ordered


class _Walk:
    """Row by row, for timelines whose rows do not simply continue."""

    def __init__(
        self,
        held: dict[int, list[Held]],
        timelines: NDArray[Any],
        rows: Rows,
        take: Callable[[int], Held],
    ) -> None:
        assert timelines.dtype == TIMELINE
        self.held, self.timelines, self.rows, self.take = held, timelines, rows, take
        self.accepted: list[tuple[int, ...]] = []
        self.released: list[Held] = []
        self.rejected: list[tuple[int, str, int]] = []
        self.dropped: list[tuple[int, Held, str]] = []

    def offer(self, timeline: int, index: int) -> None:
        """Accept a row, let it wait, or reject it; then see what it makes analysable."""
        rows, state = self.rows, self.timelines[timeline]
        place, arrival_ns = int(rows.place[index]), int(rows.arrival_ns[index])
        start_ns = int(rows.start_ns[index])
        if start_ns > arrival_ns + int(rows.ahead_ns[index]):
            self.rejected.append((index, AHEAD, start_ns - arrival_ns))
            return
        rate_hz, count = float(rows.rate_hz[index]), int(rows.count[index])
        sequence = int(rows.sequence[index])
        verdict = judge(state, start_ns, count, rate_hz, sequence)
        if verdict == "":
            settings = (rate_hz, float(rows.scale[index]), float(rows.offset[index]))
            here = (place, -1, -1)
            self._accept(timeline, index, here, start_ns, sequence, count, settings)
        elif verdict == WAIT:
            waiting = self.held.setdefault(timeline, [])
            if any(row.start_ns == start_ns for row in waiting):
                self.rejected.append((index, DUPLICATE, 0))
                return
            waiting.append(self.take(index))
            waiting.sort(key=lambda row: row.start_ns)
        else:
            self.rejected.append((index, verdict, start_ns - int(state["end_ns"])))
            return
        self.release(timeline, place, arrival_ns)

    def release(self, timeline: int, place: int, arrival_ns: int) -> None:
        """Accept waiting rows that fit now, or that waited long enough."""
        waiting = self.held.get(timeline)
        since = min(((row.log_offset, row.log_row) for row in waiting or ()), default=(-1, -1))
        while waiting:
            row, state = waiting[0], self.timelines[timeline]
            verdict = judge(state, row.start_ns, len(row.samples), row.rate_hz, row.sequence)
            first = min(held.arrival_ns for held in waiting)
            if verdict == WAIT and len(waiting) < HELD_MAX and arrival_ns < first + HELD_NS:
                return
            waiting.pop(0)
            if verdict not in ("", WAIT):
                self.dropped.append((timeline, row, verdict))
                continue
            self.released.append(row)
            settings = (row.rate_hz, row.scale, row.offset)
            count, index = len(row.samples), -len(self.released)
            here = (place, *since)
            self._accept(timeline, index, here, row.start_ns, row.sequence, count, settings)
        self.held.pop(timeline, None)

    def _accept(
        self,
        timeline: int,
        index: int,
        here: tuple[int, int, int],
        start_ns: int,
        sequence: int,
        count: int,
        settings: tuple[float, float, float],
    ) -> None:
        state = self.timelines[timeline]
        rate_hz, scale, offset = settings
        late_ns = start_ns - int(state["end_ns"])
        same = (state["rate_hz"], state["scale"], state["offset"]) == settings
        restart = not state["started"] or not same
        if not state["started"]:
            state["begin_ns"] = start_ns
        if rate_hz > 0:
            most_ns = step_ns(state, sequence, count, rate_hz)
            if late_ns > max(STEP_NS, most_ns) and state["started"]:
                note_gap(state, int(state["end_ns"]), start_ns)
            restart = restart or abs(late_ns) > most_ns
            if restart:
                move_anchor(state, start_ns)
            else:
                follow(state, late_ns, rate_hz)
        anchor = (int(state["anchor_sample"]), int(state["anchor_ns"]))
        if rate_hz == 0:  # each reading is its own anchor
            anchor = (int(state["count"]), start_ns)
        place, *since = here
        accepted = (index, timeline, place, int(state["count"]), int(restart), *anchor, *since)
        self.accepted.append(accepted)
        state["started"] = 1
        state["rate_hz"], state["scale"], state["offset"] = rate_hz, scale, offset
        state["sequence"], state["start_ns"] = sequence, start_ns
        state["count"] += count
        if rate_hz > 0:
            past = int(state["count"] - state["anchor_sample"])
            state["end_ns"] = end_ns(int(state["anchor_ns"]), past, rate_hz)
        else:
            state["end_ns"] = start_ns
