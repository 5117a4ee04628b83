"""Signal quality: which samples may be analysed, and whether a lead is off.

For every sample a mask byte, 0 where it is readable, else the sum of:

==========  ===  ==================================================================
MISSING       1  the code that stands for no measurement
CONSTANT      2  the codes stayed within a narrow band for 2 s
SATURATED     4  flat on the highest or lowest code seen, far from the other one
LEAD_OFF_BIT  8  constant for 10 s
MOTION       16  electrode motion: a baseline that travels in steep swings, or jumps
MUSCLE       32  muscle: high frequencies that beats do not stand out of
MAINS        64  50 or 60 Hz that beats do not stand out of
==========  ===  ==================================================================

NOISY is the union of the last three; `_noise` has their rules. They are an ECG's alone.

The mask is causal: a sample's byte depends on the samples up to it and on no later one,
so the first 2 s of a constant stretch read as readable, and the first 1 to 3 s of noise.

- **Constant.** The band is two codes, or 5 uV where codes are finer, but never more than
  10 uV: true asystoles of the 2015 PhysioNet challenge still move 13 uV in their
  quietest 2 s (measured), and must pass. A band, not equality: an open 12-bit input
  toggles between two or three codes.
- **Saturated.** A converter at its rail repeats one code, the extreme of all it ever gave.
  A run of 100 ms on the extreme code (0.4 s in slower signals) counts when the signal's
  range is at least 3 mV (an R-peak's summit is shorter, and a calm baseline has no such
  range), or when the code is within 8 of the ends of int16. Source: convention.
- **Lead off** (`CONDITIONS`): constant for 10 s; over when signal was back for 5 s.
  Missing samples neither begin nor end it.

Unit: codes; for an ECG, whose unit is mV, `params` turns the limits into codes. Decision
delay: lead off 10 s, its end 5 s (both are the rule), else none.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from telesurv_kernels._dtypes import LEAD_OFF, OFF, ON
from telesurv_kernels._jit import borrowed, entry, kernel
from telesurv_kernels._lively import take_lively
from telesurv_kernels._noise import (
    BLOCKS,
    BOXES_WORK,
    JUMP_MV,
    LEAST_MV,
    LEVELS,
    MAINS,
    MAINS_HZ,
    MOTION,
    MUSCLE,
    NO_MEASUREMENT,
    RATE_HZ_MIN,
    ROUGH_MV,
    TRAVEL_MV,
    box_of,
    look_for_noise,
    restart,
    tone_of,
)

VERSION = 2
"""Of state and rule: rises when the meaning of either changes."""

MISSING_CODE = NO_MEASUREMENT
"""The sample code that stands for no measurement."""

MISSING, CONSTANT, SATURATED, LEAD_OFF_BIT = 1, 2, 4, 8
NOISY = MOTION | MUSCLE | MAINS

CONSTANT_S = 2.0  # a constant run of this length is masked
LEAD_OFF_S = 10.0  # and of this one a lead that is off
BACK_S = 5.0  # signal for this long ends it
CONSTANT_CODES = 2  # width of the constant band in codes
CONSTANT_MV_MIN = 0.005  # ... at least, where codes are finer
CONSTANT_MV_MAX = 0.010  # ... at most, where codes are coarser
RAIL_S = 0.1  # a run of this length on the extreme code of an ECG is saturation
RAIL_SLOW_S = 0.4  # ... of a slower signal, whose summits are broader
RAIL_MV = 3.0  # when the signal's range is at least this
RAIL_CODES = 512  # ... or this, for a signal that is not in mV
RAIL_END = 32760  # codes beyond it are at the end of int16
AT_ONCE = (
    4096  # samples that are taken in together, so that the processor's nearest memory has them
)
RUN_MIN = 32  # samples; bounds the findings of one call (`capacity`)

PARAMS = np.dtype(
    [
        ("constant_codes", np.int64),  # highest minus lowest code of a constant run
        ("constant_run", np.int64),  # samples
        ("lead_off_run", np.int64),  # samples
        ("back_run", np.int64),  # samples
        ("rail_run", np.int64),  # samples
        ("rail_codes", np.int64),  # least range of codes of a saturated signal
        ("box", np.int64),  # samples; 0: noise is not looked for
        ("block", np.int64),  # boxes
        ("tone", np.float64, (2,)),  # 2 cos(wT) of the mains, T the length of a box
        ("least", np.float64),  # slope of a QRS and bend of noise, summed over a block
        ("rough", np.float64),  # slope of motion, summed over a block
        ("travel", np.float64),  # of the baseline in motion, summed over a block
        ("jump", np.float64),  # ... that is motion at once
    ]
)

STATE = np.dtype(
    [
        ("count", np.int64),  # samples seen since zero
        ("seen", np.int64),  # 1: a sample was seen since the last restart
        ("low", np.int64),  # codes of the present constant run
        ("high", np.int64),
        ("run", np.int64),  # its length in samples
        ("run_first", np.int64),  # its first sample
        ("lowest", np.int64),  # codes since the last restart
        ("highest", np.int64),
        ("previous", np.int64),  # code
        ("same", np.int64),  # samples that repeat it, itself included
        ("lead_off", np.int64),  # 1: present
        ("back", np.int64),  # readable samples since signal is back
        ("back_first", np.int64),  # the first of them
        ("box", np.int64),  # sum of codes of the present box
        ("box_left", np.int64),  # samples that it waits for
        ("boxes", np.int64),  # whole ones of the present block; NO_BOX after a restart
        ("sums", np.int64, (2,)),  # of the last two boxes
        ("bend_recent", np.int64, (2,)),  # last bends
        ("slope_sum", np.int64),  # of the present block, as all that follow
        ("bend_sum", np.int64),
        ("level_sum", np.int64),
        ("tone_sum", np.float64, (2,)),  # what 50 and 60 Hz leave of the bend
        ("closed", np.int64),  # whole blocks since the restart
        ("usual", np.float64),  # slope of this patient's QRS, summed over a block
        ("learnt", np.int64),  # 1: it was taken from a whole window
        ("noise", np.int64),  # MOTION, MUSCLE, MAINS or 0
        ("sure", np.int64),  # blocks that found noise less those that did not, within bounds
        ("swung", np.int32),  # a bit a block, the newest lowest, as all that follow
        ("rough", np.int32),
        ("bent", np.int32),
        ("hummed", np.int32),
        ("smooth", np.int32),
        ("slopes", np.int32, (BLOCKS,)),
        ("levels", np.int32, (LEVELS,)),  # of the last blocks
        ("base", np.int64),  # sum of the levels of the last half a second; by block:
        ("bases", np.int32, (BLOCKS,)),
    ]
)

FINDING = np.dtype(
    [
        ("row", np.int64),
        ("segment", np.int64),  # segment whose samples completed the finding
        ("kind", np.int64),  # ON or OFF
        ("condition", np.int64),  # LEAD_OFF
        ("onset", np.int64),  # ON: first constant sample; else 0
        ("end", np.int64),  # OFF: first sample of the signal that is back; else 0
        ("detected", np.int64),  # sample at which it was decided
    ]
)
"""Samples are counted over all that the row was ever given, from 0."""


def params(rate_hz: float, scale: float, offset: float = 0.0, *, ecg: bool) -> NDArray[Any]:
    """Return the PARAMS of a row, shape ``()``.

    Parameters
    ----------
    rate_hz : float
        Samples a second, above zero.
    scale, offset : float
        physical = code * scale + offset; the rules need no offset.
    ecg : bool
        Whether the unit is mV; without it the limits stand in codes.

    Raises
    ------
    AssertionError
        When the rate is not positive, or an ECG's scale is zero.
    """
    del offset
    assert rate_hz > 0, f"rate {rate_hz} Hz, expected above 0"
    assert scale != 0 or not ecg, "scale 0 mV a code, expected another"
    band, rail, rail_s = CONSTANT_CODES, RAIL_CODES, RAIL_SLOW_S
    if ecg:
        rail_s = RAIL_S
        mv = abs(float(scale))
        finer = int(min(CONSTANT_MV_MIN / mv, 65535))
        coarser = int(min(CONSTANT_MV_MAX / mv, 65535))
        band = min(max(band, finer), coarser)
        rail = int(np.ceil(min(RAIL_MV / mv, 65536)))
    made = np.zeros((), PARAMS)
    made["constant_codes"] = band
    made["constant_run"] = max(RUN_MIN, round(CONSTANT_S * rate_hz))
    made["lead_off_run"] = max(RUN_MIN, round(LEAD_OFF_S * rate_hz))
    made["back_run"] = max(RUN_MIN, round(BACK_S * rate_hz))
    made["rail_run"] = max(3, round(rail_s * rate_hz))
    made["rail_codes"] = rail
    if ecg and rate_hz >= RATE_HZ_MIN:
        made["box"], made["block"] = box, block = box_of(rate_hz)
        made["tone"] = [tone_of(rate_hz, box, mains_hz) for mains_hz in MAINS_HZ]
        # Means of a block become sums of all its samples' codes.
        codes = box * block / abs(float(scale))
        made["least"], made["rough"] = LEAST_MV * codes, ROUGH_MV * codes
        made["travel"], made["jump"] = TRAVEL_MV * codes, JUMP_MV * codes
    return made


def capacity(samples: int, segments: int) -> int:
    """Return an upper bound of the findings of one call, over all its rows."""
    return segments + samples // RUN_MIN


@kernel
def put(
    finding: Any, row: int, segment: int, kind: int, onset: int, end: int, detected: int
) -> None:
    """Write a finding."""
    finding["row"] = row
    finding["segment"] = segment
    finding["kind"] = kind
    finding["condition"] = LEAD_OFF
    finding["onset"] = onset
    finding["end"] = end
    finding["detected"] = detected


@kernel
def span(codes: NDArray[np.int16], lowest: int, highest: int) -> tuple[int, int]:
    """Return the lowest and the highest of some codes, and of those given."""
    low, high = np.int16(lowest), np.int16(highest)
    for k in range(codes.size):
        low = min(low, codes[k] if codes[k] != MISSING_CODE else low)
        high = max(high, codes[k])
    return int(low), int(high)


@kernel
def _go_through(
    s: Any,
    p: Any,
    row: int,
    segment: int,
    codes: NDArray[np.int16],
    marks: NDArray[np.uint8],
    findings: NDArray[Any],
    found: int,
) -> int:
    """Take samples in one by one; return how many findings were written so far."""
    constant_codes = p["constant_codes"]
    constant_run = p["constant_run"]
    lead_off_run = p["lead_off_run"]
    back_run = p["back_run"]
    rail_run = p["rail_run"]
    rail_codes = p["rail_codes"]
    before = s["count"]
    seen = s["seen"]
    low = s["low"]
    high = s["high"]
    run = s["run"]
    run_first = s["run_first"]
    lowest = s["lowest"]
    highest = s["highest"]
    spanned = 0  # of the samples before, `lowest` and `highest` are known
    previous = s["previous"]
    same = s["same"]
    lead_off = s["lead_off"]
    back = s["back"]
    back_first = s["back_first"]
    for k in range(codes.size):
        code = np.int64(codes[k])
        if code == MISSING_CODE:
            marks[k] = MISSING
            continue
        if seen == 0:
            seen = 1
            low = high = lowest = highest = code
            run = same = 0
            run_first = before + k
            spanned = k
            restart(s, p)
        # Signs as masks (x >> 63 is all ones below zero, else none): what noise decides is
        # foreseen by no processor, and compilers make branches of choices.
        below, above = low - code, high - code
        keep = ~((constant_codes + below | constant_codes - above) >> 63)
        low = code + (below & below >> 63 & keep)
        high = code + (above & ~(above >> 63) & keep)
        run = (run & keep) + 1
        run_first = before + k + (run_first - before - k & keep)
        change = code - previous
        same = (same & ~((change | -change) >> 63)) + 1
        previous = code
        bits = 0
        if (run >= constant_run) | (same >= rail_run) | (lead_off != 0):
            if run >= constant_run:
                bits = CONSTANT
                back = 0
                if run >= lead_off_run:
                    bits |= LEAD_OFF_BIT
                    if lead_off == 0:
                        lead_off = 1
                        put(findings[found], row, segment, ON, run_first, 0, before + k)
                        found += 1
            elif lead_off != 0:
                if back == 0:
                    back_first = before + k
                back += 1
                # A run that may yet turn out constant is no signal.
                if back >= back_run and run == 1:
                    lead_off = 0
                    back = 0
                    put(findings[found], row, segment, OFF, 0, back_first, before + k)
                    found += 1
            if same >= rail_run:
                lowest, highest = span(codes[spanned : k + 1], lowest, highest)
                spanned = k + 1
                if code in (lowest, highest) and (
                    highest - lowest >= rail_codes or code > RAIL_END or code < -RAIL_END
                ):
                    bits |= SATURATED
        marks[k] = bits
    if seen != 0:
        lowest, highest = span(codes[spanned:], lowest, highest)
    s["count"] = before + codes.size
    s["seen"] = seen
    s["low"] = low
    s["high"] = high
    s["run"] = run
    s["run_first"] = run_first
    s["lowest"] = lowest
    s["highest"] = highest
    s["previous"] = previous
    s["same"] = same
    s["lead_off"] = lead_off
    s["back"] = back
    s["back_first"] = back_first
    return found


@entry
def advance(
    state: NDArray[Any],
    params: NDArray[Any],
    segments: NDArray[Any],
    samples: NDArray[np.int16],
    mask: NDArray[np.uint8],
    findings: NDArray[Any],
) -> int:
    """Mask the samples of a batch of rows; return how many findings were written.

    Parameters
    ----------
    state : STATE[rows], updated in place
    params : PARAMS[rows]
    segments : SEGMENT[m], in the order of each row's samples; an empty one is ignored
    samples : int16[n], codes
    mask : uint8[n], written where a segment covers it
    findings : FINDING[>= capacity(n, m)]
    """
    found = 0
    samples, mask, findings = borrowed(samples), borrowed(mask), borrowed(findings)
    space = np.empty(1, BOXES_WORK)
    for segment in range(segments.size):
        first = segments[segment]["first"]
        last = segments[segment]["last"]
        if first >= last:
            continue
        row = segments[segment]["row"]
        s = state[row]
        p = params[row]
        work = space[0]  # in the loop: a record does not keep its array alive
        if segments[segment]["restart"] != 0:
            s["seen"] = 0
            s["back"] = 0
        if s["box_left"] == 0 and p["box"] > 0:
            restart(s, p)  # a new row, or one of before noise was looked for
        for begin in range(first, last, AT_ONCE):
            end = min(begin + AT_ONCE, last)
            codes, marks = samples[begin:end], mask[begin:end]
            lively = s["seen"] != 0 and s["lead_off"] == 0 and take_lively(s, p, codes)
            if lively:
                marks[:] = 0
            else:
                found = _go_through(s, p, row, segment, codes, marks, findings, found)
            if p["box"] > 0:
                look_for_noise(s, p, codes, marks, lively, work)
    return found
