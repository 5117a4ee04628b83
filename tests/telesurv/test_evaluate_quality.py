"""What `evaluate quality` says of seconds, by plain loops and by SciPy."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.stats
import wfdb
from numpy.typing import NDArray

from evaluate_cases import run, write
from telesurv.evaluate.beats import Noise
from telesurv.evaluate.intervals import area_under_curve, over_records, wilson
from telesurv.evaluate.looks import load
from telesurv.evaluate.page import markdown
from telesurv.evaluate.quality import STRETCHES, evaluate, mask_of
from telesurv.evaluate.quality_marks import Labels, in_seconds, views_of
from telesurv.evaluate.seconds import REASONS as TOLD
from telesurv.evaluate.seconds import bits
from telesurv.evidence import unreadable_runs
from telesurv.lead import Lead, hear, read_lead
from telesurv.simulate import Patient
from telesurv.simulate.patient import ECG_SCALE_MV
from telesurv_streams.frame import MISSING

RATE_HZ = 250
NO_LABELS = Labels({}, {})
REASONS = (
    ("lead off", 8), ("flat", 2), ("saturated", 4), ("motion", 16), ("muscle", 32),
    ("mains", 64), ("missing", 1),
)  # fmt: skip


def an_ecg(seconds: int, seed: int = 3) -> NDArray[np.int16]:
    return Patient("sim", seed=seed).samples("ecg.II", 0, seconds)


def spoilt(ecg: NDArray[np.int16], *, seed: int = 1) -> NDArray[np.int16]:
    """An ECG of 120 s: from 20 s on flat for 15 s, from 50 s on missing for 3 s, then muscle."""
    bad = ecg.copy()
    bad[20 * RATE_HZ : 35 * RATE_HZ] = 7
    bad[50 * RATE_HZ : 53 * RATE_HZ] = MISSING
    rng = np.random.default_rng(seed)
    bad[70 * RATE_HZ : 90 * RATE_HZ] += rng.normal(0, 1 / ECG_SCALE_MV, 20 * RATE_HZ).astype("i2")
    return bad


def lead_of(samples: NDArray[np.int16], number: int = 0, name: str = "sim") -> Lead:
    return Lead(name, number, "II", samples, RATE_HZ, ECG_SCALE_MV, 1, RATE_HZ)


def counted(mask: NDArray[np.uint8], begin: int, end: int) -> dict[str, int]:
    """Seconds [begin, end) by reason, one by one."""
    found = dict.fromkeys(("unreadable", *(name for name, _ in REASONS)), 0)
    for second in range(begin, end):
        held = mask[second * RATE_HZ : (second + 1) * RATE_HZ].tolist()
        for name, bit in REASONS:
            if any(byte & bit for byte in held):
                found[name] += 1
                found["unreadable"] += 1
                break
    return found


def test_seconds_are_counted_by_their_first_reason(tmp_path: Path) -> None:
    write(tmp_path, "sim", spoilt(an_ecg(120)), RATE_HZ, ECG_SCALE_MV)
    lead = read_lead(tmp_path / "sim", 0)
    heard = hear(lead)  # a second at a time, as the service does
    assert np.array_equal(mask_of(lead), heard.mask)
    (record,) = evaluate([tmp_path]).records
    expected = counted(heard.mask, 0, 120)
    assert record.seconds.unreadable == expected.pop("unreadable") > 25
    assert record.seconds.reasons == expected
    assert {name for name, count in expected.items() if count} >= {"lead off", "flat", "missing"}
    assert expected["muscle"] > 10
    assert record.seconds.share == pytest.approx(sum(expected.values()) / 120, abs=1e-6)


def test_a_part_of_a_second_does_not_count() -> None:
    mask = np.zeros(25, np.uint8)
    mask[[3, 24]] = 16, 1
    assert bits(mask, 10.0).tolist() == [16, 0]
    assert bits(mask[:9], 10.0).tolist() == []
    assert unreadable_runs(mask, TOLD) == ((3, 4, "motion"), (24, 25, "missing"))


def test_classes_are_told_apart_by_what_is_unreadable(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "hand<1>"
    lines, shares = [], dict[str, list[float]]()
    for number in range(12):
        label = "~" if number % 3 == 0 else "N"
        ecg = an_ecg(20 + number, seed=number)
        if number in (0, 3, 6, 7):
            ecg[5 * RATE_HZ : (8 + number) * RATE_HZ] = MISSING
        write(folder, f"r{number:02}", ecg, RATE_HZ, ECG_SCALE_MV)
        lines.append(f"r{number:02},{label}")
        mask = hear(lead_of(ecg)).mask
        share = counted(mask, 0, 20 + number)["unreadable"] / (20 + number)
        shares.setdefault(label, []).append(share)
    (folder / "REFERENCE.csv").write_text("\n".join(lines) + "\n")
    file, page = tmp_path / "quality.json", tmp_path / "quality.html"
    code, text, _ = run(capsys, "quality", folder, "--json", file, "--html", page)
    assert code == 0
    report: Any = load(file)
    ours = report.separation
    by_scipy = scipy.stats.mannwhitneyu(shares["~"], shares["N"]).statistic / (4 * 8)
    assert ours.area == pytest.approx(by_scipy, abs=1e-6)
    assert 0 <= ours.area_interval[0] <= ours.area <= ours.area_interval[1] <= 1
    for one in report.classes:
        assert one.median == pytest.approx(np.median(shares[one.label]), abs=1e-6)
        for above in one.above:
            held = sum(s >= above.at_least and s > 0 for s in shares[one.label])
            assert above.records == held
            assert above.share_interval == pytest.approx(wilson(held, one.records), abs=1e-6)
    assert re.search(r"^~ +4 +\d+ +\d+\.\d\d +\d+$", text, re.MULTILINE)
    drawn = page.read_text()
    assert "r09, class ~: 10 of 10 s readable" in drawn
    assert "r07, class N: 10 of 10 s unreadable" in drawn
    assert "Signal quality: hand&lt;1&gt;, every ECG lead" in drawn
    assert str(tmp_path) not in drawn
    assert "| class | records | s | unreadable % | missing s |" in markdown([report])
    assert len(report.worst) <= 2 * STRETCHES


def test_a_table_of_classes_that_is_none_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, "sim", an_ecg(12), RATE_HZ, ECG_SCALE_MV)
    (tmp_path / "REFERENCE.csv").write_text("sim\n")
    code, _, err = run(capsys, "quality", tmp_path)
    assert code == 1
    assert "REFERENCE.csv, line 1: saw sim, expected record,class" in err


def test_the_last_seconds_before_an_alarm_are_told_apart(tmp_path: Path) -> None:
    calm = an_ecg(301)
    lost = calm.copy()
    lost[290 * RATE_HZ : 295 * RATE_HZ] = MISSING
    write(tmp_path, "a1", calm, RATE_HZ, ECG_SCALE_MV)
    write(tmp_path, "a2", lost, RATE_HZ, ECG_SCALE_MV)
    table = "record,type,true\na1,Asystole,1\na2,Ventricular_Tachycardia,0\n"
    (tmp_path / "ALARMS.csv").write_text(table)
    found = {one.name: one.seconds for one in evaluate([tmp_path]).named}
    assert list(found) == ["Asystole, true", "Ventricular Tachycardia, false"]
    assert [one.seconds for one in found.values()] == [16, 16]
    assert [one.unreadable for one in found.values()] == [0, 5]


def test_a_folder_without_an_ecg_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "one", "sim", an_ecg(12), RATE_HZ, ECG_SCALE_MV)
    code, _, err = run(capsys, "quality", tmp_path / "one", "--lead", "3")
    assert code == 1
    assert "has signals 0 to 0, not 3" in err
    code, _, err = run(capsys, "quality", tmp_path)
    assert code == 1
    assert "no ECG that can be analysed: no WFDB record" in err


def test_marks_of_a_lead_are_its_own(tmp_path: Path) -> None:
    at = np.array([0, 1000, 2000, 3000, 4000])
    wfdb.wrann(
        *("sim", "atr", at),
        symbol=["+", "~", "~", "~", "~"],
        subtype=np.array([0, 1, 2, -1, 0]),
        aux_note=["(N", "", "", "", ""],
        fs=RATE_HZ,
        write_dir=str(tmp_path),
    )
    names = []
    for number in (0, 1):
        lead = lead_of(np.zeros(5000, np.int16), number)
        said = views_of(tmp_path / "sim", lead, NO_LABELS, None)["signal"]
        names.append([(one.begin_s, one.end_s, one.name) for one in said])
    steps = [(0, 4), (4, 8), (8, 12), (12, 16), (16, 20)]
    of_first = ("clean", "noisy", "clean", "unreadable", "clean")
    of_second = ("clean", "clean", "noisy", "unreadable", "clean")
    assert names[0] == [(*step, name) for step, name in zip(steps, of_first, strict=True)]
    assert names[1] == [(*step, name) for step, name in zip(steps, of_second, strict=True)]


def test_a_second_between_two_rhythms_counts_in_neither(tmp_path: Path) -> None:
    folder = tmp_path / "ward"
    write(folder, "sim", spoilt(an_ecg(120)), RATE_HZ, ECG_SCALE_MV)
    at, notes = np.array([0, 60 * RATE_HZ + 125, 100 * RATE_HZ]), ["(N", "(NOISE", "(VF"]
    written = {"symbol": ["+"] * 3, "aux_note": notes, "fs": RATE_HZ, "write_dir": str(folder)}
    wfdb.wrann("sim", "atr", at, **written)
    mask = hear(read_lead(folder / "sim", 0)).mask
    found = {one.name: one for one in evaluate([folder]).named}
    assert list(found) == ["(N", "(VF", "(NOISE"]  # what is noise comes last
    for name, begin, end in (("(N", 0, 60), ("(NOISE", 61, 100), ("(VF", 100, 120)):
        assert found[name].seconds.seconds == end - begin
        assert found[name].seconds.unreadable == counted(mask, begin, end)["unreadable"]
    assert found["(NOISE"].noisy


@pytest.mark.parametrize(
    ("record", "level"),
    [("118e06", "6 dB"), ("118e_6", "-6 dB"), ("119em00", "0 dB"), ("slice", "noisy")],
)
def test_noise_that_was_mixed_in_bears_its_level(record: str, level: str, tmp_path: Path) -> None:
    lead = lead_of(np.zeros(100 * RATE_HZ, np.int16), name=record)
    views = views_of(tmp_path / record, lead, NO_LABELS, Noise(from_s=30.0, period_s=20.0))
    assert list(views) == ["noise"]
    index = in_seconds(views["noise"], 100)
    names = [views["noise"][at].name for at in index]
    assert names == ["clean"] * 30 + [level] * 20 + ["clean"] * 20 + [level] * 20 + ["clean"] * 10


def test_an_interval_draws_records_again() -> None:
    rng = np.random.default_rng(5)
    cases = rng.integers(100, 2000, 30)
    hits = rng.binomial(cases, rng.beta(1, 6, 30))
    theirs = scipy.stats.bootstrap(
        (hits, cases),
        lambda some, all_, axis: some.sum(axis) / all_.sum(axis),
        paired=True,
        method="percentile",
        rng=2,
    ).confidence_interval
    assert over_records(hits, cases) == pytest.approx((theirs.low, theirs.high), abs=0.01)
    assert over_records(hits[:4], cases[:4]) is None
    assert area_under_curve(np.zeros(0), np.ones(3)) is None
    found = area_under_curve(np.array([2.0, 3.0]), np.array([0.0, 2.0]))
    assert found is not None
    assert found[0] == pytest.approx(3.5 / 4)


def test_a_report_is_json_for_programs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, "sim", an_ecg(12), RATE_HZ, ECG_SCALE_MV)
    code, text, _ = run(capsys, "quality", tmp_path, "--json", "-")
    assert code == 0
    read = json.loads(text)
    assert read["kind"] == "quality"
    assert read["gross"]["seconds"] == 12
