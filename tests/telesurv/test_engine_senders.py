"""Whoever sends, however it comes: batches, restarts and rereading change no revision.

`TELESURV_TEST_SENDERS=1000` draws more of them; a failure names its seed.
"""

import os
import random
from functools import cache

import pytest

from engine_cases import Ran, Tape, run, singly
from restart_cases import goes_on
from sender_cases import drawn

DRAWN = 24
SEEDS = [*range(int(os.environ.get("TELESURV_TEST_SENDERS", DRAWN))), 55, 137]
"""The last ones found something once that the first do not."""


@cache
def undisturbed(seed: int) -> tuple[Tape, Ran]:
    tape = drawn(seed)
    return tape, run(tape.records)


@pytest.mark.parametrize("seed", sorted(set(SEEDS)))
def test_batches_and_restarts_change_nothing(seed: int) -> None:
    tape, whole = undisturbed(seed)
    rng, size = random.Random(seed), len(tape.records)
    cuts = sorted(rng.sample(range(size), min(size, 9)))
    for other in (singly(tape.records), run(tape.records, cuts)):
        assert other.revisions == whole.revisions
        assert other.states == whole.states
        assert other.sorted_minutes == whole.sorted_minutes
        assert sorted(map(repr, other.bad)) == sorted(map(repr, whole.bad))
    for with_ring in (True, False):
        at = rng.randrange(size)
        before, after = goes_on(tape.records, at, with_ring)
        for key, revisions in whole.revisions.items():
            told = before.revisions.get(key, []) + after.revisions.get(key, [])
            assert told == revisions, (at, with_ring)
        assert after.states == whole.states, (at, with_ring)


def test_the_senders_show_what_they_should() -> None:
    """A test that draws nothing proves nothing."""
    rans = [undisturbed(seed)[1] for seed in range(DRAWN)]
    found = {entry.condition for ran in rans for a in ran.alerts for entry in a.conditions}
    assert found >= {
        "asystole", "pause", "desaturation", "severe-desaturation", "lead-off", "probe-off",
        "non-transmission",
    }  # fmt: skip
    assert {bad.reason.split(":")[0] for ran in rans for bad in ran.bad} >= {"before-position"}
    assert any(alert.count > 1 for ran in rans for alert in ran.alerts)
