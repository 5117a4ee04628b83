"""`telesurv simulate`: realistic patients with scripted events."""

import contextlib
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from telesurv.cli._output import counted, progress, result
from telesurv.cli._run import DURATION, INSTANT, KAFKA, LOGGING, SPEED, with_settings
from telesurv.settings import Settings
from telesurv.stopping import stopped_by

if TYPE_CHECKING:
    from telesurv.simulate import Patient

EPILOG = """\b
Examples:
  telesurv simulate --out recording --patients 3 --duration 10m
  telesurv simulate --out recording --event asystole@1m+8s --event desaturation=84@3m
  telesurv simulate --bootstrap kafka:9092 --patients 100

\b
An event is [PATIENT:]EVENT[=NUMBER]@AT[+DURATION]; without PATIENT it befalls all of them.
Patients are sim-01, sim-02, … Without any event two in three fall ill in turn. Events:
  asystole, pause, extreme-bradycardia, extreme-tachycardia   (rates: =30, =165 a minute)
  desaturation, severe-desaturation                           (levels: =86, =78 %)
  probe-off, lead-off, silence, noise, clock-skew             (clock-skew: =600 s ahead)"""


@click.command("simulate", epilog=EPILOG)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Write a recording instead of sending to Kafka.",
)
@click.option("--patients", type=click.IntRange(1, 10_000), default=6, show_default=True)
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True)
@click.option(
    "--duration", type=DURATION, metavar="DURATION", help="How long [10m to a recording, else on]"
)
@click.option(
    "--speed", type=SPEED, default="1", help="To Kafka: 1 (real time), max, or a factor [1]"
)
@click.option("--start", type=INSTANT, metavar="INSTANT", help="Device time of the beginning.")
@click.option("--event", "events", multiple=True, metavar="EVENT", help="May be repeated.")
@click.option(
    "--script",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Events, one a line; # begins a comment.",
)
@click.option("--json", "as_json", is_flag=True, help="Say what came of it as one JSON object.")
@with_settings(*KAFKA, *LOGGING)
def command(
    settings: Settings,
    out: Path | None,
    patients: int,
    seed: int,
    duration: float | None,
    speed: float | None,
    start: int | None,
    events: tuple[str, ...],
    script: Path | None,
    as_json: bool,
) -> None:
    """Make realistic patients with scripted events, to Parquet or to Kafka."""
    if (out is None) == (not settings.bootstrap):
        raise click.UsageError("say where to: --out DIR, or --bootstrap HOST:PORT")
    if out is not None and any(out.glob("part-*.parquet")):
        raise click.UsageError(f"{out} holds a recording already: expected a new folder")
    lines = [*events, *(_lines(script) if script else ())]
    with contextlib.ExitStack() as stack:
        if out is None:
            from telesurv.connect import connect

            log = stack.enter_context(contextlib.closing(connect(settings)))
        epoch_ns = start if start is not None else _epoch_ns(live=out is None)
        made = _patients(patients, seed, lines, epoch_ns)
        advance = stack.enter_context(progress("simulate"))
        from telesurv.simulate import play

        if out is None:
            seconds = round(duration) if duration is not None else None
            stop = stopped_by(signal.SIGTERM)
            sent = play.play(
                made, log, duration_s=seconds, speed=speed, stop=stop, progress=advance
            )
            fields, sentence = {"messages": sent}, counted(sent, "message")
        else:
            seconds = round(duration if duration is not None else 600.0)
            frames = play.record(made, out, seconds, progress=advance)
            fields, sentence = {"frames": frames}, counted(frames, "frame")
    result(
        as_json,
        {"patients": [patient.name for patient in made], **fields},
        f"{sentence} of {counted(patients, 'patient')}",
    )


def _patients(count: int, seed: int, lines: list[str], epoch_ns: int) -> "list[Patient]":
    from telesurv.simulate import Patient, Script, ward
    from telesurv.simulate.script import parse_event

    made = ward(count, seed, epoch_ns=epoch_ns)
    if not lines:
        return made
    try:
        parsed = [parse_event(line) for line in lines]
    except ValueError as error:
        raise click.UsageError(f"event: {error}") from None
    names = {patient.name for patient in made}
    for name, _ in parsed:
        if name is not None and name not in names:
            raise click.UsageError(f"event of patient {name}, expected one of {made[0].name} to "
                                   f"{made[-1].name}")  # fmt: skip
    return [
        Patient(
            patient.name,
            Script(tuple(event for name, event in parsed if name in (None, patient.name))),
            patient.seed,
            epoch_ns=epoch_ns,
        )
        for patient in made
    ]


def _lines(script: Path) -> list[str]:
    lines = (line.partition("#")[0].strip() for line in script.read_text().splitlines())
    return [line for line in lines if line]


def _epoch_ns(*, live: bool) -> int:
    """Return the present second for who sends now, and the year 2000 for a recording."""
    from telesurv.simulate.patient import EPOCH_NS

    return int(time.time()) * 10**9 if live else EPOCH_NS
