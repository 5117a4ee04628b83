"""`telesurv record`: the topic of frames to Parquet as it comes, whole, in no group."""

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from telesurv_streams.log import FRAMES, HEADER_KIND, Log, Record
from telesurv_streams.parquet import Writer

POLL_S = 0.5
READ_MAX = 2000

Progress = Callable[[float, float, str], None]


@dataclass(slots=True)
class Recorded:
    """What was written."""

    records: int = 0
    frames: int = 0
    parts: int = 0


def record(
    log: Log,
    out_dir: Path,
    *,
    until_end: bool = False,
    duration_s: float | None = None,
    progress: Progress = lambda done, total, text: None,
    stop: Callable[[], bool] = lambda: False,
) -> Recorded:
    """Write every record of the topic, from where the recording ends, until told to stop.

    Parameters
    ----------
    log : where the records come from
    out_dir : the recording; goes on where it ended when it exists
    until_end : stop at what the topic holds when this is called
    duration_s : stop after so long
    stop : asked between polls; SIGTERM and Ctrl-C stop too, where signals can be caught
    """
    asked = _Asked()
    recorded = Recorded()
    begin_s = time.monotonic()
    reader = log.reader(FRAMES)
    try:
        with Writer(out_dir, "records") as writer:
            while not (asked.to_stop or stop()):
                # Whoever goes on writing does not keep this from ending: it is asked once.
                at_end = reader.at_end()
                found = reader.poll(0.0 if until_end else POLL_S, READ_MAX)
                fresh = [one for one in found if _is_new(one, writer.positions)]
                writer.append_records(fresh)
                recorded.records += len(fresh)
                recorded.frames += sum(1 for one in fresh if HEADER_KIND not in dict(one.headers))
                progress(0, 0, f"{recorded.records} records")
                if until_end and at_end:
                    break
                if duration_s is not None and time.monotonic() - begin_s >= duration_s:
                    break
    finally:
        reader.close()
    recorded.parts = len(list(out_dir.glob("part-*.parquet")))
    return recorded


def _is_new(record: Record, positions: dict[str, int]) -> bool:
    return record.offset >= positions.get(f"{record.topic}/{record.partition}", 0)


class _Asked:
    """Whether somebody asked the process to stop."""

    def __init__(self) -> None:
        self.to_stop = False
        try:
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, self._stop)
        except ValueError:  # not the main thread: whoever runs it has `stop`
            return

    def _stop(self, *_: object) -> None:
        self.to_stop = True
