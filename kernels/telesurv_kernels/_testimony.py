"""What the leads of `leads` say of a peak in which they do not agree, as numbers that are weighed.

Called a few times a second and heart, so they work on the fields of the state (`s`) of one row;
`leads` describes the rules, `_lead_weights` the weights. Numbers are summed over the leads in
whole thousandths, so that the order of the lanes does not matter.
"""

from typing import Any

import numpy as np

from telesurv_kernels._candidates import MEMORY, middle
from telesurv_kernels._dtypes import LIKE_MASK, LIKE_SHIFT, NOISE_SHIFT, UNSURE
from telesurv_kernels._jit import kernel
from telesurv_kernels._lanes import LEADS
from telesurv_kernels._peaks import strength

ABSENT, SILENT, FOR, UNREAD = 0, 1, 2, 3  # what a lead says of a peak

RR = MEMORY  # intervals remembered
RR_KNOWN = 4  # so many make a usual one
RR_FIRST_NS = 800_000_000
RR_NS = (350_000_000, 1_500_000_000)  # the usual RR is taken to be within
REFRACTORY_NS = 200_000_000  # no two beats are closer (300/min)
RIVAL_NS = 300_000_000  # of two peaks of a lead that are closer `beats` may keep but one
CLEAR_MIN, CLEAR_MAX = -1.0, 4.0  # octaves from noise to the usual beat that count
STRENGTH_MIN, REJECTS_MIN = 0.1, 0.1  # of the usual beat
TRACE_MIN = 0.05  # and of what was rejected
ERRORS_MIN, ERRORS_FIRST = 0.002, 0.05  # share of beats
LATE_RR, LATE_RR_MAX = 1.2, 3.0
EARLY_MIN, EARLY_MAX = 0.1, 4.0  # least irregularity by which it is measured, and the most
IRREGULAR_FIRST, IRREGULAR_MAX = 0.2, 0.5
LIKE_MIDDLE = 4  # step of likeness just short of what is a beat by itself
LONG_RR = 8.0  # more usual RR of silence count as so many

(
    BIAS,
    FOR_CLEAR,
    FOR_STRONG,
    FOR_UNSURE,
    FOR_INVENTS,
    SILENT_MISSES,
    SILENT_FOUND,
    SILENT_NOTHING,
    SILENT_LONG,
    TRACE,
    TRACE_STRONG,
    TRACE_CLEAR,
    UNREAD_NOTHING,
    UNREAD_TRACE,
    UNREAD_STRONG,
    LATE,
    EARLY,
    IRREGULAR,
    SILENT_CLEAR,
    SPLIT,
    FOR_COMPARED,
    FOR_LIKE,
) = range(22)

FEATURES = 22


@kernel
def usual(s: Any) -> int:
    """Return the usual RR: the median of the last ones, within bounds."""
    if s["beats"] - 1 < RR_KNOWN:
        return RR_FIRST_NS
    usual_ns = middle(s["rr_ns"], s["beats"] - 1, 0.5)
    within: int = max(min(usual_ns, RR_NS[1]), RR_NS[0])
    return within


@kernel
def _irregularity(s: Any, usual_ns: int) -> float:
    """Return the mean difference of successive RR, as a share of the usual one."""
    size = min(s["beats"] - 1, RR)
    if size < RR_KNOWN:
        return IRREGULAR_FIRST
    total = 0
    for i in range(size - 1):
        newer = s["rr_ns"][(s["beats"] - 2 - i) % RR]
        total += abs(newer - s["rr_ns"][(s["beats"] - 3 - i) % RR])
    share: float = min(total / ((size - 1) * usual_ns), IRREGULAR_MAX)
    return share


@kernel
def found_odds(s: Any, lane: int) -> float:
    """Return the log-odds that a lead finds a beat."""
    odds: float = np.log(s["found"][lane] / (1.0 - s["found"][lane]))
    return odds


@kernel
def errors(share: float) -> float:
    """Return how often a lead errs; 0 where nothing is known yet."""
    return share if share > 0.0 else ERRORS_FIRST


@kernel
def clear(s: Any, slot: int) -> float:
    """Return how far the usual beat stood out of the noise at a peak, in octaves."""
    ratio = (s["evidence_flags"][slot] >> NOISE_SHIFT & 255) / 4.0
    octaves: float = min(max(np.log2(max(ratio, 0.25)), CLEAR_MIN), CLEAR_MAX)
    return octaves


@kernel
def _add(s: Any, feature: int, value: float) -> None:
    s["features"][feature] += np.int64(np.rint(1000.0 * value))


@kernel
def _is_busy(s: Any, lane: int, time_ns: int) -> bool:
    """Say whether a lead found a beat so near that `beats` may have kept it instead of another."""
    busy = time_ns - s["struck_ns"][lane] < RIVAL_NS
    for slot in range(s["evidence"]):
        if s["evidence_lane"][slot] == lane and s["evidence_beat"][slot] == 1:
            busy |= abs(s["evidence_ns"][slot] - time_ns) < RIVAL_NS
    return bool(busy)


@kernel
def _split(s: Any, time_ns: int) -> bool:
    """Say whether no lead that found a peak found the beat just before: one QRS, seen twice."""
    split = time_ns - s["last_ns"] < RIVAL_NS
    for lane in range(LEADS):
        if s["votes"][lane] == FOR and s["struck_ns"][lane] >= s["last_ns"]:
            split = False
    return bool(split)


@kernel
def _ask(s: Any, first: int, lane: int, usual_ns: int, time_ns: int) -> None:
    """Add what one lead says."""
    vote, slot = s["votes"][lane], s["mate"][lane]
    share = min(strength(s, slot), 1.0) if slot >= 0 else 0.0
    if vote == FOR:
        above = max(share, STRENGTH_MIN) / max(s["rejects"][lane], REJECTS_MIN)
        _add(s, FOR_CLEAR, clear(s, slot))
        _add(s, FOR_STRONG, np.log(above))
        _add(s, FOR_UNSURE, float(s["evidence_flags"][slot] & UNSURE))
        _add(s, FOR_INVENTS, np.log(errors(s["invents"][lane])))
        like = s["evidence_flags"][slot] >> LIKE_SHIFT & LIKE_MASK
        if like > 0:
            _add(s, FOR_COMPARED, 1.0)
            _add(s, FOR_LIKE, float(like - LIKE_MIDDLE))
    elif vote == SILENT:
        _add(s, SILENT_MISSES, np.log(errors(s["misses"][lane])))
        _add(s, SILENT_FOUND, found_odds(s, lane))
        silence = (s["evidence_ns"][first] - s["struck_ns"][lane]) / usual_ns
        _add(s, SILENT_LONG, np.log2(min(max(silence, 1.0), LONG_RR)))
        if slot >= 0:
            _add(s, TRACE, 1.0)
            _add(s, TRACE_STRONG, np.log2(max(share, TRACE_MIN)))
            _add(s, TRACE_CLEAR, clear(s, slot))
        else:
            _add(s, SILENT_NOTHING, 1.0)
            if not _is_busy(s, lane, time_ns):
                octaves = min(max(s["contrast"][lane], 0.0), CLEAR_MAX)
                _add(s, SILENT_CLEAR, octaves * s["found"][lane] ** RR)
    elif vote == UNREAD and slot >= 0:
        _add(s, UNREAD_TRACE, 1.0)
        _add(s, UNREAD_STRONG, np.log2(max(share, TRACE_MIN)))
    elif vote == UNREAD:
        _add(s, UNREAD_NOTHING, 1.0)


@kernel
def describe(s: Any, first: int, time_ns: int) -> None:
    """Write what speaks for and against a beat at `time_ns`; its first peak is at slot `first`."""
    for feature in range(FEATURES):
        s["features"][feature] = 0
    _add(s, BIAS, 1.0)
    usual_ns = usual(s)
    for lane in range(LEADS):
        _ask(s, first, lane, usual_ns, time_ns)
    if s["beats"] == 0:
        return
    irregular = _irregularity(s, usual_ns)
    share = (time_ns - s["last_ns"]) / usual_ns
    _add(s, LATE, min(max(share - LATE_RR, 0.0), LATE_RR_MAX))
    _add(s, EARLY, min(max(1.0 - share, 0.0) / (EARLY_MIN + irregular), EARLY_MAX))
    _add(s, IRREGULAR, irregular)
    if _split(s, time_ns):
        _add(s, SPLIT, 1.0)
