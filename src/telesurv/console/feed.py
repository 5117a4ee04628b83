"""The fold of the log into what the console shows: alerts, trends, signs of life.

Pure: no clock, no I/O. What arrives is not trusted: what cannot be read, or contradicts its own
key, is counted and said on the page, and changes nothing else.
"""

import re
import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import msgspec

from telesurv.alerts.model import Alert, Heartbeat, Minute
from telesurv.console.liveness import Liveness, Status
from telesurv.console.series import NUMERICS, Series, Trends
from telesurv_streams.frame import ROUTE_OR_PATIENT
from telesurv_streams.log import ALERTS, HEADER_KIND, Record
from telesurv_streams.log import NUMERICS as NUMERICS_TOPIC

RESOLVED_MAX = 500
"""Resolved alerts kept: the newest in the order of the log."""

OPEN_MAX = 5_000
"""Open alerts kept; beyond it the least urgent, oldest one is left out, and the page says so."""

GONE_MAX = 100_000
"""Removed alerts whose revision is remembered, so that a late lower one cannot revive them."""

VALUE_BYTES_MAX = 4 << 20
"""A larger record is malformed: a strip of a minute at 1000 Hz takes 160 kB."""

AHEAD_MAX = timedelta(hours=1)
"""How far a live minute may be ahead of its arrival before it is not believed."""

PRIORITIES = ("high", "medium", "low")
MODES = ("live", "replay", "demo")

_ID = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
_REVISION = re.compile(r"[0-9]{1,9}")
_alert = msgspec.json.Decoder(Alert)
_minute = msgspec.json.Decoder(Minute)
_heartbeat = msgspec.json.Decoder(Heartbeat)

Identity = tuple[str, str]  # mode, id: a replay's alert never replaces a live one
T = TypeVar("T", Alert, Minute, Heartbeat)


@dataclass(frozen=True, slots=True)
class Held:
    """An alert as shown: its highest revision, and when anybody was first told."""

    alert: Alert
    first_emitted: datetime | None  # of all revisions seen
    arrival_ns: int  # of the revision shown
    version: int  # of the feed when this last changed

    @property
    def identity(self) -> Identity:
        """Mode and id."""
        return self.alert.mode, self.alert.id


class Feed:
    """What the console knows. One thread applies records, others read; both may at any time."""

    def __init__(self, partitions: int | None = None) -> None:
        """`partitions` of the frames' topic should each have a heartbeat; None: not known."""
        self._lock = threading.Lock()
        self._held: dict[Identity, Held] = {}
        self._resolved: set[Identity] = set()
        self._gone: dict[Identity, int] = {}
        self._left_out: dict[Identity, None] = {}  # open, but beyond OPEN_MAX; oldest first
        self._trends = Trends()
        self._liveness = Liveness(partitions)
        self._sorted: tuple[int, list[Held]] = (-1, [])  # of which version: the open alerts
        self.version = 0  # rises whenever an alert or a trend changes
        self.modes: frozenset[str] = frozenset()  # of all alerts and minutes that were read
        self.malformed = 0
        self.malformed_last = ""  # what and where
        self.caught_up = True  # the follower of a log clears it until it has read all there is
        self.trouble = ""  # why the log cannot be read just now

    def apply(self, record: Record) -> None:
        """Take one record of the alerts' or the numerics' topic; never raises for its content."""
        try:
            key = (record.key or b"").decode("ascii")
            with self._lock:
                if record.topic == NUMERICS_TOPIC:
                    self._apply_minute(record, key)
                elif record.topic == ALERTS and _kind(record) == "heartbeat":
                    self._apply_heartbeat(record, key)
                elif record.topic == ALERTS:
                    self._apply_alert(record, key)
        except (msgspec.MsgspecError, ValueError, OverflowError, RecursionError) as error:
            self.malformed += 1
            where = f"{record.topic}-{record.partition}@{record.offset}"
            self.malformed_last = f"{where}: {str(error)[:200]}"

    def _apply_alert(self, record: Record, key: str) -> None:
        mode, alert_id, revision = _alert_key(key)
        identity = (mode, alert_id)
        if record.value is None:
            known = self._held.get(identity)
            if known is None or known.alert.revision <= revision:
                self._remove(identity, revision)
            return
        alert = _decode(_alert, record.value)
        if (alert.mode, alert.id, alert.revision) != (mode, alert_id, revision):
            raise ValueError(f"key {key!r}, but {alert.mode}/{alert.id}/{alert.revision} inside")
        if not ROUTE_OR_PATIENT.fullmatch(alert.patient):
            raise ValueError(f"patient {alert.patient[:80]!r}")
        if self._gone.get(identity, -1) >= revision:
            return
        self._keep(alert, record.arrival_ns)
        self._trim()

    def _keep(self, alert: Alert, arrival_ns: int) -> None:
        """Keep the highest revision; of equal ones the earliest emitted."""
        identity = (alert.mode, alert.id)
        self.modes |= {alert.mode}
        known = self._held.get(identity)
        first = alert.emitted
        if known is not None:
            first = _earliest(known.first_emitted, alert.emitted)
            older = alert.revision < known.alert.revision
            same = alert.revision == known.alert.revision
            if older or (same and _earliest(known.alert.emitted, alert.emitted) != alert.emitted):
                alert, arrival_ns = known.alert, known.arrival_ns
            if alert == known.alert and first == known.first_emitted:
                return
        self.version += 1
        self._left_out.pop(identity, None)
        self._held[identity] = Held(alert, first, arrival_ns, self.version)
        if alert.resolved is None:
            self._resolved.discard(identity)
        else:
            self._resolved.add(identity)

    def _trim(self) -> None:
        """Drop what is beyond the bounds."""
        if len(self._resolved) > RESOLVED_MAX:
            oldest = min(self._resolved, key=lambda i: (self._held[i].arrival_ns, i))
            self._remove(oldest, self._held[oldest].alert.revision)
        if len(self._held) - len(self._resolved) > OPEN_MAX:
            least = max(
                (i for i in self._held if i not in self._resolved),
                key=lambda i: (
                    PRIORITIES.index(self._held[i].alert.priority),
                    -self._held[i].arrival_ns,
                ),
            )
            del self._held[least]  # not remembered as gone: its next revision shows it again
            self._left_out[least] = None
            if len(self._left_out) > GONE_MAX:
                del self._left_out[next(iter(self._left_out))]

    def _remove(self, identity: Identity, revision: int) -> None:
        self._gone[identity] = max(revision, self._gone.pop(identity, -1))
        if len(self._gone) > GONE_MAX:
            self._gone.pop(next(iter(self._gone)))
        self._resolved.discard(identity)
        self._left_out.pop(identity, None)
        if self._held.pop(identity, None) is not None:
            self.version += 1

    def _apply_minute(self, record: Record, key: str) -> None:
        if record.value is None:
            return
        minute = _decode(_minute, record.value)
        if minute.patient != key or not ROUTE_OR_PATIENT.fullmatch(key):
            raise ValueError(f"key {key[:80]!r}, but patient {minute.patient[:80]!r} inside")
        arrival = datetime.fromtimestamp(record.arrival_ns / 1e9, UTC)
        if minute.mode == "live" and minute.minute > arrival + AHEAD_MAX:
            raise ValueError(f"minute {minute.minute} is ahead of its arrival {arrival}")
        self.modes |= {minute.mode}
        if minute.numeric in NUMERICS and self._trends.apply(minute, self.version + 1):
            self.version += 1

    def _apply_heartbeat(self, record: Record, key: str) -> None:
        name, _, partition = key.partition("/")
        if name != "heartbeat" or not partition.isdecimal():
            raise ValueError(f"key {key[:80]!r} of a heartbeat, expected heartbeat/<partition>")
        if record.value is None:
            self._liveness.forget(int(partition))
            return
        heartbeat = _decode(_heartbeat, record.value)
        if heartbeat.partition != int(partition):
            raise ValueError(f"key {key!r}, but partition {heartbeat.partition} inside")
        self._liveness.apply(heartbeat)

    def status(self, now: datetime) -> Status:
        """Return what the heartbeats say at `now`."""
        with self._lock:
            return self._liveness.status(now)

    def alive(self, now: datetime) -> bool:
        """Whether every partition is watched at `now`, and this page knows all there is."""
        return self.status(now).alive and self.caught_up and not self.trouble

    @property
    def left_out(self) -> int:
        """Open alerts that are not shown, because there are more than `OPEN_MAX`."""
        return len(self._left_out)

    def open(self) -> list[Held]:
        """Return the open alerts: by priority, then onset, newest first."""
        with self._lock:
            version, held = self._sorted
            if version != self.version:  # every connected page asks twice a second
                held = [h for i, h in self._held.items() if i not in self._resolved]
                held.sort(key=lambda h: (h.alert.onset, h.identity), reverse=True)
                held.sort(key=lambda h: PRIORITIES.index(h.alert.priority))
                self._sorted = self.version, held
            return list(held)

    def resolved(self) -> list[Held]:
        """Return the resolved alerts that are kept, the last one resolved first."""
        with self._lock:
            held = [self._held[i] for i in self._resolved]
        held.sort(key=lambda h: (h.arrival_ns, h.identity), reverse=True)
        return held

    def get(self, mode: str, alert_id: str) -> Held | None:
        """Return one alert."""
        with self._lock:
            return self._held.get((mode, alert_id))

    def series(self, mode: str, patient: str, numeric: str) -> Series | None:
        """Return the trend of one numeric of a patient."""
        with self._lock:
            return self._trends.series(mode, patient, numeric)

    def numerics(self, mode: str, patient: str) -> dict[str, int]:
        """Return which trends of a patient are known, with the version of each."""
        with self._lock:
            return self._trends.numerics(mode, patient)


def _kind(record: Record) -> str:
    for name, value in record.headers:
        if name == HEADER_KIND:
            return value.decode("ascii")
    return ""


def _alert_key(key: str) -> tuple[str, str, int]:
    mode, _, rest = key.partition("/")
    alert_id, _, revision = rest.partition("/")
    if mode not in MODES or not _ID.fullmatch(alert_id) or not _REVISION.fullmatch(revision):
        raise ValueError(f"key {key[:120]!r}, expected mode/id/revision")
    return mode, alert_id, int(revision)


def _decode(decoder: msgspec.json.Decoder[T], value: bytes) -> T:
    if len(value) > VALUE_BYTES_MAX:
        raise ValueError(f"{len(value)} bytes, expected at most {VALUE_BYTES_MAX}")
    decoded = decoder.decode(value)
    _check_instants(decoded)
    return decoded


def _check_instants(value: Any) -> None:
    """Raise where an instant has no zone or lies outside of what int64 nanoseconds can say."""
    if isinstance(value, datetime):
        if value.tzinfo is None or not 1970 <= value.year < 2262:
            raise ValueError(f"instant {value.isoformat()}: no zone, or not of 1970 to 2261")
    elif isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            _check_instants(getattr(value, name))
    elif isinstance(value, tuple) and value and isinstance(value[0], msgspec.Struct):
        for item in value:
            _check_instants(item)


def _earliest(one: datetime | None, other: datetime | None) -> datetime | None:
    if one is None or other is None:
        return one or other
    return min(one, other)
