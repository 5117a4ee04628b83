"""How `leads` weighs the peaks of several leads: they wait in its state, sorted by time.

Called a few times a second and heart, so they work on the fields of the state (`s`) and the
params (`p`) of one row; `leads` describes the rules, `_testimony` what is weighed.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from telesurv_kernels._dtypes import (
    BEAT,
    CLASS_MASK,
    CLASS_SHIFT,
    LEAD_SHIFT,
    RUN_SHIFT,
    UNSURE,
    VENTRICULAR,
)
from telesurv_kernels._jit import kernel
from telesurv_kernels._lanes import LEADS, SPEAKS_NS, better, none_speaks, note_beat, speaks
from telesurv_kernels._peaks import first_beat, note_reject, remove, strength
from telesurv_kernels._runs import follow
from telesurv_kernels._testimony import (
    ABSENT,
    ERRORS_MIN,
    FEATURES,
    FOR,
    REFRACTORY_NS,
    RR,
    SILENT,
    STRENGTH_MIN,
    UNREAD,
    clear,
    describe,
    errors,
    found_odds,
)

PAIR_NS = REFRACTORY_NS  # peaks of two leads this close are one QRS, for no two beats are
REJECT_PAIR_NS = 140_000_000  # and a beat and what another lead rejected
NEVER_NS = 1 << 62
APART_NS = 100_000_000  # further apart, the clearer of two peaks is the beat's
FAR_NS = 140_000_000  # and so far, it lies between them
PATIENCE_NS = 950_000_000  # a lead decides within 750 ms, and its peak may be 200 ms later
ALIVE_NS = 2_500_000_000  # a lead that found a beat within this is asked though it is unreadable
UNSURE_ODDS = 100.0  # any lead that is readable is told rather than one that is not
KEEP = 1.0  # log-odds by which another lead must be better to be followed
FOUND_MIN, FOUND_MAX = 0.03, 0.98
SMOOTH_FOUND, SMOOTH_ERRORS = 0.03, 0.01


@kernel
def out(
    findings: NDArray[Any],
    found: int,
    at: tuple[int, int, int],
    kind: int,
    time_ns: int,
    value: float,
    flags: int,
) -> int:
    """Write one EVENT, decided `at` row, segment and time; return the number written so far."""
    findings[found]["row"] = at[0]
    findings[found]["segment"] = at[1]
    findings[found]["kind"] = kind
    findings[found]["time_ns"] = time_ns
    findings[found]["decided_ns"] = at[2]
    findings[found]["value"] = value
    findings[found]["flags"] = flags
    return found + 1


@kernel
def count(s: Any, time_ns: int) -> None:
    """Count a beat of the heart."""
    if s["beats"] > 0:
        s["rr_ns"][(s["beats"] - 1) % RR] = time_ns - s["last_ns"]
    s["beats"] += 1
    s["last_ns"] = time_ns


@kernel
def _mate(s: Any, first: int, lane: int) -> int:
    """Return the peak of a lane that belongs to the beat at slot `first`; -1: none."""
    time_ns = s["evidence_ns"][first]
    nearest, distance = -1, REJECT_PAIR_NS
    for slot in range(s["evidence"]):
        if s["evidence_lane"][slot] != lane:
            continue
        apart = s["evidence_ns"][slot] - time_ns
        if s["evidence_beat"][slot] == 1:
            if slot > first and apart <= PAIR_NS:
                return slot
        elif abs(apart) < distance:
            nearest, distance = slot, abs(apart)
    return nearest


@kernel
def _is_open(s: Any, first: int) -> bool:
    """Say whether a lead that speaks may still take a peak for the beat at slot `first`."""
    until_ns = s["evidence_ns"][first] + PAIR_NS
    for lane in range(LEADS):
        if lane == s["evidence_lane"][first] or s["told_ns"][lane] >= until_ns:
            continue
        if speaks(s, lane):
            mate = _mate(s, first, lane)
            if mate < 0 or s["evidence_beat"][mate] == 0:
                return True
    return False


@kernel
def _fold(s: Any) -> None:
    """Drop what was rejected so long ago that no other lead can take it for a beat.

    What lies near a beat that waits is its evidence, however far the leads have come since.
    """
    horizon_ns = s["now_ns"]
    for lane in range(LEADS):
        if speaks(s, lane):
            horizon_ns = min(horizon_ns, s["told_ns"][lane])
    horizon_ns = max(horizon_ns, s["now_ns"] - SPEAKS_NS)
    first = first_beat(s)
    if first >= 0:
        horizon_ns = min(horizon_ns, s["evidence_ns"][first])
    horizon_ns -= REJECT_PAIR_NS
    while s["evidence"] > 0 and s["evidence_beat"][0] == 0:
        if s["evidence_ns"][0] >= horizon_ns:
            break
        note_reject(s, 0)
        remove(s, 0)


@kernel
def _poll(s: Any, first: int) -> None:
    """Ask every lead about the beat at slot `first`.

    Leads that do not speak are not asked, unless none does.
    """
    any_speaks = not none_speaks(s)
    for lane in range(LEADS):
        s["votes"][lane] = ABSENT
        s["mate"][lane] = -1
        if s["lead"][lane] == 0 or (any_speaks and not speaks(s, lane)):
            continue
        mate = first if lane == s["evidence_lane"][first] else _mate(s, first, lane)
        s["mate"][lane] = mate
        if mate >= 0 and s["evidence_beat"][mate] == 1:
            s["votes"][lane] = FOR
        elif any_speaks and s["readable_ns"][lane] <= s["evidence_ns"][first] - REJECT_PAIR_NS:
            s["votes"][lane] = SILENT
        elif any_speaks and s["evidence_ns"][first] - s["struck_ns"][lane] < ALIVE_NS:
            s["votes"][lane] = UNREAD


@kernel
def _apart(s: Any, first: int) -> bool:
    """Say whether leads differ much in where the R-peak is."""
    apart = False
    for lane in range(LEADS):
        if s["votes"][lane] == FOR:
            apart |= s["evidence_ns"][s["mate"][lane]] - s["evidence_ns"][first] > APART_NS
    return apart


@kernel
def _followed(s: Any, first: int) -> int:
    """Return the lane, of those that found a beat, whose word is told; -1: none found it."""
    best, highest = -1, 0.0
    apart = _apart(s, first)
    for lane in range(LEADS):
        if s["votes"][lane] != FOR:
            continue
        slot = s["mate"][lane]
        if apart:
            share = max(min(strength(s, slot), 1.0), STRENGTH_MIN)
            worth = clear(s, slot) + 2.0 * np.log2(share)
        else:
            worth = s["contrast"][lane] + 0.5 * found_odds(s, lane)
            if s["lead"][lane] == s["followed"]:
                worth += KEEP
        if s["evidence_flags"][slot] & UNSURE:
            worth -= UNSURE_ODDS
        if best < 0 or worth > highest or (worth == highest and better(s, lane, best)):
            best, highest = lane, worth
    return best


@kernel
def _time(s: Any, first: int, followed: int) -> int:
    """Return when the beat is: where leads differ by too much, between them.

    One of them took another wave for it, or the QRS is that long: the middle is near either way.
    """
    first_ns = last_ns = s["evidence_ns"][first]
    for lane in range(LEADS):
        if s["votes"][lane] == FOR:
            last_ns = max(last_ns, s["evidence_ns"][s["mate"][lane]])
    if last_ns - first_ns > FAR_NS:
        return int(first_ns + last_ns) // 2
    return int(s["evidence_ns"][s["mate"][followed]])


@kernel
def _witness(s: Any, followed: int) -> int:
    """Return the lane whose word is told of a beat's class and height.

    Along the axis of a lead a ventricular beat may look like others, but none becomes wide by it:
    so that word counts of any lead.
    """
    witness, said = followed, False
    for lane in range(LEADS):
        if s["votes"][lane] != FOR:
            continue
        flags = s["evidence_flags"][s["mate"][lane]]
        if flags >> CLASS_SHIFT & CLASS_MASK != VENTRICULAR or flags & UNSURE:
            continue
        if lane == followed:
            return lane
        if not said or better(s, lane, witness):
            witness, said = lane, True
    return witness


@kernel
def _run(s: Any) -> int:
    """Let the leads that found a beat count it; return the longest run that one shows."""
    longest = 0
    for lane in range(LEADS):
        if s["votes"][lane] == FOR:
            slot = s["mate"][lane]
            value, flags = s["evidence_value"][slot], s["evidence_flags"][slot]
            longest = max(longest, follow(s, lane, value, flags))
        else:
            s["run"][lane] = 0
    return longest


@kernel
def _judge(s: Any, p: Any, first: int, time_ns: int) -> int:
    """Judge a peak of which all was heard: 1 a beat, 0 none."""
    if s["beats"] > 0 and time_ns - s["last_ns"] < REFRACTORY_NS:
        return 0
    doubted = False
    for lane in range(LEADS):
        doubted |= s["votes"][lane] in (SILENT, UNREAD)
    if not doubted:
        # Or leads that all become worse could lock out every beat.
        return 1
    describe(s, first, time_ns)
    odds = 0.0
    for feature in range(FEATURES):
        odds += p["weights"][feature] * s["features"][feature]
    s["judged_ns"] = time_ns
    return 1 if odds > 0.0 else 0


@kernel
def _learn(s: Any, beat: int) -> None:
    """Learn from a verdict how reliable the leads are."""
    for lane in range(LEADS):
        vote = s["votes"][lane]
        if vote == FOR:
            wrong = 0.0 if beat == 1 else 1.0
            invents = errors(s["invents"][lane])
            s["invents"][lane] = max(invents + SMOOTH_ERRORS * (wrong - invents), ERRORS_MIN)
        if vote == FOR and beat == 1:
            s["struck_ns"][lane] = s["last_ns"]
        if beat == 1 and vote in (FOR, SILENT):
            hit = 1.0 if vote == FOR else 0.0
            found = s["found"][lane] + SMOOTH_FOUND * (hit - s["found"][lane])
            s["found"][lane] = min(max(found, FOUND_MIN), FOUND_MAX)
            misses = errors(s["misses"][lane])
            s["misses"][lane] = max(misses + SMOOTH_ERRORS * (1.0 - hit - misses), ERRORS_MIN)
            note_beat(s, lane)
        elif beat == 0 and vote in (FOR, SILENT) and s["mate"][lane] >= 0:
            note_reject(s, s["mate"][lane])


@kernel
def _drop_mates(s: Any) -> None:
    """Remove the peaks that were judged, the last first, for the slots move."""
    for slot in range(s["evidence"] - 1, -1, -1):
        lane = s["evidence_lane"][slot]
        if s["mate"][lane] == slot:
            remove(s, slot)


@kernel
def due(s: Any) -> int:
    """Return when the first peak that waits is judged at the latest; NEVER_NS: none waits."""
    first = first_beat(s)
    if first < 0:
        return NEVER_NS
    return int(max(s["evidence_ns"][first] + PATIENCE_NS, s["now_ns"]))


@kernel
def decide(
    s: Any,
    p: Any,
    at: tuple[int, int, int],
    late: bool,
    force: bool,
    findings: NDArray[Any],
    found: int,
) -> int:
    """Judge the peaks that can be judged, in the order of time.

    Those of which a lead may still tell are judged if they are `late`, or by `force`.
    """
    while True:
        _fold(s)
        first = first_beat(s)
        if first < 0:
            return found
        waits = not late or s["now_ns"] < s["evidence_ns"][first] + PATIENCE_NS
        if waits and not force and _is_open(s, first):
            return found
        _poll(s, first)
        followed = _followed(s, first)
        if followed < 0:  # its lead does not speak any more
            remove(s, first)
            continue
        time_ns = _time(s, first, followed)
        beat = _judge(s, p, first, time_ns)
        if beat == 1:
            witness = _witness(s, followed)
            slot = s["mate"][witness]
            value = s["evidence_value"][slot]
            flags = s["evidence_flags"][slot] | (s["lead"][witness] - 1) << LEAD_SHIFT
            flags |= _run(s) << RUN_SHIFT
            found = out(findings, found, at, BEAT, time_ns, value, flags)
            s["followed"] = s["lead"][followed]
            count(s, time_ns)
        _learn(s, beat)
        _drop_mates(s)
