"""When a simulated heart beats: sinus rhythm with its variability, and the script's events."""

import bisect

import numpy as np

from telesurv.simulate.script import Script
from telesurv.simulate.templates import ECG_HZ

RESPIRATION_HZ = 0.25
"""Breaths a second; also of the baseline and the pulse's height."""


class Rhythm:
    """R-peaks of one patient as sample numbers at ECG_HZ, made as far as they are asked for.

    Parameters
    ----------
    script : its asystole, pause and extreme rates are kept
    seed : of everything random
    rate_per_min : the mean of the undisturbed rhythm
    """

    def __init__(self, script: Script, seed: int, rate_per_min: float) -> None:
        self._rng = np.random.default_rng([seed, 1])
        self._phase = self._rng.uniform(0, 2 * np.pi, 3)
        self._rate = rate_per_min
        self._stops = script.of("asystole")
        self._pauses = list(script.of("pause"))
        self._extremes = script.of("extreme-bradycardia", "extreme-tachycardia")
        self._peaks = [round(0.4 * 60 / rate_per_min * ECG_HZ)]

    def peaks(self, first: int, last: int) -> range:
        """Return the numbers of the beats whose R-peak lies in samples [first, last)."""
        while self._peaks[-1] < last + 2 * ECG_HZ:
            self._peaks.append(self._next(self._peaks[-1]))
        return range(bisect.bisect_left(self._peaks, first), bisect.bisect_left(self._peaks, last))

    def sample(self, beat: int) -> int:
        """Return the sample of a beat's R-peak."""
        return self._peaks[beat]

    def rr(self, beat: int) -> tuple[int, int]:
        """Return the samples from the beat before, and to the one after (never without one)."""
        while len(self._peaks) <= beat + 1:
            self._peaks.append(self._next(self._peaks[-1]))
        after = self._peaks[beat + 1] - self._peaks[beat]
        return (self._peaks[beat] - self._peaks[beat - 1] if beat else after), after

    def _next(self, peak: int) -> int:
        now_s = peak / ECG_HZ
        next_s = now_s + self._interval_s(now_s)
        if self._pauses and next_s > self._pauses[0].at_s:
            next_s = now_s + self._pauses.pop(0).duration_s
        for stop in self._stops:
            if now_s < stop.end_s and next_s > stop.at_s:
                next_s = max(next_s, stop.end_s)
        return round(next_s * ECG_HZ)

    def _interval_s(self, now_s: float) -> float:
        breath = 2 * np.pi * RESPIRATION_HZ * now_s + self._phase[0]
        slow = 2 * np.pi * 0.1 * now_s + self._phase[1]
        drift = 2 * np.pi * now_s / 900 + self._phase[2]
        rate = self._rate * (1 + 0.05 * np.sin(drift))
        sway = 0.03 * np.sin(breath) + 0.02 * np.sin(slow) + 0.01 * self._rng.standard_normal()
        for event in self._extremes:
            if event.at_s <= now_s < event.end_s:
                rate, sway = event.value, sway * 0.3
        return float(60.0 / rate * (1 + np.clip(sway, -0.15, 0.15)))
