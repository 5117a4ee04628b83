"""The SpO2 kernel by its rules, and beside its oracle on random nights."""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from oracles.spo2 import Finding, spo2
from telesurv_kernels import _dtypes as d
from telesurv_kernels import spo2 as k

S = 1_000_000_000
START = 946_684_800 * S  # a full minute

Row = tuple[NDArray[np.int16], NDArray[np.int64]]
"""Samples in tenths of a % and their device times."""

PARAMS = np.array([k.params(scale=float(np.float32(0.1)))])

OFF_FINGER = None


def row(values: Sequence[float | None], times_s: Sequence[float] | None = None) -> Row:
    """Readings one a second, or at the times given."""
    codes = [k.MISSING if value is None else round(value * 10) for value in values]
    seconds = np.arange(len(codes)) if times_s is None else np.asarray(times_s)
    times_ns = START + np.rint(seconds * 1e9).astype(np.int64)
    return np.array(codes, np.int16), times_ns


def run(
    readings: Row, cuts: Iterable[int] = (), params: NDArray[Any] = PARAMS
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Findings and state after readings given in pieces that end at `cuts`."""
    samples, times_ns = readings
    state = np.zeros(1, k.STATE)
    parts = []
    for first, last in pairwise([0, *sorted(cuts), len(samples)]):
        segments = np.array([(0, 0, last - first, 0)], d.SEGMENT)
        out = np.zeros(k.capacity(last - first, 1), d.FINDING)
        found = k.advance(state, params, segments, samples[first:last], times_ns[first:last], out)
        parts.append(out[:found])
    return np.concatenate(parts), state


def plain(findings: NDArray[Any]) -> list[Finding]:
    names = ("kind", "condition", "onset_ns", "end_ns", "detected_ns", "value", "low")
    return sorted(tuple(f[name].item() for name in names) for f in findings)


Said = tuple[str, str, float, float]
"""on or off, of what, onset or end (s), detected (s)"""


def said(readings: Row, params: NDArray[Any] = PARAMS) -> list[Said]:
    """ON and OFF in the order in which they were found."""
    return [
        (
            "on" if f["kind"] == d.ON else "off",
            d.CONDITIONS[f["condition"]],
            float((f["onset_ns"] if f["kind"] == d.ON else f["end_ns"]) - START) / 1e9,
            float(f["detected_ns"] - START) / 1e9,
        )
        for f in run(readings, params=params)[0]
        if f["kind"] in (d.ON, d.OFF)
    ]


def values_of(readings: Row) -> list[float]:
    return [float(f["value"]) for f in run(readings)[0] if f["kind"] == d.ON]


ON, OFF = ("on", "desaturation"), ("off", "desaturation")
SEVERE_ON, SEVERE_OFF = ("on", "severe-desaturation"), ("off", "severe-desaturation")


def test_nothing_is_found_at_the_limit() -> None:
    assert said(row([90.0] * 200)) == []
    assert said(row([100.0] * 200)) == []  # a steady SpO2 is no probe off


def test_fifteen_seconds_below_the_limit() -> None:
    assert said(row([95] * 5 + [89] * 14 + [90] * 60)) == []
    assert said(row([95] * 5 + [89] * 15 + [90] * 60)) == [(*ON, 5.0, 20.0)]


def test_the_vendors_example_of_sat_seconds() -> None:
    example = [88] * 2 + [86] * 3 + [84] * 20
    assert said(row(example))[0] == (*ON, 0.0, 11.0)
    # At 3 readings a second it is within a third of a second of the continuous 10.67 s.
    thirds = np.repeat(example, 3), np.arange(75) / 3
    assert said(row(*thirds))[0][3] == pytest.approx(32 / 3, abs=1e-6)
    assert values_of(row(example))[0] == 84.0


def test_sat_seconds_count_whole_points() -> None:
    # 5.9 points count as 5: 50 SatSeconds take 10 s, not 9.
    assert said(row([95] + [84.1] * 9 + [95] * 60)) == []
    assert said(row([95] + [84.1] * 10 + [95]))[0] == (*ON, 1.0, 11.0)


def test_sat_seconds_run_down_as_fast_as_they_ran_up() -> None:
    # 4 points x 10 s = 40; 5 s above take half away; 30 more take 7.5 s at 4 points.
    assert said(row([86] * 10 + [95] * 5 + [86] * 9))[0] == (*ON, 0.0, 23.0)
    # After 10 s above nothing is left: onset and budget are those of the second dip.
    assert said(row([86] * 10 + [95] * 10 + [86] * 12 + [95])) == []
    assert said(row([86] * 10 + [95] * 10 + [86] * 13 + [95])) == [(*ON, 20.0, 33.0)]


def test_sat_seconds_begin_again_after_a_minute_without_a_valid_reading() -> None:
    # 45 SatSeconds, and 45 more on the other side.
    before, after = [85] * 4, [85] * 9 + [95]
    assert (*ON, 0.0, 64.0) in said(row(before + [OFF_FINGER] * 58 + after))
    assert ON not in [x[:2] for x in said(row(before + [OFF_FINGER] * 59 + after))]


def test_sat_seconds_begin_again_after_a_minute_at_or_above() -> None:
    # 39 SatSeconds in 65 s below (unknown time cuts each 15 s) run down in 65 s.
    cut = [OFF_FINGER] * 6
    slow = ([89] * 9 + cut) * 3 + ([89.5] * 9 + cut) * 2
    dip = [84] * 8 + [95]
    assert said(row(slow + [90] * 59 + dip)) == [(*ON, 0.0, 142.0)]
    assert said(row(slow + [90] * 60 + dip)) == []


def test_three_violations_of_two_seconds_in_a_minute() -> None:
    dip = [89, 89, 92]
    assert said(row(dip * 2 + [92] * 30)) == []
    assert said(row(dip * 3)) == [(*ON, 0.0, 8.0)]
    assert said(row([89, 92] * 30)) == []  # each lasted one second only
    far = [89, 89] + [92] * 27
    assert said(row(far * 3))[:1] == [(*ON, 0.0, 60.0)]  # 58 + 2 s
    assert said(row([*far, 92] * 2 + far)) == []  # 60 + 2 s


def test_one_dip_that_the_unknown_cuts_is_one_violation() -> None:
    dip = [89, 89, 89] + [OFF_FINGER] * 7
    assert said(row(dip * 3 + [95] * 5)) == []


def test_it_ends_with_fifteen_seconds_a_point_above_the_limit() -> None:
    low = [80] * 20
    assert said(row(low + [90] * 300 + [91] * 14 + [90]))[-1] != OFF
    assert [x[:2] for x in said(row(low + [90.9] * 300))] == [ON, SEVERE_ON, SEVERE_OFF]
    assert said(row(low + [90] * 300 + [91] * 16))[-1] == (*OFF, 320.0, 335.0)


def test_severe_desaturation() -> None:
    assert [x[:2] for x in said(row([95] + [84] * 9 + [95] * 9))] == [ON]
    assert SEVERE_ON not in [x[:2] for x in said(row([85] * 100))]
    readings = row([95, 87] + [84] * 30 + [85] * 60 + [86] * 16)
    assert said(readings) == [
        (*ON, 1.0, 10.0),
        (*SEVERE_ON, 2.0, 12.0),
        (*SEVERE_OFF, 92.0, 107.0),
    ]


def test_the_limits_are_those_of_the_plan() -> None:
    copd = np.array([k.params(scale=0.1, spo2_low=88.0)])
    assert said(row([88] * 100), copd) == []
    assert said(row([87] * 100 + [89] * 16), copd) == [(*ON, 0.0, 15.0), (*OFF, 100.0, 115.0)]
    assert SEVERE_ON not in [x[:2] for x in said(row([83] * 100), copd)]
    assert SEVERE_ON in [x[:2] for x in said(row([82] * 100), copd)]
    own = np.array([k.params(scale=0.1, spo2_low=92.0, spo2_severe=80.0)])
    assert [x[:2] for x in said(row([81] * 100), own)] == [ON]


@pytest.mark.parametrize("hole", [[OFF_FINGER] * 100, [20.0] * 100, [110.0] * 100])
def test_the_unreadable_ends_nothing(hole: list[float | None]) -> None:
    conditions = [x[:2] for x in said(row([80] * 20 + hole + [92] * 14))]
    assert conditions == [ON, SEVERE_ON, ("on", "probe-off"), ("off", "probe-off")]


def test_missing_readings_end_nothing() -> None:
    times = [*range(20), *range(1000, 1015), *range(2000, 2014)]
    assert [x[:2] for x in said(row([80] * 20 + [92] * 29, times))] == [ON, SEVERE_ON]
    late = said(row([80] * 20 + [92] * 16 + [OFF_FINGER] * 9))
    assert late[-1] == (*SEVERE_OFF, 20.0, 35.0)
    assert SEVERE_OFF not in [x[:2] for x in said(row([80] * 20 + [92] * 15 + [OFF_FINGER] * 9))]


def test_a_reading_holds_five_seconds_at_most() -> None:
    # 11 readings below, then none: with the hold of the last, 15 s, seen when one comes.
    values, times = [89] * 11 + [95], [*range(11), 600]
    assert said(row(values, times)) == [(*ON, 0.0, 600.0)]
    assert said(row(values[1:], times[1:])) == []
    # Five invalid readings do not cut what holds, six do.
    assert said(row([89] * 5 + [OFF_FINGER] * 4 + [89] * 7))[0] == (*ON, 0.0, 15.0)
    assert said(row([89] * 5 + [OFF_FINGER] * 6 + [89] * 14 + [95])) == []


def test_irregular_readings() -> None:
    times = np.cumsum(np.full(40, 1.02))
    found = said(row([95] * 5 + [89] * 20 + [95] * 15, times))
    assert found[0] == (*ON, pytest.approx(6.12), pytest.approx(6.12 + 15 * 1.02))


def test_spot_readings() -> None:
    hour = 3600.0
    assert said(row([88, 93, 88], [0, hour, 2 * hour])) == []
    assert said(row([88, 88], [0, hour])) == [(*ON, 0.0, hour)]
    assert said(row([85], [0])) == []
    assert said(row([84], [0])) == [(*ON, 0.0, 0.0)]
    assert said(row([93, 84.9], [0, hour])) == [(*ON, hour, hour)]
    assert said(row([84, 91, 92], [0, hour, 2 * hour]))[-1] == (*OFF, hour, 2 * hour)
    assert said(row([84, 91, 90], [0, hour, 2 * hour])) == [(*ON, 0.0, 0.0)]
    assert said(row([84, 91, 92], [0, 10, 20])) == [(*ON, 0.0, 0.0)]  # recovered for 10 s only
    severe = said(row([84, 83, 86, 86], [0, hour, 2 * hour, 3 * hour]))
    assert severe == [
        (*ON, 0.0, 0.0),
        (*SEVERE_ON, 0.0, hour),
        (*SEVERE_OFF, 2 * hour, 3 * hour),
    ]


def test_probe_off() -> None:
    off = [OFF_FINGER] * 11
    assert said(row([95, *off[1:], 95]))[:1] == [("on", "probe-off", 1.0, 11.0)]
    assert said(row([95, *off[2:], 95])) == []
    assert said(row([*off, 95, *off, *([95] * 6)])) == [
        ("on", "probe-off", 0.0, 10.0),
        ("off", "probe-off", 23.0, 28.0),
    ]
    # Readings that do not come are no probe off; invalid ones far apart are.
    assert said(row([95, 95], [0, 3600])) == []
    assert said(row([OFF_FINGER, OFF_FINGER], [0, 60])) == [("on", "probe-off", 0.0, 60.0)]
    assert said(row([OFF_FINGER, 95], [0, 60])) == []


def test_a_clock_that_goes_back_begins_anew_and_ends_nothing() -> None:
    times = [*range(1000, 1020), *range(10)]
    assert [x[:2] for x in said(row([80] * 20 + [95] * 10, times))] == [ON, SEVERE_ON]
    times = [*range(1000, 1010), *range(10)]
    assert said(row([89] * 20, times)) == []


def test_a_minute_has_mean_and_lowest_of_its_valid_readings() -> None:
    found, _ = run(row([95] * 30 + [OFF_FINGER] * 5 + [92] * 25 + [97] * 2))
    (minute,) = [f for f in found if f["kind"] == d.MINUTE]
    assert minute["onset_ns"] == START
    assert minute["detected_ns"] == START + 60 * S
    assert minute["value"] == pytest.approx((95 * 30 + 92 * 25) / 55)
    assert minute["low"] == 92.0


STEPS = [1.0] * 8 + [1.02, 0.25, 4.0, 5.0, 5.25, 20.0, 61.0, 0.0, -30.0]


@st.composite
def night(draw: st.DrawFn) -> Row:
    values: list[float | None] = []
    times: list[float] = []
    now = draw(st.sampled_from([0.0, 47.0]))
    level = st.sampled_from([95, 91, 90, 89, 89, 88, 88.5, 86, 85, 84, 79, OFF_FINGER, 101])
    for _ in range(draw(st.integers(0, 14))):
        value, step = draw(level), draw(st.sampled_from(STEPS))
        for _ in range(draw(st.sampled_from([1, 2, 2, 3, 5, 8, 16]))):
            values.append(value)
            times.append(now)
            now += step
    return row(values, times)


@settings(max_examples=300, deadline=None)
@given(night())
def test_agrees_with_the_oracle(readings: Row) -> None:
    assert plain(run(readings)[0]) == spo2(*readings, PARAMS[0])


@settings(max_examples=40, deadline=None)
@given(night())
def test_agrees_with_the_oracle_at_every_prefix(readings: Row) -> None:
    samples, times_ns = readings
    state, out = np.zeros(1, k.STATE), np.zeros(k.capacity(len(samples), 1), d.FINDING)
    found = 0
    one = np.array([(0, 0, 1, 0)], d.SEGMENT)
    for last in range(1, min(len(samples), 60) + 1):
        place = slice(last - 1, last)
        found += k.advance(state, PARAMS, one, samples[place], times_ns[place], out[found:])
        assert plain(out[:found]) == spo2(samples[:last], times_ns[:last], PARAMS[0])


@settings(max_examples=100, deadline=None)
@given(night(), st.data())
def test_cuts_change_nothing(readings: Row, data: st.DataObject) -> None:
    cuts = data.draw(st.lists(st.integers(0, len(readings[0])), max_size=8))
    whole, state = run(readings)
    parts, after = run(readings, cuts)
    assert whole.tobytes() == parts.tobytes()
    assert state.tobytes() == after.tobytes()


@settings(max_examples=150, deadline=None)
@given(night())
def test_conditions_alternate_and_are_detected_after_their_onset(readings: Row) -> None:
    found, _ = run(readings)
    assert np.all(found["onset_ns"] <= found["detected_ns"]) or np.any(np.diff(readings[1]) < 0)
    for condition in (d.DESATURATION, d.SEVERE_DESATURATION, d.PROBE_OFF):
        of = found[(found["condition"] == condition) & (found["kind"] != d.MINUTE)]
        assert [f["kind"] for f in of] == ([d.ON, d.OFF] * len(of))[: len(of)]


@settings(max_examples=100, deadline=None)
@given(night())
def test_no_desaturation_without_a_reading_below_its_limit(readings: Row) -> None:
    below = set(readings[1][(readings[0] < 900) & (readings[0] >= 300)].tolist())
    for f in run(readings)[0]:
        if f["kind"] == d.ON and f["condition"] != d.PROBE_OFF:
            assert int(f["onset_ns"]) in below
            assert 30.0 <= f["value"] < (90 if f["condition"] == d.DESATURATION else 85)


def test_rows_do_not_touch_each_other() -> None:
    one, two = row([95] * 5 + [89] * 60), row([80] * 65)
    state, params = np.zeros(2, k.STATE), np.concatenate([PARAMS, PARAMS])
    samples = np.concatenate([one[0], two[0]])
    times_ns = np.concatenate([one[1], two[1]])
    segments = np.array(
        [(0, 0, 30, 0), (1, 65, 100, 0), (0, 30, 65, 0), (1, 100, 130, 0)], d.SEGMENT
    )
    out = np.zeros(k.capacity(len(samples), 4), d.FINDING)
    out = out[: k.advance(state, params, segments, samples, times_ns, out)]
    for which, readings in enumerate((one, two)):
        alone, after = run(readings)
        assert plain(out[out["row"] == which]) == plain(alone)
        assert state[which : which + 1].tobytes() == after.tobytes()
    assert set(out["segment"][out["row"] == 1]) <= {1, 3}
