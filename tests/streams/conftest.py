"""Both logs, one after the other."""

from collections.abc import Iterator

import pytest

from log_bench import TOPICS, Bench, KafkaBench, MemoryBench


@pytest.fixture(params=["memory", pytest.param("kafka", marks=pytest.mark.kafka)])
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    """A log with the topics of the suite, and means to do it harm."""
    if request.param == "memory":
        made: Bench = MemoryBench()
    else:
        made = KafkaBench(
            request.getfixturevalue("kafka_bootstrap"), request.getfixturevalue("kafka_namespace")
        )
    made.log.create(TOPICS)
    yield made
    made.close()
