"""What the leads of one heart say, as LEAD_EVENTs: for the fusion kernel's tests."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from telesurv_kernels import _dtypes as d

S = 1_000_000_000
MARK_S, LATE_S = 0.25, 0.5  # distance of MARKs, and how far they lie back
BEAT_S, WEAK_S = 0.4, 0.7  # after which a beat, and what is rejected, is decided

Span = tuple[float, float]


@dataclass
class Voice:
    """What one lead says: seconds of its beats, of what it rejects, and of the rest."""

    beats_s: Sequence[float]
    rejects_s: Sequence[float] = ()
    unreadable: Sequence[Span] = ()
    fibrillates: Sequence[Span] = ()
    begin_s: float = 0.0
    end_s: float = float("inf")
    wide_s: Sequence[float] = ()  # those of its beats that it calls ventricular
    tall_s: Sequence[float] = ()  # those that are 2.5 times as high as others
    contrast: float = 16.0  # usual beat to noise
    strength: float = 1.0
    reject: float = 0.25
    likes: Sequence[int] = (0,)  # steps of likeness of its beats, in turn
    phase_s: float = 0.0  # of its MARKs
    rank: int = field(default=0)


def voice(
    beats_s: NDArray[np.float64],
    rng: np.random.Generator,
    misses: float = 0.0,
    invents: float = 0.0,
    wide: float = 0.0,
    **others: Any,
) -> Voice:
    """Return a lead that rejects some beats and takes noise between two for one."""
    missed = rng.random(len(beats_s)) < misses
    wrong = rng.random(len(beats_s) - 1) < invents
    between = (beats_s[:-1] + rng.uniform(0.3, 0.7, len(wrong)) * np.diff(beats_s))[wrong]
    said = np.sort(np.concatenate([beats_s[~missed], between]))
    phase_s = rng.uniform(0, MARK_S)
    wide_s = beats_s[rng.random(len(beats_s)) < wide].tolist()
    tall_s = beats_s[rng.random(len(beats_s)) < wide / 2].tolist()
    of_beats: dict[str, Any] = {"wide_s": wide_s, "tall_s": tall_s, "phase_s": phase_s}
    return Voice(said.tolist(), beats_s[missed].tolist(), **of_beats, **others)


def flags_of(strength: float, contrast: float) -> int:
    eighths, quarters = min(round(strength * 32), 255), min(round(contrast * 4), 255)
    return eighths << d.STRENGTH_SHIFT | quarters << d.NOISE_SHIFT


def says(one: Voice, lead: int, length_s: float) -> NDArray[Any]:
    """Return what a lead says, in the order in which it says so."""
    end_s = min(one.end_s, length_s)
    rows: list[tuple[float, float, int, float, int]] = [(one.begin_s, one.begin_s, d.GAP, 0.0, 0)]
    peaks = [(at, d.BEAT, one.strength, BEAT_S) for at in one.beats_s]
    peaks += [(at, d.CANDIDATE, one.reject, WEAK_S) for at in one.rejects_s]
    marks = np.arange(one.begin_s + one.phase_s + MARK_S, end_s - LATE_S, MARK_S)
    decided_s, marked_s, known = one.begin_s, one.begin_s, [(one.begin_s, one.begin_s)]
    for number, (at, kind, share, late) in enumerate(sorted(peaks)):
        if one.begin_s <= at < end_s:
            decided_s = max(decided_s, at + late)
            unsure = any(a <= at < b for a, b in one.unreadable)
            beat_class = d.VENTRICULAR if at in one.wide_s else d.NORMAL
            flags = flags_of(share, one.contrast) | int(unsure) | beat_class << d.CLASS_SHIFT
            if kind == d.BEAT:
                flags |= one.likes[number % len(one.likes)] << d.LIKE_SHIFT
            height_mv = 2.0 if at in one.tall_s else 0.8
            rows.append((at, decided_s, kind, height_mv, flags))
            known.append((at, decided_s))
    for at in marks.tolist():
        inside = [max(0.0, min(b, at) - max(a, marked_s)) for a, b in one.unreadable]
        decided_s = max([at + LATE_S, *(late for early, late in known if early < at)])
        rows.append((at, decided_s, d.MARK, round((at - marked_s - sum(inside)) * S), 0))
        marked_s = at
    for a, b in one.fibrillates:
        rows += [(a, a + 1.0, d.FIBRILLATION, d.PRESENT, 0), (b, b + 1.0, d.FIBRILLATION, 0.0, 0)]
    rows = [row for row in rows if row[1] < end_s]
    made = np.zeros(len(rows), d.LEAD_EVENT)
    for event, row in zip(
        made, sorted(rows, key=lambda row: (row[1], row[2] == d.MARK, row[0])), strict=True
    ):
        event["time_ns"], event["decided_ns"] = round(row[0] * S), round(row[1] * S)
        event["kind"], event["value"], event["flags"] = row[2:]
    made["lead"] = lead
    return made


def frames(
    voices: Sequence[Voice], length_s: float, frame_s: float = 1.0, lag_s: float = 3.0
) -> list[list[NDArray[Any]]]:
    """Return the events of each lead, frame by frame, each with the POSITION at its end."""
    made = []
    for lead, one in enumerate(voices):
        told = says(one, lead, length_s)
        parts = []
        for end_s in np.arange(frame_s, length_s + frame_s / 2, frame_s):
            if not one.begin_s < end_s <= one.end_s:
                continue
            inside = (told["decided_ns"] < end_s * S) & (
                told["decided_ns"] >= (end_s - frame_s) * S
            )
            at = np.zeros(1, d.LEAD_EVENT)
            at["kind"], at["lead"], at["flags"] = d.POSITION, lead, one.rank
            at["time_ns"], at["value"] = round(end_s * S) - 1, lag_s * S
            parts.append(np.concatenate([told[inside], at]))
        made.append(parts)
    return made


def announced(voices: Sequence[Voice], lag_s: float = 3.0) -> NDArray[Any]:
    """Return the first POSITION of the leads that are there from the start."""
    numbers = [lead for lead, one in enumerate(voices) if one.begin_s == 0]
    made = np.zeros(len(numbers), d.LEAD_EVENT)
    made["kind"], made["lead"], made["value"] = d.POSITION, numbers, lag_s * S
    return made


def heart(
    voices: Sequence[Voice], length_s: float, frame_s: float = 1.0, lag_s: float = 3.0
) -> NDArray[Any]:
    """Return the events of all leads, frame by frame in turns.

    Those that are there from the start tell so first.
    """
    parts = [
        (part["time_ns"][-1], lead, part)
        for lead, row in enumerate(frames(voices, length_s, frame_s, lag_s))
        for part in row
    ]
    ordered = [part for _, _, part in sorted(parts, key=lambda one: one[:2])]
    events = np.concatenate([announced(voices, lag_s), *ordered])
    events["segment"] = np.arange(len(events))
    return events


def times(events: NDArray[Any], kind: int) -> list[float]:
    """Return the seconds of the events of a kind."""
    return (events["time_ns"][events["kind"] == kind] / S).round(3).tolist()


def near(found: Iterable[float], expected: Iterable[float], within_s: float = 0.05) -> bool:
    """Say whether each expected time was found once, and nothing else."""
    one, other = sorted(found), sorted(expected)
    return len(one) == len(other) and all(
        abs(a - b) <= within_s for a, b in zip(one, other, strict=True)
    )
