"""Files of other formats for tests, and what was imported of them."""

from itertools import islice
from pathlib import Path

import numpy as np
import wfdb
from numpy.typing import NDArray

from telesurv.importers import Report, import_recordings
from telesurv_streams.frame import MISSING, Frames
from telesurv_streams.recordings import messages
from telesurv_streams.wire import decode

SECOND = 1_000_000_000
RNG = np.random.default_rng(20)


def digital(n: int, signals: int = 1, amplitude: int = 400) -> NDArray[np.int64]:
    steps = RNG.integers(-9, 10, (n, signals)).cumsum(axis=0)
    return np.clip(steps, -amplitude, amplitude)


def write_record(
    folder: Path, name: str, signals: NDArray[np.int64], fmt: str = "16", **changed: object
) -> Path:
    """Write a WFDB record of digital samples; return its path without suffix."""
    folder.mkdir(exist_ok=True)
    count = signals.shape[1]
    fields: dict[str, object] = {
        "fs": 250,
        "units": ["mV"] * count,
        "sig_name": ["II", "V5", "PLETH", "RESP"][:count],
        "d_signal": signals,
        "fmt": [fmt] * count,
        "adc_gain": [200.0] * count,
        "baseline": [0] * count,
        "write_dir": str(folder),
    }
    wfdb.wrsamp(name, **(fields | changed))
    return folder / name


def read_back(recording: str | Path, first: int | None = None) -> Frames:
    """Return the (first) frames of a recording as a replay would send them: all valid."""
    assert str(recording), "nothing was imported"
    sent = [m.outgoing.value or b"" for m in islice(messages([Path(recording)]), first)]
    frames, malformed = decode(sent)
    assert malformed == []
    return frames


def channel_of(frames: Frames, channel: str, device: str = "import") -> NDArray[np.bool_]:
    """Return which rows are a channel's: bool[n]. Their sequence has no gap."""
    wanted = np.array([name[1:] == (device, channel) for name in frames.names], np.bool_)
    rows = wanted[frames.name]
    assert frames.sequence[rows].tolist() == list(range(int(rows.sum())))
    return rows


def codes(frames: Frames, channel: str, device: str = "import") -> NDArray[np.int16]:
    rows = channel_of(frames, channel, device)
    return frames.samples[np.repeat(rows, np.diff(frames.first))]


def physical(frames: Frames, channel: str, device: str = "import") -> NDArray[np.float64]:
    """Return a channel's values, NaN where missing."""
    rows = channel_of(frames, channel, device)
    count = np.diff(frames.first)[rows]
    samples = codes(frames, channel, device).astype(np.float64)
    samples[samples == MISSING] = np.nan
    scale, offset = (c[rows].astype(np.float64) for c in (frames.scale, frames.offset))
    return samples * np.repeat(scale, count) + np.repeat(offset, count)


def single(sources: list[Path], out: Path, **options: object) -> Report:
    (report,) = import_recordings(sources, out, **options)  # type: ignore[arg-type]
    return report


def write_edf(path: Path, seconds: int = 30, **changed: object) -> list[NDArray[np.float64]]:
    import edfio

    ecg = RNG.normal(0, 300, 256 * seconds)
    spo2 = np.repeat(RNG.integers(85, 100, seconds), 1).astype(np.float64)
    signals = [
        edfio.EdfSignal(
            ecg, 256, label="ECG II", physical_dimension="uV", physical_range=(-3000, 3000)
        ),
        edfio.EdfSignal(spo2, 1, label="SpO2", physical_dimension="%", physical_range=(0, 100)),
    ]
    edfio.Edf(signals, **changed).write(path)  # type: ignore[arg-type]
    return [ecg, spo2]


BIDMC = "Time [s], HR, PULSE, RESP, SpO2\n0,94,93.0,25,97.0\n1,95,,25,96.0\n2,,,,\n3,96,94.5,26,\n"
