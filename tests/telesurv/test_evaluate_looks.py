"""Pages of rhythms: what the report says, and the errors drawn."""

import re
from pathlib import Path

import numpy as np
import pytest
import wfdb

from evaluate_cases import run, write
from telesurv.evaluate.looks import load
from telesurv.evaluate.page import markdown
from telesurv.evaluate.rhythm import TARGETS
from telesurv.evaluate.rhythm_look import longest_error
from telesurv.evaluate.rhythm_marks import Called, Marks
from telesurv.simulate import Patient, Script
from telesurv.simulate.patient import ECG_SCALE_MV


def text_of(page: str) -> str:
    return re.sub(r"<[^>]+>", " ", page)


def test_rhythms_have_a_page_with_their_errors(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    patient = Patient("sim", Script.parse("extreme-tachycardia@60s+20s"), seed=3)
    folder = tmp_path / "ward"
    write(folder, "sim", patient.samples("ecg.II", 0, 120), 250, ECG_SCALE_MV)
    at = np.array([10, 7500, 15_000])  # experts who see fibrillation where there is none
    notes = ["(N", "(VF", "(N"]
    wfdb.wrann("sim", "atr", at, symbol=["+"] * 3, aux_note=notes, fs=250, write_dir=str(folder))
    report, page = tmp_path / "rhythm.json", tmp_path / "rhythm.html"
    code, text, _ = run(capsys, "rhythm", folder, "--json", report, "--html", page)
    assert code == 0
    assert "Ventricular fibrillation:" in text
    drawn = text_of(page.read_text())
    assert "sim, ventricular fibrillation: missed for 30 s" in drawn
    assert "experts: (VF" in drawn
    assert "Ventricular fibrillation: how each rhythm was called" in markdown([load(report)])


def test_the_longest_error_is_found_of_either_kind() -> None:
    target = TARGETS["ventricular-fibrillation"]
    rhythms = [(0.0, 10.0, "(N"), (10.0, 30.0, "(VF"), (30.0, 60.0, "(N")]
    none = np.zeros(0)
    marks = Marks(60.0, rhythms, none, none.astype(np.int64))
    assert longest_error(target, [], marks) == (10.0, 30.0, "missed")
    late = [Called(25.0, 55.0, 28.0)]
    assert longest_error(target, late, marks) == (30.0, 55.0, "called wrongly")
    assert longest_error(target, [Called(10.0, 30.0, 13.0)], marks)[2] == "nothing wrong"


@pytest.mark.parametrize("option", ["--json", "--html"])
def test_a_file_that_cannot_be_written_is_told_of_before_the_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str
) -> None:
    code, _, err = run(capsys, "beats", tmp_path, option, tmp_path / "none" / "file")
    assert code == 1
    assert "there is no folder" in err
