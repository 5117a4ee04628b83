"""The worker on a real Kafka: bytes on the log to alerts on the log, checkpoints included.

The worker's clock is the patients': it has passed one second when every patient's next second
was analysed. So everything that it does as time passes (a slice of the checkpoint a second,
every patient within 30 s, heartbeats, reading plans) is done as often for a patient-second as
in a service that keeps up with these patients, however fast it goes through the log.

`python -m benchmarks.worker BOOTSTRAP NAMESPACE GROUP PATIENTS RECORDS` prints JSON.
"""

import logging
import sys
import time
from typing import Any

import structlog

from benchmarks.common import answer, cpu_s, report
from benchmarks.patients import PARTITIONS
from telesurv.engine import Output
from telesurv.service import Worker, spare_collector
from telesurv.settings import Settings
from telesurv.warming import warm
from telesurv_streams.kafka import KafkaLog
from telesurv_streams.log import ALERTS, STATE, Outgoing, Polled

LOG_STARTS_S = 1_700_000_000.0


class Measured(Worker):
    """A worker that adds up what its parts take."""

    def __init__(self, log: KafkaLog, settings: Settings, patients: int) -> None:
        self.patients, self.seen, self.alerts = patients, 0, 0
        self.parts = dict.fromkeys(("poll", "analyse", "send", "checkpoint"), 0.0)
        self.state_bytes: list[int] = []
        super().__init__(log, settings, now_s=self.time_s)
        commit = self._slices.commit

        def counted(records: list[Outgoing], *rest: Any) -> None:
            sizes = [len(r.value or b"") for r in records if r.topic == STATE]
            self.state_bytes += [size for size in sizes if size > 100]  # not the clocks
            commit(records, *rest)

        self._slices.commit = counted  # type: ignore[method-assign, assignment]

    def time_s(self) -> float:
        """The patients' time."""
        return LOG_STARTS_S + self.seen / self.patients

    def _poll(self) -> Polled:
        begun_s = time.thread_time()
        polled = super()._poll()
        self.parts["poll"] += time.thread_time() - begun_s
        return polled

    def _analyse(self, polled: Polled) -> Output:
        begun_s = time.thread_time()
        output = super()._analyse(polled)
        self.parts["analyse"] += time.thread_time() - begun_s
        self.seen += len(polled.records)
        assert not output.bad, output.bad[:1]
        return output

    def _send(self, output: Output) -> None:
        begun_s = time.thread_time()
        super()._send(output)
        self.alerts += len(output.alerts)
        self.parts["send"] += time.thread_time() - begun_s

    def _save(self, everything: bool = False) -> None:
        begun_s = time.thread_time()
        super()._save(everything)
        self.parts["checkpoint"] += time.thread_time() - begun_s


def measure(
    bootstrap: str, namespace: str, group: str, patients: int, records: int
) -> dict[str, Any]:
    level = structlog.make_filtering_bound_logger(logging.WARNING)
    structlog.configure(wrapper_class=level)
    warm()
    spare_collector()
    log = KafkaLog(bootstrap, namespace=namespace)
    settings = Settings(bootstrap=bootstrap, group=group, frame_partitions=PARTITIONS)
    used_s, begun = cpu_s(), time.monotonic()
    worker = Measured(log, settings, patients)
    while worker.seen < records:
        worker.turn()
        report(worker.seen / records)
    worker.finish()
    used_s, took_s = cpu_s() - used_s, time.monotonic() - begun
    worker.parts["other, and other threads"] = used_s - sum(worker.parts.values())
    worker.close()
    seen = worker.seen
    sizes = sorted(worker.state_bytes)
    return {
        "cpu_s": used_s,
        "wall_s": took_s,
        "patient_seconds": seen,
        "per_cpu_s": seen / used_s,
        "parts_us": {name: part_s / seen * 1e6 for name, part_s in worker.parts.items()},
        "alerts": worker.alerts,
        "snapshots": len(sizes),
        "snapshot_bytes": sizes[len(sizes) // 2],
        "snapshot_bytes_p95": sizes[len(sizes) * 95 // 100],
        "alerts_topic": log.partitions(ALERTS),
    }


if __name__ == "__main__":
    answer(measure(*sys.argv[1:4], int(sys.argv[4]), int(sys.argv[5])))
