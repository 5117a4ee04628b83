"""A timeline: what is remembered of one (patient, device, channel) between frames.

Its samples are counted from its first one on, without end; an *anchor* says which device time
a sample has. The anchor moves only at a gap, a jump, or a deviation of over half a sample, so
sample times do not jitter with the sender's time stamps.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from telesurv_streams.frame import sample_time_ns

GAPS = 8

TIMELINE = np.dtype(
    [
        ("started", np.int64),  # 1: a frame was accepted
        ("count", np.int64),  # samples accepted so far
        ("sequence", np.int64),  # of the last accepted frame, -1 where the device has none
        ("rate_hz", np.float64),
        ("scale", np.float64),
        ("offset", np.float64),
        ("begin_ns", np.int64),  # device time of the first sample ever
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
    rate, zero = np.array([rate_hz]), np.array([start_ns], np.int64)
    return int(sample_time_ns(zero, np.array([count], np.int64), rate)[0])


def move_anchor(timeline: Any, start_ns: int) -> None:
    """Let the sample to come have the device time `start_ns`."""
    timeline["anchor_sample"], timeline["anchor_ns"] = timeline["count"], start_ns


def note_gap(timeline: Any, begin_ns: int, end_ns: int) -> None:
    """Remember a stretch of which nothing was received."""
    for name, value in (("gap_begin_ns", begin_ns), ("gap_end_ns", end_ns)):
        timeline[name][1:] = timeline[name][:-1].copy()
        timeline[name][0] = value


def in_gap(timeline: Any, start_ns: int, end_ns: int) -> bool:
    """Whether a stretch before the position touches one of which nothing was received."""
    begins, ends = timeline["gap_begin_ns"], timeline["gap_end_ns"]
    return bool(np.any((begins < end_ns) & (start_ns < ends) & (ends > begins)))
