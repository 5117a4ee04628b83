"""From where on a patient's rings need the log: what a checkpoint may not leave behind."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from telesurv.table import PatientTable

_MANY = 1000
"""Patients that are looked at together."""

_NEVER = np.iinfo(np.int64).max


class Need(NamedTuple):
    """What the rings of one patient need of the log."""

    first: tuple[int, int] | None
    """Offset and arrival of the first record; None: the log cannot fill the rings again."""
    newest_ns: int
    """When the newest record that is remembered arrived; 0: none is."""


def needs(table: PatientTable, rows: list[int]) -> list[Need]:
    """Return for each of these patients what their rings need."""
    return [
        need for at in range(0, len(rows), _MANY) for need in _of_some(table, rows[at : at + _MANY])
    ]


def _of_some(table: PatientTable, rows: list[int]) -> list[Need]:
    whose = [line for row in rows for line in table.timelines_of[row]]
    covered, firsts, newest = _of_lines(table, np.array(whose, np.int64))
    found, at = [], 0
    for row in rows:
        begin, at = at, at + len(table.timelines_of[row])
        # A timeline without a ring needs nothing.
        of_rings = [first for first in firsts[begin:at] if first is not None]
        complete = all(covered[begin:at])
        first = min(of_rings, default=None) if complete else None
        found.append(Need(first, max(newest[begin:at], default=0)))
    return found


def _of_lines(
    table: PatientTable, lines: NDArray[np.int64]
) -> tuple[list[bool], list[tuple[int, int] | None], list[int]]:
    """Return of timelines whether the log covers the ring, from which record on, and the newest."""
    link, places = table.timelines["link"][lines], table.timelines["places"][lines]
    ring = link["ring_size"] > 0
    oldest = np.maximum(np.maximum(link["count"] - link["ring_size"], link["ring_from"]), 0)
    inside = places["sample"] + places["count"] > oldest[:, None]

    def lowest(name: str) -> NDArray[np.int64]:
        values: NDArray[np.int64] = np.where(inside, places[name], _NEVER).min(axis=1)
        return values

    covered = ~ring | (lowest("sample") <= oldest)
    first = zip(lowest("offset").tolist(), lowest("arrival_ns").tolist(), strict=True)
    firsts = [at if has else None for at, has in zip(first, ring.tolist(), strict=True)]
    return covered.tolist(), firsts, places["arrival_ns"].max(axis=1, initial=0).tolist()
