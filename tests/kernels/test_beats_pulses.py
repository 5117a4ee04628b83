"""Pacing pulses are no beats: beside the oracle, at any phase, and however they are cut."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from kernel_cases import Case, ecg, run
from oracles import beats as oracle
from telesurv.simulate.monitor_cases import TAILS, pulses
from telesurv_kernels import beats, quality
from telesurv_kernels._dtypes import BEAT

SCALE_MV = 0.001
RATES_HZ = st.sampled_from([250.0, 400.0, 500.0, 512.0, 1000.0])


def coded(mv: NDArray[np.float64]) -> NDArray[np.int16]:
    return np.rint(np.clip(mv, -10, 10) / SCALE_MV).astype(np.int16)


def paced(
    rate_hz: float,
    height_mv: float,
    width_s: float,
    tail: str,
    seed: int,
    *,
    latency_s: float | None,
    noise_mv: float = 0.005,
) -> NDArray[np.float64]:
    """Return 20 s of beats, then 15 s of pulses at any phase, each with a beat or without."""
    rng = np.random.default_rng(seed)
    at_s = 20 + np.arange(0.2, 14.5, 1.0) + rng.uniform(0, 0.01, 15)
    beats_s = np.arange(0.6, 19.5, 0.75)
    if latency_s is not None:
        beats_s = np.concatenate([beats_s, at_s + latency_s + 0.05])
    mv = ecg(beats_s, 35, rate_hz)
    mv += pulses(np.arange(len(mv)) / rate_hz, at_s, height_mv, width_s, *TAILS[tail])
    return mv + rng.normal(0, noise_mv, len(mv))


def case_of(codes: NDArray[np.int16], mask: NDArray[np.uint8], rate_hz: float) -> Case:
    return Case(beats, beats.params(rate_hz, SCALE_MV), {"samples": codes, "mask": mask})


@given(
    RATES_HZ,
    st.sampled_from([-700.0, -5.0, -2.0, 2.0, 20.0]),
    st.floats(0.0003, 0.012),
    st.sampled_from(list(TAILS)),
    st.integers(0, 2**16),
    st.sampled_from([None, 0.003, 0.03]),
    st.floats(0.0, 0.2),
    st.lists(st.tuples(st.integers(0, 30_000), st.integers(1, 40)), max_size=3),
)
@example(512.0, -700.0, 0.0078125, "", 1952, 0.003, 0.107421875, [])  # a step of no height
@settings(max_examples=15, deadline=None)
def test_equals_the_oracle_with_holes_and_in_pieces(
    rate_hz: float,
    height_mv: float,
    width_s: float,
    tail: str,
    seed: int,
    latency_s: float | None,
    noise_mv: float,
    holes: list[tuple[int, int]],
) -> None:
    mv = paced(rate_hz, height_mv, width_s, tail, seed, latency_s=latency_s, noise_mv=noise_mv)
    codes, mask = coded(mv), np.zeros(len(mv), np.uint8)
    for first, length in holes:
        codes[first : first + length] = -32768
        mask[first : first + length] = quality.MISSING
    case = case_of(codes, mask, rate_hz)
    whole = run(case)
    names = ("kind", "sample", "decided", "value", "flags")
    found = [tuple(one[name].item() for name in names) for one in whole.findings]
    assert found == oracle.findings(codes, mask, rate_hz, SCALE_MV)
    pulse = round(20.2 * rate_hz)
    cuts = [*range(pulse - 5, pulse + 60), *np.random.default_rng(seed).integers(0, len(codes), 50)]
    assert run(case, cuts).same_as(whole)


@pytest.mark.parametrize("tail", TAILS)
@given(
    st.sampled_from([500.0, 512.0, 1000.0]),  # at 400 Hz short pulses vanish in their tails
    st.sampled_from([-700.0, -20.0, -2.0, 2.0, 20.0, 700.0]),
    st.floats(0.001, 0.002),
    st.integers(0, 2**16),
    st.floats(0.001, 0.06),
)
@settings(max_examples=25, deadline=None)
def test_what_it_captures_is_counted_and_the_pulse_is_not(
    tail: str, rate_hz: float, height_mv: float, width_s: float, seed: int, latency_s: float
) -> None:
    counts = []
    for latency in (latency_s, None):
        mv = paced(rate_hz, height_mv, width_s, tail, seed, latency_s=latency)
        found = run(case_of(coded(mv), np.zeros(len(mv), np.uint8), rate_hz)).findings
        is_beat = (found["kind"] == BEAT) & (found["sample"] > 20 * rate_hz)
        counts.append(np.count_nonzero(is_beat))
    assert counts == [15, 0]
