"""The broker is killed under a worker and comes back: it goes on by itself, and finds it all."""

import threading
import time
from pathlib import Path

import pytest

from kafka_broker import Broker
from kafka_workers import Place, read_alerts, recording
from simulation.sim_patients import SimPatient
from telesurv.replay import replay

pytestmark = [pytest.mark.kafka, pytest.mark.slow]

LENGTH_S = 120


def test_a_worker_survives_a_broker_that_is_killed(own_broker: Broker, tmp_path: Path) -> None:
    patients = [
        SimPatient("stops", 2, LENGTH_S, stop_s=(30, 41)),
        SimPatient("stops-late", 5, LENGTH_S, stop_s=(85, 97)),
        SimPatient("sinks", 6, LENGTH_S, low_s=(40, 110), numbered=False),
    ]
    played = recording(tmp_path / "played", patients, LENGTH_S)
    replay([played], alerts_file=tmp_path / "alerts.jsonl")
    wanted = read_alerts(tmp_path / "alerts.jsonl")
    assert {alert.patient for alert in wanted.values()} == {"stops", "stops-late", "sinks"}
    place = Place(own_broker.bootstrap, "outage")
    with place.worker("one") as worker:
        sending = threading.Thread(
            target=replay, args=([played],), kwargs={"log": place.log, "speed": 8}
        )
        sending.start()
        time.sleep(8.0)
        own_broker.kill()
        time.sleep(5.0)
        own_broker.start()
        sending.join()
        place.wait_for(wanted, 90.0)
        assert worker.poll() is None, "it is the same process"
        worker.terminate()
        assert worker.wait(30) == 0
    place.log.close()
