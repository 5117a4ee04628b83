"""What any log of ours does for groups and atomic slices, held against both."""

import contextlib
import threading
from collections import Counter
from collections.abc import Iterator

import pytest

from log_bench import GROUP, Bench, Worker, drain, read, shared, states, until, write
from telesurv_streams.log import Fenced, LogUnavailable, Membership, Outgoing, Slices, Topic


@pytest.fixture
def slices(bench: Bench) -> Iterator[Slices]:
    write(bench.log, *frames(40))
    with contextlib.closing(bench.log.slices("frames", GROUP, "a")) as made:
        yield made


def member(worker: Worker) -> Membership:
    found = worker.source.membership()
    assert found is not None
    return found


def frames(count: int, start: int = 0) -> list[Outgoing]:
    values = range(start, start + count)
    return [Outgoing("frames", b"k", b"%d" % n, partition=n % 4) for n in values]


def values(*workers: Worker) -> Counter[bytes | None]:
    return Counter(r.value for worker in workers for r in worker.records)


def state(worker: Worker, value: bytes = b"1") -> tuple[list[Outgoing], dict[int, int]]:
    """Return a slice that says the same of each partition of a worker."""
    owned = sorted(worker.owned)
    records = [Outgoing("state", b"p%d" % n, value, (("h", b"\xff"),), n) for n in owned]
    return records, {n: int(value) for n in owned}


def test_members_share_the_partitions_and_what_stays_goes_on(bench: Bench) -> None:
    write(bench.log, *frames(40))
    first = Worker(bench.log)
    until(lambda: len(first.records) == 40, first)
    assert first.owned == {0, 1, 2, 3}
    generation = member(first)

    second = Worker(bench.log)
    assert second.source.membership() is None
    until(shared(first, second), first, second)
    assert len(first.owned) == len(second.owned) == 2
    # What stayed was neither revoked nor assigned again, and lost no place.
    assert sorted(first.revoked) == sorted(second.owned)
    assert sorted(first.assigned) == [0, 1, 2, 3]
    assert member(first) != generation
    write(bench.log, *frames(40, start=40))
    until(lambda: len(values(first, second)) == 80, first, second)
    kept = [r for r in first.records if r.partition in first.owned]
    assert len(kept) == 40
    assert len({r.offset for r in kept}) == 20

    third = Worker(bench.log)
    until(shared(first, second, third), first, second, third)
    assert sorted(len(w.owned) for w in (first, second, third)) == [1, 1, 2]

    for leaver, left in ((first, (second, third)), (second, (third,))):
        leaver.source.close()
        assert leaver.source.membership() is None
        until(shared(*left), *left)
    write(bench.log, *frames(8, start=80))
    until(lambda: {b"%d" % n for n in range(80, 88)} <= values(third).keys(), third)
    third.source.close()


def test_groups_do_not_see_each_other(bench: Bench) -> None:
    write(bench.log, *frames(8))
    one, other = Worker(bench.log), Worker(bench.log, group="others")
    until(lambda: len(one.records) == len(other.records) == 8, one, other)
    with contextlib.closing(bench.log.slices("frames", GROUP, "a")) as slices:
        slices.commit([], {1: 1}, member(one))
    assert one.source.committed(1) == 1
    assert other.source.committed(1) is None
    one.source.close()
    other.source.close()


def test_a_member_that_falls_silent_is_given_up(bench: Bench, slices: Slices) -> None:
    silent, heir = Worker(bench.quick), Worker(bench.quick)
    until(shared(silent, heir), silent, heir)
    lost, old = set(silent.owned), member(silent)
    slices.commit(*state(silent, b"1"), old)
    bench.freeze(silent.source)
    until(shared(heir), heir)
    assert lost <= set(heir.assigned)
    assert heir.source.committed(min(lost)) == 1

    # The old owner wakes up, and believes that it still is one.
    assert silent.source.membership() == old
    records, offsets = state(silent, b"9")
    with pytest.raises(Fenced):
        slices.commit(records, offsets, old)
    assert heir.source.committed(min(lost)) == 1
    assert states(read(bench.log, "state")) == {b"p%d" % n: b"1" for n in lost}

    bench.thaw(silent.source)
    # It hears of it, joins again, and its slices are good again.
    until(lambda: silent.owned and shared(silent, heir)(), silent, heir)
    assert lost <= set(silent.revoked)
    with pytest.raises(Fenced):
        slices.commit(records, offsets, old)
    slices.commit(*state(silent, b"2"), member(silent))
    assert silent.source.committed(min(silent.owned)) == 2
    silent.source.close()
    heir.source.close()


def test_a_generation_that_is_over_is_fenced_even_for_its_own(bench: Bench, slices: Slices) -> None:
    first = Worker(bench.log)
    until(shared(first), first)
    old = member(first)
    second = Worker(bench.log)
    until(shared(first, second), first, second)
    with pytest.raises(Fenced):
        slices.commit(*state(first, b"5"), old)
    assert read(bench.log, "state") == []
    slices.commit(*state(first, b"6"), member(first))
    assert states(read(bench.log, "state")) == {b"p%d" % n: b"6" for n in first.owned}
    first.source.close()
    second.source.close()


def test_a_slice_is_visible_as_a_whole_and_again_and_again(bench: Bench, slices: Slices) -> None:
    worker = Worker(bench.log)
    until(shared(worker), worker)
    for turn in range(1, 6):
        records, offsets = state(worker, b"%d" % turn)
        letter = Outgoing("other", b"alert", None)  # a tombstone goes with it, by its key
        slices.commit([*records, letter], offsets, member(worker))
        assert [worker.source.committed(n) for n in range(4)] == [turn] * 4
    found = read(bench.log, "state")
    assert states(found) == {b"p%d" % n: b"5" for n in range(4)}
    assert found[0].headers == (("h", b"\xff"),)
    assert [r.value for r in read(bench.log, "other")] == [None] * 5
    # Each transaction left a marker: the last record is not the last offset.
    assert {r.offset for r in found if r.partition == 0} >= {8}
    worker.source.close()

    heir = Worker(bench.log)
    until(shared(heir), heir)
    assert heir.source.committed(3) == 5
    heir.source.close()


def test_a_slice_of_what_is_not_owned_is_fenced(bench: Bench, slices: Slices) -> None:
    first, second = Worker(bench.log), Worker(bench.log)
    until(shared(first, second), first, second)
    theirs = min(second.owned)
    with pytest.raises(Fenced, match=rf"\[{theirs}\] are not of the membership"):
        slices.commit([], {theirs: 1}, member(first))
    foreign = Outgoing("state", b"x", b"", partition=theirs)
    with pytest.raises(Fenced, match="not of the membership"):
        slices.commit([foreign], {min(first.owned): 1}, member(first))
    with pytest.raises(AssertionError, match="without offsets"):
        slices.commit([], {}, member(first))
    assert [first.source.committed(n) for n in range(4)] == [None] * 4
    assert read(bench.log, "state") == []
    first.source.close()
    second.source.close()


def test_a_slice_that_was_never_decided_stays_unseen(bench: Bench, slices: Slices) -> None:
    worker = Worker(bench.log)
    until(shared(worker), worker)
    slices.commit(*state(worker, b"1"), member(worker))
    bench.hang(slices, *state(worker, b"2"), member(worker))
    reader = bench.log.reader("state")
    seen = []
    for _ in range(10):
        seen += reader.poll(0.05, 100)
        assert not reader.at_end()
    assert {r.value for r in seen} == {b"1"}
    with contextlib.suppress(LogUnavailable):  # it may have been decided by its time
        assert worker.source.committed(0) == 1

    # The worker starts again under its name: that decides it.
    with contextlib.closing(bench.log.slices("frames", GROUP, "a")) as again:
        assert drain(reader) == []
        assert worker.source.committed(0) == 1
        again.commit(*state(worker, b"3"), member(worker))
        assert {r.value for r in drain(reader)} == {b"3"}
    reader.close()
    worker.source.close()


def test_an_undecided_slice_is_aborted_in_time(bench: Bench) -> None:
    """Nobody comes back under its name: the log waits as long as it was told to."""
    worker = Worker(bench.log)
    until(shared(worker), worker)
    with contextlib.closing(bench.quick.slices("frames", GROUP, "gone")) as gone:
        bench.hang(gone, *state(worker, b"2"), member(worker))
        with contextlib.closing(bench.log.reader("state")) as reader:
            assert not reader.at_end()
            assert drain(reader, within_s=25.0) == []
    assert worker.source.committed(0) is None
    worker.source.close()


def test_a_second_writer_of_a_name_fences_the_first(bench: Bench, slices: Slices) -> None:
    worker = Worker(bench.log)
    until(shared(worker), worker)
    slices.commit(*state(worker, b"1"), member(worker))
    with contextlib.closing(bench.log.slices("frames", GROUP, "a")) as second:
        second.commit(*state(worker, b"2"), member(worker))
        with pytest.raises(Fenced):
            slices.commit(*state(worker, b"3"), member(worker))
        assert worker.source.committed(0) == 2
        slices.commit(*state(worker, b"4"), member(worker))
        assert worker.source.committed(0) == 4
    worker.source.close()


def test_a_poll_wakes_up_when_something_comes(bench: Bench) -> None:
    worker = Worker(bench.log)
    until(shared(worker), worker)
    timer = threading.Timer(0.2, write, (bench.log, *frames(1)))
    timer.start()
    records = worker.source.poll(20.0, 10).records
    timer.join()
    assert [r.value for r in records] == [b"0"]
    worker.source.close()


def test_every_topic_can_have_one_partition(bench: Bench) -> None:
    bench.log.create([Topic("single", 1, {})])
    workers = [Worker(bench.log, "single", "g") for _ in range(2)]
    until(lambda: sorted(len(w.owned) for w in workers) == [0, 1], *workers)
    idle = next(w for w in workers if not w.owned)
    until(lambda: idle.source.membership(), *workers)
    for worker in workers:
        worker.source.close()
