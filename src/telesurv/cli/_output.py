"""What commands show: progress bars on standard error, results on standard output."""

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import click

Advance = Callable[[float, float, str], None]
"""Called with how much is done, of how much (0: unknown), and what is being done."""


@contextmanager
def progress(label: str) -> Iterator[Advance]:
    """Show a bar while the block runs; nothing when standard error is no terminal."""
    if not sys.stderr.isatty():
        yield lambda done, total, text: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[now]}", style="dim"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task(label, total=None, now="")

        def advance(done: float, total: float, text: str) -> None:
            bars.update(task, completed=done, total=total or None, now=text)

        yield advance


def result(as_json: bool, fields: Mapping[str, Any], sentence: str, *, err: bool = False) -> None:
    """Say what came of it: one JSON object for a script, one sentence for a person."""
    text = json.dumps(fields, ensure_ascii=False, default=str) if as_json else sentence
    click.echo(text, err=err)


def table(rows: Sequence[tuple[str, ...]], heads: tuple[str, ...]) -> str:
    """Return rows as columns of text, each as wide as its widest cell."""
    lines = [heads, *rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(heads))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def counted(number: int, noun: str) -> str:
    """Return `1 patient`, `2 patients`."""
    return f"{number} {noun}" + ("" if number == 1 else "s")
