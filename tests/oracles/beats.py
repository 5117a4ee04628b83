"""Beats, batch and obvious: candidates are judged from lists without bounds but the rule's.

Shares only constants with the kernel.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from oracles.beat_candidates import (
    Candidate,
    Hills,
    Samples,
    blocks,
    candidate,
    floor_of,
    peak_to_top,
    power_of,
    stretches,
    without_holes,
)
from oracles.beat_shapes import Grid, Shapes
from telesurv_kernels import _beats_rule as k
from telesurv_kernels import _candidates as c
from telesurv_kernels import _shapes
from telesurv_kernels import _verdicts as v
from telesurv_kernels._dtypes import (
    BEAT,
    CANDIDATE,
    GAP,
    MARK,
    NOISE_SHIFT,
    STRENGTH_SHIFT,
    UNSURE,
)

Finding = tuple[int, int, int, float, int]
"""kind, sample, decided, value, flags"""


@dataclass
class Known:
    """What is known of a row, and outlasts a gap."""

    shapes: Shapes
    level: float = 0.0
    slope: float = 0.0  # of the usual beat
    learnt: bool = False
    calm: list[float] = field(default_factory=lambda: [0.0] * c.MEMORY)  # by quarter
    slow_noise: float = 0.0
    disturbance: float = 0.0
    unlike: int = 0  # quarters for which the signal still counts as unlike a heart's
    travel: float = 0.0
    known_share: float = 0.0  # of the last beats, those that known shapes explain
    untaught: int = 0  # usual beats since the last that was laid over the shapes
    last_uv: float = 0.0
    levels: list[int] = field(default_factory=lambda: [0] * c.MEMORY)  # by quarter, sums
    rough: list[bool] = field(default_factory=lambda: [False] * c.MEMORY)


@dataclass
class Judge:
    """What is found in one stretch that begins at `gap`."""

    n: Samples
    gap: int
    known: Known
    filled: NDArray[np.int64]
    totals: NDArray[np.int64]  # by block, as power
    power: NDArray[np.int64]
    bits: NDArray[np.uint8]
    scale_mv: float
    waiting: list[Candidate] = field(default_factory=list)
    peaks: list[int] = field(default_factory=list)
    strengths: list[float] = field(default_factory=list)
    slopes: list[float] = field(default_factory=list)
    rejected: list[float] = field(default_factory=list)
    found: list[Finding] = field(default_factory=list)
    scanned: int = 0

    def __post_init__(self) -> None:
        self.hills = Hills(self.n)
        self.floor = floor_of(self.known.level, self.n)
        self.known.levels = [0] * c.MEMORY
        self.quiet = self.gap
        self.learn_end = self.gap + (0 if self.known.learnt else self.n(k.LEARN_S))
        self.marked = self.gap // self.n.quarter
        self.grid = self.known.shapes.grid
        self.found.append((GAP, self.gap, self.gap, 0.0, 0))

    @property
    def noise(self) -> float:
        return v.NOISE_HILL * sorted(self.known.calm)[c.MEMORY // 2]

    @property
    def rr(self) -> int:
        if len(self.peaks) < 2:
            return self.n(k.RR_FIRST_S)
        recent = sorted(b - a for a, b in pairwise(self.peaks[-c.MEMORY - 1 :]))
        return min(max(recent[len(recent) // 2], self.n(k.RR_S[0])), self.n(k.RR_S[1]))

    def block_of(self, sample: int) -> int:
        """Return the block of the stretch in which a sample of the row lies."""
        return sample // self.n.block - self.gap // self.n.block

    def end_of(self, block: int) -> int:
        """Return the last sample of a block."""
        return (block + self.gap // self.n.block + 1) * self.n.block - 1

    def climb(self, now: int) -> None:
        """Follow the power by a block; consider what was a hill."""
        block = self.block_of(now)
        over = self.hills.step(block, int(self.power[block]), self.floor)
        if over is None:
            return
        top, power = self.end_of(over[0]) - self.gap, over[1]
        new = candidate(self.filled, self.bits, top, power, now - self.gap, self.scale_mv, self.n)
        if new is not None:
            new.peak += self.gap
            self.consider(new, now)

    def consider(self, new: Candidate, now: int) -> None:
        if self.peaks and new.peak - self.peaks[-1] < self.n(k.REFRACTORY_S):
            return
        for old in self.waiting:
            if old.explained and abs(old.peak - new.peak) < self.n(k.APART_S):
                old.uv, old.slope = max(old.uv, new.uv), max(old.slope, new.slope)
                return
        if self.waiting and not self.waiting[-1].explained:
            old = self.waiting[-1]
            distance = new.peak - old.peak
            alike = min(old.uv, new.uv) >= c.RIVAL_ALIKE * max(old.uv, new.uv)
            if distance < self.n(k.REFRACTORY_S) or (
                distance < min(self.n(k.RIVAL_S), c.RIVAL_RR * self.rr) and not alike
            ):
                if new.uv <= old.uv:
                    return
                self.waiting.pop()
        if len(self.waiting) == c.PENDING:
            return
        if self.known.disturbance > c.DISTURBED:
            first = max(new.peak - self.grid.around, self.gap + self.grid.before + self.grid.stride)
            past = min(self.scanned, new.peak + self.grid.around + 1)
            new.like = self.most_alike(np.arange(first, past, self.grid.step))
        self.put_in(new)

    def put_in(self, new: Candidate) -> None:
        self.waiting.append(new)
        self.waiting.sort(key=lambda one: one.peak)

    def likeness(self, at: NDArray[np.int64]) -> NDArray[np.float64]:
        shapes = self.known.shapes
        return shapes.likeness(self.filled, at - self.gap, _shapes.KNOWN_USES)[0]

    def most_alike(self, at: NDArray[np.int64]) -> float:
        return min(float(self.likeness(at).max()), c.UNEXPLAINED) if len(at) else 0.0

    def scan(self, now: int) -> None:
        end = now - self.grid.after
        reach = self.grid.before + self.grid.stride
        first = max(self.scanned, self.gap + reach, end - self.n.quarter)
        at = first + self.grid.step * np.arange((end - first) // self.grid.step)
        if not len(at):
            return
        self.scanned = int(at[-1]) + self.grid.step
        for peak, like in zip(at.tolist(), self.likeness(at).tolist(), strict=True):
            if like >= c.EXPLAINED:
                self.explain(peak, like)
        for one in [one for one in self.waiting if not one.explained]:
            near = at[abs(at - one.peak) <= self.grid.around]
            one.like = max(one.like, self.most_alike(near))

    def explain(self, peak: int, like: float) -> None:
        if self.peaks and peak - self.peaks[-1] < self.n(k.REFRACTORY_S):
            return
        near = [one for one in self.waiting if abs(one.peak - peak) < self.n(k.APART_S)]
        uv, slope = self.known.level, self.known.slope
        if near:
            old = min(near, key=lambda one: abs(one.peak - peak))
            if old.like >= like:
                return
            uv, slope = old.uv, old.slope
            self.waiting.remove(old)
        if len(self.waiting) < c.PENDING:
            around = self.n(k.PEAK_S)
            at = peak - self.gap
            span = self.filled[max(at - around, 0) : at + around + 1]
            height = (self.filled[at] * len(span) - span.sum()) / len(span) * self.scale_mv
            flags = UNSURE if self.bits[at] else 0
            self.put_in(Candidate(peak, uv, float(height), slope, flags, like))

    def judge(self, now: int) -> None:
        if not self.known.learnt and self.waiting:
            end = max(self.learn_end, self.waiting[0].peak + self.n(k.SETTLE_S))
            if now < end and len(self.waiting) < c.PENDING:
                return
            strongest = max(one.uv for one in self.waiting)
            self.known.learnt = True
            self.known.level = v.LEARNT_LEVEL * strongest
            self.known.slope = v.LEARNT_LEVEL * max(one.slope for one in self.waiting)
            self.rejected = []
        while self.waiting:
            verdict = self.verdict(now)
            if verdict is None:
                return
            first = self.waiting.pop(0)
            level = max(self.known.level, 1.0)
            strength = min(int(32 * first.uv / level), 255)
            above = min(int(4 * level / max(self.noise, 1.0)), 255)
            flags = first.told | strength << STRENGTH_SHIFT | above << NOISE_SHIFT
            kind = BEAT if verdict else CANDIDATE
            self.found.append((kind, first.peak, now, first.mv, flags))
            if not verdict:
                self.rejected.append(first.uv)
                continue
            if self.noise <= v.CALM * self.known.level and self.teaches(first):
                oldest = now - _shapes.CODES + 1 - self.gap
                self.known.shapes.learn(self.filled, first.peak - self.gap, max(oldest, 0))
            self.known.last_uv = first.uv
            self.known.known_share += (first.explained - self.known.known_share) / v.SHARE_BEATS
            self.peaks.append(first.peak)
            self.strengths.append(min(first.uv, v.LEVEL_RISE * self.known.level))
            recent = sorted(self.strengths[-c.MEMORY :])
            self.known.level = recent[int(v.LEVEL_QUANTILE * len(recent))]
            self.slopes.append(first.slope)
            recent = sorted(self.slopes[-min(c.MEMORY, len(self.strengths)) :])
            self.known.slope = recent[len(recent) // 2]
            self.quiet = first.peak
            safe = first.peak + self.n(k.REFRACTORY_S)
            while self.waiting and self.waiting[0].peak < safe:
                self.waiting.pop(0)

    def teaches(self, beat: Candidate) -> bool:
        known = self.known
        usual = (
            abs(beat.uv - known.level) <= v.USUAL * known.level
            and abs(beat.slope - known.slope) <= v.USUAL * known.slope
        )
        well_known = max(known.shapes.uses) >= v.WELL_KNOWN_USES
        known.untaught = (known.untaught + 1) % v.USUAL_EACH if usual and well_known else 0
        return known.untaught == 0

    def verdict(self, now: int) -> bool | None:
        first, *later = self.waiting
        settle = self.n(k.SETTLE_S)
        if now < first.peak + settle:
            return None
        if first.explained:
            return self.is_explained(first, later, now)
        disturbed = self.known.disturbance > c.DISTURBED
        near = first.peak + self.n(k.APART_S)
        if disturbed and any(one.explained and one.peak < near for one in later):
            return False
        if disturbed and first.like > 0:
            if now < first.peak + self.n(k.WAIT_S):
                return None
            if self.evidence(first, later) < v.EVIDENCE:
                return False
        rr = self.rr
        t_top, t_end = (self.n(at) for at in k.T_S)
        since = first.peak - self.peaks[-1] if self.peaks else max(2 * rr, t_end)
        after = since if self.peaks else first.peak - self.gap
        beyond = float(np.interp(after, (t_top, t_end), (0.0, 1.0)))
        steep = min([self.known.slope, *self.slopes[-1:]])
        if first.slope < v.T_SLOPE * (1 - beyond) * steep:
            return False
        strong = self.noise + v.STRONG * (self.known.level - self.noise)
        weak = max(self.noise + v.WEAK * (self.known.level - self.noise), v.WEAK * self.known.level)
        if first.uv >= strong:
            return True
        if first.uv < weak:
            return False
        followers = [one.peak for one in later if one.uv >= strong and now >= one.peak + settle]
        if not followers and now < first.peak + v.LAG_MARKS * self.n.quarter:
            return None
        until = followers[0] if followers else now
        between = [one for one in later if not followers or one.peak < until]
        if any(one.uv > first.uv and one.peak - first.peak < 0.5 * rr for one in between):
            return False
        share = v.STRONG + beyond * (v.CLEAR - v.STRONG)
        apart = until - first.peak > v.BEFORE_RR * rr
        like_last = v.LIKE_LAST * self.known.last_uv if self.peaks else np.inf
        if first.uv >= min(self.noise + share * (self.known.level - self.noise), like_last):
            return not followers or apart
        sharp = first.slope >= v.SHARP * abs(first.mv)
        calm = self.known.travel <= 1 and self.noise <= v.CALM * self.known.level
        if not followers and sharp and calm:
            return True
        if since <= v.AFTER_RR * rr:
            return False
        return apart if followers else since + until - first.peak > v.ALONE_RR * rr

    def is_explained(self, first: Candidate, later: list[Candidate], now: int) -> bool | None:
        apart = self.n(k.APART_S)
        if self.peaks and first.peak - self.peaks[-1] < apart:
            return False
        if now < first.peak + self.n(k.WAIT_S):
            return None
        return not any(one.peak - first.peak < apart and one.like > first.like for one in later)

    def evidence(self, first: Candidate, later: list[Candidate]) -> float:
        since = (first.peak - self.peaks[-1]) / self.rr if self.peaks else np.inf
        until = next((one.peak - first.peak for one in later if one.explained), np.inf) / self.rr
        terms = (
            np.log(max(first.like, v.LIKENESS_MIN)),
            v.UV_EVIDENCE * np.log(min(first.uv / self.known.level, v.UV_MAX)),
            v.SINCE_EVIDENCE * np.clip(since, *v.SINCE_RR),
            v.NEXT_EVIDENCE * np.clip(until, *v.NEXT_RR),
            -np.log(self.known.disturbance),
            -v.TRAVEL_EVIDENCE * np.log(max(self.known.travel, v.TRAVEL_MIN)),
            -v.SHARE_EVIDENCE * self.known.known_share,
        )
        return float(sum(terms))

    def unlike_heart(self, now: int) -> bool:
        known, slot = self.known, ((now + 1) // self.n.quarter - 1) % c.MEMORY
        quarter = self.n.quarter // self.n.block
        last = self.block_of(now) + 1
        early = np.concatenate([np.zeros(2, np.int64), self.totals[:last]])
        new = early[max(len(early) - quarter, 2) :]
        one, two = early[-len(new) - 1 : -1], early[-len(new) - 2 : -2]
        known.levels[slot] = int(new.sum())
        known.rough[slot] = bool(
            np.abs(new - 2 * one + two).sum() > v.ROUGH * np.abs(new - two).sum()
        )
        levels = known.levels[slot + 1 :] + known.levels[: slot + 1]
        base = np.convolve(levels, np.ones(v.BASE_QUARTERS, np.int64), "valid")
        travel_mv = np.ptp(base) / (v.BASE_QUARTERS * self.n.quarter) * self.scale_mv
        known.travel = travel_mv / max(v.TRAVEL_MV, v.TRAVEL * known.slope)
        return known.travel > 1 or sum(known.rough) > c.MEMORY // 2

    def disturb(self, unlike_heart: bool) -> None:
        known = self.known
        known.slow_noise += (self.noise - known.slow_noise) / v.SLOW_QUARTERS
        known.unlike = v.UNLIKE_QUARTERS if unlike_heart else max(known.unlike - 1, 0)
        known.disturbance = 0.0
        if known.unlike and max(known.shapes.uses) >= _shapes.KNOWN_USES:
            known.disturbance = min(self.noise, known.slow_noise) / known.level

    def mark(self, now: int, readable: NDArray[np.bool_]) -> None:
        quarter = self.n.quarter
        last = self.block_of(now) + 1
        calm = self.power[max(last - quarter // self.n.block, 0) : last].min()
        self.known.calm[now // quarter % c.MEMORY] = float(np.sqrt(calm / self.n.window))
        if now - self.quiet >= self.n(
            k.SILENT_S if len(self.peaks) >= v.KNOWN_BEATS else k.SILENT_NEW_S
        ):
            strongest = max(self.rejected[-c.MEMORY :], default=0.0)
            self.quiet, self.rejected, self.strengths = now, [], []
            self.known.shapes.uses = [0] * _shapes.SHAPES
            if strongest > 0 and strongest >= v.OLD_LEVEL * self.known.level:
                self.known.level = v.LEARNT_LEVEL * strongest
            else:
                self.known.level *= v.FADE
        self.floor = floor_of(self.known.level, self.n)
        self.disturb(self.unlike_heart(now))
        if self.known.disturbance > c.DISTURBED:
            self.scan(now)
        if not self.known.learnt and now < self.learn_end:
            return
        top = now + 1 if self.hills.top is None else self.end_of(self.hills.top)
        undecided = top - peak_to_top(self.n) - self.n(k.PEAK_S)
        if self.waiting:
            undecided = min(undecided, self.waiting[0].peak)
        decided = undecided // quarter
        if decided > self.marked:
            since = max(self.marked * quarter, self.gap)
            value = float(readable[since : decided * quarter].sum())
            self.found.append((MARK, decided * quarter, now, value, 0))
            self.marked = decided


def findings(
    codes: NDArray[np.int16],
    bits: NDArray[np.uint8],
    rate_hz: float,
    scale_mv: float,
    restarts: Iterable[int] = (),
) -> list[Finding]:
    """Return what the kernel finds in a row's whole signal."""
    n = Samples(rate_hz)
    found: list[Finding] = []
    known = Known(Shapes(Grid(rate_hz)))
    for gap, end in stretches(bits, restarts, n):
        filled, even = without_holes(codes[gap:end], bits[gap:end], rate_hz, scale_mv)
        totals = blocks(even, gap, n)
        power = power_of(totals, scale_mv, n)
        judge = Judge(n, gap, known, filled, totals, power, bits[gap:end], scale_mv)
        for now in range(gap, end):
            if (now + 1) % n.block:
                continue
            judge.climb(now)
            judge.judge(now)
            if (now + 1) % n.quarter == 0:
                judge.mark(now, bits == 0)
        found += judge.found
    return found
