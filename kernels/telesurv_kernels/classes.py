"""The class of each beat, on line: normal, supraventricular or ventricular.

Nothing is known of the patient beforehand, and lead, gain and polarity do not matter: what
the heart usually does is learned from the stream, and each beat is compared with it.

1. The lead is kept in blocks of 80 to 160 Hz (means of whole samples), for 3.2 s.
2. A beat's QRS is the 0.22 s about the centre of its activity (the mean of time weighted by
   slope squared), whichever of its deflections was taken for the R-peak. It joins the
   *kind* of beats that it resembles most, with a similarity of 0.9 at least (1 - distance
   squared / 2, distances as shares of the larger of the two), else it founds a kind; the
   least used of 8 is given up for it. Shifts up to 35 ms are tried, as long as they help.
3. The *dominant* kind is the one with the largest share of the last 300 beats. Kinds that
   come prematurely, or fast (100/min) and faster than the dominant one, count for less, and
   the dominant one, and one that was it, for more: a run of ventricular tachycardia does
   not become the usual beat for minutes. Of bigeminy's two kinds, the one that comes late is
   the usual. A kind of which 20 come in a row, none early, fast or late, with the usual P
   before them, is dominant at once: a bundle branch block that comes and goes. An idioventricular
   rhythm has no P before its beats, and is mostly slower.
4. The *basic rhythm* is the last 16 RR between beats of the dominant kind, without those
   that begin suddenly (below 0.87 of it, and of the RR before) and go on: a supraventricular
   tachycardia stays early against it, for 120 beats at most, beats like the dominant ones below
   100/min for 16.
5. A beat is *ventricular* by the sum of weighted evidence (logistic regression, every weight
   bound to its physiological sign): comes early (against the mean of 16 RR, which a
   compensatory pause leaves as it is; 0.3 of it is early enough), its kind is wider than the
   dominant one, it is wide itself, larger than the dominant kind, T stands against the QRS, no
   usual P before it, its kind is followed by compensatory pauses; against it: belongs to the
   dominant kind, noise before it, it comes when the next beat of the basic rhythm was due, with
   the usual P before it, it is steep from its onset (a QRS that begins in the His-Purkinje system
   is, as in Vereckei 2008). Weights and their making: `_class_weights`. The P is looked for
   before the onset of the QRS.
   - *Too early*: within 0.6 of the mean RR after a usual beat coming early counts less, within
     0.5 not at all. Ventricles that a usual beat has just activated hardly answer a stimulus of
     their own: of such beats one in thirty of all ventricular ones came within 0.55. A bundle
     branch that does not conduct yet makes a beat of the atria wide (Gouaux and Ashman 1947).
   - *Compensatory pause*: the two RR about an early beat, when a usual one comes next, are two of
     the basic rhythm; 0.2 of one less, or more than that, is none (a beat of the atria resets the
     sinus node). A kind's mean counts; half a pause does where none is known, or the basic
     rhythm is unsteady.
   - The beats of a kind vote together, the kind up to 0.85 (afresh when it becomes dominant).
     Where the beat before was ventricular, and this one came within 0.65 s and is no dominant
     one, it is likely that the run goes on.
6. Others are *supraventricular* by a second sum: early against the basic rhythm and its
   unsteadiness, shorter RR than the one before (from 5 % on), after a usual beat, P differs;
   against it: irregular RR, unsteady basic rhythm. While the median of 15 differences of
   RR is above 15 % of the mean nothing is early (atrial fibrillation). Beats that would be
   ventricular, had they not come too early for that, are aberrant ones: supraventricular.
7. All else is *normal*, bundle branch blocks and escape beats of the atria included.

Features after de Chazal, O'Dwyer and Reilly 2004, Llamedo and Martinez 2011 and Alvarado et
al. 2012. Deviations: classes F and Q of ANSI/AAMI EC57 are never given: fusion and paced
beats are called after what they resemble. Aberrant beats of the atria are mostly called
ventricular where they come later than 5 says, or one after the other.

Measured on the first leads of 22 records without pacemaker of the MIT-BIH Arrhythmia Database,
weights made without the record that is judged (5 folds, mean of 3 draws; constants saw all of
them): ventricular Se 97.0 %, +P 97.0 %, supraventricular Se 80.6 %, +P 85.6 %; with the weights
in force, which saw them, 97.1, 97.5, 81.5 and 85.5 %. By folds, 4 of 10 false ventricular beats
are aberrant beats of the atria in one record. On the second leads, mostly V1, by folds:
ventricular Se 71.0 %, +P 91.2 %; nearly half of what is missed there is of one record whose usual
beats are too small to be found. Of bundle branch blocks that come and go (mean QRS and T
of one record put into others, 1 to 40 in a row; weights of version 3), 13 % are called ventricular:
25 % of left ones, 5 % of right ones.

A beat in a stretch that quality calls unreadable (UNSURE, or a masked sample within its QRS)
teaches nothing; it takes the class of a kind that it resembles, else 0, not classified. So
does a beat whose surroundings are not known: within 0.4 s of a gap. Kinds outlast gaps.

**Findings** are those of `beats`, entry by entry, BEATs with their class in the flags.
Decision delay: none, a beat is judged when `beats` has decided it. Rate: 100 to 1000 Hz.
Work: a beat costs a comparison with at most 8 kinds.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from telesurv_kernels import beats
from telesurv_kernels._class_weights import SUPRAVENTRICULAR_WEIGHTS, VENTRICULAR_WEIGHTS
from telesurv_kernels._dtypes import BEAT, CLASS_SHIFT, GAP
from telesurv_kernels._evidence import FEATURES, classify
from telesurv_kernels._jit import borrowed, entry
from telesurv_kernels._kinds import (
    INTERVALS,
    KINDS,
    RING,
    ROWS,
    SHAPE,
    WIDTH,
    interrupt,
)
from telesurv_kernels._p_waves import P_SHAPE
from telesurv_kernels.quality import MISSING_CODE

VERSION = 4
"""Of state and rule: rises when the meaning of either changes."""

BLOCK_HZ_MAX = 160.0  # of blocks: RING of them last 3.2 s
HALF_S = 0.11  # of a QRS about its centre
SEARCH_S = 0.035  # shifts that are tried
CENTRE_S = 0.12  # activity is looked for within this of the R-peak
INITIAL_S = 0.04  # of a QRS, from its onset
BEFORE_S, P_S = 0.25, 0.15  # a P begins so long before the centre, and lasts
BASE_S = (-0.16, -0.11)  # the baseline, between P and QRS
T_S = (0.16, 0.36)  # of a T, to tell its direction

PARAMS = np.dtype(
    [
        ("block_hz", np.float64),
        ("factor", np.int64),  # samples a block
        ("half", np.int64),  # blocks, as all that follow
        ("search", np.int64),
        ("centre", np.int64),
        ("initial", np.int64),
        ("before", np.int64),
        ("p_size", np.int64),
        ("base", np.int64, (2,)),  # before the centre
        ("t", np.int64, (2,)),  # after it
        ("ventricular", np.float64, (len(VENTRICULAR_WEIGHTS),)),  # the bias first
        ("supraventricular", np.float64, (len(SUPRAVENTRICULAR_WEIGHTS),)),
    ]
)

STATE = np.dtype(
    [
        ("count", np.int64),  # samples seen since zero
        ("total", np.int64),  # sum of the present block
        ("held", np.int64),  # the last code that was not missing
        ("masked", np.int64),  # 1: a sample of the present block is
        ("begin", np.int64),  # first block after the last GAP
        ("beats", np.int64),  # that were learned from
        ("dominant", np.int64),  # kind
        ("intervals", np.int64),  # RR seen
        ("follows", np.int64),  # 1: a beat was seen since the last GAP
        ("last", np.int64),  # its R-peak
        ("last_rr_s", np.float64),  # 0: not known
        ("last_kind", np.int64),  # kind + 1 of the beat before; 0: not known
        ("last_ventricular", np.int64),  # 1: it was
        ("p_beats", np.int64),  # that the usual P is a mean of
        ("row", np.int64),  # beats of one kind in a row, neither early nor fast
        ("row_kind", np.int64),  # kind + 1; 0: none
        ("sudden", np.int64),  # beats since the basic rhythm was suddenly left
        ("basics", np.int64),  # RR of the basic rhythm seen
        ("rr_us", np.int32, (INTERVALS,)),
        ("basic_us", np.int32, (INTERVALS,)),  # between beats of the dominant kind
        ("features", np.float32, (FEATURES,)),  # of the last beat judged
        ("size", np.float32, (KINDS,)),  # of each kind: norm of the QRS in codes
        ("share", np.float32, (KINDS,)),  # of all beats, fading
        ("width_s", np.float32, (KINDS,)),  # of the QRS
        ("p_alike", np.float32, (KINDS,)),  # how the P before it correlates with the usual one
        ("rr_mean_s", np.float32, (KINDS,)),  # before its beats
        ("early", np.float32, (KINDS,)),  # RR before / mean RR
        ("pause", np.float32, (KINDS,)),  # two RR about its beats / mean basic RR - 2
        ("vote", np.float32, (KINDS,)),  # mean evidence of its beats
        ("members", np.int32, (KINDS,)),  # beats; 0: no such kind
        ("timed", np.int32, (KINDS,)),  # of them with an RR before
        ("paused", np.int32, (KINDS,)),  # of them with one before, and a usual beat after it
        ("reigned", np.int32, (KINDS,)),  # beats for which it was dominant
        ("p_shape", np.int16, (P_SHAPE,)),  # P before the dominant kind, 16384: norm of its QRS
        ("shape", np.int16, (KINDS, SHAPE)),  # QRS of each kind, mean 0, norm 16384
        ("ring", np.int16, (RING,)),  # codes, block i at i % RING
        ("ring_masked", np.uint8, (RING // 8,)),  # a bit a block: a sample of it is
    ]
)

EVENT = beats.FINDING
"""What `beats` found in the same segments, in its order."""

FINDING = beats.FINDING
"""The same, with classes."""


def params(rate_hz: float) -> NDArray[Any]:
    """Return the PARAMS of a row, shape ``()``.

    Parameters
    ----------
    rate_hz : float
        Samples a second, 100 to 1000.

    Raises
    ------
    AssertionError
        When the rate is out of range.
    """
    low, high = beats.RATE_HZ_MIN, beats.RATE_HZ_MAX
    assert low <= rate_hz <= high, f"rate {rate_hz} Hz, expected 100 to 1000"
    made = np.zeros((), PARAMS)
    factor = int(np.ceil(rate_hz / BLOCK_HZ_MAX))
    block_hz = rate_hz / factor
    made["factor"] = factor
    made["block_hz"] = block_hz
    made["half"] = round(HALF_S * block_hz)
    made["search"] = round(SEARCH_S * block_hz)
    made["centre"] = round(CENTRE_S * block_hz)
    made["initial"] = round(INITIAL_S * block_hz)
    made["before"] = round(BEFORE_S * block_hz)
    made["p_size"] = round(P_S * block_hz)
    made["base"] = [int(-at * block_hz) for at in BASE_S]
    made["t"] = [int(at * block_hz) for at in T_S]
    made["ventricular"] = VENTRICULAR_WEIGHTS
    made["supraventricular"] = SUPRAVENTRICULAR_WEIGHTS
    return made


def capacity(samples: int, segments: int) -> int:
    """Return an upper bound of the findings of one call: those of `beats`."""
    return beats.capacity(samples, segments)


@entry
def advance(
    state: NDArray[Any],
    params: NDArray[Any],
    segments: NDArray[Any],
    samples: NDArray[np.int16],
    mask: NDArray[np.uint8],
    events: NDArray[Any],
    findings: NDArray[Any],
) -> int:
    """Classify the beats of a batch of rows; return how many findings were written.

    Parameters
    ----------
    state : STATE[rows], updated in place
    params : PARAMS[rows]
    segments : SEGMENT[m], in the order of each row's samples; an empty one is ignored
    samples : int16[n], codes
    mask : uint8[n], what `quality` said of them
    events : EVENT[k], what `beats` found in these segments
    findings : FINDING[>= k]
    """
    samples, mask, events, findings = (
        borrowed(samples),
        borrowed(mask),
        borrowed(events),
        borrowed(findings),
    )
    found = 0
    work = np.empty((ROWS, WIDTH), np.int64)
    for segment in range(segments.size):
        first = segments[segment]["first"]
        last = segments[segment]["last"]
        if first >= last:
            continue
        row = segments[segment]["row"]
        s = state[row]
        p = params[row]
        factor = p["factor"]
        ring = s["ring"]
        ring_masked = s["ring_masked"]
        count = s["count"]
        origin = count - first  # sample of the row = index + origin
        total = s["total"]
        held = s["held"]
        masked = s["masked"]
        if segments[segment]["restart"] != 0:
            masked = 1  # a block of two signals is none
        left = factor - count % factor  # samples of this block, this one included
        slot = count // factor % RING
        bits = np.int64(ring_masked[slot >> 3])
        k = first
        while k < last:
            due = last  # samples before it come before the next event
            if found < events.size and events[found]["segment"] == segment:
                due = min(events[found]["decided"] + 1 - origin, last)
            for at in range(k, due):
                code = np.int64(samples[at])
                held = held if code == MISSING_CODE else code
                total += held
                masked |= np.int64(mask[at])
                left -= 1
                if left == 0:
                    ring[slot] = np.int64(np.floor(total / factor + 0.5))
                    bit = 1 << (slot & 7)
                    bits = bits | bit if masked != 0 else bits & ~bit
                    ring_masked[slot >> 3] = bits
                    slot = slot + 1 if slot + 1 < RING else 0
                    if slot & 7 == 0:
                        bits = np.int64(ring_masked[slot >> 3])
                    total = 0
                    masked = 0
                    left = factor
            k = due
            while (
                found < events.size
                and events[found]["segment"] == segment
                and events[found]["decided"] + 1 - origin <= k
            ):
                event = events[found]
                s["count"] = k + origin
                kind = event["kind"]
                flags = event["flags"]
                if kind == GAP:
                    interrupt(s, p, event["sample"])
                elif kind == BEAT:
                    flags |= classify(s, p, event["sample"], flags, work) << CLASS_SHIFT
                finding = findings[found]
                finding["row"] = row
                finding["segment"] = segment
                finding["kind"] = kind
                finding["sample"] = event["sample"]
                finding["decided"] = event["decided"]
                finding["value"] = event["value"]
                finding["flags"] = flags
                found += 1
        s["count"] = last + origin
        s["total"] = total
        s["held"] = held
        s["masked"] = 1 if masked != 0 else 0
    return found
