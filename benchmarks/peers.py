"""What people write today: a consumer loop, windows, and a batch detector called on each.

Of every patient the last 10 s of ECG are kept; each 5 s the detector sees them (windows overlap
by half, so that a beat at an edge is seen whole once), and the heart rate, and SpO2, are
compared with limits. Nothing else: no signal quality, no recovery of what a window held, no
evidence. The loop commits as the client does by itself. Its messages are ours, decoded by Arrow
without validation.

`python -m benchmarks.peers DETECTOR WARD` measures the detector on arrays in memory,
`python -m benchmarks.peers DETECTOR BOOTSTRAP TOPIC RECORDS` the loop on Kafka.
"""

import json
import sys
import warnings
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks import patients
from benchmarks.common import answer, cpu_s, report, spread
from telesurv_streams.frame import SCHEMA

WINDOW_S, STEP_S, RATE_HZ = 10, 5, 250
SLOW, FAST, LOW = 40.0, 140.0, 88
REPEATS = 3

Detect = Callable[[np.ndarray], np.ndarray]
"""A window in mV to the samples of its R-peaks."""


def detector(name: str) -> Detect:
    """Return a detector; its library is imported here, as it costs seconds."""
    if name == "neurokit2":
        import neurokit2

        def by_neurokit(window: np.ndarray) -> np.ndarray:
            clean = neurokit2.ecg_clean(window, sampling_rate=RATE_HZ)
            peaks: np.ndarray = neurokit2.ecg_peaks(clean, sampling_rate=RATE_HZ)[1]["ECG_R_Peaks"]
            return peaks

        return by_neurokit
    import sleepecg

    def by_sleepecg(window: np.ndarray) -> np.ndarray:
        peaks: np.ndarray = sleepecg.detect_heartbeats(window, RATE_HZ)
        return peaks

    return by_sleepecg


class Windows:
    """The last seconds of one patient."""

    def __init__(self) -> None:
        self.ecg: deque[np.ndarray] = deque(maxlen=WINDOW_S)
        self.fresh = 0

    def rate(self, detect: Detect, ecg_mv: np.ndarray) -> float | None:
        """Take in a second; at the end of a step return the heart rate."""
        self.ecg.append(ecg_mv)
        self.fresh += 1
        if len(self.ecg) < WINDOW_S or self.fresh < STEP_S:
            return None
        self.fresh = 0
        try:
            peaks = detect(np.concatenate(self.ecg))
        except (ValueError, IndexError, ZeroDivisionError, KeyError):
            return None  # a window without beats is too much for some
        if len(peaks) < 3:
            return 0.0
        return float(60 * RATE_HZ / np.median(np.diff(peaks)))


def decoded(value: bytes) -> Iterator[tuple[str, str, np.ndarray]]:
    """Yield patient, channel and physical samples of the rows of a message."""
    batch = pa.ipc.read_record_batch(pa.py_buffer(value), SCHEMA)
    columns = [batch.column(name).to_pylist() for name in ("patient", "channel", "scale")]
    samples = batch.column("samples")
    first, codes = samples.offsets.to_numpy(), samples.flatten().to_numpy()
    for row, (patient, channel, scale) in enumerate(zip(*columns, strict=True)):
        yield patient, channel, codes[first[row] : first[row + 1]] * scale


def alone(name: str, ward: patients.Ward) -> dict[str, Any]:
    """Patient-seconds a CPU-second of windows and detector, arrays given."""
    detect = detector(name)
    signals = []
    for number in range(len(ward.names)):
        sent = [of_second[number] for of_second in ward.sent]
        rows = [next(decoded(value))[2] for value in sent if value is not None]
        signals.append(rows)
    detect(np.concatenate(signals[0][:WINDOW_S]))
    runs, count = [], sum(map(len, signals))
    for repeat in range(REPEATS):
        begun_s = cpu_s()
        for at, rows in enumerate(signals):
            windows = Windows()
            for row in rows:
                windows.rate(detect, row)
            report((repeat + at / len(signals)) / REPEATS)
        runs.append(count / (cpu_s() - begun_s))
    return {"per_cpu_s": spread(runs), "patient_seconds": count}


def loop(name: str, bootstrap: str, topic: str, records: int) -> dict[str, Any]:
    """Patient-seconds a CPU-second of the whole loop."""
    from kafka import KafkaConsumer, KafkaProducer

    detect = detector(name)
    detect(np.sin(np.arange(WINDOW_S * RATE_HZ) * 2 * np.pi / RATE_HZ) ** 61)
    consumer = KafkaConsumer(
        topic, bootstrap_servers=bootstrap, group_id=None, auto_offset_reset="earliest"
    )
    producer = KafkaProducer(bootstrap_servers=bootstrap)
    known: dict[str, Windows] = {}
    alerts = 0
    begun_s = cpu_s()
    for seen, record in enumerate(consumer, 1):
        said = []
        for patient, channel, samples in decoded(record.value):
            if channel == "ecg.II":
                windows = known.setdefault(patient, Windows())
                rate = windows.rate(detect, samples)
                if rate is not None and not SLOW <= rate <= FAST:
                    said.append({"patient": patient, "heart_rate": rate})
            elif channel == "spo2" and samples[-1] < LOW:
                said.append({"patient": patient, "spo2": float(samples[-1])})
        for alert in said:
            producer.send(f"{topic}.alerts", json.dumps(alert).encode())
        alerts += len(said)
        if seen == records:
            break
        if seen % 100 == 0:
            report(seen / records)
    producer.flush()
    used_s = cpu_s() - begun_s
    consumer.close()
    producer.close()
    return {"per_cpu_s": records / used_s, "patient_seconds": records, "alerts": alerts}


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    if len(sys.argv) == 3:
        answer(alone(sys.argv[1], patients.load(Path(sys.argv[2]))))
    else:
        answer(loop(*sys.argv[1:4], int(sys.argv[4])))
