"""What is found of the rhythm in the databases at hand: figures that are not to get worse."""

from pathlib import Path

import pytest

from telesurv.evaluate.rhythm import RhythmReport, evaluate

pytestmark = pytest.mark.recordings

AF = "atrial-fibrillation"
AF_ALONE = "atrial-fibrillation, flutter not counted as such"


def share(value: float | None) -> float:
    assert value is not None
    return value


def of(folder: Path, *, reference_beats: bool = False) -> RhythmReport:
    if not folder.is_dir():
        pytest.skip(f"no {folder.name} among the recordings")
    return evaluate([folder], reference_beats=reference_beats)


def test_atrial_fibrillation_is_told_from_other_rhythms_beat_by_beat(recordings: Path) -> None:
    figures = of(recordings / "afdb-rr").gross[AF]
    assert share(figures.beats.sensitivity) >= 0.975
    assert share(figures.beats.specificity) >= 0.985
    _, most_beats = figures.decided_beats or (None, None)
    assert most_beats is not None
    assert most_beats <= 60


def test_healthy_hearts_have_none_in_a_day(recordings: Path) -> None:
    assert share(of(recordings / "nsr2db-rr").gross[AF].durations.false_h_per_100_h) <= 0.5


def test_ectopy_is_not_taken_for_it_where_classes_are_known(recordings: Path) -> None:
    durations = of(recordings / "mitdb", reference_beats=True).gross[AF].durations
    assert share(durations.predictivity) >= 0.8
    assert share(durations.sensitivity) >= 0.85


def test_ectopy_is_not_taken_for_it_where_classes_are_found(recordings: Path) -> None:
    gross = of(recordings / "mitdb").gross
    assert share(gross[AF].durations.predictivity) >= 0.9
    assert share(gross[AF_ALONE].durations.predictivity) >= 0.8


def test_it_is_not_told_of_ventricles_that_fibrillate(recordings: Path) -> None:
    rhythms = {one.rhythm: one for one in of(recordings / "vfdb").gross[AF].by_rhythm}
    for code in ("(VF", "(VFIB", "(VFL", "(ASYS", "(BI"):
        assert share(rhythms[code].left_alone) >= 0.97, code


def test_every_patient_is_told_rightly(recordings: Path) -> None:
    for record in of(recordings / "perform-af").records:
        durations = record.figures[AF].durations
        called, marked = (
            s / durations.judged_s for s in (durations.called_s, durations.reference_s)
        )
        assert abs(called - marked) < 0.1, record.record
