"""What experts say of a record's rhythm, and what the kernels find in it, in seconds."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from telesurv.evaluate.spans import Span, union
from telesurv_kernels import _dtypes as codes
from telesurv_kernels import atrial

RHYTHM_ANNOTATOR = "atr"
BEAT_ANNOTATORS = ("qrs", "ecg", RHYTHM_ANNOTATOR)
"""Files of beats, the first there is: records without signals have one of their own."""

CLASSES = {
    **dict.fromkeys("NLRBejn", codes.NORMAL),
    **dict.fromkeys("AaJS", codes.SUPRAVENTRICULAR),
    **dict.fromkeys("VrE", codes.VENTRICULAR),
    "F": codes.FUSION,
    **dict.fromkeys("/fQ?", codes.UNKNOWN),
}
"""WFDB's codes of beats by class, escape beats as in de Chazal's mapping; others are no beats."""

NOISE = "(NOISE"
UNMARKED = ""
BRACKETS = "[]"
"""WFDB's codes where ventricular flutter or fibrillation begins and ends, said to be `(VF`."""

LABEL = "rhythm:"
"""A comment of the header that says it of a whole record: `rhythm: AF`, `rhythm: not AF`."""

MARK_S = 0.25


@dataclass(frozen=True, slots=True)
class Called:
    """An episode that was found."""

    onset_s: float
    end_s: float
    detected_s: float

    @property
    def span(self) -> Span:
        """Return where it lies."""
        return self.onset_s, self.end_s


@dataclass(frozen=True, slots=True)
class Marks:
    """What experts marked in a record."""

    end_s: float
    rhythms: list[tuple[float, float, str]]  # begin, end, code
    beats_s: NDArray[np.float64]
    classes: NDArray[np.int64]
    fibrillation: list[Span] = field(default_factory=list)  # between brackets

    def spans(self, *rhythms: str) -> list[Span]:
        """Return where some rhythms are."""
        found = [(begin, end) for begin, end, code in self.rhythms if code in rhythms]
        return union(found + (self.fibrillation if "(VF" in rhythms else []))


def read_marks(record: Path, length_s: float | None) -> Marks | None:
    """Read a record's marks; None where nothing says which rhythm it has.

    Parameters
    ----------
    record : without suffix
    length_s : of its signals; None: without any, to the last beat

    A record whose beats were marked, but no rhythm, has none of those that are looked for.
    """
    import wfdb

    beats_s, classes = np.zeros(0), np.zeros(0, np.int64)
    known = False
    for name in BEAT_ANNOTATORS:
        if record.with_suffix(f".{name}").exists():
            marks = wfdb.rdann(str(record), name)
            of_class = [CLASSES.get(symbol, 0) for symbol in marks.symbol]
            is_beat = np.array(of_class, np.int64) > 0
            beats_s = np.asarray(marks.sample)[is_beat] / float(marks.fs)
            classes = np.array(of_class, np.int64)[is_beat]
            known = True
            break
    end_s = length_s if length_s is not None else float(beats_s[-1]) if len(beats_s) else 0.0
    if record.with_suffix(f".{RHYTHM_ANNOTATOR}").exists():
        marks = wfdb.rdann(str(record), RHYTHM_ANNOTATOR)
        return _with_rhythms(marks, end_s, beats_s, classes)
    label = _label(record)
    if not known and label is None:
        return None
    return Marks(end_s, [(0.0, end_s, label or UNMARKED)], beats_s, classes)


def _with_rhythms(
    marks: Any, end_s: float, beats_s: NDArray[np.float64], classes: NDArray[np.int64]
) -> Marks:
    rate_hz = float(marks.fs)
    changes = [(0.0, UNMARKED)]
    brackets: list[Span] = []
    begun: float | None = None
    for at, symbol, note in zip(marks.sample, marks.symbol, marks.aux_note, strict=True):
        time_s = float(at) / rate_hz
        rhythm = note.strip("\0 ")
        if symbol == "+" and rhythm.startswith("("):
            changes.append((time_s, rhythm))
        elif symbol == BRACKETS[0]:
            begun = time_s
        elif symbol == BRACKETS[1] and begun is not None:
            brackets.append((begun, time_s))
            begun = None
    if begun is not None:
        brackets.append((begun, end_s))
    ends = [begin for begin, _ in changes[1:]] + [end_s]
    rhythms = [(b, e, code) for (b, code), e in zip(changes, ends, strict=True) if e > b]
    return Marks(end_s, rhythms, beats_s, classes, brackets)


def _label(record: Path) -> str | None:
    import wfdb

    if not record.with_suffix(".hea").exists():
        return None
    for comment in wfdb.rdheader(str(record)).comments or ():
        if comment.strip().lower().startswith(LABEL):
            said = comment.split(":", 1)[1].strip()
            return "(AFIB" if said == "AF" else f"({said}"
    return None


def called(finding: NDArray[Any], condition: int, end_s: float) -> list[Called]:
    """Return a condition's episodes; one that is open at the end of the record lasts to it."""
    found: list[Called] = []
    begun: tuple[float, float] | None = None
    for one in finding[finding["condition"] == condition]:
        if one["kind"] == codes.ON:
            begun = float(one["onset_ns"]) / 1e9, float(one["detected_ns"]) / 1e9
        elif one["kind"] == codes.OFF and begun is not None:
            found.append(Called(begun[0], min(float(one["end_ns"]) / 1e9, end_s), begun[1]))
            begun = None
    if begun is not None:
        found.append(Called(begun[0], max(end_s, begun[0]), begun[1]))
    return found


def hear_beats(
    beats_s: NDArray[np.float64], classes: NDArray[np.int64], end_s: float
) -> NDArray[Any]:
    """Return what the RR kernels find in beats without a signal: all of it is readable.

    A MARK follows every quarter of a second, and everything is decided at once.
    """
    marks_s = np.arange(0.0, end_s + 2 * MARK_S, MARK_S)
    time_ns = np.rint(np.concatenate([beats_s, marks_s]) * 1e9).astype(np.int64)
    kind = np.repeat([codes.BEAT, codes.MARK], [len(beats_s), len(marks_s)])
    kind[len(beats_s)] = codes.GAP
    order = np.lexsort((-kind, time_ns))
    events = np.zeros(len(order), codes.EVENT)
    events["kind"] = kind[order]
    events["time_ns"] = events["decided_ns"] = time_ns[order]
    events["value"] = np.where(events["kind"] == codes.MARK, MARK_S * 1e9, 1.0)
    flags = np.concatenate([classes << codes.CLASS_SHIFT, np.zeros(len(marks_s), np.int64)])
    events["flags"] = flags[order]
    finding = np.zeros(atrial.capacity(len(events), 1), codes.FINDING)
    state, params = np.zeros(1, atrial.STATE), np.array([atrial.params()])
    return finding[: atrial.advance(state, params, events, finding)]
