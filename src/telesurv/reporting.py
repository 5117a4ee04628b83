"""From findings to alerts: each patient's records walked in the order of the log.

Only patients of whom something was found, or whose alerts wait for their signal to go on, are
walked; the positions of all others just advance.
"""

from itertools import groupby
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from telesurv.accepted import Accepted
from telesurv.alerts.change import Change
from telesurv.alerts.conditions import OF_HEART
from telesurv.alerts.episode import moment
from telesurv.alerts.model import Alert, Minute, Mode
from telesurv.alerts.patient import PatientAlerts
from telesurv.analysis import Found, Pieces
from telesurv.surroundings import Around
from telesurv.table import MODES, PatientTable
from telesurv_kernels import _dtypes as codes

Step = tuple[int, int, int, Any]
"""Place, accepted frame (-1: none; one place may release several), what it is, and that."""

_HAPPENED, _END, _FOUND = range(3)
_MINE = (-1, "", "")
_RHYTHM = frozenset(codes.CONDITIONS.index(name) for name in OF_HEART)
_UNITS = {"heart_rate": "/min", "spo2": "%"}


class Happening(NamedTuple):
    """Something that concerns a patient and comes before the record at `place` is analysed."""

    place: int
    patient: int
    change: Change

    @classmethod
    def of_silence(cls, finding: Any) -> "Happening":
        """Return what the silence kernel found; its times are arrivals."""
        return cls(
            int(finding["segment"]), int(finding["row"]), change_of(finding, -1, _MINE, False)
        )

    @classmethod
    def of_skew(cls, place: int, patient: int, arrival_ns: int, ahead_s: float) -> "Happening":
        """Return that a frame came from the future."""
        change = Change(
            arrival_ns, _MINE, codes.ON, codes.CLOCK_SKEW, -1, arrival_ns, 0, ahead_s, False
        )
        return cls(place, patient, change)

    @classmethod
    def of_owner(
        cls, place: int, patient: int, arrival_ns: int, kind: int, code: int
    ) -> "Happening":
        """Return what a partition's owner said of a patient: data lost, quarantine, release."""
        change = Change(arrival_ns, _MINE, kind, code, -1, arrival_ns, arrival_ns, 0.0, False)
        return cls(place, patient, change)


def change_of(finding: Any, timeline: int, rank: tuple[int, str, str], late: bool) -> Change:
    """Return a finding as the alerts take it."""
    return Change(
        int(finding["detected_ns"]),
        rank,
        int(finding["kind"]),
        int(finding["condition"]),
        timeline,
        int(finding["onset_ns"]),
        int(finding["end_ns"]),
        float(finding["value"]),
        late,
        float(finding["low"]),
    )


class Report:
    """What a stretch of the log makes of the patients' alerts."""

    def __init__(
        self,
        table: PatientTable,
        alerts: dict[int, PatientAlerts],
        waiting: set[int],
        happenings: list[Happening],
    ) -> None:
        self._table, self._alerts, self._waiting = table, alerts, waiting
        self._happenings: dict[int, list[Happening]] = {}
        for happening in sorted(happenings):
            self._happenings.setdefault(happening.patient, []).append(happening)
        self.said: list[tuple[int, Alert]] = []
        """Patient row and revision."""
        self.minutes: list[tuple[int, Minute]] = []
        """Patient row and minute of a numeric."""

    def before(self, accepted: Accepted, level: NDArray[np.int64]) -> None:
        """Take in what happened before the first frame of a level, while its ring is unmoved."""
        if not self._happenings:
            return
        patient, place = accepted.patient[level], accepted.place[level]
        for row in sorted(self._happenings):
            mine = place[patient == row]
            if len(mine) and self._happenings[row][0].place <= mine[0]:
                self._walk(row, [], until=int(mine[0]))

    def level(
        self, pieces: Pieces, frame: NDArray[np.int64], accepted: Accepted, found: Found
    ) -> None:
        """Take in what the kernels found in the pieces of a level; their positions advance."""
        link = self._table.timelines["link"]
        end_ns = pieces.end_ns(link["rate_hz"][pieces.timeline])
        patient = accepted.patient[frame]
        worth = np.flatnonzero(self._worth(found))
        special = set(patient[found.piece[worth]].tolist())
        if self._waiting or self._happenings:
            here = set(np.unique(patient).tolist())
            special |= here & self._waiting
            special |= here & self._happenings.keys()
        if special:
            chosen = np.isin(patient, np.fromiter(special, np.int64))
            walks: dict[int, list[Step]] = {row: [] for row in special}
            for at in np.flatnonzero(chosen).tolist():
                place = int(accepted.place[frame[at]])
                line, arrival_ns = int(pieces.timeline[at]), int(accepted.arrival_ns[frame[at]])
                entry = (line, int(end_ns[at]), int(found.heart_ns[at]), arrival_ns)
                walks[int(patient[at])].append((place, int(frame[at]), _END, entry))
            for at in worth.tolist():
                piece = int(found.piece[at])
                line, late = int(found.timeline[at]), bool(accepted.late[frame[piece]])
                change = change_of(found.finding[at], line, self._table.rank(line), late)
                place = int(accepted.place[frame[piece]])
                walks[int(patient[piece])].append((place, int(frame[piece]), _FOUND, change))
            for row, steps in sorted(walks.items()):
                self._walk(row, steps)
        # In the order of the pieces, so that the last one of a timeline counts.
        link["position_ns"][pieces.timeline] = end_ns
        heart = link["heart"][pieces.timeline]
        known = found.heart_ns > 0
        self._table.heart["reached_ns"][heart[known]] = found.heart_ns[known]

    def _worth(self, found: Found) -> NDArray[np.bool_]:
        """Return which findings are to be walked; minutes of a lone timeline count as they are."""
        worth: NDArray[np.bool_] = found.finding["kind"] != codes.MINUTE
        link = self._table.timelines["link"]
        for at in np.flatnonzero(~worth).tolist():
            line, row = int(found.timeline[at]), int(link["patient"][found.timeline[at]])
            if len(self._alike(line)) > 1:
                worth[at] = True
            else:
                self._minute(row, change_of(found.finding[at], line, _MINE, False))
        return worth

    def _alike(self, line: int) -> list[int]:
        """Return the patient's timelines that judge the same numeric; of leads one counts."""
        link = self._table.timelines["link"]
        if link[line]["ecg"] >= 0:
            return [line]
        mine = self._table.timelines_of[int(link[line]["patient"])]
        return [other for other in mine if link[other]["spo2"] >= 0]

    def finish(self) -> None:
        """Take in what happened after the last accepted frame of each patient."""
        for row in list(self._happenings):
            self._walk(row, [])

    def _walk(self, row: int, steps: list[Step], until: int | None = None) -> None:
        """Go through a patient's records in order: what happened, positions, findings."""
        alerts, around = self._alerts[row], Around(self._table, row)
        link = self._table.timelines["link"]
        around.positions = {
            line: int(link[line]["position_ns"]) for line in self._table.timelines_of[row]
        }
        if row in self._table.heart_of:
            around.reached_ns = int(self._table.heart["reached_ns"][self._table.heart_of[row]])
        if steps:
            until = max(step[0] for step in steps)
        steps = self._take(row, until) + steps
        steps.sort(key=lambda step: step[:2])
        said: list[Alert] = []
        for _, of_frame in groupby(steps, key=lambda step: step[:2]):
            said += self._step(alerts, around, list(of_frame))
        self.said += [(row, alert) for alert in said]
        for change in alerts.minutes:
            self._minute(row, change)
        alerts.minutes.clear()
        if alerts.waits:
            self._waiting.add(row)
        else:
            self._waiting.discard(row)

    def _step(self, alerts: PatientAlerts, around: Around, steps: list[Step]) -> list[Alert]:
        """Take in what a frame brings, or what happened before one.

        Findings come by device time, and the signal's position with them, so that revisions
        come in the order of device time however long a frame is.
        """
        said: list[Alert] = []
        for _, _, what, change in steps:
            if what == _HAPPENED:
                said += alerts.found(change, around)
        ends = [step for _, _, what, step in steps if what == _END]
        for _, _, _, arrival_ns in ends:
            said += alerts.arrived(arrival_ns, around)
        found = sorted(step for _, _, what, step in steps if what == _FOUND)
        for change in found:
            if self._of_heart(change):
                continue
            known_ns = around.positions[change.timeline]
            around.positions[change.timeline] = max(known_ns, change.detected_ns)
            if change.kind == codes.MINUTE:
                alike = around.positions_like(change.timeline)
                if alerts.several.first_alive(alike, around.rank) == change.timeline:
                    alerts.minutes.append(change)
            else:
                said += alerts.advanced(around)
                said += alerts.found(change, around)
        for line, end_ns, heart_ns, _ in ends:
            around.positions[line] = end_ns
            around.reached_ns = heart_ns or around.reached_ns
        for change in filter(self._of_heart, found):
            said += alerts.heard(change, around)
        return said + alerts.advanced(around) if ends else said

    def _of_heart(self, change: Change) -> bool:
        """Whether a finding is one of those that the leads decide about together."""
        of_ecg = self._table.timelines["link"][change.timeline]["ecg"] >= 0
        return bool(of_ecg) and (
            change.kind in (codes.SURE, codes.UNSURE_SINCE) or change.condition in _RHYTHM
        )

    def _take(self, row: int, until: int | None) -> list[Step]:
        """Return what happened up to a place, and forget it."""
        happenings = self._happenings.get(row, [])
        now = [h for h in happenings if until is None or h.place <= until]
        left = happenings[len(now) :]
        if left:
            self._happenings[row] = left
        else:
            self._happenings.pop(row, None)
        return [(h.place, -1, _HAPPENED, h.change) for h in now]

    def _minute(self, row: int, change: Change) -> None:
        """Hand on a minute of a numeric."""
        key, numeric = self._table.key_of[row], codes.NUMERICS[change.condition]
        minute = Minute(
            patient=key.patient,
            mode=_mode(key.mode),
            minute=moment(change.onset_ns),
            numeric=numeric,
            unit=_UNITS[numeric],
            mean=round(change.value, 2),
            low=round(change.low, 2),
        )
        self.minutes.append((row, minute))


def _mode(code: int) -> Mode:
    mode: Mode = MODES[code]  # type: ignore[assignment]
    return mode
