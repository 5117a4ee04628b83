"""Several ECG leads, one heart: whose findings count, decided in device time.

Each lead has a rhythm of its own. What a patient's leads say is held back until every lead
that is alive has reached the same device time, so the order in which frames come changes nothing.
A lead is not waited for that is more than three seconds behind, and the length of a frame:
where frames are long, one lead's comes after the other's. The *reference* is the best
lead that is analysed at that time; its conditions are the patient's, and so is ventricular
tachycardia in any lead that is: ventricular beats may look like others in one. When it becomes
unreadable, or stops coming, the next one takes over; when none is left, what is present stays
present. What a lead said before it became unreadable and another one has ended since is over.
"""

from collections.abc import Callable
from typing import NamedTuple

import msgspec

from telesurv_kernels import _dtypes as codes

WAIT_NS = 3_000_000_000
"""Device time of the leading lead for which the others are waited for."""

FRAME_NS_MAX = 7_000_000_000
"""So much of the leading lead's frame comes on top. With WAIT_NS it is what rings can bear."""


ANY_LEAD = frozenset({codes.VENTRICULAR_TACHYCARDIA})
"""Conditions that one lead may show and the better one not."""


class Change(NamedTuple):
    """A finding on its way to the alerts. `timeline` is -1 where it is of no channel."""

    detected_ns: int
    rank: tuple[int, str, str]
    kind: int  # ON, OFF, EPISODE, SURE, UNSURE_SINCE, MINUTE
    condition: int
    timeline: int
    onset_ns: int
    end_ns: int
    value: float
    late: bool  # what decided it came over a minute after it was measured
    low: float = 0.0  # MINUTE: its lowest value


class Lead(msgspec.Struct):
    """What one lead's rhythm says."""

    sure: bool = False
    present: dict[int, tuple[int, int, float]] = {}  # condition -> onset, detected, value


class Fusion:
    """The leads of one patient, and what waits for the slower ones."""

    def __init__(self) -> None:
        self.leads: dict[int, Lead] = {}
        self.waiting: list[Change] = []
        self.present: set[int] = set()
        self.analysed = False
        self.reference = -1

    @property
    def waits(self) -> bool:
        """Whether something may come of it without another finding."""
        return bool(self.waiting) or any(
            lead.sure and lead.present.keys() != self.present for lead in self.leads.values()
        )

    def add(self, change: Change) -> None:
        """Take in a finding of a lead; it counts when `release` lets it."""
        self.waiting.append(change)

    def release(
        self,
        positions: dict[int, int],
        rank: Callable[[int], tuple[int, str, str]],
        lag_ns: int = WAIT_NS,
    ) -> list[Change]:
        """Return what holds for the patient, now that the leads have reached `positions`.

        Parameters
        ----------
        positions : device time right after the last sample of each ECG timeline
        rank : what orders the timelines, the best first
        lag_ns : how far a lead may be behind the leading one and still be waited for
        """
        alive, reached = _alive(positions, lag_ns)
        ready = sorted(change for change in self.waiting if change.detected_ns <= reached)
        if not ready and self.reference in alive:
            return []
        self.waiting = [change for change in self.waiting if change.detected_ns > reached]
        alive.sort(key=rank)
        said: list[Change] = []
        for change in ready:
            said += self._apply(change, alive)
        last_ns = positions.get(self.reference, 0) + lag_ns
        return said + self._hand_over(alive, min(reached, last_ns), rank)

    def _hand_over(
        self, alive: list[int], at_ns: int, rank: Callable[[int], tuple[int, str, str]]
    ) -> list[Change]:
        """Let the next lead take over from a reference that stopped coming."""
        following = next((line for line in alive if self._sure(line)), None)
        if self.reference < 0 or self.reference in alive or following is None:
            return []
        self.reference, kind = following, codes.SURE
        change = Change(at_ns, rank(following), kind, 0, following, at_ns, 0, 0.0, False)
        return self._settle(change, following, alive)

    @staticmethod
    def reached_ns(positions: dict[int, int], lag_ns: int = WAIT_NS) -> int:
        """Return the device time up to which all leads that are alive are known; 0: no lead."""
        return _alive(positions, lag_ns)[1] if positions else 0

    def _apply(self, change: Change, alive: list[int]) -> list[Change]:
        if change.kind == codes.MINUTE:  # that of the lead that is believed, or last was
            known = change.timeline if self.reference < 0 else self.reference
            believed = next((line for line in alive if self._sure(line)), known)
            return [change] if change.timeline == believed else []
        lead = self.leads.setdefault(change.timeline, Lead())
        if change.kind == codes.SURE:
            lead.sure = True
            ended = lead.present.keys() - self.present if change.timeline != self.reference else ()
            lead.present = {of: what for of, what in lead.present.items() if of not in ended}
        elif change.kind == codes.UNSURE_SINCE:
            lead.sure = False
        elif change.kind == codes.ON:
            lead.present[change.condition] = (change.onset_ns, change.detected_ns, change.value)
        elif change.kind == codes.OFF:
            lead.present.pop(change.condition, None)
        reference = next((line for line in alive if self._sure(line)), None)
        if reference is None:
            if not self.analysed:
                return []
            self.analysed = False
            return [change._replace(kind=codes.UNSURE_SINCE, condition=0)]
        said = [] if self.analysed else [change._replace(kind=codes.SURE, condition=0)]
        self.analysed, self.reference = True, reference
        if change.kind == codes.EPISODE:
            return [*said, change] if change.timeline == reference else said
        return said + self._settle(change, reference, alive)

    def _sure(self, line: int) -> bool:
        lead = self.leads.get(line)
        return lead is not None and lead.sure

    def _settle(self, change: Change, reference: int, alive: list[int]) -> list[Change]:
        """Let the reference's conditions be the patient's, and what any lead may say."""
        said = []
        present = {of: (reference, *what) for of, what in self.leads[reference].present.items()}
        for line in alive:
            for condition in ANY_LEAD & self.leads[line].present.keys() if self._sure(line) else ():
                present.setdefault(condition, (line, *self.leads[line].present[condition]))
        for condition in sorted(self.present - present.keys()):
            own = change.kind == codes.OFF and change.condition == condition
            end_ns = change.end_ns if own else change.detected_ns
            said.append(
                change._replace(
                    kind=codes.OFF, condition=condition, end_ns=end_ns, timeline=reference
                )
            )
        for condition in sorted(present.keys() - self.present):
            line, onset_ns, _, value = present[condition]
            said.append(
                change._replace(
                    kind=codes.ON,
                    condition=condition,
                    timeline=line,
                    onset_ns=onset_ns,
                    value=value,
                )
            )
        self.present = set(present)
        return said


def _alive(positions: dict[int, int], lag_ns: int) -> tuple[list[int], int]:
    """Return the leads that are waited for, and the device time that all of them have reached."""
    leading = max(positions.values())
    alive = [line for line, at in positions.items() if at >= leading - lag_ns]
    return alive, min(positions[line] for line in alive)
