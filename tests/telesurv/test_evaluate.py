"""`telesurv evaluate`: figures that one can count by hand, on records written for it."""

import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from evaluate_cases import mark, run, write
from telesurv.evaluate.alarm_score import TypeFigures, figures, score, whole_set_score
from telesurv.evaluate.intervals import wilson
from telesurv.simulate import Patient, Script
from telesurv.simulate.patient import ECG_SCALE_MV

EXCERPTS = sorted((Path(__file__).parents[1] / "data" / "mitdb").glob("*.npz"))


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
    code, text, _ = run(capsys, "beats", folder, "--learning", "5s", "--json", out)
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
    assert re.search(rf"^gross +{counted} ", text, re.MULTILINE)
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
                       "--json", "-")  # fmt: skip
    assert code == 0
    report = json.loads(out)
    assert (report["folders"], report["left_out"]) == (["a", "b"], ["bare"])
    perfect, other = of(report, "perfect"), of(report, "other")
    at_most_all = wilson(counted, counted)
    assert perfect["figures"] == {
        "beats": counted, "missed": 0, "invented": 0,
        "sensitivity": 1.0, "sensitivity_interval": pytest.approx(at_most_all, abs=1e-6),
        "predictivity": 1.0, "predictivity_interval": pytest.approx(at_most_all, abs=1e-6),
        "f1": 1.0,
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
    _, out, _ = run(capsys, "beats", tmp_path / "vf", "--learning", "5s", "--json", "-")
    gross = json.loads(out)["gross"]
    assert (gross["beats"], gross["missed"], gross["invented"]) == (
        int((kept >= 1250).sum()), 0, 0
    )  # fmt: skip


def test_what_was_not_analysed_counts_as_missed_but_not_where_readable(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    sinus: tuple[NDArray[np.int16], NDArray[np.int64]],
) -> None:
    ecg, truth = sinus
    open_input = ecg.copy()
    open_input[5000:10_000] = 0.3 / ECG_SCALE_MV  # 20 to 40 s
    write(tmp_path / "off", "off", open_input, 250, ECG_SCALE_MV)
    mark(tmp_path / "off", "off", truth, ["N"] * len(truth))
    words = ("--learning", "5s", "--noise-from", "10s", "--noise-period", "20s", "--json", "-")
    _, out, _ = run(capsys, "beats", tmp_path / "off", *words)
    report = json.loads(out)
    counted, hidden = int((truth >= 1250).sum()), (truth >= 5000) & (truth < 10_000)
    assert report["gross"]["beats"] == counted
    assert abs(report["gross"]["missed"] - int(hidden.sum())) <= 1
    low, high = report["gross"]["sensitivity_interval"]
    assert 0 < low < report["gross"]["sensitivity"] < high < 1
    # The mask is causal: constant signal is known to be so after 2 s.
    readable = report["readable"]
    late = int((hidden & (truth >= 5500)).sum())
    assert abs(readable["figures"]["beats"] - (counted - late)) <= 1
    assert readable["figures"]["missed"] <= 4
    assert (readable["judged_s"], readable["readable_s"]) == (55, 36)
    # With noise: 10 to 30 s and 50 to 60 s, of which 21 to 30 s are not readable.
    assert (readable["noisy_s"], readable["noisy_readable_s"]) == (30, 21)
    assert readable["noisy_readable"] == pytest.approx(21 / 30, abs=1e-6)
    (worst, *_) = report["worst"]
    assert worst["record"] == "off"
    assert 20 <= worst["begin_s"] <= 31
    assert worst["missed"] >= 8


def test_only_the_records_that_are_asked_for_count(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    sinus: tuple[NDArray[np.int16], NDArray[np.int64]],
) -> None:
    ecg, truth = sinus
    for name in ("em00", "em06", "ma06", "em12"):
        write(tmp_path / "noise", name, ecg, 250, ECG_SCALE_MV)
        mark(tmp_path / "noise", name, truth, ["N"] * len(truth))
    words = ("beats", tmp_path / "noise", "--learning", "5s", "--json", "-")
    _, out, _ = run(capsys, *words, "--only", "*06", "--only", "em12")
    assert [one["record"] for one in json.loads(out)["records"]] == ["em06", "em12", "ma06"]
    code, _, err = run(capsys, *words, "--only", "x*")
    assert code == 1
    assert "no WFDB record with beats" in err


def test_noise_that_lasts_no_time_is_wrong_use(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = run(capsys, "beats", tmp_path, "--noise-from", "5m", "--noise-period", "0s")
    assert code == 2
    assert "--noise-period" in err


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
    "b3": ("Bradycardia", 1, "extreme-bradycardia=42@270s+30s", 300),  # TP by the tolerance
    "t1": ("Tachycardia", 1, "extreme-tachycardia@280s+20s", 300),  # TP
    "v1": ("Ventricular_Flutter_Fib", 0, "", 300),  # TN
}


@pytest.fixture(scope="module")
def alarms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ward")
    lines = ["record,type,true"]
    for seed, (name, (kind, true, event, length_s)) in enumerate(ALARMS.items()):
        lines.append(f"{name},{kind},{true}")
        patient = Patient(name, Script.parse(event) if event else None, seed=seed)
        write(folder, name, patient.samples("ecg.II", 0, length_s), 250, ECG_SCALE_MV)
    (folder / "ALARMS.csv").write_text("\n".join(lines) + "\n")
    return folder


def test_alarms_are_judged_by_what_was_known_at_five_minutes(
    alarms: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "alarms.json"
    code, text, _ = run(capsys, "alarms", alarms, "--json", out)
    assert code == 0
    report = json.loads(out.read_text())
    assert {one["record"]: one["confirmed"] for one in report["alarms"]} == {
        "a1": True, "a2": False, "a3": False, "a4": False, "b1": True, "b2": True, "b3": True,
        "t1": True, "v1": False,
    }  # fmt: skip
    counts = {t["type"]: (t["tp"], t["fn"], t["tn"], t["fp"]) for t in report["types"]}
    assert counts == {
        "Asystole": (1, 1, 2, 0), "Bradycardia": (2, 0, 0, 1), "Tachycardia": (1, 0, 0, 0),
        "Ventricular_Flutter_Fib": (0, 0, 1, 0),
    }  # fmt: skip
    assert report["score"]["score"] == pytest.approx((4 + 3) / (4 + 3 + 1 + 5 * 1), abs=1e-6)
    assert [a["record"] for a in report["alarms"] if a["confirmed"] != a["at_default_limits"]] == [
        "b3"
    ]
    strictly = report["at_default_limits"]["score"]["score"]
    assert strictly == pytest.approx((3 + 3) / (3 + 3 + 1 + 5 * 2), abs=1e-6)
    assert report["score"]["low"] < report["score"]["score"] < report["score"]["high"]
    assert report["whole_set_score"] is None  # no false tachycardia among them
    seen = {one["record"]: [s["condition"] for s in one["seen"]] for one in report["alarms"]}
    assert seen["a1"] == ["asystole"]
    assert seen["a2"] == []  # detected after the alarm
    assert seen["a3"] == ["asystole"]  # over, but within the last minute
    assert "extreme-bradycardia" in seen["a4"]
    (a1,) = [one["seen"][0] for one in report["alarms"] if one["record"] == "a1"]
    assert 289 <= a1["onset_s"] <= 291
    assert a1["onset_s"] + 3.5 <= a1["detected_s"] <= a1["onset_s"] + 4.25
    assert a1["resolved_s"] is None
    delays = {one["condition"]: one for one in report["delays"]}
    assert delays["asystole"]["times"] == 2
    assert 3500 <= delays["asystole"]["detected"]["median_ms"] <= 5000
    assert re.search(r"^asystole +2 +[34]\.\d", text, re.MULTILINE)
    assert str(alarms.parent) not in out.read_text()


def test_reports_become_one_page(
    alarms: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report, page = tmp_path / "alarms.json", tmp_path / "page.md"
    run(capsys, "alarms", alarms, "--json", report)
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
