"""The alerts of one patient beside which nothing stands but a script."""

from dataclasses import dataclass, field

from telesurv.alerts.change import Change
from telesurv.alerts.episode import moment
from telesurv.alerts.model import Alert, Strip
from telesurv.alerts.patient import PatientAlerts
from telesurv_kernels import _dtypes as d

S = 1_000_000_000
T0 = 1_750_000_020 * S
CODE = {name: code for code, name in enumerate(d.CONDITIONS) if name}
LINES = {0: ("ecg.II", 0), 1: ("ecg.V5", 2), 2: ("spo2", 10**6), 3: ("ppg", 10**6)}
OF_LINE = {"desaturation": 2, "severe-desaturation": 2, "probe-off": 2, "lead-off": 0}
OF_NONE = {"non-transmission", "clock-skew", "data-lost", "quarantined"}


@dataclass
class Bedside:
    """A patient's alerts and surroundings; times are seconds after T0."""

    alerts: PatientAlerts = field(default_factory=PatientAlerts)
    positions: dict[int, int] = field(default_factory=dict)
    patient: str = "p"
    mode: str = "live"
    plan_version: int = 3
    revisions: dict[str, list[Alert]] = field(default_factory=dict)

    def limit(self, condition: str) -> float:
        return {"desaturation": 90.0, "lead-off": 10.0}.get(condition, 4.0)

    def beats(self, condition: str) -> int:
        return 5 if condition == "extreme-bradycardia" else 0

    def channel(self, timeline: int) -> str:
        return LINES[timeline][0] if timeline >= 0 else ""

    def rank(self, timeline: int) -> tuple[int, str, str]:
        return (LINES[timeline][1], LINES[timeline][0], "d") if timeline >= 0 else (-1, "", "")

    def position_ns(self, timeline: int) -> int:
        return self.positions.get(timeline, 0)

    def strip(self, timeline: int, from_ns: int, to_ns: int) -> Strip | None:
        to_ns = min(to_ns, self.position_ns(timeline))
        if to_ns <= from_ns:
            return None
        seconds = (to_ns - from_ns) // S
        return Strip(
            device="d", channel=self.channel(timeline), unit="1", start=moment(from_ns), rate=1.0,
            scale=1.0, offset=0.0, samples=bytes(2 * seconds),
        )  # fmt: skip

    def all_positions(self) -> dict[int, int]:
        return self.positions

    @property
    def reached_ns(self) -> int:
        leads = [at for line, at in self.positions.items() if line < 2]
        newest = max(leads, default=0)
        return min((at for at in leads if at >= newest - 3 * S), default=0)

    def positions_like(self, timeline: int) -> dict[int, int]:
        return {line: at for line, at in self.positions.items() if line == timeline}

    def best_wave(self) -> int:
        return min((line for line in self.positions if line != 2), default=-1)

    def _keep(self, said: list[Alert]) -> list[Alert]:
        for alert in said:
            known = self.revisions.setdefault(alert.id, [])
            assert alert.revision == len(known) + 1
            known.append(alert)
        return said

    def reach(self, at_s: float, *lines: int) -> list[Alert]:
        for line in lines or tuple(self.positions) or (0,):
            self.positions[line] = T0 + round(at_s * S)
        return self._keep(self.alerts.advanced(self))

    def _find(self, name: str, kind: int, **at: float) -> list[Alert]:
        line = -1 if name in OF_NONE else OF_LINE.get(name, 0)
        line = int(at.pop("line", line))
        ns = {k: T0 + round(v * S) for k, v in at.items() if k != "value"}
        change = Change(
            ns["detected"], self.rank(line), kind, CODE[name], line, ns.get("onset", 0),
            ns.get("end", 0), at.get("value", 5.0), False,
        )  # fmt: skip
        return self._keep(self.alerts.found(change, self))

    def on(self, name: str, onset: float, detected: float, **more: float) -> list[Alert]:
        return self._find(name, d.ON, onset=onset, detected=detected, **more)

    def off(self, name: str, end: float, detected: float, **more: float) -> list[Alert]:
        return self._find(name, d.OFF, end=end, detected=detected, **more)

    def event(self, name: str, onset: float, end: float) -> list[Alert]:
        return self._find(name, d.EPISODE, onset=onset, end=end, detected=end + 0.5)

    @property
    def last(self) -> list[Alert]:
        return [known[-1] for known in self.revisions.values()]
