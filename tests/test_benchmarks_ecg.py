"""The comparison of R-peak detectors: same leads for all, failures count, ours is the stream."""

from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT))
    monkeypatch.delenv("TELESURV_RECORDINGS", raising=False)


def test_without_recordings_the_excerpts_are_taken() -> None:
    from benchmarks import ecg_records

    leads = list(ecg_records.every())
    assert [lead.name for lead in leads] == ["106", "108", "201", "203", "208", "217"]
    assert [len(lead.beats) for lead in leads] == [65, 64, 57, 98, 101, 72]
    assert len(list(ecg_records.every(4))) == 2


def test_a_hole_a_minute_and_beats_in_it_do_not_count() -> None:
    from benchmarks import ecg, ecg_records

    lead = next(ecg_records.every())
    holed = lead.with_holes()
    (first, last) = holed.excluded[0]
    assert len(holed.excluded) == len(lead.codes) // round(60 * lead.rate_hz)
    assert last - first + 1 == ecg_records.HOLE
    assert np.isnan(holed.mv[first : last + 1]).all()
    assert not np.isnan(np.delete(holed.mv, np.s_[first : last + 1])).any()
    inside = (lead.beats >= first) & (lead.beats <= last)
    counted = lead.beats[~inside & (lead.beats >= lead.learning_s * lead.rate_hz)]
    assert ecg.counts(holed, counted) == [len(counted), 0, 0]


def test_our_pieces_of_a_second_give_what_the_whole_gives() -> None:
    from benchmarks import ecg, ecg_records
    from benchmarks.ecg_detectors import beats_of, detector

    lead = next(ecg_records.every()).with_holes()
    found = ecg.streamed(lead)
    assert np.array_equal(beats_of(found), detector("telesurv")(lead))


def test_a_detector_that_fails_has_found_nothing() -> None:
    from benchmarks import ecg_records
    from benchmarks.ecg_detectors import in_chunks, samples_of, tried
    from benchmarks.ecg_records import Signal

    def one(lead: Signal) -> np.ndarray:
        if np.isnan(lead.mv).any():
            raise ValueError("NaN")
        return np.array([5.0, 5.0, np.nan])

    lead = next(ecg_records.every())
    assert tried(one, lead).tolist() == [5]
    assert tried(one, lead.with_holes()).tolist() == []
    assert samples_of(in_chunks(one, lead)).tolist() == [5 + 3600 * k for k in range(6)]


def test_a_batch_of_the_cascade_is_timed_whatever_is_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from benchmarks import ecg_cost

    monkeypatch.setattr(ecg_cost, "BATCHES", 12)
    for name, signal in ecg_cost.hostile(12 * 250).items():
        leads = np.tile(signal.reshape(12, 1, 250), (1, ecg_cost.NOISE_LEADS, 1)).reshape(12, -1)
        found = ecg_cost.timed(250, 0.005, leads)
        assert 0 < found["median_us"] <= found["p999_us"] <= found["worst_us"], name


def test_the_picture_shows_whole_and_live(tmp_path: Path) -> None:
    from benchmarks import plot

    pytest.importorskip("matplotlib")
    counts = {"mitdb": [990, 10, 5], "noise": [90, 10, 20]}
    worse = {"mitdb": [980, 20, 5], "noise": [90, 10, 20]}
    one = {
        "msamples_per_s": {"whole": 50.0, "cut": 20.0},
        "counts": {"whole": counts, "cut": worse},
        "counts_of_sample": counts,
    }
    (x, y), (cut_x, cut_y) = plot.points(one, "mitdb")
    assert (x, cut_x) == (50.0, 20.0)
    assert y == pytest.approx(100 * 1980 / 1995)
    assert cut_y < y
    plot.draw({"detectors": {"telesurv": one, "another": one}}, tmp_path / "speed.svg")
    assert "<svg" in (tmp_path / "speed.svg").read_text()
