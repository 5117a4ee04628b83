"""Signals, the records that carry them, and what an engine makes of those."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from kernel_cases import ecg as bells
from telesurv.alerts.model import Alert, Minute, Plan
from telesurv.engine import Engine
from telesurv.intake import Bad
from telesurv.snapshot import snapshot
from telesurv_streams import log
from telesurv_streams.wire import FRAME_HEADER, Row, encode

S, MS = 1_000_000_000, 1_000_000
T0 = 1_750_000_020 * S  # a full minute
DATA = Path(__file__).parent / "data" / "mitdb"


@dataclass(frozen=True)
class Signal:
    """One channel of a device, from T0 on."""

    channel: str
    codes: NDArray[np.int16]
    rate_hz: float
    scale: float
    device: str = "d"
    start_ns: int = T0

    def frames(self, patient: str, frame_s: float = 1.0, numbered: bool = True) -> list[Row]:
        """Cut it into frames of `frame_s`."""
        size = max(1, round(frame_s * self.rate_hz))
        rows = []
        for number, first in enumerate(range(0, len(self.codes), size)):
            start_ns = self.start_ns + round(first / self.rate_hz * 1e9)
            rows.append(
                Row(patient, self.device, self.channel, start_ns, self.rate_hz, self.scale, 0.0,
                    self.codes[first : first + size], number if numbered else -1)
            )  # fmt: skip
        return rows


def end_ns(row: Row) -> int:
    span = len(row.samples) / row.rate_hz if row.rate_hz else 0.0
    return row.start_ns + round(span * 1e9)


# Signals.


def real(record: str, quiet_s: Iterable[tuple[float, float]] = ()) -> Signal:
    """A minute of mitdb, and its begin again; where it is quiet, what an electrode picks up."""
    with np.load(DATA / f"{record}.npz") as data:
        codes, rate_hz, scale = data["samples"], float(data["rate_hz"]), data["scale_mv"]
    codes = np.concatenate([codes, codes[: round(8 * rate_hz)]])
    rng = np.random.default_rng(int(record))
    for begin, end in quiet_s:
        at = slice(round(begin * rate_hz), round(end * rate_hz))
        size = len(codes[at])
        sway = 30 * np.sin(np.arange(size) / 90)
        codes[at] = np.median(codes) + np.rint(sway + rng.normal(0, 4, size))
    return Signal("ecg.II", codes, rate_hz, float(scale))


def made(
    beats_s: Iterable[float], length_s: float, channel: str = "ecg.II", *, rate_hz: float = 250.0,
    gain: float = 1.0, seed: int = 1, device: str = "d",
) -> Signal:  # fmt: skip
    """An ECG of beats at these seconds, with a little noise."""
    rng = np.random.default_rng(seed)
    mv = gain * bells(beats_s, length_s, rate_hz)
    mv += rng.normal(0, 0.01, len(mv))
    return Signal(channel, np.rint(mv / 0.005).astype(np.int16), rate_hz, 0.005, device)


def beating(length_s: float, stops_s: Iterable[tuple[float, float]] = ()) -> list[float]:
    """Beats at 75 a minute but for where the heart stops."""
    stops = list(stops_s)
    beats = np.arange(0.4, length_s, 0.8).tolist()
    return [at for at in beats if not any(begin <= at < end for begin, end in stops)]


def off(signal: Signal, *stretches_s: tuple[float, float]) -> Signal:
    """The signal with its electrode off in these stretches: one code."""
    codes = signal.codes.copy()
    for begin, end in stretches_s:
        codes[round(begin * signal.rate_hz) : round(end * signal.rate_hz)] = 0
    return Signal(
        signal.channel, codes, signal.rate_hz, signal.scale, signal.device, signal.start_ns
    )


def oxygen(levels: Sequence[tuple[int, float]], device: str = "d", rate_hz: float = 1.0) -> Signal:
    """SpO2: seconds and % of each stretch; 0 is no valid reading."""
    codes = np.concatenate([np.full(round(n * rate_hz), v) for n, v in levels]).astype(np.int16)
    return Signal("spo2", codes, rate_hz, 1.0, device)


# Records.


@dataclass
class Tape:
    """Records of a partition, one after the other."""

    mode: str = "live"
    records: list[log.Record] = field(default_factory=list)
    now_ns: int = 0
    partition: int = 0

    def put(
        self, value: bytes | None, headers: log.Headers, key: bytes | None, arrival_ns: int
    ) -> "Tape":
        self.now_ns = max(self.now_ns, arrival_ns)
        if self.mode != "live":
            told = str(arrival_ns).encode()
            headers = (*headers, (log.HEADER_MODE, self.mode.encode()), (log.HEADER_ARRIVAL, told))
        self.records.append(
            log.Record(
                log.FRAMES, self.partition, len(self.records), self.now_ns, key, value, headers
            )
        )
        return self

    def rows(self, rows: Sequence[Row], arrival_ns: int | None = None, key: str = "") -> "Tape":
        """A message of frames; it arrives when the last of them is over."""
        ends_ns = max(end_ns(row) for row in rows)
        route = (key or rows[0].patient).encode()
        arrival_ns = ends_ns if arrival_ns is None else arrival_ns
        return self.put(encode(rows), (FRAME_HEADER,), route, arrival_ns)

    def tick(self, arrival_ns: int, key: bytes | None = None) -> "Tape":
        return self.put(b"", ((log.HEADER_KIND, b"tick"),), key, arrival_ns)

    def plan(self, plan: Plan, arrival_ns: int) -> "Tape":
        key = (plan.route or plan.patient).encode()
        value = msgspec.json.encode(plan)
        return self.put(value, ((log.HEADER_KIND, b"plan"),), key, arrival_ns)

    def lost(self, arrival_ns: int) -> "Tape":
        return self.put(b"", ((log.HEADER_KIND, b"data-lost"),), None, arrival_ns)


def by_end(*rows: Row) -> list[Row]:
    """Rows in the order in which they are over."""
    return sorted(rows, key=lambda row: (end_ns(row), row.patient, row.device, row.channel))


def tape_of(rows: Iterable[Row], mode: str = "live") -> Tape:
    """A message a row, in this order."""
    tape = Tape(mode)
    for row in rows:
        tape.rows([row])
    return tape


# What comes of them.


@dataclass
class Ran:
    engine: Engine
    revisions: dict[str, list[Alert]]  # by mode and id, in order
    minutes: list[Minute]
    bad: list[Bad]
    duplicates: int

    @property
    def alerts(self) -> list[Alert]:
        """The last revision of each alert, by onset."""
        lasts = [revisions[-1] for revisions in self.revisions.values()]
        return sorted(lasts, key=lambda alert: (alert.patient, alert.onset, alert.condition))

    def of(self, condition: str, patient: str | None = None) -> list[Alert]:
        """Alerts that went through a condition."""
        return [
            alert
            for alert in self.alerts
            if any(entry.condition == condition for entry in alert.conditions)
            and patient in (None, alert.patient)
        ]

    def one(self, condition: str, patient: str | None = None) -> Alert:
        found = self.of(condition, patient)
        assert len(found) == 1, [(a.condition, a.onset) for a in self.alerts]
        return found[0]

    @property
    def conditions(self) -> set[tuple[str, str]]:
        return {(a.patient, e.condition) for a in self.alerts for e in a.conditions}

    @property
    def states(self) -> dict[Any, bytes]:
        """The snapshot of every patient, with rings."""
        table = self.engine.table
        return {key: snapshot(self.engine, row, 0, True) for key, row in table.keys.items()}

    @property
    def sorted_minutes(self) -> list[Any]:
        return sorted((m.patient, m.numeric, m.minute, m.mean, m.low) for m in self.minutes)


def run(
    records: Sequence[log.Record], cuts: Iterable[int] = (), engine: Engine | None = None
) -> Ran:
    """Feed records in batches that end at `cuts`."""
    ran = Ran(engine or Engine(), defaultdict(list), [], [], 0)
    for first, last in pairwise(sorted({0, *cuts, len(records)})):
        output = ran.engine.feed(records[first:last])
        for _, alert in output.alerts:
            revisions = ran.revisions[f"{alert.mode}/{alert.id}"]
            assert alert.revision == len(revisions) + 1 or engine is not None
            revisions.append(alert)
        ran.minutes += [minute for _, minute in output.numerics]
        ran.bad += output.bad
        ran.duplicates += output.duplicates
    return ran


def singly(records: Sequence[log.Record]) -> Ran:
    return run(records, range(len(records)))


def seconds(moment: Any) -> float:
    """Device time of an alert's date as seconds after T0."""
    return round(moment.timestamp() - T0 / S, 6)


def told(alert: Alert) -> list[tuple[str, float, float, float | None]]:
    """Condition, onset, detected and end of each entry of an alert, in seconds after T0."""
    return [
        (e.condition, seconds(e.onset), seconds(e.detected),
         None if e.resolved is None else seconds(e.resolved))
        for e in alert.conditions
    ]  # fmt: skip
