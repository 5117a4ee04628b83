"""What all commands share: errors to exit codes, settings as options, logging."""

import functools
import logging
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from telesurv.quantities import duration_s
from telesurv.settings import SECRET, SETTINGS, Setting, Settings, load
from telesurv_streams.log import Misconfigured

F = TypeVar("F", bound=Callable[..., Any])

KAFKA = ("bootstrap", "namespace", "security_protocol", "sasl_mechanism", "sasl_username",
         "ssl_cafile")  # fmt: skip
"""Settings of every command that speaks to Kafka."""

LOGGING = ("log_level", "log_format")

FAILED, WRONG_USE, INTERRUPTED = 1, 2, 130


def run(group: click.Group, arguments: Sequence[str] | None) -> int:
    """Run the command line; return the exit code. Nothing is raised."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    meta: dict[str, Any] = {}
    try:
        with group.make_context("telesurv", words) as context:
            meta = context.meta
            result = group.invoke(context)
        sys.stdout.flush()
        return result if isinstance(result, int) else 0
    except click.exceptions.Exit as exit_:
        return exit_.exit_code
    except click.UsageError as error:
        error.show()
        return WRONG_USE
    except click.ClickException as error:
        error.show()
        return FAILED
    except (click.Abort, KeyboardInterrupt):
        click.echo("telesurv: interrupted", err=True)
        return INTERRUPTED
    except BrokenPipeError:
        # Who read our output has gone; leave without Python's complaint about the flush.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except OSError as error:
        if error.filename is None or meta.get("telesurv.traceback"):
            return _fail(error, traced=bool(meta.get("telesurv.traceback")))
        click.echo(f"telesurv: {error.filename}: {error.strerror}", err=True)
        return FAILED
    except Exception as error:
        return _fail(error, traced=bool(meta.get("telesurv.traceback")))


def _fail(error: Exception, *, traced: bool) -> int:
    operator = isinstance(error, Misconfigured)
    if traced or os.environ.get("TELESURV_LOG_LEVEL") == "debug":
        traceback.print_exception(error)
    if operator:
        click.echo(f"telesurv: {error}", err=True)
        return WRONG_USE
    ours = isinstance(error, AssertionError)
    kind = "a fault of telesurv itself" if ours else type(error).__name__
    text = " ".join(str(error).split()) or "no further words"
    hint = "" if traced else " (--traceback shows where)"
    click.echo(f"telesurv: {kind}: {text}{hint}", err=True)
    return FAILED


def with_settings(*names: str) -> Callable[[F], Callable[..., Any]]:
    """Give a command the options of these settings, `--config`, and `Settings` as first argument.

    Before the command runs, logging starts and the place of compiled kernels is set.
    """

    def decorate(command: F) -> Callable[..., Any]:
        @functools.wraps(command)
        def wrapped(*, config: Path | None, **given: Any) -> Any:
            texts = {name: given.pop(name) for name in names}
            settings = load(texts, config=config).settings
            prepare(settings)
            return command(settings, **given)

        return setting_options(*names)(wrapped)

    return decorate


def setting_options(*names: str) -> Callable[[F], F]:
    """Give a command the options of these settings and `--config`, as texts."""

    def decorate(command: F) -> F:
        for name in reversed(names):
            assert SETTINGS[name].form is not SECRET, "others see a process's options"
            command = _option(SETTINGS[name])(command)
        config = click.option(
            "--config",
            type=click.Path(dir_okay=False, path_type=Path),
            metavar="FILE",
            help="TOML file of settings [TELESURV_CONFIG]",
        )
        return config(command)

    return decorate


def _option(row: Setting) -> Callable[[F], F]:
    default = row.show(row.default)
    note = f"[{row.variable}; {default}]" if default else f"[{row.variable}]"
    unit = row.form.unit if "|" in row.form.unit else row.form.unit.upper()
    return click.option(row.option, row.name, metavar=unit, help=f"{row.help} {note}")


def prepare(settings: Settings) -> None:
    """Start logging, and say where compiled kernels lie, before anything imports them."""
    if settings.cache_dir:
        os.environ["NUMBA_CACHE_DIR"] = str(settings.cache_dir)
    start_logging(settings.log_level, settings.log_format)


def start_logging(level: str, form: str) -> None:
    """Write log lines to standard error, as JSON or as text for people."""
    import structlog

    number = logging.getLevelNamesMapping()[level.upper()]
    logging.basicConfig(level=max(number, logging.WARNING), stream=sys.stderr)
    if level != "debug":
        # The client tells each attempt to reach a broker; what it comes to, we say in our words.
        logging.getLogger("kafka").setLevel(logging.CRITICAL)
    last: Any = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if form == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *([structlog.processors.format_exc_info] if form == "json" else []),
            last,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )


class Duration(click.ParamType[float]):
    """An option that takes `30s`, `5m`; the command gets seconds."""

    name = "duration"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return seconds."""
        if isinstance(value, float):
            return value
        try:
            return duration_s(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class Speed(click.ParamType[float | None]):
    """An option that takes `max` (as fast as it goes: None) or a factor of real time."""

    name = "speed"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float | None:
        """Return the factor; None is without waiting."""
        if value is None or isinstance(value, float):
            return value
        if value == "max":
            return None
        try:
            factor = float(str(value).removesuffix("x"))
        except ValueError:
            factor = 0.0
        if not 0 < factor < float("inf"):
            self.fail(f"saw {value!r}, expected max, or a factor such as 1 or 60", param, ctx)
        return factor


class Instant(click.ParamType[int]):
    """An option that takes an ISO 8601 instant; the command gets nanoseconds since 1970 UTC."""

    name = "instant"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return nanoseconds; a time without an offset is UTC."""
        from datetime import UTC, datetime

        if isinstance(value, int):
            return value
        try:
            time = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"saw {value!r}, expected for example 2026-05-04T08:00:00Z", param, ctx)
        since = (time if time.tzinfo else time.replace(tzinfo=UTC)) - datetime(
            1970, 1, 1, tzinfo=UTC
        )
        return (since.days * 86_400 + since.seconds) * 10**9 + since.microseconds * 1000


DURATION, SPEED, INSTANT = Duration(), Speed(), Instant()
