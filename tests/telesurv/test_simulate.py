"""Simulated patients: reproducible, cut as one likes, and true to their script."""

import hashlib
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from telesurv.simulate import EVENTS, Patient, Script, ward
from telesurv.simulate.patient import ECG_SCALE_MV, EPOCH_NS, NS
from telesurv.simulate.script import parse_event
from telesurv.simulate.templates import ECG_HZ, PPG_HZ, RATES_PER_MIN, SHAPES, ecg_beats, pulse
from telesurv_streams.frame import MISSING
from telesurv_streams.log import HEADER_ARRIVAL, HEADER_MODE
from telesurv_streams.wire import decode

EVERYTHING = Script.parse(
    "asystole@60s+8s",
    "pause@20s",
    "extreme-tachycardia@30s+20s",
    "desaturation@40s+60s",
    "noise@75s+8s",
    "lead-off@85s+12s",
    "probe-off@90s+12s",
    "silence@110s+20s",
    "clock-skew@140s+20s",
    "extreme-bradycardia@165s+20s",
)
BUSY = Patient("busy", EVERYTHING, seed=3)


def rr_s(patient: Patient, from_s: int, to_s: int) -> NDArray[np.float64]:
    return np.diff(patient.r_peaks_s(from_s, to_s))


def test_the_same_seed_is_the_same_person_and_another_one_is_not() -> None:
    one, two, other = (Patient("p", EVERYTHING, seed) for seed in (3, 3, 4))
    assert list(one.messages(0, 40)) == list(two.messages(0, 40))
    assert list(one.messages(0, 40)) != list(other.messages(0, 40))


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 200), min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_a_second_is_the_same_however_it_is_asked_for(cuts: list[int], order: object) -> None:
    edges = sorted({0, 200, *cuts})
    fresh = Patient("busy", EVERYTHING, seed=3)
    stretches = list(itertools.pairwise(edges))
    order.shuffle(stretches)  # type: ignore[attr-defined]
    parts = {cut: fresh.samples("ecg.II", *cut) for cut in stretches}
    joined = np.concatenate([parts[cut] for cut in sorted(parts)])
    assert np.array_equal(joined, BUSY.samples("ecg.II", 0, 200))


def test_r_peaks_are_where_the_truth_says() -> None:
    for seed in range(6):
        patient = Patient("p", seed=seed)
        ecg = patient.samples("ecg.II", 0, 60) * ECG_SCALE_MV
        peaks = patient.r_peaks(1, 59)
        assert 45 <= len(peaks) <= 100
        for peak in peaks:
            around = ecg[peak - 25 : peak + 26]
            assert abs(int(np.argmax(around)) - 25) <= 1, f"seed {seed}, sample {peak}"
            assert around.max() > 0.6


def test_every_shape_at_every_rate_is_one_beat_of_one_millivolt() -> None:
    for shape in range(len(SHAPES)):
        for rate, beat in zip(RATES_PER_MIN, ecg_beats(shape), strict=True):
            assert beat.samples_mv[beat.peak] == 1.0
            assert beat.samples_mv[0] == beat.samples_mv[-1] == 0.0
            assert int(np.argmax(beat.samples_mv)) == beat.peak
            assert len(beat.samples_mv) <= 60 / rate * ECG_HZ + 2, "no longer than its cycle"
    assert pulse().max() == 1.0
    assert pulse()[0] == pytest.approx(0.0, abs=1e-12)


def test_ppg_follows_the_same_beats() -> None:
    patient = Patient("p", seed=5)
    ppg = patient.samples("ppg", 0, 60).astype(float)
    for peak_s in patient.r_peaks_s(2, 57):
        foot = round((peak_s + 0.22) * PPG_HZ)
        rise = ppg[foot + 18] - ppg[foot]
        assert rise > 0.5 * 4096, "the pulse rises after each R-peak"


def test_asystole_has_no_beat_and_still_shows_a_living_baseline() -> None:
    peaks = BUSY.r_peaks_s(0, 120)
    before, after = peaks[peaks < 60][-1], peaks[peaks >= 60][0]
    assert after >= 68
    assert after - before >= 8
    quiet = BUSY.samples("ecg.II", 62, 66)
    assert 0.019 <= np.ptp(quiet) * ECG_SCALE_MV <= 0.4, "as true asystoles do, not flat"
    assert len(np.unique(quiet)) > 20
    steps = np.abs(np.diff(BUSY.samples("ecg.II", 61, 67).astype(float))) * ECG_SCALE_MV
    assert steps.max() < 0.1, "and flows from second to second"


def test_a_pause_is_one_interval_of_its_duration() -> None:
    longest = rr_s(BUSY, 10, 29)
    assert np.sort(longest)[-1] == pytest.approx(3.5, abs=0.005)
    assert np.sort(longest)[-2] < 1.3


def test_extreme_rates_are_what_they_say() -> None:
    assert 60 / rr_s(BUSY, 32, 49).mean() == pytest.approx(165, rel=0.03)
    assert 60 / rr_s(BUSY, 168, 184).mean() == pytest.approx(30, rel=0.05)
    assert 50 < 60 / rr_s(BUSY, 186, 200).mean() < 100


def test_desaturations_reach_their_level_and_come_back() -> None:
    for kind, level in (("desaturation", 86), ("severe-desaturation", 78)):
        patient = Patient("p", Script.parse(f"{kind}@60s+90s"), seed=2)
        spo2 = patient.samples("spo2", 0, 240)
        assert (spo2[:60] >= 93).all()
        assert (spo2[80:130] == level).all()
        assert (spo2[150:] >= 93).all()


def test_off_is_constant_and_invalid() -> None:
    assert (BUSY.samples("spo2", 90, 102) == MISSING).all()
    assert (BUSY.samples("spo2", 102, 110) != MISSING).all()
    assert np.ptp(BUSY.samples("ppg", 90, 102)) == 0
    assert np.ptp(BUSY.samples("ecg.II", 85, 97)) == 0
    assert np.ptp(BUSY.samples("ecg.II", 97, 99)) > 100


def test_motion_is_much_stronger_than_rest() -> None:
    def restless(channel: str, from_s: int, to_s: int) -> float:
        return float(np.diff(BUSY.samples(channel, from_s, to_s).astype(float)).std())  # type: ignore[arg-type]

    assert restless("ecg.II", 76, 82) > 5 * restless("ecg.II", 62, 66)
    assert np.ptp(BUSY.samples("ppg", 76, 82)) > 1.3 * np.ptp(BUSY.samples("ppg", 0, 15))


def test_silence_sends_nothing_and_the_device_goes_on_counting_where_it_was() -> None:
    assert BUSY.frames(110, 130) == []
    rows = [row for row in BUSY.frames(100, 140) if row.channel == "spo2"]
    assert [row.start_ns for row in rows] == [
        EPOCH_NS + s * NS for s in [*range(100, 110), *range(130, 140)]
    ]
    assert [row.sequence for row in rows] == list(range(100, 120))


def test_a_clock_that_is_set_ahead_shows_in_device_time_only() -> None:
    starts = [row.start_ns for row in BUSY.frames(138, 162) if row.channel == "ppg"]
    ahead = [start - EPOCH_NS - s * NS for start, s in zip(starts, range(138, 162), strict=True)]
    assert ahead == [0, 0, *[600 * NS] * 20, 0, 0]


def test_long_frames_hold_the_same_samples_and_end_where_the_device_stops() -> None:
    short = [row for row in BUSY.frames(95, 165) if row.channel == "ecg.II"]
    long = [row for row in BUSY.frames(95, 165, frame_s=10) if row.channel == "ecg.II"]
    joined = np.concatenate([row.samples for row in long])
    assert np.array_equal(joined, np.concatenate([row.samples for row in short]))
    begins = [(row.start_ns - EPOCH_NS) // NS for row in long]
    assert begins == [95, 100, 130, 740, 750, 160]
    assert {row.sequence for row in long} == {-1}


def test_messages_decode_and_say_their_mode_and_arrival() -> None:
    live = next(iter(Patient("p", seed=1).messages(7, 8)))
    frames, malformed = decode([live.value or b""])
    assert not malformed
    assert list(frames.names) == [
        ("p", "sim", "ecg.II"),
        ("p", "sim", "ppg"),
        ("p", "sim", "spo2"),
    ]
    assert list(np.diff(frames.first)) == [250, 125, 1]
    assert live.key == b"p"
    assert HEADER_MODE not in dict(live.headers)
    demo = next(iter(Patient("p", Script.parse("clock-skew@0s"), 1, mode="demo").messages(7, 8)))
    assert dict(demo.headers)[HEADER_MODE] == b"demo"
    arrival_ns = int(dict(demo.headers)[HEADER_ARRIVAL])
    assert EPOCH_NS + 8 * NS < arrival_ns < EPOCH_NS + 9 * NS, "arrival knows no device's clock"


@pytest.mark.parametrize("kind", EVENTS)
def test_an_event_reads_back_as_it_is_written(kind: str) -> None:
    patient, event = parse_event(f"p-01:{kind}@1m30s")
    assert patient == "p-01"
    assert (event.at_s, event.duration_s) == (90.0, EVENTS[kind].duration_s)
    assert parse_event(str(event)) == (None, event)


@pytest.mark.parametrize(
    "text",
    [
        *("", "asystole", "asystole@", "asystole@5", "sneeze@5s", "asystole@5s+3", "a b@5s"),
        "asystole=3@5s",
    ],
)
def test_what_is_no_event_is_said(text: str) -> None:
    with pytest.raises(ValueError, match=r"saw .*expected"):
        parse_event(text)


def test_a_ward_falls_ill_in_turn() -> None:
    patients = ward(6, seed=1, until_s=700.0)
    kinds = [[event.kind for event in patient.script.events] for patient in patients]
    assert kinds[2] == kinds[5] == []
    assert kinds[0] == ["asystole", "asystole"]
    starts = [patient.script.events[0].at_s for patient in patients if patient.script.events]
    assert starts == [15.0, 20.0, 25.0, 30.0]
    names = [patient.name for patient in patients]
    assert names[0] == "sim-01"
    assert len(set(names)) == 6
    heads = {
        hashlib.sha256(patient.samples("ecg.II", 0, 2).tobytes()).digest() for patient in patients
    }
    assert len(heads) == 6, "no two patients are the same"
