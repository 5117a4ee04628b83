"""The alerts of one patient: what findings make of them, without an engine."""

import random
import uuid
from typing import Any

import pytest

from alert_cases import CODE, T0, Bedside, S
from telesurv.alerts import life
from telesurv.alerts import patient as patient_module
from telesurv.alerts.change import Change
from telesurv.alerts.conditions import CONDITIONS, DAY_NS, HEART, JOIN_NS, MINUTE_NS, OF_HEART
from telesurv.alerts.episode import ENTRIES_MAX, NAMESPACE, alert_id, moment
from telesurv.alerts.life import TRANSITIONS
from telesurv.alerts.model import Alert
from telesurv.alerts.patient import GIVE_UP_NS, SKEW_ENDS_NS
from telesurv.alerts.reasons import duration_text, reason
from telesurv_kernels import _dtypes as d

EVENTS = {"pause", "data-lost"}


@pytest.fixture
def bed() -> Bedside:
    made = Bedside()
    made.reach(100, 0, 2)
    return made


def entries(alert: Alert) -> list[tuple[str, str, float | None]]:
    resolved = [None if e.resolved is None else e.resolved.timestamp() for e in alert.conditions]
    return [
        (e.condition, e.priority, None if at is None else round(at - T0 / S, 3))
        for e, at in zip(alert.conditions, resolved, strict=True)
    ]


# Tables.


def test_every_code_of_the_kernels_is_a_condition() -> None:
    assert set(CONDITIONS) == set(CODE)


def test_conditions_are_sane() -> None:
    for condition in CONDITIONS.values():
        assert condition.join_ns == JOIN_NS[condition.priority]
        assert condition.version >= 1
        if condition.grace_ns:
            assert condition.priority == "low"
    for chain in {c.chain for c in CONDITIONS.values()}:
        ranks = [c.rank for c in CONDITIONS.values() if c.chain == chain]
        assert len(ranks) == len(set(ranks)), f"{chain}: which is the graver?"
    assert JOIN_NS == {"high": 0, "medium": 10 * MINUTE_NS, "low": DAY_NS}


@pytest.mark.parametrize("name", CONDITIONS)
def test_every_condition_has_its_sentences(name: str) -> None:
    said = reason(name, 12.5, 4.0, "ecg.II")
    assert said.en.endswith(".")
    assert said.fr.endswith(".")
    assert said.en != said.fr
    assert "{" not in said.en + said.fr
    assert not any(a.isdigit() and b == "." and c.isdigit() for a, b, c in zip(
        said.fr, said.fr[1:], said.fr[2:], strict=False
    ))  # fmt: skip


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (119.4, "119 s"), (120, "2 min"), (7199, "119 min"), (7200, "2 h 00"),
     (11_100, "3 h 05"), (172_799, "47 h 59"), (172_800, "2 d 0 h"), (266_400, "3 d 2 h")],
)  # fmt: skip
def test_durations_as_people_say_them(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


def test_days_and_decimals_are_french_in_french() -> None:
    assert "3 j 2 h" in reason("non-transmission", 266_400, 1200).fr
    assert "4,6 s" in reason("asystole", 4.6, 4).fr
    assert "4.6 s" in reason("asystole", 4.6, 4).en
    assert "over 17 consecutive beats" in reason("extreme-tachycardia", 150, 140, beats=17).en
    assert "sur 4 battements consécutifs" in reason("extreme-bradycardia", 38, 40, beats=4).fr
    assert "sur des battements consécutifs" in reason("extreme-bradycardia", 38, 40).fr


# Life.


def used(monkeypatch: pytest.MonkeyPatch) -> set[Any]:
    """The pairs that are looked up from now on; a missing one raises."""
    seen: set[Any] = set()

    class Watched(dict[Any, Any]):
        def __getitem__(self, key: Any) -> Any:
            seen.add(key)
            return super().__getitem__(key)

    monkeypatch.setattr(patient_module, "TRANSITIONS", Watched(TRANSITIONS))
    return seen


def test_whatever_comes_is_in_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = used(monkeypatch)
    for seed in range(60):
        rng = random.Random(seed)
        bed = Bedside()
        bed.reach(1, 0, 2)
        at = 10.0
        for _ in range(60):
            at += rng.choice([0.5, 3, 15, 200, 2000, 100_000])
            name = rng.choice(list(CONDITIONS))
            what = rng.randrange(6)
            if what == 0:
                bed.reach(at, 0, 2)
            elif what == 1:
                kind = rng.choice([d.SURE, d.UNSURE_SINCE])
                change = Change(T0, bed.rank(0), kind, 0, 0, T0 + round(at * S), 0, 0.0, False)
                bed._keep(bed.alerts.found(change, bed))
            elif name in EVENTS:
                bed.event(name, at - 3, at)
            elif what < 4:
                bed.on(name, at - 5, at)
            else:
                bed.off(name, at - 1, at)
    # No chain has both events and conditions that last, yet.
    assert TRANSITIONS.keys() - seen == {("present", "event")}


def test_the_diagram_is_the_table() -> None:
    lines = life.diagram().splitlines()
    assert lines[:2] == ["stateDiagram-v2", "    [*] --> absent"]
    drawn = {line.strip() for line in lines[2:]}
    assert len(drawn) == len(lines) - 2
    assert "absent --> present: on / announce" in drawn
    assert "ended --> absent: later / none" in drawn
    assert not any("/ none" in line and line.split()[0] == line.split()[2][:-1] for line in drawn)


# Ids.


def test_an_id_never_changes() -> None:
    """Not between runs, machines or versions: these are in people's records."""
    assert str(NAMESPACE) == "3f1d2a52-7c0b-5f0e-9d5a-7e1c5e0c4b1e"
    assert alert_id("p-07", "asystole", T0) == "f6c825c9-ab5c-5a06-9bdd-87c2e8fcb094"
    assert uuid.UUID(alert_id("p", "pause", 0)).version == 5


def test_an_id_is_of_patient_condition_and_first_onset(bed: Bedside) -> None:
    (first,) = bed.on("extreme-bradycardia", 90, 98)
    assert first.id == alert_id("p", "extreme-bradycardia", T0 + 90 * S)
    (graver,) = bed.on("asystole", 99, 104)
    assert graver.id == first.id
    replayed = Bedside(mode="replay")
    replayed.reach(100, 0, 2)
    (again,) = replayed.on("extreme-bradycardia", 90, 98)
    assert (again.id, again.mode) == (first.id, "replay")


def test_channels_that_come_off_at_one_instant_have_their_own_ids(bed: Bedside) -> None:
    (one,) = bed.on("lead-off", 80, 90, line=0)
    (other,) = bed.on("lead-off", 80, 90, line=1)
    assert one.id != other.id
    (back,) = bed.off("lead-off", 95, 99, line=1)
    assert back.id == other.id
    assert [a.resolved is None for a in bed.last] == [True, False]


# Chains.


def test_a_chain_rises_and_falls_in_one_alert(bed: Bedside) -> None:
    bed.on("desaturation", 80, 90, value=88)
    (rises,) = bed.on("severe-desaturation", 92, 102, value=82)
    assert (rises.condition, rises.priority) == ("severe-desaturation", "high")
    (falls,) = bed.off("severe-desaturation", 110, 125)
    assert (falls.condition, falls.priority, falls.resolved) == ("desaturation", "medium", None)
    (rises,) = bed.on("severe-desaturation", 130, 140, value=80)
    bed.off("severe-desaturation", 150, 160)
    (over,) = bed.off("desaturation", 155, 170)
    assert over.resolved == moment(T0 + 155 * S)
    assert over.condition == "severe-desaturation", "of a resolved alert the gravest it had"
    assert len(bed.revisions) == 1
    assert over.count == 1
    assert entries(over) == [
        ("desaturation", "medium", 155),
        ("severe-desaturation", "high", 110),
        ("severe-desaturation", "high", 150),
    ]
    assert over.reason == reason("severe-desaturation", 80, 4.0)


def test_what_is_present_already_is_no_news(bed: Bedside) -> None:
    bed.on("asystole", 90, 95)
    assert bed.on("asystole", 91, 96) == []
    assert bed.off("extreme-bradycardia", 95, 96) == []
    assert bed.off("extreme-tachycardia", 95, 96) == []


def test_an_end_before_its_onset_is_at_its_onset(bed: Bedside) -> None:
    bed.on("asystole", 90, 95)
    (over,) = bed.off("asystole", 89, 96)
    assert over.conditions[0].resolved == over.onset


# What joins.


def test_events_within_ten_minutes_join_and_later_ones_do_not(bed: Bedside) -> None:
    bed.event("pause", 100, 103)
    (joined,) = bed.event("pause", 103 + 600, 103 + 603)
    assert (joined.count, joined.resolved) == (2, moment(T0 + (103 + 603) * S))
    (new,) = bed.event("pause", 103 + 603 + 600.001, 1400)
    assert (new.count, new.revision) == (1, 1)
    assert len(bed.revisions) == 2


def test_high_ones_do_not_join(bed: Bedside) -> None:
    bed.on("asystole", 90, 95)
    bed.off("asystole", 97, 100)
    (new,) = bed.on("asystole", 97.5, 102)
    assert new.revision == 1
    assert len(bed.revisions) == 2


def test_low_ones_join_for_a_day(bed: Bedside) -> None:
    bed.on("lead-off", 80, 90)
    bed.off("lead-off", 100, 105)
    (joined,) = bed.on("lead-off", 100 + 86_400, 100 + 86_410)
    assert (joined.count, joined.resolved, joined.onset) == (2, None, moment(T0 + 80 * S))
    bed.off("lead-off", 86_600, 86_605)
    (new,) = bed.on("lead-off", 86_600 + 86_401, 86_600 + 86_411)
    assert new.count == 1


def test_a_chain_joins_as_long_as_the_longest_of_its_conditions(bed: Bedside) -> None:
    bed.on("desaturation", 80, 90)
    bed.on("severe-desaturation", 92, 102)
    bed.off("severe-desaturation", 110, 125)
    bed.off("desaturation", 110, 125)
    (joined,) = bed.on("severe-desaturation", 400, 410)
    assert joined.count == 2


def test_a_long_list_keeps_what_is_present(bed: Bedside) -> None:
    bed.on("extreme-bradycardia", 90, 98)
    for number in range(30):
        bed.on("asystole", 100 + 20 * number, 105 + 20 * number)
        bed.off("asystole", 110 + 20 * number, 112 + 20 * number)
    (alert,) = bed.last
    assert len(alert.conditions) == ENTRIES_MAX
    assert (alert.condition, alert.resolved) == ("extreme-bradycardia", None)
    assert entries(alert)[0] == ("extreme-bradycardia", "high", None)
    (over,) = bed.off("extreme-bradycardia", 900, 901)
    assert over.resolved == moment(T0 + 900 * S)


# Grace.


def test_a_low_one_that_lasts_becomes_medium(bed: Bedside) -> None:
    bed.on("lead-off", 90, 100)
    bed.reach(389.9)
    assert [a.priority for a in bed.last] == ["low"]
    (raised,) = bed.reach(390)
    assert (raised.priority, entries(raised)) == ("medium", [("lead-off", "medium", None)])
    assert bed.reach(2000) == []
    assert not bed.alerts.waits


def test_one_that_ended_in_time_does_not_and_the_next_has_its_own_grace(bed: Bedside) -> None:
    bed.on("lead-off", 90, 100)
    bed.reach(150)
    bed.off("lead-off", 200, 205)
    assert bed.reach(1000) == []
    (joined,) = bed.on("lead-off", 1100, 1110)
    assert joined.priority == "low"
    assert bed.reach(1399) == []
    (raised,) = bed.reach(1400)
    assert entries(raised) == [("lead-off", "low", 200), ("lead-off", "medium", None)]


# Strips.


def test_a_strip_is_shown_at_once_and_completed_ten_seconds_after_the_onset(bed: Bedside) -> None:
    (found,) = bed.on("asystole", 94, 98.5)
    assert not found.evidence_complete
    assert [(s.start, len(s.samples)) for s in found.evidence] == [(moment(T0 + 84 * S), 28)]
    assert bed.reach(103.9) == []
    (complete,) = bed.reach(104)
    assert complete.evidence_complete
    assert [(s.start, len(s.samples)) for s in complete.evidence] == [(moment(T0 + 84 * S), 40)]
    assert bed.reach(500) == []


def test_what_is_decided_late_is_complete_at_once_after_the_decision(bed: Bedside) -> None:
    (found,) = bed.on("asystole", 60, 100)
    assert found.evidence_complete
    (strip,) = found.evidence
    assert (strip.start, len(strip.samples)) == (moment(T0 + 80 * S), 40)


def test_silence_completes_a_strip_with_what_there_is(bed: Bedside) -> None:
    bed.on("asystole", 95, 99)
    said = bed.on("non-transmission", 100, 1300)
    assert [(a.condition, a.evidence_complete) for a in said] == [
        ("asystole", True),
        ("non-transmission", True),
    ]
    assert len(said[0].evidence[0].samples) == 30
    assert said[1].evidence[0].channel == "ecg.II"


def test_a_signal_that_went_away_completes_it_too(bed: Bedside) -> None:
    bed.on("asystole", 95, 99)
    assert bed.reach(100 + GIVE_UP_NS / S - 1, 2) == []
    (complete,) = bed.reach(100 + GIVE_UP_NS / S, 2)
    assert complete.evidence_complete
    assert len(complete.evidence[0].samples) == 30


def test_a_patient_of_whom_there_is_no_signal_has_no_strip() -> None:
    bed = Bedside()
    (alert,) = bed.on("non-transmission", 0, 1200)
    assert (alert.evidence, alert.evidence_complete) == ((), True)
    assert not bed.alerts.waits


# Signal and clocks.


def signal(bed: Bedside, kind: int, onset_s: float) -> list[Alert]:
    change = Change(T0, bed.rank(0), kind, 0, 0, T0 + round(onset_s * S), 0, 0.0, False)
    return bed._keep(bed.alerts.found(change, bed))


def test_an_unreadable_signal_is_said_and_ends_nothing(bed: Bedside) -> None:
    bed.on("asystole", 90, 95)
    bed.on("desaturation", 80, 95)
    (marked,) = signal(bed, d.UNSURE_SINCE, 97)
    assert (marked.condition, marked.resolved) == ("asystole", None)
    assert marked.not_analysable_since == moment(T0 + 97 * S)
    (read,) = signal(bed, d.SURE, 120)
    assert read.not_analysable_since is None
    bed.off("asystole", 125, 127)
    assert signal(bed, d.UNSURE_SINCE, 130) == []


def test_a_clock_is_right_again_after_an_hour_without_a_frame_from_the_future(bed: Bedside) -> None:
    bed.on("clock-skew", 100, 100, value=600)
    bed.on("clock-skew", 200, 200, value=600)
    at = T0 + 200 * S
    assert bed.alerts.waits
    assert bed.alerts.arrived(at + SKEW_ENDS_NS - 1, bed) == []
    (over,) = bed.alerts.arrived(at + SKEW_ENDS_NS, bed)
    assert over.resolved == moment(at + SKEW_ENDS_NS)


def test_the_leads_decide_about_what_is_found_in_an_ecg() -> None:
    of_ecg = {d.ASYSTOLE, d.PAUSE, d.EXTREME_BRADYCARDIA, d.EXTREME_TACHYCARDIA}
    of_ecg |= set(range(d.VENTRICULAR_TACHYCARDIA, d.UNREADABLE))
    assert {CODE[name] for name in OF_HEART} == of_ecg
    assert {c.chain for c in CONDITIONS.values() if CODE[c.name] in of_ecg} == HEART
    others = {c.chain for c in CONDITIONS.values() if c.name not in OF_HEART}
    assert not others & HEART


def test_a_heart_that_fails_in_several_ways_is_one_episode(bed: Bedside) -> None:
    bed.on("extreme-tachycardia", 100, 101)
    bed.on("ventricular-tachycardia", 102, 104)
    bed.on("ventricular-fibrillation", 110, 115)
    bed.off("extreme-tachycardia", 112, 116)
    bed.on("asystole", 130, 134)
    bed.off("ventricular-fibrillation", 130, 135)
    (revisions,) = bed.revisions.values()
    alert = revisions[-1]
    assert alert.condition == "asystole"
    assert [e.condition for e in alert.conditions] == [
        "extreme-tachycardia",
        "ventricular-tachycardia",
        "ventricular-fibrillation",
        "asystole",
    ]
