"""Atrial fibrillation from beats: onset and end, by RR intervals that nothing foretells.

An *event* kernel: it consumes the BEAT, MARK, GAP and FIBRILLATION events of one heart, or of a
belt that sends only beats, in device time (int64 nanoseconds), and needs no samples.

**Irregularly irregular** is meant literally (Lake and Moorman 2011, coefficient of sample
entropy). Of the last 40 pairs of RR that follow each other, all those are compared with each
other whose first RR are alike, within 4 %: how often are the second ones alike, too? In sinus
rhythm nearly always; in bigeminy, trigeminy or with single early beats often, for after like
intervals come like ones; in atrial fibrillation no more often than by chance. This share,
times the mean RR in seconds, is below `limit_s` in atrial fibrillation (the logarithm of it is
their coefficient, up to a constant): fast and unpredictable weighs more than slow and
unpredictable, which sinus arrhythmia is, too. Below 55 per minute the mean stays 1.1 s: RR of slow
atrial fibrillation vary no more in parts of their mean, and would be too like by chance.

- `atrial-fibrillation`: the window is irregular for 30 s of RR (ESC 2016), or for 52 beats where
  those take less, above 104 per minute, those included that made it so; and nothing below
  explains it. Onset: where irregular beats began to fill the window, 26 beats before it became
  irregular (a window turns when two thirds of it are new); where all of a first window
  is irregular, its begin. Value of ON: mean rate per minute of the window.
- It ends after 60 beats of regular rhythm. End: 13 beats before the window became regular.
  Value of OFF: seconds from onset to end; the burden of a day is their sum.
- It ends where **the ventricles fibrillate**: no beat of theirs comes from the atria then, and
  what ends that, a shock, ends both. The graver condition is told; the window is begun anew.

**Ectopy** must not explain it. Where one ventricular or fusion beat lies between two others, half
of the time between those stands for both RR: behind a compensatory pause that is the RR of the
rhythm beneath. Two in a row, and nothing is taken. Where a quarter of the beats is ectopic none
begins, for few that are not recognised among so many would do. Supraventricular beats count like
normal ones: atrial fibrillation makes early narrow beats itself, and who leaves them out leaves out
what is to be found; their patterns are foretold. So are those of beats that nobody classified,
less well (ventricular ones of many couplings pass).

What of it nobody recognised shows in how RR are **spread**. Those of atrial fibrillation vary as
much as they vary: two are alike by chance, which is 4 % / sqrt(pi) / spread where they are
normally distributed (the spread: standard deviation in parts of the mean), and less than twice that
even where they fall off exponentially behind the shortest, as long ones do (Hennig 2006). Early
beats and pauses beside a rhythm widen the spread, and the RR of the rhythm are alike all the same.
So when it would begin, none does where the share of pairs that repeat is over twice what chance
makes of the spread (`PEAKED`); nor where that is over 40 % (`SPREAD_MAX`): it is 10 to 35 % in
atrial fibrillation, more where beats are missed, invented or early throughout.

**The breath** must not, either. Sinus arrhythmia swings about the mean, and whatever swings follows
from its two values before; in atrial fibrillation RR are not correlated with those before
(Bootsma 1970). So none begins where a line through the two RR before, by least squares, foretells
over 35 % of the variance in the window (`FORETOLD_MAX`): it is 4 % in atrial fibrillation, 30 % at
most in 19 of 20 windows, and 50 to 80 % where RR swing by 10 % or more with a breath of 4 s.

Flutter with variable conduction is found where its RR are not foretold, and is then called
atrial fibrillation; flutter with regular conduction is not found.

Unreadable is neither regular nor irregular: an RR counts if both its beats are sure and every
MARK between says that the signal was readable throughout, and if it is 0.15 to 3 s long. While
fibrillation of the ventricles is suspected none does. After 30 s without a pair of RR
the window is begun anew; a condition that is present goes on.

Deviations from the sources: a tolerance in parts of the RR, not in ms, pair by pair, so that
counts are whole numbers and a beat costs two passes over the window; 52 beats beside ESC's 30 s,
which are 75 at 150 per minute (convention: decided within 60 beats). Both count while the window
is irregular: a run of 35 that comes and goes at an unchanged rate may do. `limit_s` was fitted,
between the two errors: in 13 records of the MIT-BIH Atrial Fibrillation Database 98.2 % of its
beats are found and 99.0 % of the others left alone, where it was chosen on other records (five
folds). From 0.14 to 0.18 it is above 97.5 and 98.5 %, and windows of 32 to 48 pairs, or a
likeness of 3 to 5 %, do as well. ONSET_BACK and END_BACK were set to the medians of those that are
marked for over 30 s there; four fifths of the onsets and ends that are found lie within 8 s.

Decision delay: 26 beats, which turn the window (40 fill a first one), or 30 s of RR or 52 beats,
whichever of these comes first, if that takes longer, and the MARK that covers the last: within
60 beats.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from telesurv_kernels._dtypes import (
    ATRIAL_FIBRILLATION,
    BEAT,
    CLASS_MASK,
    CLASS_SHIFT,
    FIBRILLATION,
    FUSION,
    GAP,
    MARK,
    OFF,
    ON,
    PRESENT,
    UNSURE,
    VENTRICULAR,
)
from telesurv_kernels._finding import put_event
from telesurv_kernels._jit import borrowed, entry, kernel
from telesurv_kernels._pairs import WINDOW, foretold, forget, push, spread
from telesurv_kernels._pending import PENDING, covered_by, hold, readable_to, release

VERSION = 2
"""Rises when the meaning of the state changes."""

ONSET_BACK, END_BACK = 26, 13
"""Beats of the new rhythm in a window that turns irregular, and regular again."""

ECTOPIC_PART = 4
"""Where this part of the beats is ventricular, or more, ectopy explains what is irregular."""

REGULAR_BEATS = 60
"""End it."""

LIMIT_S = 0.155
"""Share of pairs that repeat, times mean RR, in atrial fibrillation: 19 % at 75/min."""

SLOW_US = 1_100_000
"""Mean RR beyond which slower is not more regular."""

SHORTEST_S = 30.0
"""ESC 2016."""

SHORTEST_BEATS = 52
"""Irregular beats that do as well: it is to be decided within 60 of its onset."""

PEAKED = 0.045
"""Share of pairs that repeat, times the spread: twice 2 / ALIKE / sqrt(pi), chance's."""

SPREAD_MAX = 0.4
"""Standard deviation of RR to their mean, beyond atrial fibrillation's."""

FORETOLD_MAX = 0.35
"""Part of the variance of RR that the two RR before foretell, beyond atrial fibrillation's."""

RR_US_MIN, RR_US_MAX = 150_000, 3_000_000
"""No RR of a heart that beats; longer ones are a pause."""

PARAMS = np.dtype(
    [
        ("limit_s", np.float64),
        ("shortest_s", np.float64),
        ("shortest_beats", np.int64),
    ]
)

STATE = np.dtype(
    [
        ("seen", np.int64),  # 1: decided_ns holds
        ("decided_ns", np.int64),  # all beats before it are known: the last MARK or GAP
        ("fibrillating", np.int64),  # 1: the ventricles fibrillate, or may
        ("paired", np.int64),  # 1: an RR may begin at last_ns
        ("last_ns", np.int64),  # the last beat that was not ectopic
        ("skipped", np.int64),  # 1: an ectopic one followed
        ("ectopic", np.int64),  # ventricular and fusion beats since the last pair
        ("rr_us", np.int64),  # the RR that ended there; 0: none that counts
        ("count", np.int64),  # pairs in the window
        ("head", np.int64),  # slot of the next one; of the oldest when the window is full
        ("judged", np.int64),  # 1: the window was full before
        ("alike", np.int64),  # pairs of pairs with like first RR
        ("repeated", np.int64),  # those of them with like second RR
        ("sum_us", np.int64),  # of the second RR
        ("ectopic_sum", np.int64),  # of ectopic_before
        ("present", np.int64),  # 1: atrial fibrillation
        ("suspected", np.int64),  # 1: irregular since onset_ns, not yet for long enough
        ("onset_ns", np.int64),
        ("irregular_us", np.int64),  # RR since then
        ("irregular_beats", np.int64),  # beats since then, the ectopic ones, too
        ("regular", np.int64),  # regular beats since end_ns; 0: irregular
        ("end_ns", np.int64),
        ("first_us", np.int32, (WINDOW,)),
        ("second_us", np.int32, (WINDOW,)),
        ("ectopic_before", np.int32, (WINDOW,)),  # ectopic beats since the pair before
        ("beats_ns", np.int64, (WINDOW,)),  # where the second RR ends
        ("crowded", np.int64),  # 1: a beat did not fit: the stretch is not to be trusted
        ("pending", np.int64),  # beats that wait for their MARK, by time
        ("pending_ns", np.int64, (PENDING,)),
        ("pending_flags", np.int64, (PENDING,)),
    ]
)


def params(
    limit_s: float = LIMIT_S,
    shortest_s: float = SHORTEST_S,
    shortest_beats: int = SHORTEST_BEATS,
) -> NDArray[Any]:
    """Return the PARAMS of a row, shape ``()``.

    Parameters
    ----------
    limit_s : share of pairs of RR that repeat, times the mean RR, below which they are irregular
    shortest_s, shortest_beats : irregular RR that make atrial fibrillation, seconds, and as many
        beats, whichever comes first
    """
    assert 0 < limit_s < 1, limit_s
    assert shortest_s > 0, shortest_s
    assert shortest_beats > 0, shortest_beats
    row = np.zeros((), PARAMS)
    row["limit_s"] = limit_s
    row["shortest_s"] = shortest_s
    row["shortest_beats"] = shortest_beats
    return row


def capacity(samples: int, segments: int) -> int:
    """Return an upper bound of the findings of one call.

    Parameters
    ----------
    samples : number of events given
    segments : distinct rows among them, or more

    A beat, or FIBRILLATION, leads to one finding at most; beats of earlier calls may wait.
    """
    return samples + PENDING * segments


@entry
def advance(
    state: NDArray[Any], params: NDArray[Any], events: NDArray[Any], findings: NDArray[Any]
) -> int:
    """Consume `events` and return how many `findings` were written.

    Parameters
    ----------
    state : STATE[rows], updated in place
    params : PARAMS[rows]
    events : EVENT[m]; of one row in the order in which they were decided
    findings : FINDING[capacity]
    """
    events, findings = borrowed(events), borrowed(findings)
    found = 0
    for index in range(len(events)):
        event = events[index]
        row = event["row"]
        s = state[row]
        kind = event["kind"]
        if kind == BEAT:
            hold(s, event["time_ns"], event["flags"])
        elif kind == FIBRILLATION:
            s["fibrillating"] = event["value"] != 0.0
            if event["value"] == PRESENT:
                forget(s)
                if s["present"] == 1:
                    end_ns = max(event["time_ns"], s["onset_ns"])
                    found = _over(s, end_ns, event, findings, found)
        elif kind == MARK and s["seen"] == 1 and event["time_ns"] >= s["decided_ns"]:
            covered = covered_by(s, event["time_ns"])
            if readable_to(s, event):
                for slot in range(covered):
                    beat_ns, flags = s["pending_ns"][slot], s["pending_flags"][slot]
                    found = _beat(s, params[row], beat_ns, flags, event, findings, found)
            else:
                s["paired"] = 0
            s["decided_ns"] = event["time_ns"]
            release(s, covered)
        elif kind in (MARK, GAP):
            # A MARK that is the first event, or lies before what was decided, tells no more
            # than a GAP: signal begins here.
            s["seen"] = 1
            s["decided_ns"] = event["time_ns"]
            s["paired"] = 0
            s["fibrillating"] = 0
            release(s, s["pending"])
    return found


@kernel
def _beat(
    s: Any, p: Any, time_ns: int, flags: int, event: Any, findings: NDArray[Any], found: int
) -> int:
    """Take a beat of a stretch that was readable up to it."""
    beat_class = flags >> CLASS_SHIFT & CLASS_MASK
    ectopic = beat_class in (VENTRICULAR, FUSION)
    if flags & UNSURE or s["fibrillating"] == 1:
        s["paired"] = 0
        return found
    if ectopic:
        s["paired"] = s["paired"] == 1 and s["skipped"] == 0
        s["skipped"] = 1
        s["ectopic"] = min(s["ectopic"] + 1, WINDOW)
        return found
    before_us, rr_us = 0, 0
    if s["paired"] == 1:
        before_us = s["rr_us"]
        rr_us = (time_ns - s["last_ns"]) // (1000 * (1 + s["skipped"]))
        if not RR_US_MIN <= rr_us <= RR_US_MAX:
            rr_us = 0
    s["paired"] = 1
    s["skipped"] = 0
    s["last_ns"] = time_ns
    s["rr_us"] = rr_us
    if before_us == 0 or rr_us == 0:
        return found
    push(s, before_us, rr_us, time_ns)
    if s["count"] < WINDOW:
        return found
    # Share of pairs that repeat * mean RR < limit, without a division.
    left = s["repeated"] * min(s["sum_us"], SLOW_US * WINDOW) * 1e-6
    irregular = left < p["limit_s"] * (s["alike"] * WINDOW)
    back = WINDOW - 1
    if s["judged"] == 1:
        back = ONSET_BACK if irregular else END_BACK
    s["judged"] = 1
    if s["present"] == 0:
        return _begin(s, p, irregular, back, event, findings, found)
    return _end(s, irregular, back, event, findings, found)


@kernel
def _begin(
    s: Any, p: Any, irregular: bool, back: int, event: Any, findings: NDArray[Any], found: int
) -> int:
    """Judge whether it has been irregular for long enough."""
    if not irregular or s["ectopic_sum"] * (ECTOPIC_PART - 1) >= WINDOW:
        s["suspected"] = 0
        return found
    newest = s["head"] - 1
    if s["suspected"] == 0:
        s["suspected"] = 1
        s["onset_ns"] = s["beats_ns"][(newest - back) % WINDOW]
        s["irregular_us"] = 0
        s["irregular_beats"] = 0
    else:
        back = 1
    for beat in range(back):
        slot = (newest - beat) % WINDOW
        s["irregular_us"] += s["second_us"][slot]
        s["irregular_beats"] += 1 + s["ectopic_before"][slot]
    lasted = s["irregular_us"] >= p["shortest_s"] * 1e6
    if not lasted and s["irregular_beats"] < p["shortest_beats"]:
        return found
    s["suspected"] = 0
    # Do RR repeat more than chance makes of their spread, spread too far, or go with the breath?
    width = spread(s)
    if width > SPREAD_MAX or s["repeated"] * width > PEAKED * s["alike"]:
        return found
    if foretold(s) > FORETOLD_MAX:
        return found
    s["present"] = 1
    s["regular"] = 0
    per_min = WINDOW * 60e6 / s["sum_us"]
    return put_event(findings, found, event, ON, ATRIAL_FIBRILLATION, s["onset_ns"], 0, per_min)


@kernel
def _end(s: Any, irregular: bool, back: int, event: Any, findings: NDArray[Any], found: int) -> int:
    """Judge whether it has been regular for long enough."""
    if irregular:
        s["regular"] = 0
        return found
    if s["regular"] == 0:
        s["regular"] = back
        s["end_ns"] = max(s["beats_ns"][(s["head"] - 1 - back) % WINDOW], s["onset_ns"])
    else:
        s["regular"] += 1
    if s["regular"] < REGULAR_BEATS:
        return found
    return _over(s, s["end_ns"], event, findings, found)


@kernel
def _over(s: Any, end_ns: int, event: Any, findings: NDArray[Any], found: int) -> int:
    """Say that it ended."""
    s["present"] = 0
    s["regular"] = 0
    burden_s = (end_ns - s["onset_ns"]) / 1e9
    return put_event(findings, found, event, OFF, ATRIAL_FIBRILLATION, 0, end_ns, burden_s)
