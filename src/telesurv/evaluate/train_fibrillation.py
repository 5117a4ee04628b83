"""Makes `LINE_FILL` of `fibrillation` from WFDB records, and says what it is worth on others.

`python -m telesurv.evaluate.train_fibrillation FOLDER...` prints, for five folds over records,
the bound that the other folds teach, and by duration what is then called fibrillation in the
fold's own records; then the bound of all records, and that of now. Folders hold WFDB records
with rhythms (`.atr`) and both kinds: `vfdb`, `mitdb`, also `noise`, `cpsc2021`. First lead.

Taught is one logistic regression on fill less a quarter of the leakage, as the kernel computes
them, of its 2 s windows: those in ventricular fibrillation or flutter against those in any other
rhythm but ventricular tachycardia and annotated noise, with at least 0.1 mV and a rate that can
be either's. The windows of a record and class weigh together like the root of their number.
The bound is where both classes, weighing the same, are equally likely. To learn the quarter,
too, makes the folds disagree: the two numbers go together in most records.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from telesurv.evaluate import spans
from telesurv.evaluate.beats import records_of
from telesurv.evaluate.rhythm_marks import Marks, read_marks
from telesurv.lead import Lead, read_lead
from telesurv_kernels import _waveform as waveform
from telesurv_kernels import fibrillation, quality
from telesurv_kernels._dtypes import OFF, ON, SEGMENT

FOLDS = 5
RATES_HZ = (2.6, 7.5)
NEWTON_STEPS = 30
FIBRILLATION = ("(VF", "(VFIB", "(VFL")
NORMAL = ("(N", "(NSR")
LEFT_OUT = ("(VT", "(NOISE")
KINDS = ("fibrillation", "normal", "other")


@dataclass(frozen=True, slots=True)
class Taught:
    """A lead: its windows that teach, and how to score it."""

    folder: str
    lead: Lead
    mask: NDArray[np.uint8]
    marks: Marks
    fills: NDArray[np.float64]  # less a part for the leakage
    fibrillating: NDArray[np.bool_]


def masked(lead: Lead) -> NDArray[np.uint8]:
    """Return what `quality` says of a lead's samples."""
    mask = np.zeros(len(lead.samples), np.uint8)
    segments = np.array([(0, 0, len(mask), 1)], SEGMENT)
    out = np.zeros(quality.capacity(len(mask), 1), quality.FINDING)
    params = np.array([quality.params(lead.rate_hz, lead.scale_mv, ecg=True)])
    quality.advance(np.zeros(1, quality.STATE), params, segments, lead.samples, mask, out)
    return mask


def windows(lead: Lead, mask: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return end (s), fill, leakage and rate (Hz) of each window that the kernel judges."""
    state = np.zeros(1, fibrillation.STATE)
    params = np.array([fibrillation.params(lead.rate_hz, lead.scale_mv)])
    length = int(params[0]["step"] * params[0]["block"])
    steps = waveform.WINDOW * int(params[0]["block"])
    out = np.zeros(fibrillation.capacity(length, 1), fibrillation.FINDING)
    segments = np.array([(0, 0, length, 0)], SEGMENT)
    found = []
    for last in range(length, len(mask) + 1, length):
        part = slice(last - length, last)
        fibrillation.advance(state, params, segments, lead.samples[part], mask[part], out)
        if state[0]["blocks"] < waveform.WINDOW:
            continue
        sums = state[0]["recent"].sum(axis=0).astype(float)
        if sums[waveform.AMPLITUDE] < waveform.FLAT_UV * steps:
            continue
        rate_hz = waveform.mean_rate_hz(state[0]["recent"], float(params[0]["step_hz"]))
        fill = sums[waveform.SLOPE] ** 2 / (steps * sums[waveform.SLOPE_SQUARED])
        leakage = sums[waveform.LEFT] / sums[waveform.WHOLE]
        found.append((last / lead.rate_hz, fill, leakage, rate_hz))
    return np.array(found).reshape(-1, 4)


def teach(path: Path) -> Taught | None:
    """Return what the first lead of a record teaches; None where no rhythm is marked."""
    lead = read_lead(path, 0)
    marks = read_marks(path.with_suffix(""), len(lead.samples) / lead.rate_hz)
    if marks is None:
        return None
    mask = masked(lead)
    end_s, fill, leakage, rate_hz = windows(lead, mask).T
    begin_s = end_s - waveform.WINDOW * fibrillation.BLOCK_S

    def within(some: Sequence[spans.Span], whole: bool) -> NDArray[np.bool_]:
        """Say which windows lie in some stretches, wholly or at all."""
        inside = np.zeros(len(end_s), bool)
        for low, high in some:
            inside |= (begin_s >= low) & (end_s <= high) if whole else (
                (begin_s < high) & (end_s > low)
            )  # fmt: skip
        return inside

    fibrillating = within(marks.spans(*FIBRILLATION), whole=True)
    usable = (rate_hz > RATES_HZ[0]) & (rate_hz < RATES_HZ[1])
    usable &= fibrillating | ~within(marks.spans(*FIBRILLATION, *LEFT_OUT), whole=False)
    fills = fill - waveform.LINE_LEAKAGE * leakage
    return Taught(path.parent.name, lead, mask, marks, fills[usable], fibrillating[usable])


def learn(taught: Sequence[Taught]) -> float:
    """Return the bound between the windows of two classes (logistic regression, Newton)."""
    fills = np.concatenate([one.fills for one in taught])
    features = np.column_stack([fills, np.ones(len(fills))])
    fibrillating = np.concatenate([one.fibrillating for one in taught])
    weights = np.zeros(len(features))
    place = 0
    for one in taught:
        for which in (True, False):
            same = np.flatnonzero(one.fibrillating == which)
            weights[place + same] = 1 / np.sqrt(max(len(same), 1))
        place += len(one.fibrillating)
    for which in (True, False):
        weights[fibrillating == which] /= weights[fibrillating == which].sum()
    slope = np.zeros(2)
    for _ in range(NEWTON_STEPS):
        likely = 1 / (1 + np.exp(-features @ slope))
        gradient = features.T @ (weights * (fibrillating - likely))
        curve = (features * (weights * likely * (1 - likely))[:, None]).T @ features
        slope += np.linalg.solve(curve + 1e-9 * np.eye(2), gradient)
    return float(-slope[1] / slope[0])


def called(one: Taught, bound: float) -> list[spans.Span]:
    """Return where the kernel finds fibrillation in a lead, with such a bound."""
    lead = one.lead
    params = np.array([fibrillation.params(lead.rate_hz, lead.scale_mv, bound)])
    segments = np.array([(0, 0, len(one.mask), 1)], SEGMENT)
    out = np.zeros(fibrillation.capacity(len(one.mask), 1), fibrillation.FINDING)
    state = np.zeros(1, fibrillation.STATE)
    size = fibrillation.advance(state, params, segments, lead.samples, one.mask, out)
    begins = [f["onset"] / lead.rate_hz for f in out[:size] if f["kind"] == ON]
    ends = [f["end"] / lead.rate_hz for f in out[:size] if f["kind"] == OFF]
    return list(zip(begins, [*ends, one.marks.end_s], strict=False))


def tally(one: Taught, bound: float) -> NDArray[np.float64]:
    """Return for each of KINDS how long it was called fibrillation, and how long it lasted."""
    of = {
        "fibrillation": one.marks.spans(*FIBRILLATION),
        "normal": one.marks.spans(*NORMAL),
    }
    known = [*of["fibrillation"], *of["normal"], *one.marks.spans(*LEFT_OUT)]
    of["other"] = spans.without([(0.0, one.marks.end_s)], known)
    found = called(one, bound)
    rows = [
        (spans.length_s(spans.both(found, of[kind])), spans.length_s(of[kind])) for kind in KINDS
    ]
    return np.array(rows)


def told(name: str, bound: float, sums: NDArray[np.float64]) -> str:
    """Return a line of the report."""
    shares = (
        f"{kind} {100 * part / whole:6.2f} % of {whole:7.0f} s"
        for kind, (part, whole) in zip(KINDS, sums, strict=True)
        if whole > 0
    )
    return f"{name:16} bound {bound:.3f}  " + "  ".join(shares)


def main(folders: Sequence[Path], out: Any = sys.stdout) -> None:
    """Write the folds, their sum by database, and the bound of all."""
    taught = [one for path in records_of(folders) if (one := teach(path)) is not None]
    # Records with fibrillation are dealt to the folds first, so that each has some.
    taught.sort(key=lambda one: (not one.fibrillating.any(), one.lead.record))
    blank = np.zeros((len(KINDS), 2))
    total = {folder.name: blank for folder in folders}
    for fold in range(FOLDS):
        bound = learn([one for i, one in enumerate(taught) if i % FOLDS != fold])
        sums = blank
        for one in taught[fold::FOLDS]:
            sums = sums + tally(one, bound)
            total[one.folder] = total[one.folder] + tally(one, bound)
        out.write(told(f"fold {fold + 1}", bound, sums) + "\n")
    bound = learn(taught)
    for name, sums in total.items():
        out.write(told(f"folds, {name}", bound, sums) + "\n")
    now = fibrillation.LINE_FILL
    for folder in folders:
        sums = sum((tally(one, now) for one in taught if one.folder == folder.name), blank)
        out.write(told(f"now, {folder.name}", now, sums) + "\n")


if __name__ == "__main__":
    main([Path(word) for word in sys.argv[1:]])
