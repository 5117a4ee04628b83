"""`telesurv demo`: patients, service and console in one process, on the log inside it."""

import dataclasses
import logging
import signal
import threading
import time
import webbrowser
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import msgspec
import structlog

from telesurv.alerts.model import Plan
from telesurv.settings import Settings
from telesurv.stopping import stopped_by
from telesurv_streams.log import FRAMES, HEADER_ARRIVAL, HEADER_KIND, HEADER_MODE, Outgoing
from telesurv_streams.memory import MemoryLog

if TYPE_CHECKING:
    from telesurv.service import Worker
    from telesurv.simulate.play import Sender

PARTITIONS = 4
SILENT_FROM_S, SILENT_S = 20.0, 100.0
"""When one more patient falls silent, and for how long: their plan allows a minute."""

_MODE = (HEADER_MODE, b"demo")


class Timed:
    """Messages of a patient, and beside them the plan and the ticks of a demo's route."""

    def __init__(self, patient: "Sender", epoch_ns: int, plan: Plan | None = None) -> None:
        self._patient, self._epoch_ns, self._plan = patient, epoch_ns, plan
        self.name = patient.name

    def messages(self, from_s: int, to_s: int) -> Iterator[Outgoing]:
        """Yield what the patient sends in [from_s, to_s), and every ten seconds a tick."""
        key = self.name.encode()
        for second in range(from_s, to_s):
            arrival = (HEADER_ARRIVAL, str(self._epoch_ns + (second + 1) * 10**9).encode())
            if second == 0 and self._plan is not None:
                headers = ((HEADER_KIND, b"plan"), _MODE, arrival)
                yield Outgoing(FRAMES, key, msgspec.json.encode(self._plan), headers)
            yield from self._patient.messages(second, second + 1)
            if second % 10 == 9:
                yield Outgoing(FRAMES, key, b"", ((HEADER_KIND, b"tick"), _MODE, arrival))


def demo(
    settings: Settings,
    *,
    patients: int,
    seed: int,
    duration_s: float | None,
    browser: bool,
    say: Callable[[str], object],
) -> None:
    """Run until Ctrl-C, SIGTERM, or for a while.

    Parameters
    ----------
    patients : how many are simulated, beside a real public excerpt
    seed : of the simulation
    duration_s : stop after so long; None: when asked
    browser : open the console in one
    say : prints a line
    """
    stop = _prepare(settings)
    say("Getting ready: kernels (compiled once on a new machine, half a minute) and patients …")
    begun_s = time.monotonic()
    from telesurv.console import run as console
    from telesurv.service import Worker
    from telesurv.simulate.play import play
    from telesurv.warming import compile_kernels
    from telesurv_streams.topics import topics

    compile_kernels()
    senders = _senders(patients, seed)
    log = MemoryLog()
    log.create(topics(PARTITIONS))
    settings = dataclasses.replace(settings, worker="demo", heartbeat_interval=2.0)
    worker = Worker(log, settings)
    running = console.start(
        log,
        host=settings.console_host,
        port=settings.console_port,
        timezone=settings.timezone,
    )
    failed: list[BaseException] = []
    threads = [
        threading.Thread(target=_guarded, args=(lambda: _work(worker, stop), stop, failed)),
        threading.Thread(
            target=_guarded, args=(lambda: play(senders, log, stop=stop), stop, failed)
        ),
    ]
    for thread in threads:
        thread.start()
    url = f"{running.url}?lang={settings.language}"
    say(f"Ready after {time.monotonic() - begun_s:.0f} s. The console: {url}")
    say(_program(patients, duration_s))
    if browser:
        webbrowser.open(url)
    try:
        stop.wait(duration_s)
    finally:
        stop.set()
        for thread in reversed(threads):
            thread.join(10.0)
        worker.close()
        running.stop()
    if failed:
        raise failed[0]
    raised = [len(patient.episodes) for patient in worker.engine.alerts.values()]
    say(f"Stopped. Alerts: {sum(raised)}, of {sum(map(bool, raised))} of {len(senders)} patients.")


def _prepare(settings: Settings) -> threading.Event:
    """Quieten the service, and return what Ctrl-C and SIGTERM set."""
    if settings.log_level == "info":  # the lines of a service would bury what is said here
        quiet = structlog.make_filtering_bound_logger(logging.WARNING)
        structlog.configure(wrapper_class=quiet)
    return stopped_by(signal.SIGTERM, signal.SIGINT)


def _senders(patients: int, seed: int) -> list[Timed]:
    from telesurv.demo.excerpt import Excerpt
    from telesurv.simulate import Patient, Script, ward

    epoch_ns = time.time_ns() // 10**9 * 10**9
    simulated = ward(patients, seed, epoch_ns=epoch_ns, mode="demo")
    senders = [Timed(patient, epoch_ns) for patient in simulated]
    script = Script.parse(f"silence@{SILENT_FROM_S:g}s+{SILENT_S:g}s")
    quiet = Patient("sim-quiet", script, seed=seed * 31 + 7, epoch_ns=epoch_ns, mode="demo")
    plan = Plan(patient="sim-quiet", version=1, expected_interval="1m", grace="0s")
    senders.append(Timed(quiet, epoch_ns, plan))
    senders.append(Timed(Excerpt(epoch_ns), epoch_ns))
    return senders


def _program(patients: int, duration_s: float | None) -> str:
    until = "Ctrl-C stops it." if duration_s is None else f"It stops after {duration_s:g} s."
    return (
        f"{patients} simulated patients, of whom two in three fall ill one after the other from "
        "15 s on; one who falls silent; and a real public recording (MIT-BIH 203). All in mode "
        f"demo. {until}"
    )


def _work(worker: "Worker", stop: threading.Event) -> None:
    while not stop.is_set():
        worker.turn()
    worker.finish()


def _guarded(run: Callable[[], object], stop: threading.Event, failed: list[BaseException]) -> None:
    """Let what goes wrong in a thread end the demo, and be told."""
    try:
        run()
    except BaseException as error:
        failed.append(error)
        stop.set()
