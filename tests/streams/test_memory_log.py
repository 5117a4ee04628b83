"""What only the in-process log has: a virtual clock, things in flight, crashes at any step."""

import threading
import time

import pytest

from log_bench import GROUP, TOPICS, Worker, read, shared, states, until, write
from telesurv_streams.log import Fenced, LogUnavailable, Misconfigured, Outgoing, Topic
from telesurv_streams.memory import MemoryLog

SECOND = 1_000_000_000


class Crash(BaseException):
    """Not an error: the process is gone."""


class World:
    """A log on a clock that stands still until told."""

    def __init__(self, **options: object) -> None:
        self.now_ns = 1_000 * SECOND
        self.log = MemoryLog(lambda: self.now_ns, **options)  # type: ignore[arg-type]
        self.log.create(TOPICS)

    def crash_at(self, step: str) -> None:
        def fault(at: str) -> None:
            if at == step:
                self.log.fault = lambda step: None
                raise Crash

        self.log.fault = fault


def turns(*workers: Worker) -> None:
    for _ in range(4):
        for worker in workers:
            worker.turn()


def frame(value: bytes, partition: int = 0) -> Outgoing:
    return Outgoing("frames", b"k", value, partition=partition)


def slice_of(worker: Worker, value: int) -> tuple[list[Outgoing], dict[int, int]]:
    number = min(worker.owned)
    return [Outgoing("state", b"p", b"%d" % value, partition=number)], {number: value}


def test_nothing_waits_on_a_clock_that_stands_still() -> None:
    world = World()
    started = time.monotonic()
    worker = Worker(world.log)
    worker.source.poll(1000.0, 1)
    world.log.reader("frames").poll(1000.0, 1)
    assert time.monotonic() - started < 1.0


def test_arrival_is_the_clock_s_and_never_goes_back() -> None:
    world = World()
    write(world.log, frame(b"1"))
    world.now_ns -= SECOND
    write(world.log, frame(b"2"))
    world.now_ns += 3 * SECOND
    write(world.log, frame(b"3"))
    arrivals = [r.arrival_ns // SECOND for r in read(world.log, "frames")]
    assert arrivals == [1000, 1000, 1002]


def test_a_crashed_member_is_given_up_when_its_session_is_over() -> None:
    world = World(session_s=10.0)
    crashed, heir = Worker(world.log), Worker(world.log)
    turns(crashed, heir)
    assert len(crashed.owned) == len(heir.owned) == 2
    crashed.source.crash()  # type: ignore[attr-defined]
    world.now_ns += 9 * SECOND
    turns(heir)
    assert len(heir.owned) == 2
    world.now_ns += SECOND
    turns(heir)
    assert heir.owned == {0, 1, 2, 3}


def test_a_member_that_does_not_join_a_rebalance_holds_it_up_for_so_long_only() -> None:
    world = World(rebalance_s=60.0)
    stuck, other = Worker(world.log), Worker(world.log)
    turns(stuck, other)
    third = Worker(world.log)
    turns(other, third)
    assert not third.owned
    world.now_ns += 60 * SECOND
    turns(other, third)
    assert other.owned | third.owned == {0, 1, 2, 3}
    turns(stuck)
    assert not stuck.owned


def test_an_expired_member_hears_of_it_by_its_next_poll_and_joins_again() -> None:
    world = World()
    zombie, heir = Worker(world.log), Worker(world.log)
    turns(zombie, heir)
    old = zombie.source.membership()
    world.log.expire(zombie.source)  # type: ignore[arg-type]
    turns(heir)
    assert heir.owned == {0, 1, 2, 3}
    assert zombie.source.membership() == old
    assert zombie.source.poll(0, 10).revoked
    assert zombie.source.membership() is None
    zombie.owned.clear()
    turns(zombie, heir)
    assert shared(zombie, heir)()


def test_what_is_in_flight_arrives_when_it_is_delivered() -> None:
    world = World(in_flight=True)
    sink = world.log.sink()
    tickets = [sink.send(frame(b"%d" % n)) for n in range(6)]
    assert read(world.log, "frames") == []
    assert sink.deliver(2) == 2
    sink.wait(tickets[2], 0.0)
    assert [r.value for r in read(world.log, "frames")] == [b"0", b"1", b"2"]
    sink.crash(written=1)
    assert [r.value for r in read(world.log, "frames")] == [b"0", b"1", b"2", b"3"]
    sink.close()
    assert len(read(world.log, "frames")) == 4


@pytest.mark.parametrize("step", ["commit", "commit.open", "commit.done"])
def test_a_crash_at_each_step_of_a_slice(step: str) -> None:
    world = World(transaction_s=10.0)
    worker = Worker(world.log)
    turns(worker)
    membership = worker.source.membership()
    assert membership is not None
    slices = world.log.slices("frames", GROUP, "a")
    slices.commit(*slice_of(worker, 1), membership)
    world.crash_at(step)
    with pytest.raises(Crash):
        slices.commit(*slice_of(worker, 2), membership)
    reader = world.log.reader("state")
    found = reader.poll(0, 100)
    decided = step != "commit.open"
    assert reader.at_end() is decided
    if not decided:
        with pytest.raises(LogUnavailable, match="undecided"):
            worker.source.committed(0)
        world.now_ns += 10 * SECOND
        assert reader.poll(0, 100) == []
        assert reader.at_end()
    last = 2 if step == "commit.done" else 1
    assert states(found) == {b"p": b"%d" % last}
    assert worker.source.committed(0) == last


def test_time_runs_out_while_a_slice_is_written() -> None:
    world = World(transaction_s=10.0)
    worker = Worker(world.log)
    turns(worker)
    membership = worker.source.membership()
    assert membership is not None

    def slow(step: str) -> None:
        if step == "commit.open":
            world.now_ns += 11 * SECOND
            world.log.settle()

    world.log.fault = slow
    with pytest.raises(Fenced, match="time was up"):
        world.log.slices("frames", GROUP, "a").commit(*slice_of(worker, 1), membership)
    assert read(world.log, "state") == []


def test_a_refused_record_aborts_its_slice() -> None:
    world = World()
    worker = Worker(world.log)
    turns(worker)
    membership = worker.source.membership()
    assert membership is not None
    slices = world.log.slices("frames", GROUP, "a")
    records, offsets = slice_of(worker, 1)
    with pytest.raises(Misconfigured, match="without key"):
        slices.commit([*records, Outgoing("state", None, b"")], offsets, membership)
    assert read(world.log, "state") == []
    assert worker.source.committed(0) is None
    slices.commit(records, offsets, membership)


def test_a_compacted_partition_compacts_itself() -> None:
    world = World()
    sink = world.log.sink()
    for n in range(10_000):
        world.now_ns += SECOND
        sink.send(Outgoing("state", b"p%d" % (n % 7), b"%d" % n, partition=0))
    held = read(world.log, "state", [0])
    assert len(held) < 2100
    assert states(held) == {b"p%d" % (n % 7): b"%d" % n for n in range(9993, 10_000)}


def test_retention_by_bytes_and_by_time() -> None:
    world = World()
    world.log.create(
        [
            Topic("small", 1, {"retention.bytes": "10000"}),
            Topic("short", 1, {"retention.ms": "60000"}),
        ]
    )
    for n in range(1000):
        world.now_ns += SECOND
        write(world.log, Outgoing("small", b"k", bytes(100)), Outgoing("short", b"k", b"%d" % n))
    small, short = read(world.log, "small"), read(world.log, "short")
    assert 50 < len(small) < 67
    assert 60 <= len(short) <= 70
    assert world.log.source("short", "g").bounds(0) == (short[0].offset, 1000)


def test_threads_share_one_log() -> None:
    log = MemoryLog()
    log.create(TOPICS)
    total = 4 * 500

    def produce(name: int) -> None:
        sink = log.sink()
        for n in range(500):
            sink.send(Outgoing("frames", b"%d" % n, b"%d-%d" % (name, n)))

    threads = [threading.Thread(target=produce, args=(n,)) for n in range(4)]
    workers = [Worker(log), Worker(log)]
    for thread in threads:
        thread.start()
    until(lambda: len({r.value for w in workers for r in w.records}) == total, *workers)
    for thread in threads:
        thread.join()
    assert len(read(log, "frames")) == total
