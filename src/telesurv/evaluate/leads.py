"""R-peaks of all ECG leads together against the beats that experts marked, by the rules of `ec57`.

What is scored is what `telesurv.lead.hear_together` says: every lead through its kernels, the
fusion of them, a second at a time, without a look ahead, as in the service. All beats count.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from telesurv.evaluate import ec57
from telesurv.evaluate.beats import ANNOTATOR, Progress, read_reference
from telesurv.lead import HeardTogether, Unsuited, hear_together, read_leads


@dataclass(frozen=True, slots=True)
class Together:
    """The score of one record's leads, and the longest time that a beat took to be decided."""

    record: str
    leads: tuple[str, ...]
    score: ec57.Score
    decided_ms: float


def score(record: Path, heart: HeardTogether | None = None) -> Together:
    """Score the leads of a record (its header) together; `heart` spares hearing them again."""
    heart = heart or hear_together(read_leads(record))
    lead = heart.leads[0]
    reference = read_reference(record.with_suffix(""), lead)
    peaks = np.rint(heart.beats["time_ns"] * (lead.rate_hz / 1e9)).astype(np.int64)
    of = ec57.compare(reference.beats, peaks, lead.rate_hz, excluded=reference.fibrillation)
    counts = ec57.Score(len(of.pairs), len(of.missed), len(of.invented))
    judged = heart.beats[heart.beats["time_ns"] >= ec57.LEARNING_S * 1e9]
    late_ns = (judged["decided_ns"] - judged["time_ns"]).max(initial=0)
    names = tuple(one.name for one in heart.leads)
    return Together(lead.record, names, counts, round(float(late_ns) / 1e6, 1))


def score_folders(
    folders: Iterable[Path], progress: Progress = lambda done, total, text: None
) -> list[Together]:
    """Score every record with reference annotations (`.atr`) of some folders, in order.

    Raises `Unsuited` where there is none, or one has no ECG.
    """
    found = [path for folder in folders for path in sorted(folder.glob("*.hea"))]
    found = [path for path in found if path.with_suffix(f".{ANNOTATOR}").exists()]
    if not found:
        raise Unsuited(f"no WFDB record with beats in NAME.{ANNOTATOR}")
    scores = []
    for number, path in enumerate(found):
        progress(number, len(found), path.stem)
        scores.append(score(path))
    return scores


def rows(scores: Iterable[Together]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return heads and a line for each record, and one of all."""
    every = list(scores)
    lines = [(one.record, "+".join(one.leads), one.score, one.decided_ms) for one in every]
    latest_ms = max((one.decided_ms for one in every), default=0.0)
    lines.append(("gross", "", ec57.gross(one.score for one in every), latest_ms))
    heads = ("record", "leads", "beats", "missed", "invented", "Se %", "+P %", "latest ms")
    return heads, [
        (
            name,
            leads,
            str(of.true_positives + of.false_negatives),
            str(of.false_negatives),
            str(of.false_positives),
            f"{of.sensitivity * 100:.2f}",
            f"{of.predictivity * 100:.2f}",
            f"{ms:.0f}",
        )
        for name, leads, of, ms in lines
    ]
