"""One ECG lead of a WFDB record, and what the streaming kernels find in it.

The lead is given to `quality` and the cascade a second at a time, as the engine gets it. What
the kernels decide within the last seconds of a record needs samples after it: missing ones
follow, as when the electrodes are taken off.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from telesurv import cascade
from telesurv.alerts.model import Limits
from telesurv.plans import in_force
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


class HeardTogether(NamedTuple):
    """What was found in several leads of one heart; times count from the first sample."""

    leads: list[Lead]
    told: NDArray[Any]  # LEAD_EVENT: what was told of each of them, in ns
    events: NDArray[Any]  # leads.FINDING: BEAT, MARK, GAP and FIBRILLATION, in ns
    finding: NDArray[Any]  # FINDING of the event kernels, in ns
    masks: list[NDArray[np.uint8]]  # of every sample of each lead

    @property
    def beats(self) -> NDArray[Any]:
        """The BEATs; `lead` is the index in `leads` of the one that was told."""
        found: NDArray[Any] = self.events[self.events["kind"] == codes.BEAT]
        return found


def hear(lead: Lead) -> Heard:
    """Run the kernels over a lead as the engine does.

    Beats and findings that were decided in the missing seconds after the record's end are there,
    too; those that lie after it are not.
    """
    heard, masks = _listen([lead])
    found = np.concatenate([part.beats for part in heard])
    end = len(lead.samples)
    found = found[(found["kind"] == codes.BEAT) & (found["sample"] < end)]
    return Heard(found, _findings(heard, lead), masks[0])


def hear_together(leads: Sequence[Lead]) -> HeardTogether:
    """Run the kernels over leads of one record, the better ones first, as the engine does."""
    heard, masks = _listen(leads)
    events = np.concatenate([part.heart for part in heard])
    end_ns = len(leads[0].samples) * 1e9 / leads[0].rate_hz
    events = events[events["time_ns"] < end_ns]
    told = np.concatenate([part.told for part in heard])
    return HeardTogether(list(leads), told, events, _findings(heard, leads[0]), masks)


def _findings(heard: list[cascade.Heard], lead: Lead) -> NDArray[Any]:
    found = np.concatenate([part.finding for part in heard])
    return found[found["onset_ns"] < len(lead.samples) * 1e9 / lead.rate_hz]


def _listen(leads: Sequence[Lead]) -> tuple[list[cascade.Heard], list[NDArray[np.uint8]]]:
    """Give the leads to the kernels a second at a time."""
    pool, hearts = cascade.lead_pool(), cascade.heart_pool()
    heart = hearts.take()
    cascade.set_limits(hearts, heart, in_force(Limits()))
    rate_hz = np.array([lead.rate_hz for lead in leads])
    steps = np.maximum(np.rint(rate_hz), 1).astype(np.int64)
    wave = np.zeros(len(leads), quality.STATE)
    wave_params = np.zeros(len(leads), quality.PARAMS)
    given = []
    for number, lead in enumerate(leads):
        cascade.set_rate(pool, pool.take(), lead.rate_hz, lead.scale_mv)
        wave_params[number] = quality.params(lead.rate_hz, lead.scale_mv, ecg=True)
        after = np.full(round(AFTER_S * lead.rate_hz), MISSING, np.int16)
        given.append(np.concatenate([lead.samples, after]))
    begins = np.cumsum([0, *(len(one) for one in given)])
    samples, mask = np.concatenate(given), np.zeros(begins[-1], np.uint8)
    ignored = np.zeros(quality.capacity(int(steps.sum()), len(leads)), quality.FINDING)
    segments = np.zeros(len(leads), codes.SEGMENT)
    segments["row"] = np.arange(len(leads))

    def device_time_ns(row: NDArray[np.int64], sample: NDArray[np.int64]) -> NDArray[np.int64]:
        time_ns: NDArray[np.int64] = np.rint(sample * (1e9 / rate_hz[row])).astype(np.int64)
        return time_ns

    heard = []
    for second in range(int(np.ceil(np.diff(begins) / steps).max())):
        segments["first"] = np.minimum(begins[:-1] + second * steps, begins[1:])
        segments["last"] = np.minimum(segments["first"] + steps, begins[1:])
        segments["restart"] = second == 0
        quality.advance(wave, wave_params, segments, samples, mask, ignored)
        lines = cascade.Lines(
            heart=np.full(len(leads), heart),
            lead=np.arange(len(leads)),
            rank=np.arange(len(leads)),
            end_ns=device_time_ns(segments["row"], segments["last"] - begins[:-1]),
            lag_ns=cascade.lag_ns(np.full(len(leads), 10**9)),
            rate_hz=rate_hz,
        )
        heard.append(cascade.listen(pool, hearts, segments, lines, samples, mask, device_time_ns))
    ends = zip(begins.tolist(), leads, strict=False)
    return heard, [mask[begin : begin + len(lead.samples)] for begin, lead in ends]


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


def read_leads(record: Path) -> list[Lead]:
    """Read the ECG leads of a WFDB record; raises `Unsuited` where there are none."""
    import wfdb

    name = str(record.with_suffix("") if record.suffix == ".hea" else record)
    header = wfdb.rdheader(name, rd_segments=True)
    signals = zip(header.sig_name or (), header.units or (), strict=True)
    found = [channels.resolve(*signal) for signal in signals]
    numbers = [n for n, one in enumerate(found) if one and one.name.startswith(channels.ECG)]
    if not numbers:
        raise Unsuited(f"{name}: has no ECG")
    return [read_lead(record, number) for number in numbers]


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
