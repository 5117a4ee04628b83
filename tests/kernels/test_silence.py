"""The silence kernel by its rules, and beside its oracle."""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from oracles.silence import Arrived, silences
from telesurv_kernels import _dtypes as d
from telesurv_kernels import silence as k

S = 1_000_000_000
T0 = 1_750_000_000 * S  # on the grid of ten seconds
KINDS = {"frame": k.FRAME, "tick": k.TICK, "enrol": k.ENROL, "end": k.END}

Said = list[tuple[str, float, float]]


def run(
    events: Sequence[Arrived], cuts: Iterable[int] = (), allowed_s: float = 90.0
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Findings and state after events given in pieces that end at `cuts`."""
    table = np.zeros(len(events), k.ARRIVAL)
    for at, (kind, arrival_ns, shift_ns) in enumerate(events):
        table[at] = (0, at, kind, arrival_ns, shift_ns)
    state, params = np.zeros(1, k.STATE), np.array([k.params(allowed_s, 0.0)])
    parts = [np.zeros(0, d.FINDING)]
    for first, last in pairwise(sorted({0, *cuts, len(events)})):
        out = np.zeros(k.capacity(last - first, 1), d.FINDING)
        found = k.advance(state, params, table[first:last], out)
        parts.append(out[:found])
    return np.concatenate(parts), state


def plain(findings: NDArray[Any]) -> list[tuple[str, int, int]]:
    said = []
    for finding in findings:
        on = finding["kind"] == d.ON
        assert finding["condition"] == d.NON_TRANSMISSION
        at_ns = finding["onset_ns"] if on else finding["end_ns"]
        said.append(("on" if on else "off", int(at_ns), int(finding["detected_ns"])))
    return said


def said(*events: tuple[str, float], shifts: Sequence[float] = ()) -> Said:
    """What comes of named events at seconds after T0."""
    shifts = [*shifts, *[0.0] * (len(events) - len(shifts))]
    given_ = [
        (KINDS[name], T0 + round(at * S), round(shift * S))
        for (name, at), shift in zip(events, shifts, strict=True)
    ]
    found = plain(run(given_)[0])
    return [(what, (at - T0) / S, (when - T0) / S) for what, at, when in found]


def test_nothing_is_found_while_something_comes() -> None:
    assert said(*[("frame", 80 * n) for n in range(20)]) == []


def test_a_deadline_lies_on_the_grid_and_is_judged_by_what_comes_next() -> None:
    frame = ("frame", 3)  # due at 93, so at 100
    assert said(frame, ("tick", 99.9)) == []
    assert said(frame, ("tick", 100)) == [("on", 3, 100)]
    assert said(frame, ("tick", 100), ("tick", 110)) == [("on", 3, 100)]
    assert said(frame, ("frame", 5000)) == [("on", 3, 100), ("off", 5000, 5000)]


def test_value_is_the_time_without_transmission() -> None:
    findings, _ = run([(k.FRAME, T0 + 3 * S, 0), (k.TICK, T0 + 105 * S, 0)])
    assert findings["value"].tolist() == [97.0]
    assert findings["segment"].tolist() == [1]


def test_a_frame_ends_it_and_waits_anew() -> None:
    assert said(("frame", 0), ("tick", 95), ("frame", 200), ("tick", 250), ("tick", 290)) == [
        ("on", 0, 90),
        ("off", 200, 200),
        ("on", 200, 290),
    ]


def test_nobody_waits_before_a_plan_or_a_frame() -> None:
    assert said(("tick", 0), ("tick", 10_000)) == []


def test_a_patient_with_a_plan_who_never_sent_is_missed() -> None:
    assert said(("enrol", 5), ("tick", 100)) == [("on", 5, 100)]


def test_a_new_plan_does_not_begin_the_wait_anew() -> None:
    assert said(("frame", 0), ("enrol", 80), ("tick", 90)) == [("on", 0, 90)]


def test_a_plan_that_shortens_the_wait_finds_it_when_it_comes() -> None:
    table = np.zeros(2, k.ARRIVAL)
    table[0] = (0, 0, k.FRAME, T0, 0)
    table[1] = (0, 1, k.ENROL, T0 + 203 * S, 0)
    state, out = np.zeros(1, k.STATE), np.zeros(4, d.FINDING)
    k.advance(state, np.array([k.params(600.0, 0.0)]), table[:1], out)
    assert k.advance(state, np.array([k.params(60.0, 0.0)]), table[1:], out) == 1
    assert plain(out[:1]) == [("on", T0, T0 + 203 * S)]


def test_the_end_of_the_plan_ends_it_for_good() -> None:
    ended = [("frame", 0), ("tick", 90), ("end", 100)]
    assert said(*ended) == [("on", 0, 90), ("off", 100, 100)]
    # A frame that was still on its way does not make anybody wait again.
    assert said(("frame", 0), ("end", 50), ("frame", 60), ("tick", 9000)) == []
    assert said(("end", 50), ("frame", 60), ("enrol", 70), ("tick", 160)) == [("on", 70, 160)]


def test_the_end_of_the_plan_is_judged_first() -> None:
    assert said(("frame", 0), ("end", 95)) == [("on", 0, 90), ("off", 95, 95)]


def test_the_logs_own_silence_is_not_the_patients() -> None:
    frame, late = ("frame", 0), ("tick", 200)
    assert said(frame, late, shifts=[0, 0]) == [("on", 0, 90)]
    assert said(frame, late, shifts=[0, 120]) == []
    assert said(frame, late, ("tick", 210), shifts=[0, 120, 120]) == [("on", 0, 210)]
    assert said(frame, late, shifts=[120, 120]) == [("on", 0, 90)]


@pytest.mark.parametrize("extra", [[], [91.0], [90.0, 100.0, 130.0], list(np.arange(1, 139, 0.5))])
def test_who_asks_and_how_often_changes_nothing(extra: list[float]) -> None:
    ticks = [("tick", at) for at in extra]
    events = [("frame", 0.0), *ticks, ("frame", 140.0), ("tick", 200.0)]
    assert said(*events) == [("on", 0, 90), ("off", 140, 140)]


arrivals = st.lists(
    st.tuples(
        st.sampled_from([k.FRAME, k.TICK, k.TICK, k.TICK, k.ENROL, k.END]),
        st.sampled_from([0, 1, 7, 10, 30, 89, 90, 91, 400]),
        st.sampled_from([0, 0, 0, 0, 31, 95]),
    ),
    max_size=40,
)


@given(arrivals, st.sampled_from([0.5, 10.0, 90.0, 95.0]), st.data())
@settings(max_examples=300, deadline=None)
def test_as_the_oracle_at_every_prefix(
    steps: list[tuple[int, int, int]], allowed_s: float, data: st.DataObject
) -> None:
    now = T0 + data.draw(st.integers(0, 10 * S))
    shift, events = 0, []
    for kind, after_s, silent_s in steps:
        now, shift = now + after_s * S, shift + silent_s * S
        events.append((kind, now, shift))
    whole, state = run(events, allowed_s=allowed_s)
    cuts = data.draw(st.sets(st.integers(0, len(events)), max_size=5))
    pieces, other = run(events, cuts, allowed_s)
    assert pieces.tobytes() == whole.tobytes()
    assert other.tobytes() == state.tobytes()
    allowed_ns = round(allowed_s * S)
    for size in range(len(events) + 1):
        assert plain(whole[whole["segment"] < size]) == silences(events[:size], allowed_ns)


def test_rows_have_their_own_wait() -> None:
    table = np.zeros(4, k.ARRIVAL)
    for at, (row, kind, after) in enumerate(
        [(0, k.FRAME, 0), (1, k.FRAME, 0), (0, k.TICK, 95), (1, k.TICK, 95)]
    ):
        table[at] = (row, at, kind, T0 + after * S, 0)
    params = np.array([k.params(60.0, 30.0), k.params(600.0, 30.0)])
    out = np.zeros(8, d.FINDING)
    assert k.advance(np.zeros(2, k.STATE), params, table, out) == 1
    assert out[0]["row"] == 0
