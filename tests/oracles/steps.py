"""What every MARK and GAP says, with the beats that it covers: for oracles of event kernels."""

from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from telesurv_kernels import _dtypes as d
from telesurv_kernels._pending import PENDING, SLACK_NS

Finding = tuple[int, int, int, int, int, float, float]
"""kind, condition, onset_ns, end_ns, detected_ns, value, low"""


@dataclass(frozen=True)
class Beat:
    time: int
    flags: int

    @property
    def sure(self) -> bool:
        return not self.flags & d.UNSURE

    @property
    def kind(self) -> int:
        return self.flags >> d.CLASS_SHIFT & d.CLASS_MASK

    @property
    def run(self) -> int:
        return self.flags >> d.RUN_SHIFT & d.RUN_MASK

    @property
    def clear(self) -> int:
        return self.flags >> d.NOISE_SHIFT & 255


@dataclass
class Step:
    """What one MARK or GAP says of the time since the one before."""

    time: int
    decided: int
    readable: bool = False  # throughout
    readable_ns: int = 0
    fibrillating: bool = False
    beats: list[Beat] = field(default_factory=list)  # none where it was not readable throughout


def steps_of(events: NDArray[Any]) -> list[Step]:
    """Sort the beats into the MARKs that cover them."""
    steps: list[Step] = []
    waiting: dict[int, Beat] = {}
    crowded = fibrillating = False
    for event in events:
        time, kind, value = (event[name].item() for name in ("time_ns", "kind", "value"))
        last = steps[-1].time if steps else None
        if kind == d.FIBRILLATION:
            fibrillating = value != 0
        elif kind == d.BEAT:
            if last is None or time < last or time in waiting:
                continue
            if len(waiting) == PENDING:
                crowded = True
            else:
                waiting[time] = Beat(time, event["flags"].item())
        elif kind == d.MARK and last is not None and time >= last:
            readable = value >= time - last - SLACK_NS and not crowded
            step = Step(time, event["decided_ns"].item(), readable, int(value), fibrillating)
            if readable:
                step.beats = [waiting[t] for t in sorted(waiting) if t < time]
            waiting = {t: beat for t, beat in waiting.items() if t >= time}
            steps.append(step)
            crowded = False
        else:
            steps.append(Step(time, event["decided_ns"].item()))
            waiting, crowded, fibrillating = {}, False, False
    return steps
