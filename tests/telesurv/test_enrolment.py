"""Plans find their way into the partitions: one copy where it counts, none twice."""

import time

import msgspec
import pytest

from simulation.sim_patients import SimPatient
from telesurv.alerts.model import Plan
from telesurv.engine import Engine
from telesurv.enrolment import Enrolment
from telesurv.intake import LIVE
from telesurv.table import Key
from telesurv_streams.log import FRAMES, PATIENTS, Outgoing, Record
from telesurv_streams.partitioner import partition_for
from worker_cases import Stage, leave


class Desk:
    """The topic of plans, and who reads it for all partitions."""

    def __init__(self, partitions: int = 4) -> None:
        self.stage, self.engine = Stage(partitions), Engine()
        self.partitions = partitions
        self.refused: list[str] = []
        self.enrolment = Enrolment(self.stage.log, partitions, self.refused.append)

    def copies(self, *ready: int) -> list[Plan]:
        """Read, and return the copies that are missing in these partitions (in all)."""
        self.enrolment.read()
        found = self.enrolment.copies(self.engine, ready or range(self.partitions))
        for record in found:
            assert record.topic == FRAMES
            assert record.partition is not None
        self.sent = found
        return [msgspec.json.decode(record.value or b"", type=Plan) for record in found]

    def arrive(self) -> None:
        """Let the last copies come back from the log."""
        for offset, record in enumerate(self.sent):
            self.engine.feed(
                [Record(FRAMES, record.partition or 0, offset, 10**18, record.key, record.value,
                        record.headers)]
            )  # fmt: skip


def test_a_plan_is_copied_once_into_the_partition_of_its_route() -> None:
    desk = Desk()
    desk.stage.enrol("p", route="gate")
    assert [(plan.patient, plan.route) for plan in desk.copies()] == [("p", "gate")]
    assert desk.sent[0].partition == partition_for(b"gate", 4)
    assert desk.sent[0].key == b"gate"
    assert desk.copies() == []
    desk.arrive()
    assert desk.copies() == []


def test_only_the_newest_version_counts() -> None:
    desk = Desk()
    for version in (2, 5, 3, 5):
        desk.stage.enrol("p", version)
    assert [plan.version for plan in desk.copies()] == [5]
    desk.stage.enrol("p", 4)
    assert desk.copies() == []
    desk.stage.enrol("p", 6, ended=True)
    assert [(plan.version, plan.ended) for plan in desk.copies()] == [(6, True)]


def test_what_is_no_plan_is_refused_and_a_tombstone_ends_no_surveillance() -> None:
    desk = Desk()
    desk.stage.enrol("p")
    for value in (b"{", b'{"patient": "q", "version": 0}', None, b""):
        desk.stage.append(Outgoing(PATIENTS, b"p", value))
    assert [plan.patient for plan in desk.copies()] == ["p"]
    assert len(desk.refused) == 2
    desk.enrolment.assigned()
    assert [plan.patient for plan in desk.copies()] == ["p"]


def test_copies_wait_for_their_partition() -> None:
    desk = Desk()
    desk.stage.enrol("p")
    home = partition_for(b"p", 4)
    others = [number for number in range(4) if number != home]
    assert desk.copies(*others) == []
    desk.enrolment.assigned()
    assert len(desk.copies()) == 1


def test_on_assignment_the_missing_copies_are_appended_and_no_others() -> None:
    desk = Desk()
    desk.stage.enrol("old")
    desk.copies()
    desk.arrive()
    desk.stage.enrol("new")
    desk.enrolment.read()
    desk.enrolment.assigned()
    assert [plan.patient for plan in desk.copies()] == ["new"]


@pytest.mark.parametrize("version", [1, 2])
def test_where_else_a_patient_was_known_silence_is_judged_no_more(version: int) -> None:
    desk = Desk()
    row = desk.engine.patient(Key(LIVE, "before", "p", partition_for(b"before", 4)), 0)
    desk.stage.enrol("p", version, route="after")
    found = {plan.route: plan.ended for plan in desk.copies()}
    assert found == {"after": False, "before": True}
    desk.arrive()
    assert desk.engine.table.plan_of[row].ended
    assert desk.copies() == []
    # And back.
    desk.stage.enrol("p", version + 1, route="before")
    assert {plan.route: plan.ended for plan in desk.copies()} == {"after": True, "before": False}


def test_a_wrong_partition_is_somewhere_else_too() -> None:
    desk = Desk()
    home = partition_for(b"p", 4)
    wrong = (home + 1) % 4
    desk.engine.patient(Key(LIVE, "p", "p", wrong), 0)
    desk.stage.enrol("p")
    desk.copies()
    found = {record.partition: msgspec.json.decode(record.value or b"")["ended"]
             for record in desk.sent}  # fmt: skip
    assert found == {home: False, wrong: True}


def test_a_long_topic_is_read_in_pieces_and_many_patients_cost_little() -> None:
    desk = Desk()
    for number in range(25_000):
        desk.stage.append(
            Outgoing(PATIENTS, b"%d" % number, b'{"patient": "p%d", "version": 2}' % number)
        )
        if number < 5000:
            desk.engine.patient(Key(LIVE, f"p{number}", f"p{number}", 0), 0)
    begun_s = time.process_time()
    first = len(desk.copies())
    second = len(desk.copies())
    assert 0 < first < 25_000
    assert first + second >= 25_000  # and some once more, in a wrong partition
    assert time.process_time() - begun_s < 5.0


def test_a_new_owner_sends_what_the_last_one_could_not() -> None:
    stage = Stage()
    patient = SimPatient("p", 1, 60)
    worker = stage.worker()
    stage.play(worker, [patient], 0, 5)
    leave(worker)
    stage.enrol("p", expected_interval="1m", grace="0s")
    again = stage.worker()
    stage.play(again, [patient], 5, 20)
    assert len(stage.kinds(b"plan")) == 1
    leave(again)
    third = stage.worker()
    stage.play(third, [patient], 20, 30)
    assert len(stage.kinds(b"plan")) == 1
    stage.turns(third, 120)
    assert stage.said("non-transmission") == {"p"}


def test_who_is_over_is_not_awaited_whoever_comes_after() -> None:
    stage = Stage()
    stage.enrol("p", expected_interval="1m", grace="0s")
    worker = stage.worker()
    stage.play(worker, [SimPatient("p", 1, 60)], 0, 10)
    stage.enrol("p", 2, ended=True, expected_interval="1m", grace="0s")
    stage.turns(worker, 10)
    worker.finish()
    leave(worker)
    again = stage.worker()
    stage.turns(again, 200)
    assert stage.said("non-transmission") == set()
