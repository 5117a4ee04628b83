"""Classes of beats, batch and obvious: whole arrays for the signal, objects for the kinds.

Shares only constants with the kernel: `np.corrcoef` compares, `np.median` and `np.mean` measure
the rhythm, and the evidence is a dictionary of what it is.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from telesurv_kernels import _class_weights as w
from telesurv_kernels import _evidence as e
from telesurv_kernels import _kinds as k
from telesurv_kernels import classes as c
from telesurv_kernels._dtypes import BEAT, GAP, NORMAL, SUPRAVENTRICULAR, UNSURE, VENTRICULAR

Row = tuple[int, int, int, int]
"""kind, sample, decided, flags of what `beats` found"""
Array = NDArray[np.float64]


@dataclass(eq=False)
class Kind:
    shape: Array
    size: float
    width_s: float
    share: float = 0.0
    members: int = 0
    reigned: int = 0
    vote: float = 0.0
    rr_s: list[float] = field(default_factory=list)  # running means, newest last
    early: list[float] = field(default_factory=list)
    p_alike: float = 0.0


class Qrs(NamedTuple):
    middle: int  # block
    size: float
    width_s: float
    rough: float  # noise before it


class Times(NamedTuple):
    rr_s: float | None
    by_mean: float
    by_basic: float
    irregular: float
    unsteady: float


class Judged(NamedTuple):
    ventricular: float
    supraventricular: float
    p_alike: float


def towards(mean: float, value: float, members: int) -> float:
    return mean + (value - mean) / min(members, k.KIND_BEATS)


def last_of(means: list[float], otherwise: float) -> float:
    return means[-1] if means else otherwise


def rounded(share: float) -> float:
    """As the kernel stores it: which of the rarest kinds is given up depends on it."""
    return float(np.float32(share))


def correlation(x: Array, y: Array) -> float:
    return float(np.corrcoef(x, y)[0, 1]) if np.ptp(x) and np.ptp(y) else 0.0


def irregularity(rr_s: list[float]) -> float:
    steps = np.sort(np.abs(np.diff(rr_s)))
    return float(steps[len(steps) // 2] / np.mean(rr_s)) if len(steps) > 1 else 0.0


def unit(x: Array) -> Array:
    centred = x - x.mean()
    scaled: Array = centred * k.UNIT / np.linalg.norm(centred)
    return scaled


class Patient:
    """What is known of one lead."""

    def __init__(
        self, codes: NDArray[np.int16], bits: NDArray[np.uint8], rate_hz: float, restarts: set[int]
    ) -> None:
        self.factor = int(np.ceil(rate_hz / c.BLOCK_HZ_MAX))
        self.hz = rate_hz / self.factor
        filled = [0]
        for code in codes.tolist():
            filled.append(filled[-1] if code == -32768 else code)
        count = len(codes) // self.factor
        blocks = np.array(filled[1 : count * self.factor + 1]).reshape(count, self.factor)
        self.signal = np.floor(blocks.sum(1) / self.factor + 0.5)
        self.masked = bits[: count * self.factor].reshape(count, self.factor).any(1)
        for restart in restarts:
            if restart // self.factor < count:
                self.masked[restart // self.factor] = True
        self.kinds: list[Kind | None] = [None] * k.KINDS
        self.dominant: Kind | None = None
        self.beats = 0
        self.rr_s: list[float] = []
        self.basic_s: list[float] = []
        self.long: Array | None = None
        self.long_beats = 0
        self.gap(0)

    def n(self, seconds: float) -> int:
        return round(seconds * self.hz)

    def gap(self, sample: int) -> None:
        self.begin = -(-sample // self.factor)
        self.last: int | None = None
        self.last_rr_s: float | None = None
        self.last_kind: Kind | None = None
        self.last_ventricular = False
        self.row: list[Kind] = []
        self.sudden = 0

    def qrs(self, middle: int) -> Array:
        half = self.n(c.HALF_S)
        return self.signal[middle - half : middle + half + 1]

    def compare(self, middle: int, kind: Kind) -> tuple[float, int]:
        search = self.n(c.SEARCH_S)
        found = {}
        for shift in range(-search, search + 1):
            qrs = self.qrs(middle + shift)
            found[shift] = float(unit(qrs) @ kind.shape) / k.UNIT**2 if np.ptp(qrs) else 0.0
        at = 0
        for way in (1, -1):
            while found.get(at + way, -2.0) > found[at]:
                at += way
        best = found[at]
        if abs(at) < search:
            bend = found[at - 1] - 2 * best + found[at + 1]
            if bend < 0:
                best = min(best - (found[at - 1] - found[at + 1]) ** 2 / (8 * bend), 1.0)
        return best, at

    def resembled(self, middle: int, size: float) -> tuple[Kind | None, int, float, float, int]:
        """Return the kind, its shift, the similarity; correlation and shift of the dominant."""
        kind, shift, most, usual, usual_shift = None, 0, -2.0, 0.0, 0
        first = self.kinds.index(self.dominant) if self.dominant else 0
        for other in self.kinds[first:] + self.kinds[:first]:
            if other is None:
                continue
            correlated, at = self.compare(middle, other)
            larger = max(size, other.size)
            distance2 = (size**2 + other.size**2 - 2 * size * other.size * correlated) / larger**2
            similarity = 1 - distance2 / 2
            if similarity > most:
                kind, shift, most = other, at, similarity
            if other is self.dominant:
                usual, usual_shift = correlated, at
                if similarity >= k.SURELY_SIMILAR:
                    break
        return kind, shift, most, usual, usual_shift

    def judge(self, peak: int, decided: int, flags: int) -> int:
        block, known = peak // self.factor, (decided + 1) // self.factor
        rr_s = None if self.last is None else (peak - self.last) / (self.hz * self.factor)
        previous, was_ventricular = self.last_kind, self.last_ventricular
        self.last, self.last_kind, self.last_ventricular = peak, None, False
        half, search, before = self.n(c.HALF_S), self.n(c.SEARCH_S), self.n(c.BEFORE_S)
        reach = self.n(c.CENTRE_S) + search
        oldest = max(self.begin, known - k.RING)
        if block - reach - before - 1 < oldest or block + reach + half + 1 >= known:
            self.last_rr_s = None
            return 0
        qrs = self.measured(block)
        kind, shift, most, usual, usual_shift = self.resembled(qrs.middle, qrs.size)
        unreadable = self.masked[qrs.middle - half - search : qrs.middle + half + search + 1]
        if flags & UNSURE or unreadable.any():
            self.last_rr_s = None
            if kind is None or most < k.SIMILAR:
                return 0
            return VENTRICULAR if kind is not self.dominant and kind.vote > e.LEAN else NORMAL
        if kind is None or most < k.SIMILAR:
            shape = np.zeros(2 * half + 1)
            kind, shift = self.new_kind(Kind(shape, qrs.size, qrs.width_s)), 0
        if self.dominant is None:
            self.dominant, usual, usual_shift = kind, 1.0, 0
        times = self.timed(rr_s)
        origin = qrs.middle + usual_shift - before
        found = self.evidence(qrs, kind, usual, origin, times, known)
        together = e.TOGETHER * min(kind.members, k.KIND_BEATS) / k.KIND_BEATS
        evidence = (1 - together) * found.ventricular + together * kind.vote
        if was_ventricular and kind is not self.dominant and rr_s and rr_s < e.RUN_RR_S:
            evidence += e.RUN
        result = NORMAL
        regular = bool(rr_s) and times.irregular <= e.REGULAR
        if evidence > e.LEAN:
            result = VENTRICULAR
        elif found.supraventricular > e.LEAN_SUPRAVENTRICULAR and regular:
            result = SUPRAVENTRICULAR
        self.learn(kind, qrs.middle + shift, qrs, found)
        self.learn_times(kind, previous, times)
        self.take_over(kind)
        self.elect()
        sinus = rr_s is not None and times.by_mean > k.EARLY_MEAN
        whole = qrs.middle + shift - before
        end = whole + before + self.n(c.AFTER_S)
        if kind is self.dominant and sinus and end <= known:
            self.learn_long(self.signal[whole:end])
        self.last_kind, self.last_ventricular = kind, result == VENTRICULAR
        return result

    def measured(self, block: int) -> Qrs:
        x, around = self.signal, np.arange(-self.n(c.CENTRE_S), self.n(c.CENTRE_S) + 1)
        slopes = x[block + 1 + around] - x[block - 1 + around]
        energy = float((slopes**2).sum())
        middle = block + (int(np.rint((slopes**2 * around).sum() / energy)) if energy else 0)
        width_s = float(np.abs(slopes).sum() ** 2 / energy / self.hz) if energy else 0.0
        qrs = self.qrs(middle)
        size = max(float(np.linalg.norm(qrs - qrs.mean())), 1e-3)
        noise = np.diff(x[block - self.n(c.BEFORE_S) - 1 : block - self.n(c.CENTRE_S) + 1], 2)
        rms = size / np.sqrt(2 * self.n(c.HALF_S) + 1)
        rough = float(np.log(e.NOISE_MIN + np.sqrt(np.mean(noise**2)) / rms))
        return Qrs(middle, size, width_s, rough)

    def timed(self, rr_s: float | None) -> Times:
        last = self.rr_s[-k.INTERVALS :]
        mean_s = float(np.mean(last)) if last else (rr_s or k.RR_S_FIRST)
        basic_s, irregular = mean_s, irregularity(last)
        unsteady = irregular
        if len(self.basic_s) > 2:
            basic_s = float(np.mean(self.basic_s[-k.INTERVALS :]))
            unsteady = irregularity(self.basic_s[-k.INTERVALS :])
        if not rr_s:
            return Times(None, 1.0, 1.0, irregular, unsteady)
        return Times(rr_s, rr_s / mean_s, rr_s / basic_s, irregular, unsteady)

    def evidence(
        self, qrs: Qrs, kind: Kind, usual: float, origin: int, times: Times, known: int
    ) -> Judged:
        assert self.dominant is not None
        own, size, size_usual = kind is self.dominant, qrs.size, self.dominant.size
        distance2 = max(size**2 + size_usual**2 - 2 * size * size_usual * usual, 0.0)
        apart = min(float(np.sqrt(distance2)) / max(size, size_usual), 1.2)
        before, after = self.n(c.BEFORE_S), self.n(c.AFTER_S)
        t = before + int(c.T_BEGIN_S * self.hz), min(before + after, known - origin)
        t_alike = self.alike(origin, *t)
        p_alike = 0.0
        if times.rr_s and times.rr_s >= e.P_RR_S:
            p_alike = self.alike(origin, 0, before + int(c.P_END_S * self.hz))
        on_time = max(1 - abs(times.by_basic - 1) / e.ON_TIME, 0)
        due = on_time * max(1 - times.unsteady / e.ON_TIME, 0) * np.clip(p_alike, 0, 1)
        wider = 0.0 if own else float(np.log(kind.width_s / self.dominant.width_s))
        ventricular = {
            "early": np.clip((1 - times.by_mean) / (0.1 + times.irregular), 0, 3),
            "wider": np.clip(wider, -0.2, 0.7),
            "wide": np.clip((qrs.width_s - e.WIDE_S) / e.WIDER_S, 0, 1),
            "larger": np.clip(np.log(size / size_usual), 0, 1),
            "another T": np.clip(1 - t_alike, 0, 1.5),
            "opposite T": np.clip(-self.direction(qrs.middle, size, known), -1, 2),
            "of the dominant kind": float(own),
            "noise": np.clip(qrs.rough - e.NOISE_LOG, 0, 3),
            "was due": 0 if own or not times.rr_s else due,
        }
        supraventricular = {
            "early": np.clip((1 - times.by_basic) / (0.05 + min(times.unsteady, 0.4)), 0, 4),
            "another P": np.clip(1 - p_alike, 0, 1.5),
            "apart": apart,
        }
        return Judged(
            self.total(w.VENTRICULAR_WEIGHTS, list(ventricular.values())),
            self.total(w.SUPRAVENTRICULAR_WEIGHTS, list(supraventricular.values())),
            p_alike,
        )

    @staticmethod
    def total(weights: Sequence[float], features: Sequence[float]) -> float:
        total = weights[0] + float(np.dot(weights[1:], features))
        return float(np.clip(total, -e.EVIDENCE_MAX, e.EVIDENCE_MAX))

    def alike(self, origin: int, first: int, last: int) -> float:
        if self.long is None or last - first < 3:
            return 1.0
        return correlation(self.signal[origin + first : origin + last], self.long[first:last])

    def direction(self, middle: int, size: float, known: int) -> float:
        at = [middle + int(seconds * self.hz) for seconds in (*c.BASE_S, *c.T_S)]
        base = self.signal[at[0] : at[1]].mean()
        t = self.signal[at[2] : min(at[3], known - 1)] - base
        up = (self.qrs(middle) - base).sum() > 0
        rms = size / np.sqrt(2 * self.n(c.HALF_S) + 1)
        return float((t.mean() if len(t) else 0.0) / rms * (1 if up else -1))

    def new_kind(self, new: Kind) -> Kind:
        free = [i for i, kind in enumerate(self.kinds) if kind is None]
        known = [(kind.share, i) for i, kind in enumerate(self.kinds) if kind]
        used = [one for one in known if self.kinds[one[1]] is not self.dominant]
        self.kinds[free[0] if free else min(used)[1]] = new
        return new

    def learn_times(self, kind: Kind, previous: Kind | None, times: Times) -> None:
        rr_s, last_s = times.rr_s, self.last_rr_s
        fast = rr_s and rr_s < k.FAST_RR_S
        steady = times.by_mean >= k.EARLY_MEAN and times.by_basic <= e.LATE
        if (self.row and self.row[-1] is not kind) or fast or not steady:
            self.row = []
        self.row.append(kind)
        if rr_s is None:
            self.sudden = 0
            return
        kind.early.append(towards(last_of(kind.early, 1.0), times.by_mean, len(kind.early) + 1))
        kind.rr_s.append(towards(last_of(kind.rr_s, 0.0), rr_s, len(kind.rr_s) + 1))
        sudden = self.sudden > 0 or (last_s is not None and rr_s < e.SUDDEN * last_s)
        self.sudden = self.sudden + 1 if sudden and times.by_basic < e.SUDDEN else 0
        if self.sudden > e.SUDDEN_BEATS:
            self.sudden, self.basic_s = 0, []
        if rr_s < k.RR_S_MAX:
            self.rr_s.append(rr_s)
            self.last_rr_s = rr_s
            if not self.sudden and kind is self.dominant and previous is kind:
                self.basic_s.append(rr_s)

    def take_over(self, kind: Kind) -> None:
        old = self.dominant
        if old is None or old is kind or len(self.row) < k.ROW_BEATS or kind.p_alike <= k.ROW_P:
            return
        kind.share, old.share = max(kind.share, old.share), min(kind.share, old.share)
        old.reigned, kind.vote = 0, 0.0
        self.dominant = kind

    def learn(self, kind: Kind, middle: int, qrs: Qrs, found: Judged) -> None:
        kind.members += 1
        kind.vote = towards(kind.vote, found.ventricular, kind.members)
        kind.p_alike = towards(kind.p_alike, found.p_alike, kind.members)
        kind.size = towards(kind.size, qrs.size, kind.members)
        kind.width_s = towards(kind.width_s, qrs.width_s, kind.members)
        if np.ptp(self.qrs(middle)):
            rate = 1 / min(kind.members, k.KIND_BEATS)
            moved = kind.shape + rate * (unit(self.qrs(middle)) - kind.shape)
            kind.shape = np.rint(moved * k.UNIT / np.linalg.norm(moved))
        self.beats += 1
        fade = 1 / min(self.beats, k.SHARE_BEATS)
        for other in self.kinds:
            if other is not None:
                other.share = rounded(other.share * (1 - fade))
        kind.share = rounded(kind.share + fade)

    def elect(self) -> None:
        assert self.dominant is not None
        usual_s = last_of(self.dominant.rr_s, 0.0)
        weights = []
        for kind in self.kinds:
            if kind is None:
                weights.append(-1.0)
                continue
            weight = kind.share
            if last_of(kind.early, 1.0) < k.EARLY_RR:
                weight *= k.LESS
            if kind.rr_s and kind.rr_s[-1] < min(k.FAST_RR_S, k.FASTER * usual_s):
                weight *= k.MUCH_LESS
            if kind is self.dominant:
                weight *= k.STAYS
            elif kind.reigned >= k.REIGNED_BEATS:
                weight *= k.AGAIN
            weights.append(weight)
        elected = self.kinds[int(np.argmax(weights))]
        assert elected is not None
        if elected is not self.dominant:
            elected.vote = 0.0
        self.dominant = elected
        self.dominant.reigned += 1

    def learn_long(self, signal: Array) -> None:
        if not np.ptp(signal):
            return
        self.long_beats += 1
        rate = 1 / min(self.long_beats, k.KIND_BEATS)
        old = np.zeros(len(signal)) if self.long is None else self.long
        self.long = np.rint(old + rate * (unit(signal) - old))


def classes(
    codes: NDArray[np.int16],
    bits: NDArray[np.uint8],
    found: Iterable[Row],
    rate_hz: float,
    restarts: Iterable[int] = (),
) -> list[int]:
    """Return the class of each BEAT of a row's whole signal."""
    patient = Patient(codes, bits, rate_hz, set(restarts))
    judged = []
    for kind, sample, decided, flags in found:
        if kind == GAP:
            patient.gap(sample)
        elif kind == BEAT:
            judged.append(patient.judge(sample, decided, flags))
    return judged
