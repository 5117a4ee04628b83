"""SatSeconds and violations: the memory of a saturation that dips again and again.

They live in the state of the kernel that uses them: the fields `sat_seconds`, `sat_ran_ns`
(how long they take to run down), `at_or_above_ns`, `violations` and `violation_ns`.
"""

from typing import Any

from telesurv_kernels._jit import kernel

SAT_SECONDS = 50.0
"""Budget of whole points x seconds below the limit."""

ROUNDING = 1e-6
"""What sums of fractions may lack of a budget that is spent."""

FORGET_NS = 60_000_000_000
"""So long at or above the limit, or without a valid reading: begin from nothing."""

VIOLATIONS, VIOLATION_NS, VIOLATIONS_WITHIN_NS = 3, 2_000_000_000, 60_000_000_000


@kernel
def forget(s: Any) -> None:
    """Begin SatSeconds and violations from nothing."""
    s["sat_seconds"] = 0.0
    s["sat_ran_ns"] = 0
    s["at_or_above_ns"] = 0
    s["violations"] = 0


@kernel
def spend(s: Any, below: int, span_ns: int) -> None:
    """Run up by whole points below the limit, or down as fast as they ran up.

    Parameters
    ----------
    s : state
    below : hundredths of a point below the limit; 0 or less: at or above it
    span_ns : for how long
    """
    if below > 0:
        s["sat_seconds"] += (below // 100) * (span_ns / 1e9)
        s["sat_ran_ns"] += span_ns
        s["at_or_above_ns"] = 0
        return
    s["at_or_above_ns"] += span_ns
    left_ns = s["sat_ran_ns"] - span_ns
    if left_ns <= 0 or s["at_or_above_ns"] >= FORGET_NS:
        s["sat_seconds"] = 0.0
        s["sat_ran_ns"] = 0
    else:
        s["sat_seconds"] *= left_ns / s["sat_ran_ns"]
        s["sat_ran_ns"] = left_ns


@kernel
def violate(s: Any, begin_ns: int, none_ns: int) -> int:
    """Keep a violation; return the begin of the first of three in the window, or `none_ns`."""
    kept_ns = s["violation_ns"]
    first_ns = none_ns
    if s["violations"] == VIOLATIONS - 1:
        if begin_ns + VIOLATION_NS - kept_ns[0] <= VIOLATIONS_WITHIN_NS:
            first_ns = kept_ns[0]
        for place in range(1, VIOLATIONS - 1):
            kept_ns[place - 1] = kept_ns[place]
        s["violations"] -= 1
    kept_ns[s["violations"]] = begin_ns
    s["violations"] += 1
    return first_ns
