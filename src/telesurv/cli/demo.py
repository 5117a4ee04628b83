"""`telesurv demo`: everything on this machine, on the log inside the process."""

import click

from telesurv.cli._run import DURATION, LOGGING, with_settings
from telesurv.settings import Settings

EPILOG = """\b
Examples:
  telesurv demo
  telesurv demo --no-browser --duration 60s --console-port 0

Patients of the demo are in mode demo: the console says so, and no alert of theirs looks real."""


@click.command("demo", epilog=EPILOG)
@click.option("--patients", type=click.IntRange(1, 200), default=6, show_default=True)
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True)
@click.option("--duration", type=DURATION, metavar="DURATION", help="Stop after so long.")
@click.option("--no-browser", is_flag=True, help="Print the address and open nothing.")
@with_settings("console_host", "console_port", "language", "cache_dir", *LOGGING)
def command(
    settings: Settings, patients: int, seed: int, duration: float | None, no_browser: bool
) -> None:
    """Play simulated patients, service and console on this machine; no broker needed."""
    from telesurv.demo import demo

    demo(
        settings,
        patients=patients,
        seed=seed,
        duration_s=duration,
        browser=not no_browser,
        say=click.echo,
    )
