"""Plans: what is expected of a patient, and their limits; read strictly, bounded by the code."""

from typing import NamedTuple

import msgspec

from telesurv.alerts.model import Limits, Plan
from telesurv.quantities import duration_s
from telesurv_kernels import rhythm, spo2
from telesurv_streams.frame import ROUTE_OR_PATIENT

DEFAULT_PLAN = Plan(patient="", version=0)
"""What holds for a patient of whom no plan is known. Silence is judged by it too."""

HEART_RATE_LOW, HEART_RATE_HIGH = 40.0, 140.0
"""Extreme rates per minute (PhysioNet/CinC Challenge 2015)."""

HEART_RATE_LOW_BEATS, HEART_RATE_HIGH_BEATS = 5, 17
"""Beats in a row that are beyond them in the mean (the same)."""

BOUNDS = {
    "spo2_low": (75.0, 98.0, "%"),
    "spo2_severe": (70.0, 95.0, "%"),
    "asystole_s": (3.0, 6.0, "s"),
    "heart_rate_low": (20.0, 60.0, "/min"),
    "heart_rate_low_beats": (4.0, 5.0, "beats"),
    "heart_rate_high": (100.0, 220.0, "/min"),
    "heart_rate_high_beats": (9.0, 17.0, "beats"),
}
"""Within these a plan may move a limit."""

INTERVAL_S = (60.0, 7 * 86_400.0)
"""Within these a plan sets the interval (and grace up to its upper end). None is *never*."""


VERSION_MAX = 2**53 - 1
"""Greatest version of a plan: JSON knows whole numbers up to it."""


class BadPlan(ValueError):
    """A plan that cannot be taken; says which field, what was seen, what was expected."""


def read_plan(text: bytes) -> Plan:
    """Return the plan that a JSON document holds; raises `BadPlan`."""
    try:
        plan = msgspec.json.decode(text, type=Plan)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadPlan(f"plan: {error}") from error
    for name in ("patient", "route"):
        value = getattr(plan, name)
        if not ROUTE_OR_PATIENT.fullmatch(value) and not (name == "route" and value == ""):
            raise BadPlan(f"plan: {name} is not 1 to 64 characters of A-Z a-z 0-9 _ . : -")
    if not 1 <= plan.version <= VERSION_MAX:
        raise BadPlan(f"plan: version is {plan.version}, expected 1 to {VERSION_MAX}, rising")
    interval, grace = _seconds(plan, "expected_interval"), _seconds(plan, "grace")
    if not INTERVAL_S[0] <= interval <= INTERVAL_S[1]:
        raise BadPlan(f"plan: expected_interval is {plan.expected_interval}, expected 1m to 7d")
    if grace > INTERVAL_S[1]:
        raise BadPlan(f"plan: grace is {plan.grace}, expected at most 7d")
    _check_limits(plan.limits)
    return plan


def _seconds(plan: Plan, name: str) -> float:
    try:
        return duration_s(getattr(plan, name))
    except (ValueError, OverflowError) as error:
        raise BadPlan(f"plan: {name}: {error}") from error


def _check_limits(limits: Limits) -> None:
    for name, (low, high, unit) in BOUNDS.items():
        value = getattr(limits, name)
        if value is not None and not low <= value <= high:
            raise BadPlan(f"plan: limits.{name} is {value} {unit}, expected {low:g} to {high:g}")
    spo2_low, severe = in_force(limits).spo2_low, in_force(limits).spo2_severe
    if severe >= spo2_low:
        raise BadPlan(f"plan: limits.spo2_severe {severe:g} is not below spo2_low {spo2_low:g}")


class InForce(NamedTuple):
    """Limits with the defaults of the conditions where a plan leaves them out."""

    spo2_low: float
    spo2_severe: float
    heart_rate_low: float
    heart_rate_low_beats: int
    heart_rate_high: float
    heart_rate_high_beats: int
    asystole_s: float


def in_force(limits: Limits) -> InForce:
    """Return the limits that hold."""
    low = spo2.LIMIT_PCT if limits.spo2_low is None else limits.spo2_low
    severe = low - spo2.SEVERE_POINTS if limits.spo2_severe is None else limits.spo2_severe
    slow = HEART_RATE_LOW if limits.heart_rate_low is None else limits.heart_rate_low
    fast = HEART_RATE_HIGH if limits.heart_rate_high is None else limits.heart_rate_high
    few = limits.heart_rate_low_beats or HEART_RATE_LOW_BEATS
    many = limits.heart_rate_high_beats or HEART_RATE_HIGH_BEATS
    silent_s = rhythm.ASYSTOLE_S if limits.asystole_s is None else limits.asystole_s
    return InForce(low, severe, slow, few, fast, many, silent_s)


def interval_s(plan: Plan) -> tuple[float, float]:
    """Return the expected interval and the grace, in seconds."""
    return duration_s(plan.expected_interval), duration_s(plan.grace)


def route_of(plan: Plan) -> str:
    """Return the key of the patient's frames."""
    return plan.route or plan.patient


def schema() -> dict[str, object]:
    """Return the published JSON Schema of a plan."""
    found = msgspec.json.schema(Plan)
    limits = found["$defs"]["Limits"]["properties"]
    for name, (low, high, unit) in BOUNDS.items():
        for choice in limits[name]["anyOf"]:
            if choice["type"] in ("number", "integer"):
                choice |= {"minimum": low, "maximum": high, "description": f"in {unit}"}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **found}
