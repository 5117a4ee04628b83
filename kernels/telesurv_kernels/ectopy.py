"""What ectopic beats form: runs, patterns, sudden tachycardia; missed beats; hourly counts.

An *event* kernel: it consumes the BEAT (with their class), MARK and GAP events of one heart, in
device time (int64 nanoseconds), and needs no samples.

Rules, their parameters, and when each is decided (with the MARK that covers what is named):

- `ventricular-tachycardia`: `vt_beats` (5) ventricular beats in a row or more, the last of them
  at a mean rate above `vt_per_min` (100) (PhysioNet/CinC Challenge 2015; AHA/ACC/HRS 2017, which
  asks for 3 beats), which one lead shows throughout, alike in height (`_runs`). Onset: the first
  of these 5; decided with the fifth. It ends with 5 beats in a row that are not ventricular, at
  the last ventricular one. Value: that rate per minute.
- `ventricular-run`: 3 or more ventricular beats in a row, fewer than `vt_beats`, at a mean rate
  above `vt_per_min` (AHA/ACC/HRS 2017). An episode, decided with the beat that follows. Value:
  that rate.
- `couplet`: 2 ventricular beats in a row, at any rate; a run is none (convention). An episode,
  decided with the beat that follows. Value: rate per minute.
- `bigeminy`, `trigeminy`: N-V, or N-N-V, 3 times in a row (convention); N is any beat that is not
  ventricular. Onset: the first beat of the pattern; decided with the third V. It ends with the
  beat that breaks the pattern, at its last V. Value: 3.
- `supraventricular-tachycardia`: 10 beats in a row of class N or S, mean rate above `svt_per_min`
  (120), their 9 RR within 15 % of their mean, the 4 RR before 1.25 times as long in the mean or
  longer: sudden and regular, unlike sinus tachycardia and atrial fibrillation (convention;
  implanted devices ask for 9 to 25 % and call it sudden onset). Onset: the first of the 10,
  decided with the tenth. It ends with 5 RR in a row at or below the rate. Value: rate.
- `missed-beat`: an RR of 1.8 to 2.2 times the median of the 8 before, below 3 s (a `pause`), 3
  times within 60 s (convention; second-degree and exit block look like this, and are not named).
  Nothing may explain it: its two beats, and the ones before and after, are class N, the RR before
  is no early one (0.85 of the median or more), the RR after is within 15 % of the median (else
  a fast rhythm was over), as are 7 of those 8, or they are missed themselves. Onset: where the
  first of the three begins; decided with the beat after the third. It ends after 60 s of
  readable signal without one, at the last one's end. Value: 3.
- `frequent-ventricular-beats`: more than `per_hour_max` (30) in an hour of device time, or 3 times
  as many for the time as in the last 24 analysed hours (convention: 10 of them at least, 12 h
  analysed). Decided with the hour's end; value: their count. It ends when 24 analysed hours
  were below, at the end of the last that was not. Half of an analysed hour was readable; in the
  others too many are too many all the same, but few prove nothing.

Beats are *in a row* if all are sure and classified, each within 4 s of the one before, and every
MARK between says that the signal was readable throughout. What interrupts a row ends no
condition, and everything else begins anew: a couplet or a run that unreadable signal cuts off is
none, for noise mostly begins before it is recognised. Nor is one with which noise came: the beat
that follows stands out of it by less than 5 times, and by less than half as much as the beat
before (what `beats` says with each; its noise is of the last 2 s). After 4 s without a beat it is
one.

A single ventricular beat that was missed or taken for another breaks a run: the definition is
kept to, and the rate of the last 5 beats, not of the whole run, decides, so that a tachycardia
is found 5 beats after such a hole, and one that begins slowly when it is fast.

Decision delay: as above, and the delay of the beat kernel's MARK.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from telesurv_kernels._dtypes import (
    BEAT,
    CLASS_MASK,
    CLASS_SHIFT,
    COUPLET,
    EPISODE,
    GAP,
    MARK,
    NOISE_SHIFT,
    NORMAL,
    OFF,
    ON,
    RUN_MASK,
    RUN_SHIFT,
    SUPRAVENTRICULAR,
    UNSURE,
    VENTRICULAR,
    VENTRICULAR_RUN,
    VENTRICULAR_TACHYCARDIA,
)
from telesurv_kernels._ectopy_rates import (
    DAY_HOURS,
    HOUR_NS,
    MISSED,
    calm,
    close_hour,
    missed,
    narrow_tachycardia,
)
from telesurv_kernels._finding import put_event
from telesurv_kernels._jit import borrowed, entry, kernel
from telesurv_kernels._patterns import PATTERNS, RECENT, beats_back, grouped
from telesurv_kernels._pending import PENDING, covered_by, hold, readable_to, release

VERSION = 1
"""Rises when the meaning of the state changes."""


VT_BEATS, VT_PER_MIN, VT_END_BEATS = 5, 100.0, 5
COUPLET_BEATS, RUN_BEATS = 2, 3
SVT_PER_MIN = 120.0
PER_HOUR_MAX = 30

NOISY, NOISIER = 20, 2
"""Usual beat to noise, in 1/4, and how many times less than before: noise came (convention)."""

ROW_NS = 4_000_000_000
"""An RR of this length ends a row: it is asystole."""

PARAMS = np.dtype(
    [
        ("vt_beats", np.int64),  # in a row
        ("vt_per_min", np.float64),  # ventricular tachycardia, and runs, above
        ("svt_per_min", np.float64),
        ("per_hour_max", np.int64),  # ventricular beats
    ]
)

STATE = np.dtype(
    [
        ("seen", np.int64),  # 1: decided_ns holds
        ("decided_ns", np.int64),  # all beats before it are known: the last MARK or GAP
        ("row", np.int64),  # beats in a row, at most RECENT
        ("head", np.int64),  # slot of beats_ns to be written next
        ("beats_ns", np.int64, (RECENT,)),
        ("ventricular", np.int64),  # of those, ventricular without another, at most RECENT
        ("others", np.int64),  # not ventricular without one that is, at most RECENT
        ("anchored", np.int64),  # 1: a ventricular one came before those, in this row
        ("normal", np.int64),  # of class N without another
        ("narrow", np.int64),  # of class N or S without another
        ("ventricular_ns", np.int64),  # the last ventricular beat
        ("clear", np.int64),  # usual beat to noise at the last other one of this row, in 1/4
        ("tachycardia", np.int64),  # 1: ventricular tachycardia is present
        ("patterns", np.int64, (PATTERNS,)),  # 1: bigeminy, trigeminy is present
        ("groups", np.int64, (PATTERNS,)),  # how often it came in a row
        ("narrow_tachycardia", np.int64),  # 1: supraventricular tachycardia is present
        ("slow", np.int64),  # RR in a row at or below its rate
        ("missed", np.int64),  # 1: missed beats are present
        ("missed_count", np.int64),  # of missed_ns, at most MISSED
        ("missed_ns", np.int64, (MISSED,)),  # where the last long RR began, in their order
        ("missed_end_ns", np.int64),  # and the last of them ended
        ("calm_ns", np.int64),  # readable since then
        ("hour", np.int64),  # hours since the epoch, of the counts below
        ("hour_count", np.int64),  # ventricular beats
        ("hour_ns", np.int64),  # readable
        ("hours", np.int64),  # of the two below, at most DAY_HOURS; the oldest is overwritten
        ("hour_head", np.int64),
        ("day_count", np.int64, (DAY_HOURS,)),
        ("day_ns", np.int64, (DAY_HOURS,)),
        ("frequent", np.int64),  # 1: frequent ventricular beats are present
        ("few", np.int64),  # analysed hours since
        ("frequent_ns", np.int64),  # the end of the last hour with too many
        ("crowded", np.int64),  # 1: a beat did not fit: the stretch is not to be trusted
        ("pending", np.int64),  # beats that wait for their MARK, by time
        ("pending_ns", np.int64, (PENDING,)),
        ("pending_flags", np.int64, (PENDING,)),
    ]
)


def params(
    vt_beats: int = VT_BEATS,
    vt_per_min: float = VT_PER_MIN,
    svt_per_min: float = SVT_PER_MIN,
    per_hour_max: int = PER_HOUR_MAX,
) -> NDArray[Any]:
    """Return the PARAMS of a row, shape ``()``.

    Parameters
    ----------
    vt_beats : ventricular beats in a row that are a tachycardia, 3 to 10
    vt_per_min, svt_per_min : rates above which it is one
    per_hour_max : ventricular beats in an hour that are not yet too many
    """
    assert RUN_BEATS <= vt_beats <= 10, vt_beats
    assert vt_per_min > 0, vt_per_min
    assert svt_per_min > 0, svt_per_min
    assert per_hour_max >= 0, per_hour_max
    row = np.zeros((), PARAMS)
    row["vt_beats"] = vt_beats
    row["vt_per_min"] = vt_per_min
    row["svt_per_min"] = svt_per_min
    row["per_hour_max"] = per_hour_max
    return row


def capacity(samples: int, segments: int) -> int:
    """Return an upper bound of the findings of one call.

    Parameters
    ----------
    samples : number of events given
    segments : distinct rows among them, or more

    A beat leads to 8 findings at most (a run, the tachycardias, two patterns, missed beats, the
    hour), a MARK or GAP to 3; beats of earlier calls may wait.
    """
    return 8 * samples + 8 * PENDING * segments


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
        time_ns = event["time_ns"]
        if kind == BEAT:
            hold(s, time_ns, event["flags"])
        elif kind == MARK and s["seen"] == 1 and time_ns >= s["decided_ns"]:
            found = _mark(s, params[row], event, findings, found)
        elif kind in (MARK, GAP):
            # A MARK that is the first event, or lies before what was decided, tells no more
            # than a GAP: signal begins here.
            _interrupt(s)
            s["seen"] = 1
            s["decided_ns"] = time_ns
            release(s, s["pending"])
            found = close_hour(s, params[row], time_ns // HOUR_NS, event, findings, found)
    return found


@kernel
def _mark(s: Any, p: Any, event: Any, findings: NDArray[Any], found: int) -> int:
    """Take the beats of the stretch that ends here."""
    time_ns = event["time_ns"]
    covered = covered_by(s, time_ns)
    if readable_to(s, event):
        for slot in range(covered):
            beat_ns, flags = s["pending_ns"][slot], s["pending_flags"][slot]
            found = close_hour(s, p, beat_ns // HOUR_NS, event, findings, found)
            found = _beat(s, p, beat_ns, flags, event, findings, found)
        s["hour_ns"] += time_ns - s["decided_ns"]
        found = calm(s, time_ns - s["decided_ns"], event, findings, found)
    else:
        _interrupt(s)
    s["decided_ns"] = time_ns
    release(s, covered)
    return close_hour(s, p, time_ns // HOUR_NS, event, findings, found)


@kernel
def _interrupt(s: Any) -> None:
    """End the row of beats, and no condition."""
    s["row"] = 0
    s["ventricular"] = 0
    s["others"] = 0
    s["anchored"] = 0
    s["normal"] = 0
    s["narrow"] = 0
    s["slow"] = 0
    s["clear"] = 0
    s["groups"][:] = 0


@kernel
def _beat(
    s: Any, p: Any, time_ns: int, flags: int, event: Any, findings: NDArray[Any], found: int
) -> int:
    """Take a beat of a stretch that was readable up to it."""
    beat_class = flags >> CLASS_SHIFT & CLASS_MASK
    if flags & UNSURE or beat_class == 0:
        _interrupt(s)
        return found
    clear = flags >> NOISE_SHIFT & 255
    if s["row"] > 0 and time_ns - beats_back(s, 0) >= ROW_NS:
        found = _end_run(s, p, clear, event, findings, found)
        _interrupt(s)
    run = min(flags >> RUN_SHIFT & RUN_MASK, s["row"] + 1)
    ventricular = beat_class == VENTRICULAR
    if not ventricular:
        found = _end_run(s, p, clear, event, findings, found)
        s["clear"] = clear
    s["beats_ns"][s["head"]] = time_ns
    s["head"] = (s["head"] + 1) % RECENT
    s["row"] = min(s["row"] + 1, RECENT)
    s["normal"] = min(s["normal"] + 1, RECENT) if beat_class == NORMAL else 0
    narrow = beat_class in (NORMAL, SUPRAVENTRICULAR)
    s["narrow"] = min(s["narrow"] + 1, RECENT) if narrow else 0
    found = grouped(s, ventricular, event, findings, found)
    if ventricular:
        s["hour_count"] += 1
        s["ventricular"] = min(s["ventricular"] + 1, RECENT)
        found = _tachycardia(s, p, run, event, findings, found)
        s["ventricular_ns"] = time_ns
        s["others"] = 0
        s["anchored"] = 1
    else:
        s["others"] = min(s["others"] + 1, RECENT)
        if s["tachycardia"] == 1 and s["others"] >= VT_END_BEATS:
            s["tachycardia"] = 0
            end_ns = s["ventricular_ns"]
            found = put_event(findings, found, event, OFF, VENTRICULAR_TACHYCARDIA, 0, end_ns, 0.0)
    found = narrow_tachycardia(s, p, event, findings, found)
    return missed(s, event, findings, found)


@kernel
def _tachycardia(s: Any, p: Any, run: int, event: Any, findings: NDArray[Any], found: int) -> int:
    """Judge the last ventricular beats in a row."""
    beats = p["vt_beats"]
    if s["tachycardia"] == 1 or run < beats:
        return found
    onset_ns = beats_back(s, beats - 1)
    per_min = (beats - 1) * 60e9 / (beats_back(s, 0) - onset_ns)
    if per_min <= p["vt_per_min"]:
        return found
    s["tachycardia"] = 1
    return put_event(findings, found, event, ON, VENTRICULAR_TACHYCARDIA, onset_ns, 0, per_min)


@kernel
def _end_run(s: Any, p: Any, clear: int, event: Any, findings: NDArray[Any], found: int) -> int:
    """Tell of ventricular beats in a row that are over, where they were no tachycardia."""
    beats = s["ventricular"]
    s["ventricular"] = 0
    if beats < COUPLET_BEATS or beats >= p["vt_beats"] or s["tachycardia"] == 1:
        return found
    if clear < NOISY and NOISIER * clear < s["clear"]:
        return found
    onset_ns, end_ns = beats_back(s, beats - 1), beats_back(s, 0)
    per_min = (beats - 1) * 60e9 / (end_ns - onset_ns)
    condition = COUPLET
    if beats >= RUN_BEATS:
        condition = VENTRICULAR_RUN
        if per_min <= p["vt_per_min"]:
            return found
    return put_event(findings, found, event, EPISODE, condition, onset_ns, end_ns, per_min)
