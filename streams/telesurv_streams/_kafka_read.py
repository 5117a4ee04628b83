"""How Kafka is read: as a member of a group, or from the beginning."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError, OffsetOutOfRangeError, RetriableError

from telesurv_streams._kafka_cluster import Cluster
from telesurv_streams._kafka_rebalance import Assignor, Rebalances, keep_joins
from telesurv_streams.log import Membership, OffsetOutOfRange, Polled, Record

POLL_TURN_S = 0.1
"""How long kafka-python's own poll runs at most before rebalances are looked at."""

COMMITTED_WAIT_S = 5.0
"""How long to wait for transactions that may still move a committed offset."""

CONSUMER = {
    "enable_auto_commit": False,
    "isolation_level": "read_committed",
    "allow_auto_create_topics": False,
    "metrics_enabled": False,
    "fetch_max_wait_ms": 100,
    "fetch_max_bytes": 16 * 2**20,
    "max_partition_fetch_bytes": 2 * 2**20,
}


def to_records(topic: str, batch: Iterable[Any], arrival_ns: int) -> list[Record]:
    """Turn kafka-python's records of a partition into ours, of no earlier arrival than given."""
    records = []
    for r in batch:
        arrival_ns = max(arrival_ns, r.timestamp * 1_000_000)
        headers = tuple([(name, value or b"") for name, value in r.headers]) if r.headers else ()
        records.append(Record(topic, r.partition, r.offset, arrival_ns, r.key, r.value, headers))
    return records


class KafkaSource:
    """A member of a consumer group; see `log.Source`."""

    def __init__(
        self, cluster: Cluster, topic: str, partitions: int, group: str, session_s: float
    ) -> None:
        self._cluster, self._topic = cluster, topic
        self._name = cluster.namespace + topic
        assignor = Assignor(self._name, partitions)
        self._consumer = cluster.connect(
            KafkaConsumer,
            group_id=cluster.namespace + group,
            auto_offset_reset="none",
            partition_assignment_strategy=[assignor],
            session_timeout_ms=int(session_s * 1000),
            heartbeat_interval_ms=int(min(1.0, session_s / 4) * 1000),
            max_poll_interval_ms=60_000,
            **CONSUMER,
        )
        keep_joins(self._consumer)
        self._rebalances = Rebalances(self._consumer, self._name, assignor)
        self._consumer.subscribe([self._name], listener=self._rebalances)
        self._sought: set[int] = set()
        self._arrival_ns: dict[int, int] = {}

    def poll(self, timeout_s: float, records_max: int) -> Polled:
        """Return records of assigned, unpaused partitions, and what a rebalance changed."""
        started = time.monotonic()
        batches: Mapping[TopicPartition, Iterable[Any]] = {}
        changes, left_s = self._rebalances, timeout_s
        # In short turns: kafka-python's poll waits for records even when a rebalance is over.
        while not (batches or changes.assigned or changes.revoked):
            try:
                wait_ms = int(min(max(left_s, 0.0), POLL_TURN_S) * 1000)
                batches = self._consumer.poll(wait_ms, max_records=records_max)
            except OffsetOutOfRangeError as error:
                ((tp, offset),) = error.args[0].items()
                raise OffsetOutOfRange(tp.partition, offset, *self.bounds(tp.partition)) from error
            except RetriableError:
                # The broker went away: kafka-python connects again by itself, given some time.
                time.sleep(min(POLL_TURN_S, max(left_s, 0.0)))
            except KafkaError as error:
                raise self._cluster.failure(f"reading {self._topic}", error, started) from error
            left_s = started + timeout_s - time.monotonic()
            if left_s <= 0:
                break
        records: list[Record] = []
        for tp, batch in batches.items():
            some = to_records(self._topic, batch, self._arrival_ns.get(tp.partition, 0))
            self._arrival_ns[tp.partition] = some[-1].arrival_ns
            records += some
        assigned, revoked = tuple(sorted(changes.assigned)), tuple(sorted(changes.revoked))
        self._sought -= changes.revoked | changes.assigned
        changes.assigned, changes.revoked = set(), set()
        return Polled(records, assigned, revoked)

    def membership(self) -> Membership | None:
        """Return the membership captured with the last assignment; None: not a member now."""
        return self._rebalances.membership

    def committed(self, partition: int) -> int | None:
        """Return the group's committed offset; waits for transactions that may still move it."""
        offset: int | None = self._ask(
            "asking for a committed offset",
            lambda: self._consumer.committed(
                TopicPartition(self._name, partition), timeout_ms=int(COMMITTED_WAIT_S * 1000)
            ),
        )
        return offset

    def bounds(self, partition: int) -> tuple[int, int]:
        """Return the first offset that the log holds and the next it will give."""
        tp, wait_ms = TopicPartition(self._name, partition), int(self._cluster.patience_s * 1000)
        bounds: tuple[int, int] = self._ask(
            "asking for the bounds of a partition",
            lambda: (
                self._consumer.beginning_offsets([tp], timeout_ms=wait_ms)[tp],
                self._consumer.end_offsets([tp], timeout_ms=wait_ms)[tp],
            ),
        )
        return bounds

    def ends(self, partitions: Sequence[int]) -> dict[int, int]:
        """Return the next offset that each of these will give, by one question for all."""
        if not partitions:
            return {}
        named = [TopicPartition(self._name, number) for number in partitions]
        wait_ms = int(self._cluster.patience_s * 1000)
        found = self._ask(
            "asking for the ends of partitions",
            lambda: self._consumer.end_offsets(named, timeout_ms=wait_ms),
        )
        return {tp.partition: end for tp, end in found.items()}

    def seek(self, partition: int, offset: int) -> None:
        """Continue a partition from an offset."""
        assert partition in self._rebalances.owned, f"partition {partition} is not assigned"
        self._consumer.seek(TopicPartition(self._name, partition), offset)
        self._arrival_ns.pop(partition, None)
        self._sought.add(partition)

    def pause(self, partitions: Sequence[int]) -> None:
        """Bring no records of these until `resume`."""
        self._consumer.pause(*self._named(partitions))

    def resume(self, partitions: Sequence[int]) -> None:
        """Bring records of these again."""
        chosen = self._named(partitions)
        missing = sorted({tp.partition for tp in chosen} - self._sought)
        assert not missing, f"partitions {missing} have no position: seek before resume"
        self._consumer.resume(*chosen)

    def close(self) -> None:
        """Leave the group. Commits nothing."""
        self._consumer.close(autocommit=False, timeout_ms=5000)
        self._rebalances.forget()

    def _named(self, partitions: Sequence[int]) -> list[TopicPartition]:
        owned = self._rebalances.owned
        return [TopicPartition(self._name, number) for number in partitions if number in owned]

    def _ask(self, doing: str, question: Callable[[], Any]) -> Any:
        started = time.monotonic()
        try:
            return question()
        except KafkaError as error:
            raise self._cluster.failure(f"{doing} of {self._topic}", error, started) from error


class KafkaReader:
    """Reads partitions from their first record, in no group; see `log.Reader`."""

    def __init__(
        self,
        cluster: Cluster,
        topic: str,
        partitions: Sequence[int],
        high_watermarks: Callable[[Sequence[TopicPartition]], Mapping[TopicPartition, int]],
    ) -> None:
        self._cluster, self._topic = cluster, topic
        self._parts = [TopicPartition(cluster.namespace + topic, number) for number in partitions]
        self._high_watermarks = high_watermarks
        self._ends: dict[TopicPartition, int] | None = None
        # Where retention outran us, what is left is still the truth about state.
        self._consumer = cluster.connect(
            KafkaConsumer, group_id=None, auto_offset_reset="earliest", **CONSUMER
        )
        self._consumer.assign(self._parts)
        self._consumer.seek_to_beginning()

    def poll(self, timeout_s: float, records_max: int) -> list[Record]:
        """Return the next records."""
        started = time.monotonic()
        try:
            batches = self._consumer.poll(int(timeout_s * 1000), max_records=records_max)
        except RetriableError:
            time.sleep(min(0.1, max(0.0, started + timeout_s - time.monotonic())))
            return []
        except KafkaError as error:
            raise self._cluster.failure(f"reading {self._topic}", error, started) from error
        return [r for batch in batches.values() for r in to_records(self._topic, batch, 0)]

    def at_end(self) -> bool:
        """Whether everything was read that the log held when this was first asked."""
        started = time.monotonic()
        try:
            if self._ends is None:
                self._ends = dict(self._high_watermarks(self._parts))
            # A partition that was reached stays so; asking for positions costs a little.
            for tp, end in list(self._ends.items()):
                position = self._consumer.position(tp, timeout_ms=1000)
                if position is None or position < end:
                    return False
                del self._ends[tp]
        except RetriableError:
            return False
        except KafkaError as error:
            doing = f"asking for the end of {self._topic}"
            raise self._cluster.failure(doing, error, started) from error
        self._ends = None
        return True

    def close(self) -> None:
        """Stop reading."""
        self._consumer.close(autocommit=False, timeout_ms=5000)
