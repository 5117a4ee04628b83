"""What the quality kernel calls noise: motion, muscle and mains, never a heart."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import signal

from kernel_cases import Case, ecg, run
from oracles import quality as oracle
from telesurv_kernels import quality

RATE_HZ, SCALE_MV = 250.0, 0.005


def mask_of(
    mv: Any, rate_hz: float = RATE_HZ, restarts: tuple[int, ...] = (), ecg: bool = True
) -> NDArray[np.uint8]:
    samples = np.rint(np.asarray(mv) / SCALE_MV).astype(np.int16)
    columns = {"samples": samples, "mask": np.zeros(len(samples), np.uint8)}
    params = quality.params(rate_hz, SCALE_MV, ecg=ecg)
    return run(Case(quality, params, columns, ("mask",), restarts)).outputs["mask"]


def beating(length_s: float, rate_hz: float = RATE_HZ) -> NDArray[np.float64]:
    hum = np.random.default_rng(1).normal(0, 0.01, round(length_s * rate_hz))
    return 1.2 * ecg(np.arange(0.6, length_s, 0.8), length_s, rate_hz) + hum


def noise(length_s: float, low: float, high: float, mv: float, rate_hz: float = RATE_HZ) -> Any:
    rng = np.random.default_rng(4)
    sections = signal.butter(2, [low, high], "bandpass", fs=rate_hz, output="sos")
    made = signal.sosfilt(sections, rng.normal(0, 1, round(length_s * rate_hz)))
    return mv * made / made.std()


def in_the_middle(extra: Any, rate_hz: float = RATE_HZ) -> tuple[NDArray[np.uint8], int, int]:
    """Return the mask of 60 s of beats with something added from 20 s on, and where it is."""
    mv = beating(60, rate_hz)
    first, last = round(20 * rate_hz), round(20 * rate_hz) + len(extra)
    mv[first:last] += extra
    return mask_of(mv, rate_hz), first, last


def motion(length_s: float, rate_hz: float = RATE_HZ) -> Any:
    return noise(length_s, 0.2, 1.5, 2.0, rate_hz) + noise(length_s, 3.0, 14.0, 0.5, rate_hz)


@pytest.mark.parametrize("rate_hz", [125.0, 250.0, 360.0, 500.0, 1000.0])
@pytest.mark.parametrize(("kind", "bit"), [("muscle", quality.MUSCLE), ("motion", quality.MOTION)])
def test_noise_is_named_and_over_when_it_is_over(kind: str, bit: int, rate_hz: float) -> None:
    extra = (
        motion(20, rate_hz)
        if kind == "motion"
        else noise(20, 20.0, min(110.0, 0.45 * rate_hz), 0.6, rate_hz)
    )
    mask, first, last = in_the_middle(extra, rate_hz)
    second = round(rate_hz)
    assert not mask[:first].any()
    assert np.mean(mask[first + 2 * second : last] == bit) > 0.8
    assert set(mask.tolist()) <= {0, bit}
    assert not mask[last + 4 * second :].any()


@pytest.mark.parametrize("mains_hz", [50.0, 60.0])
def test_mains_make_unreadable_only_when_huge(mains_hz: float) -> None:
    hum = np.sin(2 * np.pi * mains_hz * np.arange(20 * 250) / 250)
    for mv in (0.05, 0.2):
        assert not in_the_middle(mv * hum)[0].any()
    mask, first, last = in_the_middle(3.0 * hum)
    assert np.mean(mask[first + 500 : last] == quality.MAINS) > 0.9
    assert set(mask.tolist()) == {0, quality.MAINS}


def test_fibrillation_and_tachycardia_are_readable() -> None:
    t = np.arange(60 * 250) / 250
    swing = 1 + 0.5 * np.sin(2 * np.pi * 0.3 * t)
    assert not mask_of(0.6 * swing * np.sin(2 * np.pi * 5 * t + 2 * np.sin(0.7 * t))).any()
    assert not mask_of(2.0 * np.sin(2 * np.pi * 3.3 * t)).any()  # 200 a minute, 4 mV


def test_an_asystole_is_readable_whatever_it_hums() -> None:
    hum = noise(60, 20, 100, 0.012)
    assert not mask_of(noise(60, 0.2, 1.0, 0.2) + hum).any()
    # After beats, of which the lead knows how steep they are.
    wandering = noise(60, 0.2, 0.5, 0.6) + hum
    assert not mask_of(np.concatenate([beating(20), wandering])).any()


def test_wander_is_no_motion_where_beats_stand_out() -> None:
    t = np.arange(60 * 250) / 250
    assert not mask_of(beating(60) + 2.0 * np.sin(2 * np.pi * 0.25 * t)).any()


def test_noise_that_lasts_does_not_become_its_own_measure() -> None:
    mv = beating(360)
    mv[15_000:] += motion(300)
    mask = mask_of(mv)
    assert not mask[:15_000].any()
    assert np.mean(mask[-15_000:] == quality.MOTION) > 0.9


def test_an_electrode_that_is_touched_is_motion_at_once() -> None:
    steps = np.zeros(10 * 250)
    steps[500:1000] = 4.0
    mask, first, _ = in_the_middle(steps)
    touched = first + 500
    assert not mask[:touched].any()
    assert np.all(mask[touched + 150 : touched + 500] == quality.MOTION)
    assert not mask[touched + 500 + 4 * 250 :].any()


def test_a_large_ectopic_beat_is_no_jump() -> None:
    mv = beating(60)
    wide = 5.0 * np.sin(np.pi * np.arange(50) / 50)  # 5 mV over 200 ms
    for at in range(2000, 14_000, 1700):
        mv[at : at + 50] += wide
    assert not mask_of(mv).any()


def test_what_is_no_ecg_has_no_noise() -> None:
    assert not mask_of(noise(30, 20, 100, 1.0), ecg=False).any()


def test_a_restart_forgets_noise() -> None:
    mv = noise(30, 20, 100, 0.6)
    mask = mask_of(mv, restarts=(5000,))
    assert np.all(mask[2000:5000] == quality.MUSCLE)
    assert not mask[5000:5500].any()
    assert np.all(mask[6000:] == quality.MUSCLE)


def test_a_state_of_before_noise_was_looked_for_begins_anew() -> None:
    samples = np.rint(noise(30, 20, 100, 0.6) / SCALE_MV).astype(np.int16)
    columns = {"samples": samples, "mask": np.zeros(len(samples), np.uint8)}
    case = Case(quality, quality.params(RATE_HZ, SCALE_MV, ecg=True), columns, ("mask",))
    state = np.zeros(1, quality.STATE)
    state["seen"] = state["count"] = 1
    assert np.all(run(case, state=state).outputs["mask"][2000:] == quality.MUSCLE)


@pytest.mark.parametrize("rate_hz", [100.0, 128.0, 250.0, 360.0, 500.0, 1000.0])
def test_equals_the_oracle_in_noise(rate_hz: float) -> None:
    parts = [
        beating(8, rate_hz),
        noise(6, 20, 45, 0.5, rate_hz),
        beating(6, rate_hz) + motion(6, rate_hz),
        beating(4, rate_hz) + 3 * np.sin(2 * np.pi * 50 * np.arange(round(4 * rate_hz)) / rate_hz),
        beating(6, rate_hz),
    ]
    samples = np.rint(np.concatenate(parts) / SCALE_MV).astype(np.int16)
    samples[round(3.3 * rate_hz) : round(3.5 * rate_hz)] = -32768
    columns = {"samples": samples, "mask": np.zeros(len(samples), np.uint8)}
    params = quality.params(rate_hz, SCALE_MV, ecg=True)
    at = (round(19.2 * rate_hz),)
    mask = run(Case(quality, params, columns, ("mask",), at)).outputs["mask"]
    expected, _ = oracle.findings(samples, rate_hz, SCALE_MV, ecg=True, restarts=at)
    assert np.array_equal(mask, expected)
    assert quality.MUSCLE in mask


def shares(path: Path, lead: int, rhythms: dict[str, list[float]]) -> None:
    """Add, by the annotated rhythm, seconds and noisy seconds of one lead of a record."""
    wfdb = pytest.importorskip("wfdb")
    record = wfdb.rdrecord(str(path), physical=False, channels=[lead])
    marks = wfdb.rdann(str(path), "atr")
    codes = record.d_signal[:, 0].astype(np.int16)
    columns = {"samples": codes, "mask": np.zeros(len(codes), np.uint8)}
    params = quality.params(record.fs, 1 / record.adc_gain[0], ecg=True)
    mask = run(Case(quality, params, columns, ("mask",))).outputs["mask"]
    notes = [note.strip("\0").lstrip("(") for note in marks.aux_note]
    changes = [(at, note) for at, note in zip(marks.sample, notes, strict=True) if note]
    ends = [at for at, _ in changes[1:]] + [len(mask)]
    for (begin, note), end in zip(changes, ends, strict=True):
        noisy = np.count_nonzero(mask[begin:end] & quality.NOISY)
        rhythms.setdefault(note, [0.0, 0.0])
        rhythms[note][0] += (end - begin) / record.fs
        rhythms[note][1] += noisy / record.fs


@pytest.mark.recordings
def test_ventricular_rhythms_of_vfdb_are_readable(recordings: Path) -> None:
    rhythms: dict[str, list[float]] = {}
    for header in sorted((recordings / "vfdb").glob("*.hea")):
        shares(header.with_suffix(""), 0, rhythms)
    share = {name: noisy / length for name, (length, noisy) in rhythms.items()}
    assert max(share["VF"], share["VFIB"]) <= 0.05, share
    assert max(share["VT"], share["VFL"]) <= 0.2, share
    assert share["N"] <= 0.03, share
    assert share["NOISE"] >= 5 * share["N"], share


@pytest.mark.recordings
def test_what_was_called_too_noisy_is_masked_more_than_the_rest(recordings: Path) -> None:
    wfdb = pytest.importorskip("wfdb")
    folder = recordings / "cinc2017"
    shares_of: dict[str, list[float]] = {}
    with (folder / "REFERENCE.csv").open() as lines:
        for name, kind in csv.reader(lines):
            record = wfdb.rdrecord(str(folder / name), physical=False)
            codes = record.d_signal[:, 0].astype(np.int16)
            columns = {"samples": codes, "mask": np.zeros(len(codes), np.uint8)}
            params = quality.params(record.fs, 1 / record.adc_gain[0], ecg=True)
            mask = run(Case(quality, params, columns, ("mask",))).outputs["mask"]
            shares_of.setdefault(kind, []).append(float(np.mean(mask & quality.NOISY > 0)))
    share = {kind: float(np.mean(parts)) for kind, parts in shares_of.items()}
    assert share["~"] >= 0.1, share
    assert max(share["N"], share["A"], share["O"]) <= 0.02, share
