"""Annotation files: true to the signal, in the record's own samples, readable by wfdb."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import wfdb
from numpy.typing import NDArray

from telesurv.annotate import annotate, place, rhythm_changes
from telesurv.cli import main
from telesurv.lead import Heard, Lead, Unsuited, hear, read_lead
from telesurv.simulate import Patient, Script
from telesurv.simulate.patient import ECG_SCALE_MV
from telesurv_kernels import _dtypes as codes
from telesurv_kernels import beats
from telesurv_kernels._dtypes import (
    ASYSTOLE,
    EPISODE,
    EXTREME_TACHYCARDIA,
    FINDING,
    OFF,
    ON,
    SUPRAVENTRICULAR_TACHYCARDIA,
    UNSURE,
)
from telesurv_streams.frame import MISSING

PATIENT = Patient("sim", Script.parse("asystole@40s+8s", "extreme-tachycardia@60s+15s"), seed=8)
ECG = PATIENT.samples("ecg.II", 0, 90)
TRUTH = PATIENT.r_peaks(0, 90)


def write(
    folder: Path, name: str, signal_mv: NDArray[np.float64], unit: str = "mV", rate_hz: float = 250
) -> Path:
    other = np.linspace(-1, 1, len(signal_mv))
    factor = {"mV": 1.0, "uV": 1e3}[unit]
    wfdb.wrsamp(
        name,
        fs=rate_hz,
        units=["NU", unit],
        sig_name=["PLETH", "MLII"],
        p_signal=np.column_stack([other, signal_mv * factor]),
        fmt=["16", "16"],
        write_dir=str(folder),
    )
    return folder / name


def beats_of(read: Any) -> NDArray[np.int64]:
    found: NDArray[np.int64] = read.sample[np.array(read.symbol) != "+"]
    return found


def rhythms_of(read: Any) -> list[tuple[int, str]]:
    every = zip(read.sample.tolist(), read.symbol, read.aux_note, strict=True)
    return [(at, aux.rstrip("\0")) for at, symbol, aux in every if symbol == "+"]


def lead_of(samples: NDArray[np.int16]) -> Lead:
    return Lead("sim", 0, "II", samples, 250.0, ECG_SCALE_MV, 1, 250.0)


def test_every_true_beat_is_found_at_its_sample_and_no_other() -> None:
    found = hear(lead_of(ECG)).beats
    peaks, unsure = found["sample"], found["flags"] & UNSURE
    assert len(peaks) == len(TRUTH)
    assert np.abs(peaks - TRUTH).max() <= 2
    assert not unsure.any()


def test_the_last_beats_of_a_record_are_not_lost() -> None:
    end = int(TRUTH[-2]) + 30
    peaks = hear(lead_of(ECG[:end])).beats["sample"]
    assert abs(int(peaks[-1]) - int(TRUTH[-2])) <= 2
    assert (peaks < end).all()


def test_rhythms_are_heard_with_the_beats() -> None:
    finding = hear(lead_of(ECG)).finding
    begun = finding[finding["kind"] == ON]
    tachycardia = [SUPRAVENTRICULAR_TACHYCARDIA, EXTREME_TACHYCARDIA]
    assert sorted(begun["condition"]) == sorted([ASYSTOLE, *tachycardia])
    assert abs(begun["onset_ns"][0] / 1e9 - 40) < 1


@pytest.mark.parametrize("unit", ["mV", "uV"])
def test_the_file_is_a_standard_one(tmp_path: Path, unit: str) -> None:
    record = write(tmp_path, "sim", ECG * ECG_SCALE_MV, unit)
    done = annotate(record.with_suffix(".hea"), None, tmp_path / "found")
    assert (done.record, done.lead, done.beats) == ("sim", "MLII", len(TRUTH))
    assert done.file == tmp_path / "found" / "sim.tsv"
    read = wfdb.rdann(str(tmp_path / "found" / "sim"), "tsv")
    assert read.fs == 250
    assert set(read.chan) == {1}
    assert np.abs(beats_of(read) - TRUTH).max() <= 2
    assert set(done.symbols) <= {"N", "S"}
    rhythms = rhythms_of(read)
    assert rhythms[0] == (0, "(N")
    asystole, normal, tachycardia, _ = [at for at, _ in rhythms[1:]]
    assert [rhythm for _, rhythm in rhythms[1:]] == ["(ASYS", "(N", "(SVTA", "(N"]
    assert abs(tachycardia / 250 - 60) < 1.5
    assert abs(asystole / 250 - 40) < 1.5
    assert abs(normal / 250 - 48) < 3
    assert done.rhythms == {"(ASYS": 1, "(SVTA": 1, "(N": 3}


def test_samples_are_those_of_the_record_where_a_lead_is_faster(tmp_path: Path) -> None:
    slow = np.zeros(len(ECG) // 2)
    wfdb.wrsamp(
        "mixed",
        fs=125,
        units=["NU", "mV"],
        sig_name=["PLETH", "II"],
        e_p_signal=[slow + np.arange(len(slow)) % 7, ECG * ECG_SCALE_MV],
        samps_per_frame=[1, 2],
        fmt=["16", "16"],
        write_dir=str(tmp_path),
    )
    done = annotate(tmp_path / "mixed", None, tmp_path)
    assert done.beats == len(TRUTH)
    read = wfdb.rdann(str(tmp_path / "mixed"), "tsv")
    assert read.fs == 125
    assert np.abs(beats_of(read) - TRUTH / 2).max() <= 1.5


def test_missing_samples_stay_missing_and_the_rest_keeps_its_height(tmp_path: Path) -> None:
    signal = ECG * ECG_SCALE_MV
    signal[1000:1500] = np.nan
    lead = read_lead(write(tmp_path, "gaps", signal), 1)
    assert (lead.samples[1000:1500] == MISSING).all()
    assert (lead.samples != MISSING).sum() == len(ECG) - 500
    rest = np.delete(np.arange(len(ECG)), np.arange(1000, 1500))
    seen = lead.samples[rest] * lead.scale_mv
    assert np.abs((seen - seen.mean()) - (signal[rest] - signal[rest].mean())).max() < 0.01


def test_a_record_without_beats_gives_an_empty_file(tmp_path: Path) -> None:
    record = write(tmp_path, "flat", np.zeros(2500) + 0.1)
    assert annotate(record, 1, tmp_path).beats == 0
    read = wfdb.rdann(str(tmp_path / "flat"), "tsv")
    assert len(beats_of(read)) == 0
    assert rhythms_of(read) == [(0, "(N")]


def finding(*rows: tuple[int, int, float, float]) -> NDArray[Any]:
    """Return findings of kind, condition, onset and end in seconds."""
    made = np.zeros(len(rows), FINDING)
    for one, (kind, condition, onset_s, end_s) in zip(made, rows, strict=True):
        one["kind"], one["condition"] = kind, condition
        one["onset_ns"], one["end_ns"] = round(onset_s * 1e9), round(end_s * 1e9)
    return made


def changes_s(*rows: tuple[int, int, float, float]) -> list[tuple[float, str]]:
    return [(time_ns / 1e9, rhythm) for time_ns, rhythm in rhythm_changes(finding(*rows))]


@pytest.mark.parametrize(
    ("condition", "code"),
    [
        (codes.VENTRICULAR_FIBRILLATION, "(VF"),
        (codes.ASYSTOLE, "(ASYS"),
        (codes.VENTRICULAR_TACHYCARDIA, "(VT"),
        (codes.SUPRAVENTRICULAR_TACHYCARDIA, "(SVTA"),
        (codes.ATRIAL_FIBRILLATION, "(AFIB"),
        (codes.BIGEMINY, "(B"),
        (codes.TRIGEMINY, "(T"),
    ],
)
def test_a_rhythm_that_is_found_is_written_from_its_onset_to_its_end(
    condition: int, code: str
) -> None:
    rows = (ON, condition, 3.5, 0), (OFF, condition, 3.5, 8)
    assert changes_s(*rows) == [(0, "(N"), (3.5, code), (8, "(N")]
    assert changes_s(rows[0]) == [(0, "(N"), (3.5, code)]  # on to the end
    assert changes_s(rows[1]) == [(0, "(N")]


def test_a_run_is_written_as_tachycardia_and_a_couplet_not_at_all() -> None:
    run, couplet = codes.VENTRICULAR_RUN, codes.COUPLET
    rows = (EPISODE, run, 3, 5), (EPISODE, couplet, 7, 8), (ON, codes.PAUSE, 9, 0)
    assert changes_s(*rows) == [(0, "(N"), (3, "(VT"), (5, "(N")]


def test_the_graver_of_two_rhythms_is_written_and_the_other_comes_back() -> None:
    af, vt, vf = (
        codes.ATRIAL_FIBRILLATION,
        codes.VENTRICULAR_TACHYCARDIA,
        codes.VENTRICULAR_FIBRILLATION,
    )
    assert changes_s(
        (ON, vt, 20, 0), (ON, af, 10, 0), (ON, vf, 25, 0), (OFF, vt, 20, 28), (OFF, vf, 25, 40)
    ) == [(0, "(N"), (10, "(AFIB"), (20, "(VT"), (25, "(VF"), (40, "(AFIB")]


def test_a_change_has_a_sample_of_its_own() -> None:
    beats = {0: "N", 100: "V", 200: "V", 999: "N"}
    changes = [(0, "(N"), (10**9, "(VT"), (2 * 10**9, "(N"), (10**10, "(VF")]
    placed = place(changes, beats, 100.0, 999)
    assert placed == {1: "(N", 99: "(VT", 201: "(N", 998: "(VF"}
    # A rhythm that begins before the first change could be placed: the later one is true.
    assert place([(0, "(N"), (0, "(AFIB")], {}, 100.0, 999) == {0: "(AFIB"}


def test_classes_are_written_as_codes_that_map_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = np.zeros(6, beats.FINDING)
    found["kind"], found["sample"] = codes.BEAT, np.arange(1, 7) * 200
    found["flags"] = np.arange(6) << codes.CLASS_SHIFT
    rhythm = finding((ON, codes.VENTRICULAR_TACHYCARDIA, 2.4, 0))
    heard = Heard(found, rhythm, np.zeros(len(ECG), np.uint8))
    monkeypatch.setattr("telesurv.annotate.hear", lambda lead: heard)
    done = annotate(write(tmp_path, "sim", ECG * ECG_SCALE_MV), 1, tmp_path)
    read = wfdb.rdann(str(tmp_path / "sim"), "tsv")
    assert (read.sample.tolist(), read.symbol) == (
        [0, 200, 400, 599, 600, 800, 1000, 1200], list("+NN+SVFQ")
    )  # fmt: skip
    assert rhythms_of(read) == [(0, "(N"), (599, "(VT")]
    assert done.symbols == {"F": 1, "N": 2, "Q": 1, "S": 1, "V": 1}
    assert done.beats == 6


@pytest.mark.recordings
def test_annotations_of_a_real_record_are_in_order_and_score_as_the_report_says(
    tmp_path: Path, recordings: Path
) -> None:
    record = recordings / "mitdb" / "207"
    annotate(record, None, tmp_path)
    read = wfdb.rdann(str(tmp_path / "207"), "tsv")
    assert (np.diff(read.sample) > 0).all()
    lead = read_lead(record, None)
    assert np.array_equal(beats_of(read), hear(lead).beats["sample"])
    rhythms = [rhythm for _, rhythm in rhythms_of(read)]
    assert all(before != after for before, after in pairwise(rhythms))


def test_what_is_unsuited_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record = write(tmp_path, "sim", ECG * ECG_SCALE_MV)
    with pytest.raises(Unsuited, match="has signals 0 to 1, not 5"):
        annotate(record, 5, tmp_path)
    slow = write(tmp_path, "slow", ECG[::5] * ECG_SCALE_MV, rate_hz=50)
    with pytest.raises(Unsuited, match="MLII has 50 Hz, expected 100 to 1000"):
        annotate(slow, 1, tmp_path)
    wfdb.wrsamp(
        "breath",
        fs=125,
        units=["mmHg"],
        sig_name=["ABP"],
        p_signal=np.arange(500.0)[:, None],
        fmt=["16"],
        write_dir=str(tmp_path),
    )
    with pytest.raises(Unsuited, match="signal 0, ABP, is in mmHg; expected an ECG"):
        annotate(tmp_path / "breath", None, tmp_path)
    with pytest.raises(SystemExit) as stop:
        main(["annotate", str(tmp_path / "none"), "--out", str(tmp_path)])
    assert stop.value.code == 1
    assert "none.hea" in capsys.readouterr().err


def test_the_command_says_what_it_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record = write(tmp_path, "sim", ECG * ECG_SCALE_MV)
    with pytest.raises(SystemExit) as stop:
        main(["annotate", str(record), "--out", str(tmp_path), "--json"])
    assert stop.value.code == 0
    said = json.loads(capsys.readouterr().out)["sim"]
    assert said["beats"] == sum(said["symbols"].values()) == len(TRUTH)
    assert said["rhythms"]["(ASYS"] == 1
    assert Path(said["file"]).exists()
