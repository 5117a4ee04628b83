"""A real Apache Kafka for the tests: jars by Maven, Java 17, free ports, a folder of its own.

Whatever happens to the tests, the broker ends with them: its process group is killed when
the fixture ends, at interpreter exit, and by the kernel when the test process dies.
"""

import atexit
import base64
import contextlib
import ctypes
import fcntl
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

VERSION = "4.3.1"
POM = Path(__file__).parent / "kafka" / "pom.xml"
BOOT_S = 60.0

MAVEN = ["mvn", "-B", "-q", "-f", str(POM), "dependency:copy-dependencies"]
MAVEN += ["-DincludeScope=runtime"]

JAVA = [
    "java",
    "-Xms96m",
    "-Xmx384m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Xshare:auto",
    # Its own log goes to stderr, which is kept and shown when the start fails.
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=info",
]

PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
log.dirs={data}
auto.create.topics.enable=false
default.replication.factor=1
min.insync.replicas=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
log.cleaner.dedupe.buffer.size=4194304
log.cleaner.io.buffer.size=262144
log.cleaner.backoff.ms=500
log.retention.check.interval.ms=500
log.initial.task.delay.ms=500
transaction.abort.timed.out.transaction.cleanup.interval.ms=500
broker.session.timeout.ms=1500
broker.heartbeat.interval.ms=300
"""


class NoBroker(Exception):
    """No Kafka can be had here; says why."""


def jars() -> Path:
    """Return the folder with Kafka's jars, fetched by Maven when they are not there yet."""
    cache = os.environ.get("TELESURV_CACHE") or os.environ.get("XDG_CACHE_HOME")
    root = Path(cache) if cache else Path.home() / ".cache"
    folder = root / "telesurv" / f"kafka-{VERSION}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f"kafka-{VERSION}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several test runs may want them at once
        if folder.is_dir():
            return folder
        if shutil.which("mvn") is None:
            raise NoBroker("Maven (mvn) is not here, and Kafka's jars are not in the cache")
        fetched = folder.with_name(f"{folder.name}.part")
        shutil.rmtree(fetched, ignore_errors=True)
        try:
            done = subprocess.run(
                [*MAVEN, f"-DoutputDirectory={fetched}"],
                capture_output=True,
                text=True,
                timeout=600,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise NoBroker("Maven did not fetch Kafka within 10 minutes") from error
        if done.returncode != 0 or not list(fetched.glob("kafka_2.13-*.jar")):
            raise NoBroker(f"Maven could not fetch Kafka: {(done.stdout + done.stderr)[-500:]}")
        fetched.rename(folder)
    return folder


def free_ports(count: int) -> list[int]:
    """Return ports that were free a moment ago."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def _die_with_parent() -> None:
    # PR_SET_PDEATHSIG, on Linux: even a killed test process leaves no broker behind.
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)


class Broker:
    """A broker of our own; `kill` and `start` are for tests of what happens then."""

    def __init__(self, folder: Path) -> None:
        if shutil.which("java") is None:
            raise NoBroker("Java (17 or later) is not here")
        self.folder = folder
        self._classpath = f"{jars()}/*"
        self._process: subprocess.Popen[bytes] | None = None
        port, controller = free_ports(2)
        self.bootstrap = f"127.0.0.1:{port}"
        self._properties = folder / "server.properties"
        data = folder / "data"
        self._properties.write_text(PROPERTIES.format(port=port, controller=controller, data=data))
        name = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        self._run("kafka.tools.StorageTool", "format", "-t", name.replace("-", "_"))
        atexit.register(self.kill)

    def _run(self, tool: str, *arguments: str) -> None:
        command = [*JAVA, "-cp", self._classpath, tool, *arguments]
        command += ["-c", str(self._properties), "--standalone"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        if done.returncode != 0:
            raise NoBroker(f"{tool} failed: {(done.stdout + done.stderr)[-500:]}")

    def start(self) -> None:
        """Start it (again), and wait until it answers."""
        log = self.folder / "broker.log"
        log.touch()
        starts = log.read_text(errors="replace").count("Kafka Server started")
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [*JAVA, "-cp", self._classpath, "kafka.Kafka", str(self._properties)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )
        deadline = time.monotonic() + BOOT_S
        while log.read_text(errors="replace").count("Kafka Server started") == starts:
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise NoBroker(f"Kafka did not start: {log.read_text(errors='replace')[-800:]}")
            time.sleep(0.05)

    def kill(self) -> None:
        """End it as `kill -9` does."""
        if self._process is not None and self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(10)


@contextlib.contextmanager
def running(folder: Path) -> Iterator[Broker]:
    """Run a broker that keeps its data in a folder."""
    broker = Broker(folder)
    try:
        broker.start()
        yield broker
    finally:
        broker.kill()
        atexit.unregister(broker.kill)
