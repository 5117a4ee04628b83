"""A partition that became ours: its state is read back before its frames are analysed."""

import msgspec
import structlog

from telesurv.checkpoint import CLOCK_KEY, Checkpoint, ClockState
from telesurv.engine import Engine
from telesurv.intake import Clock
from telesurv.snapshot import Damaged, restore
from telesurv_streams.log import STATE, Log, Reader, Source

READ_MAX = 500
"""State records that are read, and patients that are restored, between two polls."""

_log = structlog.get_logger("telesurv.assignment")


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
        self._offset = self._end = 0
        self._guessed = False
        self.lost = False
        """Whether the log no longer holds what would have to be read."""

    def step(self, engine: Engine, checkpoint: Checkpoint, now_s: float) -> bool:
        """Read or restore a slice; return whether the partition can flow now.

        Raises `LogUnavailable`, also where whoever owned the partition before has left a
        transaction undecided: nothing was done then, ask again.
        """
        if self._reader is None:
            # First the committed offset, then the state up to what is stable after that.
            self.committed = self._source.committed(self.partition)
            self._reader = self._log.reader(STATE, [self.partition])
        if not self._read_all:
            self._read(self._reader)
            return False
        self._begin(engine, checkpoint)
        for key in list(self._snapshots)[:READ_MAX]:
            self._restore(key, self._snapshots.pop(key), engine, checkpoint, now_s)
        if self._snapshots:
            return False
        if self._guessed:
            checkpoint.own(self.partition, self._offset, self.committed)
        self._reader.close()
        return True

    def _read(self, reader: Reader) -> None:
        for record in reader.poll(0.0, READ_MAX):
            key = record.key or b""
            if key == CLOCK_KEY:
                self._clock = self._clock_of(record.value or b"")
            elif record.value is None:
                self._snapshots.pop(key, None)
            else:
                self._snapshots[key] = record.value
        self._read_all = reader.at_end()

    def _clock_of(self, value: bytes) -> ClockState | None:
        try:
            return msgspec.msgpack.decode(value, type=ClockState)
        except msgspec.DecodeError as error:
            _log.error("clock damaged", partition=self.partition, why=str(error))
            return None

    def _begin(self, engine: Engine, checkpoint: Checkpoint) -> None:
        """Put the clock to where the frames will be read from, once."""
        if self.partition in engine.clocks:
            return
        first, self._end = self._source.bounds(self.partition)
        offset = first if self.committed is None else self.committed
        clock = self._clock
        if clock is not None and clock.offset == offset:
            engine.clocks[self.partition] = Clock(clock.arrival_ns, clock.shift_ns)
        else:
            # Nobody but an operator moves an offset without its clock, or forgets it.
            if clock is not None or self.committed is not None:
                known = None if clock is None else clock.offset
                _log.warning(
                    "clock unknown", partition=self.partition, offset=offset, clock_offset=known
                )
            engine.clocks[self.partition] = Clock()
            self._guessed = True
        if not first <= offset <= self._end:
            self.lost, offset = True, min(max(offset, first), self._end)
        self._offset = offset
        checkpoint.own(self.partition, offset, self.committed)
        self._source.seek(self.partition, offset)

    def _restore(
        self, key: bytes, data: bytes, engine: Engine, checkpoint: Checkpoint, now_s: float
    ) -> None:
        """Put a patient back; one whose snapshot cannot be read is learnt again."""
        try:
            row, with_ring = restore(engine, data, self.partition)
        except Damaged as error:
            name = key.decode("ascii", "replace")
            _log.error("snapshot damaged", partition=self.partition, key=name, why=str(error))
            return
        checkpoint.restored(row, with_ring, now_s)
        # Where the log was cut at its end, its offsets count anew: nothing of it was analysed.
        held = engine.table.patients["info"]["held"]
        if held[row] > self._end:
            self.lost, held[row] = True, self._end
        if self._guessed:  # as late as the patients know: nobody is to be found silent by it
            clock, silence = engine.clocks[self.partition], engine.table.patients["silence"][row]
            clock.arrival_ns = max(clock.arrival_ns, int(silence["base_ns"]))
            clock.shift_ns = max(clock.shift_ns, int(silence["base_shift_ns"]))

    def give_up(self) -> None:
        """Forget it: the partition went to somebody else."""
        if self._reader is not None:
            self._reader.close()
