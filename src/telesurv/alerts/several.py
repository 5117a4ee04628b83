"""Several devices for one measure: a condition is present while one that is alive says so.

Of several oximeters each judges for itself. The patient's condition begins with the first that
says so and ends when none does any more; a device that fell silent a minute ago is not asked.
"""

from collections.abc import Callable

import msgspec

from telesurv.alerts.change import Change
from telesurv_kernels import _dtypes as codes

ALIVE_NS = 60_000_000_000
"""Device time by which a device may be behind the others and still be asked."""

SPEAKS_NS = 10_000_000_000
"""The same for the minutes of a numeric: a missing one costs less than one of the wrong device."""


class Several(msgspec.Struct):
    """Which timelines say that a condition is present, and who of them ended it in vain."""

    holders: dict[int, list[int]] = {}  # condition -> timelines, sorted
    ended: dict[int, Change] = {}  # condition -> last OFF of a timeline that was not the last

    def take(self, change: Change, positions: dict[int, int]) -> bool:
        """Take in what one device says; return whether it counts for the patient."""
        holders = set(self.holders.get(change.condition, ()))
        if change.kind == codes.ON:
            self.holders[change.condition] = sorted(holders | {change.timeline})
            return True
        holders -= {change.timeline}
        self._keep(change.condition, holders)
        if self._alive(holders, positions):
            self.ended[change.condition] = change
            return False
        self.ended.pop(change.condition, None)
        return True

    def passed(self, positions_like: Callable[[int], dict[int, int]]) -> list[Change]:
        """Return the ends that count now, because the devices that said otherwise are silent."""
        over = [
            change
            for condition, change in sorted(self.ended.items())
            if not self._alive(
                set(self.holders.get(condition, ())), positions_like(change.timeline)
            )
        ]
        for change in over:
            del self.ended[change.condition]
        return over

    @staticmethod
    def first_alive(positions: dict[int, int], rank: Callable[[int], tuple[int, str, str]]) -> int:
        """Return the timeline whose minutes are the patient's: the first one that is alive."""
        newest_ns = max(positions.values(), default=0)
        alive = [line for line, at in positions.items() if at >= newest_ns - SPEAKS_NS]
        return min(alive, key=rank, default=-1)

    def _keep(self, condition: int, holders: set[int]) -> None:
        if holders:
            self.holders[condition] = sorted(holders)
        else:
            self.holders.pop(condition, None)

    @staticmethod
    def _alive(lines: set[int], positions: dict[int, int]) -> bool:
        """Whether one of the timelines is not far behind the patient's newest."""
        newest_ns = max(positions.values(), default=0)
        return any(positions.get(line, 0) >= newest_ns - ALIVE_NS for line in lines)
