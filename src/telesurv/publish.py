"""What the service says, as records: alerts, minutes, heartbeats, dead letters, ticks."""

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime

import msgspec

from telesurv.alerts.model import Alert, Heartbeat, Minute, Plan
from telesurv.alerts.patient import PatientAlerts
from telesurv.intake import Bad
from telesurv_streams import log
from telesurv_streams.log import Outgoing
from telesurv_streams.partitioner import partition_for

_JSON = msgspec.json.Encoder()


def wall(now_s: float) -> datetime:
    """Return a moment of the wall clock."""
    return datetime.fromtimestamp(now_s, UTC)


def alert_key(mode: str, identity: str, revision: int) -> bytes:
    """Return the key of a revision: a late writer cannot bury a newer one."""
    return f"{mode}/{identity}/{revision}".encode()


def alert_record(alert: Alert, now_s: float, partitions: int) -> Outgoing:
    """Return an alert's record; all revisions of an alert lie in one partition."""
    alert = msgspec.structs.replace(alert, emitted=wall(now_s))
    headers = ((log.HEADER_MODE, alert.mode.encode()),)
    key = alert_key(alert.mode, alert.id, alert.revision)
    partition = partition_for(alert.id.encode(), partitions)
    return Outgoing(log.ALERTS, key, _JSON.encode(alert), headers, partition)


def superseded(alert: Alert, partitions: int) -> list[Outgoing]:
    """Return the tombstone of the revision before an alert's."""
    if alert.revision < 2:
        return []
    key = alert_key(alert.mode, alert.id, alert.revision - 1)
    partition = partition_for(alert.id.encode(), partitions)
    return [Outgoing(log.ALERTS, key, None, ((log.HEADER_MODE, alert.mode.encode()),), partition)]


def minute_record(minute: Minute) -> Outgoing:
    """Return a minute's record."""
    headers = ((log.HEADER_MODE, minute.mode.encode()),)
    return Outgoing(log.NUMERICS, minute.patient.encode(), _JSON.encode(minute), headers)


def dead_letter(bad: Bad, topic: str = log.FRAMES) -> Outgoing:
    """Return the dead letter of what could not be read: the bytes as they came, and why."""
    key = f"{topic}-{bad.partition}-{bad.offset}-{bad.row}".encode()
    headers = (("telesurv-reason", bad.reason.encode()[:500]),)
    return Outgoing(log.DEADLETTER, key, bad.value, headers)


def tick(partition: int) -> Outgoing:
    """Return the record that lets time pass in a partition."""
    return Outgoing(log.FRAMES, None, b"", ((log.HEADER_KIND, b"tick"),), partition)


def lost(partition: int) -> Outgoing:
    """Return the record that says that a partition no longer held what was to be read."""
    return Outgoing(log.FRAMES, None, b"", ((log.HEADER_KIND, b"data-lost"),), partition)


def plan_copy(plan: Plan, route: str, partition: int) -> Outgoing:
    """Return the copy of a plan in the partition of a route; it takes effect there."""
    headers = ((log.HEADER_KIND, b"plan"),)
    return Outgoing(log.FRAMES, route.encode(), _JSON.encode(plan), headers, partition)


def heartbeat(
    partition: int,
    position: int,
    lag: int,
    alerts: Iterable[PatientAlerts],
    worker: str,
    now_s: float,
    interval_s: float,
) -> Outgoing:
    """Return a partition's sign of life: how far it is, and a digest of present alerts."""
    present = sorted(
        f"{episode.id}/{episode.revision}"
        for of_patient in alerts
        for episode in of_patient.episodes.values()
        if episode.state == "present"
    )
    beat = Heartbeat(
        partition=partition,
        position=position,
        lag=lag,
        present=len(present),
        digest=hashlib.sha256("\n".join(present).encode()).hexdigest()[:16],
        sent=wall(now_s),
        worker=worker,
        interval_s=interval_s,
    )
    headers = ((log.HEADER_KIND, b"heartbeat"),)
    return Outgoing(log.ALERTS, f"heartbeat/{partition}".encode(), _JSON.encode(beat), headers)
