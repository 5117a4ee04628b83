"""Annotations of WFDB records, and records that consist of nothing else: beats to intervals."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from telesurv.importers._find import Format, Unreadable, annotation_files, is_annotation_file
from telesurv.importers._rows import CODE_MAX, DEVICE, Signal, readings
from telesurv.importers._source import ANNOTATIONS, Begin, Chunk
from telesurv_streams.channels import CHANNELS
from telesurv_streams.frame import MISSING, sample_time_ns

RATE_HZ = 250.0
"""Sampling rate of annotations where neither their file nor a header says: WFDB's own default."""

RR_MS_MAX = 10_000.0
"""A longer interval between annotated beats is a gap in the annotations, and no reading."""

BEATS = frozenset("NLRBAaJSVrFejnE/fQ?")
"""WFDB's codes of beats."""

_READINGS_AT_ONCE = 8192


def read_annotator(path: Path) -> Any | None:
    """Return what one annotator wrote (a wfdb Annotation); None: no annotation file."""
    import wfdb

    if not is_annotation_file(path):
        return None
    try:
        found = wfdb.rdann(str(path.with_suffix("")), path.suffix[1:])
    except Exception:  # wfdb raises whatever its parsing meets in what is no annotation file
        return None
    return found if len(found.sample) and (np.asarray(found.sample) >= 0).all() else None


def read_wfdb_annotations(
    record: Path, start_ns: int, rate_hz: float
) -> tuple[pa.Table | None, list[str]]:
    """Return the annotations of all annotators of a record by time, and what was no such file."""
    tables: list[pa.Table] = []
    notes: list[str] = []
    for path in annotation_files(record):
        found = read_annotator(path)
        if found is None:
            notes.append(f"{path.name} is no file of annotations: left out")
        else:
            tables.append(_table(found, path.suffix[1:], start_ns, rate_hz))
    if not tables:
        return None, notes
    return pa.concat_tables(tables).sort_by([("time", "ascending"), ("annotator", "ascending")]), (
        notes
    )


def _table(found: Any, annotator: str, start_ns: int, rate_hz: float) -> pa.Table:
    sample = np.asarray(found.sample, np.int64)
    # An annotator may count in its own, finer resolution.
    rate = np.full(len(sample), float(found.fs or rate_hz))
    time = sample_time_ns(np.full(len(sample), start_ns), sample, rate)
    columns: Sequence[Any] = [
        pa.array(time).cast(ANNOTATIONS.field("time").type),
        pa.array([annotator] * len(sample)),
        pa.array([str(s) for s in found.symbol]),
        pa.array([str(a).rstrip("\0") for a in found.aux_note]),
        pa.array(sample),
        pa.nulls(len(sample), pa.float64()),
        *(pa.array(np.asarray(f, np.int32)) for f in (found.subtype, found.chan, found.num)),
    ]
    return pa.Table.from_arrays(list(columns), schema=ANNOTATIONS)


class Beats:
    """A record of beats alone: each interval in ms is a reading of `rr` at its second beat."""

    format: Format = "beats"

    def __init__(self, path: Path, start_ns: int | None) -> None:
        self._path = path
        rate, stated = _header(path)
        begin = Begin.of(stated, start_ns)
        self.start_ns, self.dated = begin.start_ns, begin.dated
        self.notes = [begin.note] if begin.note else []
        annotator, found = self._reference()
        self._rate = float(found.fs or rate or RATE_HZ)
        if not (found.fs or rate):
            self.notes.append(
                f"no sampling rate stated: {RATE_HZ:g} Hz taken, the default of WFDB; "
                "a header (.hea) would say"
            )
        self._beats = _beats(found)
        self._signal = Signal(
            annotator, "ms", CHANNELS["rr"], DEVICE, True, 0.0, scale=1000 / self._rate
        )
        self.signals = [self._signal]
        self.notes.append(f"beats of annotator {annotator!r} alone: kept as intervals (rr)")

    def patient_of(self, name: str) -> str:
        """Return the name itself."""
        return name

    def chunks(self, patient: str) -> Iterator[Chunk]:
        """Yield the intervals, thousands at a time."""
        interval = np.diff(self._beats)
        longest = min(RR_MS_MAX / self._signal.scale, CODE_MAX)
        taken = (interval > 0) & (interval <= longest)
        if left := int((~taken).sum()):
            self.notes.append(f"{left} intervals over {RR_MS_MAX / 1000:g} s or of 0 left out")
        codes = np.where(taken, interval, MISSING).astype(np.int16)
        rate = np.full(len(interval), self._rate)
        time = sample_time_ns(np.full(len(interval), self.start_ns), self._beats[1:], rate)
        for at in range(0, len(interval), _READINGS_AT_ONCE):
            to = at + _READINGS_AT_ONCE
            rows = readings(patient, self._signal, time[at:to], codes[at:to])
            yield Chunk(min(to / len(interval), 1.0), rows)

    def annotations(self) -> pa.Table | None:
        """Return what every annotator says of the record."""
        table, notes = read_wfdb_annotations(self._path, self.start_ns, self._rate)
        self.notes += notes
        return table

    def _reference(self) -> tuple[str, Any]:
        """Return the annotator with the most beats."""
        best: tuple[int, str, Any] | None = None
        for path in annotation_files(self._path):
            found = read_annotator(path)
            count = 0 if found is None else len(_beats(found))
            if count > 1 and (best is None or count > best[0]):
                best = (count, path.suffix[1:], found)
        if best is None:
            names = ", ".join(p.name for p in annotation_files(self._path)) or "no file at all"
            raise Unreadable(
                f"{self._path}: no signals, and no annotator with beats (seen: {names})"
            )
        return best[1], best[2]


def _beats(found: Any) -> NDArray[np.int64]:
    """Return the samples of an annotator's beats."""
    is_beat = np.array([symbol in BEATS for symbol in found.symbol], np.bool_)
    return np.asarray(found.sample, np.int64)[is_beat]


def _header(path: Path) -> tuple[float | None, Any]:
    """Return sampling rate and date of a header without signals; None: there is no header."""
    from telesurv.importers.from_wfdb import read_header, stated_start

    if not Path(f"{path}.hea").is_file():
        return None, None
    header = read_header(path)
    return float(header.fs), stated_start(header)
