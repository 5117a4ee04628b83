"""The evidence that a beat is ventricular or supraventricular, and what follows from it.

Called once a beat, so it works on the fields of the state (`s`) and the params (`p`) of one
row; `classes` describes the rules, `_class_weights` the weights.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from telesurv_kernels._class_weights import SUPRAVENTRICULAR_WEIGHTS, VENTRICULAR_WEIGHTS
from telesurv_kernels._dtypes import NORMAL, SUPRAVENTRICULAR, UNSURE, VENTRICULAR
from telesurv_kernels._jit import kernel
from telesurv_kernels._kinds import (
    INTERVALS,
    KIND_BEATS,
    KINDS,
    RING,
    RR_S_MAX,
    SHARE_BEATS,
    SIMILAR,
    SURELY_SIMILAR,
    alike,
    centre,
    clip,
    code_at,
    compare,
    elect,
    found_kind,
    learn_long,
    learn_shape,
    masked_within,
    mean_rr_s,
    median_step_s,
    similarity,
    towards,
)

P_RR_S = 0.45  # after a shorter RR, P lies in the T before
SINUS_RR = 0.85  # of the mean RR; the P of an earlier beat is none to learn
RUN_RR_S = 0.65  # a run of ventricular beats is faster than this (92/min)
RUN = 2.0  # evidence that it goes on
TOGETHER = 0.7  # share of a kind's vote in the evidence of a beat
EVIDENCE_MAX = 8.0
LEAN = 0.4  # evidence that a beat must have to be ventricular
LEAN_SUPRAVENTRICULAR = -0.5  # or supraventricular
REGULAR = 0.15  # median difference of RR, as share of the mean, of a regular rhythm
WIDE_S, WIDER_S = 0.08, 0.06  # a width from here on counts, fully when so much longer
SHARE_MIN = 0.003  # one beat of SHARE_BEATS
ON_TIME = 0.15  # of an RR; so much off, or so irregular, a beat says nothing by its time
NOISE_MIN, NOISE_LOG = 1e-3, -2.5  # below exp(-2.5), 8 % of a QRS, noise does not count

V_FEATURES = len(VENTRICULAR_WEIGHTS) - 1
FEATURES = V_FEATURES + len(SUPRAVENTRICULAR_WEIGHTS) - 1


@kernel
def _sum(s: Any, weights: NDArray[Any], first: int) -> float:
    """Return the bias and the weighted features from the `first` on."""
    total = 0.0 + weights[0]
    for i in range(1, weights.size):
        total += weights[i] * s["features"][first + i - 1]
    return clip(total, -EVIDENCE_MAX, EVIDENCE_MAX)


@kernel
def _direction(s: Any, p: Any, middle: int, known: int, size: float) -> Any:
    """Return the T's mean deflection: below 0 where it stands against the QRS."""
    ring = s["ring"]
    base = 0.0
    for block in range(middle - p["base"][0], middle - p["base"][1]):
        base += code_at(ring, block)
    base /= p["base"][0] - p["base"][1]
    last = min(middle + p["t"][1], known - 1)
    t = 0.0
    for block in range(middle + p["t"][0], last):
        t += code_at(ring, block) - base
    t /= max(last - middle - p["t"][0], 1)
    area = 0.0
    for block in range(middle - p["half"], middle + p["half"] + 1):
        area += code_at(ring, block) - base
    rms = size / np.sqrt(2.0 * p["half"] + 1.0)
    return t / rms if area > 0 else -t / rms


@kernel
def _noise(s: Any, p: Any, block: int, size: float) -> Any:
    """Return the log of the roughness (second differences) before the QRS, as its share."""
    ring = s["ring"]
    total = 0.0
    for i in range(block - p["before"], block - p["centre"]):
        bend = code_at(ring, i + 1) - 2 * code_at(ring, i) + code_at(ring, i - 1)
        total += bend * bend
    rms = size / np.sqrt(2.0 * p["half"] + 1.0)
    return np.log(NOISE_MIN + np.sqrt(total / (p["before"] - p["centre"])) / rms)


@kernel
def _timing(s: Any, rr_s: float) -> tuple[float, float, float, float]:
    """Return RR over the mean, over the one before, over the dominant kind's; irregularity."""
    mean_s = mean_rr_s(s, rr_s)
    irregular = median_step_s(s) / mean_s if s["intervals"] > 2 else 0.0
    if rr_s == 0:
        return 1.0, 1.0, 1.0, irregular
    last_s = s["last_rr_s"]
    dominant = s["dominant"]
    usual_s = np.float64(s["rr_mean_s"][dominant]) if s["timed"][dominant] > 0 else mean_s
    return rr_s / mean_s, rr_s / last_s if last_s > 0 else 1.0, rr_s / usual_s, irregular


@kernel
def classify(s: Any, p: Any, peak: int, flags: int) -> int:
    """Judge the beat whose R-peak is the sample `peak`, learn from it, return its class."""
    block_hz = p["block_hz"]
    block = peak // p["factor"]
    known = s["count"] // p["factor"]  # blocks that are complete
    half = p["half"]
    search = p["search"]
    reach = p["centre"] + search
    rr_s = 0.0
    if s["follows"] != 0:
        rr_s = (peak - s["last"]) / (block_hz * p["factor"])
    s["follows"] = 1
    s["last"] = peak
    last_kind = s["last_kind"]
    last_ventricular = s["last_ventricular"]
    s["last_kind"] = 0
    s["last_ventricular"] = 0
    oldest = max(s["begin"], known - RING)
    turn = oldest - oldest % RING  # blocks are counted from here: see `code_at`
    oldest -= turn
    block -= turn
    known -= turn
    if block - reach - p["before"] - 1 < oldest or block + reach + half + 1 >= known:
        s["last_rr_s"] = 0.0
        return 0

    # What the QRS looks like.
    middle, length = centre(s, p, block)
    near = s["near"]
    size = 2 * half + 1
    total: Any = 0
    squares: Any = 0
    slopes: Any = 0
    for i in range(size + 2 * search):
        near[i] = code_at(s["ring"], middle - half - search + i)
    for i in range(search, search + size):
        value = np.int64(near[i])
        total += value
        squares += value * value
        before = middle - half + i - search
        slope = code_at(s["ring"], before + 1) - code_at(s["ring"], before - 1)
        slopes += slope * slope
    norm = np.sqrt(max(squares - total * total / size, 1e-6))
    width_s = length / block_hz
    pace = 0.5 * np.sqrt(np.float64(slopes)) / norm * block_hz

    # Which kind it resembles.
    kind = -1
    shift = 0
    resemblance = -2.0
    usual = 0.0  # correlation with the dominant kind
    usual_shift = 0
    dominant = s["dominant"]
    for after in range(KINDS):
        other = (dominant + after) % KINDS
        if s["members"][other] == 0:
            continue
        correlation, other_shift = compare(s, p, other)
        alike_by = similarity(correlation, norm / np.float64(s["size"][other]))
        if alike_by > resemblance:
            resemblance = alike_by
            kind = other
            shift = other_shift
        if after == 0:
            usual = correlation
            usual_shift = other_shift
            if alike_by >= SURELY_SIMILAR:
                break
    if flags & UNSURE or masked_within(s, middle - half - search, middle + half + search + 1):
        s["last_rr_s"] = 0.0
        if kind < 0 or resemblance < SIMILAR:
            return 0
        ventricular = kind != dominant and np.float64(s["vote"][kind]) > LEAN
        return VENTRICULAR if ventricular else NORMAL
    if kind < 0 or resemblance < SIMILAR:
        kind = found_kind(s)
        if last_kind == kind + 1:
            last_kind = 0  # it was given up
        shift = 0
        s["size"][kind] = norm
        s["width_s"][kind] = width_s
        s["pace"][kind] = pace
        if s["beats"] == 0:
            dominant = kind
            s["dominant"] = kind

    # How it differs from the dominant kind, and when it came.
    by_mean, by_last, by_usual, irregular = _timing(s, rr_s)
    first = s["beats"] == 0
    ratio = 1.0 if first else norm / np.float64(s["size"][dominant])
    apart = 1.0 + ratio * ratio - 2.0 * ratio * (1.0 if first else usual)
    apart = min(np.sqrt(max(apart, 0.0)) / max(1.0, ratio), 1.2)
    origin = middle + usual_shift - p["before"]
    t_alike = alike(s, origin, p["t_begin"], min(p["before"] + p["after"], known - origin))
    p_alike = alike(s, origin, 0, p["p_end"]) if rr_s >= P_RR_S else 0.0
    own = kind == dominant
    usual_width_s = np.float64(s["width_s"][dominant])
    share = np.float64(s["share"][kind])
    f = s["features"]
    f[0] = apart
    f[1] = clip(1.0 - by_mean, 0.0, 0.5)
    f[2] = clip((1.0 - by_mean) / (0.1 + irregular), 0.0, 3.0)
    f[3] = clip(np.log(np.float64(s["pace"][dominant]) / max(pace, 1e-3)), -0.2, 0.8)
    f[4] = 0.0 if own else clip(np.float64(s["pause"][kind]) - 1.0, -0.2, 0.5)
    f[5] = 0.0
    if not own and usual_width_s > 0 and s["width_s"][kind] > 0:
        f[5] = clip(np.log(np.float64(s["width_s"][kind]) / usual_width_s), -0.2, 0.7)
    f[6] = clip(1.0 - t_alike, 0.0, 1.5)
    f[7] = clip(-_direction(s, p, middle, known, norm), -1.0, 2.0)
    f[8] = clip((width_s - WIDE_S) / WIDER_S, 0.0, 1.0)
    f[9] = 1.0 if own else 0.0
    f[10] = 0.0 if own else 1.0 - np.log(share + SHARE_MIN) / np.log(SHARE_MIN)
    f[11] = clip(_noise(s, p, block, norm) - NOISE_LOG, 0.0, 3.0)
    # Where the next usual beat was due: a block or an axis that changed, rather than an ectopy.
    due = max(1.0 - abs(by_usual - 1.0) / ON_TIME, 0.0) * max(1.0 - irregular / ON_TIME, 0.0)
    f[12] = 0.0 if own or rr_s == 0 else due
    early = clip(1.0 - by_mean, -0.2, 0.5)
    f[13] = clip(early / (0.03 + min(irregular, 0.4)), 0.0, 6.0)
    f[14] = clip(1.0 - by_usual, -0.2, 0.5)
    f[15] = clip(1.0 - by_last, -0.2, 0.5)
    f[16] = clip(1.0 - p_alike, 0.0, 1.5)
    f[17] = apart
    f[18] = min(irregular, 0.4)
    ventricular = _sum(s, p["ventricular"], 0)
    supraventricular = _sum(s, p["supraventricular"], V_FEATURES)

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

    # Learn from it.
    members += 1
    s["members"][kind] = members
    s["vote"][kind] = towards(vote, ventricular, members)
    learn_shape(s, p, kind, shift)
    s["size"][kind] = towards(s["size"][kind], norm, members)
    s["width_s"][kind] = towards(s["width_s"][kind], width_s, members)
    s["pace"][kind] = towards(s["pace"][kind], pace, members)
    if rr_s > 0:
        timed = s["timed"][kind] + 1
        s["timed"][kind] = timed
        s["early"][kind] = towards(s["early"][kind], by_mean, timed)
        s["rr_mean_s"][kind] = towards(s["rr_mean_s"][kind], rr_s, timed)
        if last_kind > 0:
            followed = s["followed"][last_kind - 1] + 1
            s["followed"][last_kind - 1] = followed
            s["pause"][last_kind - 1] = towards(s["pause"][last_kind - 1], by_mean, followed)
    s["beats"] += 1
    fade = 1.0 / min(s["beats"], SHARE_BEATS)
    for other in range(KINDS):
        s["share"][other] = np.float64(s["share"][other]) * (1.0 - fade)
    s["share"][kind] = np.float64(s["share"][kind]) + fade
    elect(s)
    whole = middle + shift - p["before"]
    sinus = rr_s > 0 and by_mean > SINUS_RR
    if kind == s["dominant"] and sinus and whole + p["before"] + p["after"] <= known:
        learn_long(s, p, whole)
    if 0.0 < rr_s < RR_S_MAX:
        s["rr_s"][s["intervals"] % INTERVALS] = rr_s
        s["intervals"] += 1
        s["last_rr_s"] = rr_s
    s["last_kind"] = kind + 1
    s["last_ventricular"] = 1 if result == VENTRICULAR else 0
    return result
