"""What the leads of `leads` said and waits for others, in its state: by when it was decided.

Called a few times a second and heart, so they work on the fields of the state (`s`) of one row;
`leads` describes the rules.

Six leads with frames of 10 s can fill it. Then what costs least is let go: first of all the
weakest of what leads rejected, then MARKs, each with what it says to the next of its lead. No
beat is lost, and none waits for less than it would. What was let go depends on the order in which
frames came, which is the log's; so does the answer then.
"""

from typing import Any

from telesurv_kernels._dtypes import CANDIDATE, GAP, MARK, STRENGTH_SHIFT
from telesurv_kernels._jit import kernel
from telesurv_kernels._lanes import LEADS, SPEAKS_NS, better, living, unsettled

QUEUE = 192
"""Events that wait: 10 s of three leads, which give 4 MARKs and 1 to 3 peaks a second each."""

KIND_SHIFT, LANE_SHIFT = 24, 27
"""`queue_what` holds flags, kind and lane: flags of what a lead says have 24 bits."""
FLAGS_MASK, KIND_MASK = (1 << KIND_SHIFT) - 1, 7


@kernel
def kind_at(s: Any, slot: int) -> int:
    """Return the kind of an event that waits."""
    return int(s["queue_what"][slot] >> KIND_SHIFT & KIND_MASK)


@kernel
def lane_at(s: Any, slot: int) -> int:
    """Return the lane of an event that waits."""
    return int(s["queue_what"][slot] >> LANE_SHIFT)


@kernel
def waits(s: Any, lane: int) -> bool:
    """Say whether events of a lane wait."""
    waiting = 0
    for slot in range(s["queue"]):
        waiting += lane_at(s, slot) == lane
    return waiting > 0


@kernel
def _copy(s: Any, origin: int, slot: int) -> None:
    s["queue_ns"][slot] = s["queue_ns"][origin]
    s["queue_decided_ns"][slot] = s["queue_decided_ns"][origin]
    s["queue_value"][slot] = s["queue_value"][origin]
    s["queue_what"][slot] = s["queue_what"][origin]


@kernel
def wait(s: Any, lane: int, event: Any, value: float) -> None:
    """Put an event behind those that were decided before it."""
    decided_ns = event["decided_ns"]
    slot = s["queue"]
    while slot > 0:
        before_ns = s["queue_decided_ns"][slot - 1]
        if before_ns < decided_ns or (
            before_ns == decided_ns and not better(s, lane, lane_at(s, slot - 1))
        ):
            break
        _copy(s, slot - 1, slot)
        slot -= 1
    what = event["flags"] & FLAGS_MASK | event["kind"] << KIND_SHIFT | lane << LANE_SHIFT
    s["queue_ns"][slot] = event["time_ns"]
    s["queue_decided_ns"][slot] = decided_ns
    s["queue_value"][slot] = value
    s["queue_what"][slot] = what
    s["queue"] += 1


@kernel
def drop(s: Any, slot: int) -> None:
    """Remove an event that waits."""
    for later in range(slot + 1, s["queue"]):
        _copy(s, later, later - 1)
    s["queue"] -= 1
    # A checkpoint is the smaller for it.
    last = s["queue"]
    s["queue_ns"][last] = s["queue_decided_ns"][last] = 0
    s["queue_value"][last] = 0.0
    s["queue_what"][last] = 0


@kernel
def ripe(s: Any) -> bool:
    """Say whether every other living lead has come as far as the first event that waits."""
    decided_ns = s["queue_decided_ns"][0]
    for lane in range(LEADS):
        if s["lead"][lane] == 0:
            continue
        behind = lane != lane_at(s, 0) and s["position_ns"][lane] < decided_ns
        if behind and living(s, lane):
            return False
        if decided_ns >= s["joined_ns"][lane] and unsettled(s, lane):
            return False
    return True


@kernel
def _weakest(s: Any) -> int:
    """Return the weakest that a lead rejected, the first of equals; -1: none waits."""
    weakest, least = -1, 256
    for slot in range(s["queue"]):
        strength = s["queue_what"][slot] >> STRENGTH_SHIFT & 255
        if kind_at(s, slot) == CANDIDATE and strength < least:
            weakest, least = slot, strength
    return weakest


@kernel
def _merge(s: Any) -> int:
    """Let a MARK say what the one before it in its lane does; return that one, -1: none.

    It is that of which the neighbours lie closest, but not so far apart that its lead would
    seem not to speak.
    """
    spare, after, closest = -1, -1, SPEAKS_NS
    for slot in range(s["queue"]):
        if kind_at(s, slot) != MARK:
            continue
        lane = lane_at(s, slot)
        before_ns = s["mark_ns"][lane]
        for other in range(slot):
            if lane_at(s, other) == lane and kind_at(s, other) in (MARK, GAP):
                before_ns = s["queue_ns"][other]
        for other in range(slot + 1, s["queue"]):
            if lane_at(s, other) == lane and kind_at(s, other) in (MARK, GAP):
                apart_ns = s["queue_decided_ns"][other] - before_ns
                if kind_at(s, other) == MARK and apart_ns < closest:
                    spare, after, closest = slot, other, apart_ns
                break
    if spare >= 0:
        s["queue_value"][after] += s["queue_value"][spare]
    return spare


@kernel
def make_room(s: Any) -> bool:
    """Let go of what costs least; say whether anything but beats waited."""
    spare = _weakest(s)
    if spare < 0:
        spare = _merge(s)
    if spare >= 0:
        drop(s, spare)
    return spare >= 0
