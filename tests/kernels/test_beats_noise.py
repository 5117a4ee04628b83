"""The beats kernel in noise: shapes that it knows, and evidence for those that it does not."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from kernel_cases import Case, ecg, run
from oracles import beats as oracle
from telesurv.evaluate import ec57
from telesurv_kernels import _shapes, beats, quality
from telesurv_kernels._dtypes import BEAT, SEGMENT

RATE_HZ, SCALE_MV = 250.0, 0.005
EXCERPTS = sorted((Path(__file__).parents[1] / "data" / "mitdb").glob("*.npz"))
BEAT_SYMBOLS = list("NLRBAaJSVrFejnE/fQ?")


def motion(length: int, mv: float, seed: int = 3, rate_hz: float = RATE_HZ) -> Any:
    """Return noise like that of a moved electrode: power falls with the square of frequency."""
    rng = np.random.default_rng(seed)
    spectrum = np.fft.rfft(rng.normal(0, 1, length))
    hz = np.fft.rfftfreq(length, 1 / rate_hz)
    spectrum *= np.where(hz < 0.3, 0, 1 / np.maximum(hz, 0.3) ** 1.5) * (hz < 25)
    noise = np.fft.irfft(spectrum, length)
    return mv * noise / noise.std()


def peaks_of(mv: Any, rate_hz: float = RATE_HZ) -> NDArray[np.int64]:
    codes = np.rint(np.asarray(mv) / SCALE_MV).astype(np.int16)
    columns = {"samples": codes, "mask": np.zeros(len(codes), np.uint8)}
    found = run(Case(beats, beats.params(rate_hz, SCALE_MV), columns)).findings
    return found["sample"][found["kind"] == BEAT]


def narrow(truth: Any, length_s: float) -> Any:
    hum = np.random.default_rng(2).normal(0, 0.01, round(length_s * RATE_HZ))
    return 1.5 * ecg(truth, length_s) + hum


def test_known_shapes_are_found_in_motion() -> None:
    truth = np.arange(0.6, 180, 0.83)
    mv = narrow(truth, 180)
    mv[60 * 250 :] += motion(120 * 250, 0.5)
    score = ec57.score(np.rint(truth * 250).astype(int), peaks_of(mv), 250.0, learning_s=62)
    assert score.sensitivity > 0.95
    assert score.predictivity > 0.95


def test_few_known_shapes_are_lost_to_a_bump_before_them() -> None:
    rr_s = np.tile([0.47, 0.47, 0.47, 0.68], 90)
    truth = 0.6 + np.cumsum(rr_s)
    truth = truth[truth < 179]
    mv, bump = narrow(truth, 180), -0.8 * np.hanning(15)
    late = truth[(rr_s[: len(truth)] > 0.6) & (truth > 66)]
    for middle in np.rint((late - 0.205) * RATE_HZ).astype(int):
        mv[middle - 7 : middle + 8] += bump
    mv[60 * 250 :] += motion(120 * 250, 0.5)
    score = ec57.score(np.rint(truth * 250).astype(int), peaks_of(mv), 250.0, learning_s=66)
    assert score.false_negatives <= 12  # 16 when the first of two is judged by itself


def test_they_are_found_at_their_peak() -> None:
    truth = np.arange(0.6, 180, 0.83)
    mv = narrow(truth, 180)
    mv[60 * 250 :] += motion(120 * 250, 0.5)
    found = peaks_of(mv)
    found = found[found > 65 * 250] / 250
    assert np.median([np.abs(truth - at).min() for at in found]) <= 0.005


def test_motion_in_an_asystole_makes_few_beats() -> None:
    mv = narrow(np.arange(0.6, 60, 0.83), 120)
    mv[60 * 250 :] += motion(60 * 250, 0.3)
    found = peaks_of(mv)
    longest = np.diff([60 * 250, *found[found > 60 * 250].tolist(), 120 * 250]).max()
    assert longest > 4 * 250


def test_a_tachycardia_of_a_new_shape_is_found() -> None:
    calm, fast = np.arange(0.6, 40, 0.8), np.arange(40, 60, 0.36)
    mv = narrow(calm, 60)
    t = np.arange(len(mv)) / 250
    for at in fast:  # 170 a minute, wide and high, with no calm between
        mv += 2.0 * np.exp(-0.5 * ((t - at) / 0.03) ** 2)
        mv -= 1.2 * np.exp(-0.5 * ((t - at - 0.14) / 0.06) ** 2)
    found = peaks_of(mv)
    # Peaks and troughs alternate: whichever is the greater deflection is the R-peak.
    near = [np.abs(found / 250 - at).min() < 0.16 for at in fast[1:-3]]
    assert np.mean(near) > 0.9


def test_a_premature_beat_of_a_new_shape_is_found_in_calm_signal() -> None:
    truth = np.delete(np.arange(0.6, 60, 0.8), [50])
    mv = narrow(truth, 60)
    at = truth[49] + 0.45
    mv += 2.0 * np.exp(-0.5 * ((np.arange(len(mv)) / 250 - at) / 0.03) ** 2)
    assert np.abs(peaks_of(mv) / 250 - at).min() < 0.02


def test_nothing_is_looked_for_before_a_shape_is_known() -> None:
    codes = np.rint(motion(5000, 0.5) / SCALE_MV).astype(np.int16)
    columns = {"samples": codes, "mask": np.zeros(5000, np.uint8)}
    state = run(Case(beats, beats.params(RATE_HZ, SCALE_MV), columns)).state[0]
    assert state["disturbance"] == 0 or state["shape_beats"].max() >= _shapes.KNOWN_USES


@pytest.mark.parametrize("jump_mv", [-4.0, 1.0, 4.0])
def test_a_baseline_that_jumps_costs_a_beat_at_most(jump_mv: float) -> None:
    truth = np.arange(0.6, 60, 0.8)
    mv = narrow(truth, 60)
    mv[round(30.2 * 250) :] += jump_mv
    found = peaks_of(mv)
    score = ec57.score(np.rint(truth * 250).astype(int), found, 250.0, learning_s=5)
    assert score.false_negatives <= 1
    assert score.false_positives <= 1


@pytest.mark.parametrize("rate_hz", [500.0, 1000.0])
@pytest.mark.parametrize("pulse_mv", [2.0, 20.0])
def test_pacing_pulses_are_no_beats_of_their_own(rate_hz: float, pulse_mv: float) -> None:
    truth = np.arange(0.6, 60, 0.8)
    mv = 1.5 * ecg(truth, 60, rate_hz)
    for at in truth:  # 1 ms, 60 ms before the R-peak
        first = round((at - 0.06) * rate_hz)
        mv[first : first + max(1, round(0.001 * rate_hz))] += pulse_mv
    found = peaks_of(mv, rate_hz)
    score = ec57.score(np.rint(truth * rate_hz).astype(int), found, rate_hz, learning_s=5)
    assert score.false_positives == 0
    assert score.false_negatives <= 1


@given(
    st.sampled_from(EXCERPTS),
    st.integers(0, 30 * 360),
    st.floats(0.1, 1.0),
    st.integers(0, 2**16),
    st.sampled_from([100.0, 200.0, 250.0, 360.0, 500.0, 1000.0]),
)
@settings(max_examples=12, deadline=None)
def test_equals_the_oracle_in_motion(
    path: Path, first: int, noise_mv: float, seed: int, rate_hz: float
) -> None:
    with np.load(path) as excerpt:
        codes = excerpt["samples"][first : first + 10_800].astype(np.int64)
    codes[3600:] += np.rint(motion(7200, noise_mv, seed) / SCALE_MV).astype(np.int64)
    samples = np.clip(codes, -32767, 32767).astype(np.int16)
    columns = {"samples": samples, "mask": np.zeros(len(samples), np.uint8)}
    found = run(Case(beats, beats.params(rate_hz, SCALE_MV), columns, (), (9000,))).findings
    names = ("kind", "sample", "decided", "value", "flags")
    expected = oracle.findings(samples, columns["mask"], rate_hz, SCALE_MV, (9000,))
    assert [tuple(one[name].item() for name in names) for one in found] == expected


def judged(path: Path) -> tuple[ec57.Score, ec57.Score, float]:
    """Return scores of all beats and of readable ones, and the share of noisy time readable."""
    wfdb = pytest.importorskip("wfdb")
    record = wfdb.rdrecord(str(path), physical=False, channels=[0])
    marks = wfdb.rdann(str(path), "atr")
    truth = marks.sample[np.isin(np.array(marks.symbol), BEAT_SYMBOLS)]
    codes, scale_mv = record.d_signal[:, 0].astype(np.int16), 1 / record.adc_gain[0]
    mask = np.zeros(len(codes), np.uint8)
    segments = np.array([(0, 0, len(codes), 1)], SEGMENT)
    params = np.array([quality.params(record.fs, scale_mv, ecg=True)])
    out = np.zeros(quality.capacity(len(codes), 1), quality.FINDING)
    quality.advance(np.zeros(1, quality.STATE), params, segments, codes, mask, out)
    found = np.zeros(beats.capacity(len(codes), 1), beats.FINDING)
    params = np.array([beats.params(record.fs, scale_mv)])
    size = beats.advance(np.zeros(1, beats.STATE), params, segments, codes, mask, found)
    peaks = found["sample"][:size][found["kind"][:size] == BEAT]
    late = 300 * record.fs
    truth, peaks = truth[truth >= late], peaks[peaks >= late]
    pairs = ec57.match(truth, peaks, ec57.WINDOW_S * record.fs)
    hit, right = (
        np.isin(np.arange(len(truth)), pairs[:, 0]),
        np.isin(np.arange(len(peaks)), pairs[:, 1]),
    )
    clear, sure = mask[truth] == 0, mask[peaks] == 0
    readable = ec57.Score(
        int(np.sum(hit & clear)), int(np.sum(~hit & clear)), int(np.sum(~right & sure))
    )
    seconds = np.arange(len(mask)) / record.fs
    noisy = (seconds >= 300) & ((seconds - 300) // 120 % 2 == 0)
    total = ec57.Score(len(pairs), len(truth) - len(pairs), len(peaks) - len(pairs))
    return total, readable, float(np.mean(mask[noisy] == 0))


def f1(scores: list[ec57.Score]) -> float:
    total = ec57.gross(scores)
    errors = total.false_negatives + total.false_positives
    return 2 * total.true_positives / (2 * total.true_positives + errors)


@pytest.mark.recordings
def test_beats_in_the_noise_stress_records(recordings: Path) -> None:
    done = {
        path.stem: judged(path.with_suffix("")) for path in (recordings / "noise").glob("*.hea")
    }
    calmer = [name for name in done if not name.endswith("00")]
    assert f1([done[name][0] for name in calmer]) >= 0.98
    assert f1([done[name][0] for name in done if name not in calmer]) >= 0.91
    assert f1([done[name][1] for name in calmer]) >= 0.98
    for snr, least in (("12", 0.9), ("06", 0.5)):
        shares = [done[name][2] for name in done if name.endswith(snr)]
        assert np.mean(shares) >= least, (snr, shares)
