"""What quality and beats make of the 2015 challenge's asystole alarms; see `recordings`."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from telesurv_kernels import beats, quality
from telesurv_kernels._dtypes import BEAT, MARK, SEGMENT

pytestmark = pytest.mark.recordings

ALARM_S, BEFORE_S = 300, 16
"""Alarms were raised at 5:00, at most 16 s after what they are about begins."""

DEAD_LEAD = {("a796s", 1)}
"""A second lead that is constant throughout: masked, and rightly so."""

LATE = {"a754s"}
"""Its last beat lies 4.0 s before the record ends: the 4 s are not over in what was recorded."""


def asystoles(folder: Path, true: str) -> list[str]:
    with (folder / "ALARMS.csv").open() as table:
        rows = list(csv.DictReader(table))
    return [r["record"] for r in rows if r["type"] == "Asystole" and r["true"] == true]


def analysed(path: Path, lead: int) -> tuple[float, NDArray[np.uint8], NDArray[Any]]:
    """Return rate, mask and findings of the beats kernel of one lead."""
    wfdb = pytest.importorskip("wfdb")
    record = wfdb.rdrecord(str(path), physical=False, channels=[lead])
    rate_hz, scale = float(record.fs), 1 / record.adc_gain[0]
    codes = record.d_signal[:, 0].astype(np.int16)
    mask = np.zeros(len(codes), np.uint8)
    segments = np.array([(0, 0, len(codes), 1)], SEGMENT)
    out = np.zeros(quality.capacity(len(codes), 1), quality.FINDING)
    params = np.array([quality.params(rate_hz, scale, ecg=True)])
    quality.advance(np.zeros(1, quality.STATE), params, segments, codes, mask, out)
    found = np.zeros(beats.capacity(len(codes), 1), beats.FINDING)
    params = np.array([beats.params(rate_hz, scale)])
    size = beats.advance(np.zeros(1, beats.STATE), params, segments, codes, mask, found)
    return rate_hz, mask, found[:size]


def longest_silence_s(findings: NDArray[Any], rate_hz: float) -> float:
    """Return the longest time without a beat, as far as decided, that ends before the alarm."""
    end = (ALARM_S + 1) * rate_hz
    first = (ALARM_S - BEFORE_S) * rate_hz
    marks = findings["sample"][findings["kind"] == MARK]
    peaks = findings["sample"][findings["kind"] == BEAT]
    edges = np.concatenate([[0], peaks[peaks < end], [marks[marks <= end].max()]])
    lasted = np.diff(edges)[edges[1:] >= first]
    return float(lasted.max()) / rate_hz


def test_the_mask_lets_true_asystoles_pass(recordings: Path) -> None:
    folder = recordings / "challenge-2015"
    for name in asystoles(folder, "1"):
        for lead in (0, 1):
            rate_hz, mask, _ = analysed(folder / name, lead)
            span = slice(int((ALARM_S - BEFORE_S) * rate_hz), int(ALARM_S * rate_hz))
            assert (name, lead) in DEAD_LEAD or not mask[span].any(), (name, lead)


def test_true_asystoles_show_in_the_beats(recordings: Path) -> None:
    folder = recordings / "challenge-2015"
    silent = {}
    for name in asystoles(folder, "1"):
        rate_hz, _, found = analysed(folder / name, 0)
        silent[name] = longest_silence_s(found, rate_hz)
    assert {name for name, lasted in silent.items() if lasted < 4} <= LATE, silent


def test_few_false_asystoles_show_in_the_beats(recordings: Path) -> None:
    folder = recordings / "challenge-2015"
    false = asystoles(folder, "0")
    shown = []
    for name in false:
        rate_hz, mask, found = analysed(folder / name, 0)
        span = slice(int((ALARM_S - BEFORE_S) * rate_hz), int(ALARM_S * rate_hz))
        if longest_silence_s(found, rate_hz) >= 4 and not mask[span].any():
            shown.append(name)
    assert len(shown) <= 0.25 * len(false), shown
