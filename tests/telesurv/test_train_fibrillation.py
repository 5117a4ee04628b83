"""What the bound of fibrillation is learnt from, and that it lies between."""

import io
from pathlib import Path

import numpy as np
import pytest

from kernel_cases import ecg
from telesurv.evaluate import train_fibrillation as train
from telesurv.evaluate.rhythm_marks import Marks
from telesurv.lead import Lead
from telesurv_kernels import fibrillation

RATE_HZ, SCALE_MV = 250.0, 0.005


def lead(mv: np.ndarray) -> Lead:
    samples = np.rint(mv / SCALE_MV).astype(np.int16)
    return Lead("made", 0, "I", samples, RATE_HZ, SCALE_MV, 1, RATE_HZ)


def taught(fills: np.ndarray, fibrillating: bool) -> train.Taught:
    mv = ecg(np.arange(0.5, 60, 0.8), 60)
    wave = 0.5 * np.sin(2 * np.pi * 4 * np.arange(len(mv)) / RATE_HZ)
    one = lead(np.concatenate([mv, wave, mv]))
    marks = Marks(180.0, [(0.0, 60.0, "(N"), (60.0, 120.0, "(VF"), (120.0, 180.0, "(N")],
                  np.zeros(0), np.zeros(0, np.int64))  # fmt: skip
    mask = np.zeros(len(one.samples), np.uint8)
    return train.Taught("made", one, mask, marks, fills, np.full(len(fills), fibrillating))


def test_a_sine_fills_its_time_and_leaves_nothing() -> None:
    t = np.arange(5000) / RATE_HZ
    one = lead(np.sin(2 * np.pi * 4 * t))
    end_s, fill, leakage, rate_hz = train.windows(one, train.masked(one)).T
    assert np.diff(end_s) == pytest.approx(0.5)
    assert fill == pytest.approx(8 / np.pi**2, abs=0.05)
    assert leakage[4:].max() < 0.15
    assert rate_hz == pytest.approx(4, abs=0.3)


def test_the_bound_lies_between_the_classes_and_is_worth_what_it_is() -> None:
    rng = np.random.default_rng(1)
    group = [taught(rng.normal(0.1, 0.05, 300), False), taught(rng.normal(0.5, 0.05, 90), True)]
    bound = train.learn(group)
    assert 0.25 < bound < 0.35
    sums = train.tally(group[0], bound)
    assert sums[:, 1].tolist() == [60, 120, 0]
    assert sums[0, 0] > 57
    assert sums[1, 0] < 2
    assert "fibrillation" in train.told("it", bound, sums)


@pytest.mark.recordings
def test_the_bound_is_what_the_records_teach(recordings: Path) -> None:
    pytest.importorskip("wfdb")
    out = io.StringIO()
    train.main([recordings / name for name in ("vfdb", "mitdb", "noise", "cpsc2021")], out)
    learnt = [float(row.split("bound ")[1].split()[0]) for row in out.getvalue().splitlines()]
    assert np.abs(np.array(learnt) - fibrillation.LINE_FILL).max() < 0.04
