"""One ECG lead of a WFDB record, and what the streaming kernels find in it.

The lead is given to `quality` and the cascade a second at a time, as the engine gets it. What
the kernels decide within the last seconds of a record needs samples after it: missing ones
follow, as when the electrodes are taken off.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from telesurv import cascade
from telesurv.plans import HEART_RATE_HIGH, HEART_RATE_LOW
from telesurv_kernels import _dtypes as codes
from telesurv_kernels import beats, quality
from telesurv_streams import channels, units
from telesurv_streams.frame import MISSING

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


class Heard(NamedTuple):
    """What was found in a lead; times count from its first sample."""

    beats: NDArray[Any]  # beats.FINDING of kind BEAT
    finding: NDArray[Any]  # FINDING of the event kernels, in ns
    mask: NDArray[np.uint8]  # of every sample


def hear(lead: Lead) -> Heard:
    """Run the kernels over a lead as the engine does.

    Beats and findings that were decided in the missing seconds after the record's end are there,
    too; those that lie after it are not.
    """
    after = np.full(round(AFTER_S * lead.rate_hz), MISSING, np.int16)
    given = np.concatenate([lead.samples, after])
    mask = np.zeros(len(given), np.uint8)
    wave, pool = np.zeros(1, quality.STATE), cascade.lead_pool()
    wave_params = np.array([quality.params(lead.rate_hz, lead.scale_mv, ecg=True)])
    row = pool.take()
    cascade.set_rate(pool, row, lead.rate_hz, lead.scale_mv)
    cascade.set_limits(pool, row, HEART_RATE_LOW, HEART_RATE_HIGH)
    segment = np.zeros(1, codes.SEGMENT)
    step = max(round(lead.rate_hz), 1)
    ignored = np.zeros(quality.capacity(step, 1), quality.FINDING)
    rates = np.full(row + 1, lead.rate_hz)
    found, findings = [], []

    def device_time_ns(_: NDArray[np.int64], sample: NDArray[np.int64]) -> NDArray[np.int64]:
        time_ns: NDArray[np.int64] = np.rint(sample * (1e9 / lead.rate_hz)).astype(np.int64)
        return time_ns

    for first in range(0, len(given), step):
        segment["first"], segment["last"] = first, min(first + step, len(given))
        segment["restart"] = first == 0
        quality.advance(wave, wave_params, segment, given, mask, ignored)
        heard = cascade.listen(pool, segment, given, mask, rates, device_time_ns)
        found.append(heard.beats[heard.beats["kind"] == codes.BEAT])
        findings.append(heard.finding)
    all_beats, all_findings = np.concatenate(found), np.concatenate(findings)
    end = len(lead.samples)
    before_end = all_findings["onset_ns"] < end * 1e9 / lead.rate_hz
    return Heard(all_beats[all_beats["sample"] < end], all_findings[before_end], mask[:end])


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
