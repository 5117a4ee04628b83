"""Messages like others that were read before: read again without asking Arrow.

A sender's messages differ in starts, sequences and samples. Their flatbuffer, which says where
each column lies, and their names are the same bytes every time. So a message whose flatbuffer
and names Arrow and our rules have accepted before needs only a look at what may still be wrong
in its body: the offsets of its samples. Whatever differs goes the long way.
"""

from collections.abc import Sequence
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from telesurv_streams._framing import Columns, columns
from telesurv_streams.channels import ECG
from telesurv_streams.frame import Frames

LAYOUTS_MAX = 256
"""Flatbuffers that are remembered; the one not seen for longest is forgotten."""

NEW_LAYOUTS_MAX = 8
"""Flatbuffers that are learnt of one batch: each costs as much as some messages."""

NAMES_MAX = 1 << 18
"""Names, and stretches of names, that are remembered; then all is learnt again."""

_START, _RATE, _SCALE, _OFFSET, _FIRST, _ITEMS, _SEQUENCE = 10, 12, 14, 16, 18, 20, 22
_STRINGS = (1, 2, 4, 5, 7, 8)  # buffers of patient, device, channel: offsets and text
_COLUMNS = ("record", "row", "name", "start_ns", "rate_hz", "scale", "offset", "sequence")

Name = tuple[str, str, str]


class Layout:
    """One flatbuffer, where it says the columns lie, and the names that came with it."""

    def __init__(self, message: bytes, found: Columns, batch: int) -> None:
        self.size, self.rows, self.items = len(message), found.rows, found.items
        self.begin = found.begin.tolist()
        self.head = message[: found.body]
        self.names = slice(found.body, self.begin[_START])
        self.samples = slice(self.begin[_ITEMS], self.begin[_ITEMS] + 2 * found.items)
        self.known: dict[bytes, int] = {}  # bytes of the names -> row of `ids`
        self.ids = np.zeros((8, self.rows), np.int32)  # of each block of names, their numbers
        self.used = batch  # the last one that had it
        self.at: list[int] = []  # messages of the present batch, and which names they have
        self.block: list[int] = []

    def learn(self, message: bytes, names: list[int]) -> None:
        """Take note of the names of a message of this layout."""
        assert len(names) == self.rows, f"{len(names)} names of {self.rows} rows"
        block = self.known.setdefault(message[self.names], len(self.known))
        if block == len(self.ids):
            self.ids = np.concatenate((self.ids, np.zeros_like(self.ids)))
        self.ids[block] = names

    def column(
        self, data: NDArray[np.uint8], index: int, dtype: str, more: int = 0
    ) -> NDArray[Any]:
        """Return a column of messages of this layout (uint8[n, size]) as [n, rows + more]."""
        first = self.begin[index]
        width = (self.rows + more) * np.dtype(dtype).itemsize
        return np.ascontiguousarray(data[:, first : first + width]).view(dtype)


class Known:
    """What was learnt of earlier messages. `names` only grows, until it is another list."""

    def __init__(self) -> None:
        self._batch, self._new = 0, 0
        self._forget()

    def _forget(self) -> None:
        self.names: list[Name] = []
        self.is_ecg = np.zeros(0, np.bool_)  # of each name
        self._ids: dict[Name, int] = {}
        self._layouts: dict[int, list[Layout]] = {}  # by the length of their messages
        self._blocks = 0

    def read(self, values: Sequence[bytes]) -> tuple[Frames, list[int]]:
        """Return the rows of messages that are like known ones, and which messages are not.

        Values of the rows are not judged yet; `Frames.names` is `self.names`.
        """
        self._batch, self._new = self._batch + 1, 0
        if max(len(self.names), self._blocks) > NAMES_MAX:
            self._forget()
        left = self._sort_out(values)
        parts, layout_of = [], {}
        for layout in [layout for same in self._layouts.values() for layout in same]:
            if not layout.at:
                continue
            part, good = self._columns(layout, values)
            at = np.array(layout.at)
            left += at[~good].tolist()
            layout_of.update(dict.fromkeys(at[good].tolist(), layout))
            parts.append(part)
            layout.at, layout.block, layout.used = [], [], self._batch
        joined = bytearray().join([values[i][layout_of[i].samples] for i in sorted(layout_of)])
        left.sort()
        return self._merged(parts, np.frombuffer(joined, "<i2")), left

    def _sort_out(self, values: Sequence[bytes]) -> list[int]:
        """Tell each layout its messages, and return the others."""
        left, layouts = [], self._layouts
        for index, value in enumerate(values):
            for layout in layouts.get(len(value), ()):
                if value.startswith(layout.head):
                    block = layout.known.get(value[layout.names])
                    if block is None:
                        left.append(index)
                    else:
                        layout.at.append(index)
                        layout.block.append(block)
                    break
            else:
                left.append(index)
        return left

    def _columns(
        self, layout: Layout, values: Sequence[bytes]
    ) -> tuple[list[NDArray[Any]], NDArray[np.bool_]]:
        """Return the columns of a layout's messages, and whose sample offsets are right."""
        joined = b"".join([values[i] for i in layout.at])
        data = np.frombuffer(joined, np.uint8).reshape(len(layout.at), layout.size)
        first = layout.column(data, _FIRST, "<i4", 1)
        count = np.diff(first, axis=1).astype(np.int64)
        good = (first[:, 0] == 0) & (first[:, -1] == layout.items) & (count >= 0).all(axis=1)
        if not good.all():
            data, count = data[good], count[good]
        part = [
            np.repeat(np.array(layout.at, np.int32)[good], layout.rows),
            np.tile(np.arange(layout.rows, dtype=np.int32), len(data)),
            layout.ids[np.array(layout.block)[good]],
            layout.column(data, _START, "<i8"),
            layout.column(data, _RATE, "<f8"),
            layout.column(data, _SCALE, "<f4"),
            layout.column(data, _OFFSET, "<f4"),
            layout.column(data, _SEQUENCE, "<i8"),
            count,
        ]
        return [column.reshape(-1) for column in part], good

    def _merged(self, parts: list[list[NDArray[Any]]], samples: NDArray[np.int16]) -> Frames:
        """Return the columns of several layouts as those of one batch, in its order."""
        if not parts:
            parts = [[np.zeros(0, dtype) for dtype in ("i4", "i4", *"iqdffqq")]]
        columns = parts[0]
        if len(parts) > 1:
            columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
            order = np.argsort(columns[0], kind="stable")
            columns = [column[order] for column in columns]
        first = np.concatenate(([0], np.cumsum(columns[-1]))).astype(np.int64)
        named = dict(zip(_COLUMNS, columns[:-1], strict=True))
        return Frames(names=self.names, samples=samples, first=first, **named)

    def numbers(self, names: Sequence[Name]) -> NDArray[np.int32]:
        """Return the numbers of names, those that were not known included."""
        ids, known = self._ids, len(self.names)
        numbers = np.array([ids.setdefault(name, len(ids)) for name in names], np.int32)
        fresh = list(islice(ids, known, None))
        self.names += fresh
        is_ecg = np.array([name[2].startswith(ECG) for name in fresh], np.bool_)
        self.is_ecg = np.concatenate((self.is_ecg, is_ecg))
        return numbers

    def learn(self, message: bytes, names: list[int]) -> None:
        """Take note of a message of which every row was read, and of the rows' names."""
        same = self._layouts.setdefault(len(message), [])
        layout = next((each for each in same if message.startswith(each.head)), None)
        if layout is None:
            if self._new == NEW_LAYOUTS_MAX:
                return
            self._new += 1
            found = columns(message)
            if not _is_plain(found, len(message)):
                return
            layout = Layout(message, found, self._batch)
            same.append(layout)
            self._drop_oldest()
        layout.learn(message, names)
        self._blocks += 1

    def _drop_oldest(self) -> None:
        layouts = [layout for same in self._layouts.values() for layout in same]
        if len(layouts) > LAYOUTS_MAX:
            oldest = min(layouts, key=lambda layout: layout.used)
            self._layouts[oldest.size].remove(oldest)


def _is_plain(found: Columns, size: int) -> bool:
    """Whether all that decides about the names lies together, before the starts, and no nulls."""
    begin, end = found.begin, found.begin + found.size
    strings = list(_STRINGS)
    return bool(
        found.nulls == 0
        and (begin[strings] >= found.body).all()
        and (end[strings] <= begin[_START]).all()
        and (end <= size).all()
    )
