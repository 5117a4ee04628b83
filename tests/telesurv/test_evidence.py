"""Strips show what was sent: samples, what could not be read, and where the beats are."""

import numpy as np
import pytest
from numpy.typing import NDArray

from engine_cases import (
    MS,
    T0,
    S,
    Signal,
    Tape,
    beating,
    by_end,
    made,
    off,
    oxygen,
    real,
    run,
    seconds,
    tape_of,
)
from telesurv.alerts.model import Strip
from telesurv.evidence import _until
from telesurv_streams.frame import MISSING
from telesurv_streams.wire import Row


def codes_of(strip: Strip) -> NDArray[np.int16]:
    return np.frombuffer(strip.samples, "<i2")


def only_strip(signal: Signal, condition: str, frame_s: float = 1.0) -> Strip:
    alert = run(tape_of(signal.frames("p", frame_s)).records).one(condition)
    assert alert.evidence_complete
    (strip,) = alert.evidence
    return strip


@pytest.mark.parametrize(
    ("times_ms", "to_ms", "known"),
    [
        ([0, 4, 8, 12, 16], 12, 3),
        ([0, 4, 8, 12, 16], 9, 3),
        ([0, 4, 8], 12, 3),
        ([0, 4, 8], 100, 3),
        ([0, 4, 8, 12, 6, 10, 14], 12, 3),  # the clock went back: these came later
        ([0, 4, 8, 6, 10, 14], 12, 3),
        ([0, 4, 8, 50, 54], 30, 3),  # a gap: what comes after it is later
        ([20, 24], 12, 0),
    ],
)
def test_a_strip_ends_where_its_end_was_known(times_ms: list[int], to_ms: int, known: int) -> None:
    assert _until(np.array(times_ms, np.int64) * MS, to_ms * MS, 250.0) == known


def test_single_readings_have_no_length() -> None:
    assert _until(np.array([0, 5, 9], np.int64) * S, 9 * S, 0.0) == 2
    assert _until(np.array([0, 5, 9], np.int64) * S, 10 * S, 0.0) == 3


@pytest.mark.parametrize("record", ["106", "208", "217"])
@pytest.mark.parametrize("frame_s", [0.25, 1.0, 10.0])
def test_a_strip_is_what_was_sent_from_ten_seconds_before_to_ten_after(
    record: str, frame_s: float
) -> None:
    signal = real(record, quiet_s=[(20, 26)])
    strip = only_strip(signal, "asystole", frame_s)
    alert = run(tape_of(signal.frames("p", frame_s)).records).one("asystole")
    first = round((seconds(alert.onset) - 10) * signal.rate_hz)
    last = round((seconds(alert.onset) + 10) * signal.rate_hz)
    assert (strip.device, strip.channel, strip.unit) == ("d", "ecg.II", "mV")
    assert strip.rate == signal.rate_hz
    assert strip.scale == pytest.approx(signal.scale)
    assert seconds(strip.start) == pytest.approx(first / signal.rate_hz, abs=1e-6)
    assert np.array_equal(codes_of(strip), signal.codes[first:last])
    assert strip.unreadable == ()


def test_beats_lie_on_their_peaks_and_none_in_the_asystole() -> None:
    beats = beating(60, [(20, 27.5)])
    strip = only_strip(made(beats, 60), "asystole")
    at_s = [seconds(strip.start) + beat / strip.rate for beat in strip.beats]
    shown = [at for at in beats if 9.6 <= at <= 29.6]
    # The newest are not yet decided where the strip ends.
    assert at_s == pytest.approx(shown[: len(at_s)], abs=0.012)
    assert len(shown) - len(at_s) <= 1
    assert not any(19.7 < at < 27.5 for at in at_s)
    assert len(strip.beat_classes) == len(strip.beats)


def test_what_was_lost_is_missing_and_said_so() -> None:
    signal = made(beating(60, [(20, 27.5)]), 60)
    rows = [row for row in signal.frames("p") if round((row.start_ns - T0) / S) not in (12, 13)]
    alert = run(tape_of(rows).records).one("asystole")
    (strip,) = alert.evidence
    codes = codes_of(strip)
    begin = round((12 - seconds(strip.start)) * 250)
    assert (codes[begin : begin + 500] == MISSING).all()
    assert (begin, begin + 500, "missing") in strip.unreadable
    assert len(codes) == 5000


def test_what_the_device_marked_missing_is_missing() -> None:
    signal = made(beating(60, [(20, 27.5)]), 60)
    signal.codes[12 * 250 : 12 * 250 + 60] = MISSING
    strip = only_strip(signal, "asystole")
    begin = round((12 - seconds(strip.start)) * 250)
    assert strip.unreadable == ((begin, begin + 60, "missing"),)


def test_a_lead_that_is_off_shows_as_flat_and_then_as_off() -> None:
    signal = off(made(beating(60), 60), (20, 50))
    strip = only_strip(signal, "lead-off")
    kinds = [why for _, _, why in strip.unreadable]
    assert kinds[0] == "flat"
    assert seconds(strip.start) == pytest.approx(10, abs=0.05)
    first = strip.unreadable[0][0] / strip.rate + seconds(strip.start)
    assert first == pytest.approx(22, abs=0.05), "constant for two seconds"


def test_a_strip_of_oxygen_begins_half_a_minute_before() -> None:
    signal = oxygen([(60, 97), (40, 85), (60, 97)])
    strip = only_strip(signal, "desaturation")
    assert seconds(strip.start) == 30
    assert np.array_equal(codes_of(strip), signal.codes[30:70])
    assert (strip.unit, strip.rate, strip.beats) == ("%", 1.0, ())


def test_single_readings_are_held_for_five_seconds() -> None:
    times = [0, 3, 20, 21, 22, 23, 40]
    values = [97, 96, 84, 84, 84, 84, 97]
    rows = [
        Row("p", "d", "spo2", T0 + t * S, 0.0, 1.0, 0.0, np.array([v], np.int16))
        for t, v in zip(times, values, strict=True)
    ]
    alert = run(tape_of(rows).records).one("desaturation")
    (strip,) = alert.evidence
    codes = codes_of(strip)
    assert (strip.rate, seconds(strip.start)) == (1.0, 0)
    assert codes[:9].tolist() == [97, 97, 97, 96, 96, 96, 96, 96, MISSING]
    assert codes[20:28].tolist() == [84] * 8


def test_two_rates_and_two_devices_have_their_own_rings() -> None:
    one = made(beating(60, [(20, 27.5)]), 60, rate_hz=500.0)
    other = made(beating(60, [(20, 27.5)]), 60, "ecg.V5", rate_hz=125.0)
    alert = run(tape_of(by_end(*one.frames("p"), *other.frames("p"))).records).one("asystole")
    assert (alert.evidence[0].rate, len(codes_of(alert.evidence[0]))) == (500.0, 10_000)


def test_a_second_strip_where_it_grew_graver_long_after() -> None:
    signal = oxygen([(60, 97), (60, 88), (60, 80), (40, 97)])
    alert = run(tape_of(signal.frames("p")).records).one("severe-desaturation")
    first, second = alert.evidence
    assert seconds(first.start) == 30
    assert seconds(second.start) == 90
    assert np.array_equal(codes_of(second), signal.codes[90:130])


def test_a_clock_that_is_corrected_in_a_strip_scrambles_nothing() -> None:
    """The anchor moves back a little: samples keep their order and none falls out."""
    signal = made(beating(60, [(20, 27.5)]), 60)
    tape = Tape()
    for number, row in enumerate(signal.frames("p")):
        tape.rows([row._replace(start_ns=row.start_ns - (9 * MS if number >= 10 else 0))])
    alert = run(tape.records).one("asystole")
    (strip,) = alert.evidence
    codes = codes_of(strip)
    last = round((seconds(alert.onset) + 10 + 0.009) * 250)
    assert np.array_equal(codes[-4700:], signal.codes[last - 4700 : last])
    assert 4996 <= len(codes) <= 5000
    assert (codes != MISSING).all()
