"""Compile everything that the service calls, by letting it work on a made-up patient.

`registry.warm` knows the kernels; what stands around them (rings, deadlines, places in device
time) is called with arrays of the engine's own making. So one patient lives through a plan, a
pause, an asystole, a desaturation, a lead that comes off, silence, a snapshot and a restore.
"""

import os
import subprocess
import sys

import msgspec
import numpy as np
from numpy.typing import NDArray

from telesurv.alerts.model import Plan
from telesurv.engine import Engine
from telesurv.snapshot import restore, snapshot
from telesurv_kernels import _jit, registry
from telesurv_streams.log import FRAMES, HEADER_KIND, Headers, Record
from telesurv_streams.wire import FRAME_HEADER, Row, encode

RATE_HZ = 250
SCALE_MV = 0.0025
SIGNAL_S, SILENT_S = 80, 1300
"""Seconds of signal, and of ticks alone after it: longer than a plan allows by default."""

NS = 1_000_000_000
EPOCH_NS = 946_684_800 * NS
PATIENT = "warm"


SHARES = (
    ("leads", "fibrillation", "spo2", "atrial", "readable", "silence"),
    ("beats", "classes"),
    ("rhythm", "ectopy", "quality"),
)
"""Kernels by the process that compiles them: each share takes about as long."""


def warm() -> None:
    """Compile, or load from the cache, every compiled function of the service."""
    compile_kernels()
    records = _records()
    half = len(records) // 2
    engine = Engine()
    engine.feed(records[:3])
    for batch in (records[3:half], records[half : half + 1], records[half + 1 :]):
        engine.feed(batch)
    for with_ring in (True, False):
        taken = Engine()
        taken.feed(records[:half])
        (row,) = taken.table.in_partition(0).tolist()
        data = snapshot(taken, row, half, with_ring)
        other = Engine()
        restore(other, data, 0)
        other.feed(records[:half] if not with_ring else [])
        other.feed(records[half:])


def compile_kernels() -> None:
    """Compile the kernels, each on the next free core, or load them from the cache."""
    _compile_side_by_side()
    registry.warm()


def _compile_side_by_side() -> None:
    """Fill the cache from several processes: one compiles on one core at a time.

    A process that fails is no matter: what it leaves is compiled in this one, which says why.
    """
    cores = os.cpu_count() or 1
    missing = [[n for n in share if not _is_cached(n)] for share in SHARES]
    if cores < 2 or sum(bool(share) for share in missing) < 2 or not _jit.keeps():
        return
    command = [sys.executable, "-m", "telesurv_kernels.registry"]
    waiting = [share for share in missing if share]
    running: list[subprocess.Popen[bytes]] = []
    while waiting or running:
        while waiting and len(running) < cores:
            share = [*command, *waiting.pop(0)]
            running.append(subprocess.Popen(share, stderr=subprocess.DEVNULL))  # noqa: S603
        running.pop(0).wait()


def _is_cached(name: str) -> bool:
    return _jit.is_cached(registry.KERNELS[name].advance)


def _records() -> list[Record]:
    """Return what a partition would hold: a plan, a minute of frames, and ticks."""
    plan = msgspec.json.encode(Plan(patient=PATIENT, version=1))
    found: list[tuple[int, bytes, Headers]] = [(0, plan, ((HEADER_KIND, b"plan"),))]
    ecg = _ecg()
    for second in range(SIGNAL_S):
        if second == 30:
            continue  # lost on the way
        cut = ecg[second * RATE_HZ : (second + 1) * RATE_HZ]
        spo2 = np.array([80 if 20 <= second < 50 else 97], np.int16)
        start_ns = EPOCH_NS + second * NS
        rows = [
            Row(PATIENT, "device", "ecg.II", start_ns, RATE_HZ, SCALE_MV, 0.0, cut, second),
            Row(PATIENT, "device", "ppg", start_ns, RATE_HZ / 2, 1.0, 0.0, cut[::2], second),
            Row(PATIENT, "device", "spo2", start_ns, 1.0, 1.0, 0.0, spo2, second),
            Row(PATIENT, "cuff", "spo2", start_ns, 0.0, 1.0, 0.0, spo2, -1),
        ]
        found.append((second + 1, encode(rows), (FRAME_HEADER,)))
    ticks = range(SIGNAL_S + 10, SIGNAL_S + SILENT_S, 10)
    found += [(second, b"", ((HEADER_KIND, b"tick"),)) for second in ticks]
    return [
        Record(FRAMES, 0, offset, EPOCH_NS + second * NS, PATIENT.encode(), value, headers)
        for offset, (second, value, headers) in enumerate(found)
    ]


def _ecg() -> NDArray[np.int16]:
    """Return spikes on a restless baseline: a pause, an asystole, then a lead that comes off."""
    rng = np.random.default_rng(0)
    signal = rng.normal(0, 4, SIGNAL_S * RATE_HZ)
    times_s = np.concatenate(
        [np.arange(0.5, 10, 0.8), np.arange(13.2, 25, 0.8), np.arange(31.0, 62, 0.35)]
    )
    shape = 400 * np.exp(-0.5 * (np.arange(-12, 13) / 3.0) ** 2)
    for peak in np.rint(times_s * RATE_HZ).astype(int):
        signal[peak - 12 : peak + 13] += shape
    codes: NDArray[np.int16] = np.rint(signal).astype(np.int16)
    codes[64 * RATE_HZ :] = 0
    return codes
