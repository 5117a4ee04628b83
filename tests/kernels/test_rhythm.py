"""The rhythm kernel by its rules, and beside its oracle on random days."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from oracles.rhythm import rhythm
from rhythm_cases import (
    DELAY_S,
    MARK_MS,
    NORMAL,
    PARAMS,
    START,
    Piece,
    S,
    day,
    detected_s,
    made,
    plain,
    run,
    said,
)
from telesurv_kernels import _dtypes as d
from telesurv_kernels import rhythm as k
from telesurv_kernels._pending import SLACK_NS


def test_nothing_is_found_in_a_normal_rhythm() -> None:
    assert said(day([NORMAL, ("beats", 60, 1.2), NORMAL])) == []


def test_asystole_begins_at_the_last_beat_and_ends_at_the_first_of_three() -> None:
    events = day([NORMAL, ("silence", 6.2, 0), ("beats", 16, 0.8)])
    assert said(events) == [("on", "asystole", 16.0, 4.0), ("off", "asystole", 23.0, 0.0)]
    assert detected_s(events, d.ON, d.ASYSTOLE) == [20.0 + DELAY_S]
    assert detected_s(events, d.OFF, d.ASYSTOLE) == [24.75 + DELAY_S]  # third beat: 24.6


def test_two_beats_do_not_end_asystole() -> None:
    events = day([NORMAL, ("silence", 5, 0), ("beats", 1.7, 0.8), ("silence", 9, 0), NORMAL])
    assert said(events, d.ASYSTOLE) == [("on", "asystole", 16.0, 4.0), ("off", "asystole", 32.5, 0)]


def test_asystole_of_a_row_that_never_had_a_beat_begins_where_signal_does() -> None:
    silence: Piece = ("silence", 10, 0)
    assert said(day([("noise", 3, 0), silence])) == [("on", "asystole", 3.0, 9.5)]


def test_silence_without_a_rhythm_before_it_is_asystole_later() -> None:
    after_three: list[Piece] = [("noise", 3, 0), ("beats", 2.7, 0.9), ("silence", 4.5, 0)]
    assert said(day(after_three)) == [("on", "asystole", 5.7, 4.05)]
    after_a_hole: list[Piece] = [NORMAL, ("noise", 3, 0), ("silence", 4.5, 0)]
    assert said(day(after_a_hole)) == [("on", "asystole", 19.0, 4.0)]
    assert said(day([NORMAL, ("noise", 5, 0), ("silence", 9, 0)])) == []
    after_two: list[Piece] = [("noise", 3, 0), ("beats", 1.8, 0.9)]
    assert said(day([*after_two, ("silence", 8.6, 0), NORMAL])) == []
    assert said(day([*after_two, ("silence", 10, 0)])) == [("on", "asystole", 4.8, 9.7)]


@pytest.mark.parametrize("what", ["noise", "gap"])
def test_no_asystole_without_four_seconds_that_are_readable(what: str) -> None:
    part = ("silence", 3.75, 0.0)
    assert said(day([NORMAL, part, (what, 0.5, 0), part, (what, 30, 0), part, (what, 1, 0)])) == []


def test_an_unsure_beat_is_no_silence_and_no_beat() -> None:
    silence = ("silence", 2.5, 0.0)
    assert said(day([NORMAL, silence, ("unsure", 1, 1), silence, ("unsure", 1, 1), NORMAL])) == []
    # Three unsure beats end nothing; three sure ones do.
    events = day([NORMAL, ("silence", 5, 0), ("unsure", 5, 1), ("beats", 5, 1)])
    assert said(events)[-1] == ("off", "asystole", 27.0, 0.0)


@pytest.mark.parametrize("what", ["noise", "gap"])
def test_the_unreadable_ends_nothing(what: str) -> None:
    events = day([NORMAL, ("silence", 5, 0), (what, 60, 0), ("beats", 1.7, 0.8)])
    assert said(events) == [("on", "asystole", 16.0, 4.0)]
    events = day([NORMAL, ("beats", 20, 1.8), (what, 60, 0), ("beats", 6, 0.8), (what, 9, 0)])
    assert [x[:2] for x in said(events)] == [("on", "extreme-bradycardia")]
    events = day([NORMAL, ("beats", 20, 0.4), (what, 60, 0), ("beats", 12, 0.8), (what, 9, 0)])
    assert [x[:2] for x in said(events)] == [("on", "extreme-tachycardia")]


def test_pause_is_an_episode_of_three_to_four_seconds() -> None:
    events = day([NORMAL, ("beats", 3.0, 3.0), NORMAL, ("beats", 3.9, 3.9), NORMAL])
    assert said(events, d.PAUSE) == [
        ("episode", "pause", 16.0, 3000.0),
        ("episode", "pause", 35.0, 3900.0),
    ]
    found, _ = run(events)
    assert [(f["end_ns"] - START) / 1e9 for f in found if f["kind"] == d.EPISODE] == [19.0, 38.9]
    assert said(day([NORMAL, ("beats", 2.99, 2.99), NORMAL])) == []
    assert [x[1] for x in said(day([NORMAL, ("beats", 4, 4), NORMAL]))] == ["asystole"] * 2


def test_no_pause_across_the_unreadable() -> None:
    assert said(day([NORMAL, ("silence", 1, 0), ("noise", 1, 0), ("beats", 9, 1)])) == []


def test_extreme_bradycardia_takes_five_beats_and_ends_by_eight_rr() -> None:
    assert said(day([NORMAL, ("beats", 4.8, 1.6), ("beats", 20, 0.8)])) == []  # 3 slow RR
    events = day([NORMAL, ("beats", 6.4, 1.6), ("beats", 20, 0.8)])
    # It ends when the episode's own 8 RR, 4 slow and 4 of 0.8 s, have a mean of 50/min.
    assert said(events) == [
        ("on", "extreme-bradycardia", 16.0, 38.4),
        ("off", "extreme-bradycardia", 25.6, 50.0),
    ]
    # At 22.0 s the fifth beat, of 22.4 s, can only make it slower.
    assert detected_s(events, d.ON, d.EXTREME_BRADYCARDIA) == [22.25 + DELAY_S]


def test_a_silence_of_two_seconds_decides_no_bradycardia_before_the_fifth_beat() -> None:
    # After 3 RR of 1.45 s the rate is proven 1.65 s after the last beat, after such of 1.2 s 2.4 s.
    rest: list[Piece] = [("silence", 3.5, 0), ("noise", 9, 0)]
    assert [x[:2] for x in said(day([("beats", 14.5, 1.45), *rest]))] == [
        ("on", "extreme-bradycardia")
    ]
    assert said(day([("beats", 12, 1.2), *rest])) == []


def test_extreme_bradycardia_does_not_end_while_its_rule_holds() -> None:
    # The first time that 8 RR have a mean over 45/min, the last 4 have one below 40/min.
    slow: list[Piece] = [("beats", 7.2, 1.8), ("beats", 4.4, 1.1), ("beats", 30.4, 1.52)]
    events = day([("beats", 16, 0.5), *slow])
    assert said(events) == [("on", "extreme-bradycardia", 16.0, 38.4)]


def test_extreme_bradycardia_does_not_begin_in_asystole_but_goes_on_through_it() -> None:
    slow: Piece = ("beats", 16, 2.0)
    events = day([("beats", 3, 1), ("silence", 5, 0), slow])
    assert [x[:2] for x in said(events)] == [
        ("on", "asystole"),
        ("off", "asystole"),
        ("on", "extreme-bradycardia"),
    ]
    events = day([slow, ("silence", 6, 0), slow, ("beats", 20, 0.8)])
    assert [x[:2] for x in said(events)] == [
        ("on", "extreme-bradycardia"),
        ("on", "asystole"),
        ("off", "asystole"),
        ("off", "extreme-bradycardia"),
    ]


def test_extreme_tachycardia_takes_seventeen_beats() -> None:
    assert said(day([("beats", 6.4, 0.4), ("beats", 9, 0.9)])) == []  # 16 beats
    events = day([("beats", 6.8, 0.4), ("beats", 9, 0.9)])
    assert said(events) == [
        ("on", "extreme-tachycardia", 0.4, 150.0),
        ("off", "extreme-tachycardia", 8.6, 129.73),
    ]


def test_limits_are_those_of_the_plan() -> None:
    state, out = np.zeros(1, k.STATE), np.zeros(9000, d.FINDING)
    params = np.array([k.params(heart_rate_low=60.0, heart_rate_high=100.0)])
    found = k.advance(state, params, day([("beats", 20, 1.1), ("beats", 20, 0.5)]), out)
    kinds = (d.ON, d.OFF)
    assert [f["condition"] for f in out[:found] if f["kind"] in kinds] == [
        d.EXTREME_BRADYCARDIA,
        d.EXTREME_BRADYCARDIA,
        d.EXTREME_TACHYCARDIA,
    ]


@pytest.mark.parametrize(("piece", "condition", "per_min"), [
    (("beats", 5.2, 0.4), d.EXTREME_TACHYCARDIA, 150.0),  # 13 beats
    (("beats", 6.4, 1.6), d.EXTREME_BRADYCARDIA, 40.91),  # 4 beats: at most
])  # fmt: skip
def test_a_plan_may_ask_for_fewer_beats(piece: Piece, condition: int, per_min: float) -> None:
    events = day([piece, ("beats", 20, 0.9)])
    params = k.params(43.0, 137.0, bradycardia_beats=4, tachycardia_beats=13)
    out = np.zeros(9000, d.FINDING)
    found = k.advance(np.zeros(1, k.STATE), np.array([params]), events, out)
    mine = [one for one in out[:found] if one["condition"] == condition]
    assert [one["kind"] for one in mine] == [d.ON, d.OFF]
    assert mine[0]["value"] == pytest.approx(per_min, abs=0.01)
    assert plain(out[:found]) == rhythm(events, params)
    assert said(events) == []


def test_sure_after_two_seconds_and_unsure_after_two_without() -> None:
    events = day([("noise", 3, 0), NORMAL, ("noise", 1.75, 0), NORMAL, ("noise", 9, 0), NORMAL])
    found, _ = run(events)
    told = [
        (f["kind"], (f["onset_ns"] - START) / 1e9, (f["detected_ns"] - START) / 1e9)
        for f in found
        if f["kind"] in (d.SURE, d.UNSURE_SINCE)
    ]
    assert told == [
        (d.SURE, 3.0, 5.0 + DELAY_S),
        (d.UNSURE_SINCE, 36.75, 38.75 + DELAY_S),
        (d.SURE, 45.75, 47.75 + DELAY_S),
    ]


def test_a_signal_that_is_readable_only_in_snatches_is_not_sure() -> None:
    flicker: list[Piece] = [("noise", 0.5, 0), ("beats", 1.0, 0.5)] * 20
    found, _ = run(day([NORMAL, *flicker]))
    assert [f["kind"] for f in found if f["kind"] in (d.SURE, d.UNSURE_SINCE)] == [
        d.SURE,
        d.UNSURE_SINCE,
    ]


def test_a_minute_is_the_mean_of_its_rr_and_comes_with_the_next_mark() -> None:
    found, _ = run(day([("beats", 60, 0.75), ("beats", 30, 1.2), ("beats", 28, 0.6), NORMAL]))
    minutes = [f for f in found if f["kind"] == d.MINUTE]
    assert [(f["onset_ns"] - START) / 1e9 for f in minutes] == [0.0, 60.0]
    # The beat at 60.0 belongs to the second minute.
    assert minutes[0]["value"] == pytest.approx(80.0)
    assert minutes[0]["detected_ns"] == START + round((60 + DELAY_S) * 1e9)
    assert minutes[1]["low"] == pytest.approx(50.0)
    assert minutes[1]["value"] > 60


def test_a_minute_counts_the_silence_between_two_beats() -> None:
    found, _ = run(day([("beats", 20, 1), ("silence", 19, 0), ("beats", 40, 1)]))
    (minute,) = [f for f in found if f["kind"] == d.MINUTE]
    # 20 and 20 beats, of which the first has none before it: 38 RR of 1 s and one of 20 s.
    assert minute["value"] == pytest.approx(39 / 58 * 60)
    assert minute["low"] == minute["value"]


def test_a_minute_of_two_rr_says_nothing() -> None:
    assert [f["kind"] for f in run(day([("beats", 3, 1), ("noise", 90, 0)]))[0]] == [
        d.SURE,
        d.UNSURE_SINCE,
    ]


def test_a_beat_on_the_instant_of_a_mark_counts_whichever_came_first() -> None:
    rows = [(d.GAP, 0.0, 0.0, 0.0, 0)]
    late = list(rows)
    for step in range(1, 81):
        mark = (d.MARK, step / 4, step / 4, 0.25e9, 0)
        beat = [(d.BEAT, step / 4, step / 4, 1.0, 0)] if step % 4 == 0 else []
        rows += [*beat, mark]
        late += [mark, *beat]
    assert plain(run(made(rows))[0]) == plain(run(made(late))[0])
    assert said(made(late)) == []


PIECES = st.lists(
    st.one_of(
        st.tuples(
            st.sampled_from(["beats"] * 4 + ["unsure"]),
            st.sampled_from([1.0, 3.0, 8.0, 20.0]),
            st.sampled_from([0.3, 0.42, 0.8, 1.35, 1.6, 2.0, 3.0, 3.6, 4.0]),
        ),
        st.tuples(
            st.sampled_from(["flutter", "candidate"]),
            st.sampled_from([4.0, 9.0, 20.0]),
            st.sampled_from([0.0, 0.0, 0.3, 1.8, 4.5]),
        ),
        st.tuples(
            st.sampled_from(["silence", "noise", "gap"]),
            st.sampled_from([0.1, 0.25, 1.0, 1.9, 3.0, 4.0, 5.5, 61.0]),
            st.just(0.0),
        ),
    ),
    max_size=12,
)


KINDS = [d.BEAT] * 3 + [d.MARK] * 3 + [d.GAP, d.FIBRILLATION, 99]


@st.composite
def wild(draw: st.DrawFn) -> NDArray[Any]:
    """Events as no beat kernel would send them: out of order, doubled, too many."""
    rows = []
    now = draw(st.sampled_from([0.0, 55.0]))
    steps = st.sampled_from([0.0, 0.0, 0.01, 0.25, 0.4, 1.0, 1.7, 4.0, -0.3, -3.0])
    for kind in draw(st.lists(st.sampled_from(KINDS), max_size=80)):
        now += draw(steps)
        value = draw(st.sampled_from([0.0, 0.25e9, 0.4e9, 5e9]))
        rows.append((kind, now, now + 0.5, value, draw(st.sampled_from([0, 0, 0, d.UNSURE]))))
    return made(rows) if rows else np.zeros(0, d.EVENT)


EVENTS = st.one_of(st.builds(day, PIECES, st.sampled_from([0.0, 0.125, 59.0])), wild())


@settings(max_examples=250, deadline=None)
@given(EVENTS)
def test_agrees_with_the_oracle(events: NDArray[Any]) -> None:
    assert plain(run(events)[0]) == rhythm(events, PARAMS[0])


@settings(max_examples=40, deadline=None)
@given(EVENTS)
def test_agrees_with_the_oracle_at_every_prefix(events: NDArray[Any]) -> None:
    state, out = np.zeros(1, k.STATE), np.zeros(k.capacity(len(events), len(events)), d.FINDING)
    found = 0
    for last in range(1, min(len(events), 150) + 1):
        found += k.advance(state, PARAMS, events[last - 1 : last], out[found:])
        assert plain(out[:found]) == rhythm(events[:last], PARAMS[0])


@settings(max_examples=100, deadline=None)
@given(EVENTS, st.data())
def test_cuts_change_nothing(events: NDArray[Any], data: st.DataObject) -> None:
    cuts = data.draw(st.lists(st.integers(0, len(events)), max_size=8))
    whole, state = run(events)
    parts, after = run(events, cuts)
    assert whole.tobytes() == parts.tobytes()
    assert state.tobytes() == after.tobytes()


@settings(max_examples=150, deadline=None)
@given(st.builds(day, PIECES))
def test_conditions_alternate_and_are_detected_after_their_onset(events: NDArray[Any]) -> None:
    found, _ = run(events)
    assert np.all(found["onset_ns"] <= found["detected_ns"])
    assert np.all(found["end_ns"] <= found["detected_ns"])
    assert np.all(np.diff(found["detected_ns"]) >= 0)
    for condition in (d.ASYSTOLE, d.EXTREME_BRADYCARDIA, d.EXTREME_TACHYCARDIA):
        of = found[(found["condition"] == condition) & (found["kind"] != d.MINUTE)]
        assert [f["kind"] for f in of] == ([d.ON, d.OFF] * len(of))[: len(of)]
    sure = found[(found["kind"] == d.SURE) | (found["kind"] == d.UNSURE_SINCE)]
    assert [f["kind"] for f in sure] == ([d.SURE, d.UNSURE_SINCE] * len(sure))[: len(sure)]


@settings(max_examples=150, deadline=None)
@given(st.builds(day, PIECES))
def test_no_asystole_without_four_readable_seconds_that_hold_no_beat(events: NDArray[Any]) -> None:
    marks = events[(events["kind"] == d.MARK) | (events["kind"] == d.GAP)]
    beats = events[events["kind"] == d.BEAT]["time_ns"]
    for f in run(events)[0]:
        if f["kind"] != d.ON or f["condition"] != d.ASYSTOLE:
            continue
        begin, end = f["onset_ns"], f["onset_ns"] + 4 * S
        assert not np.any((beats > begin) & (beats < end))
        inside = (marks["time_ns"] > begin) & (marks["time_ns"] < end)
        assert np.all(marks["kind"][inside] == d.MARK)
        assert np.all(marks["value"][inside] >= MARK_MS * 1e6 - SLACK_NS)


def test_rows_do_not_touch_each_other() -> None:
    one = day([NORMAL, ("silence", 6.2, 0), NORMAL])
    two = day([NORMAL, ("beats", 30, 2.0), NORMAL])
    two["row"], two["segment"] = 1, 7
    both = np.concatenate([one, two])
    order = np.argsort(both["decided_ns"], kind="stable")
    state, params = np.zeros(2, k.STATE), np.array([k.params(), k.params()])
    out = np.zeros(k.capacity(len(both), 2), d.FINDING)
    out = out[: k.advance(state, params, both[order], out)]
    alone, after = run(one)
    assert out[out["row"] == 0].tobytes() == alone.tobytes()
    assert state[:1].tobytes() == after.tobytes()
    assert set(out["segment"][out["row"] == 1]) == {7}
