"""SpO2, batch and obvious: every rule looks back over the whole list of readings.

Shares only constants with the kernel. Fractions of seconds are exact.
"""

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from telesurv_kernels import _dtypes as d
from telesurv_kernels import _sat_seconds as sat
from telesurv_kernels import spo2 as k

Finding = tuple[int, int, int, int, int, float, float]
"""kind, condition, onset_ns, end_ns, detected_ns, value, low"""

Reading = tuple[int, int]
"""ns, hundredths of a % (0: invalid)"""


def readings_of(samples: Any, times: Any, p: Any) -> list[Reading]:
    readings = []
    for sample, time in zip(samples, times, strict=True):
        value = round(100.0 * (int(sample) * float(p["scale"]) + float(p["offset"])))
        valid = sample != k.MISSING and 3000 <= value <= 10000
        readings.append((int(time), value if valid else 0))
    return readings


@dataclass
class Epoch:
    """Readings between two jumps of the clock back, looked at when the last one comes."""

    readings: list[Reading] = field(default_factory=list)

    @property
    def now(self) -> int:
        return self.readings[-1][0]

    @property
    def before(self) -> list[Reading]:
        """Valid readings before the last reading."""
        return [r for r in self.readings[:-1] if r[1]]

    @property
    def until(self) -> int:
        """Up to where the last of them has held."""
        return min(self.now, self.before[-1][0] + k.HOLD_NS)

    def stretch(self, low: int, high: int) -> list[Reading]:
        """Those before in low <= reading < high, up to the last, without unknown time."""
        found: list[Reading] = []
        for reading in reversed(self.before):
            if not low <= reading[1] < high:
                break
            if found and found[0][0] - reading[0] > k.HOLD_NS:
                break
            found.insert(0, reading)
        return found

    def lasted(self, stretch: list[Reading]) -> int:
        return self.until - stretch[0][0] if stretch else -1

    def excursion(self, limit: int) -> int:
        """Which reading below the limit is the first since one that was not."""
        place = next((i for i, r in enumerate(reversed(self.before)) if r[1] >= limit), None)
        return 0 if place is None else len(self.before) - place

    def spot(self, place: int) -> bool:
        """Whether readings[place] is a spot reading."""
        time, value = self.readings[place]
        return value > 0 and (place == 0 or time - self.readings[place - 1][0] > k.HOLD_NS)

    def spot_before(self) -> Reading | None:
        """The valid reading before the last, if it is a spot reading."""
        for place in range(len(self.readings) - 2, -1, -1):
            if self.readings[place][1]:
                return self.readings[place] if self.spot(place) else None
        return None


class Oracle:
    def __init__(self, p: Any) -> None:
        self.limit, self.recovered = int(p["limit"]), int(p["recovered"])
        self.severe_limit, self.spot_limit = int(p["severe"]), int(p["spot"])
        self.found: list[Finding] = []
        self.present = dict.fromkeys((d.DESATURATION, d.SEVERE_DESATURATION, d.PROBE_OFF), False)
        self.epoch = Epoch()
        self.begin_again()
        self.excursions: set[int] = set()

    def begin_again(self) -> None:
        self.spent = self.ran = self.above = Fraction(0)
        self.since = 0
        self.violations: list[int] = []

    def on(self, condition: int, onset: int, value: float) -> None:
        assert not self.present[condition]
        self.present[condition] = True
        self.found.append((d.ON, condition, onset, 0, self.epoch.now, value, 0.0))
        if condition == d.DESATURATION:
            self.begin_again()

    def off(self, condition: int, end: int, value: float) -> None:
        assert self.present[condition]
        self.present[condition] = False
        self.found.append((d.OFF, condition, 0, end, self.epoch.now, value, 0.0))

    def read(self, reading: Reading) -> None:
        if self.epoch.readings and reading[0] < self.epoch.now:
            self.epoch = Epoch()
            self.begin_again()
            self.excursions = set()
        self.epoch.readings.append(reading)
        self.probe()
        if self.epoch.before:
            self.lapse()
        if self.epoch.spot(len(self.epoch.readings) - 1):
            self.spot()

    def probe(self) -> None:
        *before, (now, value) = self.epoch.readings
        if not before:
            return
        valid = before[-1][1] > 0
        row = []
        for reading in reversed(before):
            if (reading[1] > 0) != valid:
                break
            row.insert(0, reading)
        known = valid == (value > 0) or now - before[-1][0] <= k.HOLD_NS
        lasted = (now if known else before[-1][0]) - row[0][0]
        present = self.present[d.PROBE_OFF]
        if not valid and not present and lasted >= k.PROBE_OFF_NS:
            self.on(d.PROBE_OFF, row[0][0], lasted / 1e9)
        if valid and present and lasted >= k.PROBE_ON_NS:
            self.off(d.PROBE_OFF, row[0][0], lasted / 1e9)

    def lapse(self) -> None:
        """Judge the time since the reading before, as far as a valid reading held in it."""
        e = self.epoch
        held = e.before[-1]
        span = e.until - max(held[0], min(e.readings[-2][0], held[0] + k.HOLD_NS))
        if span > 0:
            # An end is closed by a valid reading, not by one that holds into the unknown.
            ends = e.readings[-1][1] > 0 and e.until == e.now
            if self.present[d.DESATURATION]:
                recovery = e.stretch(self.recovered, 10001)
                if ends and e.lasted(recovery) >= k.RECOVERY_NS:
                    self.off(d.DESATURATION, recovery[0][0], held[1] / 100)
            else:
                self.desaturation(held[1], Fraction(span, 10**9))
            severe, over = e.stretch(1, self.severe_limit), e.stretch(self.severe_limit + 1, 10001)
            if self.present[d.SEVERE_DESATURATION]:
                if ends and e.lasted(over) >= k.RECOVERY_NS:
                    self.off(d.SEVERE_DESATURATION, over[0][0], held[1] / 100)
            elif e.lasted(severe) >= k.SEVERE_NS:
                lowest = min(r[1] for r in e.stretch(1, self.limit))
                self.on(d.SEVERE_DESATURATION, severe[0][0], lowest / 100)
        if e.now - held[0] >= sat.FORGET_NS:
            self.begin_again()

    def desaturation(self, held: int, seconds: Fraction) -> None:
        below = self.epoch.stretch(1, self.limit)
        if not below:
            self.above += seconds
            left = max(self.ran - seconds, Fraction(0))
            self.spent = self.spent * left / self.ran if left else Fraction(0)
            self.ran = left
            if self.above * 10**9 >= sat.FORGET_NS:
                self.spent = self.ran = Fraction(0)
            return
        if self.ran == 0:
            self.since = below[0][0]
        self.above = Fraction(0)
        self.spent += (self.limit - held) // 100 * seconds
        self.ran += seconds
        onsets = []
        if self.epoch.lasted(below) >= k.DESATURATION_NS:
            onsets.append(below[0][0])
        if self.spent >= sat.SAT_SECONDS:
            onsets.append(self.since)
        excursion = self.epoch.excursion(self.limit)
        if self.epoch.lasted(below) >= sat.VIOLATION_NS and excursion not in self.excursions:
            self.excursions.add(excursion)
            self.violations.append(below[0][0])
            third = self.violations[-sat.VIOLATIONS :]
            within = third[-1] + sat.VIOLATION_NS - third[0] <= sat.VIOLATIONS_WITHIN_NS
            if len(third) == sat.VIOLATIONS and within:
                onsets.append(third[0])
        if onsets:
            self.on(d.DESATURATION, min(onsets), min(r[1] for r in below) / 100)

    def spot(self) -> None:
        now, value = self.epoch.readings[-1]
        before = self.epoch.spot_before()
        pair = [before[1], value] if before else []
        apart = before is not None and now - before[0] >= k.RECOVERY_NS
        if not self.present[d.DESATURATION]:
            if before and max(pair) < self.limit:
                self.on(d.DESATURATION, before[0], min(pair) / 100)
            elif value < self.spot_limit:
                self.on(d.DESATURATION, now, value / 100)
        elif before and apart and min(pair) >= self.recovered:
            self.off(d.DESATURATION, before[0], value / 100)
        if not self.present[d.SEVERE_DESATURATION]:
            if before and max(pair) < self.severe_limit:
                self.on(d.SEVERE_DESATURATION, before[0], min(pair) / 100)
        elif before and apart and min(pair) > self.severe_limit:
            self.off(d.SEVERE_DESATURATION, before[0], value / 100)


def minutes(readings: list[Reading]) -> list[Finding]:
    found: list[Finding] = []
    values: list[int] = []
    for place, (time, value) in enumerate(readings):
        minute = readings[place - 1][0] // k.MINUTE_NS if place else None
        if minute is not None and time // k.MINUTE_NS != minute and values:
            mean, low = sum(values) / len(values) / 100, min(values) / 100
            found.append((d.MINUTE, d.NUMERIC_SPO2, minute * k.MINUTE_NS, 0, time, mean, low))
            values = []
        values += [value] if value else []
    return found


def spo2(samples: Any, times: Any, p: Any) -> list[Finding]:
    """Return all findings of one row's readings, sorted."""
    readings = readings_of(samples, times, p)
    oracle = Oracle(p)
    for reading in readings:
        oracle.read(reading)
    return sorted(oracle.found + minutes(readings))
