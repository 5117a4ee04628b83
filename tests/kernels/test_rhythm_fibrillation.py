"""The rhythm kernel while fibrillation is present, or a candidate."""

from typing import Any

from numpy.typing import NDArray

from rhythm_cases import DELAY_S, NORMAL, Piece, day, detected_s, said
from telesurv_kernels import _dtypes as d

VF = "ventricular-fibrillation"


def but_fibrillation(events: NDArray[Any]) -> list[tuple[str, str, float, float]]:
    return [x for x in said(events) if x[1] != VF]


def test_fibrillation_is_said_when_it_is_present_and_when_it_is_over() -> None:
    events = day([NORMAL, ("flutter", 20, 0), NORMAL])
    assert said(events) == [("on", VF, 16.0, 4.0), ("off", VF, 36.0, 0.0)]
    assert said(day([NORMAL, ("candidate", 12, 0)]), d.VENTRICULAR_FIBRILLATION) == []


def test_fibrillation_is_no_asystole_but_becomes_one_where_no_rhythm_follows() -> None:
    assert but_fibrillation(day([NORMAL, ("flutter", 20, 0), NORMAL])) == []
    # It ended at 36 s; that is said at 41 s, and by then silence has lasted 4 s.
    events = day([NORMAL, ("flutter", 20, 0), ("silence", 9, 0)])
    assert but_fibrillation(events) == [("on", "asystole", 36.0, 4.5)]
    assert detected_s(events, d.ON, d.ASYSTOLE) == [40.5 + DELAY_S]


def test_a_candidate_holds_asystole_back_for_four_seconds_at_most() -> None:
    events = day([NORMAL, ("silence", 1.5, 0), ("candidate", 12, 0)])
    assert but_fibrillation(events) == [("on", "asystole", 16.0, 7.0)]
    assert detected_s(events, d.ON, d.ASYSTOLE) == [23.0 + DELAY_S]


def test_extreme_rates_do_not_begin_in_fibrillation_and_its_beats_do_not_count_after_it() -> None:
    assert but_fibrillation(day([NORMAL, ("flutter", 30, 0.3), NORMAL])) == []
    assert but_fibrillation(day([NORMAL, ("flutter", 30, 1.8), NORMAL])) == []
    # Nor is there a pause.
    assert but_fibrillation(day([NORMAL, ("flutter", 30, 3.5), NORMAL])) == []
    fast: Piece = ("beats", 20, 0.4)
    # One that is present goes on.
    events = day([NORMAL, fast, ("flutter", 30, 0.4), fast])
    assert [x[:2] for x in but_fibrillation(events)] == [("on", "extreme-tachycardia")]
    # After it the row begins anew: with the first beat of the first MARK after it was over.
    events = day([NORMAL, ("flutter", 30, 0.3), fast])
    assert [x[:2] for x in but_fibrillation(events)] == [("on", "extreme-tachycardia")]
    assert but_fibrillation(events)[0][2] > 50
