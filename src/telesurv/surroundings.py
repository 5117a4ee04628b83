"""What a patient's alerts ask the table: limits, channels, positions, strips."""

from telesurv import evidence
from telesurv.alerts.model import Strip
from telesurv.plans import in_force, interval_s
from telesurv.table import MODES, PatientTable
from telesurv_kernels import atrial, ectopy, readable, rhythm


class Around:
    """A patient's surroundings while a level's records are walked in order."""

    def __init__(self, table: PatientTable, row: int) -> None:
        self._table, self._row = table, row
        key = table.key_of[row]
        self.patient, self.mode = key.patient, MODES[key.mode]
        self.positions: dict[int, int] = {}
        """Device time reached by each timeline at the record that is being looked at."""
        self.reached_ns = 0
        """Device time up to which all that the ECG leads say is known; 0: there is none."""

    @property
    def plan_version(self) -> int:
        """Version of the plan in force."""
        return self._table.plan_of[self._row].version

    def limit(self, condition: str) -> float:
        """Return the limit in force for a condition, in its unit."""
        plan = self._table.plan_of[self._row]
        limits = in_force(plan.limits)
        return {
            "asystole": limits.asystole_s,
            "pause": rhythm.PAUSE_S * 1000,
            "extreme-bradycardia": limits.heart_rate_low,
            "extreme-tachycardia": limits.heart_rate_high,
            "ventricular-tachycardia": ectopy.VT_PER_MIN,
            "ventricular-run": ectopy.VT_PER_MIN,
            "ventricular-fibrillation": FIBRILLATION_S,
            "supraventricular-tachycardia": ectopy.SVT_PER_MIN,
            "atrial-fibrillation": atrial.SHORTEST_S,
            "bigeminy": PATTERN_TIMES,
            "trigeminy": PATTERN_TIMES,
            "missed-beat": PATTERN_TIMES,
            "frequent-ventricular-beats": float(ectopy.PER_HOUR_MAX),
            "unreadable": readable.LIMIT_PCT,
            "desaturation": limits.spo2_low,
            "severe-desaturation": limits.spo2_severe,
            "lead-off": 10.0,
            "probe-off": 10.0,
            "non-transmission": sum(interval_s(plan)),
            "clock-skew": AHEAD_S,
        }.get(condition, 0.0)

    def beats(self, condition: str) -> int:
        """Return for how many beats in a row it has to be beyond; 0: they are not counted."""
        limits = in_force(self._table.plan_of[self._row].limits)
        return {
            "extreme-bradycardia": limits.heart_rate_low_beats,
            "extreme-tachycardia": limits.heart_rate_high_beats,
        }.get(condition, 0)

    def channel(self, timeline: int) -> str:
        """Return the channel of a timeline; "" for -1."""
        return self._table.name_of[timeline][1] if timeline >= 0 else ""

    def rank(self, timeline: int) -> tuple[int, str, str]:
        """Return what orders the patient's timelines."""
        return self._table.rank(timeline) if timeline >= 0 else (-1, "", "")

    def position_ns(self, timeline: int) -> int:
        """Return the device time right after the last analysed sample of a timeline."""
        return self.positions.get(timeline, 0)

    def strip(self, timeline: int, from_ns: int, to_ns: int) -> Strip | None:
        """Return what a timeline's ring holds of a stretch of device time."""
        return evidence.cut(self._table, timeline, from_ns, to_ns)

    def best_wave(self) -> int:
        """Return the best ECG timeline, else any waveform; -1: none."""
        link = self._table.timelines["link"]
        begun = [line for line, at in self.positions.items() if at]
        waves = [line for line in begun if link[line]["wave"] >= 0]
        return min(waves, key=self.rank, default=-1)

    def all_positions(self) -> dict[int, int]:
        """Return the positions of all timelines."""
        return self.positions

    def positions_like(self, timeline: int) -> dict[int, int]:
        """Return the positions of the timelines that measure the same, and have begun."""
        channel = self.channel(timeline)
        return {
            line: at for line, at in self.positions.items() if at and self.channel(line) == channel
        }


FIBRILLATION_S = 4.0
"""Seconds of fibrillatory waveform (CinC 2015)."""

PATTERN_TIMES = 3.0
"""So often a pattern of beats is repeated."""

AHEAD_S = 120.0
"""Device time may be ahead of arrival by this much (`clock-skew`)."""
