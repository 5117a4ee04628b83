"""Makes the weights of `classes` from WFDB records, and says what they are worth on others.

`python -m telesurv.evaluate.train_classes FOLDER` prints `_class_weights.py` to standard output,
and to standard error the figures of `evaluate.classes` where each record was classified with
weights made without it: five folds over records, three ways to draw them.

Two logistic regressions on the features that the kernel computes on line, on every lead of every
record without pacemaker. Every weight is bound to its physiological sign, so that no accident
of these records turns, say, wide QRS into evidence against a ventricular beat. A record counts
for its rare beats as much as for its many: the beats of a record and class weigh together like
the root of their number, and 600 of them at most are drawn.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from telesurv.evaluate import classes as scoring
from telesurv.evaluate import ec57
from telesurv.evaluate.beats import Reference, read_reference, records_of
from telesurv.lead import Lead, read_lead
from telesurv_kernels import _class_weights as weights
from telesurv_kernels import _dtypes as codes
from telesurv_kernels import classes

FOLDS, DRAWS = 5, 3
FUSION = scoring.ROWS.index("F")
FUSION_SHARE = 0.25
"""What a fusion beat weighs among the ventricular ones: EC57 leaves open what it is called."""

GROUP_BEATS, GROUP_MORE = 600, 30
RIDGE = 1e-3
STEPS = 4000
MISSED_MAX = 0.1
"""A lead in which more beats than this share were not detected teaches nothing."""

Weights = tuple[NDArray[np.float64], NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class Taught:
    """A lead: the features of its beats, their classes, and how to score it."""

    record: str
    lead: Lead
    reference: Reference
    features: NDArray[np.float64]  # of the beats that teach
    rows: NDArray[np.int64]  # of scoring.ROWS
    useful: bool


def teach(path: Path, number: int) -> Taught | None:
    """Return what a lead of a record teaches; None if the record has paced beats."""
    lead = read_lead(path, number)
    reference = read_reference(path.with_suffix(""), lead)
    if reference.paced:
        return None
    found, features = described(lead)
    of = ec57.compare(
        reference.beats,
        found["sample"].astype(np.int64),
        lead.rate_hz,
        learning_s=0.0,
        excluded=reference.fibrillation,
    )
    rows = np.full(len(found), -1)
    rows[of.pairs[:, 1]] = scoring.rows_of(reference)[of.pairs[:, 0]]
    rows[of.invented] = scoring.ROWS.index("N")
    kept = (rows >= 0) & (rows <= FUSION) & ~np.isnan(features[:, 0])
    useful = len(of.missed) <= MISSED_MAX * len(reference.beats)
    return Taught(path.stem, lead, reference, features[kept], rows[kept], useful)


def described(lead: Lead) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """Return the BEATs of a lead and the features of each, NaN where it was not compared.

    The kernel keeps those of the last beat, so it is given one finding at a time. They do not
    depend on what it says of beats: the weights in force, which know every record, leave no trace.
    """
    samples, mask, events = scoring.listened(lead)
    state, params = np.zeros(1, classes.STATE), np.array([classes.params(lead.rate_hz)])
    out = np.zeros(1, classes.FINDING)
    features = np.full((len(events), state["features"].shape[1]), np.nan)
    first = 0
    for index, event in enumerate(events):
        last = int(event["decided"]) + 1
        segment = np.array([(0, first, last, first == 0)], codes.SEGMENT)
        before = int(state["beats"][0])
        if last > first:
            classes.advance(state, params, segment, samples, mask, events[index : index + 1], out)
        if int(state["beats"][0]) > before:
            features[index] = state["features"][0]
        first = last
    is_beat = (events["kind"] == codes.BEAT) & (events["sample"] < len(lead.samples))
    return events[is_beat], features[is_beat]


def made_of(taught: Sequence[Taught]) -> Weights:
    """Return the weights of both sums, each with its bias first."""
    rng = np.random.default_rng(0)
    features, rows, weight = [], [], []
    for one in taught:
        for row in range(FUSION + 1):
            group = np.flatnonzero(one.rows == row)
            if not len(group) or not one.useful:
                continue
            together = len(group) / np.sqrt(len(group) + GROUP_MORE)
            drawn = rng.permutation(group)[:GROUP_BEATS]
            features.append(one.features[drawn])
            rows.append(one.rows[drawn])
            share = FUSION_SHARE if row == FUSION else 1.0
            weight.append(np.full(len(drawn), share * together / len(drawn)))
    x, y, w = np.concatenate(features), np.concatenate(rows), np.concatenate(weight)
    split = len(weights.VENTRICULAR_SIGNS)
    other = y < scoring.ROWS.index("V")
    return (
        _regress(x[:, :split], ~other, w, weights.VENTRICULAR_SIGNS),
        _regress(
            x[other, split - weights.SHARED :],
            y[other] == scoring.ROWS.index("S"),
            w[other],
            weights.SUPRAVENTRICULAR_SIGNS,
        ),
    )


def _regress(
    x: NDArray[np.float64],
    y: NDArray[np.bool_],
    weight: NDArray[np.float64],
    signs: Sequence[int],
) -> NDArray[np.float64]:
    """Return bias and weights: projected gradient with Nesterov's momentum, scaled features."""
    scale = np.array(signs) / (x.std(0) + 1e-6)
    z = np.column_stack([np.ones(len(x)), x * scale])
    weight = weight / weight.sum()
    ridge = np.r_[0.0, np.full(x.shape[1], RIDGE)]
    step = 1.0 / (0.25 * np.linalg.eigvalsh((z * weight[:, None]).T @ z)[-1] + 2 * RIDGE)
    now = ahead = np.zeros(z.shape[1])
    for count in range(STEPS):
        error = 1.0 / (1.0 + np.exp(-(z @ ahead))) - y
        after = ahead - step * (z.T @ (weight * error) + 2 * ridge * ahead)
        after[1:] = np.maximum(after[1:], 0.0)
        now, ahead = after, after + count / (count + 3) * (after - now)
    made: NDArray[np.float64] = np.r_[now[0], now[1:] * scale]
    return made


def main(folders: Sequence[Path]) -> None:
    """Print weights, and what is expected of them."""
    every = [teach(path, number) for path in records_of(folders) for number in (0, 1)]
    taught = [one for one in every if one is not None]
    names = sorted({one.record for one in taught})
    for draw in range(DRAWS):
        order = np.random.default_rng(draw).permutation(names).tolist()
        total = np.zeros((len(scoring.ROWS), len(scoring.COLUMNS)), np.int64)
        for fold in range(FOLDS):
            apart = order[fold::FOLDS]
            made = made_of([one for one in taught if one.record not in apart])
            for one in taught:
                if one.record in apart and one.lead.number == 0:
                    judged = scoring.judge("", one.lead, one.reference, ec57.LEARNING_S, made)
                    total += np.array(judged.record.score.matrix)
        for name, figures in (
            ("ventricular", scoring.score(total).ventricular),
            ("supraventricular", scoring.score(total).supraventricular),
        ):
            sys.stderr.write(
                f"{FOLDS} folds, draw {draw}, {name}: Se {figures.sensitivity}, "
                f"+P {figures.predictivity}\n"
            )
    for name, made_weights in zip(
        ("VENTRICULAR_WEIGHTS", "SUPRAVENTRICULAR_WEIGHTS"), made_of(taught), strict=True
    ):
        sys.stdout.write(f"{name} = ({', '.join(f'{one:.2f}' for one in made_weights)})\n")


if __name__ == "__main__":
    main([Path(word) for word in sys.argv[1:]])
