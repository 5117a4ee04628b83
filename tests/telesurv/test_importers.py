"""Many files at once, annotations and beats, whose fault it is, and real recordings."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import wfdb

from import_cases import (
    BIDMC,
    SECOND,
    codes,
    digital,
    physical,
    read_back,
    single,
    write_edf,
    write_record,
)
from telesurv.importers import Report, Unreadable, import_recordings, read_annotations
from telesurv.importers._source import DEFAULT_START_NS
from telesurv_streams.frame import Frames
from telesurv_streams.log import Misconfigured

RNG = np.random.default_rng(20)


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
