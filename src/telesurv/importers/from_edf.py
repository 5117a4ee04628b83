"""EDF and EDF+ files, continuous or not, through edfio; samples stay the file's own integers.

EDF has no code for a missing sample: -32768, a legal one, becomes -32767, one step above.
A discontinuous file (EDF+D) is read stretch by stretch, each from the onset that its data
records state; between stretches nothing is written.
"""

import re
import warnings
from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from telesurv.importers._find import Format, Unreadable
from telesurv.importers._rows import CODE_MAX, FRAME_S, Signal, frames, signals_of, together
from telesurv.importers._source import ANNOTATIONS, Begin, Chunk
from telesurv_streams.frame import SAMPLES_MAX

SAMPLES_AT_ONCE = 2_000_000
_HEADER_BYTES, _TAL_LABEL = 256, "EDF Annotations"
_ONSET = re.compile(rb"([+-][0-9]+(?:\.[0-9]*)?)(?:\x15[^\x14]*)?\x14")


class EdfFile:
    """An EDF or EDF+ file; see `Source`."""

    format: Format = "edf"

    def __init__(self, path: Path, start_ns: int | None) -> None:
        self._path = path
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            self._edf = _open(path)
        self.notes = [f"edfio: {warning.message}" for warning in said]
        self._record_s = float(self._edf.data_record_duration)
        self._runs = _runs(path, self._record_s, int(self._edf.num_data_records))
        begin = Begin.of(_date(self._edf), start_ns)
        self.start_ns, self.dated = begin.start_ns, begin.dated
        if begin.note:
            self.notes.append(begin.note)
        found = list(self._edf.signals)
        if not found or self._record_s <= 0:
            raise Unreadable(f"{path}: an EDF file without any signal of samples")
        rates = [s.samples_per_data_record / self._record_s for s in found]
        units = [s.physical_dimension for s in found]
        signals, notes = signals_of([s.label for s in found], units, rates)
        self.notes += notes
        self._pairs: list[tuple[Any, Signal]] = []
        for edf_signal, signal in zip(found, signals, strict=True):
            if signal is not None:
                self._calibrate(edf_signal, signal)
                self._pairs.append((edf_signal, signal))
        self.signals = [signal for _, signal in self._pairs]

    def patient_of(self, name: str) -> str:
        """Return the name itself."""
        return name

    def chunks(self, patient: str) -> Iterator[Chunk]:
        """Yield all rows, stretch by stretch."""
        total = max(1, int(self._edf.num_data_records))
        per_record = sum(s.samples_per_data_record for s, _ in self._pairs) or 1
        rows_long = max(1, round(FRAME_S / self._record_s))  # data records in a row of ours
        step = rows_long * max(1, SAMPLES_AT_ONCE // (rows_long * per_record))
        for begin, end, onset_s in self._runs:
            anchor_ns = self.start_ns + round(onset_s * 1e9)
            for at in range(begin, end, step):
                to = min(at + step, end)
                batches = [
                    frames(
                        patient,
                        signal,
                        self._codes(edf_signal, at, to),
                        anchor_ns,
                        (at - begin) * edf_signal.samples_per_data_record,
                    )
                    for edf_signal, signal in self._pairs
                ]
                if batches:
                    yield Chunk(to / total, together(batches))

    def annotations(self) -> pa.Table | None:
        """Return the EDF+ annotations, timekeeping ones left out."""
        try:
            found = self._edf.annotations
        except (ValueError, UnicodeDecodeError) as error:
            self.notes.append(f"annotations cannot be read: {error}")
            return None
        if not found:
            return None
        base_ns = self.start_ns + round((self._runs[0][2] % 1.0 if self._runs else 0.0) * 1e9)
        onset_ns = [round(a.onset * 1e9) for a in found]
        none = np.full(len(found), -1)
        columns = [
            pa.array([base_ns + onset for onset in onset_ns]).cast(ANNOTATIONS.field("time").type),
            pa.array(["edf"] * len(found)),
            pa.array(['"'] * len(found)),
            pa.array([a.text for a in found]),
            pa.array(none.astype(np.int64)),
            pa.array([a.duration for a in found], pa.float64()),
            *(pa.array(np.zeros(len(found), np.int32)) for _ in range(3)),
        ]
        return pa.Table.from_arrays(columns, schema=ANNOTATIONS)

    def _calibrate(self, edf_signal: Any, signal: Signal) -> None:
        low, high = edf_signal.digital_min, edf_signal.digital_max
        physical_low, physical_high = edf_signal.physical_min, edf_signal.physical_max
        if low == high or physical_low == physical_high:
            signal.note = "digital or physical range of 0: uncalibrated"
            return
        scale = (physical_high - physical_low) / (high - low)
        signal.calibrate(scale, physical_low - low * scale)
        length = round(FRAME_S / self._record_s) or 1
        signal.samples_per_frame = min(length * edf_signal.samples_per_data_record, SAMPLES_MAX)

    def _codes(self, edf_signal: Any, at: int, to: int) -> NDArray[np.int16]:
        digital = edf_signal.get_digital_slice(at * self._record_s, to * self._record_s)
        expected = (to - at) * edf_signal.samples_per_data_record
        if len(digital) != expected:
            raise Unreadable(
                f"{self._path}: {len(digital)} samples of {edf_signal.label!r} in data records "
                f"{at} to {to}, expected {expected}"
            )
        codes: NDArray[np.int16] = np.maximum(digital, np.int16(-CODE_MAX))
        return codes


def _open(path: Path) -> Any:
    import edfio

    try:
        return edfio.read_edf(path, lazy_load_data=True, header_encoding="latin-1")
    except Exception as error:  # edfio raises whatever its parsing meets
        raise Unreadable(f"{path}: no EDF file, or a broken header: {error}") from error


def _date(edf: Any) -> datetime | None:
    """Return date and time to the second; None where the date was anonymised."""
    import edfio

    try:
        clock = edf.starttime.replace(microsecond=0)
        return datetime.combine(edf.startdate, clock)
    except (edfio.AnonymizedDateError, ValueError):
        return None


def _runs(path: Path, record_s: float, records: int) -> list[tuple[int, int, float]]:
    """Return stretches of data records without a gap: (first, end, onset in seconds).

    EDF+ states each data record's onset in its first annotation; plain EDF has no gaps.
    """
    onsets = _onsets(path, records)
    if onsets is None or not records:
        return [(0, records, 0.0)]
    breaks = np.flatnonzero(np.abs(np.diff(onsets) - record_s) > 1e-6) + 1
    edges = [0, *breaks.tolist(), records]
    return [(a, b, float(onsets[a])) for a, b in pairwise(edges)]


def _onsets(path: Path, records: int) -> NDArray[np.float64] | None:
    """Return the onset of each data record in seconds; None: the file states none."""
    with path.open("rb") as file:
        head = file.read(_HEADER_BYTES)
        signals = int(head[252:256])
        fields = file.read(_HEADER_BYTES * signals).decode("latin-1")
    labels = [fields[16 * i : 16 * i + 16].strip() for i in range(signals)]
    if _TAL_LABEL not in labels or not records:
        return None
    counts = fields[216 * signals : 224 * signals]
    sizes = [2 * int(counts[8 * i : 8 * i + 8]) for i in range(signals)]
    at = sum(sizes[: labels.index(_TAL_LABEL)])
    size = sizes[labels.index(_TAL_LABEL)]
    data = np.memmap(
        path,
        np.uint8,
        "r",
        offset=_HEADER_BYTES * (signals + 1),
        shape=(records, sum(sizes)),
    )
    onsets = np.empty(records)
    for i in range(records):
        stated = _ONSET.match(data[i, at : at + size].tobytes())
        if stated is None:
            raise Unreadable(f"{path}: data record {i} does not state its onset, as EDF+ must")
        onsets[i] = float(stated[1])
    return onsets
