"""The same alerts however the log is cut into batches, and whatever comes in between."""

import random
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine_cases import (
    MS,
    T0,
    Ran,
    S,
    Signal,
    Tape,
    beating,
    by_end,
    end_ns,
    made,
    oxygen,
    run,
    singly,
    tape_of,
    told,
)
from telesurv_streams.wire import Row
from ward_cases import cast, muddled, rows_of


@pytest.fixture(scope="module")
def tape() -> Tape:
    return muddled()


@pytest.fixture(scope="module")
def whole(tape: Tape) -> Ran:
    return run(tape.records)


def same(ran: Ran, other: Ran) -> None:
    assert ran.revisions == other.revisions
    assert ran.sorted_minutes == other.sorted_minutes
    assert sorted(ran.bad, key=repr) == sorted(other.bad, key=repr)
    assert ran.duplicates == other.duplicates
    mine, theirs = ran.states, other.states
    assert mine.keys() == theirs.keys()
    assert [key for key in mine if mine[key] != theirs[key]] == []


def test_the_cast_shows_what_it_should(whole: Ran) -> None:
    assert whole.conditions >= {
        ("one", "asystole"),
        ("one", "severe-desaturation"),
        ("one", "non-transmission"),
        ("two-leads", "asystole"),
        ("two-leads", "lead-off"),
        ("off", "lead-off"),
        ("off", "probe-off"),
    }
    # 208 has ventricular beats in twos, and every third beat is one: low, and no more.
    assert {a.condition for a in whole.alerts if a.patient == "well"} <= {"couplet", "trigeminy"}
    assert whole.bad
    assert whole.duplicates
    assert len(whole.sorted_minutes) >= 6


def test_record_by_record(tape: Tape, whole: Ran) -> None:
    same(singly(tape.records), whole)


@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_however_it_is_batched(data: st.DataObject, tape: Tape, whole: Ran) -> None:
    size = len(tape.records)
    cuts = data.draw(st.sets(st.integers(0, size), max_size=30))
    same(run(tape.records, cuts), whole)


def test_other_patients_change_nothing(tape: Tape, whole: Ran) -> None:
    for patient in cast():
        alone = [r for r in tape.records if r.key in (None, patient.encode())]
        mine = run(alone)
        theirs = {k: v for k, v in whole.revisions.items() if v[0].patient == patient}
        assert mine.revisions == theirs


def interleaved(signals: Sequence[Signal], seed: int, frame_s: Sequence[float]) -> Tape:
    """Each channel on its own way, none over two seconds behind."""
    rng = random.Random(seed)
    coming = []
    for signal, length in zip(signals, frame_s, strict=True):
        lag_s = rng.choice([0.0, 0.4, 1.1, 1.9])
        for row in signal.frames("p", length):
            coming.append((end_ns(row) / S + lag_s, rng.random(), row))
    return tape_of(row for _, _, row in sorted(coming, key=lambda item: item[:2]))


@pytest.mark.parametrize("frame_s", [(1.0, 1.0, 1.0), (0.2, 1.0, 1.0), (0.2, 0.2, 1.0)])
def test_interleaving_of_channels_changes_nothing(frame_s: tuple[float, ...]) -> None:
    signals = [*cast()["two-leads"], oxygen([(15, 97), (20, 80), (40, 97)])]
    first = run(interleaved(signals, 0, frame_s).records)
    conditions = {revisions[-1].condition for revisions in first.revisions.values()}
    assert conditions == {"severe-desaturation", "asystole", "lead-off"}
    for seed in range(1, 8):
        other = run(interleaved(signals, seed, frame_s).records)
        assert other.revisions == first.revisions, seed
        assert other.sorted_minutes == first.sorted_minutes


@pytest.mark.parametrize("frame_s", [(1.0, 1.0), (0.2, 1.0), (1.0, 0.2)])
def test_a_strip_that_is_complete_in_the_second_of_the_end(frame_s: tuple[float, ...]) -> None:
    beats = beating(40, [(20, 27.5)])
    signals = [made(beats, 40), made(beats, 40, "ecg.V5", gain=0.7, seed=2)]
    first = run(interleaved(signals, 0, (0.2, 0.2)).records)
    (revisions,) = first.revisions.values()
    assert [told(a)[0][3] for a in revisions] == [None, None, 27.6]
    assert [a.evidence_complete for a in revisions] == [False, True, True]
    for seed in range(6):
        assert run(interleaved(signals, seed, frame_s).records).revisions == first.revisions


@pytest.mark.parametrize("patient", ["one", "two-leads", "off"])
def test_the_length_of_frames_changes_nothing(patient: str) -> None:
    signals = cast()[patient]
    first = run(tape_of(by_end(*rows_of({"p": signals}))).records)
    assert first.revisions
    # Longer frames than ten seconds of one lead are not held back for another.
    lengths = [0.2, 2.0, 5.0, 10.0] if patient == "two-leads" else [0.2, 2.0, 10.0, 61.0]
    for frame_s in lengths:
        other = run(tape_of(by_end(*rows_of({"p": signals}, frame_s))).records)
        assert [told(a) for a in other.alerts] == [told(a) for a in first.alerts]
        assert other.revisions == first.revisions, frame_s
        assert other.sorted_minutes == first.sorted_minutes


def test_channel_after_channel_in_one_message() -> None:
    """What a gateway sends that was without a network for a minute."""
    rows = rows_of({"p": [*cast()["one"], made(beating(60, [(8, 14)]), 60, "ecg.V5")]})
    tape = Tape().rows(rows)
    straight = tape_of(rows)
    together = run(tape.records)
    assert {a.condition for a in together.alerts} >= {"asystole", "severe-desaturation"}
    assert run(straight.records).revisions == singly(straight.records).revisions
    for alert in together.alerts:
        assert alert.evidence_complete
        assert len(alert.evidence[0].samples) > 20 * alert.evidence[0].rate


def test_single_readings_however_they_are_batched() -> None:
    """Irregular SpO2, a reading a row, some hundred in a batch."""
    rng = np.random.default_rng(2)
    level = np.concatenate([np.full(40, 97), np.full(60, 82), np.full(60, 97), np.full(40, 80)])
    at_ns = T0 + np.cumsum(rng.integers(400 * MS, 1500 * MS, len(level)))
    rows = [
        Row("p", "d", "spo2", int(at), 0.0, 1.0, 0.0, np.array([v], np.int16))
        for at, v in zip(at_ns, level, strict=True)
    ]
    tape = tape_of(rows)
    one_by_one = singly(tape.records)
    assert len(one_by_one.alerts) == 1
    alert = one_by_one.alerts[0]
    assert alert.count == 2
    assert len(alert.evidence) == 2
    same(run(tape.records), one_by_one)
    same(run(tape.records, range(0, len(level), 7)), one_by_one)


@pytest.mark.parametrize("rate_hz", [0.2, 1.0, 4.0, 25.0, 100.0])
def test_oxygen_at_any_rate_however_it_is_batched(rate_hz: float) -> None:
    signal = oxygen([(60, 97), (60, 82), (60, 97), (40, 80)], rate_hz=rate_hz)
    tape = tape_of(signal.frames("p", max(1.0, 1 / rate_hz)))
    one_by_one = singly(tape.records)
    assert one_by_one.alerts
    same(run(tape.records), one_by_one)


@pytest.mark.parametrize("lost_s", range(19, 32))
def test_frames_that_waited_together_however_they_are_batched(lost_s: int) -> None:
    beats = beating(50, [(20, 27.5)])
    signals = [made(beats, 50), made(beats, 50, "ecg.V5", gain=0.7, seed=2)]
    rows = by_end(*(row for signal in signals for row in signal.frames("p")))
    rows = [row for row in rows if row.start_ns != T0 + lost_s * S or row.channel != "ecg.II"]
    tape = tape_of(rows)
    one_by_one = singly(tape.records)
    for step in (len(rows), 2, 7, 11):
        same(run(tape.records, range(0, len(rows), step)), one_by_one)


@pytest.mark.parametrize("frame_s", [0.04, 0.08, 0.5])
def test_jittery_time_stamps_however_they_are_batched(frame_s: float) -> None:
    rng = np.random.default_rng(3)
    signal = made(beating(60, [(20, 27)]), 60)
    rows = [
        row._replace(start_ns=row.start_ns + int(rng.integers(-15 * MS, 15 * MS)))
        for row in signal.frames("p", frame_s)
    ]
    tape = tape_of(rows)
    whole = run(tape.records)
    assert [a.condition for a in whole.alerts] == ["asystole"]
    same(run(tape.records, range(0, len(rows), 3)), whole)
    same(singly(tape.records), whole)
