"""What goes onto the topics: keys that no late writer can bury, partitions, headers, digests."""

from datetime import UTC, datetime

import msgspec
import pytest

from simulation.sim_patients import SimPatient
from telesurv import publish
from telesurv.alerts.model import Alert, Heartbeat, Minute, Plan, Reason, Rule
from telesurv.intake import Bad
from telesurv_streams import log
from telesurv_streams.partitioner import partition_for
from worker_cases import Stage

WHEN = datetime(2026, 5, 4, 8, 0, tzinfo=UTC)


def alert(revision: int = 1, mode: str = "live", identity: str = "a-1") -> Alert:
    return Alert(
        id=identity, revision=revision, patient="p", condition="asystole", conditions=(),
        kind="physiological", priority="high", mode=mode,  # type: ignore[arg-type]
        onset=WHEN, detected=WHEN, reason=Reason(en="", fr=""), rule=Rule(name="x", version=1),
    )  # fmt: skip


def test_each_revision_has_its_key_and_all_lie_in_one_partition() -> None:
    records = [publish.alert_record(alert(n), 1.5, 6) for n in range(1, 20)]
    assert len({record.key for record in records}) == 19
    assert {record.partition for record in records} == {partition_for(b"a-1", 6)}
    others = [publish.alert_record(alert(identity=f"a-{n}"), 1.5, 6) for n in range(60)]
    assert {record.partition for record in others} == set(range(6))
    modes = {publish.alert_record(alert(mode=mode), 1.5, 6).key for mode in ("live", "replay")}
    assert len(modes) == 2


def test_only_emitted_is_of_the_wall_clock() -> None:
    record = publish.alert_record(alert(), 1.5, 6)
    read = msgspec.json.decode(record.value or b"", type=Alert)
    assert read.emitted == datetime(1970, 1, 1, 0, 0, 1, 500_000, UTC)
    assert msgspec.structs.replace(read, emitted=None) == alert()
    assert dict(record.headers)[log.HEADER_MODE] == b"live"


def test_a_tombstone_is_for_the_revision_before_and_where_that_is() -> None:
    assert publish.superseded(alert(1), 6) == []
    (tombstone,) = publish.superseded(alert(3), 6)
    buried = publish.alert_record(alert(2), 1.5, 6)
    assert (tombstone.key, tombstone.partition) == (buried.key, buried.partition)
    assert tombstone.value is None


def test_older_revisions_are_buried_once_the_newer_one_is_saved() -> None:
    stage = Stage()
    worker = stage.worker()
    stage.play(worker, [SimPatient("stops", 2, 80, stop_s=(30, 41))], 0, 80)
    worker.finish()
    stage.log.compact(log.ALERTS)
    left = stage.alerts()
    assert len({one.id for one in left}) == len(left) == 1
    assert left[0].revision > 1


def test_special_records_of_frames_name_their_partition_and_kind() -> None:
    plan = Plan(patient="p", version=3, route="gate")
    for record, kind in (
        (publish.tick(4), b"tick"),
        (publish.lost(4), b"data-lost"),
        (publish.plan_copy(plan, "gate", 4), b"plan"),
    ):
        assert (record.topic, record.partition) == (log.FRAMES, 4)
        assert dict(record.headers) == {log.HEADER_KIND: kind}
    copy = publish.plan_copy(plan, "gate", 4)
    assert copy.key == b"gate"
    assert msgspec.json.decode(copy.value or b"", type=Plan) == plan


@pytest.mark.parametrize("reason", ["short", "a very long one, é " * 100])
def test_a_dead_letter_has_the_bytes_as_they_came_and_says_why(reason: str) -> None:
    record = publish.dead_letter(Bad(3, 77, -1, reason, b"\xff"))
    assert (record.topic, record.value) == (log.DEADLETTER, b"\xff")
    assert record.key == b"telesurv.frames-3-77--1"
    told = dict(record.headers)["telesurv-reason"]
    assert len(told) <= 500
    assert reason.startswith(told.decode(errors="ignore"))


def test_a_minute_goes_by_its_patient() -> None:
    minute = Minute(patient="p", mode="replay", minute=WHEN, numeric="spo2", unit="%", mean=97.0,
                    low=95.0)  # fmt: skip
    record = publish.minute_record(minute)
    assert (record.topic, record.key) == (log.NUMERICS, b"p")
    assert dict(record.headers) == {log.HEADER_MODE: b"replay"}
    assert msgspec.json.decode(record.value or b"", type=Minute) == minute


def test_a_heartbeat_tells_which_alerts_are_present() -> None:
    stage = Stage()
    worker = stage.worker(heartbeat_interval=1.0)
    digests: list[tuple[int, str]] = []

    def note(second: int) -> None:
        if beats := stage.heartbeats():
            digests.append((beats[-1].present, beats[-1].digest))

    stage.play(worker, [SimPatient("sinks", 3, 110, low_s=(20, 50))], 0, 110, note)
    before, after = digests[5], digests[-1]
    assert before == after
    assert before[0] == 0
    assert {present for present, _ in digests} == {0, 1}
    assert {digest for present, digest in digests if present}.isdisjoint({before[1]})
    last = msgspec.json.decode(stage.kinds(b"heartbeat", log.ALERTS)[-1].value or b"",
                               type=Heartbeat)  # fmt: skip
    assert (last.partition, last.interval_s) == (0, 1.0)
