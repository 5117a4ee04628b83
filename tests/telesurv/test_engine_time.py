"""Time in the log: silence and plans, ticks, our own absence, delays, replays beside live."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest

from engine_cases import (
    T0,
    Ran,
    S,
    Tape,
    beating,
    by_end,
    made,
    oxygen,
    real,
    run,
    seconds,
    singly,
    told,
)
from telesurv.alerts.model import Alert, Limits, Plan
from telesurv_streams.wire import Row

HEART = Plan(patient="p", version=1, expected_interval="1m", grace="30s")


def reading(at_s: float, pct: float = 97, patient: str = "p") -> Row:
    at_ns = T0 + round(at_s * S)
    return Row(patient, "d", "spo2", at_ns, 0.0, 1.0, 0.0, np.array([pct], np.int16), -1)


def ticked(tape: Tape, from_s: float, to_s: float, key: bytes | None = None) -> Tape:
    """The owner's ticks, every ten seconds and not on the grid."""
    for at_s in np.arange(from_s, to_s, 10):
        tape.tick(T0 + round((at_s + 3.7) * S), key)
    return tape


def silence(ran: Ran, patient: str | None = None) -> list[tuple[float, float, float | None]]:
    return [
        (seconds(a.onset), seconds(a.detected), None if a.resolved is None else seconds(a.resolved))
        for a in ran.of("non-transmission", patient)
    ]


# Silence.


def test_whoever_falls_silent_is_missed_in_time_and_found_again() -> None:
    tape = Tape().plan(HEART, T0).rows([reading(2)])
    ticked(tape, 10, 300).rows([reading(301)])
    ran = run(tape.records)
    assert silence(ran) == [(2, 100, 301)]
    alert = ran.one("non-transmission")
    assert (alert.kind, alert.priority, alert.revision) == ("technical", "medium", 2)
    assert alert.rule.limit == 90
    assert "98 s" in alert.reason.en
    assert singly(tape.records).revisions == ran.revisions


@pytest.mark.parametrize("ticks_s", [(), (95,), (99.99, 100), (100, 110, 120), (120.5,)])
def test_ticks_only_make_sure_that_a_record_comes(ticks_s: Iterable[float]) -> None:
    tape = Tape().plan(HEART, T0).rows([reading(2)])
    for at_s in ticks_s:
        tape.tick(T0 + round(at_s * S))
    tape.rows([reading(121)])
    # Without a tick the log itself was silent for long: that is ours, not the patient's.
    quiet = max(np.diff([2, *ticks_s, 121])) > 30
    assert silence(run(tape.records)) == ([] if quiet else [(2, 100, 121)])


def test_patients_of_whom_no_plan_is_known_are_missed_too() -> None:
    tape = ticked(Tape().rows([reading(2)]), 10, 1300)
    assert silence(run(tape.records)) == [(2, 1210, None)]


def test_a_patient_who_never_sent_anything_is_missed() -> None:
    tape = ticked(Tape().plan(replace_plan(patient="q"), T0 + 5 * S), 10, 200)
    ran = run(tape.records)
    assert silence(ran) == [(5, 100, None)]
    assert ran.alerts[0].evidence == ()
    assert ran.alerts[0].evidence_complete


def replace_plan(**changes: object) -> Plan:
    return Plan(**{name: getattr(HEART, name) for name in Plan.__struct_fields__} | changes)  # type: ignore[arg-type]


def test_what_is_malformed_or_set_aside_is_no_transmission() -> None:
    tape = Tape().plan(HEART, T0).rows([reading(2)])
    for at_s in range(10, 150, 10):
        tomorrow = reading(at_s + 86_400)
        tape.put(b"rot", (("telesurv-frame", b"1"),), b"p", T0 + at_s * S)
        tape.rows([tomorrow], T0 + at_s * S)
        tape.rows([reading(2)], T0 + at_s * S).tick(T0 + at_s * S)
    assert silence(run(tape.records)) == [(2, 100, None)]


def test_an_ended_plan_misses_nobody() -> None:
    ended = replace_plan(version=2, ended=True)
    tape = ticked(Tape().plan(HEART, T0).rows([reading(2)]), 10, 60)
    tape.plan(ended, T0 + 65 * S).rows([reading(66)])
    ticked(tape, 70, 500)
    assert silence(run(tape.records)) == []


def test_an_ended_plan_ends_the_silence_and_a_new_one_begins_again() -> None:
    tape = ticked(Tape().plan(HEART, T0).rows([reading(2)]), 10, 130)
    tape.plan(replace_plan(version=2, ended=True), T0 + 135 * S)
    ticked(tape, 140, 300)
    tape.plan(replace_plan(version=3), T0 + 305 * S)
    ticked(tape, 310, 500)
    (alert,) = run(tape.records).alerts  # of the same kind within ten minutes: one
    assert told(alert) == [
        ("non-transmission", 2, 100, 135),
        ("non-transmission", 305, 400, None),
    ]
    assert alert.count == 2


@pytest.mark.parametrize("tick", [True, False])
def test_what_is_due_is_judged_before_a_new_plan(tick: bool) -> None:
    tape = ticked(Tape().plan(HEART, T0).rows([reading(2)]), 10, 95)
    if tick:
        tape.tick(T0 + 100 * S)
    longer = replace_plan(version=2, expected_interval="1h")
    tape.plan(longer, T0 + 101 * S)
    ticked(tape, 110, 150)
    assert silence(run(tape.records)) == [(2, 100, None)]


def test_a_shorter_interval_finds_silence_when_it_comes() -> None:
    tape = ticked(Tape().rows([reading(2)]), 10, 203)
    tape.plan(HEART, T0 + 210 * S)
    ticked(tape, 220, 240)
    assert silence(run(tape.records)) == [(2, 210, None)]


def test_our_own_absence_is_not_the_patients() -> None:
    tape = ticked(Tape().plan(HEART, T0).rows([reading(2)]), 10, 50)
    ticked(tape, 10_000, 10_030)  # the log held nothing for hours
    assert silence(run(tape.records)) == []
    ticked(tape, 10_030, 10_200)
    ((onset, detected, _),) = silence(run(tape.records))
    assert onset == 2
    assert detected == 10_060  # 43.7 of 90 s had passed before: 46.3 s were left


def test_a_stretch_of_half_a_minute_is_still_the_patients() -> None:
    tape = Tape().plan(HEART, T0).rows([reading(2)])
    for at_s in range(32, 140, 30):
        tape.tick(T0 + at_s * S)
    assert silence(run(tape.records)) == [(2, 100, None)]


def test_a_tick_of_one_partition_is_none_of_another() -> None:
    tape, other = Tape().plan(HEART, T0).rows([reading(2)]), Tape(partition=1)
    ticked(other, 10, 300)
    both = sorted([*tape.records, *other.records], key=lambda record: record.arrival_ns)
    assert silence(run(both)) == []


def test_data_lost_is_told_to_every_patient_of_the_partition() -> None:
    tape = Tape()
    for second in range(20):
        tape.rows([reading(second), reading(second, patient="q")], key="gw")
    tape.lost(T0 + 21 * S)
    other = Tape(partition=1).rows([reading(0, patient="elsewhere")])
    ran = run([*other.records, *tape.records])
    assert {(a.patient, a.condition) for a in ran.alerts} == {
        ("p", "data-lost"),
        ("q", "data-lost"),
    }
    for alert in ran.alerts:
        assert (alert.kind, alert.priority) == ("technical", "medium")
        assert alert.resolved == alert.onset


# Plans.


def slow_and_low() -> list[Row]:
    """A heart at 45 a minute, and SpO2 of 89 %."""
    ecg = made(np.arange(0.5, 90, 60 / 45), 90)
    return by_end(*ecg.frames("p"), *oxygen([(20, 97), (70, 89)]).frames("p"))


def test_limits_of_a_plan_change_what_is_raised() -> None:
    tape = Tape()
    for row in slow_and_low():
        tape.rows([row])
    assert run(tape.records).conditions == {("p", "desaturation")}
    limits = Limits(heart_rate_low=50, spo2_low=88)
    planned = Tape().plan(replace_plan(limits=limits), T0 - S)
    for row in slow_and_low():
        planned.rows([row])
    ran = run(planned.records)
    assert ran.conditions == {("p", "extreme-bradycardia")}
    rule = ran.alerts[0].rule
    assert (rule.limit, rule.plan_version, rule.unit) == (50, 1, "/min")
    assert "(limit 50/min)" in ran.alerts[0].reason.en


def test_a_plan_takes_effect_where_it_lies_in_the_log() -> None:
    rows = slow_and_low()
    tape = Tape()
    for number, row in enumerate(rows):
        if number == 80:
            tape.plan(replace_plan(limits=Limits(heart_rate_low=50)), tape.now_ns)
        tape.rows([row])
    (slow,) = run(tape.records).of("extreme-bradycardia")
    assert seconds(slow.detected) >= 39
    assert singly(tape.records).revisions == run(tape.records).revisions


def test_an_older_or_equal_plan_is_ignored() -> None:
    tape = Tape().plan(replace_plan(version=7, limits=Limits(spo2_low=80)), T0 - 3 * S)
    tape.plan(replace_plan(version=7), T0 - 2 * S).plan(replace_plan(version=6), T0 - S)
    for row in slow_and_low():
        tape.rows([row])
    assert run(tape.records).conditions == set()


# Delays.


def alerts_delayed(delay_s: float) -> list[Alert]:
    ecg = made(beating(40, [(20, 27.5)]), 40)
    tape = Tape()
    for row in ecg.frames("p"):
        tape.rows([row], row.start_ns + round((1 + delay_s) * S))
    return run(tape.records).alerts


def test_what_comes_late_is_analysed_and_called_retrospective() -> None:
    (live,), (late,), (weeks,) = (alerts_delayed(s) for s in (0, 61, 14 * 86_400))
    assert (live.retrospective, late.retrospective, weeks.retrospective) == (False, True, True)
    assert (live.id, live.onset, live.detected) == (late.id, late.onset, late.detected)
    assert late.evidence == live.evidence == weeks.evidence
    assert not alerts_delayed(60)[0].retrospective


# A replay beside live patients.


def test_a_replay_meets_none_of_the_live() -> None:
    """The same patient live, in a replay of last year, and in a demo: three of everything."""
    signal = real("106", quiet_s=[(20, 27.5)])
    year_ns = 365 * 86_400 * S
    past = replace(signal, start_ns=T0 - year_ns)
    tapes = {"live": Tape(), "replay": Tape("replay"), "demo": Tape("demo")}
    for mode, tape in tapes.items():
        for row in (past if mode == "replay" else signal).frames("p"):
            tape.rows([row])
    alone = {mode: run(tape.records) for mode, tape in tapes.items()}
    mixed = [
        r for records in zip(*(t.records for t in tapes.values()), strict=True) for r in records
    ]
    numbered = [r._replace(offset=n, arrival_ns=T0 + n * S // 3) for n, r in enumerate(mixed)]
    ran = run(numbered)
    assert ran.revisions == {
        key: revisions for other in alone.values() for key, revisions in other.revisions.items()
    }
    live, demo = alone["live"].alerts[0], alone["demo"].alerts[0]
    assert live.id == demo.id
    assert (live.mode, demo.mode) == ("live", "demo")
    assert {minute.mode for minute in ran.minutes} == {"live", "replay", "demo"}


def test_time_in_a_replay_is_what_its_reader_says() -> None:
    tape = Tape("replay").plan(HEART, T0).rows([reading(2)])
    ticked(tape, 10, 150, key=b"p")
    assert silence(run(tape.records)) == [(2, 100, None)]
    # An owner's tick of today, and a replay of another route, do not touch it.
    tape = Tape("replay").plan(HEART, T0).rows([reading(2)])
    ticked(tape, 10, 150, key=b"q")
    today = Tape().tick(T0 + 86_400 * S)
    assert silence(run([*tape.records, *today.records])) == []
