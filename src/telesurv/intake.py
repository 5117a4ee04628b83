"""Records of the log to columns: what the engine is fed. Bad ones cost only themselves."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from telesurv.alerts.model import Plan
from telesurv.plans import BadPlan, read_plan, route_of
from telesurv.table import MODES
from telesurv_streams import log, wire
from telesurv_streams.frame import ROUTE_OR_PATIENT, Frames
from telesurv_streams.rows import no_rows

LIVE = MODES.index("live")
_MODE = {name.encode(): code for code, name in enumerate(MODES)}

QUIET_NS = 30_000_000_000
"""A stretch without any record that is longer than this is our silence, not the patients'."""


KNOWN_MAX = 1 << 18
"""Senders that are remembered; then all are learnt again."""


ARRIVAL_NS_MAX = 7_258_118_400_000_000_000
"""The year 2200: nothing that is told to have arrived later is believed."""


class Context(NamedTuple):
    """Whose time and table rows a record concerns."""

    mode: int
    route: str
    partition: int


class Tick(NamedTuple):
    """Time passed: in a partition (live), or for a route (replay, demo)."""

    record: int  # its index in the batch
    context: Context
    arrival_ns: int
    shift_ns: int


class PlanCopy(NamedTuple):
    """A plan that takes effect at its record."""

    record: int
    context: Context
    arrival_ns: int
    shift_ns: int
    plan: Plan


class Lost(NamedTuple):
    """The partition's owner says that the log no longer held what was to be read."""

    record: int
    partition: int
    arrival_ns: int


class Quarantine(NamedTuple):
    """A patient's frames are set aside from here on, or taken again."""

    record: int
    context: Context
    arrival_ns: int
    patient: str
    begins: bool


class Bad(NamedTuple):
    """What could not be read, or is not analysed: for the dead letters."""

    partition: int
    offset: int
    row: int  # -1: the whole record
    reason: str
    value: bytes | None


@dataclass(slots=True)
class Clock:
    """A partition's time: the running maximum of arrival, and its own silence so far."""

    arrival_ns: int = 0
    shift_ns: int = 0

    def advance(self, arrival_ns: int) -> int:
        """Take in a record's arrival and return the time of the log at it."""
        if arrival_ns > self.arrival_ns:
            quiet_ns = arrival_ns - self.arrival_ns
            if self.arrival_ns and quiet_ns > QUIET_NS:
                self.shift_ns += quiet_ns
            self.arrival_ns = arrival_ns
        return self.arrival_ns


@dataclass(slots=True)
class Batch:
    """Records, read: frames as columns, and what else the log said, in its order."""

    contexts: list[Context]
    context: NDArray[np.int64]  # [records], index into contexts; -1: not readable
    partition: NDArray[np.int64]  # [records]
    offset: NDArray[np.int64]
    arrival_ns: NDArray[np.int64]
    shift_ns: NDArray[np.int64]
    frames: Frames
    values: Sequence[bytes | None]
    ticks: list[Tick] = field(default_factory=list)
    plans: list[PlanCopy] = field(default_factory=list)
    quarantines: list[Quarantine] = field(default_factory=list)
    lost: list[Lost] = field(default_factory=list)
    bad: list[Bad] = field(default_factory=list)


class _Unreadable(Exception):
    """Why a record that is no frame cannot be read."""


class Intake:
    """Reads batch after batch; remembers senders, so that most records need one look-up.

    `Batch.contexts` and the frames' names stay the same lists, which grow, until now and then
    all is learnt again.
    """

    def __init__(self) -> None:
        self._decoder = wire.Decoder()
        self._contexts: list[Context] = []
        self._number: dict[Context, int] = {}
        self._known: dict[tuple[int, bytes | None, log.Headers], int] = {}

    def read(self, records: Sequence[log.Record], clocks: dict[int, Clock]) -> Batch:
        """Read records in the order of the log; `clocks` of their partitions advance."""
        if len(self._known) > KNOWN_MAX or len(self._contexts) > KNOWN_MAX:
            self._contexts, self._number, self._known = [], {}, {}
        arrival, shift, context = [], [], []
        strange: list[int] = []
        known = self._known
        for index, record in enumerate(records):
            _, partition, _, arrival_ns, key, _, headers = record
            clock = clocks.get(partition)
            if clock is None:
                clock = clocks[partition] = Clock()
            arrival.append(clock.advance(arrival_ns))
            shift.append(clock.shift_ns)
            number = known.get((partition, key, headers), -1)
            context.append(number)
            if number < 0:
                strange.append(index)
        batch = Batch(
            frames=no_rows(),
            contexts=self._contexts,
            context=np.array(context, np.int64),
            partition=np.array([record.partition for record in records], np.int64),
            offset=np.array([record.offset for record in records], np.int64),
            arrival_ns=np.array(arrival, np.int64),
            shift_ns=np.array(shift, np.int64),
            values=[record.value for record in records],
        )
        no_frame = [index for index in strange if not self._look(batch, index, records[index])]
        self._decode(batch, records, no_frame)
        return batch

    def _look(self, batch: Batch, index: int, record: log.Record) -> bool:
        """Read key and headers of a record and what is no frame; return whether it is one."""
        try:
            mode, kind, told_ns = _headers(record)
            if mode != LIVE:
                batch.arrival_ns[index], batch.shift_ns[index] = told_ns, 0
            if kind is None and (wrong := wire.check_version(record.headers)):
                raise _Unreadable(wrong.reason)
            found = Context(mode, _route(record), record.partition)
            number = self._number.setdefault(found, len(self._number))
            if number == len(self._contexts):
                self._contexts.append(found)
            batch.context[index] = number
            if kind is not None:
                _special(batch, index, kind, found, record)
                return False
            if mode == LIVE:  # else the headers say when, and never come again
                self._known[record.partition, record.key, record.headers] = number
        except (_Unreadable, BadPlan) as error:
            batch.bad.append(Bad(record.partition, record.offset, -1, str(error), record.value))
            return False
        return True

    def _decode(self, batch: Batch, records: Sequence[log.Record], no_frame: Sequence[int]) -> None:
        """Decode the frames among the records."""
        is_frame = np.ones(len(records), np.bool_)
        is_frame[no_frame] = False
        which = np.flatnonzero(is_frame).astype(np.int32)
        values = batch.values if not no_frame else [batch.values[i] for i in which.tolist()]
        batch.frames, malformed = self._decoder.decode([value or b"" for value in values])
        batch.frames.record = which[batch.frames.record]
        for fault in malformed:
            record = records[which[fault.record]]
            batch.bad.append(
                Bad(record.partition, record.offset, fault.row, fault.reason, record.value)
            )


def _headers(record: log.Record) -> tuple[int, bytes | None, int]:
    """Return mode, kind and, outside of live, the arrival that the replay's reader told."""
    mode, kind, told = LIVE, None, None
    for name, value in record.headers:
        if name == log.HEADER_MODE:
            if value not in _MODE:
                raise _Unreadable(f"header {name} is {value[:20]!r}, expected one of {MODES}")
            mode = _MODE[value]
        elif name == log.HEADER_KIND:
            kind = value
        elif name == log.HEADER_ARRIVAL:
            told = value
    if mode == LIVE:
        return mode, kind, 0
    if told is None or not told.isdigit() or len(told) > 19 or int(told) > ARRIVAL_NS_MAX:
        raise _Unreadable(
            f"header {log.HEADER_ARRIVAL} is {told!r}, expected nanoseconds since 1970 (a replay "
            "says when the log took a frame)"
        )
    return mode, kind, int(told)


def _route(record: log.Record) -> str:
    """Return the route of a record: its key."""
    if record.key is None and any(name == log.HEADER_KIND for name, _ in record.headers):
        return ""  # a tick of the partition's owner is of no route
    try:
        route = (record.key or b"").decode("ascii")
    except UnicodeDecodeError:
        route = ""
    if not ROUTE_OR_PATIENT.fullmatch(route):
        raise _Unreadable("key is no route: expected 1 to 64 characters of A-Z a-z 0-9 _ . : -")
    return route


def _special(batch: Batch, index: int, kind: bytes, context: Context, record: log.Record) -> None:
    """Take in a record that is no frame."""
    arrival_ns, shift_ns = int(batch.arrival_ns[index]), int(batch.shift_ns[index])
    if kind == b"tick":
        batch.ticks.append(Tick(index, context, arrival_ns, shift_ns))
    elif kind == b"data-lost":
        batch.lost.append(Lost(index, record.partition, arrival_ns))
    elif kind in (b"quarantine", b"release"):
        patient = (record.value or b"").decode("ascii", "replace")
        if not ROUTE_OR_PATIENT.fullmatch(patient) or not context.route:
            raise _Unreadable(f"{kind.decode()}: expected a route as key and a patient as value")
        batch.quarantines.append(
            Quarantine(index, context, arrival_ns, patient, kind == b"quarantine")
        )
    elif kind == b"plan":
        plan = read_plan(record.value or b"")
        if route_of(plan) != context.route:
            raise _Unreadable("plan: the record's key is not the plan's route")
        batch.plans.append(PlanCopy(index, context, arrival_ns, shift_ns, plan))
    else:
        raise _Unreadable(
            f"header {log.HEADER_KIND} is {kind[:20]!r}, expected tick, plan, data-lost, "
            "quarantine, release, or none (a frame)"
        )
