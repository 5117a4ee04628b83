"""The last 24 hours of each patient's numerics, a minute a slot, in bounded memory."""

from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from telesurv.alerts.model import Minute

MINUTES = 24 * 60
"""Slots of a trend: 24 h."""

TRENDS_MAX = 20_000
"""Trends kept (12 KiB each); beyond it the one updated longest ago is dropped."""

Key = tuple[str, str, str]  # mode, patient, numeric


@dataclass(frozen=True, slots=True)
class Series:
    """A trend to be drawn: minutes since 1970, rising, with their mean and lowest value."""

    unit: str
    minute: NDArray[np.int64]
    mean: NDArray[np.float32]
    low: NDArray[np.float32]


class _Ring:
    """Slot `minute % MINUTES` holds that minute; NaN is none."""

    def __init__(self) -> None:
        self.values = np.full((MINUTES, 2), np.nan, np.float32)
        self.newest = -1
        self.unit = ""
        self.version = 0


class Trends:
    """Rings of minutes by mode, patient and numeric."""

    def __init__(self) -> None:
        self._rings: OrderedDict[Key, _Ring] = OrderedDict()

    def apply(self, minute: Minute, version: int) -> bool:
        """Take a minute, also a late one; return whether something to show changed.

        A live minute older than 24 h is of no use. A replay may begin again at an earlier date:
        then its trend does, too.
        """
        if not (np.isfinite(minute.mean) and np.isfinite(minute.low)):
            raise ValueError(f"mean {minute.mean}, low {minute.low}: not finite")
        key = (minute.mode, minute.patient, minute.numeric)
        ring = self._rings.get(key)
        if ring is None:
            ring = self._rings[key] = _Ring()
            if len(self._rings) > TRENDS_MAX:
                self._rings.popitem(last=False)
        self._rings.move_to_end(key)
        at = _epoch_minute(minute.minute)
        if at <= ring.newest - MINUTES:
            if minute.mode == "live":
                return False
            ring.values[:] = np.nan
            ring.newest = at
        elif at > ring.newest:
            passed = min(at - ring.newest, MINUTES)
            ring.values[np.arange(at - passed + 1, at + 1) % MINUTES] = np.nan
            ring.newest = at
        ring.values[at % MINUTES] = minute.mean, minute.low
        ring.unit, ring.version = minute.unit, version
        return True

    def series(self, mode: str, patient: str, numeric: str) -> Series | None:
        """Return a trend, None where nothing of it is known."""
        ring = self._rings.get((mode, patient, numeric))
        if ring is None:
            return None
        minute = np.arange(ring.newest - MINUTES + 1, ring.newest + 1)
        values = ring.values[minute % MINUTES]
        known = ~np.isnan(values[:, 0])
        return Series(ring.unit, minute[known], values[known, 0], values[known, 1])

    def numerics(self, mode: str, patient: str) -> dict[str, int]:
        """Return the numerics known of a patient, each with the version of its last change."""
        return {
            numeric: ring.version
            for numeric in NUMERICS
            if (ring := self._rings.get((mode, patient, numeric))) is not None
        }


NUMERICS = ("heart_rate", "spo2")
"""Numerics that have a trend on the page."""


def _epoch_minute(instant: datetime) -> int:
    return int(instant.timestamp() // 60)
