"""Axes of a plot of values over time: nice steps, labelled grid, limit and onset lines."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

import numpy as np
from numpy.typing import NDArray

from telesurv.console.paper import GREY, ONSET, haloed, label, line, mm, rect

_VALUE_STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500)
_TIME_STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 14400, 21600)
_GRID = "#dfe3ea"
_CHARACTER_MM = 1.75  # width of a digit of the labels


@dataclass(frozen=True, slots=True)
class Axes:
    """A rectangle of the drawing (mm) and what it spans: seconds since 1970, values."""

    x: float
    y: float
    width: float
    height: float
    start_s: float
    end_s: float
    low: float
    high: float

    def across(self, time_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return where instants lie, mm."""
        return self.x + (time_s - self.start_s) * (self.width / (self.end_s - self.start_s))

    def down(self, value: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return where values lie, mm; those outside lie on the edge."""
        inside = np.clip(value, self.low, self.high)
        return self.y + (self.high - inside) * (self.height / (self.high - self.low))

    def at(self, time_s: float) -> float:
        """Return where one instant lies, mm."""
        return float(self.across(np.array([time_s]))[0])

    def level(self, value: float) -> float:
        """Return where one value lies, mm."""
        return float(self.down(np.array([value]))[0])


def span(values: NDArray[np.float64], low: float, high: float) -> tuple[float, float]:
    """Return a scale of round ends that holds `low` to `high` and all finite values."""
    known = values[np.isfinite(values)]
    if known.size:
        low, high = min(low, float(known.min())), max(high, float(known.max()))
    step = value_step(low, high)
    return float(np.floor(low / step) * step), float(np.ceil(high / step) * step)


def value_step(low: float, high: float, lines_max: int = 6) -> float:
    """Return a round step that gives at most `lines_max` intervals."""
    for step in _VALUE_STEPS:
        if (high - low) / step <= lines_max:
            return step
    return float(10 ** np.ceil(np.log10((high - low) / lines_max)))


def value_grid(axes: Axes) -> str:
    """Return horizontal lines with their values."""
    step = value_step(axes.low, axes.high)
    parts = [rect(axes.x, axes.y, axes.width, axes.height, "#fdfdfe")]
    for value in np.arange(axes.low, axes.high + step / 2, step):
        y = axes.level(value)
        parts.append(line(axes.x, y, axes.x + axes.width, y, _GRID, ' stroke-width="0.15"'))
        parts.append(label(axes.x - 1, y + 1, f"{value:g}", anchor="end"))
    return "".join(parts)


def time_grid(axes: Axes, zone: tzinfo, labels_max: int = 8) -> str:
    """Return vertical lines at round instants of the zone's clock, with their time."""
    length_s = axes.end_s - axes.start_s
    step = next((s for s in _TIME_STEPS_S if length_s / s <= labels_max), 86_400)
    start = datetime.fromtimestamp(axes.start_s, UTC).astimezone(zone)
    shift_s = (start.utcoffset() or timedelta()).total_seconds()
    first = np.ceil((axes.start_s + shift_s) / step) * step - shift_s
    parts = []
    for at in np.arange(first, axes.end_s + 1e-6, step):
        x = axes.at(at)
        local = datetime.fromtimestamp(float(at), UTC).astimezone(zone)
        written = f"{local:%H:%M:%S}" if step < 60 else f"{local:%H:%M}"
        parts.append(line(x, axes.y, x, axes.y + axes.height, _GRID, ' stroke-width="0.15"'))
        # The last one may not leave the drawing, whose margin is narrower than half a text.
        x_max = axes.x + axes.width + 2.5 - _CHARACTER_MM * len(written) / 2
        parts.append(label(min(x, x_max), axes.y + axes.height + 3.6, written, anchor="middle"))
    return "".join(parts)


def limit_line(axes: Axes, limit: float | None, text: str) -> str:
    """Return the limit as a dashed line with its value; nothing where it is outside."""
    if limit is None or not axes.low <= limit <= axes.high:
        return ""
    y = axes.level(limit)
    drawn = line(
        axes.x, y, axes.x + axes.width, y, ONSET, ' stroke-width="0.3" stroke-dasharray="2 1.2"'
    )
    above = y - 0.9 if y > axes.y + 4 else y + 3.2
    return drawn + haloed(axes.x + 1, above, f"{text} {limit:g}", fill=ONSET)


def instant_line(axes: Axes, instant: datetime | None, text: str, colour: str = ONSET) -> str:
    """Return a vertical line at an instant with its text; nothing where it is outside."""
    if instant is None or not axes.start_s <= instant.timestamp() <= axes.end_s:
        return ""
    x = axes.at(instant.timestamp())
    anchor = "end" if x > axes.x + axes.width - 18 else "start"
    drawn = line(x, axes.y, x, axes.y + axes.height, colour, ' stroke-width="0.35"')
    at = x + (0.8 if anchor == "start" else -0.8)
    return drawn + haloed(at, axes.y + 3, text, fill=colour, anchor=anchor)


def frame(axes: Axes) -> str:
    """Return the border of the plot."""
    return (
        f'<rect x="{mm(axes.x)}" y="{mm(axes.y)}" width="{mm(axes.width)}"'
        f' height="{mm(axes.height)}" fill="none" stroke="{GREY}" stroke-width="0.2"/>'
    )
