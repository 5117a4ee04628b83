"""The patients that everything is measured on: simulated, some of them ill.

A few hundred are simulated; each of them takes the place of several, who have the same signals
under other names. So that ten minutes of CPU are not spent on making what is then read in one.
"""

import random
from collections.abc import Iterator
from pathlib import Path

import msgspec

from benchmarks.common import SEED, Progress
from telesurv_streams.log import FRAMES, Record
from telesurv_streams.partitioner import partition_for
from telesurv_streams.wire import FRAME_HEADER

EPISODES_PER_HOUR = 1.0
"""Of each patient: more than real ones have, of whom most have none in a day."""

PARTITIONS = 4
"""Of the frames' topic, all of them of the one worker that is measured."""

ARRIVAL_DELAY_NS = 300_000_000


class Ward(msgspec.Struct):
    """Messages of simulated patients: one a patient and second, three rows each."""

    epoch_ns: int
    seconds: int
    copies: int  # of each patient, under other names
    names: list[bytes]
    sent: list[list[bytes | None]]  # [second][patient], None: the device sent nothing

    @property
    def patients(self) -> int:
        """How many patients there are, those with copied signals included."""
        return len(self.names) * self.copies

    @property
    def messages(self) -> int:
        """How many messages they send in all."""
        return self.copies * sum(value is not None for sent in self.sent for value in sent)

    def second(self, second: int) -> Iterator[tuple[bytes, bytes]]:
        """Yield the key and the value of every message of a second."""
        for copy in range(self.copies):
            for name, value in zip(self.names, self.sent[second], strict=True):
                if value is not None:
                    other = name[:-1] + b"%d" % copy
                    yield other, value.replace(name, other) if copy else value

    def save(self, path: Path) -> None:
        """Write them for other processes."""
        path.write_bytes(msgspec.msgpack.encode(self))


def load(path: Path) -> Ward:
    """Read what `Ward.save` wrote."""
    return msgspec.msgpack.decode(path.read_bytes(), type=Ward)


def simulate(
    patients: int, seconds: int, copies: int, progress: Progress, epoch_ns: int | None = None
) -> Ward:
    """Make patients; the same ones for the same numbers."""
    from telesurv.simulate import EVENTS, Event, Patient, Script
    from telesurv.simulate.patient import EPOCH_NS
    from telesurv.simulate.ward import ILLS

    assert copies <= 10, "the last character of a name says which copy"
    rng = random.Random(SEED)
    epoch_ns = EPOCH_NS if epoch_ns is None else epoch_ns
    ward = Ward(epoch_ns, seconds, copies, [], [[] for _ in range(seconds)])
    for number in range(patients):
        events = []
        if rng.random() < EPISODES_PER_HOUR * seconds / 3600:
            kind = EVENTS[name := ILLS[number % len(ILLS)]]
            events.append(Event(name, rng.uniform(0, seconds), kind.duration_s, kind.value))
        name = f"patient-{number:04d}-0"
        made = Patient(name, Script(tuple(events)), SEED + number, epoch_ns=epoch_ns)
        ward.names.append(name.encode())
        for second in range(seconds):
            values = [message.value for message in made.messages(second, second + 1)]
            ward.sent[second].append(values[0] if values else None)
        progress((number + 1) / patients)
    return ward


def records(ward: Ward, partitions: int = PARTITIONS) -> Iterator[list[Record]]:
    """Yield the records of each second as a log would hold them."""
    offsets = [0] * partitions
    where = {}
    for second in range(ward.seconds):
        arrival_ns = ward.epoch_ns + (second + 1) * 10**9 + ARRIVAL_DELAY_NS
        batch = []
        for key, value in ward.second(second):
            partition = where.get(key)
            if partition is None:
                partition = where[key] = partition_for(key, partitions)
            offset = offsets[partition]
            offsets[partition] += 1
            # Everything is an object of its own, as a client makes it of bytes.
            header = (str(FRAME_HEADER[0]), bytes(bytearray(FRAME_HEADER[1])))
            batch.append(
                Record(FRAMES, partition, offset, arrival_ns, bytes(key), value, (header,))
            )
        yield batch
