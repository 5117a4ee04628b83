"""What can be known of Arrow IPC messages before Arrow reads them, many at a time.

A message of ours is exactly one bare record batch. Read as one stream, a message that hides an
end-of-stream mark or a second batch would shift all that follow, and a compressed one could
ask for any amount of memory. So the flatbuffer's few fields that decide this are read here,
with NumPy over all messages, every position checked against the message's own metadata.
Arrow verifies the rest.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

CONTINUATION = 0xFFFFFFFF
PREFIX_BYTES = 8
"""Continuation mark and length of the metadata, each four bytes."""

SHORTEST_BYTES = 64
"""No record batch is shorter."""

_RECORD_BATCH = 3  # of the flatbuffer union MessageHeader

# The frame's columns as Arrow lays them out: ten nodes (nine columns and the list's items), 23
# buffers. Buffers of fixed width: index, the node whose length counts, bytes an element, one
# more element or not (offsets of strings and lists).
_NODES, _BUFFERS, _ITEMS_NODE = 10, 23, 8
_WIDTHS = (
    *((1, 0, 4, 1), (4, 1, 4, 1), (7, 2, 4, 1)),  # offsets of patient, device, channel
    *((10, 3, 8, 0), (12, 4, 8, 0), (14, 5, 4, 0), (16, 6, 4, 0)),  # start, rate, scale, offset
    *((18, 7, 4, 1), (20, _ITEMS_NODE, 2, 0), (22, 9, 8, 0)),  # samples and items, sequence
)

OK, LENGTH, NOT_IPC, NOT_BATCH, BODY, COMPRESSED, COLUMNS, NO_ROW = range(8)
REASONS = {
    LENGTH: "length {length} is no multiple of 8 of at least 64",
    NOT_IPC: "no Arrow IPC message (format 1.0, with continuation mark)",
    NOT_BATCH: "an Arrow IPC message, but no bare record batch",
    BODY: "truncated or with trailing bytes: its metadata speaks of another length",
    COMPRESSED: "compressed, which frames are not",
    COLUMNS: "its columns are not those of a frame: their number, or the bytes they take, differ",
    NO_ROW: "holds no row",
}


def inspect(
    data: NDArray[np.uint8], start: NDArray[np.int64], length: NDArray[np.int64]
) -> tuple[NDArray[np.int8], NDArray[np.int64]]:
    """Return for each message a verdict (`OK` or a key of `REASONS`) and its number of rows.

    Parameters
    ----------
    data : uint8[n], n a multiple of 8, at an address that is one too
    start, length : int64[m], bytes; each message within `data`, starts multiples of 8

    Notes
    -----
    The layout is that of `Message.fbs` of Apache Arrow: Message (version, header type, header,
    body length), RecordBatch (length, nodes, buffers, compression).
    """
    verdict = np.zeros(len(start), np.int8)
    rows = np.zeros(len(start), np.int64)
    verdict[(length < SHORTEST_BYTES) | (length % 8 != 0)] = LENGTH
    left = np.flatnonzero(verdict == OK)
    if not len(left):
        return verdict, rows
    begin, size = start[left], length[left]
    u4 = data.view("<u4")
    metadata = u4[(begin >> 2) + 1].astype(np.int64)
    framed = (u4[begin >> 2] == CONTINUATION) & (metadata % 8 == 0)
    framed &= (metadata >= 16) & (metadata <= size - PREFIX_BYTES)
    table = _Tables(data, begin + PREFIX_BYTES, np.where(framed, metadata, 16))
    message = table.follow(table.low)
    kind = table.read(table.field(message, 1), 1)
    batch = table.follow(table.field(message, 2))
    body = table.read(table.field(message, 3), 8)
    is_batch = (kind == _RECORD_BATCH) & (batch > 0)
    found = np.select(
        [
            ~framed,
            ~is_batch,
            body != size - PREFIX_BYTES - metadata,
            table.field(batch, 3) > 0,
            ~_frame_columns(table, batch),
        ],
        [NOT_IPC, NOT_BATCH, BODY, COMPRESSED, COLUMNS],
        OK,
    ).astype(np.int8)
    verdict[left] = found
    rows[left] = np.where(found == OK, table.read(table.field(batch, 0), 8), 0)
    return verdict, rows


class Columns(NamedTuple):
    """Where the columns of a message lie that `inspect` finds nothing wrong with."""

    rows: int
    items: int  # samples of all rows
    nulls: int  # as its nodes count them
    body: int  # where it begins, bytes from the message's beginning
    begin: NDArray[np.int64]  # [23] of each buffer, bytes from the message's beginning
    size: NDArray[np.int64]  # [23]


def columns(message: bytes) -> Columns:
    """Return where the columns of a message lie, as its flatbuffer says; nothing is checked."""
    data = np.frombuffer(message, np.uint8)
    metadata = data.view("<u4")[1:2].astype(np.int64)
    table = _Tables(data, np.array([PREFIX_BYTES]), metadata)
    batch = table.follow(table.field(table.follow(table.low), 2))
    nodes, buffers = (table.follow(table.field(batch, index)) + 4 for index in (1, 2))
    node, buffer = 16 * np.arange(_NODES), 16 * np.arange(_BUFFERS)
    count = table.read(nodes + node, 8)
    body = PREFIX_BYTES + int(metadata[0])
    return Columns(
        rows=int(table.read(table.field(batch, 0), 8)[0]),
        items=int(count[_ITEMS_NODE]),
        nulls=int(np.abs(table.read(nodes + node + 8, 8)).sum()),
        body=body,
        begin=body + table.read(buffers + buffer, 8),
        size=table.read(buffers + buffer + 8, 8),
    )


def _frame_columns(table: "_Tables", batch: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether record batches have the columns of a frame, as far as their buffers' sizes tell.

    The bytes of a batch do not name its types: float64 read as float32 would be garbage, not an
    error. Buffers too short Arrow refuses itself. A buffer is as long as its elements, or, with
    writers that count the padding, all of them are padded to at most 64.
    """
    nodes = table.follow(table.field(batch, 1))
    buffers = table.follow(table.field(batch, 2))
    fits = (table.read(nodes, 4) == _NODES) & (table.read(buffers, 4) == _BUFFERS)
    exact, padded = fits.copy(), fits
    for index, node, width, extra in _WIDTHS:
        count = table.read(nodes + 4 + 16 * node, 8)
        seen = table.read(buffers + 12 + 16 * index, 8)
        needed = (count + extra) * width
        exact &= seen == needed
        padded &= (seen % 8 == 0) & (seen < needed + 64)
    either: NDArray[np.bool_] = exact | padded
    return either


class _Tables:
    """Flatbuffer tables in many stretches of one array: a position 0 stands for "not there"."""

    def __init__(
        self, data: NDArray[np.uint8], low: NDArray[np.int64], size: NDArray[np.int64]
    ) -> None:
        self.low, self.high = low, low + size
        self._views = {1: data, 2: data.view("<u2"), 4: data.view("<u4"), 8: data.view("<i8")}

    def read(self, position: NDArray[np.int64], width: int) -> NDArray[np.int64]:
        """Return the integers of `width` bytes at positions; 0 where outside or not aligned."""
        inside = (position >= self.low) & (position <= self.high - width) & (position % width == 0)
        values = self._views[width][np.where(inside, position, self.low) // width]
        return np.where(inside, values.astype(np.int64), 0)

    def follow(self, position: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return what an offset at a position points to."""
        offset = self.read(position, 4)
        return np.where(offset > 0, position + offset, 0)

    def field(self, table: NDArray[np.int64], index: int) -> NDArray[np.int64]:
        """Return where a table keeps its field of an index."""
        # The offset to the vtable is signed, and subtracted.
        back = self.read(table, 4).astype(np.uint32).astype(np.int32).astype(np.int64)
        vtable = np.where((table > 0) & (back != 0), table - back, 0)
        wide = self.read(vtable, 2) >= 4 + 2 * (index + 1)
        slot = self.read(np.where(wide, vtable + 4 + 2 * index, 0), 2)
        return np.where(slot > 0, table + slot, 0)
