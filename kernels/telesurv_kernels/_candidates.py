"""How `beats` judges candidates: they wait in its state, sorted by their R-peak.

Called a few times a second and row, so they work on the fields of the state (`s`) and the
params (`p`) of one row; `beats` describes the rules.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from telesurv_kernels._dtypes import BEAT, MARK, UNSURE
from telesurv_kernels._jit import kernel

RIVAL_RR = 0.4  # ... if also within this share of the usual RR
RIVAL_ALIKE = 0.9  # weaker to stronger
KNOWN_BEATS = 4
CONFIRM_MARKS = 2  # a hill is a candidate after less than this, 0.3 s
LAG_MARKS = 3  # a candidate waits for so many distances between MARKs at most
STRONG = 0.45  # of the way from noise to the usual beat
CLEAR = 0.25  # once the T of the last beat is over
WEAK = 0.2
T_SLOPE = 0.5  # a T is less than half as steep as a QRS
AFTER_RR = 0.5  # a weak beat lies so far after the last one
BEFORE_RR = 0.4  # and so far before the next one
ALONE_RR = 1.5  # or leaves such a gap if there is none
LEVEL_QUANTILE = 0.4  # of the strengths of the last beats
LEVEL_RISE = 2.0  # one beat counts for at most so many usual ones
LEARNT_LEVEL = 0.8  # of the strongest candidate
NOISE_HILL = 2.0  # times the calmest 100 ms
OLD_LEVEL = 0.125  # least share of the old strength when levels are taken anew
FADE = 0.5  # of the old strength when nothing was left of it
MEMORY = 8  # beats, intervals, rejected candidates remembered
PENDING = 12  # candidates that may wait: 2.75 s at one in 200 ms, less what a hill takes
CODES = 512  # codes remembered: half a second at 1000 Hz
QUARTERS = 16  # distances between MARKs whose readable samples are remembered
ALWAYS = 1 << 60  # a sample after all samples


@kernel
def put(
    findings: NDArray[Any],
    found: int,
    row: int,
    segment: int,
    kind: int,
    sample: int,
    decided: int,
    value: float,
    flags: int,
) -> int:
    """Write one finding at index `found` and return the number written so far."""
    findings[found]["row"] = row
    findings[found]["segment"] = segment
    findings[found]["kind"] = kind
    findings[found]["sample"] = sample
    findings[found]["decided"] = decided
    findings[found]["value"] = value
    findings[found]["flags"] = flags
    return found + 1


@kernel
def _middle(recent: NDArray[Any], count: int, share: float) -> Any:
    """Return the value at `share` of the sorted last min(count, MEMORY) values."""
    size = min(count, MEMORY)
    rank = min(np.int64(share * size), size - 1)
    for i in range(size):
        below = 0
        for j in range(size):
            if recent[j] < recent[i] or (recent[j] == recent[i] and j < i):
                below += 1
        if below == rank:
            return recent[i]
    return recent[0]


@kernel
def begin(s: Any, p: Any, sample: int) -> None:
    """Forget the signal before `sample`; the levels stay until beats say otherwise."""
    s["begun"] = 1
    s["dead"] = 0
    s["gap"] = sample
    s["marked"] = sample // p["quarter"]
    s["quiet"] = sample
    s["learn_end"] = sample if s["learnt"] == 1 else sample + p["learn"]
    s["beats"] = 0
    s["rejected"] = 0
    s["strengths"] = 0
    s["pending"] = 0
    s["rr"] = p["rr_first"]
    s["due"] = ALWAYS
    for quarter in range(QUARTERS):
        s["readable_recent"][quarter] = 0


@kernel
def consider(s: Any, p: Any, top: int, top_sample: int, sample: int) -> None:
    """Place the R-peak of a hill, and let it wait unless a rival explains it."""
    if top < p["floor_power"]:
        return
    centre = top_sample - p["delay"]
    first = max(centre - p["peak"], s["gap"], sample - CODES + 1)
    last = min(centre + p["peak"], sample)
    if last < first:
        return
    codes = s["codes"]
    total: Any = 0
    for k in range(first, last + 1):
        total += np.int64(codes[k & (CODES - 1)])
    width = last - first + 1
    # Deflections from the mean, times width: whole numbers.
    best = -1
    peak: Any = first
    for k in range(first, last + 1):
        deflection = abs(np.int64(codes[k & (CODES - 1)]) * width - total)
        if deflection > best:
            best = deflection
            peak = k
    if s["beats"] > 0 and peak - s["last"] < p["refractory"]:
        return
    steepest: Any = 0
    for k in range(first + p["step"], last + 1):
        rise = np.int64(codes[k & (CODES - 1)]) - np.int64(codes[(k - p["step"]) & (CODES - 1)])
        steepest = max(steepest, abs(rise))
    uv = np.sqrt(np.float64(top) / np.float64(p["power"]))
    slot = s["pending"]
    if slot > 0:
        distance = peak - s["pending_sample"][slot - 1]
        rival_uv = s["pending_uv"][slot - 1]
        rivals = distance < p["refractory"] or (
            distance < min(np.float64(p["rival"]), RIVAL_RR * s["rr"])
            and min(uv, rival_uv) < RIVAL_ALIKE * max(uv, rival_uv)
        )
        if rivals:
            if uv <= rival_uv:
                return
            slot -= 1
    if slot == PENDING:
        return
    peak_code = np.int64(codes[peak & (CODES - 1)])
    s["pending_sample"][slot] = peak
    s["pending_uv"][slot] = uv
    s["pending_mv"][slot] = (peak_code * width - total) / width * p["scale_mv"]
    s["pending_slope_mv"][slot] = steepest * abs(p["scale_mv"])
    s["pending_flags"][slot] = UNSURE if s["bits"][peak & (CODES - 1)] != 0 else 0
    s["pending"] = slot + 1


@kernel
def _learn(s: Any) -> None:
    """Take level and noise from the candidates that wait."""
    strongest = 0.0
    for slot in range(s["pending"]):
        strongest = max(strongest, s["pending_uv"][slot])
    s["learnt"] = 1
    s["level_uv"] = LEARNT_LEVEL * strongest
    s["rejected"] = 0


@kernel
def _relearn(s: Any, sample: int) -> None:
    """Nothing was a beat for long: perhaps what was rejected is what beats are now."""
    strongest = 0.0
    for slot in range(min(s["rejected"], MEMORY)):
        strongest = max(strongest, s["rejected_uv"][slot])
    s["quiet"] = sample
    s["rejected"] = 0
    s["strengths"] = 0
    if strongest > 0.0 and strongest >= OLD_LEVEL * s["level_uv"]:
        s["level_uv"] = LEARNT_LEVEL * strongest
    else:
        s["level_uv"] *= FADE


@kernel
def _is_beat(s: Any, p: Any, sample: int) -> int:
    """Judge the first candidate that waits: 1 a beat, 0 none, -1 not known yet."""
    peak = s["pending_sample"][0]
    if sample < peak + p["settle"]:
        return -1
    uv = s["pending_uv"][0]
    noise = s["noise_uv"]
    level = s["level_uv"]
    rr = s["rr"]
    since = peak - s["last"] if s["beats"] > 0 else max(2 * rr, p["t_end"])
    # How far from the last beat's T it is: 0 within, 1 beyond.
    beyond = min(max((since - p["t_top"]) / (p["t_end"] - p["t_top"]), 0.0), 1.0)
    steep_mv = min(s["slope_mv"], s["last_slope_mv"])
    if s["pending_slope_mv"][0] < T_SLOPE * (1.0 - beyond) * steep_mv:
        return 0
    strong = noise + STRONG * (level - noise)
    if uv >= strong:
        return 1
    clear = noise + (STRONG + beyond * (CLEAR - STRONG)) * (level - noise)
    if uv < max(noise + WEAK * (level - noise), WEAK * level):
        return 0
    follower = -1
    for slot in range(1, s["pending"]):
        if s["pending_uv"][slot] >= strong and sample >= s["pending_sample"][slot] + p["settle"]:
            follower = slot
            break
    if follower < 0 and sample < peak + LAG_MARKS * p["quarter"]:
        return -1
    until = s["pending_sample"][follower] if follower >= 0 else sample
    for slot in range(1, s["pending"]):
        if s["pending_sample"][slot] >= until and follower >= 0:
            break
        if s["pending_uv"][slot] > uv and s["pending_sample"][slot] - peak < 0.5 * rr:
            return 0
    if uv >= clear:
        return 1 if follower < 0 or until - peak > BEFORE_RR * rr else 0
    if since <= AFTER_RR * rr:
        return 0
    if follower >= 0:
        return 1 if until - peak > BEFORE_RR * rr else 0
    return 1 if since + until - peak > ALONE_RR * rr else 0


@kernel
def _accept(s: Any, p: Any) -> None:
    """Count the first candidate that waits as a beat, and learn from it."""
    peak = s["pending_sample"][0]
    uv = s["pending_uv"][0]
    if s["beats"] > 0:
        intervals = s["beats"]
        s["rr_recent"][(intervals - 1) % MEMORY] = peak - s["last"]
        usual = _middle(s["rr_recent"], intervals, 0.5)
        s["rr"] = min(max(usual, p["rr_min"]), p["rr_max"])
    s["last_slope_mv"] = s["pending_slope_mv"][0]
    s["slope_mv_recent"][s["strengths"] % MEMORY] = s["last_slope_mv"]
    s["uv_recent"][s["strengths"] % MEMORY] = min(uv, LEVEL_RISE * s["level_uv"])
    s["strengths"] += 1
    s["beats"] += 1
    s["level_uv"] = _middle(s["uv_recent"], s["strengths"], LEVEL_QUANTILE)
    s["slope_mv"] = _middle(s["slope_mv_recent"], s["strengths"], 0.5)
    s["last"] = peak
    s["quiet"] = peak


@kernel
def _reject(s: Any, p: Any) -> None:
    """Count the first candidate that waits as noise."""
    uv = s["pending_uv"][0]
    s["rejected_uv"][s["rejected"] % MEMORY] = uv
    s["rejected"] += 1


@kernel
def _drop_first(s: Any) -> None:
    """Remove the first candidate that waits."""
    for slot in range(1, s["pending"]):
        s["pending_sample"][slot - 1] = s["pending_sample"][slot]
        s["pending_uv"][slot - 1] = s["pending_uv"][slot]
        s["pending_mv"][slot - 1] = s["pending_mv"][slot]
        s["pending_slope_mv"][slot - 1] = s["pending_slope_mv"][slot]
        s["pending_flags"][slot - 1] = s["pending_flags"][slot]
    s["pending"] -= 1


@kernel
def judge(
    s: Any, p: Any, row: int, segment: int, sample: int, findings: NDArray[Any], found: int
) -> int:
    """Decide about the candidates that can be decided; set when to look again."""
    if s["learnt"] == 0 and s["pending"] > 0:
        learn_end = max(s["learn_end"], s["pending_sample"][0] + p["settle"])
        if sample < learn_end and s["pending"] < PENDING:
            s["due"] = learn_end
            return found
        _learn(s)
    while s["pending"] > 0:
        verdict = _is_beat(s, p, sample)
        if verdict < 0:
            break
        if verdict == 1:
            found = put(
                findings,
                found,
                row,
                segment,
                BEAT,
                s["pending_sample"][0],
                sample,
                s["pending_mv"][0],
                s["pending_flags"][0],
            )
            _accept(s, p)
            _drop_first(s)
            while s["pending"] > 0 and s["pending_sample"][0] - s["last"] < p["refractory"]:
                _drop_first(s)
        else:
            _reject(s, p)
            _drop_first(s)
    due = ALWAYS
    for slot in range(s["pending"]):
        settled = s["pending_sample"][slot] + p["settle"]
        if settled > sample:
            due = min(due, settled)
        elif slot == 0:
            due = min(due, s["pending_sample"][0] + LAG_MARKS * p["quarter"])
    s["due"] = due
    return found


@kernel
def mark(
    s: Any, p: Any, row: int, segment: int, sample: int, findings: NDArray[Any], found: int
) -> int:
    """Close a quarter; say up to where all beats are decided."""
    quarters = (sample + 1) // p["quarter"]
    s["readable_recent"][(quarters - 1) % QUARTERS] = s["readable"]
    s["readable"] = 0
    s["calm_recent"][(quarters - 1) % MEMORY] = np.sqrt(np.float64(s["calm"]) / p["power"])
    s["calm"] = ALWAYS
    s["noise_uv"] = NOISE_HILL * _middle(s["calm_recent"], MEMORY, 0.5)
    silent = p["silent"] if s["beats"] >= KNOWN_BEATS else p["silent_new"]
    if sample - s["quiet"] >= silent:
        _relearn(s, sample)
    # The levels moved: what waits is judged again.
    s["due"] = sample + 1
    if s["learnt"] == 0 and sample < s["learn_end"]:
        return found
    # What waits is not decided, nor what may still become a candidate.
    decided = quarters - CONFIRM_MARKS
    if s["pending"] > 0:
        decided = min(decided, s["pending_sample"][0] // p["quarter"])
    if decided <= s["marked"]:
        return found
    readable = 0
    for quarter in range(max(s["marked"], quarters - QUARTERS), decided):
        readable += s["readable_recent"][quarter % QUARTERS]
    s["marked"] = decided
    return put(
        findings, found, row, segment, MARK, decided * p["quarter"], sample, float(readable), 0
    )
