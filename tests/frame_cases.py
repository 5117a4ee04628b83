"""Rows of frames for tests, and decoded columns as rows again."""

import numpy as np

from telesurv_streams.frame import MISSING, Frames
from telesurv_streams.wire import Row

T0 = 1_700_000_000_000_000_000


def row(**changed: object) -> Row:
    values = {
        "patient": "p-01",
        "device": "belt.7",
        "channel": "ecg.II",
        "start_ns": T0,
        "rate_hz": 250.0,
        "scale": 0.005,
        "offset": 0.25,
        "samples": np.arange(250, dtype=np.int16),
        "sequence": 7,
    }
    return Row(**(values | changed))  # type: ignore[arg-type]


def second(patient: str = "p-01", k: int = 0) -> list[Row]:
    """One patient-second: ECG, PPG, one SpO2 reading."""
    start = T0 + k * 10**9
    return [
        row(patient=patient, start_ns=start, sequence=k),
        row(
            patient=patient,
            channel="ppg",
            start_ns=start,
            rate_hz=125.0,
            samples=np.full(125, MISSING, np.int16),
        ),
        row(
            patient=patient,
            channel="spo2",
            start_ns=start + 5,
            rate_hz=0.0,
            samples=np.array([97], np.int16),
            sequence=-1,
        ),
    ]


def rows_of(frames: Frames) -> list[Row]:
    """The oracle's view: columns as rows again, one by one."""
    return [
        Row(
            *frames.names[frames.name[i]],
            int(frames.start_ns[i]),
            float(frames.rate_hz[i]),
            float(frames.scale[i]),
            float(frames.offset[i]),
            frames.samples[frames.first[i] : frames.first[i + 1]],
            int(frames.sequence[i]),
        )
        for i in range(len(frames))
    ]


def same(a: list[Row], b: list[Row]) -> bool:
    def plain(rows: list[Row]) -> list[object]:
        return [
            r._replace(
                samples=tuple(r.samples),  # type: ignore[arg-type]
                scale=float(np.float32(r.scale)),
                offset=float(np.float32(r.offset)),
            )
            for r in rows
        ]

    return plain(a) == plain(b)
