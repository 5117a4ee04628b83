"""What is set aside: frames of a quarantined patient, and of too many channels."""

from collections.abc import Sequence

import numpy as np

from simulation.sim_patients import BEGIN_NS, SimPatient
from telesurv.engine import TIMELINES_MAX, Engine
from telesurv.snapshot import restore, snapshot
from telesurv_streams import wire
from telesurv_streams.log import FRAMES, HEADER_KIND, Record

SAMPLES = np.array([700], np.int16)


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


def test_a_sender_that_makes_names_up_fills_nothing() -> None:
    rows = [
        wire.Row("p", f"device-{number}", "weight", BEGIN_NS, 0.0, 0.1, 0.0, SAMPLES)
        for number in range(TIMELINES_MAX + 10)
    ]
    value = wire.encode(rows)
    headers = (wire.FRAME_HEADER,)
    engine = Engine()
    record = Record(FRAMES, 0, 0, BEGIN_NS + 10**9, b"p", value, headers)
    output = engine.feed([record])
    assert output.rows == TIMELINES_MAX
    assert [bad.row for bad in output.bad] == list(range(TIMELINES_MAX, TIMELINES_MAX + 10))
    assert all(bad.reason.startswith("crowded") for bad in output.bad)
