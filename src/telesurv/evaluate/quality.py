"""Signal quality of WFDB records: which seconds are called readable, and whether they are.

The mask is the one of the service's kernel `quality`, of each ECG lead. Where a database says
which records or stretches are noisy (`quality_marks`), the share of unreadable seconds is given
for what is noisy and for what is not; where it gives each record a class, also how well that
share tells records that are too noisy from the others.

The mask is causal: the first 1 to 3 s of noise are readable, and up to 4 s after its end are not.
They count here like all others.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from telesurv.evaluate import seconds
from telesurv.evaluate.about import About, about
from telesurv.evaluate.beats import STRETCH_S, Noise, Progress, records_of
from telesurv.evaluate.figures import densest, interval, rounded
from telesurv.evaluate.intervals import Bounds, area_under_curve, over_records, share
from telesurv.evaluate.quality_marks import (
    ALARM,
    CLASS,
    NOISE,
    RHYTHM,
    SIGNAL,
    TOO_NOISY,
    VIEWS,
    Views,
    in_seconds,
    read_labels,
    views_of,
)
from telesurv.evidence import why_of
from telesurv.lead import Lead, Unsuited, read_lead, read_leads
from telesurv_kernels import _dtypes as codes
from telesurv_kernels import quality

STRETCHES = 8
"""Stretches of each kind that a report names, one of a record."""

SAID = {CLASS: "class ", RHYTHM: "marked ", SIGNAL: "marked ", ALARM: "before ", NOISE: ""}
"""What stands before the name of what is known of a stretch, by view."""

AT_LEAST = (0.1, 0.25, 0.5)
"""Shares of unreadable seconds at which records of a class are counted."""


class Seconds(msgspec.Struct, frozen=True, kw_only=True):
    """Whole seconds of leads, and how many are unreadable, by reason."""

    records: int
    seconds: int
    unreadable: int
    share: float | None
    share_interval: Bounds | None  # bootstrap over records, 95 %
    reasons: dict[str, int]


class RecordQuality(msgspec.Struct, frozen=True, kw_only=True):
    """One lead of a record."""

    folder: str
    record: str
    lead: str
    label: str | None  # the record's class
    seconds: Seconds


class Named(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds of one name in a view."""

    view: str
    name: str
    noisy: bool
    seconds: Seconds


class Above(msgspec.Struct, frozen=True, kw_only=True):
    """Records of a class of which at least a share is unreadable; 0: any second."""

    at_least: float
    records: int
    share: float | None
    share_interval: Bounds | None  # Wilson, 95 %


class ClassRecords(msgspec.Struct, frozen=True, kw_only=True):
    """How much of the records of a class is unreadable."""

    label: str
    records: int
    median: float | None  # of their shares
    above: tuple[Above, ...]


class Separation(msgspec.Struct, frozen=True, kw_only=True):
    """How well the share of unreadable seconds tells noisy records from the others."""

    noisy: int  # records
    others: int
    area: float  # under the ROC curve
    area_interval: Bounds  # bootstrap, 95 %


class QualityStretch(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of a lead that is called readable though noisy, or unreadable though not."""

    folder: str
    record: str
    number: int  # of the lead
    begin_s: float
    length_s: float
    noisy: bool  # it is said to be; else nothing says so
    wrong_s: int
    said: str  # what it is said to be


class QualityReport(msgspec.Struct, frozen=True, kw_only=True, tag="quality", tag_field="kind"):
    """What `evaluate` found."""

    about: About
    folders: tuple[str, ...]
    lead: int | None  # None: every ECG
    noise: Noise | None
    left_out: tuple[str, ...]  # records without an ECG that can be analysed
    records: tuple[RecordQuality, ...]
    gross: Seconds
    named: tuple[Named, ...]
    classes: tuple[ClassRecords, ...]
    separation: Separation | None
    worst: tuple[QualityStretch, ...]  # readable though noisy, then unreadable though not


@dataclass(slots=True)
class Tally:
    """Counts of each record: seconds, unreadable ones, and those by reason."""

    counts: dict[tuple[str, str], NDArray[np.int64]] = field(default_factory=dict)
    noisy: bool = False

    def add(self, key: tuple[str, str], numbers: NDArray[np.int64]) -> None:
        """Add seconds, each the number of its reason."""
        of_reasons = np.bincount(numbers, minlength=len(seconds.NAMES) + 1)
        counted = np.concatenate([[len(numbers), np.count_nonzero(numbers)], of_reasons[1:]])
        self.counts[key] = self.counts.get(key, np.zeros_like(counted)) + counted

    def shares(self) -> NDArray[np.float64]:
        """Return the share of unreadable seconds of each record that has any."""
        each = np.array([one for one in self.counts.values() if one[0]], np.float64)
        return each[:, 1] / each[:, 0] if len(each) else np.zeros(0)

    def told(self) -> Seconds:
        """Return them as a report does."""
        each = np.array([one for one in self.counts.values() if one[0]], np.int64)
        each = each.reshape(-1, len(seconds.NAMES) + 2)
        total, unreadable, *of_reasons = each.sum(0).tolist()
        bounds = over_records(each[:, 1], each[:, 0])
        return Seconds(
            records=len(each),
            seconds=total,
            unreadable=unreadable,
            share=rounded(share(unreadable, total)),
            share_interval=None if bounds is None else (round(bounds[0], 6), round(bounds[1], 6)),
            reasons=dict(zip(seconds.NAMES, of_reasons, strict=True)),
        )


@dataclass(slots=True)
class Counted:
    """What was counted of all records."""

    gross: Tally = field(default_factory=Tally)
    named: dict[tuple[str, str], Tally] = field(default_factory=lambda: defaultdict(Tally))
    records: list[RecordQuality] = field(default_factory=list)
    worst: list[QualityStretch] = field(default_factory=list)

    def add(self, folder: str, lead: Lead, views: Views) -> None:
        """Count a lead."""
        bits = seconds.bits(mask_of(lead), lead.rate_hz)
        numbers = why_of(bits, seconds.REASONS)
        key, own = (folder, lead.record), Tally()
        own.add(key, numbers)
        self.gross.add(key, numbers)
        for view, said in views.items():
            index = in_seconds(said, len(numbers))
            for number, one in enumerate(said):
                tally = self.named[view, one.name]
                tally.add(key, numbers[index == number])
                tally.noisy = bool(one.noisy)
        label = next((one.name for one in views.get(CLASS, ())), None)
        self.records.append(
            RecordQuality(
                folder=folder, record=lead.record, lead=lead.name, label=label, seconds=own.told()
            )
        )
        self.worst += _differing(folder, lead, numbers, views)


def evaluate(
    folders: Sequence[Path],
    *,
    lead: int | None = None,
    only: Sequence[str] = (),
    noise: Noise | None = None,
    progress: Progress = lambda done, total, text: None,
) -> QualityReport:
    """Judge the ECG leads of every record of some folders.

    Parameters
    ----------
    lead : number of the signal, from 0; None: every ECG
    only : patterns of record names, as of files; none: every record
    noise : where noise was mixed into the records, if it was

    Raises
    ------
    Unsuited
        where no record has an ECG that can be analysed
    """
    found = records_of(folders, only)
    labels = {folder: read_labels(folder) for folder in folders}
    counted, left_out, why = Counted(), [], "no WFDB record"
    for number, path in enumerate(found):
        progress(number, len(found), path.stem)
        try:
            leads = read_leads(path) if lead is None else [read_lead(path, lead)]
        except Unsuited as error:
            why = str(error)
            left_out.append(path.stem)
            continue
        for one in leads:
            views = views_of(path.with_suffix(""), one, labels[path.parent], noise)
            counted.add(path.resolve().parent.name, one, views)
    if not counted.records:
        raise Unsuited(f"{', '.join(map(str, folders))}: no ECG that can be analysed: {why}")
    return _report(counted, folders, lead, noise, left_out)


def mask_of(lead: Lead) -> NDArray[np.uint8]:
    """Return what the kernel says of each sample; however it is cut, it says the same."""
    params = quality.params(lead.rate_hz, lead.scale_mv, ecg=True).reshape(1)
    segments = np.zeros(1, codes.SEGMENT)
    segments["last"], segments["restart"] = len(lead.samples), 1
    mask = np.zeros(len(lead.samples), np.uint8)
    ignored = np.zeros(quality.capacity(len(mask), 1), quality.FINDING)
    quality.advance(np.zeros(1, quality.STATE), params, segments, lead.samples, mask, ignored)
    return mask


def _differing(
    folder: str, lead: Lead, numbers: NDArray[np.int64], views: Views
) -> list[QualityStretch]:
    """Return where a lead's mask differs most from what is said of it, in each way."""
    said = np.full(len(numbers), "", object)
    noisy = np.zeros(len(numbers), np.bool_)
    readable = np.full(len(numbers), not views, np.bool_)  # or nothing is known of the lead
    for view, of_view in views.items():
        index = in_seconds(of_view, len(numbers))
        names = np.array([*(SAID[view] + one.name for one in of_view), ""], object)[index]
        is_noisy = np.array([*(one.noisy is True for one in of_view), False], np.bool_)[index]
        said = np.where(is_noisy | (said == ""), names, said)
        noisy |= is_noisy
        readable |= np.array([*(one.noisy is False for one in of_view), False], np.bool_)[index]
    found = []
    for of_noisy, wrong in (
        (True, noisy & (numbers == 0)),
        (False, readable & ~noisy & (numbers != 0)),
    ):
        at_s = np.flatnonzero(wrong).astype(np.float64)
        for begin_s in densest(at_s + 0.5, STRETCH_S, 1):
            begin = round(begin_s)
            part = slice(begin, begin + round(STRETCH_S))
            found.append(
                QualityStretch(
                    folder=folder,
                    record=lead.record,
                    number=lead.number,
                    begin_s=float(begin),
                    length_s=STRETCH_S,
                    noisy=of_noisy,
                    wrong_s=int(np.count_nonzero(wrong[part])),
                    said=str(said[part][wrong[part]][0]),
                )
            )
    return found


def _report(
    counted: Counted,
    folders: Sequence[Path],
    lead: int | None,
    noise: Noise | None,
    left_out: list[str],
) -> QualityReport:
    order = sorted(counted.named, key=lambda one: _rank(*one, noisy=counted.named[one].noisy))
    of_class = {name: counted.named[view, name] for view, name in order if view == CLASS}
    return QualityReport(
        about=about(("quality",)),
        folders=tuple(folder.resolve().name for folder in folders),
        lead=lead,
        noise=noise,
        left_out=tuple(left_out),
        records=tuple(counted.records),
        gross=counted.gross.told(),
        named=tuple(
            Named(view=view, name=name, noisy=of.noisy, seconds=of.told())
            for (view, name), of in ((one, counted.named[one]) for one in order)
            if any(counts[0] for counts in of.counts.values())
        ),
        classes=tuple(_class_records(name, of.shares()) for name, of in of_class.items()),
        separation=_separation(of_class),
        worst=tuple(_worst(counted.worst, noisy=True) + _worst(counted.worst, noisy=False)),
    )


def _rank(view: str, name: str, *, noisy: bool) -> tuple[int, bool, float, str]:
    """Return what names are ordered by: the noisy ones last, the noisiest of them at the end."""
    level = -float(name.removesuffix(" dB")) if name.endswith(" dB") else 0.0
    return VIEWS.index(view), noisy, level, name


def _class_records(label: str, shares: NDArray[np.float64]) -> ClassRecords:
    held = {0.0: int(np.count_nonzero(shares))}
    held |= {least: int(np.count_nonzero(shares >= least)) for least in AT_LEAST}
    return ClassRecords(
        label=label,
        records=len(shares),
        median=rounded(float(np.median(shares))) if len(shares) else None,
        above=tuple(
            Above(
                at_least=least,
                records=count,
                share=rounded(share(count, len(shares))),
                share_interval=interval(count, len(shares)),
            )
            for least, count in held.items()
        ),
    )


def _separation(of_class: dict[str, Tally]) -> Separation | None:
    noisy = of_class.get(TOO_NOISY, Tally()).shares()
    rest = [of.shares() for name, of in of_class.items() if name != TOO_NOISY]
    others = np.concatenate([np.zeros(0), *rest])
    area = area_under_curve(noisy, others)
    if area is None:
        return None
    low, high = area[1]
    return Separation(
        noisy=len(noisy),
        others=len(others),
        area=round(area[0], 6),
        area_interval=(round(low, 6), round(high, 6)),
    )


def _worst(stretches: list[QualityStretch], *, noisy: bool) -> list[QualityStretch]:
    """Return the stretches of a kind that differ most, one of a record."""
    of_record: dict[tuple[str, str], QualityStretch] = {}
    for one in sorted(stretches, key=lambda one: -one.wrong_s):
        if one.noisy == noisy:
            of_record.setdefault((one.folder, one.record), one)
    return list(of_record.values())[:STRETCHES]
