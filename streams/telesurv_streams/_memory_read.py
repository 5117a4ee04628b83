"""How the in-process log is read: as a member of a group, or from the beginning."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from telesurv_streams._group import Group, MemoryMembership
from telesurv_streams.log import LogUnavailable, Membership, OffsetOutOfRange, Polled, Record

if TYPE_CHECKING:
    from telesurv_streams.memory import MemoryLog


class MemorySource:
    """A member of a group of the in-process log; see `log.Source`."""

    def __init__(self, log: "MemoryLog", topic: str, group: Group) -> None:
        self.log, self.topic, self.group = log, topic, group
        self._parts = log.parts(topic)
        self._positions: dict[int, int] = {}
        self._paused: set[int] = set()
        self._owned: frozenset[int] = frozenset()
        self._membership: MemoryMembership | None = None
        self._turn = 0
        with log.changed:
            self.name = group.join(log.now_ns())
            log.changed.notify_all()

    def poll(self, timeout_s: float, records_max: int) -> Polled:
        """Return records of assigned, unpaused partitions, and what a rebalance changed."""
        brought = Polled([])

        def ready() -> bool:
            nonlocal brought
            revoked, assigned = self._rebalance()
            quiet = revoked or assigned or self.group.preparing
            records = [] if quiet else self._read(records_max)
            brought = Polled(records, tuple(sorted(assigned)), tuple(sorted(revoked)))
            return bool(records or assigned or revoked)

        with self.log.changed:
            self.log.fault("poll")
            self.log.settle()
            self.log.await_(ready, timeout_s)
        return brought

    def membership(self) -> Membership | None:
        """Return the membership captured with the last assignment; None: not a member now."""
        return self._membership

    def committed(self, partition: int) -> int | None:
        """Return the group's committed offset; waits for transactions that may still move it."""

        def stable() -> bool:
            self.log.settle()
            return not any(
                t.group is self.group and partition in t.offsets for t in self.log.transactions
            )

        with self.log.changed:
            if not self.log.await_(stable, timeout_s := self.log.transaction_ns / 1e9):
                raise LogUnavailable(
                    f"committed offset of partition {partition}: a transaction on it stayed "
                    f"undecided, waited up to {timeout_s:g} s"
                )
            return self.group.committed.get(partition)

    def bounds(self, partition: int) -> tuple[int, int]:
        """Return the first offset that the log holds and the next it will give."""
        with self.log.changed:
            self.log.settle()
            return self._parts[partition].first, self._parts[partition].stable

    def ends(self, partitions: Sequence[int]) -> dict[int, int]:
        """Return the next offset that each of these will give."""
        with self.log.changed:
            self.log.settle()
            return {number: self._parts[number].stable for number in partitions}

    def seek(self, partition: int, offset: int) -> None:
        """Continue a partition from an offset."""
        assert partition in self._owned, f"partition {partition} is not assigned"
        self._positions[partition] = offset

    def pause(self, partitions: Sequence[int]) -> None:
        """Bring no records of these until `resume`."""
        self._paused.update(self._owned.intersection(partitions))

    def resume(self, partitions: Sequence[int]) -> None:
        """Bring records of these again."""
        missing = sorted(self._owned.intersection(partitions) - self._positions.keys())
        assert not missing, f"partitions {missing} have no position: seek before resume"
        self._paused.difference_update(partitions)

    def close(self) -> None:
        """Leave the group. Commits nothing."""
        self.log.expire(self)
        self._membership = None

    def crash(self) -> None:
        """Fall silent without leaving: the member is given up when its session runs out."""
        with self.log.changed:
            member = self.group.members.get(self.name)
            if member is not None:
                member.dead_since_ns = self.log.now_ns()

    def _rebalance(self) -> tuple[frozenset[int], frozenset[int]]:
        """Take part in the group; return what was revoked and what was assigned."""
        now_ns, before = self.log.now_ns(), self._owned
        member = self.group.poll(self.name, self._membership, now_ns)
        if member is None:
            self._own(frozenset())
            self._membership = None
            self.name = self.group.join(now_ns)
            self.log.changed.notify_all()
            return before, frozenset()
        if member.generation == (self._membership.generation if self._membership else 0):
            return frozenset(), frozenset()
        self._own(member.owned)
        self._membership = MemoryMembership(self.name, member.generation, member.owned)
        self.log.changed.notify_all()
        return before - self._owned, self._owned - before

    def _own(self, owned: frozenset[int]) -> None:
        self._paused = (self._paused & owned) | (owned - self._owned)
        self._positions = {p: at for p, at in self._positions.items() if p in owned & self._owned}
        self._owned = owned

    def _read(self, records_max: int) -> list[Record]:
        records: list[Record] = []
        flowing = sorted(self._owned - self._paused)
        self._turn += 1
        for place in range(len(flowing)):
            number = flowing[(place + self._turn) % len(flowing)]
            part, position = self._parts[number], self._positions[number]
            if not part.first <= position <= part.end:
                if records:
                    break
                raise OffsetOutOfRange(number, position, part.first, part.end)
            some, self._positions[number] = part.read(position, records_max - len(records))
            records += some
            if len(records) >= records_max:
                break
        return records


class MemoryReader:
    """Reads a topic of the in-process log from its beginning; see `log.Reader`."""

    def __init__(self, log: "MemoryLog", topic: str, partitions: Sequence[int]) -> None:
        self._log = log
        self._parts = [log.parts(topic)[number] for number in partitions]
        self._positions = [part.first for part in self._parts]
        self._ends: list[int] | None = None

    def poll(self, timeout_s: float, records_max: int) -> list[Record]:
        """Return the next records."""
        records: list[Record] = []

        def ready() -> bool:
            self._log.settle()
            for place, part in enumerate(self._parts):
                # What retention or compaction removed meanwhile is not missed: state, not log.
                position = max(self._positions[place], part.first)
                some, self._positions[place] = part.read(position, records_max - len(records))
                records.extend(some)
            return bool(records)

        with self._log.changed:
            self._log.await_(ready, timeout_s)
        return records

    def at_end(self) -> bool:
        """Whether everything was read that the log held when this was first asked."""
        with self._log.changed:
            self._log.settle()
            if self._ends is None:
                self._ends = [part.end for part in self._parts]
            places = zip(self._positions, self._ends, self._parts, strict=True)
            reached = all(max(at, part.first) >= end for at, end, part in places)
            if reached:
                self._ends = None
            return reached

    def close(self) -> None:
        """Stop reading."""
