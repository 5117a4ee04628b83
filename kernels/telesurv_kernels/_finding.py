"""Compiled helpers that write a finding in device time into the buffer."""

from typing import Any

from numpy.typing import NDArray

from telesurv_kernels._jit import kernel

Place = tuple[int, int, int]
"""Row, segment and device time of what decided a finding."""


@kernel
def put(
    findings: NDArray[Any],
    found: int,
    at: Place,
    kind: int,
    condition: int,
    onset_ns: int,
    end_ns: int,
    value: float,
    low: float = 0.0,
) -> int:
    """Write one FINDING at index `found` and return the number written so far, `found + 1`."""
    finding = findings[found]
    finding["row"] = at[0]
    finding["segment"] = at[1]
    finding["kind"] = kind
    finding["condition"] = condition
    finding["onset_ns"] = onset_ns
    finding["end_ns"] = end_ns
    finding["detected_ns"] = at[2]
    finding["value"] = value
    finding["low"] = low
    return found + 1


@kernel
def put_event(
    findings: NDArray[Any],
    found: int,
    event: Any,
    kind: int,
    condition: int,
    onset_ns: int,
    end_ns: int,
    value: float,
    low: float = 0.0,
) -> int:
    """Write one FINDING that `event` (an EVENT) decided; return the number written so far."""
    at = (event["row"], event["segment"], event["decided_ns"])
    return put(findings, found, at, kind, condition, onset_ns, end_ns, value, low)
