"""Levels: monotone within a patient, small enough for the rings, and cut where they must be."""

from collections import defaultdict

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from telesurv.analysis import PIECE_S
from telesurv.levels import CROWDED_S, levels

Frame = tuple[int, int, float, int]
"""Patient, timeline, seconds, restart."""


def of(frames: list[Frame]) -> NDArray[np.int64]:
    columns = list(zip(*frames, strict=True)) if frames else [[], [], [], []]
    patient, timeline, restart = (np.array(columns[n], np.int64) for n in (0, 1, 3))
    return levels(patient, timeline, np.array(columns[2], float), restart)


@st.composite
def logs(draw: st.DrawFn) -> list[Frame]:
    """Frames of three patients with two or three timelines each, in any order."""
    frames = []
    spans = st.sampled_from([0.3, 0.2, 1.0, 1.0, 2.5, 10.0, 61.0])
    span_of: dict[int, float] = {}
    for _ in range(draw(st.integers(0, 120))):
        patient = draw(st.integers(0, 2))
        line = 10 * patient + draw(st.integers(0, 2))
        span = span_of.setdefault(line, draw(spans))
        if draw(st.integers(0, 30)) == 0:
            span = draw(spans)
        frames.append((patient, line, span, int(draw(st.integers(0, 25)) == 0)))
    return frames


@given(logs())
@settings(max_examples=300, deadline=None)
def test_what_a_level_is(frames: list[Frame]) -> None:
    found = of(frames)
    assert len(found) == len(frames)
    newest: dict[int, int] = {}
    held: dict[tuple[int, int], list[Frame]] = defaultdict(list)
    for frame, level in zip(frames, found.tolist(), strict=True):
        patient, line, span_s, restart = frame
        assert level >= newest.get(patient, 0), "the order of the log within a patient"
        if patient in newest and (restart or span_s > PIECE_S):
            assert level > newest[patient], "begins a level"
        newest[patient] = level
        held[line, level].append(frame)
    for (_, _), together in held.items():
        spans = [span_s for _, _, span_s, _ in together]
        if len(spans) > 1:
            assert max(spans) <= PIECE_S, "a long frame is alone"
            assert sum(spans) <= max(CROWDED_S, PIECE_S + max(spans)) + 1e-6
        assert not any(restart for *_, restart in together[1:])


def test_nothing_has_no_level() -> None:
    assert of([]).tolist() == []


def test_a_second_of_many_patients_is_one_level() -> None:
    frames = [(patient, 3 * patient + line, 1.0, 0) for patient in range(500) for line in range(3)]
    assert set(of(frames).tolist()) == {0}


def test_a_minute_that_comes_by_turns_has_as_many_levels_as_it_must() -> None:
    frames = [(0, line, 1.0, 0) for _ in range(60) for line in range(3)]
    assert of(frames).max() + 1 == 60 / PIECE_S


def test_channel_after_channel_does_not_crowd() -> None:
    frames = [(0, line, 1.0, 0) for line in range(3) for _ in range(60)]
    found = of(frames)
    for line in range(3):
        counts = np.unique(found[60 * line : 60 * line + 60], return_counts=True)[1]
        assert counts.max() <= PIECE_S + 1


def test_one_patient_who_crowds_costs_the_others_nothing() -> None:
    crowding = [(0, line, 1.0, 0) for line in range(2) for _ in range(60)]
    well = [(1, 9, 1.0, 0) for _ in range(60)]
    found = of(crowding + well)
    assert found[120:].max() + 1 == 60 / PIECE_S
