"""Exact test signals after the standard of ECG monitors, by name: `CASES`.

Source: IEC 60601-2-27 (201.7.9.2.9.101 and 201.12.1.101) and ANSI/AAMI EC13, as what makers of
monitors and of test generators publish quotes them; the standards themselves were not read.
Where they show a recording (irregular rhythms, ventricular tachycardia) the signal here is
synthetic, with the rate, height and order of beats that are quoted: an approximation.

- QRS: straight lines from 0 up to 7/8, down to -1/8 and back to 0 of its height peak to peak,
  over 7/16, 8/16 and 1/16 of its width. R-peaks are therefore known exactly.
- T: half a sine of 180 ms that ends 350 ms after the QRS began.
- Pacing pulse: a rectangle, averaged over each sampling interval as an integrating converter
  does, then a tail of the other sign that decays. The converter ends at `RANGE_MV`.
- Every signal has the noise that the standard allows a front end, 30 uV peak to peak: one
  without any is a lead that is off.

>>> from telesurv.simulate.monitor_cases import CASES
>>> case = CASES["tall-t-1.2mv"]()
>>> case.codes, case.rate_hz, case.beats_s, case.rate_per_min
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Shape = Callable[[Floats], Floats]
"""Seconds from the R-peak to mV."""

RANGE_MV = 10.0
"""The converter saturates here, as a front end of 24 bits with a gain of 12 and more does."""

SCALE_MV = RANGE_MV / 32_000
NOISE_MV = 0.005  # standard deviation: about 30 uV peak to peak
SEED = 1
RATE_HZ = 250.0
LENGTH_S = 60.0

T_S, QT_S = 0.180, 0.350
PEAK = 7 / 16  # of a QRS's width lie before its R-peak

ASYSTOLE = ("asystole",)
TACHYCARDIA = ("extreme-tachycardia", "ventricular-tachycardia", "ventricular-fibrillation")

OVERSHOOT_MV_MAX = 2.0
"""A pacing pulse's tail is at most so high (method A of EC13, as it is commonly quoted)."""


@dataclass(frozen=True, slots=True)
class Case:
    """A signal, and what is true of it."""

    name: str
    about: str  # what it is, and what a monitor is to make of it
    codes: NDArray[np.int16]
    rate_hz: float
    scale_mv: float
    beats_s: Floats  # R-peaks
    rate_per_min: float | None  # to be shown at its end; None: no beat is, from change_s on
    change_s: float | None = None  # when it becomes what it is about; None: it is from the start
    alarms: tuple[str, ...] = ()  # conditions of which one is to be found after change_s


def times(length_s: float, rate_hz: float) -> Floats:
    """Return the time of every sample."""
    return np.arange(round(length_s * rate_hz)) / rate_hz


def regular(per_min: float, until_s: float, first_s: float = 0.5) -> Floats:
    """Return beats at one rate."""
    return np.arange(first_s, until_s - 0.3, 60 / per_min)


def add(mv: Floats, t: Floats, at_s: float, shape: Shape) -> None:
    """Add what `shape` is within 0.2 s before and 0.5 s after `at_s`."""
    first, last = np.searchsorted(t, (at_s - 0.2, at_s + 0.5))
    mv[first:last] += shape(t[first:last] - at_s)


def qrs(s: Floats, height_mv: float, width_s: float) -> Floats:
    """Return the standard's QRS about its R-peak; height is from peak to peak."""
    corners = np.array([0.0, PEAK, PEAK + 0.5, 1.0]) - PEAK
    return np.interp(s, corners * width_s, np.array([0.0, 0.875, -0.125, 0.0]) * height_mv)


def t_wave(s: Floats, height_mv: float, width_s: float) -> Floats:
    """Return a T after the QRS of `width_s` whose R-peak lies at 0."""
    phase = (s + PEAK * width_s - (QT_S - T_S)) / T_S
    return np.where((phase > 0) & (phase < 1), height_mv * np.sin(np.pi * phase), 0.0)


def hill(s: Floats, height_mv: float, width_s: float) -> Floats:
    """Return a raised cosine of a width about 0."""
    within = np.abs(s) < width_s / 2
    return np.where(within, height_mv * (0.5 + 0.5 * np.cos(2 * np.pi * s / width_s)), 0.0)


def normal(s: Floats, height_mv: float = 1.0, width_s: float = 0.1, t_mv: float = 0.2) -> Floats:
    """Return the standard's beat about its R-peak."""
    return qrs(s, height_mv, width_s) + t_wave(s, t_mv, width_s)


def ventricular(s: Floats, height_mv: float = 1.4) -> Floats:
    """Return a wide beat without a P, its T against it."""
    return hill(s, height_mv, 0.16) - hill(s - 0.22, 0.35 * height_mv, 0.24)


def ecg(t: Floats, beats: Iterable[tuple[float, Shape]]) -> Floats:
    """Return the sum of beats, in mV."""
    mv = np.zeros(len(t))
    for at_s, shape in beats:
        add(mv, t, at_s, shape)
    return mv


def coded(mv: Floats) -> NDArray[np.int16]:
    """Add the front end's noise, and convert."""
    noisy = mv + np.random.default_rng(SEED).normal(0, NOISE_MV, len(mv))
    return np.rint(np.clip(noisy, -RANGE_MV, RANGE_MV) / SCALE_MV).astype(np.int16)


def rhythm(
    name: str,
    about: str,
    beats_s: Floats,
    rate_per_min: float | None,
    shape: Shape = normal,
    *,
    rate_hz: float = RATE_HZ,
    more: Callable[[Floats], Floats] | None = None,
    change_s: float | None = None,
    length_s: float = LENGTH_S,
    alarms: tuple[str, ...] = (),
) -> Case:
    """Return beats of one shape, with something added to the signal."""
    t = times(length_s, rate_hz)
    mv = ecg(t, ((at_s, shape) for at_s in beats_s))
    if more is not None:
        mv += more(t)
    return Case(name, about, coded(mv), rate_hz, SCALE_MV, beats_s, rate_per_min, change_s, alarms)


def alternating(
    name: str, rate_per_min: float, coupling_s: float, *, bidirectional: bool = False
) -> Case:
    """Return normal and ventricular beats in turn, or ventricular ones of either sign."""
    beats_s = regular(rate_per_min, LENGTH_S)
    second = np.arange(len(beats_s)) % 2 == 1
    beats_s[second] += coupling_s - 60 / rate_per_min
    shapes: tuple[Shape, Shape] = (normal, ventricular)
    if bidirectional:
        shapes = (ventricular, partial(ventricular, height_mv=-1.4))
    t = times(LENGTH_S, RATE_HZ)
    mv = ecg(t, ((at_s, shapes[k % 2]) for k, at_s in enumerate(beats_s)))
    about = f"irregular rhythm of the standard: {name}, {rate_per_min:g}/min is to be shown"
    return Case(name, about, coded(mv), RATE_HZ, SCALE_MV, beats_s, rate_per_min)


STEP_S = 70.0


def step(name: str, before_per_min: float, after_per_min: float) -> Case:
    """Return a rate that changes with the first beat that comes early or late, near `STEP_S`."""
    before_s = regular(before_per_min, STEP_S)
    change_s = before_s[-1] + 60 / after_per_min
    beats_s = np.concatenate([before_s, np.arange(change_s, 250 - 0.3, 60 / after_per_min)])
    about = f"rate from {before_per_min:g} to {after_per_min:g}/min: how long until it is shown?"
    return rhythm(name, about, beats_s, after_per_min, change_s=float(change_s), length_s=250.0)


def tachycardia(name: str, per_min: float, height_mv: float, gain: float) -> Case:
    """Return a ventricular tachycardia after 30 s at 80/min.

    B1 (206/min, 1 mV): smooth wide waves. B2 (195/min, 2 mV): steeper ones. Intervals and
    heights vary a little from beat to beat, as in the standard's recordings.
    """
    onset_s, length_s = 30.0, 60.0
    rng = np.random.default_rng(SEED)
    count = int((length_s - onset_s) * per_min / 60)
    vt_s = onset_s + np.cumsum(60 / per_min * (1 + rng.uniform(-0.02, 0.02, count)))
    vt_s = vt_s[vt_s < length_s - 0.3]
    t = times(length_s, RATE_HZ)
    before_s = regular(80, onset_s)
    mv = ecg(t, ((at_s, normal) for at_s in before_s))
    for at_s, size in zip(vt_s, gain * height_mv * rng.uniform(0.93, 1.0, len(vt_s)), strict=True):
        wave = partial(hill, height_mv=0.7 * size, width_s=0.15)
        if height_mv > 1.5:
            wave = partial(qrs, height_mv=0.7 * size, width_s=0.15)
        add(mv, t, at_s, wave)
        add(mv, t, at_s + 0.5 * 60 / per_min, partial(hill, height_mv=-0.3 * size, width_s=0.14))
    about = f"ventricular tachycardia of {per_min:g}/min, {height_mv:g} mV, gain {gain:g}: alarm?"
    beats_s = np.concatenate([before_s, vt_s])
    return Case(name, about, coded(mv), RATE_HZ, SCALE_MV, beats_s, per_min, onset_s, TACHYCARDIA)


def pulses(
    t: Floats, at_s: Floats, height_mv: float, width_s: float, tail: float, decay_s: float
) -> Floats:
    """Return pacing pulses as a converter sees them, each with a tail."""
    interval_s = t[1] - t[0]
    mv = np.zeros(len(t))
    over_mv = -np.sign(height_mv) * min(tail * abs(height_mv), OVERSHOOT_MV_MAX)
    for begin_s in at_s:
        first, last = np.searchsorted(t, (begin_s - interval_s, begin_s + 8 * decay_s + width_s))
        s = t[first:last] - begin_s
        seen_s = np.minimum(s + interval_s, width_s) - np.maximum(s, 0.0)
        mv[first:last] += height_mv * np.clip(seen_s, 0.0, None) / interval_s
        mv[first:last] += np.where(s >= width_s, over_mv * np.exp(-(s - width_s) / decay_s), 0.0)
    return mv


CAPTURE_S = 0.04  # from the pacing pulse to the beginning of its QRS


def paced(
    name: str,
    rate_hz: float,
    height_mv: float,
    width_s: float,
    tail: float,
    decay_s: float,
    *,
    captured: bool,
) -> Case:
    """Return pacing pulses at 60/min from the start, or after 20 s of beats without them.

    Captured: each is followed by a QRS. Otherwise the heart stops when they begin.
    """
    begin_s, length_s = (0.3 if captured else 20.0), 40.0
    at_s = np.arange(begin_s, length_s - 0.7, 1.0) + 0.0003
    beats_s = regular(80, begin_s)
    if captured:
        beats_s = at_s + CAPTURE_S + PEAK * 0.1

    def more(t: Floats) -> Floats:
        return pulses(t, at_s, height_mv, width_s, tail, decay_s)

    about = "paced beats: 60/min" if captured else "pacing without capture: asystole, not 60/min"
    return rhythm(
        name,
        about,
        beats_s,
        60.0 if captured else None,
        rate_hz=rate_hz,
        more=more,
        change_s=None if captured else float(beats_s[-1]),
        length_s=length_s,
        alarms=() if captured else ASYSTOLE,
    )


def pop(name: str, jump_mv: float, decay_s: float) -> Case:
    """Return beats at 80/min with an electrode's jump at 30 s that a high-pass takes back."""

    def more(t: Floats) -> Floats:
        return np.where(t >= 30.0, jump_mv * np.exp(-(t - 30.0) / decay_s), 0.0)

    about = f"an electrode jumps by {jump_mv:g} mV: 80/min again, and no alarm of it"
    return rhythm(name, about, regular(80, LENGTH_S), 80.0, more=more, change_s=30.0)


def mains(t: Floats, peak_to_peak_mv: float, hz: float = 50.0) -> Floats:
    """Return mains interference."""
    return peak_to_peak_mv / 2 * np.sin(2 * np.pi * hz * t)


def drift(t: Floats) -> Floats:
    """Return the standard's drift: a triangle of 4 mV peak to peak at 0.1 Hz."""
    return 4.0 * np.abs((0.1 * t) % 1.0 - 0.5) * 2 - 2.0


def day(rate_hz: float = 250.0, chunk_s: int = 3600) -> Iterator[NDArray[np.int16]]:
    """Yield 24 h at 75/min in chunks: 108,000 beats, R-peaks at 0.4 s and each 0.8 s after.

    The baseline wanders by 2 mV and back every 300 s, and creeps by 5 mV over the day.
    """
    t = times(chunk_s, rate_hz)
    mv = ecg(t, ((at_s, normal) for at_s in np.arange(0.4, chunk_s, 0.8)))
    mv += np.sin(2 * np.pi * t / 300) + np.random.default_rng(SEED).normal(0, NOISE_MV, len(t))
    for number in range(24 * 3600 // chunk_s):
        creep = 5.0 * (number * chunk_s + t) / (24 * 3600)
        yield np.rint((mv + creep) / SCALE_MV).astype(np.int16)


def _qrs_cases() -> Iterator[tuple[str, Callable[[], Case]]]:
    about = "QRS of {:g} mV and {:g} ms at {:g}/min is to be counted"
    for mv, ms, per_min in (
        *((mv, ms, 80.0) for mv in (0.5, 1.0, 2.0, 5.0) for ms in (70.0, 100.0, 120.0)),
        *(
            (mv, ms, per_min)
            for mv in (0.5, 5.0)
            for ms in (70.0, 120.0)
            for per_min in (30.0, 200.0)
        ),
        *((mv, 40.0, 120.0) for mv in (0.5, 5.0)),  # of a newborn
    ):
        name = f"qrs-{mv:g}mv-{ms:g}ms-{per_min:g}"
        # At 200/min the next beat begins before a T of this QT is over.
        shape = partial(
            normal, height_mv=mv, width_s=ms / 1000, t_mv=0.2 * mv if per_min < 150 else 0.0
        )
        text = about.format(mv, ms, per_min)
        yield name, partial(rhythm, name, text, regular(per_min, LENGTH_S), per_min, shape)
    for name, mv, ms in (("small-qrs", 0.15, 100.0), ("narrow-pulse", 1.0, 10.0)):
        text = f"QRS of {mv:g} mV and {ms:g} ms is not to be counted"
        shape = partial(qrs, height_mv=mv, width_s=ms / 1000)
        yield (
            name,
            partial(
                rhythm,
                name,
                text,
                regular(80, LENGTH_S),
                None,
                shape,
                change_s=0.0,
                alarms=ASYSTOLE,
            ),
        )
    for mv in (0.4, 0.8, 1.2):
        name, shape = f"tall-t-{mv:g}mv", partial(normal, t_mv=mv)
        text = f"T of {mv:g} mV beside a QRS of 1 mV: 80/min, not 160"
        yield name, partial(rhythm, name, text, regular(80, LENGTH_S), 80.0, shape)


def _rhythm_cases() -> Iterator[tuple[str, Callable[[], Case]]]:
    for name, per_min, coupling_s in (
        ("bigeminy", 80.0, 0.5),
        ("slow-alternating-bigeminy", 60.0, 0.6),
        ("rapid-alternating-bigeminy", 120.0, 0.38),
    ):
        yield name, partial(alternating, name, per_min, coupling_s)
    name = "bidirectional-systoles"
    yield name, partial(alternating, name, 90.0, 60 / 90, bidirectional=True)
    yield "step-80-120", partial(step, "step-80-120", 80, 120)
    yield "step-80-40", partial(step, "step-80-40", 80, 40)
    for per_min, mv in ((206.0, 1.0), (195.0, 2.0)):
        for label, gain in (("half", 0.5), ("normal", 1.0), ("double", 2.0)):
            name = f"vt-{per_min:g}-{label}"
            yield name, partial(tachycardia, name, per_min, mv, gain)


def _disturbed_cases() -> Iterator[tuple[str, Callable[[], Case]]]:
    beats_s, small = regular(80, LENGTH_S), partial(normal, height_mv=0.5, t_mv=0.1)
    for mv in (0.1, 0.2, 0.5, 1.0):
        name, text = f"mains-{mv:g}mv", f"50 Hz of {mv:g} mV peak to peak, QRS of 0.5 mV: 80/min"
        more = partial(mains, peak_to_peak_mv=mv)
        yield name, partial(rhythm, name, text, beats_s, 80.0, small, more=more)
    text = "a triangle of 4 mV at 0.1 Hz, QRS of 0.5 mV: 80/min"
    yield "drift", partial(rhythm, "drift", text, beats_s, 80.0, small, more=drift)
    for jump_mv, decay_s in ((3.0, 0.3), (-8.0, 1.0), (300.0, 0.3), (-300.0, 3.0)):
        name = f"pop{jump_mv:+g}mv-{decay_s:g}s"
        yield name, partial(pop, name, jump_mv, decay_s)


TAILS = {
    "": (0.0, 0.1),
    "-tail4": (0.25, 0.004),
    "-tail25": (0.25, 0.025),
    "-tail100": (0.025, 0.1),
}
"""Suffix of the name -> height as a share of the pulse's, and time constant in s."""


def _paced_cases() -> Iterator[tuple[str, Callable[[], Case]]]:
    for captured, word in ((True, "paced"), (False, "lost")):
        for rate_hz in (500.0, 1000.0):
            for mv in (2.0, -2.0, 700.0, -700.0):
                for ms in (1.0, 2.0):
                    for suffix, (tail, decay_s) in TAILS.items():
                        name = f"{word}{mv:+g}mv-{ms:g}ms-{rate_hz:g}hz{suffix}"
                        yield (
                            name,
                            partial(
                                paced,
                                name,
                                rate_hz,
                                mv,
                                ms / 1000,
                                tail,
                                decay_s,
                                captured=captured,
                            ),
                        )


CASES: dict[str, Callable[[], Case]] = {
    **dict(_qrs_cases()),
    **dict(_rhythm_cases()),
    **dict(_disturbed_cases()),
    **dict(_paced_cases()),
}
"""Name -> what makes the case."""
