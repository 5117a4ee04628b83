"""Numbers, params, state and findings of the `beats` kernel; `beats` describes the rules."""

from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray

from telesurv_kernels._band import BLOCK_HZ, TAPS, WINDOW, taps_of
from telesurv_kernels._candidates import MEMORY, PENDING, QUARTERS
from telesurv_kernels._pulses import (
    EDGE_CODES_MIN,
    EDGE_MV,
    EDGE_NEVER,
    FIT_S,
    NARROW_RATE_HZ,
    NARROW_S,
    PULSE_RATE_HZ,
    PULSE_S,
    TAIL_MV,
)
from telesurv_kernels._shapes import CODES, LEARN_REACH_S, POINTS, SHAPES, grid_of

RATE_HZ_MIN, RATE_HZ_MAX = 100.0, 1000.0

POWER_S = 0.1  # about the length of a QRS
BAND_DELAY_S = 0.012  # of the band-pass at 12 to 18 Hz
HILL_S = 0.15  # a hill is over so long after its top
PEAK_S = 0.07  # the R-peak lies within this of the hill's centre
REFRACTORY_S = 0.2  # no two beats are closer (300/min)
RIVAL_S = 0.3  # two this close must be alike to be two beats
SETTLE_S = 0.4  # a strong candidate is safe from rivals: RIVAL_S and a hill's confirmation
APART_S = 0.25  # two known shapes this close are one beat
WAIT_S = 0.6  # in noise, until what follows is known
LEARN_S = 2.0  # two beats at 60/min
SILENT_S = 8.0  # without a beat, the levels are taken anew
SILENT_NEW_S = 3.0  # ... while fewer than KNOWN_BEATS are known
DEAD_S = 1.0  # a masked stretch of this length without signal makes a gap
MARK_S = 0.25

FLOOR_UV = 40.0  # weakest candidate
STEP_S = 0.02  # slopes are taken over this
T_S = (0.36, 0.5)  # the T after a beat is largest before, and over after
RR_S = (0.3, 1.5)  # the usual RR is taken to be within
RR_FIRST_S = 1.0  # before any is known

OFFSET_MAX = 1 << 18  # codes; sums over a block, and their bends, stay whole in single precision

PARAMS = np.dtype(
    [
        ("scale_mv", np.float64),  # mV a code
        ("factor", np.int64),  # samples of a block
        ("taps", np.float32, (TAPS,)),  # of the band-pass, uV a code of a block's sum
        ("ring", np.int64),  # of which so many are not 0, in fours
        ("power", np.int64),  # blocks
        ("floor_power", np.int64),  # sum of uV squared over so many of the weakest candidate
        ("delay", np.int64),  # samples, as all that follow; from the R-peak to the hill's top
        ("hill", np.int64),
        ("peak", np.int64),
        ("refractory", np.int64),
        ("rival", np.int64),
        ("settle", np.int64),
        ("quarter", np.int64),
        ("learn", np.int64),
        ("silent", np.int64),
        ("silent_new", np.int64),
        ("dead", np.int64),
        ("step", np.int64),
        ("t_top", np.int64),
        ("t_end", np.int64),
        ("rr_first", np.int64),
        ("rr_min", np.int64),
        ("rr_max", np.int64),
        ("apart", np.int64),
        ("wait", np.int64),
        ("stride", np.int64),  # between the points of a shape
        ("grid", np.int64),  # between the positions at which it is looked for
        ("points", np.int64),  # of a shape
        ("before", np.int64),  # from its first point to the R-peak
        ("after", np.int64),  # from the R-peak to the last sample that it takes
        ("near", np.int64),  # positions about a beat at which it is laid over a shape
        ("edge", np.int64),  # codes from one sample to the next that begin a pacing pulse
        ("pulse", np.int64),  # samples that one may take
        ("pulse_fit", np.int64),  # of each stretch of which the tail is known
        ("tail_end", np.float64),  # codes
        ("narrow", np.int64),  # samples from a narrow peak to its feet; 0: not looked for
    ]
)

STATE = np.dtype(
    [
        ("count", np.int64),  # samples seen since zero
        ("going", np.int64),  # 1: a GAP was emitted, the band is taken
        ("dead", np.int64),  # length of the present masked stretch without signal
        ("missing", np.int64),  # 1: the last sample was missing
        ("offset", np.int64),  # code taken off the input, so that it begins at 0
        ("total", np.int64),  # of the present block so far, without it
        ("level", np.int64),  # sum over the present quarter's blocks of their totals,
        ("slopes", np.int64),  # of the size of their differences over two blocks
        ("bends", np.int64),  # and of their second differences
        ("inputs", np.float32, (TAPS,)),  # sums of the last blocks
        ("power", np.int64),  # sum of squares of the band's last blocks
        ("floor", np.int64),  # below it nothing is a candidate
        ("rising", np.int64),  # 1: top is the highest of a hill, 0: the lowest of a valley
        ("top", np.int64),
        ("top_sample", np.int64),
        ("readable", np.int64),  # readable samples of the present quarter
        ("calm", np.int64),  # lowest power of the present quarter
        ("due", np.int64),  # sample at which candidates are judged next, if any wait
        ("gap", np.int64),  # sample of the last GAP
        ("marked", np.int64),  # quarters that the last MARK or GAP covered
        ("learnt", np.int64),  # 1: level and noise are known, once and for all
        ("learn_end", np.int64),  # sample at which learning ends
        ("beats", np.int64),  # since the last GAP
        ("last", np.int64),  # R-peak of the last beat, if any since the last GAP
        ("quiet", np.int64),  # sample of the last beat or GAP, or when levels were taken anew
        ("rr", np.int64),  # the usual RR in samples; 0: none known
        ("level_uv", np.float64),  # strength of the usual beat
        ("noise_uv", np.float64),  # strength of the usual rejected candidate
        ("slope_mv", np.float64),  # steepest STEP_S of the usual beat
        ("last_uv", np.float64),  # strength of the last beat
        ("last_slope_mv", np.float64),  # and its steepest STEP_S
        ("strengths", np.int64),  # beats since the levels were taken anew
        ("rejected", np.int64),  # candidates rejected since then
        ("pending", np.int64),  # candidates that wait, by their R-peak
        ("rr_recent", np.int64, (MEMORY,)),
        ("uv_recent", np.float64, (MEMORY,)),
        ("slope_mv_recent", np.float64, (MEMORY,)),
        ("rejected_uv", np.float64, (MEMORY,)),
        ("calm_recent", np.float64, (MEMORY,)),  # by quarter, as a strength
        ("pending_sample", np.int64, (PENDING,)),
        ("pending_uv", np.float64, (PENDING,)),
        ("pending_mv", np.float64, (PENDING,)),
        ("pending_slope_mv", np.float64, (PENDING,)),
        ("pending_likeness", np.float64, (PENDING,)),  # to a known shape; 0: not looked for
        ("slow_noise_uv", np.float64),  # noise that lasts
        ("disturbance", np.float64),  # it, to the usual beat; 0: no shape is known
        ("unlike", np.int64),  # quarters for which the signal still counts as unlike a heart's
        ("travel", np.float64),  # of the baseline, to the least that no heart makes
        ("known_share", np.float64),  # of the last beats, those that known shapes explain
        ("level_recent", np.int64, (MEMORY,)),  # by quarter, sums of totals
        ("untaught", np.int64),  # usual beats since the last that was laid over the shapes
        ("scanned", np.int64),  # sample up to which known shapes were looked for
        ("shape_beats", np.int64, (SHAPES,)),  # beats that each shape was learnt from
        ("shape_ends", np.float32, (SHAPES, 2)),  # first and last rise of each, sums of codes
        ("shape_inner", np.float32, (SHAPES, POINTS)),  # those between, then zeros
        ("shape_energy", np.float32, (SHAPES, 2)),  # of slopes and of bends
        ("raw", np.int64, (2,)),  # last codes, pacing pulses included
        ("pulse", np.int64),  # NOTHING, HELD, FIT or TAIL
        ("pulse_base", np.int64),  # code before it
        ("pulse_height", np.int64),
        ("pulse_left", np.int64),  # samples of the present stage
        ("tail_sum", np.int64, (2,)),
        ("tail", np.float64),  # codes
        ("tail_decay", np.float64),  # a sample
        ("readable_recent", np.int16, (QUARTERS,)),
        ("bits_end", np.int64),  # after the last sample whose mask was not 0
        ("codes", np.int16, (CODES,)),
        ("band_uv", np.int16, (WINDOW,)),  # of the last blocks
        ("bits_recent", np.uint8, (CODES,)),  # mask of the samples in codes
        ("pending_flags", np.uint8, (PENDING,)),
        ("rough_recent", np.uint8, (MEMORY,)),  # 1: bends more than a heart
    ]
)


FINDING = np.dtype(
    [
        ("row", np.int64),
        ("segment", np.int64),  # segment whose samples completed the finding
        ("kind", np.int64),  # BEAT, MARK or GAP
        ("sample", np.int64),  # BEAT: R-peak; MARK: all before is decided; GAP: signal begins
        ("decided", np.int64),  # sample at which it was decided
        ("value", np.float64),  # BEAT: height in mV; MARK: readable samples since the last
        ("flags", np.int64),  # BEAT: UNSURE
    ]
)
"""Samples are counted over all that the row was ever given, from 0."""


def capacity(samples: int, segments: int) -> int:
    """Return an upper bound of the findings of one call, over all its rows.

    MARKs come every 24 samples at most, candidates every 10 (at 100 Hz), a GAP with a segment or
    100 samples apart; candidates that wait may be decided by the first sample.
    """
    return (2 + PENDING) * segments + samples // 24 + samples // 10 + samples // 100


def params(rate_hz: float, scale_mv: float) -> NDArray[Any]:
    """Return the PARAMS of a row, shape ``()``.

    Parameters
    ----------
    rate_hz : float
        Samples a second, 100 to 1000.
    scale_mv : float
        What one code is worth in mV; not 0.

    Raises
    ------
    AssertionError
        When the rate is out of range or the scale is 0.
    """
    assert RATE_HZ_MIN <= rate_hz <= RATE_HZ_MAX, f"rate {rate_hz} Hz, expected 100 to 1000"
    assert scale_mv != 0, "scale 0 mV a code, expected another"
    made = np.zeros((), PARAMS)
    made["scale_mv"] = scale_mv
    factor = max(1, int(rate_hz / BLOCK_HZ))
    block_hz = rate_hz / factor
    made["factor"] = factor
    taps = taps_of(block_hz)
    made["taps"] = taps * (1000.0 * scale_mv / factor)
    made["ring"] = 4 * ceil(np.count_nonzero(taps) / 4)
    power = round(POWER_S * block_hz)
    made["power"] = power
    made["floor_power"] = round(power * FLOOR_UV**2)
    made["delay"] = round((power * factor - 1) / 2 + BAND_DELAY_S * rate_hz)
    made["quarter"] = factor * round(MARK_S * block_hz)
    stride, grid, points = grid_of(rate_hz)
    made["stride"], made["grid"], made["points"] = stride, grid, points
    made["before"] = points * stride // 2
    made["after"] = (points + 1) * stride - points * stride // 2 - 1
    made["near"] = round(LEARN_REACH_S * rate_hz / grid)
    made["edge"] = EDGE_NEVER
    if rate_hz >= PULSE_RATE_HZ:
        made["edge"] = min(max(round(EDGE_MV / abs(scale_mv)), EDGE_CODES_MIN), EDGE_NEVER)
    made["pulse"] = ceil(PULSE_S * rate_hz) + 1
    made["pulse_fit"] = ceil(FIT_S * rate_hz)
    if rate_hz >= NARROW_RATE_HZ:
        made["narrow"] = ceil(NARROW_S * rate_hz)
    made["tail_end"] = TAIL_MV / abs(scale_mv)
    for name, seconds in (
        ("hill", HILL_S),
        ("peak", PEAK_S),
        ("refractory", REFRACTORY_S),
        ("rival", RIVAL_S),
        ("settle", SETTLE_S),
        ("apart", APART_S),
        ("wait", WAIT_S),
        ("learn", LEARN_S),
        ("silent", SILENT_S),
        ("silent_new", SILENT_NEW_S),
        ("dead", DEAD_S),
        ("step", STEP_S),
        ("t_top", T_S[0]),
        ("t_end", T_S[1]),
        ("rr_first", RR_FIRST_S),
        ("rr_min", RR_S[0]),
        ("rr_max", RR_S[1]),
    ):
        made[name] = round(seconds * rate_hz)
    return made
