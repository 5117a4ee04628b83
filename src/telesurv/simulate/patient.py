"""One simulated patient: frames of any stretch of time, and the truth behind them."""

import functools
import math
from collections.abc import Iterator
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from telesurv.simulate.rhythm import RESPIRATION_HZ, Rhythm
from telesurv.simulate.script import Script
from telesurv.simulate.templates import (
    ECG_HZ,
    PPG_HZ,
    PULSE_POINTS,
    RATES_PER_MIN,
    SHAPES,
    ecg_beats,
    pulse,
)
from telesurv_streams.frame import MISSING
from telesurv_streams.log import FRAMES, HEADER_ARRIVAL, HEADER_MODE, Headers, Outgoing
from telesurv_streams.wire import FRAME_HEADER, Row, encode

NS = 1_000_000_000
EPOCH_NS = 946_684_800 * NS
"""2000-01-01T00:00:00Z: when a patient's time begins, unless it is said otherwise."""

ECG_SCALE_MV, PPG_SCALE = 0.0025, 1 / 4096
ARRIVAL_DELAY_S = 0.3  # radio, phone, gateway; stated in modes replay and demo
PULSE_ARRIVAL_S = 0.22  # from the R-peak to the foot of its pulse
PULSE_S = 1.0  # a pulse lasts until the next one, and no longer than this
FALL_S = 20.0  # in which a desaturation falls, and in which it comes back
MUSCLE_MV, MOTION_MV = 0.012, 0.5
OFF_CODE = 0  # what a lead or a probe that is off gives, over and over

Channel = Literal["ecg.II", "ppg", "spo2"]
CHANNELS: tuple[Channel, ...] = ("ecg.II", "ppg", "spo2")


@functools.cache
def _muscle() -> NDArray[np.float64]:
    """Return a minute of noise above 15 Hz or so at ECG_HZ, of root mean square 1."""
    white = np.random.default_rng(20_240_501).standard_normal(60 * ECG_HZ + 1)
    high = np.diff(white)
    bank: NDArray[np.float64] = high / high.std()
    return bank


class Patient:
    """A patient who sends ECG (250 Hz), PPG (125 Hz) and SpO2 (1 Hz), second after second.

    Parameters
    ----------
    name : pseudonym, and key of the messages
    script : what happens
    seed : of everything random; another seed is another person
    epoch_ns : device time of the patient's second 0
    channels : which of `CHANNELS` are sent
    mode : `live`, `demo` or `replay`, into the messages' headers

    Any second is the same samples however it is asked for.
    """

    def __init__(
        self,
        name: str,
        script: Script | None = None,
        seed: int = 0,
        *,
        epoch_ns: int = EPOCH_NS,
        channels: tuple[Channel, ...] = CHANNELS,
        device: str = "sim",
        mode: str = "live",
    ) -> None:
        self.name, self.script, self.epoch_ns = name, script or Script(), epoch_ns
        self.channels, self.device, self.mode, self.seed = channels, device, mode, seed
        rng = np.random.default_rng([seed, 0])
        self.rate_per_min = float(rng.uniform(58, 88))
        self._rhythm = Rhythm(self.script, seed, self.rate_per_min)
        self._shape = int(rng.integers(len(SHAPES)))
        self._gain_mv = float(rng.uniform(0.8, 1.5))
        self._spo2 = float(rng.uniform(94.6, 98.4))
        self._phase = rng.uniform(0, 2 * np.pi, 8)
        self._offset = int(rng.integers(60 * ECG_HZ))  # into the noise

    def frames(self, from_s: int, to_s: int, frame_s: int = 1) -> list[Row]:
        """Return the frames of seconds [from_s, to_s), each channel's in order.

        Parameters
        ----------
        frame_s : seconds of one frame; frames are shorter where the device fell silent or its
            clock was set, and at the ends. Frames of one second carry sequence numbers.
        """
        rows = []
        for first, last in self._stretches(from_s, to_s, frame_s):
            start_ns = self.epoch_ns + first * NS + self.skew_ns(first)
            for channel in self.channels:
                rate, scale = {
                    "ecg.II": (float(ECG_HZ), ECG_SCALE_MV),
                    "ppg": (float(PPG_HZ), PPG_SCALE),
                    "spo2": (1.0, 1.0),
                }[channel]
                samples = self.samples(channel, first, last)
                number = first - self._silent_s(first) if frame_s == 1 else -1
                name = (self.name, self.device, channel)
                rows.append(Row(*name, start_ns, rate, scale, 0.0, samples, number))
        return rows

    def messages(self, from_s: int, to_s: int, topic: str = FRAMES) -> Iterator[Outgoing]:
        """Yield one message for each second in [from_s, to_s) that the device sends."""
        for second in range(from_s, to_s):
            rows = self.frames(second, second + 1)
            if rows:
                yield Outgoing(topic, self.name.encode(), encode(rows), self._headers(second))

    def _headers(self, second: int) -> Headers:
        if self.mode == "live":
            return (FRAME_HEADER,)
        arrival_ns = self.epoch_ns + (second + 1) * NS + round(ARRIVAL_DELAY_S * NS)
        arrival = (HEADER_ARRIVAL, str(arrival_ns).encode())
        return (FRAME_HEADER, (HEADER_MODE, self.mode.encode()), arrival)

    def samples(self, channel: Channel, from_s: int, to_s: int) -> NDArray[np.int16]:
        """Return the codes of a channel in seconds [from_s, to_s)."""
        make = {"ecg.II": self._ecg, "ppg": self._ppg, "spo2": self._oxygen}[channel]
        parts = [make(second) for second in range(from_s, to_s)]
        return np.concatenate(parts) if parts else np.zeros(0, np.int16)

    def r_peaks(self, from_s: int, to_s: int) -> NDArray[np.int64]:
        """Return the true R-peaks as samples at 250 Hz since second 0, readable or not."""
        beats = self._rhythm.peaks(from_s * ECG_HZ, to_s * ECG_HZ)
        return np.array([self._rhythm.sample(beat) for beat in beats], np.int64)

    def r_peaks_s(self, from_s: int, to_s: int) -> NDArray[np.float64]:
        """Return the true R-peaks in seconds of the patient's time, readable or not."""
        return self.r_peaks(from_s, to_s) / ECG_HZ

    def skew_ns(self, second: int) -> int:
        """Return by how much the device's clock is ahead."""
        ahead = [e.value for e in self.script.of("clock-skew") if e.at_s <= second < e.end_s]
        return round(sum(ahead) * NS)

    def sends(self, second: int) -> bool:
        """Whether the device sends this second."""
        return not any(e.at_s <= second < e.end_s for e in self.script.of("silence"))

    def _silent_s(self, second: int) -> int:
        """Return in how many seconds before this one the device sent nothing."""
        silent, known = 0, 0
        for event in self.script.of("silence"):
            start, end = max(math.ceil(event.at_s), known), min(math.ceil(event.end_s), second)
            silent += max(end - start, 0)
            known = max(known, end)
        return silent

    def _stretches(self, from_s: int, to_s: int, frame_s: int) -> Iterator[tuple[int, int]]:
        """Yield runs of seconds that make one frame each: sent, and by one setting of the clock."""
        first: int | None = None
        for second in range(from_s, to_s + 1):
            ends = (
                second == to_s
                or second % frame_s == 0
                or not self.sends(second)
                or self.skew_ns(second) != self.skew_ns(second - 1)
            )
            if first is not None and ends:
                yield first, second
                first = None
            if first is None and second < to_s and self.sends(second):
                first = second

    def _ecg(self, second: int) -> NDArray[np.int16]:
        start = second * ECG_HZ
        signal = np.zeros(ECG_HZ)
        for number in self._rhythm.peaks(start - ECG_HZ, start + 2 * ECG_HZ):
            rate = 60.0 * ECG_HZ / min(self._rhythm.rr(number))
            nearest = min(range(len(RATES_PER_MIN)), key=lambda i: abs(RATES_PER_MIN[i] - rate))
            beat = ecg_beats(self._shape)[nearest]
            first = self._rhythm.sample(number) - beat.peak - start
            low, high = max(first, 0), min(first + len(beat.samples_mv), ECG_HZ)
            if low < high:
                signal[low:high] += self._gain_mv * beat.samples_mv[low - first : high - first]
        time = (start + np.arange(ECG_HZ)) / ECG_HZ
        signal += 0.06 * np.sin(2 * np.pi * RESPIRATION_HZ * time + self._phase[0])
        signal += 0.04 * np.sin(2 * np.pi * 0.05 * time + self._phase[1])
        muscle = self._noise(second)
        signal += MUSCLE_MV * muscle
        for low, high in self._samples_of("noise", second, ECG_HZ):
            signal[low:high] += (MOTION_MV * (muscle + 1.6 * self._sway(time)))[low:high]
        codes = np.rint(signal / ECG_SCALE_MV).astype(np.int16)
        for low, high in self._samples_of("lead-off", second, ECG_HZ):
            codes[low:high] = OFF_CODE
        return codes

    def _ppg(self, second: int) -> NDArray[np.int16]:
        start = second * ECG_HZ
        time = (second * PPG_HZ + np.arange(PPG_HZ)) / PPG_HZ
        signal = np.zeros(PPG_HZ)
        phases = np.linspace(0.0, 1.0, PULSE_POINTS)
        for number in self._rhythm.peaks(start - 2 * ECG_HZ, start + ECG_HZ):
            foot = self._rhythm.sample(number) / ECG_HZ + PULSE_ARRIVAL_S
            lasts = min(self._rhythm.rr(number)[1] / ECG_HZ, PULSE_S)
            height = 1 + 0.06 * np.sin(2 * np.pi * RESPIRATION_HZ * foot + self._phase[0])
            signal += height * np.interp((time - foot) / lasts, phases, pulse(), 0.0, 0.0)
        signal += 0.08 * np.sin(2 * np.pi * 0.05 * time + self._phase[2])
        signal += 0.004 * self._noise(second)[::2]
        for low, high in self._samples_of("noise", second, PPG_HZ):
            signal[low:high] += 1.2 * self._sway(time)[low:high]
        codes = np.rint(signal / PPG_SCALE).astype(np.int16)
        for low, high in self._samples_of("probe-off", second, PPG_HZ):
            codes[low:high] = OFF_CODE
        return codes

    def _oxygen(self, second: int) -> NDArray[np.int16]:
        for event in self.script.of("probe-off"):
            if event.at_s <= second < event.end_s:
                return np.array([MISSING], np.int16)
        level = self._spo2 + 0.6 * np.sin(2 * np.pi * second / 140 + self._phase[3])
        for event in self.script.of("desaturation", "severe-desaturation"):
            fall = min(FALL_S, event.duration_s / 3)
            inside = min(second - event.at_s, event.end_s - second)
            depth = float(np.clip(inside / fall, 0.0, 1.0))
            level += depth * (event.value - level)
        return np.array([round(level)], np.int16)

    def _noise(self, second: int) -> NDArray[np.float64]:
        first = (self._offset + second * 7919) % (59 * ECG_HZ)
        return _muscle()[first : first + ECG_HZ]

    def _sway(self, time: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return what motion does to a baseline: four slow waves without a common period."""
        waves = [
            np.sin(2 * np.pi * hz * time + self._phase[4 + i])
            for i, hz in enumerate((0.61, 1.07, 1.73, 2.89))
        ]
        total: NDArray[np.float64] = np.sum(waves, axis=0) / 2
        return total

    def _samples_of(self, kind: str, second: int, rate_hz: int) -> Iterator[tuple[int, int]]:
        for start, end in self.script.within(kind, second, second + 1):
            yield round((start - second) * rate_hz), round((end - second) * rate_hz)
