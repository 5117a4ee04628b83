"""`python -m benchmarks`: measure everything, and write `benchmarks/results`."""

import argparse
import json
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks import common, ecg_detectors, kafka, patients, plot, startup, table

RESULTS = Path(__file__).parent / "results"
SECTIONS = ("engine", "worker", "startup", "memory", "ecg", "agreement", "monitor")
PEERS = ("neurokit2", "sleepecg")
SLOW_SHARE = 8
"""Slow detectors get every so-many-th record in pieces and with holes."""


class Run:
    """One run: the patients, what was measured so far, and how it is shown."""

    def __init__(self, folder: Path, quick: bool, bars: Progress) -> None:
        self.folder, self.quick, self._bars = folder, quick, bars
        self.repeats = 1 if quick else 3

    @contextmanager
    def bar(self, name: str) -> Iterator[common.Progress]:
        """Show how far something is."""
        task = self._bars.add_task(name, total=1.0)
        yield lambda share: self._bars.update(task, completed=share)
        self._bars.update(task, completed=1.0)

    def child(self, name: str, module: str, *arguments: object, **environ: str) -> dict[str, Any]:
        """Measure in a process of its own."""
        with self.bar(name) as progress:
            return common.in_child(module, *map(str, arguments), progress=progress, environ=environ)

    def ward(self, name: str, count: int, seconds: int, copies: int) -> Path:
        """Make patients, once."""
        path = self.folder / name
        if not path.exists():
            live_ns = (int(time.time()) - seconds - 60) * 10**9
            with self.bar(f"simulating {count} patients for {seconds} s") as progress:
                patients.simulate(count, seconds, copies, progress, live_ns).save(path)
        return path

    def ours(self) -> Path:
        """The patients of the service."""
        return self.ward("ours", *((100, 40, 4) if self.quick else (500, 120, 4)))

    def few(self) -> Path:
        """The same for a shorter time, where each message is written alone."""
        return self.ward("few", *((100, 20, 4) if self.quick else (500, 40, 4)))

    def theirs(self) -> Path:
        """Fewer patients for the peers: theirs is counted in patient-seconds as well."""
        return self.ward("theirs", *((10, 40, 1) if self.quick else (100, 120, 1)))

    def engine(self) -> dict[str, Any]:
        found: dict[str, Any] = {"telesurv": self.child("engine alone", "engine", self.ours())}
        for name in PEERS:
            found[name] = self.child(f"{name} alone", "peers", name, self.theirs())
        return found

    def worker(self) -> dict[str, Any]:
        """On a Kafka: our worker, and the peers' loops on the same messages."""
        with kafka.broker() as bootstrap:
            found = {
                "telesurv": self._worker(bootstrap, "bench-ours.", self.ours(), {}),
                "alone": self._worker(bootstrap, "bench-one.", self.few(), {"batch_bytes": 0}),
            }
            ward = patients.load(self.theirs())
            with self.bar("writing the peers' messages") as progress:
                kafka.produce(bootstrap, "bench-peers.", ward, progress, ticks=False)
            where = (bootstrap, kafka.frames_topic("bench-peers."), ward.messages)
            for name in PEERS:
                runs = [
                    self.child(f"{name} loop, {repeat + 1}", "peers", name, *where)
                    for repeat in range(self.repeats)
                ]
                found[name] = summary(runs)
        return found

    def _worker(
        self, bootstrap: str, namespace: str, path: Path, how: dict[str, Any]
    ) -> dict[str, Any]:
        """Write messages to Kafka, and let one worker after the other analyse them."""
        ward = patients.load(path)
        with self.bar(f"writing {ward.messages} messages to Kafka") as progress:
            kafka.produce(bootstrap, namespace, ward, progress, **how)
        runs = []
        for repeat in range(self.repeats):
            where = (bootstrap, namespace, f"group-{repeat}", ward.patients, ward.messages)
            runs.append(self.child(f"worker, {repeat + 1}", "worker", *where))
            kafka.begin_anew(bootstrap, namespace)
        return summary(runs)

    def startup(self) -> dict[str, Any]:
        with self.bar("start, cold and warm") as progress:
            return startup.measure(self.ward("first", 20, 2, 1), progress)

    def memory(self) -> dict[str, Any]:
        return {
            "telesurv": self.child("memory", "memory", "telesurv", self.ours()),
            "consumer loop": self.child("memory of windows", "memory", "peer", self.ours()),
        }

    def ecg(self) -> dict[str, Any]:
        """R-peak detectors on recordings, and what the cascade costs.

        The slow ones run side by side: a few percent of their speed for a minute less.
        """
        one_core = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
        if self.quick:
            one_core["TELESURV_RECORDINGS"] = ""  # the excerpts
        found = self.child("R-peak detectors", "ecg", *ecg_detectors.fast(), **one_core)

        def slow(name: str) -> dict[str, Any]:
            return self.child(name, "ecg", f"{name}*{SLOW_SHARE}", **one_core)

        with ThreadPoolExecutor() as threads:
            for result in threads.map(slow, ecg_detectors.SLOW):
                found |= result
        cost = self.child("the ECG cascade", "ecg_cost", **one_core)
        if "mitdb" in found[ecg_detectors.OURS]["counts"]["whole"]:
            plot.draw({"detectors": found})
        return {"detectors": found, "cost": cost}

    def agreement(self) -> dict[str, Any]:
        """Beat for beat beside two peers, where nobody marked the beats."""
        return self.child("agreement with peers", "agreement")

    def monitor(self) -> dict[str, Any]:
        """What is shown of the monitor standard's test signals."""
        return self.child("test signals of monitors", "monitor")


def summary(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """The run in the middle, and the range of all."""
    ordered = sorted(runs, key=lambda run: run["per_cpu_s"])
    middle = dict(ordered[len(ordered) // 2])
    middle["per_cpu_s"] = common.spread([run["per_cpu_s"] for run in runs])
    return middle


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=", ".join(SECTIONS))
    parser.add_argument("--quick", action="store_true", help="few patients: does it run at all?")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the results")
    given = parser.parse_args()
    if unknown := set(given.sections) - set(SECTIONS):
        parser.error(f"no section {', '.join(unknown)}; there are {', '.join(SECTIONS)}")
    path = given.out / "results.json"
    results: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    about = {"versions": common.versions(), "machine": common.machine(), "seed": common.SEED}
    columns = (TextColumn("{task.description:<42}"), BarColumn(), TimeElapsedColumn())
    with (
        tempfile.TemporaryDirectory(prefix="telesurv-bench-") as folder,
        Progress(*columns) as bars,
    ):
        run = Run(Path(folder), given.quick, bars)
        for section in given.sections or SECTIONS:
            found = getattr(run, section)()
            results[section] = found | {"about": about, "quick": given.quick}
    given.out.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(results, indent=1) + "\n")
    (given.out / "README.md").write_text(table.markdown(results))
    print(table.short(results))
    print(f"written: {path}, {given.out / 'README.md'}")


if __name__ == "__main__":
    main()
