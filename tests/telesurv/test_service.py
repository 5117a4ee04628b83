"""The worker on the log in the process: what it bears, what ends it, what it never does twice."""

from collections.abc import Callable

import msgspec
import pytest
import structlog.testing

from simulation.sim_patients import SimPatient
from telesurv import service
from telesurv.checkpoint import CLOCK_KEY
from telesurv.service import AWAY_S, RESTORING_MAX, TICK_S
from telesurv_streams.log import (
    FRAMES,
    STATE,
    LogUnavailable,
    Outgoing,
    Polled,
)
from worker_cases import Stage, leave

WELL = SimPatient("well", 1, 120)
STOPS = SimPatient("stops", 2, 120, stop_s=(30, 41))


def failing(where: str, times: int = 10**9) -> Callable[[str], None]:
    """Return a fault of the log: it is away at one of its steps, for a number of times."""
    left = [times]

    def fault(step: str) -> None:
        if step == where and left[0]:
            left[0] -= 1
            raise LogUnavailable(f"no answer to {step}")

    return fault


def test_from_frames_to_alerts_ticks_and_heartbeats() -> None:
    stage = Stage()
    worker = stage.worker(heartbeat_interval=5.0)
    stage.play(worker, [WELL, STOPS], 0, 60)
    assert stage.said("asystole") == {"stops"}
    assert len(stage.kinds(b"tick")) in (60 / TICK_S - 1, 60 / TICK_S)
    beats = stage.heartbeats()
    assert len(beats) in (11, 12)
    assert beats[-1].worker == "w1"
    assert beats[-1].position + beats[-1].lag <= stage.log.parts(FRAMES)[0].end
    stage.play(worker, [WELL, STOPS], 60, 110)
    worker.finish()
    assert stage.committed[0] > 0


def test_a_wall_clock_that_is_set_back_stops_nothing() -> None:
    stage = Stage()
    worker = stage.worker(heartbeat_interval=5.0)
    stage.play(worker, [WELL], 0, 20)
    before = len(stage.kinds(b"tick")), len(stage.heartbeats()), stage.committed[0]
    stage.now_s -= 3600.0
    for second in range(20, 110):
        stage.now_s += 1.0
        record = WELL.message(second)
        assert record is not None
        stage.append(record)
        worker.turn()
    assert len(stage.kinds(b"tick")) >= before[0] + 3
    assert len(stage.heartbeats()) >= before[1] + 7
    assert stage.committed[0] > before[2]


@pytest.mark.parametrize("where", ["poll", "commit", "commit.open", "commit.done"])
def test_a_short_outage_is_borne(where: str) -> None:
    stage = Stage()
    worker = stage.worker()
    offsets: list[int] = []

    def note(second: int) -> None:
        stage.log.fault = failing(where) if 34 <= second < 50 else lambda step: None
        offsets.append(stage.committed.get(0, 0))

    with structlog.testing.capture_logs() as said:
        stage.play(worker, [WELL, STOPS], 0, 70, note)
    assert {line["event"] for line in said if line["log_level"] == "warning"} == {"log unavailable"}
    assert stage.said("asystole") == {"stops"}
    assert offsets == sorted(offsets)
    assert offsets[-1] > offsets[50]
    leave(worker)
    again = stage.worker()
    stage.play(again, [WELL, STOPS], 70, 80)
    assert len({alert.id for alert in stage.alerts()}) == 1


def test_an_answer_that_is_lost_moves_no_offset_back() -> None:
    stage = Stage()
    worker = stage.worker(checkpoint_interval=8.0)
    patients = [SimPatient(f"p{n}", n, 120) for n in range(5)]
    offsets: list[int] = []

    def note(second: int) -> None:
        stage.log.fault = failing("commit.done") if second % 3 else lambda step: None
        offsets.append(stage.committed.get(0, 0))

    stage.play(worker, patients, 0, 120, note)
    assert offsets == sorted(offsets)
    assert offsets[-1] > 100


def test_a_log_that_stays_away_ends_it() -> None:
    stage = Stage()
    worker = stage.worker()
    stage.play(worker, [WELL], 0, 10)
    stage.log.fault = failing("commit")
    since_s = stage.now_s

    def bear() -> None:
        for second in range(10, 120):
            stage.play(worker, [WELL], second, second + 1)
            stage.now_s += 2.0

    with pytest.raises(LogUnavailable, match="no answer to commit"):
        bear()
    assert stage.now_s - since_s > AWAY_S


def test_what_cannot_be_sent_ends_it_and_the_next_one_sends_it() -> None:
    stage = Stage()
    worker = stage.worker()
    stage.play(worker, [STOPS], 0, 34)
    stage.log.fault = failing("send")
    with pytest.raises(LogUnavailable):
        stage.play(worker, [STOPS], 34, 60)
    stage.log.fault = lambda step: None
    leave(worker)
    again = stage.worker()
    stage.play(again, [STOPS], 60, 70)
    assert stage.said("asystole") == {"stops"}


def test_a_last_slice_that_fails_is_said() -> None:
    stage = Stage()
    worker = stage.worker(checkpoint_interval=30.0)
    stage.play(worker, [WELL, STOPS], 0, 10)
    stage.log.fault = failing("commit")
    with pytest.raises(LogUnavailable):
        worker.finish()


def test_nothing_is_taken_in_while_too_much_is_in_flight(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(2)
    worker = stage.worker()
    stage.turns(worker, 3)
    full = True
    monkeypatch.setattr(worker._sink, "full", lambda: full)
    stage.play(worker, [WELL, STOPS], 0, 40)
    assert not worker.engine.table.keys
    # A rebalance meanwhile changes nothing of that.
    other = stage.worker()
    stage.turns(other, 1)
    for _ in range(12):
        stage.turns(worker, 0.5)
        stage.turns(other, 0.5)
    other._source.close()
    stage.turns(worker, 5)
    assert worker._ready == {0, 1}
    full = False
    stage.play(worker, [WELL, STOPS], 40, 60)
    assert stage.said("asystole") == {"stops"}


def test_records_of_a_partition_that_just_went_are_left_to_its_owner(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stage = Stage()
    worker = stage.worker()
    stage.play(worker, [WELL], 0, 10)
    late = stage.records(FRAMES)[-3:]
    polls = [Polled(late, (0,), (0,)), Polled(late, (), (0,))]
    poll = worker._source.poll
    monkeypatch.setattr(
        worker._source, "poll", lambda *given: polls.pop() if polls else poll(*given)
    )
    worker.turn()
    assert not worker.engine.table.keys
    assert not worker.engine.clocks
    worker.turn()
    stage.play(worker, [WELL], 10, 20)
    assert worker._ready == {0}


def test_no_more_partitions_are_restored_at_once_than_the_loop_can_bear(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stage = Stage(12)
    worker = stage.worker()
    opened: list[int] = []
    reader = stage.log.reader
    monkeypatch.setattr(
        stage.log, "reader", lambda topic, parts: opened.append(1) or reader(topic, parts)
    )
    worker.turn()
    worker.turn()
    assert len(worker._assignments) + len(worker._ready) == 12
    assert len(opened) == RESTORING_MAX
    stage.turns(worker, 10)
    assert worker._ready == set(range(12))


def test_all_ends_are_asked_for_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(12)
    worker = stage.worker(heartbeat_interval=5.0)
    stage.turns(worker, 10)
    asked: list[int] = []
    ends = worker._source.ends
    monkeypatch.setattr(worker._source, "ends", lambda parts: asked.append(1) or ends(parts))
    monkeypatch.setattr(worker._source, "bounds", lambda part: pytest.fail("one by one"))
    stage.turns(worker, 10)
    assert len(asked) == 2
    assert {beat.partition for beat in stage.heartbeats()} == set(range(12))


def test_a_last_slice_in_the_middle_of_restoring_loses_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    patients = [SimPatient(f"p{n}", n, 60) for n in range(6)]
    stage = Stage()
    worker = stage.worker()
    stage.play(worker, patients, 0, 30)
    worker.finish()
    worker.close()
    before = stage.committed[0]
    monkeypatch.setattr("telesurv.assignment.READ_MAX", 2)
    second = stage.worker()
    while not 0 < len(second.engine.table.keys) < 6:
        stage.turns(second, 0.5)
    second._ready.add(0)  # as if another partition flowed: else there is nothing to save
    second.finish()
    second.close()
    assert stage.committed[0] >= before
    third = stage.worker()
    stage.turns(third, 40)
    stage.play(third, patients, 30, 40)
    assert len(third.engine.table.keys) == 6
    info = third.engine.table.patients["info"]
    assert all(info["held"][row] > 0 for row in third.engine.table.keys.values())


def test_a_damaged_snapshot_costs_its_patient_only() -> None:
    stage = Stage()
    worker = stage.worker()
    stage.play(worker, [WELL, STOPS], 0, 28)
    worker.finish()
    worker.close()
    states = {r.key: r.value for r in stage.records(STATE)}
    good = states[b"live/well/well"]
    assert good is not None
    wrong = {b"live/well/well": good[:-9] + b"nonsense!", b"foreign": b"not ours", b"no/state": b""}
    for key, value in wrong.items():
        stage.append(Outgoing(STATE, key, value, (), 0))
    with structlog.testing.capture_logs() as said:
        again = stage.worker()
        stage.play(again, [WELL, STOPS], 28, 60)
    keys = {line["key"] for line in said if line["event"] == "snapshot damaged"}
    assert keys == {"live/well/well", "foreign", "no/state"}
    assert stage.said("asystole") == {"stops"}
    assert stage.said("non-transmission") == set()
    again.finish()
    again.close()
    with structlog.testing.capture_logs() as said:
        third = stage.worker()
        stage.turns(third, 5)
    keys = {line["key"] for line in said if line["event"] == "snapshot damaged"}
    assert keys == {"foreign", "no/state"}, "the patient was saved again"


@pytest.mark.parametrize("clock", [b"\xc1", None, msgspec.msgpack.encode([1, 0, 0])])
def test_a_clock_that_is_not_known_makes_nobody_silent(clock: bytes | None) -> None:
    stage = Stage()
    stage.enrol("well", expected_interval="1m", grace="0s")
    worker = stage.worker()
    stage.play(worker, [WELL], 0, 10)
    stage.turns(None, 600)  # our own silence: it shifts deadlines
    stage.turns(worker, 10)
    worker.finish()
    worker.close()
    assert stage.said("non-transmission") == set()
    stage.append(Outgoing(STATE, CLOCK_KEY, clock, (), 0))
    with structlog.testing.capture_logs() as said:
        again = stage.worker()
        stage.turns(again, 15)
    assert "clock unknown" in {line["event"] for line in said}
    assert stage.said("non-transmission") == set()
    stage.turns(again, 90)
    assert stage.said("non-transmission") == {"well"}


def test_what_was_shifted_before_stays_so_without_a_clock() -> None:
    stage = Stage()
    stage.enrol("well", expected_interval="1m", grace="0s")
    worker = stage.worker()
    stage.play(worker, [WELL], 0, 5)
    stage.turns(None, 90)
    stage.play(worker, [WELL], 95, 110)
    worker.finish()
    worker.close()
    stage.append(Outgoing(STATE, CLOCK_KEY, b"no clock", (), 0))
    again = stage.worker()
    stage.turns(again, 20)
    assert stage.said("non-transmission") == set()
    stage.turns(again, 60)
    assert stage.said("non-transmission") == {"well"}


def test_steps_are_those_of_the_table() -> None:
    stage = Stage()
    worker = stage.worker()
    steps: list[int] = []
    worker._at = steps.append
    stage.play(worker, [WELL], 0, 3)
    worker.finish()
    assert sorted(set(steps)) == list(range(1, 10))
    assert service.TICK_S == 10.0
