"""Frames on the wire: rows to bytes, and bytes of any origin to rows or to `Malformed`.

A message is one bare Arrow IPC record batch of `frame.SCHEMA`: uncompressed, without nulls or
dictionaries, its length a multiple of 8; the header `telesurv-frame` says the schema's version.
Decoding takes a batch of messages as one IPC stream. Where that fails each message is read
alone, and a message that fails is cut in halves until only its bad rows are left out.
"""

import struct
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from telesurv_streams._framing import NO_ROW, OK, REASONS, inspect
from telesurv_streams._known import Known
from telesurv_streams.checks import distinct_names, wrong_rows
from telesurv_streams.frame import FRAME_VERSION, SCHEMA, Frames
from telesurv_streams.log import HEADER_FRAME, Headers
from telesurv_streams.rows import chosen, joined, with_used_names

FRAME_HEADER = (HEADER_FRAME, str(FRAME_VERSION).encode())
"""The header that every frame message carries."""

_SCHEMA_MESSAGE = SCHEMA.serialize().to_pybytes()
_END = b"\xff\xff\xff\xff\x00\x00\x00\x00"
_ROWS_KEPT = 8  # in a message of which everything but its values is kept
_PART = 32  # messages read together where the whole batch cannot be
WHOLE = -1
"""`Malformed.row` of what concerns a whole message."""


class Malformed(Exception):
    """The sender's fault: a message, or one row of it, that is no valid frame.

    Attributes
    ----------
    record : index of the message among those decoded together; -1 where only one was looked at
    row : index of the row in its message; -1: the whole message
    reason : what was seen, and what was expected
    """

    def __init__(self, record: int, row: int, reason: str) -> None:
        super().__init__(record, row, reason)
        self.record, self.row, self.reason = record, row, reason

    def __str__(self) -> str:
        """Return where and why."""
        place = f"message {self.record}" + (f", row {self.row}" if self.row >= 0 else "")
        return f"{place}: {self.reason}"


class Row(NamedTuple):
    """One frame as it is to be sent."""

    patient: str
    device: str
    channel: str
    start_ns: int  # device time of the first sample
    rate_hz: float  # 0: a single reading
    scale: float  # physical = sample * scale + offset
    offset: float
    samples: NDArray[np.int16]  # [n], -32768: missing
    sequence: int = -1


def to_batch(rows: Sequence[Row]) -> pa.RecordBatch:
    """Return rows as a record batch of `SCHEMA`. Nothing is validated."""
    names = [pa.array([row[i] for row in rows], pa.string()) for i in range(3)]
    start = np.array([row.start_ns for row in rows], np.int64).view("datetime64[ns]")
    first = np.zeros(len(rows) + 1, np.int32)
    np.cumsum([len(row.samples) for row in rows], out=first[1:])
    samples = [np.asarray(row.samples, np.int16) for row in rows]
    values = np.concatenate(samples) if samples else np.zeros(0, np.int16)
    arrays = [
        *names,
        pa.array(start, pa.timestamp("ns", tz="UTC")),
        pa.array(np.array([row.rate_hz for row in rows], np.float64)),
        pa.array(np.array([row.scale for row in rows], np.float32)),
        pa.array(np.array([row.offset for row in rows], np.float32)),
        pa.ListArray.from_arrays(first, values, type=SCHEMA.field("samples").type),
        pa.array(np.array([row.sequence for row in rows], np.int64)),
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)


def encode_batch(batch: pa.RecordBatch) -> bytes:
    """Return a record batch of `SCHEMA` as a message."""
    if batch.get_total_buffer_size() > batch.nbytes:
        # Arrow pads the buffers of a slice with what lies beside it: rows of other patients.
        batch = batch.take(pa.array(np.arange(batch.num_rows)))
    message: bytes = batch.serialize().to_pybytes()
    assert len(message) % 8 == 0, f"Arrow wrote {len(message)} bytes, no multiple of 8"
    return message


def encode(rows: Sequence[Row]) -> bytes:
    """Return rows as one message. Nothing is validated: `decode` does that on the other side.

    Of messages of the same channels with equally many samples only starts, sequences and
    samples differ: the rest is made once and kept, so that Arrow is asked once.
    """
    if not 0 < len(rows) <= _ROWS_KEPT:
        return encode_batch(to_batch(rows))
    samples = [np.ascontiguousarray(row.samples, "<i2") for row in rows]
    fixed = [(*row[:3], *row[4:7], len(codes)) for row, codes in zip(rows, samples, strict=True)]
    head, middle, tail = _template(tuple(fixed))
    starts = struct.pack(f"<{len(rows)}q", *(row.start_ns for row in rows))
    sequences = struct.pack(f"<{len(rows)}q", *(row.sequence for row in rows))
    return b"".join((head, starts, middle, *(c.tobytes() for c in samples), tail, sequences))


@lru_cache(maxsize=8192)
def _template(
    fixed: tuple[tuple[str, str, str, float, float, float, int], ...],
) -> tuple[bytes, bytes, bytes]:
    """Return what stands before the starts, between them and the samples, and after those.

    Parameters
    ----------
    fixed : patient, device, channel, rate_hz, scale, offset, number of samples of each row
    """
    n, items = len(fixed), sum(row[-1] for row in fixed)
    mark = -(1 << 62) - 1  # no date of a frame, to see that it lies where it should
    rows = [Row(*row[:3], mark, *row[3:6], np.zeros(row[6], np.int16), mark) for row in fixed]
    message: bytes = to_batch(rows).serialize().to_pybytes()
    # From the end: sequences, samples, their offsets, offset and scale, rate, start.
    sequence = len(message) - 8 * n
    samples = sequence - _padded(2 * items)
    start = samples - _padded(4 * (n + 1)) - 2 * _padded(4 * n) - 16 * n
    marks = struct.pack("<q", mark) * n
    assert message[start : start + 8 * n] == message[sequence:] == marks, "Arrow's own layout"
    return (
        message[:start],
        message[start + 8 * n : samples],
        message[samples + 2 * items : sequence],
    )


def _padded(size: int) -> int:
    return size + -size % 8


def check_version(headers: Headers) -> Malformed | None:
    """Return what is wrong with the version that a message's headers state; None: ours."""
    stated = dict(headers).get(HEADER_FRAME)
    if stated == FRAME_HEADER[1]:
        return None
    seen = "is missing" if stated is None else f"is {stated[:32]!r}"
    return Malformed(-1, WHOLE, f"header {HEADER_FRAME} {seen}, expected {FRAME_HEADER[1]!r}")


def decode(values: Sequence[bytes]) -> tuple[Frames, list[Malformed]]:
    """Return the valid rows of messages as columns, and what was wrong with the others.

    Parameters
    ----------
    values : messages, of any content; `Malformed.record` and `Frames.record` index them

    Returns
    -------
    frames : rows in the order of messages and of rows within each
    malformed : sorted by message and row
    """
    length = np.fromiter(map(len, values), np.int64, len(values))
    # Padded, so that a wrong length shifts nothing; nothing to pad when all are right.
    padded = values if not (length % 8).any() else [v + bytes(-len(v) % 8) for v in values]
    width = length + -length % 8
    verdict, count = inspect(
        np.frombuffer(b"".join(padded), np.uint8), np.cumsum(width) - width, length
    )
    verdict[(verdict == OK) & (count <= 0)] = NO_ROW
    malformed = [
        Malformed(i, WHOLE, REASONS[int(verdict[i])].format(length=length[i]))
        for i in np.flatnonzero(verdict != OK).tolist()
    ]
    table, record, row, unreadable = _read(values, np.flatnonzero(verdict == OK), count)
    frames, invalid = _columns(table, record, row)
    malformed += unreadable + invalid
    malformed.sort(key=lambda m: (m.record, m.row))
    return frames, malformed


class Decoder:
    """Decodes batch after batch as `decode` does, faster where messages are like earlier ones.

    The names of what it returns stay the same list, which grows, with the same numbers; now and
    then a new one begins. Not all of them occur in the rows.
    """

    def __init__(self) -> None:
        self._known = Known()

    def decode(self, values: Sequence[bytes]) -> tuple[Frames, list[Malformed]]:
        """Return the valid rows of messages as columns, and what was wrong with the others."""
        frames, left = self._known.read(values)
        frames, malformed = _checked(frames, self._known.is_ecg)
        if not left:
            return frames, malformed
        slow, unread = decode([values[index] for index in left])
        malformed += [Malformed(left[m.record], m.row, m.reason) for m in unread]
        malformed.sort(key=lambda m: (m.record, m.row))
        slow.name = self._known.numbers(slow.names)[slow.name]
        slow.names = self._known.names
        self._learn(values, left, slow, {m.record for m in unread})
        slow.record = np.array(left, np.int32)[slow.record]
        return joined(frames, slow), malformed

    def _learn(
        self, values: Sequence[bytes], left: list[int], slow: Frames, spoilt: set[int]
    ) -> None:
        """Remember what messages looked like of which every row was read."""
        ends = np.searchsorted(slow.record, np.arange(len(left) + 1)).tolist()
        names = slow.name.tolist()
        for at, index in enumerate(left):
            if at not in spoilt:
                self._known.learn(values[index], names[ends[at] : ends[at + 1]])


class _Read(NamedTuple):
    """Readable rows, where each came from, and what could not be read."""

    table: pa.Table
    record: NDArray[np.int32]
    row: NDArray[np.int32]
    malformed: list[Malformed]


def _read(values: Sequence[bytes], which: NDArray[np.int64], count: NDArray[np.int64]) -> _Read:
    """Read the messages `which`, of `count` rows each: all at once, else in ever smaller parts."""
    size = count[which]
    table = _read_stream([values[i] for i in which.tolist()], int(size.sum()))
    if table is not None:
        first = np.cumsum(size) - size
        row = np.arange(int(size.sum())) - np.repeat(first, size)
        return _Read(table, np.repeat(which, size).astype(np.int32), row.astype(np.int32), [])
    if len(which) <= _PART:
        return _read_singly(values, which.tolist())
    step = _PART if len(which) <= _PART * _PART else len(which) // _PART
    parts = [_read(values, which[i : i + step], count) for i in range(0, len(which), step)]
    return _Read(
        pa.concat_tables([part.table for part in parts]),
        np.concatenate([part.record for part in parts]),
        np.concatenate([part.row for part in parts]),
        [m for part in parts for m in part.malformed],
    )


def _read_stream(values: Sequence[bytes], rows: int) -> pa.Table | None:
    """Return messages read as one stream; None where anything about them is not right."""
    stream = b"".join((_SCHEMA_MESSAGE, *values, _END))
    try:
        with pa.ipc.open_stream(pa.py_buffer(stream)) as reader:
            table = reader.read_all()
        table.validate(full=True)  # before anything touches a buffer
        table = table.combine_chunks()
    except (pa.ArrowException, OSError, ValueError):
        return None
    if table.num_rows != rows or any(column.null_count for column in table.columns):
        return None
    return None if any(c.flatten().null_count for c in table.column("samples").chunks) else table


def _read_singly(values: Sequence[bytes], which: list[int]) -> _Read:
    """Read message by message, and a bad message by rows."""
    malformed: list[Malformed] = []
    pieces: list[pa.RecordBatch] = []
    places: list[tuple[int, int]] = []  # (message, first row) of each piece
    for i in which:
        try:
            batch = pa.ipc.read_record_batch(pa.py_buffer(values[i]), SCHEMA)
            batch.validate()
        except (pa.ArrowException, OSError, ValueError) as error:
            malformed.append(Malformed(i, WHOLE, _said(error)))
            continue
        good, bad = _halve(batch)
        malformed += [Malformed(i, row, reason) for row, reason in bad]
        pieces += [piece for _, piece in good]
        places += [(i, row) for row, _ in good]
    size = np.array([piece.num_rows for piece in pieces], np.int64)
    record = np.repeat(np.array([place[0] for place in places], np.int32), size)
    within = np.arange(len(record)) - np.repeat(np.cumsum(size) - size, size)
    row = np.repeat(np.array([place[1] for place in places], np.int64), size) + within
    return _Read(pa.Table.from_batches(pieces, SCHEMA), record, row.astype(np.int32), malformed)


def _halve(
    batch: pa.RecordBatch,
) -> tuple[list[tuple[int, pa.RecordBatch]], list[tuple[int, str]]]:
    """Return the readable stretches of a batch, each with its first row, and the bad rows."""
    good: list[tuple[int, pa.RecordBatch]] = []
    bad: list[tuple[int, str]] = []
    left = [(0, batch.num_rows)]
    while left:
        first, size = left.pop()
        piece = batch.slice(first, size)
        fault = _fault(piece)
        if not fault:
            good.append((first, piece))
        elif size == 1:
            bad.append((first, fault))
        else:
            half = size // 2
            left += [(first + half, size - half), (first, half)]
    return good, bad


def _fault(piece: pa.RecordBatch) -> str:
    """Return why Arrow or we cannot accept the buffers of a piece; "" where we can."""
    try:
        piece.validate(full=True)
    except (pa.ArrowException, OSError, ValueError) as error:
        return _said(error)
    for name, column in zip(piece.schema.names, piece.columns, strict=True):
        if column.null_count:
            return f"a null in column {name}"
    if piece.column("samples").flatten().null_count:
        return "a null among samples, expected -32768 for a missing one"
    return ""


def _said(error: Exception) -> str:
    """Return the first line of what Arrow said."""
    return (str(error).splitlines() or [type(error).__name__])[0][:300]


def _columns(
    table: pa.Table, record: NDArray[np.int32], row: NDArray[np.int32]
) -> tuple[Frames, list[Malformed]]:
    """Turn a table without nulls into columns of its valid rows, and the invalid ones."""
    patient, device, channel, start, rate, scale, offset, samples, sequence = (
        column.chunk(0) if column.num_chunks else pa.array([], column.type)
        for column in table.combine_chunks().columns
    )
    distinct = distinct_names(patient, device, channel)
    first = samples.offsets.to_numpy().astype(np.int64)
    frames = Frames(
        names=distinct.names,
        name=distinct.index,
        start_ns=np.array(start.view(pa.int64()).to_numpy()),
        rate_hz=np.array(rate.to_numpy()),
        scale=np.array(scale.to_numpy()),
        offset=np.array(offset.to_numpy()),
        sequence=np.array(sequence.to_numpy()),
        samples=np.array(samples.flatten().to_numpy()),
        first=first - first[0] if len(first) else np.zeros(1, np.int64),
        record=record,
        row=row,
    )
    frames, invalid = _checked(frames, distinct.is_ecg, distinct.wrong)
    return with_used_names(frames) if invalid else frames, invalid


def _checked(
    frames: Frames, is_ecg: NDArray[np.bool_], wrong_names: Sequence[str] = ()
) -> tuple[Frames, list[Malformed]]:
    """Return the valid rows, and what is wrong with the others."""
    wrong = wrong_rows(frames, is_ecg, wrong_names)
    if not wrong:
        return frames, []
    keep = np.ones(len(frames), np.bool_)
    keep[list(wrong)] = False
    return chosen(frames, keep), [
        Malformed(int(frames.record[i]), int(frames.row[i]), reason)
        for i, reason in sorted(wrong.items())
    ]
