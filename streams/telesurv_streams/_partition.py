"""One partition of the in-process log: offsets with gaps, transactions, compaction, retention."""

from bisect import bisect_left
from collections.abc import Mapping
from operator import attrgetter

from telesurv_streams.log import Misconfigured, Outgoing, Record

RECORD_OVERHEAD_BYTES = 70
"""What a record costs beyond its key, value and headers, roughly as in Kafka's format."""

COMPACT_RECORDS_MIN = 1024
"""A compacted partition is left alone until it holds so many records."""

_DAY_MS = 86_400_000
_offset = attrgetter("offset")


def record_bytes(record: Record | Outgoing) -> int:
    """Return about how many bytes a record takes in the log."""
    size = RECORD_OVERHEAD_BYTES + len(record.key or b"") + len(record.value or b"")
    for name, value in record.headers:
        size += len(name) + len(value)
    return size


class Transaction:
    """Records and offsets that become visible together; open until committed or aborted."""

    __slots__ = ("deadline_ns", "group", "name", "offsets", "open", "parts")

    def __init__(self, name: str, deadline_ns: int) -> None:
        self.name = name
        self.deadline_ns = deadline_ns
        self.open = True
        self.parts: list[Partition] = []
        self.offsets: dict[int, int] = {}
        self.group: object = None


class Partition:
    """Records in the order of their offsets. Not thread-safe: the log holds the lock."""

    def __init__(self, topic: str, number: int, config: Mapping[str, str]) -> None:
        policy = config.get("cleanup.policy", "delete")
        self.topic, self.number = topic, number
        self.compacted = "compact" in policy
        self._retention_ms = int(config.get("retention.ms", -1)) if "delete" in policy else -1
        self._retention_bytes = int(config.get("retention.bytes", -1))
        self._tombstones_ms = int(config.get("delete.retention.ms", _DAY_MS))
        self.first = 0
        self.end = 0
        self._records: list[Record] = []
        self._bytes = 0
        self._arrival_ns = -(2**63)
        self._open: dict[Transaction, tuple[int, list[int]]] = {}  # first offset, all of them
        self._compact_at = COMPACT_RECORDS_MIN

    @property
    def stable(self) -> int:
        """The offset up to which every transaction is decided."""
        return min((first for first, _ in self._open.values()), default=self.end)

    def append(self, record: Outgoing, now_ns: int, transaction: Transaction | None = None) -> int:
        """Take a record and return its offset."""
        if self.compacted and record.key is None:
            raise Misconfigured(f"topic {self.topic} is compacted: a record without key is refused")
        self._arrival_ns = max(self._arrival_ns, now_ns)
        taken = Record(
            self.topic,
            self.number,
            self.end,
            self._arrival_ns,
            record.key,
            record.value,
            tuple(record.headers),
        )
        self._records.append(taken)
        self._bytes += record_bytes(taken)
        self.end += 1
        if transaction is not None:
            if transaction not in self._open:
                self._open[transaction] = (taken.offset, [])
                transaction.parts.append(self)
            self._open[transaction][1].append(taken.offset)
        self._keep_bounded(now_ns)
        return taken.offset

    def finish(self, transaction: Transaction, committed: bool) -> None:
        """Decide a transaction; its marker takes an offset, as in Kafka."""
        _, offsets = self._open.pop(transaction)
        self.end += 1
        if not committed:
            aborted = set(offsets)
            self._keep([r for r in self._records if r.offset not in aborted])

    def read(self, position: int, count: int) -> tuple[list[Record], int]:
        """Return up to `count` decided records from a position, and the position after them."""
        stable = self.stable
        start = bisect_left(self._records, position, key=_offset)
        stop = min(start + count, bisect_left(self._records, stable, lo=start, key=_offset))
        records = self._records[start:stop]
        if len(records) < count:
            return records, max(position, stable)
        return records, records[-1].offset + 1 if records else position

    def truncate(self, first: int) -> None:
        """Forget everything before an offset."""
        self.first = min(max(self.first, first), self.stable)
        self._keep(self._records[bisect_left(self._records, self.first, key=_offset) :])

    def compact(self, now_ns: int) -> None:
        """Keep the last record of each key; forget tombstones older than `delete.retention.ms`."""
        stable = self.stable
        last = {r.key: r.offset for r in self._records if r.offset < stable}
        oldest_ns = now_ns - self._tombstones_ms * 1_000_000
        self._keep(
            [
                r
                for r in self._records
                if r.offset >= stable
                or (last[r.key] == r.offset and (r.value is not None or r.arrival_ns > oldest_ns))
            ]
        )

    def _keep(self, records: list[Record]) -> None:
        self._records = records
        self._bytes = sum(map(record_bytes, records))

    def _keep_bounded(self, now_ns: int) -> None:
        if self.compacted and len(self._records) >= self._compact_at:
            self.compact(now_ns)
            self._compact_at = max(COMPACT_RECORDS_MIN, 2 * len(self._records))
        # An eighth more than allowed before anything is cut: the cut copies what stays.
        if self._retention_bytes >= 0 and self._bytes > self._retention_bytes * 9 // 8:
            surplus, place = self._bytes - self._retention_bytes, 0
            while surplus > 0:
                surplus -= record_bytes(self._records[place])
                place += 1
            self.truncate(self._records[place].offset if place < len(self._records) else self.end)
        if self._retention_ms >= 0:
            oldest_ns = now_ns - self._retention_ms * 1_000_000
            slack_ns = self._retention_ms * 1_000_000 // 8
            if self._records and self._records[0].arrival_ns < oldest_ns - slack_ns:
                arrival = attrgetter("arrival_ns")
                place = bisect_left(self._records, oldest_ns, key=arrival)
                self.truncate(
                    self._records[place].offset if place < len(self._records) else self.end
                )
