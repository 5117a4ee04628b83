"""The log on Apache Kafka, through kafka-python: nothing outside of these files imports it.

`_kafka_cluster` says where it is, `_kafka_rebalance` who reads what, `_kafka_read` and
`_kafka_write` do it.
"""

import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

from kafka import KafkaAdminClient, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import (
    InvalidConfigurationError,
    InvalidReplicationFactorError,
    KafkaError,
    PolicyViolationError,
    TopicAlreadyExistsError,
)
from kafka.protocol.consumer import OffsetSpec

from telesurv_streams._kafka_cluster import Cluster
from telesurv_streams._kafka_read import KafkaReader, KafkaSource
from telesurv_streams._kafka_write import KafkaSink, KafkaSlices
from telesurv_streams.log import Misconfigured, Topic
from telesurv_streams.topics import verify


class KafkaLog:
    """A `log.Log` on a Kafka cluster.

    Parameters
    ----------
    bootstrap : host:port, one or several (a sequence, or separated by commas)
    namespace : stands before the names of topics, groups and transactions, so that several
        installations can share a cluster
    security : options of kafka-python, see `_kafka_cluster.SECURITY_OPTIONS`
    patience_s : how long to wait for a broker before `LogUnavailable`
    session_s : a member that was not heard of for so long is given up
    transaction_s : so long an undecided transaction may stay open
    in_flight_bytes_max : above it a sink is full
    compression : of what is written: None, "lz4", "zstd", "gzip" or "snappy"
    """

    def __init__(
        self,
        bootstrap: str | Sequence[str],
        *,
        namespace: str = "",
        security: Mapping[str, Any] | None = None,
        patience_s: float = 30.0,
        session_s: float = 10.0,
        transaction_s: float = 10.0,
        in_flight_bytes_max: int = 32 * 2**20,
        compression: str | None = "lz4",
    ) -> None:
        names = bootstrap.split(",") if isinstance(bootstrap, str) else bootstrap
        self._cluster = Cluster(
            tuple(name.strip() for name in names), namespace, dict(security or {}), patience_s
        )
        self._session_s, self._transaction_s = session_s, transaction_s
        self._in_flight_bytes_max = in_flight_bytes_max
        self._compression = compression
        self._lock = threading.RLock()
        self._admin_client: KafkaAdminClient | None = None
        self._counts: dict[str, int] = {}

    def create(self, topics: Sequence[Topic]) -> list[str]:
        """Create what is missing and return its names; `Misconfigured` where one differs."""
        started = time.monotonic()
        try:
            seen = self._describe([topic.name for topic in topics])
            missing = [topic for topic in topics if topic.name not in seen]
            self._create(missing)
            seen = self._describe([topic.name for topic in topics])
            configs = self._configs([topic.name for topic in topics])
        except KafkaError as error:
            raise self._cluster.failure("creating topics", error, started) from error
        for topic in topics:
            verify(topic, seen.get(topic.name, 0), configs[topic.name])
        return [topic.name for topic in missing]

    def partitions(self, topic: str) -> int:
        """Return how many partitions a topic has; `Misconfigured` when it does not exist."""
        started = time.monotonic()
        with self._lock:
            if topic not in self._counts:
                try:
                    self._counts.update(self._describe([topic]))
                except KafkaError as error:
                    raise self._cluster.failure(f"describing {topic}", error, started) from error
            if topic not in self._counts:
                raise Misconfigured(
                    f"topic {self._cluster.namespace}{topic} does not exist; create it first"
                )
            return self._counts[topic]

    def source(self, topic: str, group: str) -> KafkaSource:
        """Join a group on a topic."""
        count = self.partitions(topic)
        return KafkaSource(self._cluster, topic, count, group, self._session_s)

    def reader(self, topic: str, partitions: Sequence[int] | None = None) -> KafkaReader:
        """Read partitions (all of them when None) from their first record."""
        count = self.partitions(topic)
        chosen = range(count) if partitions is None else partitions
        return KafkaReader(self._cluster, topic, chosen, self._high_watermarks)

    def sink(self) -> KafkaSink:
        """Return a new sink."""
        return KafkaSink(
            self._cluster, self.partitions, self._in_flight_bytes_max, self._compression
        )

    def slices(self, topic: str, group: str, name: str) -> KafkaSlices:
        """Return the atomic writer of a worker; an earlier one of that name is fenced."""
        return KafkaSlices(
            self._cluster,
            topic,
            f"{group}-{name}",
            self.partitions,
            self._compression,
            self._transaction_s,
        )

    def close(self) -> None:
        """Release the connection that answers questions; sources and sinks have their own."""
        with self._lock:
            if self._admin_client is not None:
                self._admin_client.close()
                self._admin_client = None

    def _admin(self) -> KafkaAdminClient:
        with self._lock:
            if self._admin_client is None:
                self._admin_client = self._cluster.connect(KafkaAdminClient)
            return self._admin_client

    def _describe(self, names: Sequence[str]) -> dict[str, int]:
        """Return how many partitions those of the topics have that exist."""
        prefix = self._cluster.namespace
        described = self._admin().describe_topics([prefix + name for name in names])
        return {
            topic["name"].removeprefix(prefix): len(topic["partitions"])
            for topic in described
            if topic["error_code"] == 0
        }

    def _create(self, topics: Sequence[Topic]) -> None:
        prefix = self._cluster.namespace
        for topic in topics:
            wanted = {
                "num_partitions": topic.partitions,
                "replication_factor": topic.replication,
                "configs": dict(topic.config),
            }
            try:
                self._admin().create_topics({prefix + topic.name: wanted}, wait_for_metadata=True)
            except TopicAlreadyExistsError:
                pass  # another one was quicker: it is verified like any that was there before
            except (
                InvalidConfigurationError,
                InvalidReplicationFactorError,
                PolicyViolationError,
            ) as error:
                raise Misconfigured(
                    f"topic {prefix}{topic.name} cannot be created with replication "
                    f"{topic.replication} and {dict(topic.config)}: {error}"
                ) from error

    def _configs(self, names: Sequence[str]) -> dict[str, dict[str, str]]:
        prefix = self._cluster.namespace
        resources = [ConfigResource(ConfigResourceType.TOPIC, prefix + name) for name in names]
        described = self._admin().describe_configs(resources, config_filter="all")["topic"]
        return {
            name: {key: str(entry["value"]) for key, entry in described[prefix + name].items()}
            for name in names
        }

    def _high_watermarks(self, parts: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        # A read-committed consumer's own `end_offsets` are the last stable ones: not these.
        latest = dict.fromkeys(parts, OffsetSpec.LATEST)
        found = self._admin().list_partition_offsets(latest)
        return {tp: at.offset for tp, at in found.items()}
