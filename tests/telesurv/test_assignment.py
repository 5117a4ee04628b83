"""Restoring a partition: in which order, in which pieces, and what is analysed afterwards."""

import pytest

from simulation.sim_patients import SimPatient
from telesurv.assignment import Assignment
from telesurv.checkpoint import Checkpoint
from telesurv.engine import Engine
from telesurv.snapshot import snapshot
from telesurv_streams.frame import MISSING
from telesurv_streams.log import FRAMES, STATE, LogUnavailable, Outgoing
from worker_cases import GROUP, Stage, leave

PATIENTS = [SimPatient(f"p{n}", n, 200) for n in range(3)]


def after(seconds: int = 90) -> Stage:
    """Return a stage that a worker left as after kill -9, a second after its last slice."""
    stage = Stage()
    worker = stage.worker()
    stage.play(worker, PATIENTS, 0, seconds)
    leave(worker)
    return stage


class Restoring:
    """A member of the group that restores partition 0, step by step."""

    def __init__(self, stage: Stage) -> None:
        self.engine = Engine()
        self.checkpoint = Checkpoint(self.engine, 1.0, 1.0)
        self.source = stage.log.source(FRAMES, GROUP)
        while not self.source.poll(0.0, 1).assigned:
            stage.now_s += 1.0
        self.stage = stage
        self.assignment = Assignment(stage.log, self.source, 0)

    def step(self) -> bool:
        return self.assignment.step(self.engine, self.checkpoint, self.stage.now_s)

    def to_end(self) -> int:
        """Restore all; return in how many steps."""
        for number in range(1, 10_000):
            if self.step():
                return number
        raise AssertionError("it never ends")

    def read(self) -> list[tuple[int, int]]:
        """Let the partition flow; return rows and records of each feed."""
        self.source.resume([0])
        found = []
        while records := self.source.poll(0.0, 50).records:
            found.append((self.engine.feed(records).rows, len(records)))
        return found


def test_the_committed_offset_is_asked_for_before_the_state(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stage = after(10)
    restoring = Restoring(stage)
    asked: list[str] = []
    committed, reader = restoring.source.committed, stage.log.reader
    monkeypatch.setattr(
        restoring.source, "committed", lambda part: asked.append("offset") or committed(part)
    )
    monkeypatch.setattr(stage.log, "reader", lambda *given: asked.append("state") or reader(*given))
    restoring.to_end()
    assert asked == ["offset", "state"]


def test_a_slice_that_is_undecided_is_waited_for() -> None:
    stage = Stage()
    worker = stage.worker()
    stage.play(worker, PATIENTS, 0, 20)
    before = stage.committed

    def fault(step: str) -> None:
        if step == "commit.open":
            raise SystemExit  # gone in the middle of a slice

    stage.log.fault = fault
    with pytest.raises(SystemExit):
        stage.play(worker, PATIENTS, 20, 22)
    stage.log.fault = lambda step: None
    leave(worker)
    restoring = Restoring(stage)
    with pytest.raises(LogUnavailable, match="undecided"):
        restoring.step()
    stage.now_s += 11.0  # now its time is up: it is aborted
    restoring.to_end()
    assert restoring.assignment.committed == before[0]
    assert len(restoring.engine.table.keys) == 3


def test_it_comes_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = after(10)
    restoring = Restoring(stage)
    few = restoring.to_end()
    monkeypatch.setattr("telesurv.assignment.READ_MAX", 1)
    other = Restoring(stage)
    restoring.source.close()
    assert other.to_end() >= few + len(stage.records(STATE))


def test_nothing_flows_until_all_is_restored(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = after(10)
    monkeypatch.setattr("telesurv.assignment.READ_MAX", 1)
    restoring = Restoring(stage)
    while not restoring.step():
        assert not restoring.source.poll(0.0, 50).records
    assert restoring.source.poll(0.0, 50).records == []
    assert restoring.read()


def test_below_held_rows_refill_and_from_it_on_they_are_analysed() -> None:
    stage = after(50)
    restoring = Restoring(stage)
    restoring.to_end()
    first = stage.committed[0]
    held = {
        key.patient: int(restoring.engine.table.patients["info"][row]["held"])
        for key, row in restoring.engine.table.keys.items()
    }
    fresh = [
        record
        for record in stage.records(FRAMES)
        if record.key and record.offset >= held[record.key.decode()]
    ]
    rows = sum(rows for rows, _ in restoring.read())
    assert first < min(held.values())
    assert 0 < len(fresh) < 20
    assert rows == 2 * len(fresh)
    whole = Engine()
    whole.feed(stage.records(FRAMES))
    for key, row in whole.table.keys.items():
        mine = snapshot(restoring.engine, restoring.engine.table.keys[key], 0, True)
        assert mine == snapshot(whole, row, 0, True)


def test_a_tombstone_forgets_a_patient() -> None:
    stage = after(10)
    stage.append(Outgoing(STATE, b"live/p1/p1", None, (), 0))
    restoring = Restoring(stage)
    restoring.to_end()
    assert {key.patient for key in restoring.engine.table.keys} == {"p0", "p2"}


def test_the_clock_goes_on_where_the_offset_is() -> None:
    stage = Stage()
    worker = stage.worker()
    stage.play(worker, PATIENTS, 0, 10)
    stage.turns(None, 90.0)
    stage.play(worker, PATIENTS, 100, 190)
    shift_ns = worker.engine.clocks[0].shift_ns
    leave(worker)
    restoring = Restoring(stage)
    restoring.to_end()
    clock = restoring.engine.clocks[0]
    assert clock.shift_ns == shift_ns > 80 * 10**9
    before = [r for r in stage.records(FRAMES) if r.offset < stage.committed[0]]
    assert clock.arrival_ns == before[-1].arrival_ns


def test_what_the_log_holds_no_more_is_missing_and_not_flat() -> None:
    stage = after(50)
    stage.log.truncate(FRAMES, 0, stage.committed[0] + 100)
    restoring = Restoring(stage)
    restoring.to_end()
    assert restoring.assignment.lost
    restoring.read()
    table = restoring.engine.table
    gaps = 0
    for line, link in enumerate(table.timelines["link"][: table.timelines.used]):
        if link["ring_size"] and table.name_of[line][1] == "ecg.II":
            samples = table.rings[int(link["ring_size"])]["samples"][int(link["ring"])]
            gaps += int((samples == MISSING).sum())
            assert not (samples[:125] == 0).all()
    assert gaps > 125


def test_a_first_owner_begins_with_the_log() -> None:
    stage = Stage()
    stage.play(None, PATIENTS, 0, 5)
    restoring = Restoring(stage)
    restoring.to_end()
    assert not restoring.assignment.lost
    assert restoring.assignment.committed is None
    assert sum(count for _, count in restoring.read()) == 15


def test_to_give_up_in_the_middle_is_harmless() -> None:
    restoring = Restoring(after(5))
    restoring.assignment.give_up()
    restoring.step()
    restoring.assignment.give_up()
