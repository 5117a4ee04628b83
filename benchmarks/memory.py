"""What a patient costs in memory, in a snapshot, and how long it takes to make and read one.

`python -m benchmarks.memory telesurv|peer WARD` prints JSON.
"""

import contextlib
import ctypes
import gc
import sys
from pathlib import Path
from typing import Any

from benchmarks import patients
from benchmarks.common import answer, cpu_s, report, rss_bytes


def of_peer(ward: patients.Ward) -> dict[str, Any]:
    """Bytes that the windows of a consumer loop take a patient."""
    from benchmarks.peers import WINDOW_S, Windows, decoded

    known: dict[str, Windows] = {}
    before = settled_bytes()
    for second in range(WINDOW_S + 1):
        for _, value in ward.second(second):
            for patient, channel, samples in decoded(value):
                if channel == "ecg.II":
                    known.setdefault(patient, Windows()).ecg.append(samples)
        report(second / WINDOW_S)
    return {"bytes": (settled_bytes() - before) / len(known), "patients": len(known)}


def settled_bytes() -> int:
    """Memory that is resident once what is free was given back, as far as the C library can."""
    gc.collect()
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)
    return rss_bytes()


def arrays_bytes(table: Any) -> float:
    """Bytes of the rows that are used of the table's arrays, which grow by doubling."""
    pools = [table.patients, table.timelines, table.wave, table.ecg, table.spo2]
    return sum(
        array.nbytes * pool.used / len(array)
        for pool in (*pools, *table.rings.values())
        for array in pool.columns.values()
    )


def of_ours(ward: patients.Ward) -> dict[str, Any]:
    """Bytes of a patient: resident, in the table's arrays, and in snapshots."""
    from telesurv.engine import Engine
    from telesurv.snapshot import restore, snapshot
    from telesurv.warming import warm

    warm()
    other = Engine()
    for batch in patients.records(ward):
        other.feed(batch[:20])  # what is imported or kept once is not a patient's
    del other, batch
    before = settled_bytes()
    engine = Engine()
    for second, batch in enumerate(patients.records(ward)):
        engine.feed(batch)
        report(second / ward.seconds)
    del batch
    grown = settled_bytes() - before
    rows = list(engine.alerts)
    found: dict[str, Any] = {
        "patients": len(rows),
        "process_bytes": before,
        "bytes": grown / len(rows),
        "arrays_bytes": arrays_bytes(engine.table) / len(rows),
    }
    for name, with_ring in (("snapshot", False), ("snapshot with rings", True)):
        begun_s = cpu_s()
        made = [snapshot(engine, row, 0, with_ring) for row in rows]
        used_s = cpu_s() - begun_s
        sizes = sorted(map(len, made))
        other = Engine()
        begun_s = cpu_s()
        for data in made:
            restore(other, data, 0)
        found[name] = {
            "bytes": sizes[len(sizes) // 2],
            "bytes_p95": sizes[len(sizes) * 95 // 100],
            "bytes_max": sizes[-1],
            "made_us": used_s / len(rows) * 1e6,
            "read_us": (cpu_s() - begun_s) / len(rows) * 1e6,
        }
    return found


if __name__ == "__main__":
    given = patients.load(Path(sys.argv[2]))
    answer(of_ours(given) if sys.argv[1] == "telesurv" else of_peer(given))
