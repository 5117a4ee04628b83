"""Simulated patients onto a log as time passes, or into a recording at once."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

from telesurv.simulate.patient import Patient
from telesurv_streams.log import Log, Outgoing, Sink

RECORDED_FRAME_S = 10
"""Seconds of a frame on disk."""

RECORDED_AT_ONCE_S = 10
FULL_WAIT_S = 0.02
ACKNOWLEDGED_S = 30.0


class Sender(Protocol):
    """What sends messages second by second: a simulated patient, or a recording's excerpt."""

    @property
    def name(self) -> str:
        """Pseudonym."""
        ...

    def messages(self, from_s: int, to_s: int) -> Iterator[Outgoing]:
        """Yield the messages of seconds [from_s, to_s)."""
        ...


Progress = Callable[[float, float, str], None]


def play(
    patients: Sequence[Sender],
    log: Log,
    *,
    duration_s: int | None = None,
    speed: float | None = 1.0,
    stop: threading.Event | None = None,
    progress: Progress | None = None,
) -> int:
    """Send the patients' messages, each second of theirs when it is over; return how many.

    Parameters
    ----------
    duration_s : seconds of the patients' time; None: until `stop`
    speed : seconds of theirs in one of ours; None: as fast as the log takes them
    stop : ends it early
    progress : called each second with seconds done, of how many (0: no end), and what

    Notes
    -----
    The patients' moments are spread over the second, as real ones' are. Messages that the log
    has not acknowledged when it ends are waited for.
    """
    stop = stop or threading.Event()
    sink = log.sink()
    sent, ticket, second = 0, 0, 0
    begun_s = time.monotonic()
    try:
        while not stop.is_set() and (duration_s is None or second < duration_s):
            for number, patient in enumerate(patients):
                if speed is not None:
                    due_s = begun_s + (second + (number + 1) / len(patients)) / speed
                    if stop.wait(max(due_s - time.monotonic(), 0.0)):
                        break
                for message in patient.messages(second, second + 1):
                    _wait_for_room(sink, stop)
                    ticket = sink.send(message)
                    sent += 1
            second += 1
            if progress:
                progress(second, duration_s or 0, f"{sent} messages")
        if sent:
            sink.wait(ticket, ACKNOWLEDGED_S)
    finally:
        sink.close()
    return sent


def _wait_for_room(sink: Sink, stop: threading.Event) -> None:
    while sink.full() and not stop.wait(FULL_WAIT_S):
        pass


def record(
    patients: Sequence[Patient], out: Path, duration_s: int, progress: Progress | None = None
) -> int:
    """Write so many seconds of the patients into a recording; return how many frames."""
    from telesurv_streams.parquet import Writer

    frames = 0
    with Writer(out) as writer:
        for from_s in range(0, duration_s, RECORDED_AT_ONCE_S):
            to_s = min(from_s + RECORDED_AT_ONCE_S, duration_s)
            for patient in patients:
                rows = patient.frames(from_s, to_s, RECORDED_FRAME_S)
                writer.append(rows)
                frames += len(rows)
            if progress:
                progress(to_s, duration_s, f"{frames} frames")
    return frames
