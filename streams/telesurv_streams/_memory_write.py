"""How the in-process log is written: record by record, or in atomic slices."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from telesurv_streams._group import Group, MemoryMembership
from telesurv_streams._partition import Transaction, record_bytes
from telesurv_streams.log import Fenced, Membership, Outgoing

if TYPE_CHECKING:
    from telesurv_streams.memory import MemoryLog


class MemorySink:
    """Writes to the in-process log; see `log.Sink`, and the module for what is in flight."""

    def __init__(self, log: "MemoryLog") -> None:
        self._log = log
        self._ticket = 0
        self._flight: list[tuple[int, Outgoing]] = []
        self._bytes = 0

    def send(self, record: Outgoing) -> int:
        """Write a record; return its ticket."""
        with self._log.changed:
            self._log.fault("send")
            self._log.parts(record.topic)
            self._ticket += 1
            self._flight.append((self._ticket, record))
            self._bytes += record_bytes(record)
            if not self._log.in_flight:
                self.deliver()
            return self._ticket

    def full(self) -> bool:
        """Whether more bytes are in flight than `in_flight_bytes_max`."""
        return self._bytes > self._log.in_flight_bytes_max

    def wait(self, ticket: int, timeout_s: float) -> None:
        """Let what is in flight arrive, up to a ticket."""
        with self._log.changed:
            self.deliver(sum(1 for number, _ in self._flight if number <= ticket))

    def close(self) -> None:
        """Let everything arrive that is in flight."""
        self.deliver()

    def deliver(self, count: int | None = None) -> int:
        """Let the first `count` records in flight (all when None) arrive; return how many did."""
        delivered = 0
        with self._log.changed:
            while self._flight and (count is None or delivered < count):
                self._log.fault("deliver")
                ticket, record = self._flight.pop(0)
                self._bytes -= record_bytes(record)
                self._log.append(record, turn=ticket)
                delivered += 1
            self._log.changed.notify_all()
        return delivered

    def crash(self, written: int = 0) -> None:
        """Lose what is in flight but the first `written` records: those the log had taken."""
        with self._log.changed:
            for ticket, record in self._flight[:written]:
                self._log.append(record, turn=ticket)
            self._flight, self._bytes = [], 0
            self._log.changed.notify_all()


class MemorySlices:
    """Writes state and offsets together in the in-process log; see `log.Slices`."""

    def __init__(self, log: "MemoryLog", group: Group, name: str) -> None:
        self._log, self._group, self._name = log, group, name
        with log.changed:
            self._begin()

    def commit(
        self, records: Sequence[Outgoing], offsets: Mapping[int, int], membership: Membership
    ) -> None:
        """Write `records` and the group's `offsets` atomically."""
        assert isinstance(membership, MemoryMembership)
        assert offsets, "a slice without offsets is not fenced"
        log = self._log
        with log.changed:
            log.fault("commit")
            log.settle()
            if log.epochs[self._name] != self._epoch:
                self._begin()
                raise Fenced(f"{self._name}: another writer of this name began after this one")
            self._abort_open()
            transaction = Transaction(self._name, log.now_ns() + log.transaction_ns)
            transaction.group = self._group
            log.transactions.append(transaction)
            try:
                for turn, record in enumerate(records):
                    log.append(record, turn, transaction)
                if refused := self._refusal(records, offsets, membership):
                    raise Fenced(f"{self._name}: {refused}")
            except Exception:
                log.decide(transaction, committed=False)
                raise
            transaction.offsets = dict(offsets)
            log.fault("commit.open")
            if not transaction.open:
                raise Fenced(f"{self._name}: the transaction was aborted, its time was up")
            log.decide(transaction, committed=True)
            log.fault("commit.done")

    def close(self) -> None:
        """Abort what is open."""
        with self._log.changed:
            if self._log.epochs[self._name] == self._epoch:
                self._abort_open()

    def _refusal(
        self, records: Sequence[Outgoing], offsets: Mapping[int, int], membership: MemoryMembership
    ) -> str:
        named = {r.partition for r in records if r.partition is not None} | offsets.keys()
        if foreign := sorted(named - membership.partitions):
            return f"partitions {foreign} are not of the membership given"
        if not self._group.is_current(membership, self._log.now_ns()):
            return f"generation {membership.generation} is over"
        return ""

    def _begin(self) -> None:
        self._epoch = self._log.epochs.get(self._name, 0) + 1
        self._log.epochs[self._name] = self._epoch
        self._abort_open()

    def _abort_open(self) -> None:
        for transaction in [t for t in self._log.transactions if t.name == self._name]:
            self._log.decide(transaction, committed=False)
