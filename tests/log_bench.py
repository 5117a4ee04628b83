"""What the contract suite needs to hold either log to it: workers, and accidents."""

import contextlib
import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from telesurv_streams.log import Log, LogUnavailable, Outgoing, Reader, Record, Source, Topic
from telesurv_streams.memory import MemoryLog

GROUP = "workers"
STATE_CONFIG = {
    "cleanup.policy": "compact",
    "min.cleanable.dirty.ratio": "0.01",
    "segment.ms": "200",
    "max.compaction.lag.ms": "200",
    "delete.retention.ms": "0",
}
TOPICS = (Topic("frames", 4, {}), Topic("state", 4, STATE_CONFIG), Topic("other", 3, {}))


class Worker:
    """The smallest worker: continues where its group committed, or from the first record."""

    def __init__(self, log: Log, topic: str = "frames", group: str = GROUP) -> None:
        self.source: Source = log.source(topic, group)
        self.owned: set[int] = set()
        self.unplaced: set[int] = set()  # of these, where to begin is not known yet
        self.records: list[Record] = []
        self.assigned: list[int] = []  # all that ever came
        self.revoked: list[int] = []

    def turn(self) -> None:
        records, assigned, revoked = self.source.poll(0.05, 500)
        self.owned -= set(revoked)
        self.revoked += revoked
        self.unplaced = (self.unplaced - set(revoked)) | set(assigned)
        for number in sorted(self.unplaced):
            with contextlib.suppress(LogUnavailable):  # asked again by the next turn
                committed = self.source.committed(number)
                first = self.source.bounds(number)[0]
                self.source.seek(number, first if committed is None else committed)
                self.source.resume([number])
                self.unplaced.discard(number)
        self.owned |= set(assigned)
        self.assigned += assigned
        self.records += records


def until(condition: Callable[[], object], *workers: Worker, within_s: float = 30.0) -> None:
    """Let workers take turns until something holds."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {within_s} s"
        for worker in workers:
            worker.turn()
        if not workers:
            time.sleep(0.02)


def shared(*workers: Worker) -> Callable[[], bool]:
    """Return whether the workers own every partition of frames, each one once, in agreement."""

    def is_shared() -> bool:
        owned = sorted(number for worker in workers for number in worker.owned)
        generations = {getattr(w.source.membership(), "generation", None) for w in workers}
        return owned == [0, 1, 2, 3] and len(generations) == 1 and None not in generations

    return is_shared


def write(log: Log, *records: Outgoing) -> None:
    """Write records and wait for them."""
    with contextlib.closing(log.sink()) as sink:
        ticket = 0
        for record in records:
            ticket = sink.send(record)
        sink.wait(ticket, 20.0)


def drain(reader: Reader, within_s: float = 20.0) -> list[Record]:
    """Read what is left, to the end."""
    records: list[Record] = []
    deadline = time.monotonic() + within_s
    while not reader.at_end():
        assert time.monotonic() < deadline, f"no end within {within_s} s"
        records += reader.poll(0.1, 500)
    return records


def read(log: Log, topic: str, partitions: Sequence[int] | None = None) -> list[Record]:
    """Read a topic to its end."""
    with contextlib.closing(log.reader(topic, partitions)) as reader:
        return drain(reader)


class MemoryBench:
    """The in-process log under the suite."""

    kind = "memory"

    def __init__(self) -> None:
        self.log = MemoryLog(session_s=0.3, transaction_s=1.0, in_flight_bytes_max=2000)
        self.quick = self.log  # of short sessions and transactions

    def flooded_log(self) -> Log:
        """Return a log whose sinks have not been acknowledged anything yet."""
        return MemoryLog(in_flight_bytes_max=2000, in_flight=True)

    def freeze(self, source: Any) -> None:
        """Stop a member as a paused process is stopped."""
        source.crash()

    def thaw(self, source: Any) -> None:
        """Let it go on."""

    def truncate(self, topic: str, partition: int, first: int) -> None:
        self.log.truncate(topic, partition, first)

    def compact(self, topic: str) -> None:
        time.sleep(0.01)  # tombstones go when they are older than nothing
        self.log.compact(topic)

    def hang(
        self, slices: Any, records: Sequence[Outgoing], offsets: Mapping[int, int], member: Any
    ) -> None:
        """Write a slice and crash before it is decided."""

        def crash(step: str) -> None:
            if step == "commit.open":
                raise InterruptedError

        self.log.fault = crash
        with contextlib.suppress(InterruptedError):
            slices.commit(records, offsets, member)
        self.log.fault = lambda step: None

    def close(self) -> None:
        self.log.close()


class KafkaBench:
    """Kafka under the suite."""

    kind = "kafka"

    def __init__(self, bootstrap: str, namespace: str) -> None:
        from telesurv_streams.kafka import KafkaLog

        # Patient where nothing is to run out: a loaded machine stalls for seconds.
        self.log = KafkaLog(
            bootstrap, namespace=namespace, session_s=20.0, in_flight_bytes_max=2000
        )
        # A broker of somebody else's does not take sessions under 6 s.
        session_s = 6.0 if "TELESURV_TEST_BOOTSTRAP" in os.environ else 4.0
        self.quick = KafkaLog(
            bootstrap, namespace=namespace, session_s=session_s, transaction_s=4.0
        )

    def flooded_log(self) -> Log:
        return self.log

    def freeze(self, source: Any) -> None:
        source._consumer._coordinator._disable_heartbeat()

    def thaw(self, source: Any) -> None:
        source._consumer._coordinator._enable_heartbeat()

    def truncate(self, topic: str, partition: int, first: int) -> None:
        from kafka import TopicPartition

        tp = TopicPartition(self.log._cluster.namespace + topic, partition)
        self.log._admin().delete_records({tp: first})

    def compact(self, topic: str) -> None:
        """Begin compaction, which the broker does when it likes."""
        # The segment written to is never compacted: begin another one, twice to be sure.
        for _ in range(2):
            time.sleep(0.4)
            parts = range(self.log.partitions(topic))
            write(self.log, *(Outgoing(topic, b"roll", b"", partition=n) for n in parts))

    def hang(
        self, slices: Any, records: Sequence[Outgoing], offsets: Mapping[int, int], member: Any
    ) -> None:
        producer = slices._producer
        transactions = producer._transaction_manager
        transactions.begin_commit = _Crash.now
        with contextlib.suppress(_Crash):
            slices._write(producer, records, offsets, member)
        producer.flush(10)
        producer._sender.force_close()

    def close(self) -> None:
        self.log.close()
        self.quick.close()


class _Crash(Exception):
    @staticmethod
    def now() -> None:
        raise _Crash


def states(records: Sequence[Record]) -> dict[bytes | None, bytes | None]:
    """Return what a restore would know: the last value of each key."""
    return {r.key: r.value for r in records if r.key != b"roll"}


Bench = MemoryBench | KafkaBench
