"""Atrial fibrillation, batch and obvious: every window anew, all its pairs with all others.

Shares only constants with the kernel.
"""

from dataclasses import dataclass, field
from itertools import combinations, pairwise
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oracles.steps import Finding, steps_of
from telesurv_kernels import _dtypes as d
from telesurv_kernels import atrial as k
from telesurv_kernels._pairs import ALIKE, HOLE_NS, SINGULAR, WINDOW


@dataclass(frozen=True)
class Pair:
    """Two RR in a row, in us, and the beat that ends them."""

    first: int
    second: int
    time: int
    decided: int
    ectopic: int  # ventricular and fusion beats since the pair before
    step: int  # number of the MARK that covers it


@dataclass(frozen=True)
class Ventricular:
    """The ventricles fibrillate from `time` on."""

    time: int
    decided: int
    step: int  # number of the MARK or GAP that follows


@dataclass
class Stretch:
    """Pairs without a hole, and the fibrillation of the ventricles that they follow."""

    after: Ventricular | None = None
    pairs: list[Pair] = field(default_factory=list)


def pairs_of(events: NDArray[Any]) -> list[Pair]:
    pairs: list[Pair] = []
    row: list[int] = []  # beats in a row that are not ectopic
    intervals: list[int] = []  # RR between them, 0: none that counts
    ectopic = 0  # since the last of them
    all_ectopic = 0  # since the last pair
    for number, step in enumerate(steps_of(events)):
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
                    pairs.append(
                        Pair(*intervals[-2:], beat.time, step.decided, all_ectopic, number)
                    )
                    all_ectopic = 0
            row.append(beat.time)
            ectopic = 0
    return pairs


def ventricular_of(events: NDArray[Any]) -> list[Ventricular]:
    found: list[Ventricular] = []
    step = 0
    for event in events:
        if event["kind"] in (d.MARK, d.GAP):
            step += 1
        elif event["kind"] == d.FIBRILLATION and event["value"] == d.PRESENT:
            found.append(Ventricular(event["time_ns"].item(), event["decided_ns"].item(), step))
    return found


def stretches_of(pairs: list[Pair], ventricular: list[Ventricular]) -> list[Stretch]:
    stretches = [Stretch()]
    for one in sorted([*ventricular, *pairs], key=lambda one: one.step):
        if isinstance(one, Ventricular):
            stretches.append(Stretch(one))
            continue
        before = stretches[-1].pairs[-1:]
        if before and not 0 <= one.time - before[0].time <= HOLE_NS:
            stretches.append(Stretch())
        stretches[-1].pairs.append(one)
    return stretches


def alike(a: int, b: int) -> bool:
    return abs(a - b) * ALIKE < a + b


def irregular(window: list[Pair], limit_s: float) -> bool:
    like = [(a, b) for a, b in combinations(window, 2) if alike(a.first, b.first)]
    repeated = sum(alike(a.second, b.second) for a, b in like)
    total = min(sum(pair.second for pair in window), k.SLOW_US * WINDOW)
    return bool(repeated * total * 1e-6 < limit_s * (len(like) * WINDOW))


def mostly_ectopic(window: list[Pair]) -> bool:
    ectopic = sum(min(pair.ectopic, WINDOW) for pair in window)
    return ectopic * k.ECTOPIC_PART >= ectopic + WINDOW


def long_enough(pairs: list[Pair], p: Any) -> bool:
    beats = sum(1 + min(pair.ectopic, WINDOW) for pair in pairs)
    us = sum(pair.second for pair in pairs)
    return bool(us >= p["shortest_s"] * 1e6 or beats >= p["shortest_beats"])


def explained(window: list[Pair]) -> bool:
    like = [(a, b) for a, b in combinations(window, 2) if alike(a.first, b.first)]
    repeated = sum(alike(a.second, b.second) for a, b in like)
    total = sum(pair.second for pair in window)
    squares = sum(pair.second**2 for pair in window)
    spread = sqrt(squares * len(window) - total**2) / total
    peaked = repeated * spread > k.PEAKED * len(like) or spread > k.SPREAD_MAX
    return peaked or foretold(window) > k.FORETOLD_MAX


def foretold(window: list[Pair]) -> float:
    """The determination coefficient of each RR's regression on the two before."""
    mean = sum(pair.second for pair in window) / WINDOW
    rows = [
        (pair.first, before.first, pair.second)
        for before, pair in pairwise(window)
        if before.second == pair.first
    ]
    *known, rr = np.array(rows, float).reshape(-1, 3).T - mean
    of_known = np.stack(known, 1)
    square = of_known.T @ of_known
    if np.linalg.det(square) <= SINGULAR * square[0, 0] * square[1, 1] or not rr.any():
        return 1.0
    rest = rr - of_known @ np.linalg.lstsq(of_known, rr, rcond=None)[0]
    return float(1 - rest @ rest / (rr @ rr))


def atrial(events: NDArray[Any], p: Any) -> list[Finding]:
    """Return all findings of one row's events."""
    found: list[Finding] = []
    present, onset, end = False, 0, 0
    for whole in stretches_of(pairs_of(events), ventricular_of(events)):
        if whole.after and present:
            end = max(whole.after.time, onset)
            args = (d.ATRIAL_FIBRILLATION, 0, end, whole.after.decided, (end - onset) / 1e9, 0.0)
            found.append((d.OFF, *args))
            present = False
        stretch = whole.pairs
        since: int | None = None  # first pair of the irregular, or regular, beats
        before = None
        for last in range(WINDOW - 1, len(stretch)):
            window = stretch[last - WINDOW + 1 : last + 1]
            now = irregular(window, p["limit_s"])
            now = now and (present or not mostly_ectopic(window))
            turned = now != before or since is None
            if turned:
                back = k.ONSET_BACK if now else k.END_BACK
                since = last - (WINDOW - 1 if before is None else back)
            before = now
            assert since is not None
            mine = stretch[since + 1 : last + 1]
            if not present and now:
                if turned:
                    onset = stretch[since].time
                if not long_enough(mine, p):
                    continue
                if explained(window):
                    before = False  # the next irregular window is judged anew
                    continue
                rate = WINDOW * 60e6 / sum(pair.second for pair in window)
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
