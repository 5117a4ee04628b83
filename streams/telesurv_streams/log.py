"""What a log is to us: records, sources, readers, sinks, slices. Two backends implement it.

`memory.py` is the log inside the process, `kafka.py` Apache Kafka; one contract suite holds
both to what is written here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

Headers = tuple[tuple[str, bytes], ...]

FRAMES, STATE, ALERTS = "telesurv.frames", "telesurv.state", "telesurv.alerts"
NUMERICS, PATIENTS = "telesurv.numerics", "telesurv.patients"
REVIEWS, DEADLETTER = "telesurv.reviews", "telesurv.deadletter"

HEADER_FRAME = "telesurv-frame"  # version of the frame schema, ASCII decimal
HEADER_KIND = "telesurv-kind"  # tick, plan, heartbeat ...; absent: a frame message
HEADER_MODE = "telesurv-mode"  # live (default), replay, demo
HEADER_ARRIVAL = "telesurv-arrival"  # replay and demo: arrival, ns since 1970 UTC, ASCII decimal
HEADER_ROUTE = "telesurv-route"  # ticks of a replay: whose time passes


class Record(NamedTuple):
    """A record as the log holds it."""

    topic: str
    partition: int
    offset: int
    arrival_ns: int  # when the log took it (LogAppendTime); never decreases in a partition
    key: bytes | None
    value: bytes | None
    headers: Headers = ()


class Outgoing(NamedTuple):
    """A record to be written. Without a partition, murmur2 of the key chooses it.

    Without both, partitions take turns.
    """

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    partition: int | None = None


class Membership(Protocol):
    """A worker's place in its group in one generation: member and partitions; opaque."""


class Polled(NamedTuple):
    """What one poll brought. Handle `revoked`, then `assigned`, then `records`.

    Newly assigned partitions are paused and have no position: `seek`, then `resume` them.
    Partitions that stay with their member through a rebalance just go on; one that went and
    came back within a poll is in both.
    """

    records: list[Record]
    assigned: tuple[int, ...] = ()
    revoked: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic as it is to be created."""

    name: str
    partitions: int
    config: Mapping[str, str]
    replication: int = -1  # -1: the cluster's default


class Fenced(Exception):
    """A transaction was refused: another worker owns the partitions now. Forget the slice."""


class LogUnavailable(Exception):
    """The log cannot be reached or did not answer in time; says what was tried and how long."""


class Misconfigured(Exception):
    """The operator's fault; the message names the setting, what it is and what it should be."""


class OffsetOutOfRange(Exception):
    """The position asked for is no longer (or not yet) in the log."""

    def __init__(self, partition: int, offset: int, first: int, end: int) -> None:
        super().__init__(
            f"partition {partition}: offset {offset} is outside of what the log holds, "
            f"[{first}, {end})"
        )
        self.partition, self.offset, self.first, self.end = partition, offset, first, end


class Source(Protocol):
    """A member of a consumer group on one topic. Nothing is committed by itself."""

    def poll(self, timeout_s: float, records_max: int) -> Polled:
        """Return records of assigned, unpaused partitions, and what a rebalance changed.

        Raises `OffsetOutOfRange` for a partition whose position the log does not hold, again
        by each poll until it is sought elsewhere or paused; nothing else is lost by that.
        """
        ...

    def membership(self) -> Membership | None:
        """Return the membership captured with the last assignment; None: not a member now.

        It changes in `poll` only, with each generation, also where no partition moved.
        """
        ...

    def committed(self, partition: int) -> int | None:
        """Return the group's committed offset, None: none yet.

        Never one that an undecided transaction may still move: waits for its end, then raises
        `LogUnavailable`; ask again between polls.
        """
        ...

    def bounds(self, partition: int) -> tuple[int, int]:
        """Return the first offset that the log holds and the next it will give."""
        ...

    def ends(self, partitions: Sequence[int]) -> dict[int, int]:
        """Return the next offset that each of these will give, by one question for all."""
        ...

    def seek(self, partition: int, offset: int) -> None:
        """Continue a partition from an offset."""
        ...

    def pause(self, partitions: Sequence[int]) -> None:
        """Bring no records of these until `resume`. Membership is kept by polling."""
        ...

    def resume(self, partitions: Sequence[int]) -> None:
        """Bring records of these again; each was sought since it was assigned."""
        ...

    def close(self) -> None:
        """Leave the group. Commits nothing."""
        ...


class Reader(Protocol):
    """Reads partitions of a topic from their first record, in no group, read-committed."""

    def poll(self, timeout_s: float, records_max: int) -> list[Record]:
        """Return the next records."""
        ...

    def at_end(self) -> bool:
        """Whether everything was read that the log held when this was first asked.

        That is up to the high watermark, so undecided transactions make it wait. Once true,
        the next question is about what the log holds then.
        """
        ...

    def close(self) -> None:
        """Stop reading."""
        ...


class Sink(Protocol):
    """Writes records, idempotently, at least once; keeps the bytes in flight bounded."""

    def send(self, record: Outgoing) -> int:
        """Write a record; return its ticket, a number that rises with each send.

        Raises `LogUnavailable` where an earlier record was refused for good.
        """
        ...

    def full(self) -> bool:
        """Whether so many bytes wait for their acknowledgement that one should stop consuming."""
        ...

    def wait(self, ticket: int, timeout_s: float) -> None:
        """Wait until every record up to a ticket is acknowledged; else `LogUnavailable`."""
        ...

    def close(self) -> None:
        """Wait for what is in flight, for a bounded time, and stop."""
        ...


class Slices(Protocol):
    """Writes state and committed offsets together, or neither: one transaction a slice."""

    def commit(
        self, records: Sequence[Outgoing], offsets: Mapping[int, int], membership: Membership
    ) -> None:
        """Write `records` and the group's `offsets` of the source's topic atomically.

        `offsets` names at least one partition: it is what fences. Partitions that `offsets`
        and `records` name must be of the membership.

        Raises `Fenced` when they are not, or when `membership` is no longer current: nothing
        of the slice is ever visible to a read-committed reader. Raises `LogUnavailable` when
        the log does not answer: all of it may be visible or nothing, which the next `commit`
        settles before it begins.
        """
        ...

    def close(self) -> None:
        """Give up the transactional identity."""
        ...


class Log(Protocol):
    """A log: where sources, readers, sinks and slices come from."""

    def create(self, topics: Sequence[Topic]) -> list[str]:
        """Create what is missing and return its names; `Misconfigured` where one differs."""
        ...

    def partitions(self, topic: str) -> int:
        """Return how many partitions a topic has; `Misconfigured` when it does not exist."""
        ...

    def source(self, topic: str, group: str) -> Source:
        """Join a group on a topic."""
        ...

    def reader(self, topic: str, partitions: Sequence[int] | None = None) -> Reader:
        """Read partitions (all of them when None) from their first record."""
        ...

    def sink(self) -> Sink:
        """Return a new sink."""
        ...

    def slices(self, topic: str, group: str, name: str) -> Slices:
        """Return the atomic writer of a worker named `name` in a group on a topic.

        The name is the worker's alone: a later writer of the same name fences this one, and
        decides at once what a crashed worker left undecided.
        """
        ...

    def close(self) -> None:
        """Release connections."""
        ...
