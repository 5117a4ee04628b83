"""Parts: the closed Parquet files that a recording consists of.

A recording is a directory of `part-<n>.parquet`. A part appears by a rename, complete and
synced, and never changes; rows in it are sorted. Its footer says what kind of recording it
belongs to, from when to when it goes, which offsets it reaches, and which smaller parts it
replaces. Two kinds:

- `frames`: rows of `frame.DISK_SCHEMA`, sorted by the end of the frame in device time;
- `records`: records of a topic as they came, sorted by arrival, then partition and offset.
"""

import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from telesurv_streams.frame import DISK_SCHEMA, sample_time_ns
from telesurv_streams.log import Misconfigured

Kind = Literal["frames", "records"]

VERSION = 1
"""Version of the recordings that this module writes."""

ARRIVAL_UNKNOWN_NS = 0
"""Arrival of a frame that no log ever took: imported, simulated."""

RECORD_SCHEMA = pa.schema(
    [
        pa.field("kind", pa.string(), nullable=False),  # frame, tick, plan …
        pa.field("topic", pa.string(), nullable=False),
        pa.field("partition", pa.int32(), nullable=False),
        pa.field("offset", pa.int64(), nullable=False),
        pa.field("arrival", pa.timestamp("ns", tz="UTC"), nullable=False),
        pa.field("mode", pa.string(), nullable=False),
        pa.field("key", pa.binary()),
        pa.field("value", pa.binary()),
        pa.field("headers", pa.list_(pa.struct([("name", pa.string()), ("value", pa.binary())]))),
    ]
)
"""Columns of a recording of a topic."""

SCHEMAS = {"frames": DISK_SCHEMA, "records": RECORD_SCHEMA}
_ORDER = {
    "frames": ("start", "patient", "device", "channel", "sequence"),
    "records": ("topic", "partition", "offset"),
}
_DICTIONARY = ["patient", "device", "channel", "rate", "scale", "offset"]
_KIND, _VERSION, _FIRST, _LAST = (
    "telesurv-kind",
    "telesurv-version",
    "telesurv-first",
    "telesurv-last",
)
_POSITIONS, _REPLACES = "telesurv-positions", "telesurv-replaces"
_NAME = re.compile(r"part-([0-9]{6,})\.parquet")
TEMPORARY = ".tmp"


class NoRecording(Misconfigured):
    """No recording of ours; the message names the file, what is in it, and what should be."""


@dataclass(frozen=True, slots=True)
class Part:
    """A closed part, as its footer describes it."""

    path: Path
    kind: Kind
    first_ns: int  # of the sort key: end of the frame, or arrival
    last_ns: int
    rows: int
    file_bytes: int
    positions: dict[str, int]  # "topic/partition": the offset after the last one held
    replaces: tuple[tuple[int, int], ...]  # numbers [from, to] of parts whose rows it holds
    metadata: pq.FileMetaData

    @property
    def number(self) -> int:
        """The number in the file's name."""
        return _number(self.path)

    def stands_for(self, number: int) -> bool:
        """Whether this part holds the rows of the part of a number that it replaces."""
        return any(low <= number <= high for low, high in self.replaces)

    def read_group(self, index: int) -> pa.Table:
        """Return one row group in the schema of its kind; raises FileNotFoundError when merged."""
        try:
            with pq.ParquetFile(
                self.path, metadata=self.metadata, page_checksum_verification=True
            ) as file:
                return file.read_row_group(index, use_threads=False).cast(SCHEMAS[self.kind])
        except FileNotFoundError:
            raise
        except (pa.ArrowException, OSError, ValueError) as error:
            raise NoRecording(
                f"{self.path}: row group {index} cannot be read, the file is damaged: {error}"
            ) from error


def key_ns(table: pa.Table, kind: Kind) -> NDArray[np.int64]:
    """Return the time by which rows are sorted: each frame's end, or each record's arrival."""
    name = "start" if kind == "frames" else "arrival"
    time_ns: NDArray[np.int64] = table.column(name).cast(pa.int64()).to_numpy()
    if kind == "records":
        return time_ns
    count = pc.list_value_length(table.column("samples")).to_numpy().astype(np.int64)
    return sample_time_ns(time_ns, count, table.column("rate").to_numpy())


def in_order(table: pa.Table, kind: Kind) -> tuple[pa.Table, NDArray[np.int64]]:
    """Return rows sorted, and their keys (int64[n], ns). The order is total but for copies."""
    keys = key_ns(table, kind)
    named = table.select(_ORDER[kind]).append_column("key", pa.array(keys))
    order = pc.sort_indices(
        named, sort_keys=[("key", "ascending"), *((name, "ascending") for name in _ORDER[kind])]
    )
    return table.take(order), keys[order.to_numpy()]


def read_part(path: Path) -> Part:
    """Return the part that a file holds; `NoRecording` where it is something else."""
    size = path.stat().st_size
    if not size:
        raise NoRecording(f"{path}: an empty file, expected a part of a recording (Parquet)")
    try:
        with pq.ParquetFile(path) as file:
            metadata, schema = file.metadata, file.schema_arrow
    except (pa.ArrowException, OSError, ValueError) as error:
        if isinstance(error, FileNotFoundError):
            raise
        raise NoRecording(f"{path}: {size} bytes that are no complete Parquet: {error}") from error
    said = {
        k.decode(): v.decode() for k, v in (metadata.metadata or {}).items() if k != b"ARROW:schema"
    }
    kind, version = said.get(_KIND), said.get(_VERSION)
    if kind not in SCHEMAS or version is None:
        raise NoRecording(
            f"{path}: a Parquet file of columns {', '.join(schema.names)[:200]}, "
            f"but no recording of telesurv; other data comes in by `telesurv import`"
        )
    if version != str(VERSION):
        raise NoRecording(
            f"{path}: a recording of version {version}, expected version {VERSION}: "
            f"written by another release of telesurv"
        )
    expected: pa.Schema = SCHEMAS[kind]
    if schema.names != expected.names:
        raise NoRecording(f"{path}: columns {schema.names}, expected {expected.names}")
    return Part(
        path=path,
        kind="frames" if kind == "frames" else "records",
        first_ns=int(said[_FIRST]),
        last_ns=int(said[_LAST]),
        rows=metadata.num_rows,
        file_bytes=size,
        positions=json.loads(said[_POSITIONS]),
        replaces=tuple((low, high) for low, high in json.loads(said[_REPLACES])),
        metadata=metadata,
    )


def list_parts(directory: Path) -> list[Part]:
    """Return the parts of a recording that count, by number: none that a larger one replaces."""
    for _ in range(100):  # a part that was merged away while we looked: look again
        try:
            parts = [read_part(path) for path in _part_files(directory)]
        except FileNotFoundError:
            continue
        larger = [part for part in parts if part.replaces]
        return [
            part for part in parts if not any(other.stands_for(part.number) for other in larger)
        ]
    raise NoRecording(f"{directory}: its parts change faster than they can be listed")


def _part_files(directory: Path) -> list[Path]:
    found = [path for path in directory.iterdir() if _NAME.fullmatch(path.name)]
    return sorted(found, key=_number)


def _number(path: Path) -> int:
    matched = _NAME.fullmatch(path.name)
    assert matched, f"{path} is not the name of a part"
    return int(matched[1])


def _ranges(ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return ranges of numbers sorted, those that touch joined."""
    joined: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if joined and low <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(high, joined[-1][1]))
        else:
            joined.append((low, high))
    return joined


def next_path(directory: Path) -> Path:
    """Return the path of the part to be written next: numbers never come again."""
    numbers = [_number(path) for path in _part_files(directory)]
    return directory / f"part-{max(numbers, default=-1) + 1:06d}.parquet"


def sweep(directory: Path) -> None:
    """Remove what a crash left: unfinished files, and parts that a larger one replaces.

    Only for whoever holds the recording's lock.
    """
    for path in directory.iterdir():
        if path.name.endswith(TEMPORARY):
            path.unlink()
    kept = {part.path for part in list_parts(directory)}
    for path in _part_files(directory):
        if path not in kept:
            path.unlink()


def sync_directory(directory: Path) -> None:
    """Make renames and removals in a directory durable."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class PartFile:
    """A part being written: groups of rows in, then `close`, which makes it appear."""

    def __init__(self, path: Path, kind: Kind, replaced: Sequence[Part] = ()) -> None:
        self.path, self.kind = path, kind
        # What they replaced themselves too: a reader may still know only those.
        numbers = [(part.number, part.number) for part in replaced]
        self._replaces = _ranges([*numbers, *(r for part in replaced for r in part.replaces)])
        self.first_ns: int | None = None
        self.last_ns = 0
        self.raw_bytes = 0
        self.positions: dict[str, int] = {}
        self._temporary = path.with_name(path.name + TEMPORARY)
        self._file = self._temporary.open("wb")
        schema = SCHEMAS[kind].with_metadata({_KIND: kind, _VERSION: str(VERSION)})
        frames = kind == "frames"
        delta = ["start", "sequence", "arrival", "samples.list.element"]
        self._writer = pq.ParquetWriter(
            self._file,
            schema,
            version="2.6",
            compression="zstd",
            compression_level=3,
            use_dictionary=_DICTIONARY if frames else ["kind", "topic", "mode"],
            column_encoding=dict.fromkeys(
                delta if frames else ["partition", "offset", "arrival"], "DELTA_BINARY_PACKED"
            ),
            write_page_checksum=True,
        )

    def write(self, table: pa.Table, keys: NDArray[np.int64]) -> None:
        """Write sorted rows, none before the last one written, as one row group."""
        assert self.first_ns is None or keys[0] >= self.last_ns, (
            f"{self.path}: rows from {keys[0]} ns after rows up to {self.last_ns} ns"
        )
        self._writer.write_table(table, row_group_size=table.num_rows)
        self.first_ns = int(keys[0]) if self.first_ns is None else self.first_ns
        self.last_ns = int(keys[-1])
        self.raw_bytes += table.nbytes
        if self.kind == "records":
            ends = table.group_by(["topic", "partition"]).aggregate([("offset", "max")])
            for row in ends.to_pylist():
                self.positions[f"{row['topic']}/{row['partition']}"] = row["offset_max"] + 1

    def close(self) -> Path:
        """Finish, sync and rename; the part is there for every reader from now on."""
        assert self.first_ns is not None, f"{self.path} would be empty"
        self._writer.add_key_value_metadata(
            {
                _FIRST: str(self.first_ns),
                _LAST: str(self.last_ns),
                _POSITIONS: json.dumps(self.positions),
                _REPLACES: json.dumps(self._replaces),
            }
        )
        self._writer.close()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._temporary.rename(self.path)
        sync_directory(self.path.parent)
        return self.path

    def discard(self) -> None:
        """Leave nothing behind."""
        self._writer.close()
        self._file.close()
        self._temporary.unlink(missing_ok=True)
