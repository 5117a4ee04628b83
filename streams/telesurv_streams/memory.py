"""The log inside the process: same rules as Kafka's, no broker, no thread of its own.

The embedded default of demo, simulation and tests. With an injected clock nothing waits and
nothing reads the wall clock: time passes only as the caller says. What a simulation needs
beyond `log.Log`:

- `MemorySource.crash()`: the member falls silent; its session runs out by the clock unless
  it polls again. `MemoryLog.expire(source)`: it is given up at once, and does not know yet;
- `MemoryLog(in_flight=True)`: what sinks send stays in flight until `MemorySink.deliver`,
  `wait` or `close`; `MemorySink.crash(written)` loses all but the first of it;
- `MemoryLog.fault`, called with the name of the step about to be taken; what it raises
  leaves the log exactly there: `poll`, `send`, `deliver`, `commit`, `commit.open` (all is
  written, the transaction not decided), `commit.done` (decided, the answer lost).
"""

import threading
import time
from collections.abc import Callable, Sequence

from telesurv_streams._group import Group
from telesurv_streams._memory_read import MemoryReader, MemorySource
from telesurv_streams._memory_write import MemorySink, MemorySlices
from telesurv_streams._partition import Partition, Transaction
from telesurv_streams.log import Misconfigured, Outgoing, Topic
from telesurv_streams.partitioner import partition_for
from telesurv_streams.topics import verify

SECOND_NS = 1_000_000_000


class MemoryLog:
    """A `log.Log` in this process; one object is the broker and every client's connection.

    Parameters
    ----------
    now_ns : the clock, ns since 1970 UTC; given one, `poll` never waits
    session_s : after so long a crashed member is given up
    rebalance_s : after so long a rebalance goes on without those who did not poll
    transaction_s : after so long an undecided transaction is aborted
    in_flight_bytes_max : above it a sink is full
    in_flight : keep what is sent in flight until it is delivered
    """

    def __init__(
        self,
        now_ns: Callable[[], int] | None = None,
        *,
        session_s: float = 10.0,
        rebalance_s: float = 60.0,
        transaction_s: float = 10.0,
        in_flight_bytes_max: int = 32 * 2**20,
        in_flight: bool = False,
    ) -> None:
        self.virtual = now_ns is not None
        self.now_ns = now_ns or time.time_ns
        self.changed = threading.Condition(threading.RLock())
        self.fault: Callable[[str], None] = lambda step: None
        self.in_flight_bytes_max = in_flight_bytes_max
        self.in_flight = in_flight
        self.transaction_ns = int(transaction_s * SECOND_NS)
        self._session_ns = int(session_s * SECOND_NS)
        self._rebalance_ns = int(rebalance_s * SECOND_NS)
        self._topics: dict[str, Topic] = {}
        self._partitions: dict[str, list[Partition]] = {}
        self._groups: dict[tuple[str, str], Group] = {}
        self.transactions: list[Transaction] = []
        self.epochs: dict[str, int] = {}  # of transactional names: the last one begun rules

    def create(self, topics: Sequence[Topic]) -> list[str]:
        """Create what is missing and return its names; `Misconfigured` where one differs."""
        created = []
        with self.changed:
            for topic in topics:
                if topic.name not in self._topics:
                    self._topics[topic.name] = topic
                    self._partitions[topic.name] = [
                        Partition(topic.name, number, topic.config)
                        for number in range(topic.partitions)
                    ]
                    created.append(topic.name)
                    continue
                seen = self._topics[topic.name]
                verify(topic, seen.partitions, seen.config)
        return created

    def partitions(self, topic: str) -> int:
        """Return how many partitions a topic has; `Misconfigured` when it does not exist."""
        return len(self.parts(topic))

    def source(self, topic: str, group: str) -> MemorySource:
        """Join a group on a topic."""
        return MemorySource(self, topic, self.group(topic, group))

    def reader(self, topic: str, partitions: Sequence[int] | None = None) -> MemoryReader:
        """Read partitions (all of them when None) from their first record."""
        chosen = range(self.partitions(topic)) if partitions is None else partitions
        return MemoryReader(self, topic, chosen)

    def sink(self) -> MemorySink:
        """Return a new sink."""
        return MemorySink(self)

    def slices(self, topic: str, group: str, name: str) -> MemorySlices:
        """Return the atomic writer of a worker; an earlier one of that name is fenced."""
        return MemorySlices(self, self.group(topic, group), f"{group}-{name}")

    def close(self) -> None:
        """Nothing is held but memory."""

    def expire(self, source: MemorySource) -> None:
        """Give a member up, as when its session ran out; it hears of it by its next poll."""
        with self.changed:
            source.group.remove(source.name, self.now_ns())
            self.changed.notify_all()

    def truncate(self, topic: str, partition: int, first: int) -> None:
        """Forget the records of a partition before an offset, as retention does."""
        with self.changed:
            self.parts(topic)[partition].truncate(first)

    def compact(self, topic: str) -> None:
        """Keep the last record of each key of a topic."""
        with self.changed:
            for partition in self.parts(topic):
                partition.compact(self.now_ns())

    def parts(self, topic: str) -> list[Partition]:
        """Return a topic's partitions; `Misconfigured` when it does not exist."""
        if topic not in self._partitions:
            raise Misconfigured(f"topic {topic} does not exist; create it first")
        return self._partitions[topic]

    def group(self, topic: str, name: str) -> Group:
        """Return a group on a topic, made when first asked for."""
        with self.changed:
            count = self.partitions(topic)
            fresh = Group(count, self._session_ns, self._rebalance_ns)
            return self._groups.setdefault((topic, name), fresh)

    def append(
        self, record: Outgoing, turn: int = 0, transaction: Transaction | None = None
    ) -> None:
        """Write a record; without key and partition, `turn` chooses. The lock is held."""
        parts = self.parts(record.topic)
        number = record.partition
        if number is None:
            number = turn % len(parts)
            if record.key is not None:
                number = partition_for(record.key, len(parts))
        parts[number].append(record, self.now_ns(), transaction)

    def settle(self) -> None:
        """Abort transactions whose time is up. The lock is held."""
        now_ns = self.now_ns()
        for transaction in [t for t in self.transactions if now_ns >= t.deadline_ns]:
            self.decide(transaction, committed=False)

    def decide(self, transaction: Transaction, committed: bool) -> None:
        """Commit or abort a transaction. The lock is held."""
        self.transactions.remove(transaction)
        transaction.open = False
        for part in transaction.parts:
            part.finish(transaction, committed)
        if committed:
            assert isinstance(transaction.group, Group)
            transaction.group.committed.update(transaction.offsets)
        self.changed.notify_all()

    def await_(self, ready: Callable[[], bool], timeout_s: float) -> bool:
        """Wait until something holds; on an injected clock, look once. The lock is held."""
        if self.virtual or timeout_s <= 0:
            return ready()
        deadline = time.monotonic() + timeout_s
        while not ready():
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                return False
            # A tick bounds the wait: sessions and transactions also end by time alone.
            self.changed.wait(min(left_s, 1.0))
        return True
