"""The row of DESIGN: a frame, its Arrow schema, and decoded rows as columns."""

import re
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

FRAME_VERSION = 1
"""Version of the schema, sent in the header `telesurv-frame`."""

MISSING = -32768
"""The sample code that stands for no measurement."""

ROUTE_OR_PATIENT = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
"""What a patient's pseudonym (and a device, and a route) may look like; use `fullmatch`."""

SAMPLES_MAX = 65_536
"""Samples in one row: about a minute at 1000 Hz."""

SCHEMA = pa.schema(
    [
        pa.field("patient", pa.string(), nullable=False),
        pa.field("device", pa.string(), nullable=False),
        pa.field("channel", pa.string(), nullable=False),
        pa.field("start", pa.timestamp("ns", tz="UTC"), nullable=False),
        pa.field("rate", pa.float64(), nullable=False),
        pa.field("scale", pa.float32(), nullable=False),
        pa.field("offset", pa.float32(), nullable=False),
        pa.field("samples", pa.list_(pa.field("item", pa.int16(), nullable=False)), nullable=False),
        pa.field("sequence", pa.int64(), nullable=False),
    ]
)
"""Columns of a frame on the wire."""

DISK_SCHEMA = SCHEMA.append(pa.field("arrival", pa.timestamp("ns", tz="UTC"), nullable=False))
"""Columns of a frame on disk: those of the wire and when the log took it."""


@dataclass(slots=True)
class Frames:
    """Decoded rows as columns; row i holds samples[first[i]:first[i + 1]].

    `record[i]` is the index of the message that row i came in, `row[i]` its place in it.
    """

    names: list[tuple[str, str, str]]  # distinct (patient, device, channel)
    name: NDArray[np.int32]  # [n], index into names
    start_ns: NDArray[np.int64]  # [n], device time of the first sample
    rate_hz: NDArray[np.float64]  # [n], 0: a single reading
    scale: NDArray[np.float32]  # [n], physical = sample * scale + offset
    offset: NDArray[np.float32]  # [n]
    sequence: NDArray[np.int64]  # [n], -1 where the device has none
    samples: NDArray[np.int16]  # [total]
    first: NDArray[np.int64]  # [n + 1]
    record: NDArray[np.int32]  # [n]
    row: NDArray[np.int32]  # [n]

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.name)


def sample_time_ns(
    anchor_ns: NDArray[np.int64], sample: NDArray[np.int64], rate_hz: NDArray[np.float64]
) -> NDArray[np.int64]:
    """Return the device time of sample k after an anchor: anchor + round(k * 1e9 / rate).

    The only place that turns samples into time, with its twin for a single one. Rate 0 (a
    single reading) gives the anchor.
    """
    rate = np.asarray(rate_hz, np.float64)
    per_sample = np.where(rate > 0, 1e9 / np.where(rate > 0, rate, 1.0), 0.0)
    shift: NDArray[np.int64] = np.rint(np.asarray(sample) * per_sample).astype(np.int64)
    return np.asarray(anchor_ns, np.int64) + shift


def one_sample_time_ns(anchor_ns: int, sample: int, rate_hz: float) -> int:
    """Return `sample_time_ns` of one sample, for a tenth of what arrays of one cost."""
    return anchor_ns + (round(sample * (1e9 / rate_hz)) if rate_hz > 0 else 0)
