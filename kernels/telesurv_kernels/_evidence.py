"""The evidence that a beat is ventricular or supraventricular, and what follows from it.

Called once a beat, so it works on the fields of the state (`s`) and the params (`p`) of one
row; `classes` describes the rules, `_class_weights` the weights.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from telesurv_kernels._class_weights import (
    SHARED,
    SUPRAVENTRICULAR_WEIGHTS,
    VENTRICULAR_WEIGHTS,
)
from telesurv_kernels._dtypes import NORMAL, SUPRAVENTRICULAR, UNSURE, VENTRICULAR
from telesurv_kernels._jit import kernel
from telesurv_kernels._kinds import (
    CODES,
    EARLY_MEAN,
    EARLY_RR,
    FAST_RR_S,
    INTERVALS,
    KIND_BEATS,
    KINDS,
    MICRO,
    RING,
    RR_S_FIRST,
    RR_S_MAX,
    SHARE_BEATS,
    SIMILAR,
    SQUARES,
    SURELY_SIMILAR,
    TOTALS,
    centre,
    clip,
    compare,
    elect,
    found_kind,
    gather,
    learn_shape,
    masked_within,
    mean_rr_s,
    median_step_s,
    similarity,
    sum_up,
    towards,
)
from telesurv_kernels._p_waves import learn_p, p_alike, p_alike_before

P_RR_S = 0.45  # after a shorter RR, P lies in the T before
RUN_RR_S = 0.65  # a run of ventricular beats is faster than this (92/min)
RUN = 1.0  # evidence that it goes on
TOGETHER = 0.85  # share of a kind's vote in the evidence of a beat
EVIDENCE_MAX = 8.0
LEAN = 0.4  # evidence that a beat must have to be ventricular
LEAN_SUPRAVENTRICULAR = -1.0  # or supraventricular
REGULAR = 0.15  # median difference of RR, as share of the mean, of a regular rhythm
LATE = 1.15  # of the basic RR: a rhythm as slow may be an escape
SUDDEN = 0.87  # of the basic RR and of the RR before: a beat that comes so early is no sinus beat
SUDDEN_BEATS = 120  # in a row that go on so: a new basic rhythm; INTERVALS, if no tachycardia
EARLY_ENOUGH = 0.3  # share of the mean RR by which a beat comes early, from where more says nothing
REFRACTORY, EXCITABLE = 0.5, 0.6  # of the mean RR after a usual beat: ventricles, none and all are
WIDE_S, WIDER_S = 0.08, 0.06  # a width from here on counts, fully when so much longer
ON_TIME = 0.15  # of an RR; so much off, or so irregular, a beat says nothing by its time
SHORT_PAUSE = -0.2  # two RR about a beat are less than two basic ones by so much of one
PAUSE = -0.1  # as long as that is not known
SHORTER, SHORTER_ENOUGH = 0.05, 0.15  # than the RR before: counts from here on, up to so much more
NOISE_MIN, NOISE_LOG = 1e-3, -2.5  # below exp(-2.5), 8 % of a QRS, noise does not count

V_FEATURES = len(VENTRICULAR_WEIGHTS) - 1
FEATURES = V_FEATURES + len(SUPRAVENTRICULAR_WEIGHTS) - 1 - SHARED


@kernel
def _sum(s: Any, weights: NDArray[np.float64], first: int) -> float:
    """Return the bias and the weighted features from the `first` on."""
    total = 0.0 + weights[0]
    for i in range(1, weights.size):
        total += weights[i] * s["features"][first + i - 1]
    return clip(total, -EVIDENCE_MAX, EVIDENCE_MAX)


@kernel
def _direction(p: Any, work: NDArray[np.int64], middle: int, last: int, size: float) -> Any:
    """Return the T's mean deflection: below 0 where it stands against the QRS."""
    total = 0
    for i in range(middle - p["base"][0], middle - p["base"][1]):
        total += work[CODES, i]
    base = total / (p["base"][0] - p["base"][1])
    first = middle + p["t"][0]
    until = min(middle + p["t"][1], last)
    total = 0
    for i in range(first, until):
        total += work[CODES, i]
    t = total / (until - first) - base if until > first else 0.0
    total = work[TOTALS, p["search"]]
    rms = size / np.sqrt(2.0 * p["half"] + 1.0)
    return t / rms if total > base * (2 * p["half"] + 1) else -t / rms


@kernel
def _noise(p: Any, work: NDArray[np.int64], at: int, size: float) -> Any:
    """Return the log of the roughness (second differences) before the QRS, as its share."""
    total = 0
    codes = work[CODES, at - p["before"] - 1 : at - p["centre"] + 1]
    for i in range(p["before"] - p["centre"]):
        bend = codes[i + 2] - 2 * codes[i + 1] + codes[i]
        total += bend * bend
    rms = size / np.sqrt(2.0 * p["half"] + 1.0)
    return np.log(NOISE_MIN + np.sqrt(total / (p["before"] - p["centre"])) / rms)


@kernel
def _rhythm(s: Any, rr_s: float, work: NDArray[np.int64]) -> tuple[float, float, float, float]:
    """Return the mean RR and its irregularity: of all beats, and of the basic rhythm.

    Irregularity is the median difference of successive RR as a share of their mean. As long as
    the basic rhythm is not known, every beat is of it.
    """
    intervals, basics = s["intervals"], s["basics"]
    if intervals == 0:
        mean_s = rr_s if rr_s > 0 else RR_S_FIRST
        return mean_s, 0.0, mean_s, 0.0
    mean_s = mean_rr_s(s["rr_us"], intervals)
    irregular = median_step_s(s["rr_us"], intervals, work) / mean_s
    if basics <= 2:
        return mean_s, irregular, mean_s, irregular
    basic_s = mean_rr_s(s["basic_us"], basics)
    return mean_s, irregular, basic_s, median_step_s(s["basic_us"], basics, work) / basic_s


@kernel
def _learn_times(s: Any, kind: int, last_kind: int, rr_s: float, by_mean: float, by: float) -> None:
    """Learn from the RR before a beat, `by`: as a share of the basic one."""
    last_s = s["last_rr_s"]
    if rr_s > 0:
        timed = s["timed"][kind] + 1
        s["timed"][kind] = timed
        s["early"][kind] = towards(s["early"][kind], by_mean, timed)
        s["rr_mean_s"][kind] = towards(s["rr_mean_s"][kind], rr_s, timed)
    fast = 0.0 < rr_s < FAST_RR_S or by_mean < EARLY_MEAN
    if s["row_kind"] != kind + 1 or fast or by > LATE:
        s["row"] = 0
    s["row_kind"] = kind + 1
    s["row"] += 1
    sudden = s["sudden"] > 0 or (last_s > 0 and rr_s < SUDDEN * last_s)
    s["sudden"] = s["sudden"] + 1 if sudden and rr_s > 0.0 and by < SUDDEN else 0
    slowly = kind == s["dominant"] and rr_s >= FAST_RR_S
    if s["sudden"] > (INTERVALS if slowly else SUDDEN_BEATS):
        s["basics"] = 0
        s["sudden"] = 0
    if 0.0 < rr_s < RR_S_MAX:
        rr_us = np.int32(np.rint(rr_s * MICRO))
        s["rr_us"][s["intervals"] & (INTERVALS - 1)] = rr_us
        s["intervals"] += 1
        s["last_rr_s"] = rr_s
        if s["sudden"] == 0 and kind == s["dominant"] and last_kind == kind + 1:
            s["basic_us"][s["basics"] & (INTERVALS - 1)] = rr_us
            s["basics"] += 1


@kernel
def _learn_pause(s: Any, kind: int, pause: float) -> None:
    """Learn by how many basic RR the two about an early beat are longer than two of them."""
    paused = s["paused"][kind] + 1
    s["paused"][kind] = paused
    s["pause"][kind] = towards(s["pause"][kind], clip(pause, -1.0, 1.0), paused)


@kernel
def classify(s: Any, p: Any, peak: int, flags: int, work: NDArray[np.int64]) -> int:
    """Judge the beat whose R-peak is the sample `peak`, learn from it, return its class."""
    block_hz = p["block_hz"]
    block = peak // p["factor"]
    known = s["count"] // p["factor"]  # blocks that are complete
    half = p["half"]
    search = p["search"]
    before = p["before"]
    reach = p["centre"] + search
    rr_s = 0.0
    if s["follows"] != 0:
        rr_s = (peak - s["last"]) / (block_hz * p["factor"])
    s["follows"] = 1
    s["last"] = peak
    last_rr_s = s["last_rr_s"]
    last_kind = s["last_kind"]
    last_ventricular = s["last_ventricular"]
    s["last_kind"] = 0
    s["last_ventricular"] = 0
    begin = block - reach - before - 1  # work counts from here
    if begin < max(s["begin"], known - RING) or block + reach + half + 1 >= known:
        s["last_rr_s"] = 0.0
        return 0
    known = min(known, block + reach + max(p["t"][1], half) + 1) - begin
    gather(s, begin, known, work)

    # What the QRS looks like.
    at = block - begin
    middle, length, initial, onset = centre(p, work, at)
    sum_up(p, work, middle)
    total = work[TOTALS, search]
    norm = np.sqrt(max(work[SQUARES, search] - total * total / (2 * half + 1), 1e-6))
    width_s = length / block_hz

    # Which kind it resembles.
    kind = -1
    shift = 0
    resemblance = -2.0
    usual_shift = 0  # against the dominant kind
    dominant = s["dominant"]
    for after in range(KINDS):
        other = (dominant + after) % KINDS
        if s["members"][other] == 0:
            continue
        ratio = norm / np.float64(s["size"][other])
        if after > 0 and similarity(1.0, ratio) < max(resemblance, SIMILAR):
            continue  # by its size alone
        correlation, other_shift = compare(s, p, work, middle, other)
        alike_by = similarity(correlation, ratio)
        if alike_by > resemblance:
            resemblance = alike_by
            kind = other
            shift = other_shift
        if after == 0:
            usual_shift = other_shift
            if alike_by >= SURELY_SIMILAR:
                break
    qrs = begin + middle
    if flags & UNSURE or masked_within(s, qrs - half - search, qrs + half + search + 1):
        s["last_rr_s"] = 0.0
        if kind < 0 or resemblance < SIMILAR:
            return 0
        ventricular = kind != dominant and np.float64(s["vote"][kind]) > LEAN
        return VENTRICULAR if ventricular else NORMAL
    first = s["beats"] == 0
    if kind < 0 or resemblance < SIMILAR:
        kind = found_kind(s)
        if last_kind == kind + 1:
            last_kind = 0  # it was given up
        if s["row_kind"] == kind + 1:
            s["row_kind"] = 0
        shift = 0
        s["size"][kind] = norm
        s["width_s"][kind] = width_s
        if first:
            dominant = kind
            s["dominant"] = kind

    # How it differs from the dominant kind, and when it came.
    mean_s, irregular, basic_s, unsteady = _rhythm(s, rr_s, work)
    by_mean = rr_s / mean_s if rr_s > 0 else 1.0
    by_basic = rr_s / basic_s if rr_s > 0 else 1.0
    ratio = 1.0 if first else norm / np.float64(s["size"][dominant])
    own = kind == dominant
    p_like = 0.0
    if rr_s >= P_RR_S and own:
        p_like = p_alike(s, p, work, middle + usual_shift - before)
    elif rr_s >= P_RR_S:
        p_like = p_alike_before(s, p, work, onset)
    usual_width_s = np.float64(s["width_s"][dominant])
    rms = norm / np.sqrt(2.0 * half + 1.0)
    f = s["features"]
    early = clip(1.0 - by_mean, 0.0, EARLY_ENOUGH)
    # Too early: a usual beat leaves ventricles that answer no stimulus of their own yet.
    follows_usual = last_kind == dominant + 1
    too_early = 0.0
    if follows_usual and rr_s > 0:
        too_early = early * clip((EXCITABLE - by_mean) / (EXCITABLE - REFRACTORY), 0.0, 1.0)
    f[0] = early - too_early
    f[1] = 0.0
    if not own and usual_width_s > 0 and s["width_s"][kind] > 0:
        f[1] = clip(np.log(np.float64(s["width_s"][kind]) / usual_width_s), -0.2, 0.7)
    f[2] = clip((width_s - WIDE_S) / WIDER_S, 0.0, 1.0)
    f[3] = clip(np.log(ratio), 0.0, 1.0)
    f[4] = clip(-_direction(p, work, middle, known - 1, norm), -1.0, 2.0)
    f[5] = 1.0 if own else 0.0
    f[6] = clip(_noise(p, work, at, norm) - NOISE_LOG, 0.0, 3.0)
    # When the next usual beat was due, its P before it: a block or an axis that changed.
    steady = max(1.0 - unsteady / ON_TIME, 0.0)
    due = max(1.0 - abs(by_basic - 1.0) / ON_TIME, 0.0) * steady
    f[7] = 0.0 if own or rr_s == 0 else due * clip(p_like, 0.0, 1.0)
    f[8] = clip(np.log(NOISE_MIN + initial / rms), -1.0, 1.5)
    pause = np.float64(s["pause"][kind]) if s["paused"][kind] > 0 else PAUSE
    pause = PAUSE + steady * (clip(pause, SHORT_PAUSE, 0.0) - PAUSE)
    f[9] = 0.0 if own else pause - SHORT_PAUSE
    f[10] = clip(1.0 - p_like, 0.0, 1.5)
    f[11] = clip((1.0 - by_basic) / (0.05 + min(unsteady, 0.4)), 0.0, 4.0)
    f[12] = clip(irregular, 0.0, 0.4)
    f[13] = 0.0
    if rr_s > 0 and last_rr_s > 0:
        f[13] = clip(1.0 - rr_s / last_rr_s - SHORTER, 0.0, SHORTER_ENOUGH)
    f[14] = 1.0 if follows_usual else 0.0
    f[15] = clip(unsteady, 0.0, 0.4)
    ventricular = _sum(s, p["ventricular"], 0)
    supraventricular = _sum(s, p["supraventricular"], V_FEATURES - SHARED)

    # The kind votes, and a run goes on.
    members = s["members"][kind]
    vote = np.float64(s["vote"][kind])
    weight = TOGETHER * min(members, KIND_BEATS) / KIND_BEATS
    evidence = (1.0 - weight) * ventricular + weight * vote
    if last_ventricular != 0 and not own and 0.0 < rr_s < RUN_RR_S:
        evidence += RUN
    result = NORMAL
    if evidence > LEAN:
        result = VENTRICULAR
    elif supraventricular > LEAN_SUPRAVENTRICULAR and rr_s > 0 and irregular <= REGULAR:
        result = SUPRAVENTRICULAR
    elif not own and too_early > 0 and evidence + p["ventricular"][1] * too_early > LEAN:
        result = SUPRAVENTRICULAR  # aberrant: ventricular, had it not come too early for that

    # Learn from it.
    came_early = 0.0 < last_rr_s < EARLY_RR * basic_s
    if own and rr_s > 0 and last_kind > 0 and not follows_usual and came_early:
        _learn_pause(s, last_kind - 1, (last_rr_s + rr_s) / basic_s - 2.0)
    members += 1
    s["members"][kind] = members
    s["vote"][kind] = towards(vote, ventricular, members)
    learn_shape(s, p, work, middle, kind, shift)
    s["size"][kind] = towards(s["size"][kind], norm, members)
    s["width_s"][kind] = towards(s["width_s"][kind], width_s, members)
    s["p_alike"][kind] = towards(s["p_alike"][kind], p_like, members)
    _learn_times(s, kind, last_kind, rr_s, by_mean, by_basic)
    s["beats"] += 1
    fade = 1.0 / min(s["beats"], SHARE_BEATS)
    for other in range(KINDS):
        s["share"][other] = np.float64(s["share"][other]) * (1.0 - fade)
    s["share"][kind] = np.float64(s["share"][kind]) + fade
    elect(s, kind)
    if kind == s["dominant"] and rr_s > 0 and by_mean > EARLY_MEAN:
        learn_p(s, p, work, middle + shift - before, norm)
    s["last_kind"] = kind + 1
    s["last_ventricular"] = 1 if result == VENTRICULAR else 0
    return result
