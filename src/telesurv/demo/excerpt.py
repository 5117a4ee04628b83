"""A real recording as one of the demo's patients: a public excerpt, played as if it were now."""

from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from telesurv_streams.log import FRAMES, HEADER_ARRIVAL, HEADER_MODE, Outgoing
from telesurv_streams.recordings import messages
from telesurv_streams.wire import FRAME_HEADER, Row, decode, encode

NS = 1_000_000_000
NAME = "mitdb-203"


class Excerpt:
    """The excerpt, second by second; after its end it begins again.

    Parameters
    ----------
    epoch_ns : device time at which it begins
    mode : of its records
    """

    def __init__(self, epoch_ns: int, mode: str = "demo") -> None:
        self.name, self._epoch_ns, self._mode = NAME, epoch_ns, mode
        with resources.as_file(resources.files("telesurv.demo") / "excerpt") as folder:
            found = [message.outgoing.value or b"" for message in messages([Path(folder)])]
        frames, _ = decode(found)
        parts: dict[int, list[int]] = {}
        for at, name in enumerate(frames.name.tolist()):
            parts.setdefault(name, []).append(at)
        self._signals: list[tuple[Row, NDArray[np.int16]]] = []
        for name, rows in parts.items():
            pieces = [frames.samples[frames.first[at] : frames.first[at + 1]] for at in rows]
            at = rows[0]
            patient, device, channel = frames.names[name]
            rate, scale, offset = (
                float(column[at]) for column in (frames.rate_hz, frames.scale, frames.offset)
            )
            row = Row(patient, device, channel, 0, rate, scale, offset, pieces[0])
            self._signals.append((row, np.concatenate(pieces)))

    @property
    def length_s(self) -> int:
        """Return its length in whole seconds."""
        return min(int(len(s) / row.rate_hz) for row, s in self._signals)

    def messages(self, from_s: int, to_s: int) -> Iterator[Outgoing]:
        """Yield one message for each second in [from_s, to_s)."""
        for second in range(from_s, to_s):
            start_ns = self._epoch_ns + second * NS
            within = second % self.length_s
            rows = []
            for row, samples in self._signals:
                rate = round(row.rate_hz)
                piece = samples[within * rate : (within + 1) * rate]
                rows.append(row._replace(start_ns=start_ns, samples=piece, sequence=second))
            headers = (
                FRAME_HEADER,
                (HEADER_MODE, self._mode.encode()),
                (HEADER_ARRIVAL, str(start_ns + NS).encode()),
            )
            yield Outgoing(FRAMES, NAME.encode(), encode(rows), headers)
