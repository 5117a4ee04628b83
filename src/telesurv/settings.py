"""The one table of settings; environment, TOML file, options and documentation derive from it.

A setting is a field of `Settings`: its type, its default, and in the annotation what it may
look like and what it is for. It is taken from the first of: the command's option
(`--checkpoint-interval 30s`), the environment (`TELESURV_CHECKPOINT_INTERVAL`), the TOML file
(`checkpoint_interval = "30s"`), the default. What nobody knows is refused, with the nearest
name; so is a number that should carry its unit. Raises `Misconfigured` for all of these.

No setting turns silence off: what a patient is expected to send is said by their plan.
"""

import dataclasses
import difflib
import os
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, get_type_hints
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from telesurv.quantities import (
    DURATION_EXPECTED,
    SIZE_EXPECTED,
    duration_s,
    show_duration,
    show_size,
    size_bytes,
)
from telesurv_streams.log import Misconfigured

PREFIX = "TELESURV_"
CONFIG = "TELESURV_CONFIG"
"""Where the TOML file is, unless `--config` says so."""

NOT_OURS = re.compile(r"TELESURV_(CONFIG|RECORDINGS|TEST_.*)")
"""Names that start like a setting's and are something else (tests and evaluation)."""

SERVICE_LINK = re.compile(r".*_(SERVICE_HOST|SERVICE_PORT\w*|PORT_\d+_(TCP|UDP)\w*|PORT)")
"""What Kubernetes puts into a container's environment for a service named `telesurv…`."""


class Secret:
    """A text that shows itself as stars everywhere but in `reveal`."""

    __slots__ = ("_text",)

    def __init__(self, text: str = "") -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the text."""
        return self._text

    def __repr__(self) -> str:
        return "********" if self._text else ""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)


NO_SECRET = Secret()


@dataclass(frozen=True, slots=True)
class Form:
    """What a setting's text may look like: `parse` returns the value or raises `ValueError`."""

    unit: str  # as documented
    expected: str
    parse: Callable[[str], Any]
    show: Callable[[Any], str] = str


def _matching(pattern: str, expected: str, unit: str = "text") -> Form:
    def parse(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError(text)
        return text

    return Form(unit, expected, parse)


def _number(low: int, high: int) -> Form:
    def parse(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", text) or not low <= int(text) <= high:
            raise ValueError(text)
        return int(text)

    return Form("number", f"a whole number from {low} to {high}", parse)


def _duration(low: str, high: str) -> Form:
    def parse(text: str) -> float:
        seconds = duration_s(text)
        if not duration_s(low) <= seconds <= duration_s(high):
            raise ValueError(text)
        return seconds

    return Form("duration", f"{DURATION_EXPECTED}, from {low} to {high}", parse, show_duration)


def _size(low: str, high: str) -> Form:
    def parse(text: str) -> int:
        size = size_bytes(text)
        if not size_bytes(low) <= size <= size_bytes(high):
            raise ValueError(text)
        return size

    return Form("size", f"{SIZE_EXPECTED}, from {low} to {high}", parse, show_size)


def _choice(*names: str) -> Form:
    form = "|".join(map(re.escape, names))
    return _matching(form, "one of " + ", ".join(names), "|".join(names))


def _path(text: str) -> Path | None:
    return Path(text).expanduser() if text else None


def _zone(text: str) -> str:
    try:
        if text:
            ZoneInfo(text)
    except (ZoneInfoNotFoundError, OSError):
        raise ValueError(text) from None
    return text


TEXT = Form("text", "a text", str)
SECRET = Form("secret", "a text", Secret, repr)
PATH = Form("path", "a path", _path, lambda path: str(path or ""))
NAME = _matching(r"[A-Za-z0-9._-]{0,100}", "up to 100 letters, digits, dots, dashes, underscores")
ADDRESSES = _matching(
    r"|[^\s,:/]+:[0-9]{1,5}(,[^\s,:/]+:[0-9]{1,5})*", "host:port, or several with commas between"
)
ZONE = Form(
    "text",
    "a name such as Europe/Paris that this machine's time zone database (or tzdata's) has",
    _zone,
)
HOST = _matching(r"[^\s/]+", "an address or a host name to listen on")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Every setting with its value; durations are in seconds, sizes in bytes."""

    bootstrap: Annotated[
        str, ADDRESSES, "First addresses of Kafka; none: the log inside the process, in `demo`."
    ] = ""
    namespace: Annotated[
        str, NAME, "Put before the names of all topics and of the group, with a dot between."
    ] = ""
    security_protocol: Annotated[
        str,
        _choice("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"),
        "How Kafka is spoken to.",
    ] = "PLAINTEXT"
    sasl_mechanism: Annotated[
        str,
        _choice("SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"),
        "How the password is proven to Kafka.",
    ] = "SCRAM-SHA-512"
    sasl_username: Annotated[str, TEXT, "Who we are to Kafka, with a SASL protocol."] = ""
    sasl_password: Annotated[
        Secret, SECRET, "Our password; not an option, a process's are seen."
    ] = NO_SECRET
    ssl_cafile: Annotated[
        Path | None, PATH, "PEM file of who signs Kafka's certificates; none: the system's."
    ] = None
    group: Annotated[str, NAME, "Consumer group that shares the patients out."] = "telesurv"
    worker: Annotated[
        str, NAME, "Name of this worker, unlike any other's; none: host and process."
    ] = ""
    frame_partitions: Annotated[
        int, _number(1, 10_000), "Partitions of the frames' topic; fixed once it is created."
    ] = 48
    replication: Annotated[
        int, _number(1, 9), "Copies of each partition that `topics create` asks for."
    ] = 1
    checkpoint_interval: Annotated[
        float, _duration("1s", "10m"), "All patients' state is saved at least this often."
    ] = 30.0
    slice_interval: Annotated[
        float, _duration("100ms", "1m"), "A part of the patients is saved this often."
    ] = 1.0
    heartbeat_interval: Annotated[
        float, _duration("1s", "1m"), "Each partition's owner says that it lives this often."
    ] = 10.0
    in_flight_bytes: Annotated[
        int, _size("64KiB", "1GiB"), "Bytes that may wait for Kafka before we stop consuming."
    ] = 16 << 20
    batch_records: Annotated[int, _number(1, 100_000), "Records of one poll, at most."] = 2000
    poll_timeout: Annotated[
        float, _duration("1ms", "10s"), "How long one poll waits when nothing comes."
    ] = 0.2
    console_host: Annotated[str, HOST, "Where the console listens."] = "127.0.0.1"
    console_port: Annotated[int, _number(0, 65_535), "And on which port; 0: a free one."] = 8600
    console_hosts: Annotated[
        str, TEXT, "Further names that it answers to, with commas between."
    ] = ""
    timezone: Annotated[
        str, ZONE, "Of the times it shows, such as Europe/Paris; none: this machine's."
    ] = ""
    language: Annotated[
        str, _choice("en", "fr"), "Language in which `demo` opens it; its reader may choose."
    ] = "en"
    log_level: Annotated[
        str, _choice("debug", "info", "warning", "error"), "Lines below this are not written."
    ] = "info"
    log_format: Annotated[
        str, _choice("json", "text"), "One JSON object a line, or text for people."
    ] = "json"
    cache_dir: Annotated[
        Path | None, PATH, "Where compiled kernels lie; none: NUMBA_CACHE_DIR, else ~/.cache."
    ] = None


@dataclass(frozen=True, slots=True)
class Setting:
    """A row of the table."""

    name: str
    form: Form
    default: Any
    help: str

    @property
    def variable(self) -> str:
        """Its name in the environment."""
        return PREFIX + self.name.upper()

    @property
    def option(self) -> str:
        """Its name on the command line."""
        return "--" + self.name.replace("_", "-")

    def show(self, value: Any) -> str:
        """Return a value as one would write it; a secret's as stars."""
        return self.form.show(value)

    def read(self, value: object, origin: str) -> Any:
        """Return the value of a text (a TOML file may give whole numbers as such)."""
        whole = isinstance(value, int) and not isinstance(value, bool)
        text = str(value) if whole and self.form.unit == "number" else value
        try:
            if not isinstance(text, str):
                raise ValueError(text)
            return self.form.parse(text)
        except ValueError:
            seen = "a secret" if self.form is SECRET else repr(value)
            raise Misconfigured(
                f"setting {self.name} ({origin}): saw {seen}, expected {self.form.expected}"
            ) from None


def _table() -> dict[str, Setting]:
    hints = get_type_hints(Settings, include_extras=True)
    rows = {}
    for field in dataclasses.fields(Settings):
        form, text = hints[field.name].__metadata__
        rows[field.name] = Setting(field.name, form, field.default, text)
    return rows


SETTINGS: dict[str, Setting] = _table()
"""Name → row, in the order of documentation."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """Settings, and where each of them came from."""

    settings: Settings
    origins: dict[str, str]


def load(
    options: Mapping[str, str | None] | None = None,
    environ: Mapping[str, str] | None = None,
    config: Path | None = None,
) -> Loaded:
    """Return the settings of options, environment, file and defaults, in this precedence.

    Parameters
    ----------
    options : texts by a setting's name; None is not given
    environ : the process's when None
    config : TOML file; `TELESURV_CONFIG` of the environment when None

    Raises
    ------
    Misconfigured
        Where a name is unknown, or a value is not what its setting expects.
    """
    environ = os.environ if environ is None else environ
    path = config or (Path(environ[CONFIG]) if environ.get(CONFIG) else None)
    values: dict[str, Any] = {name: row.default for name, row in SETTINGS.items()}
    origins = dict.fromkeys(SETTINGS, "default")
    layers: list[tuple[dict[str, Any], Callable[[Setting], str]]] = [
        (_of_file(path) if path else {}, lambda row: f"file {path}"),
        (_of_environment(environ), lambda row: f"environment {row.variable}"),
        ({k: v for k, v in (options or {}).items() if v is not None}, lambda row: row.option),
    ]
    for layer, origin in layers:
        for name, value in layer.items():
            origins[name] = origin(SETTINGS[name])
            values[name] = SETTINGS[name].read(value, origins[name])
    settings = Settings(**values)
    _check_together(settings)
    return Loaded(settings, origins)


def _of_environment(environ: Mapping[str, str]) -> dict[str, str]:
    found = {}
    for variable, text in environ.items():
        if not variable.startswith(PREFIX) or NOT_OURS.fullmatch(variable):
            continue
        name = variable.removeprefix(PREFIX).lower()
        if SERVICE_LINK.fullmatch(variable) and (name not in SETTINGS or "://" in text):
            continue
        if name not in SETTINGS:
            raise _unknown(variable, "environment", [row.variable for row in SETTINGS.values()])
        found[name] = text
    return found


def _of_file(path: Path) -> dict[str, Any]:
    try:
        found = tomllib.loads(path.read_text())
    except OSError as error:
        raise Misconfigured(f"settings file {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Misconfigured(f"settings file {path}: not TOML: {error}") from None
    for name in found:
        if name not in SETTINGS:
            raise _unknown(name, f"file {path}", list(SETTINGS))
    return found


def _unknown(name: str, origin: str, known: list[str]) -> Misconfigured:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"; did you mean {near[0]}?" if near else ""
    return Misconfigured(f"unknown setting {name} ({origin}){hint}")


def _check_together(settings: Settings) -> None:
    if settings.security_protocol.startswith("SASL") and not (
        settings.sasl_username and settings.sasl_password.reveal()
    ):
        raise Misconfigured(
            f"setting security_protocol is {settings.security_protocol}: expected "
            "sasl_username and sasl_password beside it"
        )
    if settings.slice_interval > settings.checkpoint_interval:
        raise Misconfigured(
            f"setting slice_interval: saw {show_duration(settings.slice_interval)}, expected at "
            f"most checkpoint_interval, {show_duration(settings.checkpoint_interval)}"
        )
