"""All leads of a record as one heart, and their score."""

import os
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from kernel_cases import ecg
from telesurv.evaluate import ec57
from telesurv.evaluate import leads as evaluate
from telesurv.lead import Lead, Unsuited, hear, hear_together, read_leads
from telesurv_kernels import _dtypes as codes

RATE_HZ = 250.0


def lead_of(beats_s: NDArray[np.float64], noise_mv: float, seed: int, number: int = 0) -> Lead:
    rng = np.random.default_rng(seed)
    mv = ecg(beats_s, 60.0, RATE_HZ) + rng.normal(0, noise_mv, round(60 * RATE_HZ))
    codes_ = np.rint(mv / 0.005).astype(np.int16)
    return Lead("made", number, f"ecg.{number}", codes_, RATE_HZ, 0.005, 1, RATE_HZ)


BEATS_S = np.cumsum(np.random.default_rng(3).uniform(0.6, 1.0, 72))


def test_one_lead_says_what_it_says_alone() -> None:
    lead = lead_of(BEATS_S, 0.02, 1)
    heart, alone = hear_together([lead]), hear(lead)
    samples = np.rint(heart.beats["time_ns"] * RATE_HZ / 1e9)
    assert samples.tolist() == alone.beats["sample"].tolist()


def test_a_lead_with_noise_does_no_harm() -> None:
    clean, noisy = lead_of(BEATS_S, 0.02, 1), lead_of(BEATS_S, 0.5, 2, 1)
    heart = hear_together([clean, noisy])
    truth = np.rint(BEATS_S[BEATS_S < 59.5] * RATE_HZ).astype(np.int64)
    found = np.rint(heart.beats["time_ns"] * RATE_HZ / 1e9).astype(np.int64)
    score = ec57.score(truth, found, RATE_HZ, learning_s=5.0)
    assert score.false_negatives == 0
    assert score.false_positives <= 1


def test_a_lead_that_comes_off_leaves_no_seam() -> None:
    one, other = lead_of(BEATS_S, 0.02, 1), lead_of(BEATS_S, 0.02, 2, 1)
    one.samples[round(20 * RATE_HZ) : round(40 * RATE_HZ)] = 7
    heart = hear_together([one, other])
    truth = np.rint(BEATS_S[BEATS_S < 59.5] * RATE_HZ).astype(np.int64)
    found = np.rint(heart.beats["time_ns"] * RATE_HZ / 1e9).astype(np.int64)
    score = ec57.score(truth, found, RATE_HZ, learning_s=5.0)
    assert (score.false_negatives, score.false_positives) == (0, 0)
    marks = heart.events[heart.events["kind"] == codes.MARK]
    assert np.all(marks["value"][1:] >= np.diff(marks["time_ns"]) - 20_000_000)
    assert (heart.events["kind"] == codes.GAP).sum() == 1


needs_recordings = pytest.mark.skipif(
    "TELESURV_RECORDINGS" not in os.environ, reason="no recordings: set TELESURV_RECORDINGS"
)


@needs_recordings
def test_two_leads_are_better_than_either() -> None:
    record = Path(os.environ["TELESURV_RECORDINGS"], "mitdb", "116.hea")
    of = evaluate.judge(record)
    assert of.score.sensitivity > 0.999
    assert of.score.predictivity > 0.998
    assert of.record.decided.max_ms is not None
    assert of.record.decided.max_ms <= 1100
    assert all(sum(_errors(of.score)) < sum(_errors(one)) + 3 for one in of.alone)


def _errors(score: ec57.Score) -> tuple[int, int]:
    return score.false_negatives, score.false_positives


def test_a_record_without_an_ecg_is_refused(tmp_path: Path) -> None:
    (tmp_path / "none.hea").write_text("none 1 125 10\nnone.dat 16 1/NU 16 0 0 0 0 PLETH\n")
    with pytest.raises(Unsuited, match="no ECG"):
        read_leads(tmp_path / "none.hea")
