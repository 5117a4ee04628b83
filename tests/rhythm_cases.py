"""Timelines of beats for the rhythm kernel, and what it says of them."""

from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oracles.rhythm import Finding
from telesurv_kernels import _dtypes as d
from telesurv_kernels import rhythm as k

S = 1_000_000_000
START = 946_684_800 * S  # a full minute
MARK_MS, DELAY_S = 250, 0.6  # distance of MARKs; by how much a MARK lies back

PARAMS = np.array([k.params()])


def run(events: NDArray[Any], cuts: Iterable[int] = ()) -> tuple[NDArray[Any], NDArray[Any]]:
    """Findings and state after events given in pieces that end at `cuts`."""
    state = np.zeros(1, k.STATE)
    parts = []
    edges = [0, *sorted(cuts), len(events)]
    for first, last in pairwise(edges):
        out = np.zeros(k.capacity(last - first, 1), d.FINDING)
        found = k.advance(state, PARAMS, events[first:last], out)
        parts.append(out[:found])
    return np.concatenate(parts), state


def plain(findings: NDArray[Any]) -> list[Finding]:
    names = ("kind", "condition", "onset_ns", "end_ns", "detected_ns", "value", "low")
    return sorted(tuple(f[name].item() for name in names) for f in findings)


Row = tuple[int, float, float, float, int]
"""kind, seconds, seconds decided, value, flags"""

Piece = tuple[str, float, float]
"""What happens, seconds, and what it needs: RR in seconds."""


def day(pieces: list[Piece], phase_s: float = 0.0) -> NDArray[Any]:
    """Events of a timeline made of pieces.

    beats: every RR, readable; unsure: the same, but the beats are unsure; silence: readable
    without beats; noise: unreadable; gap: nothing comes. flutter: readable, every RR what is
    taken for a beat; fibrillation is suspected after 2 s, said to be there after 4 s, and to be
    over 5 s after its end.
    candidate: silence taken for fibrillation from 2 s on, which is taken back after 4 s.
    """
    beats: list[tuple[int, int]] = []  # everything in ms: sums of seconds would drift
    unreadable: list[tuple[int, int]] = []
    gaps: list[tuple[int, int]] = []
    fibrillation: list[tuple[float, Row]] = []
    now = 0
    for what, length_s, rr_s in pieces:
        end, rr = now + round(length_s * 1000), round(rr_s * 1000)
        if what in ("flutter", "candidate"):
            over, said_ms = (now, now + 6000) if what == "candidate" else (end, end + 5000)
            told = [(1.0, now, now + 2000), (0.0, over, said_ms)]
            if what == "flutter":
                told.insert(1, (d.PRESENT, now, now + 4000))
            for value, at, told_ms in told:
                row = (d.FIBRILLATION, at / 1000, told_ms / 1000, value, 0)
                fibrillation.append((told_ms / 1000, row))
        if what in ("beats", "unsure", "flutter") and rr:
            flags = d.UNSURE if what == "unsure" else 0
            beats += [(beat, flags) for beat in range(now + rr, end + 1, rr)]
        elif what == "noise":
            unreadable.append((now, end))
        elif what == "gap":
            gaps.append((now, end))
        now = end
    fibrillation.sort(key=lambda told: told[0])
    mark = round(phase_s * 1000)
    rows: list[Row] = [(d.GAP, mark / 1000, mark / 1000, 0, 0)]
    while mark + MARK_MS <= now:
        begin, mark = mark, mark + MARK_MS
        hole = next((g for g in gaps if begin < g[1] and mark > g[0]), None)
        if hole is not None:
            mark = hole[1]
            while fibrillation and fibrillation[0][0] <= mark / 1000:
                rows.append(fibrillation.pop(0)[1])
            rows.append((d.GAP, mark / 1000, mark / 1000, 0, 0))
            continue
        lost = sum(max(0, min(mark, b) - max(begin, a)) for a, b in unreadable)
        rows += [(d.BEAT, t / 1000, t / 1000 + 0.1, 1, f) for t, f in beats if begin < t <= mark]
        while fibrillation and fibrillation[0][0] <= mark / 1000 + DELAY_S:
            rows.append(fibrillation.pop(0)[1])
        rows.append((d.MARK, mark / 1000, mark / 1000 + DELAY_S, (MARK_MS - lost) * 1e6, 0))
    return made(rows)


def made(rows: list[Row]) -> NDArray[Any]:
    """EVENT rows of (kind, seconds, decided, value, flags)."""
    return np.array(
        [(0, 0, kind, START + round(t * 1e9), START + round(dec * 1e9), v, f)
         for kind, t, dec, v, f in rows],
        d.EVENT,
    )  # fmt: skip


def said(events: NDArray[Any], *conditions: int) -> list[tuple[str, str, float, float]]:
    """ON, OFF and EPISODE of some conditions (all): what, which, time (s), value."""
    found, _ = run(events)
    names = {d.ON: "on", d.OFF: "off", d.EPISODE: "episode"}
    return [
        (
            names[f["kind"]],
            d.CONDITIONS[f["condition"]],
            float(((f["end_ns"] if f["kind"] == d.OFF else f["onset_ns"]) - START) / 1e9),
            round(float(f["value"]), 2),
        )
        for f in found
        if f["kind"] in names and (not conditions or f["condition"] in conditions)
    ]


def detected_s(events: NDArray[Any], kind: int, condition: int = 0) -> list[float]:
    found, _ = run(events)
    return [
        (f["detected_ns"] - START) / 1e9
        for f in found
        if f["kind"] == kind and f["condition"] == condition
    ]


NORMAL: Piece = ("beats", 16.0, 0.8)
