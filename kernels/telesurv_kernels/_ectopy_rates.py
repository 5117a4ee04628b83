"""What RR and hourly counts tell: compiled helpers of `ectopy`, whose docstring has the rules."""

from typing import Any

from numpy.typing import NDArray

from telesurv_kernels._dtypes import (
    FREQUENT_VENTRICULAR_BEATS,
    MISSED_BEAT,
    OFF,
    ON,
    SUPRAVENTRICULAR_TACHYCARDIA,
)
from telesurv_kernels._finding import put_event
from telesurv_kernels._jit import kernel
from telesurv_kernels._patterns import beats_back

SVT_BEATS, SVT_BEFORE_RR, SVT_END_RR = 10, 4, 5
SVT_SPREAD = 0.15
"""Longest minus shortest RR, in parts of their mean."""

SVT_SUDDEN = 1.25
"""Mean of the RR before, in parts of those of the tachycardia."""

MISSED, MISSED_WITHIN_NS = 3, 60_000_000_000
MISSED_BEFORE_RR, MISSED_REGULAR_RR = 8, 7
MISSED_RATIO_MIN, MISSED_RATIO_MAX = 1.8, 2.2
EARLY, SPREAD = 0.85, 0.15
NORMAL_BEATS = 4
PAUSE_NS = 3_000_000_000

HOUR_NS = 3_600_000_000_000
DAY_HOURS = 24
ANALYSED_NS = HOUR_NS // 2
RISE, RISE_BEATS, RISE_HOURS = 3, 10, 12


@kernel
def narrow_tachycardia(s: Any, p: Any, event: Any, findings: NDArray[Any], found: int) -> int:
    """Judge the last ten narrow beats, or the last RR for the end."""
    limit_ns = 60e9 / p["svt_per_min"]
    last_ns = beats_back(s, 0)
    if s["narrow_tachycardia"] == 1:
        if s["row"] < 2:
            return found
        s["slow"] = s["slow"] + 1 if _rr(s, 0) >= limit_ns else 0
        if s["slow"] == SVT_END_RR:
            s["narrow_tachycardia"] = 0
            s["slow"] = 0
            end_ns = beats_back(s, SVT_END_RR)
            found = put_event(
                findings, found, event, OFF, SUPRAVENTRICULAR_TACHYCARDIA, 0, end_ns, 0.0
            )
        return found
    if s["narrow"] < SVT_BEATS or s["row"] < SVT_BEATS + SVT_BEFORE_RR:
        return found
    onset_ns = beats_back(s, SVT_BEATS - 1)
    mean_ns = (last_ns - onset_ns) / (SVT_BEATS - 1)
    before_ns = (onset_ns - beats_back(s, SVT_BEATS + SVT_BEFORE_RR - 1)) / SVT_BEFORE_RR
    if mean_ns >= limit_ns or before_ns < SVT_SUDDEN * mean_ns:
        return found
    shortest_ns = longest_ns = _rr(s, 0)
    for back in range(1, SVT_BEATS - 1):
        rr_ns = _rr(s, back)
        shortest_ns = min(shortest_ns, rr_ns)
        longest_ns = max(longest_ns, rr_ns)
    if longest_ns - shortest_ns > SVT_SPREAD * mean_ns:
        return found
    s["narrow_tachycardia"] = 1
    s["slow"] = 0
    per_min = 60e9 / mean_ns
    return put_event(findings, found, event, ON, SUPRAVENTRICULAR_TACHYCARDIA, onset_ns, 0, per_min)


@kernel
def missed(s: Any, event: Any, findings: NDArray[Any], found: int) -> int:
    """Judge whether the RR before the last one lacks a beat."""
    if s["normal"] < NORMAL_BEATS or s["row"] < MISSED_BEFORE_RR + 3:
        return found
    rr_ns = _rr(s, 1)
    shorter = 0  # most beats end here: the median is below 1 / 1.7 of this RR only if 4 of 8 are
    for back in range(2, MISSED_BEFORE_RR + 2):
        shorter += 10 * rr_ns >= 17 * _rr(s, back)
    if rr_ns >= PAUSE_NS or shorter < MISSED_BEFORE_RR // 2:
        return found
    median_ns = _median_before(s)
    if not MISSED_RATIO_MIN <= rr_ns / median_ns <= MISSED_RATIO_MAX:
        return found
    if abs(_rr(s, 0) / median_ns - 1) > SPREAD or _rr(s, 2) < EARLY * median_ns:
        return found
    regular = 0
    for back in range(2, MISSED_BEFORE_RR + 2):
        ratio = _rr(s, back) / median_ns
        regular += abs(ratio - 1) <= SPREAD or MISSED_RATIO_MIN <= ratio <= MISSED_RATIO_MAX
    if regular < MISSED_REGULAR_RR:
        return found
    return _another(s, beats_back(s, 2), beats_back(s, 1), event, findings, found)


@kernel
def _rr(s: Any, back: int) -> int:
    """Return the RR that lies `back` before the last of the row."""
    return beats_back(s, back) - beats_back(s, back + 1)


@kernel
def _median_before(s: Any) -> float:
    """Return the median of the RR before that one: the mean of the middle two."""
    median_ns = 0.0
    for back in range(2, MISSED_BEFORE_RR + 2):
        rr_ns = _rr(s, back)
        rank = 0
        for other in range(2, MISSED_BEFORE_RR + 2):
            other_ns = _rr(s, other)
            rank += other_ns < rr_ns or (other_ns == rr_ns and other < back)
        if rank in (MISSED_BEFORE_RR // 2 - 1, MISSED_BEFORE_RR // 2):
            median_ns += rr_ns / 2
    return median_ns


@kernel
def _another(
    s: Any, begin_ns: int, end_ns: int, event: Any, findings: NDArray[Any], found: int
) -> int:
    """Remember an RR that lacks a beat; three within a minute are the condition."""
    s["missed_end_ns"] = end_ns
    s["calm_ns"] = 0
    if s["missed"] == 1:
        return found
    if s["missed_count"] == MISSED:
        for slot in range(MISSED - 1):
            s["missed_ns"][slot] = s["missed_ns"][slot + 1]
        s["missed_count"] -= 1
    s["missed_ns"][s["missed_count"]] = begin_ns
    s["missed_count"] += 1
    onset_ns = s["missed_ns"][0]
    if s["missed_count"] < MISSED or not 0 <= end_ns - onset_ns <= MISSED_WITHIN_NS:
        return found
    s["missed"] = 1
    return put_event(findings, found, event, ON, MISSED_BEAT, onset_ns, 0, float(MISSED))


@kernel
def calm(s: Any, readable_ns: int, event: Any, findings: NDArray[Any], found: int) -> int:
    """Count readable time without a missed beat: a minute of it ends them."""
    if s["missed"] == 0:
        return found
    s["calm_ns"] += readable_ns
    if s["calm_ns"] < MISSED_WITHIN_NS:
        return found
    s["missed"] = 0
    s["missed_count"] = 0
    return put_event(findings, found, event, OFF, MISSED_BEAT, 0, s["missed_end_ns"], 0.0)


@kernel
def close_hour(s: Any, p: Any, hour: int, event: Any, findings: NDArray[Any], found: int) -> int:
    """Judge an hour that is over, and begin another."""
    if hour == s["hour"]:
        return found
    count, readable_ns = s["hour_count"], s["hour_ns"]
    analysed = readable_ns >= ANALYSED_NS
    day_count, day_ns = 0, 0
    for slot in range(s["hours"]):
        day_count += s["day_count"][slot]
        day_ns += s["day_ns"][slot]
    rise = analysed and count >= RISE_BEATS and s["hours"] >= RISE_HOURS
    rise = rise and count * float(day_ns) >= RISE * day_count * float(readable_ns)
    if count > p["per_hour_max"] or rise:
        begin_ns = s["hour"] * HOUR_NS
        s["few"] = 0
        s["frequent_ns"] = begin_ns + HOUR_NS
        if s["frequent"] == 0:
            s["frequent"] = 1
            code = FREQUENT_VENTRICULAR_BEATS
            found = put_event(findings, found, event, ON, code, begin_ns, 0, float(count))
    elif analysed and s["frequent"] == 1:
        s["few"] += 1
        if s["few"] >= DAY_HOURS:
            s["frequent"] = 0
            end_ns = s["frequent_ns"]
            found = put_event(
                findings, found, event, OFF, FREQUENT_VENTRICULAR_BEATS, 0, end_ns, 0.0
            )
    if analysed:
        s["day_count"][s["hour_head"]] = count
        s["day_ns"][s["hour_head"]] = readable_ns
        s["hour_head"] = (s["hour_head"] + 1) % DAY_HOURS
        s["hours"] = min(s["hours"] + 1, DAY_HOURS)
    s["hour"] = hour
    s["hour_count"] = 0
    s["hour_ns"] = 0
    return found
