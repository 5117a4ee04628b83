"""Annotation files: true to the signal, in the record's own samples, readable by wfdb."""

import json
from pathlib import Path

import numpy as np
import pytest
import wfdb
from numpy.typing import NDArray

from telesurv.annotate import annotate
from telesurv.cli import main
from telesurv.lead import Lead, Unsuited, hear, read_lead
from telesurv.simulate import Patient, Script
from telesurv.simulate.patient import ECG_SCALE_MV
from telesurv_kernels._dtypes import ASYSTOLE, EXTREME_TACHYCARDIA, ON, UNSURE
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


def lead_of(samples: NDArray[np.int16]) -> Lead:
    return Lead("sim", 0, "II", samples, 250.0, ECG_SCALE_MV, 1, 250.0)


def test_every_true_beat_is_found_at_its_sample_and_no_other() -> None:
    beats = hear(lead_of(ECG)).beats
    peaks, unsure = beats["sample"], beats["flags"] & UNSURE
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
    assert begun["condition"].tolist() == [ASYSTOLE, EXTREME_TACHYCARDIA]
    assert abs(begun["onset_ns"][0] / 1e9 - 40) < 1


@pytest.mark.parametrize("unit", ["mV", "uV"])
def test_the_file_is_a_standard_one(tmp_path: Path, unit: str) -> None:
    record = write(tmp_path, "sim", ECG * ECG_SCALE_MV, unit)
    done = annotate(record.with_suffix(".hea"), None, tmp_path / "found")
    assert (done.record, done.lead, done.beats) == ("sim", "MLII", len(TRUTH))
    assert done.file == tmp_path / "found" / "sim.tsv"
    read = wfdb.rdann(str(tmp_path / "found" / "sim"), "tsv")
    assert read.fs == 250
    assert set(read.symbol) == {"N"}
    assert set(read.chan) == {1}
    assert np.abs(read.sample - TRUTH).max() <= 2


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
    assert np.abs(read.sample - TRUTH / 2).max() <= 1.5


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
    assert len(wfdb.rdann(str(tmp_path / "flat"), "tsv").sample) == 0


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
    assert said["beats"] == len(TRUTH)
    assert Path(said["file"]).exists()
