"""Peaks of leads that wait in the state of `leads` until they are judged, sorted by time.

Called a few times a second and heart, so they work on the fields of the state (`s`) of one row.
"""

from typing import Any

from telesurv_kernels._dtypes import STRENGTH_SHIFT
from telesurv_kernels._jit import kernel

EVIDENCE = 48
"""Peaks that may wait: six leads of one in 200 ms, for 1.2 s, and some more."""


@kernel
def hold(s: Any, lane: int, time_ns: int, value: float, flags: int, beat: int) -> None:
    """Keep a peak until it is judged; what the heart's MARKs cover is past."""
    if time_ns < s["marked_ns"]:
        return
    if s["evidence"] == EVIDENCE:
        remove(s, 0)
    slot = s["evidence"]
    while slot > 0 and s["evidence_ns"][slot - 1] > time_ns:
        copy(s, slot - 1, slot)
        slot -= 1
    s["evidence_ns"][slot] = time_ns
    s["evidence_value"][slot] = value
    s["evidence_flags"][slot] = flags
    s["evidence_lane"][slot] = lane
    s["evidence_beat"][slot] = beat
    s["evidence"] += 1


@kernel
def copy(s: Any, origin: int, slot: int) -> None:
    s["evidence_ns"][slot] = s["evidence_ns"][origin]
    s["evidence_value"][slot] = s["evidence_value"][origin]
    s["evidence_flags"][slot] = s["evidence_flags"][origin]
    s["evidence_lane"][slot] = s["evidence_lane"][origin]
    s["evidence_beat"][slot] = s["evidence_beat"][origin]


@kernel
def remove(s: Any, slot: int) -> None:
    for later in range(slot + 1, s["evidence"]):
        copy(s, later, later - 1)
    s["evidence"] -= 1


@kernel
def first_beat(s: Any) -> int:
    """Return the slot of the first peak that a lead took for a beat; -1: none waits."""
    for slot in range(s["evidence"]):
        if s["evidence_beat"][slot] == 1:
            return slot
    return -1


@kernel
def strength(s: Any, slot: int) -> float:
    """Return the strength of a peak, in usual beats."""
    share: float = (s["evidence_flags"][slot] >> STRENGTH_SHIFT & 255) / 32.0
    return share


@kernel
def note_reject(s: Any, slot: int) -> None:
    """Remember how strong what is no beat was."""
    lane = s["evidence_lane"][slot]
    s["reject"][lane] = max(s["reject"][lane], min(strength(s, slot), 1.0))
