"""Beats of an ECG lead: R-peaks, found sample by sample.

0. Pacing pulses are taken out, from 400 Hz on (`_pulses`).
1. Means of blocks of samples, 100 to 200 a second, and their band-pass of 8 to 24 Hz (`_band`),
   where a QRS has its energy and P, T and baseline have little (Elgendi, Jonkman and De Boer 2010,
   found 8 to 20 Hz best), in whole uV. What blocks lose lies above the band. All that follows is
   done when a block is complete.
2. Power of the last 100 ms, about a QRS. Its hills are the candidates: one begins at twice the
   lowest power since the last, and at the power of an eighth of the usual beat, below which
   nothing could become one; it is over when the power fell to half of its top, or 150 ms after
   the top.
3. The R-peak is the largest deflection of the signal itself within 70 ms of the hill's
   centre, from the mean of that stretch. A hill of which that stretch is cut, because signal
   begins in it or is lost in it, is no candidate: its peak may lie beyond.
4. Candidates wait until what follows them is known, 750 ms at most, and are judged by their
   strength (root mean square of the band within the hill):

   - Of two within 200 ms the stronger stays; so it does of two within 300 ms and 0.4 of the
     usual RR, unless they are within 10 % of each other: P, Q, R, S, T of one beat.
   - Until 0.36 s after a beat, what is less than half as steep as that beat, and as the
     usual one, is its T (Pan and Tompkins 1985); until 0.5 s the share falls to nothing. Where
     signal begins, a beat may have come just before.
   - Strong (above noise by 0.45 of the way to the usual beat) is a beat once 400 ms passed.
   - Clear is a beat when no stronger one follows within 0.5 RR, and no strong one within
     0.4 RR. What is clear depends on the time since the last beat, for its T lies there:
     0.45 of the way until 0.36 s, 0.25 from 0.5 s on; or 0.7 of the last beat, for the T of a
     small beat is small (runs of aberrant beats).
   - Weak (0.2 of the way) must fill a gap besides: 0.5 RR after the last beat, and without a
     strong one within 750 ms the gap is 1.5 RR. This is the search-back of Pan and Tompkins
     without looking back: the weak ones wait. In calm signal (noise below 0.12 of the usual
     beat, a resting baseline), one without a strong one within 750 ms fills a gap as it is, if
     it rises within 20 ms by 0.8 of its height, which no T does: a premature beat that is
     conducted with aberration, and its pause.

   The usual beat is a low quantile of the last 8, so that a small beat among big ones, or
   after one, is measured by its like. Noise is twice the calmest 100 ms of a quarter of a
   second, the median of 8: rejected candidates would not do, for they may be beats.
5. In noise that lasts (above a tenth of the usual beat, 2 s and more) and is unlike a heart (the
   baseline travels, or muscle bends the signal: no tachycardia does either; or did within 2 s,
   for motion comes in bouts) the patient's own shapes, learnt in calm signal, are looked for
   everywhere (`_shapes`): a stretch that is like one is a beat, the more alike of two within
   250 ms. What is like none is no beat so shortly before one that is, and needs evidence: a
   weighted sum of how like and how strong it is, how long ago the last beat was and how soon a
   known shape follows (in RR), and how little noise there is; then it is judged as above. More
   is asked where the baseline travels far, for motion makes deflections like a QRS and muscle
   does not, and where known shapes explain the last beats, for likeness tells little of a
   heart whose beats are of many shapes. A candidate that came more than a quarter of a second
   before the noise was seen to last was not compared, and needs none.
   The weights are a logistic regression on MIT-BIH records and their mixtures with noise,
   rounded; the least evidence, and how much of it the share of known beats takes, were set by
   hand on the same: least evidence of 3.1 to 3.9 gives sensitivities of 99.84 to 99.86 and
   predictivities of 99.91 to 99.92 % on 24 records; chosen by fewest errors on four fifths of
   the records, 99.85 and 99.91 % on the others (20 draws of five folds). When levels are taken
   anew the shapes are forgotten.
6. Nothing weaker than 0.04 mV in the band is a candidate. A QRS of 0.15 mV peak to peak is
   about that, and a monitor is not to count smaller ones (ANSI/AAMI EC13).

**Learning.** For the first 2 s of a row candidates are only collected, then judged by the
strongest, and their slopes by the steepest: nothing is lost, it comes late. After a gap the old
levels hold until beats say otherwise. Levels move with beats alone and do not fade, so that in
an asystole the thresholds do not sink into the noise. After 8 s without a beat (3 s while fewer
than 4 followed a gap) they are taken anew: the strongest of the last rejected candidates
becomes the usual beat, if it has an eighth of the old strength, for an electrode may have
moved; else the usual beat is halved.

**Findings.** BEAT: R-peak at `sample`, value its height in mV against the mean of its
surroundings (negative where it points down), UNSURE where the mask says unreadable. MARK,
each quarter of a second of the row's own count of samples: all beats before `sample` are
known; value is the number of readable samples since the last MARK or GAP. It lags by a quarter
of a second in a calm baseline, by half a second where a hill rises or a strong candidate waits,
by three quarters where a weak one does, or one in noise, and by 2.75 s at most while learning;
where nothing new is known it is left out. GAP: signal begins at
`sample`, after a restart or after 1 s of missing or masked constant signal; what was still
undecided before it is dropped. Beats come in the order of their peaks.

Unit: mV. Rate: 100 to 1000 Hz. Decision delay: 0.41 s for a strong beat, 0.6 s in noise, at
most 0.75 s; 2 s more at the start. Work: bounded a sample; a candidate costs a search over
140 ms and over at most 12 that wait, a beat or 4 ms of noise the comparison of 130 ms with
4 shapes.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from telesurv_kernels._band import (
    BLOCKS,
    pass_band,
    range_of,
    recall,
    retain,
    sum_power,
    sum_quarter,
    take_in,
    until_hill,
)
from telesurv_kernels._beats_rule import (
    FINDING,
    OFFSET_MAX,
    PARAMS,
    RATE_HZ_MAX,
    RATE_HZ_MIN,
    STATE,
    capacity,
    params,
)
from telesurv_kernels._blocks import sum_blocks
from telesurv_kernels._candidates import ALWAYS, begin, consider, next_verdict, put
from telesurv_kernels._dtypes import GAP
from telesurv_kernels._jit import borrowed, entry
from telesurv_kernels._plain import NO_SIGNAL, is_readable, plain_until, readable_of, remember
from telesurv_kernels._pulses import (
    CODE_MAX,
    EDGE_SHARE,
    FIT,
    HELD,
    NOTHING,
    begin_pulse,
    without_pulse,
)
from telesurv_kernels._shapes import CODES, WORK
from telesurv_kernels._verdicts import judge, mark
from telesurv_kernels.quality import MISSING

__all__ = [
    "FINDING",
    "PARAMS",
    "RATE_HZ_MAX",
    "RATE_HZ_MIN",
    "STATE",
    "VERSION",
    "advance",
    "capacity",
    "params",
]

VERSION = 6
"""Of state and rule: rises when the meaning of either changes."""


@entry
def advance(
    state: NDArray[Any],
    params: NDArray[Any],
    segments: NDArray[Any],
    samples: NDArray[np.int16],
    mask: NDArray[np.uint8],
    findings: NDArray[Any],
) -> int:
    """Find the beats of a batch of rows; return how many findings were written.

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
    samples, mask, findings = borrowed(samples), borrowed(mask), borrowed(findings)
    space = np.zeros(1, WORK)
    for segment in range(segments.size):
        first = segments[segment]["first"]
        last = segments[segment]["last"]
        if first >= last:
            continue
        row = segments[segment]["row"]
        s = state[row]
        p = params[row]
        work = space[0]  # in the loop: a record does not keep its array alive
        powers = work["powers"]
        factor = p["factor"]
        hill = p["hill"]
        quarter = p["quarter"]
        dead_run = p["dead"]
        edge = p["edge"]
        codes = s["codes"]
        if segments[segment]["restart"] != 0:
            s["going"] = 0
            s["pending"] = 0
            s["due"] = ALWAYS
            s["pulse"] = NOTHING
        going = s["going"]
        count = s["count"]
        dead = s["dead"]
        missing = s["missing"]
        offset = s["offset"]
        total = s["total"]
        power = s["power"]
        rising = s["rising"]
        top = s["top"]
        top_sample = s["top_sample"]
        due = s["due"]
        readable = s["readable"]
        calm = s["calm"]
        pulse = s["pulse"]
        raw1, raw2 = s["raw"][0], s["raw"][1]
        floor = s["floor"]
        quarter_blocks = quarter // factor
        left = quarter - count % quarter  # samples of this quarter that are to come
        shift = count - first  # from indices of this batch to the row's samples
        k = first
        part = count % factor  # samples of the present block so far
        plain = first  # up to here nothing is special, from the last look on,
        clear = True  # and all of that can be read
        while k < last:
            kept = k  # up to here the row remembers codes and bits
            if k >= plain and pulse == NOTHING:
                plain = min(last, k + BLOCKS * factor)
                clear = is_readable(mask[k:plain])
                plain = plain_until(samples, mask, k, plain, raw1, edge, clear)
            clean = going != 0 and pulse == NOTHING and missing == 0
            blocks = 1
            if part != 0 or k + factor > plain or dead != 0 or not clean:
                # Sample by sample to the end of the block.
                until = min(last, k + factor - part)
                while k < until:
                    at = k + shift
                    bit = mask[k]
                    raw: Any = np.int64(samples[k])
                    if bit & NO_SIGNAL:
                        dead += 1
                    else:
                        if going == 0 or dead >= dead_run:
                            found = put(findings, found, row, segment, GAP, at, at, 0.0, 0)
                            begin(s, p, at)
                            going = 1
                            due = s["due"]
                            readable = 0
                            calm = ALWAYS
                            offset = raw
                            total = missing = 0
                            power = top = 0
                            floor = s["floor"]
                            rising = 0
                            top_sample = at
                            pulse = NOTHING
                            raw1 = raw2 = raw
                        dead = 0
                    before: Any = np.int64(codes[(at - 1) & (CODES - 1)])
                    code: Any = raw
                    if bit & MISSING:
                        code = before
                        pulse = NOTHING
                        missing = 1
                    else:
                        if missing != 0:
                            # The signal goes on where it left off: no step for the filter to ring.
                            offset += raw - before
                            if abs(offset) > OFFSET_MAX:
                                offset = raw
                            raw1 = raw2 = raw
                            missing = 0
                        step, step1 = abs(raw - raw1), abs(raw1 - raw2)
                        sharp = step >= edge and EDGE_SHARE * step1 <= step
                        if going != 0 and sharp and pulse != HELD and pulse != FIT:
                            code = before
                            if (raw - raw1) * (raw1 - raw2) > 0:
                                code -= raw1 - raw2  # the pulse's first part of a sample
                            code = min(max(code, -CODE_MAX), CODE_MAX)
                            begin_pulse(s, p, code, raw)
                            pulse = HELD
                        elif pulse != NOTHING:
                            code = without_pulse(s, p, raw)
                            pulse = s["pulse"]
                        raw2 = raw1
                        raw1 = raw
                    codes[at & (CODES - 1)] = code
                    s["bits_recent"][at & (CODES - 1)] = bit
                    if bit != 0:
                        s["bits_end"] = at + 1
                    readable += bit == 0
                    total += code - offset
                    k += 1
                left -= k - kept
                part += k - kept
                kept = k
                if part != factor:
                    break  # the chunk's end
                part = 0
                at = k + shift - 1  # the end of the first block
                work["totals"][0] = total
                less = total = 0
                to_come = left // factor + 1  # blocks of this quarter, from the first on
            else:
                at = k + shift + factor - 1
                blocks = (plain - k) // factor
                sum_blocks(samples, k, factor, work["totals"][:blocks])
                less = factor * offset
                to_come = left // factor
                k += blocks * factor
                raw2 = np.int64(samples[k - 2]) if k - 2 >= kept else raw1
                raw1 = np.int64(samples[k - 1])
            if going != 0:
                recall(s, work)
                take_in(blocks, less, work)
                pass_band(p, blocks, work)
                sum_power(p, power, blocks, work)
                retain(s, blocks, work)
                power = powers[blocks - 1]
            block = 0
            while block < blocks:
                # To the end of the quarter, or of the blocks.
                some = min(blocks - block, to_come)
                ends = at + (some - 1) * factor
                until = ends + 1 - shift
                readable += until - kept if clear else readable_of(mask, kept, until)
                stop = block + some
                if going != 0:
                    sum_quarter(s, block, stop, work)
                    lowest, highest = range_of(powers[block:stop])
                    calm = min(calm, lowest)
                    if rising == 0 and highest < floor and due > ends:
                        top = min(top, lowest)
                        block = stop
                else:
                    block = stop
                while block < stop:
                    # On to the first block after which there is something to do.
                    look = stop
                    if due <= ends:
                        look = block + max((due - at + factor - 1) // factor, 0) + 1
                    if rising == 0:
                        few, top = until_hill(powers[block:look], top, floor)
                        block += few
                        at += few * factor
                        if block < look:
                            rising = 1
                            top = 0
                    over = False
                    while block < look:
                        now = powers[block]
                        if now > top:
                            top = now
                            top_sample = at
                        elif 2 * now < top or at - top_sample >= hill:
                            over = True
                            break
                        at += factor
                        block += 1
                    if over:
                        if kept < at + 1 - shift:
                            remember(s, samples, mask, kept, at + 1 - shift, shift, clear)
                            kept = at + 1 - shift
                        consider(s, p, top, top_sample, at, work)
                        due = next_verdict(s, p, at)
                        rising = 0
                        top = powers[block]
                        at += factor
                        block += 1
                    if at - factor >= due:
                        found = judge(s, p, row, segment, at - factor, findings, found, work)
                        due = s["due"]
                at = ends + factor
                if kept < until:
                    remember(s, samples, mask, kept, until, shift, clear)
                    kept = until
                to_come -= some
                if to_come == 0:
                    to_come = quarter_blocks
                    if going != 0:
                        s["readable"] = readable
                        s["calm"] = calm
                        s["rising"] = rising
                        s["top_sample"] = top_sample
                        found = mark(s, p, row, segment, ends, findings, found, work)
                        calm = ALWAYS
                        due = s["due"]
                        floor = s["floor"]
                    readable = 0
            left = to_come * factor
        s["count"] = last + shift
        s["dead"] = dead
        s["missing"] = missing
        s["going"] = going
        s["offset"] = offset
        s["total"] = total
        s["power"] = power
        s["rising"] = rising
        s["top"] = top
        s["top_sample"] = top_sample
        s["due"] = due
        s["readable"] = readable
        s["calm"] = calm
        s["pulse"] = pulse
        s["raw"][0] = raw1
        s["raw"][1] = raw2
    return found
