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
that is like none takes the place of the rarest. Once a shape is known from 16 beats, of those as
strong and as steep as the usual one every fourth is enough.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from telesurv_kernels._band import BLOCKS, TAPS, WINDOW
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

# In single precision, in which stretches are compared.
SINGLE_0, SINGLE_1, SINGLE_2 = np.float32(0.0), np.float32(1.0), np.float32(2.0)
SINGLE_GAIN_MIN, SINGLE_GAIN_MAX = np.float32(GAIN_MIN), np.float32(GAIN_MAX)
SINGLE_FLOOR = np.float32(FLOOR)

CODES = 512  # codes remembered: half a second at 1000 Hz
WIDTH = 200  # positions of one search, the length of a shape and of its views included

WORK = np.dtype(
    [
        ("totals", np.int32, (BLOCKS,)),  # of samples, as all that follow by block
        ("inputs", np.float32, (TAPS + BLOCKS,)),  # of the band-pass
        ("passed", np.float32, (BLOCKS,)),
        ("band_uv", np.int32, (WINDOW + BLOCKS,)),
        ("change", np.int32, (BLOCKS,)),
        ("powers", np.int64, (BLOCKS,)),
        ("near", np.int16, (CODES,)),  # codes in one stretch
        ("parts", np.float32, (WIDTH,)),  # sums of codes: from one position to the next,
        ("sums", np.float32, (WIDTH,)),  # and over a stride
        ("rises", np.float32, (WIDTH,)),  # from one stride to the next
        ("slopes", np.float32, (WIDTH,)),
        ("bends", np.float32, (WIDTH,)),
        ("slope_energy", np.float32, (WIDTH,)),
        ("bend_energy", np.float32, (WIDTH,)),
        ("inner", np.float32, (WIDTH,)),  # products with what lies between a shape's ends,
        ("same", np.float32, (WIDTH,)),  # with all of a shape, each rise with its like
        ("cross", np.float32, (WIDTH,)),  # and each with the next and the last
        ("likeness", np.float32, (WIDTH,)),  # of the most alike shape
        ("shape", np.float32, (WIDTH,)),  # which that is
    ]
)
"""Working space of a call: one record, so that it is handed on as one argument."""


def grid_of(rate_hz: float) -> tuple[int, int, int]:
    """Return samples between points, samples between positions, and points of a shape."""
    even = rate_hz > 420.0
    stride = 2 * round(STRIDE_S * rate_hz / 2) if even else max(1, round(STRIDE_S * rate_hz))
    grid = stride // 2 if stride % 2 == 0 else 1
    return stride, grid, min(POINTS, round(SHAPE_S * rate_hz / stride))


@kernel
def copy(source: NDArray[Any], target: NDArray[Any]) -> None:
    """Copy all of an array to the begin of another; a quarter of the cost of an assignment."""
    for k in range(source.size):
        target[k] = source[k]


@kernel
def unroll(s: Any, first: int, size: int, near: NDArray[np.int16]) -> None:
    """Copy the codes of `size` samples from `first` on, CODES at most, into one stretch."""
    begin = first & (CODES - 1)
    straight = min(size, CODES - begin)
    copy(s["codes"][begin : begin + straight], near)
    copy(s["codes"][: size - straight], near[straight:])


@kernel
def _lay(s: Any, p: Any, centre: int, positions: int, work: Any) -> None:
    """Lay the signal around some positions into the working space, and its energy in both views."""
    near = work["near"]
    grid = p["grid"]
    points = p["points"]
    steps = p["stride"] // grid
    size = positions + points * steps
    unroll(s, centre - p["before"] - p["stride"], (size + 2 * steps - 1) * grid, near)
    # Slices, so that the compiler sees that no index is negative and takes several at once.
    parts, sums = work["parts"][: size + 2 * steps - 1], work["sums"][: size + steps]
    if grid == 1:
        for q in range(parts.size):
            parts[q] = near[q]
    else:
        for q in range(parts.size):
            total = np.int32(0)
            for k in range(q * grid, (q + 1) * grid):
                total += np.int32(near[k])
            parts[q] = total
    copy(parts[: sums.size], sums)
    for step in range(1, steps):
        some = parts[step : step + sums.size]
        for q in range(sums.size):
            sums[q] += some[q]
    rises = work["rises"][:size]
    old, new = sums[:size], sums[steps:]
    for q in range(size):
        rises[q] = new[q] - old[q]
    size -= steps
    slopes, bends = work["slopes"][:size], work["bends"][:size]
    one, two = rises[:size], rises[steps:]
    for q in range(size):
        slopes[q] = two[q] + one[q]
        bends[q] = two[q] - one[q]
    lanes = (positions + 7) & ~7
    _sum_squares(work["slopes"], points, steps, work["slope_energy"][:lanes])
    _sum_squares(work["bends"], points, steps, work["bend_energy"][:lanes])
    work["likeness"][:positions] = SINGLE_0
    work["shape"][:positions] = SINGLE_0


@kernel
def _sum_squares(
    view: NDArray[np.float32], points: int, steps: int, energy: NDArray[np.float32]
) -> None:
    """Sum the squares of a view at the points of a shape around each position.

    Here and in `_dot` indices are unsigned: a compiler need not allow for negative ones.
    """
    energy[:] = SINGLE_0
    fours = points & ~3
    size, step = np.uint64(energy.size), np.uint64(steps)
    for j in range(0, fours, 4):
        i0 = np.uint64(j) * step
        i1, i2, i3 = i0 + step, i0 + step + step, i0 + step + step + step
        for q in range(size):
            two = (energy[q] + view[q + i0] * view[q + i0]) + view[q + i1] * view[q + i1]
            energy[q] = (two + view[q + i2] * view[q + i2]) + view[q + i3] * view[q + i3]
    for j in range(fours, points):
        i0 = np.uint64(j) * step
        for q in range(size):
            energy[q] += view[q + i0] * view[q + i0]


@kernel
def _dot(
    view: NDArray[np.float32], own: NDArray[np.float32], steps: int, dot: NDArray[np.float32]
) -> None:
    """Multiply the signal around each position with a shape, which ends with zeros."""
    dot[:] = SINGLE_0
    size, step = np.uint64(dot.size), np.uint64(steps)
    for j in range(0, own.size, 4):
        c0, c1, c2, c3 = own[j], own[j + 1], own[j + 2], own[j + 3]
        i0 = np.uint64(j) * step
        i1, i2, i3 = i0 + step, i0 + step + step, i0 + step + step + step
        for q in range(size):
            two = (dot[q] + c0 * view[q + i0]) + c1 * view[q + i1]
            dot[q] = (two + c2 * view[q + i2]) + c3 * view[q + i3]


@kernel
def _end(
    view: NDArray[np.float32],
    inner: NDArray[np.float32],
    first: float,
    last: float,
    steps: int,
    points: int,
    same: NDArray[np.float32],
    cross: NDArray[np.float32],
) -> None:
    """Make products with all of a shape of those with what lies between its ends."""
    size, step = np.uint64(same.size), np.uint64(steps)
    far = np.uint64(points) * step
    for q in range(size):
        same[q] = SINGLE_2 * inner[q + step] + (first * view[q] + last * view[q + far])
    for q in range(size):
        cross[q] = (inner[q] + inner[q + step + step]) + (
            first * view[q + step] + last * view[q + far - step]
        )


@kernel
def _liken(s: Any, p: Any, shape: int, positions: int, work: Any) -> None:
    """Note where the stretches that were laid are more like this shape than like the others.

    With rises t of the shape and x of the signal, the products of the slopes, sums of two rises
    in a row, and of the bends, their differences, are *same* plus and minus *cross*: the sums of
    t[j] x[j] + t[j+1] x[j+1], and of t[j] x[j+1] + t[j+1] x[j]. Both are made of one row of
    products, with what lies between the ends of the shape, taken here and a stride off.
    """
    points, steps = p["points"], p["stride"] // p["grid"]
    size = (positions + 7) & ~7
    slope_own, bend_own = s["shape_energy"][shape, 0], s["shape_energy"][shape, 1]
    own = s["shape_inner"][shape, : (points + 2) & ~3]
    _dot(work["rises"], own, steps, work["inner"][: size + 2 * steps])
    same, cross = work["same"][:size], work["cross"][:size]
    first, last = s["shape_ends"][shape, 0], s["shape_ends"][shape, 1]
    _end(work["rises"], work["inner"], first, last, steps, points, same, cross)
    slope_energy, bend_energy = work["slope_energy"][:size], work["bend_energy"][:size]
    likeness, most = work["likeness"][:size], work["shape"][:size]
    slope_part, bend_part = SINGLE_1 / slope_own, SINGLE_1 / bend_own
    slope_floor, bend_floor = SINGLE_FLOOR * slope_own, SINGLE_FLOOR * bend_own
    kind = np.float32(shape)
    for q in range(size):
        slope_dot, bend_dot = same[q] + cross[q], same[q] - cross[q]
        gain = min(max(slope_dot * slope_part, SINGLE_GAIN_MIN), SINGLE_GAIN_MAX)
        left = slope_energy[q] + gain * (gain * slope_own - SINGLE_2 * slope_dot)
        above = slope_energy[q] + slope_floor
        below = max(left, SINGLE_0) + slope_floor
        gain = min(max(bend_dot * bend_part, SINGLE_GAIN_MIN), SINGLE_GAIN_MAX)
        left = bend_energy[q] + gain * (gain * bend_own - SINGLE_2 * bend_dot)
        alike = (above * (bend_energy[q] + bend_floor)) / (
            below * (max(left, SINGLE_0) + bend_floor)
        )
        more = alike > likeness[q]
        likeness[q] = alike if more else likeness[q]
        most[q] = kind if more else most[q]


@kernel
def compare(s: Any, p: Any, centre: int, positions: int, uses: int, work: Any) -> None:
    """Compare the stretches around some positions with the shapes that have `uses`.

    Position q is sample `centre` + q * grid. Writes to the working space, for each position, the
    LIKENESS of the most alike shape, 0 where there is none, and which SHAPE that is.
    """
    _lay(s, p, centre, positions, work)
    for shape in range(SHAPES):
        if s["shape_beats"][shape] >= uses:
            _liken(s, p, shape, positions, work)


@kernel
def best_of(positions: int, work: Any) -> int:
    """Return the position of the greatest LIKENESS, the first of equals."""
    likeness = work["likeness"][:positions]
    best = 0
    for q in range(1, positions):
        if likeness[q] > likeness[best]:
            best = q
    return best


@kernel
def learn(s: Any, p: Any, peak: int, sample: int, work: Any) -> None:
    """Count the beat at `peak` for the shape that it is like, or as a new one."""
    near = p["near"]
    positions = 2 * near + 1
    centre = peak - near * p["grid"]
    if centre - p["before"] - p["stride"] < max(sample - CODES + 1, s["gap"]):
        return  # decided late, or at the begin: its codes are not all there
    compare(s, p, centre, positions, 1, work)
    at = best_of(positions, work)
    uses = s["shape_beats"]
    most: Any = np.int64(work["shape"][at])
    share = LEARN_SHARE
    if work["likeness"][at] < LEARN_LIKENESS:
        most = 0
        for shape in range(1, SHAPES):
            if uses[shape] < uses[most]:
                most = shape
        uses[most] = 0
        share = 1.0
        at = near
    uses[most] = min(uses[most] + 1, USES_MAX)
    steps = p["stride"] // p["grid"]
    points = p["points"]
    seen, ends, inner = work["rises"], s["shape_ends"][most], s["shape_inner"][most]
    ends[0] = _moved(ends[0], seen[at], share)
    ends[1] = _moved(ends[1], seen[at + points * steps], share)
    for j in range(points - 1):
        inner[j] = _moved(inner[j], seen[at + (j + 1) * steps], share)
    slope = bend = SINGLE_0
    before = ends[0]
    for j in range(points):
        after = inner[j] if j < points - 1 else ends[1]
        slope += (after + before) * (after + before)
        bend += (after - before) * (after - before)
        before = after
    s["shape_energy"][most, 0] = max(slope, SINGLE_1)
    s["shape_energy"][most, 1] = max(bend, SINGLE_1)


@kernel
def _moved(was: float, seen: float, share: float) -> Any:
    """Return what was, moved towards what was seen, in single precision."""
    return np.float32(np.float64(was) + share * (np.float64(seen) - np.float64(was)))
