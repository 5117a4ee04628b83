"""What tests need from outside: a Kafka, whole databases, a browser; said loudly where missing."""

import contextlib
import os
import shutil
import tempfile
import uuid
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest
import structlog

from kafka_broker import Broker, NoBroker, running

MARKERS = ("kafka", "recordings", "browser")
"""Tests so marked may be left out; the end of the run says which, and why."""

REQUIRED_IN_CI = ("kafka", "browser")
"""With CI=true in the environment their absence is an error."""

CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "chrome")


def leave_out(marker: str, reason: str) -> NoReturn:
    """Skip the test that runs; where the marker is required, fail it."""
    if marker in REQUIRED_IN_CI and os.environ.get("CI") == "true":
        pytest.fail(f"required with CI=true: {reason}", pytrace=False)
    pytest.skip(reason)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep the tests on Kafka in one worker: they share its broker."""
    if config.pluginmanager.hasplugin("xdist"):
        for item in items:
            if item.get_closest_marker("kafka"):
                item.add_marker(pytest.mark.xdist_group("kafka"))


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Leave out what cannot run here, whether or not it asks for the fixture."""
    if item.get_closest_marker("recordings") and _recordings() is None:
        leave_out("recordings", "TELESURV_RECORDINGS names no folder of whole databases")
    if item.get_closest_marker("browser") and _chromium() is None:
        leave_out("browser", f"none of {', '.join(CHROMIUM)} is here")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what was left out, and why."""
    reasons: dict[tuple[str, str], list[str]] = defaultdict(list)
    for report in terminalreporter.stats.get("skipped", []):
        for marker in MARKERS:
            if marker in report.keywords:
                reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else ""
                file = report.nodeid.partition("::")[0]
                reasons[marker, reason.removeprefix("Skipped: ")].append(file)
    for (marker, reason), files in sorted(reasons.items()):
        terminalreporter.write_sep("!", f"{len(files)} tests LEFT OUT: {marker}", yellow=True)
        terminalreporter.write_line(f"why: {reason}")
        for file in sorted(set(files)):
            terminalreporter.write_line(f"     {files.count(file):4} in {file}")


def _recordings() -> Path | None:
    named = os.environ.get("TELESURV_RECORDINGS")
    return Path(named) if named and Path(named).is_dir() else None


def _chromium() -> str | None:
    return next(filter(None, map(shutil.which, CHROMIUM)), None)


@pytest.fixture(autouse=True)
def log_lines_as_they_were() -> Iterator[None]:
    """Commands under test configure logging onto a stream that ends with their test."""
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def recordings() -> Path:
    """The folder of whole databases; for tests marked `recordings`."""
    found = _recordings()
    assert found is not None, "mark the test with @pytest.mark.recordings"
    return found


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of the system's Chromium; for tests marked `browser`."""
    found = _chromium()
    assert found is not None, "mark the test with @pytest.mark.browser"
    return found


@pytest.fixture(scope="session")
def kafka_bootstrap() -> Iterator[str]:
    """The address of a Kafka, started when none is named; for tests marked `kafka`."""
    if given := os.environ.get("TELESURV_TEST_BOOTSTRAP"):
        yield given
        return
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="telesurv-kafka-"))
        try:
            broker = stack.enter_context(running(Path(folder)))
        except NoBroker as error:
            leave_out("kafka", str(error))
        yield broker.bootstrap


@pytest.fixture
def own_broker(tmp_path: Path) -> Iterator[Broker]:
    """A broker for one test that does it harm; for tests marked `kafka`."""
    with contextlib.ExitStack() as stack:
        try:
            broker = stack.enter_context(running(tmp_path))
        except NoBroker as error:
            leave_out("kafka", str(error))
        yield broker


@pytest.fixture
def kafka_namespace() -> str:
    """A namespace of this test's own on the shared broker."""
    return f"test-{uuid.uuid4().hex[:12]}."
