"""Several leads and several devices of one patient."""

from dataclasses import replace

import numpy as np
import pytest

from engine_cases import (
    T0,
    Ran,
    S,
    Signal,
    Tape,
    beating,
    by_end,
    made,
    off,
    oxygen,
    real,
    run,
    seconds,
    singly,
    tape_of,
    told,
)

LEADS = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")


def played(*signals: Signal, frame_s: float = 1.0) -> Ran:
    rows = by_end(*(row for signal in signals for row in signal.frames("p", frame_s)))
    ran = run(tape_of(rows).records)
    assert singly(tape_of(rows).records).revisions == ran.revisions
    return ran


def lead(
    channel: str, stops: list[tuple[float, float]], length_s: float = 60, device: str = "d"
) -> Signal:
    seed = sum(map(ord, channel + device))
    return made(beating(length_s, stops), length_s, channel, seed=seed, device=device)


def twelve(stops: list[tuple[float, float]], length_s: float = 40) -> list[Signal]:
    return [lead(f"ecg.{name}", stops, length_s) for name in LEADS]


@pytest.mark.parametrize("frame_s", [0.5, 1.0])
def test_twelve_leads_are_one_heart(frame_s: float) -> None:
    ran = played(*twelve([(20, 27.5)]), frame_s=frame_s)
    (alert,) = ran.alerts
    assert alert.condition == "asystole"
    assert alert.evidence[0].channel == "ecg.II"
    assert (alert.revision, alert.count) == (3, 1)
    assert seconds(alert.onset) == pytest.approx(19.6, abs=0.01)


def test_twelve_leads_in_one_message() -> None:
    channels = [signal.frames("p") for signal in twelve([(20, 27.5)])]
    tape = Tape()
    for rows in zip(*channels, strict=True):
        tape.rows(list(rows))
    ran = run(tape.records)
    assert [a.condition for a in ran.alerts] == ["asystole"]
    apart = tape_of([row for rows in zip(*channels, strict=True) for row in rows])
    assert run(apart.records).revisions == ran.revisions


def test_a_minute_of_heart_rate_is_told_once_however_many_leads_there_are() -> None:
    ran = played(*twelve([], 70))
    assert [(m.numeric, m.mean) for m in ran.minutes] == [("heart_rate", 75.0)]


def test_the_rate_of_a_minute_comes_from_a_lead_that_was_read() -> None:
    two = lead("ecg.II", [], 130)
    ran = played(off(two, (30, 90)), lead("ecg.V5", [], 130))
    assert [round(m.mean, 1) for m in ran.minutes] == [75.0, 75.0]


def test_a_minute_of_oxygen_comes_from_the_first_oximeter_that_is_there() -> None:
    left, right = oxygen([(61, 97)], device="left"), oxygen([(185, 95)], device="right")
    assert [m.mean for m in played(left, right).minutes] == [97, 95, 95]


def test_each_electrode_that_comes_off_has_its_own_alert() -> None:
    ran = played(*(off(signal, (12, 30)) for signal in twelve([])))
    assert len(ran.revisions) == 12
    assert len({a.id for a in ran.alerts}) == 12
    assert {a.evidence[0].channel for a in ran.alerts} == {f"ecg.{name}" for name in LEADS}
    assert {a.condition for a in ran.alerts} == {"lead-off"}
    assert {round(seconds(a.onset), 1) for a in ran.alerts} == {12.0}
    assert all(a.resolved is not None for a in ran.alerts)


def test_a_quiet_lead_is_not_believed_while_a_better_one_beats() -> None:
    quiet = lead("ecg.V5", [(20, 40)])
    assert played(lead("ecg.II", []), quiet).alerts == []


def test_the_next_lead_takes_over_when_an_electrode_comes_off() -> None:
    two, five = lead("ecg.II", [(30, 37.5)]), lead("ecg.V5", [(30, 37.5)])
    ran = played(off(two, (20, 50)), five)
    assert seconds(ran.one("asystole").onset) == pytest.approx(29.2, abs=0.01)
    assert ran.one("asystole").evidence[0].channel == "ecg.V5"
    assert seconds(ran.one("lead-off").onset) == 20


def test_an_asystole_is_not_told_again_when_the_electrode_is_back() -> None:
    two, five = lead("ecg.II", [(20, 27.5)], 90), lead("ecg.V5", [(20, 27.5)], 90)
    ran = played(off(two, (25, 60)), five)
    alert = ran.one("asystole")
    assert alert.count == 1
    assert len(ran.of("asystole")) == 1
    assert alert.resolved is not None
    assert seconds(alert.resolved) < 31


def test_when_every_electrode_is_off_an_asystole_does_not_end() -> None:
    signals = [off(lead(f"ecg.{n}", [(20, 90)], 90), (27, 60)) for n in ("II", "V5")]
    ran = played(*signals)
    alert = ran.one("asystole")
    assert alert.resolved is None
    flags = [a.not_analysable_since for a in ran.revisions[f"live/{alert.id}"]]
    assert flags[0] is None
    assert flags[-1] is None
    # A constant stretch shows as such after two seconds of it.
    assert any(flag is not None and 27 <= seconds(flag) <= 29.3 for flag in flags)


def test_two_devices_for_one_lead() -> None:
    """They have the same channel, other noise, and clocks that are half a second apart."""
    one, other = lead("ecg.II", [(20, 27.5)]), lead("ecg.II", [(20, 27.5)], device="e")
    ran = played(one, replace(other, start_ns=T0 + S // 2))
    (alert,) = ran.alerts
    assert (alert.condition, alert.count) == ("asystole", 1)
    assert alert.evidence[0].device in {"d", "e"}


def test_a_device_that_dies_leaves_the_word_to_the_other() -> None:
    one = lead("ecg.II", [], 20, device="a")
    other = lead("ecg.II", [(30, 37.5)], 60, device="b")
    (alert,) = played(one, other).alerts
    assert (alert.condition, alert.evidence[0].device) == ("asystole", "b")


def test_a_strip_of_a_device_that_died_is_completed() -> None:
    one = lead("ecg.II", [(20, 60)], 27, device="a")
    other = off(lead("ecg.II", [], 120, device="b"), (0, 120))
    ran = played(one, other)
    alert = ran.one("asystole")
    assert alert.evidence_complete
    assert alert.evidence[0].device == "a"
    assert len(alert.evidence[0].samples) // 2 == round((27 - 9.6) * 250)


def test_a_device_whose_clock_is_ahead_and_dies_hides_nothing_for_long() -> None:
    ahead = lead("ecg.II", [], 30, device="a")
    ran = played(replace(ahead, start_ns=T0 + 60 * S), lead("ecg.II", [(40, 160)], 160, device="b"))
    first, again = sorted(ran.of("asystole"), key=lambda alert: alert.onset)
    assert seconds(first.onset) == pytest.approx(39.6, abs=0.01)
    assert seconds(first.detected) < 46
    # While the other one sends beats of the same seconds the heart beats; then no longer.
    assert again.evidence[0].device == "b"
    assert seconds(again.onset) == pytest.approx(89, abs=1)
    assert seconds(again.detected) <= 94


def test_of_two_oximeters_either_keeps_a_desaturation() -> None:
    left = oxygen([(20, 97), (40, 84), (60, 97)], device="left")
    right = oxygen([(25, 97), (60, 84), (35, 97)], device="right")
    alert = played(left, right).one("desaturation")
    assert [entry[0] for entry in told(alert)] == ["desaturation", "severe-desaturation"]
    assert seconds(alert.onset) == 20
    assert alert.resolved is not None
    assert seconds(alert.resolved) == 85
    assert alert.count == 1


def test_an_oximeter_that_was_switched_off_does_not_keep_it() -> None:
    left = oxygen([(20, 97), (40, 86), (120, 97)], device="left")
    right = oxygen([(25, 97), (20, 86)], device="right")
    ran = played(left, right)
    alert = ran.one("desaturation")
    assert alert.resolved is not None
    assert seconds(alert.resolved) == 60


def test_settings_that_change_in_an_episode_keep_its_strip() -> None:
    ecg = lead("ecg.II", [(20, 27.5)])
    rows = [
        row._replace(scale=0.0025, samples=(row.samples * 2).astype(np.int16))
        if row.start_ns >= T0 + 26 * S
        else row
        for row in ecg.frames("p")
    ]
    ran = run(tape_of(rows).records)
    assert singly(tape_of(rows).records).revisions == ran.revisions
    alert = ran.one("asystole")
    assert alert.evidence_complete
    (strip,) = alert.evidence
    assert seconds(strip.start) == pytest.approx(9.6, abs=0.01)
    assert strip.scale == pytest.approx(0.005)


@pytest.mark.parametrize("frame_s", [1.0, 10.0])
def test_a_real_heart_in_two_leads_is_well(frame_s: float) -> None:
    one = real("217")
    other = replace(one, channel="ecg.V5", codes=(-0.6 * one.codes).astype(np.int16))
    assert played(one, other, frame_s=frame_s).alerts == []
