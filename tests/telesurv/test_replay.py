"""Replays: what was found live is found again, alone or beside others, with or without a log."""

from pathlib import Path

import msgspec
import pytest

from kafka_workers import read_alerts, recording
from simulation.sim_patients import BEGIN_NS, SimPatient
from telesurv.alerts.model import Alert
from telesurv.recorder import record
from telesurv.replay import TICKS_MAX, Reader, replay
from telesurv_streams.log import (
    FRAMES,
    HEADER_ARRIVAL,
    HEADER_KIND,
    HEADER_MODE,
    NUMERICS,
    Headers,
    Outgoing,
)
from telesurv_streams.recordings import Message
from worker_cases import Stage

S = 10**9
T0 = BEGIN_NS
TICK: Headers = ((HEADER_KIND, b"tick"),)


def message(
    arrival_s: float | None,
    key: bytes | None = b"p",
    kind: str = "frame",
    mode: str = "live",
    partition: int | None = 0,
    end_s: float | None = None,
    headers: Headers = (),
) -> Message:
    return Message(
        Outgoing(FRAMES, key, b"x", headers),
        None if arrival_s is None else T0 + round(arrival_s * S),
        None if end_s is None else T0 + round(end_s * S),
        kind,
        mode,
        None if partition is None else (partition, 0),
    )


def made(*messages: Message) -> list[tuple[float, bytes | None, str]]:
    """Return arrival, route and kind of what the reader makes of messages."""
    found = []
    for arrival_ns, made_of in Reader("replay").records(messages):
        headers = dict(made_of.headers)
        assert headers[HEADER_MODE] == b"replay"
        assert headers[HEADER_ARRIVAL] == str(arrival_ns).encode()
        assert [name for name, _ in made_of.headers].count(HEADER_ARRIVAL) == 1
        kind = headers.get(HEADER_KIND, b"frame").decode()
        found.append(((arrival_ns - T0) / S, made_of.key, kind))
    return found


def test_an_imported_frame_arrives_when_it_is_over_and_never_before_another() -> None:
    ends = [message(None, partition=None, mode="", end_s=s) for s in (1, 3, 2)]
    assert [arrival for arrival, _, _ in made(*ends)] == [1, 3, 3]


def test_routes_have_their_own_time_and_ticks_on_the_grid() -> None:
    frames = [
        message(None, b"p", partition=None, mode="", end_s=1),
        message(None, b"q", partition=None, mode="", end_s=2),
        message(None, b"p", partition=None, mode="", end_s=25),
    ]
    assert made(*frames) == [
        (1, b"p", "frame"), (2, b"q", "frame"),
        (10, b"p", "tick"), (20, b"p", "tick"), (25, b"p", "frame"),
    ]  # fmt: skip


def test_a_long_gap_has_an_hour_of_ticks() -> None:
    frames = [message(None, partition=None, mode="", end_s=s) for s in (1, 5 * 86_400)]
    ticks = [arrival for arrival, _, kind in made(*frames) if kind == "tick"]
    assert TICKS_MAX <= len(ticks) <= TICKS_MAX + 1
    assert ticks[0] == 10


def test_an_owners_tick_is_one_of_each_route_that_was_live_in_its_partition() -> None:
    found = made(
        message(1, b"p"),
        message(2, b"q", kind="plan"),
        message(3, b"other", partition=1),
        message(4, b"again", mode="replay", headers=((HEADER_ARRIVAL, b"%d" % T0),)),
        message(10, None, kind="tick", headers=TICK),
    )
    assert found[-2:] == [(10, b"p", "tick"), (10, b"q", "tick")]
    assert len(found) == 6


def test_what_was_replayed_keeps_its_arrival() -> None:
    told: Headers = ((HEADER_ARRIVAL, b"%d" % (T0 + 5 * S)), (HEADER_MODE, b"demo"))
    assert made(message(100, mode="demo", headers=told)) == [(5, b"p", "frame")]


@pytest.mark.parametrize("told", [b"", b"soon", b"-1", b"9" * 30])
def test_an_arrival_that_is_none_is_that_of_the_log(told: bytes) -> None:
    found = made(message(100, mode="replay", headers=((HEADER_ARRIVAL, told),)))
    assert found == [(100, b"p", "frame")]


def test_what_is_not_of_frames_is_left_out() -> None:
    other = message(1)._replace(outgoing=Outgoing(NUMERICS, b"p", b"x"))
    assert made(other, message(1, None), message(1, kind="data-lost")) == []


def bare(alerts: list[Alert], mode: str) -> dict[str, Alert]:
    """Return the last revision of each alert of a mode, without what a replay differs in."""
    last: dict[str, Alert] = {}
    for alert in sorted(alerts, key=lambda alert: alert.revision):
        if alert.mode == mode:
            last[alert.id] = msgspec.structs.replace(alert, emitted=None, mode="live")
    return last


def test_a_topic_with_live_patients_ticks_and_a_replay_in_it_gives_all_of_them_again(
    tmp_path: Path,
) -> None:
    live = [
        SimPatient("stops", 2, 150, stop_s=(30, 41)),
        SimPatient("goes", 4, 150, silent_s=(20, 140)),
    ]
    imported = recording(tmp_path / "imported", [SimPatient("old", 7, 60, stop_s=(25, 37))], 60)
    stage = Stage(2)
    stage.enrol("goes", expected_interval="1m", grace="0s")
    stage.enrol("never", expected_interval="1m", grace="0s")
    worker = stage.worker()
    stage.play(worker, live, 0, 40)
    replay([imported], log=stage.log)
    stage.play(worker, live, 40, 150)
    stage.turns(worker, 5)
    found = bare(stage.alerts(), "live"), bare(stage.alerts(), "replay")
    told = {(alert.patient, alert.condition) for part in found for alert in part.values()}
    assert told >= {
        ("stops", "asystole"), ("goes", "non-transmission"), ("never", "non-transmission"),
        ("old", "asystole"),
    }  # fmt: skip
    recorded = record(stage.log, tmp_path / "topic", until_end=True)
    assert recorded.records == len(stage.records(FRAMES))
    replay([tmp_path / "topic"], alerts_file=tmp_path / "again.jsonl")
    again = list(read_alerts(tmp_path / "again.jsonl").values())
    assert bare(again, "replay") == found[0] | found[1]


def test_with_and_without_a_log_it_is_the_same(tmp_path: Path) -> None:
    patients = [
        SimPatient("stops", 2, 80, stop_s=(30, 41)),
        SimPatient("sinks", 3, 80, low_s=(20, 60), numbered=False),
    ]
    imported = recording(tmp_path / "imported", patients, 80)
    played = replay([imported], alerts_file=tmp_path / "alerts.jsonl", all_revisions=True)
    assert (played.patients, played.frames, played.alerts) == (2, 320, 2)
    stage = Stage(3)
    worker = stage.worker(batch_records=37)
    stage.turns(worker, 5)
    replay([imported], log=stage.log)
    stage.turns(worker, 20)
    lines = (tmp_path / "alerts.jsonl").read_bytes().splitlines()
    wanted = [msgspec.json.decode(line, type=Alert) for line in lines]
    assert bare(stage.alerts(), "replay") == bare(wanted, "replay")
    # And once more, into the same log: nothing new.
    count = len(stage.alerts())
    replay([imported], log=stage.log)
    stage.turns(worker, 20)
    assert len(stage.alerts()) == count
