"""Ectopy, batch and obvious: lists of beats in a row, one pass over them a condition.

Shares only constants with the kernel. Nothing is bounded.
"""

from dataclasses import dataclass
from itertools import groupby, pairwise
from statistics import median
from typing import Any

from numpy.typing import NDArray

from oracles.steps import Finding, Step, steps_of
from telesurv_kernels import _dtypes as d
from telesurv_kernels import _ectopy_rates as rates
from telesurv_kernels import _patterns as patterns
from telesurv_kernels import ectopy as k


@dataclass(frozen=True)
class Beat:
    time: int
    kind: int
    decided: int
    run: int  # ventricular beats in a row that one lead has shown
    clear: int  # usual beat to noise, in 1/4

    @property
    def ventricular(self) -> bool:
        return self.kind == d.VENTRICULAR


@dataclass
class Row:
    """Beats in a row, and when it was known that it is over (None: it may have gone on)."""

    beats: list[Beat]
    over: int | None = None
    then: int = 0  # usual beat to noise at the beat that ended it


def rows_of(steps: list[Step]) -> list[Row]:
    rows = [Row([])]

    def interrupt(over: int | None, then: int = 0) -> None:
        if rows[-1].beats:
            rows[-1].over, rows[-1].then = over, then
            rows.append(Row([]))

    for step in steps:
        if not step.readable:
            interrupt(None)
        for beat in step.beats:
            if not beat.sure or beat.kind == 0:
                interrupt(None)
                continue
            if rows[-1].beats and beat.time - rows[-1].beats[-1].time >= k.ROW_NS:
                interrupt(step.decided, beat.clear)
            rows[-1].beats.append(Beat(beat.time, beat.kind, step.decided, beat.run, beat.clear))
    return rows


def per_min(beats: list[Beat]) -> float:
    return (len(beats) - 1) * 60e9 / (beats[-1].time - beats[0].time)


def ventricular(rows: list[Row], p: Any) -> list[Finding]:
    found: list[Finding] = []
    present, last = False, 0
    for row in rows:
        groups = [list(beats) for _, beats in groupby(row.beats, lambda beat: beat.ventricular)]
        for number, group in enumerate(groups):
            if not group[0].ventricular:
                if present and len(group) >= k.VT_END_BEATS:
                    decided = group[k.VT_END_BEATS - 1].decided
                    found.append((d.OFF, d.VENTRICULAR_TACHYCARDIA, 0, last, decided, 0.0, 0.0))
                    present = False
                continue
            for end in range(int(p["vt_beats"]), len(group) + 1):
                few = group[end - int(p["vt_beats"]) : end]
                shown = few[-1].run >= p["vt_beats"]
                if not present and shown and per_min(few) > p["vt_per_min"]:
                    args = (d.VENTRICULAR_TACHYCARDIA, few[0].time, 0, few[-1].decided)
                    found.append((d.ON, *args, per_min(few), 0.0))
                    present = True
            last = group[-1].time
            over = groups[number + 1][0].decided if number + 1 < len(groups) else row.over
            if over is None or present or not k.COUPLET_BEATS <= len(group) < p["vt_beats"]:
                continue
            before = groups[number - 1][-1].clear if number else 0
            after = groups[number + 1][0].clear if number + 1 < len(groups) else row.then
            if after < k.NOISY and k.NOISIER * after < before:
                continue
            rate = per_min(group)
            if len(group) == k.COUPLET_BEATS:
                found.append((d.EPISODE, d.COUPLET, group[0].time, last, over, rate, 0.0))
            elif rate > p["vt_per_min"]:
                found.append((d.EPISODE, d.VENTRICULAR_RUN, group[0].time, last, over, rate, 0.0))
    return found


def pattern(rows: list[Row], condition: int, size: int) -> list[Finding]:
    """Bigeminy (1 other beat before each ventricular one) or trigeminy (2)."""
    found: list[Finding] = []
    present, last = False, 0
    whole = "N" * size + "V"
    for row in rows:
        letters = "".join("V" if beat.ventricular else "N" for beat in row.beats)
        for at, beat in enumerate(row.beats):
            now = letters[max(at - 30, 0) : at + 1]
            before = now[: now[:-1].rfind("V") + 1]
            others = now[len(before) :].rstrip("V")
            too_many = not beat.ventricular and len(others) > size
            too_few = beat.ventricular and before != "" and len(others) != size
            if present and (too_many or too_few):
                found.append((d.OFF, condition, 0, last, beat.decided, 0.0, 0.0))
                present = False
            elif not present and now.endswith(whole * patterns.TIMES):
                onset = row.beats[at + 1 - len(whole) * patterns.TIMES].time
                found.append((d.ON, condition, onset, 0, beat.decided, 1.0 * patterns.TIMES, 0.0))
                present = True
            last = beat.time if beat.ventricular else last
    return found


def narrow_tachycardias(rows: list[Row], p: Any) -> list[Finding]:
    found: list[Finding] = []
    code, present, slow = d.SUPRAVENTRICULAR_TACHYCARDIA, False, 0
    limit = 60e9 / p["svt_per_min"]
    for row in rows:
        times = [beat.time for beat in row.beats]
        rr = [b - a for a, b in pairwise(times)]
        slow = 0
        for at, beat in enumerate(row.beats):
            if present:
                if at:
                    slow = slow + 1 if rr[at - 1] >= limit else 0
                if slow == rates.SVT_END_RR:
                    found.append((d.OFF, code, 0, times[at - slow], beat.decided, 0.0, 0.0))
                    present, slow = False, 0
                continue
            begin = at + 1 - rates.SVT_BEATS
            if begin < rates.SVT_BEFORE_RR:
                continue
            if any(b.kind not in (d.NORMAL, d.SUPRAVENTRICULAR) for b in row.beats[begin : at + 1]):
                continue
            inside, before = rr[begin:at], rr[begin - rates.SVT_BEFORE_RR : begin]
            mean = sum(inside) / len(inside)
            sudden = sum(before) / len(before) >= rates.SVT_SUDDEN * mean
            regular = max(inside) - min(inside) <= rates.SVT_SPREAD * mean
            if mean < limit and sudden and regular:
                found.append((d.ON, code, times[begin], 0, beat.decided, 60e9 / mean, 0.0))
                present, slow = True, 0
    return found


def lacks_a_beat(beats: list[Beat]) -> bool:
    """Say whether the last but one RR of a row lacks a beat."""
    if len(beats) < rates.MISSED_BEFORE_RR + 3:
        return False
    rr = [b.time - a.time for a, b in pairwise(beats[-rates.MISSED_BEFORE_RR - 3 :])]
    before, long, after = rr[:-2], rr[-2], rr[-1]
    usual = median(before)

    def double(length: int) -> bool:
        return rates.MISSED_RATIO_MIN <= length / usual <= rates.MISSED_RATIO_MAX

    regular = sum(abs(one / usual - 1) <= rates.SPREAD or double(one) for one in before)
    return (
        all(beat.kind == d.NORMAL for beat in beats[-rates.NORMAL_BEATS :])
        and double(long)
        and long < rates.PAUSE_NS
        and abs(after / usual - 1) <= rates.SPREAD
        and before[-1] >= rates.EARLY * usual
        and regular >= rates.MISSED_REGULAR_RR
    )


def missed_beats(steps: list[Step], rows: list[Row]) -> list[Finding]:
    long = {}  # the beat after it: where it began and ended
    for row in rows:
        for at, beat in enumerate(row.beats):
            if lacks_a_beat(row.beats[max(at - 30, 0) : at + 1]):
                long[beat.time, beat.decided] = row.beats[at - 2].time, row.beats[at - 1].time
    found: list[Finding] = []
    recent: list[int] = []
    present, end, calm, before = False, 0, 0, 0
    for step in steps:
        for beat in step.beats:
            if (beat.time, step.decided) not in long:
                continue
            start, end = long[beat.time, step.decided]
            calm = 0
            if present:
                continue
            recent.append(start)
            begin = recent[-rates.MISSED :][0]
            if len(recent) >= rates.MISSED and 0 <= end - begin <= rates.MISSED_WITHIN_NS:
                value = float(rates.MISSED)
                found.append((d.ON, d.MISSED_BEAT, begin, 0, step.decided, value, 0.0))
                present = True
        if step.readable and present:
            calm += step.time - before
            if calm >= rates.MISSED_WITHIN_NS:
                found.append((d.OFF, d.MISSED_BEAT, 0, end, step.decided, 0.0, 0.0))
                present, recent = False, []
        before = step.time
    return found


def hourly(steps: list[Step], rows: list[Row], p: Any) -> list[Finding]:
    beats = {(beat.time, beat.decided) for row in rows for beat in row.beats if beat.ventricular}
    # What belongs to hours, in order: (hour, ventricular beats, readable ns, decided).
    pieces: list[tuple[int, int, int, int]] = []
    before = 0
    for step in steps:
        for beat in step.beats:
            counts = (beat.time, step.decided) in beats
            pieces.append((beat.time // rates.HOUR_NS, int(counts), 0, step.decided))
        # The stretch belongs to the hour that goes on when it is told of.
        if step.readable and pieces:
            pieces.append((pieces[-1][0], 0, step.time - before, step.decided))
        pieces.append((step.time // rates.HOUR_NS, 0, 0, step.decided))
        before = step.time
    hours = [(hour, list(group)) for hour, group in groupby(pieces, lambda piece: piece[0])]
    found: list[Finding] = []
    day: list[tuple[int, int]] = []
    present, few, end = False, 0, 0
    for (hour, mine), (_, following) in pairwise(hours):
        count, readable = sum(piece[1] for piece in mine), sum(piece[2] for piece in mine)
        decided, begin = following[0][3], hour * rates.HOUR_NS
        analysed = readable >= rates.ANALYSED_NS
        known = sum(ns for _, ns in day)
        rise = analysed and count >= rates.RISE_BEATS and len(day) >= rates.RISE_HOURS
        if rise:
            rise = count * float(known) >= rates.RISE * sum(n for n, _ in day) * float(readable)
        if count > p["per_hour_max"] or rise:
            few, end = 0, begin + rates.HOUR_NS
            if not present:
                args = (d.FREQUENT_VENTRICULAR_BEATS, begin, 0, decided, float(count), 0.0)
                found.append((d.ON, *args))
                present = True
        elif analysed and present:
            few += 1
            if few == rates.DAY_HOURS:
                args = (d.FREQUENT_VENTRICULAR_BEATS, 0, end, decided, 0.0, 0.0)
                found.append((d.OFF, *args))
                present = False
        if analysed:
            day = [*day, (count, readable)][-rates.DAY_HOURS :]
    return found


def ectopy(events: NDArray[Any], p: Any) -> list[Finding]:
    """Return all findings of one row's events, sorted."""
    steps = steps_of(events)
    rows = rows_of(steps)
    found = ventricular(rows, p)
    found += pattern(rows, d.BIGEMINY, 1)
    found += pattern(rows, d.TRIGEMINY, 2)
    found += narrow_tachycardias(rows, p)
    found += missed_beats(steps, rows)
    found += hourly(steps, rows, p)
    return sorted(found)
