"""Beats of WFDB records as standard annotation files, found by the streaming kernels.

The lead is given to `quality` and `beats` a second at a time, as the engine gets it, so that any
standard tool can score what the service finds. What the kernels decide within the last second
of a record needs samples after it: missing ones follow, as when the electrodes are taken off.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from telesurv_kernels import _dtypes as codes
from telesurv_kernels import beats, quality
from telesurv_streams import channels, units
from telesurv_streams.frame import MISSING

ANNOTATOR = "tsv"
"""Extension of the files."""

AFTER_S = 3
"""Missing seconds that follow a record."""

CODE_MAX = 32_767
FINEST_MV = 0.001  # a code, where a header has no gain


class Unsuited(ValueError):
    """A record or a lead in which no beats can be found; says what was seen and expected."""


@dataclass(frozen=True, slots=True)
class Lead:
    """One lead of a record, as the engine would get it."""

    record: str
    number: int  # in the record, from 0
    name: str
    samples: NDArray[np.int16]
    rate_hz: float
    scale_mv: float
    every: int  # samples of the lead to one of the record's time base
    record_hz: float


@dataclass(frozen=True, slots=True)
class Annotated:
    """What was found in a record, and where it was written."""

    record: str
    lead: str
    beats: int
    unsure: int
    signal_s: float
    file: Path


def annotate(record: Path, lead: int | None, out: Path) -> Annotated:
    """Find the beats of a record and write them as annotations `N` at the R-peaks.

    Parameters
    ----------
    record : with or without `.hea`
    lead : number of the signal, from 0; None: the first ECG
    out : folder of the annotation file; made when missing

    Raises
    ------
    Unsuited
        Where there is no such lead, it is no voltage, or its rate is not 100 to 1000 Hz.
    """
    read = read_lead(record, lead)
    peaks, unsure = find_beats(read.samples, read.rate_hz, read.scale_mv)
    out.mkdir(parents=True, exist_ok=True)
    at = np.maximum.accumulate(np.rint(peaks / read.every).astype(np.int64))
    file = _write(read, at, out)
    duration_s = len(read.samples) / read.rate_hz
    return Annotated(read.record, read.name, len(at), int(unsure.sum()), duration_s, file)


def annotate_all(
    records: Sequence[Path],
    lead: int | None,
    out: Path,
    progress: Callable[[float, float, str], None] | None = None,
) -> Iterator[Annotated]:
    """Annotate one record after the other; raises as `annotate`."""
    for number, record in enumerate(records):
        if progress:
            progress(number, len(records), record.name)
        yield annotate(record, lead, out)


def find_beats(
    samples: NDArray[np.int16], rate_hz: float, scale_mv: float
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return the samples of the R-peaks, ascending, and which lie in an unreadable stretch.

    Parameters
    ----------
    samples : int16[n], -32768 where missing
    rate_hz : 100 to 1000
    scale_mv : mV a code
    """
    found = beat_findings(samples, rate_hz, scale_mv)
    unsure = (found["flags"] & codes.UNSURE) != 0
    return found["sample"].astype(np.int64), unsure


def beat_findings(samples: NDArray[np.int16], rate_hz: float, scale_mv: float) -> NDArray[Any]:
    """Return the findings BEAT of `beats`, with the sample at which each was decided.

    Parameters are those of `find_beats`.
    """
    after = np.full(round(AFTER_S * rate_hz), MISSING, np.int16)
    given = np.concatenate([samples, after])
    mask = np.zeros(len(given), np.uint8)
    quality_state, quality_params = np.zeros(1, quality.STATE), np.zeros(1, quality.PARAMS)
    beats_state, beats_params = np.zeros(1, beats.STATE), np.zeros(1, beats.PARAMS)
    quality_params[0] = quality.params(rate_hz, scale_mv, ecg=True)
    beats_params[0] = beats.params(rate_hz, scale_mv)
    segment = np.zeros(1, codes.SEGMENT)
    step = max(round(rate_hz), 1)
    ignored = np.zeros(quality.capacity(step, 1), quality.FINDING)
    found = np.zeros(beats.capacity(step, 1), beats.FINDING)
    parts: list[NDArray[Any]] = []
    for first in range(0, len(given), step):
        segment["first"], segment["last"] = first, min(first + step, len(given))
        segment["restart"] = first == 0
        quality.advance(quality_state, quality_params, segment, given, mask, ignored)
        count = beats.advance(beats_state, beats_params, segment, given, mask, found)
        parts.append(found[:count][found["kind"][:count] == codes.BEAT])
    all_found = np.concatenate(parts)
    return all_found[all_found["sample"] < len(samples)]


def read_lead(record: Path, lead: int | None) -> Lead:
    """Read one lead of a WFDB record; raises `Unsuited`, `FileNotFoundError`."""
    import wfdb

    name = str(record.with_suffix("") if record.suffix == ".hea" else record)
    header = wfdb.rdheader(name, rd_segments=True)
    names, unit_names = header.sig_name, header.units
    if not names or unit_names is None:
        raise Unsuited(f"{name}: has no signals")
    number = _choose(name, list(zip(names, unit_names, strict=True)), lead)
    factor = units.conversion(units.ucum(unit_names[number]), "mV")
    if factor is None:
        raise Unsuited(
            f"{name}: signal {number}, {names[number]}, is in {unit_names[number]}; expected an "
            "ECG in mV or another voltage"
        )
    read = wfdb.rdrecord(name, channels=[number], smooth_frames=False)
    physical = np.asarray(read.e_p_signal[0], np.float64)
    every = int(read.samps_per_frame[0])
    rate_hz = float(read.fs) * every
    if not beats.RATE_HZ_MIN <= rate_hz <= beats.RATE_HZ_MAX:
        raise Unsuited(f"{name}: {names[number]} has {rate_hz:g} Hz, expected 100 to 1000")
    gain = float(read.adc_gain[0]) if read.adc_gain and read.adc_gain[0] else 0.0
    samples, scale_mv = _codes(physical * factor[0], factor[0] / gain if gain else FINEST_MV)
    return Lead(
        Path(name).name, number, names[number], samples, rate_hz, scale_mv, every, float(read.fs)
    )


def _choose(name: str, signals: list[tuple[str, str]], lead: int | None) -> int:
    if lead is None:
        found = (channels.resolve(*signal) for signal in signals)
        ecgs = (i for i, c in enumerate(found) if c and c.name.startswith(channels.ECG))
        return next(ecgs, 0)
    if not 0 <= lead < len(signals):
        raise Unsuited(f"{name}: has signals 0 to {len(signals) - 1}, not {lead}")
    return lead


def _codes(signal_mv: NDArray[np.float64], scale_mv: float) -> tuple[NDArray[np.int16], float]:
    """Return a signal as int16 codes, about its middle, and what a code is worth."""
    known = np.isfinite(signal_mv)
    if not known.any():
        return np.full(len(signal_mv), MISSING, np.int16), scale_mv
    low, high = signal_mv[known].min(), signal_mv[known].max()
    middle = np.rint((low + high) / 2 / scale_mv)
    coarser = max(1.0, np.ceil((high - low) / scale_mv / (2 * CODE_MAX - 2)))
    scaled = np.rint((np.where(known, signal_mv, 0.0) / scale_mv - middle) / coarser)
    made = np.where(known, scaled, MISSING).astype(np.int16)
    return made, scale_mv * coarser


def _write(lead: Lead, at: NDArray[np.int64], out: Path) -> Path:
    import wfdb

    file = out / f"{lead.record}.{ANNOTATOR}"
    if len(at) == 0:  # wfdb refuses to write none: the end of the file is two zero bytes
        file.write_bytes(b"\0\0")
        return file
    wfdb.wrann(
        lead.record,
        ANNOTATOR,
        at,
        symbol=["N"] * len(at),
        chan=np.full(len(at), lead.number),
        fs=lead.record_hz,
        write_dir=str(out),
    )
    return file
