"""From nothing to the first answer: a process that imports, loads or compiles, and analyses.

`python -m benchmarks.startup WHO WARD` is the process that is measured from outside.
"""

import resource
import subprocess
import sys
import tempfile
import time
import warnings
from os import environ
from pathlib import Path
from typing import Any

from benchmarks.common import ROOT, Progress, spread

REPEATS = 5
COLD_REPEATS = 2


def first_answer(who: str, path: Path) -> None:
    """What a process does before it is of use."""
    warnings.simplefilter("ignore")
    if who == "telesurv":
        import telesurv.service
        from benchmarks import patients

        engine = telesurv.service.Engine()
        for batch in patients.records(patients.load(path)):
            engine.feed(batch)
        return
    import kafka  # noqa: F401
    import numpy as np

    from benchmarks.peers import RATE_HZ, WINDOW_S, detector

    detector(who)(np.sin(np.arange(WINDOW_S * RATE_HZ) * 2 * np.pi / RATE_HZ) ** 61)


def peak_mib() -> float:
    """Memory that this process had at most; its parent's is not in it."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def once(who: str, path: Path, cache: str | None) -> tuple[float, float, float]:
    """Wall seconds, CPU seconds and MiB at most of one such process."""
    command = [sys.executable, "-m", "benchmarks.startup", who, str(path)]
    changed = {} if cache is None else {"NUMBA_CACHE_DIR": cache}
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run(
        command, cwd=ROOT, env={**environ, **changed}, capture_output=True, text=True, check=True
    )
    took_s, after = time.monotonic() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    used_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return took_s, used_s, float(done.stdout.split()[-1])


def measure(path: Path, progress: Progress) -> dict[str, Any]:
    """Seconds to the first answer: ours without and with compiled kernels, and the peers'."""
    found: dict[str, Any] = {}
    cases = [("telesurv, cold", COLD_REPEATS), ("telesurv, warm", REPEATS)]
    cases += [("neurokit2", REPEATS), ("sleepecg", REPEATS)]
    for place, (name, repeats) in enumerate(cases):
        runs = []
        with tempfile.TemporaryDirectory() as warm:
            if name == "telesurv, warm":
                once("telesurv", path, warm)
            for repeat in range(repeats):
                progress((place + repeat / repeats) / len(cases))
                with tempfile.TemporaryDirectory() as empty:
                    cache = {"telesurv, cold": empty, "telesurv, warm": warm}.get(name)
                    runs.append(once(name.partition(",")[0], path, cache))
        wall, cpu, peak = zip(*runs, strict=True)
        found[name] = {"wall_s": spread(wall), "cpu_s": spread(cpu), "peak_mib": spread(peak)}
    return found


if __name__ == "__main__":
    first_answer(sys.argv[1], Path(sys.argv[2]))
    print(peak_mib())
