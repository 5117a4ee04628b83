"""Atrial fibrillation, batch and obvious: every window anew, all its pairs with all others.

Shares only constants with the kernel.
"""

from dataclasses import dataclass
from itertools import combinations
from typing import Any

from numpy.typing import NDArray

from oracles.steps import Finding, steps_of
from telesurv_kernels import _dtypes as d
from telesurv_kernels import atrial as k


@dataclass(frozen=True)
class Pair:
    """Two RR in a row, in us, and the beat that ends them."""

    first: int
    second: int
    time: int
    decided: int
    ectopic: int  # ventricular and fusion beats since the pair before


def pairs_of(events: NDArray[Any]) -> list[Pair]:
    pairs: list[Pair] = []
    row: list[int] = []  # beats in a row that are not ectopic
    intervals: list[int] = []  # RR between them, 0: none that counts
    ectopic = 0  # since the last of them
    all_ectopic = 0  # since the last pair
    for step in steps_of(events):
        if not step.readable:
            row = []
        for beat in step.beats:
            if not beat.sure or step.fibrillating:
                row = []
                continue
            if beat.kind in (d.VENTRICULAR, d.FUSION):
                ectopic += 1
                all_ectopic += 1
                continue
            if not row or ectopic > 1:
                row, intervals = [], []
            else:
                length = (beat.time - row[-1]) // (2000 if ectopic else 1000)
                intervals.append(length if k.RR_US_MIN <= length <= k.RR_US_MAX else 0)
                if all(intervals[-2:]) and len(intervals) > 1:
                    pairs.append(Pair(*intervals[-2:], beat.time, step.decided, all_ectopic))
                    all_ectopic = 0
            row.append(beat.time)
            ectopic = 0
    return pairs


def stretches_of(pairs: list[Pair]) -> list[list[Pair]]:
    """Pairs without a hole."""
    stretches: list[list[Pair]] = []
    for pair in pairs:
        if not stretches or not 0 <= pair.time - stretches[-1][-1].time <= k.HOLE_NS:
            stretches.append([])
        stretches[-1].append(pair)
    return stretches


def alike(a: int, b: int) -> bool:
    return abs(a - b) * k.ALIKE < a + b


def irregular(window: list[Pair], limit_s: float) -> bool:
    like = [(a, b) for a, b in combinations(window, 2) if alike(a.first, b.first)]
    repeated = sum(alike(a.second, b.second) for a, b in like)
    total = sum(pair.second for pair in window)
    return bool(repeated * total * 1e-6 < limit_s * (len(like) * k.WINDOW))


def mostly_ectopic(window: list[Pair]) -> bool:
    ectopic = sum(min(pair.ectopic, k.WINDOW) for pair in window)
    return ectopic * k.ECTOPIC_PART >= ectopic + k.WINDOW


def atrial(events: NDArray[Any], p: Any) -> list[Finding]:
    """Return all findings of one row's events."""
    found: list[Finding] = []
    present, onset, end = False, 0, 0
    for stretch in stretches_of(pairs_of(events)):
        since: int | None = None  # first pair of the irregular, or regular, beats
        before = None
        for last in range(k.WINDOW - 1, len(stretch)):
            window = stretch[last - k.WINDOW + 1 : last + 1]
            now = irregular(window, p["limit_s"])
            now = now and (present or not mostly_ectopic(window))
            turned = now != before or since is None
            if turned:
                back = k.ONSET_BACK if now else k.END_BACK
                since = last - (k.WINDOW - 1 if before is None else back)
            before = now
            assert since is not None
            mine = stretch[since + 1 : last + 1]
            if not present and now:
                if turned:
                    onset = stretch[since].time
                if sum(pair.second for pair in mine) >= p["shortest_s"] * 1e6:
                    rate = k.WINDOW * 60e6 / sum(pair.second for pair in window)
                    args = (d.ATRIAL_FIBRILLATION, onset, 0, window[-1].decided, rate, 0.0)
                    found.append((d.ON, *args))
                    present = True
            elif present and not now:
                end = max(stretch[since].time, onset)
                if last - since >= k.REGULAR_BEATS:
                    burden_s = (end - onset) / 1e9
                    args = (d.ATRIAL_FIBRILLATION, 0, end, window[-1].decided, burden_s, 0.0)
                    found.append((d.OFF, *args))
                    present = False
    return found
