"""Plans: what they may say, and what holds where they say nothing."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telesurv.alerts.model import Limits, Plan
from telesurv.plans import (
    BOUNDS,
    DEFAULT_PLAN,
    VERSION_MAX,
    BadPlan,
    in_force,
    interval_s,
    read_plan,
    route_of,
    schema,
)


def document(**fields: Any) -> bytes:
    return json.dumps({"patient": "p", "version": 1} | fields).encode()


def test_the_smallest_plan_has_the_defaults() -> None:
    plan = read_plan(document())
    assert plan == Plan(patient="p", version=1)
    assert interval_s(plan) == (900, 300)
    assert in_force(plan.limits) == (90, 85, 40, 5, 140, 17, 4)
    assert not plan.ended
    assert interval_s(DEFAULT_PLAN) == (900, 300)


def test_a_plan_that_says_everything() -> None:
    limits = {"spo2_low": 88, "spo2_severe": 82, "asystole_s": 3.5,
              "heart_rate_low": 35, "heart_rate_high": 150,
              "heart_rate_low_beats": 4, "heart_rate_high_beats": 13}  # fmt: skip
    text = document(route="gw", expected_interval="1h", grace="10m", limits=limits, version=12)
    plan = read_plan(text)
    assert interval_s(plan) == (3600, 600)
    assert in_force(plan.limits) == (88, 82, 35, 4, 150, 13, 3.5)
    assert route_of(plan) == "gw"


def test_the_route_is_the_patient_unless_it_is_said() -> None:
    assert route_of(Plan(patient="p", version=1)) == "p"


def test_severe_follows_the_limit() -> None:
    assert in_force(Limits(spo2_low=88)).spo2_severe == 83
    assert in_force(Limits(spo2_severe=80)) == (90, 80, 40, 5, 140, 17, 4)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"patient": ""}, "patient"),
        ({"patient": "a b"}, "patient"),
        ({"patient": "x" * 65}, "patient"),
        ({"patient": 7}, "plan"),
        ({"route": "a/b"}, "route"),
        ({"version": 0}, "version is 0"),
        ({"version": -1}, "version"),
        ({"version": VERSION_MAX + 1}, "version"),
        ({"version": 2**70}, "version"),
        ({"version": 1.5}, "plan"),
        ({"version": "1"}, "plan"),
        ({"expected_interval": "15"}, "expected_interval"),
        ({"expected_interval": "never"}, "expected_interval"),
        ({"expected_interval": "59s"}, "1m to 7d"),
        ({"expected_interval": "8d"}, "1m to 7d"),
        ({"expected_interval": "9" * 400 + "d"}, "expected_interval"),
        ({"expected_interval": None}, "plan"),
        ({"grace": "-5m"}, "grace"),
        ({"grace": "8d"}, "grace"),
        ({"limits": {"spo2_low": 74.9}}, "limits.spo2_low"),
        ({"limits": {"spo2_low": 98.1}}, "limits.spo2_low"),
        ({"limits": {"heart_rate_low": 61}}, "heart_rate_low"),
        ({"limits": {"heart_rate_high": 99}}, "heart_rate_high"),
        ({"limits": {"asystole_s": 2.9}}, "asystole_s"),
        ({"limits": {"heart_rate_low_beats": 3}}, "heart_rate_low_beats"),
        ({"limits": {"heart_rate_high_beats": 8}}, "heart_rate_high_beats"),
        ({"limits": {"heart_rate_high_beats": 12.5}}, "heart_rate_high_beats"),
        ({"limits": {"spo2_low": 85, "spo2_severe": 85}}, "not below"),
        ({"limits": {"spo2_low": 76}}, None),
        ({"limits": {"spo2_severe": 91}}, "not below"),
        ({"limits": {"colour": 1}}, "colour"),
        ({"colour": "red"}, "colour"),
        ({"limits": []}, "plan"),
        ({"ended": "yes"}, "plan"),
    ],
)
def test_what_a_plan_may_not_say(fields: dict[str, Any], said: str | None) -> None:
    if said is None:
        read_plan(document(**fields))
        return
    with pytest.raises(BadPlan, match=said):
        read_plan(document(**fields))


@pytest.mark.parametrize("name", BOUNDS)
def test_bounds_are_inside(name: str) -> None:
    low, high, _ = BOUNDS[name]
    for value in (low, high):
        limits = {name: int(value)}
        if name == "spo2_severe" and value >= 90:
            limits["spo2_low"] = 98
        assert getattr(read_plan(document(limits=limits)).limits, name) == value


@given(st.binary(max_size=200))
@settings(max_examples=200, deadline=None)
def test_bytes_that_are_no_plan(text: bytes) -> None:
    with pytest.raises(BadPlan):
        read_plan(text)


@given(st.text(max_size=30))
@settings(max_examples=200, deadline=None)
def test_any_duration_is_read_or_refused(text: str) -> None:
    try:
        plan = read_plan(document(expected_interval=text))
    except BadPlan:
        return
    assert 60 <= interval_s(plan)[0] <= 7 * 86_400


def test_the_schema_knows_the_bounds() -> None:
    limits = schema()["$defs"]["Limits"]["properties"]  # type: ignore[index]
    for name, (low, high, unit) in BOUNDS.items():
        (number,) = (c for c in limits[name]["anyOf"] if c["type"] != "null")
        assert (number["minimum"], number["maximum"]) == (low, high)
        assert unit in number["description"]
