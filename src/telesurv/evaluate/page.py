"""Reports as columns of text, and as one page of Markdown for the repository."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from telesurv.evaluate.alarm_score import Interval, TypeFigures
from telesurv.evaluate.alarms import AlarmsReport
from telesurv.evaluate.beats import BeatsReport, Figures, RecordBeats, Spread

Report = BeatsReport | AlarmsReport
Rows = list[tuple[str, ...]]

BEAT_HEADS = (
    *("record", "lead", "beats", "missed", "invented", "Se %", "+P %", "F1 %"),
    *("offset ms", "decided ms", "99 % ms"),
)
ALARM_HEADS = ("alarm", "TP", "FN", "TN", "FP", "sensitivity %", "specificity %")

INTRODUCTION = """\
# Accuracy

Made by `telesurv evaluate table` from JSON files that `telesurv evaluate beats` and `telesurv \
evaluate alarms` wrote. Every figure is the streaming engine's, which gets a second at a time \
and looks at nothing that comes later.

**What the figures are worth.** The kernels' parameters come from physiology and from the \
literature where their docstrings say so; the others are set by hand. None was set by folds, \
and the development saw records of three databases: rules of `beats` were kept for what they \
did on MIT-BIH Arrhythmia and on its noise stress records, and the constant band of `quality` \
is below what true asystoles of the 2015 challenge still move. There these are figures of \
records that were known. Figures of other programs are not in here."""

DATABASES = """\
## Databases

Reports named `mitdb`, `noise` and `challenge-2015` are of parts of these, from PhysioNet; \
`noise` is made of 118 and 119 by the published recipe, the SNR in dB ends the name.

- Moody GB, Mark RG. The impact of the MIT-BIH Arrhythmia Database. IEEE Eng in Med and Biol \
20(3):45-50 (2001).
- Moody GB, Muldrow WE, Mark RG. A noise stress test for arrhythmia detectors. Computers in \
Cardiology 11:381-384 (1984).
- Clifford GD, et al. The PhysioNet/Computing in Cardiology Challenge 2015: reducing false \
arrhythmia alarms in the ICU. Computing in Cardiology 42:273-276 (2015).
- Goldberger AL, et al. PhysioBank, PhysioToolkit, and PhysioNet: components of a new research \
resource for complex physiologic signals. Circulation 101(23):e215-e220 (2000)."""


def load(file: Path) -> Report:
    """Read a report; raises `ValueError` (msgspec) where it is none."""
    report: Report = msgspec.json.decode(file.read_bytes(), type=Report)
    return report


def dump(report: Report) -> bytes:
    """Return a report as JSON for people and programs."""
    return msgspec.json.format(msgspec.json.encode(report), indent=1) + b"\n"


def heads(report: Report) -> tuple[str, ...]:
    """Return what stands above the columns of `rows`."""
    return BEAT_HEADS if isinstance(report, BeatsReport) else ALARM_HEADS


def rows(report: Report) -> Rows:
    """Return the report's table."""
    if isinstance(report, AlarmsReport):
        return [_type_row(one) for one in report.types]
    several = len(report.folders) > 1
    found = [_record_row(one, several) for one in report.records]
    whole = (_ms(report.offset_ms), *_spread(report.decided))
    found.append(("gross", "", *_shares(report.gross), *whole))
    if report.gross != report.gross_without_paced and report.gross_without_paced.beats:
        found.append(("gross without paced", "", *_shares(report.gross_without_paced), *[""] * 3))
    average = (_percent(report.average_sensitivity), _percent(report.average_predictivity))
    return [*found, ("average", "", "", "", "", *average, "", "", "", "")]


def notes(report: Report) -> list[str]:
    """Return the sentences that the table needs."""
    if isinstance(report, BeatsReport):
        paced = [one.record for one in report.records if one.paced]
        said = [
            f"EC57: a beat is found within {report.window_ms:g} ms; the first "
            f"{report.learning_s:g} s and ventricular fibrillation do not count. Offset: median "
            "of R-peak minus the experts' mark. Decided: signal after the R-peak until it was "
            "known, median and 99th percentile; the frame that brings it comes on top."
        ]
        if paced:
            said.append(f"With paced beats, which EC57 leaves out: {', '.join(paced)}.")
        if report.left_out:
            said.append(f"Without beats that experts marked: {', '.join(report.left_out)}.")
        return said
    said = [
        f"Confirmed: an alert lists the alarm's condition, detected by {report.alarm_s:g} s and "
        f"present in the {report.before_s:g} s before; nothing after it was read. Intervals of "
        "95 %."
    ]
    if report.not_judged:
        alarms = ", ".join(f"{kind} ({count})" for kind, count in report.not_judged.items())
        said.append(f"Not judged yet, and not in the score: {alarms}.")
    if report.score:
        said.append(f"Challenge's score over the judged types: {_scored(report.score)}.")
    if report.whole_set_score:
        weighted = _scored(report.whole_set_score)
        said.append(f"Weighted to the whole public set's true and false alarms: {weighted}.")
    return said


def markdown(reports: Sequence[Report]) -> str:
    """Return several reports as one page."""
    parts = [INTRODUCTION]
    for report in reports:
        if isinstance(report, BeatsReport):
            lead = "first ECG lead" if report.lead is None else f"signal {report.lead}"
            title = f"Beats: {', '.join(report.folders)}, {lead}"
        else:
            title = f"Alarms: {report.folder}"
        table = rows(report)
        if isinstance(report, BeatsReport) and len(report.records) > 24:
            table = table[len(report.records) :]
        head = heads(report)
        lines = [head, ("---", *["--:"] * (len(head) - 1)), *table]
        parts += [
            f"## {title}",
            "\n".join("| " + " | ".join(line) + " |" for line in lines),
            "\n".join(notes(report)),
            f"<sub>{report.about.sentence()}</sub>",
        ]
    return "\n\n".join([*parts, DATABASES]) + "\n"


def _record_row(one: RecordBeats, several: bool) -> tuple[str, ...]:
    name = f"{one.folder}/{one.record}" if several else one.record
    return (name, one.lead, *_shares(one.figures), _ms(one.offset_ms), *_spread(one.decided))


def _type_row(one: TypeFigures) -> tuple[str, ...]:
    counts = (str(one.tp), str(one.fn), str(one.tn), str(one.fp))
    sensitivity = _between(one.sensitivity, one.sensitivity_interval)
    return (
        one.condition,
        *counts,
        sensitivity,
        _between(one.specificity, one.specificity_interval),
    )


def _shares(one: Figures) -> tuple[str, ...]:
    counts = (str(one.beats), str(one.missed), str(one.invented))
    return (*counts, *map(_percent, (one.sensitivity, one.predictivity, one.f1)))


def _scored(one: Interval) -> str:
    return (
        f"{100 * one.score:.1f} ({100 * one.low:.1f} to {100 * one.high:.1f}, bootstrap of "
        f"{one.draws} draws, seed {one.seed})"
    )


def _between(share: float | None, bounds: tuple[float, float] | None) -> str:
    if share is None or bounds is None:
        return "–"  # noqa: RUF001
    return f"{100 * share:.1f} ({100 * bounds[0]:.0f} to {100 * bounds[1]:.0f})"


def _spread(one: Spread) -> tuple[str, str]:
    return _ms(one.median_ms), _ms(one.p99_ms)


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.2f}"  # noqa: RUF001


def _ms(time_ms: float | None) -> str:
    return "–" if time_ms is None else f"{time_ms:.0f}"  # noqa: RUF001
