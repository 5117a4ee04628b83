"""What is known of how readable a record is: a class of all of it, or marks of stretches.

Each is a *view* of the record's seconds, in which every stretch has a name:

- **class**: of the whole record, from a table `REFERENCE.csv` (record,class) beside it, as in the
  PhysioNet/CinC challenge of 2017, where `~` is too noisy to be judged;
- **rhythm**: what experts marked (`.atr`, or a comment of the header); `(NOISE` is noise;
- **signal**: the quality of each lead as experts marked it (`~` in `.atr`: bit i of the subtype
  says that lead i is noisy, bit i + 4 that it is unreadable);
- **alarm**: the last seconds before a monitor's alarm at 5:00, by its type and whether it was
  true (`ALARMS.csv`), as in the PhysioNet/CinC challenge of 2015: what is true must not be masked;
- **noise**: mixed in at a known SNR, which ends the record's name as in the MIT-BIH Noise Stress
  Test database (`118e06`, `118e_6`). The marks are the clean record's then, and not looked at.
"""

import csv
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from telesurv.evaluate.alarms import ALARM_S, BEFORE_S, read_alarms
from telesurv.evaluate.alarms import TABLE_FILE as ALARMS_FILE
from telesurv.evaluate.beats import ANNOTATOR, Noise
from telesurv.evaluate.rhythm_marks import UNMARKED, read_marks
from telesurv.lead import Lead, Unsuited

CLASS, RHYTHM, SIGNAL, ALARM, NOISE = VIEWS = ("class", "rhythm", "signal", "alarm", "noise")

TABLE_FILE = "REFERENCE.csv"
TOO_NOISY = "~"

CLEAN, NOISY, UNREADABLE, NOT_MARKED = "clean", "noisy", "unreadable", "not marked"

NOISE_MARK = "~"
UNREADABLE_SHIFT = 4
"""Bits of a mark's subtype: from 0 on noisy leads, from here on unreadable ones."""


class Said(NamedTuple):
    """A stretch, and what it is said to be."""

    begin_s: float
    end_s: float
    name: str
    noisy: bool | None  # None: nobody knows


Views = dict[str, list[Said]]
"""What is known of a lead, by view; the stretches of a view do not overlap."""


class Labels(NamedTuple):
    """What tables say of a folder's records, by name."""

    classes: dict[str, str]
    alarms: dict[str, tuple[str, bool]]  # type, and whether it was true


def read_labels(folder: Path) -> Labels:
    """Return what a folder's tables say; nothing without any. Raises `Unsuited`."""
    has_alarms = (folder / ALARMS_FILE).is_file()
    alarms = read_alarms(folder) if has_alarms else []
    of_record = {one.record: (one.type.replace("_", " "), one.true) for one in alarms}
    return Labels(_classes(folder), of_record)


def _classes(folder: Path) -> dict[str, str]:
    file = folder / TABLE_FILE
    if not file.is_file():
        return {}
    with file.open(newline="") as lines:
        rows = [line for line in csv.reader(lines) if line]
    if bad := next((number for number, line in enumerate(rows, 1) if len(line) < 2), None):
        raise Unsuited(f"{file}, line {bad}: saw {','.join(rows[bad - 1])}, expected record,class")
    return {line[0]: line[1] for line in rows}


def views_of(record: Path, lead: Lead, labels: Labels, noise: Noise | None) -> Views:
    """Return what is known of a lead.

    Parameters
    ----------
    record : without suffix
    lead : one of its leads
    labels : of its folder
    noise : where noise was mixed into it, if it was
    """
    length_s = len(lead.samples) / lead.rate_hz
    found: Views = {}
    if label := labels.classes.get(lead.record):
        found[CLASS] = [Said(0.0, length_s, label, label == TOO_NOISY)]
    if (alarm := labels.alarms.get(lead.record)) and length_s >= ALARM_S:
        kind, true = alarm
        name = f"{kind}, {'true' if true else 'false'}"
        found[ALARM] = [Said(ALARM_S - BEFORE_S, ALARM_S, name, False if true else None)]
    if noise is not None:
        found[NOISE] = _mixed_in(lead.record, length_s, noise)
        return found
    marks = read_marks(record, length_s)
    if marks is not None and any(code != UNMARKED for *_, code in marks.rhythms):
        found[RHYTHM] = [
            Said(begin, end, code or NOT_MARKED, code.startswith("(NOISE"))
            for begin, end, code in marks.rhythms
        ]
    if record.with_suffix(f".{ANNOTATOR}").exists():
        found[SIGNAL] = _of_signal(record, lead, length_s)
    return {view: said for view, said in found.items() if said}


def _of_signal(record: Path, lead: Lead, length_s: float) -> list[Said]:
    """Return how readable experts found a lead; nothing where they never said it."""
    import wfdb

    marks = wfdb.rdann(str(record), ANNOTATOR)
    is_noise = np.array(marks.symbol, str) == NOISE_MARK
    if not is_noise.any():
        return []
    at_s = (np.asarray(marks.sample)[is_noise] / lead.record_hz).tolist()
    noisy, unreadable = 1 << lead.number, 1 << (lead.number + UNREADABLE_SHIFT)
    found, begin_s, name = [], 0.0, CLEAN
    subtypes = [*np.asarray(marks.subtype)[is_noise].tolist(), 0]
    for end_s, subtype in zip([*at_s, length_s], subtypes, strict=True):
        found.append(Said(begin_s, end_s, name, name != CLEAN))
        name = UNREADABLE if subtype & unreadable else NOISY if subtype & noisy else CLEAN
        begin_s = end_s
    return found


def _mixed_in(name: str, length_s: float, noise: Noise) -> list[Said]:
    said = re.search(r"[a-z](_\d|\d\d)$", name)
    level = f"{int(said[1].replace('_', '-'))} dB" if said else NOISY
    edges = np.arange(noise.from_s, length_s, noise.period_s).tolist()
    stretches = zip([0.0, *edges], [*edges, length_s], strict=True)
    return [
        Said(begin, end, level if number % 2 else CLEAN, bool(number % 2))
        for number, (begin, end) in enumerate(stretches)
        if end > begin
    ]


def in_seconds(said: list[Said], count: int) -> NDArray[np.int64]:
    """Return the index of the stretch that holds each whole second; -1 where none does."""
    index = np.full(count, -1, np.int64)
    for number, one in enumerate(said):
        index[int(np.ceil(one.begin_s - 1e-9)) : max(int(np.floor(one.end_s + 1e-9)), 0)] = number
    return index
