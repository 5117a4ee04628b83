"""The leads that `leads` hears: each in a lane of its state.

Called a few times a second and heart, so they work on the fields of the state (`s`) of one row;
`leads` describes the rules.
"""

from typing import Any

import numpy as np

from telesurv_kernels._dtypes import BEAT, CANDIDATE, FIBRILLATION, GAP, MARK, NOISE_SHIFT
from telesurv_kernels._jit import kernel
from telesurv_kernels._pending import SLACK_NS

LEADS = 6
"""Leads of one heart that are heard at a time."""

SPEAKS_NS = 1_500_000_000  # a lead whose last MARK is older does not speak
THERE_NS = 3_000_000_000  # a lead of which nothing was heard for longer is not there
TOGETHER_NS = 1_000_000_000  # a longer gap, and the lead begins anew; leads begin together within
CALM_OCTAVES = 2.0  # of the usual beat to noise: 4 times; a baseline in which waveforms show
CONTRAST_FIRST = 2.0  # octaves
CONTRAST_MIN = 0.5  # times
FOUND_FIRST = 0.9
REJECTS_FIRST = 0.2
SMOOTH_CONTRAST, SMOOTH_REJECTS = 0.2, 0.1


@kernel
def leading_ns(s: Any) -> int:
    """Return how far the leading lead has come."""
    position_ns: Any = 0
    for lane in range(LEADS):
        if s["lead"][lane] != 0:
            position_ns = max(position_ns, s["position_ns"][lane])
    return int(position_ns)


@kernel
def living(s: Any, lane: int) -> bool:
    """Say whether a lane holds a lead that is not too far behind the leading one."""
    if s["lead"][lane] == 0:
        return False
    behind_ns = leading_ns(s) - s["position_ns"][lane]
    if behind_ns <= s["lag_ns"][lane]:
        return True
    for other in range(LEADS):
        ahead_ns = s["position_ns"][other] - s["position_ns"][lane]
        if s["lead"][other] != 0 and ahead_ns == behind_ns:
            return bool(behind_ns <= s["lag_ns"][other])
    return False


@kernel
def unsettled(s: Any, lane: int) -> bool:
    """Say whether others may yet begin together with a lane's lead, which began of late.

    None does where a lead that was there before has come so far.
    """
    joined_ns = s["joined_ns"][lane]
    if s["came"][lane] == 0 or leading_ns(s) >= joined_ns + s["lag_ns"][lane]:
        return False
    for other in range(LEADS):
        if (
            s["came"][other] == 1
            and s["joined_ns"][other] < joined_ns - TOGETHER_NS
            and s["position_ns"][other] >= joined_ns
        ):
            return False
    return True


@kernel
def reach_ns(s: Any) -> int:
    """Return up to when all that the leads may still say is known."""
    reached_ns: Any = leading_ns(s)
    for lane in range(LEADS):
        if living(s, lane):
            reached_ns = min(reached_ns, s["position_ns"][lane])
            if unsettled(s, lane):
                reached_ns = min(reached_ns, s["joined_ns"][lane] - 1)
    return int(reached_ns)


@kernel
def there(s: Any, lane: int) -> bool:
    """Say whether something was heard of a lane's lead of late."""
    return bool(s["lead"][lane] != 0 and s["now_ns"] - s["heard_ns"][lane] <= THERE_NS)


@kernel
def speaks(s: Any, lane: int) -> bool:
    """Say whether a lane's lead tells of its signal."""
    return bool(
        s["lead"][lane] != 0
        and s["spoke"][lane] == 1
        and s["now_ns"] - s["mark_ns"][lane] <= SPEAKS_NS
    )


@kernel
def forget(s: Any, lane: int, event: Any) -> None:
    """Begin a lane with the lead of an event."""
    s["lead"][lane] = event["lead"] + 1
    s["rank"][lane] = 0
    s["position_ns"][lane] = event["time_ns"]
    s["lag_ns"][lane] = 0
    s["came"][lane] = 0
    s["joined_ns"][lane] = 0
    s["heard_ns"][lane] = s["now_ns"] - THERE_NS - 1
    s["since_ns"][lane] = 0
    s["deaf_ns"][lane] = 0
    s["spoke"][lane] = 0
    s["mark_ns"][lane] = 0
    s["told_ns"][lane] = 0
    s["readable_ns"][lane] = 0
    s["beat_ns"][lane] = 0
    s["fibrillation"][lane] = 0
    s["fibrillation_ns"][lane] = 0
    s["run"][lane] = 0
    s["height_mv"][lane] = 0.0
    s["contrast"][lane] = CONTRAST_FIRST
    s["found"][lane] = FOUND_FIRST
    s["misses"][lane] = 0.0
    s["invents"][lane] = 0.0
    s["struck_ns"][lane] = 0
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
def better(s: Any, lane: int, other: int) -> bool:
    """Say whether the lead of a lane is of better rank than that of another."""
    if s["rank"][lane] != s["rank"][other]:
        return bool(s["rank"][lane] < s["rank"][other])
    return bool(s["lead"][lane] < s["lead"][other])


@kernel
def begin(s: Any, lane: int, event: Any) -> int:
    """Note that the signal of a lead begins; return for how long it is deaf to it, if at all.

    It may be so long after it began that its first frame comes.
    """
    apart_ns = abs(event["time_ns"] - s["position_ns"][lane])
    if s["came"][lane] == 1 and apart_ns <= TOGETHER_NS:
        return 0
    s["came"][lane] = 1
    s["joined_ns"][lane] = event["time_ns"]
    return int(max(s["lag_ns"][lane], 1))


@kernel
def note_beat(s: Any, lane: int) -> None:
    """Smooth what a lead rejected between two beats."""
    s["rejects"][lane] += SMOOTH_REJECTS * (s["reject"][lane] - s["rejects"][lane])
    s["reject"][lane] = 0.0


@kernel
def hear(s: Any, lane: int, kind: int, time_ns: int, value: float, flags: int) -> None:
    """Learn from an event what a lead knows."""
    if kind == MARK:
        if value < time_ns - s["mark_ns"][lane] - SLACK_NS:
            s["readable_ns"][lane] = time_ns
        s["mark_ns"][lane] = time_ns
        s["spoke"][lane] = 1
    elif kind == GAP:
        s["mark_ns"][lane] = time_ns
        s["told_ns"][lane] = time_ns
        s["readable_ns"][lane] = time_ns
        s["spoke"][lane] = 0
        s["run"][lane] = 0
    elif kind == BEAT:
        enter(s, lane, time_ns, flags)
    elif kind == FIBRILLATION:
        s["fibrillation"][lane] = np.int64(value)
        s["fibrillation_ns"][lane] = time_ns
    if kind in (MARK, BEAT, CANDIDATE):
        s["told_ns"][lane] = max(s["told_ns"][lane], time_ns)


@kernel
def joins(s: Any, lane: int, time_ns: int) -> bool:
    """Say whether other leads were there before a lead that begins, at that time.

    So is a lead that is still deaf: who comes first, it or the one that begins, must not decide.
    """
    before = 0
    for other in range(LEADS):
        if other != lane and s["since_ns"][other] < time_ns - TOGETHER_NS:
            known_ns = max(s["heard_ns"][other], s["deaf_ns"][other])
            before += s["lead"][other] != 0 and time_ns - known_ns <= THERE_NS
    return before > 0


@kernel
def went_back(s: Any) -> bool:
    """Say whether every living lead lies before what the heart's MARKs cover."""
    for lane in range(LEADS):
        if s["lead"][lane] != 0 and s["position_ns"][lane] >= s["marked_ns"] - 1:
            return False
    return True


@kernel
def set_back(s: Any, now_ns: int) -> None:
    """Forget what lies in the future, after a clock was set back."""
    s["now_ns"] = now_ns
    s["evidence"] = 0
    for lane in range(LEADS):
        s["heard_ns"][lane] = now_ns - THERE_NS - 1
        s["deaf_ns"][lane] = 0
        s["struck_ns"][lane] = 0
        s["spoke"][lane] = 0
