"""A finding on its way to the alerts."""

from typing import NamedTuple


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
