"""What is found in ECG leads: the kernels one after the other, each over all rows at once.

Engine, `annotate` and `evaluate` all run this. Each lead has kernels of its own, which find its
beats and their classes, and waveforms without beats; `leads` makes one heart of the leads of a
patient; event kernels hear that heart and say its rhythm. Leads are the rows of one pool, hearts
those of another: the state of each kernel, and its parameters, are their columns.
"""

from collections.abc import Callable
from functools import lru_cache
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from telesurv.plans import InForce
from telesurv.pool import Pool
from telesurv_kernels import _dtypes as codes
from telesurv_kernels import (
    atrial,
    beats,
    classes,
    ectopy,
    fibrillation,
    leads,
    readable,
    rhythm,
    ring,
)

LEAD_KERNELS: dict[str, ModuleType] = {
    "beats": beats,
    "classes": classes,
    "fibrillation": fibrillation,
    "readable": readable,
}
"""Kernels that have a row for each ECG lead, in the order in which they run."""

EVENT_KERNELS: dict[str, ModuleType] = {"rhythm": rhythm, "ectopy": ectopy, "atrial": atrial}
"""What hears the beats of a heart."""

HEART_KERNELS: dict[str, ModuleType] = {"leads": leads, **EVENT_KERNELS}
"""Kernels that have a row for each patient with an ECG, in the order in which they run."""

WAIT_NS = 3_000_000_000
"""Device time of the leading lead for which the others are waited for."""

FRAME_NS_MAX = 7_000_000_000
"""So much of a frame's length comes on top: where frames are long, one lead's comes after the
other's. With WAIT_NS it is what rings can bear."""

LEADS_MAX = 64
"""Leads that a patient may have; their numbers are below it."""

_EVENT_FIELDS = tuple(codes.EVENT.names or ())

# Leads have the same few settings and limits: each is made once.
_beats_params = lru_cache(beats.params)
_classes_params = lru_cache(classes.params)
_fibrillation_params = lru_cache(fibrillation.params)
_readable_params = lru_cache(readable.params)
_leads_params = lru_cache(leads.params)
_rhythm_params = lru_cache(rhythm.params)
_ectopy_params = lru_cache(ectopy.params)
_atrial_params = lru_cache(atrial.params)

DeviceTime = Callable[[NDArray[np.int64], NDArray[np.int64]], NDArray[np.int64]]
"""(row of the lead, sample) -> device time in ns."""


class Lines(NamedTuple):
    """Whose the segments are, one entry each: they come in the order of the log."""

    heart: NDArray[np.int64]  # row in the pool of hearts
    lead: NDArray[np.int64]  # number of the lead within the patient
    rank: NDArray[np.int64]  # the smaller, the better the lead
    end_ns: NDArray[np.int64]  # device time right after the segment
    lag_ns: NDArray[np.int64]  # how far other leads may be behind it and still be waited for
    rate_hz: NDArray[np.float64]


class Heard(NamedTuple):
    """What the kernels found."""

    beats: NDArray[Any]  # beats.FINDING: what was found in each lead, in samples
    told: NDArray[Any]  # LEAD_EVENT: what was told of each lead, in device time
    heart: NDArray[Any]  # leads.FINDING: BEAT, MARK, GAP, FIBRILLATION, in device time
    reached_ns: NDArray[np.int64]  # of each segment: all of its heart before is known; 0: no news
    finding: NDArray[Any]  # FINDING: row of the heart, segment, device time
    lead: NDArray[np.int64]  # number of the lead that shows each finding
    of_leads: NDArray[Any]  # FINDING: row of the lead, segment, device time


def lead_pool() -> Pool:
    """Return a pool whose rows are ECG leads: states, parameters, and the last beats."""
    return Pool(
        recent_beats=(ring.BEATS, (ring.BEATS_MAX,)),
        recent_beats_head=(np.int64, ()),
        owner=(np.int64, ()),
        **_columns(LEAD_KERNELS),
    )


def heart_pool() -> Pool:
    """Return a pool whose rows are hearts."""
    return Pool(owner=(np.int64, ()), reached_ns=(np.int64, ()), **_columns(HEART_KERNELS))


def lag_ns(frame_ns: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return how far a lead with frames of this length, and others, may be apart."""
    return WAIT_NS + np.minimum(frame_ns, FRAME_NS_MAX)


def _columns(kernels: dict[str, ModuleType]) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    for name, module in kernels.items():
        columns |= {name: (module.STATE, ()), f"{name}_params": (module.PARAMS, ())}
    return columns


def set_rate(pool: Pool, row: int, rate_hz: float, scale_mv: float) -> None:
    """Make the parameters of a lead, which depend on its rate and on what a code is worth."""
    pool["beats_params"][row] = _beats_params(rate_hz, scale_mv)
    pool["classes_params"][row] = _classes_params(rate_hz)
    pool["fibrillation_params"][row] = _fibrillation_params(rate_hz, scale_mv)
    pool["readable_params"][row] = _readable_params()


def set_limits(pool: Pool, row: int, limits: InForce) -> None:
    """Make the parameters of a heart, which depend on the patient's plan."""
    pool["rhythm_params"][row] = _rhythm_params(
        limits.heart_rate_low,
        limits.heart_rate_high,
        limits.heart_rate_low_beats,
        limits.heart_rate_high_beats,
        limits.asystole_s,
    )
    pool["leads_params"][row] = _leads_params()
    pool["ectopy_params"][row] = _ectopy_params()
    pool["atrial_params"][row] = _atrial_params()


def listen(
    pool: Pool,
    hearts: Pool,
    segments: NDArray[Any],
    lines: Lines,
    samples: NDArray[np.int16],
    mask: NDArray[np.uint8],
    device_time_ns: DeviceTime,
) -> Heard:
    """Run the kernels over segments of leads; their states advance.

    Parameters
    ----------
    pool, hearts : made by `lead_pool` and `heart_pool`
    segments : SEGMENT[m], rows of `pool`, in the order of the log
    lines : of each segment
    samples, mask : int16, uint8 [n]; the mask is what `quality` wrote
    """
    total = int((segments["last"] - segments["first"]).sum())
    raw = np.empty(beats.capacity(total, len(segments)), beats.FINDING)
    count = beats.advance(pool["beats"], pool["beats_params"], segments, samples, mask, raw)
    found = raw[:count]
    raw = np.empty(count, classes.FINDING)
    state, params = pool["classes"], pool["classes_params"]
    raw = raw[: classes.advance(state, params, segments, samples, mask, found, raw)]
    ring.remember_beats(pool["recent_beats"], pool["recent_beats_head"], raw)
    waves = np.empty(fibrillation.capacity(total, len(segments)), fibrillation.FINDING)
    state, params = pool["fibrillation"], pool["fibrillation_params"]
    waves = waves[: fibrillation.advance(state, params, segments, samples, mask, waves)]
    waves = rows_of(waves, waves["kind"] != codes.OFF)
    told = _told(raw, waves, segments["restart"], lines, device_time_ns)
    mine = _events(rows_of(told, (told["kind"] == codes.MARK) | (told["kind"] == codes.GAP)))
    mine["row"] = segments["row"][mine["segment"]]
    of_leads = np.empty(readable.capacity(len(mine), len(segments)), codes.FINDING)
    state, params = pool["readable"], pool["readable_params"]
    of_leads = of_leads[: readable.advance(state, params, mine, of_leads)]
    state = hearts["leads"]
    waiting = int((state["queue"][lines.heart] + state["evidence"][lines.heart]).sum())
    # What waits counts as if it were given. Room for all that might wait is mapped anew each time.
    heart = np.empty(leads.capacity(len(told) + waiting, 0), leads.FINDING)
    count = leads.advance(state, hearts["leads_params"], told, heart)
    heart = heart[:count]
    position = heart["kind"] == codes.POSITION
    reached_ns = np.zeros(len(segments), np.int64)
    reached_ns[heart["segment"][position]] = heart["time_ns"][position]
    heart = rows_of(heart, ~position)
    events = _events(heart)
    # A finding names the segment of the event that decided it, and so the lead as well.
    events["segment"] = heart["segment"] * LEADS_MAX + heart["lead"]
    modules = EVENT_KERNELS.items()
    room = sum(module.capacity(len(events), len(segments)) for _, module in modules)
    finding, count = np.empty(room, codes.FINDING), 0
    for name, module in modules:
        state, params = hearts[name], hearts[f"{name}_params"]
        count += module.advance(state, params, events, finding[count:])
    finding = finding[:count]
    lead = finding["segment"] % LEADS_MAX
    finding["segment"] //= LEADS_MAX
    return Heard(raw, told, heart, reached_ns, finding, lead, of_leads)


def rows_of(table: NDArray[Any], chosen: NDArray[Any]) -> NDArray[Any]:
    """Return some rows of a table, each as so many bytes: NumPy would copy field by field."""
    found: NDArray[Any] = table.view(f"V{table.itemsize}")[chosen].view(table.dtype)
    return found


def _events(rows: NDArray[Any]) -> NDArray[Any]:
    """Return the fields of events that event kernels know."""
    events = np.empty(len(rows), codes.EVENT)
    for name in _EVENT_FIELDS:
        events[name] = rows[name]
    return events


def _told(
    raw: NDArray[Any],
    waves: NDArray[Any],
    restart: NDArray[np.int64],
    lines: Lines,
    device_time_ns: DeviceTime,
) -> NDArray[Any]:
    """Return what was found in samples as events in device time, and how far each lead is.

    Those of a segment are in the order in which they were decided. Before the first of a signal
    that begins comes what is known of its lead.
    """
    size, begins, count = len(lines.heart), np.flatnonzero(restart), len(raw) + len(waves)
    events = np.zeros(count + size + len(begins), leads.EVENT)
    found, of_waves, reached = events[: len(raw)], events[len(raw) : count], events[count:]
    for name in ("kind", "flags", "value"):
        found[name] = raw[name]
    marks = raw["kind"] == codes.MARK
    rate_hz = lines.rate_hz[raw["segment"][marks]]
    found["value"][marks] = np.rint(raw["value"][marks] * 1e9 / rate_hz)
    of_waves["kind"] = codes.FIBRILLATION  # 2 present, 1 a candidate, 0 no longer
    of_waves["value"] = np.where(waves["kind"] == codes.ON, codes.PRESENT, waves["value"])
    changed = np.where(of_waves["value"] > 0, waves["onset"], waves["end"])
    row = np.concatenate((raw["row"], waves["row"]))
    decided = np.concatenate((raw["decided"], waves["detected"]))
    sample = np.concatenate((raw["sample"], changed, decided))
    time_ns = device_time_ns(np.concatenate((row, row)), sample)
    events["time_ns"][:count], events["decided_ns"][:count] = time_ns[:count], time_ns[count:]
    of = np.concatenate((np.arange(size), begins))
    reached["kind"] = codes.POSITION
    reached["flags"], reached["value"] = lines.rank[of], lines.lag_ns[of]
    reached["time_ns"][:size] = reached["decided_ns"][:size] = lines.end_ns - 1
    events["segment"] = segment = np.concatenate((raw["segment"], waves["segment"], of))
    events["row"], events["lead"] = lines.heart[segment], lines.lead[segment]
    span = decided.max(initial=-1) + 3
    place = segment * span  # in one number, which is quick to sort: the lists are in order
    place[:count] += decided + 1
    place[count : count + size] += span - 1
    return rows_of(events, np.argsort(place, kind="stable"))
