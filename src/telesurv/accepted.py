"""Accepted frames of a batch as columns, and the pieces of a level for the kernels."""

from collections.abc import Iterator
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from telesurv.analysis import PIECE_S, Pieces
from telesurv.intake import Batch
from telesurv.table import PatientTable
from telesurv_kernels import ring
from telesurv_streams.frame import sample_time_ns
from telesurv_streams.order import Ordered, Rows

Number = TypeVar("Number", np.int64, np.float64)

READINGS = 8
"""Single readings, or samples of a slow channel, that the kernels take at once."""

LATE_NS = 60_000_000_000
"""A frame that ended this long before its arrival makes what it decides retrospective."""


class Accepted:
    """What `Order` let through, in its order; released frames lie behind the batch's samples."""

    def __init__(
        self,
        table: PatientTable,
        batch: Batch,
        rows: NDArray[np.int64],
        given: Rows,
        ordered: Ordered,
    ) -> None:
        self._table = table
        frames, released = batch.frames, ordered.released
        fresh = ordered.row >= 0
        given_row = np.where(fresh, ordered.row, 0)
        frame = rows[given_row] if len(rows) else np.zeros(len(fresh), np.int64)
        late_row = np.where(fresh, 0, -1 - ordered.row)

        def column(of_batch: NDArray[Number], of_held: list[Any]) -> NDArray[Number]:
            mine = of_batch[given_row] if len(of_batch) else np.zeros(len(fresh), of_batch.dtype)
            if not of_held:
                return mine
            held = np.array(of_held, of_batch.dtype)
            chosen: NDArray[Number] = np.where(fresh, mine, held[late_row])
            return chosen

        lengths = np.array([len(held.samples) for held in released], np.int64)
        ends = len(frames.samples) + np.cumsum(lengths)
        self.samples = np.concatenate([frames.samples, *(held.samples for held in released)])
        place = [frames.first[frame], frames.first[frame + 1]] if len(frames) else [late_row] * 2
        self.first = np.where(fresh, place[0], (ends - lengths)[late_row] if released else 0)
        self.last = np.where(fresh, place[1], ends[late_row] if released else 0)
        self.timeline = ordered.timeline
        self.patient = table.timelines["link"]["patient"][self.timeline]
        self.place, self.sample, self.restart = ordered.place, ordered.sample, ordered.restart
        self.anchor_sample, self.anchor_ns = ordered.anchor_sample, ordered.anchor_ns
        self.rate_hz = column(given.rate_hz, [held.rate_hz for held in released])
        self.scale = column(given.scale, [held.scale for held in released])
        self.offset = column(given.offset, [held.offset for held in released])
        self.arrival_ns = column(given.arrival_ns, [held.arrival_ns for held in released])
        where = batch.offset[frames.record[rows]] if len(rows) else np.zeros(0, np.int64)
        self._log_offset = column(where, [held.log_offset for held in released])
        row = frames.row[rows].astype(np.int64)
        self._log_row = column(row, [held.log_row for held in released])
        count = self.last - self.first
        rate = np.where(self.rate_hz > 0, self.rate_hz, 1.0)
        self.span_s = np.where(self.rate_hz > 0, count / rate, PIECE_S / READINGS)
        self.frame_ns = np.rint(self.span_s * 1e9).astype(np.int64)
        past = self.sample + count - self.anchor_sample
        self.end_ns = sample_time_ns(self.anchor_ns, past, self.rate_hz)
        self.late = self.arrival_ns - self.end_ns > LATE_NS

    def begin(self, level: NDArray[np.int64]) -> None:
        """Make the table ready for the frames of a level: settings, anchors, places in the log."""
        for at in level[self.restart[level] == 1].tolist():
            self._table.set_settings(
                int(self.timeline[at]),
                float(self.rate_hz[at]),
                float(self.scale[at]),
                float(self.offset[at]),
            )
        place = np.zeros(len(level), ring.PLACE)
        place["offset"], place["row"] = self._log_offset[level], self._log_row[level]
        place["sample"], place["count"] = self.sample[level], (self.last - self.first)[level]
        place["arrival_ns"] = self.arrival_ns[level]
        lines = self._table.timelines
        ring.remember_places(
            lines["places"],
            lines["places_head"],
            lines["anchors"],
            lines["anchors_head"],
            self.timeline[level],
            place,
            self.anchor_sample[level],
            self.anchor_ns[level],
        )

    def pieces(self, level: NDArray[np.int64]) -> Iterator[tuple[Pieces, NDArray[np.int64]]]:
        """Yield the frames of a level in pieces that the rings can take, and which frame each is.

        Only a long frame has several; its later pieces come in later rounds.
        """
        size = np.maximum(np.floor(PIECE_S * self.rate_hz[level]).astype(np.int64), READINGS)
        count = self.last[level] - self.first[level]
        done = np.zeros(len(level), np.int64)
        while True:
            left = np.flatnonzero(done < count)
            if not len(left):
                return
            frame = level[left]
            begin = done[left]
            end = np.minimum(begin + size[left], count[left])
            yield (
                Pieces(
                    timeline=self.timeline[frame],
                    first=self.first[frame] + begin,
                    last=self.first[frame] + end,
                    sample=self.sample[frame] + begin,
                    restart=np.where(begin == 0, self.restart[frame], 0),
                    anchor_sample=self.anchor_sample[frame],
                    anchor_ns=self.anchor_ns[frame],
                    frame_ns=self.frame_ns[frame],
                ),
                frame,
            )
            done[left] = end
