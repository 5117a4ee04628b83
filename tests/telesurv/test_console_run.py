"""The console at work: from the log's records to a connected page, and a clean stop."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from typing import Any

import httpx
import msgspec
import pytest

from console_cases import alert, asystole, day, heartbeat, record
from telesurv.console import app, run
from telesurv.console.feed import Feed
from telesurv_streams.log import (
    ALERTS,
    FRAMES,
    NUMERICS,
    LogUnavailable,
    Misconfigured,
    Outgoing,
    Record,
    Topic,
)
from telesurv_streams.memory import MemoryLog


def eventually(true: Callable[[], Any], within_s: float = 5.0) -> Any:
    deadline = time.monotonic() + within_s
    while not (found := true()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)
    return found


def small_log(partitions: int = 1) -> MemoryLog:
    log = MemoryLog()
    log.create([Topic(FRAMES, partitions, {}), Topic(ALERTS, 3, {}), Topic(NUMERICS, 2, {})])
    return log


def send(log: MemoryLog, *records: Record) -> None:
    with closing(log.sink()) as sink:
        for item in records:
            sink.send(Outgoing(item.topic, item.key, item.value, item.headers))


@contextmanager
def running(**options: Any) -> Iterator[run.Running]:
    console = run.start(port=0, timezone="Europe/Paris", **options)
    try:
        yield console
    finally:
        console.stop()


def updates(response: httpx.Response) -> Iterator[tuple[str, dict[str, Any]]]:
    """The events of a stream: their id and their message."""
    event_id = ""
    for line in response.iter_lines():
        if line.startswith("id: "):
            event_id = line[4:]
        if line.startswith("data: "):
            yield event_id, json.loads(line[6:])


def test_the_log_s_records_reach_the_page_and_it_follows_on():
    log = small_log()
    send(log, record(asystole()), heartbeat(datetime.now(UTC)), *day("p-0001", hours=0.2))
    with running(log=log) as console:
        eventually(lambda: console.feed.caught_up)
        body = httpx.get(f"{console.url}alerts.json").json()
        assert [a["condition"] for a in body["open"]] == ["asystole"]
        assert body["service"]["alive"] is True
        assert console.feed.numerics("live", "p-0001")
        send(log, record(alert("pause", "p-0002")))
        eventually(lambda: len(console.feed.open()) == 2)
        assert console.feed.malformed == 0


def test_every_partition_of_the_frames_must_show_life():
    log = small_log(partitions=2)
    send(log, heartbeat(datetime.now(UTC)))
    with running(log=log) as console:
        eventually(lambda: console.feed.caught_up)
        assert console.feed.status(datetime.now(UTC)).cause == "missing"
        assert "NOT COMPLETE" in httpx.get(console.url).text


def test_a_connected_page_hears_what_changes_and_gets_stubs_of_what_it_has(monkeypatch):
    monkeypatch.setattr(app, "TICK_S", 0.02)
    feed = Feed()
    feed.apply(record(asystole()))
    with (
        running(feed=feed) as console,
        httpx.stream("GET", f"{console.url}events?lang=fr", timeout=5) as answer,
    ):
        assert answer.headers["content-type"].startswith("text/event-stream")
        heard = updates(answer)
        _, first = next(heard)
        assert "Asystolie" in first["lists"]["live"]
        assert "SERVICE HORS LIGNE" in first["banner"]
        feed.apply(record(alert("pause", "p-0002")))
        event_id, second = next(heard)
        assert "Pause cardiaque" in second["lists"]["live"]
        assert f'data-stub="a-live-{asystole().id}"' in second["lists"]["live"]
        assert "Asystolie" not in second["lists"]["live"]
        feed.apply(heartbeat(datetime.now(UTC)))
        _, third = next(heard)
        assert "lists" not in third
        assert (third["banner"].strip(), third["dead"]) == ("", False)
        # Back after a lost connection, it hears only what it missed.
        feed.apply(record(alert("desaturation", "p-0003")))
        header = {"last-event-id": event_id}
        with httpx.stream("GET", f"{console.url}events", headers=header, timeout=5) as again:
            _, missed = next(updates(again))
        assert missed["lists"]["live"].count("data-stub") == 2
        assert "p-0003" in missed["lists"]["live"]
        # An id of another run of the console is worth nothing.
        header = {"last-event-id": "0000.99"}
        with httpx.stream("GET", f"{console.url}events", headers=header, timeout=5) as again:
            _, all_of_it = next(updates(again))
        assert "data-stub" not in all_of_it["lists"]["live"]


def test_a_quiet_stream_says_something_all_the_same(monkeypatch):
    monkeypatch.setattr(app, "TICK_S", 0.01)
    monkeypatch.setattr(app, "KEEP_ALIVE_S", 0.05)
    with (
        running(feed=Feed()) as console,
        httpx.stream("GET", f"{console.url}events", timeout=5) as answer,
    ):
        heard = updates(answer)
        next(heard)
        assert "lists" not in next(heard)[1]


def test_a_stop_ends_open_streams_soon_and_frees_the_port():
    console = run.start(feed=Feed(), port=0)
    with httpx.stream("GET", f"{console.url}events", timeout=5) as answer:
        heard = updates(answer)
        next(heard)
        began = time.monotonic()
        console.stop()
        assert time.monotonic() - began < 3
        assert not list(heard)
    with pytest.raises(httpx.ConnectError):
        httpx.get(console.url)
    port = int(console.url.rpartition(":")[2].strip("/"))
    with closing_console(run.start(feed=Feed(), port=port)):
        pass


@contextmanager
def closing_console(console: run.Running) -> Iterator[None]:
    yield
    console.stop()


def test_a_stop_cuts_off_who_does_not_read(monkeypatch):
    monkeypatch.setattr(run, "STOP_S_MAX", 1.0)
    with running(feed=Feed()) as console:
        port = int(console.url.rpartition(":")[2].strip("/"))
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect(("127.0.0.1", port))
            # More pages than the buffers hold, so that one stays half served.
            client.sendall(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n" * 1000)
            time.sleep(1)
            console.stop()
            client.settimeout(2)  # the socket left open would be silent
            with suppress(ConnectionResetError):
                while client.recv(1 << 20):
                    pass


def test_connections_are_bounded(monkeypatch):
    monkeypatch.setattr(app, "CONNECTIONS_MAX", 1)
    with (
        running(feed=Feed()) as console,
        httpx.stream("GET", f"{console.url}events", timeout=5) as answer,
    ):
        heard = updates(answer)
        next(heard)
        assert httpx.get(f"{console.url}events").status_code == 503


class Stumbling(MemoryLog):
    """A log that cannot be read for a while."""

    broken = True

    def reader(self, topic, partitions=None):
        if self.broken:
            raise LogUnavailable("no broker at example:9092")
        return super().reader(topic, partitions)


def test_a_log_that_cannot_be_read_is_said_and_tried_again(monkeypatch):
    monkeypatch.setattr(run, "RETRY_S", 0.05)
    log = Stumbling()
    log.create([Topic(FRAMES, 1, {}), Topic(ALERTS, 1, {}), Topic(NUMERICS, 1, {})])
    send(log, record(asystole()), heartbeat(datetime.now(UTC)))
    with running(log=log) as console:
        eventually(lambda: console.feed.trouble == "no broker at example:9092")
        assert httpx.get(f"{console.url}healthz").status_code == 503
        log.broken = False
        eventually(lambda: console.feed.alive(datetime.now(UTC)))
        assert httpx.get(f"{console.url}healthz").status_code == 200


def test_serve_ends_when_told():
    stop = threading.Event()
    thread = threading.Thread(
        target=run.serve, args=(small_log(),), kwargs={"port": 0, "stop": stop}
    )
    thread.start()
    stop.set()
    thread.join(5)
    assert not thread.is_alive()


def test_what_the_operator_got_wrong_is_named():
    with pytest.raises(Misconfigured, match=r"timezone is 'Europe/Nowhere'"):
        run.zone_of("Europe/Nowhere")
    with pytest.raises(Misconfigured):
        run.start(MemoryLog(), port=0)
    with running(feed=Feed()) as console:
        port = int(console.url.rpartition(":")[2].strip("/"))
        with pytest.raises(Misconfigured, match=rf"cannot listen on 127\.0\.0\.1:{port}: "):
            run.start(feed=Feed(), port=port)


def test_the_page_answers_only_under_its_own_names():
    with running(feed=Feed(), hosts=frozenset({"ward.example"})) as console:
        for host, status in (("ward.example", 200), ("evil.example", 400)):
            assert httpx.get(console.url, headers={"host": host}).status_code == status


def test_an_alert_on_the_log_is_read_as_it_was_written():
    log = small_log()
    send(log, record(asystole()))
    with running(log=log) as console:
        (held,) = eventually(console.feed.open)
        answer = httpx.get(f"{console.url}alerts/live/{held.alert.id}.json").json()
    assert msgspec.convert(answer["evidence"], list[Any])[0]["rate"] == 250.0
