"""What any log of ours does, held against both: topics, records, readers, sinks."""

import contextlib

import pytest

from log_bench import STATE_CONFIG, TOPICS, Bench, Worker, drain, read, states, until, write
from telesurv_streams.log import (
    FRAMES,
    Misconfigured,
    OffsetOutOfRange,
    Outgoing,
    Record,
    Topic,
)
from telesurv_streams.partitioner import partition_for
from telesurv_streams.topics import topics


def test_topics_are_created_once_and_then_held_to_what_they_should_be(bench: Bench) -> None:
    log = bench.log
    assert log.create(TOPICS) == []
    assert log.partitions("frames") == 4
    with pytest.raises(Misconfigured, match="other has 3 partitions, expected 7"):
        log.create([Topic("other", 7, {})])
    with pytest.raises(Misconfigured, match=r"state has segment\.ms=200, expected 999"):
        log.create([Topic("state", 4, {**STATE_CONFIG, "segment.ms": "999"})])
    for ask in (log.partitions, log.reader, lambda name: log.source(name, "g")):
        with pytest.raises(Misconfigured, match="nosuch does not exist"):
            ask("nosuch")


def test_the_table_of_topics_can_be_created_and_verified(bench: Bench) -> None:
    assert len(bench.log.create(topics(5))) == 7
    assert bench.log.create(topics(5, retention_days=3)) == []  # more than asked for is fine
    assert bench.log.partitions(FRAMES) == 5
    with pytest.raises(Misconfigured, match=r"retention\.ms=604800000, expected at least 1728"):
        bench.log.create(topics(5, retention_days=20))


def test_the_key_chooses_the_partition_and_all_partitions_are_used(bench: Bench) -> None:
    keys = [b"patient-%d" % n for n in range(40)]
    write(bench.log, *(Outgoing("frames", key, b"") for key in keys))
    found = {r.key: r.partition for r in read(bench.log, "frames")}
    assert found == {key: partition_for(key, 4) for key in keys}
    assert set(found.values()) == {0, 1, 2, 3}

    write(bench.log, Outgoing("other", keys[0], b"", partition=2))
    write(bench.log, *(Outgoing("other", None, b"none") for _ in range(9)))
    numbers = [r.partition for r in read(bench.log, "other") if r.key is None]
    assert sorted(numbers) == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert [r.partition for r in read(bench.log, "other") if r.key] == [2]


def test_records_come_back_byte_for_byte(bench: Bench) -> None:
    headers = (("telesurv-kind", b"tick"), ("bytes", bytes(range(256))), ("twice", b""))
    written = [
        Outgoing("frames", b"k", b"\x00\xff value", (*headers, ("twice", b"2")), 1),
        Outgoing("frames", None, b"", (), 1),
        Outgoing("frames", b"gone", None, (("why", "é".encode()),), 1),
        Outgoing("frames", b"", bytes(900_000), (), 1),  # a dead letter may be as large
    ]
    write(bench.log, *written)
    found = read(bench.log, "frames", [1])
    assert [Outgoing("frames", r.key, r.value, r.headers, 1) for r in found] == written
    assert all(type(r.value) in (bytes, type(None)) for r in found)
    assert all(type(v) is bytes for r in found for _, v in r.headers)


def test_order_and_arrival_within_a_partition(bench: Bench) -> None:
    for start in (0, 100):
        values = [b"%d" % n for n in range(start, start + 100)]
        write(bench.log, *(Outgoing("frames", b"same", value) for value in values))
    found = read(bench.log, "frames")
    assert [r.value for r in found] == [b"%d" % n for n in range(200)]
    offsets = [r.offset for r in found]
    assert offsets == sorted(set(offsets))
    arrivals = [r.arrival_ns for r in found]
    assert arrivals == sorted(arrivals)
    assert len({r.partition for r in found}) == 1


def test_what_is_assigned_stays_still_until_it_is_sought_and_resumed(bench: Bench) -> None:
    write(bench.log, *(Outgoing("frames", b"k", b"%d" % n, partition=0) for n in range(10)))
    with contextlib.closing(bench.log.source("frames", "g")) as source:
        assigned: tuple[int, ...] = ()
        while not assigned:
            records, assigned, revoked = source.poll(0.2, 100)
            assert not records
            assert not revoked
        assert assigned == (0, 1, 2, 3)
        assert source.poll(0.3, 100) == ([], (), ())
        assert source.bounds(0) == (0, 10)
        assert source.ends([0]) == {0: 10}
        assert source.ends([]) == {}
        assert source.committed(0) is None
        with pytest.raises(AssertionError, match="seek before resume"):
            source.resume([0])
        with pytest.raises(AssertionError, match="not assigned"):
            source.seek(7, 0)
        source.seek(0, 4)
        assert not source.poll(0.2, 100).records
        source.resume([0])
        first = source.poll(5.0, 3).records
        assert [r.offset for r in first] == [4, 5, 6]
        source.pause([0])
        assert not source.poll(0.2, 100).records
        source.resume([0])
        assert [r.offset for r in source.poll(5.0, 100).records] == [7, 8, 9]
        source.seek(0, 4)
        assert source.poll(5.0, 3).records == first


def test_a_position_that_the_log_does_not_hold(bench: Bench) -> None:
    records = [Outgoing("frames", b"k", b"%d" % n, partition=n % 2) for n in range(20)]
    write(bench.log, *records)
    worker = Worker(bench.log)
    with contextlib.closing(worker.source) as source:
        until(lambda: len(worker.records) == 20, worker)
        bench.truncate("frames", 0, 6)
        assert source.bounds(0) == (6, 10)
        write(bench.log, Outgoing("frames", b"k", b"more", partition=1))
        for wrong in (5, 11, 5):
            source.seek(0, wrong)
            with pytest.raises(OffsetOutOfRange) as caught:
                until(lambda: False, worker, within_s=10.0)
            found = caught.value
            assert (found.partition, found.offset) == (0, wrong)
            assert (found.first, found.end) == (6, 10)
        source.seek(0, 6)
        # The other partition lost nothing by it.
        until(lambda: len(worker.records) == 25, worker)
        assert [r.offset for r in worker.records[20:] if r.partition == 0] == [6, 7, 8, 9]
        assert [r.value for r in worker.records[20:] if r.partition == 1] == [b"more"]
    assert [r.offset for r in read(bench.log, "frames", [0])] == [6, 7, 8, 9]


def test_a_reader_of_nothing_is_at_its_end(bench: Bench) -> None:
    with contextlib.closing(bench.log.reader("frames")) as reader:
        assert drain(reader) == []
        write(bench.log, Outgoing("frames", b"k", b"1"))
        assert not reader.at_end()
        assert [r.value for r in drain(reader)] == [b"1"]


def test_the_end_is_that_of_the_first_question(bench: Bench) -> None:
    write(bench.log, *(Outgoing("frames", b"k", b"%d" % n, partition=0) for n in range(6)))
    with contextlib.closing(bench.log.reader("frames", [0])) as reader:
        assert not reader.at_end()
        write(bench.log, *(Outgoing("frames", b"k", b"late", partition=0) for n in range(6)))
        count = 0
        while not reader.at_end():
            count += len(reader.poll(0.2, 2))
        assert count == 6


def test_compaction_keeps_the_last_of_each_key_and_tombstones_delete(bench: Bench) -> None:
    for turn in range(5):
        write(
            bench.log,
            *(Outgoing("state", b"p%d" % n, b"%d" % turn, partition=n % 4) for n in range(8)),
        )
    write(bench.log, Outgoing("state", b"p3", None, partition=3))
    bench.compact("state")
    found: list[Record] = []

    def compacted() -> bool:
        found[:] = [r for r in read(bench.log, "state") if r.key != b"roll"]
        return len(found) == 7

    until(compacted)
    assert states(found) == {b"p%d" % n: b"4" for n in range(8) if n != 3}
    # The offsets are those of before: there are holes now.
    assert {r.offset for r in found if r.partition == 0} == {8, 9}


def test_a_sink_is_full_while_too_many_bytes_are_in_flight(bench: Bench) -> None:
    log = bench.flooded_log()
    log.create(TOPICS)
    with contextlib.closing(log.sink()) as sink:
        assert not sink.full()
        tickets = [sink.send(Outgoing("other", b"k", bytes(250))) for _ in range(10)]
        assert tickets == sorted(set(tickets))
        assert sink.full()
        sink.wait(tickets[-1], 10.0)
        assert not sink.full()
        assert len(read(log, "other")) == 10
