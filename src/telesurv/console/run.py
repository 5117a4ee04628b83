"""The console at work: a thread that reads the log into a feed, and a server that shows it."""

import asyncio
import os
import socket
import threading
import time
from dataclasses import dataclass
from datetime import UTC, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import structlog
import uvicorn

from telesurv.console.app import create_app
from telesurv.console.feed import Feed
from telesurv_streams.log import (
    ALERTS,
    FRAMES,
    NUMERICS,
    Log,
    LogUnavailable,
    Misconfigured,
    OffsetOutOfRange,
    Reader,
)

PORT = 8600
RECORDS_MAX = 500
RETRY_S = 2.0
STOP_S_MAX = 5.0
"""How long a stop waits for pages to be served to their end."""

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_ANYWHERE = frozenset({"0.0.0.0", "::", ""})  # noqa: S104  (recognised, not bound)

log_ = structlog.get_logger(__name__)


class _Server(uvicorn.Server):
    """A server whose end closes every connection."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Shut down; whoever has not read to their end, or came in meanwhile, is cut off.

        Uvicorn cancels the tasks of such connections and leaves their sockets open.
        """
        await super().shutdown(sockets)
        left = [c.transport for c in self.server_state.connections if c.transport is not None]
        for transport in left:
            transport.close()
        await asyncio.sleep(0.1)
        for transport in left:  # one that is closed already does not mind
            transport.abort()
        await asyncio.sleep(0)  # An aborted transport closes its socket in the loop's next turn.


@dataclass(slots=True)
class Running:
    """A console that is being served."""

    url: str
    feed: Feed
    _server: uvicorn.Server
    _stop: threading.Event
    _threads: list[threading.Thread]

    def stop(self) -> None:
        """Stop reading and serving; returns when both have ended."""
        self._stop.set()
        self._server.should_exit = True
        for thread in self._threads:
            thread.join(STOP_S_MAX + 1)


def follow(log: Log, feed: Feed, stop: threading.Event) -> None:
    """Apply the alerts' and the numerics' topics to a feed, from their first record, until `stop`.

    While the log cannot be read the feed says so; then everything is read again, which changes
    nothing that is known already.
    """
    while not stop.is_set():
        readers: list[Reader] = []
        try:
            for topic in (ALERTS, NUMERICS):
                readers.append(log.reader(topic))
            _read(readers, feed, stop)
        except (LogUnavailable, OffsetOutOfRange) as error:
            feed.trouble = str(error)
            log_.warning("the log cannot be read, trying again", error=str(error))
            stop.wait(RETRY_S)
        finally:
            for reader in readers:
                reader.close()


def _read(readers: list[Reader], feed: Feed, stop: threading.Event) -> None:
    behind = list(readers)
    while not stop.is_set():
        for reader in readers:
            # The alerts wait for news; the numerics take what there is.
            for record in reader.poll(0.2 if reader is readers[0] else 0.0, RECORDS_MAX):
                feed.apply(record)
        behind = [reader for reader in behind if not reader.at_end()]
        if not behind:
            feed.caught_up, feed.trouble = True, ""


def start(
    log: Log | None = None,
    *,
    feed: Feed | None = None,
    host: str = "127.0.0.1",
    port: int = PORT,
    timezone: str = "",
    hosts: frozenset[str] = frozenset(),
) -> Running:
    """Serve a console from threads of this process.

    Parameters
    ----------
    log : read into the feed; None: somebody else applies records to `feed`
    feed : what is shown; default: a new one that expects a heartbeat of each frames' partition
    host, port : where to listen; port 0: any free one
    timezone : of the times on the page, as `Europe/Paris`; empty: this machine's
    hosts : further names under which it answers, beside `host` and those of this machine

    Raises `Misconfigured` where the address is taken, or the zone or a topic does not exist.
    """
    zone = zone_of(timezone)
    if feed is None:
        feed = Feed(partitions=log.partitions(FRAMES) if log is not None else None)
    stop = threading.Event()
    listening = _listen(host, port)
    answers = None if host in _ANYWHERE and not hosts else LOOPBACK | hosts | {host.lower()}
    app = create_app(feed, zone=zone, closing=stop.is_set, hosts=answers)
    server = _Server(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            lifespan="off",
            ws="none",
            timeout_graceful_shutdown=int(STOP_S_MAX),
        )
    )
    threads = [threading.Thread(target=server.run, args=([listening],), name="console-server")]
    if log is not None:
        feed.caught_up = False
        threads.append(
            threading.Thread(target=_follow_or_say, args=(log, feed, stop), name="console-reader")
        )
    for thread in threads:
        thread.daemon = True
        thread.start()
    deadline = time.monotonic() + 10
    while not server.started and threads[0].is_alive() and time.monotonic() < deadline:
        time.sleep(0.01)
    name = "localhost" if host in _ANYWHERE else host
    address = f"[{name}]" if ":" in name else name
    url = f"http://{address}:{listening.getsockname()[1]}/"
    return Running(url, feed, server, stop, threads)


def serve(
    log: Log,
    host: str = "127.0.0.1",
    port: int = PORT,
    *,
    timezone: str = "",
    hosts: frozenset[str] = frozenset(),
    stop: threading.Event | None = None,
) -> None:
    """Serve the console of a log until `stop` is set (the caller's signal handlers do that)."""
    running = start(log, host=host, port=port, timezone=timezone, hosts=hosts)
    log_.info("console", url=running.url)
    until = stop or threading.Event()
    try:
        while not until.wait(0.2):
            pass
    finally:
        running.stop()


def zone_of(name: str) -> tzinfo:
    """Return a time zone by its name; empty: this machine's, UTC where it does not say."""
    try:
        return ZoneInfo(name or _zone_here())
    except (ZoneInfoNotFoundError, ValueError, OSError):
        if not name:
            return UTC
        raise Misconfigured(
            f"timezone is {name!r}, expected a name such as Europe/Paris (or the machine has no "
            "time zone database)"
        ) from None


def _zone_here() -> str:
    named = os.environ.get("TZ", "").lstrip(":")
    if named and not named.startswith("/"):
        return named
    place = str(Path("/etc/localtime").resolve())
    return place.partition("/zoneinfo/")[2] or "UTC"


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=128)
    except OSError as error:
        raise Misconfigured(
            f"the console cannot listen on {host}:{port}: {error.strerror or error}"
        ) from error


def _follow_or_say(log: Log, feed: Feed, stop: threading.Event) -> None:
    """Follow the log; an error that is our own ends the reading, and the page says so for good."""
    try:
        follow(log, feed, stop)
    except Exception as error:
        feed.trouble = f"{type(error).__name__}: {error}"
        log_.exception("the console stopped reading the log")
        raise
