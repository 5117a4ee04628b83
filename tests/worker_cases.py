"""A log in the process with a virtual clock, patients who send into it, and workers on it."""

import dataclasses
from collections.abc import Callable

import msgspec

from simulation.sim_patients import BEGIN_NS, SimPatient
from telesurv.alerts.model import Alert, Heartbeat, Plan
from telesurv.service import Worker
from telesurv.settings import Settings
from telesurv_streams.log import ALERTS, FRAMES, HEADER_KIND, PATIENTS, Outgoing, Record
from telesurv_streams.memory import MemoryLog
from telesurv_streams.topics import topics

GROUP = "stage"


class Stage:
    """Everything a worker needs; time passes only by `turns`."""

    def __init__(self, partitions: int = 1, *, in_flight: bool = False) -> None:
        self.now_s = BEGIN_NS / 1e9
        self.log = MemoryLog(
            lambda: round(self.now_s * 1e9), session_s=4.0, rebalance_s=4.0, in_flight=in_flight
        )
        self.log.create(topics(partitions))
        self._workers = 0

    def worker(self, **settings: object) -> Worker:
        """Start a worker."""
        self._workers += 1
        given = {"poll_timeout": 0.0, "checkpoint_interval": 4.0, "slice_interval": 1.0}
        given |= {"group": GROUP, "worker": f"w{self._workers}"} | settings
        mine = dataclasses.replace(Settings(), **given)
        return Worker(self.log, mine, now_s=lambda: self.now_s)

    def append(self, record: Outgoing) -> None:
        with self.log.changed:
            self.log.append(record)

    def enrol(self, patient: str, version: int = 1, **fields: object) -> None:
        plan = Plan(patient=patient, version=version, **fields)  # type: ignore[arg-type]
        self.append(Outgoing(PATIENTS, patient.encode(), msgspec.json.encode(plan)))

    def turns(self, worker: Worker | None, seconds: float = 1.0, step_s: float = 0.5) -> None:
        """Let time pass, and the worker turn meanwhile."""
        for _ in range(round(seconds / step_s)):
            self.now_s += step_s
            if worker is not None:
                worker.turn()

    def play(
        self,
        worker: Worker | None,
        patients: list[SimPatient],
        begin_s: int,
        end_s: int,
        each_s: Callable[[int], object] = lambda second: None,
    ) -> None:
        """Let the patients send seconds [begin, end), each when it is over."""
        for second in range(begin_s, end_s):
            self.now_s = max(self.now_s, BEGIN_NS / 1e9 + second + 1)
            for patient in patients:
                if (record := patient.message(second)) is not None:
                    self.append(record)
            if worker is not None:
                worker.turn()
            each_s(second)

    def records(self, topic: str) -> list[Record]:
        """Return what a careful reader finds on a topic."""
        found: list[Record] = []
        reader = self.log.reader(topic)
        while some := reader.poll(0.0, 10_000):
            found += some
        return found

    def kinds(self, kind: bytes, topic: str = FRAMES) -> list[Record]:
        """Return the records of a kind."""
        return [r for r in self.records(topic) if dict(r.headers).get(HEADER_KIND) == kind]

    def alerts(self) -> list[Alert]:
        """Return every revision on the topic, in no particular order."""
        return [
            msgspec.json.decode(record.value, type=Alert)
            for record in self.records(ALERTS)
            if record.value is not None and HEADER_KIND not in dict(record.headers)
        ]

    def said(self, condition: str) -> set[str]:
        """Return of whom a condition was said."""
        return {
            alert.patient
            for alert in self.alerts()
            for entry in alert.conditions
            if entry.condition == condition
        }

    def heartbeats(self) -> list[Heartbeat]:
        return [
            msgspec.json.decode(record.value or b"", type=Heartbeat)
            for record in self.kinds(b"heartbeat", ALERTS)
        ]

    @property
    def committed(self) -> dict[int, int]:
        return dict(self.log.group(FRAMES, GROUP).committed)


def leave(worker: Worker) -> None:
    """Vanish without a last checkpoint, as after kill -9; the group hears of it at once."""
    worker._source.close()
    worker._sink.crash()  # type: ignore[attr-defined]
