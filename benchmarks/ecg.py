"""R-peak detectors on the same recordings: accuracy by EC57, speed on one core, memory.

`python -m benchmarks.ecg NAME...` prints JSON. Detectors take turns on each record, so that what
else the machine does falls on all of them; the least CPU of the repetitions counts, up to what the
detector gives: bringing all answers into one form is not their work. `NAME*4` is measured whole
on all records, and cut and with holes on each fourth of them.
"""

import ctypes
import sys
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import ecg_records
from benchmarks.common import answer, cpu_s, report, rss_bytes
from benchmarks.ecg_detectors import (
    ALONE,
    OURS,
    Detect,
    asked,
    beats_of,
    detector,
    in_chunks,
    samples_of,
    stream,
    with_mask,
)
from benchmarks.ecg_records import Signal
from telesurv.evaluate import ec57

REPEATS = {OURS: 5, ALONE: 5, "SleepECG": 5}
WAYS = ("whole", "cut", "holes")


def counts(lead: Signal, found: np.ndarray) -> list[int]:
    """Return true positives, misses and inventions by EC57."""
    score = ec57.score(
        lead.beats, found, lead.rate_hz, learning_s=lead.learning_s, excluded=lead.excluded
    )
    return [score.true_positives, score.false_negatives, score.false_positives]


def streamed(lead: Signal) -> np.ndarray:
    """Return our R-peaks in pieces of a second; they are those of the whole, to the byte."""
    found = stream(lead, round(lead.rate_hz))
    assert found.tobytes() == stream(lead, len(lead.codes)).tobytes()
    return found


def peak_growth_mib(detect: Detect, lead: Signal) -> float:
    """Return how much the process grows at most while a lead is searched."""
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")  # the peak is counted from now
    before = rss_bytes()
    asked(detect, lead)
    peak = Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]
    return (int(peak) * 1024 - before) / 2**20


class Runner:
    """One detector, and what was measured of it."""

    def __init__(self, given: str) -> None:
        self.name, _, share = given.partition("*")
        self.share = int(share or 1)
        self.sample = set(ecg_records.names(self.share))
        self.detect = detector(self.name)
        self.cpu_s = dict.fromkeys(WAYS, 0.0)
        self.samples = dict.fromkeys(WAYS, 0)
        self.counts: dict[str, dict[str, list[int]]] = {way: {} for way in WAYS}
        self.growth_mib = 0.0

    def warm(self, lead: Signal) -> None:
        """Let it import and compile what it needs, and see what it takes."""
        asked(self.detect, lead.cut(0, round(20 * lead.rate_hz)))
        with suppress(OSError):
            self.growth_mib = peak_growth_mib(self.detect, lead)

    def run(self, way: str, lead: Signal) -> float:
        """Search a lead in one way; return the CPU seconds it took."""
        begun_s = cpu_s()
        if way != "cut":
            pieces = [(0, asked(self.detect, lead))]
        elif self.name in (OURS, ALONE):
            mask = lead.mask if self.name == ALONE else None
            pieces = [(0, beats_of(stream(lead, round(lead.rate_hz), mask)))]
        else:
            pieces = in_chunks(self.detect, lead)
        used_s = cpu_s() - begun_s
        self.counts[way][f"{lead.folder}/{lead.name}"] = counts(lead, samples_of(pieces))
        return used_s

    def result(self) -> dict[str, Any]:
        """Return what was measured."""
        return {
            "records": {way: len(self.counts[way]) for way in WAYS},
            "msamples_per_s": {way: self.samples[way] / self.cpu_s[way] / 1e6 for way in WAYS},
            "counts": {way: self.gross(way) for way in WAYS},
            "counts_of_sample": self.gross("whole", list(self.counts["cut"])),
            "growth_mib": self.growth_mib,
        }

    def gross(self, way: str, only: list[str] | None = None) -> dict[str, list[int]]:
        """Return the counts of a way, summed over a folder's records."""
        found: dict[str, list[int]] = {}
        for record in only or self.counts[way]:
            folder = record.partition("/")[0]
            before = found.get(folder, [0, 0, 0])
            found[folder] = [a + b for a, b in zip(before, self.counts[way][record], strict=True)]
        return found


def race(runners: list[Runner]) -> None:
    """Let everybody search every record."""
    todo = ecg_records.names()
    for number, (folder, name) in enumerate(todo):
        report(number / len(todo))
        lead = ecg_records.read(folder, name)
        if number == 0:
            for runner in runners:
                runner.warm(with_mask(lead))
        for way in WAYS:
            given = with_mask(lead.with_holes() if way == "holes" else lead)
            taking = [r for r in runners if way == "whole" or (folder, name) in r.sample]
            least = {runner.name: float("inf") for runner in taking}
            for repeat in range(max(REPEATS.values())):
                for runner in taking:
                    if repeat < REPEATS.get(runner.name, 1):
                        least[runner.name] = min(least[runner.name], runner.run(way, given))
            for runner in taking:
                runner.cpu_s[way] += least[runner.name]
                runner.samples[way] += len(given.codes)
        if any(runner.name == OURS for runner in runners):
            streamed(lead)
            streamed(lead.with_holes())


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    entered = [Runner(given) for given in sys.argv[1:]]
    race(entered)
    answer({runner.name: runner.result() for runner in entered})
