"""The leads that `leads` hears: each in a lane of its state, and the queue of what they said.

Called a few times a second and heart, so they work on the fields of the state (`s`) of one row;
`leads` describes the rules.
"""

from typing import Any

import numpy as np

from telesurv_kernels._dtypes import NOISE_SHIFT
from telesurv_kernels._jit import kernel

LEADS = 6
"""Leads of one heart that are heard at a time."""

QUEUE = 96
"""Events that wait for other leads: 10 s of one lead, which gives 4 MARKs and 5 peaks a second."""

SPEAKS_NS = 1_500_000_000  # a lead whose last MARK is older does not speak
CONTRAST_FIRST = 2.0  # octaves
CONTRAST_MIN = 0.5  # times
FOUND_FIRST = 0.9
REJECTS_FIRST = 0.2
SMOOTH_CONTRAST, SMOOTH_REJECTS = 0.2, 0.1


@kernel
def living(s: Any, lane: int) -> bool:
    """Say whether a lane holds a lead that is not too far behind the leading one."""
    if s["lead"][lane] == 0:
        return False
    leading = lane
    for other in range(LEADS):
        if s["lead"][other] != 0 and s["position_ns"][other] > s["position_ns"][leading]:
            leading = other
    behind_ns = s["position_ns"][leading] - s["position_ns"][lane]
    return bool(behind_ns <= s["lag_ns"][leading])


@kernel
def speaks(s: Any, lane: int) -> bool:
    """Say whether a lane's lead is living and tells of its signal."""
    return bool(
        s["spoke"][lane] == 1 and s["now_ns"] - s["mark_ns"][lane] <= SPEAKS_NS and living(s, lane)
    )


@kernel
def forget(s: Any, lane: int, event: Any) -> None:
    """Begin a lane with the lead of an event."""
    s["lead"][lane] = event["lead"] + 1
    s["rank"][lane] = 0
    s["position_ns"][lane] = event["time_ns"]
    s["lag_ns"][lane] = 0
    s["spoke"][lane] = 0
    s["mark_ns"][lane] = 0
    s["told_ns"][lane] = 0
    s["readable_ns"][lane] = 0
    s["beat_ns"][lane] = 0
    s["fibrillation"][lane] = 0
    s["contrast"][lane] = CONTRAST_FIRST
    s["found"][lane] = FOUND_FIRST
    s["rejects"][lane] = REJECTS_FIRST
    s["reject"][lane] = 0.0


@kernel
def enter(s: Any, lane: int, time_ns: int, flags: int) -> None:
    """Learn from a beat of a lead how far its beats stand out of its noise."""
    octaves = np.log2(max((flags >> NOISE_SHIFT & 255) / 4.0, CONTRAST_MIN))
    s["contrast"][lane] += SMOOTH_CONTRAST * (octaves - s["contrast"][lane])
    s["beat_ns"][lane] = time_ns


@kernel
def none_speaks(s: Any) -> bool:
    """Say whether nothing is known of the present signal of any lead."""
    speaking = 0
    for lane in range(LEADS):
        speaking += speaks(s, lane)
    return speaking == 0


@kernel
def lane_of(s: Any, lead: int) -> int:
    """Return the lane of a lead: its own, a free one, or one whose lead is dead; -1: none."""
    free = -1
    for lane in range(LEADS):
        if s["lead"][lane] == lead + 1:
            return lane
        if s["lead"][lane] == 0 and free < 0:
            free = lane
    if free >= 0:
        return free
    for lane in range(LEADS):
        if not living(s, lane) and (free < 0 or s["position_ns"][lane] < s["position_ns"][free]):
            free = lane
    if free >= 0:
        s["lead"][free] = 0
    return free


@kernel
def waits(s: Any, lane: int) -> bool:
    """Say whether events of a lane wait."""
    waiting = 0
    for slot in range(s["queue"]):
        waiting += s["queue_lane"][slot] == lane
    return waiting > 0


@kernel
def wait(s: Any, lane: int, event: Any) -> None:
    """Put an event behind those that were decided before it."""
    decided_ns, lead = event["decided_ns"], event["lead"] + 1
    slot = s["queue"]
    while slot > 0:
        before_ns = s["queue_decided_ns"][slot - 1]
        if before_ns < decided_ns or (
            before_ns == decided_ns and s["lead"][s["queue_lane"][slot - 1]] <= lead
        ):
            break
        s["queue_ns"][slot] = s["queue_ns"][slot - 1]
        s["queue_decided_ns"][slot] = before_ns
        s["queue_value"][slot] = s["queue_value"][slot - 1]
        s["queue_flags"][slot] = s["queue_flags"][slot - 1]
        s["queue_kind"][slot] = s["queue_kind"][slot - 1]
        s["queue_lane"][slot] = s["queue_lane"][slot - 1]
        slot -= 1
    s["queue_ns"][slot] = event["time_ns"]
    s["queue_decided_ns"][slot] = decided_ns
    s["queue_value"][slot] = event["value"]
    s["queue_flags"][slot] = event["flags"]
    s["queue_kind"][slot] = event["kind"]
    s["queue_lane"][slot] = lane
    s["queue"] += 1


@kernel
def ripe(s: Any) -> bool:
    """Say whether every other living lead has come as far as the first event that waits."""
    for lane in range(LEADS):
        if (
            lane != s["queue_lane"][0]
            and s["position_ns"][lane] < s["queue_decided_ns"][0]
            and living(s, lane)
        ):
            return False
    return True


@kernel
def drop_first(s: Any) -> None:
    """Remove the first event that waits."""
    for slot in range(1, s["queue"]):
        s["queue_ns"][slot - 1] = s["queue_ns"][slot]
        s["queue_decided_ns"][slot - 1] = s["queue_decided_ns"][slot]
        s["queue_value"][slot - 1] = s["queue_value"][slot]
        s["queue_flags"][slot - 1] = s["queue_flags"][slot]
        s["queue_kind"][slot - 1] = s["queue_kind"][slot]
        s["queue_lane"][slot - 1] = s["queue_lane"][slot]
    s["queue"] -= 1


@kernel
def note_beat(s: Any, lane: int) -> None:
    """Smooth what a lead rejected between two beats."""
    s["rejects"][lane] += SMOOTH_REJECTS * (s["reject"][lane] - s["rejects"][lane])
    s["reject"][lane] = 0.0
