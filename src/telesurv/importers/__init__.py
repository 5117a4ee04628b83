"""Recordings of other formats become recordings of ours: WFDB, EDF(+), CSV.

Each record becomes a directory of its own, named after it, which appears when it is complete:
its parts, its annotations, and `import.json`, which says what was made of what. Signals find
their channels by the registry; what is not recognised is said, and kept.
"""

from telesurv.importers._find import Unreadable
from telesurv.importers._import import Report, SignalReport, import_recordings
from telesurv.importers._source import read_annotations

__all__ = ["Report", "SignalReport", "Unreadable", "import_recordings", "read_annotations"]
