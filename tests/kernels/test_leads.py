"""The fusion of leads by its rules, beside its oracle, and however the leads arrive."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lead_cases import S, Voice, announced, flags_of, frames, heart, near, times, voice
from oracles import leads as oracle
from telesurv_kernels import _dtypes as d
from telesurv_kernels import leads as k
from telesurv_kernels._vote import PATIENCE_NS

NAMES = ("kind", "time_ns", "decided_ns", "value", "flags")
STEADY = np.arange(0.5, 60, 0.8)


def run(events: NDArray[Any]) -> NDArray[Any]:
    found = np.zeros(k.capacity(len(events), 1), k.FINDING)
    state = np.zeros(1, k.STATE)
    found = found[: k.advance(state, np.array([k.params()]), events, found)]
    return found[found["kind"] != d.POSITION]


def plain(events: NDArray[Any]) -> list[oracle.Event]:
    return [tuple(one[name].item() for name in NAMES) for one in events]


def beats(events: NDArray[Any]) -> list[float]:
    return times(events, d.BEAT)


def read_to_the_end(found: NDArray[Any]) -> bool:
    """Say whether every MARK says that the signal was readable since the one before."""
    known = found[(found["kind"] == d.MARK) | (found["kind"] == d.GAP)]
    marks = known["kind"][1:] == d.MARK
    return bool(np.all(known["value"][1:][marks] >= np.diff(known["time_ns"])[marks] - 20_000_000))


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=30, deadline=None)
def test_one_lead_is_passed_through(seed: int) -> None:
    rng = np.random.default_rng(seed)
    one = voice(STEADY, rng, 0.1, 0.2, unreadable=[(10.0, 12.5)], fibrillates=[(20.0, 24.0)])
    events = heart([one], 60.0)
    found = run(events)
    said = events[np.isin(events["kind"], [d.BEAT, d.MARK, d.GAP, d.FIBRILLATION])]
    assert plain(found) == plain(said)
    # And at once, with the event itself, once it is known that no other lead begins with it.
    later = said["decided_ns"] > 3 * S
    assert found["segment"][later].tolist() == said["segment"][later].tolist()
    settled = events[(events["kind"] == d.POSITION) & (events["time_ns"] >= 3 * S)][0]
    assert np.all(found["segment"][~later] <= settled["segment"])


def arrivals(voices: Sequence[Voice], length_s: float, rng: np.random.Generator) -> NDArray[Any]:
    """Return the events of the leads interleaved at random, none more than 3 s behind."""
    waiting = frames(voices, length_s, frame_s=0.5)
    reached = [0] * len(waiting)
    parts = [announced(voices)]
    while any(waiting):
        first = min(at for at, row in zip(reached, waiting, strict=True) if row)
        ready = [
            lead
            for lead, row in enumerate(waiting)
            if row and row[0]["time_ns"][-1] <= first + 3 * S
        ]
        lead = int(rng.choice(ready))
        part = waiting[lead].pop(0)
        reached[lead] = int(part["time_ns"][-1])
        parts.append(part)
    return np.concatenate(parts)


def coming(one: Voice, lead: int, length_s: float) -> list[NDArray[Any]]:
    """Return the events of a lead that comes and goes; before them what is known of it."""
    first = np.zeros(1, d.LEAD_EVENT)
    first["kind"], first["lead"], first["flags"] = d.POSITION, lead, one.rank
    first["value"] = 4 * S
    rows = frames([one], length_s + 1, lag_s=4.0)[0]
    for part in rows:
        part["lead"] = lead
    return [np.concatenate([first, rows[0]]), *rows[1:]] if rows else []


def drawn(rng: np.random.Generator, count: int) -> list[Voice]:
    """Return leads of one heart, each with its misses, noise, holes and phase."""
    beats_s = np.cumsum(rng.uniform(0.35, 1.2, 40))
    voices = []
    for _ in range(count):
        at = float(rng.uniform(0, 25))
        voices.append(
            voice(
                beats_s + rng.uniform(-0.06, 0.06),
                rng,
                misses=float(rng.choice([0, 0.05, 0.5])),
                invents=float(rng.choice([0, 0.1, 0.5])),
                wide=0.3,
                contrast=float(rng.uniform(1, 40)),
                strength=float(rng.uniform(0.5, 3)),
                reject=float(rng.uniform(0.1, 0.6)),
                likes=rng.integers(0, 8, 5).tolist(),
                unreadable=[(at, at + 4)] if rng.random() < 0.5 else [],
                fibrillates=[(at + 1, at + 5)] if rng.random() < 0.3 else [],
            )
        )
    return voices


@given(seed=st.integers(0, 2**32 - 1), count=st.integers(2, 6))
@settings(max_examples=40, deadline=None)
def test_nothing_depends_on_how_the_leads_arrive(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    voices = drawn(rng, count)
    assert plain(run(arrivals(voices, 30.0, rng))) == plain(run(heart(voices, 30.0)))


@given(seed=st.integers(0, 2**32 - 1), count=st.integers(1, 4))
@example(seed=78, count=2)  # two leads whose signal begins anew within 3 s of each other
@example(seed=2, count=2)
@settings(max_examples=40, deadline=None)
def test_nor_on_how_they_come_and_go(seed: int, count: int) -> None:
    """As long as none comes more than 2 s after the others; the last seconds may still wait."""
    rng = np.random.default_rng(seed)
    waiting = []
    for lead in range(count):
        begin_s, parts = float(rng.choice([0.0, 0.3, 4.0])), []
        while begin_s < 40:
            end_s = begin_s + float(rng.choice([2.0, 5.0, 20.0]))
            one = Voice(STEADY.tolist(), begin_s=begin_s, end_s=end_s, rank=lead)
            for part in coming(one, lead, 40.0):
                parts.append((part["time_ns"][-1] + rng.uniform(0, 2) * S, part))
            begin_s = end_s + float(rng.choice([0.5, 1.5, 2.5, 8.0]))
        late_ns = np.maximum.accumulate([at for at, _ in parts])
        waiting.append([(at, part) for at, (_, part) in zip(late_ns, parts, strict=True)])
    every = sorted((one for row in waiting for one in row), key=lambda one: one[0])
    straight = sorted((part for _, part in every), key=lambda part: part["time_ns"][-1])
    found = run(np.concatenate([part for _, part in every]))
    other = run(np.concatenate(straight))
    found, other = (part[part["time_ns"] < 34 * S] for part in (found, other))
    assert plain(found) == plain(other)
    assert len(beats(found)) > 5


@given(seed=st.integers(0, 2**32 - 1), count=st.integers(2, 6))
@settings(max_examples=60, deadline=None)
def test_beside_the_oracle(seed: int, count: int) -> None:
    events = heart(drawn(np.random.default_rng(seed), count), 30.0)
    assert plain(run(events)) == oracle.leads(events, k.params())


@given(seed=st.integers(0, 2**32 - 1), count=st.integers(2, 4))
@settings(max_examples=20, deadline=None)
def test_beats_come_in_order_and_before_their_mark(seed: int, count: int) -> None:
    found = run(heart(drawn(np.random.default_rng(seed), count), 30.0))
    marked_ns = last_ns = -1
    for event in found:
        if event["kind"] == d.BEAT:
            assert event["time_ns"] >= max(marked_ns, last_ns + 200_000_000)
            assert event["decided_ns"] - event["time_ns"] <= PATIENCE_NS
            last_ns = event["time_ns"]
        elif event["kind"] == d.MARK:
            assert event["time_ns"] > marked_ns
            marked_ns = event["time_ns"]


def test_what_waits_is_judged_in_time_whoever_says_something_then() -> None:
    """The second lead says nothing of a beat at 30.1 s until 31.4 s, as no lead does."""
    one, two = Voice(STEADY.tolist()), Voice(STEADY.tolist(), phase_s=0.1)
    events = heart([one, two], 60.0)
    hole = (events["lead"] == 1) & (events["kind"] != d.POSITION)
    hole &= (events["decided_ns"] > 30.15 * S) & (events["decided_ns"] < 31.4 * S)
    found = run(events[~hole])
    peaks = found[found["kind"] == d.BEAT]
    late_ns = peaks["decided_ns"] - peaks["time_ns"]
    assert near(beats(found), STEADY[STEADY < 59.5])
    assert late_ns.max() == PATIENCE_NS
    assert np.all(np.diff(peaks["decided_ns"]) >= 0)


def test_what_leads_agree_on_is_told_once_and_at_once() -> None:
    found = run(heart([Voice(STEADY.tolist()), Voice((STEADY + 0.05).tolist())], 60.0))
    said = beats(found)
    assert near(said, STEADY[STEADY < 59.5], 0.06)
    assert len(set(found["flags"][found["kind"] == d.BEAT] >> d.LEAD_SHIFT)) == 1
    peaks = found[found["kind"] == d.BEAT]
    assert np.all(peaks["decided_ns"] - peaks["time_ns"] <= 0.45 * S)
    assert read_to_the_end(found)


def test_a_lead_that_invents_is_not_believed() -> None:
    noisy = voice(STEADY, np.random.default_rng(1), invents=0.4, contrast=3.0)
    found = run(heart([Voice(STEADY.tolist()), noisy], 60.0))
    assert near(beats(found), STEADY[STEADY < 59.5])


def test_a_lead_that_misses_is_helped() -> None:
    small = [STEADY[30], STEADY[50]]
    one = Voice(np.delete(STEADY, [30, 50]).tolist(), small, reject=0.4)
    found = run(heart([one, Voice(STEADY.tolist(), contrast=8.0)], 60.0))
    assert near(beats(found), STEADY[STEADY < 59.5])


def test_what_another_lead_rejected_stays_evidence_while_a_beat_waits() -> None:
    """The lead that rejected it has long decided what follows, the other one is slower."""
    beats_s = np.delete(STEADY, [30])
    one = Voice(beats_s.tolist(), [STEADY[30] - 0.05], reject=0.7)
    other = Voice(STEADY.tolist(), contrast=2.0, strength=0.7, phase_s=0.2)
    without = Voice(beats_s.tolist())
    assert near(beats(run(heart([one, other], 60.0))), STEADY[STEADY < 59.5], 0.06)
    assert len(beats(run(heart([without, other], 60.0)))) <= len(STEADY[STEADY < 59.5])


def test_an_unreadable_lead_that_finds_beats_is_asked() -> None:
    """Noise in the other one that a readable beat of it does not explain is none."""
    extra = (STEADY[40:60:4] + 0.3).tolist()
    one = Voice(STEADY.tolist(), unreadable=[(20.0, 60.0)])
    noisy = Voice(sorted([*STEADY, *extra]), contrast=2.0)
    assert near(beats(run(heart([one, noisy], 60.0))), STEADY[STEADY < 59.5])


@pytest.mark.parametrize("apart_s", [0.16, 0.195])
def test_a_beat_whose_peaks_lie_far_apart_is_between_them(apart_s: float) -> None:
    found = beats(run(heart([Voice(STEADY.tolist()), Voice((STEADY + apart_s).tolist())], 60.0)))
    assert near(found, STEADY[STEADY < 59.3] + apart_s / 2, 0.001)


def test_a_peak_in_noise_that_is_unlike_its_leads_beats_is_believed_less() -> None:
    one = Voice(np.delete(STEADY, [30]).tolist())
    told = []
    for like in (0, 1, 4, 7):  # 0: not compared
        noisy = Voice(STEADY.tolist(), contrast=3.0, strength=0.5, likes=(like,))
        told.append(len(beats(run(heart([one, noisy], 60.0)))))
    every = np.sum(STEADY < 59.5)
    assert told == [every, every - 1, every, every]


def test_a_lead_that_finds_nothing_does_not_veto() -> None:
    found = run(heart([Voice(STEADY.tolist()), Voice([], contrast=1.0)], 60.0))
    assert len(beats(found)) >= len(STEADY) - 3


@pytest.mark.parametrize("what", ["unreadable", "ended"])
def test_no_seam_when_a_lead_goes_bad(what: str) -> None:
    first = STEADY[STEADY < 30]
    bad = (
        Voice(first.tolist(), unreadable=[(30.0, 60.0)])
        if what == "unreadable"
        else Voice(first.tolist(), end_s=30.0)
    )
    other = Voice((STEADY + 0.02).tolist(), contrast=8.0)
    found = run(heart([bad, other], 60.0))
    assert near(beats(found), STEADY[STEADY < 59.4])
    assert times(found, d.GAP) == [0.0]
    assert read_to_the_end(found)
    lead = found["flags"][found["kind"] == d.BEAT] >> d.LEAD_SHIFT
    assert lead[10] == 0
    assert set(lead[-20:]) == {1}


def test_unreadable_in_all_leads_is_unreadable() -> None:
    hole = [(20.0, 24.0)]
    beats_s = STEADY[(STEADY < 20) | (STEADY > 24)].tolist()
    found = run(heart([Voice(beats_s, unreadable=hole), Voice(beats_s, unreadable=hole)], 60.0))
    marks = found[found["kind"] == d.MARK]
    inside = (marks["time_ns"] > 20.5 * S) & (marks["time_ns"] < 23.9 * S)
    assert np.all(marks["value"][inside] == 0)


def test_a_lead_that_comes_back_is_heard_again() -> None:
    late = Voice(STEADY[STEADY > 32].tolist(), begin_s=30.0, contrast=30.0)
    found = run(heart([Voice(STEADY.tolist(), contrast=4.0), late], 60.0))
    assert near(beats(found), STEADY[STEADY < 59.4])
    assert times(found, d.GAP) == [0.0]
    assert (found["flags"][found["kind"] == d.BEAT] >> d.LEAD_SHIFT)[-1] == 1


def test_lanes_of_dead_leads_are_taken_by_others() -> None:
    voices = [Voice(STEADY.tolist(), begin_s=6.0 * n, end_s=6.0 * n + 8.0) for n in range(2 * 6)]
    found = run(heart(voices, 80.0))
    assert near([at for at in beats(found) if at < 59], STEADY[STEADY < 59])
    assert set(found["flags"][found["kind"] == d.BEAT] >> d.LEAD_SHIFT) == set(range(10))


def test_a_clock_that_goes_back_begins_anew() -> None:
    early = heart([Voice(STEADY.tolist()), Voice(STEADY.tolist())], 30.0)
    late = early.copy()
    for name in ("time_ns", "decided_ns"):
        late[name] += 3600 * S
    found = run(np.concatenate([late, early]))
    gaps = times(found, d.GAP)
    assert gaps[0] == 3600.0
    assert gaps[-1] < 2.0
    again = [at for at in beats(found) if 3 < at < 29]
    assert near(again, STEADY[(STEADY > 3) & (STEADY < 29)])


@pytest.mark.parametrize(("calm", "said"), [(True, []), (False, [30.0, 40.0])])
def test_fibrillation_is_contradicted_by_organised_beats(calm: bool, said: list[float]) -> None:
    one = Voice(STEADY[STEADY < 30].tolist(), fibrillates=[(30.0, 40.0)])
    two = Voice((STEADY if calm else STEADY[STEADY < 27]).tolist())
    assert times(run(heart([one, two], 60.0)), d.FIBRILLATION) == said


def test_a_queue_that_is_full_keeps_the_beats() -> None:
    leads = [Voice(STEADY.tolist()), Voice(STEADY.tolist())]
    first, second = frames(leads, 60.0, lag_s=40.0)
    found = run(np.concatenate([announced(leads, 40.0), *first, *second]))
    assert near(beats(found), STEADY[STEADY < 59.4])
    assert read_to_the_end(found)


@given(seed=st.integers(0, 2**32 - 1), count=st.integers(2, 6))
@settings(max_examples=20, deadline=None)
def test_long_frames_of_many_leads_lose_no_beat(seed: int, count: int) -> None:
    """Nor is one reordered, whatever waits for the last of frames of 10 s."""
    rng = np.random.default_rng(seed)
    beats_s = np.cumsum(rng.uniform(0.35, 1.2, 60))
    leads = range(count)
    voices = [voice(beats_s + rng.uniform(-0.05, 0.05), rng, rank=lead) for lead in leads]
    parts = frames(voices, 40.0, frame_s=10.0, lag_s=10.0)
    events = [parts[lead][at] for at in range(4) for lead in rng.permutation(count).tolist()]
    found = run(np.concatenate([announced(voices, 10.0), *events]))
    told = np.array(beats(found))
    within = beats_s[(beats_s > 0.1) & (beats_s < 38.9)]
    assert np.abs(told - within[:, None]).min(axis=1).max() < 0.15
    peaks = found[found["kind"] == d.BEAT]
    assert np.all(np.diff(peaks["time_ns"]) > 0)
    assert np.all(np.diff(found["decided_ns"]) >= 0)
    assert read_to_the_end(found)
    if count <= 4:
        assert plain(found) == plain(run(heart(voices, 40.0, frame_s=0.5, lag_s=10.0)))


def test_flags_of_the_lead_that_is_told() -> None:
    found = run(heart([Voice(STEADY.tolist(), contrast=20.0), Voice(STEADY.tolist())], 20.0))
    flags = found["flags"][found["kind"] == d.BEAT] & 0xFFFFFFFF
    assert set(flags.tolist()) == {flags_of(1.0, 20.0) | d.NORMAL << d.CLASS_SHIFT}


def test_a_beat_that_is_ventricular_in_one_lead_is() -> None:
    one = Voice(STEADY.tolist(), contrast=20.0)
    other = Voice((STEADY + 0.03).tolist(), wide_s=(STEADY + 0.03)[20:23].tolist(), contrast=8.0)
    peaks = run(heart([one, other], 30.0))
    peaks = peaks[peaks["kind"] == d.BEAT]
    classes = peaks["flags"] >> d.CLASS_SHIFT & d.CLASS_MASK
    assert classes[20:23].tolist() == [d.VENTRICULAR] * 3
    assert set(np.delete(classes, [20, 21, 22]).tolist()) == {d.NORMAL}
    assert np.flatnonzero(peaks["flags"] >> d.LEAD_SHIFT).tolist() == [20, 21, 22]
    assert near(beats(peaks), STEADY[STEADY < 29.5], 0.001)


def test_runs_are_counted_in_each_lead_for_itself() -> None:
    later = STEADY + 0.03
    one = Voice(STEADY.tolist(), wide_s=STEADY[20:24].tolist(), tall_s=[STEADY[22]])
    other = Voice(later.tolist(), wide_s=later[23:26].tolist(), rank=1)
    peaks = run(heart([one, other], 30.0))
    flags = peaks["flags"][peaks["kind"] == d.BEAT]
    # The third of the first lead is higher, so that a run begins with it, and with the fourth.
    assert (flags >> d.RUN_SHIFT & d.RUN_MASK)[19:28].tolist() == [0, 1, 2, 1, 1, 2, 3, 0, 0]
    alone = run(heart([one], 30.0))
    flags = alone["flags"][alone["kind"] == d.BEAT]
    assert (flags >> d.RUN_SHIFT & d.RUN_MASK)[19:26].tolist() == [0, 1, 2, 1, 1, 0, 0]


@pytest.mark.parametrize(("contrast", "longest"), [(0.75, 4), (0.5, 0)])
def test_beats_that_noise_drowns_are_no_run(contrast: float, longest: int) -> None:
    one = Voice(STEADY.tolist(), wide_s=STEADY[20:24].tolist(), contrast=contrast)
    peaks = run(heart([one], 30.0))
    assert (peaks["flags"][peaks["kind"] == d.BEAT] >> d.RUN_SHIFT & d.RUN_MASK).max() == longest


@pytest.mark.parametrize(("first", "said"), [(0, [2.0, 0.0]), (1, [1.0, 0.0])])
def test_fibrillation_of_one_lead_while_another_beats(first: int, said: list[float]) -> None:
    """The better lead is believed; the word of the other is a suspicion."""
    one = Voice(STEADY[STEADY < 30].tolist(), fibrillates=[(30.0, 40.0)], rank=first)
    two = Voice(STEADY.tolist(), contrast=2.0, rank=1 - first)
    found = run(heart([one, two], 60.0))
    assert found["value"][found["kind"] == d.FIBRILLATION].tolist() == said
