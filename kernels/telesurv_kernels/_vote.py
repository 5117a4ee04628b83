"""How `leads` weighs the peaks of several leads: they wait in its state, sorted by time.

Called a few times a second and heart, so they work on the fields of the state (`s`) and the
params (`p`) of one row; `leads` describes the rules. Log-odds are summed in whole thousandths,
so that the order of the lanes does not matter.
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

RR = 8  # intervals remembered
RR_KNOWN = 4  # so many make a usual one
RR_FIRST_NS = 800_000_000
RR_NS = (350_000_000, 1_500_000_000)  # the usual RR is taken to be within
PAIR_NS = 180_000_000  # beats of two leads this close are one
REJECT_PAIR_NS = 100_000_000  # and a beat and what another lead rejected
ABSENT, SILENT, FOR = 0, 1, 2  # what a lead says of a peak
REFRACTORY_NS = 200_000_000  # no two beats are closer (300/min)
AHEAD_NS = 500_000_000  # the next beat is looked for within this
PATIENCE_NS = 750_000_000  # what is not said by now is not waited for
EXCESS_OCTAVES = 1.3  # 2.5 times the usual beat: more is an electrode rather than a heart
REJECTS_MIN = 0.1  # of the usual beat
FOUND_MIN, FOUND_MAX = 0.03, 0.98
LATE_RR, LATE_RR_MAX, EARLY_RR, REGULAR_RR = 1.2, 3.0, 0.75, 0.15
UNSURE_ODDS = 100.0  # any lead that is readable is told rather than one that is not
KEEP = 1.0  # log-odds by which another lead must be better to be followed
SMOOTH_FOUND = 0.03


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
def usual(s: Any) -> int:
    """Return the usual RR: the median of the last ones, within bounds."""
    size = min(s["beats"] - 1, RR)
    if size < RR_KNOWN:
        return RR_FIRST_NS
    middle: Any = 0
    for i in range(size):
        below = 0
        for j in range(size):
            earlier = s["rr_ns"][j] == s["rr_ns"][i] and j < i
            if s["rr_ns"][j] < s["rr_ns"][i] or earlier:
                below += 1
        if below == size // 2:
            middle = s["rr_ns"][i]
    within: int = max(min(middle, RR_NS[1]), RR_NS[0])
    return within


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
def _odds(s: Any, lane: int) -> float:
    """Return the log-odds that a lead finds a beat."""
    odds: float = np.log(s["found"][lane] / (1.0 - s["found"][lane]))
    return odds


@kernel
def _thousandths(odds: float) -> int:
    return int(np.rint(1000.0 * odds))


@kernel
def _for(s: Any, p: Any, lane: int, slot: int) -> int:
    """Return what a lead that took a peak for a beat says for it."""
    share = strength(s, slot)
    to_rejects = max(min(share, 1.0), 0.1) / max(s["rejects"][lane], REJECTS_MIN)
    excess = max(np.log2(max(share, 0.1)) - EXCESS_OCTAVES, 0.0)
    return _thousandths(
        p["contrast"] * s["contrast"][lane]
        + p["strength"] * np.log(to_rejects)
        + p["excess"] * excess
    )


@kernel
def _against(s: Any, p: Any, lane: int, slot: int) -> int:
    """Return what the silence of a lead says, or a peak (`slot`, or -1) that it rejected."""
    odds = p["silence"] * _odds(s, lane)
    if slot >= 0:
        odds += p["support"] * max(min(strength(s, slot), 1.0) - s["rejects"][lane], 0.0)
    return _thousandths(odds)


@kernel
def _when(s: Any, p: Any, time_ns: int) -> int:
    """Return what the time since the last beat says."""
    if s["beats"] == 0:
        return 0
    share = (time_ns - s["last_ns"]) / usual(s)
    late = min(max(share - LATE_RR, 0.0), LATE_RR_MAX)
    early = min(max(EARLY_RR - share, 0.0), 0.6)
    return _thousandths(p["late"] * late + p["early"] * early)


@kernel
def _regular(s: Any, first: int) -> int:
    """Say whether the RR is the usual one without this beat: 1, 0; -1 not known yet.

    It is when the next beat of a lead that is silent now comes within half a second, and one
    usual RR after the last beat.
    """
    if s["beats"] == 0:
        return 0
    time_ns = s["evidence_ns"][first]
    for slot in range(first + 1, s["evidence"]):
        lane = s["evidence_lane"][slot]
        apart_ns = s["evidence_ns"][slot] - time_ns
        says = s["evidence_beat"][slot] == 1 and s["votes"][lane] == SILENT
        if says and REFRACTORY_NS <= apart_ns <= AHEAD_NS:
            share = (s["evidence_ns"][slot] - s["last_ns"]) / usual(s)
            return 1 if abs(share - 1.0) < REGULAR_RR else 0
    for lane in range(LEADS):
        if s["votes"][lane] == SILENT and s["told_ns"][lane] < time_ns + AHEAD_NS:
            return -1
    return 0


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
    """Drop what was rejected so long ago that no other lead can take it for a beat."""
    horizon_ns = s["now_ns"]
    for lane in range(LEADS):
        if speaks(s, lane):
            horizon_ns = min(horizon_ns, s["told_ns"][lane])
    horizon_ns = max(horizon_ns, s["now_ns"] - SPEAKS_NS) - REJECT_PAIR_NS
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


@kernel
def _followed(s: Any) -> int:
    """Return the lane, of those that found a beat, whose word is told; -1: none found it."""
    best, highest = -1, 0.0
    for lane in range(LEADS):
        if s["votes"][lane] != FOR:
            continue
        worth = s["contrast"][lane] + 0.5 * _odds(s, lane)
        if s["lead"][lane] == s["followed"]:
            worth += KEEP
        if s["evidence_flags"][s["mate"][lane]] & UNSURE:
            worth -= UNSURE_ODDS
        if best < 0 or worth > highest or (worth == highest and better(s, lane, best)):
            best, highest = lane, worth
    return best


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
def _judge(s: Any, p: Any, first: int, followed: int, wait: bool) -> int:
    """Judge a peak of which all was heard: 1 a beat, 0 none, -1 not known yet."""
    time_ns = s["evidence_ns"][s["mate"][followed]]
    if s["beats"] > 0 and time_ns - s["last_ns"] < REFRACTORY_NS:
        return 0
    silent = 0
    for lane in range(LEADS):
        silent += s["votes"][lane] == SILENT
    if silent == 0:
        # Not to be doubted, or leads that all become worse could lock out every beat.
        return 1
    odds = _thousandths(p["bias"]) + _when(s, p, time_ns)
    for lane in range(LEADS):
        if s["votes"][lane] == FOR:
            odds += _for(s, p, lane, s["mate"][lane])
        elif s["votes"][lane] == SILENT:
            odds += _against(s, p, lane, s["mate"][lane])
    if odds <= 0:
        return 0
    if odds + _thousandths(p["regular"]) > 0:
        return 1
    regular = _regular(s, first)
    if regular < 0 and wait:
        return -1
    return 0 if regular == 1 else 1


@kernel
def _learn(s: Any, beat: int) -> None:
    """Learn from a verdict how reliable the leads are."""
    for lane in range(LEADS):
        if s["votes"][lane] == ABSENT:
            continue
        mate = s["mate"][lane]
        if beat == 1:
            hit = 1.0 if s["votes"][lane] == FOR else 0.0
            found = s["found"][lane] + SMOOTH_FOUND * (hit - s["found"][lane])
            s["found"][lane] = min(max(found, FOUND_MIN), FOUND_MAX)
            note_beat(s, lane)
        elif mate >= 0:
            note_reject(s, mate)


@kernel
def _drop_mates(s: Any) -> None:
    """Remove the peaks that were judged, the last first, for the slots move."""
    for slot in range(s["evidence"] - 1, -1, -1):
        lane = s["evidence_lane"][slot]
        if s["mate"][lane] == slot:
            remove(s, slot)


@kernel
def decide(
    s: Any, p: Any, at: tuple[int, int, int], force: bool, findings: NDArray[Any], found: int
) -> int:
    """Judge the peaks that can be judged, in the order of time; all of them by `force`."""
    while True:
        _fold(s)
        first = first_beat(s)
        if first < 0:
            return found
        wait = not force and s["now_ns"] < s["evidence_ns"][first] + PATIENCE_NS
        if wait and _is_open(s, first):
            return found
        _poll(s, first)
        followed = _followed(s)
        if followed < 0:  # its lead does not speak any more
            remove(s, first)
            continue
        beat = _judge(s, p, first, followed, wait)
        if beat < 0:
            return found
        if beat == 1:
            time_ns = s["evidence_ns"][s["mate"][followed]]
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
