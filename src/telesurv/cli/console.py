"""`telesurv console`: alerts and trends in the browser."""

import contextlib
import signal

import click

from telesurv.cli._run import KAFKA, LOGGING, with_settings
from telesurv.settings import Settings
from telesurv.stopping import stopped_by

EPILOG = """\b
Examples:
  telesurv console --bootstrap kafka:9092
  telesurv console --console-host 0.0.0.0 --console-hosts vitals.example.org

It listens on this machine alone unless told otherwise, and has no login of its own: put a proxy
that has one before it where others can reach it."""


@click.command("console", epilog=EPILOG)
@with_settings(*KAFKA, "console_host", "console_port", "console_hosts", "timezone", *LOGGING)
def command(settings: Settings) -> None:
    """Show alerts and trends in the browser."""
    from telesurv.connect import connect

    stop = stopped_by(signal.SIGTERM)
    with contextlib.closing(connect(settings)) as log:
        from telesurv.console.run import serve

        serve(
            log,
            settings.console_host,
            settings.console_port,
            timezone=settings.timezone,
            hosts=frozenset(filter(None, settings.console_hosts.replace(" ", "").split(","))),
            stop=stop,
        )
