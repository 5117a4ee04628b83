"""What the patient's own beats look like: how `beats` knows a QRS in noise.

A QRS that was seen before can be told from a deflection of the same size: by its shape. Two
views of the signal are compared, the slope over about 16 ms and the bend (second difference)
over about 8 ms. Electrode motion, slow and large, is nearly silent in the bend; muscle, which
fills the bend, leaves more of the slope. *Likeness* of a stretch x of 130 ms to a shape t of
energy m, for the gain a (0.5 to 2) that suits it best, is the product over both views of

    (|x|^2 + 0.3 m) / (|x - a t|^2 + 0.3 m):

how much smaller the stretch is without the shape. It is the likelihood ratio of a known
signal in Gaussian noise of unknown variance (Van Trees 1968), so that loud noise weighs little
by itself; the 0.3 m keeps silence from looking like a beat. 1 says nothing, below 1 that the
shape is not there, 18.8 that it is there and nothing else.

Shapes are learnt from beats in calm signal: a beat that is like one moves it by an eighth, one
that is like none takes the place of the rarest.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from telesurv_kernels._jit import kernel

SHAPES = 4  # a normal beat, ectopic ones of two kinds, and one to learn
POINTS = 20  # of a shape at most
STRIDE_S = 0.0083  # between them: a bend over this passes 20 to 60 Hz
SHAPE_S = 0.13  # a QRS, wide ones included
LEARN_REACH_S = 0.02  # a beat is laid over a shape within this
LEARN_LIKENESS = 7.4  # of a beat to the shape that it is counted for
LEARN_SHARE = 0.125
KNOWN_USES = 3  # beats that make a shape known
USES_MAX = 1000

GAIN_MIN, GAIN_MAX = 0.5, 2.0
FLOOR = 0.3  # of the shape's energy

CODES = 512  # codes remembered: half a second at 1000 Hz
WIDTH = 176  # positions of one search, the length of a shape included

# Rows of the working space of one call.
SLOPES, BENDS, SUMS, SLOPE_ENERGY, BEND_ENERGY, SLOPE_DOT, BEND_DOT, LIKENESS, SHAPE = range(9)
ROWS = 9


def grid_of(rate_hz: float) -> tuple[int, int, int]:
    """Return samples between points, samples between positions, and points of a shape."""
    even = rate_hz > 420.0
    stride = 2 * round(STRIDE_S * rate_hz / 2) if even else max(1, round(STRIDE_S * rate_hz))
    grid = stride // 2 if stride % 2 == 0 else 1
    return stride, grid, min(POINTS, round(SHAPE_S * rate_hz / stride))


@kernel
def _views(s: Any, p: Any, first: int, size: int, work: NDArray[Any]) -> None:
    """Lay slope and bend at `size` positions from sample `first` on into the working space."""
    codes = s["codes"]
    stride = p["stride"]
    grid = p["grid"]
    steps = stride // grid
    sums, slopes, bends = work[SUMS], work[SLOPES], work[BENDS]
    for q in range(size + 2 * steps):
        begin = first - stride + q * grid
        total: Any = 0
        for k in range(begin, begin + stride):
            total += np.int64(codes[k & (CODES - 1)])
        sums[q] = total
    for q in range(size):
        slopes[q] = sums[q + 2 * steps] - sums[q]
        bends[q] = sums[q] - 2.0 * sums[q + steps] + sums[q + 2 * steps]


@kernel
def compare(s: Any, p: Any, centre: int, positions: int, uses: int, work: NDArray[Any]) -> None:
    """Compare the stretches around some positions with the shapes that have `uses`.

    Position q is sample `centre` + q * grid. Writes to the working space, for each position, the
    LIKENESS of the most alike shape, 0 where there is none, and which SHAPE that is.
    """
    points = p["points"]
    steps = p["stride"] // p["grid"]
    _views(s, p, centre - p["before"], positions + (points - 1) * steps, work)
    # Slices, so that the compiler sees that no index is negative and takes several at once.
    slope_energy, bend_energy = work[SLOPE_ENERGY, :positions], work[BEND_ENERGY, :positions]
    slope_dot, bend_dot = work[SLOPE_DOT, :positions], work[BEND_DOT, :positions]
    likeness, most = work[LIKENESS, :positions], work[SHAPE, :positions]
    slope_energy[:] = 0.0
    bend_energy[:] = 0.0
    likeness[:] = 0.0
    most[:] = 0.0
    for j in range(points):
        slopes = work[SLOPES, j * steps : j * steps + positions]
        bends = work[BENDS, j * steps : j * steps + positions]
        for q in range(positions):
            slope_energy[q] += slopes[q] * slopes[q]
        for q in range(positions):
            bend_energy[q] += bends[q] * bends[q]
    for shape in range(SHAPES):
        if s["shape_uses"][shape] < uses:
            continue
        slope_dot[:] = 0.0
        bend_dot[:] = 0.0
        slope_own = bend_own = 0.0
        for j in range(points):
            slopes = work[SLOPES, j * steps : j * steps + positions]
            bends = work[BENDS, j * steps : j * steps + positions]
            slope = np.float64(s["shapes"][shape, 0, j])
            bend = np.float64(s["shapes"][shape, 1, j])
            slope_own += slope * slope
            bend_own += bend * bend
            for q in range(positions):
                slope_dot[q] += slope * slopes[q]
            for q in range(positions):
                bend_dot[q] += bend * bends[q]
        slope_own = max(slope_own, 1.0)
        bend_own = max(bend_own, 1.0)
        for q in range(positions):
            gain = min(max(slope_dot[q] / slope_own, GAIN_MIN), GAIN_MAX)
            left = slope_energy[q] + gain * (gain * slope_own - 2.0 * slope_dot[q])
            alike = (slope_energy[q] + FLOOR * slope_own) / (max(left, 0.0) + FLOOR * slope_own)
            gain = min(max(bend_dot[q] / bend_own, GAIN_MIN), GAIN_MAX)
            left = bend_energy[q] + gain * (gain * bend_own - 2.0 * bend_dot[q])
            alike *= (bend_energy[q] + FLOOR * bend_own) / (max(left, 0.0) + FLOOR * bend_own)
            if alike > likeness[q]:
                likeness[q] = alike
                most[q] = shape


@kernel
def best_of(positions: int, work: NDArray[Any]) -> int:
    """Return the position of the greatest LIKENESS, the first of equals."""
    best = 0
    for q in range(1, positions):
        if work[LIKENESS, q] > work[LIKENESS, best]:
            best = q
    return best


@kernel
def learn(s: Any, p: Any, peak: int, sample: int, work: NDArray[Any]) -> None:
    """Count the beat at `peak` for the shape that it is like, or as a new one."""
    near = p["near"]
    centre = peak - near * p["grid"]
    if centre - p["before"] - p["stride"] < max(sample - CODES + 1, s["gap"]):
        return  # decided late, or at the begin: its codes are not all there
    compare(s, p, centre, 2 * near + 1, 1, work)
    at = best_of(2 * near + 1, work)
    shape: Any = np.int64(work[SHAPE, at])
    share = LEARN_SHARE
    uses = s["shape_uses"]
    if work[LIKENESS, at] < LEARN_LIKENESS:
        shape = 0
        for other in range(1, SHAPES):
            if uses[other] < uses[shape]:
                shape = other
        uses[shape] = 0
        share = 1.0
        at = near
    uses[shape] = min(uses[shape] + 1, USES_MAX)
    steps = p["stride"] // p["grid"]
    for j in range(p["points"]):
        for view in range(2):
            was = np.float64(s["shapes"][shape, view, j])
            s["shapes"][shape, view, j] = was + share * (work[view, at + j * steps] - was)
