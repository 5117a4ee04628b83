"""How `beats` judges the candidates that wait, and what it learns from them.

Called a few times a second and row, so they work on the fields of the state (`s`) and the
params (`p`) of one row; `beats` describes the rules.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from telesurv_kernels._candidates import (
    ALWAYS,
    DISTURBED,
    EXPLAINED,
    MEMORY,
    OLD_LEVEL,
    PENDING,
    QUARTERS,
    middle,
    next_verdict,
    put,
    scan,
    set_floor,
    take_out,
    tell,
)
from telesurv_kernels._dtypes import BEAT, CANDIDATE, MARK
from telesurv_kernels._jit import kernel
from telesurv_kernels._shapes import KNOWN_USES, SHAPES, learn

KNOWN_BEATS = 4
LAG_MARKS = 3  # a candidate waits for so many distances between MARKs at most
STRONG = 0.45  # of the way from noise to the usual beat
CLEAR = 0.25  # once the T of the last beat is over
WEAK = 0.2
LIKE_LAST = 0.7  # of the last beat: after a small one the T is small, too
T_SLOPE = 0.5  # a T is less than half as steep as a QRS
AFTER_RR = 0.5  # a weak beat lies so far after the last one
BEFORE_RR = 0.4  # and so far before the next one
ALONE_RR = 1.5  # or leaves such a gap if there is none
LEVEL_QUANTILE = 0.4  # of the strengths of the last beats
LEVEL_RISE = 2.0  # one beat counts for at most so many usual ones
LEARNT_LEVEL = 0.8  # of the strongest candidate
NOISE_HILL = 2.0  # times the calmest 100 ms
FADE = 0.5  # of the old strength when nothing was left of it

SHARP = 0.8  # rise within STEP_S to height: no T's
CALM = 0.12  # noise to the usual beat, up to which shapes are learnt
WELL_KNOWN_USES = 16
USUAL = 0.2  # off the usual strength and slope
USUAL_EACH = 4
SLOW_QUARTERS = 8.0  # noise that lasts is that of so many quarters
UNLIKE_QUARTERS = 8  # for which signal counts as unlike a heart's after it was
ROUGH = 0.75  # bend to slope, over a quarter: a spectrum beyond 40 Hz
BASE_QUARTERS = 3  # a mean level, in which the waves of a tachycardia cancel
TRAVEL = 0.15  # of the baseline, to the usual beat's slope
TRAVEL_MV = 0.2
EVIDENCE = 3.7
UV_EVIDENCE, SINCE_EVIDENCE, NEXT_EVIDENCE = 1.5, 2.5, 2.5
TRAVEL_EVIDENCE, SHARE_EVIDENCE = 0.5, 2.0
TRAVEL_MIN = 0.2  # of the travel that no heart makes
SHARE_BEATS = 8.0  # in the share of beats that known shapes explain
LIKENESS_MIN, UV_MAX = 0.02, 20.0  # what evidence is taken from lies within these
SINCE_RR, NEXT_RR = (0.3, 1.1), (0.2, 1.0)


@kernel
def _take_levels(s: Any) -> None:
    """Take level and noise from the candidates that wait."""
    strongest = steepest = 0.0
    for slot in range(s["pending"]):
        strongest = max(strongest, s["pending_uv"][slot])
        steepest = max(steepest, s["pending_slope_mv"][slot])
    s["learnt"] = 1
    s["level_uv"] = LEARNT_LEVEL * strongest
    s["slope_mv"] = LEARNT_LEVEL * steepest
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
    for shape in range(SHAPES):
        s["shape_beats"][shape] = 0
    if strongest > 0.0 and strongest >= OLD_LEVEL * s["level_uv"]:
        s["level_uv"] = LEARNT_LEVEL * strongest
    else:
        s["level_uv"] *= FADE


@kernel
def _is_explained(s: Any, p: Any, sample: int) -> int:
    """Judge the first candidate that waits, a known shape: 1 a beat, 0 none, -1 not known yet."""
    peak = s["pending_sample"][0]
    if s["beats"] > 0 and peak - s["last"] < p["apart"]:
        return 0
    if sample < peak + p["wait"]:
        return -1
    for slot in range(1, s["pending"]):
        rival = s["pending_sample"][slot] - peak < p["apart"]
        if rival and s["pending_likeness"][slot] > s["pending_likeness"][0]:
            return 0
    return 1


@kernel
def _evidence(s: Any) -> Any:
    """Return what speaks for the first candidate that waits, though no shape explains it."""
    peak = s["pending_sample"][0]
    since = SINCE_RR[1]
    if s["beats"] > 0:
        since = min(max((peak - s["last"]) / s["rr"], SINCE_RR[0]), SINCE_RR[1])
    until = NEXT_RR[1]
    for slot in range(1, s["pending"]):
        if s["pending_likeness"][slot] >= EXPLAINED:
            away = (s["pending_sample"][slot] - peak) / s["rr"]
            until = min(max(away, NEXT_RR[0]), NEXT_RR[1])
            break
    return (
        np.log(max(s["pending_likeness"][0], LIKENESS_MIN))
        + UV_EVIDENCE * np.log(min(s["pending_uv"][0] / s["level_uv"], UV_MAX))
        + SINCE_EVIDENCE * since
        + NEXT_EVIDENCE * until
        - np.log(s["disturbance"])
        - TRAVEL_EVIDENCE * np.log(max(s["travel"], TRAVEL_MIN))
        - SHARE_EVIDENCE * s["known_share"]
    )


@kernel
def _is_beat(s: Any, p: Any, sample: int) -> int:
    """Judge the first candidate that waits: 1 a beat, 0 none, -1 not known yet."""
    peak = s["pending_sample"][0]
    if sample < peak + p["settle"]:
        return -1
    if s["pending_likeness"][0] >= EXPLAINED:
        return _is_explained(s, p, sample)
    if s["disturbance"] > DISTURBED:
        for slot in range(1, s["pending"]):
            close = s["pending_sample"][slot] - peak < p["apart"]
            if close and s["pending_likeness"][slot] >= EXPLAINED:
                return 0
    if s["disturbance"] > DISTURBED and s["pending_likeness"][0] > 0.0:
        if sample < peak + p["wait"]:
            return -1
        if _evidence(s) < EVIDENCE:
            return 0
    uv = s["pending_uv"][0]
    noise = s["noise_uv"]
    level = s["level_uv"]
    rr = s["rr"]
    since = max(2 * rr, p["t_end"])
    steep_mv = s["slope_mv"]
    # A beat may have come just before the signal began.
    after: Any = peak - s["gap"]
    if s["beats"] > 0:
        since = after = peak - s["last"]
        steep_mv = min(steep_mv, s["last_slope_mv"])
    # How far from the last beat's T it is: 0 within, 1 beyond.
    beyond = min(max((after - p["t_top"]) / (p["t_end"] - p["t_top"]), 0.0), 1.0)
    if s["pending_slope_mv"][0] < T_SLOPE * (1.0 - beyond) * steep_mv:
        return 0
    strong = noise + STRONG * (level - noise)
    if uv >= strong:
        return 1
    clear = noise + (STRONG + beyond * (CLEAR - STRONG)) * (level - noise)
    if s["beats"] > 0:
        clear = min(clear, LIKE_LAST * s["last_uv"])
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
    sharp = s["pending_slope_mv"][0] >= SHARP * abs(s["pending_mv"][0])
    if follower < 0 and sharp and s["travel"] <= 1.0 and noise <= CALM * level:
        return 1
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
        usual = middle(s["rr_recent"], intervals, 0.5)
        s["rr"] = min(max(usual, p["rr_min"]), p["rr_max"])
    s["last_uv"] = uv
    known = 1.0 if s["pending_likeness"][0] >= EXPLAINED else 0.0
    s["known_share"] += (known - s["known_share"]) / SHARE_BEATS
    s["last_slope_mv"] = s["pending_slope_mv"][0]
    s["slope_mv_recent"][s["strengths"] % MEMORY] = s["last_slope_mv"]
    s["uv_recent"][s["strengths"] % MEMORY] = min(uv, LEVEL_RISE * s["level_uv"])
    s["strengths"] += 1
    s["beats"] += 1
    s["level_uv"] = middle(s["uv_recent"], s["strengths"], LEVEL_QUANTILE)
    s["slope_mv"] = middle(s["slope_mv_recent"], s["strengths"], 0.5)
    s["last"] = peak
    s["quiet"] = peak


@kernel
def _teaches(s: Any) -> bool:
    """Return whether the first candidate that waits, a beat, is to be laid over the shapes.

    Of beats as strong and as steep as the usual one every fourth is enough, once a shape is known
    well.
    """
    uses = 0
    for shape in range(SHAPES):
        uses = max(uses, s["shape_beats"][shape])
    off_uv = abs(s["pending_uv"][0] - s["level_uv"])
    off_mv = abs(s["pending_slope_mv"][0] - s["slope_mv"])
    usual = off_uv <= USUAL * s["level_uv"] and off_mv <= USUAL * s["slope_mv"]
    s["untaught"] = s["untaught"] + 1 if usual and uses >= WELL_KNOWN_USES else 0
    if s["untaught"] == USUAL_EACH:
        s["untaught"] = 0
    return bool(s["untaught"] == 0)


@kernel
def _reject(s: Any, p: Any) -> None:
    """Count the first candidate that waits as noise."""
    uv = s["pending_uv"][0]
    s["rejected_uv"][s["rejected"] % MEMORY] = uv
    s["rejected"] += 1


@kernel
def judge(
    s: Any,
    p: Any,
    row: int,
    segment: int,
    sample: int,
    findings: NDArray[Any],
    found: int,
    work: Any,
) -> int:
    """Decide about the candidates that can be decided; set when to look again."""
    if s["learnt"] == 0 and s["pending"] > 0:
        learn_end = max(s["learn_end"], s["pending_sample"][0] + p["settle"])
        if sample < learn_end and s["pending"] < PENDING:
            s["due"] = learn_end
            return found
        _take_levels(s)
    while s["pending"] > 0:
        verdict = _is_beat(s, p, sample)
        if verdict < 0:
            break
        if verdict == 1:
            found = tell(s, row, segment, BEAT, sample, findings, found)
            if s["noise_uv"] <= CALM * s["level_uv"] and _teaches(s):
                learn(s, p, s["pending_sample"][0], sample, work)
            _accept(s, p)
            take_out(s, 0)
            while s["pending"] > 0 and s["pending_sample"][0] - s["last"] < p["refractory"]:
                take_out(s, 0)
        else:
            found = tell(s, row, segment, CANDIDATE, sample, findings, found)
            _reject(s, p)
            take_out(s, 0)
    due = ALWAYS
    for slot in range(s["pending"]):
        settled = s["pending_sample"][slot] + p["settle"]
        if settled <= sample:
            settled = s["pending_sample"][slot] + p["wait"]
        if settled > sample:
            due = min(due, settled)
        elif slot == 0:
            due = min(due, s["pending_sample"][0] + LAG_MARKS * p["quarter"])
    s["due"] = due
    return found


@kernel
def _disturb(s: Any, unlike_heart: bool) -> None:
    """Compare noise that lasts with the usual beat, once a shape is known; 0 until then."""
    s["slow_noise_uv"] += (s["noise_uv"] - s["slow_noise_uv"]) / SLOW_QUARTERS
    uses = 0
    for shape in range(SHAPES):
        uses = max(uses, s["shape_beats"][shape])
    s["unlike"] = UNLIKE_QUARTERS if unlike_heart else max(s["unlike"] - 1, 0)
    s["disturbance"] = 0.0
    if s["unlike"] > 0 and uses >= KNOWN_USES:
        s["disturbance"] = min(s["noise_uv"], s["slow_noise_uv"]) / s["level_uv"]


@kernel
def _is_unlike_heart(s: Any, p: Any, quarters: int) -> bool:
    """Return whether the last 2 s hold what no heart does, a travelling baseline or muscle."""
    slot = (quarters - 1) % MEMORY
    s["level_recent"][slot] = s["level"]
    s["rough_recent"][slot] = s["bends"] > ROUGH * s["slopes"]
    rough = 0
    low, high = ALWAYS, -ALWAYS
    base: Any = 0
    for age in range(MEMORY):
        after = (slot + 1 + age) % MEMORY
        rough += s["rough_recent"][after]
        base += s["level_recent"][after]
        if age >= BASE_QUARTERS:
            base -= s["level_recent"][after - BASE_QUARTERS]
        if age >= BASE_QUARTERS - 1:
            low = min(low, base)
            high = max(high, base)
    travel_mv = (high - low) / (BASE_QUARTERS * p["quarter"]) * abs(p["scale_mv"])
    s["travel"] = travel_mv / max(TRAVEL_MV, TRAVEL * s["slope_mv"])
    return bool(s["travel"] > 1.0 or rough > MEMORY // 2)


@kernel
def mark(
    s: Any,
    p: Any,
    row: int,
    segment: int,
    sample: int,
    findings: NDArray[Any],
    found: int,
    work: Any,
) -> int:
    """Close a quarter; say up to where all beats are decided."""
    quarters = (sample + 1) // p["quarter"]
    s["readable_recent"][(quarters - 1) % QUARTERS] = s["readable"]
    s["readable"] = 0
    s["calm_recent"][(quarters - 1) % MEMORY] = np.sqrt(np.float64(s["calm"]) / p["power"])
    s["calm"] = ALWAYS
    s["noise_uv"] = NOISE_HILL * middle(s["calm_recent"], MEMORY, 0.5)
    silent = p["silent"] if s["beats"] >= KNOWN_BEATS else p["silent_new"]
    if sample - s["quiet"] >= silent:
        _relearn(s, sample)
    set_floor(s, p)
    _disturb(s, _is_unlike_heart(s, p, quarters))
    s["level"] = s["slopes"] = s["bends"] = 0
    if s["disturbance"] > DISTURBED:
        scan(s, p, sample, work)
    # The levels moved: what waits is judged again.
    s["due"] = next_verdict(s, p, sample + 1)
    if s["learnt"] == 0 and sample < s["learn_end"]:
        return found
    # What waits is not decided, nor what may still become a candidate: the hill that rises, or
    # one to come. No R-peak lies farther before the top of its hill than this.
    top = sample + 1
    if s["rising"] != 0:
        top = s["top_sample"]
    undecided = top - p["delay"] - p["peak"]
    if s["pending"] > 0:
        undecided = min(undecided, s["pending_sample"][0])
    decided = undecided // p["quarter"]
    if decided <= s["marked"]:
        return found
    readable = 0
    for quarter in range(max(s["marked"], quarters - QUARTERS), decided):
        readable += s["readable_recent"][quarter % QUARTERS]
    s["marked"] = decided
    return put(
        findings, found, row, segment, MARK, decided * p["quarter"], sample, float(readable), 0
    )
