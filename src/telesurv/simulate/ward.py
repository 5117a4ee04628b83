"""A ward of simulated patients, some of whom fall ill."""

from telesurv.simulate.patient import EPOCH_NS, Patient
from telesurv.simulate.script import EVENTS, Event, Script

ILLS = (
    "asystole",
    "severe-desaturation",
    "extreme-tachycardia",
    "silence",
    "lead-off",
    "extreme-bradycardia",
    "desaturation",
    "probe-off",
    "pause",
    "noise",
)
"""What befalls the patients, in this order; every third one stays well."""


def ward(
    count: int,
    seed: int,
    *,
    first_s: float = 15.0,
    apart_s: float = 5.0,
    again_s: float = 600.0,
    until_s: float = 86_400.0,
    epoch_ns: int = EPOCH_NS,
    mode: str = "live",
    prefix: str = "sim-",
) -> list[Patient]:
    """Return patients of whom two in three fall ill, one after the other, again and again.

    Parameters
    ----------
    first_s, apart_s : when the first falls ill, and how long after each the next does
    again_s, until_s : after how long all of it comes again, and when no more
    """
    patients = []
    ills = 0
    for number in range(count):
        events: list[Event] = []
        if number % 3 != 2:
            kind = ILLS[ills % len(ILLS)]
            at_s = first_s + ills * apart_s
            ills += 1
            while at_s < until_s:
                events.append(Event(kind, at_s, EVENTS[kind].duration_s, EVENTS[kind].value))
                at_s += again_s
        script = Script(tuple(events))
        name = f"{prefix}{number + 1:02d}"
        patients.append(Patient(name, script, seed * 10_007 + number, epoch_ns=epoch_ns, mode=mode))
    return patients
