"""Bigeminy and trigeminy, and the last beats of a row: compiled helpers of `ectopy`."""

from typing import Any

from numpy.typing import NDArray

from telesurv_kernels._dtypes import BIGEMINY, OFF, ON
from telesurv_kernels._finding import put_event
from telesurv_kernels._jit import kernel

RECENT = 16
"""Beats of a row that are remembered."""

PATTERNS = 2
"""Bigeminy has one other beat before each ventricular one, trigeminy two."""

TIMES = 3
"""How often in a row."""


@kernel
def beats_back(s: Any, beats: int) -> int:
    """Return the time of the beat that lies `beats` before the last of the row."""
    back_ns: int = s["beats_ns"][(s["head"] - 1 - beats) % RECENT]
    return back_ns


@kernel
def grouped(s: Any, ventricular: bool, event: Any, findings: NDArray[Any], found: int) -> int:
    """Judge both patterns, before `others` counts the beat."""
    others = s["others"]
    for pattern in range(PATTERNS):
        size = pattern + 1  # others in a group
        condition = BIGEMINY + pattern
        if not ventricular:
            broken = others == size  # one too many
        else:
            # How many there were before a row's first ventricular beat is not known.
            broken = s["anchored"] == 1 and others != size
            if others < size:
                s["groups"][pattern] = 0
            elif s["anchored"] == 1 and others == size:
                s["groups"][pattern] += 1
            else:
                s["groups"][pattern] = 1
        if s["patterns"][pattern] == 1 and broken:
            s["patterns"][pattern] = 0
            end_ns = s["ventricular_ns"]
            found = put_event(findings, found, event, OFF, condition, 0, end_ns, 0.0)
        elif ventricular and s["patterns"][pattern] == 0 and s["groups"][pattern] >= TIMES:
            s["patterns"][pattern] = 1
            onset_ns = beats_back(s, TIMES * (size + 1) - 1)
            found = put_event(findings, found, event, ON, condition, onset_ns, 0, float(TIMES))
    return found
