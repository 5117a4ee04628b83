"""Pairs of RR that follow each other: a window of them, how many repeat, and what foretells them.

The window lies in the state of the kernel that uses it: the fields `count`, `head`, `judged`,
`alike`, `repeated`, `sum_us`, `ectopic`, `ectopic_sum`, `suspected`, `regular`, and the rings
`first_us`, `second_us`, `ectopic_before` and `beats_ns`.
"""

from math import sqrt
from typing import Any

import numpy as np

from telesurv_kernels._jit import kernel

WINDOW = 40
"""Pairs of RR that are compared."""

ALIKE = 50
"""Two RR are alike if they differ by less than their sum / ALIKE: 4 % of their mean."""

SINGULAR = 1e-9
"""RR that alternate, or do not vary: to this part, and any line foretells them."""

HOLE_NS = 30_000_000_000
"""So long without a pair, and what lay before is another window."""


@kernel
def push(s: Any, first_us: int, second_us: int, time_ns: int) -> None:
    """Put a pair of RR into the window in the place of the oldest, and keep the counts."""
    newest_ns = s["beats_ns"][(s["head"] - 1) % WINDOW]
    if s["count"] > 0 and not 0 <= time_ns - newest_ns <= HOLE_NS:
        forget(s)
    head = s["head"]
    if s["count"] == WINDOW:
        old_us = s["second_us"][head]
        alike, repeated = _like(s, WINDOW, s["first_us"][head], old_us)
        s["alike"] -= alike
        s["repeated"] -= repeated
        s["sum_us"] -= old_us
        s["ectopic_sum"] -= s["ectopic_before"][head]
    else:
        s["count"] += 1
    s["first_us"][head] = first_us
    s["second_us"][head] = second_us
    s["beats_ns"][head] = time_ns
    s["ectopic_before"][head] = s["ectopic"]
    s["ectopic_sum"] += s["ectopic"]
    s["ectopic"] = 0
    s["head"] = (head + 1) % WINDOW
    alike, repeated = _like(s, s["count"], np.int32(first_us), np.int32(second_us))
    s["alike"] += alike
    s["repeated"] += repeated
    s["sum_us"] += second_us


@kernel
def forget(s: Any) -> None:
    """Begin the window anew; a condition that is present goes on."""
    s["count"] = 0
    s["head"] = 0
    s["judged"] = 0
    s["alike"] = 0
    s["repeated"] = 0
    s["sum_us"] = 0
    s["ectopic_sum"] = 0
    s["suspected"] = 0
    s["regular"] = 0


@kernel
def _like(s: Any, count: int, first_us: Any, second_us: Any) -> tuple[Any, Any]:
    """Compare a pair of the window with the others: how many first RR, and both, are alike."""
    firsts, seconds = s["first_us"], s["second_us"]
    alike, repeated = np.int32(0), np.int32(0)
    for slot in range(count):
        first = abs(firsts[slot] - first_us) * ALIKE < firsts[slot] + first_us
        second = abs(seconds[slot] - second_us) * ALIKE < seconds[slot] + second_us
        alike += first
        repeated += first & second
    return alike - 1, repeated - 1  # it is like itself


@kernel
def spread(s: Any) -> float:
    """Return the standard deviation of a full window's second RR, in parts of their mean."""
    seconds = s["second_us"]
    squares = np.int64(0)
    for slot in range(WINDOW):
        rr_us = np.int64(seconds[slot])
        squares += rr_us * rr_us
    return sqrt(squares * WINDOW - s["sum_us"] * s["sum_us"]) / float(s["sum_us"])


@kernel
def foretold(s: Any) -> float:
    """Return the part of the variance of RR that a line through the two before foretells.

    0 to 1, of a full window, by least squares over those RR whose two before are in it as well.
    """
    firsts, seconds = s["first_us"], s["second_us"]
    mean_us = s["sum_us"] / WINDOW
    aa = ab = bb = ac = bc = cc = 0.0
    before = s["head"]
    for step in range(1, WINDOW):
        slot = (s["head"] + step) % WINDOW
        if seconds[before] == firsts[slot]:
            a = firsts[slot] - mean_us
            b = firsts[before] - mean_us
            c = seconds[slot] - mean_us
            aa, ab, bb = aa + a * a, ab + a * b, bb + b * b
            ac, bc, cc = ac + a * c, bc + b * c, cc + c * c
        before = slot
    rest = aa * bb - ab * ab
    if rest <= SINGULAR * aa * bb or cc <= 0.0:
        return 1.0
    return ((bb * ac - ab * bc) * ac + (aa * bc - ab * ac) * bc) / (rest * cc)
