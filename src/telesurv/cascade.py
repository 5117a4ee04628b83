"""What is found in ECG leads: the kernels one after the other, each over all rows at once.

Engine, `annotate` and `evaluate` all run this. Per lead: `beats` finds R-peaks in readable
signal, `classes` tells their kind, `fibrillation` finds a waveform without them, and event
kernels make rhythms of these. The state of each kernel, and its parameters, are columns of one
pool, a row a lead.
"""

from collections.abc import Callable
from functools import lru_cache
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from telesurv.pool import Pool
from telesurv_kernels import _dtypes as codes
from telesurv_kernels import (
    atrial,
    beats,
    classes,
    ectopy,
    fibrillation,
    readable,
    rhythm,
    ring,
)

EVENT_KERNELS: dict[str, ModuleType] = {
    "rhythm": rhythm,
    "ectopy": ectopy,
    "atrial": atrial,
    "readable": readable,
}
"""What hears of a lead's beats."""

LEAD_KERNELS: dict[str, ModuleType] = {
    "beats": beats,
    "classes": classes,
    "fibrillation": fibrillation,
    **EVENT_KERNELS,
}
"""Kernels that have a row for each ECG lead, in the order in which they run."""

# Leads have the same few settings and limits: each is made once.
_beats_params = lru_cache(beats.params)
_classes_params = lru_cache(classes.params)
_rhythm_params = lru_cache(rhythm.params)
_atrial_params = lru_cache(atrial.params)
_readable_params = lru_cache(readable.params)
_ectopy_params = lru_cache(ectopy.params)
_fibrillation_params = lru_cache(fibrillation.params)

DeviceTime = Callable[[NDArray[np.int64], NDArray[np.int64]], NDArray[np.int64]]
"""(row of the pool, sample of the lead) -> device time in ns."""


class Heard(NamedTuple):
    """What the kernels found in a batch of leads."""

    beats: NDArray[Any]  # beats.FINDING: every BEAT, MARK and GAP, in samples
    finding: NDArray[Any]  # FINDING: row of the pool, segment, device time


def lead_pool() -> Pool:
    """Return a pool whose rows are ECG leads: states, parameters, and the last beats."""
    columns: dict[str, Any] = {
        "recent_beats": (ring.BEATS, (ring.BEATS_MAX,)),
        "recent_beats_head": (np.int64, ()),
        "owner": (np.int64, ()),
    }
    for name, module in LEAD_KERNELS.items():
        columns |= {name: (module.STATE, ()), f"{name}_params": (module.PARAMS, ())}
    return Pool(**columns)


def set_rate(pool: Pool, row: int, rate_hz: float, scale_mv: float) -> None:
    """Make the parameters that depend on a lead's rate and on what a code is worth."""
    pool["beats_params"][row] = _beats_params(rate_hz, scale_mv)
    pool["classes_params"][row] = _classes_params(rate_hz)
    pool["fibrillation_params"][row] = _fibrillation_params(rate_hz, scale_mv)


def set_limits(pool: Pool, row: int, low_per_min: float, high_per_min: float) -> None:
    """Make the parameters that depend on a patient's plan.

    Parameters
    ----------
    low_per_min, high_per_min : limits of extreme bradycardia and tachycardia
    """
    pool["rhythm_params"][row] = _rhythm_params(low_per_min, high_per_min)
    pool["ectopy_params"][row] = _ectopy_params()
    pool["atrial_params"][row] = _atrial_params()
    pool["readable_params"][row] = _readable_params()


def listen(
    pool: Pool,
    segments: NDArray[Any],
    samples: NDArray[np.int16],
    mask: NDArray[np.uint8],
    rate_hz: NDArray[np.float64],
    device_time_ns: DeviceTime,
) -> Heard:
    """Run the kernels over segments of leads; their states advance.

    Parameters
    ----------
    pool : made by `lead_pool`
    segments : SEGMENT[m], in the order of each row's samples
    samples, mask : int16, uint8 [n]; the mask is what `quality` wrote
    rate_hz : float64[rows of the pool]
    """
    total = int((segments["last"] - segments["first"]).sum())
    raw = np.empty(beats.capacity(total, len(segments)), beats.FINDING)
    count = beats.advance(pool["beats"], pool["beats_params"], segments, samples, mask, raw)
    found = raw[:count]
    raw = np.empty(len(found), classes.FINDING)
    state, params = pool["classes"], pool["classes_params"]
    raw = raw[: classes.advance(state, params, segments, samples, mask, found, raw)]
    is_beat = raw["kind"] == codes.BEAT
    columns = (raw[name][is_beat] for name in ("row", "sample", "decided", "flags"))
    ring.remember_beats(pool["recent_beats"], pool["recent_beats_head"], *columns)
    waves = np.empty(fibrillation.capacity(total, len(segments)), fibrillation.FINDING)
    state, params = pool["fibrillation"], pool["fibrillation_params"]
    waves = waves[: fibrillation.advance(state, params, segments, samples, mask, waves)]
    suspected = waves["kind"] == fibrillation.CANDIDATE
    parts = [_fibrillation(waves[~suspected], device_time_ns)]
    told = raw[raw["kind"] != codes.CANDIDATE]
    events = _events(told, waves[suspected], rate_hz, device_time_ns)
    for name, module in EVENT_KERNELS.items():
        finding = np.empty(module.capacity(len(events), len(segments)), codes.FINDING)
        count = module.advance(pool[name], pool[f"{name}_params"], events, finding)
        parts.append(finding[:count])
    return Heard(raw, np.concatenate(parts))


def _fibrillation(waves: NDArray[Any], device_time_ns: DeviceTime) -> NDArray[Any]:
    """Return begin and end of fibrillation as findings in device time."""
    finding = np.zeros(len(waves), codes.FINDING)
    for name in ("row", "segment", "kind", "condition", "value"):
        finding[name] = waves[name]
    for name in ("onset", "end", "detected"):
        finding[f"{name}_ns"] = device_time_ns(waves["row"], waves[name])
    return finding


def _events(
    raw: NDArray[Any],
    suspected: NDArray[Any],
    rate_hz: NDArray[np.float64],
    device_time_ns: DeviceTime,
) -> NDArray[Any]:
    """Return what was found in samples as events in device time, in the order of decision."""
    events = np.zeros(len(raw) + len(suspected), codes.EVENT)
    of_beats, of_waves = events[: len(raw)], events[len(raw) :]
    for name in ("row", "segment", "kind", "flags", "value"):
        of_beats[name] = raw[name]
    of_beats["time_ns"] = device_time_ns(raw["row"], raw["sample"])
    of_beats["decided_ns"] = device_time_ns(raw["row"], raw["decided"])
    marks = raw["kind"] == codes.MARK
    of_beats["value"][marks] = np.rint(raw["value"][marks] * 1e9 / rate_hz[raw["row"][marks]])
    for name in ("row", "segment", "value"):
        of_waves[name] = suspected[name]
    of_waves["kind"] = codes.FIBRILLATION
    begins = suspected["value"] > 0
    at = np.where(begins, suspected["onset"], suspected["end"])
    of_waves["time_ns"] = device_time_ns(suspected["row"], at)
    of_waves["decided_ns"] = device_time_ns(suspected["row"], suspected["detected"])
    decided = np.concatenate((raw["decided"], suspected["detected"]))
    return events[np.lexsort((decided, events["segment"]))]
