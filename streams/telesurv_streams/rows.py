"""Decoded rows, fewer or more of them: columns that stay together."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from telesurv_streams.frame import Frames


def no_rows() -> Frames:
    """Return columns without any row."""
    return Frames(
        names=[],
        name=np.zeros(0, np.int32),
        start_ns=np.zeros(0, np.int64),
        rate_hz=np.zeros(0, np.float64),
        scale=np.zeros(0, np.float32),
        offset=np.zeros(0, np.float32),
        sequence=np.zeros(0, np.int64),
        samples=np.zeros(0, np.int16),
        first=np.zeros(1, np.int64),
        record=np.zeros(0, np.int32),
        row=np.zeros(0, np.int32),
    )


def chosen(frames: Frames, keep: NDArray[np.bool_]) -> Frames:
    """Return the rows of a mask, bool[n]; the names stay as they are."""
    count = np.diff(frames.first)
    return Frames(
        names=frames.names,
        name=frames.name[keep],
        start_ns=frames.start_ns[keep],
        rate_hz=frames.rate_hz[keep],
        scale=frames.scale[keep],
        offset=frames.offset[keep],
        sequence=frames.sequence[keep],
        samples=frames.samples[np.repeat(keep, count)],
        first=_first(count[keep]),
        record=frames.record[keep],
        row=frames.row[keep],
    )


def with_used_names(frames: Frames) -> Frames:
    """Return the same rows with those names only that occur in them."""
    used, name = np.unique(frames.name, return_inverse=True)
    names = [frames.names[i] for i in used.tolist()]
    return replace(frames, names=names, name=name.astype(np.int32))


def joined(one: Frames, other: Frames) -> Frames:
    """Return the rows of both in the order of their records, of which they share none.

    Both have the same list of names.
    """
    if not len(one) or not len(other):
        return one if len(one) else other
    assert one.names is other.names, "names of two lists"
    order = np.argsort(np.concatenate((one.record, other.record)), kind="stable")
    count = np.concatenate((np.diff(one.first), np.diff(other.first)))
    begin = np.concatenate((one.first[:-1], len(one.samples) + other.first[:-1]))[order].tolist()
    end = np.add(begin, count[order]).tolist()
    samples = np.concatenate((one.samples, other.samples))
    stretches = [samples[first:last] for first, last in zip(begin, end, strict=True)]

    def column(name: str) -> NDArray[np.generic]:
        both: NDArray[np.generic] = np.concatenate((getattr(one, name), getattr(other, name)))
        return both[order]

    names = ("name", "start_ns", "rate_hz", "scale", "offset", "sequence", "record", "row")
    return Frames(
        names=one.names,
        samples=np.concatenate(stretches),
        first=_first(count[order]),
        **{name: column(name) for name in names},  # type: ignore[arg-type]
    )


def _first(count: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return where each row's samples begin, and where the last one's end."""
    return np.concatenate(([0], np.cumsum(count))).astype(np.int64)
