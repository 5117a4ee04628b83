"""The band of beats: what its filter without feedback does, and how exactly."""

import numpy as np
import pytest
from scipy import signal

from telesurv_kernels import _band

RATES = [100.0, 120.0, 125.0, 166.7, 199.8]


def butterworth(codes: np.ndarray, block_hz: float) -> np.ndarray:
    """The band-pass that the filter stands for, with its feedback."""
    for cutoff_hz, kind in zip(_band.BAND_HZ, ("highpass", "lowpass"), strict=True):
        codes = signal.lfilter(*signal.butter(2, cutoff_hz, kind, fs=block_hz), codes)
    return codes


@pytest.mark.parametrize("block_hz", RATES)
def test_it_answers_as_a_butterworth_band_pass_does(block_hz: float) -> None:
    click = np.zeros(_band.TAPS)
    click[0] = 1
    np.testing.assert_allclose(_band.taps_of(block_hz), butterworth(click, block_hz), atol=1e-3)


@pytest.mark.parametrize("block_hz", RATES)
def test_a_level_and_a_slope_leave_nothing(block_hz: float) -> None:
    taps = _band.taps_of(block_hz)
    assert abs(taps.sum()) < 1e-12
    assert abs((taps * np.arange(_band.TAPS)).sum()) < 1e-12


@pytest.mark.parametrize("block_hz", RATES)
def test_it_has_room_for_the_longest_answer_and_power(block_hz: float) -> None:
    assert round(_band.RING_S * block_hz) <= _band.TAPS
    assert round(0.1 * block_hz) <= _band.WINDOW
    assert round(0.25 * block_hz) <= _band.BLOCKS
