"""Second-order Butterworth sections, designed once per row from its rate.

The bilinear transform of the analogue prototype (Oppenheim and Schafer, Discrete-Time
Signal Processing, chapter 7), normalised so that a0 = 1. NumPy alone: scipy designs the
same numbers, but stays out of the kernels' imports.
"""

import math

import numpy as np
from numpy.typing import NDArray


def _denominator(warped: float) -> tuple[float, float, float]:
    """Return a0, a1, a2 before normalisation for tan(pi * cutoff / rate)."""
    return (
        1.0 + math.sqrt(2.0) * warped + warped * warped,
        2.0 * (warped * warped - 1.0),
        1.0 - math.sqrt(2.0) * warped + warped * warped,
    )


def lowpass(rate_hz: float, cutoff_hz: float) -> NDArray[np.float64]:
    """Return b0, b1, b2, a1, a2 of a second-order Butterworth low-pass.

    Raises
    ------
    AssertionError
        When the cutoff does not lie between zero and half the rate.
    """
    assert 0 < cutoff_hz < rate_hz / 2, f"cutoff {cutoff_hz} Hz at a rate of {rate_hz} Hz"
    warped = math.tan(math.pi * cutoff_hz / rate_hz)
    a0, a1, a2 = _denominator(warped)
    gain = warped * warped / a0
    return np.array([gain, 2.0 * gain, gain, a1 / a0, a2 / a0])


def highpass(rate_hz: float, cutoff_hz: float) -> NDArray[np.float64]:
    """Return b0, b1, b2, a1, a2 of a second-order Butterworth high-pass.

    Raises
    ------
    AssertionError
        When the cutoff does not lie between zero and half the rate.
    """
    assert 0 < cutoff_hz < rate_hz / 2, f"cutoff {cutoff_hz} Hz at a rate of {rate_hz} Hz"
    warped = math.tan(math.pi * cutoff_hz / rate_hz)
    a0, a1, a2 = _denominator(warped)
    return np.array([1.0 / a0, -2.0 / a0, 1.0 / a0, a1 / a0, a2 / a0])
