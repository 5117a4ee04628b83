"""The engine alone: records in memory to alerts, decoding included, in one process.

`python -m benchmarks.engine WARD` prints one line of JSON; `benchmarks.run` is what people call.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import patients
from benchmarks.common import answer, cpu_s, report, spread
from telesurv_streams.log import Record

LEARNING_S = 10
"""Seconds of each run that are left out: new patients are taken in and kernels learn."""

BATCH = 2000
REPEATS = 5


def as_it_comes(ward: patients.Ward, size: int) -> Iterator[tuple[bool, list[Record]]]:
    """Batches of at most `size` in the order of time, as in a service that keeps up."""
    for second, batch in enumerate(patients.records(ward)):
        for begin in range(0, len(batch), size):
            yield second >= LEARNING_S, batch[begin : begin + size]


def catching_up(ward: patients.Ward, size: int) -> Iterator[tuple[bool, list[Record]]]:
    """Batches of one partition each, some seconds of its patients, as Kafka gives a backlog."""
    waiting: list[list[Record]] = [[] for _ in range(patients.PARTITIONS)]
    for second, batch in enumerate(patients.records(ward)):
        for record in batch:
            waiting[record.partition].append(record)
        for partition, held in enumerate(waiting):
            if len(held) >= size:
                yield second >= 2 * LEARNING_S, held[:size]
                waiting[partition] = held[size:]


def feed(batches: Iterator[tuple[bool, list[Record]]], seconds: int) -> dict[str, float]:
    """CPU seconds a patient-second, and what came of it."""
    from telesurv.engine import Engine

    engine = Engine()
    used_s, count, alerts = 0.0, 0, 0
    for counts, batch in batches:
        begun_s = cpu_s()
        output = engine.feed(batch)
        took_s = cpu_s() - begun_s
        alerts += len(output.alerts)
        assert not output.bad, output.bad[:1]
        if counts:
            used_s += took_s
            count += len(batch)
        report(count / seconds)
    return {"us": used_s / count * 1e6, "alerts": alerts, "count": count}


def decode(ward: patients.Ward, remembers: bool) -> float:
    """CPU microseconds of one message's decoding, by one who saw its like before, or not."""
    from telesurv_streams import wire

    decoder = wire.Decoder()
    used_s, count = 0.0, 0
    for second, batch in enumerate(patients.records(ward)):
        values = [record.value or b"" for record in batch]
        for begin in range(0, len(values), BATCH):
            some = values[begin : begin + BATCH]
            begun_s = cpu_s()
            (decoder.decode if remembers else wire.decode)(some)
            if second >= LEARNING_S:
                used_s += cpu_s() - begun_s
                count += len(some)
    return used_s / count * 1e6


class Stopwatch:
    """Stands for a kernel's `advance` and adds up what its calls take."""

    def __init__(self, module: Any) -> None:
        self.module, self.advance = module, module.advance
        self.used_s, self.work = 0.0, 0

    def __enter__(self) -> "Stopwatch":
        self.module.advance = self
        return self

    def __exit__(self, *_: object) -> None:
        self.module.advance = self.advance

    def __call__(self, *arguments: Any) -> Any:
        begun_s = cpu_s()
        result = self.advance(*arguments)
        self.used_s += cpu_s() - begun_s
        given = arguments[2]
        if "first" in given.dtype.names:
            self.work += int(np.sum(given["last"] - given["first"]))
        else:
            self.work += len(given)
        return result


def kernels(ward: patients.Ward) -> dict[str, dict[str, float]]:
    """Nanoseconds a sample (of rhythm: an event), and microseconds a patient-second, a kernel."""
    from telesurv_kernels import registry

    watches = {name: Stopwatch(module) for name, module in registry.KERNELS.items()}
    for watch in watches.values():
        watch.__enter__()
    count = 0
    from telesurv.engine import Engine

    engine = Engine()
    for _, batch in as_it_comes(ward, BATCH):
        engine.feed(batch)
        count += len(batch)
    for watch in watches.values():
        watch.__exit__()
    return {
        name: {"ns": watch.used_s / watch.work * 1e9, "us": watch.used_s / count * 1e6}
        for name, watch in watches.items()
        if watch.work  # a kernel that the engine does not run yet has none
    }


def measure(ward: patients.Ward) -> dict[str, Any]:
    from telesurv.warming import warm

    warm()
    total = ward.patients * (ward.seconds - LEARNING_S)
    orders = {
        "as it comes": (as_it_comes, BATCH),
        "as it comes, 100 a batch": (as_it_comes, 100),
        "catching up": (catching_up, BATCH),
    }
    found: dict[str, Any] = {"patients": ward.patients, "seconds": ward.seconds, "batch": BATCH}
    for name, (order, size) in orders.items():
        runs = [feed(order(ward, size), total) for _ in range(REPEATS)]
        found[name] = spread([1e6 / run["us"] for run in runs])
        assert len({run["alerts"] for run in runs}) == 1, "the same records, other alerts"
        found[name] |= {"alerts": runs[0]["alerts"], "patient_seconds": runs[0]["count"]}
    found["decode_us"] = spread([decode(ward, True) for _ in range(REPEATS)])
    found["decode_unknown_us"] = spread([decode(ward, False) for _ in range(REPEATS)])
    found["kernels"] = kernels(ward)
    return found


if __name__ == "__main__":
    answer(measure(patients.load(Path(sys.argv[1]))))
