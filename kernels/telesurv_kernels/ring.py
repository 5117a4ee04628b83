"""The last samples of every waveform, why some cannot be read, and beats: evidence is cut from it.

Not a detector: it remembers. Rows of one capacity live in one table; sample k of a row lies
in slot k modulo capacity. A row is filled in order (`push`), or, after a restart of the
service, at the places where its samples lay before (`refill`).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from telesurv_kernels._dtypes import BEAT
from telesurv_kernels._jit import borrowed, entry, kernel
from telesurv_kernels.quality import CONSTANT, LEAD_OFF_BIT, MISSING, NOISY, SATURATED

SPAN_S = 30
"""Seconds of signal that a ring holds at least."""

BEATS_MAX = 120
"""Beats that a row remembers: 30 s at 240/min."""

REASONS = np.array([0, LEAD_OFF_BIT, CONSTANT, SATURATED, NOISY, MISSING], np.uint8)
"""Bits of the mask by the number that a ring keeps: 0 readable, else the first that is set."""

_NUMBERS = np.array(
    [
        next((n for n, bit in enumerate(REASONS) if mask & bit or mask == 0), len(REASONS))
        for mask in range(256)
    ],
    np.uint8,
)
"""The number of each mask."""

BEATS = np.dtype([("sample", np.int64), ("delay", np.int32), ("flags", np.int32)])
"""A beat as the ring remembers it: its sample, how many later it was decided, its flags."""

PLACES_MAX = 64
"""Frames of a row whose place in the log is remembered: 30 s in frames of half a second."""

ANCHORS_MAX = 64
"""Anchors of a row that are remembered: one a second, and some; of single readings each."""

PLACE = np.dtype(
    [
        ("offset", np.int64),  # of the record in its partition
        ("sample", np.int64),  # k of its first sample
        ("arrival_ns", np.int64),
        ("row", np.int32),  # of the frame within the record
        ("count", np.int32),  # its samples; 0: an empty slot
    ]
)
"""Where the log holds a frame that lies in the ring."""

ANCHOR = np.dtype([("sample", np.int64), ("time_ns", np.int64)])
"""From sample k on, device time counts from time_ns."""


def capacity(rate_hz: float) -> int:
    """Return how many samples a ring for this rate holds: 30 s, a multiple of 64."""
    return max(64, int(-(-SPAN_S * rate_hz // 64)) * 64)


@entry
def push(
    samples_kept: NDArray[np.int16],
    reasons_kept: NDArray[np.uint8],
    segments: NDArray[Any],
    start: NDArray[np.int64],
    samples: NDArray[np.int16],
    mask: NDArray[np.uint8],
) -> None:
    """Write each segment at its place.

    Parameters
    ----------
    samples_kept : int16[rows, capacity], updated in place
    reasons_kept : uint8[rows, capacity / 2], likewise: places in REASONS, the first of two below
    segments : SEGMENT[m]; `row` is the row of the ring
    start : int64[m], index k of each segment's first sample
    samples, mask : int16[n], uint8[n]
    """
    samples, mask = borrowed(samples), borrowed(mask)
    samples_kept, reasons_kept = borrowed(samples_kept), borrowed(reasons_kept)
    size = samples_kept.shape[1]
    for index in range(len(segments)):
        row, last = segments[index]["row"], segments[index]["last"]
        first = segments[index]["first"]
        place = max(first, last - size)
        slot = (start[index] + place - first) % size
        while place < last:
            until = min(last, place + size - slot)
            _keep(samples_kept[row, slot:], samples[place:until])
            _keep_reasons(reasons_kept[row], slot, mask[place:until])
            slot, place = 0, until


@kernel
def _keep(kept: NDArray[np.int16], samples: NDArray[np.int16]) -> None:
    for at in range(len(samples)):
        kept[at] = samples[at]


@kernel
def _keep_reasons(kept: NDArray[np.uint8], slot: int, mask: NDArray[np.uint8]) -> None:
    """Write the reasons of slots that follow each other: of two at once but at the ends."""
    begin, end = slot & 1, len(mask) - 1
    if begin == 1:
        kept[slot >> 1] = kept[slot >> 1] & 0x0F | _NUMBERS[mask[0]] << 4
    for at in range(begin, end, 2):
        kept[(slot + at) >> 1] = _NUMBERS[mask[at]] | _NUMBERS[mask[at + 1]] << 4
    if (slot + end) & 1 == 0 and end >= begin:
        kept[(slot + end) >> 1] = kept[(slot + end) >> 1] & 0xF0 | _NUMBERS[mask[end]]


def masks(reasons: NDArray[np.uint8], slots: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Return the mask of slots of one row, a bit of each that is unreadable."""
    numbers = reasons[slots // 2] >> (slots % 2 * 4) & 15
    found: NDArray[np.uint8] = REASONS[numbers]
    return found


def set_masks(
    reasons: NDArray[np.uint8], slots: NDArray[np.int64], mask: NDArray[np.uint8]
) -> None:
    """Write what `masks` returned to the slots of one row."""
    numbers = np.zeros(2 * len(reasons), np.uint8)
    for number, bits in enumerate(REASONS):
        numbers[slots[mask == bits]] = number
    reasons[:] = numbers[::2] | numbers[1::2] << 4


@entry
def refill(
    samples_kept: NDArray[np.int16],
    row: int,
    start: int,
    count: int,
    samples: NDArray[np.int16],
) -> None:
    """Write samples k = start … of a row whose newest sample is `count` - 1, not older ones.

    A slot that a newer sample owns is left alone.
    """
    size = samples_kept.shape[1]
    for place in range(len(samples)):
        k = start + place
        if count - size <= k < count:
            samples_kept[row, k % size] = samples[place]


@entry
def remember_beats(
    beats_kept: NDArray[Any],
    head: NDArray[np.int64],
    found: NDArray[Any],
) -> None:
    """Append the beats found to the rows that they belong to; the oldest of a row falls out.

    Parameters
    ----------
    beats_kept : BEATS[rows, BEATS_MAX], updated in place
    head : int64[rows], how many beats a row was ever given
    found : FINDING[m] of `beats` or `classes`, in order of time within a row
    """
    size = beats_kept.shape[1]
    for index in range(len(found)):
        finding = found[index]
        if finding["kind"] != BEAT:
            continue
        place = finding["row"]
        slot = head[place] % size
        beats_kept[place, slot]["sample"] = finding["sample"]
        beats_kept[place, slot]["delay"] = finding["decided"] - finding["sample"]
        beats_kept[place, slot]["flags"] = finding["flags"]
        head[place] += 1


@entry
def remember_places(
    places: NDArray[Any],
    places_head: NDArray[np.int64],
    anchors: NDArray[Any],
    anchors_head: NDArray[np.int64],
    row: NDArray[np.int64],
    place: NDArray[Any],
    anchor_sample: NDArray[np.int64],
    anchor_ns: NDArray[np.int64],
) -> None:
    """Note where accepted frames lie in the log, and the anchors that changed with them.

    Parameters
    ----------
    places, anchors : PLACE[rows, PLACES_MAX], ANCHOR[rows, ANCHORS_MAX], updated in place
    places_head, anchors_head : int64[rows], how many a row was ever given
    row : int64[m]; place : PLACE[m]; anchor_sample, anchor_ns : int64[m]
    """
    for index in range(len(row)):
        at = row[index]
        slot = places_head[at] % places.shape[1]
        places[at, slot]["offset"] = place[index]["offset"]
        places[at, slot]["row"] = place[index]["row"]
        places[at, slot]["sample"] = place[index]["sample"]
        places[at, slot]["count"] = place[index]["count"]
        places[at, slot]["arrival_ns"] = place[index]["arrival_ns"]
        places_head[at] += 1
        last = (anchors_head[at] - 1) % anchors.shape[1]
        if (
            anchors_head[at] == 0
            or anchors[at, last]["sample"] != anchor_sample[index]
            or anchors[at, last]["time_ns"] != anchor_ns[index]
        ):
            slot = anchors_head[at] % anchors.shape[1]
            anchors[at, slot]["sample"] = anchor_sample[index]
            anchors[at, slot]["time_ns"] = anchor_ns[index]
            anchors_head[at] += 1


@entry
def anchor_of(
    anchors: NDArray[Any],
    anchors_head: NDArray[np.int64],
    row: NDArray[np.int64],
    sample: NDArray[np.int64],
    anchor_sample: NDArray[np.int64],
    anchor_ns: NDArray[np.int64],
) -> None:
    """Find the anchor in force for each sample: the newest that is not past it.

    Parameters
    ----------
    anchors, anchors_head : ANCHOR[rows, ANCHORS_MAX], int64[rows]
    row, sample : int64[m]
    anchor_sample, anchor_ns : int64[m], written
    """
    size = anchors.shape[1]
    for index in range(len(row)):
        at = row[index]
        known = min(anchors_head[at], size)
        for back in range(1, known + 1):
            slot = (anchors_head[at] - back) % size
            anchor_sample[index] = anchors[at, slot]["sample"]
            anchor_ns[index] = anchors[at, slot]["time_ns"]
            if anchors[at, slot]["sample"] <= sample[index]:
                break
