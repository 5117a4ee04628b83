"""What a checkpoint writes: which patients, and up to which offset. No I/O, no clock.

A slice is some patients' snapshots and the offsets to commit with them. The committed offset
of a partition is the lowest that any of its patients still needs from the log, by what is
durable: where its rings have to be refilled from, or where its analysis has to go on. A
snapshot that carries its rings, of a patient of whom nothing came since, needs nothing.
"""

from dataclasses import dataclass, field

import msgspec
import numpy as np
from numpy.typing import NDArray

from telesurv.engine import Engine
from telesurv.intake import Clock
from telesurv.needs import Need, needs
from telesurv.snapshot import snapshot
from telesurv.table import MODES, Key
from telesurv_streams.log import STATE, Outgoing

CLOCK_KEY = b"clock"
"""Key of a partition's clock in the state topic."""

IDLE_S = 60.0
"""A patient of whom nothing came for this long is saved with their rings."""

OLD_EVIDENCE_NS = 90_000_000_000
"""Rings whose first record arrived this long before the newest one are saved, not read again.

More than the 64 s that the ring of a numeric at 1 Hz holds: with less, whoever sends SpO2 without
a break would be saved with all rings each time.
"""

BYTES_MAX = 1_000_000
"""A snapshot that would be larger leaves its rings out: Kafka takes no more by default."""

_NOTHING = np.iinfo(np.int64).max


class ClockState(msgspec.Struct, array_like=True):
    """A partition's clock before the record at `offset`."""

    offset: int
    arrival_ns: int
    shift_ns: int


@dataclass(slots=True)
class Slice:
    """One transaction: records of the state topic, and the offsets of the frames' topic."""

    records: list[Outgoing]
    offsets: dict[int, int]
    saved: list[tuple[int, int, int, int]] = field(default_factory=list)
    """Patient row; its snapshot's held, changes and evidence."""


def state_key(key: Key) -> bytes:
    """Return the key of a patient's snapshot in the state topic."""
    return f"{MODES[key.mode]}/{key.route}/{key.patient}".encode()


class Checkpoint:
    """Keeps what is durable of each patient and cuts slices."""

    def __init__(self, engine: Engine, interval_s: float, slice_s: float) -> None:
        self._engine = engine
        self._share = min(1.0, slice_s / interval_s)
        self._history: dict[int, list[ClockState]] = {}
        self._position: dict[int, int] = {}
        self._committed: dict[int, int] = {}
        self._again: set[int] = set()

    def own(self, partition: int, offset: int, committed: int | None) -> None:
        """Begin with a partition: it is read from `offset`, and its clock stands there."""
        clock = self._engine.clocks.setdefault(partition, Clock())
        self._history[partition] = [ClockState(offset, clock.arrival_ns, clock.shift_ns)]
        self._position[partition] = offset
        if committed is not None:
            self._committed[partition] = committed

    def lose(self, partition: int) -> None:
        """Forget a partition."""
        for known in (self._history, self._position, self._committed):
            known.pop(partition, None)

    def advanced(self, partition: int, offset: int) -> None:
        """Take note that all records below `offset` were analysed."""
        clock = self._engine.clocks[partition]
        self._history[partition].append(ClockState(offset, clock.arrival_ns, clock.shift_ns))
        self._position[partition] = offset

    def unsure(self, part: Slice) -> None:
        """Take note that a slice may be durable or not: its patients come again in the next one.

        Until then nothing may be committed that lies before what it committed, if it did.
        """
        self._again.update(row for row, *_ in part.saved)
        for partition, offset in part.offsets.items():
            self._committed[partition] = max(self._committed.get(partition, 0), offset)

    def position(self, partition: int) -> int:
        """Return the next offset to be analysed."""
        return self._position[partition]

    def restored(self, row: int, with_ring: bool, now_s: float) -> None:
        """Take note of a patient whose snapshot was read back."""
        info = self._engine.table.patients["info"][row]
        first = None if with_ring else needs(self._engine.table, [row])[0].first
        info["saved_held"], info["saved_changes"] = info["held"], info["changes"]
        info["saved_evidence"] = -1 if first is None else min(first[0], info["held"])
        info["saved_s"] = now_s

    def cut(self, now_s: float, everything: bool = False) -> Slice | None:
        """Return the next slice; None: there is nothing to write.

        Parameters
        ----------
        now_s : of the worker's clock: who was saved longest ago comes first
        everything : all patients at once (the last slice)
        """
        rows = self._due(now_s, everything)
        part = Slice([], {})
        for row, need in zip(rows.tolist(), needs(self._engine.table, rows.tolist()), strict=True):
            self._save(part, row, need)
        part.offsets = self._offsets(part)
        if not rows.size and part.offsets == self._committed:
            return None
        for partition, offset in part.offsets.items():
            state = next(s for s in self._history[partition] if s.offset == offset)
            value = msgspec.msgpack.encode(state)
            part.records.append(Outgoing(STATE, CLOCK_KEY, value, (), partition))
        return part

    def done(self, part: Slice, now_s: float) -> None:
        """Take note that a slice is durable."""
        info = self._engine.table.patients["info"]
        for row, held, changes, first in part.saved:
            info[row]["saved_held"], info[row]["saved_changes"] = held, changes
            info[row]["saved_evidence"], info[row]["saved_s"] = first, now_s
            self._again.discard(row)
        self._committed.update(part.offsets)
        for partition, offset in part.offsets.items():
            history = self._history[partition]
            self._history[partition] = [state for state in history if state.offset >= offset]

    def _due(self, now_s: float, everything: bool) -> NDArray[np.int64]:
        """Return the patients to save, those saved longest ago first."""
        table = self._engine.table
        info = table.patients["info"][: table.patients.used]
        ours = (info["used"] == 1) & np.isin(info["partition"], list(self._history))
        changed = (info["changes"] != info["saved_changes"]) | (info["saved_held"] < 0)
        # Who was saved after now was so before the worker's clock was set back: long ago.
        saved_s = np.where(info["saved_s"] > now_s, 0.0, info["saved_s"])
        idle = (info["saved_evidence"] >= 0) & (now_s - saved_s >= IDLE_S)
        again = np.isin(np.arange(len(info)), list(self._again))
        due = np.flatnonzero(ours & (changed | idle | again))
        if everything:
            return due
        count = int(np.ceil(np.count_nonzero(ours) * self._share))
        count = max(count, int(np.count_nonzero(ours & again)), 1)
        saved_s = np.where(info["saved_held"] < 0, 0.0, saved_s)
        order = np.argsort(np.where(again, -1.0, saved_s)[due], kind="stable")
        return due[order[:count]]

    def _save(self, part: Slice, row: int, need: Need) -> None:
        info = self._engine.table.patients["info"][row]
        partition = int(info["partition"])
        held = self._position[partition]
        first, newest_ns = need
        idle = info["changes"] == info["saved_changes"]
        with_ring: bool = (
            first is None
            or idle
            or newest_ns - first[1] > OLD_EVIDENCE_NS
            or first[0] < self._committed.get(partition, 0)
        )
        offset = -1 if first is None or with_ring else min(first[0], held)
        data = snapshot(self._engine, row, held, with_ring)
        if with_ring and len(data) > BYTES_MAX:  # its strips will have gaps after a restart
            data = snapshot(self._engine, row, held, with_ring=False)
        key = state_key(self._engine.table.key_of[row])
        part.records.append(Outgoing(STATE, key, data, (), partition))
        part.saved.append((row, held, int(info["changes"]), offset))

    def _offsets(self, part: Slice) -> dict[int, int]:
        """Return what may be committed once a slice is durable, at points the clocks know."""
        table = self._engine.table
        info = table.patients["info"][: table.patients.used].copy()
        for row, held, changes, first in part.saved:
            info[row]["saved_held"], info[row]["saved_changes"] = held, changes
            info[row]["saved_evidence"] = first
        unchanged = info["changes"] == info["saved_changes"]
        ring = info["saved_evidence"] < 0
        need = np.where(
            info["saved_held"] < 0,
            info["first_offset"],
            np.where(
                ring,
                np.where(unchanged, _NOTHING, info["saved_held"]),
                np.minimum(info["saved_evidence"], info["saved_held"]),
            ),
        )
        offsets = {}
        for partition, history in self._history.items():
            mine = (info["used"] == 1) & (info["partition"] == partition)
            lowest = int(need[mine].min(initial=self._position[partition]))
            known = [state.offset for state in history if state.offset <= lowest]
            offsets[partition] = max(known, default=history[0].offset)
        return offsets
