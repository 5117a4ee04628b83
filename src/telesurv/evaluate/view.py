"""What a report looks like, whoever draws it: a terminal, a Markdown page, an HTML page.

A kind of report is described by one `Look`: a row of functions from the report to its title,
key figures, tables, notes, plots and stretches. `looks.py` lists them.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from telesurv.console.strip import ABNORMAL
from telesurv.evidence import CLASSES
from telesurv.lead import Lead
from telesurv_kernels import _dtypes as codes

Bounds = tuple[float, float]

UNKNOWN = "–"  # noqa: RUF001


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of text under heads, and below them the rows that sum them up."""

    title: str
    heads: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    totals: Sequence[tuple[str, ...]] = ()
    help: str = ""  # what the columns mean


@dataclass(frozen=True, slots=True)
class Card:
    """A figure that one looks for first."""

    name: str
    value: str
    below: str = ""


@dataclass(frozen=True, slots=True)
class Mark:
    """A beat in a strip: where, its letter (or none), and whether it is an error."""

    at_s: float
    letter: str = ""
    wrong: bool = False


@dataclass(frozen=True, slots=True)
class Instant:
    """A vertical line in a strip."""

    at_s: float
    text: str
    wrong: bool = False


@dataclass(frozen=True, slots=True)
class Picture:
    """A stretch of a record as it is to be drawn; times count from the record's begin."""

    title: str
    lead: Lead
    mask: NDArray[np.uint8]
    begin_s: float
    length_s: float
    found: tuple[Mark, ...]
    reference: tuple[Mark, ...] = ()
    instants: tuple[Instant, ...] = ()


Folders = dict[str, Path]
"""Where the folders lie whose names a report holds (a report names no path)."""


@dataclass(frozen=True, slots=True)
class Look:
    """How a kind of report is shown."""

    title: Callable[[Any], str]
    cards: Callable[[Any], list[Card]]
    tables: Callable[[Any, bool], list[Table]]  # in full for HTML, else as a terminal has room
    notes: Callable[[Any], list[str]]
    plots: Callable[[Any], list[str]]  # SVG
    pictures_title: str
    pictures: Callable[[Any, Folders], Iterator[Picture]]


def found_marks(
    beats: NDArray[Any], rate_hz: float, wrong: frozenset[int] = frozenset()
) -> tuple[Mark, ...]:
    """Return the beats that were found as marks, with the letter of a class that is not normal.

    Parameters
    ----------
    beats : beats.FINDING
    rate_hz : of their samples
    wrong : indices of those that are errors
    """
    letters = [one if one in ABNORMAL else "" for one in CLASSES]
    of_class = (beats["flags"] >> codes.CLASS_SHIFT & codes.CLASS_MASK).tolist()
    return tuple(
        Mark(sample / rate_hz, letters[code], number in wrong)
        for number, (sample, code) in enumerate(
            zip(beats["sample"].tolist(), of_class, strict=True)
        )
    )


def percent(share: float | None, digits: int = 2) -> str:
    """Return a share in percent."""
    return UNKNOWN if share is None else f"{100 * share:.{digits}f}"


def between(share: float | None, bounds: Bounds | None, digits: int = 2) -> str:
    """Return a share in percent with its interval, which is written as finely as it."""
    if share is None or bounds is None:
        return UNKNOWN
    low, high = (f"{100 * bound:.{max(digits - 1, 0)}f}" for bound in bounds)
    return f"{100 * share:.{digits}f} ({low} to {high})"


def whole(number: float | None) -> str:
    """Return a number without decimals."""
    return UNKNOWN if number is None else f"{number:.0f}"


def named(folder: str, record: str, folders: Sequence[str]) -> str:
    """Return a record's name, with its folder where there are several."""
    return f"{folder}/{record}" if len(folders) > 1 else record
