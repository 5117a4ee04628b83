"""Durations and sizes as people write them: `5m`, `1h30m`, `250ms`, `16MiB`. Never bare numbers."""

import re
from fractions import Fraction

NS = {
    "ns": 1,
    "us": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
    "d": 86_400_000_000_000,
}
"""Nanoseconds of each unit of time."""

BYTES = {
    "B": 1,
    "kB": 1000,
    "MB": 1000**2,
    "GB": 1000**3,
    "KiB": 1 << 10,
    "MiB": 1 << 20,
    "GiB": 1 << 30,
}
"""Bytes of each unit of size."""

DURATION_EXPECTED = "a duration with its unit, such as 250ms, 30s, 5m, 1h30m"
SIZE_EXPECTED = "a size with its unit, such as 512KiB, 16MiB, 64MB"

_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ns|us|ms|s|m|h|d)")
_DURATION = re.compile(rf"(?:{_PART.pattern})+")
_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?(B|kB|MB|GB|KiB|MiB|GiB)")


def duration_ns(text: str) -> int:
    """Return nanoseconds of a duration such as `1h30m`.

    Raises
    ------
    ValueError
        Where a unit is missing or unknown; the message says what was seen and expected.
    """
    if not isinstance(text, str) or not _DURATION.fullmatch(text.strip()):
        raise ValueError(f"saw {text!r}, expected {DURATION_EXPECTED}")
    return sum(round(Fraction(number) * NS[unit]) for number, unit in _PART.findall(text))


def duration_s(text: str) -> float:
    """Return seconds of a duration such as `1h30m`; raises as `duration_ns`."""
    return duration_ns(text) / 1e9


def size_bytes(text: str) -> int:
    """Return bytes of a size such as `16MiB`; raises `ValueError` as `duration_ns`."""
    found = _SIZE.fullmatch(text.strip()) if isinstance(text, str) else None
    if not found:
        raise ValueError(f"saw {text!r}, expected {SIZE_EXPECTED}")
    return round(Fraction(found[1]) * BYTES[found[2]])


def show_duration(seconds: float) -> str:
    """Return seconds as `duration_s` reads them, in the largest unit that is exact."""
    ns = round(seconds * 1e9)
    unit = next(name for name in reversed(NS) if ns % NS[name] == 0) if ns else "s"
    return f"{ns // NS[unit]}{unit}"


def show_size(size: int) -> str:
    """Return bytes as `size_bytes` reads them, in the largest binary unit that is exact."""
    unit = next(name for name in ("GiB", "MiB", "KiB", "B") if size % BYTES[name] == 0)
    return f"{size // BYTES[unit]}{unit}" if size else "0B"
