"""Figures of a rhythm that was called: episodes, durations, beats, delays, what was left alone."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec
import numpy as np

from telesurv.evaluate.figures import Bounds, Spread, interval, rounded, spread
from telesurv.evaluate.figures import mean as mean_of
from telesurv.evaluate.intervals import share


class Episodes(msgspec.Struct, frozen=True, kw_only=True):
    """Those that experts marked, those that were called, and how many of each agree."""

    reference: int
    found: int
    sensitivity: float | None
    sensitivity_interval: Bounds | None  # Wilson, 95 %
    called: int
    right: int
    predictivity: float | None
    predictivity_interval: Bounds | None


class Durations(msgspec.Struct, frozen=True, kw_only=True):
    """Times in s. They have no intervals: seconds of an episode are no cases of their own."""

    judged_s: float
    reference_s: float
    called_s: float
    both_s: float
    sensitivity: float | None
    predictivity: float | None
    specificity: float | None  # share of the other time that was left alone
    false_h_per_100_h: float | None


class BeatCounts(msgspec.Struct, frozen=True, kw_only=True):
    """Beats that experts marked, in episodes of theirs or not.

    The intervals take beats for cases of their own, which those of an episode are not.
    """

    inside: int
    inside_called: int
    sensitivity: float | None
    sensitivity_interval: Bounds | None
    outside: int
    outside_called: int
    specificity: float | None
    specificity_interval: Bounds | None


class RhythmShare(msgspec.Struct, frozen=True, kw_only=True):
    """How much of a rhythm was called so."""

    rhythm: str  # MIT-BIH's code; "": none was marked
    length_s: float
    called_s: float
    left_alone: float | None


class RhythmFigures(msgspec.Struct, frozen=True, kw_only=True):
    """One target, of a record or of all."""

    episodes: Episodes
    durations: Durations
    beats: BeatCounts
    decided: Spread  # signal from the experts' onset, for those episodes that were found
    decided_beats: tuple[float, float] | None  # median and most, from the onset that was found
    by_rhythm: tuple[RhythmShare, ...]


class Average(msgspec.Struct, frozen=True, kw_only=True):
    """Means of the records' shares, of those that have one."""

    episode_sensitivity: float | None
    episode_predictivity: float | None
    duration_sensitivity: float | None
    duration_predictivity: float | None
    duration_specificity: float | None
    beat_sensitivity: float | None
    beat_specificity: float | None


@dataclass(slots=True)
class Tally:
    """Counts of a record, or of several summed."""

    reference: int = 0
    found: int = 0
    called: int = 0
    right: int = 0
    judged_s: float = 0.0
    reference_s: float = 0.0
    called_s: float = 0.0
    both_s: float = 0.0
    inside: int = 0
    inside_called: int = 0
    outside: int = 0
    outside_called: int = 0
    delays_ms: list[float] = field(default_factory=list)
    delays_beats: list[int] = field(default_factory=list)
    rhythms: dict[str, tuple[float, float]] = field(default_factory=dict)  # s, s called

    def add(self, other: "Tally") -> None:
        """Add another's counts."""
        for name in self.__slots__:
            if name != "rhythms":
                setattr(self, name, getattr(self, name) + getattr(other, name))
        for rhythm, (length, of_it) in other.rhythms.items():
            before = self.rhythms.get(rhythm, (0.0, 0.0))
            self.rhythms[rhythm] = before[0] + length, before[1] + of_it


def rhythm_figures(one: Tally) -> RhythmFigures:
    """Return the figures that follow from counts."""
    other_s, false_s = one.judged_s - one.reference_s, one.called_s - one.both_s
    beats = one.delays_beats
    return RhythmFigures(
        episodes=Episodes(
            reference=one.reference,
            found=one.found,
            sensitivity=rounded(share(one.found, one.reference)),
            sensitivity_interval=interval(one.found, one.reference),
            called=one.called,
            right=one.right,
            predictivity=rounded(share(one.right, one.called)),
            predictivity_interval=interval(one.right, one.called),
        ),
        durations=Durations(
            judged_s=round(one.judged_s, 3),
            reference_s=round(one.reference_s, 3),
            called_s=round(one.called_s, 3),
            both_s=round(one.both_s, 3),
            sensitivity=_part(one.both_s, one.reference_s),
            predictivity=_part(one.both_s, one.called_s),
            specificity=_part(other_s - false_s, other_s),
            false_h_per_100_h=_part(100 * false_s, one.judged_s),
        ),
        beats=BeatCounts(
            inside=one.inside,
            inside_called=one.inside_called,
            sensitivity=rounded(share(one.inside_called, one.inside)),
            sensitivity_interval=interval(one.inside_called, one.inside),
            outside=one.outside,
            outside_called=one.outside_called,
            specificity=rounded(share(one.outside - one.outside_called, one.outside)),
            specificity_interval=interval(one.outside - one.outside_called, one.outside),
        ),
        decided=spread(np.array(one.delays_ms, np.float64)),
        decided_beats=(float(np.median(beats)), float(max(beats))) if beats else None,
        by_rhythm=tuple(
            RhythmShare(
                rhythm=rhythm,
                length_s=round(length, 3),
                called_s=round(of_it, 3),
                left_alone=_part(length - of_it, length),
            )
            for rhythm, (length, of_it) in sorted(one.rhythms.items())
        ),
    )


def _part(some_s: float, whole_s: float) -> float | None:
    return round(some_s / whole_s, 6) if whole_s > 0 else None


def average(every: Sequence[RhythmFigures]) -> Average:
    """Return the means over records."""
    return Average(
        episode_sensitivity=mean_of(one.episodes.sensitivity for one in every),
        episode_predictivity=mean_of(one.episodes.predictivity for one in every),
        duration_sensitivity=mean_of(one.durations.sensitivity for one in every),
        duration_predictivity=mean_of(one.durations.predictivity for one in every),
        duration_specificity=mean_of(one.durations.specificity for one in every),
        beat_sensitivity=mean_of(one.beats.sensitivity for one in every),
        beat_specificity=mean_of(one.beats.specificity for one in every),
    )
