"""What the columns of a CSV file are: a mapping, its TOML file, and those shipped with us."""

import gzip
import re
import tomllib
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import msgspec

from telesurv.importers._find import Unreadable
from telesurv_streams.log import Misconfigured

SHIPPED = "mappings"
HEADER_BYTES_MAX = 1 << 16


class Time(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The column that tells the time of a row."""

    column: str = ""
    unit: str = "s"  # ns, us, ms, s, min, h; iso: a date and time; ticks: of rate_hz
    rate_hz: float = 0.0


class Column(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a column is; what is left out is found by its name."""

    channel: str = ""
    unit: str = ""
    scale: float = 0.0  # step of the stored values, in the channel's unit; 0: of the channel
    offset: float = 0.0  # value of the code 0, in the channel's unit


class Mapping(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A mapping file. Columns that it does not name are found by their name, or kept as such."""

    time: Time = Time()
    columns: dict[str, Column] = {}
    ignore: tuple[str, ...] = ()  # columns that are left out
    rate_hz: float = 0.0  # rows are samples of waveforms at this rate; 0: single readings
    patient: str = ""  # regular expression of the file's name; its group 1 is the patient
    recognise: tuple[str, ...] = ()  # of a shipped mapping: columns that tell its files

    def patient_of(self, name: str) -> str:
        """Return the pseudonym that a file's name stands for."""
        found = re.fullmatch(self.patient, name) if self.patient else None
        return found[1] if found else name


@dataclass(frozen=True, slots=True)
class _Shipped:
    name: str
    mapping: Mapping
    columns: frozenset[str] = field(default_factory=frozenset)


def load(path: Path) -> Mapping:
    """Return the mapping of a TOML file; `Misconfigured` says what is wrong with it."""
    try:
        return _parse(tomllib.loads(path.read_text("utf-8")))
    except (tomllib.TOMLDecodeError, msgspec.ValidationError, UnicodeDecodeError) as error:
        raise Misconfigured(f"{path}: no mapping of columns: {error}") from error


def recognise(path: Path) -> tuple[str, Mapping] | None:
    """Return the shipped mapping, with its name, that fits a CSV file's header; None: none."""
    columns = set(header(path))
    for shipped in _shipped():
        if shipped.columns <= columns:
            return shipped.name, shipped.mapping
    return None


def header(path: Path) -> list[str]:
    """Return the names in the first line of a CSV file, plain or gzip."""
    import csv

    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            line = file.readline(HEADER_BYTES_MAX)
        text = line.decode("utf-8-sig")
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise Unreadable(f"{path}: no CSV text in its first line: {error}") from error
    return [name.strip() for name in next(csv.reader([text]), [])]


def _parse(content: dict[str, Any]) -> Mapping:
    mapping = msgspec.convert(content, Mapping)
    if not mapping.time.column and not mapping.rate_hz:
        raise msgspec.ValidationError("neither [time] column nor rate_hz: when was a row taken?")
    if mapping.time.unit == "ticks" and mapping.time.rate_hz <= 0:
        raise msgspec.ValidationError('[time] unit = "ticks" needs rate_hz above 0')
    if mapping.time.unit not in (*UNITS_NS, "iso", "ticks"):
        known = ", ".join((*UNITS_NS, "iso", "ticks"))
        raise msgspec.ValidationError(f"[time] unit {mapping.time.unit!r}, expected one of {known}")
    if mapping.patient and re.compile(mapping.patient).groups < 1:
        raise msgspec.ValidationError("patient: a regular expression with a group ( ) is needed")
    return mapping


UNITS_NS = {"ns": 1.0, "us": 1e3, "ms": 1e6, "s": 1e9, "min": 60e9, "h": 3600e9}


@cache
def _shipped() -> tuple[_Shipped, ...]:
    found = []
    folder = resources.files("telesurv.importers") / SHIPPED
    for file in sorted(folder.iterdir(), key=lambda f: f.name):
        mapping = _parse(tomllib.loads(file.read_text("utf-8")))
        assert mapping.recognise, f"{file.name} does not say which files it is for"
        found.append(
            _Shipped(file.name.removesuffix(".toml"), mapping, frozenset(mapping.recognise))
        )
    return tuple(found)
