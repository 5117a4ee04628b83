"""An episode: one cause, one id, from the first finding to the end; and the alert it shows."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import cast

import msgspec

from telesurv.alerts.conditions import CONDITIONS, Condition
from telesurv.alerts.life import State
from telesurv.alerts.model import Alert, Entry, Mode, Priority, Rule, Strip
from telesurv.alerts.reasons import reason

NAMESPACE = uuid.UUID("3f1d2a52-7c0b-5f0e-9d5a-7e1c5e0c4b1e")
"""Of alert ids. Never changes: an id is that of its alert across upgrades."""

ENTRIES_MAX = 16
"""Entries that an alert lists; what joined before the last of them is in the count."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def moment(time_ns: int) -> datetime:
    """Return device time in nanoseconds as a UTC date, cut to microseconds."""
    return _EPOCH + timedelta(microseconds=time_ns // 1000)


def alert_id(patient: str, condition: str, onset_ns: int) -> str:
    """Return the UUIDv5 of patient, condition and the onset first announced.

    Parameters
    ----------
    condition : its name; where each channel has an episode of its own, device and channel follow
    """
    return str(uuid.uuid5(NAMESPACE, f"{patient}/{condition}/{onset_ns}"))


class Present(msgspec.Struct, kw_only=True):
    """A condition that the episode went through."""

    condition: str
    priority: Priority
    onset_ns: int
    detected_ns: int
    value: float  # the number that fired
    limit: float
    plan_version: int
    resolved_ns: int | None = None
    beats: int = 0  # in a row, that the plan asks for; 0: none are counted


class Episode(msgspec.Struct, kw_only=True):
    """What is kept of an alert between frames. Checkpointed whole."""

    id: str
    chain: str
    state: State = "absent"
    revision: int = 0
    count: int = 1
    entries: list[Present]
    channel: str = ""  # it was found in
    onset_ns: int
    ended_ns: int | None = None
    retrospective: bool = False
    unanalysed_ns: int | None = None
    escalate_ns: int | None = None  # when a low one that lasts becomes medium
    strip_line: int = -1  # timeline of the strip; in a snapshot an index into its list
    strip_from_ns: int = 0
    strip_to_ns: int = 0  # when position passes this, the strip is complete
    strip_by_ns: int = 0  # when any signal passes this, the strip is complete with what there is
    strip_complete: bool = False
    strip: Strip | None = None
    first_strip: Strip | None = None  # of the beginning, when `strip` shows what came later

    @property
    def gravest(self) -> Present:
        """The gravest condition that is present; of an ended episode, that it ever had."""
        among = [entry for entry in self.entries if entry.resolved_ns is None] or self.entries
        return max(among, key=lambda e: (CONDITIONS[e.condition].rank, e.onset_ns))

    @property
    def next_point_ns(self) -> int | None:
        """The next device time at which something is to be shown."""
        points = [] if self.strip_complete else [self.strip_to_ns]
        if self.escalate_ns is not None and self.state == "present":
            points.append(self.escalate_ns)
        return min(points, default=None)

    def is_present(self, condition: str) -> bool:
        """Whether a condition holds now."""
        return any(e.condition == condition and e.resolved_ns is None for e in self.entries)

    def enter(self, entry: Present) -> None:
        """List a condition; where there are too many, the oldest of those that are over go."""
        self.entries.append(entry)
        over = [known for known in self.entries if known.resolved_ns is not None]
        for known in over[: max(0, len(self.entries) - ENTRIES_MAX)]:
            self.entries.remove(known)

    def escalate(self) -> None:
        """Let what is present and low have lasted longer than its grace."""
        self.escalate_ns = None
        for entry in self.entries:
            if entry.resolved_ns is None and entry.priority == "low":
                entry.priority = "medium"

    def end(self, condition: str, end_ns: int) -> None:
        """Let a condition have ended."""
        for entry in self.entries:
            if entry.condition == condition and entry.resolved_ns is None:
                entry.resolved_ns = max(end_ns, entry.onset_ns)

    def joins(self, onset_ns: int) -> bool:
        """Whether what begins at `onset_ns` still belongs to this ended episode."""
        assert self.ended_ns is not None
        join_ns = max(CONDITIONS[entry.condition].join_ns for entry in self.entries)
        return onset_ns <= self.ended_ns + join_ns

    def alert(self, patient: str, mode: str) -> Alert:
        """Return the alert of this revision."""
        entry = self.gravest
        known: Condition = CONDITIONS[entry.condition]
        resolved = None if self.state == "present" else self.ended_ns
        return Alert(
            id=self.id,
            revision=self.revision,
            patient=patient,
            condition=entry.condition,
            conditions=tuple(_entry(e) for e in self.entries),
            kind=known.kind,
            priority=entry.priority,
            mode=cast("Mode", mode),
            retrospective=self.retrospective,
            not_analysable_since=None if self.unanalysed_ns is None else moment(self.unanalysed_ns),
            onset=moment(self.onset_ns),
            detected=moment(entry.detected_ns),
            resolved=None if resolved is None else moment(resolved),
            count=self.count,
            reason=reason(entry.condition, entry.value, entry.limit, self.channel, entry.beats),
            evidence=tuple(s for s in (self.first_strip, self.strip) if s is not None),
            evidence_complete=self.strip_complete,
            rule=Rule(
                name=entry.condition,
                version=known.version,
                limit=entry.limit,
                unit=known.unit,
                plan_version=entry.plan_version,
            ),
        )


def _entry(entry: Present) -> Entry:
    resolved = None if entry.resolved_ns is None else moment(entry.resolved_ns)
    return Entry(
        condition=entry.condition,
        priority=entry.priority,
        onset=moment(entry.onset_ns),
        detected=moment(entry.detected_ns),
        resolved=resolved,
    )
