"""Recordings: write them part by part, go on with them, merge small parts into larger ones.

A writer holds one row group in memory, whatever the length of the recording. What it has
finished survives it: a part is there complete or not at all. `recordings` reads them.
"""

import fcntl
import os
from collections.abc import Iterable, Sequence
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from telesurv_streams.frame import DISK_SCHEMA
from telesurv_streams.log import HEADER_KIND, HEADER_MODE, Misconfigured, Record
from telesurv_streams.parts import (
    ARRIVAL_UNKNOWN_NS,
    RECORD_SCHEMA,
    SCHEMAS,
    Kind,
    NoRecording,
    Part,
    PartFile,
    in_order,
    key_ns,
    list_parts,
    next_path,
    sweep,
    sync_directory,
)
from telesurv_streams.recordings import merged
from telesurv_streams.wire import Row, to_batch

GROUP_NS = 60_000_000_000
"""A row group is about a minute ..."""
GROUP_BYTES_MIN, GROUP_BYTES_MAX = 1 << 14, 1 << 23
"""... where that is neither too little to be worth one (by `_weight`), nor too much to hold."""
GROUP_ROWS_MAX = 1 << 16
PART_NS = 3_600_000_000_000
PART_BYTES_MIN, PART_BYTES_MAX = 1 << 20, 1 << 27
"""A part is closed after an hour of data of this size at least, or at the second size."""
RECORDS_PART_NS = 60_000_000_000
"""Of a topic after a minute, for readers beside and against a crash, and merged at the end."""
MERGED_BYTES_MAX = 1 << 28
"""File size that merging does not go beyond ..."""
CLOSED_BYTES_MAX = 1 << 25
"""... and at the end of a recording of a topic, where someone waits for it."""


class Lock:
    """Who writes or merges in a directory: one process at a time; gone with the process."""

    def __init__(self, directory: Path) -> None:
        self._descriptor = os.open(directory, os.O_RDONLY)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._descriptor)
            raise Misconfigured(f"{directory}: another process writes this recording") from error

    def release(self) -> None:
        """Let others write; once is enough."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


class Writer:
    """Writes a recording, or goes on with one that is there; use it in a `with` statement.

    Parameters
    ----------
    directory : made when missing; what a crash left unfinished in it is removed
    kind : `frames` or `records`

    Notes
    -----
    Rows may come in any order; those given within about a minute are sorted, and a group that
    begins before the last one ended opens a new part. An exception in the `with` block
    discards the unfinished part: closed parts stay.
    """

    def __init__(self, directory: Path, kind: Kind = "frames") -> None:
        self.directory, self.kind = directory, kind
        directory.mkdir(parents=True, exist_ok=True)
        self._lock = Lock(directory)
        try:
            sweep(directory)
            parts = list_parts(directory)
            if other := [part for part in parts if part.kind != kind]:
                raise NoRecording(f"{other[0].path}: holds {other[0].kind}, expected {kind}")
        except BaseException:
            self._lock.release()
            raise
        self._buffer: list[pa.RecordBatch] = []
        self._weight = self._bytes = self._rows = 0
        self._span: tuple[int, int] | None = None
        self._part: PartFile | None = None
        self._part_weight = 0
        self._arrived_ns: dict[str, int] = {}
        self.positions: dict[str, int] = {}
        """Of `records`, for each "topic/partition": the offset to go on from, as synced."""
        for part in parts:
            self._reached(part.positions)

    def append(self, rows: Sequence[Row], arrival_ns: int = ARRIVAL_UNKNOWN_NS) -> None:
        """Add frames that arrived together (or of which no arrival is known)."""
        if rows:
            arrival = pa.array(np.full(len(rows), arrival_ns, "datetime64[ns]"))
            columns = [*to_batch(rows).columns, arrival.cast(DISK_SCHEMA.field("arrival").type)]
            self.append_batch(pa.RecordBatch.from_arrays(columns, schema=DISK_SCHEMA))

    def append_records(self, records: Iterable[Record]) -> None:
        """Add records of a topic, in offset order within each partition."""
        rows = []
        for r in records:
            headers = dict(r.headers)
            # Sorted by arrival, so it must not fall where a broker's clock was set back.
            place = f"{r.topic}/{r.partition}"
            arrival_ns = max(r.arrival_ns, self._arrived_ns.get(place, r.arrival_ns))
            self._arrived_ns[place] = arrival_ns
            rows.append(
                {
                    "kind": headers.get(HEADER_KIND, b"frame").decode("ascii", "replace"),
                    "topic": r.topic,
                    "partition": r.partition,
                    "offset": r.offset,
                    "arrival": arrival_ns,
                    "mode": headers.get(HEADER_MODE, b"live").decode("ascii", "replace"),
                    "key": r.key,
                    "value": r.value,
                    "headers": [{"name": name, "value": value} for name, value in r.headers],
                }
            )
        if rows:
            self.append_batch(pa.RecordBatch.from_pylist(rows, RECORD_SCHEMA))

    def append_batch(self, batch: pa.RecordBatch) -> None:
        """Add rows of the kind's schema, in any order."""
        assert batch.schema.equals(SCHEMAS[self.kind]), f"columns {batch.schema.names}"
        if not batch.num_rows:
            return
        keys = key_ns(pa.Table.from_batches([batch]), self.kind)
        low, high = int(keys.min()), int(keys.max())
        if self._span is not None:
            low, high = min(low, self._span[0]), max(high, self._span[1])
        self._span = (low, high)
        self._buffer.append(batch)
        self._weight += _weight(batch)
        self._bytes += batch.nbytes
        self._rows += batch.num_rows
        enough = high - low >= GROUP_NS and self._weight >= GROUP_BYTES_MIN
        if enough or self._bytes >= GROUP_BYTES_MAX or self._rows >= GROUP_ROWS_MAX:
            self._write_groups()

    def close_part(self) -> Path | None:
        """Write what is there as a finished part, for readers to see; None: nothing was."""
        while self._buffer:
            self._write_groups()
        if self._part is None:
            return None
        path = self._part.path
        self._finish(self._part)
        return path

    def close(self) -> None:
        """Finish the last part and let others write."""
        try:
            self.close_part()
            if self.kind == "records":
                _merge_parts(self.directory, CLOSED_BYTES_MAX)
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Leave, without the unfinished part."""
        if self._part is not None:
            self._part.discard()
            self._part = None
        self._buffer.clear()
        self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.abandon()

    def _write_groups(self) -> None:
        """Write what the buffer holds, but a last group that is not complete yet."""
        table, keys = in_order(pa.Table.from_batches(self._buffer), self.kind)
        rows_min = -(-GROUP_BYTES_MIN * self._rows // self._weight)
        rows_max = max(1, min(GROUP_ROWS_MAX, GROUP_BYTES_MAX * self._rows // self._bytes))
        weight = self._weight
        self._buffer.clear()
        self._weight = self._bytes = self._rows = 0
        self._span = None
        at = 0
        while at < len(keys):
            minute = int(np.searchsorted(keys, keys[at] + GROUP_NS))
            to = min(max(minute, at + rows_min), at + rows_max, len(keys))
            if at and to == len(keys):
                self.append_batch(table.slice(at).combine_chunks().to_batches()[0])
                return
            self._write_group(table.slice(at, to - at), keys[at:to])
            self._part_weight += weight * (to - at) // len(keys)
            at = to

    def _write_group(self, table: pa.Table, keys: NDArray[np.int64]) -> None:
        if self._part is not None and self._is_full(self._part, int(keys[0])):
            self._finish(self._part)
        if self._part is None:
            self._part = PartFile(next_path(self.directory), self.kind)
            self._part_weight = 0
        self._part.write(table, keys)

    def _is_full(self, part: PartFile, next_ns: int) -> bool:
        """Whether rows from `next_ns` on belong into another part."""
        assert part.first_ns is not None, "a part has rows from its first write on"
        lasts_ns = next_ns - part.first_ns
        long_enough = lasts_ns >= PART_NS and self._part_weight >= PART_BYTES_MIN
        if self.kind == "records":
            long_enough = lasts_ns >= RECORDS_PART_NS
        return next_ns < part.last_ns or long_enough or part.raw_bytes >= PART_BYTES_MAX

    def _finish(self, part: PartFile) -> None:
        part.close()
        self._part = None
        self._reached(part.positions)

    def _reached(self, positions: dict[str, int]) -> None:
        for place, offset in positions.items():
            self.positions[place] = max(offset, self.positions.get(place, 0))


def _weight(batch: pa.RecordBatch) -> int:
    """Return the bytes of a batch that are not its rows' own: samples, or payload."""
    column = batch.column("samples" if "samples" in batch.schema.names else "value")
    values = column.flatten() if pa.types.is_list(column.type) else column
    return max(1, int(values.nbytes))


def merge(directory: Path, file_bytes_max: int = MERGED_BYTES_MAX) -> int:
    """Merge small parts of a recording into larger ones; return how many files are gone.

    Safe at any instant: a larger part replaces the others by its footer, from the moment of its
    rename on; what a crash leaves is removed by the next writer or merge. Readers are not
    disturbed. `Misconfigured` while a writer is at work.
    """
    lock = Lock(directory)
    try:
        return _merge_parts(directory, file_bytes_max)
    finally:
        lock.release()


def _merge_parts(directory: Path, file_bytes_max: int) -> int:
    sweep(directory)
    gone = 0
    run: list[Part] = []
    for part in [*sorted(list_parts(directory), key=lambda p: p.first_ns), None]:
        if part and sum(p.file_bytes for p in (*run, part)) <= file_bytes_max:
            run.append(part)
            continue
        if len(run) > 1:
            gone += _merge_run(directory, run)
        run = [part] if part else []
    return gone


def _merge_run(directory: Path, run: list[Part]) -> int:
    kind = run[0].kind
    file = PartFile(next_path(directory), kind, run)
    try:
        held: list[pa.Table] = []
        for table in chain(merged(directory, run), [None]):
            if table is not None:
                held.append(table)
            if held and (table is None or sum(t.nbytes for t in held) >= GROUP_BYTES_MAX // 8):
                group = pa.concat_tables(held).combine_chunks()
                file.write(group, key_ns(group, kind))
                held.clear()
        file.close()
    except BaseException:
        file.discard()
        raise
    for part in run:
        part.path.unlink()
    sync_directory(directory)
    return len(run)
