"""The broker is killed and comes back: everything waits for a bounded time, nothing is lost."""

import time

import pytest

from kafka_broker import Broker
from log_bench import GROUP, TOPICS, Worker, read, shared, states, until
from telesurv_streams.kafka import KafkaLog
from telesurv_streams.log import LogUnavailable, Outgoing

pytestmark = [pytest.mark.kafka, pytest.mark.slow]


def test_a_broker_that_is_killed_and_comes_back(own_broker: Broker) -> None:
    log = KafkaLog(own_broker.bootstrap, patience_s=3.0, session_s=3.0)
    log.create(TOPICS)
    sink, worker = log.sink(), Worker(log)
    slices = log.slices("frames", GROUP, "a")
    until(shared(worker), worker)

    def state(n: int) -> tuple[list[Outgoing], dict[int, int]]:
        return [Outgoing("state", b"p", b"%d" % n, partition=0)], {0: n}

    def frames(start: int) -> int:
        sent = [
            sink.send(Outgoing("frames", b"k%d" % n, b"%d" % n)) for n in range(start, start + 50)
        ]
        return sent[-1]

    sink.wait(frames(0), 10.0)
    membership = worker.source.membership()
    assert membership is not None
    slices.commit(*state(1), membership)

    own_broker.kill()
    ticket = frames(50)
    started = time.monotonic()
    with pytest.raises(LogUnavailable, match=r"50 records not acknowledged within 0\.5 s"):
        sink.wait(ticket, 0.5)
    with pytest.raises(LogUnavailable, match=own_broker.bootstrap):
        slices.commit(*state(2), membership)
    with pytest.raises(LogUnavailable, match=own_broker.bootstrap):
        worker.source.committed(0)
    for _ in range(3):
        worker.turn()
    assert time.monotonic() - started < 25.0

    own_broker.start()
    sink.wait(ticket, 60.0)
    sink.wait(frames(100), 10.0)
    until(lambda: len({r.value for r in worker.records}) == 150, worker, within_s=60.0)
    until(shared(worker), worker, within_s=60.0)
    found = [r.value for r in read(log, "frames")]
    assert sorted(found, key=lambda v: int(v or b"")) == [b"%d" % n for n in range(150)]

    def commits() -> bool:
        worker.turn()
        membership = worker.source.membership()
        try:
            if membership is not None:
                slices.commit(*state(3), membership)
                return True
        except LogUnavailable:
            pass
        return False

    until(commits, worker, within_s=60.0)
    assert worker.source.committed(0) == 3
    assert states(read(log, "state")) == {b"p": b"3"}
    for part in (worker.source, sink, slices, log):
        part.close()
