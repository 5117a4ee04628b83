"""Which row of the table each frame's timeline has, remembered by the numbers of its names."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from telesurv.intake import Batch, Context

Find = Callable[[Context, tuple[str, str, str], int], int]
"""Context, (patient, device, channel) and offset of a first frame to a row of the timelines."""

_NO_CONTEXT = -1


class Lines:
    """Asks once for each timeline: later frames of it cost two looks into arrays.

    Parameters
    ----------
    find : returns the row of a timeline, made at the first call
    """

    def __init__(self, find: Find) -> None:
        self._find = find
        self.forget()

    def forget(self) -> None:
        """Rows of the table were given back: ask again."""
        self._names: list[tuple[str, str, str]] | None = None
        self._contexts: list[Context] | None = None
        self._context = np.full(0, _NO_CONTEXT, np.int64)  # of each name's last frame
        self._line = np.zeros(0, np.int64)  # and its timeline

    def of(self, batch: Batch, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the row of the timelines for each of these rows of the batch's frames."""
        frames = batch.frames
        if self._names is not frames.names or self._contexts is not batch.contexts:
            self.forget()
            self._names, self._contexts = frames.names, batch.contexts
        if len(self._context) < len(frames.names):
            more = 2 * len(frames.names) - len(self._context)
            self._context = np.concatenate((self._context, np.full(more, _NO_CONTEXT)))
            self._line = np.concatenate((self._line, np.zeros(more, np.int64)))
        name, context = frames.name[rows], batch.context[frames.record[rows]]
        line: NDArray[np.int64] = self._line[name]
        strange = np.flatnonzero(self._context[name] != context)
        if len(strange):
            line[strange] = self._ask(batch, rows[strange], name[strange], context[strange])
        return line

    def _ask(
        self,
        batch: Batch,
        rows: NDArray[np.int64],
        name: NDArray[np.int32],
        context: NDArray[np.int64],
    ) -> NDArray[np.int64]:
        """Find timelines that are not remembered; Python runs once for each of them."""
        frames = batch.frames
        pair = context * len(frames.names) + name
        _, first, place = np.unique(pair, return_index=True, return_inverse=True)
        # In the order of the log, so that rows of the table are given alike in every run.
        found = np.zeros(len(first), np.int64)
        for at in np.argsort(first, kind="stable").tolist():
            row = first[at]
            offset = int(batch.offset[frames.record[rows[row]]])
            found[at] = self._find(batch.contexts[context[row]], frames.names[name[row]], offset)
        line: NDArray[np.int64] = found[place]
        self._context[name], self._line[name] = context, line
        return line
