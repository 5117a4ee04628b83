"""Events of beats with classes, as an event kernel gets them, for tests."""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from types import ModuleType
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from telesurv_kernels import _dtypes as d

S = 1_000_000_000
START = 946_684_800 * S  # a full hour
MARK_MS, DELAY_S = 250, 0.6  # distance of MARKs; by how much a MARK lies back

CLASSES = {"N": d.NORMAL, "S": d.SUPRAVENTRICULAR, "V": d.VENTRICULAR, "F": d.FUSION,
           "Q": d.UNKNOWN, "-": 0}  # fmt: skip

Stretch = tuple[float, float]
"""Begin and end, seconds."""


def flags_of(letter: str) -> int:
    return CLASSES[letter] << d.CLASS_SHIFT


def beats_of(letters: str, rr_s: Sequence[float] | float, first_s: float = 0.5) -> list[Any]:
    """Beats (seconds, flags): a letter each, RR before each of them but the first.

    One lead shows all that are ventricular, alike in height.
    """
    rr = [rr_s] * (len(letters) - 1) if isinstance(rr_s, float) else list(rr_s)
    assert len(rr) == len(letters) - 1, (len(rr), len(letters))
    times = first_s + np.concatenate([[0.0], np.cumsum(rr)])
    beats, run = [], 0
    for time, letter in zip(times.tolist(), letters, strict=True):
        run = min(run + 1, d.RUN_MASK) if letter == "V" else 0
        beats.append((time, flags_of(letter) | run << d.RUN_SHIFT))
    return beats


def events_of(
    beats: Iterable[tuple[float, int]],
    *,
    length_s: float | None = None,
    unreadable: Sequence[Stretch] = (),
    gaps: Sequence[Stretch] = (),
    fibrillation: Sequence[Stretch] = (),
    mark_ms: int = MARK_MS,
) -> NDArray[Any]:
    """Events of a lead that begins at 0 s: a GAP, then MARKs and the beats that they cover."""
    beats = sorted(beats)
    length_s = length_s or (beats[-1][0] + 1.0 if beats else 1.0)
    rows: list[tuple[int, float, float, float, int]] = [(d.GAP, 0.0, 0.0, 0.0, 0)]
    for begin, end in gaps:
        beats = [(t, f) for t, f in beats if not begin <= t < end]
        rows.append((d.GAP, end, end, 0.0, 0))
    marks = np.arange(0, round(length_s * 1000) + 1, mark_ms) / 1000
    for before, mark in pairwise(marks.tolist()):
        if any(before < end and mark > begin for begin, end in gaps):
            continue
        lost = sum(max(0.0, min(mark, b) - max(before, a)) for a, b in unreadable)
        rows.append((d.MARK, mark, mark + DELAY_S, (mark - before - lost) * 1e9, 0))
    rows += [(d.BEAT, t, min(t + 0.4, t + DELAY_S), 1.0, f) for t, f in beats]
    for begin, end in fibrillation:
        rows += [(d.FIBRILLATION, t, t, v, 0) for t, v in ((begin, 1.0), (end, 0.0))]
    rows.sort(key=lambda row: (row[2], row[0]))
    return made(rows)


def made(rows: list[tuple[int, float, float, float, int]]) -> NDArray[Any]:
    """EVENT rows of (kind, seconds, decided, value, flags)."""
    return np.array(
        [(0, 0, kind, START + round(t * 1e9), START + round(dec * 1e9), v, f)
         for kind, t, dec, v, f in rows],
        d.EVENT,
    )  # fmt: skip


def run(
    kernel: ModuleType,
    events: NDArray[Any],
    cuts: Iterable[int] = (),
    params: NDArray[Any] | None = None,
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Findings and state after events given in pieces that end at `cuts`."""
    state = np.zeros(1, kernel.STATE)
    row = np.array([kernel.params() if params is None else params])
    parts = [np.zeros(0, d.FINDING)]
    for first, last in pairwise([0, *sorted(cuts), len(events)]):
        out = np.zeros(kernel.capacity(last - first, 1), d.FINDING)
        parts.append(out[: kernel.advance(state, row, events[first:last], out)])
    return np.concatenate(parts), state


def plain(findings: NDArray[Any]) -> list[Any]:
    names = ("kind", "condition", "onset_ns", "end_ns", "detected_ns", "value", "low")
    return sorted(tuple(f[name].item() for name in names) for f in findings)


def told(
    findings: NDArray[Any], *conditions: int, digits: int = 2
) -> list[tuple[str, str, float, float]]:
    """What, which, when (s: its end where it ended), and the value."""
    names = {d.ON: "on", d.OFF: "off", d.EPISODE: "episode"}
    return [
        (
            names[f["kind"]],
            d.CONDITIONS[f["condition"]],
            round(float((f["end_ns" if f["kind"] == d.OFF else "onset_ns"] - START) / 1e9), 3),
            round(float(f["value"]), digits),
        )
        for f in findings
        if not conditions or f["condition"] in conditions
    ]


@st.composite
def wild(draw: st.DrawFn, kinds: Sequence[int] = (d.BEAT, d.MARK, d.GAP)) -> NDArray[Any]:
    """Events as no other kernel would send them: out of order, doubled, too many."""
    rows = []
    now = draw(st.sampled_from([0.0, 3595.0]))
    steps = st.sampled_from([0.0, 0.0, 0.01, 0.25, 0.4, 1.0, 1.7, 4.0, -0.3, -3.0])
    weighed = [d.BEAT] * 3 + [d.MARK] * 3 + list(kinds)
    classes = st.sampled_from(list(CLASSES.values()))
    for kind in draw(st.lists(st.sampled_from(weighed), max_size=80)):
        now += draw(steps)
        value = draw(st.sampled_from([0.0, 0.25e9, 0.4e9, 5e9]))
        flags = draw(classes) << d.CLASS_SHIFT | draw(st.sampled_from([0, 0, 0, d.UNSURE]))
        rows.append((kind, now, now + 0.5, value, flags if kind == d.BEAT else 0))
    return made(rows) if rows else np.zeros(0, d.EVENT)
