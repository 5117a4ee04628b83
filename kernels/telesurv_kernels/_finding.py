"""Compiled helpers that write a finding in device time into the buffer."""

from typing import Any

from numpy.typing import NDArray

from telesurv_kernels._jit import kernel


@kernel
def put(
    findings: NDArray[Any],
    found: int,
    row: int,
    segment: int,
    kind: int,
    condition: int,
    onset_ns: int,
    end_ns: int,
    detected_ns: int,
    value: float,
    low: float,
) -> int:
    """Write one FINDING at index `found` and return the number written so far, `found + 1`."""
    finding = findings[found]
    finding["row"] = row
    finding["segment"] = segment
    finding["kind"] = kind
    finding["condition"] = condition
    finding["onset_ns"] = onset_ns
    finding["end_ns"] = end_ns
    finding["detected_ns"] = detected_ns
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
    return put(
        findings,
        found,
        event["row"],
        event["segment"],
        kind,
        condition,
        onset_ns,
        end_ns,
        event["decided_ns"],
        value,
        low,
    )
