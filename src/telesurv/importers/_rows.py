"""Signals of a file as rows of a recording: codes, scale, frames of ten seconds, readings."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from telesurv_streams.channels import ECG, UNKNOWN, Channel, assign, sanitise
from telesurv_streams.checks import ECG_RATE_HZ_MIN, RATE_HZ_MAX
from telesurv_streams.frame import DISK_SCHEMA, MISSING, sample_time_ns
from telesurv_streams.parts import ARRIVAL_UNKNOWN_NS
from telesurv_streams.units import conversion, ucum

DEVICE = "import"
"""The device of imported signals; the second one of a channel is `import-2`, and so on."""

FRAME_S = 10.0
CODE_MAX = 32_767


@dataclass(slots=True)
class Signal:
    """One signal of a file, and the channel that it becomes.

    `value = code * scale + offset` in the channel's unit. Rate 0: single readings.
    """

    name: str
    unit: str
    channel: Channel
    device: str
    recognised: bool
    rate_hz: float
    scale: float = 1.0
    offset: float = 0.0
    samples_per_frame: int = 1
    note: str = ""
    samples: int = 0  # written so far
    frames: int = field(default=0)

    def calibrate(self, scale: float, offset: float) -> None:
        """Set scale and offset from those of the file's unit."""
        converted = conversion(ucum(self.unit), self.channel.unit)
        if converted is None:
            self.note = f"unit {self.unit!r} is not {self.channel.unit}: values kept as they are"
        factor, shift = converted or (1.0, 0.0)
        self.scale, self.offset = scale * factor, offset * factor + shift


def signals_of(
    names: Sequence[str], units: Sequence[str], rates_hz: Sequence[float]
) -> tuple[list[Signal | None], list[str]]:
    """Return each signal with its channel, None for one that no frame can hold, and notes.

    What the registry does not know, and an ECG sampled too slowly to be analysed, is kept
    under a sanitised name.
    """
    signals: list[Signal | None] = []
    notes: list[str] = []
    given = assign(list(zip(names, units, strict=True)))
    for name, unit, rate, (channel, ordinal, known) in zip(
        names, units, rates_hz, given, strict=True
    ):
        if not 0 <= rate <= RATE_HZ_MAX:
            notes.append(f"{name!r} left out: {rate:g} Hz, a frame holds at most {RATE_HZ_MAX:g}")
            signals.append(None)
            continue
        if channel.name.startswith(ECG) and rate < ECG_RATE_HZ_MIN:
            channel, known = Channel(sanitise(name), channel.kind, channel.unit), False
            notes.append(
                f"{name!r} kept as {channel.name}, not analysed: an ECG at {rate:g} Hz, "
                f"expected {ECG_RATE_HZ_MIN:g} Hz or more"
            )
        elif not known:
            notes.append(f"{name!r} not recognised, kept as {channel.name}")
        assert known or channel.name.startswith(UNKNOWN)
        device = DEVICE if ordinal == 1 else f"{DEVICE}-{ordinal}"
        signals.append(Signal(name, unit, channel, device, known, rate))
    return signals, notes


def frames(
    patient: str, signal: Signal, codes: NDArray[np.int16], anchor_ns: int, first: int
) -> pa.RecordBatch:
    """Return samples as rows of `samples_per_frame` each, the last one shorter.

    Parameters
    ----------
    codes : int16[n], n > 0, -32768 where missing
    anchor_ns : device time of sample 0
    first : which sample codes[0] is
    """
    begin = np.arange(0, len(codes), signal.samples_per_frame, dtype=np.int64)
    rate = np.full(len(begin), signal.rate_hz)
    anchor = np.full(len(begin), anchor_ns, np.int64)
    start = sample_time_ns(anchor, first + begin, rate)
    return _batch(patient, signal, start, np.append(begin, len(codes)), codes)


def readings(
    patient: str, signal: Signal, time_ns: NDArray[np.int64], codes: NDArray[np.int16]
) -> pa.RecordBatch:
    """Return single readings as rows, one each; those that are missing are left out.

    Parameters
    ----------
    time_ns : int64[n], device time
    codes : int16[n], -32768 where missing
    """
    taken = codes != MISSING
    first = np.arange(int(taken.sum()) + 1, dtype=np.int64)
    return _batch(patient, signal, time_ns[taken], first, codes[taken])


def to_codes(
    values: NDArray[np.float64], scale: float, offset: float
) -> tuple[NDArray[np.int16], int]:
    """Return codes of physical values (NaN: missing), and how many no code can stand for."""
    scaled = np.rint((values - offset) / scale)
    outside = ~(np.abs(scaled) <= CODE_MAX)
    scaled[outside] = MISSING
    return scaled.astype(np.int16), int((outside & ~np.isnan(values)).sum())


def together(batches: Sequence[pa.RecordBatch]) -> pa.RecordBatch:
    """Return rows of several signals as one batch."""
    return pa.concat_batches(list(batches)) if len(batches) != 1 else batches[0]


def _batch(
    patient: str,
    signal: Signal,
    start_ns: NDArray[np.int64],
    first: NDArray[np.int64],
    codes: NDArray[np.int16],
) -> pa.RecordBatch:
    n = len(start_ns)
    sequence = np.arange(signal.frames, signal.frames + n, dtype=np.int64)
    signal.frames += n
    signal.samples += len(codes)
    names = (patient, signal.device, signal.channel.name)
    time = DISK_SCHEMA.field("start").type
    columns = [
        *(pa.repeat(pa.scalar(name), n) for name in names),
        pa.array(start_ns).cast(time),
        pa.array(np.full(n, signal.rate_hz, np.float64)),
        pa.array(np.full(n, signal.scale, np.float32)),
        pa.array(np.full(n, signal.offset, np.float32)),
        pa.ListArray.from_arrays(
            first.astype(np.int32), codes, type=DISK_SCHEMA.field("samples").type
        ),
        pa.array(sequence),
        pa.array(np.full(n, ARRIVAL_UNKNOWN_NS, np.int64)).cast(time),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=DISK_SCHEMA)
