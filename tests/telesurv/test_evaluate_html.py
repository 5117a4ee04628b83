"""Reports as pages: one file, drawn from the report and its records."""

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest

from evaluate_cases import mark, run, write
from telesurv.evaluate import figures, plots
from telesurv.evaluate.beats import Noise
from telesurv.evaluate.looks import load
from telesurv.evaluate.page import markdown
from telesurv.simulate import Patient
from telesurv.simulate.patient import ECG_SCALE_MV

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two records; in one, three beats are not marked and two marks are beside any beat."""
    made = tmp_path_factory.mktemp("records") / "ward<1>"
    patient = Patient("sim", seed=3)
    ecg, truth = patient.samples("ecg.II", 0, 60), patient.r_peaks(0, 60)
    write(made, "perfect", ecg, 250, ECG_SCALE_MV)
    mark(made, "perfect", truth, ["N"] * len(truth))
    write(made, "other", ecg, 250, ECG_SCALE_MV)
    false = (truth[20:22] + truth[21:23]) // 2
    marks = np.concatenate([np.delete(truth, [23, 24, 25]), false])
    mark(made, "other", marks, ["N"] * (len(truth) - 3) + ["V"] * 2)
    return made


def drawings(page: str) -> list[ET.Element]:
    found = re.findall(r'<svg xmlns="http://www.w3.org/2000/svg".*?</svg>\n</figure>', page, re.S)
    return [ET.fromstring(one.removesuffix("</figure>")) for one in found]


def test_a_page_of_beats_needs_nothing_else(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "beats.html"
    assert run(capsys, "beats", folder, "--learning", "5s", "--html", file)[0] == 0
    page = file.read_text()
    links = set(re.findall(r"(?:https?:)?//[^\s\"'<)]+", page))
    assert links <= {"http://www.w3.org/2000/svg"}
    assert "<script" not in page
    assert "<title>Beats: ward&lt;1&gt;, first ECG lead" in page
    scatter, delays, strip = drawings(page)
    assert len(scatter.findall(f".//{SVG}circle")) == 2
    assert "400 to 425 ms" in "".join(delays.itertext())
    said = "".join(strip.itertext())
    assert "other: 2 missed, 3 invented" in said
    red = [path for path in strip.iter(f"{SVG}path") if path.get("fill") == "#b3001b"]
    assert len(red) == 5
    assert said.count("V") >= 2  # the experts' letters
    assert "(Wilson, 95 %, as if" in page
    assert str(tmp_path) not in page
    assert str(folder.parent) not in page


def test_a_page_of_alarms_shows_what_was_judged_wrongly(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    calm = Patient("calm", seed=4).samples("ecg.II", 0, 301)
    write(tmp_path / "icu", "a1", calm, 250, ECG_SCALE_MV)
    write(tmp_path / "icu", "a2", calm, 250, ECG_SCALE_MV)
    lines = ["record,type,true", "a1,Asystole,1", "a2,Asystole,0"]
    (tmp_path / "icu" / "ALARMS.csv").write_text("\n".join(lines))
    file, report = tmp_path / "alarms.html", tmp_path / "alarms.json"
    code, text, _ = run(capsys, "alarms", tmp_path / "icu", "--html", file, "--json", report)
    assert code == 0
    page = file.read_text()
    *_, strip = drawings(page)
    said = "".join(strip.itertext())
    assert "a1, Asystole: true alarm, not confirmed" in said
    assert "a2" not in said
    assert said.count("00:04:") >= 3  # the 20 s before it
    assert "By type" in text
    assert "From onset to detection" not in text  # nothing was announced
    assert "| asystole | 0 | 1 | 1 | 0 |" in markdown([load(report)])


def test_noise_lies_in_every_other_period() -> None:
    noise = Noise(from_s=300, period_s=120)
    times = np.array([0.0, 299, 300, 419, 420, 539, 540, 659.9, 660])
    assert noise.at(times).tolist() == [0, 0, 1, 1, 0, 0, 1, 1, 0]


def test_the_densest_windows_are_found_and_share_nothing() -> None:
    times = [1.0, 50, 52, 54, 59, 60.5, 100, 101]
    first, second, third = figures.densest(times, 10, 3)
    assert first == pytest.approx((50 + 59) / 2 - 5)
    assert second == pytest.approx(100.5 - 5)
    assert third in (0, pytest.approx(60.5 - 5))
    assert figures.densest([], 10, 3) == []


def test_plots_hold_their_points_and_say_what_they_are() -> None:
    one = plots.Point("<one>", 0.5, 0.99, (0.4, 0.6), (0.98, 0.995))
    none = plots.Point("none", None, 0.5, None, None)
    drawn = ET.fromstring(plots.scatter("A & B", [one, none], one, ("x %", "y %")))
    said = "".join(drawn.itertext())
    assert "<one>" in said
    assert "none" not in said
    (circle,) = drawn.findall(f".//{SVG}circle")
    assert 0 < float(circle.get("cx", 0)) < plots.WIDTH_MM
    empty = figures.histogram(np.empty(0))
    assert "0 beats" in plots.histogram("none", empty, "beats")
    assert "<svg" in plots.scatter("none", [], none, ("x", "y"))
