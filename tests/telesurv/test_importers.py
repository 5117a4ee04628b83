"""Files of other formats become recordings: every sample where it was, every fault named."""

import gzip
import json
import os
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import wfdb
from numpy.typing import NDArray

from telesurv.importers import Report, Unreadable, import_recordings, read_annotations
from telesurv.importers._source import DEFAULT_START_NS
from telesurv_streams.frame import MISSING, Frames
from telesurv_streams.log import Misconfigured
from telesurv_streams.recordings import messages
from telesurv_streams.wire import decode

SECOND = 1_000_000_000
RNG = np.random.default_rng(20)


def digital(n: int, signals: int = 1, amplitude: int = 400) -> NDArray[np.int64]:
    steps = RNG.integers(-9, 10, (n, signals)).cumsum(axis=0)
    return np.clip(steps, -amplitude, amplitude)


def write_record(
    folder: Path, name: str, signals: NDArray[np.int64], fmt: str = "16", **changed: object
) -> Path:
    """Write a WFDB record of digital samples; return its path without suffix."""
    folder.mkdir(exist_ok=True)
    count = signals.shape[1]
    fields: dict[str, object] = {
        "fs": 250,
        "units": ["mV"] * count,
        "sig_name": ["II", "V5", "PLETH", "RESP"][:count],
        "d_signal": signals,
        "fmt": [fmt] * count,
        "adc_gain": [200.0] * count,
        "baseline": [0] * count,
        "write_dir": str(folder),
    }
    wfdb.wrsamp(name, **(fields | changed))
    return folder / name


def read_back(recording: str | Path, first: int | None = None) -> Frames:
    """Return the (first) frames of a recording as a replay would send them: all valid."""
    assert str(recording), "nothing was imported"
    sent = [m.outgoing.value or b"" for m in islice(messages([Path(recording)]), first)]
    frames, malformed = decode(sent)
    assert malformed == []
    return frames


def channel_of(frames: Frames, channel: str, device: str = "import") -> NDArray[np.bool_]:
    """Return which rows are a channel's: bool[n]. Their sequence has no gap."""
    wanted = np.array([name[1:] == (device, channel) for name in frames.names], np.bool_)
    rows = wanted[frames.name]
    assert frames.sequence[rows].tolist() == list(range(int(rows.sum())))
    return rows


def codes(frames: Frames, channel: str, device: str = "import") -> NDArray[np.int16]:
    rows = channel_of(frames, channel, device)
    return frames.samples[np.repeat(rows, np.diff(frames.first))]


def physical(frames: Frames, channel: str, device: str = "import") -> NDArray[np.float64]:
    """Return a channel's values, NaN where missing."""
    rows = channel_of(frames, channel, device)
    count = np.diff(frames.first)[rows]
    samples = codes(frames, channel, device).astype(np.float64)
    samples[samples == MISSING] = np.nan
    scale, offset = (c[rows].astype(np.float64) for c in (frames.scale, frames.offset))
    return samples * np.repeat(scale, count) + np.repeat(offset, count)


def single(sources: list[Path], out: Path, **options: object) -> Report:
    (report,) = import_recordings(sources, out, **options)  # type: ignore[arg-type]
    return report


# WFDB


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


def test_signals_of_several_rates(tmp_path: Path) -> None:
    ecg, ppg = digital(5000)[:, 0], digital(1250)[:, 0]
    record = wfdb.Record(
        record_name="r1",
        n_sig=2,
        fs=125.0,
        sig_len=1250,
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


# Annotations and beats


def test_annotations_are_kept_beside(tmp_path: Path) -> None:
    path = write_record(tmp_path / "in", "r1", digital(5000))
    sample = np.array([50, 300, 800])
    wfdb.wrann(
        *("r1", "atr", sample),
        symbol=["+", "N", "V"],
        aux_note=["(AFIB", "", ""],
        write_dir=str(path.parent),
    )
    wfdb.wrann("r1", "qrs", sample[1:], symbol=["N", "N"], write_dir=str(path.parent))
    (path.parent / "r1.log").write_bytes(b"no annotations")
    report = single([path], tmp_path / "out")
    assert report.annotations == {"atr": 3, "qrs": 2}
    assert "r1.log is no file of annotations: left out" in report.notes
    kept = read_annotations(Path(report.recording)).to_pylist()
    assert [(k["annotator"], k["sample"], k["symbol"], k["aux"]) for k in kept] == [
        ("atr", 50, "+", "(AFIB"),
        ("atr", 300, "N", ""),
        ("qrs", 300, "N", ""),
        ("atr", 800, "V", ""),
        ("qrs", 800, "N", ""),
    ]
    assert kept[0]["time"].value == DEFAULT_START_NS + 200_000_000


@pytest.mark.parametrize(("fs", "scale"), [(128, 7.8125), (None, 4.0)])
def test_beats_alone_become_intervals(tmp_path: Path, fs: int | None, scale: float) -> None:
    sample = np.array([100, 200, 310, 311, 90_000, 90_100])
    symbols = ["N", "V", "N", "+", "N", "N"]
    aux = ["", "", "", "(N", "", ""]
    (tmp_path / "in").mkdir()
    wfdb.wrann(
        *("b1", "qrs", sample), symbol=symbols, aux_note=aux, fs=fs, write_dir=str(tmp_path / "in")
    )
    wfdb.wrann(
        *("b1", "atr", np.array([5])), symbol=["+"], aux_note=["(N"], write_dir=str(tmp_path / "in")
    )
    for i, name in enumerate(("in/b1", "in/b1.qrs", "in")):
        report = single([tmp_path / name], tmp_path / f"out-{i}")
        assert report.format == "beats"
        frames = read_back(report.recording)
        assert frames.names == [("b1", "import", "rr")]
        assert codes(frames, "rr").tolist() == [100, 110, 100]
        assert frames.scale.tolist() == [scale] * 3
        assert frames.rate_hz.tolist() == [0.0] * 3
        rate = fs or 250
        expected = [DEFAULT_START_NS + round(s * SECOND / rate) for s in (200, 310, 90_100)]
        assert frames.start_ns.tolist() == expected
        assert any("1 intervals over 10 s" in note for note in report.notes)
        assert any("no sampling rate" in note for note in report.notes) == (fs is None)


# EDF


def write_edf(path: Path, seconds: int = 30, **changed: object) -> list[NDArray[np.float64]]:
    import edfio

    ecg = RNG.normal(0, 300, 256 * seconds)
    spo2 = np.repeat(RNG.integers(85, 100, seconds), 1).astype(np.float64)
    signals = [
        edfio.EdfSignal(
            ecg, 256, label="ECG II", physical_dimension="uV", physical_range=(-3000, 3000)
        ),
        edfio.EdfSignal(spo2, 1, label="SpO2", physical_dimension="%", physical_range=(0, 100)),
    ]
    edfio.Edf(signals, **changed).write(path)  # type: ignore[arg-type]
    return [ecg, spo2]


def test_edf_with_annotations(tmp_path: Path) -> None:
    import edfio

    ecg, spo2 = write_edf(
        tmp_path / "night.edf",
        recording=edfio.Recording(startdate=date(2024, 2, 3)),
        starttime=time(22, 10, 5),
        annotations=[edfio.EdfAnnotation(3.5, 12.0, "apnée"), edfio.EdfAnnotation(20, None, "x")],
    )
    report = single([tmp_path / "night.edf"], tmp_path / "out", patient="p-07")
    assert report.start == datetime(2024, 2, 3, 22, 10, 5, tzinfo=UTC)
    assert (report.patient, report.dated, report.format) == ("p-07", True, "edf")
    frames = read_back(report.recording)
    assert {p for p, _, _ in frames.names} == {"p-07"}
    np.testing.assert_allclose(physical(frames, "ecg.II"), ecg / 1000, atol=6 / 65_000)
    np.testing.assert_allclose(physical(frames, "spo2"), spo2, atol=0.01)
    assert (codes(frames, "ecg.II") > MISSING).all()
    kept = read_annotations(Path(report.recording)).to_pylist()
    assert [(k["aux"], k["duration_s"], k["annotator"]) for k in kept] == [
        ("apnée", 12.0, "edf"),
        ("x", None, "edf"),
    ]
    assert kept[0]["time"].value == round(report.start.timestamp() * SECOND) + 3_500_000_000


def test_edf_that_is_not_continuous(tmp_path: Path) -> None:
    """The last ten of thirty data records begin a minute later."""
    import edfio

    path = tmp_path / "d.edf"
    ecg, _ = write_edf(path, annotations=[edfio.EdfAnnotation(2, None, "here")])
    data = bytearray(path.read_bytes())
    for k in range(20, 30):
        at = data.index(f"+{k}\x14\x14".encode())
        data[at : at + 3] = f"+{k + 60}".encode()
    path.write_bytes(data.replace(b"EDF+C", b"EDF+D"))
    frames = read_back(single([path], tmp_path / "out").recording)
    np.testing.assert_allclose(physical(frames, "ecg.II"), ecg / 1000, atol=6 / 65_000)
    starts = (frames.start_ns[channel_of(frames, "ecg.II")] - DEFAULT_START_NS) / SECOND
    assert starts.tolist() == [0.0, 10.0, 80.0]


def test_the_lowest_code_of_edf_is_a_sample(tmp_path: Path) -> None:
    import edfio

    lowest = np.array([-32_768, 32_767] * 128, np.int16)
    signal = edfio.EdfSignal.from_digital(lowest, 256, label="ECG", physical_dimension="mV")
    edfio.Edf([signal]).write(tmp_path / "low.edf")
    frames = read_back(single([tmp_path / "low.edf"], tmp_path / "out").recording)
    assert codes(frames, "ecg.1").tolist() == [-32_767, 32_767] * 128


# CSV

BIDMC = "Time [s], HR, PULSE, RESP, SpO2\n0,94,93.0,25,97.0\n1,95,,25,96.0\n2,,,,\n3,96,94.5,26,\n"


def test_a_csv_of_a_known_kind(tmp_path: Path) -> None:
    path = tmp_path / "bidmc01_numerics.csv"
    path.write_text(BIDMC)
    report = single([path], tmp_path / "out")
    assert (report.patient, report.error) == ("bidmc01", "")
    frames = read_back(report.recording)
    np.testing.assert_allclose(physical(frames, "heart_rate"), [94, 95, 96], rtol=1e-6)
    np.testing.assert_allclose(physical(frames, "pulse_rate"), [93.0, 94.5], rtol=1e-6)
    np.testing.assert_allclose(physical(frames, "spo2"), [97.0, 96.0], rtol=1e-6)
    assert len(codes(frames, "respiratory_rate")) == 3
    starts = frames.start_ns[channel_of(frames, "heart_rate")] - DEFAULT_START_NS
    assert (starts / SECOND).tolist() == [0.0, 1.0, 3.0]
    assert set(frames.rate_hz.tolist()) == {0.0}


def test_a_packed_csv_in_ticks(tmp_path: Path) -> None:
    path = tmp_path / "85n.csv.gz"
    text = '"time","HR [bpm]","SpO2 [%]","QT [msec]"\n2853,69.4,,\n3520,,100,388\n'
    path.write_bytes(gzip.compress(text.encode()))
    report = single([path], tmp_path / "out")
    assert report.patient == "85n"
    assert "'QT [msec]' not recognised, kept as x.QT_msec" in report.notes
    frames = read_back(report.recording)
    (row,) = np.flatnonzero(channel_of(frames, "spo2"))
    assert frames.start_ns[row] == DEFAULT_START_NS + round(3520 / 999.56 * 1e9)
    np.testing.assert_allclose(physical(frames, "x.QT_msec"), [388], rtol=1e-6)


MAPPING = """
ignore = ["note"]
[time]
column = "when"
unit = "iso"
[columns.sat]
channel = "spo2"
unit = "%"
scale = 1.0
[columns.temp]
channel = "temperature"
unit = "°F"
"""


def test_a_csv_with_a_mapping(tmp_path: Path) -> None:
    (tmp_path / "m.toml").write_text(MAPPING)
    (tmp_path / "home log.csv").write_text(
        "when,sat,temp,note,HR [bpm]\n"
        "2026-03-04T05:06:07.5Z,93,98.6,fine,61\n"
        "2026-03-04T05:16:07.5Z,NaN,--,,62\n"
    )
    report = single([tmp_path / "home log.csv"], tmp_path / "out", mapping=tmp_path / "m.toml")
    assert report.error == ""
    assert report.patient == "home_log"
    assert "name 'home log' is no pseudonym: patient home_log" in report.notes
    assert report.start == datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
    frames = read_back(report.recording)
    np.testing.assert_allclose(physical(frames, "temperature"), [37.0], atol=0.006)
    np.testing.assert_allclose(physical(frames, "heart_rate"), [61, 62], rtol=1e-6)
    assert codes(frames, "spo2").tolist() == [93]
    (row,) = np.flatnonzero(channel_of(frames, "spo2"))
    assert frames.start_ns[row] == 1_772_600_767_500_000_000


def test_a_csv_of_waveforms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("telesurv.importers.from_csv.BLOCK_BYTES", 4096)
    (tmp_path / "m.toml").write_text('rate_hz = 200\n[columns.ecg]\nchannel = "ecg.II"\n')
    values = RNG.normal(0, 1, 5100).round(3)
    lines = [f"{v:.3f}" for v in values]
    lines[40] = ""
    rows = "\n".join(f"{i},{v}" for i, v in enumerate(lines))
    (tmp_path / "w.csv").write_text(f"n,ecg\n{rows}\n")
    (tmp_path / "m.toml").write_text(
        'rate_hz = 200\nignore = ["n"]\n[columns.ecg]\nchannel = "ecg.II"\nunit = "mV"\n'
    )
    report = single([tmp_path / "w.csv"], tmp_path / "out", mapping=tmp_path / "m.toml")
    frames = read_back(report.recording)
    values[40] = np.nan
    np.testing.assert_allclose(physical(frames, "ecg.II"), values, atol=1e-6)
    assert np.diff(frames.first).tolist() == [2000, 2000, 1100]


@pytest.mark.parametrize(
    ("mapping", "said"),
    [
        ("[time]\n", "neither"),
        ('[time]\ncolumn = "t"\nunit = "days"\n', "expected one of ns, us"),
        ('[time]\ncolumn = "t"\nunit = "ticks"\n', "needs rate_hz"),
        ('[time]\ncolumn = "t"\nclock = 3\n', "clock"),
        ("[time\n", "no mapping of columns"),
    ],
)
def test_a_mapping_that_cannot_be(tmp_path: Path, mapping: str, said: str) -> None:
    (tmp_path / "m.toml").write_text(mapping)
    (tmp_path / "a.csv").write_text("t,HR\n1,2\n")
    with pytest.raises(Misconfigured, match=said):
        import_recordings([tmp_path / "a.csv"], tmp_path / "out", mapping=tmp_path / "m.toml")


@pytest.mark.parametrize(
    ("columns", "rows", "said"),
    [
        ('[columns.O2]\nchannel = "spo2"', "1,2", "no column 'O2', which the mapping names"),
        ('[columns.HR]\nchannel = "spo2"\nunit = "mmHg"', "1,2", "does not convert to %"),
        ('[columns.HR]\nchannel = "ecg.II"', "1,2", "ecg.II at rate_hz 0, expected 100"),
        ('[columns.HR]\nchannel = "2nd"', "1,2", "channel '2nd' does not match"),
        ('[columns.HR]\nchannel = "spo2"', "1,abc", "abc"),
        ('[columns.HR]\nchannel = "spo2"', "1,", "no sample and no reading"),
    ],
)
def test_a_csv_that_does_not_fit_its_mapping(
    tmp_path: Path, columns: str, rows: str, said: str
) -> None:
    (tmp_path / "m.toml").write_text(f'[time]\ncolumn = "t"\n{columns}\n')
    (tmp_path / "a.csv").write_text(f"t,HR\n{rows}\n")
    report = single([tmp_path / "a.csv"], tmp_path / "out", mapping=tmp_path / "m.toml")
    assert said in report.error
    assert "a.csv" in report.error
    assert list((tmp_path / "out").iterdir()) == []


# Many at once, and whose fault


def test_a_folder_of_everything(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    write_record(folder, "r1", digital(500))
    write_record(folder / "deep", "r1", digital(500))
    write_edf(folder / "night.edf")
    (folder / "bidmc07_numerics.csv").write_text(BIDMC)
    (folder / "REFERENCE.csv").write_text("r1,N\n")
    (folder / "README.md").write_text("# Read me")
    wfdb.wrann(*("b9", "qrs", np.array([100, 200, 300])), symbol=["N"] * 3, write_dir=str(folder))
    broken = write_record(folder, "r2", digital(500))
    Path(f"{broken}.dat").unlink()
    reports = import_recordings([folder], tmp_path / "out")
    assert {r.patient: r.format for r in reports if r.recording} == {
        "in.r1": "wfdb",
        "deep.r1": "wfdb",
        "night": "edf",
        "bidmc07": "csv",
        "b9": "beats",
    }
    failed = [r for r in reports if r.error]
    assert len(failed) == 1
    assert "r2.dat: missing, though the header r2.hea names it" in failed[0].error
    left = [r for r in reports if not r.recording and not r.error]
    assert [Path(r.source).name for r in left] == ["REFERENCE.csv"]
    assert "left out" in left[0].sentence()
    names = sorted(p.name for p in (tmp_path / "out").iterdir())
    assert names == ["b9", "bidmc07_numerics", "deep.r1", "in.r1", "night"]
    assert len({p for p, _, _ in read_back(tmp_path / "out").names}) == 5


def test_the_report_lies_beside(tmp_path: Path) -> None:
    report = single([write_record(tmp_path / "in", "r1", digital(5000))], tmp_path / "out")
    kept = json.loads((Path(report.recording) / "import.json").read_text())
    assert kept["patient"] == "r1"
    assert kept["signals"][0]["channel"] == "ecg.II"
    assert kept["start"] == "2000-01-01T00:00:00Z"
    said = report.sentence()
    assert "patient r1, ecg.II, 0.3 min from 2000-01-01T00:00:00Z (undated)" in said


def test_nothing_is_imported_twice_into_one_place(tmp_path: Path) -> None:
    path = write_record(tmp_path / "in", "r1", digital(500))
    single([path], tmp_path / "out")
    assert "exists already" in single([path], tmp_path / "out").error


def _no_dat(path: Path) -> None:
    Path(f"{path}.dat").unlink()


def _empty_dat(path: Path) -> None:
    Path(f"{path}.dat").write_bytes(b"")


def _short_dat(path: Path) -> None:
    data = Path(f"{path}.dat").read_bytes()
    Path(f"{path}.dat").write_bytes(data[: len(data) // 2])


def _empty_hea(path: Path) -> None:
    Path(f"{path}.hea").write_bytes(b"")


def _binary_hea(path: Path) -> None:
    Path(f"{path}.hea").write_bytes(bytes(range(256)))


def _text_hea(path: Path) -> None:
    Path(f"{path}.hea").write_text("this is no header at all\n")


def _rate_hea(path: Path) -> None:
    text = Path(f"{path}.hea").read_text()
    Path(f"{path}.hea").write_text(text.replace(" 250 ", " 0 "))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (_no_dat, "r1.dat: missing, though the header r1.hea names it"),
        (_empty_dat, "r1.dat: an empty file, though the header r1.hea has samples"),
        (_short_dat, "shorter than its header says"),
        (_empty_hea, "r1.hea: an empty file, expected a WFDB header"),
        (_binary_hea, "r1.hea: a broken WFDB header"),
        (_text_hea, "r1.hea: a broken WFDB header"),
        (_rate_hea, "r1.hea"),
    ],
)
def test_a_spoilt_record_is_named(tmp_path: Path, spoil: Callable[[Path], None], said: str) -> None:
    path = write_record(tmp_path / "in", "r1", digital(5000))
    spoil(path)
    report = single([path], tmp_path / "out")
    assert said in report.error
    assert report.recording == ""
    assert list((tmp_path / "out").iterdir()) == []  # nothing half done


def test_a_source_that_is_nothing(tmp_path: Path) -> None:
    (tmp_path / "empty.edf").write_bytes(b"")
    (tmp_path / "alone.dat").write_bytes(b"1234")
    (tmp_path / "letter.doc").write_bytes(b"Dear sir")
    (tmp_path / "folder").mkdir()
    for name, said in {
        "empty.edf": "an empty file",
        "alone.dat": "its header alone.hea is missing",
        "letter.doc": "neither a WFDB record, nor EDF, nor CSV",
        "folder": "no WFDB record",
        "missing": "no such file, folder or WFDB record",
    }.items():
        with pytest.raises(Unreadable, match=said) as caught:
            import_recordings([tmp_path / name], tmp_path / "out")
        assert name in str(caught.value)


def test_edf_and_csv_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "a.edf").write_bytes(b"0" * 3000)
    assert "no EDF file" in single([tmp_path / "a.edf"], tmp_path / "out").error
    (tmp_path / "a.csv").write_text("x,y\n1,2\n")
    error = single([tmp_path / "a.csv"], tmp_path / "out").error
    assert "columns x, y: no known kind of file" in error
    assert "--mapping" in error
    (tmp_path / "a.csv.gz").write_bytes(b"no gzip")
    assert "a.csv.gz: no CSV" in single([tmp_path / "a.csv.gz"], tmp_path / "out").error


def test_a_pseudonym_that_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="a pseudonym only"):
        import_recordings([tmp_path], tmp_path / "out", patient="Jean Dupont")


# Real ones


@pytest.mark.recordings
@pytest.mark.parametrize(
    "folder",
    [
        *("afdb-rr", "bidmc", "challenge-2015", "cinc2017", "cpsc2021", "mimic-iv-numerics"),
        *("mitdb", "noise", "nsr2db-rr", "perform-af", "vfdb"),
    ],
)
def test_public_recordings(tmp_path: Path, folder: str) -> None:
    """One of each database; of challenge-2015 one of the challenge's own .mat beside FLAC."""
    place = Path(os.environ["TELESURV_RECORDINGS"]) / folder
    headers = sorted(place.glob("*.hea"))[:1]
    headers += [p.with_suffix(".hea") for p in sorted(place.glob("*.mat"))]
    sources = [p.with_suffix("") for p in headers[:2]]
    if folder == "afdb-rr":
        sources = [sorted(place.glob("*.qrs"))[0].with_suffix("")]
    sources += sorted([*place.glob("*_numerics.csv"), *place.glob("*.csv.gz")])[:1]
    assert sources
    for report in import_recordings(sources, tmp_path):
        assert report.error == ""
        frames = read_back(report.recording, first=50_000)
        assert len(frames) == min(report.rows, 50_000)
        if report.format == "wfdb":
            _same_as_wfdb(report, frames)


def _same_as_wfdb(report: Report, frames: Frames) -> None:
    expected = wfdb.rdrecord(report.source).p_signal
    stored = wfdb.rdrecord(report.source, physical=False).d_signal
    for i, signal in enumerate(report.signals):
        got = codes(frames, signal.channel, signal.device)
        assert (got.astype(np.int64) == stored[:, i]).all()
        values = physical(frames, signal.channel, signal.device)
        step = np.nanmax(np.abs(expected[:, i])) * 1e-6 + signal.scale * 0.01
        np.testing.assert_allclose(values, expected[:, i], rtol=0, atol=step)
