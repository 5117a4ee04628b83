"""Recordings as they are read: found, merged in one order, turned into records for a log.

Reading needs bounded memory, whatever the length: rows come window after window of time, and
the window shrinks where much happens. What is yielded depends on the rows alone, not on the
parts that hold them: their order is that of `parts`, so a merge changes nothing, not even
under a reader.
"""

import json
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from telesurv_streams.frame import SCHEMA
from telesurv_streams.log import FRAMES, Misconfigured, Outgoing
from telesurv_streams.parts import (
    ARRIVAL_UNKNOWN_NS,
    Kind,
    NoRecording,
    Part,
    in_order,
    key_ns,
    list_parts,
    read_part,
)
from telesurv_streams.wire import FRAME_HEADER, Row, decode, encode, encode_batch

_WINDOW_NS, _WINDOW_NS_MIN = 60_000_000_000, 1_000_000
_YIELD_BYTES = 1 << 23


def find(paths: Iterable[Path]) -> list[Path]:
    """Return the recordings among paths and under them, sorted: directories that hold parts.

    A single part counts as a recording. Raises `NoRecording` for a path without any.
    """
    found: dict[Path, None] = {}
    for path in paths:
        if not path.exists():
            raise NoRecording(f"{path}: no such file or directory")
        if path.is_file():
            found[path] = None
            continue
        inside = sorted(
            {
                part.parent
                for part in path.rglob("part-*.parquet")
                # Hidden: what an import has not finished yet.
                if not any(name.startswith(".") for name in part.relative_to(path).parts)
            }
        )
        if not inside:
            unfinished = any(path.rglob("part-*.parquet.tmp"))
            raise NoRecording(
                f"{path}: holds no {'finished ' if unfinished else ''}part of a recording "
                "(part-<n>.parquet); `telesurv import` and `telesurv record` make recordings"
            )
        found.update(dict.fromkeys(inside))
    return list(found)


def read_merged(paths: Iterable[Path]) -> Iterator[pa.Table]:
    """Yield the rows of recordings in order, a table of at least one row at a time.

    Parameters
    ----------
    paths : recordings of one kind, folders of them, or single parts

    Raises
    ------
    NoRecording
        for whatever is not one: empty, foreign, damaged, of another version
    Misconfigured
        where recordings of both kinds are mixed
    """
    sources = [_Source(path, _parts_of(path)) for path in find(paths)]
    parts = [part for source in sources for part in source.parts]
    if len({part.kind for part in parts}) > 1:
        named = {part.kind: part.path for part in parts}
        raise Misconfigured(
            f"{named['frames']} holds frames, {named['records']} records of a topic: "
            "they have no common order, read them apart"
        )
    return iter(_Merge(sources, parts[0].kind) if parts else ())


def _parts_of(path: Path) -> list[Part]:
    return [read_part(path)] if path.is_file() else list_parts(path)


def merged(directory: Path, parts: list[Part]) -> Iterator[pa.Table]:
    """Yield the rows of some parts of one recording in order."""
    return iter(_Merge([_Source(directory, parts)], parts[0].kind))


class Message(NamedTuple):
    """A record to be sent, and what its recording knows of it."""

    outgoing: Outgoing  # its headers as recorded; of an imported frame: `telesurv-frame`
    arrival_ns: int | None  # as recorded; None: no log ever took it
    end_ns: int | None  # device time of the end of an imported frame
    kind: str  # frame, tick, plan …
    mode: str  # live, replay or demo, as recorded; "" of an imported frame
    place: tuple[int, int] | None  # (partition, offset) as recorded; None: imported


def messages(
    paths: Iterable[Path], patient: str | Collection[str] | None = None
) -> Iterator[Message]:
    """Yield recordings as the records of a log, in the order in which they are to be sent.

    Imported frames come by the end of each frame, one a message, keyed by their patient;
    records of a topic come as they were, by arrival, in offset order within each partition.

    Parameters
    ----------
    paths : as for `read_merged`, which also says what is raised
    patient : the only ones wanted, None: all; of a topic, ticks and what names no patient stay
    """
    wanted = None if patient is None else {patient} if isinstance(patient, str) else set(patient)
    for table in read_merged(paths):
        if "samples" in table.schema.names:
            yield from _frame_messages(table, wanted)
        else:
            yield from _record_messages(table, wanted)


def _frame_messages(table: pa.Table, wanted: set[str] | None) -> Iterator[Message]:
    if wanted is not None:
        chosen = pa.array(sorted(wanted), pa.string())
        table = table.filter(pc.is_in(table.column("patient"), value_set=chosen))
    if not table.num_rows:
        return
    ends = key_ns(table, "frames").tolist()
    samples = table.column("samples").combine_chunks()
    first, values = samples.offsets.to_pylist(), samples.values.to_numpy()
    columns = [table.column(name).to_pylist() for name in SCHEMA.names[:3]]
    columns.append(table.column("start").cast(pa.int64()).to_pylist())
    columns += [table.column(name).to_pylist() for name in ("rate", "scale", "offset")]
    columns.append([values[a:b] for a, b in pairwise(first)])
    columns.append(table.column("sequence").to_pylist())
    arrivals = table.column("arrival").cast(pa.int64()).to_pylist()
    for end, arrival, *row in zip(ends, arrivals, *columns, strict=True):
        frame = Row(*row)
        outgoing = Outgoing(FRAMES, frame.patient.encode(), encode([frame]), (FRAME_HEADER,))
        known = None if arrival == ARRIVAL_UNKNOWN_NS else arrival
        yield Message(outgoing, known, end, "frame", "", None)


def _record_messages(table: pa.Table, wanted: set[str] | None) -> Iterator[Message]:
    arrivals = table.column("arrival").cast(pa.int64()).to_pylist()
    seen: tuple[object, ...] = ()
    for row, arrival in zip(table.drop("arrival").to_pylist(), arrivals, strict=True):
        place = (row["partition"], row["offset"])
        if seen == (arrival, row["topic"], *place):  # recorded twice, around a restart
            continue
        seen = (arrival, row["topic"], *place)
        value = row["value"]
        if wanted is not None and row["kind"] == "frame":
            value = _only(value, wanted)
            if value is None:
                continue
        elif wanted is not None and _named(value) not in (None, *wanted):
            continue
        headers = tuple((h["name"], h["value"]) for h in row["headers"])
        outgoing = Outgoing(row["topic"], row["key"], value, headers)
        yield Message(outgoing, arrival, None, row["kind"], row["mode"], place)


def _only(value: bytes | None, wanted: set[str]) -> bytes | None:
    """Return a frame message with the rows of the patients wanted; None: there are none."""
    frames, _ = decode([value or b""])
    chosen = np.array([name[0] in wanted for name in frames.names], np.bool_)[frames.name]
    if chosen.all():
        return value if len(chosen) else None
    if not chosen.any() or value is None:
        return None
    batch = pa.ipc.read_record_batch(pa.py_buffer(value), SCHEMA)
    return encode_batch(batch.take(pa.array(frames.row[chosen])))


def _named(value: bytes | None) -> str | None:
    """Return the patient that a record of another kind (a plan) names; None: it names none."""
    try:
        content = json.loads(value or b"")
    except ValueError:
        return None
    return content.get("patient") if isinstance(content, dict) else None


@dataclass(slots=True)
class _Source:
    """A recording and its parts."""

    path: Path
    parts: list[Part]


@dataclass(slots=True)
class _Stream:
    """A part as it is read: what is loaded and not yet yielded."""

    source: _Source
    part: Part
    group: int = 0
    tables: list[pa.Table] = field(default_factory=list)
    keys: list[NDArray[np.int64]] = field(default_factory=list)

    def load(self, until_ns: int, from_ns: int) -> None:
        """Load row groups until one reaches `until_ns`; rows before `from_ns` are known."""
        while self.group < self.part.metadata.num_row_groups:
            if self.keys and self.keys[-1][-1] >= until_ns:
                return
            table = self.part.read_group(self.group)
            keys = key_ns(table, self.part.kind)
            skip = int(np.searchsorted(keys, from_ns))
            self.group += 1
            if skip < len(keys):
                self.tables.append(table.slice(skip))
                self.keys.append(keys[skip:])

    def split(self, until_ns: int) -> list[pa.Table]:
        """Take the loaded rows before `until_ns`."""
        taken: list[pa.Table] = []
        while self.keys:
            size = int(np.searchsorted(self.keys[0], until_ns))
            if size:
                taken.append(self.tables[0].slice(0, size))
            if size < len(self.keys[0]):
                self.tables[0], self.keys[0] = self.tables[0].slice(size), self.keys[0][size:]
                break
            del self.tables[0], self.keys[0]
        return taken

    def next_ns(self) -> int | None:
        """Return the key of the next row; None where there is none."""
        if self.keys:
            return int(self.keys[0][0])
        return None if self.group >= self.part.metadata.num_row_groups else self.part.first_ns


class _Merge:
    """All rows of all parts, window after window of the sort key."""

    def __init__(self, sources: list[_Source], kind: Kind) -> None:
        self._kind = kind
        self._waiting = [_Stream(source, part) for source in sources for part in source.parts]
        self._waiting.sort(key=lambda s: s.part.first_ns, reverse=True)
        self._active: list[_Stream] = []
        self._from_ns = -(1 << 63)  # every row before it was yielded, none from it on

    def __iter__(self) -> Iterator[pa.Table]:
        window = _WINDOW_NS
        while (begin := self._begin()) is not None:
            until = begin + window
            while not self._load(until):
                pass
            split = [pieces for stream in self._active if (pieces := stream.split(until))]
            self._active = [s for s in self._active if s.next_ns() is not None]
            self._from_ns = until
            if not split:
                continue
            table = pa.concat_tables([piece for pieces in split for piece in pieces])
            nbytes = table.nbytes
            if nbytes > _YIELD_BYTES and window > _WINDOW_NS_MIN:
                window //= 2
            elif nbytes < _YIELD_BYTES // 4:
                window *= 2
            table = table.combine_chunks()
            yield table if len(split) == 1 else in_order(table, self._kind)[0]

    def _begin(self) -> int | None:
        keys = [key for stream in self._active if (key := stream.next_ns()) is not None]
        if self._waiting:
            keys.append(self._waiting[-1].part.first_ns)
        return max(min(keys), self._from_ns) if keys else None

    def _load(self, until_ns: int) -> bool:
        """Have every row before `until_ns` loaded; False: parts were merged, start over."""
        while self._waiting and self._waiting[-1].part.first_ns < until_ns:
            self._active.append(self._waiting.pop())
        for stream in self._active:
            try:
                stream.load(until_ns, self._from_ns)
            except FileNotFoundError as error:
                self._relist(stream.source, error)
                return False
        return True

    def _relist(self, source: _Source, error: FileNotFoundError) -> None:
        """Go on with the parts that replace those of a recording that was merged."""
        if source.path.is_file() or not source.path.exists():
            raise NoRecording(f"{source.path}: gone while it was read") from error
        known = {part.number for part in source.parts}
        source.parts = [
            part
            for part in list_parts(source.path)
            if part.number in known or any(part.stands_for(number) for number in known)
        ]
        self._active = [s for s in self._active if s.source is not source]
        self._waiting = [s for s in self._waiting if s.source is not source]
        self._waiting += [_Stream(source, part) for part in source.parts]
        self._waiting.sort(key=lambda s: s.part.first_ns, reverse=True)
