"""Signal quality, batch and obvious: whole arrays, one rule a function.

Shares only constants with the kernel.
"""

from collections.abc import Iterable
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from oracles import noise
from telesurv_kernels import quality as k
from telesurv_kernels._dtypes import OFF, ON

Finding = tuple[int, int, int, int]
"""kind, onset, end, detected"""


def limits(rate_hz: float, scale: float, ecg: bool) -> dict[str, int]:
    """Return the rule's numbers in codes and samples."""
    codes, rail, rail_s = k.CONSTANT_CODES, k.RAIL_CODES, k.RAIL_SLOW_S
    if ecg:
        finest, coarsest = int(k.CONSTANT_MV_MIN / scale), int(k.CONSTANT_MV_MAX / scale)
        codes = min(max(codes, finest), coarsest)
        rail, rail_s = int(np.ceil(k.RAIL_MV / scale)), k.RAIL_S
    return {
        "codes": codes,
        "constant": max(k.RUN_MIN, round(k.CONSTANT_S * rate_hz)),
        "off": max(k.RUN_MIN, round(k.LEAD_OFF_S * rate_hz)),
        "back": max(k.RUN_MIN, round(k.BACK_S * rate_hz)),
        "rail": rail,
        "rail_run": max(3, round(rail_s * rate_hz)),
    }


def constant_for(codes: list[int], band: int) -> list[int]:
    """Return for each sample how many, up to it, lie within a band: greedily from the left."""
    found: list[int] = []
    run: list[int] = []
    for code in codes:
        run.append(code)
        if max(run) - min(run) > band:
            run = [code]
        found.append(len(run))
    return found


def saturated(codes: NDArray[np.int64], rail: int, run: int) -> NDArray[np.bool_]:
    """Return which samples repeat an extreme code for long enough."""
    same = np.ones(len(codes), np.int64)
    for i in range(1, len(codes)):
        if codes[i] == codes[i - 1]:
            same[i] = same[i - 1] + 1
    high, low = np.maximum.accumulate(codes), np.minimum.accumulate(codes)
    extreme = (codes == high) | (codes == low)
    far: NDArray[np.bool_] = (high - low >= rail) | (np.abs(codes) > k.RAIL_END)
    return (same >= run) & extreme & far


def findings(
    samples: NDArray[np.int16],
    rate_hz: float,
    scale: float,
    *,
    ecg: bool,
    restarts: Iterable[int] = (),
) -> tuple[NDArray[np.uint8], list[Finding]]:
    """Return the mask and what is found of a row's whole signal."""
    n = limits(rate_hz, scale, ecg)
    mask = np.full(len(samples), k.MISSING, np.uint8)
    found: list[Finding] = []
    off = False
    usual = noise.Usual()
    for first, last in pairwise(sorted({0, *restarts, len(samples)})):
        there = first + np.flatnonzero(samples[first:last] != k.MISSING_CODE)
        codes = samples[there].astype(np.int64)
        run = constant_for(codes.tolist(), n["codes"])
        mask[there] = (
            k.CONSTANT * (np.array(run, int) >= n["constant"])
            + k.LEAD_OFF_BIT * (np.array(run, int) >= n["off"])
            + k.SATURATED * saturated(codes, n["rail"], n["rail_run"])
            + noise.bits(codes, rate_hz, scale, usual, ecg=ecg)
        )
        back: list[int] = []
        for i, sample in enumerate(there.tolist()):
            if run[i] >= n["off"] and not off:
                off = True
                found.append((ON, int(there[i - run[i] + 1]), 0, sample))
            back = [*back, sample] if run[i] < n["constant"] and off else []
            if len(back) >= n["back"] and run[i] == 1:
                found.append((OFF, 0, back[0], sample))
                off, back = False, []
    return mask, found
