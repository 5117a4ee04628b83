"""A partition that became ours: its state is read back before its frames are analysed."""

import msgspec

from telesurv.checkpoint import CLOCK_KEY, Checkpoint, ClockState
from telesurv.engine import Engine
from telesurv.intake import Clock
from telesurv.snapshot import restore
from telesurv_streams.log import STATE, Log, LogUnavailable, Reader, Source

READ_MAX = 500
"""State records that are read, and patients that are restored, between two polls."""


class Assignment:
    """Restores one partition in slices, while its frames are paused."""

    def __init__(self, log: Log, source: Source, partition: int) -> None:
        self.partition = partition
        self._log, self._source = log, source
        self.committed: int | None = None
        self._reader: Reader | None = None
        self._read_all = False
        self._clock: ClockState | None = None
        self._snapshots: dict[bytes, bytes] = {}
        self.lost = False
        """Whether the log no longer holds what would have to be read."""

    def step(self, engine: Engine, checkpoint: Checkpoint, now_s: float) -> bool:
        """Read or restore a slice; return whether the partition can flow now."""
        if self._reader is None:
            try:
                # First the committed offset, then the state up to what is stable after that.
                self.committed = self._source.committed(self.partition)
            except LogUnavailable:
                return False  # whoever owned it before us has left a transaction undecided
            self._reader = self._log.reader(STATE, [self.partition])
        if not self._read_all:
            self._read(self._reader)
            return False
        if self._clock is not None or self._snapshots:
            self._begin(engine, checkpoint)
        for key in list(self._snapshots)[:READ_MAX]:
            row, with_ring = restore(engine, self._snapshots.pop(key), self.partition)
            checkpoint.restored(row, with_ring, now_s)
        if self._snapshots:
            return False
        self._begin(engine, checkpoint)
        self._reader.close()
        return True

    def _read(self, reader: Reader) -> None:
        for record in reader.poll(0.0, READ_MAX):
            key = record.key or b""
            if key == CLOCK_KEY and record.value:
                self._clock = msgspec.msgpack.decode(record.value, type=ClockState)
            elif record.value is None:
                self._snapshots.pop(key, None)
            else:
                self._snapshots[key] = record.value
        self._read_all = reader.at_end()

    def _begin(self, engine: Engine, checkpoint: Checkpoint) -> None:
        """Put the clock to where the frames will be read from, once."""
        if self.partition in engine.clocks:
            return
        first, _ = self._source.bounds(self.partition)
        offset = first if self.committed is None else self.committed
        clock = self._clock
        if clock is not None and clock.offset == offset:
            engine.clocks[self.partition] = Clock(clock.arrival_ns, clock.shift_ns)
        else:
            assert self.committed is None or clock is None, (
                f"partition {self.partition}: clock of offset {clock and clock.offset}, "
                f"committed is {self.committed}"
            )
            engine.clocks[self.partition] = Clock()
        if offset < first:
            self.lost, offset = True, first
        checkpoint.own(self.partition, offset, self.committed)
        self._source.seek(self.partition, offset)

    def give_up(self) -> None:
        """Forget it: the partition went to somebody else."""
        if self._reader is not None:
            self._reader.close()
