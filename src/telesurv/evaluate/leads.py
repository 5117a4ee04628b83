"""R-peaks of all ECG leads together against the beats that experts marked, by the rules of `ec57`.

What is scored is what `telesurv.lead.hear_together` says: every lead through its kernels, the
fusion of them, a second at a time, without a look ahead, as in the service. All beats count.
Beside it stands what each lead says alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from telesurv.evaluate import ec57
from telesurv.evaluate.about import About, about
from telesurv.evaluate.beats import (
    STRETCHES,
    Progress,
    Reference,
    Stretch,
    read_reference,
    records_of,
    worst_of,
)
from telesurv.evaluate.figures import (
    Figures,
    Histogram,
    Spread,
    figures,
    histogram,
    mean,
    spread,
)
from telesurv.lead import Unsuited, hear_together, read_leads
from telesurv_kernels import _dtypes as codes


class RecordLeads(msgspec.Struct, frozen=True, kw_only=True):
    """One record."""

    folder: str
    record: str
    leads: tuple[str, ...]
    figures: Figures  # of all leads together
    alone: tuple[Figures, ...]  # of each lead
    decided: Spread  # signal after the R-peak that it took to decide


class LeadsReport(msgspec.Struct, frozen=True, kw_only=True, tag="leads", tag_field="kind"):
    """What `evaluate` found."""

    about: About
    folders: tuple[str, ...]
    window_ms: float
    learning_s: float
    records: tuple[RecordLeads, ...]
    gross: Figures
    gross_best: Figures  # of the lead with the fewest errors of each record, known afterwards
    average_sensitivity: float | None
    average_predictivity: float | None
    decided: Spread
    delays: Histogram  # of `decided`
    worst: tuple[Stretch, ...]  # the fullest of errors first


@dataclass(frozen=True, slots=True)
class Judged:
    """One record, and the counts and times behind it."""

    record: RecordLeads
    score: ec57.Score
    alone: tuple[ec57.Score, ...]
    delays_ms: NDArray[np.float64]
    worst: list[Stretch]


def evaluate(
    folders: Sequence[Path],
    *,
    only: Sequence[str] = (),
    learning_s: float = ec57.LEARNING_S,
    progress: Progress = lambda done, total, text: None,
) -> LeadsReport:
    """Score every record with reference annotations (`.atr`) of some folders, in order.

    Parameters
    ----------
    folders : of WFDB records
    only : patterns of record names; empty: all
    learning_s : what lies before does not count

    Raises
    ------
    Unsuited : where no record has beats that experts marked, or one has no ECG
    """
    found = [path for path in records_of(folders, only) if path.with_suffix(".atr").exists()]
    if not found:
        raise Unsuited("no WFDB record with beats in NAME.atr")
    judged = []
    for number, path in enumerate(found):
        progress(number, len(found), path.stem)
        judged.append(judge(path, learning_s))
    delays_ms = np.concatenate([one.delays_ms for one in judged])
    best = [min(one.alone, key=_errors) for one in judged]
    stretches = sorted(
        (stretch for one in judged for stretch in one.worst),
        key=lambda stretch: -(stretch.missed + stretch.invented),
    )
    return LeadsReport(
        about=about(("quality", "beats", "leads")),
        folders=tuple(folder.resolve().name for folder in folders),
        window_ms=ec57.WINDOW_S * 1000,
        learning_s=learning_s,
        records=tuple(one.record for one in judged),
        gross=figures(ec57.gross(one.score for one in judged)),
        gross_best=figures(ec57.gross(best)),
        average_sensitivity=mean(one.record.figures.sensitivity for one in judged),
        average_predictivity=mean(one.record.figures.predictivity for one in judged),
        decided=spread(delays_ms),
        delays=histogram(delays_ms),
        worst=tuple(stretches[:STRETCHES]),
    )


def judge(record: Path, learning_s: float = ec57.LEARNING_S) -> Judged:
    """Hear the leads of a record (its header) together, and score them."""
    heart = hear_together(read_leads(record))
    lead = heart.leads[0]
    reference = read_reference(record.with_suffix(""), lead)
    peaks = peaks_of(heart.beats, lead.rate_hz)
    of = compare(reference, peaks, lead.rate_hz, learning_s)
    alone = []
    for number in range(len(heart.leads)):
        is_its = (heart.told["kind"] == codes.BEAT) & (heart.told["lead"] == number)
        its = np.sort(peaks_of(heart.told[is_its], lead.rate_hz))
        its = its[its < len(lead.samples)]
        alone.append(_score(compare(reference, its, lead.rate_hz, learning_s)))
    counts = heart.beats[heart.beats["time_ns"] >= learning_s * 1e9]
    delays_ms = (counts["decided_ns"] - counts["time_ns"]) / 1e6
    folder, name = record.resolve().parent.name, lead.record
    errors_s = reference.beats[of.missed] / lead.rate_hz, peaks[of.invented] / lead.rate_hz
    made = RecordLeads(
        folder=folder,
        record=name,
        leads=tuple(one.name for one in heart.leads),
        figures=figures(_score(of)),
        alone=tuple(figures(one) for one in alone),
        decided=spread(delays_ms),
    )
    return Judged(made, _score(of), tuple(alone), delays_ms, worst_of(folder, name, *errors_s))


def peaks_of(events: NDArray[Any], rate_hz: float) -> NDArray[np.int64]:
    """Return the samples of events."""
    samples: NDArray[np.int64] = np.rint(events["time_ns"] * (rate_hz / 1e9)).astype(np.int64)
    return samples


def compare(
    reference: Reference, peaks: NDArray[np.int64], rate_hz: float, learning_s: float
) -> ec57.Matched:
    """Return which beats were found, which were missed, and what was invented."""
    apart = reference.fibrillation
    return ec57.compare(reference.beats, peaks, rate_hz, learning_s=learning_s, excluded=apart)


def _score(of: ec57.Matched) -> ec57.Score:
    return ec57.Score(len(of.pairs), len(of.missed), len(of.invented))


def _errors(score: ec57.Score) -> int:
    return score.false_negatives + score.false_positives
