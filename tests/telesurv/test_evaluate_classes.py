"""Scores of classes: figures that one can count by hand, and records written for it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import wfdb
from numpy.typing import NDArray

from telesurv.evaluate import classes
from telesurv.evaluate.beats import Reference
from telesurv.evaluate.classes import COLUMNS, ROWS, evaluate, judge, score
from telesurv.evaluate.intervals import wilson
from telesurv.lead import Lead, Unsuited
from telesurv_kernels import _dtypes as codes

EXCERPTS = sorted((Path(__file__).parents[1] / "data" / "mitdb").glob("*.npz"))
RATE_HZ = 250.0


def write(folder: Path, name: str, samples: NDArray[Any], rate_hz: float, scale_mv: float) -> None:
    folder.mkdir(exist_ok=True)
    wfdb.wrsamp(
        name,
        fs=rate_hz,
        units=["mV"],
        sig_name=["II"],
        d_signal=samples.astype(np.int64).reshape(-1, 1),
        fmt=["16"],
        adc_gain=[1 / scale_mv],
        baseline=[0],
        write_dir=str(folder),
    )


def test_figures_are_those_of_ec57() -> None:
    counts = np.array(
        [
            [900, 10, 4, 0, 0, 6],  # N
            [20, 30, 2, 0, 0, 1],  # S
            [5, 3, 80, 2, 1, 9],  # V
            [7, 1, 12, 3, 0, 2],  # F
            [2, 1, 5, 0, 1, 0],  # Q
            [11, 4, 3, 0, 0, 0],  # O
        ]
    )
    found = score(counts)
    ventricular = found.ventricular
    assert (ventricular.beats, ventricular.missed, ventricular.invented) == (100, 20, 9)
    assert ventricular.sensitivity == 0.8
    assert ventricular.predictivity == round(80 / 89, 6)  # neither F nor Q called V counts
    bounds = wilson(80, 89)
    assert bounds is not None
    assert ventricular.predictivity_interval == pytest.approx(bounds, abs=1e-6)
    rejected = 910 + 50 + 11 + 4 + 15  # of N, S, F, Q, O: not called V, and found at all
    assert ventricular.false_positive_rate == round(9 / (9 + rejected), 6)
    supraventricular = found.supraventricular
    assert (supraventricular.beats, supraventricular.missed) == (53, 23)
    assert supraventricular.invented == 10 + 3 + 1 + 4
    assert supraventricular.predictivity == round(30 / 48, 6)
    assert found.matrix[1][1] == 30
    assert len(found.matrix) == len(ROWS)
    assert len(found.matrix[0]) == len(COLUMNS)


def test_nothing_to_score_gives_no_shares() -> None:
    found = score(np.zeros((len(ROWS), len(COLUMNS)), np.int64)).ventricular
    assert found.sensitivity is None
    assert found.predictivity_interval is None
    assert found.false_positive_rate is None


def test_every_beat_falls_into_its_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    found = np.zeros(6, classes.beats.FINDING)
    found["sample"] = [100, 400, 700, 1000, 1300, 1900]
    found["decided"] = found["sample"] + 100
    called = [codes.NORMAL, codes.VENTRICULAR, 0, codes.VENTRICULAR, codes.SUPRAVENTRICULAR, 3]
    found["flags"] = np.array(called) << codes.CLASS_SHIFT
    monkeypatch.setattr(classes, "classified", lambda lead, weights: found)
    lead = Lead("x", 0, "II", np.zeros(2000, np.int16), RATE_HZ, 0.005, 1, RATE_HZ)
    beats = np.array([105, 395, 705, 1005, 1310, 1600])
    symbols = np.array(["R", "V", "A", "F", "e", "E"])
    judged = judge("f", lead, Reference(beats, symbols, [], False), 0.0)
    matrix = np.array(judged.record.score.matrix)
    told = {
        (ROWS[row], COLUMNS[column]): int(matrix[row, column])
        for row, column in np.argwhere(matrix).tolist()
    }
    expected = [("N", "n"), ("V", "v"), ("S", "q"), ("F", "v"), ("N", "s"), ("V", "x"), ("O", "v")]
    assert told == dict.fromkeys(expected, 1)
    assert judged.record.decided.median_ms == 400
    later = judge("f", lead, Reference(beats, symbols, [], False), 3.0)
    assert np.array(later.record.score.matrix).sum() == 4  # from 750 on


def test_excerpts_are_scored(tmp_path: Path) -> None:
    folder = tmp_path / "excerpts"
    for path in EXCERPTS:
        with np.load(path) as excerpt:
            rate_hz = float(excerpt["rate_hz"])
            write(folder, path.stem, excerpt["samples"], rate_hz, float(excerpt["scale_mv"]))
            symbols = excerpt["symbols"].astype(str).tolist()
            beats = excerpt["beats"].astype(np.int64)
        wfdb.wrann(path.stem, "atr", beats, symbol=symbols, write_dir=str(folder))
    told: list[str] = []
    report = evaluate([folder], learning_s=5, progress=lambda done, total, text: told.append(text))
    assert told == [path.stem for path in EXCERPTS]
    assert [one.record for one in report.records if one.paced] == ["217"]
    total = np.sum([one.score.matrix for one in report.records], axis=0)
    assert np.array_equal(report.gross.matrix, total)
    unpaced = np.sum([one.score.matrix for one in report.records if not one.paced], axis=0)
    assert np.array_equal(report.gross_without_paced.matrix, unpaced)
    assert (report.gross_without_paced.ventricular.sensitivity or 0) > 0.85
    assert (report.gross_without_paced.ventricular.predictivity or 0) > 0.85
    assert report.decided.p99_ms is not None
    assert report.decided.p99_ms <= 1000
    assert set(report.about.kernels) == {"quality", "beats", "classes"}


def test_a_folder_without_marks_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "alone", np.zeros(2500), RATE_HZ, 0.005)
    with pytest.raises(Unsuited, match="no WFDB record with beats"):
        evaluate([tmp_path])
