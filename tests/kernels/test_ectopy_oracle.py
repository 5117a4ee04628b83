"""Ectopy beside its oracle on random rhythms."""

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from beat_cases import beats_of, events_of, plain, run, wild
from oracles.ectopy import ectopy
from telesurv_kernels import _dtypes as d
from telesurv_kernels import ectopy as k

PIECES = {
    "normal": ("N", [0.8]), "ventricular": ("V", [0.5]), "slow": ("V", [0.7]),
    "bigeminy": ("NV", [1.0, 0.5]), "trigeminy": ("NNV", [0.9, 0.8, 0.5]), "fast": ("N", [0.42]),
    "narrow": ("S", [0.4, 0.41]), "missed": ("NNNNNNNN", [0.8] * 7 + [1.6]),
    "missed often": ("NNN", [0.8, 0.8, 1.65]), "pause": ("N", [4.1]), "fusion": ("FV", [0.55]),
    "unclassified": ("-", [0.8]), "paced": ("QV", [0.8, 0.6]),
}  # fmt: skip


@st.composite
def rhythms(draw: st.DrawFn) -> NDArray[Any]:
    """Pieces of rhythms, with holes of many kinds, near the end of an hour or not."""
    letters, rr = "N", []
    names = st.lists(st.tuples(st.sampled_from(list(PIECES)), st.integers(1, 24)), max_size=14)
    for name, beats in draw(names):
        kinds, lengths = PIECES[name]
        letters += (kinds * beats)[:beats]
        rr += (lengths * beats)[:beats]
    whole_s = 1 + sum(rr)
    holes = st.tuples(st.floats(0, whole_s), st.sampled_from([0.1, 0.3, 2.0, 20.0]))
    stretches = [(b, b + n) for b, n in draw(st.lists(holes, max_size=3))]
    where = draw(st.sampled_from(["unreadable", "gaps", "fibrillation"]))
    stretches = stretches[:1] if where == "gaps" else stretches
    unsure = draw(st.sets(st.integers(0, len(letters) - 1), max_size=2))
    beats_ = [(t, f | d.UNSURE * (i in unsure)) for i, (t, f) in enumerate(beats_of(letters, rr))]
    events = events_of(beats_, length_s=whole_s + draw(st.sampled_from([1.0, 70.0])),
                       **{where: stretches})  # fmt: skip
    if draw(st.booleans()):  # not all that are ventricular are so in one lead
        rng = np.random.default_rng(draw(st.integers(0, 9)))
        other = (events["kind"] == d.BEAT) & (rng.random(len(events)) < 0.1)
        events["flags"][other] &= ~(d.RUN_MASK << d.RUN_SHIFT)
    if draw(st.booleans()):  # and noise comes and goes
        rng = np.random.default_rng(draw(st.integers(0, 9)))
        events["flags"] |= rng.choice([0, 9, 19, 20, 40, 255], len(events)) << d.NOISE_SHIFT
    shift_ns = draw(st.sampled_from([0, 3_570_000_000_000]))
    events["time_ns"] += shift_ns
    events["decided_ns"] += shift_ns
    return events


LOW = k.params(vt_beats=4, vt_per_min=90.0, svt_per_min=100.0, per_hour_max=3)
KINDS = (d.BEAT, d.MARK, d.GAP, d.FIBRILLATION)
EVENTS = st.one_of(rhythms(), rhythms(), wild(KINDS))


@settings(max_examples=250, deadline=None)
@given(EVENTS, st.sampled_from([k.params(), LOW]))
def test_agrees_with_the_oracle(events: NDArray[Any], params: NDArray[Any]) -> None:
    assert plain(run(k, events, params=params)[0]) == ectopy(events, params)


@settings(max_examples=20, deadline=None)
@given(EVENTS)
def test_agrees_with_the_oracle_at_every_prefix(events: NDArray[Any]) -> None:
    state, out = np.zeros(1, k.STATE), np.zeros(k.capacity(len(events), len(events)), d.FINDING)
    params, count = np.array([LOW]), 0
    for last in range(1, min(len(events), 150) + 1):
        count += k.advance(state, params, events[last - 1 : last], out[count:])
        assert plain(out[:count]) == ectopy(events[:last], LOW)


def day(seed: int) -> NDArray[Any]:
    """Two days of a beat every two seconds, so that an oracle bears it, with ectopy by hours."""
    rng = np.random.default_rng(seed)
    letters, rr = [], []
    for _ in range(50):
        share = rng.choice([0.0, 0.002, 0.005, 0.012, 0.03])
        letters += ["V" if x else "N" for x in rng.random(1800) < share]
    rr = np.full(len(letters) - 1, 2.0)
    noise = [(h * 3600.0, h * 3600 + 2500.0) for h in np.flatnonzero(rng.random(50) < 0.2)]
    return events_of(beats_of("".join(letters), rr.tolist()), unreadable=noise, mark_ms=20_000)


def test_agrees_with_the_oracle_on_days() -> None:
    conditions = set()
    for seed in range(3):
        events = day(seed)
        findings = run(k, events, params=k.params(per_hour_max=40))[0]
        assert plain(findings) == ectopy(events, k.params(per_hour_max=40))
        conditions |= set(findings["condition"].tolist())
    assert d.FREQUENT_VENTRICULAR_BEATS in conditions


@settings(max_examples=100, deadline=None)
@given(EVENTS, st.data())
def test_cuts_change_nothing(events: NDArray[Any], data: st.DataObject) -> None:
    cuts = data.draw(st.lists(st.integers(0, len(events)), max_size=8))
    whole, state = run(k, events)
    parts, after = run(k, events, cuts)
    assert whole.tobytes() == parts.tobytes()
    assert state.tobytes() == after.tobytes()
    for condition in set(whole["condition"].tolist()) - {d.COUPLET, d.VENTRICULAR_RUN}:
        kinds = whole[whole["condition"] == condition]["kind"].tolist()
        assert kinds == ([d.ON, d.OFF] * len(kinds))[: len(kinds)]
