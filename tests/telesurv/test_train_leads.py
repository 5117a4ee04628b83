"""What the weights of the fusion are learnt from."""

import numpy as np
from numpy.typing import NDArray

from kernel_cases import ecg
from lead_cases import Voice, heart, voice
from telesurv.evaluate import train_leads as train
from telesurv.evaluate.beats import Reference
from telesurv.lead import Lead
from telesurv_kernels import _lead_weights
from telesurv_kernels import _testimony as t
from telesurv_streams.frame import MISSING

RATE_HZ = 250.0
STEADY = np.arange(0.5, 120, 0.8)


def taught(seed: int) -> train.Taught:
    """A lead that finds all, and one that misses and invents."""
    noisy = voice(STEADY, np.random.default_rng(seed), misses=0.1, invents=0.2, contrast=2.0)
    marked = np.rint(STEADY * RATE_HZ).astype(np.int64)
    reference = Reference(marked, np.full(len(marked), "N"), [], False)
    told = heart([Voice(STEADY.tolist()), noisy], 120.0)
    return train.Taught(f"made{seed}", 1.0, told, reference, RATE_HZ, 120.0)


def lead(mv: NDArray[np.float64]) -> Lead:
    samples = np.rint(mv / 0.005).astype(np.int16)
    return Lead("made", 0, "I", samples, RATE_HZ, 0.005, 1, RATE_HZ)


def test_a_doubted_peak_is_a_beat_where_experts_marked_one() -> None:
    weights = np.array(_lead_weights.WEIGHTS)
    one = taught(1)
    ((features, beat),) = train.lessons([one], weights)
    assert features.shape == (len(beat), t.FEATURES)
    assert 0 < beat.sum() < len(beat)
    # What the lead that finds all found clears the noise by 4 octaves, the other one's by 1.
    assert set(features[beat, t.FOR_CLEAR]) == {4.0}
    assert set(features[~beat, t.FOR_CLEAR]) == {1.0}


def test_weights_have_their_signs_and_serve_another_record() -> None:
    weights = train.made_of([taught(1), taught(2)])
    assert all(weights[at] * sign >= 0 for at, sign in train.SIGNS.items())
    told = train.run([taught(3), taught(4)], weights)
    assert [len(beats) for beats, _ in told] == 2 * [np.sum(STEADY < 119.5)]


def test_copies_are_disturbed_or_weak_where_they_should_be() -> None:
    one = lead(ecg(np.arange(0.5, 600, 0.8), 600, RATE_HZ))
    one.samples[10] = MISSING
    noisy = train.disturbed(one, np.ones(1000), 1.0)
    assert noisy.samples[10] == MISSING
    added = noisy.samples[20:1000] - one.samples[20:1000]
    assert np.ptp(added) <= 1
    assert added[0] > 50
    assert np.array_equal(noisy.samples[1000:], one.samples[1000:])
    weak = train.weakened(one).samples
    assert np.ptp(weak[310 * 250 : 400 * 250]) < 0.06 * np.ptp(one.samples[310 * 250 : 400 * 250])
    assert np.array_equal(weak[430 * 250 : 530 * 250], one.samples[430 * 250 : 530 * 250])
