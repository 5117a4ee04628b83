"""Candidates of `beats`: how they are found, and how they wait in its state by their R-peak.

Called a few times a second and row, so they work on the fields of the state (`s`) and the
params (`p`) of one row; `beats` describes the rules. `_verdicts` judges what waits.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from telesurv_kernels._dtypes import LIKE_SHIFT, NOISE_SHIFT, STRENGTH_SHIFT, UNSURE
from telesurv_kernels._jit import kernel
from telesurv_kernels._pulses import is_pulse
from telesurv_kernels._shapes import CODES, KNOWN_USES, best_of, compare, unroll
from telesurv_kernels.quality import MISSING

RIVAL_RR = 0.4  # ... if also within this share of the usual RR
RIVAL_ALIKE = 0.9  # weaker to stronger
EXPLAINED = 3.2  # likeness to a known shape that makes a beat
UNEXPLAINED = 3.19  # most that is said of a hill, whose R-peak may lie elsewhere
LIKE_STEPS = (1.13, 1.6, 2.26, EXPLAINED, 4.5, 6.4)  # likenesses told apart, half an octave
DISTURBED = 0.1  # noise to the usual beat, from which shapes are looked for, evidence asked for
OLD_LEVEL = 0.125  # least share of the usual strength when levels are taken anew
MEMORY = 8  # beats, intervals, rejected candidates remembered
PENDING = 12  # candidates that may wait: 2.75 s at one in 200 ms, less what a hill takes
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
def _alike(likeness: float) -> int:
    """Return the step of a likeness, from 1 on; 0: nothing was compared."""
    if likeness == 0.0:
        return 0
    step = 1
    for least in LIKE_STEPS:
        step += likeness >= least
    return step


@kernel
def tell(
    s: Any, row: int, segment: int, kind: int, sample: int, findings: NDArray[Any], found: int
) -> int:
    """Write the first candidate that waits, and how strong it is to the usual beat and noise."""
    level = max(s["level_uv"], 1.0)
    strength: Any = min(np.int64(32.0 * s["pending_uv"][0] / level), 255)
    above: Any = min(np.int64(4.0 * level / max(s["noise_uv"], 1.0)), 255)
    flags = s["pending_flags"][0] | strength << STRENGTH_SHIFT | above << NOISE_SHIFT
    flags |= _alike(s["pending_likeness"][0]) << LIKE_SHIFT
    peak, mv = s["pending_sample"][0], s["pending_mv"][0]
    return put(findings, found, row, segment, kind, peak, sample, mv, flags)


@kernel
def _ordered(one: Any, other: Any) -> Any:
    """Return two values, the lesser first."""
    return min(one, other), max(one, other)


@kernel
def _of_all(recent: NDArray[Any], rank: int) -> Any:
    """Return the value at `rank` of MEMORY sorted ones: Batcher's network, without a branch."""
    a, b, c, d = recent[0], recent[1], recent[2], recent[3]
    e, f, g, h = recent[4], recent[5], recent[6], recent[7]
    (a, c), (b, d), (e, g), (f, h) = _ordered(a, c), _ordered(b, d), _ordered(e, g), _ordered(f, h)
    (a, e), (b, f), (c, g), (d, h) = _ordered(a, e), _ordered(b, f), _ordered(c, g), _ordered(d, h)
    (a, b), (c, d), (e, f), (g, h) = _ordered(a, b), _ordered(c, d), _ordered(e, f), _ordered(g, h)
    (c, e), (d, f) = _ordered(c, e), _ordered(d, f)
    (b, e), (d, g) = _ordered(b, e), _ordered(d, g)
    (b, c), (d, e), (f, g) = _ordered(b, c), _ordered(d, e), _ordered(f, g)
    return (a, b, c, d, e, f, g, h)[rank]


@kernel
def middle(recent: NDArray[Any], count: int, share: float) -> Any:
    """Return the value at `share` of the sorted last min(count, MEMORY) values."""
    size = min(count, MEMORY)
    rank: Any = min(np.int64(share * size), size - 1)
    if size == MEMORY:
        return _of_all(recent, rank)
    some = recent[:size]
    for i in range(size):
        less = 0
        not_more = 0
        for j in range(size):
            less += some[j] < some[i]
            not_more += some[j] <= some[i]
        if less <= rank < not_more:
            return some[i]
    return some[0]


@kernel
def begin(s: Any, p: Any, sample: int) -> None:
    """Forget the signal before `sample`; the levels stay until beats say otherwise."""
    s["going"] = 1
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
    s["inputs"][:] = np.float32(0.0)
    s["band_uv"][:] = 0
    s["level"] = s["slopes"] = s["bends"] = 0
    for quarter in range(QUARTERS):
        s["readable_recent"][quarter] = 0
    for quarter in range(MEMORY):
        s["level_recent"][quarter] = 0
    set_floor(s, p)


@kernel
def set_floor(s: Any, p: Any) -> None:
    """Set the power below which nothing can become a beat, nor the usual beat anew."""
    usual = p["power"] * (OLD_LEVEL * s["level_uv"]) ** 2
    s["floor"] = max(p["floor_power"], np.int64(usual))


@kernel
def next_verdict(s: Any, p: Any, sample: int) -> int:
    """Return the first sample from `sample` on at which a verdict may fall on what waits."""
    if s["pending"] == 0:
        return ALWAYS
    if s["learnt"] == 0:
        return sample
    settled: int = s["pending_sample"][0] + p["settle"]
    return max(sample, settled)


@kernel
def take_out(s: Any, slot: int) -> None:
    """Remove a candidate that waits."""
    for after in range(slot + 1, s["pending"]):
        _copy(s, after, after - 1)
    s["pending"] -= 1


@kernel
def _copy(s: Any, source: int, target: int) -> None:
    """Put one candidate at the place of another."""
    s["pending_sample"][target] = s["pending_sample"][source]
    s["pending_uv"][target] = s["pending_uv"][source]
    s["pending_mv"][target] = s["pending_mv"][source]
    s["pending_slope_mv"][target] = s["pending_slope_mv"][source]
    s["pending_flags"][target] = s["pending_flags"][source]
    s["pending_likeness"][target] = s["pending_likeness"][source]


@kernel
def _put_in(s: Any, p: Any, sample: int, near: Any, uv: float, slope: float, like: float) -> None:
    """Let a candidate wait, in the order of R-peaks; `near` are the samples around it.

    Its height is taken against the mean of near[0]..near[1], whose sum is near[2].
    """
    slot = s["pending"]
    while slot > 0 and s["pending_sample"][slot - 1] > sample:
        _copy(s, slot - 1, slot)
        slot -= 1
    width = near[1] - near[0] + 1
    code = np.int64(s["codes"][sample & (CODES - 1)])
    s["pending_sample"][slot] = sample
    s["pending_uv"][slot] = uv
    s["pending_mv"][slot] = (code * width - near[2]) / width * p["scale_mv"]
    s["pending_slope_mv"][slot] = slope
    s["pending_flags"][slot] = UNSURE if s["bits_recent"][sample & (CODES - 1)] != 0 else 0
    s["pending_likeness"][slot] = like
    s["pending"] += 1


@kernel
def _sum(near: NDArray[np.int16]) -> Any:
    """Return the sum of some codes."""
    total: Any = 0
    for k in range(near.size):
        total += np.int64(near[k])
    return total


@kernel
def _is_cut_off(s: Any, last: int, sample: int) -> bool:
    """Return whether the signal was lost before `last`, and has not come back by `sample`."""
    k = sample
    while k >= last and s["bits_recent"][k & (CODES - 1)] & MISSING != 0:
        k -= 1
    return k < last


@kernel
def _peak(near: NDArray[np.int16], total: int) -> int:
    """Return where the codes are farthest from their mean, first of equals; `total` is their sum.

    That is where they are highest or lowest.
    """
    high = low = near[0]
    for k in range(near.size):
        high = max(high, near[k])
        low = min(low, near[k])
    # Deflections from the mean, times their number: whole numbers.
    up = np.int64(high) * near.size - total
    down = total - np.int64(low) * near.size
    for k in range(near.size):
        if (up >= down and near[k] == high) or (down >= up and near[k] == low):
            return k
    return 0


@kernel
def _steepest(near: NDArray[np.int16], step: int) -> Any:
    """Return the largest difference of codes that lie `step` apart."""
    steepest: Any = 0
    before, after = near[: max(near.size - step, 0)], near[step:]
    for k in range(before.size):
        steepest = max(steepest, abs(np.int64(after[k]) - np.int64(before[k])))
    return steepest


@kernel
def consider(s: Any, p: Any, top: int, top_sample: int, sample: int, work: Any) -> None:
    """Place the R-peak of a hill, and let it wait unless a rival explains it."""
    centre = top_sample - p["delay"]
    first = max(centre - p["peak"], sample - CODES + 1)
    last = min(centre + p["peak"], sample)
    if last < first or first < s["gap"] or _is_cut_off(s, last, sample):
        return
    near = work["near"][: last - first + 1]
    unroll(s, first, near.size, near)
    total = _sum(near)
    at = _peak(near, total)
    if is_pulse(p, near, total, at):
        return
    peak = first + at
    if s["beats"] > 0 and peak - s["last"] < p["refractory"]:
        return
    steepest = _steepest(near, p["step"])
    slope = steepest * abs(p["scale_mv"])
    uv = np.sqrt(np.float64(top) / np.float64(p["power"]))
    for slot in range(s["pending"]):
        explained = s["pending_likeness"][slot] >= EXPLAINED
        if explained and abs(s["pending_sample"][slot] - peak) < p["apart"]:
            s["pending_uv"][slot] = max(s["pending_uv"][slot], uv)
            s["pending_slope_mv"][slot] = max(s["pending_slope_mv"][slot], slope)
            return
    slot = s["pending"] - 1
    if slot >= 0 and s["pending_likeness"][slot] < EXPLAINED:
        distance = peak - s["pending_sample"][slot]
        rival_uv = s["pending_uv"][slot]
        rivals = distance < p["refractory"] or (
            distance < min(np.float64(p["rival"]), RIVAL_RR * s["rr"])
            and min(uv, rival_uv) < RIVAL_ALIKE * max(uv, rival_uv)
        )
        if rivals:
            if uv <= rival_uv:
                return
            take_out(s, slot)
    if s["pending"] == PENDING:
        return
    like = 0.0
    if s["disturbance"] > DISTURBED:
        # With what was looked through already; the rest will be.
        begin = max(peak - _reach(p), s["gap"] + p["before"] + p["stride"])
        positions = (min(s["scanned"] - 1, peak + _reach(p)) - begin) // p["grid"] + 1
        if positions > 0:
            compare(s, p, begin, positions, KNOWN_USES, work)
            like = np.float64(work["likeness"][best_of(positions, work)])
            like = min(like, UNEXPLAINED)
    _put_in(s, p, peak, (first, last, total), uv, slope, like)


@kernel
def _reach(p: Any) -> int:
    """Return how far from a candidate's R-peak a shape that it is like may lie."""
    reach: int = 2 * p["near"] * p["grid"]
    return reach


@kernel
def scan(s: Any, p: Any, sample: int, work: Any) -> None:
    """Look for known shapes in the signal since the last scan: each is a candidate."""
    end = sample - p["after"]
    first = max(s["scanned"], s["gap"] + p["before"] + p["stride"], end - p["quarter"])
    positions = (end - first) // p["grid"]
    if positions <= 0:
        return
    s["scanned"] = first + positions * p["grid"]
    compare(s, p, first, positions, KNOWN_USES, work)
    likeness = work["likeness"]
    for q in range(positions):
        if likeness[q] >= EXPLAINED:
            _explain(s, p, first + q * p["grid"], np.float64(likeness[q]), work["near"])
    for slot in range(s["pending"]):
        if s["pending_likeness"][slot] < EXPLAINED:
            away = s["pending_sample"][slot] - first
            begin = max((away - _reach(p) + p["grid"] - 1) // p["grid"], 0)
            end = min((away + _reach(p)) // p["grid"] + 1, positions)
            like = s["pending_likeness"][slot]
            for q in range(begin, end):
                like = max(like, np.float64(likeness[q]))
            s["pending_likeness"][slot] = min(like, UNEXPLAINED)


@kernel
def _explain(s: Any, p: Any, peak: int, like: float, near: NDArray[np.int16]) -> None:
    """Let a known shape wait, in the place of a nearby candidate that is less like one."""
    if s["beats"] > 0 and peak - s["last"] < p["refractory"]:
        return
    nearest = -1
    for slot in range(s["pending"]):
        distance = abs(s["pending_sample"][slot] - peak)
        if distance < p["apart"] and (
            nearest < 0 or distance < abs(s["pending_sample"][nearest] - peak)
        ):
            nearest = slot
    uv, slope = s["level_uv"], s["slope_mv"]
    if nearest >= 0:
        if s["pending_likeness"][nearest] >= like:
            return
        uv, slope = s["pending_uv"][nearest], s["pending_slope_mv"][nearest]
        take_out(s, nearest)
    if s["pending"] < PENDING:
        first, last = max(peak - p["peak"], s["gap"]), peak + p["peak"]
        unroll(s, first, last - first + 1, near)
        _put_in(s, p, peak, (first, last, _sum(near[: last - first + 1])), uv, slope, like)
