"""What makes a row a valid frame: the rules, over columns of many rows at once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from telesurv_streams.channels import CHANNEL, ECG
from telesurv_streams.frame import ROUTE_OR_PATIENT, SAMPLES_MAX, Frames

RATE_HZ_MAX = 1000.0
ECG_RATE_HZ_MIN = 100.0
DURATION_S_MAX = 86_400.0
"""Longest stretch of one row; also keeps every time within 64 bits."""
START_NS_MIN = 631_152_000_000_000_000
"""1990-01-01: a device that has lost its clock starts at 1970 or 1980."""
START_NS_MAX = 7_258_118_400_000_000_000
"""2200-01-01."""


@dataclass(frozen=True, slots=True)
class Names:
    """The distinct (patient, device, channel) of some rows."""

    index: NDArray[np.int32]  # [rows], into the names
    names: list[tuple[str, str, str]]
    is_ecg: NDArray[np.bool_]  # [names]
    wrong: list[str]  # [names], "" where valid; empty: all are


def distinct_names(patient: pa.Array, device: pa.Array, channel: pa.Array) -> Names:
    """Return the distinct names of rows, from three string arrays without nulls."""
    columns = [column.dictionary_encode() for column in (patient, device, channel)]
    codes = [c.indices.to_numpy(zero_copy_only=False).astype(np.int64) for c in columns]
    sizes = [max(len(c.dictionary), 1) for c in columns]
    combined = (codes[0] * sizes[1] + codes[1]) * sizes[2] + codes[2]
    distinct, index = np.unique(combined, return_inverse=True)
    places = (distinct // (sizes[1] * sizes[2]), distinct // sizes[2] % sizes[1])
    parts = [np.array([*c.dictionary.to_pylist(), None], object) for c in columns]
    ecg_codes = np.array([str(text).startswith(ECG) for text in parts[2]], np.bool_)
    channels = distinct % sizes[2]
    names: list[tuple[str, str, str]] = list(
        zip(
            parts[0][places[0]].tolist(),
            parts[1][places[1]].tolist(),
            parts[2][channels].tolist(),
            strict=True,
        )
    )
    return Names(index.astype(np.int32), names, ecg_codes[channels], _wrong_names(columns, names))


def _wrong_names(columns: list[Any], names: list[tuple[str, str, str]]) -> list[str]:
    kinds = (("patient", ROUTE_OR_PATIENT), ("device", ROUTE_OR_PATIENT), ("channel", CHANNEL))
    faults: list[set[str]] = []
    for column, (_, pattern) in zip(columns, kinds, strict=True):
        # RE2 over the dictionary; \A and \z, for it has no fullmatch.
        matched = pc.match_substring_regex(column.dictionary, rf"\A(?:{pattern.pattern})\z")
        faults.append(set(column.dictionary.filter(pc.invert(matched)).to_pylist()))
    if not any(faults):
        return []
    wrong = []
    for name in names:
        bad = [
            f"{kind} {text[:80]!r} does not match {pattern.pattern}"
            for text, fault, (kind, pattern) in zip(name, faults, kinds, strict=True)
            if text in fault
        ]
        wrong.append("; ".join(bad))
    return wrong


def wrong_rows(
    frames: Frames, is_ecg: NDArray[np.bool_], wrong_names: Sequence[str]
) -> dict[int, str]:
    """Return the rows that are no valid frame, each with the first reason found.

    Parameters
    ----------
    frames : columns of n rows, any values
    is_ecg : bool[names], whether a name's channel is an ECG
    wrong_names : [names], "" where valid; empty: all are
    """
    rate, start = frames.rate_hz, frames.start_ns
    count = np.diff(frames.first)
    ecg = is_ecg[frames.name]
    in_range = (rate == 0) | ((rate > 0) & (rate <= RATE_HZ_MAX))  # a NaN is neither
    day = DURATION_S_MAX * np.where(in_range & (rate > 0), rate, RATE_HZ_MAX)  # samples
    right_name = np.array([reason == "" for reason in wrong_names], np.bool_)
    named = right_name[frames.name] if wrong_names else np.ones(len(rate), np.bool_)
    rules: list[tuple[NDArray[np.bool_], Callable[[int], str]]] = [
        (named, lambda i: wrong_names[frames.name[i]]),
        (
            (start >= START_NS_MIN) & (start < START_NS_MAX),
            lambda i: f"start {start[i]} ns is not between the years 1990 and 2200",
        ),
        (in_range, lambda i: f"rate {rate[i]} is neither 0 nor above 0 and at most {RATE_HZ_MAX}"),
        (
            ~ecg | (rate >= ECG_RATE_HZ_MIN),
            lambda i: f"rate {rate[i]} of an ECG is not between {ECG_RATE_HZ_MIN} and 1000",
        ),
        (
            np.isfinite(frames.scale) & (frames.scale != 0),
            lambda i: f"scale {frames.scale[i]} is not finite or is 0",
        ),
        (np.isfinite(frames.offset), lambda i: f"offset {frames.offset[i]} is not finite"),
        (
            (count >= 1) & (count <= SAMPLES_MAX),
            lambda i: f"{count[i]} samples, expected 1 to {SAMPLES_MAX}",
        ),
        (
            (rate != 0) | (count == 1),
            lambda i: f"{count[i]} samples at rate 0, which is one single reading",
        ),
        (count <= day, lambda i: f"lasts over a day: {count[i]} samples at rate {rate[i]}"),
        (frames.sequence >= -1, lambda i: f"sequence {frames.sequence[i]} is below -1"),
    ]
    wrong: dict[int, str] = {}
    for holds, reason in rules:
        if not holds.all():
            for i in np.flatnonzero(~holds).tolist():
                wrong.setdefault(i, reason(i))
    return wrong
