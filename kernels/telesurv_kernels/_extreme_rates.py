"""Extreme brady- and tachycardia: the mean rate of the last beats in a row.

The rules are told in `rhythm`, in whose state the fields lie: `run` beats in a row, their
times `beats_ns` in a ring, `own` beats of a bradycardia, and which condition is present.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from telesurv_kernels._dtypes import EXTREME_BRADYCARDIA, EXTREME_TACHYCARDIA, OFF, ON
from telesurv_kernels._finding import put_event
from telesurv_kernels._jit import kernel

BRADYCARDIA_BEATS, BRADYCARDIA_END_RR, BRADYCARDIA_HYSTERESIS_PER_MIN = 5, 8, 5.0
TACHYCARDIA_BEATS, TACHYCARDIA_END_RR, TACHYCARDIA_HYSTERESIS_PER_MIN = 17, 16, 10.0


@kernel
def take_beat(s: Any, time_ns: int) -> None:
    """Add a beat to those in a row."""
    s["beats_ns"][s["head"]] = time_ns
    s["head"] = (s["head"] + 1) % TACHYCARDIA_BEATS
    s["run"] = min(s["run"] + 1, TACHYCARDIA_BEATS)
    s["own"] = min(s["own"] + 1, BRADYCARDIA_END_RR + 1)


@kernel
def end_run(s: Any) -> None:
    """Let no beat follow another across this moment: with the next a new row begins."""
    s["paired"] = 0
    s["run"] = 0
    s["own"] = 0


@kernel
def back(s: Any, beats: int) -> int:
    """Return the time of the beat that lies `beats` before the last of the run."""
    back_ns: int = s["beats_ns"][(s["head"] - 1 - beats) % TACHYCARDIA_BEATS]
    return back_ns


@kernel
def tachycardia(
    s: Any, p: Any, time_ns: int, event: Any, findings: NDArray[Any], found: int
) -> int:
    """Judge the mean of the last RR, and of 16 for the end."""
    intervals = TACHYCARDIA_END_RR if s["tachycardia"] == 1 else p["tachy_beats"] - 1
    if s["run"] <= intervals:
        return found
    onset_ns = back(s, intervals)
    per_min = intervals * 60e9 / (time_ns - onset_ns)
    fibrillating = s["fibrillation"] != 0
    if s["tachycardia"] == 0 and per_min > p["tachy_per_min"] and not fibrillating:
        s["tachycardia"] = 1
        return put_event(findings, found, event, ON, EXTREME_TACHYCARDIA, onset_ns, 0, per_min)
    if s["tachycardia"] == 1 and per_min < p["tachy_end_per_min"]:
        s["tachycardia"] = 0
        return put_event(findings, found, event, OFF, EXTREME_TACHYCARDIA, 0, time_ns, per_min)
    return found


@kernel
def bradycardia(
    s: Any, p: Any, time_ns: int, event: Any, findings: NDArray[Any], found: int
) -> int:
    """Judge the mean of the last RR, and of 8 for the end."""
    if s["run"] >= BRADYCARDIA_BEATS:
        per_min = (BRADYCARDIA_BEATS - 1) * 60e9 / (time_ns - back(s, BRADYCARDIA_BEATS - 1))
        if s["low_per_min"] == 0.0 or per_min < s["low_per_min"]:
            s["low_per_min"] = per_min
    beats = p["brady_beats"]
    if s["run"] < beats:
        return found
    onset_ns = back(s, beats - 1)
    per_min = (beats - 1) * 60e9 / (time_ns - onset_ns)
    slow = per_min < p["brady_per_min"]
    if s["bradycardia"] == 0:
        # There is no asystole: so many beats in a row have ended it.
        if slow and s["fibrillation"] == 0:
            s["bradycardia"] = 1
            s["own"] = beats
            return put_event(findings, found, event, ON, EXTREME_BRADYCARDIA, onset_ns, 0, per_min)
        return found
    if s["own"] > BRADYCARDIA_END_RR and not slow:
        per_min = BRADYCARDIA_END_RR * 60e9 / (time_ns - back(s, BRADYCARDIA_END_RR))
        if per_min > p["brady_end_per_min"]:
            s["bradycardia"] = 0
            return put_event(findings, found, event, OFF, EXTREME_BRADYCARDIA, 0, time_ns, per_min)
    return found


@kernel
def slow_already(
    s: Any, p: Any, until_ns: int, event: Any, findings: NDArray[Any], found: int
) -> int:
    """Judge the mean of all RR but one and the time since: the one cannot be shorter."""
    known = p["brady_beats"] - 1
    if s["bradycardia"] == 1 or s["asystole"] == 1 or s["fibrillation"] != 0 or s["run"] < known:
        return found
    if until_ns - s["quiet_ns"] >= np.int64(p["asystole_s"] * 1e9) // 2:
        return found
    onset_ns = back(s, known - 1)
    per_min = known * 60e9 / (until_ns - onset_ns)
    if per_min >= p["brady_per_min"]:
        return found
    s["bradycardia"] = 1
    s["own"] = known
    return put_event(findings, found, event, ON, EXTREME_BRADYCARDIA, onset_ns, 0, per_min)
