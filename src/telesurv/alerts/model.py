"""An alert, a minute of numerics and a heartbeat as they travel: JSON by msgspec."""

from datetime import datetime
from typing import Literal

import msgspec

Priority = Literal["high", "medium", "low"]
Kind = Literal["physiological", "technical"]
Mode = Literal["live", "replay", "demo"]
Language = Literal["en", "fr"]


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A condition that an alert went through."""

    condition: str
    priority: Priority
    onset: datetime
    detected: datetime
    resolved: datetime | None = None


class Reason(msgspec.Struct, frozen=True, kw_only=True):
    """One sentence with its numbers, in both languages."""

    en: str
    fr: str


class Strip(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of one channel that shows what an alert speaks of."""

    device: str
    channel: str
    unit: str  # UCUM
    start: datetime
    rate: float  # samples a second
    scale: float  # physical = sample * scale + offset
    offset: float
    samples: bytes  # little-endian int16, base64 in JSON; -32768 is missing
    unreadable: tuple[tuple[int, int, str], ...] = ()  # samples [from, to) and why
    beats: tuple[int, ...] = ()  # samples of the R-peaks
    beat_classes: str = ""  # a letter each: N, S, V, F, Q of EC57; ?: not classified


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """What fired: the rule's name and version, its limit, and the plan that set it."""

    name: str
    version: int
    limit: float | None = None
    unit: str = ""
    plan_version: int = 0  # 0: the default plan


class Alert(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=False):
    """An alert in one revision; of one id, the highest revision counts."""

    id: str
    revision: int
    patient: str
    condition: str  # the gravest now (of a resolved alert: the gravest it went through)
    conditions: tuple[Entry, ...]
    kind: Kind
    priority: Priority
    mode: Mode
    retrospective: bool = False
    cross_check: str = "not cross-checked"
    not_analysable_since: datetime | None = None
    onset: datetime
    detected: datetime  # device time of the sample at which the present condition was decided
    resolved: datetime | None = None
    # Wall time, set by the service: the only field that a replay differs in.
    emitted: datetime | None = None
    count: int = 1
    reason: Reason
    evidence: tuple[Strip, ...] = ()
    evidence_complete: bool = False
    rule: Rule


class Minute(msgspec.Struct, frozen=True, kw_only=True):
    """One device-time minute of one numeric of one patient."""

    patient: str
    mode: Mode
    minute: datetime
    numeric: str  # heart_rate, spo2
    unit: str
    mean: float
    low: float


class Heartbeat(msgspec.Struct, frozen=True, kw_only=True):
    """A partition's owner says that it lives, how far it is, and which alerts are present."""

    partition: int
    position: int  # next offset to be analysed
    lag: int  # records not yet analysed
    present: int  # number of present alerts
    digest: str  # of their sorted ids and revisions
    sent: datetime  # wall time
    worker: str
    interval_s: float  # the next one is due in


class Limits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A patient's limits; what is left out is the default of the condition."""

    spo2_low: float | None = None  # desaturation below, %; 75 to 98
    spo2_severe: float | None = None  # severe desaturation below, %; 70 to 95
    asystole_s: float | None = None  # asystole after so long without a beat, s; 3 to 6
    heart_rate_low: float | None = None  # extreme bradycardia below, /min; 20 to 60
    heart_rate_low_beats: int | None = None  # for so many beats in a row; 4 to 5
    heart_rate_high: float | None = None  # extreme tachycardia above, /min; 100 to 220
    heart_rate_high_beats: int | None = None  # for so many beats in a row; 9 to 17


class Plan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is expected of a patient, and their limits."""

    patient: str
    version: int  # rises with each change; an older or equal copy is ignored
    route: str = ""  # key of the patient's frames; default: the patient
    expected_interval: str = "15m"  # something valid arrives at least this often
    grace: str = "5m"  # and may be this late
    limits: Limits = Limits()
    ended: bool = False  # the surveillance is over: no silence is judged any more
