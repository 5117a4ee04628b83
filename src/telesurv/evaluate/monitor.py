"""What would be shown of a test signal: heart rate, alerts, and when.

Two heart rates. The service's numeric is a mean over a minute of device time. A monitor shows the
mean of the last 12 RR without the longest and the shortest, or of the last 4 while three in a row
are longer than 1.2 s (as makers disclose by IEC 60601-2-27); computed here of the same beats, at
the time at which each was decided.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from telesurv.lead import Heard, Lead, hear
from telesurv.simulate.monitor_cases import Case
from telesurv_kernels import _dtypes as codes

RR_MEAN, RR_SLOW, SLOW_S = 12, 4, 1.2

WITHIN, WITHIN_PER_MIN = 0.10, 5.0
"""A rate is right within the larger of both (ANSI/AAMI EC13)."""


SETTLED_S = 20.0
"""After so long a rate is to be right (IEC 60601-2-27)."""

ALARM_S = 10.0
"""Within so long an alarm is to be raised."""

SAME_BEAT_S = 0.15


class Alert(NamedTuple):
    """A finding of a kernel that begins something, in seconds of the signal."""

    condition: str
    onset_s: float
    detected_s: float


class Shown(NamedTuple):
    """What a case gives."""

    beats_s: NDArray[np.float64]  # R-peaks that were found
    decided_s: NDArray[np.float64]  # and when
    shown_s: NDArray[np.float64]  # when a monitor's rate was renewed
    per_min: NDArray[np.float64]  # and what it was
    minutes: list[tuple[float, float]]  # the service's numeric: when it was known, and its value
    alerts: list[Alert]


def show(case: Case) -> Shown:
    """Run the streaming kernels over a case, as the service does."""
    lead = Lead(case.name, 0, case.name, case.codes, case.rate_hz, case.scale_mv, 1, case.rate_hz)
    return shown(hear(lead), case.rate_hz)


def shown(heard: Heard, rate_hz: float) -> Shown:
    """Return what is shown of a lead."""
    beats_s, decided_s = (heard.beats[name] / rate_hz for name in ("sample", "decided"))
    rates = [(decided_s[k], displayed(beats_s[: k + 1])) for k in range(RR_SLOW, len(beats_s))]
    begun = heard.finding[np.isin(heard.finding["kind"], (codes.ON, codes.EPISODE))]
    minutes = heard.finding[heard.finding["kind"] == codes.MINUTE]
    minutes = minutes[minutes["condition"] == codes.NUMERIC_HEART_RATE]
    return Shown(
        beats_s,
        decided_s,
        np.array([at for at, _ in rates]),
        np.array([rate for _, rate in rates]),
        [(float(one["detected_ns"]) / 1e9, float(one["value"])) for one in minutes],
        [
            Alert(
                codes.CONDITIONS[one["condition"]],
                float(one["onset_ns"]) / 1e9,
                float(one["detected_ns"]) / 1e9,
            )
            for one in begun
        ],
    )


def displayed(beats_s: NDArray[np.float64]) -> float:
    """Return the rate that a monitor shows after the last of at least 5 beats."""
    rr_s = np.diff(beats_s[-RR_MEAN - 1 :])
    if np.all(rr_s[-3:] > SLOW_S) or len(rr_s) < RR_MEAN:
        return float(60 / rr_s[-RR_SLOW:].mean())
    return float(60 / ((rr_s.sum() - rr_s.min() - rr_s.max()) / (RR_MEAN - 2)))


def right(per_min: float, true_per_min: float) -> bool:
    """Say whether a shown rate is right by the standard."""
    return abs(per_min - true_per_min) <= max(WITHIN * true_per_min, WITHIN_PER_MIN)


def right_since_s(found: Shown, case: Case) -> float | None:
    """Return how long after the change the shown rate is right and stays so."""
    assert case.change_s is not None
    assert case.rate_per_min is not None
    since = None
    for at_s, per_min in zip(found.shown_s, found.per_min, strict=True):
        if at_s < case.change_s or not right(per_min, case.rate_per_min):
            since = None
        elif since is None:
            since = float(at_s) - case.change_s
    return since


def minute_right_s(found: Shown, case: Case) -> float | None:
    """Return how long after the change the first right numeric of a minute is known."""
    assert case.change_s is not None
    assert case.rate_per_min is not None
    for at_s, per_min in found.minutes:
        if at_s > case.change_s and right(per_min, case.rate_per_min):
            return at_s - case.change_s
    return None


def alarm(found: Shown, case: Case) -> Alert | None:
    """Return the first alert of those that the case asks for."""
    asked = [one for one in found.alerts if one.condition in case.alarms]
    return min(asked, key=lambda one: one.detected_s, default=None)


def faults(case: Case, found: Shown) -> list[str]:
    """Return what is not as the standard, or the service's own rules, want it; empty: all is."""
    false = {"asystole", "ventricular-fibrillation"} - set(case.alarms)
    said = [f"{a.condition} at {a.detected_s:.1f} s" for a in found.alerts if a.condition in false]
    if case.alarms:
        assert case.change_s is not None
        raised = alarm(found, case)
        if raised is None:
            said.append("no alarm")
        elif raised.detected_s > case.change_s + ALARM_S:
            said.append("a late alarm")
    if case.rate_per_min is None:
        assert case.change_s is not None
        if counted := int(np.count_nonzero(found.beats_s > case.change_s + SAME_BEAT_S)):
            said.append(f"{counted} beats where there are none")
    elif not case.alarms:
        settled = found.shown_s >= (case.change_s or 0.0) + SETTLED_S
        rates = found.per_min[settled]
        wrong = [rate for rate in rates if not right(float(rate), case.rate_per_min)]
        if wrong or not len(rates):
            said.append(f"{len(wrong)} of {len(rates)} rates shown are wrong")
    return said
