"""A strip of an alert as SVG: ECG on its paper, other signals with a scale of their own.

ECG is drawn at 25 mm/s and 10 mm/mV with a calibration pulse, ten seconds a line, to scale when
printed. Its slow offset (the median) is taken off, as a recorder's filter would. Unreadable
stretches are hatched, say why, and their trace is pale: they never look like signal. What is
missing is a gap. Sizes, rates and texts of a strip are not trusted.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

import numpy as np
from numpy.typing import NDArray

from telesurv.alerts.model import Language, Strip
from telesurv.console import plot
from telesurv.console.paper import ONSET, document, haloed, label, rect, runs, trace, watermark
from telesurv.console.rows import MM_PER_S, Row, row_height_mm, wave_row
from telesurv.console.text import number, unit_name, why, word
from telesurv_streams.frame import MISSING

ROW_S = 10.0
ROWS_MAX = 12
"""Lines drawn at most (two minutes); the rest is said, not drawn."""

LEFT_MM, RIGHT_MM = 13.0, 3.0
WIDTH_MM = LEFT_MM + ROW_S * MM_PER_S + RIGHT_MM
STRETCHES_MAX = 500
"""Unreadable stretches drawn at most."""

VALUE_MAX = 1e9
"""A value or a limit beyond it cannot be meant, and counts as missing."""

RATE_HZ_MIN, RATE_HZ_MAX = 1e-4, 20_000.0
ABNORMAL = frozenset("SVFQ")
"""Classes of beats whose letter is drawn; of normal and unclassified ones none is."""

_WAVE_HZ_MIN = 10.0  # below it a signal is a row of readings, plotted as such
_MILLIVOLTS = {"mV": 1.0, "uV": 1e-3, "V": 1e3}
_PERCENT_SCALE = (85.0, 100.0)


@dataclass(frozen=True, slots=True)
class Marks:
    """What is drawn into a strip beside its signal."""

    onset: datetime | None = None
    detected: datetime | None = None
    limit: float | None = None  # in the strip's unit; drawn for readings
    mode: str = "live"  # another one is written across the strip


@dataclass(frozen=True, slots=True)
class Signal:
    """A strip's samples made safe: physical values, and which of them may be read."""

    value: NDArray[np.float64]  # NaN: missing
    missing: NDArray[np.bool_]
    unreadable: NDArray[np.bool_]
    stretches: list[tuple[int, int, str]]  # of unreadable and missing samples, and why
    beats: NDArray[np.int64]
    letters: dict[int, str]  # of the beats that are not normal, by their samples
    rate_hz: float
    omitted: int  # samples that are not drawn


def draw(strip: Strip, marks: Marks, *, language: Language, zone: tzinfo) -> str:
    """Return a strip as an SVG document; never raises for what the strip contains.

    Parameters
    ----------
    strip : of an alert, as it came
    marks : instants, limit and mode to be drawn with it
    language : of its words
    zone : of the times written under it
    """
    title = f"{word('strip_of', language)} {strip.channel} ({strip.device})"
    if not RATE_HZ_MIN <= strip.rate <= RATE_HZ_MAX:
        return _refusal(title, f"{strip.rate:g} Hz", language)
    if len(strip.samples) < 2:
        return _refusal(title, word("no_value", language), language)
    with np.errstate(all="ignore"):
        signal = _signal(strip)
    if strip.rate < _WAVE_HZ_MIN:
        return _readings(strip, signal, marks, title, language, zone)
    return _waveform(strip, signal, marks, title, language, zone)


def _signal(strip: Strip) -> Signal:
    codes = np.frombuffer(strip.samples[: len(strip.samples) // 2 * 2], "<i2")
    held = codes.size
    seconds_max = ROWS_MAX * ROW_S if strip.rate >= _WAVE_HZ_MIN else 86_400.0
    codes = codes[: max(1, int(seconds_max * strip.rate))]
    value = codes.astype(np.float64) * strip.scale + strip.offset
    missing = (codes == MISSING) | ~np.isfinite(value) | (np.abs(value) > VALUE_MAX)
    value[missing] = np.nan
    unreadable = np.zeros(codes.size, np.bool_)
    stretches = []
    for first, end, reason in strip.unreadable[:STRETCHES_MAX]:
        first, end = max(first, 0), min(end, codes.size)
        if first < end:
            unreadable[first:end] = True
            stretches.append((first, end, reason))
    stretches += [(a, b, "missing") for a, b in runs(missing & ~unreadable)[:STRETCHES_MAX]]
    beats = np.array([b for b in strip.beats if 0 <= b < codes.size], np.int64)
    known = zip(strip.beats, strip.beat_classes, strict=False)
    letters = {beat: letter for beat, letter in known if letter in ABNORMAL}
    return Signal(
        value,
        missing,
        unreadable,
        stretches,
        np.unique(beats),
        letters,
        strip.rate,
        held - codes.size,
    )


def _waveform(
    strip: Strip,
    signal: Signal,
    marks: Marks,
    title: str,
    language: Language,
    zone: tzinfo,
) -> str:
    """Draw lines of ten seconds: ECG to scale, other waves fitted to the height."""
    per_mv = _MILLIVOLTS.get(strip.unit) if strip.channel.startswith("ecg") else None
    readable = signal.value[~signal.missing & ~signal.unreadable]
    known = readable if readable.size else signal.value[~signal.missing]
    middle = float(np.median(known)) if known.size else 0.0
    if per_mv is not None:
        up, paper = (signal.value - middle) * per_mv * 10, True
        scale = "25 mm/s · 10 mm/mV"
    else:
        reach = float(np.max(np.abs(known - middle))) if known.size else 0.0
        up, paper = (signal.value - middle) * (14 / (reach or 1.0)), False
        scale = f"25 mm/s · {word('not_to_scale', language)}"
    extent = np.nan_to_num(up[~signal.missing & ~signal.unreadable])
    above, below, clipped = row_height_mm(extent)
    samples_a_row = max(1, round(ROW_S * signal.rate_hz))
    body = [_heading(strip, signal, scale, clipped, language)]
    top = 6.0
    for number_, first in enumerate(range(0, signal.value.size, samples_a_row)):
        row = Row(
            first=first,
            end=min(first + samples_a_row, signal.value.size),
            left=LEFT_MM,
            top=top,
            above=above,
            below=below,
            paper=paper,
            start=strip.start + timedelta(seconds=first / signal.rate_hz),
        )
        body.append(wave_row(row, signal, up, language, zone, last_row=number_))
        body += _row_marks(row, signal, strip, marks, language)
        top += row.height + 3.0
    return document(WIDTH_MM, top, title, body)


def _row_marks(
    row: Row, signal: Signal, strip: Strip, marks: Marks, language: Language
) -> list[str]:
    """Return the lines of onset and detection in a row, and its watermark."""
    axes = row.axes(signal.rate_hz)
    parts = []
    if marks.mode != "live":
        mark = word(f"mark_{marks.mode}", language)
        parts.append(watermark(row.left + 125, row.baseline + 4, mark))
    # Only the row that holds the instant draws it; its first sample belongs to it.
    for instant, name, colour in (
        (marks.detected, "mark_detected", "#475064"),
        (marks.onset, "mark_onset", ONSET),
    ):
        if instant is None:
            continue
        sample = (instant - strip.start).total_seconds() * signal.rate_hz
        last = row.end == signal.value.size
        if row.first - 0.5 <= sample < row.end - 0.5 + (1.0 if last else 0.0):
            inside = max(instant, row.start)
            parts.append(plot.instant_line(axes, inside, word(name, language), colour))
    return parts


def _readings(
    strip: Strip,
    signal: Signal,
    marks: Marks,
    title: str,
    language: Language,
    zone: tzinfo,
) -> str:
    """Draw readings (SpO2, rates) as steps over time, with their unit and limit."""
    low, high = _PERCENT_SCALE if strip.unit == "%" else (np.inf, -np.inf)
    limit = marks.limit
    if limit is not None and abs(limit) <= VALUE_MAX:
        low, high = min(low, limit - 2), max(high, limit + 2)
    known = signal.value[~signal.missing]
    if not known.size and low > high:
        return _refusal(title, word("missing", language), language)
    low, high = min(low, known.min(initial=low)), max(high, known.max(initial=high))
    low, high = plot.span(np.empty(0), low, high if high > low else low + 1)
    height, start_s = 42.0, strip.start.timestamp()
    end_s = start_s + signal.value.size / signal.rate_hz
    axes = plot.Axes(LEFT_MM, 7, ROW_S * MM_PER_S, height, start_s, end_s, low, high)
    time_s = start_s + np.arange(signal.value.size + 1) / signal.rate_hz
    x = axes.across(time_s)
    body = [
        _heading(strip, signal, unit_name(strip.unit, language), False, language),
        plot.value_grid(axes),
        plot.time_grid(axes, zone, labels_max=12),
    ]
    y = axes.down(np.nan_to_num(signal.value, nan=low))
    steps_x = np.repeat(x, 2)[1:-1]  # a reading holds until the next
    for mask, colour, width in (
        (~signal.missing & ~signal.unreadable, "#0f766e", 50),
        (~signal.missing & signal.unreadable, "#9aa2ae", 25),
    ):
        attributes = f' stroke="{colour}" stroke-width="{width}" class="trace"'
        body.append(trace(steps_x, np.repeat(y, 2), np.repeat(mask, 2), attributes))
    for first, end, reason in signal.stretches:
        from_mm, width_mm = float(x[first]), float(x[end] - x[first])
        gap = reason == "missing"
        kind, fill = ("missing", "#ffffff") if gap else ("unreadable", "url(#hatch)")
        body.append(rect(from_mm, 7, width_mm, height, fill, f' class="{kind}"'))
        if width_mm > 12:
            text = why(reason, language)
            body.append(haloed(from_mm + width_mm / 2, 12, text, fill="#333", anchor="middle"))
    body.append(plot.limit_line(axes, marks.limit, word("limit", language)))
    body.append(plot.instant_line(axes, marks.detected, word("mark_detected", language), "#475064"))
    body.append(plot.instant_line(axes, marks.onset, word("mark_onset", language)))
    body.append(plot.frame(axes))
    if marks.mode != "live":
        body.append(watermark(LEFT_MM + 125, 32, word(f"mark_{marks.mode}", language)))
    return document(WIDTH_MM, height + 13, title, body)


def _heading(strip: Strip, signal: Signal, scale: str, clipped: bool, language: Language) -> str:
    """Return the line above the strip: channel, device, rate, scale, and what is not drawn."""
    said = [f"{strip.device[:64]}", f"{number(strip.rate, language)} Hz", scale]
    if signal.beats.size > 1:
        said.append(f"▼ {word('beats', language)}, RR (ms)")
    if clipped:
        said.append(word("clipped", language))
    if signal.omitted:
        seconds = round(signal.omitted / signal.rate_hz)
        said.append(f"{seconds} {word('rest_not_drawn', language)}")
    channel = strip.channel[:40]
    shift = 4 + 2.05 * len(channel)
    return haloed(2, 4, channel, fill="#111418") + label(shift, 4, " · ".join(said))


def _refusal(title: str, seen: str, language: Language) -> str:
    text = f"{word('not_drawable', language)} {seen}"
    return document(WIDTH_MM, 14, f"{title}: {text}", [label(4, 8, text, size=3.4, fill="#b3001b")])
