"""Alerts as the service sends them, with believable strips, for the tests of the console."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import msgspec
import numpy as np
from numpy.typing import NDArray

from telesurv.alerts.model import Alert, Entry, Heartbeat, Minute, Reason, Rule, Strip
from telesurv_streams.log import ALERTS, HEADER_KIND, NUMERICS, Record

NOW = datetime(2026, 3, 14, 9, 26, 53, tzinfo=UTC)
RATE_HZ = 250.0


def ecg(
    beat_s: NDArray[np.float64] | list[float], seconds: float = 20.0, seed: int = 1
) -> NDArray[np.int16]:
    """Return int16 ECG at 250 Hz, 5 uV a step: a P-QRS-T of Gaussians at each R-peak."""
    rng = np.random.default_rng(seed)
    t = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    mv = 0.05 * np.sin(2 * np.pi * 0.25 * t) + 0.008 * rng.standard_normal(t.size)
    waves = [(-0.17, 0.12, 0.025), (-0.028, -0.12, 0.010), (0.0, 1.15, 0.011)]
    waves += [(0.030, -0.22, 0.012), (0.24, 0.28, 0.045)]
    for beat in beat_s:
        for shift, height, width in waves:
            mv += height * np.exp(-0.5 * ((t - beat - shift) / width) ** 2)
    return np.clip(np.rint(mv / 0.005), -32767, 32767).astype(np.int16)


def strip(samples: NDArray[np.int16], beat_s: Any = (), **changes: Any) -> Strip:
    """Return a strip of ECG that begins ten seconds before `NOW - 5 min`."""
    values: dict[str, Any] = {
        "device": "patch-7",
        "channel": "ecg.II",
        "unit": "mV",
        "start": NOW - timedelta(minutes=5, seconds=10),
        "rate": RATE_HZ,
        "scale": 0.005,
        "offset": 0.0,
        "samples": np.asarray(samples, "<i2").tobytes(),
        "beats": tuple(round(b * RATE_HZ) for b in beat_s),
    }
    return Strip(**(values | changes))


def alert(condition: str = "asystole", patient: str = "p-0001", **changes: Any) -> Alert:
    """Return an open alert with its onset five minutes before `NOW`."""
    onset = changes.get("onset", NOW - timedelta(minutes=5))
    mode, priority = changes.get("mode", "live"), changes.get("priority", "high")
    detected = changes.get("detected", onset + timedelta(seconds=4.6))
    entry = Entry(condition=condition, priority=priority, onset=onset, detected=detected)
    values: dict[str, Any] = {
        "id": str(uuid5(NAMESPACE_URL, f"{patient}/{condition}/{onset.isoformat()}")),
        "revision": 1,
        "patient": patient,
        "condition": condition,
        "conditions": (entry,),
        "kind": "physiological",
        "priority": priority,
        "mode": mode,
        "onset": onset,
        "detected": detected,
        "emitted": detected + timedelta(seconds=0.4),
        "reason": Reason(
            en="No heartbeat in 4.6 s of readable signal (limit 4 s).",
            fr="Aucun battement pendant 4,6 s de signal lisible (limite 4 s).",
        ),
        "rule": Rule(name=condition, version=1, limit=4.0, unit="s"),
    }
    return Alert(**(values | changes))


def asystole(**changes: Any) -> Alert:
    """Return an asystole: beats, then none for eight seconds, then two."""
    beats = [*np.arange(0.4, 10.2, 0.86), 18.3, 19.3]
    evidence = strip(ecg(beats), beats)
    return alert(**({"evidence": (evidence,), "evidence_complete": True} | changes))


def tachycardia(**changes: Any) -> Alert:
    """Return an extreme tachycardia that began as a tachycardia, at 182/min."""
    beats = np.concatenate((np.arange(0.3, 10, 0.8), np.arange(10.0, 20, 0.33)))
    onset = NOW - timedelta(minutes=5)
    course = (
        Entry(
            condition="tachycardia",
            priority="medium",
            onset=onset - timedelta(minutes=2),
            detected=onset - timedelta(minutes=1),
            resolved=onset,
        ),
        Entry(
            condition="extreme-tachycardia",
            priority="high",
            onset=onset,
            detected=onset + timedelta(seconds=6),
        ),
    )
    values: dict[str, Any] = {
        "evidence": (strip(ecg(beats, seed=2), beats),),
        "conditions": course,
        "detected": onset + timedelta(seconds=6),
        "reason": Reason(
            en="Mean rate 182/min over 17 beats (limit 140/min).",
            fr="Fréquence moyenne de 182/min sur 17 battements (limite 140/min).",
        ),
        "rule": Rule(name="extreme-tachycardia", version=1, limit=140.0, unit="/min"),
        "count": 3,
    }
    return alert("extreme-tachycardia", **({"patient": "p-0002"} | values | changes))


def noisy(**changes: Any) -> Alert:
    """Return a bradycardia whose strip has noise, a flat stretch, and missing samples."""
    beats = np.arange(0.5, 20, 1.7)
    samples = ecg(beats, seed=3)
    rng = np.random.default_rng(4)
    samples[1500:2250] += (300 * rng.standard_normal(750)).astype(np.int16)
    samples[3000:3500] = 12
    samples[4000:4500] = -32768
    unreadable = ((1500, 2250, "noisy"), (3000, 3500, "constant"))
    values: dict[str, Any] = {
        "evidence": (strip(samples, beats, unreadable=unreadable),),
        "reason": Reason(
            en="Mean rate 35/min over 5 beats (limit 40/min).",
            fr="Fréquence moyenne de 35/min sur 5 battements (limite 40/min).",
        ),
        "rule": Rule(name="extreme-bradycardia", version=1, limit=40.0, unit="/min"),
        "not_analysable_since": NOW - timedelta(minutes=4, seconds=50),
        "cross_check": "not cross-checked",
    }
    return alert("extreme-bradycardia", **({"patient": "p-0003"} | values | changes))


def desaturation(**changes: Any) -> Alert:
    """Return a desaturation with its SpO2 at 1 Hz, two readings missing."""
    fall = np.concatenate((np.full(20, 95), np.linspace(95, 84, 25), np.full(25, 85)))
    samples = np.rint(fall).astype(np.int16)
    samples[12:14] = -32768
    spo2 = strip(
        samples,
        device="oximeter-2",
        channel="spo2",
        unit="%",
        rate=1.0,
        scale=1.0,
        start=NOW - timedelta(minutes=5, seconds=32),
    )
    values: dict[str, Any] = {
        "priority": "medium",
        "evidence": (spo2,),
        "evidence_complete": True,
        "reason": Reason(
            en="SpO₂ below 90 % for 15 s, lowest 84 %.",
            fr="SpO₂ inférieure à 90 % pendant 15 s, minimum 84 %.",
        ),
        "rule": Rule(name="desaturation", version=1, limit=90.0, unit="%", plan_version=4),
    }
    return alert("desaturation", **({"patient": "p-0004"} | values | changes))


def silence(**changes: Any) -> Alert:
    """Return a non-transmission, which has no strip."""
    values: dict[str, Any] = {
        "kind": "technical",
        "priority": "medium",
        "onset": NOW - timedelta(minutes=42),
        "reason": Reason(
            en="Nothing valid received for 20 min (expected every 15 min, 5 min of grace).",
            fr="Rien de valide reçu depuis 20 min (attendu toutes les 15 min, tolérance 5 min).",
        ),
        "rule": Rule(name="non-transmission", version=1, limit=20.0, unit="min", plan_version=2),
    }
    return alert("non-transmission", **({"patient": "p-0005"} | values | changes))


def ward() -> list[Alert]:
    """Return one of everything, live."""
    resolved = tachycardia(
        patient="p-0006",
        id="resolved-1",
        onset=NOW - timedelta(hours=2),
        resolved=NOW - timedelta(hours=1, minutes=55),
    )
    late = alert("pause", "p-0007", priority="medium", retrospective=True, count=4)
    lead = alert(
        "lead-off",
        "p-0008",
        priority="low",
        kind="technical",
        onset=NOW - timedelta(minutes=1),
        reason=Reason(en="Flat signal for 10 s.", fr="Signal constant pendant 10 s."),
    )
    return [asystole(), tachycardia(), noisy(), desaturation(), silence(), resolved, late, lead]


def record(alert_: Alert, *, offset: int = 0, arrival: datetime | None = None) -> Record:
    """Return an alert as the log holds it."""
    key = f"{alert_.mode}/{alert_.id}/{alert_.revision}".encode()
    at = arrival or alert_.emitted or NOW
    return Record(ALERTS, 0, offset, _ns(at), key, msgspec.json.encode(alert_))


def heartbeat(sent: datetime = NOW, partition: int = 0, **changes: Any) -> Record:
    """Return a partition's heartbeat as the log holds it; one is due each 5 s."""
    values: dict[str, Any] = {
        "partition": partition,
        "position": 1000,
        "lag": 0,
        "present": 6,
        "digest": "d0",
        "sent": sent,
        "worker": "worker-1",
        "interval_s": 5.0,
    }
    beat = Heartbeat(**(values | changes))
    key = f"heartbeat/{partition}".encode()
    headers = ((HEADER_KIND, b"heartbeat"),)
    return Record(ALERTS, 0, 0, _ns(sent), key, msgspec.json.encode(beat), headers)


def minute(value: float, low: float, at: datetime = NOW, **changes: Any) -> Record:
    """Return a minute of a numeric as the log holds it."""
    values: dict[str, Any] = {
        "patient": "p-0001",
        "mode": "live",
        "minute": at,
        "numeric": "heart_rate",
        "unit": "/min",
        "mean": value,
        "low": low,
    }
    made = Minute(**(values | changes))
    return Record(NUMERICS, 0, 0, _ns(at), made.patient.encode(), msgspec.json.encode(made))


def day(
    patient: str, mode: str = "live", hours: float = 24.0, until: datetime = NOW
) -> list[Record]:
    """Return a day of heart rate and SpO2 with an hour missing and a fall at the end."""
    rng = np.random.default_rng(5)
    records = []
    total = int(hours * 60)
    for back in range(total, -1, -1):
        if hours > 4 and 300 < back < 360:
            continue
        at = until.replace(second=0) - timedelta(minutes=back)
        wave = np.sin((at.hour * 60 + at.minute) / 1440 * 2 * np.pi)
        rate = 74 - 9 * wave + rng.normal(0, 2.5) + (55 if back < 6 else 0)
        spo2 = 95 + wave + rng.normal(0, 0.5) - (8 if back < 6 else 0)
        known = {"patient": patient, "mode": mode, "at": at}
        records.append(minute(float(rate), float(rate - abs(rng.normal(6, 2))), **known))
        readings = {"numeric": "spo2", "unit": "%"}
        records.append(
            minute(float(spo2), float(spo2 - abs(rng.normal(1, 1))), **known, **readings)
        )
    return records


def _ns(instant: datetime) -> int:
    return int(instant.timestamp() * 1e9)
