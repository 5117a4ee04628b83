"""One heart's beats from the beats of several ECG leads: a fusion kernel, in device time.

It consumes what `beats` (and the kernels beside it) found in up to 6 living leads of a patient,
and writes the BEAT, MARK, GAP and FIBRILLATION events of the heart, for the event kernels.

1. **Order.** Events are taken in the order in which they were decided, of all leads together:
   each waits until every living lead has come so far. A lead lives while it is no further behind
   the leading one than the POSITION of either allows; a lead whose events come later is deaf to
   them. A lead beyond the sixth is not heard while six live.
   A lead *begins* with its first signal and after a gap of over 1 s. Where another one was there
   (heard of in the last 3 s, or deaf), it is heard from so long after that on as POSITION
   allows: however late its first frame came, that is known by then. Where none was, everything
   waits for so long, and leads that begin within 1 s begin together. So nothing depends on the
   interleaving of the leads as long as none lags more than POSITION allows, less 1 s, and what
   they said finds room: 10 s of three leads. Of more, no beat is lost (`_queue`).
2. **One lead** is passed through as it is, and at once after those first seconds.
3. **Several.** Peaks of different leads within 200 ms are one QRS: no two beats are closer, and
   the largest deflection of one QRS may lie at its begin in one lead and at its end in another. A
   peak is judged when all leads that speak have decided up to 200 ms after it, and
   950 ms after it at the latest: `beats` decides the weakest within 750 ms. That instant need not
   be one at which a lead says something: all that leads decided up to it is weighed, nothing of
   what they decided later.
   A lead speaks from its first MARK after a GAP on, while its MARKs are no older than 1.5 s.
   Agreement of all is a beat. Else log-odds are summed (`_testimony`):

   - of each lead that found it: how far the usual beat stands out of the noise now, how strong
     the peak is to what the lead rejects, whether it was readable, how often its peaks were none
     lately, and, in noise, how like it is to the lead's known shapes;
   - of each that did not: how often it missed beats lately, for how many RR it found none (its
     silences are not independent), and, where it rejected a peak within 140 ms, how strong that
     was and how far beats stand out of the noise: a trace in another lead is evidence for a beat;
   - of one that shows not even a trace: how far its beats stand out of its noise, if it found
     all of late and none within 300 ms, where `beats` may have kept the stronger of two;
   - whether leads saw it and the beat within 300 ms before, or each but one: the R of a wide QRS
     may be the peak of one lead, its S that of another;
   - the silence of an unreadable lead says nothing, unless it found a beat in the last 2.5 s;
     less than that of one which can be read;
   - whether the beat would come late or early to the usual RR, early the more so the steadier
     the rhythm is, and how unsteady that is.

   What no lead took for a beat is none, though all show something: so did 1 beat and 907 other
   waves on 24 records.
4. **Which lead.** A beat's time, height and class are those of the lead that so far was the most
   reliable, unless another is so by far: changing leads shifts R-peaks. Where they lie over
   100 ms apart one of them may be another wave: then the lead counts whose peak is the strongest
   and stands out of its noise. Over 140 ms apart, the beat is between them, at most 100 ms from
   either. `flags >> LEAD_SHIFT` is that lead's number.
   A beat is ventricular if one lead calls it so, and told as that lead's but for its time: along
   the axis of another it may look like others.
5. **MARK** says readable where one lead at least was so throughout; a lead that becomes
   unreadable, stops, or learns anew leaves no seam while another goes on. **GAP** comes when no
   lead speaks any more and one begins.
6. **FIBRILLATION** is present while a lead that speaks and reads says so, suspected while one
   suspects it. Another that reads, without that word and with a beat within 2.5 s, makes what is
   present suspected, unless the lead of the best rank says that it is. There is none if those
   beats stand out of a calm baseline, for fibrillation leaves no such lead, nor if the lead of
   the best rank shows neither it nor beats: that is asystole. What is present began no earlier
   than 4 s ago if a lead showed beats, or none of it, until then.
7. **POSITION** says with each POSITION up to when all that the leads may say was taken.

Source: the combination is log-odds of witnesses. Their weights are a logistic regression
(`telesurv.evaluate.train_leads`; `_lead_weights` says on what), each bound to its sign where
physiology leaves no choice.

Decision delay: none for one lead, but what is decided in the first 4 s (with frames of 1 s) of a
signal comes when they are over. For several, what the slowest lead that speaks needs, and for
beats 0.95 s after the R-peak at most, rarely over 0.75 s; beats of the first 2 s of a signal come
when `beats` has learnt it.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from telesurv_kernels._dtypes import (
    BEAT,
    CANDIDATE,
    FIBRILLATION,
    GAP,
    LEAD_EVENT,
    LEAD_SHIFT,
    MARK,
    POSITION,
    RUN_SHIFT,
)
from telesurv_kernels._heard import fibrillation, mark, readable_ns, shown
from telesurv_kernels._jit import borrowed, entry, kernel
from telesurv_kernels._lanes import (
    LEADS,
    begin,
    forget,
    hear,
    joins,
    lane_of,
    none_speaks,
    note_beat,
    reach_ns,
    set_back,
    there,
    went_back,
)
from telesurv_kernels._lead_weights import WEIGHTS
from telesurv_kernels._peaks import EVIDENCE, hold
from telesurv_kernels._queue import (
    FLAGS_MASK,
    QUEUE,
    drop,
    kind_at,
    lane_at,
    make_room,
    ripe,
    wait,
    waits,
)
from telesurv_kernels._runs import follow
from telesurv_kernels._testimony import FEATURES, REFRACTORY_NS, RR
from telesurv_kernels._vote import count, decide, due, out

VERSION = 6
"""Rises when the meaning of the state changes."""


EVENT = LEAD_EVENT

FINDING = LEAD_EVENT
"""An EVENT of the heart; lead: the one that shows it."""

PARAMS = np.dtype([("weights", np.float64, (FEATURES,))])  # log-odds a unit, see `_testimony`

_LANES = [
    ("lead", np.int64),  # number of the lead plus 1; 0: free
    ("rank", np.int64),
    ("position_ns", np.int64),  # the lead has come so far
    ("lag_ns", np.int64),  # others may be so far behind it, or it behind others
    ("came", np.int64),  # 1: its signal began
    ("joined_ns", np.int64),  # when, at last, as far as it has come
    ("since_ns", np.int64),  # and as far as was heard
    ("deaf_ns", np.int64),  # it is heard from then on
    ("heard_ns", np.int64),  # decided_ns of the last event of it that was taken
    ("spoke", np.int64),  # 1: gave a MARK since its last GAP
    ("mark_ns", np.int64),  # its last MARK or GAP
    ("told_ns", np.int64),  # its last peak, MARK or GAP: decided up to here
    ("readable_ns", np.int64),  # readable without a break from here to its last MARK
    ("beat_ns", np.int64),  # its last beat
    ("fibrillation", np.int64),  # PRESENT, 1 suspected, 0: what it says
    ("fibrillation_ns", np.int64),  # since then
    ("run", np.int64),  # ventricular beats in a row, alike in height, at most RUN_MASK
    ("height_mv", np.float64),  # of its last beat
    ("contrast", np.float64),  # log2 of usual beat to noise, smoothed
    ("struck_ns", np.int64),  # the heart's last beat that it found
    ("found", np.float64),  # share of the heart's last beats that it found
    ("misses", np.float64),  # and, over more of them, that it did not; 0: not known
    ("invents", np.float64),  # share of its peaks that were none; 0: not known
    ("rejects", np.float64),  # strongest peak between two beats that was none, smoothed
    ("reject", np.float64),  # and the one since the last beat
]

STATE = np.dtype(
    [(name, kind, (LEADS,)) for name, kind in _LANES]
    + [
        ("begun", np.int64),  # 1: a GAP was written
        ("resumed", np.int64),  # 1: no MARK since the last GAP
        ("now_ns", np.int64),  # decided_ns of the last event taken
        ("reached_ns", np.int64),  # all events up to here were taken
        ("alone", np.int64),  # number of the lead that is passed through, plus 1; 0: several
        ("marked_ns", np.int64),  # the heart's last MARK or GAP
        ("last_ns", np.int64),  # its last beat; 0: none since the GAP
        ("followed", np.int64),  # number of the lead whose beats are told, plus 1
        ("fibrillates", np.int64),  # PRESENT, 1, 0: what was told
        ("beats", np.int64),  # since the GAP
        ("rr_ns", np.int64, (RR,)),
        ("features", np.int64, (FEATURES,)),  # of the last peak that was doubted, in 1/1000
        ("judged_ns", np.int64),  # and its time
        ("votes", np.int8, (LEADS,)),  # of the last peak that was judged
        ("mate", np.int8, (LEADS,)),  # and the slots of its evidence
        ("evidence", np.int64),  # peaks that wait, by time
        ("evidence_ns", np.int64, (EVIDENCE,)),
        ("evidence_value", np.float64, (EVIDENCE,)),
        ("evidence_flags", np.int64, (EVIDENCE,)),
        ("evidence_lane", np.int8, (EVIDENCE,)),
        ("evidence_beat", np.int8, (EVIDENCE,)),  # 1: the lead took it for a beat
        ("queue", np.int64),  # events that wait for other leads, by decided_ns and lead
        ("queue_ns", np.int64, (QUEUE,)),
        ("queue_decided_ns", np.int64, (QUEUE,)),
        ("queue_value", np.float64, (QUEUE,)),
        ("queue_what", np.int32, (QUEUE,)),  # flags, kind and lane, see `_queue`
    ]
)


def params() -> NDArray[Any]:
    """Return the PARAMS of a row, shape ``()``."""
    return np.array((WEIGHTS,), PARAMS)


def capacity(samples: int, segments: int) -> int:
    """Return an upper bound of the findings of one call.

    Parameters
    ----------
    samples : number of events given
    segments : distinct rows among them, or more

    Each event leads to one of its own, and to a MARK, a GAP or FIBRILLATION, and a peak to
    another of each when its time is over; those that wait may all come at once.
    """
    return 6 * samples + 6 * (QUEUE + EVIDENCE) * segments


@entry
def advance(
    state: NDArray[Any], params: NDArray[Any], events: NDArray[Any], findings: NDArray[Any]
) -> int:
    """Consume `events` and return how many `findings` were written.

    Parameters
    ----------
    state : STATE[rows], a row a heart; updated in place
    params : PARAMS[rows]
    events : LEAD_EVENT[m]; of one heart in the order of the log
    findings : FINDING[capacity]
    """
    events, findings = borrowed(events), borrowed(findings)
    found = 0
    for index in range(len(events)):
        event = events[index]
        s = state[event["row"]]
        p = params[event["row"]]
        lane = lane_of(s, event["lead"])
        while lane >= 0 and s["lead"][lane] == 0 and waits(s, lane):
            found = _take(s, p, event, findings, found)
        if lane < 0:
            continue
        if s["lead"][lane] == 0:
            forget(s, lane, event)
        if event["kind"] == POSITION:
            s["lag_ns"][lane] = np.int64(event["value"])
            s["rank"][lane] = event["flags"]
            if event["time_ns"] > 0:
                s["position_ns"][lane] = event["time_ns"]
        else:
            value = event["value"] if event["kind"] != GAP else float(begin(s, lane, event))
            # More may be decided at the same sample.
            s["position_ns"][lane] = event["decided_ns"] - 1
            if s["queue"] == QUEUE and not make_room(s):
                found = _take(s, p, event, findings, found)
            wait(s, lane, event, value)
        while s["queue"] > 0 and ripe(s):
            found = _take(s, p, event, findings, found)
        if event["kind"] == POSITION and event["time_ns"] > 0:
            s["reached_ns"] = reach_ns(s)
            found = _elapse(s, p, event, s["reached_ns"] + 1, findings, found)
            at = (event["row"], event["segment"], s["reached_ns"])
            findings[found]["lead"] = event["lead"]
            found = out(findings, found, at, POSITION, s["reached_ns"], 0.0, 0)
    return found


@kernel
def _take(s: Any, p: Any, event: Any, findings: NDArray[Any], found: int) -> int:
    """Take the first event that waits, and say which lead shows what it decides."""
    found = _elapse(s, p, event, s["queue_decided_ns"][0], findings, found)
    until = _decide(s, p, event, findings, found)
    return _show(s, findings, found, until)


@kernel
def _show(s: Any, findings: NDArray[Any], found: int, until: int) -> int:
    """Say of the findings from `found` to `until` which lead shows them; return `until`."""
    if until == found:
        return found
    lead = shown(s)
    for at in range(found, until):
        beat = findings[at]["kind"] == BEAT
        findings[at]["lead"] = findings[at]["flags"] >> LEAD_SHIFT if beat else lead
    return until


@kernel
def _elapse(s: Any, p: Any, event: Any, until_ns: int, findings: NDArray[Any], found: int) -> int:
    """Let time pass up to `until_ns`: judge peaks for which no lead is waited for any longer."""
    while True:
        due_ns = due(s)
        if due_ns >= until_ns:
            return found
        s["now_ns"] = due_ns
        at = (event["row"], event["segment"], due_ns)
        until = decide(s, p, at, True, False, findings, found)
        until = mark(s, at, findings, until)
        found = _show(s, findings, found, until)


@kernel
def _decide(s: Any, p: Any, event: Any, findings: NDArray[Any], found: int) -> int:
    """Take the first event that waits; what it decides is released by `event`."""
    time_ns, decided_ns = s["queue_ns"][0], s["queue_decided_ns"][0]
    value = s["queue_value"][0]
    flags: Any = np.int64(s["queue_what"][0] & FLAGS_MASK)
    kind, lane = kind_at(s, 0), lane_at(s, 0)
    drop(s, 0)
    at = (event["row"], event["segment"], decided_ns)
    if kind == GAP and value > 0.0:
        if went_back(s):
            set_back(s, decided_ns)
        s["deaf_ns"][lane] = time_ns + np.int64(value) if joins(s, lane, time_ns) else 0
        s["since_ns"][lane] = time_ns
    if decided_ns < max(s["deaf_ns"][lane], s["now_ns"]):
        if kind in (GAP, FIBRILLATION):
            hear(s, lane, kind, time_ns, value, flags)
        return found
    s["now_ns"] = decided_ns
    s["heard_ns"][lane] = decided_ns
    others = 0
    for other in range(LEADS):
        if other != lane and there(s, other):
            others += 1
    if others == 0 and s["alone"] != s["lead"][lane]:
        found = decide(s, p, at, True, True, findings, found)
        s["alone"] = s["lead"][lane]
        found = fibrillation(s, at, time_ns, findings, found)
    elif others > 0:
        s["alone"] = 0
    marked_ns = s["mark_ns"][lane]
    hear(s, lane, kind, time_ns, value, flags)
    if others == 0:
        return _pass(s, at, lane, kind, time_ns, value, flags, marked_ns, findings, found)
    if kind in (BEAT, CANDIDATE):
        hold(s, lane, time_ns, value, flags, 1 if kind == BEAT else 0)
    elif kind == GAP:
        if none_speaks(s) and (s["resumed"] == 0 or s["begun"] == 0):
            return _resume(s, p, at, time_ns, findings, found)
    elif kind == FIBRILLATION:
        found = fibrillation(s, at, time_ns, findings, found)
    found = decide(s, p, at, False, False, findings, found)
    return mark(s, at, findings, found)


@kernel
def _pass(
    s: Any,
    at: tuple[int, int, int],
    lane: int,
    kind: int,
    time_ns: int,
    value: float,
    flags: int,
    marked_ns: int,
    findings: NDArray[Any],
    found: int,
) -> int:
    """Hand on what the only living lead says; `marked_ns` is its MARK before."""
    lead = s["lead"][lane]
    if kind == CANDIDATE:
        return found
    if kind == BEAT:
        known_ns = max(s["marked_ns"], s["last_ns"] + REFRACTORY_NS)
        if s["beats"] > 0 and s["followed"] != lead and time_ns < known_ns:
            return found  # another lead told it
        s["followed"] = lead
        count(s, time_ns)
        note_beat(s, lane)
        flags |= follow(s, lane, value, flags) << RUN_SHIFT | (lead - 1) << LEAD_SHIFT
    elif kind == MARK:
        if marked_ns != s["marked_ns"]:
            # Another lead spoke before.
            if time_ns <= s["marked_ns"]:
                return found
            value = float(readable_ns(s, lane, time_ns))
        s["marked_ns"] = time_ns
        s["resumed"] = 0
    elif kind == GAP:
        _restart(s, time_ns)
        value = 0.0
    elif kind == FIBRILLATION:
        s["fibrillates"] = np.int64(value)
    return out(findings, found, at, kind, time_ns, value, flags)


@kernel
def _restart(s: Any, time_ns: int) -> None:
    """Nothing is known of the heart before `time_ns`."""
    s["begun"] = 1
    s["resumed"] = 1
    s["marked_ns"] = time_ns
    s["last_ns"] = 0
    s["beats"] = 0
    s["evidence"] = 0


@kernel
def _resume(
    s: Any, p: Any, at: tuple[int, int, int], time_ns: int, findings: NDArray[Any], found: int
) -> int:
    """Begin anew after a time of which no lead told."""
    found = decide(s, p, at, True, True, findings, found)
    _restart(s, time_ns)
    return out(findings, found, at, GAP, time_ns, 0.0, 0)
