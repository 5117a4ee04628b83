"""The demo: it prints an address, shows alerts within a minute, and stops when asked."""

import json
import re
import signal
import subprocess
import sys
import time
import urllib.request

import pytest

pytestmark = pytest.mark.slow


def test_the_demo_shows_alerts_within_a_minute_and_stops_cleanly() -> None:
    command = [sys.executable, "-m", "telesurv.cli", "demo", "--no-browser", "--console-port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        url = ""
        assert process.stdout is not None
        while not url:
            line = process.stdout.readline()
            assert line, "it ended before it printed an address"
            found = re.search(r"http://\S+", line)
            url = found[0] if found else ""
        began_s = time.monotonic()
        alerts: list[dict[str, object]] = []
        while time.monotonic() - began_s < 60 and not alerts:
            time.sleep(1.0)
            with urllib.request.urlopen(url.partition("?")[0] + "alerts.json") as answer:
                shown = json.load(answer)
            alerts = shown["open"] + shown["resolved"]
        assert alerts, "no alert within a minute"
        assert {alert["mode"] for alert in alerts} == {"demo"}
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=20)
        assert process.returncode == 0, err
        assert "Stopped. Alerts: " in out
    finally:
        process.kill()
        process.communicate()


def test_the_excerpt_is_the_recording() -> None:
    from telesurv.demo.excerpt import Excerpt
    from telesurv_streams.wire import decode

    excerpt = Excerpt(epoch_ns=10**18)
    assert excerpt.length_s == 180
    first, again = (next(iter(excerpt.messages(s, s + 1))) for s in (0, 180))
    frames, bad = decode([first.value or b"", again.value or b""])
    assert not bad
    assert {name[2] for name in frames.names} == {"ecg.II", "ecg.V1"}
    half = len(frames.samples) // 2
    assert (frames.samples[:half] == frames.samples[half:]).all()
    assert frames.start_ns.tolist() == [10**18] * 2 + [10**18 + 180 * 10**9] * 2
