"""The recordings that every R-peak detector gets: one lead each, with the experts' beats.

Whole databases where TELESURV_RECORDINGS names their folder, else the minutes in `tests/data`.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.common import ROOT, SEED
from telesurv.lead import read_lead

BEAT_SYMBOLS = frozenset("NLRBAaJSVrFejnE/fQ?")
FOLDERS = ("mitdb", "noise")
EXCERPTS = ROOT / "tests" / "data" / "mitdb"
LEARNING_S, LEARNING_EXCERPT_S = 300.0, 5.0

HOLE = 128
"""Samples that are missing each minute, in one piece."""


class Signal(NamedTuple):
    """One lead."""

    folder: str
    name: str
    codes: np.ndarray  # int16; what ours takes
    mv: np.ndarray  # float64, NaN where a sample is missing; what peers take
    rate_hz: float
    scale_mv: float
    beats: np.ndarray  # samples
    excluded: list[tuple[int, int]]  # fibrillation: first and last sample
    learning_s: float
    mask: np.ndarray | None = None  # what `quality` says of the codes, once it was asked

    def cut(self, first: int, last: int) -> "Signal":
        """Return a piece, with the beats of the whole."""
        mask = None if self.mask is None else self.mask[first:last]
        return self._replace(codes=self.codes[first:last], mv=self.mv[first:last], mask=mask)

    def with_holes(self) -> "Signal":
        """Return the lead with a hole a minute; beats in the holes do not count for anybody."""
        rng = np.random.default_rng(SEED)
        minute = round(60 * self.rate_hz)
        firsts = np.arange(0, len(self.codes) - minute + 1, minute)
        firsts += rng.integers(0, minute - HOLE, len(firsts))
        codes, mv = self.codes.copy(), self.mv.copy()
        for first in firsts:
            codes[first : first + HOLE] = -32768
            mv[first : first + HOLE] = np.nan
        holes = [(int(first), int(first) + HOLE - 1) for first in firsts]
        return self._replace(codes=codes, mv=mv, excluded=sorted(self.excluded + holes))


def whole() -> Path | None:
    """Return the folder of whole databases, if there is one."""
    named = os.environ.get("TELESURV_RECORDINGS")
    folder = Path(named) if named else None
    return folder if folder and (folder / FOLDERS[0]).is_dir() else None


def names(every: int = 1) -> list[tuple[str, str]]:
    """Return folder and name of each record, or of each so-many-th of a folder."""
    folder = whole()
    if folder is None:
        return [("excerpts", path.stem) for path in sorted(EXCERPTS.glob("*.npz"))][::every]
    found = [[(f, path.stem) for path in sorted((folder / f).glob("*.hea"))] for f in FOLDERS]
    return [one for of_folder in found for one in of_folder[::every]]


def read(folder: str, name: str) -> Signal:
    """Read the first lead of a record."""
    root = whole()
    if root is None:
        with np.load(EXCERPTS / f"{name}.npz") as data:
            symbols = data["symbols"].astype(str)
            kept = data["beats"][np.isin(symbols, list(BEAT_SYMBOLS))]
            rate_hz, scale_mv = float(data["rate_hz"]), float(data["scale_mv"])
            codes = data["samples"]
            mv = codes * scale_mv
            return Signal(folder, name, codes, mv, rate_hz, scale_mv, kept, [], LEARNING_EXCERPT_S)
    import wfdb

    path = root / folder / name
    lead = read_lead(path, 0)
    marks = wfdb.rdann(str(path), "atr")
    kept = np.array([symbol in BEAT_SYMBOLS for symbol in marks.symbol])
    opened = [int(s) for s, symbol in zip(marks.sample, marks.symbol, strict=True) if symbol == "["]
    closed = [int(s) for s, symbol in zip(marks.sample, marks.symbol, strict=True) if symbol == "]"]
    return Signal(
        folder,
        name,
        lead.samples,
        np.asarray(wfdb.rdrecord(str(path), channels=[0]).p_signal[:, 0], np.float64),
        lead.rate_hz,
        lead.scale_mv,
        marks.sample[kept].astype(np.int64),
        list(zip(opened, [*closed, len(lead.samples)], strict=False)),
        LEARNING_S,
    )


def every(share: int = 1) -> Iterator[Signal]:
    """Read records one after the other."""
    for folder, name in names(share):
        yield read(folder, name)
