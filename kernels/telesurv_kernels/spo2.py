"""Oxygen saturation: desaturation, severe desaturation, probe off, SpO2 of each minute.

A *signal* kernel whose readings (%) come with the device time of each (int64 nanoseconds):
one a second, irregular ones, or single readings hours apart. A reading below 30 or above
100 % is invalid, as is the code of a missing one.

A reading holds until the next valid one, and 5 s at most; what lies beyond is *unknown*. On
that step function with holes the rules are judged at every reading:

- `desaturation` (limit 90 %; 88 % where 88 to 92 is prescribed), whichever comes first:
  below the limit for 15 s; or 50 SatSeconds spent; or three violations (each below the
  limit for 2 s) in 60 s. Ends with 15 s at or above limit + 1.
- `severe-desaturation`: below 85 % (or limit - 5) for 10 s. Ends with 15 s above it.
- `probe-off`: only invalid readings for 10 s; ends with only valid ones for 5 s. Neither a
  steady SpO2 nor readings that do not come are one.

SatSeconds (Nellcor; the vendors' own example: 2 s at 88, 3 s at 86, then 84 alarms at
10.67 s) are whole points below the limit times seconds: 88 at a limit of 90 is 2 points,
as Covidien counts, not 3 as GE does. At or above the limit they run down as fast as they
ran up, at the mean rate of that: s seconds below are forgotten after s seconds at or above
(vendors are vague here: convention). After 60 s at or above the limit, or 60 s without a
valid reading, they start from nothing.

A *spot* reading is the first, or comes more than 5 s after the one before, valid or not
(so does the first after a hole in a continuous signal). Two in a row below the limit are
desaturation, and one below limit - 5 is; two in a row below the severe limit are severe
(convention). Two in a row, 15 s or more apart and back within, end either.

Unknown time ends no condition (a valid reading must close the 15 s of an end), nor does it
count as below: what must last without a break (15 s, 10 s, 2 s, the ends) begins again after
it. SatSeconds stand still in it. A device clock that goes back ends none; all else is new.

Findings. Onset: first reading below the limit of the stretch, the SatSeconds or the
violations that decided (the earliest, if several did). Value: lowest reading of the last
stretch below the limit; of probe-off its seconds. `detected`: time of the reading at which
the rule was seen to hold. End: first reading of the recovery.
MINUTE `spo2`: plain mean and lowest of a device-time minute's valid readings, with the first
reading after its end.

Sources: Nellcor SatSeconds; 15 s take 60 % of alarms away (BI&T); 85 % is the default of
ISO 80601-2-61; 10 s, a violation's 2 s and the ends are convention. Deviation: readings are
judged in rounded hundredths of a point, so that a float32 scale moves none across a limit.
Decision delay: none but the distance of readings.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from telesurv_kernels._dtypes import (
    DESATURATION,
    MINUTE,
    NUMERIC_SPO2,
    OFF,
    ON,
    PROBE_OFF,
    SEVERE_DESATURATION,
)
from telesurv_kernels._finding import Place, put
from telesurv_kernels._jit import entry, kernel
from telesurv_kernels._sat_seconds import (
    FORGET_NS,
    ROUNDING,
    SAT_SECONDS,
    VIOLATION_NS,
    VIOLATIONS,
    forget,
    spend,
    violate,
)

VERSION = 1
LIMIT_PCT = 90.0
SEVERE_POINTS = 5.0
"""So far below the limit it is severe; one spot reading below that is a desaturation."""
HOLD_NS = 5_000_000_000
DESATURATION_NS = 15_000_000_000
SEVERE_NS = 10_000_000_000
RECOVERY_NS = 15_000_000_000
PROBE_OFF_NS = 10_000_000_000
PROBE_ON_NS = 5_000_000_000

MISSING = -32768
VALID_MIN_PCT, VALID_MAX_PCT = 30.0, 100.0
MINUTE_NS = 60_000_000_000

PARAMS = np.dtype(
    [
        ("scale", np.float64),  # % = sample * scale + offset
        ("offset", np.float64),
        ("limit", np.int64),  # hundredths of a %: desaturation below
        ("recovered", np.int64),  # over from here on
        ("severe", np.int64),  # severe desaturation below, over when above
        ("spot", np.int64),  # one spot reading below this is enough for a desaturation
    ]
)

STATE = np.dtype(
    [
        ("read", np.int64),  # 1: read_ns holds
        ("read_ns", np.int64),  # last reading, valid or not
        ("held", np.int64),  # last valid reading, hundredths of a %; 0: none
        ("held_ns", np.int64),
        ("held_spot", np.int64),  # 1: it was a spot reading
        ("judged_ns", np.int64),  # up to where its hold has been counted
        ("below", np.int64),  # stretches that last: 1, and since when
        ("below_ns", np.int64),
        ("severe_below", np.int64),
        ("severe_below_ns", np.int64),
        ("recovery", np.int64),
        ("recovery_ns", np.int64),
        ("severe_recovery", np.int64),
        ("severe_recovery_ns", np.int64),
        ("lowest", np.int64),  # of the last stretch below the limit, hundredths of a %
        ("sat_seconds", np.float64),
        ("sat_ran_ns", np.int64),  # how long they take to run down
        ("sat_since_ns", np.int64),  # first reading below since they began from nothing
        ("at_or_above_ns", np.int64),  # since the last reading below
        ("counted", np.int64),  # 1: the present violation was; until a reading is not below
        ("violations", np.int64),  # how many violation_ns holds
        ("violation_ns", np.int64, (VIOLATIONS - 1,)),  # when the last ones began
        ("desaturation", np.int64),  # 1: present
        ("severe", np.int64),
        ("probe_off", np.int64),
        ("series", np.int64),  # readings in a row: 1 valid, 2 invalid, and since when
        ("series_ns", np.int64),
        ("minute", np.int64),  # minutes since the epoch, of the sums below
        ("count", np.int64),
        ("sum", np.int64),
        ("low", np.int64),
    ]
)


def params(
    scale: float = 0.01,
    offset: float = 0.0,
    spo2_low: float = LIMIT_PCT,
    spo2_severe: float | None = None,
) -> NDArray[Any]:
    """Return the PARAMS of a row, shape ``()``.

    Parameters
    ----------
    scale, offset : % = sample * scale + offset
    spo2_low, spo2_severe : limits in %, the second `spo2_low` - 5 if not given; the plan's
        bounds are checked where plans are read
    """
    severe = spo2_low - SEVERE_POINTS if spo2_severe is None else spo2_severe
    assert VALID_MIN_PCT < severe <= spo2_low < VALID_MAX_PCT, (severe, spo2_low)
    row = np.zeros((), PARAMS)
    row["scale"] = scale
    row["offset"] = offset
    row["limit"] = round(100 * spo2_low)
    row["recovered"] = round(100 * (spo2_low + 1))
    row["severe"] = round(100 * severe)
    row["spot"] = round(100 * (spo2_low - SEVERE_POINTS))
    return row


def capacity(samples: int, segments: int) -> int:
    """Return an upper bound of the findings of one call.

    A minute, and an ON or OFF of each condition by time, and of two again as a spot reading.
    """
    return 6 * samples


@entry
def advance(
    state: NDArray[Any],
    params: NDArray[Any],
    segments: NDArray[Any],
    samples: NDArray[np.int16],
    time_ns: NDArray[np.int64],
    findings: NDArray[Any],
) -> int:
    """Consume `segments` and return how many `findings` were written.

    Parameters
    ----------
    state : STATE[rows], updated in place
    params : PARAMS[rows]
    segments : SEGMENT[m]; `restart` has no meaning here, the times say it all
    samples : int16[n], -32768 is missing
    time_ns : int64[n], device time of each
    findings : FINDING[capacity]
    """
    found = 0
    for index in range(len(segments)):
        segment = segments[index]
        row = segment["row"]
        s = state[row]
        p = params[row]
        for place in range(segment["first"], segment["last"]):
            sample = samples[place]
            # Compared as a float: a scale may take a code far beyond any integer.
            reading = np.rint(100.0 * (sample * p["scale"] + p["offset"]))
            valid = sample != MISSING and 100 * VALID_MIN_PCT <= reading <= 100 * VALID_MAX_PCT
            hundredths = int(reading) if valid else 0
            found = _read(s, p, hundredths, (row, index, time_ns[place]), findings, found)
    return found


@kernel
def _read(s: Any, p: Any, reading: int, at: Place, findings: NDArray[Any], found: int) -> int:
    """Take a reading in hundredths of a %, 0 if it is invalid."""
    time_ns = at[2]
    if s["read"] == 1 and time_ns < s["read_ns"]:
        # The device's clock went back: keep the conditions, and nothing that has a time.
        s["read"] = 0
        s["held"] = 0
        s["series"] = 0
        s["counted"] = 0
        _break(s)
        forget(s)
    found = _close_minute(s, at, findings, found)
    found = _probe(s, reading > 0, at, findings, found)
    if s["held"] > 0:
        until_ns = min(time_ns, s["held_ns"] + HOLD_NS)
        if until_ns > s["judged_ns"]:
            ends = reading > 0 and time_ns == until_ns
            found = _lapse(s, p, until_ns, ends, at, findings, found)
            found = _severe(s, until_ns, ends, at, findings, found)
            s["judged_ns"] = until_ns
        if time_ns > until_ns:
            _break(s)
        if time_ns - s["held_ns"] >= FORGET_NS:
            forget(s)
    if reading > 0:
        spot = s["read"] == 0 or time_ns - s["read_ns"] > HOLD_NS
        _take(s, p, reading, time_ns)
        if spot:
            found = _spot(s, p, reading, at, findings, found)
        s["held"] = reading
        s["held_ns"] = time_ns
        s["held_spot"] = 1 if spot else 0
        s["judged_ns"] = time_ns
    s["read"] = 1
    s["read_ns"] = time_ns
    return found


@kernel
def _break(s: Any) -> None:
    """Unknown time: what must last without a break begins again after it."""
    s["below"] = 0
    s["severe_below"] = 0
    s["recovery"] = 0
    s["severe_recovery"] = 0


@kernel
def _close_minute(s: Any, at: Place, findings: NDArray[Any], found: int) -> int:
    """Emit the sums of a minute that is over, and begin another."""
    minute = at[2] // MINUTE_NS
    if minute == s["minute"]:
        return found
    if s["count"] > 0:
        begin_ns = s["minute"] * MINUTE_NS
        mean, low = s["sum"] / s["count"] / 100, s["low"] / 100
        found = put(findings, found, at, MINUTE, NUMERIC_SPO2, begin_ns, 0, mean, low)
    s["minute"] = minute
    s["count"], s["sum"], s["low"] = 0, 0, 0
    return found


@kernel
def _probe(s: Any, valid: bool, at: Place, findings: NDArray[Any], found: int) -> int:
    """Judge how long readings have been invalid, or valid again."""
    series = 1 if valid else 2
    begin_ns = s["series_ns"]
    if s["series"] == series or at[2] - s["read_ns"] <= HOLD_NS:
        lasted_ns = at[2] - begin_ns
    else:
        lasted_ns = s["read_ns"] - begin_ns
    if s["series"] == 2 and s["probe_off"] == 0 and lasted_ns >= PROBE_OFF_NS:
        s["probe_off"] = 1
        found = put(findings, found, at, ON, PROBE_OFF, begin_ns, 0, lasted_ns / 1e9)
    if s["series"] == 1 and s["probe_off"] == 1 and lasted_ns >= PROBE_ON_NS:
        s["probe_off"] = 0
        found = put(findings, found, at, OFF, PROBE_OFF, 0, begin_ns, lasted_ns / 1e9)
    if s["series"] != series:
        s["series"] = series
        s["series_ns"] = at[2]
    return found


@kernel
def _desaturated(s: Any, onset_ns: int, at: Place, findings: NDArray[Any], found: int) -> int:
    """Say that a desaturation is present; what led to it is spent."""
    s["desaturation"] = 1
    forget(s)
    return put(findings, found, at, ON, DESATURATION, onset_ns, 0, s["lowest"] / 100)


@kernel
def _lapse(
    s: Any, p: Any, until_ns: int, ends: bool, at: Place, findings: NDArray[Any], found: int
) -> int:
    """Judge desaturation in the time in which a reading held, judged_ns to `until_ns`."""
    if s["desaturation"] == 1:
        end_ns = s["recovery_ns"]
        if ends and s["recovery"] == 1 and until_ns - end_ns >= RECOVERY_NS:
            s["desaturation"] = 0
            return put(findings, found, at, OFF, DESATURATION, 0, end_ns, s["held"] / 100)
        return found
    spend(s, p["limit"] - s["held"], until_ns - s["judged_ns"])
    if s["below"] == 0:
        return found
    below_ns, none_ns = s["below_ns"], at[2]
    onset_ns = none_ns
    if until_ns - below_ns >= DESATURATION_NS:
        onset_ns = min(onset_ns, below_ns)
    if s["sat_seconds"] >= SAT_SECONDS - ROUNDING:
        onset_ns = min(onset_ns, s["sat_since_ns"])
    if s["counted"] == 0 and until_ns - below_ns >= VIOLATION_NS:
        s["counted"] = 1
        onset_ns = min(onset_ns, violate(s, below_ns, none_ns))
    if onset_ns < none_ns:
        return _desaturated(s, onset_ns, at, findings, found)
    return found


@kernel
def _severe(
    s: Any, until_ns: int, ends: bool, at: Place, findings: NDArray[Any], found: int
) -> int:
    """Judge severe desaturation, too, in the time up to `until_ns`."""
    onset_ns, end_ns = s["severe_below_ns"], s["severe_recovery_ns"]
    if s["severe"] == 0:
        if s["severe_below"] == 1 and until_ns - onset_ns >= SEVERE_NS:
            s["severe"] = 1
            value = s["lowest"] / 100
            return put(findings, found, at, ON, SEVERE_DESATURATION, onset_ns, 0, value)
    elif ends and s["severe_recovery"] == 1 and until_ns - end_ns >= RECOVERY_NS:
        s["severe"] = 0
        return put(findings, found, at, OFF, SEVERE_DESATURATION, 0, end_ns, s["held"] / 100)
    return found


@kernel
def _take(s: Any, p: Any, reading: int, time_ns: int) -> None:
    """Begin, go on with or end the stretches that a valid reading is part of."""
    s["low"] = reading if s["count"] == 0 else min(s["low"], reading)
    s["sum"] += reading
    s["count"] += 1
    if reading < p["limit"]:
        if s["below"] == 0:
            s["below"] = 1
            s["below_ns"] = time_ns
            s["lowest"] = reading
        s["lowest"] = min(s["lowest"], reading)
        if s["sat_ran_ns"] == 0:
            s["sat_since_ns"] = s["below_ns"]
    else:
        s["below"] = 0
        s["counted"] = 0
    if reading >= p["severe"]:
        s["severe_below"] = 0
    elif s["severe_below"] == 0:
        s["severe_below"] = 1
        s["severe_below_ns"] = time_ns
    if reading < p["recovered"]:
        s["recovery"] = 0
    elif s["recovery"] == 0:
        s["recovery"] = 1
        s["recovery_ns"] = time_ns
    if reading <= p["severe"]:
        s["severe_recovery"] = 0
    elif s["severe_recovery"] == 0:
        s["severe_recovery"] = 1
        s["severe_recovery_ns"] = time_ns


@kernel
def _spot(s: Any, p: Any, reading: int, at: Place, findings: NDArray[Any], found: int) -> int:
    """Judge a spot reading, alone or with the one before it."""
    pair = s["held"] > 0 and s["held_spot"] == 1
    before_ns = s["held_ns"]
    higher, lower = max(s["held"], reading), min(s["held"], reading)
    apart = at[2] - before_ns >= RECOVERY_NS
    if s["desaturation"] == 0:
        if pair and higher < p["limit"]:
            s["lowest"] = min(s["lowest"], lower)
            found = _desaturated(s, before_ns, at, findings, found)
        elif reading < p["spot"]:
            found = _desaturated(s, at[2], at, findings, found)
    elif pair and apart and lower >= p["recovered"]:
        s["desaturation"] = 0
        found = put(findings, found, at, OFF, DESATURATION, 0, before_ns, reading / 100)
    if s["severe"] == 0:
        if pair and higher < p["severe"]:
            s["severe"] = 1
            found = put(findings, found, at, ON, SEVERE_DESATURATION, before_ns, 0, lower / 100)
    elif pair and apart and lower > p["severe"]:
        s["severe"] = 0
        found = put(findings, found, at, OFF, SEVERE_DESATURATION, 0, before_ns, reading / 100)
    return found
