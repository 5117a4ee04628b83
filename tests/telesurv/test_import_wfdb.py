"""WFDB records become recordings: every sample where it was."""

from datetime import date, time
from pathlib import Path

import numpy as np
import pytest
import wfdb

from import_cases import (
    SECOND,
    channel_of,
    codes,
    digital,
    physical,
    read_back,
    single,
    write_record,
)
from telesurv.importers import import_recordings
from telesurv.importers._source import DEFAULT_START_NS
from telesurv_streams.frame import MISSING

RNG = np.random.default_rng(20)


@pytest.mark.parametrize("suffix", ["", ".hea", ".dat"])
@pytest.mark.parametrize("fmt", ["16", "212", "80", "24", "32", "508", "516", "524"])
def test_samples_stay_the_files_own(tmp_path: Path, fmt: str, suffix: str) -> None:
    amplitude = 120 if fmt in ("80", "508") else 400
    signals = digital(250 * 37 + 5, 2, amplitude)
    path = write_record(tmp_path / "in", "r1", signals, fmt)
    report = single([Path(f"{path}{suffix}")], tmp_path / "out")
    assert report.error == ""
    assert (report.patient, report.format) == ("r1", "wfdb")
    frames = read_back(report.recording)
    assert codes(frames, "ecg.II").tolist() == signals[:, 0].tolist()
    assert codes(frames, "ecg.V5").tolist() == signals[:, 1].tolist()
    lengths = np.diff(frames.first)[channel_of(frames, "ecg.II")]
    assert lengths.tolist() == [2500, 2500, 2500, 1755]
    starts = frames.start_ns[channel_of(frames, "ecg.II")]
    assert starts.tolist() == [DEFAULT_START_NS + k * 10 * SECOND for k in range(4)]
    assert report.duration_s == pytest.approx(37.02)


def test_a_record_longer_than_what_is_read_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("telesurv.importers.from_wfdb.SAMPLES_AT_ONCE", 11_000)
    signals = digital(250 * 333, 2)
    path = write_record(tmp_path / "in", "r1", signals, "212")
    done: list[tuple[float, float, str]] = []
    report = single([path], tmp_path / "out", progress=lambda *said: done.append(said))
    frames = read_back(report.recording)
    assert codes(frames, "ecg.V5").tolist() == signals[:, 1].tolist()
    assert [d for d, _, _ in done] == sorted(d for d, _, _ in done)
    assert done[0] == (0.0, 1, "r1")
    assert done[-1] == (1.0, 1, "r1")
    assert len(done) > 10


def test_invalid_samples_are_missing_whatever_the_format(tmp_path: Path) -> None:
    invalid = (("16", -32768), ("212", -2048), ("80", -128), ("516", -32768), ("24", -(2**23)))
    for fmt, code in invalid:
        signals = digital(500, amplitude=100)
        signals[100:120] = code
        path = write_record(tmp_path / "in", f"r{fmt}", signals, fmt)
        frames = read_back(single([path], tmp_path / "out").recording)
        values = physical(frames, "ecg.II")
        expected = wfdb.rdrecord(str(path)).p_signal[:, 0]
        assert np.isnan(values).sum() == 20
        np.testing.assert_allclose(values, expected, rtol=1e-6)


def test_the_code_of_missing_is_not_taken_by_a_sample(tmp_path: Path) -> None:
    """Format 32 has another missing code: -32768 is a sample there."""
    signals = digital(300)
    signals[7], signals[8] = -32_768, -(2**31)
    path = write_record(tmp_path / "in", "r1", signals, "32")
    frames = read_back(single([path], tmp_path / "out").recording)
    got = codes(frames, "ecg.II")
    assert got[8] == MISSING
    assert (got == MISSING).sum() == 1


def test_wide_samples_are_divided_to_fit(tmp_path: Path) -> None:
    signals = RNG.integers(-(2**23) + 1, 2**23, (5000, 1))
    signals[17] = -(2**23)
    path = write_record(tmp_path / "in", "r1", signals, "24", adc_gain=[1e5], baseline=[12_345])
    report = single([path], tmp_path / "out")
    values = physical(read_back(report.recording), "ecg.II")
    expected = wfdb.rdrecord(str(path)).p_signal[:, 0]
    assert np.isnan(values).nonzero()[0].tolist() == [17]
    step = report.signals[0].scale
    assert np.nanmax(np.abs(values - expected)) <= step * 0.51
    assert step == 256 / 1e5
    assert "divided by 256" in report.sentence()


def test_gain_baseline_and_unit_become_scale_and_offset(tmp_path: Path) -> None:
    signals = digital(1000, 2)
    path = write_record(
        tmp_path / "in",
        "r1",
        signals,
        adc_gain=[0.5, 12_737.348],
        baseline=[-300, 20_000],
        units=["uV", "mV"],
    )
    frames = read_back(single([path], tmp_path / "out").recording)
    expected = wfdb.rdrecord(str(path)).p_signal
    np.testing.assert_allclose(
        physical(frames, "ecg.II"), expected[:, 0] / 1000, rtol=1e-5, atol=1e-6
    )
    np.testing.assert_allclose(physical(frames, "ecg.V5"), expected[:, 1], rtol=1e-4, atol=1e-6)


def test_signals_of_several_rates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("telesurv.importers.from_wfdb.SAMPLES_AT_ONCE", 1)
    ecg, ppg = digital(15_000)[:, 0], digital(3750)[:, 0]
    record = wfdb.Record(
        record_name="r1",
        n_sig=2,
        fs=125.0,
        sig_len=3750,
        file_name=["r1.dat", "r1.dat"],
        fmt=["16", "16"],
        samps_per_frame=[4, 1],
        adc_gain=[200.0, 1000.0],
        baseline=[0, 0],
        units=["mV", "NU"],
        adc_res=[16, 16],
        adc_zero=[0, 0],
        sig_name=["ECG", "PLETH"],
        e_d_signal=[ecg, ppg],
        block_size=[0, 0],
    )
    record.checksum = record.calc_checksum(expanded=True)
    record.init_value = [int(ecg[0]), int(ppg[0])]
    record.wrsamp(expanded=True, write_dir=str(tmp_path))
    frames = read_back(single([tmp_path / "r1"], tmp_path / "out").recording)
    assert codes(frames, "ecg.1").tolist() == ecg.tolist()
    assert codes(frames, "ppg").tolist() == ppg.tolist()
    assert set(frames.rate_hz.tolist()) == {500.0, 125.0}
    for channel in ("ecg.1", "ppg"):
        starts = frames.start_ns[channel_of(frames, channel)] - DEFAULT_START_NS
        assert starts.tolist() == [0, 10 * SECOND, 20 * SECOND]


def test_a_record_of_segments_with_a_gap(tmp_path: Path) -> None:
    first, second = digital(2500), digital(3000)
    write_record(tmp_path, "r1_0001", first)
    write_record(tmp_path, "r1_0002", second)
    (tmp_path / "r1.hea").write_text("r1/3 1 250 8000\nr1_0001 2500\n~ 2500\nr1_0002 3000\n")
    reports = import_recordings([tmp_path], tmp_path / "out")
    assert [r.patient for r in reports] == ["r1"]  # its segments are no records of their own
    frames = read_back(reports[0].recording)
    assert codes(frames, "ecg.II").tolist() == [*first[:, 0].tolist(), *second[:, 0].tolist()]
    starts = (frames.start_ns - DEFAULT_START_NS) / SECOND
    assert starts.tolist() == [0.0, 20.0, 30.0]


def test_twelve_leads(tmp_path: Path) -> None:
    leads = ["I", "II", "III", "AVR", "AVL", "AVF", "V1", "V2", "V3", "V4", "V5", "V6"]
    signals = digital(5000, 12)
    path = write_record(tmp_path / "in", "r1", signals, fs=500, sig_name=leads)
    report = single([path], tmp_path / "out")
    names = [*("I", "II", "III", "aVR", "aVL", "aVF"), *(f"V{i}" for i in range(1, 7))]
    assert [s.channel for s in report.signals] == [f"ecg.{name}" for name in names]
    frames = read_back(report.recording)
    for i, name in enumerate(names):
        assert codes(frames, f"ecg.{name}").tolist() == signals[:, i].tolist()


def test_what_is_not_recognised_is_said_and_kept(tmp_path: Path) -> None:
    signals = digital(1000, 4)
    path = write_record(
        tmp_path / "in",
        "r1",
        signals,
        sig_name=["II", "Gas flow (O2)", "PLETH", "PLETH_2"],
        units=["mV", "L", "NU", "furlong"],
    )
    report = single([path], tmp_path / "out")
    assert [(s.channel, s.recognised) for s in report.signals] == [
        *(("ecg.II", True), ("x.Gas_flow_O2", False), ("ppg", True), ("x.PLETH_2", False)),
    ]
    assert "'Gas flow (O2)' not recognised, kept as x.Gas_flow_O2" in report.notes
    assert codes(read_back(report.recording), "x.Gas_flow_O2").tolist() == signals[:, 1].tolist()


def test_rates_that_no_frame_can_have(tmp_path: Path) -> None:
    slow = write_record(tmp_path / "in", "slow", digital(1000), fs=64)
    report = single([slow], tmp_path / "out")
    assert [s.channel for s in report.signals] == ["x.II"]
    assert "64 Hz" in report.notes[0]
    fast = write_record(tmp_path / "in", "fast", digital(1000), fs=2000)
    report = single([fast], tmp_path / "out")
    assert "no sample" in report.error


@pytest.mark.parametrize(
    ("when", "asked_ns", "start", "dated"),
    [
        (None, None, "2000-01-01T00:00:00+00:00", False),
        (None, 1_780_000_000 * SECOND, "2026-05-28T20:26:40+00:00", False),
        ((date(2014, 3, 2), time(9, 5, 52)), None, "2014-03-02T09:05:52+00:00", True),
        ((date(2014, 3, 2), time(9, 5, 52, 500_000)), 7, "2014-03-02T09:05:52.500000+00:00", True),
        ((date(1975, 3, 2), time(9, 5, 52)), None, "2000-01-01T00:00:00+00:00", False),
        ((None, time(9, 5, 52)), None, "2000-01-01T00:00:00+00:00", False),
    ],
)
def test_when_a_recording_begins(
    tmp_path: Path,
    when: tuple[date | None, time] | None,
    asked_ns: int | None,
    start: str,
    dated: bool,
) -> None:
    stated = {} if when is None else {"base_date": when[0], "base_time": when[1]}
    path = write_record(tmp_path / "in", "r1", digital(500), **stated)
    report = single([path], tmp_path / "out", start_ns=asked_ns)
    assert report.start is not None
    assert (report.start.isoformat(), report.dated) == (start, dated)
    frames = read_back(report.recording)
    assert frames.start_ns[0] == round(report.start.timestamp() * 1e6) * 1000
