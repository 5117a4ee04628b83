"""What is rarer than a crash: a log that does not answer, compaction, retention, absence."""

import os
from collections.abc import Iterator

import pytest
import structlog.testing

from simulation import checkers
from simulation.sim_patients import BEGIN_NS, SimPatient
from simulation.world import Faults, World
from telesurv.alerts.model import Plan
from telesurv_streams.log import FRAMES
from worker_cases import Stage, leave

LENGTH_S = 70
SEEDS = [int(seed) for seed in os.environ.get("TELESURV_TEST_SEEDS", "").split()] or range(16)


@pytest.fixture(scope="module")
def ward() -> list[SimPatient]:
    """Return more patients than a worker's partitions."""
    return [
        SimPatient("well", 1, LENGTH_S),
        SimPatient("stops", 2, LENGTH_S, stop_s=(30, 41)),
        SimPatient("sinks", 3, LENGTH_S, low_s=(20, 50), numbered=False),
        SimPatient("goes", 4, LENGTH_S, silent_s=(5, 70)),
        SimPatient("stops-late", 5, LENGTH_S, stop_s=(50, 61)),
    ]


@pytest.fixture(autouse=True)
def clocks_known() -> Iterator[None]:
    """State and offsets are written together: no owner may ever miss a clock or a snapshot."""
    with structlog.testing.capture_logs() as said:
        yield
    assert not {"clock unknown", "clock damaged", "snapshot damaged"} & {
        line["event"] for line in said
    }


@pytest.mark.parametrize("seed", SEEDS)
def test_a_log_that_does_not_answer_and_is_compacted(seed: int, ward: list[SimPatient]) -> None:
    faults = Faults(
        crash=0.02, stall=0.02, join=0.1, expire=0.01, double=0.03, away=0.08, compact=0.1
    )
    world = World(seed, ward, LENGTH_S, faults, partitions=7, workers=4)
    world.enrol(Plan(patient="goes", version=1, expected_interval="1m", grace="0s"))
    world.run()
    engine, said = checkers.reference(world)
    checkers.alerts_equal(world, said)
    checkers.offsets_monotone(world)
    checkers.tables_equal(world, engine)
    checkers.restart_equal(world, engine)


def test_retention_that_overtook_a_stopped_worker() -> None:
    patients = [SimPatient("well", 1, 200), SimPatient("stops", 2, 200, stop_s=(150, 161))]
    stage = Stage()
    worker = stage.worker()
    stage.play(worker, patients, 0, 60)
    worker.finish()
    leave(worker)
    stage.play(None, patients, 60, 120)
    part = stage.log.parts(FRAMES)[0]
    stage.log.truncate(FRAMES, 0, part.end - 20)
    first = part.first
    again = stage.worker()
    stage.play(again, patients, 120, 200)
    assert [record.offset >= first for record in stage.kinds(b"data-lost")] == [True]
    assert stage.said("data-lost") == {"well", "stops"}
    assert stage.said("asystole") == {"stops"}
    assert stage.said("non-transmission") == set()
    asystole = next(a for a in stage.alerts() if a.condition == "asystole" and a.evidence_complete)
    assert asystole.evidence
    assert stage.committed[0] > first
    # Nobody tells of it twice.
    again.finish()
    leave(again)
    stage.turns(stage.worker(), 10)
    assert len(stage.kinds(b"data-lost")) == 1


def test_retention_that_overtook_a_worker_that_reads() -> None:
    stage = Stage()
    worker = stage.worker()
    patients = [SimPatient("well", 1, 120)]
    stage.play(worker, patients, 0, 20)
    stage.play(None, patients, 20, 60)
    stage.log.truncate(FRAMES, 0, stage.log.parts(FRAMES)[0].end - 5)
    stage.play(worker, patients, 60, 120)
    assert len(stage.kinds(b"data-lost")) == 1
    assert stage.said("data-lost") == {"well"}
    assert stage.heartbeats()[-1].lag <= 2


def test_a_log_that_was_cut_at_its_end_is_not_skipped() -> None:
    """Offsets that count anew below what was held: their frames are analysed, not only kept."""
    patients = [SimPatient("stops", 2, 200, stop_s=(150, 161))]
    stage = Stage()
    worker = stage.worker()
    stage.play(worker, patients, 0, 120)
    worker.finish()
    leave(worker)
    part = stage.log.parts(FRAMES)[0]
    part._keep([record for record in part._records if record.offset < 100])
    part.end = 100
    again = stage.worker()
    stage.play(again, patients, 120, 200)
    assert stage.said("data-lost") == {"stops"}
    assert stage.said("asystole") == {"stops"}


@pytest.mark.parametrize("others_send", [False, True])
def test_our_own_absence_is_not_the_patients(others_send: bool) -> None:
    """Who sends nothing while the log holds nothing is not silent; while others send, is."""
    stage = Stage()
    stage.enrol("quiet", expected_interval="1m", grace="0s")
    quiet, other = SimPatient("quiet", 1, 60), SimPatient("other", 2, 400)
    worker = stage.worker()
    stage.play(worker, [quiet, other], 0, 30)
    leave(worker)
    if others_send:
        stage.play(None, [other], 30, 300)
    stage.now_s = BEGIN_NS / 1e9 + 300
    again = stage.worker()
    stage.play(again, [other], 300, 320)
    assert stage.said("non-transmission") == ({"quiet"} if others_send else set())
    stage.play(again, [other], 320, 400)
    assert stage.said("non-transmission") == {"quiet"}
    detected = min(alert.detected for alert in stage.alerts() if alert.patient == "quiet")
    # A minute after the last second, on the grid; or that much later as nothing was there.
    after_s = detected.timestamp() - BEGIN_NS / 1e9
    assert 350 <= after_s <= 370 if not others_send else after_s == 90
