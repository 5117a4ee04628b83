"""Rhythm, batch and obvious: whole lists of beats, one pass a condition.

Shares only constants with the kernel. Lists of Python integers; nothing is bounded.
"""

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from numpy.typing import NDArray

from telesurv_kernels import _dtypes as d
from telesurv_kernels import _extreme_rates as x
from telesurv_kernels import rhythm as k
from telesurv_kernels._pending import PENDING, SLACK_NS

Finding = tuple[int, int, int, int, int, float, float]
"""kind, condition, onset_ns, end_ns, detected_ns, value, low"""


@dataclass
class Beat:
    time: int
    sure: bool
    step: "Step"  # whose MARK covers it
    place: int = 0  # among all beats that count
    rr: int = 0  # to the sure beat before it, nothing between; 0: none


@dataclass
class Step:
    """What one MARK or GAP says of the time since the one before."""

    time: int
    decided: int
    readable: bool
    begin: int
    fibrillation: bool  # present or a candidate when the MARK or GAP came
    ended: list[int]  # where earlier ones ended
    beats: list[Beat] = field(default_factory=list)


@dataclass
class Stretch:
    """Steps in a row that were readable throughout."""

    begin: int
    steps: list[Step] = field(default_factory=list)

    @property
    def end(self) -> int:
        return self.steps[-1].time

    @property
    def beats(self) -> list[Beat]:
        return [beat for step in self.steps for beat in step.beats]


def steps_of(events: NDArray[Any]) -> list[Step]:
    """Sort the beats into the MARKs that cover them."""
    steps: list[Step] = []
    waiting: dict[int, bool] = {}
    crowded = False
    fibrillating: int | None = None  # since when
    ended: list[int] = []
    for event in events:
        time, flags = int(event["time_ns"]), int(event["flags"])
        last = steps[-1].time if steps else None
        if event["kind"] == d.FIBRILLATION:
            if event["value"] and fibrillating is None:
                fibrillating = time
            elif not event["value"] and fibrillating is not None:
                ended = [*ended, time] if time > fibrillating else ended
                fibrillating = None
        if event["kind"] not in (d.BEAT, d.MARK, d.GAP):
            continue
        if event["kind"] == d.BEAT:
            if last is None or time < last or time in waiting:
                continue
            if len(waiting) == PENDING:
                crowded = True
            else:
                waiting[time] = not flags & d.UNSURE
            continue
        decided = int(event["decided_ns"])
        if event["kind"] == d.GAP or last is None or time < last:
            steps.append(Step(time, decided, False, time, fibrillating is not None, ended))
            waiting = {}
        else:
            readable = event["value"] >= time - last - SLACK_NS and not crowded
            step = Step(time, decided, readable, last, fibrillating is not None, ended)
            if readable:
                step.beats = [Beat(t, waiting[t], step) for t in sorted(waiting) if t < time]
            waiting = {t: sure for t, sure in waiting.items() if t >= time}
            steps.append(step)
        crowded = False
    for place, beat in enumerate(b for step in steps for b in step.beats):
        beat.place = place
    for stretch in stretches_of(steps):
        for before, beat in pairwise(stretch.beats):
            # Where fibrillation ended between two beats they are not in a row.
            if before.sure and beat.sure and before.step.ended == beat.step.ended:
                beat.rr = beat.time - before.time
    return steps


def stretches_of(steps: list[Step]) -> list[Stretch]:
    stretches: list[Stretch] = []
    joined = False
    for step in steps:
        if step.readable:
            if not joined:
                stretches.append(Stretch(step.begin))
            stretches[-1].steps.append(step)
        joined = step.readable
    return stretches


def runs_of(stretches: list[Stretch], asystole: int) -> list[list[Beat]]:
    """Beats in a row: sure, in one stretch, each less than `asystole` after the one before."""
    runs: list[list[Beat]] = []
    for stretch in stretches:
        joined = False
        for beat in stretch.beats:
            if not beat.sure:
                joined = False
                continue
            if not joined or not 0 < beat.rr < asystole:
                runs.append([])
            runs[-1].append(beat)
            joined = True
    return runs


def asystoles(stretches: list[Stretch], asystole: int) -> list[Finding]:
    found: list[Finding] = []
    present = False
    rhythm = 0  # the last beat that was the third or a later one in a row
    for stretch in stretches:
        # Each instant from which silence may last: where the stretch begins, and every beat.
        instants = [stretch.begin, *(beat.time for beat in stretch.beats), stretch.end]
        row = 0
        for place, (onset, following) in enumerate(pairwise(instants)):
            if place > 0:
                beat = stretch.beats[place - 1]
                joined = row > 0 and 0 < beat.rr < asystole
                row = row + 1 if joined else int(beat.sure)
                rhythm = beat.time if row >= k.RETURN_BEATS else rhythm
                if present and row == k.RETURN_BEATS:
                    first = stretch.beats[place - k.RETURN_BEATS].time
                    found.append((d.OFF, d.ASYSTOLE, 0, first, beat.step.decided, 0.0, 0.0))
                    present = False
            # It is judged at every MARK up to the next beat, and with that beat.
            points = [(s.time, s) for s in stretch.steps if onset < s.time <= following]
            if place < len(stretch.beats):
                points.append((following, stretch.beats[place].step))
            for until, step in points:
                begin = max([onset, *step.ended[-1:]])
                shown = begin - rhythm < k.SHOWN_NS or begin > onset
                limit = asystole if shown else int(k.UNSHOWN_S * 1e9)
                if until - begin >= limit and not present and not step.fibrillation:
                    length = until - begin
                    found.append((d.ON, d.ASYSTOLE, begin, 0, step.decided, length / 1e9, 0.0))
                    present = True
    return found


def pauses(stretches: list[Stretch], pause: int, asystole: int) -> list[Finding]:
    return [
        (d.EPISODE, d.PAUSE, b.time - b.rr, b.time, b.step.decided, b.rr / 1e6, 0.0)
        for stretch in stretches
        for b in stretch.beats
        if pause <= b.rr < asystole and not b.step.fibrillation
    ]


def rate(beats: list[Beat]) -> float:
    return (len(beats) - 1) * 60e9 / (beats[-1].time - beats[0].time)


def tachycardias(runs: list[list[Beat]], p: Any) -> list[Finding]:
    found: list[Finding] = []
    code, present = d.EXTREME_TACHYCARDIA, False
    for run in runs:
        for last in range(1, len(run) + 1):
            size = x.TACHYCARDIA_END_RR + 1 if present else int(p["tachy_beats"])
            if last < size:
                continue
            beats = run[last - size : last]
            per_min, step = rate(beats), beats[-1].step
            decided = step.decided
            fast = per_min > p["tachy_per_min"]
            if not present and fast and not step.fibrillation:
                present = True
                found.append((d.ON, code, beats[0].time, 0, decided, per_min, 0.0))
            elif present and per_min < p["tachy_end_per_min"]:
                present = False
                found.append((d.OFF, code, 0, beats[-1].time, decided, per_min, 0.0))
    return found


def bradycardias(runs: list[list[Beat]], stretches: list[Stretch], p: Any) -> list[Finding]:
    found: list[Finding] = []
    code, present = d.EXTREME_BRADYCARDIA, False
    size = int(p["brady_beats"])
    known = size - 1
    for run in runs:
        begin = 0  # of the episode's own beats in this run
        for last in range(known, len(run) + 1):
            beat = run[last - 1]
            five = run[max(last - size, 0) : last]
            whole = len(five) == size
            slow = whole and rate(five) < p["brady_per_min"]
            nine = run[begin:last][-x.BRADYCARDIA_END_RR - 1 :]
            enough = len(nine) == x.BRADYCARDIA_END_RR + 1
            if not present and slow and not beat.step.fibrillation:
                present, begin = True, last - size
                found.append((d.ON, code, five[0].time, 0, beat.step.decided, rate(five), 0.0))
            elif present and enough and not slow and rate(nine) > p["brady_end_per_min"]:
                present = False
                found.append((d.OFF, code, 0, beat.time, beat.step.decided, rate(nine), 0.0))
            # What the time that follows without a beat proves.
            first = run[last - known].time
            for step in silent_steps(beat, stretches, int(p["asystole_s"] * 1e9) // 2):
                at_most = known * 60e9 / (step.time - first)
                if not present and at_most < p["brady_per_min"] and not step.fibrillation:
                    present, begin = True, last - known
                    found.append((d.ON, code, first, 0, step.decided, at_most, 0.0))
    return found


def silent_steps(beat: Beat, stretches: list[Stretch], most: int) -> list[Step]:
    """Steps that end after a beat, in its stretch, before the next one and in less than `most`."""
    (stretch,) = (one for one in stretches if beat.step in one.steps)
    later = [other.time for other in stretch.beats if other.time > beat.time]
    until = min([*later, beat.time + most - 1])
    return [
        step
        for step in stretch.steps
        if beat.time < step.time <= until and step.ended == beat.step.ended
    ]


def sure_findings(steps: list[Step]) -> list[Finding]:
    """Say after each step where the last long readable stretch ended, and whether that is far."""
    found: list[Finding] = []
    sure, sure_end, begin = False, 0, None
    for step in steps:
        begin = (step.begin if begin is None else begin) if step.readable else None
        stretch_begin = step.time if begin is None else begin
        if step.time - stretch_begin >= k.SURE_NS:
            if not sure:
                found.append((d.SURE, 0, stretch_begin, 0, step.decided, 0.0, 0.0))
            sure, sure_end = True, step.time
        elif sure and (stretch_begin < sure_end or stretch_begin - sure_end >= k.SURE_NS):
            onset = min(sure_end, step.time)
            found.append((d.UNSURE_SINCE, 0, onset, 0, step.decided, 0.0, 0.0))
            sure = False
    return found


def minutes(steps: list[Step], runs: list[list[Beat]]) -> list[Finding]:
    lowest = {}  # beat: mean of the 4 RR that end with it
    for run in runs:
        for last in range(x.BRADYCARDIA_BEATS, len(run) + 1):
            lowest[run[last - 1].place] = rate(run[last - x.BRADYCARDIA_BEATS : last])
    # Beats and steps in the order of time; a minute is over when something of another comes.
    row: list[tuple[int, int, Beat | None]] = []
    for step in steps:
        row += [(beat.time // k.MINUTE_NS, step.decided, beat) for beat in step.beats]
        row.append((step.time // k.MINUTE_NS, step.decided, None))
    found: list[Finding] = []
    beats: list[Beat] = []
    for (minute, _, beat), (following, decided, _) in pairwise(row):
        if beat is not None:
            beats.append(beat)
        if following == minute:
            continue
        rr = [beat.rr for beat in beats if beat.rr]
        if len(rr) >= k.MINUTE_RR:
            mean = len(rr) * 60e9 / sum(rr)
            low = min([mean, *(lowest[b.place] for b in beats if b.place in lowest)])
            begin = minute * k.MINUTE_NS
            found.append((d.MINUTE, d.NUMERIC_HEART_RATE, begin, 0, decided, mean, low))
        beats = []
    return found


def fibrillations(events: NDArray[Any]) -> list[Finding]:
    """Present from the first event that says so on, until the first that says it is over."""
    found: list[Finding] = []
    begun = False
    for event in events[events["kind"] == d.FIBRILLATION]:
        time, decided = int(event["time_ns"]), int(event["decided_ns"])
        of = d.VENTRICULAR_FIBRILLATION
        if event["value"] >= d.PRESENT and not begun:
            found.append((d.ON, of, time, 0, decided, (decided - time) / 1e9, 0.0))
            begun = True
        elif event["value"] == 0.0 and begun:
            found.append((d.OFF, of, 0, time, decided, 0.0, 0.0))
            begun = False
    return found


def rhythm(events: NDArray[Any], p: Any) -> list[Finding]:
    """Return all findings of one row's events, sorted."""
    steps = steps_of(events)
    stretches = stretches_of(steps)
    asystole, pause = int(p["asystole_s"] * 1e9), int(p["pause_s"] * 1e9)
    runs = runs_of(stretches, asystole)
    found = asystoles(stretches, asystole)
    found += pauses(stretches, pause, asystole)
    found += bradycardias(runs, stretches, p)
    found += tachycardias(runs, p)
    found += sure_findings(steps)
    found += minutes(steps, runs)
    found += fibrillations(events)
    return sorted(found)
