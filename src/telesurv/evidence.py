"""Strips: what a timeline's ring shows of a stretch of device time."""

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from telesurv.alerts.episode import moment
from telesurv.alerts.model import Strip
from telesurv.table import PatientTable, remembered
from telesurv_kernels import quality, ring
from telesurv_kernels._dtypes import CLASS_MASK, CLASS_SHIFT, UNSURE
from telesurv_streams.channels import unit_of
from telesurv_streams.frame import MISSING

CLASSES = "?NSVFQ"
"""Letters of the classes of beats by their codes; `?`: not classified."""

READING_HZ = 1.0
"""Single readings are shown at this rate, each held until the next one or for HOLD_S."""

HOLD_S = 5

SPARE_S, SPARE_READINGS = 8.0, 16
"""What a ring may hold beyond a strip's end when it is cut, in seconds or single readings.

A strip never needs the ring's oldest samples of that length: how much lies behind its end
depends on what came together.
"""

Reasons = Sequence[tuple[int, str]]

WHY: Reasons = tuple(
    zip(
        ring.REASONS[1:].tolist(),
        ("lead-off", "flat", "saturated", "noise", "missing"),
        strict=True,
    )
)
"""Bits of the mask and what a strip calls them; the first that is set counts."""


def cut(table: PatientTable, timeline: int, from_ns: int, to_ns: int) -> Strip | None:
    """Return the strip of a timeline between two instants, as far as its ring holds it.

    Nothing that was measured or decided at or after `to_ns` shows in it, so a strip cut late
    equals one that is cut in time.
    """
    link = table.timelines["link"][timeline]
    if not link["ring_size"]:
        return None
    row, size = int(link["ring"]), int(link["ring_size"])
    pool = table.rings[size]
    count = int(link["count"])
    oldest = max(count - size, int(link["ring_from"]))
    rate_hz = float(link["rate_hz"])
    known = np.arange(oldest, count)
    if not len(known):
        return None
    times = table.device_time_ns(np.full(len(known), timeline, np.int64), known)
    last = _until(times, to_ns, rate_hz)
    spare = math.ceil(SPARE_S * rate_hz) if rate_hz else SPARE_READINGS
    part = slice(max(0, last - (size - spare)), last)
    part = slice(part.start + int(np.searchsorted(times[part] >= from_ns, True)), last)
    known, times = known[part], times[part]
    if not len(known):
        return None
    codes = pool["samples"][row, known % size]
    mask = ring.masks(pool["reasons"][row], known % size)
    device, channel = table.name_of[timeline]
    start_ns = int(times.min())  # where the sender's clock was corrected it may not be the first
    if rate_hz == 0:
        rate_hz = READING_HZ
        samples, place = _held(codes, times, to_ns), np.zeros(0, np.int64)
        masked = np.zeros(len(samples), np.uint8)
    else:
        place = np.rint((times - start_ns) * rate_hz / 1e9).astype(np.int64)
        samples = np.full(place.max() + 1, MISSING, np.int16)
        samples[place] = codes
        masked = np.full(len(samples), quality.MISSING, np.uint8)
        masked[place] = mask
    beats, classes = _beats(table, timeline, known, place)
    return Strip(
        device=device,
        channel=channel,
        unit=unit_of(channel),
        start=moment(start_ns),
        rate=rate_hz,
        scale=float(link["scale"]),
        offset=float(link["offset"]),
        samples=samples.astype("<i2").tobytes(),
        unreadable=unreadable_runs(masked),
        beats=beats,
        beat_classes=classes,
    )


def _until(times: NDArray[np.int64], to_ns: int, rate_hz: float) -> int:
    """Return how many of the samples come before `to_ns`, by what was known at that time.

    A clock that is corrected may give later samples earlier times: none behind the first that
    reaches it counts.
    """
    period_ns = 1e9 / rate_hz if rate_hz else 0.0
    reaching = np.flatnonzero(times + period_ns >= to_ns - 2)  # times are rounded
    if not len(reaching):
        return len(times)
    return int(reaching[0]) + int(times[reaching[0]] < to_ns)


def _held(codes: NDArray[np.int16], times: NDArray[np.int64], to_ns: int) -> NDArray[np.int16]:
    """Return single readings on a grid of one a second, each held for a while."""
    seconds = int((min(to_ns, int(times[-1]) + HOLD_S * 10**9) - times[0]) // 10**9) + 1
    grid = times[0] + np.arange(seconds, dtype=np.int64) * 10**9
    last = np.searchsorted(times, grid, side="right") - 1
    fresh = grid - times[last] < HOLD_S * 10**9
    return np.where(fresh, codes[last], MISSING).astype(np.int16)


def _beats(
    table: PatientTable, timeline: int, known: NDArray[np.int64], place: NDArray[np.int64]
) -> tuple[tuple[int, ...], str]:
    """Return where the beats decided before its end lie in the strip, and their classes."""
    link = table.timelines["link"][timeline]
    if link["ecg"] < 0 or not len(place):
        return (), ""
    pool, row = table.ecg, int(link["ecg"])
    found, classes = [], ""
    for beat in remembered(pool["recent_beats"][row], int(pool["recent_beats_head"][row])):
        sample = int(beat["sample"])
        unsure = beat["flags"] & UNSURE
        if known[0] <= sample <= known[-1] and sample + beat["delay"] <= known[-1] and not unsure:
            found.append(int(place[sample - known[0]]))
            classes += CLASSES[beat["flags"] >> CLASS_SHIFT & CLASS_MASK]
    return tuple(found), classes


def why_of(mask: NDArray[np.uint8], reasons: Reasons) -> NDArray[np.int64]:
    """Return the number of the first reason of each byte of a mask, from 1 on; 0 is readable."""
    why = np.zeros(len(mask), np.int64)
    for number, (bit, _) in reversed(list(enumerate(reasons, 1))):
        why[(mask & bit) != 0] = number
    return why


def unreadable_runs(
    mask: NDArray[np.uint8], reasons: Reasons = WHY
) -> tuple[tuple[int, int, str], ...]:
    """Return the unreadable stretches of a mask, [from, to) and why."""
    why = why_of(mask, reasons)
    edges = np.flatnonzero(np.diff(why, prepend=-1, append=-1))
    return tuple(
        (int(begin), int(end), reasons[why[begin] - 1][1])
        for begin, end in pairwise(edges)
        if why[begin]
    )
