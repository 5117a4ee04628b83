"""Whatever comes: each has a sane answer, and none touches what others sent."""

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pytest

from engine_cases import MS, T0, Ran, S, Tape, beating, by_end, made, oxygen, run, seconds, singly
from telesurv.alerts.model import Plan
from telesurv_streams import log
from telesurv_streams.wire import FRAME_HEADER, Row, encode

DAY = 86_400 * S


def stopping(patient: str = "p", length_s: float = 40) -> list[Row]:
    """An asystole from 19.6 s on for 8 s, and SpO2."""
    ecg = made(beating(length_s, [(20, 27.5)]), length_s)
    return by_end(*ecg.frames(patient), *oxygen([(round(length_s), 97)]).frames(patient))


def with_bad(bad: Callable[[Tape, int], object], at: int = 46) -> tuple[Ran, Ran]:
    """What comes of good rows with something bad in the middle, and without."""
    rows = stopping()
    tape, good = Tape(), Tape()
    for number, row in enumerate(rows):
        if number == at:
            bad(tape, tape.now_ns)
        tape.rows([row])
        good.rows([row])
    ran = run(tape.records)
    assert singly(tape.records).revisions == ran.revisions
    return ran, run(good.records)


def flipped(value: bytes, at: int) -> bytes:
    damaged = bytearray(value)
    damaged[at] ^= 0x10
    return bytes(damaged)


GOOD = encode(stopping()[:2])
FOREIGN = pa.RecordBatch.from_pydict({"x": [1, 2]}).serialize().to_pybytes()
VALUES = {
    "empty": b"",
    "none": None,
    "text": b"hello, is this the right topic?",
    "zeros": bytes(1024),
    "truncated": GOOD[: len(GOOD) // 2],
    "truncated-by-a-byte": GOOD[:-1],
    "longer": GOOD + bytes(8),
    "foreign-schema": FOREIGN,
    "megabyte-of-noise": np.random.default_rng(1).bytes(1 << 20),
    "flipped-length": flipped(GOOD, 4),
    "flipped-metadata": flipped(GOOD, 60),
}


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
def test_a_bad_message_is_a_dead_letter_and_costs_nothing_else(value: bytes | None) -> None:
    ran, good = with_bad(lambda tape, now: tape.put(value, (FRAME_HEADER,), b"p", now))
    assert [(bad.offset, bad.row) for bad in ran.bad] == [(46, -1)]
    assert ran.bad[0].value == value
    assert ran.bad[0].reason
    assert ran.revisions == good.revisions
    assert ran.one("asystole")


HEADERS: dict[str, log.Headers] = {
    "no-version": (),
    "unknown-version": ((log.HEADER_FRAME, b"2"),),
    "empty-version": ((log.HEADER_FRAME, b""),),
    "unknown-kind": ((log.HEADER_KIND, b"tock"),),
    "unknown-mode": (FRAME_HEADER, (log.HEADER_MODE, b"dream")),
    "replay-without-arrival": (FRAME_HEADER, (log.HEADER_MODE, b"replay")),
    "arrival-no-number": (
        FRAME_HEADER,
        (log.HEADER_MODE, b"replay"),
        (log.HEADER_ARRIVAL, b"-5"),
    ),
    "arrival-beyond-time": (
        FRAME_HEADER,
        (log.HEADER_MODE, b"demo"),
        (log.HEADER_ARRIVAL, b"9" * 19),
    ),
}


@pytest.mark.parametrize("headers", HEADERS.values(), ids=HEADERS)
def test_a_record_of_wrong_headers_is_a_dead_letter(headers: log.Headers) -> None:
    ran, good = with_bad(lambda tape, now: tape.put(GOOD, headers, b"p", now))
    assert [(bad.offset, bad.row) for bad in ran.bad] == [(46, -1)]
    assert ran.revisions == good.revisions


@pytest.mark.parametrize("key", [None, b"", b"\xff", b"a b", b"x" * 65, "é".encode()])
def test_a_frame_without_a_route_is_a_dead_letter(key: bytes | None) -> None:
    ran, good = with_bad(lambda tape, now: tape.put(GOOD, (FRAME_HEADER,), key, now))
    assert "key is no route" in ran.bad[0].reason
    assert ran.revisions == good.revisions


PLANS = {
    "no-json": b"{",
    "no-patient": b'{"version": 1}',
    "another-route": b'{"patient": "q", "version": 1}',
    "unknown-field": b'{"patient": "p", "version": 1, "colour": "red"}',
    "never": b'{"patient": "p", "version": 1, "expected_interval": "999d"}',
    "version-beyond-numbers": b'{"patient": "p", "version": 9223372036854775808}',
    "limit-beyond-bounds": b'{"patient": "p", "version": 1, "limits": {"spo2_low": 50}}',
    "limits-crossed": b'{"patient":"p","version":1,"limits":{"spo2_low":80,"spo2_severe":85}}',
    "not-a-number": b'{"patient": "p", "version": 1, "limits": {"spo2_low": 1e999}}',
    "no-text": b"\xff\xfe",
    "empty": b"",
}


@pytest.mark.parametrize("value", PLANS.values(), ids=PLANS)
def test_a_plan_that_cannot_be_taken_is_a_dead_letter(value: bytes) -> None:
    kind = ((log.HEADER_KIND, b"plan"),)
    ran, good = with_bad(lambda tape, now: tape.put(value, kind, b"p", now))
    assert [(bad.offset, bad.row) for bad in ran.bad] == [(46, -1)]
    assert "plan" in ran.bad[0].reason
    assert ran.revisions == good.revisions


def test_one_bad_row_among_good_ones() -> None:
    rows = stopping()
    tape = Tape()
    for number, row in enumerate(rows):
        message = [row]
        if number == 40:
            rotten = row._replace(scale=float("nan"), patient="q", channel="ecg.I")
            message = [rotten, row, row._replace(channel="no such channel!", samples=row.samples)]
        tape.rows(message, row.start_ns, "p")
    ran = run(tape.records)
    assert [(bad.offset, bad.row) for bad in ran.bad] == [(40, 0), (40, 2)]
    assert [a.condition for a in ran.alerts] == ["asystole"]
    assert {key.patient for key in ran.engine.table.keys} == {"p"}


def test_every_valid_message_of_a_megabyte_is_read() -> None:
    samples = np.zeros(60_000, np.int16)
    rows = [Row("p", "d", "ppg", T0 + n * 60 * S, 1000.0, 0.1, 0.0, samples, n) for n in range(8)]
    tape = Tape().rows(rows)
    assert len(tape.records[0].value or b"") > 900_000
    ran = run(tape.records)
    assert not ran.bad
    assert [seconds(a.onset) for a in ran.of("lead-off")] == [0.0]
    assert ran.engine.table.timelines["link"][0]["count"] == 480_000


def test_a_frame_from_tomorrow_is_set_aside_and_told_once() -> None:
    tape = Tape()
    for number, row in enumerate(stopping()):
        if 30 <= number < 36:
            tape.rows([row._replace(start_ns=row.start_ns + DAY)], arrival_ns=row.start_ns + S)
        tape.rows([row])
    ran = run(tape.records)
    assert len(ran.bad) == 6
    assert all(bad.reason.startswith("ahead-of-arrival") for bad in ran.bad)
    skew = ran.one("clock-skew")
    assert (skew.kind, skew.priority, skew.revision) == ("technical", "low", 1)
    assert "23 h 59 ahead" in skew.reason.en
    assert not skew.resolved
    assert seconds(ran.one("asystole").onset) == 19.6


def test_a_clock_is_right_again_after_an_hour() -> None:
    tape = Tape()
    reading = Row("p", "d", "spo2", T0, 0.0, 1.0, 0.0, np.array([97], np.int16), -1)
    tape.rows([reading._replace(start_ns=T0 + DAY)], arrival_ns=T0)
    for minute in range(1, 63):
        tape.rows([reading._replace(start_ns=T0 + minute * 60 * S)])
        if minute == 60:
            assert not run(tape.records[:-1]).one("clock-skew").resolved
    (skew,) = run(tape.records).alerts
    assert skew.resolved is not None
    assert seconds(skew.resolved) == 3600


def test_a_clock_that_is_set_back_is_told_of() -> None:
    tape = Tape()
    rows = made(beating(60), 60).frames("p")
    for row in rows[:30]:
        tape.rows([row])
    for row in rows[30:]:
        tape.rows([row._replace(start_ns=row.start_ns - 3600 * S)], arrival_ns=row.start_ns + S)
    ran = run(tape.records)
    assert {bad.reason.split(":")[0] for bad in ran.bad} == {"jumped-back"}
    assert "set back by 60 min" in ran.one("clock-skew").reason.en
    assert "reculé de 60 min" in ran.one("clock-skew").reason.fr


def test_a_small_correction_of_a_clock_is_not() -> None:
    tape = Tape()
    rows = made(beating(60), 60).frames("p")
    for number, row in enumerate(rows):
        back_ns = 0 if number < 30 else 3 * S + 200 * MS
        tape.rows([row._replace(start_ns=row.start_ns - back_ns)], arrival_ns=row.start_ns + S)
    assert run(tape.records).alerts == []


def test_a_frame_from_last_week_is_a_dead_letter_and_changes_nothing() -> None:
    rows = stopping()
    old = rows[10]._replace(start_ns=rows[10].start_ns - 7 * DAY, sequence=0)

    ran, good = with_bad(lambda tape, now: tape.rows([old], arrival_ns=now))
    assert [bad.reason.split(":")[0] for bad in ran.bad] == ["before-position"]
    assert ran.revisions == good.revisions


def test_a_duplicate_is_counted_and_changes_nothing() -> None:
    rows = stopping()
    ran, good = with_bad(lambda tape, now: tape.rows([rows[44], rows[20]], arrival_ns=now))
    assert ran.duplicates == 2
    assert not ran.bad
    assert ran.revisions == good.revisions


def test_a_gap_is_neither_silence_nor_a_beat() -> None:
    """Six seconds of a regular heart are lost: no asystole, no pause, no slow heart."""
    rows = [r for r in made(beating(60), 60).frames("p") if not 20 <= (r.start_ns - T0) / S < 26]
    tape = Tape()
    for row in rows:
        tape.rows([row])
    assert run(tape.records).alerts == []


def test_asystole_before_and_after_a_gap_is_one() -> None:
    ecg = made(beating(60, [(20, 40)]), 60)
    rows = [row for row in ecg.frames("p") if not 27 <= (row.start_ns - T0) / S < 30]
    tape = Tape()
    for row in rows:
        tape.rows([row])
    ran = run(tape.records)
    alert = ran.one("asystole")
    assert (seconds(alert.onset), alert.count) == (19.6, 1)
    assert alert.resolved is not None
    assert seconds(alert.resolved) == pytest.approx(40.4, abs=0.01)
    flagged = [r for r in ran.revisions[f"live/{alert.id}"] if r.not_analysable_since]
    assert flagged


@pytest.mark.parametrize("channel", ["ecg.II", "ecg.7", "ecg.V9", "ecg.Frank", "ecg.foo_1"])
def test_no_lead_of_any_name_takes_a_dead_electrode_for_asystole(channel: str) -> None:
    ecg = made(beating(20), 60, channel)
    ecg.codes[20 * 250 :] = 7
    tape = Tape()
    for row in ecg.frames("p"):
        tape.rows([row])
    ran = run(tape.records)
    assert {a.condition for a in ran.alerts} == {"lead-off"}


def test_a_plan_of_a_gateway_and_its_patients() -> None:
    """One route, several patients: each has a plan, and frames come under the gateway's key."""
    tape = Tape()
    for name in ("a", "b"):
        tape.plan(Plan(patient=name, version=1, route="gw"), T0)
    for rows in zip(stopping("a"), stopping("b"), strict=True):
        tape.rows(list(rows), key="gw")
    ran = run(tape.records)
    assert ran.conditions == {("a", "asystole"), ("b", "asystole")}
    assert {a.rule.plan_version for a in ran.alerts} == {1}
