"""The record types that kernels and engine exchange. None has padding."""

import numpy as np

SEGMENT = np.dtype(
    [
        ("row", np.int64),  # row of the kernel's state and params tables
        ("first", np.int64),  # samples[first:last] is the stretch
        ("last", np.int64),
        ("restart", np.int64),  # 1: does not continue what the row saw before (gap, new settings)
    ]
)
"""A stretch of one row's samples, in the row's order. Index in the array: its *segment*."""

EVENT = np.dtype(
    [
        ("row", np.int64),  # row of the event kernel's tables
        ("segment", np.int64),  # segment whose samples completed the event
        ("kind", np.int64),  # BEAT, MARK or GAP
        ("time_ns", np.int64),  # device time of the event
        ("decided_ns", np.int64),  # device time of the sample at which it was decided
        ("value", np.float64),  # by kind, see below
        ("flags", np.int64),  # by kind
    ]
)
"""What a signal kernel found, in device time, for an event kernel."""

BEAT = 1  # an R-peak at time; value: its height in mV; flags: UNSURE
MARK = 2  # decided up to time; value: how many ns since the last MARK or GAP were readable
GAP = 3  # signal resumes at time; nothing is known of what lies before
FIBRILLATION = 4  # of the ventricles, from time on; value: PRESENT, 1 suspected, 0 no longer
CANDIDATE = 5  # what was rejected as a beat, as a BEAT; heard by `leads` alone
POSITION = 6  # for `leads`: the lead has come to time; value: ns that others may be behind it;
# flags: the lead's rank, the smaller the better

PRESENT = 2.0  # value of FIBRILLATION

LEAD_EVENT = np.dtype([*EVENT.descr, ("lead", np.int64)])
"""An EVENT of one of a patient's leads, for `leads`; row: of its tables; lead: from 0, lasting."""

UNSURE = 1  # flag of BEAT: the peak lies in a stretch that quality calls unreadable

STRENGTH_SHIFT, NOISE_SHIFT = 8, 16
"""A BEAT's and CANDIDATE's strength to that of the usual beat, in 1/32, and that of the usual
beat to noise, in 1/4: 8 bits of the flags each, 255 at most."""

LIKE_SHIFT, LIKE_MASK = 1, 7
"""How like a BEAT or CANDIDATE in noise is to the lead's known shapes, from 1 on in seven steps;
0: it was not compared."""

RUN_SHIFT, RUN_MASK = 24, 15
"""A BEAT of a heart: how many ventricular ones in a row, alike in height, one lead has shown."""

LEAD_SHIFT = 32
"""A BEAT of a heart: `flags >> LEAD_SHIFT` is the lead whose word it is."""

CLASS_SHIFT, CLASS_MASK = 4, 7
"""The class of a BEAT is `flags >> CLASS_SHIFT & CLASS_MASK`; 0: not classified."""

NORMAL, SUPRAVENTRICULAR, VENTRICULAR, FUSION, UNKNOWN = 1, 2, 3, 4, 5
"""Classes of beats: N, S, V, F and Q of ANSI/AAMI EC57 (Q: paced, or of no known kind)."""

FINDING = np.dtype(
    [
        ("row", np.int64),
        ("segment", np.int64),  # segment (or the event's segment) that completed the finding
        ("kind", np.int64),  # ON, OFF, EPISODE, SURE, UNSURE_SINCE, MINUTE
        ("condition", np.int64),  # index into CONDITIONS; for MINUTE a NUMERIC_ code; else 0
        ("onset_ns", np.int64),  # ON, EPISODE: begin; MINUTE: begin of the minute
        ("end_ns", np.int64),  # OFF, EPISODE: end; else 0
        ("detected_ns", np.int64),  # device time of the sample at which it was decided
        ("value", np.float64),  # the number of the rule: rate per minute, RR ms, SpO2 %, s
        ("low", np.float64),  # MINUTE: lowest of the minute; else 0
    ]
)
"""What a kernel says, in device time: the engine makes alerts and numerics of it."""

ON = 1  # the condition is present since onset
OFF = 2  # it ended at end
EPISODE = 3  # an event with a begin and an end, over when found (pause)
SURE = 4  # the row's signal is analysed again from onset on
UNSURE_SINCE = 5  # the row's signal is not analysed since onset
MINUTE = 6  # a numeric of one device-time minute: value is the mean, low the lowest

CONDITIONS = (
    "",
    "asystole",
    "pause",
    "extreme-bradycardia",
    "extreme-tachycardia",
    "desaturation",
    "severe-desaturation",
    "probe-off",
    "lead-off",
    "non-transmission",
    "clock-skew",
    "data-lost",
    "quarantined",
    "ventricular-tachycardia",
    "ventricular-run",
    "ventricular-fibrillation",
    "supraventricular-tachycardia",
    "atrial-fibrillation",
    "couplet",
    "bigeminy",
    "trigeminy",
    "missed-beat",
    "frequent-ventricular-beats",
    "unreadable",
)
"""Names of the conditions by code; codes 10 to 12 are no kernel's."""

ASYSTOLE, PAUSE, EXTREME_BRADYCARDIA, EXTREME_TACHYCARDIA = 1, 2, 3, 4
DESATURATION, SEVERE_DESATURATION, PROBE_OFF, LEAD_OFF = 5, 6, 7, 8
NON_TRANSMISSION, CLOCK_SKEW, DATA_LOST, QUARANTINED = 9, 10, 11, 12
VENTRICULAR_TACHYCARDIA, VENTRICULAR_RUN, VENTRICULAR_FIBRILLATION = 13, 14, 15
SUPRAVENTRICULAR_TACHYCARDIA, ATRIAL_FIBRILLATION = 16, 17
COUPLET, BIGEMINY, TRIGEMINY = 18, 19, 20
MISSED_BEAT, FREQUENT_VENTRICULAR_BEATS, UNREADABLE = 21, 22, 23

NUMERICS = ("", "heart_rate", "spo2")
"""Names of the numerics that kernels make, by code."""

NUMERIC_HEART_RATE, NUMERIC_SPO2 = 1, 2
