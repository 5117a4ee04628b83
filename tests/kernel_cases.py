"""One case a kernel: a signal that exercises it, and how to run it cut into pieces.

Run as a program it prints a digest of what every kernel does, for the comparison of
compiled with uncompiled code.
"""

import hashlib
import inspect
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from beat_cases import beats_of, events_of
from lead_cases import Voice, heart, voice
from telesurv_kernels import _dtypes
from telesurv_kernels.registry import KERNELS

RATE_HZ, SCALE_MV = 250.0, 0.005


@dataclass
class Case:
    """What a kernel is given: columns of samples or of events, and where the row restarts."""

    module: ModuleType
    params: NDArray[Any]
    columns: dict[str, NDArray[Any]]
    outputs: tuple[str, ...] = ()
    restarts: tuple[int, ...] = ()
    events: NDArray[Any] | None = None  # of another signal kernel, in the columns' samples

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))


@dataclass
class Outcome:
    findings: NDArray[Any]  # without the segment, which tells of the call
    state: NDArray[Any]
    outputs: dict[str, NDArray[Any]]

    def same_as(self, other: "Outcome") -> bool:
        return (
            self.findings.tobytes() == other.findings.tobytes()
            and self.state.tobytes() == other.state.tobytes()
            and all(np.array_equal(self.outputs[k], other.outputs[k]) for k in self.outputs)
        )


def finding_of(module: ModuleType) -> np.dtype[Any]:
    dtype: np.dtype[Any] = getattr(module, "FINDING", _dtypes.FINDING)
    return dtype


def call(case: Case, state: NDArray[Any], given: dict[str, Any]) -> NDArray[Any]:
    """Call `advance` with its arguments by name; return what it found."""
    size = len(next(iter(given[name] for name in case.columns)))
    rows = len(given["segments"]) if "segments" in given else len(state)
    findings = np.zeros(case.module.capacity(size, rows), finding_of(case.module))
    arguments = given | {"state": state, "findings": findings}
    names = inspect.signature(case.module.advance).parameters
    found = case.module.advance(*(arguments[name] for name in names))
    assert found <= len(findings)
    return findings[:found]


def run(
    case: Case,
    cuts: Iterable[int] = (),
    state: NDArray[Any] | None = None,
    span: tuple[int, int] | None = None,
) -> Outcome:
    """Run one row over a span of the case's columns in pieces that end at `cuts`."""
    first, last = span or (0, len(case))
    state = np.zeros(1, case.module.STATE) if state is None else state
    params = np.array([case.params], case.module.PARAMS)
    edges = sorted({first, last, *case.restarts, *cuts})
    edges = [edge for edge in edges if first <= edge <= last]
    found = []
    outputs = {name: [case.columns[name][:0]] for name in case.outputs}
    for begin, end in pairwise(edges):
        given = {name: column[begin:end].copy() for name, column in case.columns.items()}
        segments = np.zeros(1, _dtypes.SEGMENT)
        segments["last"], segments["restart"] = end - begin, begin in case.restarts
        given |= {"params": params, "segments": segments}
        if case.events is not None:
            given["events"] = events_within(case.events, [(0, begin, end)])
        found.append(without_segment(call(case, state, given)))
        for name in outputs:
            outputs[name].append(given[name])
    return Outcome(
        np.concatenate([np.zeros(0, finding_of(case.module)), *found]),
        state,
        {name: np.concatenate(parts) for name, parts in outputs.items()},
    )


def events_within(events: NDArray[Any], spans: Iterable[tuple[int, int, int]]) -> NDArray[Any]:
    """Return the events that were decided in spans (row, begin, end), each span a segment."""
    parts = [events[:0]]
    for segment, (row, begin, end) in enumerate(spans):
        part = events[(events["decided"] >= begin) & (events["decided"] < end)].copy()
        part["row"], part["segment"] = row, segment
        parts.append(part)
    return np.concatenate(parts)


def without_segment(findings: NDArray[Any]) -> NDArray[Any]:
    kept = findings.copy()
    kept["segment"] = 0
    return kept


def ecg(beat_s: Iterable[float], length_s: float, rate_hz: float = RATE_HZ) -> NDArray[np.float64]:
    """Return an ECG in mV: P, Q, R, S, T as bells around each R-peak."""
    t = np.arange(round(length_s * rate_hz)) / rate_hz
    bells = ((-0.18, 0.025, 0.12), (-0.03, 0.01, -0.1), (0.0, 0.012, 1.1), (0.03, 0.01, -0.2))
    mv = np.zeros(len(t))
    for beat in beat_s:
        for at, width, height in (*bells, (0.28, 0.05, 0.25)):
            mv += height * np.exp(-0.5 * ((t - beat - at) / width) ** 2)
    return mv


def noisy_ecg(length_s: float, seed: int = 1) -> NDArray[np.int16]:
    """Return codes of an ECG of irregular beats, small ones among them, with noise."""
    rng = np.random.default_rng(seed)
    beats = np.cumsum(rng.uniform(0.4, 1.3, int(length_s)))
    mv = ecg(beats[::2], length_s) + 0.5 * ecg(beats[1::2], length_s)
    mv += rng.normal(0, 0.02, len(mv)) + 0.3 * np.sin(np.arange(len(mv)) / 400)
    mv[len(mv) // 2 :][: len(mv) // 8] += rng.normal(0, 0.5, len(mv) // 8)
    return np.rint(mv / SCALE_MV).astype(np.int16)


def quality_case() -> Case:
    codes = noisy_ecg(40)
    codes[1000:1100] = -32768
    codes[2000:5100] = 7 + np.arange(3100) % 3
    codes[6600:6700] = 3000
    codes[8000:8060] = -3000
    params = KERNELS["quality"].params(RATE_HZ, SCALE_MV, ecg=True)
    columns = {"samples": codes, "mask": np.zeros(len(codes), np.uint8)}
    return Case(KERNELS["quality"], params, columns, ("mask",), (7000,))


def beats_case() -> Case:
    codes = noisy_ecg(40)
    mask = np.zeros(len(codes), np.uint8)
    for first, last, bit in (
        (3000, 3030, 1), (4000, 4400, 1), (5000, 5200, 4), (9000, 9300, 2), (9560, 9600, 1),
    ):  # fmt: skip
        mask[first:last] = bit
    codes[9600:] += 400  # behind the last hole
    codes[mask == 1] = -32768
    params = KERNELS["beats"].params(RATE_HZ, SCALE_MV)
    return Case(KERNELS["beats"], params, {"samples": codes, "mask": mask}, (), (7000,))


def fibrillation_case() -> Case:
    """Beats, flutter twice, a candidate that comes to nothing, and signal that is not there."""
    codes = noisy_ecg(90)
    t = np.arange(22_500) / RATE_HZ
    wave = 0.4 * np.sin(2 * np.pi * np.cumsum(4.5 + np.sin(0.8 * t)) / RATE_HZ)
    for begin_s, end_s in ((15, 28), (40, 43), (55, 75)):
        span = slice(int(begin_s * RATE_HZ), int(end_s * RATE_HZ))
        codes[span] = np.rint(wave[span] / SCALE_MV)
    mask = np.zeros(len(codes), np.uint8)
    for first, last, bit in ((1000, 1030, 1), (15_000, 15_200, 4), (15_900, 16_000, 1)):
        mask[first:last] = bit
    codes[mask == 1] = -32768
    params = KERNELS["fibrillation"].params(RATE_HZ, SCALE_MV)
    return Case(KERNELS["fibrillation"], params, {"samples": codes, "mask": mask}, (), (5000,))


def classes_case() -> Case:
    """Usual beats, wide early ones, early ones, a hole, a stretch that is unreadable."""
    rng = np.random.default_rng(8)
    t = np.arange(round(60 * RATE_HZ)) / RATE_HZ
    mv, at = rng.normal(0, 0.01, len(t)), 0.6
    for number in range(80):
        wide, early = number % 5 == 3, number % 7 == 6
        if wide:
            mv -= 1.4 * np.exp(-0.5 * ((t - at) / 0.045) ** 2)
            mv += 0.5 * np.exp(-0.5 * ((t - at - 0.3) / 0.07) ** 2)
        else:
            mv += ecg([at], 60)
        at += rng.uniform(0.78, 0.82) * (1.4 if wide else 1.0) * (0.6 if early else 1.0)
    codes = np.rint(mv / SCALE_MV).astype(np.int16)
    mask = np.zeros(len(codes), np.uint8)
    mask[6000:6200], mask[11000:11600] = 1, 16
    codes[mask == 1] = -32768
    columns = {"samples": codes, "mask": mask}
    beats = KERNELS["beats"]
    found = run(Case(beats, beats.params(RATE_HZ, SCALE_MV), columns, (), (9000,))).findings
    classes = KERNELS["classes"]
    return Case(classes, classes.params(RATE_HZ), columns, (), (9000,), found)


def rhythm_case() -> Case:
    """Beats at 150, 70 and 30 a minute, silence, unreadable stretches, a gap, fibrillation."""
    rng = np.random.default_rng(3)
    rows: list[tuple[int, float, float, int]] = []
    begin = 0.0
    for rr, length, readable in (
        (0.4, 15, 1), (0.85, 20, 1), (9.0, 9, 1), (2.0, 20, 1), (0.8, 20, 0), (3.4, 14, 1),
        (0.7, 90, 1),
    ):  # fmt: skip
        beats = np.arange(begin, begin + length, rr) + rng.uniform(0, 0.02)
        rows += [(_dtypes.BEAT, at, 0.8, 1 - readable) for at in beats]
        marks = np.arange(begin + 0.25, begin + length + 0.01, 0.25)
        rows += [(_dtypes.MARK, at, 0.25 * readable, 0) for at in marks]
        begin += length
    rows += [(_dtypes.GAP, 0.0, 0.0, 0), (_dtypes.GAP, 60.1, 0.0, 0)]
    rows += [(_dtypes.FIBRILLATION, 37.0, 1.0, 0), (_dtypes.FIBRILLATION, 40.0, 0.0, 0)]
    rows.sort(key=lambda row: row[1] + 0.1 * (row[0] == _dtypes.MARK))
    events = np.zeros(len(rows), _dtypes.EVENT)
    for event, (kind, at, value, flags) in zip(events, rows, strict=True):
        event["kind"], event["flags"] = kind, flags
        event["time_ns"], event["decided_ns"] = int(at * 1e9), int((at + 0.5) * 1e9)
        event["value"] = value * 1e9 if kind == _dtypes.MARK else value
    return Case(KERNELS["rhythm"], KERNELS["rhythm"].params(), {"events": events})


def ectopy_case() -> Case:
    """Runs, patterns, sudden tachycardia, missed beats and holes, near the end of an hour."""
    letters = ("N" * 20 + "VV" + "N" * 9 + "VVVV" + "N" * 9 + "V" * 9 + "N" * 9 + "NV" * 6
               + "NNV" * 6 + "N" * 80 + "Q-V")  # fmt: skip
    rr = [0.6] * (len(letters) - 1)
    rr[110:122] = [0.36] * 12
    rr[130:170:10] = [1.2] * 4
    events = events_of(beats_of(letters, rr), length_s=190.0, unreadable=[(70.0, 71.0)])
    events["time_ns"] += 3_500_000_000_000
    events["decided_ns"] += 3_500_000_000_000
    return Case(KERNELS["ectopy"], KERNELS["ectopy"].params(per_hour_max=9), {"events": events})


def atrial_case() -> Case:
    """Sinus rhythm with ventricular beats, atrial fibrillation with a hole in it, and again.

    The second time the ventricles fibrillate in it.
    """
    rng = np.random.default_rng(8)
    still = 0.8 * (1 + rng.normal(0, 0.01, 250))
    rr = np.concatenate([still[:60], *(0.7 * rng.lognormal(0, 0.2, (2, 120))), still[60:]])
    rr = np.concatenate([rr[:180], still[:150], rr[180:]])
    letters = "".join(rng.choice(list("NNNNNNNVS"), len(rr) + 1))
    shocked = (sum(rr[:400]), sum(rr[:410]))
    events = events_of(
        beats_of(letters, rr.tolist()), unreadable=[(80.0, 83.0)], fibrillation=[shocked]
    )
    present = (events["kind"] == _dtypes.FIBRILLATION) & (events["value"] > 0)
    events["value"][present] = _dtypes.PRESENT
    return Case(KERNELS["atrial"], KERNELS["atrial"].params(), {"events": events})


def readable_case() -> Case:
    """Unreadable in one go and in pieces, readable again, a hole, and a clock that goes back."""
    pieces = [(t, t + 14.0) for t in range(600, 960, 20)]
    once = events_of(
        [], length_s=1500, unreadable=[(100, 300), *pieces], gaps=[(1000, 1100)], mark_ms=2500
    )
    events = np.concatenate([once, once[:200]])
    return Case(KERNELS["readable"], KERNELS["readable"].params(), {"events": events})


def leads_case() -> Case:
    """Four leads that miss and invent beats, one that ends, one unreadable, a break of all."""
    rng = np.random.default_rng(8)
    beats_s = np.cumsum(rng.uniform(0.5, 1.1, 70))
    voices = [
        voice(beats_s, rng, misses=0.02, invents=0.05),
        voice(beats_s + 0.03, rng, misses=0.2, invents=0.3, contrast=3.0),
        Voice((beats_s - 0.02).tolist(), unreadable=[(20.0, 26.0)], fibrillates=[(41.0, 44.0)]),
        voice(beats_s, rng, misses=0.1, invents=0.1, begin_s=9.0, end_s=33.0),
    ]
    first = heart(voices, 60.0)
    again = heart(voices[:2], 25.0)
    for name in ("time_ns", "decided_ns"):
        again[name] += 70_000_000_000
    events = np.concatenate([first, again])
    return Case(KERNELS["leads"], KERNELS["leads"].params(), {"events": events})


def spo2_case() -> Case:
    """Readings a second that fall twice, are invalid, missing, and come irregularly."""
    rng = np.random.default_rng(4)
    pct = np.concatenate(
        [np.full(n, v) for n, v in ((30, 97), (40, 86), (60, 96), (30, 80), (20, 0), (60, 95))]
    )
    codes = np.rint((pct + rng.uniform(-1, 1, len(pct))) * 100).astype(np.int16)
    codes[25:28] = -32768
    seconds = np.arange(len(codes)) + np.cumsum(rng.random(len(codes)) < 0.02) * 30
    columns = {"samples": codes, "time_ns": (seconds * 1e9).astype(np.int64)}
    return Case(KERNELS["spo2"], KERNELS["spo2"].params(), columns, (), (150,))


def silence_case() -> Case:
    """Frames a minute apart, pauses of many lengths, ticks, plans, and a log that was silent."""
    k = KERNELS["silence"]
    rng = np.random.default_rng(6)
    events = np.zeros(600, k.ARRIVAL)
    events["kind"] = rng.choice(
        [k.FRAME, k.TICK, k.ENROL, k.END], len(events), p=[0.2, 0.7, 0.06, 0.04]
    )
    events["kind"][:3] = k.TICK, k.ENROL, k.TICK
    events["arrival_ns"] = 10**18 + np.cumsum(rng.choice([0, 3, 10, 45, 90], len(events))) * 10**9
    events["shift_ns"] = np.cumsum((rng.random(len(events)) < 0.02) * 45 * 10**9)
    return Case(k, k.params(60.0, 30.0), {"events": events})


CASES: dict[str, Callable[[], Case]] = {
    "quality": quality_case,
    "beats": beats_case,
    "classes": classes_case,
    "fibrillation": fibrillation_case,
    "leads": leads_case,
    "rhythm": rhythm_case,
    "readable": readable_case,
    "ectopy": ectopy_case,
    "atrial": atrial_case,
    "spo2": spo2_case,
    "silence": silence_case,
}


def digest(name: str) -> str:
    """Return a digest of all that a kernel does to its case."""
    outcome = run(CASES[name]())
    outputs = b"".join(output.tobytes() for output in outcome.outputs.values())
    everything = outcome.findings.tobytes() + outcome.state.tobytes() + outputs
    return hashlib.sha256(everything).hexdigest()


if __name__ == "__main__":
    for name in KERNELS:
        sys.stdout.write(f"{name} {digest(name)}\n")
