"""The engine: records of the log in, alerts and numerics out. No clock, no I/O.

The same records give the same answers however they are batched: whatever an answer depends
on lies in the records. One call takes thousands of rows; Python runs per batch, per finding
and per timeline that does something unusual, not per sample, beat or ordinary frame.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from telesurv.accepted import Accepted
from telesurv.alerts.model import Alert, Minute
from telesurv.alerts.patient import PatientAlerts
from telesurv.analysis import analyse
from telesurv.cascade import LEADS_MAX
from telesurv.intake import (
    LIVE,
    Bad,
    Batch,
    Clock,
    Context,
    Intake,
    Lost,
    PlanCopy,
    Quarantine,
    Tick,
)
from telesurv.levels import levels
from telesurv.lines import Lines
from telesurv.refill import Refill
from telesurv.reporting import Happening, Report
from telesurv.surroundings import AHEAD_S
from telesurv.table import UNKNOWN, Key, PatientTable
from telesurv_kernels import _dtypes as codes
from telesurv_kernels import silence
from telesurv_streams.log import Record
from telesurv_streams.order import Held, Order, Rows
from telesurv_streams.timeline import AHEAD, BEFORE_POSITION, DUPLICATE, JUMPED_BACK, OVERLAP

TIMELINES_MAX = LEADS_MAX
"""Channels of devices that one patient may have: a sender that makes names up must not fill us.

Any of them may be a lead, and the number of a timeline is that of its lead.
"""

_IN_RECORD = 1 << 20  # places: record number times this, plus the row within it

BACK_NS = 10_000_000_000
"""A device's clock that is set back by more than this is told of (`clock-skew`)."""


@dataclass(slots=True)
class Output:
    """What a call of `feed` found. Alerts and numerics carry their partition."""

    alerts: list[tuple[int, Alert]] = field(default_factory=list)
    numerics: list[tuple[int, Minute]] = field(default_factory=list)
    bad: list[Bad] = field(default_factory=list)
    duplicates: int = 0
    rows: int = 0


class Engine:
    """All patients of the partitions that a worker owns."""

    def __init__(self) -> None:
        self.table = PatientTable()
        self.order = Order()
        self.clocks: dict[int, Clock] = {}
        self.alerts: dict[int, PatientAlerts] = {}
        self.routes: dict[tuple[int, str], set[int]] = {}
        self.waiting: set[int] = set()
        """Patients whose alerts wait for their signal to go on."""
        self.refill = Refill(self.table)
        self._intake = Intake()
        self._lines = Lines(self._timeline)

    def feed(self, records: Sequence[Record]) -> Output:
        """Analyse records, those of each partition in the order of the log."""
        output = Output()
        batch = self._intake.read(records, self.clocks)
        output.bad += batch.bad
        begin = 0
        marks: list[PlanCopy | Lost | Quarantine] = [*batch.plans, *batch.lost]
        marks += batch.quarantines
        for mark in sorted(marks, key=lambda mark: mark.record):
            self._stretch(batch, begin, mark.record, output)
            if isinstance(mark, PlanCopy):
                self._plan(batch, mark, output)
            elif isinstance(mark, Quarantine):
                self._quarantine(batch, mark, output)
            else:
                self._lost(batch, mark, output)
            begin = mark.record + 1
        self._stretch(batch, begin, len(records), output)
        return output

    def patient(self, key: Key, offset: int) -> int:
        """Return the row of a patient; the record at `offset` concerns them."""
        known = key in self.table.keys
        row = self.table.patient(key)
        if not known:
            self.alerts[row] = PatientAlerts()
            self.routes.setdefault((key.mode, key.route), set()).add(row)
            self.table.patients["info"][row]["first_offset"] = offset
        return row

    def drop(self, partition: int) -> None:
        """Forget the patients of a partition that is no longer ours."""
        for row in self.table.in_partition(partition).tolist():
            self.forget(row)
        self.clocks.pop(partition, None)
        self.refill.drop()
        self._lines.forget()

    def forget(self, row: int) -> None:
        """Forget a patient of whom nothing was fed since they came, or a whole partition's."""
        key = self.table.key_of[row]
        for line in self.table.timelines_of[row]:
            self.order.held.pop(line, None)
        self.routes[key.mode, key.route].discard(row)
        self.waiting.discard(row)
        del self.alerts[row]
        self.table.drop(row)

    def _plan(self, batch: Batch, copy: PlanCopy, output: Output) -> None:
        """Let a newer plan take effect; an older or equal copy is ignored."""
        key = Key(*copy.context[:2], copy.plan.patient, copy.context.partition)
        offset = int(batch.offset[copy.record])
        row = self.patient(key, offset)
        info = self.table.patients["info"][row]
        if offset < info["held"] or copy.plan.version <= info["plan_version"]:
            return
        info["changes"] += 1
        info["last_offset"] = offset

        def arrives(kind: int) -> list[Happening]:
            event = (row, copy.record * _IN_RECORD, kind, copy.arrival_ns, copy.shift_ns)
            return self._silence(np.array([event], silence.ARRIVAL))

        # What was due by the old plan is judged by it, whether or not a tick came in between.
        self._levels(None, arrives(silence.TICK), output)
        self.table.set_plan(row, copy.plan)
        kind = silence.END if copy.plan.ended else silence.ENROL
        self._levels(None, arrives(kind), output)

    def _lost(self, batch: Batch, lost: Lost, output: Output) -> None:
        """Tell of every patient of a partition that something of theirs may be lost."""
        rows = self.table.in_partition(lost.partition, LIVE)
        info = self.table.patients["info"]
        rows = rows[info["held"][rows] <= batch.offset[lost.record]]
        info["changes"][rows] += 1
        info["last_offset"][rows] = batch.offset[lost.record]
        place = lost.record * _IN_RECORD
        what = (lost.arrival_ns, codes.EPISODE, codes.DATA_LOST)
        happened = [Happening.of_owner(place, row, *what) for row in rows.tolist()]
        self._levels(None, happened, output)

    def _quarantine(self, batch: Batch, mark: Quarantine, output: Output) -> None:
        """Set a patient's frames aside from here on, or take them again."""
        key = Key(*mark.context[:2], mark.patient, mark.context.partition)
        offset = int(batch.offset[mark.record])
        row = self.patient(key, offset)
        info = self.table.patients["info"]
        if offset < info[row]["held"]:
            return
        info[row]["changes"] += 1
        info[row]["last_offset"], info[row]["quarantined"] = offset, int(mark.begins)
        kind = codes.ON if mark.begins else codes.OFF
        place = mark.record * _IN_RECORD
        what = (mark.arrival_ns, kind, codes.QUARANTINED)
        self._levels(None, [Happening.of_owner(place, row, *what)], output)

    def _stretch(self, batch: Batch, begin: int, end: int, output: Output) -> None:
        """Analyse the rows of records [begin, end), between which no plan takes effect."""
        frames = batch.frames
        rows = np.flatnonzero((frames.record >= begin) & (frames.record < end))
        ticks = [tick for tick in batch.ticks if begin <= tick.record < end]
        if not len(rows) and not ticks:
            return
        timeline = self._lines.of(batch, rows)
        known = timeline != UNKNOWN
        if not known.all():
            output.bad += [_rejected(batch, row, CROWDED) for row in rows[~known].tolist()]
            rows, timeline = rows[known], timeline[known]
        patient = self.table.timelines["link"]["patient"][timeline]
        offset = batch.offset[frames.record[rows]]
        info = self.table.patients["info"]
        fresh = offset >= info["held"][patient]
        if not fresh.all():
            self.refill.rows(batch, rows[~fresh], timeline[~fresh])
            rows, timeline, patient = rows[fresh], timeline[fresh], patient[fresh]
            offset = offset[fresh]
        aside = info["quarantined"][patient] == 1
        if aside.any():
            output.bad += [_rejected(batch, row, QUARANTINED) for row in rows[aside].tolist()]
            rows, timeline, patient = rows[~aside], timeline[~aside], patient[~aside]
            offset = offset[~aside]
        output.rows += len(rows)
        np.maximum.at(info["last_offset"], patient, offset)
        info["changes"][patient] += 1
        given = self._rows(batch, rows, timeline)
        ordered = self.order.advance(
            self.table.timelines["state"],
            given,
            lambda index: self._hold(batch, rows, given, index),
            lambda line: self._ticks_of(batch, ticks, line),
        )
        valid = np.ones(len(rows), bool)
        wrong_clock: list[Happening] = []
        for index, reason, late_ns in ordered.rejected:
            valid[index] = False
            if reason == DUPLICATE:
                output.duplicates += 1
                continue
            if reason == AHEAD or (reason == JUMPED_BACK and late_ns < -BACK_NS):
                where = int(given.place[index]), int(patient[index]), int(given.arrival_ns[index])
                wrong_clock.append(Happening.of_skew(*where, late_ns / 1e9))
            output.bad.append(_rejected(batch, int(rows[index]), reason))
        link = self.table.timelines["link"]
        for line, held, reason in ordered.dropped:
            owner = int(link[line]["patient"])
            info["changes"][owner] += 1
            if reason == DUPLICATE:
                output.duplicates += 1
                continue
            why = f"{reason}: {_WHY[reason]}"
            output.bad.append(
                Bad(int(info[owner]["partition"]), held.log_offset, held.log_row, why, None)
            )
        if ordered.released:  # maybe by a tick: the patient's state changes without a row of theirs
            info["changes"][link["patient"][ordered.timeline[ordered.row < 0]]] += 1
        events = self._arrivals(batch, rows[valid], patient[valid], ticks)
        happenings = self._silence(events) + wrong_clock
        accepted = Accepted(self.table, batch, rows, given, ordered)
        self._levels(accepted, happenings, output)

    def _timeline(self, context: Context, name: tuple[str, str, str], offset: int) -> int:
        """Return the row of a timeline, of which the record at `offset` brought a frame."""
        patient, device, channel = name
        key = Key(context.mode, context.route, patient, context.partition)
        row = self.patient(key, offset)
        crowded = len(self.table.timelines_of[row]) >= TIMELINES_MAX
        if crowded and (row, device, channel) not in self.table.timeline_of:
            return UNKNOWN
        return self.table.timeline(row, device, channel)

    def _rows(self, batch: Batch, rows: NDArray[np.int64], timeline: NDArray[np.int64]) -> Rows:
        frames, record = batch.frames, batch.frames.record[rows]
        return Rows(
            timeline=timeline,
            start_ns=frames.start_ns[rows],
            rate_hz=frames.rate_hz[rows],
            scale=frames.scale[rows].astype(np.float64),
            offset=frames.offset[rows].astype(np.float64),
            sequence=frames.sequence[rows],
            count=frames.first[rows + 1] - frames.first[rows],
            arrival_ns=batch.arrival_ns[record],
            ahead_ns=np.full(len(rows), int(AHEAD_S * 1e9), np.int64),
            place=record.astype(np.int64) * _IN_RECORD + frames.row[rows],
        )

    def _hold(self, batch: Batch, rows: NDArray[np.int64], given: Rows, index: int) -> Held:
        frames, at = batch.frames, int(rows[index])
        return Held(
            start_ns=int(given.start_ns[index]),
            rate_hz=float(given.rate_hz[index]),
            scale=float(given.scale[index]),
            offset=float(given.offset[index]),
            sequence=int(given.sequence[index]),
            arrival_ns=int(given.arrival_ns[index]),
            log_offset=int(batch.offset[frames.record[at]]),
            log_row=int(frames.row[at]),
            samples=frames.samples[frames.first[at] : frames.first[at + 1]].copy(),
        )

    def _ticked(self, tick: Tick) -> NDArray[np.int64]:
        """Return the patients for whom a tick lets time pass: those of `_passes`."""
        context = tick.context
        if context.mode == LIVE:
            return self.table.in_partition(context.partition, LIVE)
        rows = self.routes.get((context.mode, context.route), set())
        return np.array(sorted(rows), np.int64)

    def _ticks_of(self, batch: Batch, ticks: list[Tick], line: int) -> list[tuple[int, int]]:
        """Return place and arrival of the ticks that may end the waiting of a timeline's rows."""
        patient = int(self.table.timelines["link"][line]["patient"])
        key, held = self.table.key_of[patient], self.table.patients["info"]["held"][patient]
        return [
            (tick.record * _IN_RECORD, tick.arrival_ns)
            for tick in ticks
            if _passes(tick.context, key) and batch.offset[tick.record] >= held
        ]

    def _arrivals(
        self,
        batch: Batch,
        rows: NDArray[np.int64],
        patient: NDArray[np.int64],
        ticks: Iterable[Tick],
    ) -> NDArray[Any]:
        """Return what arrived of each patient, in the order of the log."""
        record = batch.frames.record[rows]
        events = np.zeros(len(rows), silence.ARRIVAL)
        events["row"], events["kind"] = patient, silence.FRAME
        events["segment"] = record.astype(np.int64) * _IN_RECORD + batch.frames.row[rows]
        events["arrival_ns"], events["shift_ns"] = batch.arrival_ns[record], batch.shift_ns[record]
        parts = [events]
        for tick in ticks:
            passed = self._ticked(tick)
            held = self.table.patients["info"]["held"][passed]
            passed = passed[held <= batch.offset[tick.record]]
            part = np.zeros(len(passed), silence.ARRIVAL)
            part["row"], part["kind"] = passed, silence.TICK
            part["segment"] = tick.record * _IN_RECORD
            part["arrival_ns"], part["shift_ns"] = tick.arrival_ns, tick.shift_ns
            parts.append(part)
        events = np.concatenate(parts)
        return events[np.argsort(events["segment"], kind="stable")]

    def _silence(self, events: NDArray[Any]) -> list[Happening]:
        """Judge silence; return what was found as happenings of the patients' alerts."""
        pool = self.table.patients
        findings = np.empty(silence.capacity(len(events), 0), codes.FINDING)
        count = silence.advance(pool["silence"], pool["silence_params"], events, findings)
        pool["info"]["changes"][findings["row"][:count]] += 1
        return [Happening.of_silence(finding) for finding in findings[:count]]

    def _levels(
        self, accepted: Accepted | None, happenings: list[Happening], output: Output
    ) -> None:
        """Run kernels and alerts, level by level and piece by piece."""
        report = Report(self.table, self.alerts, self.waiting, happenings)
        if accepted is not None and len(accepted.place):
            number = levels(accepted.patient, accepted.timeline, accepted.span_s, accepted.restart)
            mask = np.zeros(len(accepted.samples), np.uint8)
            for level in range(int(number.max()) + 1):
                of_level = np.flatnonzero(number == level)
                report.before(accepted, of_level)
                accepted.begin(of_level)
                for pieces, frame in accepted.pieces(of_level):
                    found = analyse(self.table, pieces, accepted.samples, mask)
                    report.level(pieces, frame, accepted, found)
        report.finish()
        info = self.table.patients["info"]
        output.alerts += [(int(info[row]["partition"]), alert) for row, alert in report.said]
        output.numerics += [(int(info[row]["partition"]), one) for row, one in report.minutes]


def _passes(context: Context, key: Key) -> bool:
    """Whether a tick lets time pass for a patient."""
    if context.mode == LIVE:
        return key.mode == LIVE and key.partition == context.partition
    return (key.mode, key.route) == (context.mode, context.route)


QUARANTINED, CROWDED = "quarantined", "crowded"

_WHY = {
    CROWDED: f"the patient has {TIMELINES_MAX} channels of devices already, and no more are taken",
    QUARANTINED: "the patient's frames are set aside until a release",
    BEFORE_POSITION: "the frame starts before what its timeline has reached, where a gap was: "
    "backfill is not analysed yet",
    OVERLAP: "the frame overlaps what its timeline has reached",
    JUMPED_BACK: "the frame is a later one of its device, and starts before what its timeline has "
    "reached: the device's clock was set back",
    AHEAD: f"the frame starts over {AHEAD_S:g} s after its arrival: a clock is wrong",
}


def _rejected(batch: Batch, row: int, reason: str) -> Bad:
    """Return a row that is well-formed and not analysed, for the dead letters."""
    frames = batch.frames
    record = int(frames.record[row])
    return Bad(
        int(batch.partition[record]),
        int(batch.offset[record]),
        int(frames.row[row]),
        f"{reason}: {_WHY[reason]}",
        batch.values[record],
    )
