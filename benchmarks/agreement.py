"""Beat for beat beside two independent detectors, where no expert marked the beats.

`python -m benchmarks.agreement` prints JSON. The hand-held recordings of cinc2017, by the class
that the challenge gave them, and those of perform-af: other recorders and rates than those of the
annotated databases. Of every heartbeat that anybody found it is counted who found it, and where
we stand alone, what the signal is there.
"""

import csv
import os
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import answer, report
from benchmarks.ecg_detectors import OURS, detector, tried
from benchmarks.ecg_records import Signal
from telesurv.evaluate import ec57
from telesurv.lead import Lead, hear, read_lead

PEERS = ("SleepECG", "NeuroKit2 neurokit")

BEGIN_S, END_S = 2.0, 1.0
"""What lies within these of a recording's edges: learning, and filters that have not settled."""

CLOSE_S = 0.3
"""Two detections this close are one beat to somebody."""


def recordings() -> list[tuple[str, Path]]:
    """Return group and record of everything in the folder of whole databases."""
    named = os.environ.get("TELESURV_RECORDINGS")
    if not named:
        return []
    root = Path(named)
    with (root / "cinc2017" / "REFERENCE.csv").open() as lines:
        classes = dict(line[:2] for line in csv.reader(lines))
    hand = [(f"cinc2017 {classes[p.stem]}", p) for p in (root / "cinc2017").glob("*.hea")]
    rest = [("perform-af", path) for path in (root / "perform-af").glob("*.hea")]
    return [(group, path.with_suffix("")) for group, path in sorted(hand + rest)]


def signal_of(lead: Lead) -> Signal:
    """Return a lead as the peers take it: a missing sample repeats the last one."""
    mv = lead.samples * lead.scale_mv
    known = np.where(lead.samples == -32768, 0, np.arange(len(mv)))
    mv = mv[np.maximum.accumulate(known)]
    none = np.zeros(0, np.int64)
    return Signal("", lead.record, lead.samples, mv, lead.rate_hz, lead.scale_mv, none, [], 0.0)


def found_by(lead: Lead, ours: np.ndarray) -> dict[int, set[str]]:
    """Return who found the heartbeat at each sample, which is ours where we did."""
    signal, window = signal_of(lead), ec57.WINDOW_S * lead.rate_hz
    found = {name: tried(detector(name), signal) for name in PEERS}
    found = {OURS: ours.astype(np.int64)} | found
    heard: dict[int, set[str]] = {}
    for name, peaks in found.items():
        known = np.array(sorted(heard), np.int64)
        pairs = ec57.match(known, peaks, window)
        for at, _ in pairs:
            heard[int(known[at])].add(name)
        for peak in np.delete(peaks, pairs[:, 1]):
            heard.setdefault(int(peak), set()).add(name)
    return heard


def where(lead: Lead, at: int, ours: np.ndarray, mask: np.ndarray) -> str:
    """Say what the signal is at a sample where we stand alone."""
    if mask[max(at - 1, 0) : at + 2].any():
        return "unreadable"
    if not BEGIN_S <= at / lead.rate_hz <= len(mask) / lead.rate_hz - END_S:
        return "at an edge"
    others = np.abs(ours[ours != at] - at)
    return "close" if others.min(initial=len(mask)) < CLOSE_S * lead.rate_hz else "elsewhere"


def compared(lead: Lead) -> Counter[str]:
    """Count the heartbeats of a lead by who found them."""
    told = hear(lead)
    heard = found_by(lead, told.beats["sample"])
    counts: Counter[str] = Counter()
    for at, names in heard.items():
        if names == set(PEERS):
            counts[f"missed, {where(lead, at, told.beats['sample'], told.mask)}"] += 1
        elif names == {OURS}:
            counts[f"alone, {where(lead, at, told.beats['sample'], told.mask)}"] += 1
        counts["+".join(name for name in (OURS, *PEERS) if name in names)] += 1
    return counts


def measure() -> dict[str, Any]:
    todo = recordings()
    groups: dict[str, Counter[str]] = {}
    for number, (group, path) in enumerate(todo):
        report(number / len(todo))
        counts = groups.setdefault(group, Counter())
        counts["records"] += 1
        counts.update(compared(read_lead(path, None)))
    return {"groups": groups}


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    answer(measure())
