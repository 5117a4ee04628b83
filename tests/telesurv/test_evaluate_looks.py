"""Pages of classes and rhythms: what the report says, and the errors drawn."""

import re
from pathlib import Path

import numpy as np
import pytest
import wfdb

from evaluate_cases import mark, run, write
from telesurv.evaluate.beats import Reference
from telesurv.evaluate.classes_look import ventricular_errors
from telesurv.evaluate.looks import load
from telesurv.evaluate.page import markdown
from telesurv.evaluate.rhythm import TARGETS
from telesurv.evaluate.rhythm_look import longest_error
from telesurv.evaluate.rhythm_marks import Called, Marks
from telesurv.simulate import Patient, Script
from telesurv.simulate.patient import ECG_SCALE_MV
from telesurv_kernels import _dtypes as codes
from telesurv_kernels import beats


def text_of(page: str) -> str:
    return re.sub(r"<[^>]+>", " ", page)


def test_classes_have_a_page_with_their_errors(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    patient = Patient("sim", seed=3)
    ecg, truth = patient.samples("ecg.II", 0, 60), patient.r_peaks(0, 60)
    write(tmp_path / "ward", "sim", ecg, 250, ECG_SCALE_MV)
    symbols = ["N"] * len(truth)
    symbols[20] = symbols[22] = "V"  # look like all the others
    mark(tmp_path / "ward", "sim", truth, symbols)
    report, page = tmp_path / "classes.json", tmp_path / "classes.html"
    words = ("--learning", "5s", "--json", report, "--html", page)
    code, text, _ = run(capsys, "classes", tmp_path / "ward", *words)
    assert code == 0
    assert re.search(r"^sim +II +2 +2 +0 +0\.00 ", text, re.MULTILINE)
    drawn = text_of(page.read_text())
    assert "sim: 2 ventricular errors" in drawn
    assert "Where most ventricular beats are wrong" in drawn
    assert "| gross |  | 2 | 2 | 0 | 0.00 |" in markdown([load(report)])


def test_leads_together_have_a_page_with_their_errors(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    patient = Patient("sim", seed=3)
    ecg, truth = patient.samples("ecg.II", 0, 60), patient.r_peaks(0, 60)
    write(tmp_path / "ward", "sim", ecg, 250, ECG_SCALE_MV)
    mark(tmp_path / "ward", "sim", np.delete(truth, 30), ["N"] * (len(truth) - 1))
    report, page = tmp_path / "leads.json", tmp_path / "leads.html"
    words = ("--learning", "5s", "--json", report, "--html", page)
    code, text, _ = run(capsys, "leads", tmp_path / "ward", *words)
    assert code == 0
    assert re.search(r"^gross +\d+ +0 +1 ", text, re.MULTILINE)
    assert "sim: 0 missed, 1 invented" in text_of(page.read_text())
    assert "Beats of all leads together: ward" in markdown([load(report)])


def test_a_ventricular_error_is_missed_or_false() -> None:
    found = np.zeros(6, beats.FINDING)
    found["sample"] = np.arange(6) * 1000
    called = [codes.VENTRICULAR] * 3 + [codes.NORMAL, codes.VENTRICULAR, codes.VENTRICULAR]
    found["flags"] = np.array(called) << codes.CLASS_SHIFT
    marked = np.array([0, 1000, 2000, 3000, 4000, 9000])
    reference = Reference(marked, np.array(list("VFNVQV")), [], False)
    missed, false = ventricular_errors(found, reference, 1000.0, 0.0)
    assert sorted(missed.tolist()) == [3, 5]  # called N; not detected
    assert sorted(false.tolist()) == [2, 5]  # a normal beat, and none at all; F and Q are none


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
