"""Rhythms from the signal to the alert: fibrillation of ventricles and atria."""

from dataclasses import replace

import numpy as np
import pytest

from engine_cases import Signal, beating, made, run, seconds, singly, tape_of, told


def fibrillating(signal: Signal, begin_s: float, end_s: float) -> Signal:
    """The signal with an oscillation of 4.5 Hz, whose height and rate wander, for its beats."""
    codes = signal.codes.copy()
    first, last = round(begin_s * signal.rate_hz), round(end_s * signal.rate_hz)
    at_s = np.arange(last - first) / signal.rate_hz
    phase = 2 * np.pi * 4.5 * at_s + 0.8 * np.sin(2 * np.pi * 0.3 * at_s)
    mv = 0.5 * np.sin(phase) * (1 + 0.3 * np.sin(2 * np.pi * 0.4 * at_s))
    codes[first:last] = np.rint(mv / signal.scale)
    return replace(signal, codes=codes)


def irregular(length_s: float, begin_s: float) -> list[float]:
    """Beats at 75 a minute, from `begin_s` on at intervals that nothing foretells."""
    rng = np.random.default_rng(7)
    beats = np.arange(0.4, begin_s, 0.8).tolist()
    while beats[-1] < length_s - 2:
        beats.append(beats[-1] + rng.uniform(0.4, 1.1))
    return beats


def test_a_heart_that_fibrillates_is_told_at_once_and_is_no_asystole() -> None:
    signal = fibrillating(made(beating(90, [(30, 50)]), 90), 30, 50)
    records = tape_of(signal.frames("p")).records
    ran = run(records)
    assert singly(records).revisions == ran.revisions
    alert = ran.one("ventricular-fibrillation")
    assert {name for name, *_ in told(alert)} == {"ventricular-fibrillation"}
    assert alert.priority == "high"
    assert seconds(alert.onset) == pytest.approx(30, abs=2)
    assert seconds(alert.detected) - 30 < 10
    assert alert.resolved is not None
    assert seconds(alert.resolved) == pytest.approx(50, abs=2)
    assert alert.rule.limit == 4.0


def test_fibrillation_that_ends_in_silence_becomes_asystole_in_the_same_alert() -> None:
    signal = fibrillating(made(beating(90, [(30, 70)]), 90), 30, 45)
    ran = run(tape_of(signal.frames("p")).records)
    alert = ran.one("ventricular-fibrillation")
    assert [name for name, *_ in told(alert)] == ["ventricular-fibrillation", "asystole"]
    assert len(ran.alerts) == 1


def test_a_lead_that_is_mostly_noise_is_told_of_once_for_each_lead() -> None:
    rng = np.random.default_rng(3)
    signal = made(beating(600), 600)
    first, last = (round(at * signal.rate_hz) for at in (60, 235))
    codes = signal.codes.copy()
    codes[first:last] += np.rint(rng.normal(0, 0.6 / signal.scale, last - first)).astype(np.int16)
    ran = run(tape_of(replace(signal, codes=codes).frames("p")).records)
    alert = ran.one("unreadable")
    assert (alert.kind, alert.priority) == ("technical", "low")
    assert seconds(alert.onset) == pytest.approx(62, abs=4)
    assert seconds(alert.detected) == pytest.approx(62 + 150, abs=25)
    assert alert.resolved is not None
    assert seconds(alert.resolved) == pytest.approx(237, abs=25)
    assert "ecg.II" in alert.reason.en
    assert {a.condition for a in ran.alerts if a.priority == "high"} == set()


def test_atrial_fibrillation_is_told_and_joins_when_it_comes_again() -> None:
    ran = run(tape_of(made(irregular(240, 60), 240).frames("p")).records)
    alert = ran.one("atrial-fibrillation")
    assert (alert.priority, alert.kind) == ("medium", "physiological")
    assert seconds(alert.onset) == pytest.approx(60, abs=12)
    assert "atrial fibrillation" in alert.reason.en
    assert "fibrillation atriale" in alert.reason.fr
