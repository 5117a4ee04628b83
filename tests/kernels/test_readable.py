"""The readable kernel by its rules, and beside its oracle."""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from beat_cases import START, S, events_of, made
from oracles.readable import Finding, findings
from telesurv_kernels import _dtypes as d
from telesurv_kernels import readable as k

PARAMS = np.array([k.params()])
LIMIT_NS = int(PARAMS[0]["unreadable_ns"])


def run(events: NDArray[Any], cuts: Iterable[int] = ()) -> tuple[NDArray[Any], NDArray[Any]]:
    """Findings and state after events given in pieces that end at `cuts`."""
    state = np.zeros(1, k.STATE)
    parts = []
    for first, last in pairwise([0, *sorted(cuts), len(events)]):
        out = np.zeros(k.capacity(last - first, 1), d.FINDING)
        parts.append(out[: k.advance(state, PARAMS, events[first:last], out)])
    return np.concatenate(parts), state


def plain(found: NDArray[Any]) -> list[Finding]:
    names = ("kind", "condition", "onset_ns", "end_ns", "detected_ns", "value")
    return [tuple(f[name].item() for name in names) for f in found]


Stretches = Sequence[tuple[float, float]]


def said(length_s: float, unreadable: Stretches, gaps: Stretches = ()) -> list[tuple[str, float]]:
    """ON and OFF: which, and when it began or ended, in seconds."""
    found, _ = run(events_of([], length_s=length_s, unreadable=unreadable, gaps=gaps))
    assert set(found["condition"].tolist()) <= {d.UNREADABLE}
    names = {d.ON: "on", d.OFF: "off"}
    return [(names[f["kind"]], (f["onset_ns"] + f["end_ns"] - START) / S) for f in found]


def test_a_readable_hour_says_nothing() -> None:
    assert said(3600, []) == []
    assert said(3600, [(t, t + 100.0) for t in range(0, 3600, 300)]) == []


def test_more_than_half_of_five_minutes() -> None:
    assert said(900, [(100, 250)]) == []
    assert said(900, [(100, 251)])[0] == ("on", 100.0)
    # In pieces, too.
    assert said(400, [(t, t + 6.0) for t in range(0, 400, 10)])[0][0] == "on"


def test_its_value_is_the_share_of_five_minutes() -> None:
    found, _ = run(events_of([], length_s=300, unreadable=[(0, 300)]))
    assert 50 < found["value"][0] < 51
    assert (found["detected_ns"][0] - START) / S < 152


def test_two_readable_minutes_end_it() -> None:
    (on, off) = said(900, [(100, 300)])
    assert on == ("on", 100.0)
    assert off == ("off", 300.0)
    # An artefact among them does not keep it, ever more of them do.
    assert len(said(900, [(100, 300), (350, 352)])) == 2
    assert len(said(900, [(100, 300), *((t, t + 4.0) for t in range(300, 900, 20))])) == 1
    # It does not begin again at once.
    assert len(said(900, [(100, 300), (430, 440)])) == 2


def test_what_never_came_is_not_unreadable() -> None:
    assert said(3600, [(0, 100)], [(100, 3000)]) == []
    # Nor is it readable.
    assert said(900, [(0, 200), (400, 900)], [(210, 390)]) == [("on", 0.0)]


def test_a_clock_that_goes_back_begins_anew() -> None:
    once = events_of([], length_s=140, unreadable=[(0, 140)])
    assert len(run(np.concatenate([once, once]))[0]) == 0


@st.composite
def wild(draw: st.DrawFn) -> NDArray[Any]:
    rows = []
    now = 0.0
    steps = st.sampled_from([0.0, 0.25, 7.0, 19.75, 40.0, 200.0, 700.0, -30.0])
    for kind in draw(st.lists(st.sampled_from([d.MARK] * 6 + [d.GAP, d.BEAT, 99]), max_size=60)):
        step = draw(steps)
        now += step
        value = draw(st.sampled_from([0.0, 0.0, 0.5, 1.0, 1.1])) * max(step, 0.0) * S
        rows.append((kind, now, now + 0.5, float(round(value)), 0))
    return made(rows) if rows else np.zeros(0, d.EVENT)


STRETCHES = st.lists(
    st.tuples(st.integers(0, 900), st.sampled_from([3.0, 60.0, 151.0, 400.0])).map(
        lambda x: (float(x[0]), x[0] + x[1])
    ),
    max_size=4,
)


@settings(max_examples=150, deadline=None)
@given(
    st.one_of(
        wild(),
        st.builds(
            lambda unreadable: events_of([], length_s=1200, unreadable=unreadable, mark_ms=1000),
            STRETCHES,
        ),
    ),
    st.data(),
)
def test_agrees_with_the_oracle_and_cuts_change_nothing(
    events: NDArray[Any], data: st.DataObject
) -> None:
    found, state = run(events)
    assert plain(found) == findings(events, LIMIT_NS)
    cuts = data.draw(st.lists(st.integers(0, len(events)), max_size=5))
    parts, after = run(events, cuts)
    assert found.tobytes() == parts.tobytes()
    assert state.tobytes() == after.tobytes()
    assert found["kind"].tolist() == ([d.ON, d.OFF] * len(found))[: len(found)]


@settings(max_examples=60, deadline=None)
@given(wild())
def test_agrees_with_the_oracle_at_every_prefix(events: NDArray[Any]) -> None:
    found, _ = run(events, range(len(events)))
    for last in range(len(events) + 1):
        assert plain(run(events[:last])[0]) == findings(events[:last], LIMIT_NS)
    assert plain(found) == findings(events, LIMIT_NS)
