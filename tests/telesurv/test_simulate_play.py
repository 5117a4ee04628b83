"""Simulated patients onto a log and into a recording, by the command line too."""

import json
import threading
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from telesurv.cli import main
from telesurv.simulate import Patient, Script, ward
from telesurv.simulate.play import play, record
from telesurv_streams.log import FRAMES
from telesurv_streams.memory import MemoryLog
from telesurv_streams.recordings import read_merged
from telesurv_streams.topics import topics


def a_log() -> MemoryLog:
    log = MemoryLog()
    log.create(topics(4, 1))
    return log


def held(log: MemoryLog) -> list[tuple[bytes | None, bytes | None]]:
    reader = log.reader(FRAMES)
    found = []
    while not reader.at_end():
        found += [(record.key, record.value) for record in reader.poll(0.1, 10_000)]
    return found


def test_as_fast_as_it_goes_every_message_is_on_the_log() -> None:
    patients = ward(3, seed=1)
    log = a_log()
    assert play(patients, log, duration_s=20, speed=None) == 60
    expected = [
        (message.key, message.value) for patient in patients for message in patient.messages(0, 20)
    ]
    assert sorted(held(log)) == sorted(expected)


def test_speed_is_kept_and_a_stop_ends_it() -> None:
    patients = ward(2, seed=1)
    patients[0].frames(0, 1)  # NeuroKit2 is loaded before the clock runs
    begun_s = time.monotonic()
    assert play(patients, a_log(), duration_s=10, speed=20) == 20
    assert 0.45 <= time.monotonic() - begun_s < 2.0
    stop = threading.Event()
    threading.Timer(0.3, stop.set).start()
    begun_s = time.monotonic()
    sent = play(patients, a_log(), speed=10, stop=stop)
    assert 2 <= sent <= 10
    assert time.monotonic() - begun_s < 2.0


def test_a_recording_holds_the_same_samples(tmp_path: Path) -> None:
    patients = [Patient(f"p-{i}", Script.parse("silence@65s+20s"), seed=i) for i in range(2)]
    assert record(patients, tmp_path, 130) == 2 * 3 * 12
    rows = pa.concat_tables(read_merged([tmp_path])).to_pylist()
    ecg = [row for row in rows if row["patient"] == "p-1" and row["channel"] == "ecg.II"]
    samples = np.concatenate([row["samples"] for row in ecg])
    truth = [patients[1].samples("ecg.II", *cut) for cut in ((0, 65), (85, 130))]
    assert np.array_equal(samples, np.concatenate(truth))


def run(*words: str) -> int | str | None:
    with pytest.raises(SystemExit) as stop:
        main(["simulate", *words])
    return stop.value.code


def test_the_command_writes_a_recording(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script = tmp_path / "script.txt"
    script.write_text("# who falls ill\nsim-02:silence@5s+3s\n\n")
    out = tmp_path / "recording"
    words = ("--out", str(out), "--patients", "2", "--duration", "20s", "--script", str(script))
    assert run(*words, "--start", "2026-05-04T08:00:00Z", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"patients": ["sim-01", "sim-02"], "frames": 15}
    rows = pa.concat_tables(read_merged([out])).to_pylist()
    assert min(row["start"] for row in rows).isoformat() == "2026-05-04T08:00:00+00:00"
    seconds = {
        name: sum(len(row["samples"]) for row in rows
                  if row["patient"] == name and row["channel"] == "spo2")
        for name in ("sim-01", "sim-02")
    }  # fmt: skip
    assert seconds == {"sim-01": 20, "sim-02": 17}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "say where to"),
        (("--out", "x", "--bootstrap", "k:1"), "say where to"),
        (("--out", "x", "--event", "sneeze@5s"), "saw event 'sneeze', expected one of asystole"),
        (("--out", "x", "--event", "sim-09:pause@5s"), "expected one of sim-01 to sim-06"),
        (("--out", "x", "--speed", "fast"), "expected max, or a factor"),
    ],
)
def test_what_cannot_be_done_is_said(
    words: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*words) == 2
    assert message in " ".join(capsys.readouterr().err.split())
