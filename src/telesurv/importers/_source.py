"""What every reader of a format gives: signals, rows in chunks, annotations."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from telesurv.importers._find import Format
from telesurv.importers._rows import Signal
from telesurv_streams.checks import START_NS_MAX, START_NS_MIN

DEFAULT_START_NS = int(datetime(2000, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000_000
"""Start of a recording without a date."""

ANNOTATIONS = pa.schema(
    [
        ("time", pa.timestamp("ns", tz="UTC")),
        ("annotator", pa.string()),
        ("symbol", pa.string()),  # WFDB's code; " for a comment
        ("aux", pa.string()),  # text: rhythm, comment
        ("sample", pa.int64()),  # of the file's own count; -1 where it has none
        ("duration_s", pa.float64()),
        ("subtype", pa.int32()),
        ("chan", pa.int32()),
        ("num", pa.int32()),
    ]
)
"""Columns of `annotations.parquet`, which lies beside the parts of a recording."""
ANNOTATIONS_FILE = "annotations.parquet"


class Chunk(NamedTuple):
    """Rows of a stretch of time, and how much of the file is read."""

    done: float  # 0 to 1
    rows: pa.RecordBatch


class Source(Protocol):
    """A file that was opened and understood; its samples are still to be read."""

    format: Format
    start_ns: int
    dated: bool  # whether the file itself said when it began
    signals: list[Signal]
    notes: list[str]

    def patient_of(self, name: str) -> str:
        """Return the pseudonym that the recording's name stands for."""
        ...

    def chunks(self, patient: str) -> Iterator[Chunk]:
        """Yield all rows, stretch by stretch; raises `Unreadable`."""
        ...

    def annotations(self) -> pa.Table | None:
        """Return what lies beside the signals, in the schema `ANNOTATIONS`; None: nothing."""
        ...


@dataclass(frozen=True, slots=True)
class Begin:
    """When a recording begins: as the file says, else as asked, else 2000-01-01."""

    start_ns: int
    dated: bool
    note: str = ""

    @classmethod
    def of(cls, stated: datetime | None, asked_ns: int | None) -> "Begin":
        """Return the start. A file's time without zone is UTC; no frame is older than 1990."""
        fallback = DEFAULT_START_NS if asked_ns is None else asked_ns
        if stated is None:
            return cls(fallback, False)
        whole = int(stated.replace(tzinfo=UTC, microsecond=0).timestamp())
        start_ns = whole * 1_000_000_000 + stated.microsecond * 1000
        if not START_NS_MIN <= start_ns < START_NS_MAX:
            note = f"dated {stated:%Y-%m-%d}, before 1990 or after 2200: taken as undated"
            return cls(fallback, False, note)
        note = "" if asked_ns is None else "dated by itself: --start was not needed"
        return cls(start_ns, True, note)


def write_annotations(table: pa.Table, directory: Path) -> None:
    """Write annotations beside the parts of a recording."""
    pq.write_table(table, directory / ANNOTATIONS_FILE, compression="zstd")


def read_annotations(directory: Path) -> pa.Table:
    """Return the annotations of an imported recording, in the schema `ANNOTATIONS`."""
    path = directory / ANNOTATIONS_FILE
    return pq.read_table(path).cast(ANNOTATIONS) if path.exists() else ANNOTATIONS.empty_table()
