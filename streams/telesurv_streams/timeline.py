"""A timeline: what is remembered of one (patient, device, channel) between frames.

Its samples are counted from its first one on, without end; an *anchor* says which device time
a sample has. The anchor moves only at a gap, a jump, or a deviation of over half a sample, so
sample times do not jitter with the sender's time stamps. Where the signal continues it moves
once a second at most, and by little: what reads sample times must not see holes where a sender
stamps its frames carelessly.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from telesurv_streams.frame import one_sample_time_ns

GAPS = 8

JITTER_NS = 20_000_000
"""Deviation that a sender without sequence numbers may have and still be continuous."""

STEP_NS = 100_000_000
"""Deviation of a row in sequence above which it does not continue the signal."""

SLEW_NS = 10_000_000
"""How far the anchor moves at once where the signal continues; more than clocks drift in 1 s."""

WAIT = "wait"  # a row before it is missing
DUPLICATE = "duplicate"
BEFORE_POSITION = "before-position"  # backfill: its room is not built yet
JUMPED_BACK = "jumped-back"  # next in sequence, and before the position: the clock was set
OVERLAP = "overlap"
AHEAD = "ahead-of-arrival"

TIMELINE = np.dtype(
    [
        ("started", np.int64),  # 1: a frame was accepted
        ("count", np.int64),  # samples accepted so far
        ("sequence", np.int64),  # of the last accepted frame, -1 where the device has none
        ("rate_hz", np.float64),
        ("scale", np.float64),
        ("offset", np.float64),
        ("begin_ns", np.int64),  # device time of the first sample ever
        ("start_ns", np.int64),  # of the last accepted frame, as it said
        ("end_ns", np.int64),  # where the next frame should begin (a reading: the last one)
        ("anchor_sample", np.int64),  # the sample whose device time is anchor_ns
        ("anchor_ns", np.int64),
        ("gap_begin_ns", np.int64, (GAPS,)),  # newest first; 0, 0 is none
        ("gap_end_ns", np.int64, (GAPS,)),
    ]
)
"""State of a timeline; zero bytes: nothing was seen."""


def tolerance_ns(rate_hz: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return half a sample: what a frame's start may deviate without moving the anchor."""
    rate = np.asarray(rate_hz, np.float64)
    result: NDArray[np.int64] = np.rint(
        np.where(rate > 0, 0.5e9 / np.where(rate > 0, rate, 1.0), 0.0)
    ).astype(np.int64)
    return result


def half_sample_ns(rate_hz: float) -> int:
    """Return `tolerance_ns` of one rate."""
    return round(0.5e9 / rate_hz) if rate_hz > 0 else 0


def end_ns(start_ns: int, count: int, rate_hz: float) -> int:
    """Return the device time right after `count` samples; a reading has no length."""
    return one_sample_time_ns(start_ns, count, rate_hz)


def move_anchor(timeline: Any, start_ns: int) -> None:
    """Let the sample to come have the device time `start_ns`."""
    timeline["anchor_sample"], timeline["anchor_ns"] = timeline["count"], start_ns


def note_gap(timeline: Any, begin_ns: int, end_ns: int) -> None:
    """Remember a stretch of which nothing was received."""
    for name, value in (("gap_begin_ns", begin_ns), ("gap_end_ns", end_ns)):
        timeline[name][1:] = timeline[name][:-1].copy()
        timeline[name][0] = value


def follow(timeline: Any, late_ns: int, rate_hz: float) -> None:
    """Let the anchor follow a frame that continues the signal, `late_ns` after it should."""
    half_ns = half_sample_ns(rate_hz)
    if abs(late_ns) > half_ns and timeline["count"] - timeline["anchor_sample"] >= rate_hz:
        most_ns = max(SLEW_NS, half_ns)
        late_ns = min(max(late_ns, -most_ns), most_ns)
        move_anchor(timeline, int(timeline["end_ns"]) + late_ns)


def in_gap(timeline: Any, start_ns: int, end_ns: int) -> bool:
    """Whether a stretch before the position touches one of which nothing was received."""
    begins, ends = timeline["gap_begin_ns"], timeline["gap_end_ns"]
    return bool(np.any((begins < end_ns) & (start_ns < ends) & (ends > begins)))


def step_ns(timeline: Any, sequence: int, count: int, rate_hz: float) -> int:
    """Return how far a frame may begin from where it should and still continue the signal.

    The next in sequence may stray further. What is not known to be the next may stray by less
    than half its length, so that a short frame is never taken for the one after it.
    """
    half_ns = half_sample_ns(rate_hz)
    if sequence >= 0 and timeline["sequence"] >= 0 and sequence == timeline["sequence"] + 1:
        return max(STEP_NS, half_ns)
    jitter_ns = max(JITTER_NS, 2 * half_ns)
    return max(half_ns, min(jitter_ns, end_ns(0, count, rate_hz) // 2))


def judge(timeline: Any, start_ns: int, count: int, rate_hz: float, sequence: int) -> str:
    """Return "" where a frame is to be analysed now, `WAIT`, or why it never is."""
    if not timeline["started"]:
        return ""
    late_ns = start_ns - int(timeline["end_ns"])
    if rate_hz == 0:
        if late_ns > 0:
            return ""
        return DUPLICATE if late_ns == 0 else BEFORE_POSITION
    last = int(timeline["sequence"])
    if start_ns == timeline["start_ns"] and sequence == last:
        return DUPLICATE
    most_ns = step_ns(timeline, sequence, count, rate_hz)
    ahead = last >= 0 and sequence > last
    if late_ns < -most_ns:
        past_ns = end_ns(start_ns, count, rate_hz)
        why = _why_before(timeline, start_ns, past_ns)
        return JUMPED_BACK if ahead and why != OVERLAP else why
    if late_ns <= most_ns:
        return ""
    # Later than it should: in sequence it is a gap, and so it is where the device counts from
    # the beginning again. Else something may be on its way.
    if ahead:
        return "" if sequence == last + 1 else WAIT
    return "" if sequence >= 0 and last >= 0 else WAIT


def _why_before(timeline: Any, start_ns: int, past_ns: int) -> str:
    """Why a frame that starts before the position is not analysed."""
    if past_ns <= timeline["begin_ns"] or in_gap(timeline, start_ns, past_ns):
        return BEFORE_POSITION
    return DUPLICATE if past_ns <= timeline["end_ns"] + STEP_NS else OVERLAP
