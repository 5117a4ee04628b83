"""`telesurv replay` as a user calls it, on a recording that `telesurv simulate` made."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from telesurv.cli import main


def outcome(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as stop:
        main(words)
    written = capsys.readouterr()
    assert isinstance(stop.value.code, int)
    return stop.value.code, written.out, written.err


@pytest.fixture
def recording(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    out = tmp_path / "recording"
    events = ("--event", "sim-01:asystole@20s+8s", "--event", "sim-02:lead-off@10s+30s")
    words = ("--patients", "2", "--duration", "60s", *events)
    assert outcome(capsys, "simulate", "--out", str(out), *words)[0] == 0
    return out


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_alerts_go_to_a_file_and_the_summary_to_standard_output(
    recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "alerts.jsonl"
    code, out, _ = outcome(capsys, "replay", str(recording), "--alerts", str(file), "--json")
    assert code == 0
    assert json.loads(out) == {
        "patients": 2, "frames": 36, "signal_s": pytest.approx(50, abs=1), "alerts": 2
    }  # fmt: skip
    found = {(alert["patient"], alert["condition"]) for alert in lines(file.read_text())}
    assert found == {("sim-01", "asystole"), ("sim-02", "lead-off")}
    assert {alert["mode"] for alert in lines(file.read_text())} == {"replay"}
    code, out, _ = outcome(capsys, "replay", str(recording))
    assert out == "36 frames, 2 patients, 0.01 h, 2 alerts\n"


def test_a_dash_is_standard_output_and_the_summary_steps_aside(recording: Path) -> None:
    words = ["replay", str(recording), "--patient", "sim-01", "--alerts", "-"]
    command = [sys.executable, "-m", "telesurv.cli", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert [alert["condition"] for alert in lines(done.stdout)] == ["asystole"]
    assert done.stderr == "18 frames, 1 patient, 0.01 h, 1 alert\n"


def test_all_revisions_are_more_than_the_last_ones(
    recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    last, every = tmp_path / "last.jsonl", tmp_path / "every.jsonl"
    outcome(capsys, "replay", str(recording), "--alerts", str(last))
    outcome(capsys, "replay", str(recording), "--alerts", str(every), "--all-revisions")
    revisions = lines(every.read_text())
    assert len(revisions) > len(lines(last.read_text()))
    assert all(alert in revisions for alert in lines(last.read_text()))


def test_what_cannot_be_replayed_is_said(
    recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = outcome(capsys, "replay", str(recording), "--bootstrap", "k:1", "--alerts", "x")
    assert code == 2
    assert "leave --alerts out" in err
    code, _, err = outcome(capsys, "replay", str(tmp_path / "nothing"))
    assert code == 2
    assert "nothing" in err
    empty = tmp_path / "empty"
    empty.mkdir()
    code, _, err = outcome(capsys, "replay", str(empty))
    assert code == 2
    assert str(empty) in err


def test_an_imported_file_replays_and_one_that_cannot_be_read_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good, bad = tmp_path / "night.csv", tmp_path / "broken.edf"
    rows = [f"2026-05-04T22:00:{second:02d}Z,97" for second in range(60)]
    good.write_text("\n".join(["time,SpO2 [%]", *rows]) + "\n")
    bad.write_bytes(b"no EDF at all")
    columns = tmp_path / "columns.toml"
    columns.write_text('[time]\ncolumn = "time"\nunit = "iso"\n')
    mapping = ("--mapping", str(columns))
    out = tmp_path / "imported"
    code, said, _ = outcome(capsys, "import", str(good), "--out", str(out), *mapping, "--json")
    (report,) = json.loads(said)["recordings"]
    assert (code, report["patient"], report["error"]) == (0, "night", "")
    assert report["start"] == "2026-05-04T22:00:00Z"
    code, said, _ = outcome(capsys, "replay", str(out))
    assert (code, said.split(", ")[1]) == (0, "1 patient")
    words = ("import", str(good), str(bad), "--out", str(tmp_path / "again"), "--patient", "p-1")
    words += mapping
    code, said, _ = outcome(capsys, *words)
    assert code == 1
    assert "patient p-1, spo2" in said
    assert "broken.edf: not imported" in said
    code, _, err = outcome(capsys, "import", str(tmp_path / "none"), "--out", str(out))
    assert code == 2
    assert "none" in err


def test_a_patient_that_is_not_there_is_said(
    recording: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = outcome(capsys, "replay", str(recording), "--patient", "sim-09")
    assert code == 2
    assert err == f"telesurv: no frame of patient sim-09 in {recording}\n"


def test_alerts_for_a_folder_that_is_not_there_are_one_line(
    recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "none" / "alerts.jsonl"
    code, _, err = outcome(capsys, "replay", str(recording), "--alerts", str(file))
    assert (code, err) == (1, f"telesurv: {file}: No such file or directory\n")


def test_a_simulation_never_goes_into_a_recording_that_is_there(
    recording: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(recording.iterdir())
    code, _, err = outcome(capsys, "simulate", "--out", str(recording), "--duration", "10s")
    assert code == 2
    assert "holds a recording already" in err
    assert sorted(recording.iterdir()) == before
