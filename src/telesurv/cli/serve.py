"""`telesurv serve`: a worker of the consumer group."""

import contextlib
import dataclasses
import os
import re
import socket
from collections.abc import Callable
from pathlib import Path

import click

from telesurv.cli._run import KAFKA, LOGGING, with_settings
from telesurv.settings import Settings

EPILOG = """\b
Examples:
  telesurv serve --bootstrap kafka:9092
  TELESURV_CONFIG=/etc/telesurv.toml telesurv serve

Start it once more, anywhere, and the patients are shared out. SIGTERM saves and leaves; after
anything worse the next worker goes on where the last checkpoint was."""


@click.command("serve", epilog=EPILOG)
@with_settings(
    *KAFKA,
    "group",
    "worker",
    "frame_partitions",
    "checkpoint_interval",
    "slice_interval",
    "heartbeat_interval",
    "in_flight_bytes",
    "batch_records",
    "poll_timeout",
    "cache_dir",
    *LOGGING,
)
@click.option(
    "--alive-file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Touched at each heartbeat; its age tells a supervisor that the loop runs.",
)
def command(settings: Settings, alive_file: Path | None) -> None:
    """Run a worker: frames in from Kafka, alerts out."""
    settings = dataclasses.replace(settings, worker=settings.worker or here())
    from telesurv.connect import connect

    with contextlib.closing(connect(settings)) as log:
        from telesurv.service import Worker

        Worker(log, settings, alive=toucher(alive_file)).run()


def here() -> str:
    """Return a name that no other living worker has: of two with one name, the first is fenced."""
    return re.sub(r"[^A-Za-z0-9._-]", "-", f"{socket.gethostname()}-{os.getpid()}")[-100:]


def toucher(path: Path | None) -> Callable[[], None]:
    """Return what marks a file as just seen; without a file, nothing."""
    if path is None:
        return lambda: None
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.touch
