"""Small patients for the simulation: an ECG of drawn beats, SpO2, and scripted trouble.

They are cheap (a hundred worlds a minute) and exact; realistic signals are tested elsewhere.
"""

import numpy as np

from telesurv_streams import wire
from telesurv_streams.log import FRAMES, Outgoing

RATE_HZ = 125
BEGIN_NS = 1_800_000_000 * 10**9
_TIME_S = np.arange(-0.35, 0.45, 1 / RATE_HZ)


def _bump(at_s: float, width_s: float, mv: float) -> np.ndarray:
    return mv * np.exp(-0.5 * ((_TIME_S - at_s) / width_s) ** 2)


BEAT_MV = (
    _bump(-0.18, 0.025, 0.12)
    + _bump(-0.025, 0.008, -0.12)
    + _bump(0.0, 0.010, 1.1)
    + _bump(0.028, 0.009, -0.22)
    + _bump(0.25, 0.05, 0.28)
)


class SimPatient:
    """A patient whose messages of each second are known beforehand.

    `stop_s` = (from, to): no heartbeat; `low_s`: SpO2 of 80 %; `silent_s`: nothing is sent.
    """

    def __init__(
        self,
        name: str,
        seed: int,
        length_s: int,
        stop_s: tuple[int, int] = (0, 0),
        low_s: tuple[int, int] = (0, 0),
        silent_s: tuple[int, int] = (0, 0),
        numbered: bool = True,
    ) -> None:
        self.name, self.silent_s, self._numbered = name, silent_s, numbered
        rng = np.random.default_rng(seed)
        ecg = rng.normal(0.0, 0.01, length_s * RATE_HZ)
        at_s = 0.6
        while at_s < length_s - 1:
            if not stop_s[0] <= at_s < stop_s[1]:
                first = round(at_s * RATE_HZ) - np.searchsorted(_TIME_S, 0.0)
                stop = min(first + len(BEAT_MV), len(ecg))
                ecg[max(first, 0) : stop] += BEAT_MV[max(-first, 0) : stop - first]
            at_s += 0.8 + rng.normal(0.0, 0.02)
        self._ecg = np.rint(ecg * 200).astype(np.int16)
        self._spo2 = np.full(length_s, 97, np.int16)
        self._spo2[low_s[0] : low_s[1]] = 80

    def message(self, second: int) -> Outgoing | None:
        """Return the message of a second; None while the patient is silent."""
        if self.silent_s[0] <= second < self.silent_s[1]:
            return None
        start_ns = BEGIN_NS + second * 10**9
        number = second if self._numbered else -1
        ecg = self._ecg[second * RATE_HZ : (second + 1) * RATE_HZ]
        spo2 = self._spo2[second : second + 1]
        rows = [
            wire.Row(self.name, "d", "ecg.II", start_ns, RATE_HZ, 0.005, 0.0, ecg, number),
            wire.Row(self.name, "d", "spo2", start_ns, 1.0, 1.0, 0.0, spo2, number),
        ]
        return Outgoing(FRAMES, self.name.encode(), wire.encode(rows), (wire.FRAME_HEADER,))
