"""`telesurv record`: everything that the topic holds, once, whatever happens in between."""

from pathlib import Path

import pytest

from simulation.sim_patients import SimPatient
from telesurv.recorder import record
from telesurv_streams.log import FRAMES, LogUnavailable, Outgoing
from telesurv_streams.memory import MemoryLog
from telesurv_streams.recordings import messages
from telesurv_streams.topics import topics
from worker_cases import Stage

PATIENTS = [SimPatient(f"p{n}", n, 100) for n in range(2)]


def values(folder: Path) -> list[tuple[tuple[int, int] | None, bytes | None]]:
    return [(one.place, one.outgoing.value) for one in messages([folder])]


def on_the_topic(stage: Stage) -> list[tuple[tuple[int, int], bytes | None]]:
    found = sorted(stage.records(FRAMES), key=lambda r: (r.partition, r.offset))
    return [((r.partition, r.offset), r.value) for r in found]


def test_it_holds_what_the_topic_holds_ticks_and_all(tmp_path: Path) -> None:
    stage = Stage(3)
    worker = stage.worker()
    stage.play(worker, PATIENTS, 0, 25)
    recorded = record(stage.log, tmp_path, until_end=True)
    assert sorted(values(tmp_path), key=lambda one: one[0] or (0, 0)) == on_the_topic(stage)
    assert (recorded.records, recorded.frames) == (len(on_the_topic(stage)), 50)
    assert recorded.parts >= 1


def test_it_goes_on_where_it_ended(tmp_path: Path) -> None:
    stage = Stage(2)
    stage.play(None, PATIENTS, 0, 10)
    assert record(stage.log, tmp_path, until_end=True).records == 20
    assert record(stage.log, tmp_path, until_end=True).records == 0
    stage.play(None, PATIENTS, 10, 20)
    assert record(stage.log, tmp_path, until_end=True).records == 20
    assert sorted(values(tmp_path), key=lambda one: one[0] or (0, 0)) == on_the_topic(stage)


def test_an_empty_topic_is_read_to_its_end_too(tmp_path: Path) -> None:
    assert record(Stage(2).log, tmp_path, until_end=True).records == 0


def test_who_goes_on_writing_does_not_keep_it_from_ending(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = Stage()
    stage.play(None, PATIENTS, 0, 10)
    reader = stage.log.reader
    left = 200

    def busy(topic: str) -> object:
        mine = reader(topic)
        poll = mine.poll

        def and_one_more(timeout_s: float, records_max: int) -> object:
            nonlocal left
            left -= 1
            assert left, "it never ends"
            stage.append(Outgoing(FRAMES, b"k", b"more", (), 0))
            return poll(timeout_s, records_max)

        monkeypatch.setattr(mine, "poll", and_one_more)
        return mine

    monkeypatch.setattr(stage.log, "reader", busy)
    assert 20 <= record(stage.log, tmp_path, until_end=True).records < 30


def test_it_stops_when_told(tmp_path: Path) -> None:
    log = MemoryLog()
    log.create(topics(1))
    assert record(log, tmp_path, stop=lambda: True).records == 0
    assert record(log, tmp_path, duration_s=0.0).records == 0


def test_what_was_finished_survives_a_log_that_goes_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = Stage()
    stage.play(None, PATIENTS, 0, 10)
    record(stage.log, tmp_path, until_end=True)
    stage.play(None, PATIENTS, 10, 20)
    reader = stage.log.reader

    def away(topic: str) -> object:
        mine = reader(topic)

        def poll(timeout_s: float, records_max: int) -> object:
            raise LogUnavailable("gone")

        monkeypatch.setattr(mine, "poll", poll)
        return mine

    monkeypatch.setattr(stage.log, "reader", away)
    with pytest.raises(LogUnavailable):
        record(stage.log, tmp_path, until_end=True)
    monkeypatch.setattr(stage.log, "reader", reader)
    assert record(stage.log, tmp_path, until_end=True).records == 20
    assert sorted(values(tmp_path), key=lambda one: one[0] or (0, 0)) == on_the_topic(stage)
