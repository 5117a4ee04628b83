"""Classes of beats, batch and obvious: whole arrays for the signal, objects for the kinds.

Shares only constants with the kernel: `np.corrcoef` compares, `np.median` and `np.mean` measure
the rhythm, and the evidence is a dictionary of what it is.
"""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from oracles.class_parts import (
    Array,
    Judged,
    Kind,
    Qrs,
    Times,
    correlation,
    irregularity,
    last_of,
    onset_of,
    rounded,
    towards,
    unit,
)
from telesurv_kernels import _class_weights as w
from telesurv_kernels import _evidence as e
from telesurv_kernels import _kinds as k
from telesurv_kernels import classes as c
from telesurv_kernels._dtypes import BEAT, GAP, NORMAL, SUPRAVENTRICULAR, UNSURE, VENTRICULAR

Row = tuple[int, int, int, int]
"""kind, sample, decided, flags of what `beats` found"""


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
        self.p: Array | None = None
        self.p_beats = 0
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

    def resembled(self, middle: int, size: float) -> tuple[Kind | None, int, float, int]:
        """Return the kind, its shift, the similarity; shift of the dominant."""
        kind, shift, most, usual_shift = None, 0, -2.0, 0
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
                usual_shift = at
                if similarity >= k.SURELY_SIMILAR:
                    break
        return kind, shift, most, usual_shift

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
        kind, shift, most, usual_shift = self.resembled(qrs.middle, qrs.size)
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
            self.dominant, usual_shift = kind, 0
        times = self.timed(rr_s)
        p_alike = 0.0
        if times.rr_s and times.rr_s >= e.P_RR_S:
            oldest = block - reach - before - 1
            firsts = [qrs.middle + usual_shift - before]
            if kind is not self.dominant:
                firsts = self.p_firsts(qrs.onset, oldest)
            p_alike = max(self.p_alike(first) for first in firsts)
        follows_usual = previous is not None and previous is self.dominant
        found = self.evidence(qrs, kind, p_alike, times, follows_usual, known)
        together = e.TOGETHER * min(kind.members, k.KIND_BEATS) / k.KIND_BEATS
        evidence = (1 - together) * found.ventricular + together * kind.vote
        if was_ventricular and kind is not self.dominant and rr_s and rr_s < e.RUN_RR_S:
            evidence += e.RUN
        regular = bool(rr_s) and times.irregular <= e.REGULAR
        premature = regular and found.supraventricular > e.LEAN_SUPRAVENTRICULAR
        aberrant = kind is not self.dominant and evidence + found.too_early > e.LEAN
        result = SUPRAVENTRICULAR if premature or aberrant else NORMAL
        if evidence > e.LEAN:
            result = VENTRICULAR
        came_early = bool(self.last_rr_s) and self.last_rr_s < k.EARLY_RR * times.basic_s
        if previous and kind is self.dominant is not previous and rr_s and came_early:
            pauses = previous.pauses
            pause = float(np.clip((self.last_rr_s + rr_s) / times.basic_s - 2, -1, 1))
            pauses.append(towards(last_of(pauses, 0.0), pause, len(pauses) + 1))
        self.learn(kind, qrs.middle + shift, qrs, found)
        self.learn_times(kind, previous, times)
        self.take_over(kind)
        self.elect()
        if kind is self.dominant and rr_s is not None and times.by_mean > k.EARLY_MEAN:
            self.learn_p(qrs.middle + shift - before, qrs.size)
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
        first = onset_of(slopes)
        begin = float(np.abs(slopes[first : first + self.n(c.INITIAL_S)]).sum()) / 2
        return Qrs(middle, size, width_s, rough, block - self.n(c.CENTRE_S) + first, begin)

    def timed(self, rr_s: float | None) -> Times:
        last = self.rr_s[-k.INTERVALS :]
        mean_s = float(np.mean(last)) if last else (rr_s or k.RR_S_FIRST)
        basic_s, irregular = mean_s, irregularity(last)
        unsteady = irregular
        if len(self.basic_s) > 2:
            basic_s = float(np.mean(self.basic_s[-k.INTERVALS :]))
            unsteady = irregularity(self.basic_s[-k.INTERVALS :])
        if not rr_s:
            return Times(None, 1.0, 1.0, irregular, unsteady, basic_s)
        return Times(rr_s, rr_s / mean_s, rr_s / basic_s, irregular, unsteady, basic_s)

    def evidence(
        self, qrs: Qrs, kind: Kind, p_alike: float, times: Times, follows_usual: bool, known: int
    ) -> Judged:
        assert self.dominant is not None
        own, rms = kind is self.dominant, qrs.size / np.sqrt(2 * self.n(c.HALF_S) + 1)
        on_time = max(1 - abs(times.by_basic - 1) / e.ON_TIME, 0)
        steady = max(1 - times.unsteady / e.ON_TIME, 0)
        due = on_time * steady * np.clip(p_alike, 0, 1)
        wider = 0.0 if own else float(np.log(kind.width_s / self.dominant.width_s))
        early = float(np.clip(1 - times.by_mean, 0, e.EARLY_ENOUGH))
        excitable = (times.by_mean - e.REFRACTORY) / (e.EXCITABLE - e.REFRACTORY)
        too_early = early * float(1 - np.clip(excitable, 0, 1)) if follows_usual else 0.0
        pause = np.clip(last_of(kind.pauses, e.PAUSE), e.SHORT_PAUSE, 0)
        paused = steady * pause + (1 - steady) * e.PAUSE - e.SHORT_PAUSE
        shorter = 1 - times.rr_s / self.last_rr_s if times.rr_s and self.last_rr_s else 0.0
        another_p = np.clip(1 - p_alike, 0, 1.5)
        ventricular = {
            "early": early - too_early,
            "wider": np.clip(wider, -0.2, 0.7),
            "wide": np.clip((qrs.width_s - e.WIDE_S) / e.WIDER_S, 0, 1),
            "larger": np.clip(np.log(qrs.size / self.dominant.size), 0, 1),
            "opposite T": np.clip(-self.direction(qrs.middle, qrs.size, known), -1, 2),
            "of the dominant kind": float(own),
            "noise": np.clip(qrs.rough - e.NOISE_LOG, 0, 3),
            "was due": 0 if own or not times.rr_s else due,
            "steep": np.clip(np.log(e.NOISE_MIN + qrs.begin / rms), -1, 1.5),
            "paused": 0 if own else paused,
            "another P": another_p,
        }
        supraventricular = {
            "another P": another_p,
            "early": np.clip((1 - times.by_basic) / (0.05 + min(times.unsteady, 0.4)), 0, 4),
            "irregular": np.clip(times.irregular, 0, 0.4),
            "shorter": np.clip(shorter - e.SHORTER, 0, e.SHORTER_ENOUGH),
            "follows a usual beat": float(follows_usual),
            "unsteady": np.clip(times.unsteady, 0, 0.4),
        }
        return Judged(
            self.total(w.VENTRICULAR_WEIGHTS, list(ventricular.values())),
            self.total(w.SUPRAVENTRICULAR_WEIGHTS, list(supraventricular.values())),
            p_alike,
            too_early * w.VENTRICULAR_WEIGHTS[1],
        )

    @staticmethod
    def total(weights: Sequence[float], features: Sequence[float]) -> float:
        total = weights[0] + float(np.dot(weights[1:], features))
        return float(np.clip(total, -e.EVIDENCE_MAX, e.EVIDENCE_MAX))

    def p_firsts(self, onset: int, oldest: int) -> list[int]:
        """Return where the P may begin, the QRS' onset upon that of the dominant kind."""
        assert self.dominant is not None
        shape, half, lag = self.dominant.shape, self.n(c.HALF_S), self.n(c.SEARCH_S) // 2
        usual_onset = 1 + onset_of(shape[2:] - shape[:-2]) - half
        first = onset - usual_onset - self.n(c.BEFORE_S)
        return [max(first + by, oldest) for by in range(-lag, lag + 1)]

    def p_alike(self, first: int) -> float:
        if self.p is None:
            return 1.0
        return correlation(self.signal[first : first + self.n(c.P_S)], self.p)

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
        slowly = kind is self.dominant and rr_s >= k.FAST_RR_S
        if self.sudden > (k.INTERVALS if slowly else e.SUDDEN_BEATS):
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

    def learn_p(self, first: int, size: float) -> None:
        signal = self.signal[first : first + self.n(c.P_S)]
        new = (signal - signal.mean()) * k.UNIT / size
        self.p_beats += 1
        old = np.zeros(len(new)) if self.p is None else self.p
        moved = old + (new - old) / min(self.p_beats, k.KIND_BEATS)
        self.p = np.rint(np.clip(moved, -k.UNIT, k.UNIT))


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
