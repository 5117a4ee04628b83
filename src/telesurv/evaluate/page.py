"""Reports as columns of text, and as one page of Markdown for the repository."""

from collections.abc import Callable, Sequence

from telesurv.evaluate.looks import Report, look
from telesurv.evaluate.view import Table

Columns = Callable[[Sequence[tuple[str, ...]], tuple[str, ...]], str]

INTRODUCTION = """\
# Accuracy

Made by `telesurv evaluate table` from JSON files that the other commands of `telesurv evaluate` \
wrote. Every figure is the streaming engine's, which gets a second at a time and looks at nothing \
that comes later.

**What the figures are worth.** The kernels' parameters come from physiology and from the \
literature where their docstrings say so; others are set by hand or trained, and their docstrings \
say on what. The development saw these records: other records of the same databases will be \
scored worse. Intervals are of the cases that were counted, not of other patients. Figures of \
other programs are not in here."""

DATABASES = """\
## Databases

Reports named as these folders are of parts of them, from PhysioNet unless stated; `noise` is \
made of 118 and 119 by the published recipe, the SNR in dB ends the name.

- `mitdb`: Moody GB, Mark RG. The impact of the MIT-BIH Arrhythmia Database. IEEE Eng in Med and \
Biol 20(3):45-50 (2001).
- `noise`: Moody GB, Muldrow WE, Mark RG. A noise stress test for arrhythmia detectors. Computers \
in Cardiology 11:381-384 (1984).
- `vfdb`: Greenwald SD. Development and analysis of a ventricular fibrillation detector. \
M.S. thesis, MIT Dept. of Electrical Engineering and Computer Science (1986).
- `afdb-rr`: Moody GB, Mark RG. A new method for detecting atrial fibrillation using R-R \
intervals. Computers in Cardiology 10:227-230 (1983).
- `nsr2db-rr`: The Normal Sinus Rhythm RR Interval Database, PhysioNet.
- `cpsc2021`: Wang X, et al. Paroxysmal atrial fibrillation events detection from dynamic ECG \
recordings: the 4th China Physiological Signal Challenge 2021. PhysioNet (2021).
- `perform-af`: Charlton PH, et al. Detecting beats in the photoplethysmogram: benchmarking \
open-source algorithms. Physiol Meas 43:085007 (2022), of the MIMIC III waveforms.
- `cinc2017`: Clifford GD, et al. AF classification from a short single lead ECG recording: the \
PhysioNet/Computing in Cardiology Challenge 2017. Computing in Cardiology 44 (2017).
- `challenge-2015`: Clifford GD, et al. The PhysioNet/Computing in Cardiology Challenge 2015: \
reducing false arrhythmia alarms in the ICU. Computing in Cardiology 42:273-276 (2015).
- Goldberger AL, et al. PhysioBank, PhysioToolkit, and PhysioNet: components of a new research \
resource for complex physiologic signals. Circulation 101(23):e215-e220 (2000)."""


def text(report: Report, columns: Columns) -> str:
    """Return a report for a terminal; `columns` makes text of rows and heads."""
    shown = look(report)
    parts = []
    for table in shown.tables(report, False):
        if lines := [*table.rows, *table.totals]:
            parts += [f"{table.title}:", columns(lines, table.heads), ""]
    return "\n".join([*parts, *shown.notes(report)])


def markdown(reports: Sequence[Report]) -> str:
    """Return several reports as one page."""
    parts = [INTRODUCTION]
    for report in reports:
        shown = look(report)
        parts.append(f"## {shown.title(report)}")
        parts += [
            _markdown(table) for table in shown.tables(report, False) if table.rows or table.totals
        ]
        parts += ["\n\n".join(shown.notes(report)), f"<sub>{report.about.sentence()}</sub>"]
    return "\n\n".join([*parts, DATABASES]) + "\n"


def _markdown(table: Table) -> str:
    rule = ("---", *["--:"] * (len(table.heads) - 1))
    lines = [table.heads, rule, *table.rows, *table.totals]
    drawn = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    return f"**{table.title}**\n\n{drawn}"
