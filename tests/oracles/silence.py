"""Silence of one patient, told from the end: each wait by itself, with all that came in it."""

from collections.abc import Sequence
from typing import NamedTuple

from telesurv_kernels import silence as k

Arrived = tuple[int, int, int]
"""Kind, arrival, and how long the log itself had been silent by then (ns)."""


class Wait(NamedTuple):
    """From what arms it to what arms anew, or to the end of the plan."""

    first: int  # index of the event that begins it
    last: int  # of the one that ends it; the number of events: none does


def silences(events: Sequence[Arrived], allowed_ns: int) -> list[tuple[str, int, int]]:
    """Return ("on", onset, detected) and ("off", end, end) in order."""
    said: list[tuple[str, int, int]] = []
    for wait in _waits(events):
        _, begin_ns, begin_shift_ns = events[wait.first]
        for index in range(wait.first + 1, min(wait.last + 1, len(events))):
            kind, now_ns, shift_ns = events[index]
            due_ns = begin_ns + allowed_ns + (shift_ns - begin_shift_ns)
            while due_ns % k.GRID_NS:
                due_ns += k.GRID_NS - due_ns % k.GRID_NS
            if now_ns < due_ns:
                continue
            said.append(("on", begin_ns, now_ns if kind == k.ENROL else due_ns))
            if wait.last < len(events):
                end_ns = events[wait.last][1]
                said.append(("off", end_ns, end_ns))
            break
    return said


def _waits(events: Sequence[Arrived]) -> list[Wait]:
    """A wait begins with a plan or a frame; frames begin new ones; an ended plan ends it."""
    waits: list[Wait] = []
    first, ended = None, False
    for index, (kind, _, _) in enumerate(events):
        if kind == k.ENROL:
            ended = False
            first = index if first is None else first
        elif kind == k.END:
            waits += [] if first is None else [Wait(first, index)]
            first, ended = None, True
        elif kind == k.FRAME and not ended:
            waits += [] if first is None else [Wait(first, index)]
            first = index
    return waits + ([] if first is None else [Wait(first, len(events))])
