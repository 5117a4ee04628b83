"""What the whole ECG cascade costs: speed, its worst batch, memory, compilation.

The cascade is `quality` and whatever `telesurv.cascade` holds, run as the engine
runs it: many leads a call, a second of each.

`python -m benchmarks.ecg_cost` prints JSON; `... first` is the process that compiles or loads.
"""

import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from os import environ
from typing import Any

import numpy as np

from benchmarks import ecg_records
from benchmarks.common import ROOT, SEED, answer, cpu_s, report, spread
from benchmarks.engine import Stopwatch
from benchmarks.startup import peak_mib
from telesurv import cascade
from telesurv.alerts.model import Limits
from telesurv.plans import in_force
from telesurv_kernels import _dtypes as codes
from telesurv_kernels import beats, quality

LEADS, SECONDS, LEARNING_S, REPEATS = 500, 60, 10, 5
NOISE_LEADS, NOISE_RATE_HZ, NOISE_PERIOD_S = 100, 250, 20
BATCHES, PASSES = 1500, 2
MEMORY_RATE_HZ = 250.0


class Ward:
    """Leads, each of a heart of its own, that are analysed together, a second a batch."""

    def __init__(self, leads: int, rate_hz: float, scale_mv: float) -> None:
        self.size, self.rate_hz = round(rate_hz), rate_hz
        self.pool, self.hearts = cascade.lead_pool(), cascade.heart_pool()
        self.wave = np.zeros(leads, quality.STATE)
        made = quality.params(rate_hz, scale_mv, ecg=True)
        self.wave_params = np.full(leads, made, quality.PARAMS)
        for _ in range(leads):
            cascade.set_rate(self.pool, self.pool.take(), rate_hz, scale_mv)
            heart = self.hearts.take()
            cascade.set_limits(self.hearts, heart, in_force(Limits()))
        none = np.zeros(leads, np.int64)
        self.lines = cascade.Lines(
            heart=np.arange(leads),
            lead=none,
            rank=none,
            end_ns=none,
            lag_ns=cascade.lag_ns(none + 10**9),
            rate_hz=np.full(leads, rate_hz),
        )
        total = leads * self.size
        self.segments = np.zeros(leads, codes.SEGMENT)
        self.segments["row"] = np.arange(leads)
        self.segments["first"] = np.arange(0, total, self.size)
        self.segments["last"] = self.segments["first"] + self.size
        self.mask = np.zeros(total, np.uint8)
        self.ignored = np.empty(quality.capacity(total, leads), quality.FINDING)
        self.begun = False

    def batch(self, samples: np.ndarray) -> None:
        """Analyse the next second of everybody."""
        self.segments["restart"] = not self.begun
        self.begun = True
        self.lines = self.lines._replace(end_ns=self.lines.end_ns + 10**9)
        quality.advance(
            self.wave, self.wave_params, self.segments, samples, self.mask, self.ignored
        )
        cascade.listen(
            self.pool,
            self.hearts,
            self.segments,
            self.lines,
            samples,
            self.mask,
            self.device_time_ns,
        )

    def device_time_ns(self, _: np.ndarray, sample: np.ndarray) -> np.ndarray:
        return np.rint(sample * (1e9 / self.rate_hz)).astype(np.int64)


def recorded(leads: int, seconds: int) -> tuple[float, float, np.ndarray]:
    """Return rate, scale and batches of leads: every record, from several places on."""
    kept = list(ecg_records.every())
    rate_hz, scale_mv = kept[0].rate_hz, kept[0].scale_mv
    size = round(rate_hz)
    rng = np.random.default_rng(SEED)
    batches = np.empty((seconds, leads, size), np.int16)
    for lead in range(leads):
        source = np.tile(kept[lead % len(kept)].codes, 2)
        first = int(rng.integers(0, len(source) - seconds * size))
        batches[:, lead] = source[first : first + seconds * size].reshape(seconds, size)
    return rate_hz, scale_mv, batches.reshape(seconds, -1)


def speed() -> dict[str, Any]:
    """Msamples a CPU-second of the cascade on recordings, and nanoseconds of its kernels."""
    rate_hz, scale_mv, batches = recorded(LEADS, SECONDS)
    modules = {"quality": quality, **cascade.LEAD_KERNELS, **cascade.HEART_KERNELS}
    runs, kernels_ns = [], {name: float("inf") for name in modules}
    count = LEADS * round(rate_hz) * (SECONDS - LEARNING_S)
    for repeat in range(REPEATS):
        ward = Ward(LEADS, rate_hz, scale_mv)
        used_s = 0.0
        for second, samples in enumerate(batches):
            begun_s = cpu_s()
            ward.batch(samples)
            used_s += (cpu_s() - begun_s) * (second >= LEARNING_S)
        runs.append(count / used_s / 1e6)
        report(0.3 * (repeat + 1) / REPEATS)
    for _ in range(2):
        ward = Ward(LEADS, rate_hz, scale_mv)
        watches = {name: Stopwatch(module) for name, module in modules.items()}
        for watch in watches.values():
            watch.__enter__()
        for samples in batches:
            ward.batch(samples)
        for name, watch in watches.items():
            watch.__exit__()
            took_ns = watch.used_s / (LEADS * round(rate_hz) * SECONDS) * 1e9
            kernels_ns[name] = min(kernels_ns[name], took_ns)
    return {"leads": LEADS, "msamples_per_s": spread(runs), "kernels_ns": kernels_ns}


def hostile(length: int) -> dict[str, np.ndarray]:
    """Return signals of full scale that give a detector the most to do, and an ordinary one."""
    rng = np.random.default_rng(SEED)
    k, full = np.arange(length), 32_000
    fifth = NOISE_RATE_HZ // 5
    spikes = np.where(k % fifth == 0, full, 0)
    runs = rng.integers(2, 40, length)
    saturating = np.repeat(np.arange(length) % 2, runs)[:length] * 2 - 1
    made = {
        "white noise": rng.integers(-full, full, length),
        "small white noise": rng.normal(0, 60, length),  # 0.3 mV
        "square wave, 5 Hz": np.where(k // (fifth // 2) % 2, full, -full),
        "square wave, 12 Hz": np.where(np.sin(2 * np.pi * 12 * k / NOISE_RATE_HZ) > 0, full, -full),
        "spikes each 200 ms": spikes + rng.normal(0, 20, length),
        "alternating saturation": saturating * 32_767,
        "a random walk": np.clip(np.cumsum(rng.normal(0, 400, length)), -full, full),
    }
    return {name: np.rint(signal).astype(np.int16) for name, signal in made.items()}


def worst() -> dict[str, Any]:
    """Time batches of hostile signals, one by one."""
    length = NOISE_PERIOD_S * NOISE_RATE_HZ
    signals = hostile(length)
    rate_hz, scale_mv, batches = recorded(NOISE_LEADS, SECONDS)
    found = {"recordings": timed(rate_hz, scale_mv, batches)}
    for number, (name, signal) in enumerate(signals.items()):
        shifts = np.random.default_rng(SEED).integers(0, length, NOISE_LEADS)
        leads = np.stack([np.roll(signal, shift) for shift in shifts])
        seconds = leads.reshape(NOISE_LEADS, NOISE_PERIOD_S, NOISE_RATE_HZ).swapaxes(0, 1)
        made = np.ascontiguousarray(seconds).reshape(NOISE_PERIOD_S, -1)
        found[name] = timed(NOISE_RATE_HZ, 0.005, made)
        report(0.4 + 0.4 * number / len(signals))
    return {"leads": NOISE_LEADS, "batches": BATCHES, "signals": found}


def timed(rate_hz: float, scale_mv: float, batches: np.ndarray) -> dict[str, float]:
    """Return what a batch costs: nanoseconds a sample as a rule, and microseconds at most.

    Each batch is timed in two passes over the same signal, and the lesser time counts: what the
    signal costs is in both, what the machine did meanwhile in one.
    """
    took_us = np.full(BATCHES, np.inf)
    for _ in range(PASSES):
        ward = Ward(NOISE_LEADS, rate_hz, scale_mv)
        for number in range(BATCHES):
            samples = batches[number % len(batches)]
            begun_ns = time.thread_time_ns()
            ward.batch(samples)
            took_us[number] = min(took_us[number], (time.thread_time_ns() - begun_ns) / 1000)
    return {
        "ns_a_sample": float(np.median(took_us)) * 1000 / batches.shape[1],
        "median_us": float(np.median(took_us)),
        "p999_us": float(np.quantile(took_us, 0.999)),
        "worst_us": float(took_us.max()),
    }


def memory() -> dict[str, Any]:
    """Bytes that one lead takes in the table, and a patient with one lead in a checkpoint."""
    from telesurv.engine import Engine
    from telesurv.snapshot import snapshot
    from telesurv_streams.log import FRAMES, Record
    from telesurv_streams.wire import FRAME_HEADER, Row, encode

    lead = next(ecg_records.every())
    size, start_ns, seconds = round(MEMORY_RATE_HZ), 1_750_000_020 * 10**9, 60
    engine = Engine()
    for second in range(seconds):
        cut = lead.codes[second * size : (second + 1) * size]
        row = Row(
            "p",
            "d",
            "ecg.II",
            start_ns + second * 10**9,
            MEMORY_RATE_HZ,
            lead.scale_mv,
            0.0,
            cut,
            second,
        )
        arrival_ns = row.start_ns + 2 * 10**9
        record = Record(FRAMES, 0, second, arrival_ns, b"p", encode([row]), (FRAME_HEADER,))
        output = engine.feed([record])
        assert not output.bad, output.bad
    table = engine.table
    pools = {
        "kernels of a lead": table.ecg,
        "kernels of a heart": table.heart,
        "quality": table.wave,
        "timeline": table.timelines,
        "ring of 30 s": next(iter(table.rings.values())),
    }
    parts = {
        name: sum(array.nbytes // len(array) for array in pool.columns.values())
        for name, pool in pools.items()
    }
    (patient,) = engine.alerts
    return {
        "rate_hz": MEMORY_RATE_HZ,
        "parts": parts,
        "bytes": sum(parts.values()),
        "r_peaks_bytes": quality.STATE.itemsize + beats.STATE.itemsize,
        "checkpoint_bytes": len(snapshot(engine, patient, 0, False)),
        "checkpoint_with_ring_bytes": len(snapshot(engine, patient, 0, True)),
    }


def first() -> None:
    """Analyse a second of one lead: what has to be compiled or loaded for it."""
    Ward(1, 250.0, 0.005).batch(np.zeros(250, np.int16))
    print(peak_mib())


def once(cache: str) -> tuple[float, float]:
    """Return wall and CPU seconds of a process that compiles or loads the cascade."""
    command = [sys.executable, "-m", "benchmarks.ecg_cost", "first"]
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    subprocess.run(
        command,
        cwd=ROOT,
        env={**environ, "NUMBA_CACHE_DIR": cache},
        capture_output=True,
        check=True,
    )
    took_s, after = time.monotonic() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    return took_s, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def compilation() -> dict[str, Any]:
    """Seconds from nothing to the first second analysed, without and with compiled kernels."""
    with tempfile.TemporaryDirectory() as folder:
        cold = [once(folder)]
        warm = [once(folder) for _ in range(3)]
    return {
        name: {
            "wall_s": spread([run[0] for run in runs]),
            "cpu_s": spread([run[1] for run in runs]),
        }
        for name, runs in (("cold", cold), ("warm", warm))
    }


if __name__ == "__main__":
    if sys.argv[1:] == ["first"]:
        first()
    else:
        parts: dict[str, Callable[[], dict[str, Any]]] = {
            "speed": speed,
            "worst": worst,
            "memory": memory,
            "compilation": compilation,
        }
        answer({name: part() for name, part in parts.items()})
