"""R-peak detectors under one signature: ours and those that people use, as they come.

Each takes a lead and returns samples. Peers get millivolts with NaN for what is missing, as their
documentation has it; gqrs gets codes, which is what it takes. One that raises has found nothing.
"""

import importlib.util
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from benchmarks.ecg_records import Signal

Detect = Callable[[Signal], np.ndarray]

OURS = "telesurv"
ALONE = "telesurv (mask given)"
"""Its R-peaks alone: the mask was made before, outside the clock. Peers make none."""
NEUROKIT = ("neurokit", "pantompkins1985", "kalidas2017")
SLOW = ("wfdb xqrs", "wfdb gqrs")
"""Written in Python sample by sample."""

CHUNK_S = 10
OURS_S = 240
"""Ours is given whole records 4 minutes at a time: as it remembers, the findings are the same."""


def fast() -> list[str]:
    """Return who is measured on every record in every way."""
    found = [OURS, ALONE, "SleepECG", *(f"NeuroKit2 {method}" for method in NEUROKIT)]
    if importlib.util.find_spec("biosppy") and importlib.util.find_spec("peakutils"):
        found.append("BioSPPy hamilton")
    return found


def detector(name: str) -> Detect:
    """Return a detector; its library is imported here."""
    library, _, method = name.partition(" ")
    makers = {
        "telesurv": _telesurv,
        "SleepECG": _sleepecg,
        "NeuroKit2": _neurokit2,
        "wfdb": _wfdb,
        "BioSPPy": _biosppy,
    }
    return makers[library](method)


def _telesurv(method: str) -> Detect:
    def found(lead: Signal) -> np.ndarray:
        given = lead.mask if method else None
        return beats_of(stream(lead, round(OURS_S * lead.rate_hz), given))

    return found


def beats_of(findings: np.ndarray) -> np.ndarray:
    """Return the samples of the beats among what `beats` found."""
    from telesurv_kernels._dtypes import BEAT

    return findings["sample"][findings["kind"] == BEAT]


def stream(lead: Signal, step: int, mask: np.ndarray | None = None) -> np.ndarray:
    """Return what `beats` finds in a lead that comes in pieces of `step` samples.

    Without a mask, `quality` makes one of each piece.
    """
    from telesurv_kernels import _dtypes, beats, quality

    size = len(lead.codes)
    states = np.zeros(1, quality.STATE), np.zeros(1, beats.STATE)
    first = np.array([quality.params(lead.rate_hz, lead.scale_mv, ecg=True)])
    second = np.array([beats.params(lead.rate_hz, lead.scale_mv)])
    segment = np.zeros(1, _dtypes.SEGMENT)
    own = np.empty(step, np.uint8)
    ignored = np.empty(quality.capacity(step, 1), quality.FINDING)
    findings = np.empty(beats.capacity(size, size // step + 1), beats.FINDING)
    found = 0
    for begin in range(0, size, step):
        codes = lead.codes[begin : begin + step]
        segment["last"] = len(codes)
        segment["restart"] = begin == 0
        bits = own if mask is None else mask[begin : begin + step]
        if mask is None:
            quality.advance(states[0], first, segment, codes, own, ignored)
        found += beats.advance(states[1], second, segment, codes, bits, findings[found:])
    return findings[:found]


def with_mask(lead: Signal) -> Signal:
    """Return a lead with what `quality` says of its samples."""
    from telesurv_kernels import _dtypes, quality

    size = len(lead.codes)
    mask, segment = np.empty(size, np.uint8), np.zeros(1, _dtypes.SEGMENT)
    segment["last"], segment["restart"] = size, 1
    params = np.array([quality.params(lead.rate_hz, lead.scale_mv, ecg=True)])
    ignored = np.empty(quality.capacity(size, 1), quality.FINDING)
    quality.advance(np.zeros(1, quality.STATE), params, segment, lead.codes, mask, ignored)
    return lead._replace(mask=mask)


def _sleepecg(_: str) -> Detect:
    import sleepecg

    return lambda lead: sleepecg.detect_heartbeats(lead.mv, lead.rate_hz)


def _neurokit2(method: str) -> Detect:
    import neurokit2

    def found(lead: Signal) -> np.ndarray:
        rate_hz = int(lead.rate_hz)
        clean = neurokit2.ecg_clean(lead.mv, sampling_rate=rate_hz, method=method)
        _, info = neurokit2.ecg_peaks(clean, sampling_rate=rate_hz, method=method)
        return np.asarray(info["ECG_R_Peaks"])

    return found


def _wfdb(method: str) -> Detect:
    from wfdb import processing

    if method == "gqrs":
        # It takes codes, and what stands for a missing one.
        return lambda lead: processing.gqrs_detect(
            d_sig=np.where(np.isnan(lead.mv), -32768, np.rint(lead.mv / lead.scale_mv)).astype(int),
            fs=lead.rate_hz,
            adc_gain=1 / lead.scale_mv,
            adc_zero=0,
        )
    return lambda lead: processing.xqrs_detect(lead.mv, lead.rate_hz, verbose=False)


def _biosppy(_: str) -> Detect:
    from biosppy.signals import ecg, tools

    def found(lead: Signal) -> np.ndarray:
        # What its `ecg` does before it draws templates.
        rate_hz = lead.rate_hz
        clean = tools.filter_signal(
            lead.mv, "FIR", "bandpass", int(0.3 * rate_hz), [3, 45], rate_hz
        )["signal"]
        peaks = ecg.hamilton_segmenter(signal=clean, sampling_rate=rate_hz)["rpeaks"]
        return ecg.correct_rpeaks(clean, rpeaks=peaks, sampling_rate=rate_hz, tol=0.05)["rpeaks"]

    return found


def asked(detect: Detect, lead: Signal) -> Any:
    """Return what a detector finds, as it gives it; nothing where it fails."""
    try:
        return detect(lead)
    except Exception:  # a stretch without beats, or with NaN, is too much for some
        return np.zeros(0, np.int64)


def chunks(lead: Signal) -> Iterator[tuple[int, Signal]]:
    """Yield the lead in pieces, each with its first sample."""
    size = round(CHUNK_S * lead.rate_hz)
    for first in range(0, len(lead.codes), size):
        yield first, lead.cut(first, first + size)


def in_chunks(detect: Detect, lead: Signal) -> list[tuple[int, Any]]:
    """Return what a batch detector gives that is called on one piece after the other.

    Each with the piece's first sample.
    """
    return [(first, asked(detect, piece)) for first, piece in chunks(lead)]


def samples_of(pieces: Iterable[tuple[int, Any]]) -> np.ndarray:
    """Return the samples that were found in pieces, in order and each once."""
    found = [first + np.asarray(piece, np.float64) for first, piece in pieces]
    together = np.concatenate(found)
    return np.unique(together[np.isfinite(together)].astype(np.int64))


def tried(detect: Detect, lead: Signal) -> np.ndarray:
    """Return what a detector finds, nothing where it fails."""
    return samples_of([(0, asked(detect, lead))])
