"""Frames for recordings, and what reading them gives, for tests."""

from pathlib import Path

import numpy as np

from telesurv_streams.parquet import Writer
from telesurv_streams.recordings import read_merged
from telesurv_streams.wire import Row

T0 = 1_700_000_000_000_000_000
SECOND = 10**9


def frame(k: int, patient: str = "p-01", channel: str = "ecg.II", n: int = 250) -> Row:
    """The k-th second of a channel, its samples telling which one it is."""
    samples = np.full(n, k % 30_000, np.int16)
    return Row(patient, "dev", channel, T0 + k * SECOND, float(n), 0.005, 0.0, samples, k)


def reading(k: int, patient: str = "p-01", value: int = 97) -> Row:
    return Row(
        patient, "dev", "spo2", T0 + k * SECOND, 0.0, 1.0, 0.0, np.array([value], np.int16), k
    )


def rows(paths: list[Path]) -> list[dict[str, object]]:
    return [row for table in read_merged(paths) for row in table.to_pylist()]


def sequences(paths: list[Path]) -> list[int]:
    return [n for t in read_merged(paths) for n in t.column("sequence").to_pylist()]


def written(directory: Path, count: int, per_part: int) -> Path:
    with Writer(directory) as writer:
        for k in range(count):
            writer.append([frame(k)])
            if k % per_part == per_part - 1:
                writer.close_part()
    return directory
