"""Is the service alive? What its partitions' heartbeats say, judged at a given instant.

An empty list of alerts is good news only while somebody looks for alerts. So the console takes
nothing for granted: no heartbeat ever, one partition silent, or clocks that disagree too much to
tell, are all "not alive".
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from telesurv.alerts.model import Heartbeat

INTERVALS_MAX = 3
"""A heartbeat is too old when this many of its own intervals have passed."""

INTERVAL_S_MAX = 3600.0
"""The longest interval that is believed; a heartbeat that claims more is malformed."""

PARTITIONS_MAX = 65_536
"""Partitions that are told apart at most; bounds what a sender can make us keep."""

Cause = Literal["alive", "never", "missing", "silent", "clock"]


@dataclass(frozen=True, slots=True)
class Status:
    """What is known of the service at one instant."""

    cause: Cause
    since: datetime | None  # last sign of life; None: alive, or there never was one
    partitions: int  # that sent a heartbeat, ever
    expected: int | None  # partitions that should; None: not known
    lost: tuple[int, ...]  # partitions nobody watches now
    lag: int  # records not yet analysed, all partitions
    present: int  # alerts that the service holds present
    newest: datetime | None  # newest heartbeat

    @property
    def alive(self) -> bool:
        """Whether every partition is watched."""
        return self.cause == "alive"


class Liveness:
    """The newest heartbeat of each partition."""

    def __init__(self, expected: int | None = None) -> None:
        self.expected = expected
        self._newest: dict[int, Heartbeat] = {}

    def apply(self, heartbeat: Heartbeat) -> None:
        """Take a heartbeat; an older one than the partition's newest changes nothing.

        Raises `ValueError` for one that cannot be meant.
        """
        if not 0 < heartbeat.interval_s <= INTERVAL_S_MAX:
            raise ValueError(f"interval {heartbeat.interval_s} s, expected 0 to {INTERVAL_S_MAX}")
        if not 0 <= heartbeat.partition < PARTITIONS_MAX:
            raise ValueError(f"partition {heartbeat.partition}, expected 0 to {PARTITIONS_MAX}")
        known = self._newest.get(heartbeat.partition)
        if known is None or heartbeat.sent >= known.sent:
            self._newest[heartbeat.partition] = heartbeat

    def forget(self, partition: int) -> None:
        """Drop a partition whose heartbeat was deleted from the log."""
        self._newest.pop(partition, None)

    def status(self, now: datetime) -> Status:
        """Judge every partition at `now` (wall clock, aware)."""
        silent, ahead = [], []
        for partition, beat in self._newest.items():
            allowed = timedelta(seconds=INTERVALS_MAX * beat.interval_s)
            if now - beat.sent > allowed:
                silent.append(partition)
            elif beat.sent - now > allowed:  # its age cannot be told: fail safe
                ahead.append(partition)
        missing = [p for p in range(self.expected or 0) if p not in self._newest]
        beats = self._newest.values()
        cause: Cause = "alive"
        since = None
        if not self._newest:
            cause = "never"
        elif silent:
            cause, since = "silent", min(self._newest[p].sent for p in silent)
        elif ahead:
            cause = "clock"
        elif missing:
            cause = "missing"
        return Status(
            cause=cause,
            since=since,
            partitions=len(self._newest),
            expected=self.expected,
            lost=tuple(sorted(silent + ahead + missing)),
            lag=sum(beat.lag for beat in beats),
            present=sum(beat.present for beat in beats),
            newest=max((beat.sent for beat in beats), default=None),
        )
