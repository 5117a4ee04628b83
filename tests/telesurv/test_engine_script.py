"""Simulated patients to whom something happens: it is found, in time, and nothing else is."""

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from engine_cases import T0, Ran, S, Tape, by_end, run, seconds, tape_of
from telesurv.alerts.model import Alert, Plan
from telesurv.simulate import Patient, Script

SEEDS = range(6)
AT_S = 40


def patient(*script: str, seed: int = 0) -> Patient:
    return Patient("p", Script.parse(*script), seed=seed, epoch_ns=T0)


def played(who: Patient, length_s: int = 180, frame_s: int = 1) -> Ran:
    return run(tape_of(by_end(*who.frames(0, length_s, frame_s))).records)


def only(ran: Ran, *conditions: str) -> Alert:
    """The alert of a run that found these conditions, in one episode, and nothing else."""
    (alert,) = ran.alerts
    assert tuple(entry.condition for entry in alert.conditions) == conditions
    assert alert.evidence_complete
    return alert


def peaks(who: Patient, length_s: int = 180) -> NDArray[np.float64]:
    return who.r_peaks_s(0, length_s)


def first_mean_rr(beats_s: NDArray[np.float64], count: int, over: float, under: float) -> int:
    """Index of the beat that ends the first `count` RR whose mean lies between (s)."""
    means = (beats_s[count:] - beats_s[:-count]) / count
    return int(np.flatnonzero((means > over) & (means < under))[0]) + count


@pytest.mark.parametrize("seed", SEEDS)
def test_asystole(seed: int) -> None:
    who = patient(f"asystole@{AT_S}s+8s", seed=seed)
    alert = only(played(who), "asystole")
    beats = peaks(who)
    last = beats[beats < AT_S][-1]
    again = beats[beats > AT_S][0]
    assert (alert.kind, alert.priority) == ("physiological", "high")
    assert seconds(alert.onset) == pytest.approx(last, abs=0.05)
    assert last + 4 <= seconds(alert.detected) <= last + 5
    assert alert.resolved is not None
    assert seconds(alert.resolved) == pytest.approx(again, abs=0.05)


@pytest.mark.parametrize("seed", SEEDS)
def test_pause(seed: int) -> None:
    who = patient(f"pause@{AT_S}s+3.5s", seed=seed)
    (alert,) = played(who).of("pause")
    beats = peaks(who)
    long = int(np.argmax(np.diff(beats)))
    assert (alert.kind, alert.priority) == ("physiological", "medium")
    assert seconds(alert.onset) == pytest.approx(beats[long], abs=0.05)
    assert alert.resolved is not None
    assert seconds(alert.resolved) == pytest.approx(beats[long + 1], abs=0.05)
    assert seconds(alert.detected) <= beats[long + 1] + 1
    assert "3500 ms" in alert.reason.en or "ms" in alert.reason.en


@pytest.mark.parametrize("seed", SEEDS)
def test_extreme_bradycardia(seed: int) -> None:
    who = patient(f"extreme-bradycardia=30@{AT_S}s+40s", seed=seed)
    alert = only(played(who), "extreme-bradycardia")
    beats = peaks(who)
    fifth = first_mean_rr(beats, 4, 1.5, 9)
    assert alert.priority == "high"
    assert "over 5 consecutive beats" in alert.reason.en
    assert seconds(alert.onset) == pytest.approx(beats[fifth - 4], abs=0.05)
    proven = beats[fifth - 4] + 4 * 1.5  # no fifth beat after this makes the mean 40/min
    assert proven - 0.05 <= seconds(alert.detected) <= beats[fifth] + 1
    assert alert.resolved is not None
    assert AT_S + 40 <= seconds(alert.resolved) <= AT_S + 50


@pytest.mark.parametrize("seed", SEEDS)
def test_extreme_tachycardia(seed: int) -> None:
    who = patient(f"extreme-tachycardia=170@{AT_S}s+30s", seed=seed)
    ran = played(who)
    # Sudden, regular and narrow: it is one of these as well.
    sudden = {"extreme-tachycardia", "supraventricular-tachycardia"}
    assert {alert.condition for alert in ran.alerts} <= sudden
    alert = ran.one("extreme-tachycardia")
    beats = peaks(who)
    last = first_mean_rr(beats, 16, 0, 60 / 140)
    assert alert.priority == "high"
    assert "sur 17 battements consécutifs" in alert.reason.fr
    assert seconds(alert.onset) == pytest.approx(beats[last - 16], abs=0.05)
    assert seconds(alert.detected) <= beats[last] + 1
    assert alert.resolved is not None


@pytest.mark.parametrize("seed", SEEDS)
def test_desaturation(seed: int) -> None:
    who = patient(f"desaturation=86@{AT_S}s+90s", seed=seed)
    alert = only(played(who), "desaturation")
    below = np.flatnonzero(who.samples("spo2", 0, 180) < 90)
    assert alert.priority == "medium"
    assert seconds(alert.onset) == below[0]
    assert seconds(alert.detected) <= below[0] + 15 + 2
    assert alert.resolved is not None
    assert seconds(alert.resolved) > below[-1]


@pytest.mark.parametrize("seed", SEEDS)
def test_severe_desaturation(seed: int) -> None:
    who = patient(f"severe-desaturation=78@{AT_S}s+90s", seed=seed)
    alert = only(played(who), "desaturation", "severe-desaturation")
    below = np.flatnonzero(who.samples("spo2", 0, 180) < 85)
    assert (alert.condition, alert.priority) == ("severe-desaturation", "high")
    milder, graver = alert.conditions
    assert milder.onset <= graver.onset
    assert milder.detected < graver.detected
    assert seconds(graver.onset) == below[0]
    assert below[0] + 10 <= seconds(graver.detected) <= below[0] + 12


@pytest.mark.parametrize("seed", SEEDS)
def test_probe_off(seed: int) -> None:
    ran = played(patient(f"probe-off@{AT_S}s+40s", seed=seed))
    alert = ran.one("probe-off")
    assert (alert.kind, alert.priority) == ("technical", "low")
    assert (seconds(alert.onset), seconds(alert.detected)) == (AT_S, AT_S + 10)
    assert alert.resolved is not None
    assert seconds(alert.resolved) == AT_S + 40
    assert ran.one("lead-off").evidence[0].channel == "ppg"


@pytest.mark.parametrize("seed", SEEDS)
def test_lead_off(seed: int) -> None:
    alert = only(played(patient(f"lead-off@{AT_S}s+40s", seed=seed)), "lead-off")
    assert (alert.kind, alert.priority) == ("technical", "low")
    assert seconds(alert.onset) == pytest.approx(AT_S, abs=0.1)
    assert seconds(alert.detected) == pytest.approx(AT_S + 10, abs=0.1)
    assert alert.resolved is not None
    assert seconds(alert.resolved) == pytest.approx(AT_S + 40, abs=0.1)


def test_a_lead_that_stays_off_becomes_medium_after_its_grace() -> None:
    who = patient(f"lead-off@{AT_S}s+10m")
    ran = played(who, 800)
    alert = ran.one("lead-off")
    revisions = ran.revisions[f"live/{alert.id}"]
    assert [a.priority for a in revisions] == ["low", "low", "medium", "medium"]
    assert alert.resolved is not None


@pytest.mark.parametrize("seed", SEEDS)
def test_silence(seed: int) -> None:
    plan = Plan(patient="p", version=1, expected_interval="1m", grace="0s")
    tape = Tape().plan(plan, T0)
    for row in by_end(*patient(f"silence@{AT_S}s+2m", seed=seed).frames(0, 200)):
        while (due := tape.now_ns // (10 * S) * 10 * S + 10 * S) < row.start_ns:
            tape.tick(due)
        tape.rows([row])
    alert = only(run(tape.records), "non-transmission")
    assert (seconds(alert.onset), seconds(alert.detected)) == (AT_S, AT_S + 60)
    assert alert.resolved is not None
    assert seconds(alert.resolved) == AT_S + 120 + 1
    assert alert.evidence[0].channel == "ecg.II"


def test_a_clock_that_is_ahead_for_a_while() -> None:
    who = patient(f"clock-skew=600@{AT_S}s+20s")
    tape = Tape()
    for second in range(90):
        for row in who.frames(second, second + 1):
            tape.rows([row], T0 + (second + 1) * S)
    alert = only(run(tape.records), "clock-skew")
    assert (seconds(alert.onset), alert.priority) == (AT_S + 1, "low")


@pytest.mark.parametrize("seed", [*SEEDS, 12, 14, 23, 32])
def test_motion_is_no_alert(seed: int) -> None:
    assert played(patient(f"noise@{AT_S}s+60s", seed=seed)).alerts == []


@pytest.mark.parametrize("seed", range(100, 106))
def test_half_an_hour_of_a_healthy_patient_is_no_alert(seed: int) -> None:
    ran = played(patient(seed=seed), 1800, frame_s=10)
    assert ran.alerts == []
    assert not ran.bad
    by_numeric = {m.numeric: 0 for m in ran.minutes}
    for minute in ran.minutes:
        by_numeric[minute.numeric] += 1
    assert by_numeric == {"heart_rate": 29, "spo2": 29}
    assert means(ran, "heart_rate") == pytest.approx([who_rate(seed)] * 29, rel=0.15)


def means(ran: Ran, numeric: str) -> Sequence[float]:
    return [minute.mean for minute in ran.minutes if minute.numeric == numeric]


def who_rate(seed: int) -> float:
    return patient(seed=seed).rate_per_min
