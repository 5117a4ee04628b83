"""Beats that wait, sorted by time, until a MARK says whether the signal up to them was readable.

The buffer lies in the state of the kernel that uses it: the fields `decided_ns` (beats
before it are done with), `crowded`, `pending`, `pending_ns` and `pending_flags`.
"""

from typing import Any

from telesurv_kernels._jit import kernel

PENDING = 16
"""Beats that may wait; a heart does not beat 16 times in the second or so that they do."""

SLACK_NS = 20_000_000
"""A MARK may miss so much of its stretch and still be readable throughout.

Shorter than any QRS (60 ms); two samples at 100 Hz, the lowest rate of an ECG, which
rounding and a moving anchor may cost.
"""


@kernel
def hold(s: Any, time_ns: int, flags: int) -> None:
    """Keep a beat; one that was decided about already, or is there already, is no news."""
    if s["seen"] == 0 or time_ns < s["decided_ns"]:
        return
    pending = s["pending"]
    pending_ns = s["pending_ns"]
    pending_flags = s["pending_flags"]
    slot = pending
    while slot > 0 and pending_ns[slot - 1] >= time_ns:
        slot -= 1
    if slot < pending and pending_ns[slot] == time_ns:
        return
    if pending == PENDING:
        s["crowded"] = 1
        return
    for later in range(pending, slot, -1):
        pending_ns[later] = pending_ns[later - 1]
        pending_flags[later] = pending_flags[later - 1]
    pending_ns[slot] = time_ns
    pending_flags[slot] = flags
    s["pending"] = pending + 1


@kernel
def covered_by(s: Any, time_ns: int) -> int:
    """Return how many of the waiting beats lie before `time_ns`.

    One exactly there waits for the next MARK, whichever of the two came first.
    """
    covered = 0
    while covered < s["pending"] and s["pending_ns"][covered] < time_ns:
        covered += 1
    return covered


@kernel
def readable_to(s: Any, mark: Any) -> bool:
    """Say whether the signal was readable throughout up to a MARK, and no beat was lost."""
    stretch_ns = mark["time_ns"] - s["decided_ns"]
    return bool(mark["value"] >= stretch_ns - SLACK_NS and s["crowded"] == 0)


@kernel
def release(s: Any, covered: int) -> None:
    """Drop the first `covered` beats, and the memory that one did not fit."""
    left = s["pending"] - covered
    for slot in range(left):
        s["pending_ns"][slot] = s["pending_ns"][slot + covered]
        s["pending_flags"][slot] = s["pending_flags"][slot + covered]
    s["pending"] = left
    s["crowded"] = 0
