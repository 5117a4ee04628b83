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
from telesurv_streams.log import FRAMES, HEADER_KIND, Outgoing, Topic
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
    bootstrap: str, namespace: str, ward: Ward, progress: Progress, *, ticks: bool = True
) -> None:
    """Create the topics and write every message, with the ticks that would stand between."""
    log = KafkaLog(bootstrap, namespace=namespace)
    log.create([*topics(PARTITIONS, 1), Topic(f"{FRAMES}.alerts", 1, {})])
    sink = log.sink()
    ticket = 0
    for second in range(ward.seconds):
        for key, value in ward.second(second):
            ticket = sink.send(Outgoing(FRAMES, key, value, (FRAME_HEADER,)))
            while sink.full():
                time.sleep(0.01)
        if ticks and second % TICK_S == TICK_S - 1:
            for partition in range(PARTITIONS):
                tick = Outgoing(FRAMES, None, b"", ((HEADER_KIND, b"tick"),), partition)
                ticket = sink.send(tick)
        progress((second + 1) / ward.seconds)
    sink.wait(ticket, 120.0)
    sink.close()
    log.close()


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
