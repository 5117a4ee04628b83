"""Rhythm from beats: asystole, pause, extreme rates, heart rate of each minute.

An *event* kernel: it consumes the BEAT, MARK, GAP and FIBRILLATION events of one heart, in device
time (int64 nanoseconds), and needs no samples.

Rules (PhysioNet/CinC Challenge 2015 for asystole and the extreme rates; 3 s for a pause is a
convention, sources say 2 to 3 s):

- `asystole`: no QRS for 4 s of signal that is readable without a break; for 9.5 s where no 3 beats
  in a row came in the 4 s before it, as when an electrode that moved has come off (in the 2015
  challenge no true alarm began so; EC13 leaves 10 s). A plan may ask for less than 4 s. Onset: the
  last beat, or where the readable stretch begins if that is later. Ends with the first of 3 beats
  in a row, each within 4 s of the one before. Value: seconds without a beat when found. While
  FIBRILLATION says that fibrillation is present or a candidate it does not begin, for the silence
  may be that: 4 s later at most, since a candidate does not last longer (a silence that is over
  before the candidate is taken back is not found). Where fibrillation ended, silence counts from
  its end, and the row of beats begins anew: what seemed beats was none. So fibrillation without an
  organised rhythm after it becomes asystole.
- `ventricular-fibrillation` is what FIBRILLATION says is present (the rule stands with the kernel
  `fibrillation`). Value: seconds of it when found.
- `pause`: 3 s <= RR < 4 s, when it is over; none while fibrillation is present or a candidate. From
  4 s on it is asystole, and no pause.
- `extreme-bradycardia`: 5 beats in a row (4 RR; a plan may ask for 4 beats) with a mean rate below
  40/min; decided with the last, or before it when it is too late to make the rate a faster one
  (while it may still come: not in a silence of 2 s, which may become asystole). Ends when the mean
  of 8 RR, all after the onset, is above 45/min. It cannot begin while asystole is present, which
  ends the row of beats; one that is present goes on. Value: the rate, or what it is at most.
- `extreme-tachycardia`: 17 beats in a row (16 RR) with a mean rate above 140/min; a plan may ask
  for fewer. Ends when the mean of 16 RR is below 130/min. Neither of the two begins while
  fibrillation is present or a candidate; one that is present goes on.
- The numeric `heart_rate` of a device-time minute: mean rate of the RR whose second beat lies in
  it, if there are 3 at least (an RR of over 4 s counts here: it is what the heart did). `low` is
  the lowest mean of 4 RR in a row, as bradycardia counts them, and never above the mean: a single
  RR would make every missed beat a halved rate.

Unreadable is neither normal nor asystole. Beats are *in a row* only if all are sure and every MARK
between them says that the signal was readable throughout; an RR of 4 s or more is asystole and ends
the row too. Nothing unreadable or missing ends or withdraws a condition.

The row is *sure* once signal was readable for 2 s without a break (SURE, onset where that stretch
began), and no longer when such stretches lie 2 s apart or more (UNSURE_SINCE, onset where the last
one ended): shorter holes do not hide an episode of any rule above, and at rates above 30/min 2 s
hold a beat. A row begins unsure.

Deviations from the sources: bradycardia does not end while its own rule still holds (the last 4 RR
below the limit), or it would end and begin again at the next beat. Its 8 RR are its own: faster
beats from before the onset would end it at once.

Decision delay: everything is decided at the MARK that covers it, because only the MARK says whether
the signal up to the beat was readable: the delay of the beat kernel's MARK, and one distance
between MARKs at most. Minutes come with the first MARK or GAP after their end.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from telesurv_kernels._dtypes import (
    ASYSTOLE,
    BEAT,
    EPISODE,
    FIBRILLATION,
    GAP,
    MARK,
    MINUTE,
    NUMERIC_HEART_RATE,
    OFF,
    ON,
    PAUSE,
    PRESENT,
    SURE,
    UNSURE,
    UNSURE_SINCE,
    VENTRICULAR_FIBRILLATION,
)
from telesurv_kernels._extreme_rates import (
    BRADYCARDIA_BEATS,
    BRADYCARDIA_END_RR,
    BRADYCARDIA_HYSTERESIS_PER_MIN,
    TACHYCARDIA_BEATS,
    TACHYCARDIA_HYSTERESIS_PER_MIN,
    back,
    bradycardia,
    end_run,
    slow_already,
    tachycardia,
    take_beat,
)
from telesurv_kernels._finding import put_event
from telesurv_kernels._jit import borrowed, entry, kernel
from telesurv_kernels._pending import PENDING, covered_by, hold, readable_to, release

VERSION = 2
"""Rises when the meaning of the state changes."""

ASYSTOLE_S = 4.0
"""Seconds of readable signal without a QRS (CinC 2015)."""

UNSHOWN_S = 9.5
"""The same where no rhythm was there before: what is left of the 10 s that a monitor has (EC13)."""

SHOWN_NS = 4_000_000_000
"""So long before it: a shorter hole hides no asystole, and is no reason to doubt one."""

PAUSE_S = 3.0
"""Shortest RR that is a pause, seconds (convention)."""

RETURN_BEATS = 3
"""Beats in a row that end asystole: one or two may be its artefacts."""

MINUTE_RR = 3
"""RR intervals that a minute's mean needs at least."""

SURE_NS = 2_000_000_000
"""Readable without a break for so long: sure; no such stretch for so long: unsure."""

MINUTE_NS = 60_000_000_000

PARAMS = np.dtype(
    [
        ("asystole_s", np.float64),
        ("pause_s", np.float64),
        ("brady_per_min", np.float64),  # extreme bradycardia below
        ("brady_end_per_min", np.float64),  # and over when above
        ("tachy_per_min", np.float64),  # extreme tachycardia above
        ("tachy_end_per_min", np.float64),  # and over when below
        ("brady_beats", np.int64),  # in a row, more than RETURN_BEATS
        ("tachy_beats", np.int64),  # in a row, at most TACHYCARDIA_BEATS
    ]
)

STATE = np.dtype(
    [
        ("seen", np.int64),  # 1: decided_ns holds
        ("decided_ns", np.int64),  # all beats before it are known: the last MARK or GAP
        ("readable", np.int64),  # 1: readable without a break from stretch_ns to decided_ns
        ("stretch_ns", np.int64),
        ("quiet_ns", np.int64),  # no beat since, in this stretch: last beat, or its begin
        ("paired", np.int64),  # 1: quiet_ns is a sure beat: an RR may begin there
        ("sure", np.int64),  # 1: the row is analysed
        ("sure_ns", np.int64),  # end of the last stretch of SURE_NS or more
        ("run", np.int64),  # beats in a row, at most TACHYCARDIA_BEATS
        ("own", np.int64),  # those of them at or after bradycardia's onset
        ("head", np.int64),  # slot of beats_ns to be written next
        ("beats_ns", np.int64, (TACHYCARDIA_BEATS,)),
        ("rhythm_ns", np.int64),  # the last beat that was the third or a later one in a row
        ("asystole", np.int64),  # 1: present
        ("fibrillation", np.int64),  # 1: present or a candidate
        ("fibrillates", np.int64),  # 1: ventricular-fibrillation is present
        ("fibrillation_ns", np.int64),  # since then
        ("fibrillated_ns", np.int64),  # where the last one ended; 0: none
        ("bradycardia", np.int64),
        ("tachycardia", np.int64),
        ("minute", np.int64),  # minutes since the epoch, of the sums below
        ("rr_count", np.int64),
        ("rr_sum_ns", np.int64),
        ("low_per_min", np.float64),  # 0: none yet
        ("crowded", np.int64),  # 1: a beat did not fit: the stretch is not to be trusted
        ("pending", np.int64),  # beats that wait for their MARK, by time
        ("pending_ns", np.int64, (PENDING,)),
        ("pending_flags", np.int64, (PENDING,)),
    ]
)


def params(
    heart_rate_low: float = 40.0,
    heart_rate_high: float = 140.0,
    bradycardia_beats: int = BRADYCARDIA_BEATS,
    tachycardia_beats: int = TACHYCARDIA_BEATS,
    asystole_s: float = ASYSTOLE_S,
) -> NDArray[Any]:
    """Return the PARAMS of a row, shape ``()``.

    Parameters
    ----------
    heart_rate_low, heart_rate_high : limits of the extreme rates, per minute; the plan's
        bounds are checked where plans are read.
    bradycardia_beats : beats in a row of extreme bradycardia, 4 to 8
    tachycardia_beats : beats in a row of extreme tachycardia, 5 to 17
    asystole_s : seconds without a beat that are asystole, 3 to 6
    """
    assert RETURN_BEATS < bradycardia_beats <= BRADYCARDIA_END_RR, bradycardia_beats
    assert 5 <= tachycardia_beats <= TACHYCARDIA_BEATS, tachycardia_beats
    assert 0 < heart_rate_low < heart_rate_high, (heart_rate_low, heart_rate_high)
    assert PAUSE_S <= asystole_s < UNSHOWN_S, asystole_s
    row = np.zeros((), PARAMS)
    row["asystole_s"] = asystole_s
    row["pause_s"] = PAUSE_S
    row["brady_per_min"] = heart_rate_low
    row["brady_end_per_min"] = heart_rate_low + BRADYCARDIA_HYSTERESIS_PER_MIN
    row["tachy_per_min"] = heart_rate_high
    row["tachy_end_per_min"] = heart_rate_high - TACHYCARDIA_HYSTERESIS_PER_MIN
    row["brady_beats"] = bradycardia_beats
    row["tachy_beats"] = tachycardia_beats
    return row


def capacity(samples: int, segments: int) -> int:
    """Return an upper bound of the findings of one call.

    Parameters
    ----------
    samples : number of events given
    segments : distinct rows among them, or more

    A beat leads to 5 findings at most, a MARK or GAP to 4; beats of earlier calls may wait.
    """
    return 5 * samples + 5 * PENDING * segments


@entry
def advance(
    state: NDArray[Any], params: NDArray[Any], events: NDArray[Any], findings: NDArray[Any]
) -> int:
    """Consume `events` and return how many `findings` were written.

    Parameters
    ----------
    state : STATE[rows], updated in place
    params : PARAMS[rows]
    events : EVENT[m]; of one row in the order in which the beat kernel emitted them
    findings : FINDING[capacity]
    """
    events, findings = borrowed(events), borrowed(findings)
    found = 0
    for index in range(len(events)):
        event = events[index]
        row = event["row"]
        s = state[row]
        if event["kind"] == BEAT:
            hold(s, event["time_ns"], event["flags"])
        elif event["kind"] == MARK and s["seen"] == 1 and event["time_ns"] >= s["decided_ns"]:
            found = _mark(s, params[row], event, findings, found)
        elif event["kind"] == FIBRILLATION:
            found = _fibrillation(s, event, findings, found)
        elif event["kind"] == MARK or event["kind"] == GAP:
            # A MARK that is the first event, or lies before what was decided, tells no more
            # than a GAP: signal begins here.
            found = _gap(s, event, findings, found)
    return found


@kernel
def _gap(s: Any, event: Any, findings: NDArray[Any], found: int) -> int:
    """Forget what waits: nothing is known of the signal between the last MARK and here."""
    time_ns = event["time_ns"]
    s["seen"] = 1
    s["decided_ns"] = time_ns
    release(s, s["pending"])
    _interrupt(s)
    found = _judge_sure(s, time_ns, event, findings, found)
    return _close_minute(s, time_ns // MINUTE_NS, event, findings, found)


@kernel
def _fibrillation(s: Any, event: Any, findings: NDArray[Any], found: int) -> int:
    """Keep whether fibrillation is present or a candidate, and where it ended."""
    time_ns = event["time_ns"]
    if event["value"] != 0.0:
        if s["fibrillation"] == 0:
            s["fibrillation"] = 1
            s["fibrillation_ns"] = time_ns
        if event["value"] >= PRESENT and s["fibrillates"] == 0:
            s["fibrillates"] = 1
            lasted_s = (event["decided_ns"] - time_ns) / 1e9
            return put_event(
                findings, found, event, ON, VENTRICULAR_FIBRILLATION, time_ns, 0, lasted_s
            )
    elif s["fibrillation"] == 1:
        s["fibrillation"] = 0
        if time_ns > s["fibrillation_ns"]:
            # It was there: what looked like beats in it were none.
            s["fibrillated_ns"] = time_ns
            end_run(s)
        if s["fibrillates"] == 1:
            s["fibrillates"] = 0
            return put_event(findings, found, event, OFF, VENTRICULAR_FIBRILLATION, 0, time_ns, 0.0)
    return found


@kernel
def _interrupt(s: Any) -> None:
    """End the readable stretch, and with it every row of beats."""
    s["readable"] = 0
    end_run(s)


@kernel
def _mark(s: Any, p: Any, event: Any, findings: NDArray[Any], found: int) -> int:
    """Decide about the stretch that ends here, and the beats in it."""
    time_ns = event["time_ns"]
    covered = covered_by(s, time_ns)
    if readable_to(s, event):
        if s["readable"] == 0:
            s["readable"] = 1
            s["stretch_ns"] = s["decided_ns"]
            s["quiet_ns"] = s["decided_ns"]
        for slot in range(covered):
            beat_ns, flags = s["pending_ns"][slot], s["pending_flags"][slot]
            found = _beat(s, p, beat_ns, flags, event, findings, found)
        found = _silence(s, p, time_ns, event, findings, found)
        found = slow_already(s, p, time_ns, event, findings, found)
    else:
        _interrupt(s)
    s["decided_ns"] = time_ns
    release(s, covered)
    found = _judge_sure(s, time_ns, event, findings, found)
    return _close_minute(s, time_ns // MINUTE_NS, event, findings, found)


@kernel
def _silence(s: Any, p: Any, until_ns: int, event: Any, findings: NDArray[Any], found: int) -> int:
    """Judge the time without a beat, from quiet_ns to `until_ns`; fibrillation is no silence."""
    quiet_ns = max(s["quiet_ns"], s["fibrillated_ns"])
    shown = quiet_ns - s["rhythm_ns"] < SHOWN_NS or quiet_ns > s["quiet_ns"]
    limit_ns = np.int64((p["asystole_s"] if shown else UNSHOWN_S) * 1e9)
    if s["asystole"] == 1 or s["fibrillation"] == 1 or until_ns - quiet_ns < limit_ns:
        return found
    s["asystole"] = 1
    return put_event(findings, found, event, ON, ASYSTOLE, quiet_ns, 0, (until_ns - quiet_ns) / 1e9)


@kernel
def _beat(
    s: Any, p: Any, time_ns: int, flags: int, event: Any, findings: NDArray[Any], found: int
) -> int:
    """Take a beat of a stretch that was readable up to it."""
    found = _close_minute(s, time_ns // MINUTE_NS, event, findings, found)
    previous_ns = s["quiet_ns"]
    rr_ns = time_ns - previous_ns
    asystole_ns = np.int64(p["asystole_s"] * 1e9)
    found = _silence(s, p, time_ns, event, findings, found)
    if rr_ns >= asystole_ns:
        s["run"] = 0
        s["own"] = 0
    s["quiet_ns"] = time_ns
    if flags & UNSURE:
        end_run(s)
        return found
    if s["paired"] == 1:
        s["rr_count"] += 1
        s["rr_sum_ns"] += rr_ns
        long = rr_ns >= np.int64(p["pause_s"] * 1e9) and rr_ns < asystole_ns
        if long and s["fibrillation"] == 0:
            found = put_event(
                findings, found, event, EPISODE, PAUSE, previous_ns, time_ns, rr_ns / 1e6
            )
    s["paired"] = 1
    take_beat(s, time_ns)
    if s["run"] >= RETURN_BEATS:
        s["rhythm_ns"] = time_ns
    if s["asystole"] == 1 and s["run"] >= RETURN_BEATS:
        s["asystole"] = 0
        found = put_event(findings, found, event, OFF, ASYSTOLE, 0, back(s, RETURN_BEATS - 1), 0.0)
    found = tachycardia(s, p, time_ns, event, findings, found)
    return bradycardia(s, p, time_ns, event, findings, found)


@kernel
def _judge_sure(s: Any, time_ns: int, event: Any, findings: NDArray[Any], found: int) -> int:
    """Say when the row becomes analysable or no longer is."""
    stretch_ns = s["stretch_ns"] if s["readable"] == 1 else time_ns
    if time_ns - stretch_ns >= SURE_NS:
        s["sure_ns"] = time_ns
        if s["sure"] == 0:
            s["sure"] = 1
            return put_event(findings, found, event, SURE, 0, stretch_ns, 0, 0.0)
    elif s["sure"] == 1 and not 0 <= stretch_ns - s["sure_ns"] < SURE_NS:
        # Below 0 the device's clock went back: how long nothing was read is not known.
        s["sure"] = 0
        return put_event(
            findings, found, event, UNSURE_SINCE, 0, min(s["sure_ns"], time_ns), 0, 0.0
        )
    return found


@kernel
def _close_minute(s: Any, minute: int, event: Any, findings: NDArray[Any], found: int) -> int:
    """Emit the sums of a minute that is over, and begin another."""
    if minute == s["minute"]:
        return found
    if s["rr_count"] >= MINUTE_RR:
        mean_per_min = s["rr_count"] * 60e9 / s["rr_sum_ns"]
        low_per_min = mean_per_min
        if 0.0 < s["low_per_min"] < mean_per_min:
            low_per_min = s["low_per_min"]
        kind, begin_ns = NUMERIC_HEART_RATE, s["minute"] * MINUTE_NS
        found = put_event(
            findings, found, event, MINUTE, kind, begin_ns, 0, mean_per_min, low_per_min
        )
    s["minute"] = minute
    s["rr_count"] = 0
    s["rr_sum_ns"] = 0
    s["low_per_min"] = 0.0
    return found
