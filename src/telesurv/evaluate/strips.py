"""A stretch of a record as a strip: what was found above the paper, what experts marked in it.

Drawn as the console draws alerts: 25 mm/s, 10 mm/mV, ten seconds a line; unreadable stretches
are hatched and say why.
"""

from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from telesurv.console.paper import BEAT, GREY, ONSET, document, haloed, label, line, mm
from telesurv.console.rows import MM_PER_S, Row, row_height_mm, wave_row
from telesurv.console.strip import LEFT_MM, ROW_S, WIDTH_MM, Signal
from telesurv.evaluate.seconds import REASONS
from telesurv.evaluate.view import Instant, Mark, Picture
from telesurv.evidence import unreadable_runs
from telesurv_streams.frame import MISSING

MARKS_MM = 6.0
"""Paper that is added below for the experts' marks."""

MARKED = "#1b7f3b"
REASON_MM = 8.0
CHARACTER_MM = 1.9  # about the widest mean of a text


def draw(picture: Picture) -> str:
    """Return a picture as an SVG document."""
    signal, first = _signal(picture)
    known = signal.value[~signal.missing]
    middle = float(np.median(known)) if known.size else 0.0
    up = (signal.value - middle) * 10
    above, below, clipped = row_height_mm(np.nan_to_num(up[~signal.missing & ~signal.unreadable]))
    begin = datetime.fromtimestamp(0, UTC) + timedelta(seconds=first / signal.rate_hz)
    samples_a_row = round(ROW_S * signal.rate_hz)
    body = [_heading(picture, clipped)]
    top = 6.0
    for number, row_first in enumerate(range(0, signal.value.size, samples_a_row)):
        row = Row(
            first=row_first,
            end=min(row_first + samples_a_row, signal.value.size),
            left=LEFT_MM,
            top=top,
            above=above,
            below=below + MARKS_MM,
            paper=True,
            start=begin + timedelta(seconds=row_first / signal.rate_hz),
        )
        body.append(wave_row(row, signal, up, "en", UTC, last_row=number))
        body += _reasons(row, picture, first, signal.rate_hz)
        body += _marks(row, picture, signal.rate_hz)
        top += row.height + 2.0
    return document(WIDTH_MM, top, picture.title, body)


def _signal(picture: Picture) -> tuple[Signal, int]:
    """Return the stretch as the console draws one, and the sample of the lead it begins at."""
    lead = picture.lead
    total = len(lead.samples)
    first = min(max(round(picture.begin_s * lead.rate_hz), 0), max(total - 2, 0))
    last = min(first + max(round(picture.length_s * lead.rate_hz), 2), total)
    codes, mask = lead.samples[first:last], picture.mask[first:last]
    value: NDArray[np.float64] = codes.astype(np.float64) * lead.scale_mv
    missing = codes == MISSING
    value[missing] = np.nan
    signal = Signal(
        value=value,
        missing=missing,
        unreadable=(mask != 0) & ~missing,
        # Why one is unreadable is written here, above the experts' marks.
        stretches=[
            (begin, end, reason if reason == "missing" else "")
            for begin, end, reason in unreadable_runs(mask)
        ],
        beats=np.empty(0, np.int64),  # both are drawn here, with what is an error
        letters={},
        rate_hz=lead.rate_hz,
        omitted=0,
    )
    return signal, first


def _heading(picture: Picture, clipped: bool) -> str:
    lead = picture.lead
    said = [lead.name, f"{lead.rate_hz:g} Hz", "25 mm/s · 10 mm/mV"]
    judged = bool(picture.reference)
    said += ["▼ found, red: invented", "▲ experts, red: missed"] if judged else ["▼ found"]
    if clipped:
        said.append("cut off at the edges")
    shift = 5 + 2.05 * len(picture.title)
    return haloed(2, 4, picture.title, fill="#111418") + label(shift, 4, " · ".join(said))


def _reasons(row: Row, picture: Picture, first: int, rate_hz: float) -> list[str]:
    """Return why the stretches of a row are unreadable, where there is room for it."""
    mask = picture.mask[first + row.first : first + row.end]
    y = row.paper_top + row.above + row.below - MARKS_MM - 0.5
    parts = []
    for begin, end, reason in unreadable_runs(mask, REASONS):
        width = (end - begin) / rate_hz * MM_PER_S
        if width >= REASON_MM and reason != "missing":
            middle = row.left + begin / rate_hz * MM_PER_S + width / 2
            parts.append(haloed(middle, y, reason, fill="#3b4252", anchor="middle"))
    return parts


def _marks(row: Row, picture: Picture, rate_hz: float) -> list[str]:
    """Return a row's beats, found above and marked below, and the lines of instants."""
    start_s = row.start.timestamp()
    end_s = start_s + (row.end - row.first) / rate_hz
    bottom = row.paper_top + row.above + row.below

    def x(at_s: float) -> float:
        return row.left + (at_s - start_s) * MM_PER_S

    inside = [one for one in picture.instants if start_s <= one.at_s < end_s]
    parts = _lines(row, [(x(one.at_s), one) for one in inside])
    for mark in picture.found:
        if start_s <= mark.at_s < end_s:
            parts.append(_triangle(x(mark.at_s), row.paper_top - 0.3, mark, BEAT, up=False))
    for mark in picture.reference:
        if start_s <= mark.at_s < end_s:
            parts.append(_triangle(x(mark.at_s), bottom - 0.3, mark, MARKED, up=True))
    return parts


def _triangle(x: float, y: float, mark: Mark, colour: str, *, up: bool) -> str:
    """Return a mark whose tip points at the trace; an error is red and larger."""
    fill = ONSET if mark.wrong else colour
    size = 1.35 if mark.wrong else 1.0
    tip = y - 1.9 * size if up else y
    base = y if up else y - 1.9 * size
    shape = f"M{mm(x)} {mm(tip)}L{mm(x - size)} {mm(base)}h{mm(2 * size)}z"
    at_y = y - 1.9 * size - (0.9 if up else 0.5)
    letter = haloed(x, at_y, mark.letter, fill=fill, anchor="middle") if mark.letter else ""
    return f'<path d="{shape}" fill="{fill}"/>{letter}'


def _lines(row: Row, instants: list[tuple[float, Instant]]) -> list[str]:
    """Return instants as vertical lines, their texts one under the other where they would meet."""
    bottom = row.paper_top + row.above + row.below
    parts: list[str] = []
    texts: list[str] = []
    reached: list[float] = []  # how far each line of texts is taken
    for x, instant in sorted(instants, key=lambda one: one[0]):
        colour = ONSET if instant.wrong else GREY
        parts.append(line(x, row.paper_top, x, bottom, colour, ' stroke-width="0.4"'))
        width = CHARACTER_MM * len(instant.text)
        behind = x + width < row.left + ROW_S * MM_PER_S
        left = x + 0.8 if behind else x - 0.8 - width
        free = (number for number, taken in enumerate(reached) if taken < left)
        number = next(free, len(reached))
        reached[number : number + 1] = [left + width]
        y = row.paper_top + 3.2 + 3.4 * number
        at, anchor = (left, "start") if behind else (left + width, "end")
        texts.append(haloed(at, y, instant.text, fill=colour, anchor=anchor))
    return parts + texts
