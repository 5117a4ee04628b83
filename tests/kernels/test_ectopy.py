"""Ectopy by its rules, beat by beat."""

from typing import Any

import numpy as np
import pytest

from beat_cases import DELAY_S, START, beats_of, events_of, run, told
from telesurv_kernels import _dtypes as d
from telesurv_kernels import ectopy as k

N16 = "N" * 16


def found(letters: str, rr_s: Any = 0.5, *conditions: int, **more: Any) -> list[Any]:
    beats = beats_of(letters, rr_s)
    params = more.pop("params", None)
    return told(run(k, events_of(beats, **more), params=params)[0], *conditions)


def at(beat: int, rr_s: float = 0.5) -> float:
    return round(0.5 + beat * rr_s, 3)


def test_nothing_is_found_in_normal_rhythm_or_without_classes() -> None:
    assert found("N" * 300, 0.8) == []
    assert found("N" * 40 + "V" + "N" * 40 + "S" + "N" * 9, 0.8) == []
    assert found("-" * 300, np.tile([0.4, 1.1, 0.8], 100)[:299].tolist()) == []


@pytest.mark.parametrize(
    ("ventricular", "what"),
    [
        (1, []),
        (2, [("episode", "couplet", at(16), 120.0)]),
        (3, [("episode", "ventricular-run", at(16), 120.0)]),
        (4, [("episode", "ventricular-run", at(16), 120.0)]),
        (5, [("on", "ventricular-tachycardia", at(16), 120.0),
             ("off", "ventricular-tachycardia", at(20), 0.0)]),
        (30, [("on", "ventricular-tachycardia", at(16), 120.0),
              ("off", "ventricular-tachycardia", at(45), 0.0)]),
    ],
)  # fmt: skip
def test_ventricular_beats_in_a_row(ventricular: int, what: list[Any]) -> None:
    assert found(N16 + "V" * ventricular + N16) == what


def test_when_they_are_decided() -> None:
    events = events_of(beats_of(N16 + "VVVVV" + N16 + "VVV" + N16, 0.5))
    findings, _ = run(k, events)
    decided_s = ((findings["detected_ns"] - START) / 1e9).tolist()
    # The MARK that covers a beat comes a quarter of a second later, as beats lie on MARKs here.
    later = 0.25 + DELAY_S
    assert decided_s == [at(20) + later, at(25) + later, at(40) + later]
    assert findings["kind"].tolist() == [d.ON, d.OFF, d.EPISODE]
    assert (findings["end_ns"][2] - START) / 1e9 == at(39)
    # Within 10 s of its onset.
    assert findings["detected_ns"][0] - findings["onset_ns"][0] < 10e9


def test_slow_ventricular_beats_are_a_couplet_but_no_run() -> None:
    assert found(N16 + "VV" + N16, 1.2) == [("episode", "couplet", at(16, 1.2), 50.0)]
    for ventricular in (3, 4, 5, 20):
        assert found(N16 + "V" * ventricular + N16, 0.6) == []  # 100/min
    # The last five decide: one that quickens is found when it is fast.
    rr = [0.5] * 16 + [0.9] * 6 + [0.5] * 20
    ((on, _, onset_s, rate), _) = found(N16 + "V" * 13 + "N" * 14, rr, d.VENTRICULAR_TACHYCARDIA)
    assert (on, rate) == ("on", pytest.approx(100, abs=20))
    assert onset_s > at(16)


@pytest.mark.parametrize(("before", "after", "told_of"), [
    (60, 60, True), (60, 20, True), (30, 15, True), (60, 19, False), (39, 19, False),
    (60, 0, False),
])  # fmt: skip
def test_noise_that_comes_is_no_couplet(before: int, after: int, told_of: bool) -> None:
    events = events_of(beats_of(N16 + "VV" + N16, 0.6))
    beats = np.flatnonzero(events["kind"] == d.BEAT)
    events["flags"][beats[:18]] |= before << d.NOISE_SHIFT
    events["flags"][beats[18:]] |= after << d.NOISE_SHIFT
    assert len(told(run(k, events)[0])) == told_of


def test_one_lead_shows_a_tachycardia_throughout() -> None:
    events = events_of(beats_of(N16 + "V" * 7 + N16, 0.5))
    beats = np.flatnonzero(events["kind"] == d.BEAT)[16:23]
    events["flags"][beats] &= ~(d.RUN_MASK << d.RUN_SHIFT)
    for runs, onset in (([1, 2, 1, 2, 3, 4, 5], at(18)), ([1, 2, 3, 4, 1, 2, 3], None)):
        told_of = events.copy()
        told_of["flags"][beats] |= np.array(runs) << d.RUN_SHIFT
        said = told(run(k, told_of)[0])
        assert [one[:3] for one in said[:1]] == [("on", "ventricular-tachycardia", onset)] * (
            onset is not None
        )


def test_one_other_beat_breaks_a_run() -> None:
    # The definition is kept to: a missed beat class is not guessed.
    letters = N16 + "VVVVNVVVV" + N16
    runs = [("episode", "ventricular-run", at(b), 120.0) for b in (16, 21)]
    assert found(letters) == runs
    assert found(letters.replace("VNV", "VFV")) == runs
    # But within a tachycardia it ends nothing, and neither do four.
    letters = N16 + "VVVVVV" + "NVV" + "NNNNVVV" + N16
    assert found(letters) == [
        ("on", "ventricular-tachycardia", at(16), 120.0),
        ("off", "ventricular-tachycardia", at(31), 0.0),
    ]


def test_the_least_number_of_beats_is_a_parameter() -> None:
    params = k.params(vt_beats=3, vt_per_min=110.0)
    assert [one[:2] for one in found(N16 + "VVV" + N16, params=params)] == [
        ("on", "ventricular-tachycardia"),
        ("off", "ventricular-tachycardia"),
    ]


def test_what_unreadable_signal_cuts_off_may_have_been_its_noise() -> None:
    noise = (at(17) + 0.3, at(24) - 0.1)
    assert found(N16 + "VVNNNNNNN" + N16, unreadable=[noise]) == []
    assert found(N16 + "VVVVVVVNN" + N16, unreadable=[noise]) == []
    assert found(N16 + "-VVV-V", unreadable=[]) == []


def test_the_unreadable_ends_no_tachycardia() -> None:
    noise = (at(26) - 0.1, at(60))
    ended = found(N16 + "V" * 10 + "N" * 60, unreadable=[noise])
    assert ended[0] == ("on", "ventricular-tachycardia", at(16), 120.0)
    assert ended[1] == ("off", "ventricular-tachycardia", at(25), 0.0)
    assert len(found(N16 + "V" * 10 + "N" * 60, unreadable=[(at(26) - 0.1, 99.0)])) == 1
    assert len(found(N16 + "V" * 10 + "-" * 60)) == 1


def test_bigeminy_and_trigeminy_begin_with_the_third_and_end_when_broken() -> None:
    assert found(N16 + "VNV" + N16, 0.8) == []
    assert found(N16 + "VNVNV" + N16, 0.8) == [
        ("on", "bigeminy", at(15, 0.8), 3.0),
        ("off", "bigeminy", at(20, 0.8), 0.0),
    ]
    assert found(N16 + "VNNV" + N16, 0.8) == []
    assert found(N16 + "VNNVNSV" + N16, 0.8) == [
        ("on", "trigeminy", at(14, 0.8), 3.0),
        ("off", "trigeminy", at(22, 0.8), 0.0),
    ]
    both = found(N16 + "VN" * 6 + "NVN" * 6 + N16, 0.8)
    assert [one[:2] for one in both] == [
        ("on", "bigeminy"), ("off", "bigeminy"), ("on", "trigeminy"), ("off", "trigeminy"),
    ]  # fmt: skip
    ended = found("VN" * 6 + "VVN" + N16, 0.8)
    assert [one[:2] for one in ended] == [
        ("on", "bigeminy"), ("off", "bigeminy"), ("episode", "couplet")
    ]  # fmt: skip


def test_the_unreadable_neither_breaks_nor_makes_a_pattern() -> None:
    whole = "NV" * 20 + N16
    for end in (20, 21):
        ended = found(whole, 0.8, unreadable=[(at(15, 0.8) - 0.1, at(end, 0.8) - 0.1)])
        assert ended == [("on", "bigeminy", 0.5, 3.0), ("off", "bigeminy", at(39, 0.8), 0.0)]
    assert found("NVNV" + "N" * 8 + "VNV", 0.8, unreadable=[(at(3.5, 0.8), at(11.5, 0.8))]) == []


def test_supraventricular_tachycardia_is_sudden_and_regular() -> None:
    rr = [0.8] * 20 + [0.4] * 30 + [0.8] * 20
    assert found("N" * 71, rr) == [
        ("on", "supraventricular-tachycardia", at(20, 0.8), 150.0),
        ("off", "supraventricular-tachycardia", 0.5 + 20 * 0.8 + 30 * 0.4, 0.0),
    ]
    assert len(found("N" * 20 + "S" * 31 + "N" * 20, rr)) == 2
    assert found("N" * 71, [0.8] * 20 + [0.4] * 8 + [0.8] * 42) == []
    assert found("N" * 30 + "V" + "N" * 40, [0.8] * 26 + [0.4] * 10 + [0.8] * 34) == []
    gradual = np.concatenate([np.full(20, 0.8), np.linspace(0.8, 0.4, 30), np.full(30, 0.4)])
    assert found("N" * 81, gradual.tolist()) == []
    jumping = (0.4 * np.random.default_rng(1).lognormal(0, 0.15, 30)).tolist()
    assert found("N" * 71, [0.8] * 20 + jumping + [0.8] * 20) == []


def test_missed_beats_are_three_in_a_minute_and_end_after_one_without() -> None:
    seldom, often = [0.8] * 35 + [1.6], [0.8] * 10 + [1.6]
    assert found("N" * (36 * 6 + 1), seldom * 6) == []
    rr = [0.8] * 10 + often * 4 + [0.8] * 100
    on, off = found("N" * (len(rr) + 1), rr)
    assert on == ("on", "missed-beat", 0.5 + 20 * 0.8, 3.0)
    assert off == ("off", "missed-beat", round(0.5 + sum(rr[:54]), 3), 0.0)
    # Early beats, ventricular ones and pauses explain them.
    for letters, rr in (
        ("N" * 9 + "VN", [0.8] * 9 + [0.5, 1.6]),
        ("N" * 9 + "SN", [0.8] * 9 + [0.5, 1.6]),
        ("N" * 11, [0.8] * 9 + [0.5, 1.6]),
        ("N" * 11, [1.5] * 10 + [3.0]),
        ("-" * 11, often),
    ):
        whole = (rr * 10)[: 10 * len(letters) - 1]
        assert found(letters * 10, whole, d.MISSED_BEAT) == []
    irregular = (0.8 * np.random.default_rng(1).lognormal(0, 0.3, 400)).tolist()
    assert found("N" * 401, irregular, d.MISSED_BEAT) == []


def hours(counts: list[int], readable: float = 1.0) -> Any:
    """Events of hours with so many single ventricular beats each; of each a part is readable."""
    letters = []
    for count in counts:
        hour = ["N"] * 3600
        for beat in np.linspace(100, 3500, count).astype(int):
            hour[beat] = "V"
        letters += hour
    beats = beats_of("".join([*letters, *N16]), 1.0)
    noise = [(hour * 3600 + 3600 * readable, (hour + 1) * 3600.0) for hour in range(len(counts))]
    return events_of(beats, unreadable=[] if readable == 1.0 else noise, mark_ms=10_000)


def test_more_than_thirty_an_hour_are_frequent() -> None:
    findings, _ = run(k, hours([30, 31, 30, 40] + [3] * 25))
    assert told(findings) == [
        ("on", "frequent-ventricular-beats", 3600.0, 31.0),
        ("off", "frequent-ventricular-beats", 4 * 3600.0, 0.0),
    ]
    # Told with the first MARK of the next hour.
    assert (findings["detected_ns"][0] - START) / 1e9 == 2 * 3600 + DELAY_S


def test_three_times_as_many_as_in_the_last_day_are_frequent() -> None:
    assert told(run(k, hours([4] * 12 + [11, 15]))[0]) == [
        ("on", "frequent-ventricular-beats", 13 * 3600.0, 15.0)
    ]
    assert len(run(k, hours([4] * 11 + [29]))[0]) == 0  # not known for long enough
    assert len(run(k, hours([1] * 12 + [9]))[0]) == 0  # too few to say
    assert len(run(k, hours([4] * 24 + [10], readable=0.4))[0]) == 0


def test_hours_that_could_hardly_be_read_end_nothing() -> None:
    frequent, quiet = hours([40]), hours([1] * 30, readable=0.4)
    quiet["time_ns"] += 3600 * 10**9
    quiet["decided_ns"] += 3600 * 10**9
    both = np.concatenate([frequent[frequent["time_ns"] <= START + 3600 * 10**9], quiet[1:]])
    assert [one[0] for one in told(run(k, both)[0])] == ["on"]
