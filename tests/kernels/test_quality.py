"""The quality kernel by its rules, and beside its oracle."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from kernel_cases import Case, ecg, quality_case, run
from oracles import quality as oracle
from telesurv_kernels import quality
from telesurv_kernels._dtypes import LEAD_OFF, OFF, ON

RATE_HZ = 100.0


def masked(
    codes: Any, scale: float = 0.005, rate_hz: float = RATE_HZ, ecg: bool = True
) -> tuple[NDArray[np.uint8], list[oracle.Finding]]:
    """Return the kernel's mask and findings of a row's first signal."""
    samples = np.asarray(codes, np.int16)
    params = quality.params(rate_hz, scale, ecg=ecg)
    case = Case(
        quality, params, {"samples": samples, "mask": np.zeros(len(samples), np.uint8)}, ("mask",)
    )
    outcome = run(case)
    assert np.all(outcome.findings["condition"] == LEAD_OFF)
    names = ["kind", "onset", "end", "detected"]
    found = [tuple(int(one[name]) for name in names) for one in outcome.findings]
    return outcome.outputs["mask"], found


def wave(length_s: float, codes: float = 100.0) -> NDArray[np.float64]:
    """A signal that nothing is wrong with."""
    return np.rint(codes * np.sin(np.arange(round(length_s * RATE_HZ)) / 3.7))


def test_a_healthy_signal_is_readable() -> None:
    mask, found = masked(wave(60))
    assert not mask.any()
    assert not found


def test_missing_samples_are_masked_one_by_one() -> None:
    codes = wave(10)
    codes[[0, 5, 6, 999]] = -32768
    mask, _ = masked(codes)
    assert np.flatnonzero(mask == quality.MISSING).tolist() == [0, 5, 6, 999]
    assert np.count_nonzero(mask) == 4


def test_so_much_that_it_is_taken_in_by_parts_is_as_the_oracle_says() -> None:
    size = quality.AT_ONCE
    rng = np.random.default_rng(3)
    codes = np.rint(100 * np.sin(np.arange(4 * size) / 3.7) + 20 * rng.standard_normal(4 * size))
    codes[size - 5 : size + 7] = -32768  # one part is gone through, the next two are not
    codes[3 * size - 1200 : 3 * size + 300] = 40
    mask, found = masked(codes)
    expected, told = oracle.findings(codes.astype(np.int16), RATE_HZ, 0.005, ecg=True)
    np.testing.assert_array_equal(mask, expected)
    assert found == told
    assert len(found) == 2


@pytest.mark.parametrize("toggle", [1, 2, 3])
def test_constant_codes_are_masked_after_two_seconds(toggle: int) -> None:
    codes = np.concatenate([wave(5), 40 + np.arange(500) % toggle, wave(5)])
    mask, found = masked(codes)
    assert not mask[:699].any()
    assert np.all(mask[699:1000] == quality.CONSTANT)
    assert not mask[1000:].any()
    assert not found


def test_four_codes_are_not_constant() -> None:
    mask, _ = masked(40 + np.arange(1000) % 4)
    assert not mask.any()


@pytest.mark.parametrize(
    ("uv_per_code", "codes"),
    [(0.03, 166), (1.0, 5), (2.5, 2), (5.0, 2), (6.0, 1), (10.0, 1), (11.0, 0), (100.0, 0)],
)
def test_the_constant_band_is_a_few_uv_wide(uv_per_code: float, codes: int) -> None:
    # Never more than 10 uV: a true asystole moves 13 uV in its quietest 2 s.
    assert quality.params(250.0, uv_per_code / 1000, ecg=True)["constant_codes"] == codes
    assert quality.params(250.0, -uv_per_code / 1000, ecg=True)["constant_codes"] == codes


def test_the_quietest_true_asystole_is_readable() -> None:
    rng = np.random.default_rng(1)
    uv = np.cumsum(rng.normal(0, 0.4, 4000))
    uv *= 19 / np.ptp(uv[:400])  # 19 uV in 4 s, the quietest measured
    assert not masked(uv / 0.03, scale=0.03e-3)[0].any()


def test_missing_samples_neither_break_nor_lengthen_a_constant_run() -> None:
    codes = np.full(500, 7.0)
    codes[100:250] = -32768
    mask, _ = masked(codes)
    assert not mask[:100].any()
    assert np.all(mask[100:250] == quality.MISSING)
    assert np.flatnonzero(mask & quality.CONSTANT)[0] == 349


def test_lead_off_after_ten_seconds_and_back_after_five() -> None:
    codes = np.concatenate([wave(5), np.full(1500, 7), wave(4), np.full(600, 7), wave(8)])
    mask, found = masked(codes)
    assert found == [(ON, 500, 0, 1499), (OFF, 0, 3000, 3499)]
    assert np.flatnonzero(mask & quality.LEAD_OFF_BIT).tolist() == list(range(1499, 2000))


def test_a_lead_that_stays_off_is_said_once() -> None:
    _, found = masked(np.concatenate([np.full(1500, 7), wave(1), np.full(1500, 9)]))
    assert found == [(ON, 0, 0, 999)]


def test_missing_samples_do_not_end_lead_off() -> None:
    codes = np.concatenate([np.full(1500, 7), np.full(900, -32768), wave(4.99)])
    _, found = masked(codes)
    assert found == [(ON, 0, 0, 999)]
    assert masked(np.append(codes, 50))[1][-1] == (OFF, 0, 2400, 2899)


def test_a_restart_does_not_end_lead_off_but_begins_the_runs_anew() -> None:
    samples = np.concatenate([np.full(1500, 7), wave(4), np.full(150, 7), wave(4)])
    case = Case(
        quality,
        quality.params(RATE_HZ, 0.005, ecg=True),
        {"samples": samples.astype(np.int16), "mask": np.zeros(len(samples), np.uint8)},
        ("mask",),
        (1900,),
    )
    outcome = run(case)
    assert [int(kind) for kind in outcome.findings["kind"]] == [ON, OFF]
    assert outcome.findings["end"][1] == 1900


@pytest.mark.parametrize("sign", [1, -1])
def test_a_rail_is_saturation(sign: int) -> None:
    mv = 4 * np.sin(np.arange(3000) / 100)
    mask, _ = masked(sign * np.clip(mv, -2, 2) / 0.005)
    flat = np.abs(mv) >= 2
    assert np.all(flat[mask == quality.SATURATED])
    # All but the first 100 ms of each flat stretch, once both rails were seen.
    late = mask[400:] == quality.SATURATED
    assert np.count_nonzero(late) > 0.8 * np.count_nonzero(flat[400:])


def test_the_ends_of_int16_are_a_rail_whatever_the_range() -> None:
    codes = np.concatenate([32000 + wave(3), np.full(50, 32767)])
    mask, _ = masked(codes, scale=1e-6)
    assert np.flatnonzero(mask & quality.SATURATED).tolist() == list(range(309, 350))


def test_summits_of_an_ecg_are_no_rail() -> None:
    mv = 3.5 * ecg(np.arange(0.5, 60, 0.8), 60, RATE_HZ)
    assert not masked(np.rint(mv / 0.005))[0].any()


def test_a_plethysmogram_is_judged_in_codes() -> None:
    pulse = np.rint(8000 * np.exp(3 * np.sin(np.arange(6000) / 20)) / np.exp(3))
    assert not masked(pulse, 1.0, ecg=False)[0].any()
    clipped, _ = masked(np.minimum(pulse, 800), 1.0, ecg=False)
    assert np.mean(clipped == quality.SATURATED) > 0.02
    flat, found = masked(np.full(1200, 3), 1.0, ecg=False)
    assert np.all(flat[199:] & quality.CONSTANT)
    assert [one[0] for one in found] == [ON]


@pytest.mark.parametrize(
    ("rate_hz", "scale", "seen"), [(0.0, 0.005, "rate 0.0 Hz"), (250.0, 0.0, "scale 0 mV")]
)
def test_impossible_settings_are_our_fault(rate_hz: float, scale: float, seen: str) -> None:
    with pytest.raises(AssertionError, match=seen):
        quality.params(rate_hz, scale, ecg=True)


pieces = st.lists(
    st.tuples(
        st.sampled_from(["wave", "constant", "toggle", "missing", "rail", "noise"]),
        st.integers(1, 60),
        st.integers(0, 2**16),
    ),
    max_size=14,
)


def patched(parts: list[tuple[str, int, int]]) -> NDArray[np.int16]:
    signal = [np.zeros(0)]
    for what, length, seed in parts:
        rng = np.random.default_rng(seed)
        signal.append(
            {
                "wave": np.rint(300 * np.sin(np.arange(length) / 2 + seed)),
                "constant": np.full(length, seed % 7),
                "toggle": seed % 100 + rng.integers(0, 3, length),
                "missing": np.full(length, -32768),
                "rail": np.full(length, (-1) ** seed * 900),
                "noise": rng.integers(-400, 400, length),
            }[what]
        )
    return np.concatenate(signal).astype(np.int16)


@given(pieces, st.booleans())
@settings(max_examples=60, deadline=None)
def test_equals_the_oracle_at_every_prefix(parts: list[tuple[str, int, int]], ecg: bool) -> None:
    samples = patched(parts)  # at 4 Hz, where a run of RUN_MIN lasts as long as the rule's
    for end in range(0, len(samples) + 1, 7):
        mask, found = masked(samples[:end], 0.01, 4.0, ecg)
        expected_mask, expected = oracle.findings(samples[:end], 4.0, 0.01, ecg=ecg)
        assert np.array_equal(mask, expected_mask)
        assert found == expected


def test_equals_the_oracle_on_its_case() -> None:
    case = quality_case()
    outcome = run(case)
    mask, found = oracle.findings(
        case.columns["samples"], 250.0, 0.005, ecg=True, restarts=case.restarts
    )
    assert np.array_equal(outcome.outputs["mask"], mask)
    assert [int(one) for one in outcome.findings["detected"]] == [one[3] for one in found]
