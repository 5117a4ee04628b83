"""Several leads, one heart: whose word counts, and when; and several oximeters."""

import random

import pytest

from telesurv.alerts.fusion import WAIT_NS, Change, Fusion
from telesurv.alerts.several import ALIVE_NS, Several
from telesurv_kernels import _dtypes as d

S = 1_000_000_000
RANKS = {1: (0, "ecg.II", "d"), 2: (2, "ecg.V5", "d"), 3: (9, "ecg.aVF", "e")}
NAMES = {d.ON: "on", d.OFF: "off", d.EPISODE: "event", d.SURE: "sure", d.UNSURE_SINCE: "unsure"}
CODES = {name: code for code, name in NAMES.items()}

Told = tuple[str, str, float]
"""What, of which condition, detected (s)"""


def change(line: int, what: str, at_s: float, of: int = 0, end_s: float = 0.0) -> Change:
    onset_ns = 0 if what == "off" else round((at_s - 4) * S)
    return Change(
        round(at_s * S), RANKS[line], CODES[what], of, line, onset_ns, round(end_s * S), 4.0, False
    )


class Heart:
    """A fusion, its leads' positions, and what it said."""

    def __init__(self, *lines: int) -> None:
        self.fusion = Fusion()
        self.at = dict.fromkeys(lines, S)
        self.said: list[Told] = []
        self.changes: list[Change] = []

    def reach(self, at_s: float, *lines: int) -> "Heart":
        for line in lines or self.at:
            self.at[line] = round(at_s * S)
            self._release()
        return self

    def add(self, line: int, what: str, at_s: float, of: int = 0, end_s: float = 0.0) -> "Heart":
        self.fusion.add(change(line, what, at_s, of, end_s))
        self._release()
        return self

    def _release(self) -> None:
        for said in self.fusion.release(self.at, RANKS.__getitem__):
            self.changes.append(said)
            name = d.CONDITIONS[said.condition]
            self.said.append((NAMES[said.kind], name, said.detected_ns / S))


def both_sure() -> Heart:
    heart = Heart(1, 2).reach(3)
    heart.add(1, "sure", 2).add(2, "sure", 2)
    assert heart.said == [("sure", "", 2)]
    heart.said.clear()
    return heart


ASYSTOLE, BRADY, PAUSE = d.ASYSTOLE, d.EXTREME_BRADYCARDIA, d.PAUSE
VT = d.VENTRICULAR_TACHYCARDIA


def test_one_lead_is_believed_at_once() -> None:
    heart = Heart(1).reach(2).add(1, "sure", 2).reach(10).add(1, "on", 9, ASYSTOLE)
    heart.reach(20).add(1, "off", 15, ASYSTOLE, 14)
    assert heart.said == [("sure", "", 2), ("on", "asystole", 9), ("off", "asystole", 15)]
    assert heart.changes[-1].end_ns == 14 * S


def test_a_lead_is_believed_when_the_other_has_got_there() -> None:
    heart = both_sure().reach(7).reach(8.9, 1).add(1, "on", 9, ASYSTOLE).reach(9.5, 1)
    assert heart.said == []
    heart.reach(8.9, 2)
    assert heart.said == []
    heart.reach(9, 2)
    assert heart.said == [("on", "asystole", 9)]


def test_a_lead_that_lags_is_not_waited_for() -> None:
    heart = both_sure().reach(6, 2).reach(6 + WAIT_NS / S, 1)
    heart.add(1, "on", 8, ASYSTOLE)
    assert heart.said == []
    heart.reach(6 + WAIT_NS / S + 0.1, 1)
    assert heart.said == [("on", "asystole", 8)]


def test_the_worse_lead_has_no_say_while_the_better_is_read() -> None:
    heart = both_sure().reach(12).add(2, "on", 9, ASYSTOLE).add(2, "event", 10, PAUSE)
    assert heart.said == []
    heart.add(1, "event", 11, PAUSE)
    assert heart.said == [("event", "pause", 11)]


def test_any_lead_that_is_read_may_show_a_ventricular_tachycardia() -> None:
    heart = both_sure().reach(30).add(2, "on", 9, VT)
    assert heart.said == [("on", "ventricular-tachycardia", 9)]
    assert heart.changes[-1].timeline == 2
    heart.add(1, "on", 10, VT).add(2, "off", 12, VT, 11)
    assert len(heart.said) == 1
    heart.add(1, "off", 13, VT, 12)
    assert heart.said[1:] == [("off", "ventricular-tachycardia", 13)]
    assert heart.changes[-1].end_ns == 12 * S
    heart.add(2, "unsure", 14).add(2, "on", 15, VT)
    assert len(heart.said) == 2


def test_when_the_better_becomes_unreadable_the_next_takes_over() -> None:
    heart = both_sure().reach(20).add(2, "on", 9, ASYSTOLE).add(1, "unsure", 15)
    assert heart.said == [("on", "asystole", 15)]
    assert heart.changes[-1].onset_ns == 5 * S
    assert heart.changes[-1].timeline == 2


def test_when_none_is_readable_nothing_ends() -> None:
    heart = both_sure().reach(30).add(1, "on", 9, ASYSTOLE).add(1, "unsure", 15)
    heart.add(2, "on", 16, ASYSTOLE)
    heart.said.clear()
    heart.add(2, "unsure", 20)
    assert heart.said == [("unsure", "", 20)]
    heart.add(2, "off", 25, ASYSTOLE, 24)
    assert heart.said == [("unsure", "", 20)]
    heart.add(2, "sure", 26)
    assert heart.said[1:] == [("sure", "", 26), ("off", "asystole", 26)]


def test_what_a_lead_said_before_it_went_away_is_over_when_another_ended_it() -> None:
    """Else it would be told again when the electrode is put back."""
    heart = both_sure().reach(60).add(1, "on", 9, ASYSTOLE).add(2, "on", 9.5, ASYSTOLE)
    heart.add(1, "unsure", 12).add(2, "off", 15, ASYSTOLE, 14)
    heart.said.clear()
    heart.add(1, "sure", 50)
    assert heart.said == []
    heart.add(1, "off", 52, ASYSTOLE, 51).add(1, "on", 55, ASYSTOLE)
    assert heart.said == [("on", "asystole", 55)]


def test_what_a_lead_said_before_still_holds_when_nobody_said_otherwise() -> None:
    heart = Heart(1).reach(60).add(1, "sure", 2).add(1, "on", 9, ASYSTOLE).add(1, "unsure", 12)
    heart.said.clear()
    heart.add(1, "sure", 50).add(1, "off", 52, ASYSTOLE, 51)
    assert heart.said == [("sure", "", 50), ("off", "asystole", 52)]


def test_a_lead_that_stops_coming_hands_over_without_a_finding() -> None:
    heart = both_sure().reach(20).add(2, "on", 9, ASYSTOLE)
    heart.reach(22.9, 2)
    assert heart.said == []
    heart.reach(23.1, 2)
    assert heart.said == [("on", "asystole", 23)]
    assert heart.changes[-1].onset_ns == 5 * S
    heart.reach(30, 2)
    assert len(heart.said) == 1


def test_findings_of_one_instant_come_by_lead_and_kind() -> None:
    heart = both_sure().reach(9)
    heart.add(1, "off", 12, BRADY, 11).add(1, "on", 12, ASYSTOLE).add(1, "on", 10, BRADY)
    heart.reach(20)
    assert heart.said == [
        ("on", "extreme-bradycardia", 10),
        ("on", "asystole", 12),
        ("off", "extreme-bradycardia", 12),
    ]


def findings(seed: int) -> list[tuple[float, int, str, int]]:
    """Half a minute of three leads' findings, in device time."""
    rng = random.Random(seed)
    found = [(1.0 + line / 10, line, "sure", 0) for line in RANKS]
    for line in RANKS:
        on: set[int] = set()
        at = 2.0
        while at < 30:
            at += rng.uniform(0.2, 4)
            what = rng.choice(["on", "off", "event", "unsure", "sure"])
            of = rng.choice([ASYSTOLE, BRADY, VT])
            if what in ("on", "off"):
                what = "off" if of in on else "on"
                on ^= {of}
            of = {"event": PAUSE, "on": of, "off": of}.get(what, 0)
            found.append((round(at, 3), line, what, of))
    return sorted(found)


@pytest.mark.parametrize("seed", range(40))
def test_the_order_in_which_leads_come_changes_nothing(seed: int) -> None:
    """As long as none lags by more than the fusion waits for."""
    results = []
    for run in range(4):
        rng = random.Random(seed * 10 + run)
        heart, left = Heart(*RANKS), findings(seed)
        at = dict.fromkeys(RANKS, 1.0)
        while min(at.values()) < 40:
            line = rng.choice([n for n in RANKS if at[n] - min(at.values()) < 2.0])
            at[line] += rng.choice([0.2, 0.5, 0.9])
            for item in [f for f in left if f[1] == line and f[0] <= at[line]]:
                left.remove(item)
                heart.add(line, item[2], item[0], item[3])
                heart.reach(item[0], line)
            heart.reach(at[line], line)
        results.append(heart.said)
    assert results[0]
    assert results[1:] == results[:-1]


# Several oximeters.

DESATURATION = d.DESATURATION


def said(several: Several, line: int, what: str, at_s: float, positions: dict[int, int]) -> bool:
    return several.take(change(line, what, at_s, DESATURATION), positions)


def test_present_while_one_says_so() -> None:
    several, at = Several(), {1: 100 * S, 2: 100 * S}
    assert said(several, 1, "on", 10, at)
    assert said(several, 2, "on", 20, at)
    assert not said(several, 1, "off", 30, at)
    assert said(several, 2, "off", 40, at)
    assert not several.holders
    assert not several.ended


def test_one_that_fell_silent_is_not_asked() -> None:
    several, at = Several(), {1: 100 * S, 2: 100 * S}
    said(several, 1, "on", 10, at)
    said(several, 2, "on", 20, at)
    assert not said(several, 1, "off", 30, at)
    at[1] += ALIVE_NS
    assert several.passed(lambda line: at) == []
    at[1] += 1
    (over,) = several.passed(lambda line: at)
    assert over.timeline == 1
    assert several.passed(lambda line: at) == []


def test_one_that_was_silent_before_neither() -> None:
    several, at = Several(), {1: 100 * S, 2: 20 * S}
    said(several, 2, "on", 19, at)
    said(several, 1, "on", 90, at)
    assert said(several, 1, "off", 99, at)
