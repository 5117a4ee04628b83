"""What every measurement shares: what ran where, processes of their own, medians."""

import importlib.metadata
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
SEED = 1
PACKAGES = ("numpy", "numba", "pyarrow", "kafka-python", "crc32c", "lz4")
PEERS = ("neurokit2", "sleepecg", "wfdb", "biosppy")
"""What some measurements compare with; the last one only where it is installed."""

Progress = Callable[[float], None]
"""Called with the share that is done, 0 to 1."""


def cpu_s() -> float:
    """CPU seconds of this process so far, all threads, user and system."""
    return time.process_time()


def rss_bytes() -> int:
    """Memory of this process that is resident now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median and range of repetitions."""
    return {
        "median": statistics.median(values),
        "low": min(values),
        "high": max(values),
        "runs": len(values),
    }


def versions() -> dict[str, str]:
    """What was measured, and with what."""
    from telesurv import __version__

    found = {"telesurv": __version__, "commit": _commit(), "python": platform.python_version()}
    for name in (*PACKAGES, *PEERS):
        with suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found


def machine() -> dict[str, Any]:
    """What it ran on, as far as it explains a figure; nothing that names it."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        model = lines[0].partition(":")[2].strip() if lines else model
    size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "processor": model,
        "cores": os.cpu_count(),
        "memory_gib": round(size / 2**30, 1),
        "system": platform.system(),
        "load": round(os.getloadavg()[0], 1),
    }


def _commit() -> str:
    """The commit, with + where files of ours differ from it."""
    git = ["git", "-C", str(ROOT)]
    try:
        commit = subprocess.run(
            [*git, "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True
        ).stdout.strip()
        changed = subprocess.run(
            [*git, "status", "--porcelain", "-uno", "--", "src", "streams", "kernels"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return commit + ("+" if changed else "")


_said = 0.0


def report(share: float) -> None:
    """In a process of its own: say how far it is, four times a second at most."""
    global _said
    if time.monotonic() - _said > 0.25:
        _said = time.monotonic()
        print(json.dumps({"progress": share}), flush=True)


def answer(result: dict[str, Any]) -> None:
    """In a process of its own: say what was measured."""
    print(json.dumps({"result": result}), flush=True)


def in_child(
    module: str, *arguments: str, progress: Progress, environ: dict[str, str] | None = None
) -> dict[str, Any]:
    """Run `python -m benchmarks.MODULE ARGUMENTS` and return what it measured.

    A process of its own, so that no measurement pays for what another one left in memory.
    """
    command = [sys.executable, "-m", f"benchmarks.{module}", *arguments]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=os.environ | (environ or {})
    ) as process:
        assert process.stdout is not None
        result: dict[str, Any] | None = None
        for line in process.stdout:
            try:
                said = json.loads(line)
            except json.JSONDecodeError:
                continue
            if "progress" in said:
                progress(said["progress"])
            else:
                result = said["result"]
    if process.returncode or result is None:
        raise SystemExit(f"{' '.join(command)}: exit {process.returncode}")
    return result
