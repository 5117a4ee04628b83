"""The worker: a member of the consumer group that turns frames into alerts.

One turn of the loop is nine steps, numbered here as in the table of failures in
`streams/README.md`. A crash between any two of them loses nothing and counts nothing twice:
alerts are sent before the state that has seen their frames is saved, state and offset are
saved together, and what is sent twice has the same id and revision.
"""

import gc
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import numpy as np
import structlog

from telesurv.assignment import Assignment
from telesurv.checkpoint import Checkpoint, Slice
from telesurv.engine import Engine, Output
from telesurv.enrolment import Enrolment
from telesurv.publish import alert_record, dead_letter, heartbeat, lost, minute_record
from telesurv.publish import superseded as tombstones
from telesurv.publish import tick as tick_record
from telesurv.settings import Settings
from telesurv_streams.log import (
    ALERTS,
    FRAMES,
    Fenced,
    Log,
    LogUnavailable,
    OffsetOutOfRange,
    Outgoing,
    Polled,
)

TICK_S = 10.0
"""How often a partition's owner lets time pass in it. No setting: silence depends on it."""

PLANS_S = 1.0
"""How often the topic of plans is looked at."""

ACKNOWLEDGED_S = 30.0
"""How long a checkpoint waits for what was sent before it."""

AWAY_S = 120.0
"""How long a worker bears a log that cannot be asked. What cannot be sent ends it by itself."""

RESTORING_MAX = 4
"""Partitions restored at once; each has a connection, and the loop is to turn meanwhile."""

_log = structlog.get_logger("telesurv.service")


def spare_collector() -> None:
    """Let the garbage collector look at less, and less often.

    A poll makes ten thousand objects that die together and without its help. Left as it is, it
    runs a dozen times meanwhile, now and then through everything: a seventh of a worker's CPU.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


class Worker:
    """Polls, analyses, sends, saves.

    Parameters
    ----------
    log : where everything comes from and goes to
    settings : see `settings.Settings`
    alive : called with each heartbeat
    now_s : the wall clock: for intervals, `emitted` and heartbeats, never for an answer
    at : called with the number of each step before it (tests crash there)
    """

    def __init__(
        self,
        log: Log,
        settings: Settings,
        alive: Callable[[], None] = lambda: None,
        now_s: Callable[[], float] = time.time,
        at: Callable[[int], None] = lambda step: None,
    ) -> None:
        self._settings, self._alive, self._now_s, self._at = settings, alive, now_s, at
        self._log = log
        self._alert_partitions = log.partitions(ALERTS)
        self.engine = Engine()
        self._checkpoint = Checkpoint(
            self.engine, settings.checkpoint_interval, settings.slice_interval
        )
        self._sink = log.sink()
        self._slices = log.slices(FRAMES, settings.group, settings.worker)
        self._plans = Enrolment(log, log.partitions(FRAMES), self._plan_refused)
        self._source = log.source(FRAMES, settings.group)
        self._assignments: dict[int, Assignment] = {}
        self._ready: set[int] = set()
        self._held_back = False
        self._away_s: dict[str, float] = {}
        self._ticket = 0
        self._superseded: list[Outgoing] = []
        self._due = dict.fromkeys(("tick", "plans", "heartbeat", "slice"), 0.0)
        self._stopping = False

    def run(self) -> None:
        """Work until SIGTERM or SIGINT, then save and leave."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.stop())
        spare_collector()
        try:
            while not self._stopping:
                self.turn()
            self.finish()
        finally:
            self.close()

    def stop(self) -> None:
        """Let `run` end after the present turn."""
        self._stopping = True

    def turn(self) -> None:
        """Go once through the steps."""
        # Step 1: what the log brought. While too much waits for acknowledgement, no records.
        self._at(1)
        polled = self._poll()
        # Step 2: partitions that went to somebody else. Nothing is written: they repeat.
        self._at(2)
        for partition in polled.revoked:
            self._lose(partition)
        # Step 3: partitions that are new. They stay paused until their state is restored.
        self._at(3)
        self._restore(polled.assigned)
        # Step 4: analyse.
        self._at(4)
        output = self._analyse(polled)
        # Step 5: send what was found, at once.
        self._at(5)
        self._send(output)
        # Step 6: plans, ticks and signs of life, when they are due.
        self._at(6)
        self._keep_time()
        # Steps 7 to 9: a slice of the checkpoint, when it is due.
        if self._is_due("slice", self._settings.slice_interval):
            with self._bearing("saving"):
                self._save()

    def finish(self) -> None:
        """Save everything that changed; raises `LogUnavailable` where that is not possible."""
        self._save(everything=True)

    def close(self) -> None:
        """Leave the group and let go of the log; what cannot be closed keeps nothing open."""
        with ExitStack() as stack:
            for part in (self._sink, self._slices, self._plans, self._source):
                stack.callback(part.close)
            for assignment in self._assignments.values():
                stack.callback(assignment.give_up)

    @contextmanager
    def _bearing(self, doing: str) -> Iterator[None]:
        """Let the log be away for a while: nothing was done, it is asked again later."""
        try:
            yield
        except LogUnavailable as error:
            since_s = self._away_s.setdefault(doing, self._now_s())
            if self._now_s() - since_s > AWAY_S:
                raise
            _log.warning("log unavailable", doing=doing, why=str(error))
        else:
            self._away_s.pop(doing, None)

    def _poll(self) -> Polled:
        full = self._sink.full()
        if full != self._held_back:
            (self._source.pause if full else self._source.resume)(sorted(self._ready))
            self._held_back = full
        timeout_s = self._settings.poll_timeout
        if self._assignments:
            timeout_s = 0.0
        try:
            with self._bearing("reading"):
                return self._source.poll(timeout_s, self._settings.batch_records)
        except OffsetOutOfRange as gone:
            self._skip_lost(gone)
        return Polled([])

    def _skip_lost(self, gone: OffsetOutOfRange) -> None:
        """Go on with what the log holds, and say in it that something is missing."""
        partition, first = gone.partition, gone.first
        if gone.offset > gone.end:  # it was cut at its end: its offsets count anew from there
            first = gone.end
            info = self.engine.table.patients["info"]
            rows = self.engine.table.in_partition(partition)
            info["held"][rows] = np.minimum(info["held"][rows], first)
            self._checkpoint.own(partition, first, None)
        _log.warning("data lost", partition=partition, offset=gone.offset, goes_on_at=first)
        self._emit(lost(partition))
        self._source.seek(partition, first)

    def _lose(self, partition: int) -> None:
        if (assignment := self._assignments.pop(partition, None)) is not None:
            assignment.give_up()
        self._ready.discard(partition)
        self._checkpoint.lose(partition)
        self.engine.drop(partition)
        _log.info("partition lost", partition=partition)

    def _restore(self, assigned: tuple[int, ...]) -> None:
        for partition in assigned:
            self._assignments[partition] = Assignment(self._log, self._source, partition)
        for partition, assignment in list(self._assignments.items())[:RESTORING_MAX]:
            ready: bool | None = None
            with self._bearing("restoring"):
                ready = assignment.step(self.engine, self._checkpoint, self._now_s())
            if assignment.lost:  # said before anything is saved that knows no more of it
                assignment.lost = False
                _log.warning("data lost", partition=partition)
                self._emit(lost(partition))
            if ready:
                self._begin(partition)
            elif ready is None:  # each question may take its time: no more of them now
                return

    def _begin(self, partition: int) -> None:
        """Let the frames of a restored partition flow."""
        del self._assignments[partition]
        self._ready.add(partition)
        self._plans.assigned()
        if not self._held_back:
            self._source.resume([partition])
        patients = len(self.engine.table.in_partition(partition))
        _log.info("partition ready", partition=partition, patients=patients)

    def _analyse(self, polled: Polled) -> Output:
        # What came with the news that its partition is no longer ours, or not yet, is not.
        records = [record for record in polled.records if record.partition in self._ready]
        if not records:
            return Output()
        output = self.engine.feed(records)
        reached = {record.partition: record.offset + 1 for record in records}
        for partition, offset in reached.items():
            self._checkpoint.advanced(partition, offset)
        return output

    def _send(self, output: Output) -> None:
        now_s = self._now_s()
        for _, alert in output.alerts:
            self._emit(alert_record(alert, now_s, self._alert_partitions))
            self._superseded += tombstones(alert, self._alert_partitions)
        for _, minute in output.numerics:
            self._emit(minute_record(minute))
        for bad in output.bad:
            self._emit(dead_letter(bad))
        if output.bad:
            _log.warning("dead letters", count=len(output.bad))

    def _emit(self, record: Outgoing) -> None:
        self._ticket = self._sink.send(record)

    def _keep_time(self) -> None:
        if self._is_due("plans", PLANS_S):
            with self._bearing("reading plans"):
                self._plans.read()
            for record in self._plans.copies(self.engine, self._ready):
                self._emit(record)
        if self._is_due("tick", TICK_S):
            for partition in sorted(self._ready):
                self._emit(tick_record(partition))
        if self._is_due("heartbeat", self._settings.heartbeat_interval):
            self._alive()
            ends: dict[int, int] = {}
            with self._bearing("asking how far the log is"):
                ends = self._source.ends(sorted(self._ready))
            for partition, end in sorted(ends.items()):
                self._emit(self._heartbeat(partition, end))

    def _heartbeat(self, partition: int, end: int) -> Outgoing:
        position = self._checkpoint.position(partition)
        rows = self.engine.table.in_partition(partition).tolist()
        return heartbeat(
            partition,
            position,
            max(0, end - position),
            (self.engine.alerts[row] for row in rows),
            self._settings.worker,
            self._now_s(),
            self._settings.heartbeat_interval,
        )

    def _save(self, everything: bool = False) -> None:
        membership = self._source.membership()
        now_s = self._now_s()
        if membership is None or not self._ready:
            return
        part = self._checkpoint.cut(now_s, everything)
        if part is None:
            return
        # Step 7: what these patients raised is acknowledged.
        self._at(7)
        self._sink.wait(self._ticket, ACKNOWLEDGED_S)
        # Step 8: state and offsets, in one transaction that only the owner can make.
        self._at(8)
        try:
            self._slices.commit(part.records, part.offsets, membership)
        except Fenced as fenced:
            _log.info("checkpoint forgotten", why=str(fenced))
            return
        except LogUnavailable:
            self._checkpoint.unsure(part)
            raise
        # Step 9: it is durable; older revisions of alerts need not be kept.
        self._at(9)
        self._saved(part, now_s)

    def _saved(self, part: Slice, now_s: float) -> None:
        self._checkpoint.done(part, now_s)
        for record in self._superseded:
            self._emit(record)
        self._superseded.clear()

    def _is_due(self, what: str, interval_s: float) -> bool:
        now_s = self._now_s()
        # Further ahead than an interval: the clock was set back.
        if self._due[what] - interval_s <= now_s < self._due[what]:
            return False
        self._due[what] = now_s + interval_s
        return True

    def _plan_refused(self, why: str) -> None:
        _log.warning("plan refused", why=why)
