"""A patient as bytes and back: nothing is lost, nothing damaged is believed."""

import json
import struct
import zlib
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pytest
import zstandard
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine_cases import T0, Ran, S, Tape, beating, by_end, made, oxygen, run, seconds, tape_of
from restart_cases import goes_on, restored, saved
from telesurv import layouts
from telesurv import snapshot as module
from telesurv.engine import Engine
from telesurv.simulate import Patient
from telesurv.snapshot import Damaged, restore
from telesurv_kernels import spo2
from telesurv_streams.log import Record
from ward_cases import muddled

KIB = 1024


@pytest.fixture(scope="module")
def tape() -> Tape:
    return muddled()


@pytest.fixture(scope="module")
def whole(tape: Tape) -> Ran:
    return run(tape.records)


@given(at=st.integers(0, 420), with_ring=st.booleans())
@settings(max_examples=30, deadline=None)
@example(at=0, with_ring=False)
@example(at=420, with_ring=False)
def test_a_restart_anywhere_changes_nothing(
    at: int, with_ring: bool, tape: Tape, whole: Ran
) -> None:
    before, after = goes_on(tape.records, at, with_ring)
    for key, revisions in whole.revisions.items():
        told = before.revisions.get(key, []) + after.revisions.get(key, [])
        assert told == revisions
    assert after.revisions.keys() <= whole.revisions.keys()
    assert after.states == whole.states
    minutes = sorted(before.sorted_minutes + after.sorted_minutes)
    assert minutes == whole.sorted_minutes


@pytest.mark.parametrize("at", [1, 50, 133, 250, 420])
def test_what_was_restored_is_saved_alike(at: int, tape: Tape) -> None:
    before = run(tape.records[:at])
    snapshots = saved(before.engine, at)
    assert saved(restored(snapshots), at) == snapshots
    # Whoever has not filled the rings again cannot save them, but all the rest.
    bare = saved(before.engine, at, with_ring=False)
    assert saved(restored(bare), at, with_ring=False) == bare


def test_restoring_says_whether_rings_came_with_it(tape: Tape) -> None:
    before = run(tape.records[:200]).engine
    for with_ring in (True, False):
        (first, *_) = saved(before, 200, with_ring)
        _, rings = restore(Engine(), first, 0)
        assert rings is with_ring


def test_two_oximeters_and_a_lead_that_lags_survive() -> None:
    beats = beating(60, [(20, 27.5)])
    left = oxygen([(20, 97), (20, 84), (30, 97)], device="left")
    right = oxygen([(25, 97), (40, 84), (5, 97)], device="right")
    one, other = made(beats, 60), made(beats, 60, "ecg.V5", gain=0.7, seed=2)
    lagging = replace(other, start_ns=T0 - 2 * S)
    rows = by_end(*(r for s in (left, right, one, lagging) for r in s.frames("p")))
    records = tape_of(rows).records
    undisturbed = run(records)
    assert len(undisturbed.alerts) == 2
    for at in range(60, len(records), 7):
        before, after = goes_on(records, at, with_ring=True)
        for key, revisions in undisturbed.revisions.items():
            assert before.revisions.get(key, []) + after.revisions.get(key, []) == revisions


def assert_restarts_anywhere(records: list[Record], *conditions: str) -> None:
    undisturbed = run(records)
    assert [alert.condition for alert in undisturbed.alerts] == list(conditions)
    for at in range(0, len(records), 3):
        before, after = goes_on(records, at, with_ring=True)
        for key, revisions in undisturbed.revisions.items():
            assert before.revisions.get(key, []) + after.revisions.get(key, []) == revisions


def test_an_alert_whose_strip_is_all_that_is_to_come() -> None:
    beats = [at for at in beating(60) if not 20 <= at < 22.5]
    assert_restarts_anywhere(tape_of(made(beats, 60).frames("p")).records, "pause")


def test_a_lead_that_stops_coming_after_a_restart_hands_over() -> None:
    one = made(beating(40), 40, device="a")
    other = made(beating(80, [(20, 80)]), 80, "ecg.V5", device="b", seed=2)
    rows = by_end(*one.frames("p"), *other.frames("p"))
    assert_restarts_anywhere(tape_of(rows).records, "asystole")


# Damage.


@pytest.fixture(scope="module")
def good() -> bytes:
    rows = by_end(*made(beating(30, [(12, 20)]), 30).frames("p"), *oxygen([(30, 80)]).frames("p"))
    return saved(run(tape_of(rows).records).engine, 60)[0]


@given(data=st.data())
@settings(max_examples=200, deadline=None)
def test_flipped_bits_are_damage(data: st.DataObject, good: bytes) -> None:
    damaged = bytearray(good)
    flips = data.draw(
        st.lists(st.integers(0, 8 * len(good) - 1), min_size=1, max_size=4, unique=True)
    )
    for bit in flips:
        damaged[bit // 8] ^= 1 << bit % 8
    with pytest.raises(Damaged):
        restore(Engine(), bytes(damaged), 0)


@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_what_was_cut_off_or_added_is_damage(data: st.DataObject, good: bytes) -> None:
    size = data.draw(st.integers(0, len(good) - 1))
    for damaged in (good[:size], good + good[: size + 1], good[size + 1 :]):
        with pytest.raises(Damaged):
            restore(Engine(), damaged, 0)


def sealed(body: bytes) -> bytes:
    """Bytes with a head that is right."""
    return struct.pack("<4sHI", b"TSRV", 1, zlib.crc32(body)) + body


@pytest.mark.parametrize(
    "body",
    [b"", b"no zstd", zstandard.compress(b""), zstandard.compress(b"\xc1"),
     zstandard.compress(msgspec.msgpack.encode([1, 2])),
     zstandard.compress(msgspec.msgpack.encode({"mode": 0}))],
)  # fmt: skip
def test_a_foreign_body_is_damage(body: bytes) -> None:
    engine = Engine()
    with pytest.raises(Damaged):
        restore(engine, sealed(body), 0)
    assert not engine.table.keys


def test_another_version_is_damage(good: bytes) -> None:
    with pytest.raises(Damaged, match="version 2"):
        restore(Engine(), good[:4] + b"\x02\x00" + good[6:], 0)


# Layouts.


def test_every_layout_is_listed() -> None:
    """If this fails a layout changed: `telesurv.layouts.with_present` says what to do."""
    text = layouts.resources.files("telesurv").joinpath(layouts.RELEASED).read_text()
    assert text.strip() == layouts.with_present().strip()
    listed = json.loads(text)
    assert {layouts.digest(dtype) for dtype in layouts.LAYOUTS.values()} <= set(listed)
    for digest, dtype in layouts.earlier().items():
        assert layouts.digest(dtype) == digest


def earlier(monkeypatch: pytest.MonkeyPatch, dtype: np.dtype[Any]) -> str:
    known = layouts.earlier()
    monkeypatch.setattr(layouts, "earlier", lambda: known | {layouts.digest(dtype): dtype})
    return layouts.digest(dtype)


def test_an_earlier_layout_is_taken_over_by_the_names_of_its_fields(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = layouts.LAYOUTS["silence"]
    before = np.dtype(
        [("gone", np.int64), ("silent", np.int64), ("armed", np.int32), ("base_ns", np.int64)]
    )
    old = np.array((7, 1, 1, 12345), before)
    state = layouts.restored("silence", earlier(monkeypatch, before), old.tobytes())
    assert state.dtype == now
    assert (state["silent"], state["base_ns"]) == (1, 12345)
    assert state["armed"] == 0, "of another type: it means something else"
    assert state["base_shift_ns"] == 0


@pytest.mark.parametrize(("name", "count"), [("beats", 77), ("quality", 77), ("rhythm", 0)])
def test_an_unknown_layout_is_learnt_again(name: str, count: int) -> None:
    state = layouts.restored(name, "deadbeef", b"whatever", count=77)
    expected = np.zeros((), layouts.LAYOUTS[name])
    if count:
        expected["count"] = count
    assert state.tobytes() == expected.tobytes()


def test_oxygen_learnt_again_has_no_minute_of_readings_that_it_never_had() -> None:
    state = layouts.restored("spo2", "deadbeef", b"", count=77)
    assert state.tobytes() == np.zeros((), spo2.STATE).tobytes()


def test_a_known_digest_of_a_wrong_length_is_learnt_again() -> None:
    known = layouts.digest(layouts.LAYOUTS["beats"])
    assert layouts.restored("beats", known, b"short", count=5)["count"] == 5


def aged(data: bytes, *sections: str) -> bytes:
    """The snapshot with these sections in layouts that nobody knows."""
    body = module._read(data)
    for line in body.lines:
        for name in sections:
            if name in line.sections:
                line.sections[name] = ("00000000", line.sections[name][1])
    return sealed(zstandard.compress(msgspec.msgpack.encode(body)))


@pytest.mark.parametrize(
    "sections", [("beats",), ("rhythm",), ("quality",), ("spo2",), ("beats", "rhythm", "quality")]
)
def test_kernels_that_learn_again_find_what_comes_and_nothing_else(
    sections: tuple[str, ...],
) -> None:
    ecg, spo2 = made(beating(120, [(80, 87.5)]), 120), oxygen([(80, 97), (40, 80)])
    records = tape_of(by_end(*ecg.frames("p"), *spo2.frames("p"))).records
    half = len(records) // 2
    (data,) = saved(run(records[:half]).engine, half)
    engine = Engine()
    restore(engine, aged(data, *sections), 0)
    ran = run(records[half:], (), engine)
    assert {a.condition for a in ran.alerts} == {"asystole", "severe-desaturation"}
    assert seconds(ran.one("asystole").onset) == pytest.approx(79.6, abs=0.01)
    assert all(m.minute.timestamp() >= T0 / S for m in ran.minutes)
    assert ran.one("asystole").evidence_complete


# Size.


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("frame_s", [1, 10])
def test_a_typical_patient_is_small(seed: int, frame_s: int) -> None:
    who = Patient("p", seed=seed, epoch_ns=T0)
    ran = run(tape_of(by_end(*who.frames(0, 180, frame_s))).records)
    assert ran.alerts == []
    engine = ran.engine
    (bare,), (full,) = saved(engine, 0, False), saved(engine, 0, True)
    assert len(bare) <= 16 * KIB
    assert len(full) <= 32 * KIB


def test_what_cannot_be_joined_any_more_is_left_out() -> None:
    ecg, well = made(beating(30, [(12, 20)]), 30), made(beating(60), 60)
    later = replace(well, codes=np.tile(well.codes, 12), start_ns=T0 + 30 * S)
    ran = run(tape_of([*ecg.frames("p"), *later.frames("p", 10.0)]).records)
    assert ran.one("asystole")
    (data,) = saved(ran.engine, 0)
    assert module._read(data).episodes == []
