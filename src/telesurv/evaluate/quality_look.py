"""How a report of signal quality is shown."""

from collections.abc import Iterator

from telesurv.evaluate import plots, seconds
from telesurv.evaluate.alarms import BEFORE_S
from telesurv.evaluate.quality import QualityReport, QualityStretch, Seconds
from telesurv.evaluate.quality_marks import (
    ALARM,
    CLASS,
    NOISE,
    RHYTHM,
    SIGNAL,
    Views,
    read_labels,
    views_of,
)
from telesurv.evaluate.view import (
    Card,
    Folders,
    Instant,
    Look,
    Picture,
    Table,
    between,
    found_marks,
    named,
    percent,
)
from telesurv.lead import hear, read_lead

RECORDS_BRIEF = 24
CARDS, CARD_S = 5, 60
"""Cards of one view, and how many seconds one tells of at least."""

VIEW_TITLES = {
    CLASS: "By the record's class",
    RHYTHM: "By marked rhythm",
    SIGNAL: "By the quality that experts marked",
    ALARM: f"In the {BEFORE_S} s before a monitor's alarm",
    NOISE: "Where noise was mixed in",
}
FIRST = {CLASS: "class", RHYTHM: "rhythm", SIGNAL: "marked", ALARM: "alarm", NOISE: "noise"}
FIBRILLATION = ("(VF", "(VFIB", "(VFL")


def title(report: QualityReport) -> str:
    """Return what was judged."""
    leads = "every ECG lead" if report.lead is None else f"signal {report.lead}"
    return f"Signal quality: {', '.join(report.folders)}, {leads}"


def cards(report: QualityReport) -> list[Card]:
    """Return the figures that one looks for first."""
    gross = report.gross
    below = f"of {gross.seconds / 3600:.1f} h, {gross.records} records"
    found = [Card("Unreadable", f"{percent(gross.share, 1)} %", below)]
    for view in VIEW_TITLES:
        every = (one for one in report.named if one.view == view)
        of_view = [one for one in every if one.seconds.seconds >= CARD_S]
        if view == RHYTHM:
            of_view = [one for one in of_view if one.noisy or one.name in FIBRILLATION]
        if view == ALARM:
            of_view = [one for one in of_view if one.name.endswith("true")]
        for one in sorted(of_view, key=lambda one: not one.noisy)[:CARDS]:
            said = f"unreadable, of {one.seconds.seconds} s in {one.seconds.records} records"
            card = Card(
                f"{FIRST[view].capitalize()} {one.name}", f"{percent(one.seconds.share, 1)} %", said
            )
            found.append(card)
    if report.separation:
        low, high = report.separation.area_interval
        found.append(
            Card(
                "~ against the others",
                f"{report.separation.area:.2f}",
                f"area under the curve, {low:.2f} to {high:.2f}",
            )
        )
    return found


def tables(report: QualityReport, full: bool) -> list[Table]:
    """Return the tables; those in full have every lead."""
    whys = _whys(report)
    of_seconds = ("s", "unreadable %", *(f"{name} s" for name in whys))
    found = []
    for view, of_view in VIEW_TITLES.items():
        rows = [
            (one.name, str(one.seconds.records), *_cells(one.seconds, whys))
            for one in report.named
            if one.view == view
        ]
        found.append(Table(of_view, (FIRST[view], "records", *of_seconds), rows))
    found += _of_classes(report)
    label = ("class",) if report.classes else ()
    rows = [
        (
            named(one.folder, one.record, report.folders),
            one.lead,
            *((one.label or "",) if label else ()),
            *_cells(one.seconds, whys),
        )
        for one in report.records
    ]
    few = full or len(rows) <= RECORDS_BRIEF
    totals = [("gross", "", *("" for _ in label), *_cells(report.gross, whys))]
    heads = ("record", "lead", *label, *of_seconds)
    return [*found, Table("Every lead", heads, rows if few else [], totals)]


def notes(report: QualityReport) -> list[str]:
    """Return the sentences that the tables need."""
    said = [
        "A second is readable when all its samples are; of several reasons the first column "
        "counts. Each lead's seconds count. The mask is causal: the first 1 to 3 s of noise are "
        "readable and up to 4 s after its end are not, which counts here. Intervals of 95 %: of "
        "seconds by drawing records again, for those of one record are much alike; of records "
        "Wilson's.",
    ]
    if never := [name for name in seconds.NAMES if name not in _whys(report)]:
        said.append(f"No second was unreadable for {', '.join(never)}.")
    views = {one.view for one in report.named}
    if report.classes:
        said.append(
            "Class: of REFERENCE.csv; ~ is what its experts found too noisy to be judged. Area "
            "under the curve: how often a record of class ~ has the larger share of unreadable "
            "seconds than one of the others, equal shares counting half."
        )
    if ALARM in views:
        said.append(
            "A true alarm's signal is to be read. False ones come of noise, too, which nobody "
            "marked: they are not among the strips."
        )
    if {RHYTHM, SIGNAL} & views:
        said.append("Seconds that lie in two marked stretches count in neither.")
    if report.noise:
        noise = report.noise
        said.append(
            f"Noise was mixed in from {noise.from_s:g} s on, {noise.period_s:g} s of it and as "
            "long without; the records' names end with the SNR."
        )
    if report.left_out:
        said.append(f"Without an ECG that can be analysed: {', '.join(report.left_out)}.")
    return said


def drawn(report: QualityReport) -> list[str]:
    """Return how much is unreadable, by what is known of the records, and why."""
    found = []
    for view, of_view in VIEW_TITLES.items():
        bars = [
            plots.Bar(one.name, one.seconds.share, one.seconds.share_interval, one.noisy)
            for one in report.named
            if one.view == view and one.seconds.share is not None
        ]
        if bars:
            found.append(plots.bars(of_view, bars, "unreadable seconds %"))
    gross = report.gross
    whys = [
        plots.Bar(name, gross.reasons[name] / gross.seconds, None, marked=False)
        for name in _whys(report)
    ]
    if not whys:
        return found
    return [*found, plots.bars("Why", whys, "seconds of all leads %")]


def pictures(report: QualityReport, folders: Folders) -> Iterator[Picture]:
    """Yield where mask and marks differ most."""
    labels = {name: read_labels(folder) for name, folder in folders.items()}
    for one in report.worst:
        path = folders[one.folder] / one.record
        lead = read_lead(path, one.number)
        heard = hear(lead)
        views = views_of(path, lead, labels[one.folder], report.noise)
        yield Picture(
            title=_said_of(report, one),
            lead=lead,
            mask=heard.mask,
            begin_s=one.begin_s,
            length_s=one.length_s,
            found=found_marks(heard.beats, lead.rate_hz),
            instants=_changes(views),
        )


LOOK = Look(title, cards, tables, notes, drawn, "Where mask and marks differ most", pictures)


def _said_of(report: QualityReport, one: QualityStretch) -> str:
    name = named(one.folder, one.record, report.folders)
    said = f", {one.said}" if one.said else ""
    called = "readable" if one.noisy else "unreadable"
    return f"{name}{said}: {one.wrong_s} of {one.length_s:g} s {called}"


def _changes(views: Views) -> tuple[Instant, ...]:
    """Return where a marked stretch begins."""
    return tuple(
        Instant(one.begin_s, f"marked: {one.name}")
        for said in views.values()
        for one in said
        if one.begin_s > 0
    )


def _whys(report: QualityReport) -> list[str]:
    """Return the reasons that there were."""
    return [name for name, count in report.gross.reasons.items() if count]


def _of_classes(report: QualityReport) -> list[Table]:
    """Return how many records of each class are unreadable to some degree."""
    if not report.classes:
        return []
    first = report.classes[0].above
    degrees = [f"{100 * one.at_least:g} % or more" if one.at_least else "any s" for one in first]
    rows = [
        (
            one.label,
            str(one.records),
            percent(one.median, 1),
            *(between(above.share, above.share_interval, 1) for above in one.above),
        )
        for one in report.classes
    ]
    heads = ("class", "records", "median %", *(f"{degree}: records %" for degree in degrees))
    tables = [Table("Records by how much of them is unreadable", heads, rows)]
    if report.separation:
        one = report.separation
        low, high = one.area_interval
        cells = (str(one.noisy), str(one.others), f"{one.area:.3f} ({low:.3f} to {high:.3f})")
        heads = ("records of class ~", "others", "area under the curve")
        tables.append(Table("Class ~ against the others", heads, [cells]))
    return tables


def _cells(one: Seconds, whys: list[str]) -> tuple[str, ...]:
    interval = one.share_interval
    shown = between(one.share, interval) if interval else percent(one.share)
    return (str(one.seconds), shown, *(str(one.reasons[name]) for name in whys))
