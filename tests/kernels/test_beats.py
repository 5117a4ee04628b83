"""The beats kernel by its rules, beside its oracle, and on real signals."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from kernel_cases import Case, beats_case, ecg, run
from oracles import beats as oracle
from telesurv.evaluate import ec57
from telesurv_kernels import beats, quality
from telesurv_kernels._dtypes import BEAT, GAP, MARK, SEGMENT, UNSURE

EXCERPTS = sorted((Path(__file__).parents[1] / "data" / "mitdb").glob("*.npz"))
SCALE_MV = 0.005
BEAT_SYMBOLS = frozenset("NLRBAaJSVrFejnE/fQ?")


def found_in(
    mv: Any,
    rate_hz: float = 250.0,
    mask: NDArray[np.uint8] | None = None,
    scale_mv: float = SCALE_MV,
    restarts: tuple[int, ...] = (),
) -> NDArray[Any]:
    """Return what the kernel finds in a row's first signal."""
    codes = np.rint(np.asarray(mv) / scale_mv).astype(np.int16)
    mask = np.zeros(len(codes), np.uint8) if mask is None else mask
    codes[mask & quality.MISSING != 0] = -32768
    params = beats.params(rate_hz, scale_mv)
    return run(Case(beats, params, {"samples": codes, "mask": mask}, (), restarts)).findings


def peaks(findings: NDArray[Any]) -> NDArray[np.int64]:
    return findings["sample"][findings["kind"] == BEAT]


def plain(findings: NDArray[Any]) -> list[oracle.Finding]:
    names = ("kind", "sample", "decided", "value", "flags")
    return [tuple(one[name].item() for name in names) for one in findings]


def hum(length: int, sd_mv: float = 0.01, seed: int = 2) -> NDArray[np.float64]:
    return np.random.default_rng(seed).normal(0, sd_mv, length)


@pytest.mark.parametrize("rate_hz", [100.0, 128.0, 250.0, 360.0, 500.0, 1000.0])
@pytest.mark.parametrize("sign", [1, -1])
def test_every_beat_is_found_at_its_peak(rate_hz: float, sign: int) -> None:
    truth = np.arange(0.6, 60, 0.83)
    mv = sign * ecg(truth, 60, rate_hz)
    found = peaks(found_in(mv + hum(len(mv)), rate_hz)) / rate_hz
    assert len(found) >= len(truth) - 1  # the last one may not be decided yet
    assert np.abs(found - truth[: len(found)]).max() <= max(0.005, 1 / rate_hz)


def test_height_is_in_mv_and_signed() -> None:
    found = found_in(-2 * ecg(np.arange(0.6, 30, 0.8), 30))
    assert found["value"][found["kind"] == BEAT] == pytest.approx(-2.0, abs=0.35)


@pytest.mark.parametrize("rr_s", [0.24, 0.3, 0.4, 0.6, 1.0, 1.5, 2.0, 3.0])
def test_rates_from_20_to_250(rr_s: float) -> None:
    truth = np.arange(0.5, 60, rr_s)
    # Without T: at 250 a minute there is no room for it.
    mv = sum(0.0 + np.exp(-0.5 * ((np.arange(15000) / 250 - at) / 0.012) ** 2) for at in truth)
    found = peaks(found_in(mv + hum(15000)))
    settled = truth[(truth > 5) & (truth < 58)]
    assert all(np.abs(found / 250 - at).min() < 0.02 for at in settled)
    assert len(found) <= len(truth)


def test_beats_are_decided_within_a_second() -> None:
    mv = ecg(np.cumsum(np.random.default_rng(7).uniform(0.4, 1.4, 100)), 60)
    found = found_in(mv + hum(len(mv), 0.05))
    late = (found["decided"] - found["sample"])[found["kind"] == BEAT][4:]
    assert late.max() <= 0.76 * 250
    assert np.median(late) <= 0.41 * 250


def test_small_beats_after_big_ones_are_found() -> None:
    truth = np.arange(0.6, 60, 0.8)
    mv = 3 * ecg(truth[::4], 60) + 0.8 * ecg(np.delete(truth, np.s_[::4]), 60)
    found = peaks(found_in(mv + hum(len(mv))))
    assert ec57.score((truth * 250).astype(int), found, 250, learning_s=5).sensitivity > 0.97


def test_tall_t_waves_are_no_beats() -> None:
    # IEC 60601-2-27: T up to 1.2 mV, 180 ms, beside a QRS of 1 mV.
    truth = np.arange(0.6, 60, 0.75)
    t = np.arange(15000) / 250
    mv = ecg(truth, 60)
    for at in truth:
        mv += 1.2 * np.where(np.abs(t - at - 0.3) < 0.09, np.cos((t - at - 0.3) * np.pi / 0.18), 0)
    assert len(peaks(found_in(mv + hum(15000)))) <= len(truth)


@pytest.mark.parametrize("rate_hz", [125.0, 360.0, 1000.0])
def test_a_beat_that_is_cut_by_the_end_of_signal_is_none(rate_hz: float) -> None:
    whole = ecg(np.arange(0.65, 21, 0.8), 21, rate_hz) + hum(round(21 * rate_hz))
    for begin, end, whole_beats in ((0.64, 20.66, 24), (0.55, 20.75, 26)):
        mv = whole[round(begin * rate_hz) : round(end * rate_hz)]
        mask = np.zeros(len(mv) + round(3 * rate_hz), np.uint8)
        mask[len(mv) :] = quality.MISSING
        found = peaks(found_in(np.append(mv, np.zeros(len(mask) - len(mv))), rate_hz, mask))
        assert len(found) == whole_beats, (begin, end)


def test_a_t_with_which_signal_begins_is_no_beat() -> None:
    beats = np.arange(0.1, 20, 0.9)
    t = sum(
        0.0 + 0.5 * np.exp(-0.5 * ((np.arange(5000) / 250 - at - 0.3) / 0.03) ** 2) for at in beats
    )
    mv = (ecg(beats, 20) + t + hum(5000))[50:]
    found = peaks(found_in(mv)) / 250 + 0.2
    assert np.abs(found[0] - beats[1]) < 0.02


def test_a_weak_premature_beat_before_a_pause_is_found_in_calm_signal() -> None:
    early = np.array([10.45, 20.45, 30.45])
    beats = np.arange(1.0, 40)
    beats = beats[~np.isin(beats, np.floor(early) + 1)]
    aberrant = sum(
        0.0 + 0.4 * np.exp(-0.5 * ((np.arange(10000) / 250 - at) / 0.012) ** 2) for at in early
    )
    mv = ecg(beats, 40) + aberrant
    calm = peaks(found_in(mv + hum(10000))) / 250
    assert all(np.abs(calm - at).min() < 0.03 for at in early)
    assert len(calm) <= len(beats) + len(early)


def test_an_asystole_stays_silent_for_ten_minutes() -> None:
    mv = ecg(np.arange(0.6, 30, 0.8), 630) + hum(630 * 250, 0.01)
    mv += 0.1 * np.sin(np.arange(len(mv)) / 500)
    for at in np.arange(31, 630, 0.9):  # the atria go on
        mv[int(at * 250) : int(at * 250) + 25] += 0.12 * np.hanning(25)
    found = peaks(found_in(mv))
    assert found.max() < 30 * 250


def test_noise_alone_gives_no_beats_from_the_start() -> None:
    mv = hum(60 * 250, 0.02)
    assert not len(peaks(found_in(mv)))


def test_beats_that_return_small_after_silence_are_found() -> None:
    mv = 2 * ecg(np.arange(0.6, 30, 0.8), 90) + 0.35 * ecg(np.arange(45, 90, 0.8), 90)
    found = peaks(found_in(mv + hum(len(mv))))
    assert len(found[found > 65 * 250]) >= 28


def test_marks_say_what_is_decided_and_readable() -> None:
    truth = np.arange(0.6, 60, 0.8)
    mask = np.zeros(15000, np.uint8)
    mask[5000:5100] = quality.SATURATED
    mask[9000:9050] = quality.MISSING
    found = found_in(ecg(truth, 60), mask=mask)
    marks = found[found["kind"] == MARK]
    quarter = 62  # of a second at 250 Hz, to the nearest sample
    assert np.all(marks["sample"] % quarter == 0)
    assert np.all(marks["decided"] % quarter == quarter - 1)
    assert np.all(np.diff(marks["sample"]) > 0)
    assert np.all((marks["decided"] - marks["sample"])[12:] < 4 * quarter)
    edges = [0, *marks["sample"].tolist()]
    expected = [np.count_nonzero(mask[a:b] == 0) for a, b in pairwise(edges)]
    assert marks["value"].tolist() == expected
    for row in found[found["kind"] == BEAT]:
        covering = marks[marks["decided"] < row["decided"]]
        assert not len(covering) or row["sample"] >= covering["sample"][-1]


def test_beats_in_unreadable_stretches_are_unsure() -> None:
    mask = np.zeros(7500, np.uint8)
    mask[3000:4000] = quality.NOISY
    found = found_in(ecg(np.arange(0.6, 30, 0.8), 30), mask=mask)
    found = found[found["kind"] == BEAT]
    unsure = (found["sample"] >= 3000) & (found["sample"] < 4000)
    assert unsure.any()
    assert np.all(found["flags"] & UNSURE == np.where(unsure, UNSURE, 0))


def test_restarts_and_long_holes_make_gaps() -> None:
    mask = np.zeros(10000, np.uint8)
    mask[:30] = mask[3000:3200] = mask[5000:5250] = quality.MISSING
    mask[8000:8050] = quality.MISSING
    found = found_in(ecg(np.arange(0.6, 40, 0.8), 40), mask=mask, restarts=(8000,))
    gaps = found[found["kind"] == GAP]
    # A hole of 0.8 s is none; a restart without signal waits for signal.
    assert gaps["sample"].tolist() == [30, 5250, 8050]
    assert gaps["decided"].tolist() == [30, 5250, 8050]
    for gap in gaps:
        later = found[found["decided"] > gap["decided"]]
        assert np.all(later["sample"] >= gap["sample"])


def test_it_learns_again_after_a_gap_and_misses_nothing() -> None:
    truth = np.arange(0.6, 40, 0.8)
    found = peaks(found_in(0.6 * ecg(truth, 40) + hum(10000), restarts=(2000, 2500, 6000)))
    later = np.rint(truth[1:-1] * 250)
    edges = np.array([0, 2000, 2500, 6000])
    # Only what lay in the last 0.75 s before a restart may be lost.
    due = [at for at in later if not np.any((edges - at > 0) & (edges - at < 190))]
    assert all(np.abs(found - at).min() <= 2 for at in due)


def test_rate_changes_only_the_grid() -> None:
    truth = np.cumsum(np.random.default_rng(9).uniform(0.5, 1.2, 60))
    slow = peaks(found_in(ecg(truth, 50, 250.0), 250.0)) / 250
    fast = peaks(found_in(ecg(truth, 50, 500.0), 500.0)) / 500
    assert len(slow) == len(fast)
    assert np.abs(slow - fast).max() <= 0.004


def test_an_offset_changes_nothing() -> None:
    mv = ecg(np.arange(0.6, 30, 0.8), 30) + hum(7500)
    assert plain(found_in(mv)) == plain(found_in(mv + 5.0))


@pytest.mark.parametrize(
    ("rate_hz", "scale", "seen"),
    [(99.0, 0.005, "rate 99.0 Hz"), (1001.0, 0.005, "rate 1001"), (250.0, 0.0, "scale 0 mV")],
)
def test_impossible_settings_are_our_fault(rate_hz: float, scale: float, seen: str) -> None:
    with pytest.raises(AssertionError, match=seen):
        beats.params(rate_hz, scale)


@given(
    st.lists(
        st.tuples(
            st.sampled_from([0, 0, 0, quality.MISSING, quality.CONSTANT, quality.SATURATED]),
            st.integers(1, 300),
        ),
        max_size=6,
    ),
    st.integers(0, 2**16),
    st.sampled_from([100.0, 128.0]),
    st.lists(st.integers(1, 1500), max_size=2),
)
@settings(max_examples=15, deadline=None)
def test_equals_the_oracle_at_every_prefix(
    parts: list[tuple[int, int]], seed: int, rate_hz: float, restarts: list[int]
) -> None:
    rng = np.random.default_rng(seed)
    mask = np.concatenate([np.full(n, bit, np.uint8) for bit, n in [*parts, (0, 500)]])
    mv = ecg(np.cumsum(rng.uniform(0.3, 1.6, 30)), len(mask) / rate_hz + 1, rate_hz)[: len(mask)]
    mv = rng.uniform(0.2, 2) * mv + rng.normal(0, rng.uniform(0, 0.2), len(mask))
    codes = np.rint(mv / SCALE_MV).astype(np.int16)
    codes[mask == quality.MISSING] = -32768
    for end in range(0, len(codes) + 1, 41):
        at = tuple(sorted({one for one in restarts if one < end}))
        columns = {"samples": codes[:end], "mask": mask[:end]}
        kernel = run(Case(beats, beats.params(rate_hz, SCALE_MV), columns, (), at))
        expected = oracle.findings(codes[:end], mask[:end], rate_hz, SCALE_MV, at)
        assert plain(kernel.findings) == expected


def test_equals_the_oracle_on_its_case() -> None:
    case = beats_case()
    columns = case.columns["samples"], case.columns["mask"]
    expected = oracle.findings(*columns, 250.0, SCALE_MV, case.restarts)
    assert plain(run(case).findings) == expected


def analysed(
    codes: NDArray[np.int16], rate_hz: float, scale_mv: float
) -> tuple[NDArray[Any], NDArray[np.uint8]]:
    """Return the beats kernel's findings of a row, and the quality kernel's mask of it."""
    mask = np.zeros(len(codes), np.uint8)
    segments = np.array([(0, 0, len(codes), 1)], SEGMENT)
    size = quality.capacity(len(codes), 1)
    params = np.array([quality.params(rate_hz, scale_mv, ecg=True)])
    state, out = np.zeros(1, quality.STATE), np.zeros(size, quality.FINDING)
    quality.advance(state, params, segments, codes, mask, out)
    found = np.zeros(beats.capacity(len(codes), 1), beats.FINDING)
    params = np.array([beats.params(rate_hz, scale_mv)])
    size = beats.advance(np.zeros(1, beats.STATE), params, segments, codes, mask, found)
    return found[:size], mask


@pytest.mark.parametrize("path", EXCERPTS, ids=lambda path: path.stem)
def test_equals_the_oracle_on_real_signals(path: Path) -> None:
    with np.load(path) as excerpt:
        codes, rate_hz, scale_mv = excerpt["samples"], float(excerpt["rate_hz"]), SCALE_MV
    found, mask = analysed(codes, rate_hz, scale_mv)
    assert plain(found) == oracle.findings(codes, mask, rate_hz, scale_mv)


@pytest.mark.parametrize("path", EXCERPTS, ids=lambda path: path.stem)
@pytest.mark.parametrize("seed", range(3))
def test_equals_the_oracle_while_noise_comes_and_goes(path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    with np.load(path) as excerpt:
        codes = excerpt["samples"]
    noise_mv = np.repeat(rng.uniform(0, 0.2, 30), 720) * rng.normal(0, 1, len(codes))
    codes = codes + np.rint(noise_mv / SCALE_MV).astype(np.int16)
    mask = np.zeros(len(codes), np.uint8)
    kernel = run(Case(beats, beats.params(360.0, SCALE_MV), {"samples": codes, "mask": mask}))
    assert plain(kernel.findings) == oracle.findings(codes, mask, 360.0, SCALE_MV)


@given(
    st.sampled_from(EXCERPTS),
    st.integers(0, 40 * 360),
    st.floats(0, 0.4),
    st.lists(st.tuples(st.integers(0, 7000), st.integers(1, 350), st.integers(-500, 500))),
    st.integers(0, 2**16),
)
@settings(max_examples=40, deadline=None)
def test_equals_the_oracle_on_real_signals_with_noise_and_holes(
    path: Path, first: int, noise_mv: float, holes: list[tuple[int, int, int]], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    with np.load(path) as excerpt:
        codes = excerpt["samples"][first : first + 7200].astype(np.int64)
    bursts = np.repeat(rng.uniform(0, noise_mv, 10), 720) * rng.normal(0, 1, 7200)
    codes += np.rint(bursts / SCALE_MV).astype(np.int64)
    mask = np.zeros(7200, np.uint8)
    for begin, length, step in holes:  # the baseline is another one after a hole
        codes[begin + length :] += step
        mask[begin : begin + length] = quality.MISSING
    samples = np.clip(codes, -32767, 32767).astype(np.int16)
    samples[mask != 0] = -32768
    columns = {"samples": samples, "mask": mask}
    kernel = run(Case(beats, beats.params(360.0, SCALE_MV), columns))
    assert plain(kernel.findings) == oracle.findings(samples, mask, 360.0, SCALE_MV)


@pytest.mark.parametrize("behind", [0, quality.CONSTANT, quality.SATURATED])
def test_a_step_behind_a_hole_is_no_beat(behind: int) -> None:
    mv = ecg(np.arange(0.6, 30, 0.8), 30) + hum(7500)
    mask = np.zeros(7500, np.uint8)
    mask[5080:5120] = quality.MISSING  # after a T
    mask[5120] = behind
    without = peaks(found_in(mv, mask=mask))
    mv[5120:] += 3.0
    assert np.array_equal(peaks(found_in(mv, mask=mask)), without)


def test_sensitivity_and_predictivity_on_the_excerpts() -> None:
    scores = []
    for path in EXCERPTS:
        with np.load(path) as excerpt:
            found = peaks(analysed(excerpt["samples"], 360.0, SCALE_MV)[0])
            # The end of a cut is not decided.
            truth = excerpt["beats"][excerpt["beats"] < len(excerpt["samples"]) - 360]
            found = found[found < len(excerpt["samples"]) - 360]
            scores.append(ec57.score(truth, found, 360.0, learning_s=0))
    total = ec57.gross(scores)
    assert total.sensitivity >= 0.993, scores
    assert total.predictivity >= 0.993, scores


@pytest.mark.recordings
def test_sensitivity_and_predictivity_on_mitdb(recordings: Path) -> None:
    wfdb = pytest.importorskip("wfdb")
    scores = {}
    for header in sorted((recordings / "mitdb").glob("*.hea")):
        record = wfdb.rdrecord(str(header.with_suffix("")), physical=False, channels=[0])
        marks = wfdb.rdann(str(header.with_suffix("")), "atr")
        symbols = np.array(marks.symbol)
        truth = marks.sample[np.isin(symbols, list(BEAT_SYMBOLS))]
        begins, ends = marks.sample[symbols == "["], marks.sample[symbols == "]"]
        codes = record.d_signal[:, 0].astype(np.int16)
        found = peaks(analysed(codes, float(record.fs), 1 / record.adc_gain[0])[0])
        fibrillation = list(zip(begins.tolist(), ends.tolist(), strict=True))
        scores[header.stem] = ec57.score(truth, found, record.fs, excluded=fibrillation)
    total = ec57.gross(scores.values())
    assert total.sensitivity >= 0.9965, scores
    assert total.predictivity >= 0.999, scores
