"""Reports as columns of text, and as one page of Markdown for the repository."""

from collections.abc import Callable, Sequence

from telesurv.evaluate.looks import Report, look
from telesurv.evaluate.view import Table

Columns = Callable[[Sequence[tuple[str, ...]], tuple[str, ...]], str]

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


def text(report: Report, columns: Columns) -> str:
    """Return a report for a terminal; `columns` makes text of rows and heads."""
    shown = look(report)
    parts = []
    for table in shown.brief(report):
        if lines := [*table.rows, *table.totals]:
            parts += [f"{table.title}:", columns(lines, table.heads), ""]
    return "\n".join([*parts, *shown.notes(report)])


def markdown(reports: Sequence[Report]) -> str:
    """Return several reports as one page."""
    parts = [INTRODUCTION]
    for report in reports:
        shown = look(report)
        parts.append(f"## {shown.title(report)}")
        parts += [_markdown(table) for table in shown.brief(report) if table.rows or table.totals]
        parts += ["\n\n".join(shown.notes(report)), f"<sub>{report.about.sentence()}</sub>"]
    return "\n\n".join([*parts, DATABASES]) + "\n"


def _markdown(table: Table) -> str:
    rule = ("---", *["--:"] * (len(table.heads) - 1))
    lines = [table.heads, rule, *table.rows, *table.totals]
    drawn = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    return f"**{table.title}**\n\n{drawn}"
