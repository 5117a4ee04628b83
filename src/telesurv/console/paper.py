"""What both drawings share: SVG elements, well-formed text, traces, grids, hatching."""

import html
import re

import numpy as np
from numpy.typing import NDArray

FONT = "DejaVu Sans, Verdana, Arial, sans-serif"
INK, GREY, ONSET, BEAT, NOT_LIVE = "#111418", "#5f6673", "#b3001b", "#0b4fb3", "#6b21a8"
PAPER, FINE, COARSE = "#fffbfa", "#f8d9d9", "#eaa5a8"

_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def clean(text: str, length_max: int = 200) -> str:
    """Return text that may stand in XML: escaped, no control characters, bounded."""
    if len(text) > length_max:
        text = text[: length_max - 1] + "…"
    return html.escape(_FORBIDDEN.sub("\ufffd", text), quote=True)


def mm(value: float) -> str:
    """Return a length with two decimals at most."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


def label(
    x: float, y: float, text: str, *, size: float = 2.8, fill: str = GREY, anchor: str = "start"
) -> str:
    """Return a text element (`text` is escaped here)."""
    return (
        f'<text x="{mm(x)}" y="{mm(y)}" font-size="{mm(size)}" fill="{fill}"'
        f' text-anchor="{anchor}">{clean(text)}</text>'
    )


def haloed(x: float, y: float, text: str, *, fill: str, anchor: str = "start") -> str:
    """Return a text that stays legible on a grid or a hatching."""
    return (
        f'<text x="{mm(x)}" y="{mm(y)}" font-size="2.8" font-weight="bold" fill="{fill}"'
        f' text-anchor="{anchor}" stroke="#fff" stroke-width="0.9" stroke-linejoin="round"'
        f' paint-order="stroke">{clean(text)}</text>'
    )


def line(x1: float, y1: float, x2: float, y2: float, stroke: str, extra: str = "") -> str:
    """Return a line; `extra` are further attributes."""
    return (
        f'<line x1="{mm(x1)}" y1="{mm(y1)}" x2="{mm(x2)}" y2="{mm(y2)}" stroke="{stroke}"{extra}/>'
    )


def rect(x: float, y: float, width: float, height: float, fill: str, extra: str = "") -> str:
    """Return a rectangle; `extra` are further attributes."""
    return (
        f'<rect x="{mm(x)}" y="{mm(y)}" width="{mm(width)}" height="{mm(height)}"'
        f' fill="{fill}"{extra}/>'
    )


def document(width: float, height: float, title: str, body: list[str]) -> str:
    """Return the whole SVG; lengths are millimetres, so that it prints to scale."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{mm(width)}mm" height="{mm(height)}mm"'
        f' viewBox="0 0 {mm(width)} {mm(height)}" role="img" font-family="{FONT}">'
        f"<title>{clean(title, 400)}</title>{_DEFS}"
        + rect(0, 0, width, height, "#ffffff")
        + "".join(body)
        + "</svg>\n"
    )


_DEFS = (
    '<defs><pattern id="fine" width="1" height="1" patternUnits="userSpaceOnUse">'
    f'<path d="M1 0H0V1" fill="none" stroke="{FINE}" stroke-width="0.1"/></pattern>'
    '<pattern id="hatch" width="2" height="2" patternUnits="userSpaceOnUse"'
    ' patternTransform="rotate(45)">'
    '<rect width="2" height="2" fill="#e6e8ec" fill-opacity="0.72"/>'
    '<path d="M0 0V2" stroke="#8b93a1" stroke-width="0.5"/></pattern></defs>'
)


def ecg_paper(x: float, y: float, width: float, height: float) -> str:
    """Return ECG paper: a line each millimetre, a stronger one each five."""
    coarse = "".join(f"M{mm(x + at)} {mm(y)}v{mm(height)}" for at in np.arange(0, width + 0.1, 5))
    coarse += "".join(f"M{mm(x)} {mm(y + at)}h{mm(width)}" for at in np.arange(0, height + 0.1, 5))
    return (
        rect(x, y, width, height, PAPER)
        + f'<svg x="{mm(x)}" y="{mm(y)}" width="{mm(width)}" height="{mm(height)}">'
        + rect(0, 0, width, height, "url(#fine)", ' class="paper"')
        + f'</svg><path d="{coarse}" fill="none" stroke="{COARSE}" stroke-width="0.18"/>'
    )


def runs(mask: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return the stretches [from, to) in which a mask is true."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], mask, [False])).astype(np.int8)))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def trace(
    x: NDArray[np.float64], y: NDArray[np.float64], drawn: NDArray[np.bool_], attributes: str
) -> str:
    """Return a path through the points where `drawn`, interrupted where not; mm."""
    parts = []
    across, down = np.rint(x * 100).astype(np.int64), np.rint(y * 100).astype(np.int64)
    for first, end in runs(drawn):
        steps = np.empty(2 * (end - first - 1), np.int64)
        steps[::2], steps[1::2] = np.diff(across[first:end]), np.diff(down[first:end])
        moves = " ".join(map(str, steps)) or "0 0"  # a lone point: a dot, by its round cap
        parts.append(f"M{across[first]} {down[first]}l{moves}")
    if not parts:
        return ""
    return (
        f'<path transform="scale(.01)" d="{"".join(parts)}" fill="none"'
        f' stroke-linecap="round" stroke-linejoin="round"{attributes}/>'
    )


def watermark(x: float, y: float, text: str, size: float = 11.0) -> str:
    """Return the large pale word over a drawing that is not of the present."""
    return (
        f'<text x="{mm(x)}" y="{mm(y)}" font-size="{mm(size)}" font-weight="bold"'
        f' fill="{NOT_LIVE}" fill-opacity="0.16" text-anchor="middle"'
        f' letter-spacing="2">{clean(text)}</text>'
    )
