"""Silence: nothing valid arrived within what the plan allows (condition `non-transmission`).

Event kernel over what arrives of a patient, in *arrival* time, never by a clock. A deadline
is the last valid arrival plus interval plus grace, rounded up to a multiple of 10 s; the
first event at or past it judges it, before that event counts itself, so that who asks, and
how often, changes nothing. A stretch in which the log held no record at all shifts it: our
own silence is not the patient's. No limit of the rule can be switched off. Once the plan has
ended nothing is awaited, also not after a frame that was still on its way, until another plan
begins. A plan that shortens the wait can end it at once: then it is found when the plan comes.

Source: French arrêtés of 22 June 2023 (a non-transmission alert that no operator can turn
off); the grid of 10 s is the interval at which a partition's owner makes ticks.
Decision delay: at most one tick.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from telesurv_kernels._dtypes import NON_TRANSMISSION, OFF, ON
from telesurv_kernels._jit import entry, kernel

VERSION = 1

GRID_NS = 10_000_000_000
"""Deadlines fall on multiples of this."""

PARAMS = np.dtype([("allowed_ns", np.int64)])  # interval and grace of the plan

STATE = np.dtype(
    [
        ("armed", np.int64),  # 1: a transmission is awaited; 2: no more, the plan has ended
        ("base_ns", np.int64),  # arrival from which the wait counts
        ("base_shift_ns", np.int64),  # the log's own silence up to then
        ("silent", np.int64),  # 1: the condition is present
    ]
)

ARRIVAL = np.dtype(
    [
        ("row", np.int64),
        ("segment", np.int64),  # place of the record in the batch
        ("kind", np.int64),  # FRAME, TICK, ENROL or END
        ("arrival_ns", np.int64),
        ("shift_ns", np.int64),  # the log's own silence up to this record, since its beginning
    ]
)
"""Something arrived that concerns a patient."""

EVENT = ARRIVAL
"""What `advance` takes as events."""

FRAME = 1  # a valid frame
TICK = 2  # time passed
ENROL = 3  # a plan: from now on something is awaited
END = 4  # the plan ended: nothing is awaited any more


def params(interval_s: float, grace_s: float) -> NDArray[Any]:
    """Return the PARAMS of a plan; both in seconds."""
    row = np.zeros((), PARAMS)
    row["allowed_ns"] = round((interval_s + grace_s) * 1e9)
    return row


def capacity(samples: int, segments: int) -> int:
    """Return an upper bound of the findings of one call.

    Parameters
    ----------
    samples : number of events given; each ends a silence and shows one, at most
    segments : as other kernels have it; of no meaning here
    """
    del segments
    return 2 * samples


@kernel
def deadline_ns(base_ns: int, allowed_ns: int, shift_ns: int) -> int:
    """Return the instant at which silence is judged: on the grid, never before it is due."""
    due = base_ns + allowed_ns + shift_ns
    return -(-due // GRID_NS) * GRID_NS


@entry
def advance(
    state: NDArray[Any], params: NDArray[Any], events: NDArray[Any], findings: NDArray[Any]
) -> int:
    """Consume arrivals in the order of the log and return how many findings were written.

    Parameters
    ----------
    state, params : STATE[rows], PARAMS[rows]; state is updated in place
    events : ARRIVAL[m]
    findings : FINDING[capacity(m, 0)]; ON at the deadline with value = seconds without
        transmission, OFF at the arrival that ends it
    """
    found = 0
    for index in range(len(events)):
        row = events[index]["row"]
        kind = events[index]["kind"]
        arrival = events[index]["arrival_ns"]
        shift = events[index]["shift_ns"]
        armed = state[row]["armed"]
        silent = state[row]["silent"]
        if armed == 1 and silent == 0:
            base = state[row]["base_ns"]
            due = deadline_ns(base, params[row]["allowed_ns"], shift - state[row]["base_shift_ns"])
            if due <= arrival:
                silent = 1
                findings[found]["row"] = row
                findings[found]["segment"] = events[index]["segment"]
                findings[found]["kind"] = ON
                findings[found]["condition"] = NON_TRANSMISSION
                findings[found]["onset_ns"] = base
                findings[found]["end_ns"] = 0
                findings[found]["detected_ns"] = arrival if kind == ENROL else due
                findings[found]["value"] = (due - base) / 1e9
                findings[found]["low"] = 0.0
                found += 1
        if (kind in (FRAME, END)) and silent == 1:
            silent = 0
            findings[found]["row"] = row
            findings[found]["segment"] = events[index]["segment"]
            findings[found]["kind"] = OFF
            findings[found]["condition"] = NON_TRANSMISSION
            findings[found]["onset_ns"] = 0
            findings[found]["end_ns"] = arrival
            findings[found]["detected_ns"] = arrival
            findings[found]["value"] = 0.0
            findings[found]["low"] = 0.0
            found += 1
        if (kind == FRAME and armed != 2) or (kind == ENROL and armed != 1):
            armed = 1
            state[row]["base_ns"] = arrival
            state[row]["base_shift_ns"] = shift
        elif kind == END:
            armed = 2
        state[row]["armed"] = armed
        state[row]["silent"] = silent
    return found
