"""Pieces of the page of results."""

from typing import Any


def middle(spread: dict[str, float], digits: int = 0) -> str:
    """Return a median with its range."""
    text = f"{spread['median']:,.{digits}f}"
    if spread["runs"] == 1:
        return text
    return f"{text} ({spread['low']:,.{digits}f} to {spread['high']:,.{digits}f})"


def table(head: list[str], rows: list[list[str]]) -> str:
    """Return a table whose first column is text, and the others numbers."""
    lines = [head, ["---", *["--:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def sentence(text: str) -> str:
    """Return a text with its first letter large, and the others as they are."""
    return text[:1].upper() + text[1:]


def about(section: dict[str, Any]) -> str:
    """Return on what, and with what, a section was measured."""
    found = section["about"]
    machine, versions = found["machine"], found["versions"]
    quick = " A quick run: its figures say little." if section["quick"] else ""
    return (
        f"<sub>{machine['processor']}, {machine['cores']} cores, {machine['memory_gib']} GiB, "
        f"{machine['system']}, load {machine['load']}; "
        + ", ".join(f"{name} {version}" for name, version in versions.items())
        + f"; seed {found['seed']}.{quick}</sub>\n"
    )
