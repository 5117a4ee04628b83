"""The worker on a real Kafka: killed, stalled, recorded; the alerts stay the same."""

import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kafka_workers import Place, read_alerts, recording
from simulation.sim_patients import SimPatient
from telesurv.recorder import record
from telesurv.replay import replay
from telesurv_streams.log import FRAMES

pytestmark = [pytest.mark.kafka, pytest.mark.slow]

LENGTH_S = 120


@pytest.fixture
def place(kafka_bootstrap: str, kafka_namespace: str) -> Iterator[Place]:
    found = Place(kafka_bootstrap, kafka_namespace)
    yield found
    found.log.close()


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording of patients to whom something happens at different times."""
    patients = [
        SimPatient("well", 1, LENGTH_S),
        SimPatient("stops", 2, LENGTH_S, stop_s=(30, 41)),
        SimPatient("stops-late", 5, LENGTH_S, stop_s=(85, 97)),
        SimPatient("sinks", 3, LENGTH_S, low_s=(25, 70)),
        SimPatient("sinks-late", 6, LENGTH_S, low_s=(60, 110), numbered=False),
    ]
    return recording(tmp_path_factory.mktemp("played"), patients, LENGTH_S)


def expected(played: Path, folder: Path) -> dict[str, object]:
    """What a replay without a broker finds."""
    replay([played], alerts_file=folder / "alerts.jsonl")
    found = read_alerts(folder / "alerts.jsonl")
    assert {alert.condition for alert in found.values()} >= {"asystole", "severe-desaturation"}
    return found


def in_background(place: Place, played: Path, speed: float) -> threading.Thread:
    thread = threading.Thread(
        target=replay, args=([played],), kwargs={"log": place.log, "speed": speed}
    )
    thread.start()
    return thread


def wait_until_read(place: Place, share: float) -> None:
    """Wait until a worker has committed something, and much was sent."""
    source = place.log.reader(FRAMES)
    seen = 0
    deadline = time.monotonic() + 60
    while seen < share * 5 * LENGTH_S and time.monotonic() < deadline:
        seen += len(source.poll(0.2, 1000))
    source.close()


def test_kill_9_in_the_middle(place: Place, played: Path, tmp_path: Path) -> None:
    wanted = expected(played, tmp_path)
    with place.worker("first") as first:
        sending = in_background(place, played, speed=12)
        wait_until_read(place, 0.5)
        first.send_signal(signal.SIGKILL)
        first.wait()
        with place.worker("second"):
            sending.join()
            place.wait_for(wanted)


def test_paused_worker_wakes_up_after_its_partitions_moved(
    place: Place, played: Path, tmp_path: Path
) -> None:
    wanted = expected(played, tmp_path)
    with place.worker("sleeper") as sleeper:
        sending = in_background(place, played, speed=6)
        wait_until_read(place, 0.3)
        sleeper.send_signal(signal.SIGSTOP)
        with place.worker("other") as other:
            sending.join()
            place.wait_for(wanted)
            sleeper.send_signal(signal.SIGCONT)
            time.sleep(3.0)
            assert sleeper.poll() is None, "it forgot its slice and joined again"
            assert place.alerts() == wanted
            # What it may have tried to write must not have harmed the state: the next owner
            # goes on from it.
            other.send_signal(signal.SIGTERM)
            assert other.wait(20) == 0
            replay([played], log=place.log)  # duplicates, all of them
            time.sleep(3.0)
            assert place.alerts() == wanted


def test_three_ways(place: Place, played: Path, tmp_path: Path) -> None:
    wanted = expected(played, tmp_path)
    with place.worker("one"):
        replay([played], log=place.log)
        place.wait_for(wanted)
        record(place.log, tmp_path / "recorded", until_end=True)
    replay([tmp_path / "recorded"], alerts_file=tmp_path / "again.jsonl")
    assert read_alerts(tmp_path / "again.jsonl") == wanted
