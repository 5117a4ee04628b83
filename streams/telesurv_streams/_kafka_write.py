"""How Kafka is written: record by record, or in atomic slices."""

import contextlib
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from kafka import KafkaProducer, TopicPartition
from kafka.errors import (
    CommitFailedError,
    FencedInstanceIdError,
    IllegalGenerationError,
    InvalidProducerEpochError,
    KafkaError,
    KafkaTimeoutError,
    ProducerFencedError,
    UnknownMemberIdError,
)
from kafka.structs import OffsetAndMetadata

from telesurv_streams._kafka_cluster import RECORD_BYTES_MAX, Cluster
from telesurv_streams._kafka_rebalance import KafkaMembership
from telesurv_streams._partition import record_bytes
from telesurv_streams.log import Fenced, LogUnavailable, Membership, Outgoing
from telesurv_streams.partitioner import partition_for

FENCING = (
    CommitFailedError,
    FencedInstanceIdError,
    IllegalGenerationError,
    InvalidProducerEpochError,
    ProducerFencedError,
    UnknownMemberIdError,
)
"""What kafka-python raises when another worker took over."""

PRODUCER = {
    "allow_auto_create_topics": False,
    "metrics_enabled": False,
    "batch_size": 256 * 2**10,
    "max_request_size": RECORD_BYTES_MAX + 2**16,
    "request_timeout_ms": 10_000,
}


class _Partitions:
    """Chooses partitions as the in-process log does; asks for their number once a topic."""

    def __init__(self, cluster: Cluster, count: Callable[[str], int]) -> None:
        self._cluster, self._count = cluster, count
        self._known: dict[str, int] = {}

    def of(self, record: Outgoing, turn: int) -> int:
        """Return the partition of a record; `turn` chooses where it has no key."""
        if record.partition is not None:
            return record.partition
        if record.topic not in self._known:
            self._known[record.topic] = self._count(record.topic)
        number = self._known[record.topic]
        return turn % number if record.key is None else partition_for(record.key, number)


def _send(producer: KafkaProducer, topic: str, record: Outgoing, partition: int) -> Any:
    size = record_bytes(record)
    assert size <= RECORD_BYTES_MAX, (
        f"a record of {size} bytes for {record.topic}, at most {RECORD_BYTES_MAX} are taken"
    )
    return producer.send(topic, record.value, record.key, list(record.headers), partition)


def _abandon(producer: KafkaProducer) -> None:
    """Stop a producer at once; what it still held is given up."""
    # `close` would first wait for a broker that may be gone, whatever its timeout.
    producer._sender.force_close()  # noqa: SLF001
    # Its thread is a daemon, and ends when the socket does.
    with contextlib.suppress(KafkaTimeoutError):
        producer.close(timeout=1.0)


class KafkaSink:
    """Writes records by an idempotent producer; see `log.Sink`."""

    def __init__(
        self,
        cluster: Cluster,
        count: Callable[[str], int],
        in_flight_bytes_max: int,
        compression: str | None,
    ) -> None:
        self._cluster = cluster
        self._partitions = _Partitions(cluster, count)
        self._in_flight_bytes_max = in_flight_bytes_max
        self._producer = cluster.connect(
            KafkaProducer,
            acks="all",
            enable_idempotence=True,
            compression_type=compression,
            linger_ms=5,
            max_block_ms=int(cluster.patience_s * 1000),
            **PRODUCER,
        )
        self._changed = threading.Condition()
        self._ticket = 0
        self._pending: dict[int, int] = {}  # ticket: bytes, in the order of sending
        self._bytes = 0
        self._refused: Exception | None = None

    def send(self, record: Outgoing) -> int:
        """Write a record; return its ticket."""
        started = time.monotonic()
        self._ticket += 1
        ticket, size = self._ticket, record_bytes(record)
        partition = self._partitions.of(record, ticket)
        with self._changed:
            if self._refused is not None:
                raise LogUnavailable(str(self._refused)) from self._refused
            self._pending[ticket] = size
            self._bytes += size
        try:
            topic = self._cluster.namespace + record.topic
            future = _send(self._producer, topic, record, partition)
        except BaseException as error:
            self._settle(ticket)
            if isinstance(error, KafkaError):
                doing = f"writing to {record.topic}"
                raise self._cluster.failure(doing, error, started) from error
            raise
        future.add_callback(self._acknowledged, ticket)
        future.add_errback(self._refuse, ticket, record.topic, started)
        return ticket

    def full(self) -> bool:
        """Whether more than `in_flight_bytes_max` wait for their acknowledgement."""
        return self._bytes > self._in_flight_bytes_max

    def wait(self, ticket: int, timeout_s: float) -> None:
        """Wait until every record up to a ticket is acknowledged; else `LogUnavailable`."""
        with self._changed:
            done = self._changed.wait_for(
                lambda: self._refused is not None or self._first() > ticket, timeout_s
            )
            if self._refused is not None:
                raise LogUnavailable(str(self._refused)) from self._refused
            if not done:
                where = ", ".join(self._cluster.bootstrap)
                raise LogUnavailable(
                    f"Kafka at {where}: {len(self._pending)} records not acknowledged "
                    f"within {timeout_s:g} s"
                )

    def close(self) -> None:
        """Wait for what is in flight, for a bounded time, and stop."""
        try:
            self._producer.close(timeout=self._cluster.patience_s)
        except KafkaTimeoutError:
            _abandon(self._producer)

    def _first(self) -> int:
        return next(iter(self._pending), self._ticket + 1)

    def _settle(self, ticket: int) -> None:
        with self._changed:
            self._bytes -= self._pending.pop(ticket)
            self._changed.notify_all()

    def _acknowledged(self, ticket: int, _metadata: object) -> None:
        self._settle(ticket)

    def _refuse(self, ticket: int, topic: str, started: float, error: Exception) -> None:
        self._refused = self._cluster.failure(f"writing to {topic}", error, started)
        self._settle(ticket)


class KafkaSlices:
    """Writes state and offsets in one transaction; see `log.Slices`."""

    def __init__(
        self,
        cluster: Cluster,
        topic: str,
        name: str,
        count: Callable[[str], int],
        compression: str | None,
        transaction_s: float,
    ) -> None:
        self._cluster, self._topic = cluster, cluster.namespace + topic
        self._name = name
        self._partitions = _Partitions(cluster, count)
        self._compression = compression
        self._transaction_s = transaction_s
        self._producer: KafkaProducer | None = self._begin()

    def commit(
        self, records: Sequence[Outgoing], offsets: Mapping[int, int], membership: Membership
    ) -> None:
        """Write `records` and the group's `offsets` atomically."""
        assert isinstance(membership, KafkaMembership)
        assert offsets, "a slice without offsets is not fenced"
        named = {r.partition for r in records if r.partition is not None} | offsets.keys()
        if foreign := sorted(named - membership.partitions):
            raise Fenced(f"{self._name}: partitions {foreign} are not of the membership given")
        started = time.monotonic()
        producer, self._producer = self._producer, None
        producer = producer or self._begin()
        try:
            self._write(producer, records, offsets, membership)
        except KafkaError as error:
            # A send that follows a refusal reports that refusal by its text only.
            cause = producer._transaction_manager.last_error or error  # noqa: SLF001
            self._producer = self._aborted(producer)
            if isinstance(cause, FENCING) or isinstance(error, FENCING):
                raise Fenced(f"{self._name}: {type(cause).__name__}: {cause}") from error
            raise self._cluster.failure("committing a slice", cause, started) from error
        except BaseException:
            self._producer = self._aborted(producer)
            raise
        self._producer = producer

    def close(self) -> None:
        """Give up the transactional identity."""
        if self._producer is not None:
            _abandon(self._producer)
            self._producer = None

    def _begin(self) -> KafkaProducer:
        started = time.monotonic()
        producer = self._cluster.connect(
            KafkaProducer,
            transactional_id=self._cluster.namespace + self._name,
            transaction_timeout_ms=int(self._transaction_s * 1000),
            compression_type=self._compression,
            linger_ms=20,
            # The marker of the slice before may still be on its way: ask again soon.
            retry_backoff_ms=20,
            max_block_ms=int(self._cluster.patience_s * 1000),
            **PRODUCER,
        )
        try:
            # Decides what an earlier producer of this name left open, and fences it.
            producer.init_transactions()
        except KafkaError as error:
            _abandon(producer)
            raise self._cluster.failure("beginning transactions", error, started) from error
        return producer

    def _write(
        self,
        producer: KafkaProducer,
        records: Sequence[Outgoing],
        offsets: Mapping[int, int],
        membership: KafkaMembership,
    ) -> None:
        # kafka-python's own calls wait for a broker without end; its results do not.
        transactions = producer._transaction_manager  # noqa: SLF001
        producer.begin_transaction()
        # Offsets first: who is fenced has then written nothing yet.
        positions = {
            TopicPartition(self._topic, number): OffsetAndMetadata(offset, "", -1)
            for number, offset in offsets.items()
        }
        sent = transactions.send_offsets_to_transaction(positions, membership.metadata)
        self._settle(producer, sent)
        for turn, record in enumerate(records):
            topic = self._cluster.namespace + record.topic
            _send(producer, topic, record, self._partitions.of(record, turn))
        self._settle(producer, transactions.begin_commit())

    def _settle(self, producer: KafkaProducer, result: Any) -> None:
        producer._sender.wakeup()  # noqa: SLF001
        if not result.wait(timeout_ms=self._cluster.patience_s * 1000):
            raise KafkaTimeoutError("no answer from the transaction's coordinator")

    def _aborted(self, producer: KafkaProducer) -> KafkaProducer | None:
        """Abort what is open and return the producer; None where it can serve no more."""
        try:
            self._settle(producer, producer._transaction_manager.begin_abort())  # noqa: SLF001
        except KafkaError:
            _abandon(producer)
            return None
        return producer
