"""How a report of alarms is shown."""

from collections.abc import Iterator

from telesurv.evaluate import plots
from telesurv.evaluate.alarm_score import Interval
from telesurv.evaluate.alarms import BY_LIMIT, Alarm, AlarmsReport
from telesurv.evaluate.figures import Spread
from telesurv.evaluate.view import (
    Card,
    Folders,
    Instant,
    Look,
    Picture,
    Table,
    between,
    found_marks,
    percent,
    whole,
)
from telesurv.lead import hear, read_lead

HEADS = ("alarm", "TP", "FN", "TN", "FP", "sensitivity %", "specificity %")
DELAY_HEADS = ("condition", "times", "median s", "99 % s", "longest s")
ALARM_HEADS = ("record", "alarm", "is", "confirmed", "outcome", "seen before the alarm")
OUTCOMES = {(True, False): "FN", (False, True): "FP", (True, True): "TP", (False, False): "TN"}

PICTURE_S = 20.0
PICTURES = 100
"""Alarms that are drawn at most: the missed true ones before the confirmed false ones."""


def title(report: AlarmsReport) -> str:
    """Return what was judged."""
    return f"Alarms: {report.folder}"


def cards(report: AlarmsReport) -> list[Card]:
    """Return the figures that one looks for first."""
    found = []
    for name, scored in (
        ("Score, whole set", report.whole_set_score),
        ("Score, this folder", report.score),
        ("Whole set, default limits", report.at_default_limits.whole_set_score),
    ):
        if scored:
            found.append(Card(name, percent(scored.score, 1), f"{_bounds(scored)}, bootstrap"))
    for one in report.types:
        value = f"{percent(one.sensitivity, 0)} / {percent(one.specificity, 0)} %"
        count = f"sensitivity / specificity, {one.tp + one.fn} true, {one.tn + one.fp} false"
        found.append(Card(one.condition, value, count))
    return found


def tables(report: AlarmsReport, full: bool) -> list[Table]:
    """Return the tables; in full, with every alarm."""
    return [*_by_type(report), *([_every(report)] if full else [])]


def notes(report: AlarmsReport) -> list[str]:
    """Return the sentences that the tables need."""
    said = [
        f"Confirmed: an alert lists the alarm's condition, detected by {report.alarm_s:g} s and "
        f"present in the {report.before_s:g} s before; nothing after it was read. Intervals of "
        "95 %. Detection: every time a condition was announced in these records, right or wrong; "
        "the plot has the conditions that confirm alarms.",
        f"The plan moves the limits of extreme brady- and tachycardia by "
        f"{report.tolerance_per_min:g}/min, and asks for {report.beats[0]} slow or "
        f"{report.beats[1]} fast beats in a row, for monitors average fewer than the definitions; "
        f"for asystole {report.silent_s:g} s without a beat, for an alarm comes when its 4 s are "
        "over and not when it is known of all of them that they were silent.",
    ]
    if len(_wrong(report)) > PICTURES:
        said.append(f"Of {len(_wrong(report))} alarms judged wrongly {PICTURES} are drawn.")
    if report.score:
        said.append(f"Challenge's score: {_scored(report.score)}.")
    if report.whole_set_score:
        weighted = _scored(report.whole_set_score)
        said.append(f"Weighted to the whole public set's true and false alarms: {weighted}.")
    if strictly := report.at_default_limits.whole_set_score:
        said.append(f"The same at the default limits: {_scored(strictly)}.")
    return said


def drawn(report: AlarmsReport) -> list[str]:
    """Return specificity against sensitivity by type, and the delays."""
    points = [
        plots.Point(
            one.condition,
            one.specificity,
            one.sensitivity,
            one.specificity_interval,
            one.sensitivity_interval,
        )
        for one in report.types
    ]
    none = plots.Point("", None, None, None, None)
    axes = ("specificity %", "sensitivity %")
    return [
        plots.scatter("Each type, with 95 % intervals", points, none, axes),
        plots.histogram("From onset to detection", report.delay_histogram, "announcements"),
    ]


def pictures(report: AlarmsReport, folders: Folders) -> Iterator[Picture]:
    """Yield what lay before alarms that were judged wrongly, in the first ECG lead."""
    for alarm in _wrong(report)[:PICTURES]:
        lead = read_lead(folders[report.folder] / alarm.record, None)
        heard = hear(lead)
        instants = [Instant(report.alarm_s - 0.01, "alarm", wrong=True)]
        for seen in alarm.seen:
            instants.append(Instant(seen.onset_s, f"{seen.condition}: onset"))
            instants.append(Instant(seen.detected_s, f"{seen.condition}: detected"))
        said = "true alarm, not confirmed" if alarm.true else "false alarm, confirmed"
        yield Picture(
            title=f"{alarm.record}, {alarm.type.replace('_', ' ')}: {said}",
            lead=lead,
            mask=heard.mask,
            begin_s=report.alarm_s - PICTURE_S,
            length_s=PICTURE_S,
            found=found_marks(heard.beats, lead.rate_hz),
            instants=tuple(instants),
        )


LOOK = Look(title, cards, tables, notes, drawn, "Alarms judged wrongly, first ECG lead", pictures)


def _wrong(report: AlarmsReport) -> list[Alarm]:
    """Return the alarms that were judged wrongly, the missed true ones first."""
    wrong = [one for one in report.alarms if one.confirmed != one.true]
    return sorted(wrong, key=lambda one: (not one.true, one.type, one.record))


def _outcome(one: Alarm) -> str:
    return OUTCOMES[one.true, one.confirmed]


def _seen(one: Alarm) -> str:
    return "; ".join(
        f"{seen.condition} {seen.onset_s:.1f} to "
        + ("the alarm" if seen.resolved_s is None else f"{seen.resolved_s:.1f}")
        + f" (known at {seen.detected_s:.1f})"
        for seen in one.seen
    )


def _times(one: Spread) -> tuple[float | None, ...]:
    return one.median_ms, one.p99_ms, one.max_ms


def _seconds(ms: float | None) -> str:
    return whole(None) if ms is None else f"{ms / 1000:.1f}"


def _bounds(one: Interval) -> str:
    return f"{100 * one.low:.1f} to {100 * one.high:.1f}"


def _scored(one: Interval) -> str:
    return (
        f"{100 * one.score:.1f} ({_bounds(one)}, bootstrap of {one.draws} draws, seed {one.seed})"
    )


def _by_type(report: AlarmsReport) -> list[Table]:
    """Return types, those that the limits decide without tolerance, and delays."""
    rows = [
        (
            one.condition,
            *(str(count) for count in (one.tp, one.fn, one.tn, one.fp)),
            between(one.sensitivity, one.sensitivity_interval, 1),
            between(one.specificity, one.specificity_interval, 1),
        )
        for one in report.types
    ]
    limits = [
        (one.condition, *(str(count) for count in (one.tp, one.fn, one.tn, one.fp)))
        for one in report.at_default_limits.types
        if one.type in BY_LIMIT
    ]
    delays = [
        (one.condition, str(one.times), *(_seconds(ms) for ms in _times(one.detected)))
        for one in report.delays
    ]
    return [
        Table("By type", HEADS, rows),
        Table("At the default limits", HEADS[:5], limits),
        Table("From onset to detection", DELAY_HEADS, delays),
    ]


def _every(report: AlarmsReport) -> Table:
    """Return every alarm, the wrong ones first."""
    order = list(OUTCOMES.values())
    judged = sorted(
        report.alarms, key=lambda one: (order.index(_outcome(one)), one.type, one.record)
    )
    rows = [
        (
            one.record,
            one.type.replace("_", " "),
            "true" if one.true else "false",
            "yes" if one.confirmed else "no",
            _outcome(one),
            _seen(one),
        )
        for one in judged
    ]
    help_ = (
        f"Seen: conditions that were present in the last {report.seen_s:g} s before the alarm, "
        "in seconds."
    )
    return Table("Every alarm", ALARM_HEADS, rows, help=help_)
