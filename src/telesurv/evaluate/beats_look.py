"""How a report of beats is shown."""

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np

from telesurv.evaluate import ec57, plots
from telesurv.evaluate.beats import (
    BeatsReport,
    Readable,
    Reference,
    Stretch,
    read_reference,
)
from telesurv.evaluate.figures import Figures, Spread
from telesurv.evaluate.leads import LeadsReport
from telesurv.evaluate.view import (
    Card,
    Folders,
    Look,
    Mark,
    Picture,
    Table,
    between,
    found_marks,
    named,
    percent,
    whole,
)
from telesurv.lead import Heard, Lead, hear, read_lead

COUNTS = ("beats", "missed", "invented")
TIMES = ("offset ms", "decided ms", "99 % ms", "max ms")
HEADS = ("record", "lead", *COUNTS, "Se %", "+P %", "F1 %", *TIMES)
READABLE = ("record", "readable s %", "noisy s", "readable noisy s %", *COUNTS, "Se %", "+P %")
RECORDS_BRIEF = 24
"""With more records than these, a page in brief has the sums alone."""


def title(report: BeatsReport) -> str:
    """Return what was scored."""
    lead = "first ECG lead" if report.lead is None else f"signal {report.lead}"
    return f"Beats: {', '.join(report.folders)}, {lead}"


def cards(report: BeatsReport) -> list[Card]:
    """Return the figures that one looks for first."""
    gross, readable, times = report.gross, report.readable, report.decided
    below = f"{gross.beats} beats of {len(report.records)} records"
    found = [
        Card("Sensitivity, gross", f"{percent(gross.sensitivity)} %", below),
        Card("Positive predictivity", f"{percent(gross.predictivity)} %", "gross, EC57"),
        Card("F1", f"{percent(gross.f1)} %", "gross"),
        Card("F1 where readable", f"{percent(readable.figures.f1)} %", _readable_below(report)),
        Card(
            "Decided after",
            f"{whole(times.median_ms)} ms",
            f"99 %: {whole(times.p99_ms)} ms, longest: {whole(times.max_ms)} ms",
        ),
    ]
    if report.noise:
        seconds = f"of {readable.noisy_s} s with noise"
        found.insert(4, Card("Readable noise", f"{percent(readable.noisy_readable, 1)} %", seconds))
    return found


def tables(report: BeatsReport, full: bool) -> list[Table]:
    """Return the tables; those in full have intervals."""
    records, readable, noise = report.records, report.readable, report.noise is not None
    rows, parts = [], []
    for one in records:
        name = named(one.folder, one.record, report.folders)
        times = (whole(one.offset_ms), *_spread(one.decided))
        rows.append((name, one.lead, *shares(one.figures, full), *times))
        parts.append((name, *_in_readable(one.readable, noise, full)))
    times = (whole(report.offset_ms), *_spread(report.decided))
    totals = [("gross", "", *shares(report.gross, full), *times)]
    without = report.gross_without_paced
    if report.gross != without and without.beats:
        totals.append(("gross without paced", "", *shares(without, full), *[""] * 4))
    average = (percent(report.average_sensitivity), percent(report.average_predictivity))
    totals.append(("average", "", "", "", "", *average, *[""] * 5))
    heads = READABLE if noise else (READABLE[0], READABLE[1], *READABLE[4:])
    in_readable = [("gross", *_in_readable(readable, noise, full))]
    few = full or len(records) <= RECORDS_BRIEF
    few_readable = full or (noise and few)
    return [
        Table("All beats", HEADS, rows if few else [], totals),
        Table("Where readable", (*heads, "F1 %"), parts if few_readable else [], in_readable),
    ]


def notes(report: BeatsReport) -> list[str]:
    """Return the sentences that the tables need."""
    gross = report.gross
    said = [
        f"EC57: a beat is found within {report.window_ms:g} ms; the first "
        f"{report.learning_s:g} s and ventricular fibrillation do not count, every other beat "
        "does, readable or not. Offset: median of R-peak minus the experts' mark. Decided: "
        "signal after the R-peak until it was known, median, 99th percentile and longest; the "
        "frame that brings it comes on top.",
        f"Gross sensitivity {between(gross.sensitivity, gross.sensitivity_interval, 3)} %, "
        f"positive predictivity {between(gross.predictivity, gross.predictivity_interval, 3)} % "
        "(Wilson, 95 %, as if beats were independent: those of one record are not, so that other "
        "records will differ more).",
        "Where readable: beats and detections in samples that the quality kernel calls readable; "
        "a second is readable when all its samples are.",
    ]
    if report.noise:
        said.append(
            f"Noise was mixed in from {report.noise.from_s:g} s on, every other "
            f"{report.noise.period_s:g} s."
        )
    paced = [one.record for one in report.records if one.paced]
    if paced:
        said.append(f"With paced beats, which EC57 leaves out: {', '.join(paced)}.")
    if report.left_out:
        said.append(f"Without beats that experts marked: {', '.join(report.left_out)}.")
    return said


def drawn(report: BeatsReport | LeadsReport) -> list[str]:
    """Return sensitivity against predictivity, and the delays."""
    points = [
        plots.Point(
            named(one.folder, one.record, report.folders),
            one.figures.predictivity,
            one.figures.sensitivity,
            one.figures.predictivity_interval,
            one.figures.sensitivity_interval,
        )
        for one in report.records
    ]
    gross = report.gross
    mark = plots.Point("gross", gross.predictivity, gross.sensitivity, None, None)
    axes = ("positive predictivity %", "sensitivity %")
    return [
        plots.scatter("Each record, with 95 % intervals", points, mark, axes),
        plots.histogram("Signal after the R-peak until it was known", report.delays, "beats"),
    ]


def pictures(report: BeatsReport, folders: Folders) -> Iterator[Picture]:
    """Yield the worst stretches."""
    for stretch in report.worst:
        path = folders[stretch.folder] / stretch.record
        yield _picture(report, stretch, *_heard(path, report.lead))


LOOK = Look(title, cards, tables, notes, drawn, "Worst stretches", pictures)


@lru_cache(maxsize=4)
def _heard(path: Path, number: int | None) -> tuple[Lead, Heard, Reference]:
    lead = read_lead(path, number)
    return lead, hear(lead), read_reference(path, lead)


def _picture(
    report: BeatsReport, stretch: Stretch, lead: Lead, heard: Heard, reference: Reference
) -> Picture:
    peaks, rate_hz = heard.beats["sample"].astype(np.int64), lead.rate_hz
    of = ec57.compare(
        reference.beats,
        peaks,
        rate_hz,
        learning_s=report.learning_s,
        excluded=reference.fibrillation,
    )
    missed = set(of.missed.tolist())
    name = named(stretch.folder, stretch.record, report.folders)
    return Picture(
        title=f"{name}: {stretch.missed} missed, {stretch.invented} invented",
        lead=lead,
        mask=heard.mask,
        begin_s=stretch.begin_s,
        length_s=stretch.length_s,
        found=found_marks(heard.beats, rate_hz, frozenset(of.invented.tolist())),
        reference=tuple(
            Mark(at / rate_hz, symbol, number in missed)
            for number, (at, symbol) in enumerate(
                zip(reference.beats.tolist(), reference.symbols.tolist(), strict=True)
            )
        ),
    )


def shares(one: Figures, intervals: bool) -> tuple[str, ...]:
    """Return counts, sensitivity, predictivity and F1 as a table has them."""
    counts = (str(one.beats), str(one.missed), str(one.invented))
    if intervals:
        sensitivity = between(one.sensitivity, one.sensitivity_interval)
        predictivity = between(one.predictivity, one.predictivity_interval)
        return (*counts, sensitivity, predictivity, percent(one.f1))
    return (*counts, *map(percent, (one.sensitivity, one.predictivity, one.f1)))


def _in_readable(one: Readable, noise: bool, intervals: bool) -> tuple[str, ...]:
    noisy = (str(one.noisy_s), percent(one.noisy_readable, 1)) if noise else ()
    return (percent(one.readable, 1), *noisy, *shares(one.figures, intervals))


def _readable_below(report: BeatsReport) -> str:
    return f"{percent(report.readable.readable, 1)} % of the seconds are readable"


def _spread(one: Spread) -> tuple[str, ...]:
    return whole(one.median_ms), whole(one.p99_ms), whole(one.max_ms)
