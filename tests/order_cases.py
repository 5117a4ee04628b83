"""A sender's frames given to an order of timelines, and what comes of them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from telesurv_streams.order import Held, Order, Ordered, Rows
from telesurv_streams.timeline import TIMELINE

S, MS = 1_000_000_000, 1_000_000
T0 = 1_750_000_000 * S
AHEAD_NS = 120 * S


@dataclass(frozen=True)
class Sent:
    """A frame as it comes: its number, 250 samples a second unless it says otherwise."""

    start_ns: int
    number: int = -1
    count: int = 250
    rate_hz: float = 250.0
    scale: float = 0.005
    arrival_ns: int | None = None  # default: when it is over
    line: int = 0

    @property
    def arrives_ns(self) -> int:
        span_ns = round(self.count / self.rate_hz * 1e9) if self.rate_hz else 0
        return self.start_ns + span_ns if self.arrival_ns is None else self.arrival_ns


class Tick(NamedTuple):
    """Time passed in the log."""

    arrival_ns: int


class Taken(NamedTuple):
    """An accepted frame: which, and what the kernels are told of it."""

    start_ns: int
    sample: int
    restart: int
    anchor_sample: int
    anchor_ns: int


class Slow(Order):
    """Walks every row."""

    def _smooth(self, timelines: Any, rows: Rows, order: Any) -> NDArray[np.bool_]:
        return np.zeros(len(order), bool)


class Line:
    """Gives what was sent to an order, in batches, and keeps what came of it."""

    def __init__(self, order: Order | None = None, lines: int = 1) -> None:
        self.order = order or Order()
        self.state = np.zeros(lines, TIMELINE)
        self.taken: list[list[Taken]] = [[] for _ in range(lines)]
        self.sequence: list[tuple[int, int, int]] = []
        """Place, timeline and start of all that was taken, in the order in which it was."""
        self.rejected: list[tuple[Sent, str]] = []
        self.released: list[Held] = []
        self.dropped: list[tuple[Held, str]] = []
        self.place = 0

    def give(self, batch: Sequence[Sent | Tick]) -> Ordered:
        frames: list[tuple[int, Sent]] = []
        ticks: dict[int, list[tuple[int, int]]] = {}
        for what in batch:
            if isinstance(what, Tick):
                for line in range(len(self.state)):
                    ticks.setdefault(line, []).append((self.place, what.arrival_ns))
            else:
                frames.append((self.place, what))
            self.place += 1
        sent = [frame for _, frame in frames]

        def ints(values: Iterable[int]) -> NDArray[np.int64]:
            return np.array(list(values), np.int64)

        rows = Rows(
            timeline=ints(f.line for f in sent),
            start_ns=ints(f.start_ns for f in sent),
            rate_hz=np.array([f.rate_hz for f in sent], float),
            scale=np.array([f.scale for f in sent], float),
            offset=np.zeros(len(sent)),
            sequence=ints(f.number for f in sent),
            count=ints(f.count for f in sent),
            arrival_ns=ints(f.arrives_ns for f in sent),
            ahead_ns=np.full(len(sent), AHEAD_NS),
            place=ints(place for place, _ in frames),
        )

        def take(index: int) -> Held:
            f, place = sent[index], frames[index][0]
            samples = np.full(f.count, index, np.int16)
            where = (f.arrives_ns, place, 0)
            return Held(f.start_ns, f.rate_hz, f.scale, 0.0, f.number, *where, samples)

        ordered = self.order.advance(self.state, rows, take, lambda line: ticks.get(line, []))
        columns = (ordered.sample, ordered.restart, ordered.anchor_sample, ordered.anchor_ns)
        for at, row in enumerate(ordered.row.tolist()):
            start_ns = sent[row].start_ns if row >= 0 else ordered.released[-1 - row].start_ns
            found = Taken(start_ns, *(int(column[at]) for column in columns))
            line = int(ordered.timeline[at])
            self.taken[line].append(found)
            self.sequence.append((int(ordered.place[at]), line, start_ns))
        self.rejected += [(sent[index], reason) for index, reason, _ in ordered.rejected]
        self.late_ns = [late_ns for _, _, late_ns in ordered.rejected]
        self.released += ordered.released
        self.dropped += [(held, reason) for _, held, reason in ordered.dropped]
        assert (np.diff(ordered.place) >= 0).all()
        return ordered

    @property
    def starts_s(self) -> list[float]:
        return [(taken.start_ns - T0) / S for taken in self.taken[0]]

    @property
    def reasons(self) -> list[str]:
        return [reason for _, reason in self.rejected]


def after(given_: Iterable[Sent | Tick], order: Order | None = None) -> Line:
    """Give one at a time."""
    line = Line(order)
    for what in given_:
        line.give([what])
    return line


def frames(numbers: Iterable[int], **changes: Any) -> list[Sent]:
    """Frames of one second, numbered."""
    return [replace(Sent(T0 + n * S, n), **changes) for n in numbers]


def unnumbered(seconds: Iterable[float], **changes: Any) -> list[Sent]:
    return [replace(Sent(T0 + round(s * S)), **changes) for s in seconds]
