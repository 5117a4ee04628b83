"""Quarantine: a patient's frames are set aside by a record of the log, and taken again by one."""

from collections.abc import Sequence

from simulation.sim_patients import BEGIN_NS, SimPatient
from telesurv.engine import Engine
from telesurv.snapshot import restore, snapshot
from telesurv_streams.log import FRAMES, HEADER_KIND, Record


def records(patients: Sequence[SimPatient], seconds: range, offset: int) -> list[Record]:
    found = []
    for second in seconds:
        for patient in patients:
            message = patient.message(second)
            assert message is not None
            arrival_ns = BEGIN_NS + (second + 1) * 10**9
            place = (FRAMES, 0, offset + len(found), arrival_ns)
            found.append(Record(*place, message.key, message.value, message.headers))
    return found


def said(kind: bytes, patient: bytes, offset: int, second: int) -> Record:
    arrival_ns = BEGIN_NS + second * 10**9
    return Record(FRAMES, 0, offset, arrival_ns, patient, patient, ((HEADER_KIND, kind),))


def test_frames_are_set_aside_until_the_release() -> None:
    patients = [SimPatient("culprit", 1, 60), SimPatient("other", 2, 60)]
    engine = Engine()
    engine.feed(records(patients, range(20), 0))
    output = engine.feed([said(b"quarantine", b"culprit", 40, 20)])
    ((_, alert),) = output.alerts
    assert (alert.patient, alert.condition, alert.kind) == ("culprit", "quarantined", "technical")
    assert alert.resolved is None
    output = engine.feed(records(patients, range(20, 30), 41))
    assert len(output.bad) == 20  # two rows a message
    assert all(bad.reason.startswith("quarantined") and bad.value for bad in output.bad)
    assert output.rows == 20
    # It holds after a restart, for nobody else.
    again = Engine()
    for row in engine.alerts:
        restore(again, snapshot(engine, row, 61, with_ring=True), 0)
    again.clocks = engine.clocks
    assert len(again.feed(records(patients, range(30, 31), 61)).bad) == 2
    output = again.feed([said(b"release", b"culprit", 63, 31)])
    ((_, alert),) = output.alerts
    assert alert.resolved is not None
    assert not again.feed(records(patients, range(31, 40), 64)).bad


def test_a_quarantine_of_nobody_is_a_dead_letter() -> None:
    output = Engine().feed([said(b"quarantine", b"no body", 0, 0)])
    assert [bad.row for bad in output.bad] == [-1]
