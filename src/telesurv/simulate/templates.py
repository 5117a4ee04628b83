"""Single beats of ECG and PPG, simulated once by NeuroKit2 and cut out.

ECG: ECGSYN (McSharry et al., IEEE Trans Biomed Eng 2003;50:289-294) as NeuroKit2 has it, in a few
shapes and at a few rates, averaged over the beats of a short stretch. The ends of a cut beat are
brought to zero, so that beats can be added at any distance. The model lets the QRS shrink with
the RR interval, which a heart does not: all rates have the QRS of one.
"""

import functools
import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

ECG_HZ, PPG_HZ = 250, 125

RATES_PER_MIN = (50, 65, 80, 100, 125, 150, 175)
"""Rates at which beats are cut out; a beat takes the nearest one's shape."""

# Heights of P, Q, R, S, T in ECGSYN's model: usual, flat T, tall P, deep S.
SHAPES = (
    (1.2, -5.0, 30.0, -7.5, 0.75),
    (1.0, -3.0, 26.0, -5.0, 0.45),
    (1.9, -4.0, 28.0, -7.0, 0.80),
    (1.1, -6.0, 30.0, -12.0, 0.90),
)

QRS_RATE_PER_MIN = 65
"""The rate whose QRS all beats have."""

QRS_S, QRS_EDGE_S = 0.05, 0.03
"""It is taken over up to so far from the R-peak, and faded out over this."""

PULSE_POINTS = 128


@dataclass(frozen=True, slots=True)
class Beat:
    """One beat of ECG at ECG_HZ: R-peak at index `peak`, there 1 mV; both ends zero."""

    samples_mv: NDArray[np.float64]
    peak: int


@functools.cache
def ecg_beats(shape: int) -> tuple[Beat, ...]:
    """Return one beat for each of RATES_PER_MIN, in one of SHAPES."""
    import neurokit2

    beats = []
    for rate in RATES_PER_MIN:
        signal = neurokit2.ecg_simulate(
            duration=12,
            sampling_rate=ECG_HZ,
            noise=0,
            heart_rate=rate,
            heart_rate_std=0,
            method="ecgsyn",
            ai=SHAPES[shape],
            random_state=shape,
        )
        beats.append(_cut(np.asarray(signal, np.float64), 60.0 / rate))
    usual = beats[RATES_PER_MIN.index(QRS_RATE_PER_MIN)]
    return tuple(_with_qrs(beat, usual) for beat in beats)


def _with_qrs(beat: Beat, usual: Beat) -> Beat:
    """Return a beat with the QRS of the usual one; its own P and T stay where they are."""
    reach = round((QRS_S + QRS_EDGE_S) * ECG_HZ)
    from_peak_s = np.abs(np.arange(-reach, reach + 1)) / ECG_HZ
    share = np.clip((QRS_S + QRS_EDGE_S - from_peak_s) / QRS_EDGE_S, 0.0, 1.0)
    made, at = beat.samples_mv.copy(), slice(beat.peak - reach, beat.peak + reach + 1)
    qrs = usual.samples_mv[usual.peak - reach : usual.peak + reach + 1]
    made[at] = share * qrs + (1 - share) * made[at]
    return Beat(made, beat.peak)


def _cut(signal: NDArray[np.float64], rr_s: float) -> Beat:
    before = round(min(0.30, 0.42 * rr_s) * ECG_HZ)
    after = round(min(0.50, 0.58 * rr_s) * ECG_HZ)
    half = round(0.4 * rr_s * ECG_HZ)
    middle = np.arange(half, len(signal) - half)
    highest = np.array([signal[i] == signal[i - half : i + half + 1].max() for i in middle])
    peaks = [int(i) for i in middle[highest] if i >= before and i + after < len(signal)]
    assert len(peaks) >= 4, f"NeuroKit2 gave {len(peaks)} beats in 12 s at {60 / rr_s:.0f}/min"
    beat = np.mean([signal[i - before : i + after + 1] for i in peaks], axis=0)
    beat -= np.linspace(beat[0], beat[-1], len(beat))
    edge = np.minimum(1.0, np.minimum(np.arange(len(beat)), np.arange(len(beat))[::-1]) / 8)
    beat *= edge
    return Beat(beat / beat[before], before)


@functools.cache
def pulse() -> NDArray[np.float64]:
    """Return one pulse of PPG over the phase 0 to 1, from 0 up to 1 and back to 0."""
    import neurokit2

    signal = neurokit2.ppg_simulate(
        duration=20,
        sampling_rate=PPG_HZ,
        heart_rate=70,
        frequency_modulation=0,
        ibi_randomness=0,
        drift=0,
        motion_amplitude=0,
        powerline_amplitude=0,
        burst_number=0,
        burst_amplitude=0,
        random_state=1,
    )
    signal = np.asarray(signal, np.float64)
    period = round(60 / 70 * PPG_HZ)
    feet = [
        i
        for i in range(period, len(signal) - 2 * period)
        if signal[i] == signal[i - period // 2 : i + period // 2 + 1].min()
    ]
    assert len(feet) >= 4, f"NeuroKit2 gave {len(feet)} pulses in 20 s"
    phase = np.linspace(0.0, 1.0, PULSE_POINTS)
    waves = []
    for first, last in itertools.pairwise(feet):
        wave = np.interp(phase, np.linspace(0.0, 1.0, last - first + 1), signal[first : last + 1])
        waves.append(wave - np.linspace(wave[0], wave[-1], PULSE_POINTS))
    mean = np.mean(waves, axis=0)
    scaled: NDArray[np.float64] = mean / mean.max()
    return scaled
