"""EDF and CSV files become recordings: every sample and reading where it was."""

import gzip
import re
from datetime import UTC, date, datetime, time
from pathlib import Path

import numpy as np
import pytest

from import_cases import (
    BIDMC,
    SECOND,
    channel_of,
    codes,
    physical,
    read_back,
    single,
    write_edf,
)
from telesurv.importers import import_recordings, read_annotations
from telesurv.importers._source import DEFAULT_START_NS
from telesurv_streams.frame import MISSING
from telesurv_streams.log import Misconfigured

RNG = np.random.default_rng(20)


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


def test_the_mapping_that_the_page_shows(tmp_path: Path) -> None:
    page = Path(__file__).parents[2] / "src" / "telesurv" / "importers" / "README.md"
    (mapping,) = re.findall(r"```toml\n(.*?)```", page.read_text("utf-8"), re.DOTALL)
    (tmp_path / "m.toml").write_text(mapping, "utf-8")
    (tmp_path / "log_p7.csv").write_text("when,sat,T (F),comment,HR [bpm]\n0,95,98.6,hi,70\n")
    report = single([tmp_path / "log_p7.csv"], tmp_path / "out", mapping=tmp_path / "m.toml")
    assert (report.error, report.patient) == ("", "p7")
    assert [s.channel for s in report.signals] == ["spo2", "temperature", "heart_rate"]
    frames = read_back(report.recording)
    np.testing.assert_allclose(physical(frames, "temperature"), [37.0], atol=0.006)


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
