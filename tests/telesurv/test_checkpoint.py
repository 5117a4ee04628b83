"""Checkpoints: what a slice holds, and up to where it lets the log be forgotten."""

import msgspec
import numpy as np
import pytest

from simulation.sim_patients import BEGIN_NS, RATE_HZ, SimPatient
from telesurv import checkpoint as under_test
from telesurv.checkpoint import CLOCK_KEY, IDLE_S, Checkpoint, ClockState, Slice
from telesurv.engine import Engine
from telesurv.snapshot import restore
from telesurv_streams import wire
from telesurv_streams.log import FRAMES, HEADER_KIND, Outgoing, Record

TICK = ((HEADER_KIND, b"tick"),)


class Bench:
    """An engine, its checkpoint, and the partition 0 that they read."""

    def __init__(self, interval_s: float = 1.0, patients: int = 1) -> None:
        self.engine = Engine()
        self.checkpoint = Checkpoint(self.engine, interval_s, 1.0)
        self.checkpoint.own(0, 0, None)
        self.patients = [SimPatient(f"p{n}", n, 200) for n in range(patients)]
        self.offset, self.now_s = 0, 1000.0
        self.at: dict[int, int] = {}  # second: offset of its first record

    def feed(self, second: int, senders: slice = slice(None)) -> None:
        """Let a second of these patients and a tick come; the clock goes on by it."""
        self.at[second], self.now_s = self.offset, 1000.0 + second
        arrival_ns = BEGIN_NS + (second + 1) * 10**9
        records = []
        for patient in self.patients[senders]:
            message = patient.message(second)
            assert message is not None
            records.append(
                Record(FRAMES, 0, self.offset, arrival_ns, message.key, message.value,
                       message.headers)
            )  # fmt: skip
            self.offset += 1
        records.append(Record(FRAMES, 0, self.offset, arrival_ns, None, b"", TICK))
        self.offset += 1
        self.engine.feed(records)
        self.checkpoint.advanced(0, self.offset)

    def cut(self, everything: bool = True) -> Slice | None:
        """Return the next slice, as durable."""
        part = self.checkpoint.cut(self.now_s, everything)
        if part is not None:
            self.checkpoint.done(part, self.now_s)
        return part

    def saved(self, part: Slice | None) -> set[str]:
        assert part is not None
        return {self.engine.table.key_of[row].patient for row, *_ in part.saved}


def with_ring(part: Slice | None) -> list[bool]:
    """Whether each of a slice's snapshots has its rings."""
    assert part is not None
    values = [r.value for r in part.records if r.key != CLOCK_KEY]
    return [restore(Engine(), value or b"", 0)[1] for value in values]


class EcgOnly(SimPatient):
    """A patient without the long ring of SpO2."""

    def message(self, second: int) -> Outgoing | None:
        ecg = self._ecg[second * RATE_HZ : (second + 1) * RATE_HZ]
        start_ns = BEGIN_NS + second * 10**9
        row = wire.Row(self.name, "d", "ecg.II", start_ns, RATE_HZ, 0.005, 0.0, ecg, second)
        return Outgoing(FRAMES, self.name.encode(), wire.encode([row]), (wire.FRAME_HEADER,))


def test_the_offset_stays_where_the_rings_begin() -> None:
    bench = Bench()
    bench.patients = [EcgOnly("p0", 1, 200)]
    for second in range(100):
        bench.feed(second)
        part = bench.cut()
        assert part is not None
        assert not any(with_ring(part))
        lowest = bench.at[max(0, second - 40)]
        assert lowest <= part.offsets[0] <= bench.at[max(0, second - 29)]


def test_a_snapshot_stands_for_all_records_before_its_held() -> None:
    bench = Bench()
    for second in range(5):
        bench.feed(second)
    part = bench.cut()
    assert part is not None
    ((_, held, _, _),) = part.saved
    assert held == bench.offset


def test_the_clock_is_written_with_each_offset_as_it_stood_there() -> None:
    bench = Bench()
    for second in range(90):
        bench.feed(second)
        part = bench.cut()
        assert part is not None
        (value,) = (r.value for r in part.records if r.key == CLOCK_KEY)
        clock = msgspec.msgpack.decode(value or b"", type=ClockState)
        assert clock.offset == part.offsets[0]
        before = max((s for s, at in bench.at.items() if at < clock.offset), default=None)
        assert clock.arrival_ns == (0 if before is None else BEGIN_NS + (before + 1) * 10**9)


def test_state_goes_to_the_partition_of_the_frames() -> None:
    bench = Bench()
    bench.feed(0)
    part = bench.cut()
    assert part is not None
    assert {record.partition for record in part.records} == {0}
    assert {record.key for record in part.records} == {CLOCK_KEY, b"live/p0/p0"}


def test_an_idle_patient_is_saved_with_rings_and_holds_nobody_back() -> None:
    bench = Bench(patients=2)
    for second in range(5):
        bench.feed(second)
        bench.cut()
    for second in range(5, 150):
        bench.feed(second, slice(1, 2))
        bench.cut()
        if second == IDLE_S - 5:
            assert bench.checkpoint._committed[0] <= bench.at[4]
    assert bench.checkpoint._committed[0] > bench.at[80]


def test_all_idle_leaves_nothing_to_read() -> None:
    bench = Bench()
    for second in range(5):
        bench.feed(second)
    bench.cut()
    bench.now_s += IDLE_S
    part = bench.cut()
    assert with_ring(part) == [True]
    assert part is not None
    assert part.offsets == {0: bench.offset}
    bench.now_s += IDLE_S
    assert bench.cut() is None, "nothing changed: nothing is written"


def test_rings_that_reach_far_back_are_saved_rather_than_read_again() -> None:
    bench = Bench()
    for second in range(5):
        bench.feed(second)
    for second in range(100, 110):  # the ring of SpO2 still begins with second 0
        bench.feed(second)
    assert with_ring(bench.cut()) == [True]
    bench.feed(110)
    bench.cut()
    assert bench.checkpoint._committed[0] >= bench.at[5 - 1]


def test_who_was_never_saved_holds_the_offset_at_their_first_record() -> None:
    bench = Bench(interval_s=3.0, patients=2)
    bench.feed(0, slice(0, 1))
    bench.cut()
    bench.now_s += IDLE_S
    bench.cut()
    begin = bench.offset
    bench.feed(1, slice(1, 2))
    bench.feed(2, slice(1, 2))
    new = bench.engine.table.patients["info"][1]
    assert new["first_offset"] == begin
    only_old = Slice([], {})
    assert bench.checkpoint._offsets(only_old)[0] == begin


def test_who_was_never_saved_comes_first() -> None:
    bench = Bench(interval_s=3.0, patients=3)
    bench.feed(0, slice(0, 2))
    bench.feed(1)
    part = bench.cut(everything=False)  # a third of them
    assert len(bench.saved(part)) == 1
    assert bench.checkpoint._committed[0] == 0
    for _ in range(2):
        bench.cut(everything=False)
    assert set(bench.engine.table.patients["info"]["saved_held"][:3]) == {bench.offset}


def test_all_are_saved_within_the_interval_the_longest_ago_first() -> None:
    bench = Bench(interval_s=4.0, patients=8)
    seen: list[set[str]] = []
    for second in range(12):
        bench.feed(second)
        seen.append(bench.saved(bench.cut(everything=False)))
    assert {len(some) for some in seen} == {2}
    for begin in range(9):
        assert set.union(*seen[begin : begin + 4]) == {f"p{n}" for n in range(8)}


def test_a_clock_that_is_set_back_starves_nobody() -> None:
    bench = Bench(interval_s=4.0, patients=8)
    seen: list[set[str]] = []
    for second in range(24):
        bench.feed(second)
        if second >= 12:
            bench.now_s -= 500.0
        seen.append(bench.saved(bench.cut(everything=False)))
    assert set.union(*seen[12:16]) == {f"p{n}" for n in range(8)}
    assert set.union(*seen[16:20]) == {f"p{n}" for n in range(8)}


def test_a_slice_that_is_forgotten_changes_nothing() -> None:
    bench = Bench()
    bench.feed(0)
    first = bench.checkpoint.cut(bench.now_s, True)
    again = bench.checkpoint.cut(bench.now_s, True)
    assert first is not None
    assert again is not None
    assert (first.records, first.offsets) == (again.records, again.offsets)


def test_a_slice_of_unknown_fate_comes_again_and_no_offset_goes_back() -> None:
    bench = Bench(interval_s=8.0, patients=8)
    for second in range(80):
        bench.feed(second)
        bench.cut(everything=False)
    bench.now_s += 1
    part = bench.checkpoint.cut(bench.now_s, False)
    assert part is not None
    bench.checkpoint.unsure(part)
    bench.feed(81)
    bench.feed(82)
    # Somebody else is due first: who was saved longest ago.
    mine = [row for row, *_ in part.saved]
    bench.engine.table.patients["info"]["saved_s"][mine] = bench.now_s
    again = bench.checkpoint.cut(bench.now_s, False)
    assert bench.saved(again) >= bench.saved(part)
    assert again is not None
    assert again.offsets[0] >= part.offsets[0]
    bench.checkpoint.done(again, bench.now_s)
    assert bench.checkpoint._committed[0] >= part.offsets[0]
    following = bench.checkpoint.cut(bench.now_s + 1, False)
    assert bench.saved(following).isdisjoint(bench.saved(part)), "once more, not for ever"


def test_a_snapshot_that_kafka_would_not_take_leaves_its_rings_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bench = Bench()
    for second in range(40):
        bench.feed(second)
    bench.cut()
    bench.now_s += IDLE_S
    monkeypatch.setattr(under_test, "BYTES_MAX", 4000)
    part = bench.cut()
    assert with_ring(part) == [False]
    assert part is not None
    assert part.offsets == {0: bench.offset}, "it holds nobody back either"


def test_what_was_lost_is_of_no_slice() -> None:
    bench = Bench()
    bench.feed(0)
    bench.checkpoint.lose(0)
    bench.engine.drop(0)
    assert bench.cut() is None


def test_what_is_remembered_of_the_past_is_bounded() -> None:
    bench = Bench()
    for second in range(150):
        bench.feed(second)
        bench.cut()
    assert len(bench.checkpoint._history[0]) < 70


def test_restored_patients_need_what_their_snapshot_needs() -> None:
    bench = Bench()
    for second in range(40):
        bench.feed(second)
    part = bench.cut()
    assert part is not None
    engine = Engine()
    again = Checkpoint(engine, 1.0, 1.0)
    again.own(0, part.offsets[0], part.offsets[0])
    value = next(r.value for r in part.records if r.key != CLOCK_KEY)
    row, rings = restore(engine, value or b"", 0)
    again.restored(row, rings, 0.0)
    mine, theirs = (e.table.patients["info"][0] for e in (engine, bench.engine))
    assert not rings
    assert [mine[name] for name in ("saved_held", "saved_evidence")] == [
        theirs[name] for name in ("saved_held", "saved_evidence")
    ]
    assert again.position(0) == part.offsets[0]
    assert np.all(engine.table.patients["info"]["held"][:1] == bench.offset)


def test_rings_that_begin_before_what_may_be_committed_already_are_saved() -> None:
    bench = Bench()
    bench.patients = [EcgOnly("p0", 1, 200)]
    for second in range(20):
        bench.feed(second)
    bench.now_s += IDLE_S  # saved with rings: nothing is needed, all is committed
    part = bench.checkpoint.cut(bench.now_s, True)
    assert part is not None
    bench.checkpoint.done(part, bench.now_s)
    bench.now_s += IDLE_S
    idle = bench.checkpoint.cut(bench.now_s, True)
    assert idle is not None
    assert idle.offsets == {0: bench.offset}
    bench.checkpoint.unsure(idle)  # it may be durable, or not
    bench.feed(20)
    again = bench.checkpoint.cut(bench.now_s, True)
    assert with_ring(again) == [True]
    assert again is not None
    assert again.offsets[0] >= idle.offsets[0]
