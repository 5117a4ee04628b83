"""A true asystole of the 2015 challenge, all the way: file, Kafka, alert, console, and again."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from kafka_workers import Place, read_alerts

pytestmark = [pytest.mark.kafka, pytest.mark.recordings, pytest.mark.browser, pytest.mark.slow]

RECORD = "a161l"


def telesurv(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "telesurv.cli", *arguments], check=True)


def test_from_the_file_to_the_page(
    kafka_bootstrap: str, kafka_namespace: str, recordings: Path, chromium: str, tmp_path: Path
) -> None:
    from playwright.sync_api import sync_playwright

    from browser_cases import ARGUMENTS, sees_drawn

    place = Place(kafka_bootstrap, kafka_namespace)
    broker = ("--bootstrap", place.bootstrap, "--namespace", place.namespace)
    imported, recorded = tmp_path / "imported", tmp_path / "recorded"
    telesurv("import", str(recordings / "challenge-2015" / RECORD), "--out", str(imported))
    telesurv("replay", str(imported), "--alerts", str(tmp_path / "first.jsonl"))
    first = read_alerts(tmp_path / "first.jsonl")
    asystole = next(a for a in first.values() if a.condition == "asystole")
    assert asystole.patient == RECORD
    assert asystole.evidence
    with place.worker("one"):
        telesurv("replay", str(imported), *broker)
        place.wait_for(first)
        command = [sys.executable, "-m", "telesurv.cli", "console", *broker]
        console = subprocess.Popen([*command, "--console-port", "0"], stderr=subprocess.PIPE)
        try:
            assert console.stderr is not None
            url = ""
            while not url:
                line = console.stderr.readline().decode()
                assert line, "the console ended before it said where it is"
                found = re.search(r"http://[^\s\"]+", line)
                url = found[0] if found else ""
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
                page = browser.new_page()
                page.goto(url + "?lang=en")
                page.get_by_text("Asystole").first.wait_for(timeout=20_000)
                sees_drawn(page, "details[open] img[src*='strip']")
                assert "replay" in page.content().lower()
                browser.close()
        finally:
            console.terminate()
            console.communicate(timeout=20)
        telesurv("record", *broker, "--out", str(recorded), "--until-end")
    telesurv("replay", str(recorded), "--alerts", str(tmp_path / "third.jsonl"))
    assert read_alerts(tmp_path / "third.jsonl") == first
    place.log.close()
