"""Rhythms scored against experts: spans, counts beside a plain count of seconds, WFDB records."""

import json
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import wfdb
from hypothesis import given, settings
from hypothesis import strategies as st

from kernel_cases import ecg
from telesurv.evaluate import spans
from telesurv.evaluate.rhythm import TARGETS, RhythmReport, evaluate, tally
from telesurv.evaluate.rhythm_figures import Tally, rhythm_figures
from telesurv.evaluate.rhythm_marks import Called, Marks, read_marks
from telesurv.lead import Unsuited
from telesurv_kernels import _dtypes as d

AF = TARGETS["atrial-fibrillation"]
AF_ALONE = TARGETS["atrial-fibrillation, flutter not counted as such"]
LENGTH = 120

EDGES = st.lists(st.tuples(st.integers(0, LENGTH), st.integers(0, 40)), max_size=6)


def seconds(some: Any) -> set[int]:
    return {second for begin, end in some for second in range(int(begin), int(end))}


def stretches(edges: list[tuple[int, int]]) -> list[spans.Span]:
    return [(float(begin), float(min(begin + length, LENGTH))) for begin, length in edges]


def pieces(of: set[int]) -> list[set[int]]:
    """Seconds without a break between."""
    found: list[set[int]] = []
    for second in sorted(of):
        if not found or second - 1 not in found[-1]:
            found.append(set())
        found[-1].add(second)
    return found


@given(EDGES, EDGES)
def test_spans_are_sets_of_seconds(one: Any, other: Any) -> None:
    one, other = stretches(one), stretches(other)
    a, b = seconds(one), seconds(other)
    assert seconds(spans.union(one)) == a
    assert seconds(spans.both(one, other)) == a & b
    assert seconds(spans.without(one, other)) == a - b
    assert spans.length_s(spans.union(one)) == len(a)
    assert [seconds([span]) for span in spans.union(one)] == pieces(a)


RHYTHMS = ("(N", "(AFIB", "(AFL", "(VT", "(NOISE", "(T")


@settings(max_examples=200)
@given(
    st.lists(st.tuples(st.sampled_from(RHYTHMS), st.integers(1, 40)), max_size=6),
    EDGES,
    st.sampled_from([AF, AF_ALONE]),
)
def test_counts_are_those_of_single_seconds(rhythms: Any, edges: Any, target: Any) -> None:
    marked, begin = [], 0
    for code, length in rhythms:
        end = min(begin + length, LENGTH)
        if end > begin:
            marked.append((float(begin), float(end), code))
        begin = end
    if begin < LENGTH:
        marked.append((float(begin), float(LENGTH), "(N"))
    found = [Called(begin, end, end + 1) for begin, end in spans.union(stretches(edges))]
    beats_s = np.arange(LENGTH) + 0.5
    marks = Marks(float(LENGTH), marked, beats_s, np.ones(LENGTH, np.int64))
    counted = tally(target, found, marks)

    def of(*codes: str) -> set[int]:
        return seconds([(begin, end) for begin, end, code in marked if code in codes])

    judged = set(range(LENGTH)) - of("(NOISE")
    truth, said = of(*target.rhythms) & judged, seconds([one.span for one in found]) & judged
    assert (counted.judged_s, counted.reference_s) == (len(judged), len(truth))
    assert (counted.called_s, counted.both_s) == (len(said), len(truth & said))
    assert (counted.inside, counted.inside_called) == (len(truth), len(truth & said))
    assert (counted.outside, counted.outside_called) == (len(judged - truth), len(said - truth))
    assert (counted.reference, counted.called) == (len(pieces(truth)), len(pieces(said)))
    assert counted.found == sum(bool(piece & said) for piece in pieces(truth))
    assert counted.right == sum(bool(piece & truth) for piece in pieces(said))
    assert len(counted.delays_ms) == counted.found
    for code, (length, of_it) in counted.rhythms.items():
        assert (length, of_it) == (len(of(code) & judged), len(of(code) & said))
    assert sum(length for length, _ in counted.rhythms.values()) == len(judged)


def test_figures_follow_from_counts() -> None:
    one = Tally(reference=4, found=3, called=5, right=4, judged_s=3600.0, reference_s=600.0,
                called_s=900.0, both_s=450.0, inside=700, inside_called=600, outside=3000,
                outside_called=300, delays_ms=[30_000.0, 50_000.0], delays_beats=[40, 60],
                rhythms={"(AFIB": (600.0, 450.0)})  # fmt: skip
    one.add(Tally(judged_s=3600.0, rhythms={"(AFIB": (10.0, 0.0), "(N": (3590.0, 0.0)}))
    made = rhythm_figures(one)
    assert (made.episodes.sensitivity, made.episodes.predictivity) == (0.75, 0.8)
    assert made.episodes.sensitivity_interval == pytest.approx((0.300642, 0.954413), abs=1e-6)
    durations = made.durations
    assert (durations.sensitivity, durations.predictivity) == (0.75, 0.5)
    assert durations.specificity == pytest.approx((6600 - 450) / 6600, abs=1e-6)
    assert durations.false_h_per_100_h == 6.25
    assert (made.beats.sensitivity, made.beats.specificity) == (0.857143, 0.9)
    assert made.decided.median_ms == 40_000
    assert made.decided_beats == (50.0, 60.0)
    assert [(r.rhythm, r.length_s, r.left_alone) for r in made.by_rhythm] == [
        ("(AFIB", 610.0, pytest.approx(160 / 610, abs=1e-6)), ("(N", 3590.0, 1.0)
    ]  # fmt: skip
    nothing = rhythm_figures(Tally())
    assert nothing.durations.sensitivity is None
    assert nothing.episodes.predictivity is None


def rr(seed: int = 1) -> np.ndarray[Any, Any]:
    """Sinus rhythm, atrial fibrillation from beat 150 to 350, and sinus rhythm."""
    rng = np.random.default_rng(seed)
    lengths = np.concatenate(
        [np.full(150, 0.8), 0.7 * rng.lognormal(0, 0.2, 200), np.full(150, 0.8)]
    )
    return np.cumsum(lengths)


def annotate(folder: Path, name: str, kind: str, rows: list[tuple[float, str, str]]) -> None:
    at, symbols, notes = zip(*rows, strict=True)
    samples = np.rint(np.array(at) * 250).astype(np.int64)
    wfdb.wrann(name, kind, samples, symbol=list(symbols), aux_note=list(notes), fs=250,
               write_dir=str(folder))  # fmt: skip


def rhythms(beats: Any) -> list[tuple[float, str, str]]:
    return [
        (0.01, "+", "(N"),
        (float(beats[150]), "+", "(AFIB"),
        (float(beats[350]), "+", "(N"),
    ]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Records of beats alone, with a signal, with a label, and one of which nothing is known."""
    made = tmp_path_factory.mktemp("rhythms")
    beats = rr()
    annotate(made, "alone", "qrs", [(float(t), "N", "") for t in beats])
    annotate(made, "alone", "atr", rhythms(beats))
    annotate(made, "calm", "ecg", [(0.8 * n, "N" if n % 9 else "V", "") for n in range(1, 400)])
    for name, comments in (
        ("signal", ["rhythm: not AF"]),
        ("unknown", []),
        ("labelled", ["rhythm: AF"]),
    ):
        mv = ecg(
            beats[:60] if name == "unknown" else beats, 20.0 if name == "unknown" else beats[-1]
        )
        wfdb.wrsamp(name, fs=250, units=["mV"], sig_name=["II"], p_signal=mv[:, None], fmt=["16"],
                    comments=comments, write_dir=str(made))  # fmt: skip
    annotate(made, "signal", "atr", [*rhythms(beats), (float(beats[400]), "N", "")])
    return made


@pytest.fixture(scope="module")
def report(folder: Path) -> RhythmReport:
    return evaluate([folder])


def test_records_are_heard_with_and_without_signals(report: RhythmReport) -> None:
    assert report.left_out == ("unknown",)
    of = {one.record: one for one in report.records}
    assert {name: one.lead for name, one in of.items()} == {
        "alone": None, "calm": None, "labelled": "II", "signal": "II"
    }  # fmt: skip
    for name in ("alone", "signal"):
        found = of[name].figures["atrial-fibrillation"]
        assert (found.episodes.found, found.episodes.called) == (1, 1)
        assert found.durations.sensitivity is not None
        assert found.durations.sensitivity > 0.85
        assert found.durations.predictivity is not None
        assert found.durations.predictivity > 0.9
        assert found.decided.median_ms is not None
        assert 30_000 < found.decided.median_ms < 60_000
    assert of["calm"].figures["atrial-fibrillation"].durations.specificity == 1.0
    assert "ventricular-fibrillation" not in of["calm"].figures
    assert of["signal"].figures["ventricular-fibrillation"].durations.specificity == 1.0
    assert of["labelled"].figures["atrial-fibrillation"].episodes.reference == 1
    # The whole record is said to be it, and 140 s are.
    labelled = of["labelled"].figures["atrial-fibrillation"].durations
    assert labelled.sensitivity == pytest.approx(0.35, abs=0.05)


def test_a_report_sums_and_averages_and_names_no_place(report: RhythmReport, folder: Path) -> None:
    gross = report.gross["atrial-fibrillation"]
    each = [one.figures["atrial-fibrillation"] for one in report.records]
    assert gross.episodes.reference == sum(one.episodes.reference for one in each)
    assert gross.durations.called_s == pytest.approx(sum(one.durations.called_s for one in each))
    known = [s for one in each if (s := one.durations.sensitivity) is not None]
    average = report.average["atrial-fibrillation"]
    assert average.duration_sensitivity == pytest.approx(sum(known) / len(known), abs=1e-6)
    assert sum(report.delays["atrial-fibrillation"].counts) == gross.episodes.found
    written = msgspec.json.encode(report)
    assert msgspec.json.decode(written, type=RhythmReport) == report
    assert str(folder.parent) not in written.decode()
    assert json.loads(written)["kind"] == "rhythm"


def test_the_experts_beats_can_be_heard_instead(folder: Path) -> None:
    report = evaluate([folder], reference_beats=True)
    assert report.reference_beats
    assert {one.record for one in report.records} == {"alone", "calm", "signal"}
    assert all(one.lead is None for one in report.records)
    assert set(report.left_out) == {"labelled", "unknown"}


def test_brackets_are_fibrillation(tmp_path: Path) -> None:
    rows = [(0.5, "+", "(N"), (1.0, "N", ""), (5.0, "[", ""), (9.0, "]", ""), (12.0, "V", ""),
            (15.0, "[", "")]  # fmt: skip
    annotate(tmp_path, "one", "atr", rows)
    marks = read_marks(tmp_path / "one", 20.0)
    assert marks is not None
    assert marks.spans("(VF", "(VFL") == [(5.0, 9.0), (15.0, 20.0)]
    assert marks.spans("(N") == [(0.5, 20.0)]
    assert marks.classes.tolist() == [d.NORMAL, d.VENTRICULAR]


def test_a_folder_without_rhythms_is_unsuited(tmp_path: Path) -> None:
    with pytest.raises(Unsuited, match="no WFDB record whose rhythm is marked"):
        evaluate([tmp_path])
