"""Commands that speak to a log, on one inside the process; and how settings reach Kafka."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

import telesurv.connect
import telesurv.service
from telesurv.alerts.model import Plan
from telesurv.cli import main
from telesurv.connect import security
from telesurv.settings import Secret, Settings
from telesurv_streams import log as names
from telesurv_streams.memory import MemoryLog
from telesurv_streams.topics import topics


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> MemoryLog:
    log = MemoryLog()
    monkeypatch.setattr(telesurv.connect, "connect", lambda settings: log)
    return log


def outcome(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as stop:
        main(words)
    written = capsys.readouterr()
    assert isinstance(stop.value.code, int)
    return stop.value.code, written.out, written.err


def test_topics_are_created_once_and_listed(
    log: MemoryLog, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = outcome(capsys, "topics", "list", "--json")
    assert {row["partitions"] for row in json.loads(out).values()} == {None}
    words = ("topics", "create", "--frame-partitions", "4", "--json")
    code, out, _ = outcome(capsys, *words)
    assert code == 0
    assert set(json.loads(out)["created"]) == {topic.name for topic in topics()}
    code, out, _ = outcome(capsys, *words)
    assert json.loads(out)["created"] == []
    code, out, _ = outcome(capsys, "topics", "list", "--frame-partitions", "4")
    assert code == 0
    assert out.splitlines()[1].split() == [names.FRAMES, "4", "4"]
    code, out, _ = outcome(capsys, "topics", "list", "--frame-partitions", "5", "--json")
    assert json.loads(out)[names.FRAMES] == {"partitions": 4, "expected": 5}
    code, _, err = outcome(capsys, "topics", "create", "--frame-partitions", "5")
    assert code == 2
    assert "has 4 partitions, expected 5" in err


def test_plans_are_put_under_their_patient(
    log: MemoryLog, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    log.create(topics(4, 1))
    file = tmp_path / "p-07.json"
    file.write_text('{"patient": "p-07", "version": 3, "limits": {"spo2_low": 88}}')
    code, out, _ = outcome(capsys, "plan", "put", str(file))
    assert (code, out) == (0, "put: p-07, version 3\n")
    (record,) = log.reader(names.PATIENTS).poll(0.1, 10)
    assert record.key == b"p-07"
    plan = msgspec.json.decode(record.value or b"", type=Plan)
    assert (plan.version, plan.limits.spo2_low) == (3, 88)


def test_serve_gives_each_worker_a_name_and_a_sign_of_life(
    log: MemoryLog,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    seen: list[str] = []

    class Worker:
        def __init__(self, log: object, settings: Settings, alive: Any) -> None:
            seen.append(settings.worker)
            self.run = alive

    monkeypatch.setattr(telesurv.service, "Worker", Worker)
    alive = tmp_path / "run" / "alive"
    assert outcome(capsys, "serve", "--alive-file", str(alive))[0] == 0
    assert alive.exists()
    assert outcome(capsys, "serve", "--worker", "w-1")[0] == 0
    assert seen[0] not in ("", "w-1")
    assert seen[1] == "w-1"


def test_security_is_what_kafka_python_calls_it() -> None:
    assert security(Settings()) == {"security_protocol": "PLAINTEXT"}
    settings = Settings(
        security_protocol="SASL_SSL",
        sasl_username="worker",
        sasl_password=Secret("hunter2"),
        ssl_cafile=Path("/ca.pem"),
    )
    assert security(settings) == {
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": "worker",
        "sasl_plain_password": "hunter2",
        "ssl_cafile": "/ca.pem",
    }
