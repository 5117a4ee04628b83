"""A patient's heart rate or SpO2 over the last 24 hours, or what there is of them, as SVG."""

from datetime import UTC, datetime, tzinfo

import numpy as np

from telesurv.alerts.model import Language
from telesurv.console import plot
from telesurv.console.paper import GREY, document, haloed, label, mm, runs, trace, watermark
from telesurv.console.series import MINUTES, Series
from telesurv.console.text import date, number, unit_name, word

WIDTH_MM, NARROW_MM, HEIGHT_MM = 145.0, 88.0, 42.0
_SCALES = {"heart_rate": (40.0, 140.0), "spo2": (80.0, 100.0)}
_COLOURS = {"heart_rate": "#0b4fb3", "spo2": "#0f766e"}
_SHORTEST_MIN = 30  # a trend of three minutes is not stretched over the whole width


def draw(
    series: Series | None,
    numeric: str,
    *,
    language: Language,
    zone: tzinfo,
    mode: str = "live",
    onset: datetime | None = None,
    limit: float | None = None,
    width_mm: float = WIDTH_MM,
) -> str:
    """Return a trend as an SVG document.

    Parameters
    ----------
    series : what is known, None: nothing
    numeric : `heart_rate` or `spo2`
    zone : of the times written on it
    mode : a trend that is not `live` says so across its whole width
    onset : instant to be marked, where it lies inside
    limit : line to be drawn, in the numeric's unit
    width_mm : of the drawing
    """
    unit = unit_name(series.unit, language) if series else ""
    name = word(numeric, language)
    if series is None or not series.minute.size:
        empty = label(width_mm / 2, HEIGHT_MM / 2, word("no_value", language), anchor="middle")
        return document(width_mm, HEIGHT_MM, name, [_heading(name, unit, "", width_mm), empty])
    first, newest = int(series.minute[0]), int(series.minute[-1])
    start = max(min(first, newest - _SHORTEST_MIN), newest - MINUTES + 1)
    mean, low_of = series.mean.astype(np.float64), series.low.astype(np.float64)
    low, high = plot.span(np.concatenate((mean, low_of)), *_SCALES[numeric])
    axes = plot.Axes(10, 7, width_mm - 13, HEIGHT_MM - 13, start * 60.0, newest * 60.0, low, high)
    last = number(float(mean[-1]), language, 3)
    last += unit if unit.startswith("/") else f" {unit}".rstrip()
    when = date(datetime.fromtimestamp(newest * 60, UTC), language, zone).rpartition(":")[0]
    # Where a name and a whole date would meet, the time of day has to do.
    short = when.rpartition(" ")[2] if width_mm < WIDTH_MM else when
    body = [
        _heading(name, unit, f"{last} ({short})", width_mm),
        plot.value_grid(axes),
        plot.time_grid(axes, zone, labels_max=int(width_mm / 17)),
        plot.limit_line(axes, limit, word("limit", language)),
        plot.instant_line(axes, onset, word("mark_onset", language)),
        _lines(series, axes, _COLOURS[numeric]),
        plot.frame(axes),
    ]
    if mode != "live":
        mark = word(f"mark_{mode}", language)
        size = min(7.0, (axes.width / len(mark) - 2.0) / 0.8)  # 2 mm between letters
        body.append(watermark(axes.x + axes.width / 2, axes.y + axes.height / 2 + 3, mark, size))
    title = f"{name}: {last} ({when}); {word('mean_and_low', language)}"
    return document(width_mm, HEIGHT_MM, title, body)


def _heading(name: str, unit: str, last: str, width_mm: float) -> str:
    parts = haloed(1, 4, f"{name} ({unit})" if unit and unit not in name else name, fill="#111418")
    return parts + label(width_mm - 3, 4, last, anchor="end", size=3.0, fill=GREY)


def _lines(series: Series, axes: plot.Axes, colour: str) -> str:
    """Return the mean as a line, the range down to the lowest value as a band; gaps stay gaps."""
    minute = np.arange(series.minute[0], series.minute[-1] + 1)
    known = np.zeros(minute.size, np.bool_)
    known[series.minute - series.minute[0]] = True
    x = axes.across(minute * 60.0)
    mean, low = np.full((2, minute.size), np.nan)
    mean[known], low[known] = series.mean, series.low
    down_mean, down_low = (axes.down(np.nan_to_num(v, nan=axes.low)) for v in (mean, low))
    band = ""
    for a, b in runs(known):
        there = [f"{x[i]:.2f} {down_mean[i]:.2f}" for i in range(a, b)]
        back = [f"{x[i]:.2f} {down_low[i]:.2f}" for i in reversed(range(a, b))]
        band += f'<path class="band" d="M{"L".join(there + back)}Z" fill="{colour}"/>'
    drawn = trace(x, down_mean, known, f' stroke="{colour}" stroke-width="45" class="mean"')
    at = f'cx="{mm(x[-1])}" cy="{mm(down_mean[-1])}"'
    newest = f'<circle class="newest" {at} r="0.8" fill="{colour}"/>'
    return f'<g fill-opacity="0.18">{band}</g>{drawn}{newest}'
