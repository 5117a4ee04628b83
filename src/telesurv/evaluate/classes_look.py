"""How a report of classes of beats is shown."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from telesurv.evaluate import ec57, plots
from telesurv.evaluate.beats import Reference, read_reference
from telesurv.evaluate.classes import (
    COLUMNS,
    ROWS,
    SYMBOLS,
    ClassesReport,
    ClassFigures,
    ClassScore,
    RecordClasses,
    classified,
)
from telesurv.evaluate.figures import densest
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
from telesurv.lead import Lead, hear, read_lead
from telesurv_kernels import _dtypes as codes

HEADS = (
    *("record", "lead", "V", "missed V", "invented V", "Se V %", "+P V %"),
    *("S", "missed S", "invented S", "Se S %", "+P S %"),
)
RECORDS_BRIEF = 24
PICTURED_RECORDS, PICTURES_A_RECORD, PICTURE_S = 6, 2, 10.0


def title(report: ClassesReport) -> str:
    """Return what was scored."""
    lead = "first ECG lead" if report.lead is None else f"signal {report.lead}"
    return f"Classes of beats: {', '.join(report.folders)}, {lead}"


def cards(report: ClassesReport) -> list[Card]:
    """Return the figures that one looks for first."""
    found = []
    score = report.gross_without_paced
    for name, one in (("Ventricular", score.ventricular), ("Supraventr.", score.supraventricular)):
        share, bounds = one.sensitivity, one.sensitivity_interval
        below = f"{one.beats} beats, {_interval(bounds)}"
        found.append(Card(f"{name} Se", f"{percent(share)} %", below))
        share, bounds = one.predictivity, one.predictivity_interval
        below = f"{one.invented} invented, {_interval(bounds)}"
        found.append(Card(f"{name} +P", f"{percent(share)} %", below))
    times = report.decided
    below = f"99 %: {whole(times.p99_ms)} ms, longest: {whole(times.max_ms)} ms"
    return [*found, Card("Classified after", f"{whole(times.median_ms)} ms", below)]


def tables(report: ClassesReport, full: bool) -> list[Table]:
    """Return the tables; those in full have intervals."""

    def row(name: str, lead: str, score: ClassScore) -> tuple[str, ...]:
        classes = (score.ventricular, score.supraventricular)
        return (name, lead, *(cell for one in classes for cell in _shares(one, full)))

    rows = [
        row(named(one.folder, one.record, report.folders), one.lead, one.score)
        for one in report.records
    ]
    totals = [row("gross", "", report.gross)]
    if report.gross != report.gross_without_paced:
        totals.append(row("gross without paced", "", report.gross_without_paced))
    if not full and len(rows) > RECORDS_BRIEF:
        rows = []
    matrix = [
        (name, *map(str, counts))
        for name, counts in zip(ROWS, report.gross_without_paced.matrix, strict=True)
    ]
    return [
        Table("Ventricular and supraventricular beats", HEADS, rows, totals),
        Table("Marked (rows) and found (columns), without paced", ("", *COLUMNS), matrix),
    ]


def notes(report: ClassesReport) -> list[str]:
    """Return the sentences that the tables need."""
    said = [
        f"EC57: pairs within {report.window_ms:g} ms, the first {report.learning_s:g} s and "
        "ventricular fibrillation do not count. A ventricular beat (V) is found where it was "
        "called V; N, S and inventions that were called V are false positives, fusion (F) and "
        "unclassifiable beats (Q) called V are none. Supraventricular (S) likewise: N, V, F and "
        "inventions. A beat that was not detected is missed by its class.",
        "Rows of the matrix: what experts marked (O: nothing there); columns: what was found "
        "(x: nothing; q also not classified). Intervals: Wilson, 95 %, as if beats were "
        "independent: those of one record are not.",
    ]
    paced = [one.record for one in report.records if one.paced]
    if paced:
        said.append(f"With paced beats, which EC57 leaves out: {', '.join(paced)}.")
    if report.left_out:
        said.append(f"Without beats that experts marked: {', '.join(report.left_out)}.")
    return said


def drawn(report: ClassesReport) -> list[str]:
    """Return sensitivity against predictivity of each class."""
    gross = report.gross_without_paced
    unpaced = [one for one in report.records if not one.paced]
    axes = ("positive predictivity %", "sensitivity %")
    return [
        plots.scatter(
            f"{name} beats of each record, with 95 % intervals",
            [
                _point(named(one.folder, one.record, report.folders), getattr(one.score, of))
                for one in unpaced
            ],
            _point("gross", getattr(gross, of), intervals=False),
            axes,
        )
        for name, of in (("Ventricular", "ventricular"), ("Supraventricular", "supraventricular"))
    ]


def pictures(report: ClassesReport, folders: Folders) -> Iterator[Picture]:
    """Yield where most ventricular beats were missed or invented."""

    def errors(one: RecordClasses) -> int:
        return one.score.ventricular.missed + one.score.ventricular.invented

    worst = sorted((one for one in report.records if not one.paced), key=errors, reverse=True)
    for one in worst[:PICTURED_RECORDS]:
        if errors(one):
            path = folders[one.folder] / one.record
            lead = read_lead(path, report.lead)
            name = named(one.folder, one.record, report.folders)
            yield from _pictures(report, name, lead, read_reference(path, lead))


LOOK = Look(title, cards, tables, notes, drawn, "Where most ventricular beats are wrong", pictures)


def _pictures(
    report: ClassesReport, name: str, lead: Lead, reference: Reference
) -> Iterator[Picture]:
    found = classified(lead)
    missed, invented = ventricular_errors(found, reference, lead.rate_hz, report.learning_s)
    times_s = np.concatenate([reference.beats[missed], found["sample"][invented]]) / lead.rate_hz
    mask, wrong = hear(lead).mask, set(missed.tolist())
    marks = tuple(
        Mark(at / lead.rate_hz, symbol, number in wrong)
        for number, (at, symbol) in enumerate(
            zip(reference.beats.tolist(), reference.symbols.tolist(), strict=True)
        )
    )
    for begin_s in densest(times_s, PICTURE_S, PICTURES_A_RECORD):
        inside = int(((times_s >= begin_s) & (times_s < begin_s + PICTURE_S)).sum())
        yield Picture(
            title=f"{name}: {inside} ventricular errors",
            lead=lead,
            mask=mask,
            begin_s=begin_s,
            length_s=PICTURE_S,
            found=found_marks(found, lead.rate_hz, frozenset(invented.tolist())),
            reference=marks,
        )


def ventricular_errors(
    found: NDArray[Any], reference: Reference, rate_hz: float, learning_s: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the indices of ventricular beats that were missed, and of false ones that were found.

    A beat that was called otherwise is among the missed ones alone.
    """
    called = (found["flags"] >> codes.CLASS_SHIFT & codes.CLASS_MASK) == codes.VENTRICULAR
    of = ec57.compare(
        reference.beats,
        found["sample"].astype(np.int64),
        rate_hz,
        learning_s=learning_s,
        excluded=reference.fibrillation,
    )
    real = np.isin(reference.symbols, list(SYMBOLS["V"]))
    other = np.isin(reference.symbols, list(SYMBOLS["N"] + SYMBOLS["S"]))
    beats, peaks = of.pairs[:, 0], of.pairs[:, 1]
    missed = np.concatenate([of.missed[real[of.missed]], beats[real[beats] & ~called[peaks]]])
    false = peaks[other[beats] & called[peaks]]
    return missed, np.concatenate([of.invented[called[of.invented]], false])


def _shares(one: ClassFigures, intervals: bool) -> tuple[str, ...]:
    counts = (str(one.beats), str(one.missed), str(one.invented))
    if intervals:
        sensitivity = between(one.sensitivity, one.sensitivity_interval, 1)
        return (*counts, sensitivity, between(one.predictivity, one.predictivity_interval, 1))
    return (*counts, percent(one.sensitivity), percent(one.predictivity))


def _point(name: str, one: ClassFigures, *, intervals: bool = True) -> plots.Point:
    bounds = (one.predictivity_interval, one.sensitivity_interval) if intervals else (None, None)
    return plots.Point(name, one.predictivity, one.sensitivity, *bounds)


def _interval(bounds: tuple[float, float] | None) -> str:
    return "no interval" if bounds is None else f"{100 * bounds[0]:.1f} to {100 * bounds[1]:.1f}"
