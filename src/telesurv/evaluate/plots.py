"""Plots of a report as SVG: points with their intervals, bars of shares and of a histogram."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from telesurv.console.paper import (
    BEAT,
    GREY,
    INK,
    ONSET,
    clean,
    document,
    haloed,
    label,
    line,
    mm,
    rect,
)
from telesurv.console.plot import Axes, frame, span, value_grid, value_step
from telesurv.evaluate.figures import Histogram

WIDTH_MM, HEIGHT_MM = 128.0, 92.0
LEFT_MM, RIGHT_MM, TOP_MM, BOTTOM_MM = 15.0, 5.0, 9.0, 13.0
BAR_ROOM, BAR_RIGHT_MM = 1.15, 9.0  # for a figure behind the longest bar
PITCH_MM = 8.0  # from a bar to the next, at most
CHARACTER_MM = 1.6  # mean width of a name's
NAMED_MAX = 8
"""Points that bear their name: those furthest from the upper right corner."""

_GRID = "#dfe3ea"


@dataclass(frozen=True, slots=True)
class Point:
    """A point and its intervals, as shares; None: it has none."""

    name: str
    x: float | None
    y: float | None
    x_interval: tuple[float, float] | None
    y_interval: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class Bar:
    """A share and its interval, None where it has none; `marked` stands out."""

    name: str
    share: float
    interval: tuple[float, float] | None
    marked: bool


def scatter(title: str, points: Sequence[Point], whole: Point, axis_names: tuple[str, str]) -> str:
    """Return points in percent, the sum of all of them as a diamond.

    Parameters
    ----------
    title : above the plot
    points : those without both shares are left out
    whole : the sum
    axis_names : of the horizontal and of the vertical axis
    """
    known = [one for one in points if one.x is not None and one.y is not None]
    spanned = [*known, whole]
    lows_x = [one.x_interval[0] if one.x_interval else one.x for one in spanned]
    lows_y = [one.y_interval[0] if one.y_interval else one.y for one in spanned]
    axes = _axes(*_ending_at_100(lows_x), *_ending_at_100(lows_y))
    body = [label(LEFT_MM, 5, title, size=3.4, fill="#111418"), value_grid(axes), _x_grid(axes)]
    body += [_cross(axes, one) for one in known]
    body += _names(axes, known, whole)
    for one in known:
        x, y = _place(axes, one)
        dot = f'<circle cx="{mm(x)}" cy="{mm(y)}" r="1.1" fill="{BEAT}" fill-opacity="0.8"/>'
        body.append(f"<g><title>{clean(one.name)}</title>{dot}</g>")
    if whole.x is not None and whole.y is not None:
        x, y = _place(axes, whole)
        body.append(_name(axes, x, y - 3, whole.name, ONSET))
        body.append(f'<path d="M{mm(x)} {mm(y - 2)}l2 2l-2 2l-2 -2z" fill="{ONSET}"/>')
    body += [frame(axes), *_axis_names(axes, axis_names)]
    return document(WIDTH_MM, HEIGHT_MM, title, body)


def histogram(title: str, counted: Histogram, of: str) -> str:
    """Return the counts as bars.

    Parameters
    ----------
    title : above the plot
    counted : what is drawn
    of : what was counted
    """
    counts = np.array(counted.counts, np.float64)
    unit, wide = ("s", counted.bin_ms / 1000) if counted.bin_ms >= 500 else ("ms", counted.bin_ms)
    first = int(np.flatnonzero(counts)[0]) if counts.any() else 0
    start, end = max(0, first - 1) * wide, (max(len(counts), first + 4) + 1) * wide
    total = counts.sum()
    shares = 100 * counts / total if total else counts
    low, high = span(np.empty(0), 0.0, max(float(shares.max(initial=0)), 1.0))
    axes = _axes(start, end, low, high)
    body = [label(LEFT_MM, 5, title, size=3.4, fill="#111418"), value_grid(axes), _x_grid(axes)]
    for number, share in enumerate(shares.tolist()):
        if not share:
            continue
        x, end_x = axes.at(number * wide), axes.at((number + 1) * wide)
        y = min(axes.level(share), axes.y + axes.height - 0.3)  # a lone one is seen, too
        said = f"{number * wide:g} to {(number + 1) * wide:g} {unit}: {counted.counts[number]} {of}"
        height = axes.y + axes.height - y
        bar = rect(x + 0.15, y, max(end_x - x - 0.3, 0.3), height, BEAT, ' fill-opacity="0.8"')
        body.append(f"<g><title>{clean(said)}</title>{bar}</g>")
    body += [frame(axes), *_axis_names(axes, (unit, f"% of {int(total)} {of}"))]
    return document(WIDTH_MM, HEIGHT_MM, title, body)


def bars(title: str, shares: Sequence[Bar], axis_name: str) -> str:
    """Return shares in percent as bars from 0, one under the other.

    Parameters
    ----------
    title : above the plot
    shares : from the top down
    axis_name : of the horizontal axis
    """
    highest = max([one.interval[1] if one.interval else one.share for one in shares], default=0.0)
    end = min(span(np.empty(0), 0.0, max(BAR_ROOM * 100 * highest, 1.0))[1], 100.0)
    pitch = min((HEIGHT_MM - TOP_MM - BOTTOM_MM) / max(len(shares), 1), PITCH_MM)
    left = LEFT_MM + CHARACTER_MM * max([len(one.name) for one in shares], default=0)
    height = pitch * len(shares)
    axes = Axes(left, TOP_MM, WIDTH_MM - left - BAR_RIGHT_MM, height, 0.0, end, 0.0, 1.0)
    body = [label(LEFT_MM, 5, title, size=3.4, fill="#111418"), _x_grid(axes)]
    for number, one in enumerate(shares):
        middle, thick = TOP_MM + (number + 0.5) * pitch, 0.6 * pitch
        colour, x = ONSET if one.marked else BEAT, axes.at(100 * one.share)
        size = min(2.8, pitch)
        body.append(label(left - 1.5, middle + 1, one.name, size=size, anchor="end"))
        extra = ' fill-opacity="0.75"'
        wide = max(x - left, 0.2)
        body.append(rect(left, middle - thick / 2, wide, thick, colour, extra))
        if one.interval:
            low, high = (axes.at(100 * bound) for bound in one.interval)
            body.append(line(low, middle, high, middle, INK, ' stroke-width="0.3"'))
            x = max(x, high)
        body.append(label(x + 1.2, middle + 1, f"{100 * one.share:.1f}", size=size, fill=INK))
    middle, below = left + axes.width / 2, TOP_MM + height + 9
    body += [frame(axes), label(middle, below, axis_name, size=3.0, anchor="middle")]
    return document(WIDTH_MM, TOP_MM + height + BOTTOM_MM, title, body)


def _axes(start: float, end: float, low: float, high: float) -> Axes:
    width, height = WIDTH_MM - LEFT_MM - RIGHT_MM, HEIGHT_MM - TOP_MM - BOTTOM_MM
    return Axes(LEFT_MM, TOP_MM, width, height, start, end, low, high)


def _ending_at_100(shares: Sequence[float | None]) -> tuple[float, float]:
    """Return a scale in percent of round ends that holds some shares and 100."""
    low = 100 * min((one for one in shares if one is not None), default=0.0)
    return max(span(np.empty(0), min(low, 99.5), 100.0)[0], 0.0), 100.0


def _cross(axes: Axes, one: Point) -> str:
    """Return a point's intervals."""
    x, y = _place(axes, one)
    parts, extra = [], ' stroke-width="0.25" stroke-opacity="0.45"'
    if one.x_interval:
        low, high = (axes.at(100 * bound) for bound in one.x_interval)
        parts.append(line(low, y, high, y, BEAT, extra))
    if one.y_interval:
        low, high = (axes.level(100 * bound) for bound in one.y_interval)
        parts.append(line(x, low, x, high, BEAT, extra))
    return "".join(parts)


def _place(axes: Axes, one: Point) -> tuple[float, float]:
    assert one.x is not None
    assert one.y is not None
    return axes.at(100 * one.x), axes.level(100 * one.y)


def _x_grid(axes: Axes) -> str:
    """Return vertical lines with their values."""
    step = value_step(axes.start_s, axes.end_s, lines_max=8)
    first = np.ceil(axes.start_s / step - 1e-9) * step
    parts = []
    for value in np.arange(first, axes.end_s + step * 1e-6, step):
        x = axes.at(float(value))
        parts.append(line(x, axes.y, x, axes.y + axes.height, _GRID, ' stroke-width="0.15"'))
        written = f"{value + 0.0:.6g}"  # never -0
        parts.append(label(x, axes.y + axes.height + 3.8, written, anchor="middle"))
    return "".join(parts)


def _axis_names(axes: Axes, names: tuple[str, str]) -> list[str]:
    middle = axes.x + axes.width / 2
    below = label(middle, axes.y + axes.height + 9, names[0], size=3.0, anchor="middle")
    x, y = 4.0, axes.y + axes.height / 2
    left = label(0, 0, names[1], size=3.0, anchor="middle")
    return [below, f'<g transform="translate({mm(x)} {mm(y)}) rotate(-90)">{left}</g>']


def _names(axes: Axes, points: Sequence[Point], whole: Point) -> list[str]:
    """Return the names of the points furthest from the corner, where they have room."""

    def badness(one: Point) -> float:
        x, y = _place(axes, one)
        return float(np.hypot(axes.x + axes.width - x, y - axes.y))

    parts: list[str] = []
    taken: list[tuple[float, float]] = []
    if whole.x is not None and whole.y is not None:
        x, y = _place(axes, whole)
        taken = [(x, y), (x, y - 3)]  # the diamond and its name
    for one in sorted(points, key=badness, reverse=True)[:NAMED_MAX]:
        x, y = _place(axes, one)
        if all(abs(x - at[0]) > 14 or abs(y - at[1]) > 3.2 for at in taken):
            taken.append((x, y))
            parts.append(_name(axes, x, y, one.name, GREY))
    return parts


def _name(axes: Axes, x: float, y: float, text: str, fill: str) -> str:
    """Return a name beside its point, on the side where there is room."""
    right = x < axes.x + axes.width - 2.2 * len(text)
    at = x + 1.8 if right else x - 1.8
    return haloed(at, y + 1, text, fill=fill, anchor="start" if right else "end")
