"""Beats, batch and obvious: whole arrays for the signal, lists for the candidates.

Shares only constants with the kernel. Filters are scipy's, sums are NumPy's, and the
candidates are judged from lists without bounds but those of the rule.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from telesurv_kernels import _candidates as c
from telesurv_kernels import beats as k
from telesurv_kernels._dtypes import BEAT, GAP, MARK, UNSURE
from telesurv_kernels.quality import MISSING

Finding = tuple[int, int, int, float, int]
"""kind, sample, decided, value, flags"""


@dataclass
class Candidate:
    peak: int
    uv: float
    mv: float
    slope: float
    flags: int


@dataclass
class Samples:
    """Turns the rule's durations into samples."""

    rate_hz: float

    def __call__(self, seconds: float) -> int:
        return round(seconds * self.rate_hz)


def stretches(
    bits: NDArray[np.uint8], restarts: Iterable[int], n: Samples
) -> list[tuple[int, int]]:
    """Return where signal begins, and where nothing more is known of it."""
    edges = sorted({0, *restarts, len(bits)})
    found = []
    for first, last in pairwise(edges):
        starts = []
        dead = n(k.DEAD_S)  # as if no signal had been there before
        for i in range(first, last):
            if not bits[i] & k.NO_SIGNAL:
                if dead >= n(k.DEAD_S):
                    starts.append(i)
                dead = 0
            elif starts:
                dead += 1
        found += list(pairwise([*starts, last]))
    return found


def without_holes(
    codes: NDArray[np.int16], bits: NDArray[np.uint8], scale_mv: float
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return codes and mV in which missing samples repeat the last one, without a step after."""
    filled = codes.astype(np.int64)
    mv = np.zeros(len(codes))
    offset = filled[0] * scale_mv
    for i in range(1, len(codes)):
        if bits[i] & MISSING:
            filled[i], mv[i] = filled[i - 1], mv[i - 1]
        else:
            if bits[i - 1] & MISSING:
                offset = filled[i] * scale_mv - mv[i - 1]
            mv[i] = filled[i] * scale_mv - offset
    return filled, mv


def power_of(mv: NDArray[np.float64], n: Samples) -> NDArray[np.int64]:
    """Return the sum of squares of the last POWER_S of the band, in whole uV."""
    band = mv
    for cutoff, kind in zip(k.BAND_HZ, ("highpass", "lowpass"), strict=True):
        band = signal.lfilter(*signal.butter(2, cutoff, kind, fs=n.rate_hz), band)
    uv = np.rint(np.clip(band * 1000, -k.BAND_UV_MAX, k.BAND_UV_MAX)).astype(np.int64)
    total = np.concatenate([np.zeros(n(k.POWER_S), np.int64), np.cumsum(uv**2)])
    power: NDArray[np.int64] = total[n(k.POWER_S) :] - total[: len(uv)]
    return power


def hills(power: NDArray[np.int64], n: Samples) -> dict[int, int]:
    """Return the top of each hill by the sample at which it is over."""
    found: dict[int, int] = {}
    valley, top = 0, None
    for i, height in enumerate(power.tolist()):
        if top is None:
            if height > 2 * valley:
                top = i
            valley = min(valley, height)
        elif height > power[top]:
            top = i
        elif 2 * height < power[top] or i - top >= n(k.HILL_S):
            found[i] = top
            valley, top = height, None
    return found


@dataclass
class Judge:
    """What is known of one stretch, and what was found in it."""

    n: Samples
    gap: int
    power: NDArray[np.int64]
    level: float
    calm: list[float]  # of the last quarters, by their number
    learnt: bool
    waiting: list[Candidate] = field(default_factory=list)
    peaks: list[int] = field(default_factory=list)
    strengths: list[float] = field(default_factory=list)
    slopes: list[float] = field(default_factory=list)
    slope: float = 0.0  # of the usual beat
    rejected: list[float] = field(default_factory=list)
    found: list[Finding] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.quiet = self.gap
        self.learn_end = self.gap + (0 if self.learnt else self.n(k.LEARN_S))
        self.marked = self.gap // self.n(k.MARK_S)
        self.found.append((GAP, self.gap, self.gap, 0.0, 0))

    @property
    def noise(self) -> float:
        return c.NOISE_HILL * sorted(self.calm)[c.MEMORY // 2]

    @property
    def rr(self) -> int:
        if len(self.peaks) < 2:
            return self.n(k.RR_FIRST_S)
        recent = sorted(b - a for a, b in pairwise(self.peaks[-c.MEMORY - 1 :]))
        return min(max(recent[len(recent) // 2], self.n(k.RR_S[0])), self.n(k.RR_S[1]))

    def consider(self, new: Candidate) -> None:
        if self.peaks and new.peak - self.peaks[-1] < self.n(k.REFRACTORY_S):
            return
        if self.waiting:
            old = self.waiting[-1]
            distance = new.peak - old.peak
            alike = min(old.uv, new.uv) >= c.RIVAL_ALIKE * max(old.uv, new.uv)
            if distance < self.n(k.REFRACTORY_S) or (
                distance < min(self.n(k.RIVAL_S), c.RIVAL_RR * self.rr) and not alike
            ):
                if new.uv > old.uv:
                    self.waiting[-1] = new
                return
        if len(self.waiting) < c.PENDING:
            self.waiting.append(new)

    def judge(self, now: int) -> None:
        if not self.learnt and self.waiting:
            end = max(self.learn_end, self.waiting[0].peak + self.n(k.SETTLE_S))
            if now < end and len(self.waiting) < c.PENDING:
                return
            strongest = max(one.uv for one in self.waiting)
            self.learnt = True
            self.level = c.LEARNT_LEVEL * strongest
            self.rejected = []
        while self.waiting:
            verdict = self.verdict(now)
            if verdict is None:
                return
            first = self.waiting.pop(0)
            if not verdict:
                self.rejected.append(first.uv)
                continue
            self.found.append((BEAT, first.peak, now, first.mv, first.flags))
            self.peaks.append(first.peak)
            self.strengths.append(min(first.uv, c.LEVEL_RISE * self.level))
            recent = sorted(self.strengths[-c.MEMORY :])
            self.level = recent[int(c.LEVEL_QUANTILE * len(recent))]
            self.slopes.append(first.slope)
            recent = sorted(self.slopes[-min(c.MEMORY, len(self.strengths)) :])
            self.slope = recent[len(recent) // 2]
            self.quiet = first.peak
            safe = first.peak + self.n(k.REFRACTORY_S)
            while self.waiting and self.waiting[0].peak < safe:
                self.waiting.pop(0)

    def verdict(self, now: int) -> bool | None:
        first, *later = self.waiting
        settle = self.n(k.SETTLE_S)
        if now < first.peak + settle:
            return None
        rr = self.rr
        t_top, t_end = (self.n(at) for at in k.T_S)
        since = first.peak - self.peaks[-1] if self.peaks else max(2 * rr, t_end)
        beyond = float(np.interp(since, (t_top, t_end), (0.0, 1.0)))
        steep = min(self.slope, self.slopes[-1]) if self.slopes else 0.0
        if first.slope < c.T_SLOPE * (1 - beyond) * steep:
            return False
        strong = self.noise + c.STRONG * (self.level - self.noise)
        weak = max(self.noise + c.WEAK * (self.level - self.noise), c.WEAK * self.level)
        if first.uv >= strong:
            return True
        if first.uv < weak:
            return False
        followers = [one.peak for one in later if one.uv >= strong and now >= one.peak + settle]
        if not followers and now < first.peak + c.LAG_MARKS * self.n(k.MARK_S):
            return None
        until = followers[0] if followers else now
        between = [one for one in later if not followers or one.peak < until]
        if any(one.uv > first.uv and one.peak - first.peak < 0.5 * rr for one in between):
            return False
        share = c.STRONG + beyond * (c.CLEAR - c.STRONG)
        apart = until - first.peak > c.BEFORE_RR * rr
        if first.uv >= self.noise + share * (self.level - self.noise):
            return not followers or apart
        if since <= c.AFTER_RR * rr:
            return False
        return apart if followers else since + until - first.peak > c.ALONE_RR * rr

    def mark(self, now: int, readable: NDArray[np.bool_]) -> None:
        quarter = self.n(k.MARK_S)
        calm = self.power[max(now + 1 - quarter - self.gap, 0) : now + 1 - self.gap].min()
        self.calm[now // quarter % c.MEMORY] = float(np.sqrt(calm / self.n(k.POWER_S)))
        if now - self.quiet >= self.n(
            k.SILENT_S if len(self.peaks) >= c.KNOWN_BEATS else k.SILENT_NEW_S
        ):
            strongest = max(self.rejected[-c.MEMORY :], default=0.0)
            self.quiet, self.rejected, self.strengths = now, [], []
            if strongest > 0 and strongest >= c.OLD_LEVEL * self.level:
                self.level = c.LEARNT_LEVEL * strongest
            else:
                self.level *= c.FADE
        if not self.learnt and now < self.learn_end:
            return
        decided = (now + 1) // quarter - c.CONFIRM_MARKS
        if self.waiting:
            decided = min(decided, self.waiting[0].peak // quarter)
        if decided > self.marked:
            since = max(self.marked * quarter, self.gap)
            value = float(readable[since : decided * quarter].sum())
            self.found.append((MARK, decided * quarter, now, value, 0))
            self.marked = decided


def candidates(
    filled: NDArray[np.int64],
    power: NDArray[np.int64],
    bits: NDArray[np.uint8],
    gap: int,
    scale_mv: float,
    n: Samples,
) -> dict[int, Candidate]:
    """Return the candidates of a stretch that begins at `gap` by the sample that shows them."""
    floor = round(n(k.POWER_S) * k.FLOOR_UV**2)
    delay = n(k.POWER_S) // 2 + n(k.BAND_DELAY_S)
    found = {}
    for over, top in hills(power, n).items():
        first = max(top - delay - n(k.PEAK_S), 0, over - c.CODES + 1)
        last = min(top - delay + n(k.PEAK_S), over)
        if power[top] < floor or last < first:
            continue
        near = filled[first : last + 1]
        peak = first + int(np.argmax(np.abs(near * len(near) - near.sum())))
        uv = float(np.sqrt(power[top] / n(k.POWER_S)))
        height = float((filled[peak] * len(near) - near.sum()) / len(near) * scale_mv)
        step = n(k.STEP_S)
        slope = float(np.abs(near[step:] - near[:-step]).max(initial=0) * scale_mv)
        found[gap + over] = Candidate(gap + peak, uv, height, slope, UNSURE if bits[peak] else 0)
    return found


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
    level, calm, learnt = 0.0, [0.0] * c.MEMORY, False
    for gap, end in stretches(bits, restarts, n):
        filled, mv = without_holes(codes[gap:end], bits[gap:end], scale_mv)
        power = power_of(mv, n)
        judge = Judge(n, gap, power, level, calm, learnt)
        seen = candidates(filled, power, bits[gap:end], gap, scale_mv, n)
        for now in range(gap, end):
            if now in seen:
                judge.consider(seen[now])
            judge.judge(now)
            if (now + 1) % n(k.MARK_S) == 0:
                judge.mark(now, bits == 0)
        found += judge.found
        level, learnt = judge.level, judge.learnt
    return found
