"""Bytes of any kind give rows or `Malformed`: never another exception, never a crash."""

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frame_cases import row, rows_of, same, second
from telesurv_streams import _framing
from telesurv_streams.frame import Frames
from telesurv_streams.wire import Malformed, decode, encode


def check_any(values: list[bytes]) -> tuple[Frames, list[Malformed]]:
    """Decode, and hold what is true of any bytes."""
    frames, malformed = decode(values)
    seen = set(frames.record.tolist()) | {m.record for m in malformed}
    assert seen == set(range(len(values)))
    places = [*zip(frames.record.tolist(), frames.row.tolist(), strict=True)]
    assert places == sorted(set(places))
    assert not set(places) & {(m.record, m.row) for m in malformed}
    assert len(frames.samples) == frames.first[-1]
    if len(frames):
        rows = rows_of(frames)
        again, none = decode([encode(rows)])
        assert none == []
        assert same(rows_of(again), rows)
    return frames, malformed


SMALL = encode(
    [
        row(samples=np.arange(7, dtype=np.int16)),
        row(channel="spo2", rate_hz=0.0, samples=np.array([97], np.int16)),
    ]
)


@pytest.mark.parametrize("flip", [0x01, 0x80])
def test_every_byte_flipped(flip: int) -> None:
    """In one batch with a good message, which no corruption may touch."""
    good = encode(second("good"))
    alone = rows_of(decode([good])[0])
    for at in range(len(SMALL)):
        broken = bytearray(SMALL)
        broken[at] ^= flip
        frames, _ = check_any([good, bytes(broken)])
        assert same(rows_of(frames)[:3], alone)


def test_every_truncation() -> None:
    for size in range(len(SMALL)):
        _, malformed = check_any([SMALL[:size]])
        assert [m.row for m in malformed] == [-1], size


def test_lengths_that_lie() -> None:
    """Every aligned 4-byte word of the metadata replaced by what breaks arithmetic."""
    metadata = 8 + struct.unpack_from("<I", SMALL, 4)[0]
    for value in (0, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, len(SMALL)):
        for at in range(0, metadata, 4):
            broken = bytearray(SMALL)
            struct.pack_into("<I", broken, at, value)
            check_any([bytes(broken)])


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_any_corruption(data: st.DataObject) -> None:
    broken = bytearray(encode(second()))
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(broken) - 1))
        broken[at] = data.draw(st.integers(0, 255))
    check_any([bytes(broken), SMALL])


@settings(deadline=None)
@given(st.lists(st.binary(max_size=300).map(lambda b: b + bytes(-len(b) % 8)), max_size=4))
def test_any_bytes(values: list[bytes]) -> None:
    check_any(values)


# What writers of other languages do


def _positions(message: bytes) -> tuple[int, list[int]]:
    """Return where a message keeps its body's length, and its buffers' (offset, length)."""
    data = np.frombuffer(message, np.uint8)
    table = _framing._Tables(data, np.array([8]), data.view("<u4")[1:2].astype(np.int64))
    start = table.follow(table.low)
    buffers = table.follow(table.field(table.follow(table.field(start, 2)), 2))
    return int(table.field(start, 3)[0]), [int(buffers[0]) + 4 + 16 * k for k in range(23)]


def test_a_writer_that_counts_the_padding() -> None:
    """As Go's and JavaScript's: the bytes are the same, each length is a multiple of 8."""
    message = bytearray(encode(second()))
    for at in _positions(bytes(message))[1]:
        (size,) = struct.unpack_from("<q", message, at + 8)
        struct.pack_into("<q", message, at + 8, size + -size % 8)
    frames, malformed = decode([bytes(message), encode(second("p-02"))])
    assert malformed == []
    assert same(rows_of(frames), [*second(), *second("p-02")])


def test_a_writer_that_sends_a_validity_bitmap_without_nulls() -> None:
    """As Rust's and Java's: all bits set, no null counted."""
    rows = second()
    message = bytearray(encode(rows))
    body_at, buffers = _positions(bytes(message))
    (body,) = struct.unpack_from("<q", message, body_at)
    struct.pack_into("<q", message, body_at, body + 64)
    message += b"\xff" * 64
    items = sum(len(r.samples) for r in rows)
    for k in (0, 3, 6, 9, 11, 13, 15, 17, 19, 21):
        bits = items if k == 19 else len(rows)
        struct.pack_into("<qq", message, buffers[k], body, -(-bits // 8))
    frames, malformed = decode([bytes(message), encode(second("p-02"))])
    assert malformed == []
    assert same(rows_of(frames), [*rows, *second("p-02")])
