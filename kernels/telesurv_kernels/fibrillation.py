"""Ventricular flutter and fibrillation of an ECG lead, from its waveform alone.

A QRS is a short steep deflection between two calm stretches; fibrillation and flutter are an
oscillation of 2.5 to 7 Hz that fills the time. Three numbers of the last 2 s, taken anew
each half second, tell the two apart:

- *fill* = (mean of |slope|)^2 / mean of slope^2: how evenly steepness is spread. A sine has
  0.81, Gaussian noise 0.64, fibrillation 0.55 to 0.75, an ECG with a narrow QRS 0.1 to 0.3.
  It measures what the threshold crossing sample count of Arafat, Chowdhury and Hasan (2011)
  does, the share of time away from the baseline, but has no threshold.
- *leakage* = sum |y(t) + y(t - T/2)| / sum (|y(t)| + |y(t - T/2)|): what is left of the signal
  when each half wave is laid upon the one before (the VF filter of Kuo and Dillman, 1978).
  A sine leaves nothing, an ECG 0.6 to 0.85, fibrillation 0.2 to 0.6.
- *rate* = sum |slope| / (2 pi sum |y|), the mean frequency by which that filter sets its T.

The signal is averaged to about 50 samples a second, which also takes out mains of 50 Hz, and
passed above 1 Hz. A 2 s window's *margin* is by how much its fill exceeds the line
0.36 + 0.25 leakage, less a part for a rate below 3.2 Hz (wide but organised beats, whose
harmonics raise the mean frequency) or above 6.5 Hz (muscle, tremor); within +-0.15, so that
no window counts for more than its like. Less than 0.1 mV peak to peak is as good as a flat
line: fine fibrillation and asystole cannot be told apart there.

- `ventricular-fibrillation` ON: six windows in a row (4.5 s) with a mean margin above 0.105,
  the last above 0: more than full marks for four of them, so that shorter bursts do not do.
  Onset: half a second after the first began, 4 s before the decision.
  Value: seconds of it when found. Source of the 4 s: PhysioNet/CinC Challenge 2015.
- OFF: eight windows (5.5 s) with a margin of 0.06 at most, no one above it between. End: the
  middle of the last window above it. A flat line ends it too; `rhythm` says that it is asystole.
- CANDIDATE, value 1: a window's margin is above 0; so `rhythm` need not call fibrillation a
  pause of the beats. Value 0, where that is over: with OFF, at its end; or when it came to
  nothing after 4 s, after two windows at or below 0, or in unreadable signal: at its own
  onset, as if it had not been. The next one is not before eight windows at or below 0.

Ventricular tachycardia without a baseline between its beats is called fibrillation, too: the
waveform alone does not tell them apart, and the databases' annotators did not agree either.

Unreadable samples neither begin nor end it: a half second that holds one is in no window, and
windows are not laid across it. But coarse flutter that waxes and wanes between wide beats travels
as electrode motion does, and is masked as that; so a half second masked as motion alone counts as
readable when its own leakage is 0.6 at most, as that of an oscillation is. In the 256 records of
the 2015 challenge, 21 h, first leads are then called fibrillation as often as before, second ones
once more; electrode motion at 12 to 0 dB never is, masked or not.

Learnt is one number, 0.36: by logistic regression in `telesurv.evaluate.train_fibrillation`,
from the first leads of 11 records of vfdb, 24 of mitdb, 7 of its noise stress test and 9 of
cpsc2021 (PhysioNet); folds of these records make it 0.35 to 0.38. The others are round ones
that were chosen on these records. Bounds of 0.35 to 0.40 serve nearly as well.

Unit: mV. Rate: 100 to 1000 Hz. Decision delay: half a second after the 4 s (in effect at most
1 s), the end with its rule. Work: a few operations a sample, about 60 each 20 ms.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from telesurv_kernels._biquad import highpass
from telesurv_kernels._dtypes import OFF, ON, VENTRICULAR_FIBRILLATION
from telesurv_kernels._jit import entry, kernel
from telesurv_kernels._noise import MOTION
from telesurv_kernels._waveform import (
    LEFT,
    RING,
    WHOLE,
    WINDOW,
    begin_block,
    filter_step,
    margin_of,
    mean_rate_hz,
)
from telesurv_kernels.quality import CONSTANT, LEAD_OFF_BIT, MISSING

VERSION = 1
"""Of state and rule: rises when the meaning of either changes.

Where this state is learnt again, that of `rhythm` has to be, too: it may be waiting for the end
of a fibrillation of which this kernel then knows nothing.
"""

CANDIDATE = 7
"""Kind of a finding: fibrillation is a candidate or present from onset (value 1), or was until
`end` (value 0)."""

RATE_HZ_MIN, RATE_HZ_MAX = 100.0, 1000.0

STEP_HZ = 50.0  # about: the signal is averaged to it
HIGHPASS_HZ = 1.0  # baseline
BLOCK_S = 0.5  # or a step more
LAG_S_MAX = 0.5  # longest half period
LAG_FIRST_S = 0.15  # before any is known: 3.3 Hz

LINE_FILL = 0.36
"""Learnt: fill above this and LINE_LEAKAGE of the leakage is like fibrillation."""

ON_WINDOWS, ON_MARGIN = 6, 0.105
OFF_WINDOWS, OFF_MARGIN = 8, 0.06
CANDIDATE_WINDOWS = 8  # 4 s without confirmation
CANDIDATE_MISSES = 2
REARM_WINDOWS = 8
EVEN_LEAKAGE = 0.6  # at most, of a half second of motion that is an oscillation all the same
MOVING = 2

NO_SIGNAL = MISSING | CONSTANT | LEAD_OFF_BIT  # bits of the mask

PARAMS = np.dtype(
    [
        ("scale_uv", np.float64),  # uV a code
        ("high", np.float64, (5,)),  # b0, b1, b2, a1, a2 of the high-pass
        ("step_hz", np.float64),  # steps a second
        ("step", np.int64),  # samples in a step
        ("block", np.int64),  # steps in a block
        ("lag_first", np.int64),  # steps
        ("lag_max", np.int64),
        ("line_fill", np.float64),
    ]
)

STATE = np.dtype(
    [
        ("count", np.int64),  # samples seen since zero
        ("running", np.int64),  # 1: the high-pass runs
        ("sum_codes", np.int64),  # of the present step
        ("seen", np.int64),  # samples of it, readable or not
        ("lost", np.int64),  # 1: one of them is no signal
        ("steps", np.int64),  # of the present block
        ("unreadable", np.int64),  # MOVING: a sample of it is masked as motion; + 1: as other
        ("offset_uv", np.float64),  # taken off the input, so that it begins at 0
        ("input_uv", np.float64, (2,)),  # last inputs of the high-pass
        ("high_uv", np.float64, (2,)),  # its last outputs
        ("last_uv", np.int64),  # y of the last step
        ("slot", np.int64),  # of y_uv, written last
        ("lag", np.int64),  # half a period, steps
        ("sums", np.int64, (5,)),  # of the present block, see _waveform
        ("blocks", np.int64),  # readable blocks in a row, at most WINDOW
        ("windows", np.int64),  # windows in a row, at most ON_WINDOWS
        ("present", np.int64),  # 1: fibrillation
        ("last_above", np.int64),  # end of the last window above OFF_MARGIN, in samples
        ("quiet", np.int64),  # windows since then
        ("candidate", np.int64),  # 1: a CANDIDATE of value 1 was the last one
        ("candidate_onset", np.int64),
        ("age", np.int64),  # windows since then
        ("missed", np.int64),  # of them at or below 0, in a row
        ("barred", np.int64),  # windows at or below 0 before the next candidate
        ("margins", np.float64, (ON_WINDOWS,)),  # the newest first
        ("recent", np.int64, (WINDOW, 5)),  # sums of the last blocks, the newest first
        ("y_uv", np.int16, (RING,)),
    ]
)

FINDING = np.dtype(
    [
        ("row", np.int64),
        ("segment", np.int64),  # segment whose samples completed the finding
        ("kind", np.int64),  # ON, OFF or CANDIDATE
        ("condition", np.int64),  # VENTRICULAR_FIBRILLATION
        ("onset", np.int64),  # ON, CANDIDATE of value 1: from this sample on; else 0
        ("end", np.int64),  # OFF, CANDIDATE of value 0: no longer from this sample on; else 0
        ("detected", np.int64),  # sample at which it was decided
        ("value", np.float64),  # ON: seconds of it when found; CANDIDATE: 1 or 0
    ]
)
"""Samples are counted over all that the row was ever given, from 0."""


def params(
    rate_hz: float,
    scale_mv: float,
    line_fill: float = LINE_FILL,
) -> NDArray[Any]:
    """Return the PARAMS of a row, shape ``()``.

    Parameters
    ----------
    rate_hz : float
        Samples a second, 100 to 1000.
    scale_mv : float
        What one code is worth in mV; not 0.
    line_fill : float
        Fill above line_fill + LINE_LEAKAGE * leakage looks like fibrillation.

    Raises
    ------
    AssertionError
        When the rate is out of range or the scale is 0.
    """
    assert RATE_HZ_MIN <= rate_hz <= RATE_HZ_MAX, f"rate {rate_hz} Hz, expected 100 to 1000"
    assert scale_mv != 0, "scale 0 mV a code, expected another"
    step = round(rate_hz / STEP_HZ)
    step_hz = rate_hz / step
    made = np.zeros((), PARAMS)
    made["scale_uv"] = scale_mv * 1000.0
    made["high"] = highpass(step_hz, HIGHPASS_HZ)
    made["step_hz"] = step_hz
    made["step"] = step
    made["block"] = int(np.ceil(BLOCK_S * step_hz))
    made["lag_first"] = round(LAG_FIRST_S * step_hz)
    made["lag_max"] = int(LAG_S_MAX * step_hz)
    made["line_fill"] = line_fill
    return made


def capacity(samples: int, segments: int) -> int:
    """Return an upper bound of the findings of one call, over all its rows.

    A block is at least 50 samples (at 100 Hz) and leads to two findings at most.
    """
    return 2 * (segments + samples // 50)


@entry
def advance(
    state: NDArray[Any],
    params: NDArray[Any],
    segments: NDArray[Any],
    samples: NDArray[np.int16],
    mask: NDArray[np.uint8],
    findings: NDArray[Any],
) -> int:
    """Find fibrillation in a batch of rows; return how many findings were written.

    Parameters
    ----------
    state : STATE[rows], updated in place
    params : PARAMS[rows]
    segments : SEGMENT[m], in the order of each row's samples; an empty one is ignored
    samples : int16[n], codes
    mask : uint8[n], what `quality` said of them
    findings : FINDING[>= capacity(n, m)]
    """
    found = 0
    for segment in range(segments.size):
        first = segments[segment]["first"]
        last = segments[segment]["last"]
        if first >= last:
            continue
        row = segments[segment]["row"]
        s = state[row]
        p = params[row]
        step = p["step"]
        if segments[segment]["restart"] != 0:
            s["running"] = 0
            s["sum_codes"] = 0
            s["seen"] = 0
            s["lost"] = 0
            s["unreadable"] = 0
            s["blocks"] = 0
            begin_block(s)
        count = s["count"]
        sum_codes = s["sum_codes"]
        seen = s["seen"]
        bits = np.int64(0)
        k = first
        while k < last:
            # The rest of the step, as far as it is here.
            until = min(last, k + step - seen)
            seen += until - k
            count += until - k
            for place in range(k, until):
                sum_codes += np.int64(samples[place])
                bits |= mask[place]
            k = until
            if bits != 0:
                s["unreadable"] |= MOVING if bits == MOTION else 1
                if bits & NO_SIGNAL:
                    s["lost"] = 1
                bits = np.int64(0)
            if seen == step:
                filter_step(s, p, sum_codes)
                sum_codes = seen = 0
                if s["steps"] == p["block"]:
                    found = _block(s, p, row, segment, count, findings, found)
        s["count"] = count
        s["sum_codes"] = sum_codes
        s["seen"] = seen
    return found


@kernel
def _block(
    s: Any, p: Any, row: int, segment: int, count: int, findings: NDArray[Any], found: int
) -> int:
    """Take a block that is complete, and judge the window that ends with it."""
    recent = s["recent"]
    for place in range(WINDOW - 1, 0, -1):
        recent[place] = recent[place - 1]
    recent[0] = s["sums"]
    uneven = recent[0, LEFT] > EVEN_LEAKAGE * recent[0, WHOLE]
    readable = s["unreadable"] == 0 or (s["unreadable"] == MOVING and not uneven)
    s["blocks"] = min(s["blocks"] + 1, WINDOW) if readable else 0
    s["unreadable"] = 0
    begin_block(s)
    s["lag"] = p["lag_first"]
    if s["blocks"] < WINDOW:
        s["windows"] = 0
        if s["candidate"] == 1 and s["present"] == 0:
            found = _retract(s, row, segment, count, findings, found)
        return found
    rate_hz = mean_rate_hz(recent, p["step_hz"])
    if rate_hz > 0.0:
        lag = np.int64(np.rint(p["step_hz"] / (2.0 * rate_hz)))
        s["lag"] = min(max(lag, 2), p["lag_max"])
    margin = margin_of(p, recent, rate_hz)
    s["windows"] = min(s["windows"] + 1, ON_WINDOWS)
    margins = s["margins"]
    for place in range(ON_WINDOWS - 1, 0, -1):
        margins[place] = margins[place - 1]
    margins[0] = margin
    length = p["block"] * p["step"]
    if s["present"] == 0:
        total = 0.0
        for place in range(ON_WINDOWS):
            total += margins[place]
        if s["windows"] < ON_WINDOWS or margin <= 0.0 or total <= ON_WINDOWS * ON_MARGIN:
            return _suspect(s, margin, length, row, segment, count, findings, found)
        onset = count - (WINDOW + ON_WINDOWS - 2) * length
        if s["candidate"] == 0:
            s["candidate"] = 1
            found = put(findings, found, row, segment, CANDIDATE, onset, 0, count, 1.0)
        s["present"] = 1
        s["last_above"] = count
        s["quiet"] = 0
        lasted_s = (count - onset) / (p["step"] * p["step_hz"])
        return put(findings, found, row, segment, ON, onset, 0, count, lasted_s)
    s["quiet"] += 1
    if margin > OFF_MARGIN:
        s["last_above"] = count
        s["quiet"] = 0
    elif s["quiet"] >= OFF_WINDOWS:
        end = s["last_above"] - WINDOW * length // 2
        s["present"] = 0
        s["candidate"] = 0
        s["barred"] = 0
        found = put(findings, found, row, segment, CANDIDATE, 0, end, count, 0.0)
        found = put(findings, found, row, segment, OFF, 0, end, count, 0.0)
    return found


@kernel
def _suspect(
    s: Any,
    margin: float,
    length: int,
    row: int,
    segment: int,
    count: int,
    findings: NDArray[Any],
    found: int,
) -> int:
    """Keep the candidate: say when it begins, and when it came to nothing."""
    s["missed"] = 0 if margin > 0.0 else s["missed"] + 1
    if s["candidate"] == 1:
        s["age"] += 1
        if s["missed"] >= CANDIDATE_MISSES or s["age"] >= CANDIDATE_WINDOWS:
            found = _retract(s, row, segment, count, findings, found)
    elif margin <= 0.0:
        s["barred"] = max(s["barred"] - 1, 0)
    elif s["barred"] == 0:
        onset = count - WINDOW * length
        s["candidate"] = 1
        s["candidate_onset"] = onset
        s["age"] = 0
        found = put(findings, found, row, segment, CANDIDATE, onset, 0, count, 1.0)
    else:
        s["barred"] = REARM_WINDOWS
    return found


@kernel
def _retract(s: Any, row: int, segment: int, count: int, findings: NDArray[Any], found: int) -> int:
    """Say that a candidate came to nothing."""
    s["candidate"] = 0
    s["barred"] = REARM_WINDOWS
    onset = s["candidate_onset"]
    return put(findings, found, row, segment, CANDIDATE, 0, onset, count, 0.0)


@kernel
def put(
    findings: NDArray[Any],
    found: int,
    row: int,
    segment: int,
    kind: int,
    onset: int,
    end: int,
    count: int,
    value: float,
) -> int:
    """Write one FINDING at index `found`, decided by the last sample counted."""
    finding = findings[found]
    finding["row"] = row
    finding["segment"] = segment
    finding["kind"] = kind
    finding["condition"] = VENTRICULAR_FIBRILLATION
    finding["onset"] = onset
    finding["end"] = end
    finding["detected"] = count - 1
    finding["value"] = value
    return found + 1
