"""A patient's state as bytes, and back: what a checkpoint writes and a restart reads.

Magic and version, a MessagePack body, a CRC. Struct states travel as raw bytes with the
digest of their layout; a layout of an earlier release is restored field by field, an unknown
one is learnt again (kernels) or refused (timelines, episodes: those always migrate).
"""

import struct
import zlib
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from telesurv.alerts.episode import Episode
from telesurv.alerts.fusion import Change, Lead
from telesurv.alerts.model import Plan
from telesurv.alerts.patient import PatientAlerts
from telesurv.alerts.several import Several
from telesurv.engine import Engine
from telesurv.layouts import digest, restored
from telesurv.table import Key, remembered
from telesurv_kernels import ring
from telesurv_streams.order import Held

MAGIC = b"TSRV"
VERSION = 1
_HEAD = struct.Struct("<4sHI")  # magic, version, CRC-32 of the body

FORGET_NS = 600_000_000_000
"""An ended episode that nothing can join any more is left out this long after."""

_DEFLATE = 1  # zlib's level: these are small, and made often


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
    places: bytes  # PLACE of the frames in the ring, deflated
    anchors: bytes  # ANCHOR
    beats: bytes  # BEATS in the ring, deflated
    mask: bytes  # of the ring, oldest first, deflated
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
    episodes: bytes  # deflated MessagePack of list[Episode], strip_line an index into lines
    leads: dict[int, Lead]
    waiting: list[Change]
    present: list[int]
    analysed: bool
    several: Several


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
        silence=_section(table.patients["silence"][row]),
        skew_ns=alerts.skew_ns,
        lines=[_line(engine, line, with_ring) for line in lines],
        episodes=_episodes(engine, alerts, lines, number),
        leads={number[line]: lead for line, lead in alerts.fusion.leads.items()},
        waiting=[c._replace(timeline=number[c.timeline]) for c in alerts.fusion.waiting],
        present=sorted(alerts.fusion.present),
        analysed=alerts.fusion.analysed,
        several=_moved(alerts.several, number),
    )
    data = msgspec.msgpack.encode(body)
    return _HEAD.pack(MAGIC, VERSION, zlib.crc32(data)) + data


def restore(engine: Engine, data: bytes, partition: int) -> tuple[int, bool]:
    """Put a patient back into the engine; raises `Damaged`.

    Returns the row, and whether the rings came with it (else the log is to be read again).
    """
    body = _read(data)
    row = engine.patient(Key(body.mode, body.route, body.patient, partition), body.held)
    table, alerts = engine.table, engine.alerts[row]
    table.set_plan(row, body.plan)
    table.patients["silence"][row] = restored("silence", *body.silence)
    table.patients["info"][row]["held"] = body.held
    lines = [_put_line(engine, row, line) for line in body.lines]
    alerts.skew_ns = body.skew_ns
    for episode in msgspec.msgpack.decode(zlib.decompress(body.episodes), type=list[Episode]):
        if episode.strip_line >= 0:
            episode.strip_line = lines[episode.strip_line]
        alerts.episodes[episode.chain] = episode
    fusion = alerts.fusion
    fusion.leads = {lines[at]: lead for at, lead in body.leads.items()}
    fusion.waiting = [change._replace(timeline=lines[change.timeline]) for change in body.waiting]
    fusion.present, fusion.analysed = set(body.present), body.analysed
    alerts.several = _moved(body.several, dict(enumerate(lines)))
    if alerts.waits:
        engine.waiting.add(row)
    return row, all(line.samples is not None for line in body.lines)


def evidence(engine: Engine, row: int) -> tuple[int, int] | None:
    """Return offset and arrival of the first record that the patient's rings need.

    None where the log's places do not cover a ring: then the snapshot has to carry it.
    """
    table = engine.table
    first: tuple[int, int] | None = None
    for line in table.timelines_of[row]:
        link = table.timelines["link"][line]
        if not link["ring_size"]:
            continue
        oldest = max(int(link["count"] - link["ring_size"]), int(link["ring_from"]), 0)
        known = _in_ring(engine, line)
        if not len(known) or known["sample"].min() > oldest:
            return None
        at = int(np.argmin(known["offset"]))
        place = (int(known["offset"][at]), int(known["arrival_ns"].min()))
        first = place if first is None else min(first, place)
    return first


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
        return msgspec.msgpack.decode(data[_HEAD.size :], type=Body)
    except msgspec.DecodeError as error:
        raise Damaged(str(error)) from error


def _section(state: Any) -> tuple[str, bytes]:
    return digest(state.dtype), state.tobytes()


def _sections(engine: Engine, line: int) -> dict[str, tuple[Any, int, str]]:
    """Return the kernels' columns of a timeline: pool, row and column by section name."""
    table = engine.table
    link = table.timelines["link"][line]
    found: dict[str, tuple[Any, int, str]] = {}
    if link["wave"] >= 0:
        found["quality"] = (table.wave, int(link["wave"]), "state")
    if link["ecg"] >= 0:
        found["beats"] = (table.ecg, int(link["ecg"]), "beats")
        found["rhythm"] = (table.ecg, int(link["ecg"]), "rhythm")
    if link["spo2"] >= 0:
        found["spo2"] = (table.spo2, int(link["spo2"]), "state")
    return found


_LINK = ("ring_from", "count", "position_ns", "rate_hz", "scale", "offset")


def _in_ring(engine: Engine, line: int) -> NDArray[Any]:
    """Return the places of the frames of which the ring still holds a sample."""
    lines = engine.table.timelines
    link = lines["link"][line]
    places = remembered(lines["places"][line], int(lines["places_head"][line]))
    oldest = max(int(link["count"] - link["ring_size"]), int(link["ring_from"]))
    inside: NDArray[Any] = places[places["sample"] + places["count"] > oldest]
    return inside


def _line(engine: Engine, line: int, with_ring: bool) -> Line:
    table, lines = engine.table, engine.table.timelines
    link = lines["link"][line]
    sections = {
        name: _section(pool[column][at])
        for name, (pool, at, column) in _sections(engine, line).items()
    }
    sections["timeline"] = _section(lines["state"][line])
    numbers = tuple(link[name].item() for name in _LINK)
    sections["link"] = ("", msgspec.msgpack.encode(numbers))
    mask, samples, beats = b"", b"" if with_ring else None, b""
    if link["ring_size"]:
        pool, at = table.rings[int(link["ring_size"])], int(link["ring"])
        kept = _kept(link)
        mask = zlib.compress(pool["mask"][at, kept].tobytes(), _DEFLATE)
        if with_ring:
            samples = zlib.compress(pool["samples"][at, kept].tobytes(), _DEFLATE)
        known = remembered(pool["beats"][at], int(pool["beats_head"][at]))
        recent = known["sample"] >= link["count"] - link["ring_size"]
        beats = zlib.compress(known[recent].tobytes(), _DEFLATE)
    device, channel = table.name_of[line]
    anchors = remembered(lines["anchors"][line], int(lines["anchors_head"][line]))
    return Line(
        device,
        channel,
        sections,
        zlib.compress(_in_ring(engine, line).tobytes(), _DEFLATE),
        anchors.tobytes(),
        beats,
        mask,
        samples,
        [_held_row(held) for held in engine.order.held.get(line, ())],
    )


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
    for name, (pool, at, column) in _sections(engine, line).items():
        if name in saved.sections:
            pool[column][at] = restored(name, *saved.sections[name], count=int(link["count"]))
    for column, data, dtype in (
        ("places", zlib.decompress(saved.places), ring.PLACE),
        ("anchors", saved.anchors, ring.ANCHOR),
    ):
        known = np.frombuffer(data, dtype)
        lines[column][line][: len(known)] = known
        lines[f"{column}_head"][line] = len(known)
    if link["ring_size"]:
        pool, at = table.rings[int(link["ring_size"])], int(link["ring"])
        kept = _kept(link)
        pool["mask"][at, kept] = np.frombuffer(zlib.decompress(saved.mask), np.uint8)
        if saved.samples:
            pool["samples"][at, kept] = np.frombuffer(zlib.decompress(saved.samples), np.int16)
        beats = np.frombuffer(zlib.decompress(saved.beats), ring.BEATS)
        pool["beats"][at, : len(beats)] = beats
        pool["beats_head"][at] = len(beats)
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
) -> bytes:
    link = engine.table.timelines["link"]
    now_ns = max((int(link[line]["position_ns"]) for line in lines), default=0)
    kept = []
    for episode in alerts.episodes.values():
        over = episode.state == "ended" and episode.strip_complete
        if over and not episode.joins(now_ns - FORGET_NS):
            continue
        kept.append(msgspec.structs.replace(episode, strip_line=number.get(episode.strip_line, -1)))
    return zlib.compress(msgspec.msgpack.encode(kept), _DEFLATE)
