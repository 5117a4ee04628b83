"""Draw speed against accuracy of the R-peak detectors: `pictures/speed-f1.svg`."""

from pathlib import Path
from typing import Any

from benchmarks.common import ROOT
from benchmarks.ecg_detectors import ALONE, CHUNK_S, OURS
from benchmarks.ecg_table import f1

PICTURE = ROOT / "pictures" / "speed-f1.svg"
PANELS = {
    "mitdb": "MIT-BIH Arrhythmia, 24 records",
    "noise": "with electrode motion or muscle noise, 0 to 12 dB, 7 records",
}
OUR_COLOUR, INK, LIGHT = "#0b4fb3", "#333333", "#8a8f98"


def draw(found: dict[str, Any], path: Path = PICTURE) -> None:
    """Draw what `benchmarks.ecg` measured."""
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot

    style = {
        "svg.hashsalt": "telesurv",
        "font.family": "sans-serif",
        "font.size": 10,
        "axes.edgecolor": LIGHT,
        "axes.labelcolor": INK,
        "xtick.color": INK,
        "ytick.color": INK,
        "text.color": INK,
    }
    with pyplot.rc_context(style):
        figure, axes = pyplot.subplots(1, 2, figsize=(11, 4.6), layout="constrained")
        panels = zip(axes, PANELS.items(), strict=True)
        shown = [_panel(axis, found["detectors"], *panel) for axis, panel in panels]
        axes[0].set_ylabel("F1, %")
        live = f"open: live, ours a second, others {CHUNK_S} s a call"
        figure.supxlabel(
            f"million samples a second on one core   (filled: a whole record at once; {live})",
            fontsize=9.5,
        )
        figure.draw_without_rendering()
        figure.set_layout_engine("none")  # the labels are to find the axes where they are
        for axis, of_axis in zip(axes, shown, strict=True):
            _label(axis, of_axis)
        figure.savefig(path, metadata={"Date": None}, facecolor="white")
        pyplot.close(figure)


def points(detector: dict[str, Any], folder: str) -> list[tuple[float, float]]:
    """Return speed and F1, whole and in pieces.

    In pieces: F1 of the whole and what it changes on the records that were cut.
    """
    speed, counts = detector["msamples_per_s"], detector["counts"]
    whole = f1(counts["whole"][folder])
    cut = whole + f1(counts["cut"][folder]) - f1(detector["counts_of_sample"][folder])
    return [(speed["whole"], whole), (speed["cut"], cut)]


Shown = dict[str, list[tuple[float, float]]]
"""Name -> speed and F1, whole and in pieces."""


def _panel(axis: Any, detectors: dict[str, Any], folder: str, title: str) -> Shown:
    axis.set_title(title, fontsize=10.5, loc="left", color=INK)
    axis.set_xscale("log")
    axis.set_xlim(0.12, 300)
    axis.grid(True, color="#e6e8eb", linewidth=0.8)
    axis.set_axisbelow(True)
    axis.spines[["top", "right"]].set_visible(False)
    axis.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    shown = {name: points(found, folder) for name, found in detectors.items() if name != ALONE}
    axis.set_ylim(*_limits([y for pair in shown.values() for _, y in pair]))
    for name, ((x, y), (cut_x, cut_y)) in shown.items():
        ours = name == OURS
        colour, size = (OUR_COLOUR, 90) if ours else (LIGHT, 46)
        axis.plot([cut_x, x], [cut_y, y], color=colour, linewidth=1.2, alpha=0.6, zorder=2)
        axis.scatter(
            [cut_x], [cut_y], size, facecolor="white", edgecolor=colour, linewidth=1.5, zorder=3
        )
        axis.scatter([x], [y], size, color=colour, zorder=4)
    return shown


def _limits(values: list[float]) -> tuple[float, float]:
    """Return the axis' ends: all values, with room for labels."""
    room = max(0.09 * (max(values) - min(values)), 0.1)
    return min(values) - room, max(values) + 1.4 * room


# Offsets in points of a label's corner from its marker, and the corner; the first that is free.
PLACES = (
    (8, 4, "left"), (8, -13, "left"), (-8, 4, "right"), (-8, -13, "right"),
    (8, 14, "left"), (8, -23, "left"), (-8, 14, "right"), (-8, -23, "right"),
    (8, 26, "left"), (8, -35, "left"),
)  # fmt: skip


def _label(axis: Any, shown: Shown) -> None:
    """Write names beside the filled markers where nothing else is."""
    renderer = axis.get_figure().canvas.get_renderer()
    frame = axis.get_window_extent(renderer)
    dots = [axis.transData.transform(point) for pair in shown.values() for point in pair]
    taken: list[Any] = []
    # Ours first: it has the best place.
    for name, (point, _) in sorted(shown.items(), key=lambda item: item[0] != OURS):
        ours = name == OURS
        for right, up, side in PLACES:
            text = axis.annotate(
                name, point, xytext=(right, up), textcoords="offset points", ha=side, zorder=5,
                fontsize=10.5 if ours else 8.5, color=OUR_COLOUR if ours else INK,
                fontweight="bold" if ours else "normal",
            )  # fmt: skip
            box = text.get_window_extent(renderer).padded(1)
            inside = frame.x0 <= box.x0 and box.x1 <= frame.x1 + 40
            if (inside and not any(box.overlaps(other) for other in taken)) and not any(
                box.padded(3).contains(*dot) for dot in dots
            ):
                break
            text.remove()
        else:
            text = axis.annotate(name, point, xytext=PLACES[0][:2], textcoords="offset points")
        taken.append(box)
