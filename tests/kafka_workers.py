"""Workers as processes of their own, and what they leave on a real Kafka."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from simulation.sim_patients import SimPatient
from telesurv.alerts.model import Alert
from telesurv_streams.kafka import KafkaLog
from telesurv_streams.log import ALERTS, HEADER_KIND, LogUnavailable
from telesurv_streams.parquet import Writer
from telesurv_streams.topics import topics
from telesurv_streams.wire import decode

PARTITIONS = 3


class Place:
    """A namespace on a broker, with its topics."""

    def __init__(self, bootstrap: str, namespace: str) -> None:
        self.bootstrap, self.namespace = bootstrap, namespace.rstrip(".")
        self.log = KafkaLog(bootstrap, namespace=f"{self.namespace}.")
        self.log.create(topics(PARTITIONS, 1))

    @contextmanager
    def worker(self, name: str) -> Iterator[subprocess.Popen[bytes]]:
        """Run `telesurv serve` until the block ends; it is killed then if it lives."""
        command = [sys.executable, "-m", "telesurv.cli", "serve", "--bootstrap", self.bootstrap]
        command += ["--namespace", self.namespace, "--worker", name]
        command += ["--frame-partitions", str(PARTITIONS), "--heartbeat-interval", "1s"]
        command += ["--checkpoint-interval", "2s", "--slice-interval", "200ms"]
        command += ["--batch-records", "50"]
        process = subprocess.Popen(command, env={**os.environ})
        try:
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.kill()
                process.wait()

    def alerts(self) -> dict[str, Alert]:
        """Return the highest revision of each alert on the topic, without `emitted`."""
        found: dict[str, Alert] = {}
        reader = self.log.reader(ALERTS)
        try:
            while not reader.at_end():
                for record in reader.poll(0.2, 1000):
                    if record.value is None or HEADER_KIND in dict(record.headers):
                        continue
                    alert = msgspec.json.decode(record.value, type=Alert)
                    alert = msgspec.structs.replace(alert, emitted=None)
                    known = found.get(alert.id)
                    if known is None or alert.revision >= known.revision:
                        found[alert.id] = alert
        finally:
            reader.close()
        return found

    def wait_for(self, expected: dict[str, Alert], timeout_s: float = 60.0) -> None:
        """Wait until the topic's alerts are these, revision by revision; fail when not in time."""
        deadline = time.monotonic() + timeout_s
        while (found := self._alerts_if_there()) != expected:
            if time.monotonic() > deadline:
                assert _short(found) == _short(expected)
                assert found == expected
            time.sleep(0.5)

    def _alerts_if_there(self) -> dict[str, Alert]:
        """Return `alerts`; nothing while the broker is away or just back."""
        try:
            return self.alerts()
        except LogUnavailable:
            return {}


def _short(alerts: dict[str, Alert]) -> dict[str, tuple[str, int]]:
    return {key: (alert.condition, alert.revision) for key, alert in alerts.items()}


def read_alerts(path: Path) -> dict[str, Alert]:
    """Return the alerts of a JSON Lines file by id."""
    lines = path.read_bytes().splitlines()
    return {alert.id: alert for alert in (msgspec.json.decode(x, type=Alert) for x in lines)}


def recording(folder: Path, patients: list[SimPatient], length_s: int) -> Path:
    """Write simulated patients as an imported recording would be."""
    from telesurv_streams.wire import Row

    with Writer(folder) as writer:
        for second in range(length_s):
            for patient in patients:
                message = patient.message(second)
                if message is None:
                    continue
                frames, _ = decode([message.value or b""])
                rows = [
                    Row(
                        *frames.names[frames.name[at]],
                        int(frames.start_ns[at]),
                        float(frames.rate_hz[at]),
                        float(frames.scale[at]),
                        float(frames.offset[at]),
                        frames.samples[frames.first[at] : frames.first[at + 1]].copy(),
                        int(frames.sequence[at]),
                    )
                    for at in range(len(frames))
                ]
                writer.append(rows)
    return folder
