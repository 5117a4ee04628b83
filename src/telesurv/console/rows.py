"""One line of a waveform: paper, calibration pulse, trace, hatching, beats, time axis."""

from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from telesurv.alerts.model import Language
from telesurv.console.paper import (
    BEAT,
    GREY,
    INK,
    ONSET,
    ecg_paper,
    haloed,
    label,
    line,
    mm,
    rect,
    trace,
)
from telesurv.console.plot import Axes
from telesurv.console.text import why

MM_PER_S = 25.0
ABOVE_MM, BELOW_MM = (10.0, 25.0), (10.0, 20.0)
"""Paper above and below the middle, at least and at most."""

_BEATS_MM, _AXIS_MM = 6.5, 5.0  # lanes over and under the paper
_POINTS_A_MM = 20  # finer is not seen; extremes of each bin are kept


class Wave(Protocol):
    """What a line needs of a signal (see `strip.Signal`)."""

    @property
    def missing(self) -> NDArray[np.bool_]: ...  # noqa: D102
    @property
    def unreadable(self) -> NDArray[np.bool_]: ...  # noqa: D102
    @property
    def stretches(self) -> list[tuple[int, int, str]]: ...  # noqa: D102
    @property
    def beats(self) -> NDArray[np.int64]: ...  # noqa: D102
    @property
    def letters(self) -> dict[int, str]: ...  # noqa: D102
    @property
    def rate_hz(self) -> float: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Row:
    """Samples [first, end) on a line of paper; lengths in mm."""

    first: int
    end: int
    left: float
    top: float
    above: float
    below: float
    paper: bool  # ECG paper, to scale; else a plain ground
    start: datetime  # device time of the first sample

    @property
    def paper_top(self) -> float:
        """Upper edge of the paper."""
        return self.top + _BEATS_MM

    @property
    def baseline(self) -> float:
        """Where the median of the signal lies."""
        return self.paper_top + self.above

    @property
    def height(self) -> float:
        """Of the whole line, lanes included."""
        return _BEATS_MM + self.above + self.below + _AXIS_MM

    def axes(self, rate_hz: float) -> Axes:
        """Return the line as axes of time."""
        start_s = self.start.timestamp()
        length_s = max(self.end - self.first, 1) / rate_hz
        paper_mm = self.above + self.below
        return Axes(
            self.left,
            self.paper_top,
            length_s * MM_PER_S,
            paper_mm,
            start_s,
            start_s + length_s,
            0.0,
            1.0,
        )


def row_height_mm(up: NDArray[np.float64]) -> tuple[float, float, bool]:
    """Return the paper above and below the middle for a trace, and whether it is cut off."""
    highest, lowest = (float(up.max()), float(up.min())) if up.size else (0.0, 0.0)
    above = float(np.clip(np.ceil((highest + 2) / 5) * 5, *ABOVE_MM))
    below = float(np.clip(np.ceil((2 - lowest) / 5) * 5, *BELOW_MM))
    return above, below, highest > above or -lowest > below


def wave_row(
    row: Row,
    wave: Wave,
    up: NDArray[np.float64],
    language: Language,
    zone: tzinfo,
    *,
    last_row: int,
) -> str:
    """Return a line of a waveform; `up` are mm above the middle, NaN where missing."""
    width = (row.end - row.first) / wave.rate_hz * MM_PER_S
    full = row.above + row.below
    parts = [
        ecg_paper(row.left, row.paper_top, width, full)
        if row.paper
        else rect(row.left, row.paper_top, width, full, "#f6f8fb")
    ]
    if row.paper:
        parts.append(_calibration(row, labelled=last_row == 0))
    hatching, reasons = _stretches(row, wave, language)
    parts += [*hatching, *_traces(row, wave, up), *reasons]
    parts += _beats(row, wave)
    parts.append(_time_axis(row, width, zone))
    return "".join(parts)


def _calibration(row: Row, labelled: bool) -> str:
    """Return the pulse of 1 mV and 0.2 s in the margin."""
    x, y = 2.0, row.baseline
    pulse = (
        f'<path class="calibration" d="M{mm(x)} {mm(y)}h2v-10h5v10h2" fill="none"'
        f' stroke="{INK}" stroke-width="0.25"/>'
    )
    return pulse + (label(x + 4.5, y + 4, "1 mV", anchor="middle") if labelled else "")


def _x(row: Row, sample: float, rate_hz: float) -> float:
    return row.left + (sample - row.first) / rate_hz * MM_PER_S


def _stretches(row: Row, wave: Wave, language: Language) -> tuple[list[str], list[str]]:
    """Return hatching for unreadable stretches and white for gaps, and their reasons apart."""
    parts: list[str] = []
    said: list[str] = []
    for first, end, reason in wave.stretches:
        first, end = max(first, row.first), min(end, row.end)
        if first >= end:
            continue
        x = _x(row, first, wave.rate_hz)
        width = (end - first) / wave.rate_hz * MM_PER_S
        gap = reason == "missing"
        kind, fill = ("missing", "#ffffff") if gap else ("unreadable", "url(#hatch)")
        extra = f' class="{kind}"' + (' fill-opacity="0.85"' if gap else "")
        parts.append(rect(x, row.paper_top, width, row.above + row.below, fill, extra))
        if width >= 8:
            at, y = x + width / 2, row.paper_top + row.above + row.below - 1.5
            said.append(haloed(at, y, why(reason, language), fill="#3b4252", anchor="middle"))
    return parts, said


def _traces(row: Row, wave: Wave, up: NDArray[np.float64]) -> list[str]:
    """Return the readable trace in ink and the unreadable one pale."""
    index = np.arange(row.first, row.end)
    keep = _thinned(index, up[row.first : row.end], wave.rate_hz)
    index = index[keep]
    inside = np.clip(np.nan_to_num(up[index]), -row.below, row.above)
    x = row.left + (index - row.first) / wave.rate_hz * MM_PER_S
    y = row.baseline - inside
    there, bad = ~wave.missing[index], wave.unreadable[index]
    return [
        trace(x, y, there & bad, ' stroke="#8b93a1" stroke-width="14" class="pale"'),
        trace(x, y, there & ~bad, f' stroke="{INK}" stroke-width="26" class="trace"'),
    ]


def _thinned(
    index: NDArray[np.int64], up: NDArray[np.float64], rate_hz: float
) -> NDArray[np.int64]:
    """Return which samples to draw: all, or of each bin the first, extremes and missing ones."""
    bin_samples = int(rate_hz / (_POINTS_A_MM * MM_PER_S))
    if bin_samples < 4:
        return np.arange(index.size)
    whole = index.size // bin_samples * bin_samples
    bins = np.nan_to_num(up[:whole]).reshape(-1, bin_samples)
    base = np.arange(0, whole, bin_samples)
    picked = [base, base + bins.argmin(axis=1), base + bins.argmax(axis=1)]
    picked += [np.arange(whole, index.size), np.flatnonzero(np.isnan(up))]
    return np.unique(np.concatenate(picked))


def _beats(row: Row, wave: Wave) -> list[str]:
    """Return a mark over each beat, and the RR interval in ms where all between was readable."""
    parts = []
    unsure = wave.unreadable | wave.missing
    y = row.paper_top
    inside = (wave.beats >= row.first) & (wave.beats < row.end)
    for number in np.flatnonzero(inside):
        beat = int(wave.beats[number])
        x = _x(row, beat, wave.rate_hz)
        fill = "none" if unsure[beat] else BEAT
        parts.append(
            f'<path class="beat" d="M{mm(x)} {mm(y - 0.3)}l-1 -1.9h2z" fill="{fill}"'
            f' stroke="{BEAT}" stroke-width="0.2"/>'
        )
        if beat in wave.letters:
            letter = label(x, y - 2.6, wave.letters[beat], size=3, fill=ONSET, anchor="middle")
            parts.append(letter)
        before = int(wave.beats[number - 1]) if number else -1
        if before < row.first or unsure[before : beat + 1].any():
            continue
        previous = _x(row, before, wave.rate_hz)
        if x - previous >= 8:
            rr_ms = round((beat - before) / wave.rate_hz * 1000)
            middle = (x + previous) / 2
            parts.append(label(middle, y - 0.6, str(rr_ms), size=2.4, fill=BEAT, anchor="middle"))
    return parts


def _time_axis(row: Row, width: float, zone: tzinfo) -> str:
    """Return a tick each whole second of device time, its clock time each fifth."""
    y = row.paper_top + row.above + row.below
    first = row.start.replace(microsecond=0)
    if first < row.start:
        first += timedelta(seconds=1)
    parts = []
    for second in range(int(width / MM_PER_S) + 1):
        instant = first + timedelta(seconds=second)
        x = row.left + (instant - row.start).total_seconds() * MM_PER_S
        if x > row.left + width + 0.01:
            break
        fifth = instant.second % 5 == 0
        parts.append(line(x, y, x, y + (1.6 if fifth else 0.9), GREY, ' stroke-width="0.25"'))
        if fifth and x < row.left + width - 4:
            anchor = "start" if x < row.left + 4 else "middle"
            written = f"{instant.astimezone(zone):%H:%M:%S}"
            parts.append(label(x, y + 4.3, written, anchor=anchor))
    return "".join(parts)
