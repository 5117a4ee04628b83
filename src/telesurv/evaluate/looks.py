"""The kinds of reports, and how each is shown."""

from pathlib import Path

import msgspec

from telesurv.evaluate import (
    alarms_look,
    beats_look,
    classes_look,
    leads_look,
    quality_look,
    rhythm_look,
)
from telesurv.evaluate.alarms import AlarmsReport
from telesurv.evaluate.beats import BeatsReport
from telesurv.evaluate.classes import ClassesReport
from telesurv.evaluate.leads import LeadsReport
from telesurv.evaluate.quality import QualityReport
from telesurv.evaluate.rhythm import RhythmReport
from telesurv.evaluate.view import Look

Report = BeatsReport | LeadsReport | ClassesReport | RhythmReport | AlarmsReport | QualityReport

LOOKS: dict[type, Look] = {
    BeatsReport: beats_look.LOOK,
    LeadsReport: leads_look.LOOK,
    ClassesReport: classes_look.LOOK,
    RhythmReport: rhythm_look.LOOK,
    AlarmsReport: alarms_look.LOOK,
    QualityReport: quality_look.LOOK,
}


def look(report: Report) -> Look:
    """Return how a report is shown."""
    return LOOKS[type(report)]


def load(file: Path) -> Report:
    """Read a report; raises `ValueError` (msgspec) where it is none."""
    report: Report = msgspec.json.decode(file.read_bytes(), type=Report)
    return report


def dump(report: Report) -> bytes:
    """Return a report as JSON for people and programs."""
    return msgspec.json.format(msgspec.json.encode(report), indent=1) + b"\n"
