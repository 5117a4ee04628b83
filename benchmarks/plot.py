"""Draw speed against accuracy of the R-peak detectors: `pictures/speed-f1.svg`."""

from pathlib import Path
from typing import Any

from benchmarks.common import ROOT
from benchmarks.ecg_detectors import CHUNK_S, OURS
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

    mpl.use("svg")
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
        for axis, (folder, title) in zip(axes, PANELS.items(), strict=True):
            _panel(axis, found["detectors"], folder, title)
        figure.supxlabel("million samples a second on one core", fontsize=10)
        axes[0].set_ylabel("F1, %")
        figure.text(
            0.995, 0.005,
            f"filled: a whole record at once; open: live, ours a second, others {CHUNK_S} s a call",
            ha="right", va="bottom", fontsize=8.5, color=INK,
        )  # fmt: skip
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


def _panel(axis: Any, detectors: dict[str, Any], folder: str, title: str) -> None:
    axis.set_title(title, fontsize=10.5, loc="left", color=INK)
    axis.set_xscale("log")
    axis.set_xlim(0.12, 300)
    axis.grid(True, color="#e6e8eb", linewidth=0.8)
    axis.set_axisbelow(True)
    axis.spines[["top", "right"]].set_visible(False)
    axis.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    for name, detector in detectors.items():
        (x, y), (cut_x, cut_y) = points(detector, folder)
        ours = name == OURS
        colour = OUR_COLOUR if ours else LIGHT
        axis.plot([cut_x, x], [cut_y, y], color=colour, linewidth=1.2, alpha=0.6, zorder=2)
        size = 90 if ours else 46
        axis.scatter(
            [cut_x], [cut_y], size, facecolor="white", edgecolor=colour, linewidth=1.5, zorder=3
        )
        axis.scatter([x], [y], size, color=colour, zorder=4)
        axis.annotate(
            name, (x, y), xytext=(7, 5), textcoords="offset points",
            fontsize=10.5 if ours else 8.5, color=OUR_COLOUR if ours else INK,
            fontweight="bold" if ours else "normal", zorder=5,
        )  # fmt: skip
    axis.margins(y=0.12)
