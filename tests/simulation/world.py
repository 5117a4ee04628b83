"""A world of patients, a log and workers, whose every accident follows from a seed.

Time is virtual and the log is in the process. Messages are doubled and swapped on their way;
workers crash between any two steps, or inside the log's own; they stall and wake up after
their partitions have moved; rebalances come when they like; the log does not answer for a
moment, or is compacted. At the end everybody works in
peace until the log is read, and the checkers look at what is left.
"""

import dataclasses
import random
from collections.abc import Iterator

import msgspec

from simulation.sim_patients import BEGIN_NS, SimPatient
from telesurv.alerts.model import Plan
from telesurv.service import Worker
from telesurv.settings import Settings
from telesurv_streams.log import (
    ALERTS,
    FRAMES,
    PATIENTS,
    STATE,
    LogUnavailable,
    Outgoing,
    Record,
)
from telesurv_streams.memory import MemoryLog
from telesurv_streams.topics import topics

PARTITIONS = 3
GROUP = "sim"


class Crash(BaseException):
    """The process is gone, here."""


@dataclasses.dataclass
class Faults:
    """What may happen, as probabilities: per worker and turn, or per message."""

    crash: float = 0.0
    stall: float = 0.0
    join: float = 0.0
    expire: float = 0.0
    double: float = 0.0
    swap: float = 0.0
    away: float = 0.0
    compact: float = 0.0


class Actor:
    """A worker, and the accident that is planned for its turn."""

    def __init__(self, world: "World", name: str) -> None:
        self.world, self.name = world, name
        self.stalled_until_s = 0.0
        self.crash_at: int | str | None = None
        self.away_at = ""
        self._countdown = 0
        self.worker: Worker | None = None
        settings = dataclasses.replace(
            world.settings, worker=name, group=GROUP, batch_records=world.rng.choice((3, 40, 500))
        )
        self.worker = Worker(world.log, settings, now_s=lambda: world.now_s, at=self._at)

    def _at(self, step: int) -> None:
        self.meet(step)

    def meet(self, place: int | str) -> None:
        """Crash here, or find the log away, if that was planned."""
        if self.away_at == place:
            raise LogUnavailable(f"{self.name} at {place}")
        if self.crash_at == place:
            self._countdown -= 1
            if self._countdown < 0:
                raise Crash(f"{self.name} at {place}")

    def turn(self, crash_at: int | str | None, away_at: str = "") -> None:
        """Take a turn; an accident ends the worker."""
        assert self.worker is not None
        self.away_at = away_at
        self.crash_at, self._countdown = crash_at, self.world.rng.randrange(3)
        self.world.log.fault = self.meet
        try:
            self.worker.turn()
        finally:
            self.world.log.fault = lambda step: None
            self.away_at = ""

    def die(self) -> None:
        """Vanish without a word; what was in flight arrives in part."""
        assert self.worker is not None
        self.worker._source.crash()
        self.worker._sink.crash(self.world.rng.randrange(4))
        self.worker = None


PLACES: tuple[int | str, ...] = (
    *range(1, 10),
    *("poll", "send", "deliver", "commit", "commit.open", "commit.done"),
)
"""Where a worker may crash: before each step, and within what the log does for it."""


AWAY: tuple[str, ...] = ("poll", "send", "deliver", "commit", "commit.open", "commit.done")
"""Where the log may not answer. What it does not take from a sink ends the worker."""


class World:
    """Patients, log, workers, and the clock."""

    def __init__(
        self,
        seed: int,
        patients: list[SimPatient],
        length_s: int,
        faults: Faults,
        partitions: int = PARTITIONS,
        workers: int = 3,
    ) -> None:
        self.seed, self.rng, self.faults = seed, random.Random(seed), faults
        self.patients, self.length_s = patients, length_s
        self.now_s = BEGIN_NS / 1e9
        self.log = MemoryLog(
            lambda: round(self.now_s * 1e9), session_s=4.0, rebalance_s=4.0, in_flight=True
        )
        self.log.create(topics(partitions))
        self._workers_max = workers
        self.settings = dataclasses.replace(
            Settings(), poll_timeout=0.0, checkpoint_interval=4.0, slice_interval=1.0
        )
        self.actors: list[Actor] = []
        self._names = 0
        self.committed: list[dict[int, int]] = []
        self._late: list[tuple[float, Outgoing]] = []

    def enrol(self, plan: Plan) -> None:
        """Put a plan on its topic."""
        self._append(Outgoing(PATIENTS, plan.patient.encode(), msgspec.json.encode(plan)))

    def _append(self, record: Outgoing) -> None:
        with self.log.changed:
            self.log.append(record)

    def join(self) -> Actor:
        """Start a worker."""
        self._names += 1
        self.actors.append(Actor(self, f"w{self._names}"))
        return self.actors[-1]

    def run(self, step_s: float = 2.0) -> None:
        """Let the patients' time pass with accidents, then finish in peace."""
        self.join()
        sent = 0
        while sent < self.length_s:
            self.now_s += step_s
            upto = min(self.length_s, int(self.now_s - BEGIN_NS / 1e9))
            for second in range(sent, upto):
                self._send(second)
            sent = upto
            self._turns(self.faults)
        self._late.sort(key=lambda late: late[0])
        for _, record in self._late:
            self._append(record)
        self.settle()

    def settle(self) -> None:
        """Work without accidents until everything is read, sent and saved."""
        for actor in self.actors:
            actor.stalled_until_s = 0.0
        quiet = 0
        for _ in range(400):
            self.now_s += 0.5
            before = self._ends()
            self._turns(Faults())
            reached = all(
                self._position(number) >= part.end
                for number, part in enumerate(self.log.parts(FRAMES))
            )
            quiet = quiet + 1 if reached and self._ends() == before else 0
            if quiet >= 3:
                return
        raise AssertionError(f"seed {self.seed}: the log was not read to its end")

    def _ends(self) -> list[int]:
        return [part.end for part in self.log.parts(FRAMES)]

    def _position(self, partition: int) -> int:
        for actor in self.actors:
            worker = actor.worker
            if worker is not None and partition in worker._ready:
                return worker._checkpoint.position(partition)
        return -1

    def _send(self, second: int) -> None:
        for patient in self.patients:
            record = patient.message(second)
            if record is None:
                continue
            if self.rng.random() < self.faults.swap:
                self._late.append((self.now_s + self.rng.choice((1.0, 2.5)), record))
            else:
                self._append(record)
            if self.rng.random() < self.faults.double:
                self._late.append((self.now_s + self.rng.choice((0.0, 3.0, 9.0)), record))
        due = [late for late in self._late if late[0] <= self.now_s]
        self._late = [late for late in self._late if late[0] > self.now_s]
        for _, record in due:
            self._append(record)

    def _turns(self, faults: Faults) -> None:
        if self.rng.random() < faults.join and len(self.actors) < self._workers_max:
            self.join()
        if faults.compact and self.rng.random() < faults.compact:
            self.log.compact(self.rng.choice((STATE, ALERTS)))
        for actor in list(self.actors):
            for _ in range(2):
                if actor not in self.actors or self.now_s < actor.stalled_until_s:
                    break
                self._one_turn(actor, faults)
        if not self.actors:
            self.join()
        self.committed.append(dict(self.log.group(FRAMES, GROUP).committed))

    def _one_turn(self, actor: Actor, faults: Faults) -> None:
        if self.rng.random() < faults.stall:
            actor.stalled_until_s = self.now_s + self.rng.choice((1.0, 7.0, 20.0))
        if self.rng.random() < faults.expire and actor.worker is not None:
            self.log.expire(actor.worker._source)
        crash_at = self.rng.choice(PLACES) if self.rng.random() < faults.crash else None
        away_at = ""
        if faults.away and self.rng.random() < faults.away:
            away_at = self.rng.choice(AWAY)
        try:
            actor.turn(crash_at, away_at)
        except (Crash, LogUnavailable):
            actor.die()
            self.actors.remove(actor)

    def records(self, topic: str) -> Iterator[Record]:
        """Yield the records of a topic, partition by partition, as a careful reader sees them."""
        for number in range(self.log.partitions(topic)):
            reader = self.log.reader(topic, [number])
            while found := reader.poll(0.0, 10_000):
                yield from found

    def workers(self) -> list[Worker]:
        """Return the workers that live."""
        return [actor.worker for actor in self.actors if actor.worker is not None]
