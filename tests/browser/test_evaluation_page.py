"""An evaluation's page in a browser: offline, on a desk and on a phone, without a complaint."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, sync_playwright

from browser_cases import ARGUMENTS
from evaluate_cases import mark, write
from telesurv.evaluate.beats import evaluate
from telesurv.evaluate.html_page import html
from telesurv.simulate import Patient
from telesurv.simulate.patient import ECG_SCALE_MV

pytestmark = pytest.mark.browser

DESK, PHONE = {"width": 1280, "height": 900}, {"width": 400, "height": 800}


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("evaluation")
    patient = Patient("sim", seed=3)
    ecg, truth = patient.samples("ecg.II", 0, 60), patient.r_peaks(0, 60)
    write(folder / "ward", "sim", ecg, 250, ECG_SCALE_MV)
    marks = np.delete(truth, [20, 21])
    mark(folder / "ward", "sim", marks, ["N"] * len(marks))
    report = evaluate([folder / "ward"], learning_s=5)
    file = folder / "beats.html"
    file.write_text(html(report, {"ward": folder / "ward"}))
    return file


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as started:
        launched = started.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield launched
        launched.close()


@pytest.mark.parametrize("size", [DESK, PHONE])
def test_the_page_stands_alone_and_fits(
    browser: Browser, page_file: Path, size: dict[str, int]
) -> None:
    asked: list[str] = []
    complaints: list[str] = []
    page = browser.new_page(viewport=size, offline=True)
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(page_file.as_uri())
    strip = page.locator(".strips figure > svg")
    assert page.locator(".plots figure > svg").count() == 2
    assert strip.count() == 1
    assert page.evaluate("document.documentElement.scrollWidth") == size["width"]
    # A strip is to scale where there is room: 266 mm of paper.
    width_mm = strip.evaluate("svg => svg.getBoundingClientRect().width") / 96 * 25.4
    assert width_mm == pytest.approx(266 if size == DESK else 201, abs=1)
    for name in page.locator("nav a").evaluate_all("all => all.map(a => a.hash)"):
        assert page.locator(name).count() == 1
    assert asked == [page_file.as_uri()]
    assert complaints == []
    page.close()
