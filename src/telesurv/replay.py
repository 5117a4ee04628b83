"""Replay: recordings as records of the log, through the engine here, or into a broker.

One reader makes the records for both, with the arrival that they have in a replay and the
ticks between them; so both give the same alerts, with the same ids.
"""

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import msgspec

from telesurv.alerts.model import Alert
from telesurv.engine import Engine
from telesurv.intake import ARRIVAL_NS_MAX
from telesurv.publish import wall
from telesurv_kernels.silence import GRID_NS
from telesurv_streams import log as names
from telesurv_streams.log import FRAMES, Log, Misconfigured, Outgoing, Record
from telesurv_streams.recordings import Message, messages

BATCH = 2000
"""Records the engine takes at once."""

TICKS_MAX = 360
"""Ticks in a gap: an hour of them. The frame after it judges what is left."""

TOLD_EVERY_S = 0.1
"""A progress bar need not be newer."""

Progress = Callable[[float, float, str], None]
"""Called with how much is done, of how much (0: unknown), and what is being done."""


@dataclass(slots=True)
class Played:
    """What was replayed."""

    patients: int = 0
    frames: int = 0
    signal_s: float = 0.0
    alerts: int = 0


@dataclass(slots=True)
class _Time:
    """A route's time in the replay: what arrived last, and where its ticks are."""

    arrival_ns: int = 0
    tick_ns: int = 0


@dataclass(slots=True)
class Reader:
    """Turns the messages of recordings into the records of a replay."""

    mode: str
    times: dict[bytes, _Time] = field(default_factory=dict)
    first_ns: int | None = None
    newest_ns: int = 0
    frames: int = 0
    owners_tick: dict[int, set[bytes]] = field(default_factory=dict)

    def records(self, found: Iterable[Message]) -> Iterator[tuple[int, Outgoing]]:
        """Yield (arrival, record) in the order in which they are to be sent."""
        for message in found:
            if message.kind == "data-lost" or message.outgoing.topic != FRAMES:
                continue
            key = message.outgoing.key
            if message.kind == "tick" and key is None:
                yield from self._owners_tick(message)
                continue
            if key is None:
                continue
            if message.place is not None and message.mode == "live":
                self.owners_tick.setdefault(message.place[0], set()).add(key)
            time_of = self.times.setdefault(key, _Time())
            arrival_ns = self._arrival_ns(message, time_of)
            if message.kind == "frame":
                self.frames += 1
                if message.place is None:
                    yield from self._ticks(key, time_of, arrival_ns)
            time_of.arrival_ns = arrival_ns
            self._saw(arrival_ns)
            yield arrival_ns, self._record(message.outgoing, arrival_ns)

    def _arrival_ns(self, message: Message, time_of: _Time) -> int:
        """Return the arrival as the first log took it; else the frames' ends say it."""
        if message.mode in ("replay", "demo"):
            told = dict(message.outgoing.headers).get(names.HEADER_ARRIVAL, b"")
            if told.isdigit() and int(told) <= ARRIVAL_NS_MAX:
                return int(told)
        known = message.arrival_ns
        if known is None:
            known = message.end_ns or 0
        return max(known, time_of.arrival_ns)

    def _ticks(self, key: bytes, time_of: _Time, arrival_ns: int) -> Iterator[tuple[int, Outgoing]]:
        """Yield the ticks of a route up to an arrival, on the grid of the deadlines."""
        if not time_of.arrival_ns:
            return
        tick_ns = max(time_of.tick_ns, time_of.arrival_ns) // GRID_NS * GRID_NS + GRID_NS
        last_ns = min(arrival_ns, tick_ns + TICKS_MAX * GRID_NS)
        while tick_ns <= last_ns:
            time_of.tick_ns = tick_ns
            yield tick_ns, self._tick(key, tick_ns)
            tick_ns += GRID_NS

    def _owners_tick(self, message: Message) -> Iterator[tuple[int, Outgoing]]:
        """Let a recorded tick of a partition be one of each route that was live in it."""
        if message.place is None or message.arrival_ns is None:
            return
        for key in sorted(self.owners_tick.get(message.place[0], ())):
            yield message.arrival_ns, self._tick(key, message.arrival_ns)

    def _tick(self, key: bytes, arrival_ns: int) -> Outgoing:
        return self._record(Outgoing(FRAMES, key, b"", ((names.HEADER_KIND, b"tick"),)), arrival_ns)

    def _record(self, outgoing: Outgoing, arrival_ns: int) -> Outgoing:
        ours = (names.HEADER_MODE, names.HEADER_ARRIVAL)
        headers = tuple(header for header in outgoing.headers if header[0] not in ours)
        told = str(arrival_ns).encode()
        headers += ((ours[0], self.mode.encode()), (ours[1], told))
        return Outgoing(FRAMES, outgoing.key, outgoing.value, headers)

    def _saw(self, arrival_ns: int) -> None:
        if self.first_ns is None:
            self.first_ns = arrival_ns
        self.newest_ns = max(self.newest_ns, arrival_ns)

    @property
    def signal_s(self) -> float:
        """Seconds between the first arrival and the newest."""
        return 0.0 if self.first_ns is None else (self.newest_ns - self.first_ns) / 1e9


def replay(
    paths: Sequence[Path],
    *,
    patient: Sequence[str] = (),
    speed: float | None = None,
    log: Log | None = None,
    alerts_file: Path | None = None,
    all_revisions: bool = False,
    mode: str = "replay",
    progress: Progress = lambda done, total, text: None,
) -> Played:
    """Replay recordings.

    Parameters
    ----------
    paths : recordings, or folders of them
    patient : only these; all when empty
    speed : factor of real time; None: as fast as it goes
    log : where the records go; None: straight through the engine
    alerts_file : JSON Lines of what the engine found; "-" is standard output
    all_revisions : every revision, not the last of each alert
    mode : of the records and alerts, `replay` or `demo`
    """
    reader = Reader(mode)
    found = messages(paths, patient or None)
    sent = _paced(_reported(reader.records(found), reader, progress), speed)
    if log is not None:
        _into(log, sent)
        played = Played()
    else:
        played = _through(sent, alerts_file, all_revisions)
    if absent := sorted(set(patient) - {key.decode() for key in reader.times}):
        raise Misconfigured(
            f"no frame of patient {', '.join(absent)} in {', '.join(map(str, paths))}"
        )
    played.patients = len(reader.times)
    played.frames, played.signal_s = reader.frames, reader.signal_s
    return played


def _paced(
    sent: Iterator[tuple[int, Outgoing]], speed: float | None
) -> Iterator[tuple[int, Outgoing]]:
    """Let records come when their time has come."""
    begin: tuple[float, int] | None = None
    for arrival_ns, record in sent:
        if speed is not None:
            begin = begin or (time.monotonic(), arrival_ns)
            wait_s = (arrival_ns - begin[1]) / 1e9 / speed - (time.monotonic() - begin[0])
            if wait_s > 0:
                time.sleep(wait_s)
        yield arrival_ns, record


def _reported(
    sent: Iterator[tuple[int, Outgoing]], reader: Reader, progress: Progress
) -> Iterator[tuple[int, Outgoing]]:
    told_s = 0.0
    for item in sent:
        if time.monotonic() - told_s >= TOLD_EVERY_S:
            told_s = time.monotonic()
            now = wall(item[0] / 1e9)
            progress(0, 0, f"frames: {reader.frames}, up to {now:%Y-%m-%d %H:%M:%S}")
        yield item


def _into(log: Log, sent: Iterator[tuple[int, Outgoing]]) -> None:
    """Send the records to a broker, no more in flight than it takes."""
    sink = log.sink()
    ticket = 0
    try:
        for _, record in sent:
            ticket = sink.send(record)
            if sink.full():
                sink.wait(ticket, 60.0)
        sink.wait(ticket, 60.0)
    finally:
        sink.close()


def _through(
    sent: Iterator[tuple[int, Outgoing]], alerts_file: Path | None, all_revisions: bool
) -> Played:
    """Feed the records to an engine of our own."""
    engine, batch, played = Engine(), list[Record](), Played()
    last: dict[str, Alert] = {}
    with ExitStack() as stack:
        out = _opened(stack, alerts_file)

        def feed() -> None:
            for _, alert in engine.feed(batch).alerts:
                last[alert.id] = alert
                if all_revisions:
                    _write(out, alert)
            batch.clear()

        for offset, (arrival_ns, record) in enumerate(sent):
            batch.append(
                Record(FRAMES, 0, offset, arrival_ns, record.key, record.value, record.headers)
            )
            if len(batch) >= BATCH:
                feed()
        feed()
        if not all_revisions:
            for alert in last.values():
                _write(out, alert)
    played.alerts = len(last)
    return played


def _opened(stack: ExitStack, path: Path | None) -> IO[bytes] | None:
    if path is None:
        return None
    if str(path) == "-":
        return sys.stdout.buffer
    return stack.enter_context(path.open("wb"))


def _write(out: IO[bytes] | None, alert: Alert) -> None:
    if out is not None:
        out.write(msgspec.json.encode(alert) + b"\n")
