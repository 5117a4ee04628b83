"""A Kafka for the measurements: that of the tests, with the patients' messages on it."""

import contextlib
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.common import ROOT, Progress
from benchmarks.patients import PARTITIONS, Ward
from telesurv_streams.kafka import KafkaLog
from telesurv_streams.log import FRAMES, HEADER_KIND, Topic
from telesurv_streams.partitioner import partition_for
from telesurv_streams.topics import topics
from telesurv_streams.wire import FRAME_HEADER

TICK_S = 10
"""How often the owner of a partition appends a tick to it."""


@contextlib.contextmanager
def broker() -> Iterator[str]:
    """Give the address of a Kafka: the one that is named, or one started for this."""
    if given := os.environ.get("TELESURV_TEST_BOOTSTRAP"):
        yield given
        return
    sys.path.insert(0, str(ROOT / "tests"))
    from kafka_broker import running

    with (
        tempfile.TemporaryDirectory(prefix="telesurv-bench-") as folder,
        running(Path(folder)) as started,
    ):
        yield started.bootstrap


def frames_topic(namespace: str) -> str:
    """Return the name of the frames' topic as Kafka has it."""
    return namespace + FRAMES


def produce(
    bootstrap: str,
    namespace: str,
    ward: Ward,
    progress: Progress,
    *,
    ticks: bool = True,
    batch_bytes: int = 256 * 2**10,
) -> None:
    """Create the topics and write every message, with the ticks that would stand between.

    Parameters
    ----------
    ticks : whether there are any
    batch_bytes : what a producer sends together of a partition; 0: each message alone
    """
    from kafka import KafkaProducer

    log = KafkaLog(bootstrap, namespace=namespace)
    log.create([*topics(PARTITIONS, 1), Topic(f"{FRAMES}.alerts", 1, {})])
    log.close()
    topic = frames_topic(namespace)
    producer = KafkaProducer(
        bootstrap_servers=bootstrap,
        acks="all",
        compression_type="lz4",
        linger_ms=20,
        batch_size=batch_bytes,
        max_in_flight_requests_per_connection=5,
    )
    for second in range(ward.seconds):
        for key, value in ward.second(second):
            partition = partition_for(key, PARTITIONS)
            producer.send(topic, value, key, [FRAME_HEADER], partition)
        producer.flush()
        if ticks and second % TICK_S == TICK_S - 1:
            for partition in range(PARTITIONS):
                producer.send(topic, b"", None, [(HEADER_KIND, b"tick")], partition)
        progress((second + 1) / ward.seconds)
    producer.close()


def begin_anew(bootstrap: str, namespace: str) -> None:
    """Empty every topic but the frames': the next worker knows nothing of the one before."""
    from kafka import KafkaAdminClient

    ours = [topic for topic in topics(PARTITIONS, 1) if topic.name != FRAMES]
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    admin.delete_topics([namespace + topic.name for topic in ours])
    log = KafkaLog(bootstrap, namespace=namespace)
    while True:  # they are gone some time after that
        time.sleep(0.5)
        if len(log.create(topics(PARTITIONS, 1))) == len(ours):
            break
    log.close()
    admin.close()
