"""A patient's state as bytes, and back: what a checkpoint writes and a restart reads.

Magic and version, a CRC, a MessagePack body, compressed as a whole by zstd. Struct states
travel as raw bytes with the digest of their layout; a layout of an earlier release is restored
field by field, an unknown one is learnt again (kernels) or refused (timelines, episodes: those
always migrate).
"""

import struct
import zlib
from typing import Any

import msgspec
import numpy as np
import zstandard
from numpy.typing import NDArray

from telesurv.alerts.episode import Episode
from telesurv.alerts.model import Plan
from telesurv.alerts.patient import PatientAlerts
from telesurv.alerts.several import Several
from telesurv.cascade import HEART_KERNELS, LEAD_KERNELS
from telesurv.engine import Engine
from telesurv.layouts import LAYOUTS, digest, restored
from telesurv.table import LINK, Key, PatientTable
from telesurv_kernels import ring
from telesurv_streams.frame import MISSING
from telesurv_streams.order import Held

MAGIC = b"TSRV"
VERSION = 1
_HEAD = struct.Struct("<4sHI")  # magic, version, CRC-32 of what follows

FORGET_NS = 600_000_000_000
"""An ended episode that nothing can join any more is left out this long after."""

_LEVEL = 1  # of zstd: a third of what it was for 20 us; a higher one saves little


_DIGESTS = {name: digest(dtype) for name, dtype in LAYOUTS.items()}


class Damaged(Exception):
    """Bytes that are no snapshot; says what was seen and what was expected."""


class HeldRow(msgspec.Struct, array_like=True):
    """A row that waits for a missing one."""

    start_ns: int
    rate_hz: float
    scale: float
    offset: float
    sequence: int
    arrival_ns: int
    log_offset: int
    log_row: int
    samples: bytes


class Line(msgspec.Struct, array_like=True):
    """A timeline with its kernels' states."""

    device: str
    channel: str
    sections: dict[str, tuple[str, bytes]]  # name -> digest of the layout, bytes
    places: bytes  # PLACE of the frames in the ring
    anchors: bytes  # ANCHOR
    beats: bytes  # BEATS in the ring
    mask: bytes  # of the ring, oldest first
    samples: bytes | None  # of the ring, likewise; None: to be read again from the log
    held: list[HeldRow]


class Body(msgspec.Struct, array_like=True):
    """A patient."""

    mode: int
    route: str
    patient: str
    held: int  # records from this offset on are not in it
    plan: Plan
    silence: tuple[str, bytes]
    skew_ns: int | None
    lines: list[Line]
    episodes: list[Episode]  # strip_line is an index into lines
    heart: dict[str, tuple[str, bytes]]  # as a line's sections; empty: no ECG
    several: Several
    quarantined: bool = False


def snapshot(engine: Engine, row: int, held: int, with_ring: bool) -> bytes:
    """Return the snapshot of a patient; all records below offset `held` were analysed."""
    table, alerts = engine.table, engine.alerts[row]
    key = table.key_of[row]
    lines = table.timelines_of[row]
    number = {line: at for at, line in enumerate(lines)}
    body = Body(
        mode=key.mode,
        route=key.route,
        patient=key.patient,
        held=held,
        plan=table.plan_of[row],
        silence=_section("silence", table.patients["silence"][row]),
        skew_ns=alerts.skew_ns,
        lines=[_line(engine, line, with_ring) for line in lines],
        episodes=_episodes(engine, alerts, lines, number),
        heart=_heart(table, row),
        several=_moved(alerts.several, number),
        quarantined=bool(table.patients["info"][row]["quarantined"]),
    )
    data = zstandard.ZstdCompressor(_LEVEL).compress(msgspec.msgpack.encode(body))
    return _HEAD.pack(MAGIC, VERSION, zlib.crc32(data)) + data


def restore(engine: Engine, data: bytes, partition: int) -> tuple[int, bool]:
    """Put a patient back into the engine; raises `Damaged`.

    Returns the row, and whether the rings came with it (else the log is to be read again).
    """
    body = _read(data)
    row = engine.patient(Key(body.mode, body.route, body.patient, partition), body.held)
    try:
        _fill(engine, row, body)
    except (LookupError, TypeError, ValueError, msgspec.DecodeError) as error:
        engine.forget(row)
        raise Damaged(f"{type(error).__name__}: {error}") from error
    return row, all(line.samples is not None for line in body.lines)


def _fill(engine: Engine, row: int, body: Body) -> None:
    table, alerts = engine.table, engine.alerts[row]
    table.set_plan(row, body.plan)
    table.patients["silence"][row] = restored("silence", *body.silence)
    table.patients["info"][row]["held"] = body.held
    lines = [_put_line(engine, row, line) for line in body.lines]
    alerts.skew_ns = body.skew_ns
    table.patients["info"][row]["quarantined"] = int(body.quarantined)
    for episode in body.episodes:
        if episode.strip_line >= 0:
            episode.strip_line = lines[episode.strip_line]
        alerts.episodes[episode.chain] = episode
    for name, known in body.heart.items():
        table.heart[name][table.heart_of[row]] = restored(name, *known)
    if body.heart:
        at = table.heart_of[row]
        table.heart["reached_ns"][at] = table.heart["leads"][at]["reached_ns"]
    alerts.several = _moved(body.several, dict(enumerate(lines)))
    if alerts.waits:
        engine.waiting.add(row)


def _moved(several: Several, to: dict[int, int]) -> Several:
    """Return it with other numbers for its timelines."""
    return Several(
        {code: sorted(to[line] for line in lines) for code, lines in several.holders.items()},
        {code: off._replace(timeline=to[off.timeline]) for code, off in several.ended.items()},
    )


def _read(data: bytes) -> Body:
    if len(data) < _HEAD.size:
        raise Damaged(f"{len(data)} bytes, expected a snapshot")
    magic, version, crc = _HEAD.unpack_from(data)
    if magic != MAGIC or version != VERSION:
        raise Damaged(f"magic {magic!r} version {version}, expected {MAGIC!r} {VERSION}")
    if zlib.crc32(data[_HEAD.size :]) != crc:
        raise Damaged("checksum differs: the snapshot was altered")
    try:
        body = zstandard.ZstdDecompressor().decompress(data[_HEAD.size :])
        return msgspec.msgpack.decode(body, type=Body)
    except (msgspec.DecodeError, zstandard.ZstdError) as error:
        raise Damaged(str(error)) from error


def _section(name: str, state: Any) -> tuple[str, bytes]:
    return _DIGESTS[name], state.tobytes()


def _heart(table: PatientTable, row: int) -> dict[str, tuple[str, bytes]]:
    """Return the sections of a patient's heart."""
    at = table.heart_of.get(row)
    if at is None:
        return {}
    return {name: _section(name, table.heart[name][at]) for name in HEART_KERNELS}


def _sections(table: PatientTable, link: Any) -> dict[str, tuple[Any, int, str]]:
    """Return the kernels' columns of a timeline: pool, row and column by section name."""
    found: dict[str, tuple[Any, int, str]] = {}
    if link["wave"] >= 0:
        found["quality"] = (table.wave, int(link["wave"]), "state")
    if link["ecg"] >= 0:
        found |= {name: (table.ecg, int(link["ecg"]), name) for name in LEAD_KERNELS}
    if link["spo2"] >= 0:
        found["spo2"] = (table.spo2, int(link["spo2"]), "state")
    return found


_FIELDS = LINK.names or ()
_LINK = ("ring_from", "count", "position_ns", "rate_hz", "scale", "offset")


def _line(engine: Engine, line: int, with_ring: bool) -> Line:
    table, lines = engine.table, engine.table.timelines
    link = dict(zip(_FIELDS, lines["link"][line].item(), strict=True))
    count, size = link["count"], link["ring_size"]
    sections = {
        name: _section(name, pool[column][at])
        for name, (pool, at, column) in _sections(table, link).items()
    }
    sections["timeline"] = _section("timeline", lines["state"][line])
    sections["link"] = ("", msgspec.msgpack.encode([link[name] for name in _LINK]))
    mask, samples, beats = b"", b"" if with_ring else None, b""
    oldest = max(count - size, link["ring_from"], 0)
    if size:
        pool, at = table.rings[size], link["ring"]
        mask = ring.masks(pool["reasons"][at], np.arange(oldest, count) % size).tobytes()
        if with_ring:
            samples = _newest(pool["samples"][at], count, count - oldest)
    if size and link["ecg"] >= 0:
        known, at = table.ecg["recent_beats"], link["ecg"]
        beats = _recent(known[at], int(table.ecg["recent_beats_head"][at]), oldest)
    places, anchors = lines["places"][line], lines["anchors"][line]
    inside = int(np.count_nonzero(places["sample"] + places["count"] > oldest))
    anchors_head = int(lines["anchors_head"][line])
    device, channel = table.name_of[line]
    return Line(
        device,
        channel,
        sections,
        _newest(places, int(lines["places_head"][line]), inside),
        _newest(anchors, anchors_head, min(anchors_head, len(anchors))),
        beats,
        mask,
        samples,
        [_held_row(held) for held in engine.order.held.get(line, ())],
    )


def _newest(row: NDArray[Any], head: int, count: int) -> bytes:
    """Return the last `count` of the entries that a small ring was ever given, oldest first."""
    size = len(row)
    end, begin = head % size, (head - count) % size
    if begin < end or not count:
        return row[begin:end].tobytes() if count else b""
    return row[begin:].tobytes() + row[:end].tobytes()


def _recent(row: NDArray[Any], head: int, from_sample: int) -> bytes:
    """Return the beats that lie in the ring; they are remembered in their order."""
    known = min(head, len(row))
    if from_sample > 0:  # else an empty slot would count as a beat at 0
        known = int(np.count_nonzero(row["sample"] >= from_sample))
    return _newest(row, head, known)


def _kept(link: Any) -> NDArray[np.int64]:
    """Return the slots of a ring that hold samples, the oldest first."""
    count, size = int(link["count"]), int(link["ring_size"])
    return np.arange(max(count - size, int(link["ring_from"]), 0), count) % size


def _held_row(held: Held) -> HeldRow:
    return HeldRow(
        held.start_ns,
        held.rate_hz,
        held.scale,
        held.offset,
        held.sequence,
        held.arrival_ns,
        held.log_offset,
        held.log_row,
        held.samples.tobytes(),
    )


def _put_line(engine: Engine, row: int, saved: Line) -> int:
    table = engine.table
    line = table.timeline(row, saved.device, saved.channel)
    lines = table.timelines
    lines["state"][line] = restored("timeline", *saved.sections["timeline"])
    numbers = dict(zip(_LINK, msgspec.msgpack.decode(saved.sections["link"][1]), strict=True))
    if numbers["scale"]:
        table.set_settings(line, numbers["rate_hz"], numbers["scale"], numbers["offset"])
    link = lines["link"][line]
    for name, value in numbers.items():
        link[name] = value
    for name, (pool, at, column) in _sections(table, link).items():
        if name in saved.sections:
            pool[column][at] = restored(name, *saved.sections[name], count=int(link["count"]))
    for column, data, dtype in (
        ("places", saved.places, ring.PLACE),
        ("anchors", saved.anchors, ring.ANCHOR),
    ):
        known = np.frombuffer(data, dtype)
        lines[column][line][: len(known)] = known
        lines[f"{column}_head"][line] = len(known)
    if link["ring_size"]:
        pool, at = table.rings[int(link["ring_size"])], int(link["ring"])
        kept = _kept(link)
        ring.set_masks(pool["reasons"][at], kept, np.frombuffer(saved.mask, np.uint8))
        # What the log no longer holds stays missing: no strip may show it as a flat line.
        pool["samples"][at, kept] = MISSING
        if saved.samples:
            pool["samples"][at, kept] = np.frombuffer(saved.samples, np.int16)
    if saved.beats:
        known = np.frombuffer(saved.beats, ring.BEATS)
        table.ecg["recent_beats"][link["ecg"], : len(known)] = known
        table.ecg["recent_beats_head"][link["ecg"]] = len(known)
    if saved.held:
        engine.order.held[line] = [_held(held) for held in saved.held]
    return line


def _held(saved: HeldRow) -> Held:
    return Held(
        saved.start_ns,
        saved.rate_hz,
        saved.scale,
        saved.offset,
        saved.sequence,
        saved.arrival_ns,
        saved.log_offset,
        saved.log_row,
        np.frombuffer(saved.samples, np.int16),
    )


def _episodes(
    engine: Engine, alerts: PatientAlerts, lines: list[int], number: dict[int, int]
) -> list[Episode]:
    """Return the episodes that something may still join, or that go on."""
    link = engine.table.timelines["link"]
    now_ns = max((int(link[line]["position_ns"]) for line in lines), default=0)
    kept = []
    for episode in alerts.episodes.values():
        over = episode.state == "ended" and episode.strip_complete
        if over and not episode.joins(now_ns - FORGET_NS):
            continue
        kept.append(msgspec.structs.replace(episode, strip_line=number.get(episode.strip_line, -1)))
    return kept
