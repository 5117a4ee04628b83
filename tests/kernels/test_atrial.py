"""Atrial fibrillation by its rule, and beside its oracle on random rhythms."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from beat_cases import START, beats_of, events_of, plain, run, told, wild
from oracles.atrial import atrial, irregular, pairs_of
from telesurv_kernels import _dtypes as d
from telesurv_kernels import atrial as k
from telesurv_kernels._pairs import WINDOW

AF = "atrial-fibrillation"
WHEN = ("onset", "detected")


def fibrillating(beats: int, seed: int = 1, mean_s: float = 0.7) -> list[float]:
    """RR of atrial fibrillation: none tells of the next."""
    return (mean_s * np.random.default_rng(seed).lognormal(0, 0.2, beats)).tolist()


def sinus(beats: int, seed: int = 2, mean_s: float = 0.8) -> list[float]:
    """RR of sinus rhythm: breathing, and a little noise."""
    rng = np.random.default_rng(seed)
    breath = 0.04 * np.sin(np.arange(beats) * 2 * np.pi / 5)
    return (mean_s * (1 + breath + rng.normal(0, 0.008, beats))).tolist()


def beats(rr: list[float], letters: str | None = None) -> list[Any]:
    return beats_of(letters or "N" * (len(rr) + 1), rr)


def found(rr: list[float], letters: str | None = None, **more: Any) -> list[Any]:
    return told(run(k, events_of(beats(rr, letters), **more))[0])


def test_nothing_is_found_in_sinus_rhythm() -> None:
    assert found(sinus(600)) == []


def test_it_begins_and_ends_where_the_irregular_beats_do() -> None:
    rr = sinus(100) + fibrillating(200) + sinus(200)
    begin, end = 0.5 + sum(rr[:100]), 0.5 + sum(rr[:300])
    events = events_of(beats(rr))
    findings, _ = run(k, events)
    (on, _, onset_s, per_min), (off, _, end_s, burden_s) = told(findings)
    assert (on, off) == ("on", "off")
    assert abs(onset_s - begin) < 8
    assert abs(end_s - end) < 8
    assert 75 < per_min < 95
    assert burden_s == pytest.approx(end_s - onset_s, abs=0.01)
    # Decided within 60 beats of its onset, and when 30 s of it had passed; over after 60 more.
    times = np.array([t for t, _ in beats(rr)])
    detected_s = (findings["detected_ns"] - START) / 1e9
    assert detected_s[0] - onset_s >= 30
    assert np.sum((times > onset_s) & (times < detected_s[0])) <= 60
    assert 60 <= np.sum((times > end_s) & (times < detected_s[1])) <= 63


def test_a_first_window_that_is_irregular_begins_where_signal_does() -> None:
    (_, _, onset_s, _) = found(fibrillating(100))[0]
    assert onset_s == pytest.approx(0.5 + sum(fibrillating(100)[:2]), abs=0.001)


def test_slow_hearts_have_it_as_well() -> None:
    rr = (1.4 * np.random.default_rng(1).lognormal(0, 0.16, 400)).tolist()
    assert [one[0] for one in found(sinus(100, mean_s=1.2) + rr)] == ["on"]


def test_less_than_30_s_are_none() -> None:
    assert found(sinus(100) + fibrillating(30) + sinus(200)) == []
    fast = fibrillating(36, mean_s=0.4)
    assert found(sinus(100, mean_s=0.7) + fast + sinus(200, mean_s=0.7)) == []


def test_52_fast_beats_do_as_well() -> None:
    fast = fibrillating(70, mean_s=0.4)
    assert sum(fast) < 30
    rr = sinus(100, mean_s=0.7) + fast + sinus(200, mean_s=0.7)
    findings, _ = run(k, events_of(beats(rr)))
    assert [one[0] for one in told(findings)] == ["on", "off"]
    onset_s, detected_s = (float(findings[0][f"{of}_ns"] - START) / 1e9 for of in WHEN)
    assert detected_s - onset_s < 30
    times = np.array([t for t, _ in beats(rr)])
    assert 52 <= np.sum((times > onset_s) & (times < detected_s)) <= 60


@pytest.mark.parametrize("beat", ["N", "S", "-", "V"])
@pytest.mark.parametrize("every", [2, 3, 4, 7])
def test_early_beats_that_come_in_turn_are_none(beat: str, every: int) -> None:
    rr = sinus(400)
    letters = "N" + "".join(beat if i % every == 0 else "N" for i in range(400))
    for early in range(0, 400, every):
        rr[early] *= 0.6
        if early + 1 < 400:
            rr[early + 1] *= 1.4
    assert found(rr, letters) == []


def test_ventricular_beats_at_random_are_none_where_they_are_known() -> None:
    rng = np.random.default_rng(3)
    rr, letters = sinus(600), ["N"] * 601
    for early in np.flatnonzero(rng.random(599) < 0.3):
        coupling = rng.uniform(0.45, 0.8)
        rr[early], rr[early + 1] = rr[early] * coupling, rr[early] * (2 - coupling)
        letters[early + 1] = "V"
        letters[early + 2] = "N"
    assert found(rr, "".join(letters)) == []


def test_it_is_found_among_ventricular_beats() -> None:
    rng = np.random.default_rng(4)
    letters = "".join("V" if rng.random() < 0.15 else "N" for _ in range(301))
    assert [one[0] for one in found(fibrillating(300), letters)] == ["on"]


def test_ectopy_explains_it_where_a_quarter_of_the_beats_is_ventricular() -> None:
    rng = np.random.default_rng(9)
    for share, begins in ((0.15, True), (0.4, False)):
        letters = "".join("V" if rng.random() < share else "N" for _ in range(401))
        assert ([one[0] for one in found(fibrillating(400), letters)] == ["on"]) is begins
    # It ends none that is present.
    letters = "N" * 200 + "".join(rng.choice(list("VN"), 201))
    assert [one[0] for one in found(fibrillating(400), letters)] == ["on"]


@pytest.mark.parametrize("seed", range(3))
def test_early_beats_that_nobody_recognised_explain_it(seed: int) -> None:
    # Their RR spread as wide as those of atrial fibrillation, but the rhythm shows beside them.
    rng = np.random.default_rng(seed)
    rr = sinus(400, seed, mean_s=0.5)
    for early in np.flatnonzero(rng.random(399) < 0.25):
        coupling = rng.uniform(0.5, 0.65)
        rr[early], rr[early + 1] = rr[early] * coupling, rr[early + 1] * (2 - coupling)
    pairs = pairs_of(events_of(beats(rr)))
    windows = [pairs[i : i + WINDOW] for i in range(0, len(pairs) - WINDOW, 5)]
    assert sum(irregular(window, k.LIMIT_S) for window in windows) > len(windows) / 4
    assert found(rr) == []


@pytest.mark.parametrize("mean_s", [0.6, 0.7])
def test_breathing_is_none_however_deep(mean_s: float) -> None:
    # RR swing by 15 %, with breaths of 4 s that differ, about a mean that drifts.
    rng = np.random.default_rng(3)
    rr, phase, drift, breath_s, depth = [], 0.0, 0.0, 4.0, 0.15
    for _ in range(600):
        drift = 0.98 * drift + 0.006 * rng.normal()
        swing = depth * np.sin(2 * np.pi * phase) + drift + 0.01 * rng.normal()
        rr.append(mean_s * (1 + swing))
        phase += rr[-1] / breath_s
        if phase > 1:
            phase -= 1
            breath_s, depth = 4 * rng.lognormal(0, 0.2), 0.15 * rng.lognormal(0, 0.3)
    pairs = pairs_of(events_of(beats(rr)))
    windows = [pairs[i : i + WINDOW] for i in range(0, len(pairs) - WINDOW, 5)]
    assert sum(irregular(window, k.LIMIT_S) for window in windows) > len(windows) / 3
    assert found(rr) == []


def test_rr_that_spread_too_far_are_none() -> None:
    rng = np.random.default_rng(7)
    assert found(rng.uniform(0.15, 2.4, 400).tolist()) == []
    assert [one[0] for one in found(rng.uniform(0.5, 1.2, 400).tolist())] == ["on"]


def test_it_ends_where_the_ventricles_fibrillate() -> None:
    rr = fibrillating(300)
    present = (0.5 + sum(rr[:150]), 0.5 + sum(rr[:180]))
    findings = found(rr, fibrillation=[present])
    assert [one[0] for one in findings] == ["on"]  # suspected
    events = events_of(beats(rr), fibrillation=[present])
    events["value"][(events["kind"] == d.FIBRILLATION) & (events["value"] > 0)] = d.PRESENT
    (_, _, first_s, _), (off, _, end_s, burden_s), (on, _, again_s, _) = told(run(k, events)[0])
    assert (off, on) == ("off", "on")
    assert end_s == pytest.approx(present[0], abs=0.001)
    assert burden_s == pytest.approx(end_s - first_s, abs=0.01)
    assert again_s >= present[1]


def test_bigeminy_after_it_ends_it() -> None:
    rr = fibrillating(150) + [0.5, 1.1] * 80
    letters = "N" * 151 + "VN" * 80
    assert [one[0] for one in found(rr, letters)] == ["on", "off"]


def test_the_unreadable_neither_begins_nor_ends_it() -> None:
    rr = fibrillating(150) + sinus(40) + fibrillating(100)
    noise = (0.5 + sum(rr[:150]), 0.5 + sum(rr[:190]))
    assert [one[0] for one in found(rr, unreadable=[noise])] == ["on"]
    assert [one[0] for one in found(rr, gaps=[noise])] == ["on"]
    rr = sinus(100) + fibrillating(200) + sinus(100)
    noise = (0.5 + sum(rr[:100]), 0.5 + sum(rr[:300]))
    assert found(rr, unreadable=[noise]) == []
    assert found(rr, fibrillation=[noise]) == []  # of the ventricles
    unsure = [(t, f | d.UNSURE * (100 <= i <= 300)) for i, (t, f) in enumerate(beats(rr))]
    assert told(run(k, events_of(unsure))[0]) == []


def test_after_a_hole_the_window_is_begun_anew() -> None:
    first, second = fibrillating(35), fibrillating(90, seed=5)
    one = beats_of("N" * 36, first)
    other = beats_of("N" * 91, second, first_s=one[-1][0] + 40)
    gap = (one[-1][0] + 0.5, other[0][0] - 0.5)
    ((_, _, onset_s, _),) = told(run(k, events_of(one + other, gaps=[gap]))[0])
    assert onset_s > gap[1]


def test_limits_are_parameters() -> None:
    events = events_of(beats(fibrillating(100)))
    assert len(run(k, events, params=k.params(limit_s=0.02))[0]) == 0
    assert len(run(k, events, params=k.params(shortest_s=60.0))[0]) == 1
    never = {"shortest_s": 300.0, "shortest_beats": 300}
    assert len(run(k, events, params=k.params(**never))[0]) == 0


Piece = tuple[str, int]


@st.composite
def rhythms(draw: st.DrawFn) -> NDArray[Any]:
    """Pieces of rhythms, with holes of many kinds."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    rr: list[float] = []
    letters = "N"
    for what in draw(st.lists(st.sampled_from("aassbr"), min_size=1, max_size=6)):
        count = draw(st.sampled_from([20, 45, 90]))
        match what:
            case "a":
                rr += fibrillating(count, int(rng.integers(99)), rng.choice([0.4, 0.7, 1.2]))
                share = rng.choice([0.0, 0.2])
            case "s":
                rr += sinus(count, int(rng.integers(99)))
                share = rng.choice([0.0, 0.05, 0.3])
            case "b":
                rr += np.tile([0.5, 1.0], count)[:count].tolist()
                share = 0.5
            case _:
                rr += rng.choice([0.05, 0.7, 0.71, 0.75, 3.5], count).tolist()
                share = 0.1
        letters += "".join(
            rng.choice(list("VF-S")) if x < share else "N" for x in rng.random(count)
        )
    whole_s = sum(rr)
    holes = st.tuples(st.floats(0, whole_s), st.sampled_from([0.1, 2.0, 20.0, 45.0]))
    stretches = [(b, b + n) for b, n in draw(st.lists(holes, max_size=3))]
    where = draw(st.sampled_from(["unreadable", "gaps", "fibrillation"]))
    value = draw(st.sampled_from([1.0, d.PRESENT]))
    stretches = stretches[:1] if where == "gaps" else stretches
    flags = [(t, f | d.UNSURE * (rng.random() < 0.005)) for t, f in beats(rr, letters)]
    events = events_of(flags, **{where: stretches})
    events["value"][(events["kind"] == d.FIBRILLATION) & (events["value"] > 0)] = value
    return events


KINDS = (d.BEAT, d.MARK, d.GAP, d.FIBRILLATION)


@settings(max_examples=80, deadline=None)
@given(st.one_of(rhythms(), wild(KINDS)))
def test_agrees_with_the_oracle(events: NDArray[Any]) -> None:
    assert plain(run(k, events)[0]) == sorted(atrial(events, k.params()))


@settings(max_examples=5, deadline=None)
@given(rhythms())
def test_agrees_with_the_oracle_at_every_prefix(events: NDArray[Any]) -> None:
    findings, _ = run(k, events, range(1, len(events)))
    expected = atrial(events, k.params())
    assert plain(findings) == sorted(expected)
    for last in np.linspace(1, len(events), 12).astype(int):
        so_far = plain(run(k, events[:last], range(1, last))[0])
        assert so_far == sorted(atrial(events[:last], k.params()))


@settings(max_examples=60, deadline=None)
@given(st.one_of(rhythms(), wild(KINDS)), st.data())
def test_cuts_change_nothing(events: NDArray[Any], data: st.DataObject) -> None:
    cuts = data.draw(st.lists(st.integers(0, len(events)), max_size=8))
    whole, state = run(k, events)
    parts, after = run(k, events, cuts)
    assert whole.tobytes() == parts.tobytes()
    assert state.tobytes() == after.tobytes()
    assert [f["kind"] for f in whole] == ([d.ON, d.OFF] * len(whole))[: len(whole)]


def test_a_clock_that_goes_back_is_a_new_window() -> None:
    events = events_of(beats(fibrillating(60)))
    again = events.copy()
    both = np.concatenate([events, again])
    findings, _ = run(k, both)
    assert plain(findings) == sorted(atrial(both, k.params()))
