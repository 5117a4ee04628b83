"""`telesurv evaluate`: figures that one can count by hand, on records written for it."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import wfdb
from numpy.typing import NDArray

from telesurv.cli import main
from telesurv.evaluate.alarm_score import TypeFigures, figures, score, whole_set_score
from telesurv.evaluate.intervals import wilson
from telesurv.simulate import Patient, Script
from telesurv.simulate.patient import ECG_SCALE_MV

EXCERPTS = sorted((Path(__file__).parents[1] / "data" / "mitdb").glob("*.npz"))


def run(capsys: pytest.CaptureFixture[str], *words: str | Path) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as stop:
        main(["evaluate", *map(str, words)])
    written = capsys.readouterr()
    assert isinstance(stop.value.code, int)
    return stop.value.code, written.out, written.err


def write(folder: Path, name: str, codes: NDArray[Any], rate_hz: float, scale_mv: float) -> None:
    folder.mkdir(exist_ok=True)
    wfdb.wrsamp(
        name,
        fs=rate_hz,
        units=["mV"],
        sig_name=["II"],
        d_signal=codes.astype(np.int64).reshape(-1, 1),
        fmt=["16"],
        adc_gain=[1 / scale_mv],
        baseline=[0],
        write_dir=str(folder),
    )


def mark(folder: Path, name: str, samples: NDArray[Any], symbols: list[str]) -> None:
    order = np.argsort(samples, kind="stable")
    told = [symbols[i] for i in order]
    wfdb.wrann(name, "atr", samples[order].astype(np.int64), symbol=told, write_dir=str(folder))


def of(report: dict[str, Any], name: str) -> dict[str, Any]:
    (record,) = [one for one in report["records"] if one["record"] == name]
    found: dict[str, Any] = record
    return found


def test_the_excerpts_are_scored_beat_for_beat(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, out, counted = tmp_path / "excerpts", tmp_path / "report.json", 0
    for path in EXCERPTS:
        with np.load(path) as excerpt:
            rate_hz = float(excerpt["rate_hz"])
            write(folder, path.stem, excerpt["samples"], rate_hz, float(excerpt["scale_mv"]))
            mark(folder, path.stem, excerpt["beats"], excerpt["symbols"].astype(str).tolist())
            counted += int((excerpt["beats"] >= 5 * rate_hz).sum())
    code, text, _ = run(capsys, "beats", folder, "--learning", "5s", "--out", out)
    assert code == 0
    report = json.loads(out.read_text())
    gross = report["gross"]
    assert gross["beats"] == counted == sum(r["figures"]["beats"] for r in report["records"])
    assert gross["sensitivity"] == pytest.approx(1 - gross["missed"] / counted, abs=1e-6)
    assert gross["sensitivity"] > 0.985
    assert gross["predictivity"] > 0.985
    assert [r["record"] for r in report["records"] if r["paced"]] == ["217"]
    paced = of(report, "217")["figures"]
    assert report["gross_without_paced"]["beats"] == counted - paced["beats"]
    every = [r["figures"]["sensitivity"] for r in report["records"]]
    assert report["average_sensitivity"] == pytest.approx(np.mean(every), abs=1e-6)
    assert 300 <= report["decided"]["median_ms"] <= report["decided"]["p99_ms"] <= 1000
    assert abs(report["offset_ms"]) <= 10
    assert f"gross                      {counted}" in text
    assert str(tmp_path) not in out.read_text()
    assert report["about"]["kernels"].keys() == {"quality", "beats"}


@pytest.fixture(scope="module")
def sinus() -> tuple[NDArray[np.int16], NDArray[np.int64]]:
    patient = Patient("sim", seed=3)
    return patient.samples("ecg.II", 0, 60), patient.r_peaks(0, 60)


def test_what_is_missed_invented_and_late_is_counted(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    sinus: tuple[NDArray[np.int16], NDArray[np.int64]],
) -> None:
    ecg, truth = sinus
    counted = int((truth >= 1250).sum())
    false = (truth[20:23] + truth[21:24]) // 2  # marks where nothing is
    # Of what follows the experts mark nothing, and mark the rest 20 ms before the peak.
    few = np.delete(truth, [30, 31]) - 5
    write(tmp_path / "a", "perfect", ecg, 250, ECG_SCALE_MV)
    mark(tmp_path / "a", "perfect", truth, ["N"] * len(truth))
    write(tmp_path / "a", "other", ecg, 250, ECG_SCALE_MV)
    both = np.concatenate([few, false, truth[[40]]])
    mark(tmp_path / "a", "other", both, ["V"] * (len(few) + 3) + ["+"])
    write(tmp_path / "b", "bare", ecg, 250, ECG_SCALE_MV)
    code, out, _ = run(capsys, "beats", tmp_path / "a", tmp_path / "b", "--learning", "5s",
                       "--json")  # fmt: skip
    assert code == 0
    report = json.loads(out)
    assert (report["folders"], report["left_out"]) == (["a", "b"], ["bare"])
    perfect, other = of(report, "perfect"), of(report, "other")
    assert perfect["figures"] == {
        "beats": counted, "missed": 0, "invented": 0,
        "sensitivity": 1.0, "predictivity": 1.0, "f1": 1.0,
    }  # fmt: skip
    assert (other["figures"]["missed"], other["figures"]["invented"]) == (3, 2)
    assert other["offset_ms"] - perfect["offset_ms"] == pytest.approx(20, abs=0.1)
    assert report["gross"]["beats"] == 2 * counted + 1


def test_fibrillation_does_not_count_whether_or_not_it_is_closed(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    sinus: tuple[NDArray[np.int16], NDArray[np.int64]],
) -> None:
    ecg, truth = sinus
    inside = (truth >= 5000) & (truth <= 7500)
    later = truth >= 12_500
    kept = truth[~inside & ~later]
    samples = np.concatenate([kept, [5000, 7500, 12_500]])
    write(tmp_path / "vf", "vf", ecg, 250, ECG_SCALE_MV)
    mark(tmp_path / "vf", "vf", samples, ["N"] * len(kept) + ["[", "]", "["])
    _, out, _ = run(capsys, "beats", tmp_path / "vf", "--learning", "5s", "--json")
    gross = json.loads(out)["gross"]
    assert (gross["beats"], gross["missed"], gross["invented"]) == (
        int((kept >= 1250).sum()), 0, 0
    )  # fmt: skip


def test_a_folder_without_marks_is_told_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = run(capsys, "beats", tmp_path)
    assert code == 1
    assert "no WFDB record with beats" in err


ALARMS = {
    # name: (type, true, what happens, seconds), and by hand what comes of it
    "a1": ("Asystole", 1, "asystole@290s+10s", 300),  # TP
    "a2": ("Asystole", 1, "asystole@297s+10s", 330),  # FN: its 4 s are over after 5:00
    "a3": ("Asystole", 0, "asystole@262s+8s", 300),  # TN: it was over long before
    "a4": ("Asystole", 0, "extreme-bradycardia@280s+20s", 300),  # TN: another condition
    "b1": ("Bradycardia", 1, "extreme-bradycardia@270s+25s", 300),  # TP
    "b2": ("Bradycardia", 0, "extreme-bradycardia@280s+20s", 300),  # FP
    "t1": ("Tachycardia", 1, "extreme-tachycardia@280s+20s", 300),  # TP
    "v1": ("Ventricular_Flutter_Fib", 1, "", 0),  # not judged: not even read
}


@pytest.fixture(scope="module")
def alarms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ward")
    lines = ["record,type,true"]
    for seed, (name, (kind, true, event, length_s)) in enumerate(ALARMS.items()):
        lines.append(f"{name},{kind},{true}")
        if length_s:
            patient = Patient(name, Script.parse(event), seed=seed)
            ecg = patient.samples("ecg.II", 0, length_s)
            write(folder, name, ecg, 250, ECG_SCALE_MV)
    (folder / "ALARMS.csv").write_text("\n".join(lines) + "\n")
    return folder


def test_alarms_are_judged_by_what_was_known_at_five_minutes(
    alarms: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "alarms.json"
    code, text, _ = run(capsys, "alarms", alarms, "--out", out)
    assert code == 0
    report = json.loads(out.read_text())
    assert {one["record"]: one["confirmed"] for one in report["alarms"]} == {
        "a1": True, "a2": False, "a3": False, "a4": False, "b1": True, "b2": True, "t1": True,
        "v1": None,
    }  # fmt: skip
    counts = {t["type"]: (t["tp"], t["fn"], t["tn"], t["fp"]) for t in report["types"]}
    assert counts == {
        "Asystole": (1, 1, 2, 0), "Bradycardia": (1, 0, 0, 1), "Tachycardia": (1, 0, 0, 0)
    }  # fmt: skip
    assert report["score"]["score"] == pytest.approx((3 + 2) / (3 + 2 + 1 + 5 * 1), abs=1e-6)
    assert report["score"]["low"] < report["score"]["score"] < report["score"]["high"]
    assert report["whole_set_score"] is None  # no false tachycardia among them
    assert report["not_judged"] == {"Ventricular_Flutter_Fib": 1}
    assert "Not judged yet, and not in the score: Ventricular_Flutter_Fib (1)" in text
    assert str(alarms.parent) not in out.read_text()


def test_reports_become_one_page(
    alarms: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report, page = tmp_path / "alarms.json", tmp_path / "page.md"
    run(capsys, "alarms", alarms, "--out", report)
    assert run(capsys, "table", report, "--out", page)[0] == 0
    assert "| asystole | 1 | 1 | 2 | 0 | 50.0 (9 to 91) | 100.0 (34 to 100) |" in page.read_text()
    report.write_text("{}")
    code, _, err = run(capsys, "table", report)
    assert code == 1
    assert "no report of telesurv evaluate" in err


@pytest.mark.parametrize(
    "table",
    [None, "record,type,true\n", "record,type,true\nx,Fever,1\n", "record,type\nx,Asystole\n"],
)
def test_a_table_of_alarms_that_is_none_is_told_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], table: str | None
) -> None:
    if table is not None:
        (tmp_path / "ALARMS.csv").write_text(table)
    code, _, err = run(capsys, "alarms", tmp_path)
    assert code == 1
    assert "ALARMS.csv" in err


def test_an_alarm_whose_record_is_missing_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "ALARMS.csv").write_text("record,type,true\nx,Asystole,1\n")
    code, _, err = run(capsys, "alarms", tmp_path)
    assert code == 1
    assert "x.hea" in err


def test_the_whole_set_weighs_types_as_it_holds_them() -> None:
    asystole = figures("Asystole", "asystole", [(True, True)] * 2 + [(False, True), (False, False)])
    tachycardia = figures("Tachycardia", "extreme-tachycardia", [(True, False), (False, False)])
    types = [asystole, tachycardia]
    right, false_positives, missed = 22 + 50 + 9, 50, 131
    weighted = whole_set_score(types)
    assert weighted is not None
    assert weighted.score == pytest.approx(right / (right + false_positives + 5 * missed), abs=1e-6)
    assert score([]) is None


def test_the_bootstrap_is_as_wide_as_many_folders_differ() -> None:
    rng = np.random.default_rng(7)
    scores = []
    for _ in range(400):
        tp, fp = int(rng.binomial(40, 0.8)), int(rng.binomial(40, 0.2))
        one = score([counts(tp, fp)])
        assert one is not None
        scores.append(one.score)
    interval = score([counts(32, 8)])
    assert interval is not None
    low, high = np.percentile(scores, [2.5, 97.5])
    assert interval.low == pytest.approx(low, abs=0.03)
    assert interval.high == pytest.approx(high, abs=0.03)


def counts(tp: int, fp: int) -> TypeFigures:
    alarms = [(True, i < tp) for i in range(40)] + [(False, i < fp) for i in range(40)]
    return figures("Asystole", "asystole", alarms)


def test_intervals_of_shares() -> None:
    assert wilson(0, 0) is None
    assert wilson(8, 10) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    low, high = wilson(10, 10) or (math.nan, math.nan)
    assert (low, high) == pytest.approx((0.7225, 1.0), abs=1e-4)
