"""Rings filled again after a restart: rows that the state has seen only go back to their place."""

import numpy as np
from numpy.typing import NDArray

from telesurv.intake import Batch
from telesurv.table import PatientTable, remembered
from telesurv_kernels import ring


class Refill:
    """Finds the place of re-read rows; what a ring did not accept is skipped."""

    def __init__(self, table: PatientTable) -> None:
        self._table = table
        self._places: dict[int, dict[tuple[int, int], int]] = {}

    def drop(self) -> None:
        """Forget what was looked up: rows of the table changed, or the log is read once more."""
        self._places.clear()

    def rows(self, batch: Batch, rows: NDArray[np.int64], timeline: NDArray[np.int64]) -> None:
        """Write rows from before a patient's `held` back into their rings."""
        frames, link = batch.frames, self._table.timelines["link"]
        for at, line in zip(rows.tolist(), timeline.tolist(), strict=True):
            places = self._places.get(line)
            if places is None:
                places = self._places[line] = self._of(line)
            where = (int(batch.offset[frames.record[at]]), int(frames.row[at]))
            sample = places.pop(where, None)  # the log is read again once
            if sample is None:
                continue
            size = int(link[line]["ring_size"])
            ring.refill(
                self._table.rings[size]["samples"],
                int(link[line]["ring"]),
                sample,
                int(link[line]["count"]),
                frames.samples[frames.first[at] : frames.first[at + 1]],
            )

    def _of(self, line: int) -> dict[tuple[int, int], int]:
        lines = self._table.timelines
        known = remembered(lines["places"][line], int(lines["places_head"][line]))
        return {(int(p["offset"]), int(p["row"])): int(p["sample"]) for p in known}
