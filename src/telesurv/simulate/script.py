"""What happens to a simulated patient, and when."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from telesurv.quantities import duration_s, show_duration


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of event: how long it takes by default, and its number, if it has one."""

    duration_s: float
    help: str
    value: float = 0.0
    unit: str = ""


EVENTS = {
    "asystole": Kind(8.0, "no beat at all"),
    "pause": Kind(3.5, "one interval between two beats of this duration"),
    "extreme-bradycardia": Kind(30.0, "a slow rhythm", 30.0, "/min"),
    "extreme-tachycardia": Kind(30.0, "a fast rhythm", 165.0, "/min"),
    "desaturation": Kind(90.0, "SpO2 falls and comes back", 86.0, "%"),
    "severe-desaturation": Kind(90.0, "SpO2 falls far and comes back", 78.0, "%"),
    "probe-off": Kind(40.0, "no SpO2, the PPG is constant"),
    "lead-off": Kind(40.0, "the ECG is constant"),
    "silence": Kind(120.0, "the device sends nothing"),
    "noise": Kind(20.0, "motion: muscle noise and a wandering baseline on ECG and PPG"),
    "clock-skew": Kind(300.0, "the device's clock is ahead", 600.0, "s"),
}
"""Name → kind. Rates, levels and shifts are the number after `=` in a script."""

_EVENT = re.compile(
    r"(?:(?P<patient>[^\s:@]+):)?(?P<kind>[a-z-]+)(?:=(?P<value>[0-9.]+))?"
    r"@(?P<at>[^+\s]+)(?:\+(?P<duration>\S+))?"
)
EXPECTED = "[PATIENT:]EVENT[=NUMBER]@AT[+DURATION], such as p-01:asystole@1m+8s"


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a script; times are seconds of the patient's own time, from its beginning."""

    kind: str
    at_s: float
    duration_s: float
    value: float = 0.0

    @property
    def end_s(self) -> float:
        """When it is over."""
        return self.at_s + self.duration_s

    def __str__(self) -> str:
        """Return the event as `Script.parse` reads it."""
        number = f"={self.value:g}" if self.value else ""
        times = f"@{show_duration(self.at_s)}+{show_duration(self.duration_s)}"
        return f"{self.kind}{number}{times}"


def parse_event(text: str) -> tuple[str | None, Event]:
    """Return the patient that an event is for (None: all), and the event.

    Raises
    ------
    ValueError
        Says what was seen and what was expected.
    """
    found = _EVENT.fullmatch(text.strip())
    if not found:
        raise ValueError(f"saw {text!r}, expected {EXPECTED}")
    kind = EVENTS.get(found["kind"])
    if kind is None:
        raise ValueError(f"saw event {found['kind']!r}, expected one of {', '.join(EVENTS)}")
    if found["value"] and not kind.value:
        raise ValueError(f"saw {text!r}, expected no number: {found['kind']} has none")
    length = duration_s(found["duration"]) if found["duration"] else kind.duration_s
    value = float(found["value"]) if found["value"] else kind.value
    return found["patient"], Event(found["kind"], duration_s(found["at"]), length, value)


@dataclass(frozen=True, slots=True)
class Script:
    """The events of one patient; they may overlap where they concern different signals."""

    events: tuple[Event, ...] = ()

    @classmethod
    def parse(cls, *texts: str) -> "Script":
        """Return the script of events written as `asystole@60s+8s`; raises `ValueError`."""
        return cls(tuple(parse_event(text)[1] for text in texts))

    def of(self, *kinds: str) -> tuple[Event, ...]:
        """Return the events of these kinds, by time."""
        chosen = (event for event in self.events if event.kind in kinds)
        return tuple(sorted(chosen, key=lambda event: event.at_s))

    def within(self, kind: str, from_s: float, to_s: float) -> Iterator[tuple[float, float]]:
        """Yield the parts of [from_s, to_s) in which an event of this kind goes on."""
        for event in self.events:
            start, end = max(event.at_s, from_s), min(event.end_s, to_s)
            if event.kind == kind and start < end:
                yield start, end
