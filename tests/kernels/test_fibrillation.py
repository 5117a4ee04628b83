"""The fibrillation kernel by its rules, beside its oracle, and on recordings."""

import csv
from collections import defaultdict
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from kernel_cases import ecg
from oracles.fibrillation import findings
from telesurv_kernels import fibrillation as k
from telesurv_kernels import quality
from telesurv_kernels._dtypes import OFF, ON, SEGMENT, VENTRICULAR_FIBRILLATION

RATE_HZ, SCALE_MV = 250.0, 0.005
Samples = NDArray[np.int16]
Mask = NDArray[np.uint8]
Piece = tuple[str, float, float]
"""What it shows, seconds, and a number: cycles a second, beats a minute, mV."""


def run(
    samples: Samples,
    mask: Mask | None = None,
    rate_hz: float = RATE_HZ,
    cuts: Iterable[int] = (),
    restarts: Iterable[int] = (),
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Findings and state after samples given in pieces that end at `cuts` and `restarts`."""
    mask = np.zeros(len(samples), np.uint8) if mask is None else mask
    state, params = np.zeros(1, k.STATE), np.array([k.params(rate_hz, SCALE_MV)])
    parts = [np.zeros(0, k.FINDING)]
    for first, last in pairwise(sorted({0, *cuts, *restarts, len(samples)})):
        segments = np.array([(0, 0, last - first, first in restarts)], SEGMENT)
        out = np.zeros(k.capacity(last - first, 1), k.FINDING)
        part = samples[first:last].copy(), mask[first:last].copy()
        parts.append(out[: k.advance(state, params, segments, *part, out)])
    return np.concatenate(parts), state


def signal(pieces: list[Piece], rate_hz: float = RATE_HZ, seed: int = 1) -> tuple[Samples, Mask]:
    """Return codes and mask of pieces after each other."""
    rng = np.random.default_rng(seed)
    parts, masks = [], []
    for what, length_s, number in pieces:
        n = round(length_s * rate_hz)
        t = np.arange(n) / rate_hz
        bits = np.zeros(n, np.uint8)
        if what in ("flutter", "moving"):  # a rate that wanders, as it does
            bits[:] = k.MOTION if what == "moving" else 0
            phase = 2 * np.pi * np.cumsum(number + 0.3 * np.sin(t)) / rate_hz
            mv = 0.4 * np.sin(phase) + 0.1 * np.sin(2.2 * phase)
        elif what == "beats":
            mv = ecg(np.arange(0.3, length_s, 60 / number), length_s, rate_hz)[:n]
        elif what == "wave":
            mv = number / 2 * np.sin(2 * np.pi * 4 * t)
        elif what == "noise":
            mv = rng.normal(0, number, n)
        elif what == "masked":
            mv, bits = rng.normal(0, 1, n), np.full(n, int(number), np.uint8)
        else:
            mv = np.zeros(n)
        parts.append(mv + rng.normal(0, 0.004, n))
        masks.append(bits)
    mask = np.concatenate(masks) if masks else np.zeros(0, np.uint8)
    mv = np.concatenate(parts) if parts else np.zeros(0)
    codes = np.rint(mv / SCALE_MV).astype(np.int16)
    codes[mask == 1] = -32768
    return codes, mask


def said(pieces: list[Piece], rate_hz: float = RATE_HZ) -> list[tuple[str, float, float]]:
    """ON and OFF: which, when it began or ended, when that was decided, in seconds."""
    found, _ = run(*signal(pieces, rate_hz), rate_hz)
    return [
        ("on" if f["kind"] == ON else "off", at / rate_hz, (f["detected"] + 1) / rate_hz)
        for f in found
        if f["kind"] != k.CANDIDATE
        for at in [f["onset"] if f["kind"] == ON else f["end"]]
    ]


def candidates(pieces: list[Piece]) -> list[tuple[float, float]]:
    """CANDIDATE: its value, and from when on, in seconds."""
    found, _ = run(*signal(pieces))
    return [
        (float(f["value"]), float(f["onset"] + f["end"]) / RATE_HZ)
        for f in found
        if f["kind"] == k.CANDIDATE
    ]


NORMAL: Piece = ("beats", 20.0, 75.0)


@pytest.mark.parametrize("rate_hz", [100.0, 125.0, 250.0, 360.0, 500.0, 1000.0])
@pytest.mark.parametrize("cycles", [3.5, 5.0, 6.5])
def test_flutter_is_found_and_ends(rate_hz: float, cycles: float) -> None:
    on, off = said([NORMAL, ("flutter", 15.0, cycles), NORMAL], rate_hz)
    assert on[0] == "on"
    assert off[0] == "off"
    assert abs(on[1] - 20) <= 1
    assert 23.4 <= on[2] <= 26  # 4 s are over, to half a second, and decided within 3
    assert abs(off[1] - 35) <= 1
    assert 39 <= off[2] <= 42.5


def test_its_value_is_how_long_it_lasted_when_found() -> None:
    found, _ = run(*signal([NORMAL, ("wave", 15.0, 1.0)]))
    (on,) = found[found["kind"] == ON]
    assert on["condition"] == VENTRICULAR_FIBRILLATION
    assert on["value"] == (on["detected"] + 1 - on["onset"]) / RATE_HZ == 4.0


@pytest.mark.parametrize("per_min", [30.0, 60.0, 100.0, 150.0, 180.0])
@pytest.mark.parametrize("rate_hz", [100.0, 250.0])
def test_beats_are_left_alone(per_min: float, rate_hz: float) -> None:
    found, _ = run(*signal([("beats", 60.0, per_min)], rate_hz), rate_hz)
    assert len(found) == 0


@pytest.mark.parametrize("mv", [0.01, 0.1, 1.0])
def test_noise_of_all_frequencies_is_left_alone(mv: float) -> None:
    assert said([("noise", 60.0, mv)]) == []


@pytest.mark.parametrize("length_s", [1.0, 2.0, 2.9])
def test_less_than_three_seconds_are_none(length_s: float) -> None:
    assert said([NORMAL, ("flutter", length_s, 5.0), NORMAL]) == []


def test_what_is_smaller_than_a_tenth_of_a_millivolt_is_as_flat() -> None:
    assert said([("wave", 30.0, 0.08)]) == []
    assert [x[0] for x in said([("wave", 30.0, 0.15)])] == ["on"]


def test_a_flat_line_ends_it() -> None:
    on, off = said([NORMAL, ("flutter", 15.0, 5.0), ("flat", 12.0, 0.0)])
    assert (on[0], off[0]) == ("on", "off")
    assert abs(off[1] - 35) <= 1


@pytest.mark.parametrize("bit", [1, 2, 4, 16])
def test_the_unreadable_neither_begins_nor_ends_it(bit: int) -> None:
    masked: Piece = ("masked", 30.0, float(bit))
    assert said([NORMAL, masked, NORMAL]) == []
    only_on = said([NORMAL, ("flutter", 15.0, 5.0), masked, ("beats", 4.0, 75.0), masked])
    assert [x[0] for x in only_on] == ["on"]
    # Nor do readable stretches that are too short by themselves.
    short: list[Piece] = [("flutter", 3.0, 5.0), ("masked", 0.5, float(bit))] * 8
    assert said([NORMAL, *short, NORMAL]) == []


def test_flutter_that_is_taken_for_motion_is_found() -> None:
    moving: list[Piece] = [("flutter", 2.0, 3.0), ("moving", 1.5, 3.0), ("flutter", 3.0, 3.0)]
    on, off = said([NORMAL, *moving, NORMAL])
    assert (on[0], off[0]) == ("on", "off")
    assert abs(on[1] - 20) <= 1
    # What is masked for another reason besides is not readable.
    samples, mask = signal([NORMAL, *moving, NORMAL])
    mask[mask == k.MOTION] |= 4
    found, _ = run(samples, mask)
    assert not (found["kind"] == ON).any()


def test_a_candidate_comes_first_and_goes_last() -> None:
    pieces: list[Piece] = [NORMAL, ("flutter", 15.0, 5.0), NORMAL]
    (_, onset, detected), (_, end, _) = said(pieces)
    (begin_value, begin), (end_value, over) = candidates(pieces)
    assert (begin_value, end_value) == (1, 0)
    assert begin <= onset + 0.5
    assert begin < detected
    assert over == end


def test_a_candidate_that_comes_to_nothing_is_taken_back() -> None:
    first, second = candidates([NORMAL, ("flutter", 2.6, 5.0), NORMAL])
    assert (first[0], second[0]) == (1, 0)
    assert first[1] == second[1]
    first, second = candidates([NORMAL, ("flutter", 2.6, 5.0), ("masked", 20.0, 4.0)])
    assert first[1] == second[1]


def test_a_candidate_is_none_for_more_than_four_seconds() -> None:
    rng = np.random.default_rng(3)
    for _ in range(40):
        mv = np.convolve(rng.normal(0, 1, 15_000), np.ones(rng.integers(5, 40)), "same")
        mv *= 0.3 / mv.std()
        found, _ = run(np.rint(mv / SCALE_MV).astype(np.int16))
        for before, after in pairwise(found):
            if before["kind"] == k.CANDIDATE and before["value"] == 1 and after["kind"] != ON:
                waited_s = (after["detected"] - before["detected"]) / RATE_HZ
                assert waited_s <= k.CANDIDATE_WINDOWS * k.BLOCK_S


PIECES = st.lists(
    st.one_of(
        st.tuples(
            st.sampled_from(["flutter", "moving"]),
            st.sampled_from([2.0, 4.5, 5.0, 9.0]),
            st.sampled_from([2.4, 2.9, 3.3, 5.0, 7.5]),
        ),
        st.tuples(
            st.just("beats"), st.sampled_from([1.0, 3.0, 7.0]), st.sampled_from([40.0, 160.0])
        ),
        st.tuples(st.sampled_from(["noise", "wave"]), st.just(4.0), st.sampled_from([0.06, 0.5])),
        st.tuples(
            st.just("masked"), st.sampled_from([0.02, 0.5, 3.0]), st.sampled_from([1.0, 4.0, 16.0])
        ),
        st.tuples(st.just("flat"), st.sampled_from([0.5, 6.0]), st.just(0.0)),
    ),
    max_size=8,
)


def plain(found: NDArray[Any]) -> list[tuple[int, int, int, int]]:
    return [tuple(f[name].item() for name in ("kind", "onset", "end", "detected")) for f in found]


@settings(max_examples=120, deadline=None)
@given(PIECES, st.sampled_from([100.0, 125.0, 250.0]), st.integers(0, 99), st.data())
def test_agrees_with_the_oracle(
    pieces: list[Piece], rate_hz: float, seed: int, data: st.DataObject
) -> None:
    samples, mask = signal(pieces, rate_hz, seed)
    restarts = data.draw(st.lists(st.integers(0, len(samples)), max_size=2))
    found, _ = run(samples, mask, rate_hz, restarts=restarts)
    expected = findings(samples, mask, rate_hz, SCALE_MV, restarts)
    assert plain(found) == [row[:4] for row in expected]
    assert found["value"].tolist() == pytest.approx([row[4] for row in expected])


@settings(max_examples=10, deadline=None)
@given(PIECES)
def test_agrees_with_the_oracle_at_every_prefix(pieces: list[Piece]) -> None:
    samples, mask = signal(pieces, 100.0)
    found, _ = run(samples, mask, 100.0, cuts=range(len(samples)))
    for last in range(0, len(samples) + 1, 50):
        expected = findings(samples[:last], mask[:last], 100.0, SCALE_MV)
        assert plain(found[found["detected"] < last]) == [row[:4] for row in expected]


@settings(max_examples=100, deadline=None)
@given(PIECES, st.data())
def test_on_and_off_alternate_and_cuts_change_nothing(
    pieces: list[Piece], data: st.DataObject
) -> None:
    samples, mask = signal(pieces)
    whole, state = run(samples, mask)
    cuts = data.draw(st.lists(st.integers(0, len(samples)), max_size=6))
    parts, after = run(samples, mask, cuts=cuts)
    assert whole.tobytes() == parts.tobytes()
    assert state.tobytes() == after.tobytes()
    presence = whole[whole["kind"] != k.CANDIDATE]["kind"].tolist()
    assert presence == ([ON, OFF] * len(presence))[: len(presence)]
    suspicion = whole[whole["kind"] == k.CANDIDATE]["value"].tolist()
    assert suspicion == ([1, 0] * len(suspicion))[: len(suspicion)]
    assert np.all(np.diff(whole["detected"]) >= 0)
    assert np.all(whole["onset"] + whole["end"] <= whole["detected"])


def test_no_more_is_found_than_there_is_room_for() -> None:
    for rate_hz in np.arange(100.0, 1000.5, 0.5):
        p = k.params(float(rate_hz), SCALE_MV)
        assert p["step"] * p["block"] >= 50
        assert p["lag_max"] < 64


def analysed(record: Any, lead: int, last: int | None = None) -> list[tuple[float, float, float]]:
    """Return onset, end and time of detection, in seconds, of what is found in one lead."""
    rate_hz, scale_mv = float(record.fs), 1 / record.adc_gain[lead]
    codes = record.d_signal[:last, lead].astype(np.int16)
    mask = np.zeros(len(codes), np.uint8)
    segments = np.array([(0, 0, len(codes), 1)], SEGMENT)
    out = np.zeros(quality.capacity(len(codes), 1), quality.FINDING)
    params = np.array([quality.params(rate_hz, scale_mv, ecg=True)])
    quality.advance(np.zeros(1, quality.STATE), params, segments, codes, mask, out)
    found = np.zeros(k.capacity(len(codes), 1), k.FINDING)
    params = np.array([k.params(rate_hz, scale_mv)])
    size = k.advance(np.zeros(1, k.STATE), params, segments, codes, mask, found)
    episodes: list[tuple[float, float, float]] = []
    for f in found[:size]:
        if f["kind"] == ON:
            episodes.append((f["onset"] / rate_hz, len(codes) / rate_hz, f["detected"] / rate_hz))
        elif f["kind"] == OFF:
            episodes[-1] = (episodes[-1][0], f["end"] / rate_hz, episodes[-1][2])
    return episodes


FIBRILLATION = ("(VF", "(VFIB", "(VFL")
NORMAL_RHYTHM = ("(N", "(NSR")
LEFT_OUT = ("(VT", "(NOISE")


@pytest.mark.recordings
def test_what_is_found_of_the_rhythms_of_vfdb(recordings: Path) -> None:
    wfdb = pytest.importorskip("wfdb")
    shown, lasted = defaultdict(float), defaultdict(float)
    for header in sorted((recordings / "vfdb").glob("*.hea")):
        record = wfdb.rdrecord(str(header.with_suffix("")), physical=False)
        notes = wfdb.rdann(str(header.with_suffix("")), "atr")
        changes = [
            (sample / record.fs, note.strip("\0"))
            for sample, note in zip(notes.sample, notes.aux_note, strict=True)
            if note.startswith("(")
        ]
        episodes = analysed(record, 0)
        for (begin, name), (end, _) in pairwise([*changes, (record.sig_len / record.fs, "")]):
            kind = "vf" if name in FIBRILLATION else "n" if name in NORMAL_RHYTHM else "other"
            kind = name if name in LEFT_OUT else kind
            lasted[kind] += end - begin
            shown[kind] += sum(max(0, min(e, end) - max(b, begin)) for b, e, _ in episodes)
    assert shown["vf"] >= 0.90 * lasted["vf"]
    assert shown["n"] <= 0.01 * lasted["n"]
    assert shown["other"] <= 0.05 * lasted["other"]


@pytest.mark.recordings
def test_the_true_alarms_of_the_challenge_are_found_and_few_false_ones(recordings: Path) -> None:
    wfdb = pytest.importorskip("wfdb")
    folder = recordings / "challenge-2015"
    with (folder / "ALARMS.csv").open() as table:
        alarms = [r for r in csv.DictReader(table) if r["type"] == "Ventricular_Flutter_Fib"]
    confirmed = defaultdict(int)
    for alarm in alarms:
        record = wfdb.rdrecord(str(folder / alarm["record"]), physical=False)
        episodes = analysed(record, 0, 300 * int(record.fs))
        confirmed[alarm["true"]] += any(end >= 284 for _, end, _ in episodes)
    true = sum(alarm["true"] == "1" for alarm in alarms)
    assert confirmed["1"] == true
    assert confirmed["0"] <= 0.1 * (len(alarms) - true)


@pytest.mark.recordings
@pytest.mark.parametrize("database", ["mitdb", "noise", "cpsc2021"])
def test_no_fibrillation_where_there_is_none(recordings: Path, database: str) -> None:
    wfdb = pytest.importorskip("wfdb")
    for header in sorted((recordings / database).glob("*.hea")):
        if header.stem != "207":  # has ventricular flutter
            record = wfdb.rdrecord(str(header.with_suffix("")), physical=False)
            assert analysed(record, 0) == [], header.stem
