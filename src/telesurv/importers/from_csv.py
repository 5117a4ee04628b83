"""CSV files, plain or gzip, with a mapping that says what the columns are; in bounded chunks.

Each cell with a number is a single reading at its row's time; a blank cell is none. With
`rate_hz` rows are samples of waveforms instead, and a blank cell is a missing sample.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
from numpy.typing import NDArray

from telesurv.importers._find import Format, Unreadable
from telesurv.importers._mapping import UNITS_NS, Mapping, header, load, recognise
from telesurv.importers._mapping import Column as ColumnMapping
from telesurv.importers._rows import (
    DEVICE,
    FRAME_S,
    Signal,
    frames,
    readings,
    to_codes,
    together,
)
from telesurv.importers._source import Begin, Chunk
from telesurv_streams.channels import CHANNEL, ECG, Channel, channel, resolve, sanitise
from telesurv_streams.checks import ECG_RATE_HZ_MIN, RATE_HZ_MAX
from telesurv_streams.frame import SAMPLES_MAX
from telesurv_streams.log import Misconfigured
from telesurv_streams.units import conversion, ucum

BLOCK_BYTES = 1 << 21
NULLS = ["", "NA", "N/A", "NaN", "nan", "NULL", "null", "None", "-", "--", "---"]

STEPS = {"rr": 1.0, "perfusion_index": 0.01, "temperature": 0.01, "weight": 0.01}
"""Step of stored values, in the channel's unit, where the mapping names none; else `STEP`."""
STEP = 0.1
WAVEFORM_STEPS = {"mV": 0.001}
"""Of waveforms, by unit: 1 uV for an ECG."""


@dataclass(frozen=True, slots=True)
class _Column:
    """A column, its signal, and what makes its values those of the channel's unit."""

    name: str
    signal: Signal
    factor: float
    shift: float


class CsvFile:
    """A CSV file with its mapping; see `Source`."""

    format: Format = "csv"

    def __init__(self, path: Path, start_ns: int | None, mapping: Path | None) -> None:
        self._path = path
        names = header(path)
        self._mapping, said = _mapping(path, mapping, names)
        self.notes = [said]
        self._names = names
        self._lost: dict[str, int] = {}
        self._columns = self._find_columns(names)
        self.signals = [column.signal for column in self._columns]
        begin = Begin.of(self._first_time(), start_ns)
        self.start_ns, self.dated = begin.start_ns, begin.dated
        if begin.note:
            self.notes.append(begin.note)

    def patient_of(self, name: str) -> str:
        """Return the pseudonym that the file's name stands for."""
        return self._mapping.patient_of(name)

    def chunks(self, patient: str) -> Iterator[Chunk]:
        """Yield all rows, block by block."""
        if self._mapping.rate_hz:
            yield from self._waveforms(patient)
        else:
            for done, block in self._blocks():
                time_ns, taken = self._times(block)
                rows = [
                    readings(patient, column.signal, time_ns, self._to_codes(column, block)[taken])
                    for column in self._columns
                ]
                yield Chunk(done, together(rows))
        for name, count in self._lost.items():
            self.notes.append(f"{name!r}: values that no code can stand for, left out: {count}")

    def annotations(self) -> pa.Table | None:
        """Return nothing: a CSV file has no annotations."""
        return None

    def _waveforms(self, patient: str) -> Iterator[Chunk]:
        row = self._columns[0].signal.samples_per_frame
        held: list[list[NDArray[np.int16]]] = [[] for _ in self._columns]
        at, waiting = 0, 0
        for done, block in chain(self._blocks(), [(1.0, None)]):
            if block is not None:
                for column, parts in zip(self._columns, held, strict=True):
                    parts.append(self._to_codes(column, block))
                waiting += block.num_rows
            size = waiting if block is None else waiting - waiting % row
            if size:
                rows = []
                for column, parts in zip(self._columns, held, strict=True):
                    codes = np.concatenate(parts)
                    rows.append(frames(patient, column.signal, codes[:size], self.start_ns, at))
                    parts[:] = [codes[size:]]
                at, waiting = at + size, waiting - size
                yield Chunk(done, together(rows))

    def _find_columns(self, names: list[str]) -> list[_Column]:
        mapping = self._mapping
        time = [mapping.time.column] if mapping.time.column else []
        needed = [*mapping.columns, *time] if not mapping.recognise else time
        for name in needed:
            if name not in names:
                raise Unreadable(
                    f"{self._path}: no column {name!r}, which the mapping names; "
                    f"its columns are {', '.join(names)[:300]}"
                )
        wanted = [name for name in names if name and name not in (*time, *mapping.ignore)]
        if not wanted:
            raise Unreadable(f"{self._path}: no column of values beside the time")
        columns: list[_Column] = []
        for name in wanted:
            column = self._column(name, mapping.columns.get(name, ColumnMapping()))
            same = sum(c.signal.channel == column.signal.channel for c in columns)
            if same:
                column.signal.device = f"{DEVICE}-{same + 1}"
            columns.append(column)
        return columns

    def _column(self, name: str, mapped: ColumnMapping) -> _Column:
        """Return the signal that a column becomes, with the step of its values."""
        where = f"{self._path}, column {name!r}"
        unit = mapped.unit or _bracketed(name)
        found = channel(mapped.channel) if mapped.channel else resolve(name, unit)
        used = found or Channel(mapped.channel or sanitise(name), "numeric", ucum(unit) or "1")
        if not CHANNEL.fullmatch(used.name):
            raise Misconfigured(f"{where}: channel {used.name!r} does not match {CHANNEL.pattern}")
        if found is None and not mapped.channel:
            self.notes.append(f"{name!r} not recognised, kept as {used.name}")
        rate = self._mapping.rate_hz
        low = ECG_RATE_HZ_MIN if used.name.startswith(ECG) else 0.0
        if not low <= rate <= RATE_HZ_MAX:
            raise Misconfigured(
                f"{where}: {used.name} at rate_hz {rate:g}, expected {low:g} to {RATE_HZ_MAX:g}"
            )
        converted = conversion(ucum(unit), used.unit)
        if converted is None:
            raise Misconfigured(f"{where}: unit {unit!r} does not convert to {used.unit}")
        steps = WAVEFORM_STEPS if rate else {}
        step = mapped.scale or STEPS.get(used.name) or steps.get(used.unit) or STEP
        signal = Signal(name, unit, used, DEVICE, found is not None, rate, step, mapped.offset)
        signal.samples_per_frame = min(max(1, round(FRAME_S * rate)), SAMPLES_MAX)
        return _Column(name, signal, *converted)

    def _to_codes(self, column: _Column, block: pa.RecordBatch) -> NDArray[np.int16]:
        values = block.column(column.name).to_numpy(zero_copy_only=False)
        values = values * column.factor + column.shift
        codes, lost = to_codes(values, column.signal.scale, column.signal.offset)
        if lost:
            self._lost[column.name] = self._lost.get(column.name, 0) + lost
        return codes

    def _times(self, block: pa.RecordBatch) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Return the device times of rows, and which rows have one."""
        time = self._mapping.time
        column = block.column(time.column)
        taken = np.array(column.is_valid().to_numpy(zero_copy_only=False), np.bool_)
        if time.unit == "iso":
            return column.drop_null().cast(pa.int64()).to_numpy(), taken
        values = column.drop_null().to_numpy(zero_copy_only=False)
        unit_ns = 1e9 / time.rate_hz if time.unit == "ticks" else UNITS_NS[time.unit]
        return self.start_ns + np.rint(values * unit_ns).astype(np.int64), taken

    def _first_time(self) -> datetime | None:
        """Return the first row's date and time where the file tells dates."""
        time = self._mapping.time
        if time.unit != "iso" or not time.column:
            return None
        for _, block in self._blocks():
            column = block.column(time.column).drop_null()
            if len(column):
                ns = column.cast(pa.int64())[0].as_py()
                return datetime.fromtimestamp(ns // 10**9, UTC)
        raise Unreadable(f"{self._path}: no date in column {time.column!r}")

    def _blocks(self) -> Iterator[tuple[float, pa.RecordBatch]]:
        """Yield (fraction read, rows), numbers as float64 and dates as times."""
        types: dict[str, Any] = {name: pa.float64() for name in (c.name for c in self._columns)}
        time = self._mapping.time
        if time.column:
            iso = time.unit == "iso"
            types[time.column] = pa.timestamp("ns", tz="UTC") if iso else pa.float64()
        convert = pyarrow.csv.ConvertOptions(
            column_types=types,
            include_columns=list(types),
            null_values=NULLS,
            strings_can_be_null=True,
            timestamp_parsers=[pyarrow.csv.ISO8601, "%Y-%m-%d %H:%M:%S", "%d/%m/%Y %H:%M:%S"],
        )
        read = pyarrow.csv.ReadOptions(
            block_size=BLOCK_BYTES, column_names=self._names, skip_rows=1, use_threads=False
        )
        size = self._path.stat().st_size
        try:
            with self._path.open("rb") as raw:
                packed = self._path.suffix == ".gz"
                stream = pa.input_stream(raw, compression="gzip" if packed else None)
                with pyarrow.csv.open_csv(
                    stream, read_options=read, convert_options=convert
                ) as reader:
                    for block in reader:
                        yield min(raw.tell() / size, 1.0), block
        except (pa.ArrowException, OSError, EOFError) as error:
            raise Unreadable(f"{self._path}: {error}") from error


def _bracketed(name: str) -> str:
    return name[name.rindex("[") + 1 : -1] if name.endswith("]") and "[" in name else ""


def _mapping(path: Path, given: Path | None, names: list[str]) -> tuple[Mapping, str]:
    if given is not None:
        return load(given), f"columns as {given.name} says"
    found = recognise(path)
    if found is None:
        raise Unreadable(
            f"{path}: columns {', '.join(names)[:300]}: no known kind of file; "
            "a mapping (--mapping FILE.toml) says what they are"
        )
    return found[1], f"columns recognised: {found[0]}"
