"""Some patients with real hearts, and a log of what they sent through a poor network."""

import random
from dataclasses import replace

import numpy as np

from engine_cases import T0, S, Signal, Tape, by_end, end_ns, off, oxygen, real
from telesurv.alerts.model import Plan
from telesurv_streams.wire import Row


def cast() -> dict[str, list[Signal]]:
    """Patients with real hearts, to whom something happens."""
    stops = ((20.0, 27.5), (40.0, 47.0))
    lead = real("217", quiet_s=stops)
    other = replace(lead, channel="ecg.V5", codes=(-0.6 * lead.codes).astype(np.int16))
    return {
        "one": [real("106", quiet_s=[(20, 27.5)]), oxygen([(15, 97), (20, 80), (40, 97)])],
        "two-leads": [off(lead, (28, 39)), other],
        "well": [real("208"), oxygen([(70, 96)])],
        "off": [off(real("201"), (12, 30)), oxygen([(20, 97), (15, 0), (30, 97)])],
    }


def rows_of(signals: dict[str, list[Signal]], frame_s: float = 1.0) -> list[Row]:
    return [
        row
        for patient, channels in signals.items()
        for signal in channels
        for row in signal.frames(patient, max(frame_s, 1 / signal.rate_hz))
    ]


def muddled() -> Tape:
    """A log of that cast: with ticks, a plan, duplicates, lost and reordered frames, bad ones."""
    rng = random.Random(7)
    rows = by_end(*rows_of(cast()))
    made_of = Tape()
    made_of.plan(Plan(patient="one", version=1, expected_interval="1m", grace="0s"), T0)
    for number, row in enumerate(rows):
        if rng.random() < 0.01:
            continue
        if number % 97 == 0:
            made_of.tick(end_ns(row))
        if number % 120 == 50:
            made_of.put(b"nonsense", (("telesurv-frame", b"1"),), b"one", end_ns(row))
        made_of.rows([row])
        if rng.random() < 0.03:
            made_of.rows([row])
    for at in range(20, len(rows), 35):
        left, right = made_of.records[at], made_of.records[at + 3]
        moved = left._replace(value=right.value, key=right.key, headers=right.headers)
        back = right._replace(value=left.value, key=left.key, headers=left.headers)
        made_of.records[at], made_of.records[at + 3] = moved, back
    for second in range(70, 200, 10):
        made_of.tick(T0 + second * S)
    return made_of
