"""Leads of one heart, obvious: sorted lists, and leads that are all there from begin to end.

Shares only constants with the kernel. It knows no lanes, no queue and no leads that come, lag or
end: all events are there, and are sorted by when they were decided.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from telesurv_kernels import _dtypes as d
from telesurv_kernels import _heard as h
from telesurv_kernels import _lanes as n
from telesurv_kernels import _runs as r
from telesurv_kernels import _testimony as t
from telesurv_kernels import _vote as v
from telesurv_kernels._pending import SLACK_NS

Event = tuple[int, int, int, float, int]
"""kind, time_ns, decided_ns, value, flags"""


@dataclass
class Peak:
    lead: int
    time: int
    value: float
    flags: int
    beat: bool

    @property
    def strength(self) -> float:
        return (self.flags >> d.STRENGTH_SHIFT & 255) / 32

    @property
    def clear(self) -> float:
        ratio = (self.flags >> d.NOISE_SHIFT & 255) / 4
        return float(np.clip(np.log2(max(ratio, 0.25)), t.CLEAR_MIN, t.CLEAR_MAX))

    @property
    def wide(self) -> bool:
        called = self.flags >> d.CLASS_SHIFT & d.CLASS_MASK
        return called == d.VENTRICULAR and not self.flags & d.UNSURE


@dataclass
class Ear:
    """What is known of one lead."""

    speaking: bool = False
    mark: int = 0
    told: int = 0
    readable: int = 0
    beat: int = 0
    fibrillates: int = 0
    since: int = 0
    contrast: float = n.CONTRAST_FIRST
    found: float = n.FOUND_FIRST
    misses: float = t.ERRORS_FIRST
    invents: float = t.ERRORS_FIRST
    struck: int = 0
    rejects: float = n.REJECTS_FIRST
    reject: float = 0.0
    run: int = 0
    height: float = 0.0

    @property
    def odds(self) -> float:
        return float(np.log(self.found / (1 - self.found)))

    def hear(self, kind: int, time: int, value: float, flags: int) -> None:
        if kind == d.MARK:
            if value < time - self.mark - SLACK_NS:
                self.readable = time
            self.mark, self.speaking = time, True
        elif kind == d.GAP:
            self.mark = self.told = self.readable = time
            self.speaking = False
            self.run = 0
        elif kind == d.BEAT:
            octaves = np.log2(max((flags >> d.NOISE_SHIFT & 255) / 4, n.CONTRAST_MIN))
            self.contrast += n.SMOOTH_CONTRAST * (octaves - self.contrast)
            self.beat = time
        elif kind == d.FIBRILLATION:
            self.fibrillates, self.since = int(value), time
        if kind in (d.MARK, d.BEAT, d.CANDIDATE):
            self.told = max(self.told, time)


def thousandths(odds: float) -> int:
    return int(np.rint(1000 * odds))


@dataclass
class Heart:
    p: Any
    ears: dict[int, Ear]
    out: list[Event] = field(default_factory=list)
    peaks: list[Peak] = field(default_factory=list)
    beats: list[int] = field(default_factory=list)
    now: int = 0
    marked: int = 0
    resumed: bool = False
    fibrillates: int = 0
    followed: int = -1

    def speakers(self) -> dict[int, Ear]:
        return {
            lead: ear
            for lead, ear in self.ears.items()
            if ear.speaking and self.now - ear.mark <= n.SPEAKS_NS
        }

    def intervals(self) -> list[int]:
        found = np.diff(self.beats)[-t.RR :].tolist()
        return found if len(found) >= t.RR_KNOWN else []

    def usual(self) -> int:
        intervals = self.intervals()
        if not intervals:
            return t.RR_FIRST_NS
        middle = sorted(intervals)[len(intervals) // 2]
        return max(min(middle, t.RR_NS[1]), t.RR_NS[0])

    def irregularity(self) -> float:
        intervals = self.intervals()
        if not intervals:
            return t.IRREGULAR_FIRST
        steps = np.abs(np.diff(intervals))
        return min(int(steps.sum()) / (len(steps) * self.usual()), t.IRREGULAR_MAX)

    def mate(self, first: Peak, lead: int) -> Peak | None:
        if lead == first.lead:
            return first
        after = self.peaks[self.peaks.index(first) + 1 :]
        for peak in after:
            if peak.lead == lead and peak.beat and peak.time - first.time <= v.PAIR_NS:
                return peak
        near = [
            peak
            for peak in self.peaks
            if peak.lead == lead
            and not peak.beat
            and abs(peak.time - first.time) < v.REJECT_PAIR_NS
        ]
        return min(near, key=lambda peak: abs(peak.time - first.time), default=None)

    def elapse(self, until: int) -> None:
        """Judge what has waited long enough before `until`."""
        while first := next((peak for peak in self.peaks if peak.beat), None):
            due = max(first.time + v.PATIENCE_NS, self.now)
            if due >= until:
                return
            self.now = due
            self.decide(late=True)
            self.mark()

    def take(self, event: Any) -> None:
        kind, time = int(event["kind"]), int(event["time_ns"])
        lead, value, flags = int(event["lead"]), float(event["value"]), int(event["flags"])
        self.elapse(int(event["decided_ns"]))
        self.now = int(event["decided_ns"])
        self.ears[lead].hear(kind, time, value, flags)
        if kind == d.GAP and not self.speakers() and not self.resumed:
            self.decide(force=True)
            self.peaks, self.beats, self.marked, self.resumed = [], [], time, True
            self.out.append((d.GAP, time, self.now, 0.0, 0))
            return
        if kind in (d.BEAT, d.CANDIDATE) and time >= self.marked:
            self.peaks.append(Peak(lead, time, value, flags, kind == d.BEAT))
            self.peaks.sort(key=lambda peak: peak.time)
        elif kind == d.FIBRILLATION:
            self.fibrillation(time)
        self.decide()
        self.mark()

    def decide(self, late: bool = False, force: bool = False) -> None:
        while True:
            self.fold()
            first = next((peak for peak in self.peaks if peak.beat), None)
            if first is None:
                return
            over = force or (late and self.now >= first.time + v.PATIENCE_NS)
            if not over and any(self.may_follow(first, lead) for lead in self.speakers()):
                return
            mates, votes = self.poll(first)
            voices = [lead for lead, vote in votes.items() if vote == t.FOR]
            if not voices:
                self.peaks.remove(first)
                continue
            told = max(voices, key=self.worth(first, voices, mates))
            last = max(mates[lead].time for lead in voices)
            far = last - first.time > v.FAR_NS
            time = (first.time + last) // 2 if far else mates[told].time
            verdict = self.judge(first.time, time, mates, votes)
            if verdict:
                witness = self.witness(told, voices, mates)
                said = mates[witness]
                flags = said.flags | witness << d.LEAD_SHIFT
                flags |= self.longest_run(voices, mates) << d.RUN_SHIFT
                self.out.append((d.BEAT, time, self.now, said.value, flags))
                self.beats.append(time)
                self.followed = told
            self.learn(verdict, votes, mates)
            gone = [id(mate) for mate in mates.values()]
            self.peaks = [one for one in self.peaks if id(one) not in gone]

    def learn(self, verdict: bool, votes: dict[int, int], mates: dict[int, Peak]) -> None:
        for lead, vote in votes.items():
            ear = self.ears[lead]
            if vote == t.FOR:
                ear.invents += v.SMOOTH_ERRORS * ((not verdict) - ear.invents)
                ear.invents = max(ear.invents, t.ERRORS_MIN)
            if vote not in (t.FOR, t.SILENT):
                continue
            if verdict:
                found = ear.found + v.SMOOTH_FOUND * ((vote == t.FOR) - ear.found)
                ear.found = min(max(found, v.FOUND_MIN), v.FOUND_MAX)
                ear.misses += v.SMOOTH_ERRORS * ((vote == t.SILENT) - ear.misses)
                ear.misses = max(ear.misses, t.ERRORS_MIN)
                ear.struck = self.beats[-1] if vote == t.FOR else ear.struck
                ear.rejects += n.SMOOTH_REJECTS * (ear.reject - ear.rejects)
                ear.reject = 0.0
            elif lead in mates:
                ear.reject = max(ear.reject, min(mates[lead].strength, 1.0))

    def witness(self, told: int, voices: list[int], mates: dict[int, Peak]) -> int:
        wide = [lead for lead in voices if mates[lead].wide]
        return told if told in wide else min(wide, default=told)

    def longest_run(self, voices: list[int], mates: dict[int, Peak]) -> int:
        for lead, ear in self.ears.items():
            if lead not in voices:
                ear.run = 0
                continue
            flags, height = mates[lead].flags, abs(mates[lead].value)
            low, high = sorted((height, ear.height))
            ear.height = height
            ear.run = min(ear.run + 1, d.RUN_MASK) if high <= r.HEIGHTS * low else 1
            drowned = flags >> d.NOISE_SHIFT & 255 <= r.DROWNED
            if (
                flags >> d.CLASS_SHIFT & d.CLASS_MASK != d.VENTRICULAR
                or flags & d.UNSURE
                or drowned
            ):
                ear.run = 0
        return max(self.ears[lead].run for lead in voices)

    def fold(self) -> None:
        told = [ear.told for ear in self.speakers().values()]
        waiting = [peak.time for peak in self.peaks if peak.beat][:1]
        horizon = max(min([self.now, *told]), self.now - n.SPEAKS_NS)
        horizon = min([horizon, *waiting]) - v.REJECT_PAIR_NS
        while self.peaks and not self.peaks[0].beat and self.peaks[0].time < horizon:
            peak = self.peaks.pop(0)
            ear = self.ears[peak.lead]
            ear.reject = max(ear.reject, min(peak.strength, 1.0))

    def may_follow(self, first: Peak, lead: int) -> bool:
        mate = self.mate(first, lead)
        return self.ears[lead].told < first.time + v.PAIR_NS and not (mate and mate.beat)

    def poll(self, first: Peak) -> tuple[dict[int, Peak], dict[int, int]]:
        speakers = self.speakers()
        found = {lead: self.mate(first, lead) for lead in speakers or self.ears}
        mates = {lead: peak for lead, peak in found.items() if peak}
        votes = {}
        for lead in found:
            if lead in mates and mates[lead].beat:
                votes[lead] = t.FOR
            elif lead in speakers:
                ear = self.ears[lead]
                if ear.readable <= first.time - v.REJECT_PAIR_NS:
                    votes[lead] = t.SILENT
                elif first.time - ear.struck < v.ALIVE_NS:
                    votes[lead] = t.UNREAD
        return mates, votes

    def worth(self, first: Peak, voices: list[int], mates: dict[int, Peak]) -> Any:
        apart = any(mates[lead].time - first.time > v.APART_NS for lead in voices)

        def of(lead: int) -> tuple[float, int]:
            ear, mate = self.ears[lead], mates[lead]
            if apart:
                worth = mate.clear + 2 * np.log2(max(min(mate.strength, 1), t.STRENGTH_MIN))
            else:
                worth = ear.contrast + 0.5 * ear.odds + v.KEEP * (lead == self.followed)
            worth -= v.UNSURE_ODDS * bool(mate.flags & d.UNSURE)
            return worth, -lead

        return of

    def judge(self, first: int, time: int, mates: dict[int, Peak], votes: dict[int, int]) -> bool:
        if self.beats and time - self.beats[-1] < t.REFRACTORY_NS:
            return False
        if set(votes.values()) == {t.FOR}:
            return True
        said = [self.said((first, time), lead, votes[lead], mates.get(lead)) for lead in votes]
        total = np.sum([*said, self.timing(time, votes)], axis=0)
        return float(sum(self.p["weights"] * total)) > 0

    def said(
        self, at: tuple[int, int], lead: int, vote: int, mate: Peak | None
    ) -> NDArray[np.int64]:
        ear, of, (first, time) = self.ears[lead], np.zeros(t.FEATURES), at
        share = min(mate.strength, 1) if mate else 0.0
        trace = np.log2(max(share, t.TRACE_MIN))
        if vote == t.FOR and mate:
            of[t.FOR_CLEAR] = mate.clear
            above = max(share, t.STRENGTH_MIN) / max(ear.rejects, t.REJECTS_MIN)
            of[t.FOR_STRONG] = np.log(above)
            of[t.FOR_UNSURE] = mate.flags & d.UNSURE
            of[t.FOR_INVENTS] = np.log(ear.invents)
            if like := mate.flags >> d.LIKE_SHIFT & d.LIKE_MASK:
                of[t.FOR_COMPARED], of[t.FOR_LIKE] = 1, like - t.LIKE_MIDDLE
        elif vote == t.SILENT:
            of[t.SILENT_MISSES], of[t.SILENT_FOUND] = np.log(ear.misses), ear.odds
            silence = (first - ear.struck) / self.usual()
            of[t.SILENT_LONG] = np.log2(np.clip(silence, 1, t.LONG_RR))
            of[t.SILENT_NOTHING if mate is None else t.TRACE] = 1
            if mate:
                of[t.TRACE_STRONG], of[t.TRACE_CLEAR] = trace, mate.clear
            elif not self.busy(lead, time):
                of[t.SILENT_CLEAR] = np.clip(ear.contrast, 0, t.CLEAR_MAX) * ear.found**t.RR
        elif vote == t.UNREAD:
            of[t.UNREAD_NOTHING if mate is None else t.UNREAD_TRACE] = 1
            of[t.UNREAD_STRONG] = trace if mate else 0
        return np.rint(1000 * of).astype(np.int64)

    def busy(self, lead: int, time: int) -> bool:
        own = [peak.time for peak in self.peaks if peak.lead == lead and peak.beat]
        return any(abs(at - time) < t.RIVAL_NS for at in [*own, self.ears[lead].struck])

    def timing(self, time: int, votes: dict[int, int]) -> NDArray[np.int64]:
        of = np.zeros(t.FEATURES)
        of[t.BIAS] = 1
        if self.beats:
            irregular = self.irregularity()
            share = (time - self.beats[-1]) / self.usual()
            of[t.LATE] = np.clip(share - t.LATE_RR, 0, t.LATE_RR_MAX)
            of[t.EARLY] = min(max(1 - share, 0) / (t.EARLY_MIN + irregular), t.EARLY_MAX)
            of[t.IRREGULAR] = irregular
            saw = [self.ears[lead].struck for lead, vote in votes.items() if vote == t.FOR]
            close = time - self.beats[-1] < t.RIVAL_NS
            of[t.SPLIT] = close and max(saw) < self.beats[-1]
        return np.rint(1000 * of).astype(np.int64)

    def mark(self) -> None:
        speakers = self.speakers().values()
        if not speakers:
            return
        waiting = [peak.time for peak in self.peaks if peak.beat][:1]
        until = min([self.now, *(ear.mark for ear in speakers), *waiting])
        if until <= self.marked:
            return
        lengths = [min(ear.mark, until) - max(ear.readable, self.marked) for ear in speakers]
        self.marked, self.resumed = until, False
        self.out.append((d.MARK, until, self.now, float(max([0, *lengths])), 0))
        self.fibrillation(until)

    def fibrillation(self, time: int) -> None:
        reading = [ear for ear in self.speakers().values() if ear.readable < ear.mark]
        if not reading:
            return
        beating = [
            ear for ear in reading if not ear.fibrillates and abs(time - ear.beat) <= h.ORGANISED_NS
        ]
        flat = not reading[0].fibrillates and reading[0] not in beating
        present = max(ear.fibrillates for ear in reading)
        since = [ear.since for ear in reading if ear.fibrillates == present]
        if flat or any(ear.contrast >= n.CALM_OCTAVES for ear in beating):
            present = 0
        elif beating and reading[0].fibrillates != d.PRESENT:
            present = min(present, 1)
        if present != self.fibrillates:
            self.fibrillates = present
            time = min(since) if present else time
            if present == d.PRESENT:
                others = [
                    ear.since if ear.fibrillates else ear.beat
                    for ear in self.speakers().values()
                    if ear.fibrillates < d.PRESENT
                ]
                time = max(time, min(max([0, *others]), self.now - h.SHORTEST_NS))
            self.out.append((d.FIBRILLATION, time, self.now, float(present), 0))


def leads(events: NDArray[Any], p: Any) -> list[Event]:
    """Return all that a heart's leads say together; two leads at least."""
    positions, events = (events[events["kind"] == d.POSITION], events[events["kind"] != d.POSITION])
    numbers = sorted(set(events["lead"].tolist()))
    heart = Heart(p, {number: Ear() for number in numbers})
    for index in np.lexsort((np.arange(len(events)), events["lead"], events["decided_ns"])):
        heart.take(events[index])
    ends = [positions["time_ns"][positions["lead"] == number].max() for number in numbers]
    heart.elapse(int(min(ends)) + 1)
    return heart.out
