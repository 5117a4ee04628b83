"""Makes the weights of `leads` from WFDB records, and says what they are worth on others.

`python -m telesurv.evaluate.train_leads FOLDER NOISE…` prints `_lead_weights.WEIGHTS` to standard
output, and to standard error the figures of `evaluate.leads` where each record was scored with
weights made without it, its noisy copies included: five folds over records, drawn six times.

A logistic regression on what the kernel sums up for every peak in which leads disagree: a beat
or none, as experts marked it. What it sums up depends on the verdicts before, so that the kernel
is run again with the weights that were made, a few times. It begins with weights that know
nothing, whose runs are forgotten; the others all teach. Signs are bound where physiology or the
meaning of a feature leaves no choice.

FOLDER has two-lead records in which beats are marked; what they teach counts fully. NOISE has
records of the same names with noise added (`118e…`), which count for little, as do copies of the
records of FOLDER that are made here: with that noise in one lead or both, and with one lead so
small, for 2 of 4 minutes, that nothing is found in it.
"""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from telesurv.evaluate import ec57
from telesurv.evaluate.beats import Reference, read_reference, records_of
from telesurv.lead import CODE_MAX, Lead, hear, hear_together, read_leads
from telesurv_kernels import _dtypes as codes
from telesurv_kernels import _testimony as t
from telesurv_kernels import leads
from telesurv_streams.frame import MISSING

FOLDS, DRAWS = 5, 6
WARM, ROUNDS = 2, 6  # runs that are forgotten, and that teach
RIDGE = 0.1
COPY = 0.05  # what a noisy record's peaks count
PERIOD_S = 120.0
SMALL = 0.04  # of a lead's amplitude
GAINS = ((0.5, 0.5), (1.0, 0.0), (0.0, 1.0), (0.7, 0.25))  # of noise as strong as the beats
LEAST_S = 5.0  # what lies before teaches nothing, nor what a record's end cuts

SIGNS = {
    t.FOR_CLEAR: 1,
    t.FOR_STRONG: 1,
    t.FOR_UNSURE: -1,
    t.FOR_INVENTS: -1,
    t.SILENT_MISSES: 1,
    t.SILENT_FOUND: -1,
    t.SILENT_LONG: 1,
    t.TRACE_STRONG: 1,
    t.TRACE_CLEAR: 1,
    t.UNREAD_NOTHING: -1,
    t.UNREAD_STRONG: 1,
    t.LATE: 1,
    t.EARLY: -1,
    t.SILENT_CLEAR: -1,
    t.FOR_LIKE: 1,
}

SET = {t.SPLIT: -3.5}
"""Weights that are not learnt. One record in 24 teaches all that is known of a QRS that two leads
see at two times; that there is no beat within 300 ms of another which no lead shows is known."""

LEAN = 0.35
"""Log-odds towards a beat: with it as many are missed as invented, by folds."""


@dataclass(frozen=True, slots=True)
class Taught:
    """A record: what was told of its leads, and what experts marked."""

    patient: str
    weight: float
    told: NDArray[Any]
    reference: Reference
    rate_hz: float
    length_s: float


Told = tuple[list[int], list[tuple[float, ...]]]
"""Beats of a heart, in ns; and of each peak that was doubted, in ns and features."""


def teach(patient: str, weight: float, reference: Reference, given: Sequence[Lead]) -> Taught:
    """Return what a record teaches."""
    rate_hz = given[0].rate_hz
    told = hear_together(given).told
    return Taught(patient, weight, told, reference, rate_hz, len(given[0].samples) / rate_hz)


def read(folder: Path) -> Iterator[tuple[str, Reference, list[Lead]]]:
    """Return the records of a folder with two leads and marked beats."""
    for path in records_of([folder]):
        given = read_leads(path)
        if len(given) > 1:
            yield path.stem, read_reference(path.with_suffix(""), given[0]), given


def amplitude_mv(lead: Lead) -> float:
    """Return the height of the usual beat."""
    return float(np.median(np.abs(hear(lead).beats["value"])))


def noises(folder: Path, clean: dict[str, list[Lead]]) -> list[list[NDArray[np.float64]]]:
    """Return, of each kind of noise, that of each lead, as strong as its usual beat."""
    found: dict[str, list[NDArray[np.float64]]] = {}
    for name, _, given in read(folder):
        kind, gain = name[3:5], 10.0 ** (int(name[5:]) / 20.0)
        if kind in found or name[:3] not in clean:
            continue
        pairs = list(zip(given, clean[name[:3]], strict=True))
        found[kind] = [
            gain * (a.samples.astype(np.float64) - b.samples) * a.scale_mv / amplitude_mv(b)
            for a, b in pairs
        ]
    return list(found.values())


def disturbed(lead: Lead, noise: NDArray[np.float64], gain: float) -> Lead:
    """Return a lead with noise added, as strong as its usual beat at a gain of 1."""
    size = min(len(noise), len(lead.samples))
    added = np.zeros(len(lead.samples))
    added[:size] = gain * noise[:size] * amplitude_mv(lead) / lead.scale_mv
    made = np.clip(np.rint(lead.samples + added), -CODE_MAX, CODE_MAX).astype(np.int16)
    made[lead.samples == MISSING] = MISSING
    return replace(lead, samples=made)


def weakened(lead: Lead) -> Lead:
    """Return a lead that hardly shows anything for every other period."""
    time_s = np.arange(len(lead.samples)) / lead.rate_hz - ec57.LEARNING_S
    small = (time_s >= 0) & (np.floor(time_s / PERIOD_S) % 2 == 0) & (lead.samples != MISSING)
    base = np.median(lead.samples)
    made = np.where(small, base + (lead.samples - base) * SMALL, lead.samples)
    return replace(lead, samples=np.rint(made).astype(np.int16))


def copies(
    number: int, given: list[Lead], kinds: Sequence[Sequence[NDArray[np.float64]]]
) -> Iterator[list[Lead]]:
    """Return copies of a record: noise of each kind, and one lead small."""
    for index, kind in enumerate(kinds):
        gains = GAINS[(number + 2 * index) % len(GAINS)]
        yield [
            disturbed(lead, noise, gain) if gain else lead
            for lead, noise, gain in zip(given, kind, gains, strict=False)
        ]
    small = number % 2
    yield [weakened(lead) if at == small else lead for at, lead in enumerate(given)]


def run(taught: Sequence[Taught], weights: NDArray[np.float64]) -> list[Told]:
    """Return the beats of hearts, and time and features of each peak that was doubted.

    The kernel keeps those of the last peak, so it is given one event of each at a time.
    """
    rows = len(taught)
    events = np.concatenate([one.told for one in taught])
    events["row"] = np.repeat(np.arange(rows), [len(one.told) for one in taught])
    events["segment"] = events["row"]
    number = np.concatenate([np.arange(len(one.told)) for one in taught])
    events, turns = events[np.argsort(number, kind="stable")], np.bincount(number)
    state, params = np.zeros(rows, leads.STATE), np.array([(weights,)] * rows, leads.PARAMS)
    found = np.zeros(leads.capacity(rows, rows), leads.FINDING)
    judged_ns = np.zeros(rows, np.int64)
    told: list[Told] = [([], []) for _ in taught]
    for begin, end in pairwise([0, *np.cumsum(turns).tolist()]):
        size = leads.advance(state, params, events[begin:end], found)
        for event in found[:size][found["kind"][:size] == codes.BEAT]:
            told[event["row"]][0].append(int(event["time_ns"]))
        for row in np.flatnonzero(state["judged_ns"] != judged_ns):
            judged_ns[row] = state["judged_ns"][row]
            told[row][1].append((judged_ns[row], *(state["features"][row] / 1000.0)))
    return told


def lessons(
    taught: Sequence[Taught], weights: NDArray[np.float64]
) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
    """Return the features of doubted peaks, and whether each is a beat that was not told yet."""
    for one, (beats_ns, judged) in zip(taught, run(taught, weights), strict=True):
        doubted = np.array(judged).reshape(-1, t.FEATURES + 1)
        told_s, at_s = np.array(beats_ns) / 1e9, doubted[:, 0] / 1e9
        marks_s = np.r_[-np.inf, one.reference.beats / one.rate_hz, np.inf]
        after = np.searchsorted(marks_s, at_s)
        nearer = at_s - marks_s[after - 1] < marks_s[after] - at_s
        near_s = np.where(nearer, marks_s[after - 1], marks_s[after])
        before_s = np.r_[-np.inf, told_s][np.searchsorted(told_s, at_s - 1e-6)]
        off_s = np.abs(at_s - near_s)
        beat = (off_s <= ec57.WINDOW_S) & (np.abs(before_s - near_s) > off_s)
        kept = (at_s > LEAST_S) & (at_s < one.length_s - 0.2)
        for first, last in one.reference.fibrillation:
            kept &= (at_s < first / one.rate_hz) | (at_s > last / one.rate_hz)
        yield doubted[kept, 1:], beat[kept]


def made_of(taught: Sequence[Taught]) -> NDArray[np.float64]:
    """Return the weights."""
    weights = np.zeros(t.FEATURES)  # those that are shipped know every record
    bounds: list[tuple[float | None, float | None]] = [
        {0: (None, None), 1: (0, None), -1: (None, 0)}[SIGNS.get(n, 0)] for n in range(t.FEATURES)
    ]
    for feature, value in SET.items():
        weights[feature], bounds[feature] = value, (value, value)
    for turn in range(WARM + ROUNDS):
        if turn <= WARM:
            features, beats, weight = [], [], []
        for one, (x, y) in zip(taught, lessons(taught, weights), strict=True):
            features.append(x)
            beats.append(y)
            weight.append(np.full(len(y), one.weight))
        x, y, w = np.concatenate(features), np.concatenate(beats), np.concatenate(weight)
        w = w * len(taught) / len(features)

        def loss(
            v: NDArray[np.float64],
            x: NDArray[Any] = x,
            y: NDArray[Any] = y,
            w: NDArray[Any] = w,
        ) -> tuple[float, NDArray[np.float64]]:
            z = x @ v
            said = 1.0 / (1.0 + np.exp(-np.clip(z, -40.0, 40.0)))
            error = w @ (np.logaddexp(0.0, z) - y * z) + 0.5 * RIDGE * v @ v
            return float(error), x.T @ (w * (said - y)) + RIDGE * v

        weights = minimize(loss, weights, jac=True, method="L-BFGS-B", bounds=bounds).x
    weights[t.BIAS] += LEAN
    return weights


def scored(taught: Sequence[Taught], weights: NDArray[np.float64]) -> Iterator[ec57.Score]:
    """Return the scores of records."""
    for one, (beats_ns, _) in zip(taught, run(taught, weights), strict=True):
        peaks = np.rint(np.array(beats_ns) * (one.rate_hz / 1e9)).astype(np.int64)
        marked, apart = one.reference.beats, one.reference.fibrillation
        peaks = peaks[peaks < one.length_s * one.rate_hz]
        yield ec57.score(marked, peaks, one.rate_hz, excluded=apart)


def main(folder: Path, others: Sequence[Path]) -> None:
    """Print weights, and what is expected of them."""
    records = list(read(folder))
    clean = {name: given for name, _, given in records}
    taught = [teach(name, 1.0, reference, given) for name, reference, given in records]
    kinds = [kind for other in others for kind in noises(other, clean)]
    for number, (name, reference, given) in enumerate(records):
        taught += [teach(name, COPY, reference, copy) for copy in copies(number, given, kinds)]
    for other in others:
        taught += [teach(name[:3], COPY, marks, given) for name, marks, given in read(other)]
    for draw in range(DRAWS):
        names = np.random.default_rng(draw).permutation(sorted(clean)).tolist()
        scores: dict[float, list[ec57.Score]] = {1.0: [], COPY: []}
        for fold in range(FOLDS):
            apart = names[fold::FOLDS]
            weights = made_of([one for one in taught if one.patient not in apart])
            kept = [one for one in taught if one.patient in apart]
            for one, score in zip(kept, scored(kept, weights), strict=True):
                scores[one.weight].append(score)
        for weight, of in scores.items():
            total = ec57.gross(of)
            sys.stderr.write(
                f"{FOLDS} folds, draw {draw}, {'records' if weight == 1.0 else 'noisy copies'}: "
                f"Se {100 * total.sensitivity:.3f}, +P {100 * total.predictivity:.3f}\n"
            )
    sys.stdout.write(f"WEIGHTS = ({', '.join(f'{one:.2f}' for one in made_of(taught))})\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), [Path(word) for word in sys.argv[2:]])
