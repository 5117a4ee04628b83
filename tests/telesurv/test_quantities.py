"""Durations and sizes carry their unit, both ways."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telesurv.quantities import (
    duration_ns,
    duration_s,
    show_duration,
    show_size,
    size_bytes,
)


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("5m", 300 * 10**9),
        ("250ms", 250 * 10**6),
        ("1h30m", 5400 * 10**9),
        ("1.5h", 5400 * 10**9),
        ("0s", 0),
        ("2d", 172_800 * 10**9),
        ("0.3ms", 300_000),
    ],
)
def test_durations(text: str, ns: int) -> None:
    assert duration_ns(text) == ns


@pytest.mark.parametrize("text", ["", "5", "5 m", "m", "-5m", "5M", "5min", "1e3s", "5m3", "٣s"])
def test_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="expected a duration with its unit"):
        duration_ns(text)


@pytest.mark.parametrize(
    ("text", "size"), [("16MiB", 16 << 20), ("64MB", 64_000_000), ("1.5KiB", 1536), ("7 B", 7)]
)
def test_sizes(text: str, size: int) -> None:
    assert size_bytes(text) == size


@pytest.mark.parametrize("text", ["", "16", "16mib", "16M", "-1B"])
def test_no_size(text: str) -> None:
    with pytest.raises(ValueError, match="expected a size with its unit"):
        size_bytes(text)


@given(st.integers(0, 10**9))
def test_what_is_shown_reads_back(number: int) -> None:
    assert duration_s(show_duration(number / 1000)) == number / 1000
    assert size_bytes(show_size(number)) == number
