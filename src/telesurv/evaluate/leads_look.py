"""How a report of leads together is shown."""

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np

from telesurv.evaluate.beats import Reference, Stretch, read_reference
from telesurv.evaluate.beats_look import drawn, shares
from telesurv.evaluate.leads import LeadsReport, compare, peaks_of
from telesurv.evaluate.view import (
    Card,
    Folders,
    Look,
    Mark,
    Picture,
    Table,
    named,
    percent,
    whole,
)
from telesurv.lead import HeardTogether, hear_together, read_leads

HEADS = (
    "record",
    "leads",
    "beats",
    "missed",
    "invented",
    "Se %",
    "+P %",
    "F1 %",
    "each lead alone: missed + invented",
    "decided ms",
    "99 % ms",
    "max ms",
)


def title(report: LeadsReport) -> str:
    """Return what was scored."""
    return f"Beats of all leads together: {', '.join(report.folders)}"


def cards(report: LeadsReport) -> list[Card]:
    """Return the figures that one looks for first."""
    gross, best, times = report.gross, report.gross_best, report.decided
    below = f"{gross.beats} beats of {len(report.records)} records"
    return [
        Card("Sensitivity, gross", f"{percent(gross.sensitivity)} %", below),
        Card("Positive predictivity", f"{percent(gross.predictivity)} %", "gross, EC57"),
        Card("F1", f"{percent(gross.f1)} %", f"the best lead of each record: {percent(best.f1)} %"),
        Card(
            "Decided after",
            f"{whole(times.median_ms)} ms",
            f"99 %: {whole(times.p99_ms)} ms, longest: {whole(times.max_ms)} ms",
        ),
    ]


def tables(report: LeadsReport, full: bool) -> list[Table]:
    """Return the tables; those in full have intervals."""
    rows = []
    for one in report.records:
        name = named(one.folder, one.record, report.folders)
        alone = ", ".join(f"{of.missed} + {of.invented}" for of in one.alone)
        times = map(whole, (one.decided.median_ms, one.decided.p99_ms, one.decided.max_ms))
        rows.append((name, "+".join(one.leads), *shares(one.figures, full), alone, *times))
    best = report.gross_best
    times = map(whole, (report.decided.median_ms, report.decided.p99_ms, report.decided.max_ms))
    average = (percent(report.average_sensitivity), percent(report.average_predictivity))
    totals = [
        ("gross", "", *shares(report.gross, full), "", *times),
        ("best lead of each", "", *shares(best, full), "", "", "", ""),
        ("average", "", "", "", "", *average, "", "", "", "", ""),
    ]
    return [Table("All leads together", HEADS, rows, totals)]


def notes(report: LeadsReport) -> list[str]:
    """Return the sentences that the table needs."""
    return [
        f"EC57: a beat is found within {report.window_ms:g} ms; the first "
        f"{report.learning_s:g} s and ventricular fibrillation do not count, every other beat "
        "does, readable or not. Decided: signal after the R-peak until it was known, median, 99th "
        "percentile and longest; the frame that brings it comes on top.",
        "Best lead: of each record the one with the fewest errors, which nobody knows beforehand.",
    ]


def pictures(report: LeadsReport, folders: Folders) -> Iterator[Picture]:
    """Yield the worst stretches, on the first lead."""
    for stretch in report.worst:
        path = folders[stretch.folder] / f"{stretch.record}.hea"
        yield _picture(report, stretch, *_heard(path))


LOOK = Look(title, cards, tables, notes, drawn, "Worst stretches", pictures)


@lru_cache(maxsize=4)
def _heard(path: Path) -> tuple[HeardTogether, Reference]:
    heart = hear_together(read_leads(path))
    return heart, read_reference(path.with_suffix(""), heart.leads[0])


def _picture(
    report: LeadsReport, stretch: Stretch, heart: HeardTogether, reference: Reference
) -> Picture:
    lead = heart.leads[0]
    peaks = peaks_of(heart.beats, lead.rate_hz)
    of = compare(reference, peaks, lead.rate_hz, report.learning_s)
    missed, invented = set(of.missed.tolist()), set(of.invented.tolist())
    marked = zip(reference.beats.tolist(), reference.symbols.tolist(), strict=True)
    name = named(stretch.folder, stretch.record, report.folders)
    return Picture(
        title=f"{name}: {stretch.missed} missed, {stretch.invented} invented",
        lead=lead,
        mask=heart.masks[0],
        begin_s=stretch.begin_s,
        length_s=stretch.length_s,
        found=tuple(
            Mark(float(at) / lead.rate_hz, "", number in invented)
            for number, at in enumerate(np.asarray(peaks))
        ),
        reference=tuple(
            Mark(at / lead.rate_hz, symbol, number in missed)
            for number, (at, symbol) in enumerate(marked)
        ),
    )
