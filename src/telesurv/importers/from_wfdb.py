"""WFDB records with signals: any format that wfdb-python reads, in bounded chunks.

Samples stay the file's own integers, with scale and offset, where they fit 16 bits. Where they
do not (24 or 32 bits), a first pass finds each signal's range, and they are divided by the
smallest whole number that makes them fit. WFDB's code of an invalid sample becomes -32768.
A record of several segments is read segment by segment; between them nothing is written.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from telesurv.importers._annotations import read_wfdb_annotations
from telesurv.importers._find import Format, Unreadable
from telesurv.importers._rows import CODE_MAX, FRAME_S, Signal, frames, signals_of, together
from telesurv.importers._source import Begin, Chunk
from telesurv_streams.frame import MISSING, SAMPLES_MAX, sample_time_ns

SAMPLES_AT_ONCE = 2_000_000
"""Samples of all signals together that are read at a time."""

INVALID = {
    **{"80": -128, "508": -128, "310": -512, "311": -512, "212": -2048},
    **{"16": -32_768, "61": -32_768, "160": -32_768, "516": -32_768},
    **{"24": -8_388_608, "524": -8_388_608, "32": -2_147_483_648},
}
"""The code of an invalid sample by WFDB format (signal(5)); format 8 has none."""

_WIDE = frozenset({"24", "524", "32"})


@dataclass(slots=True)
class _Segment:
    """A record with its own signal files, and where it begins in the whole."""

    path: Path
    begin: int  # in WFDB frames
    length: int
    header: Any
    signals: list[Signal | None]
    divisors: list[tuple[int, int]]  # code = round((digital - middle) / divisor)


class WfdbRecord:
    """A WFDB record with signals; see `Source`."""

    format: Format = "wfdb"

    def __init__(self, path: Path, start_ns: int | None) -> None:
        header = read_header(path)
        begin = Begin.of(stated_start(header), start_ns)
        self._path, self._rate = path, float(header.fs)
        self.start_ns, self.dated = begin.start_ns, begin.dated
        self.notes = [begin.note] if begin.note else []
        self._segments = [
            self._segment(part, at, length) for part, at, length in _parts(path, header)
        ]
        if not self._segments:
            raise Unreadable(f"{path}.hea: a record without any segment of samples")
        self._share_signals()
        self.signals = [s for s in self._segments[0].signals if s is not None]
        for segment in self._segments[1:]:
            known = {id(s) for s in self.signals}
            self.signals += [s for s in segment.signals if s is not None and id(s) not in known]

    def patient_of(self, name: str) -> str:
        """Return the name itself."""
        return name

    def chunks(self, patient: str) -> Iterator[Chunk]:
        """Yield all rows, stretch by stretch."""
        end = max(s.begin + s.length for s in self._segments)
        for segment in self._segments:
            self._fit(segment)
            anchor_ns = int(
                sample_time_ns(
                    np.array([self.start_ns]), np.array([segment.begin]), np.array([self._rate])
                )[0]
            )
            for at, digital in self._read(segment):
                batches = []
                for i, signal in enumerate(segment.signals):
                    if signal is not None and len(digital[i]):
                        first = at * segment.header.samps_per_frame[i]
                        codes = _codes(digital[i], segment.header.fmt[i], segment.divisors[i])
                        batches.append(frames(patient, signal, codes, anchor_ns, first))
                if batches:
                    done = (segment.begin + at + self._chunk(segment)) / end
                    yield Chunk(min(done, 1.0), together(batches))

    def annotations(self) -> pa.Table | None:
        """Return what every annotator says of the record."""
        table, notes = read_wfdb_annotations(self._path, self.start_ns, self._rate)
        self.notes += notes
        return table

    def _segment(self, path: Path, begin: int, length: int) -> _Segment:
        header = read_header(path)
        for name in dict.fromkeys(header.file_name):
            _check_signal_file(path, name)
        rates = [header.fs * n for n in header.samps_per_frame]
        names = [name or f"signal {i}" for i, name in enumerate(header.sig_name, 1)]
        signals, notes = signals_of(names, [u or "" for u in header.units], rates)
        self.notes += [note for note in notes if note not in self.notes]
        for i, signal in enumerate(signals):
            if signal is not None:
                gain, baseline = float(header.adc_gain[i]), float(header.baseline[i])
                if gain == 0 or not np.isfinite(gain):
                    raise Unreadable(f"{path}.hea: gain {gain} of signal {names[i]!r}")
                signal.calibrate(1 / gain, -baseline / gain)
                per_frame = self._frame_length(header) * header.samps_per_frame[i]
                signal.samples_per_frame = min(per_frame, SAMPLES_MAX)
        return _Segment(path, begin, length, header, signals, [(0, 1)] * len(signals))

    def _share_signals(self) -> None:
        """Let a channel's sequence run on over segments where its calibration is the same."""
        known: dict[tuple[object, ...], Signal] = {}
        for segment in self._segments:
            for i, signal in enumerate(segment.signals):
                if signal is not None and segment.header.fmt[i] not in _WIDE:
                    key = (signal.name, signal.unit, signal.channel, signal.device)
                    same = (*key, signal.rate_hz, signal.scale, signal.offset)
                    segment.signals[i] = known.setdefault(same, signal)

    def _frame_length(self, header: Any) -> int:
        """Return how many WFDB frames a row of ours has: ten seconds, at least one."""
        return max(1, round(FRAME_S * float(header.fs)))

    def _chunk(self, segment: _Segment) -> int:
        """Return how many WFDB frames are read at a time: whole rows of ours."""
        length = self._frame_length(segment.header)
        samples = length * sum(segment.header.samps_per_frame)
        return length * max(1, SAMPLES_AT_ONCE // max(1, int(samples)))

    def _read(self, segment: _Segment) -> Iterator[tuple[int, list[NDArray[np.int64]]]]:
        """Yield (first WFDB frame, digital samples of each signal)."""
        import wfdb

        for at in range(0, segment.length, self._chunk(segment)):
            to = min(at + self._chunk(segment), segment.length)
            try:
                record = wfdb.rdrecord(
                    str(segment.path),
                    sampfrom=at,
                    sampto=to,
                    physical=False,
                    smooth_frames=False,
                )
            except Exception as error:  # wfdb raises whatever its parsing meets
                raise Unreadable(
                    f"{segment.path}: samples {at} to {to} of {segment.length} cannot be read, "
                    f"the signal file is damaged or shorter than its header says: {error}"
                ) from error
            expected = [(to - at) * n for n in segment.header.samps_per_frame]
            if [len(s) for s in record.e_d_signal] != expected:
                raise Unreadable(
                    f"{segment.path}: {[len(s) for s in record.e_d_signal]} samples from {at} on, "
                    f"expected {expected}: the signal file is shorter than its header says"
                )
            yield at, record.e_d_signal

    def _fit(self, segment: _Segment) -> None:
        """Find what makes samples of more than 16 bits fit, by a pass over them."""
        wide = [i for i, fmt in enumerate(segment.header.fmt) if fmt in _WIDE]
        if not wide:
            return
        low = dict.fromkeys(wide, CODE_MAX)
        high = dict.fromkeys(wide, -CODE_MAX)
        for _, digital in self._read(segment):
            for i in wide:
                valid = digital[i][digital[i] != INVALID[segment.header.fmt[i]]]
                if len(valid):
                    low[i] = min(low[i], int(valid.min()))
                    high[i] = max(high[i], int(valid.max()))
        for i in wide:
            signal = segment.signals[i]
            if signal is None or (low[i] >= -CODE_MAX and high[i] <= CODE_MAX):
                continue
            divisor = max(1, -(-(high[i] - low[i]) // (2 * CODE_MAX)))
            middle = (high[i] + low[i]) // 2
            segment.divisors[i] = (middle, divisor)
            signal.offset += middle * signal.scale
            signal.scale *= divisor
            if divisor > 1:
                signal.note = f"{segment.header.fmt[i]}-bit samples divided by {divisor} to fit 16"


def read_header(path: Path) -> Any:
    """Return the header of a WFDB record; `Unreadable` where it is broken."""
    import wfdb

    file = Path(f"{path}.hea")
    if not file.is_file():
        raise Unreadable(f"{file}: no such header, though a record names it")
    if not file.stat().st_size:
        raise Unreadable(f"{file}: an empty file, expected a WFDB header")
    try:
        header = wfdb.rdheader(str(path))
        rate = float(header.fs)
    except Exception as error:  # wfdb raises whatever its parsing meets
        raise Unreadable(f"{file}: a broken WFDB header: {error}") from error
    if not rate > 0 or not np.isfinite(rate):
        raise Unreadable(f"{file}: sampling rate {rate}, expected one above 0")
    return header


def _parts(path: Path, header: Any) -> Iterator[tuple[Path, int, int]]:
    """Yield each stretch of samples: its record, its first WFDB frame, its length."""
    if not hasattr(header, "seg_name"):
        yield path, 0, _length(path, header)
        return
    at = 0
    for name, length in zip(header.seg_name, header.seg_len, strict=True):
        if name != "~" and length:
            yield path.parent / name, at, length
        at += length


def _length(path: Path, header: Any) -> int:
    if header.sig_len:
        return int(header.sig_len)
    import wfdb

    try:  # a header may leave the length to its files
        return int(wfdb.rdrecord(str(path), physical=False).sig_len)
    except Exception as error:
        raise Unreadable(f"{path}.hea: no number of samples, nor can one be found: {error}") from (
            error
        )


def stated_start(header: Any) -> datetime | None:
    """Return the header's date and time; a time alone is no date."""
    if header.base_date is None:
        return None
    clock = header.base_time or datetime.min.time()
    return datetime.combine(header.base_date, clock)


def _check_signal_file(path: Path, name: str) -> None:
    if name == "~":
        return
    file = path.parent / name
    if not file.is_file():
        raise Unreadable(f"{file}: missing, though the header {path.name}.hea names it")
    if not file.stat().st_size:
        raise Unreadable(f"{file}: an empty file, though the header {path.name}.hea has samples")


def _codes(digital: NDArray[Any], fmt: str, divisor: tuple[int, int]) -> NDArray[np.int16]:
    """Return digital samples as int16 codes, invalid ones as missing."""
    invalid = digital == INVALID[fmt] if fmt in INVALID else np.zeros(len(digital), np.bool_)
    values: Sequence[Any] | NDArray[Any] = digital
    if divisor != (0, 1):
        values = np.rint((digital.astype(np.float64) - divisor[0]) / divisor[1])
    # Of formats whose missing code is another, -32768 may be a sample: the next code stands in.
    codes: NDArray[np.int16] = np.clip(values, -CODE_MAX, CODE_MAX).astype(np.int16)
    codes[invalid] = MISSING
    return codes
