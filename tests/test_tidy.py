"""Reads the source and holds the house's rules that no linter knows."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("src/telesurv", "streams/telesurv_streams", "kernels/telesurv_kernels")
FOLDERS = ("src", "streams", "kernels", "tests", "benchmarks", "docker", ".ci")
TEXT = {".py", ".md", ".toml", ".yaml", ".yml", ".js", ".css", ".html", ".xml", ".lock", ""}

FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 70
# Spelled in two halves: this file is read as well.
MARKERS = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X|HA" + r"CK)\b")
HOMES = re.compile(r"/(?:ho" + r"me|Us" + r"ers)/[a-z]|/ro" + r"ot/")


def texts() -> Iterator[Path]:
    """Every text file of ours, tracked or about to be."""
    tops = [path for path in ROOT.iterdir() if path.is_file()]
    below = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.is_file()]
    for path in sorted(tops + below):
        inside = path.relative_to(ROOT)
        if "__pycache__" in inside.parts or inside.parts[:2] == ("tests", "data"):
            continue
        if path.suffix in TEXT and "\0" not in path.read_text(errors="replace")[:1024]:
            yield path


def sources() -> Iterator[tuple[Path, ast.Module]]:
    for path in texts():
        if path.suffix == ".py":
            yield path, ast.parse(path.read_text(), str(path))


def too_long(tree: ast.Module) -> list[str]:
    """Functions over the limit; compiled kernels are the place where long ones are right."""
    return [
        f"{node.lineno}: {node.name} has {lines} lines (at most {FUNCTION_LINES_MAX})"
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (lines := (node.end_lineno or node.lineno) - node.lineno + 1) > FUNCTION_LINES_MAX
        and not any(
            isinstance(d, ast.Name) and d.id in {"entry", "kernel"} for d in node.decorator_list
        )
    ]


def names_used(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            yield node.lineno, node.id
        elif isinstance(node, ast.Attribute):
            yield node.lineno, node.attr
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.lineno, alias.name) for alias in node.names)


def asks_the_time(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Where a wall clock is asked through the type datetime, which import contracts allow."""
    for node in ast.walk(tree):
        called = node.func if isinstance(node, ast.Call) else None
        if isinstance(called, ast.Attribute) and called.attr in {"now", "utcnow", "today"}:
            yield called.lineno, called.attr


def headings(markdown: str) -> list[str]:
    """Lines of level one outside of code blocks."""
    outside = re.sub(r"^(```|~~~).*?^\1", "", markdown, flags=re.MULTILINE | re.DOTALL)
    return re.findall(r"^# .+", outside, flags=re.MULTILINE)


def place(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_files_and_functions_fit_in_a_head() -> None:
    faults = []
    for path, tree in sources():
        lines = len(path.read_text().splitlines())
        if lines > FILE_LINES_MAX:
            faults.append(f"{place(path)}: {lines} lines (at most {FILE_LINES_MAX})")
        faults += [f"{place(path)}:{fault}" for fault in too_long(tree)]
    assert not faults, "\n".join(faults)


def test_only_jit_compiles_and_packages_do_not_print() -> None:
    faults = []
    for path, tree in sources():
        packaged = any(place(path).startswith(package) for package in PACKAGES)
        for line, name in names_used(tree):
            if name in {"njit", "jit", "guvectorize"} and path.name != "_jit.py" and packaged:
                faults.append(f"{place(path)}:{line}: {name} is _jit.py's; use @entry or @kernel")
            if name in {"print", "breakpoint"} and packaged:
                faults.append(f"{place(path)}:{line}: {name} in a package; log or click.echo")
    assert not faults, "\n".join(faults)


def test_what_decides_asks_no_clock() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    (core,) = (c for c in contracts["contracts"] if c["id"] == "sans-io-core")
    modules = tuple(module.replace(".", "/") for module in core["source_modules"])
    judged, faults = set[str](), []
    for path, tree in sources():
        inside = place(path).partition("/")[2].removesuffix(".py")
        if found := [m for m in modules if inside == m or inside.startswith(m + "/")]:
            judged.update(found)
            faults += [f"{place(path)}:{line}: {name}" for line, name in asks_the_time(tree)]
    assert judged == set(modules)
    assert not faults, "\n".join(faults)


def test_nothing_is_left_lying_about() -> None:
    faults = [
        f"{place(path)}:{number}: {line.strip()[:80]}"
        for path in texts()
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1)
        if MARKERS.search(line) or HOMES.search(line)
    ]
    assert not faults, "markers, or paths of one machine:\n" + "\n".join(faults)


def test_a_document_has_one_title() -> None:
    faults = [
        f"{place(path)}: {found or 'none'}"
        for path in texts()
        if path.suffix == ".md" and len(found := headings(path.read_text())) != 1
    ]
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize("package", PACKAGES)
def test_packages_are_typed_and_every_folder_is_one(package: str) -> None:
    assert (ROOT / package / "py.typed").exists()
    folders = {path.parent for path in (ROOT / package).rglob("*.py")}
    assert [place(folder) for folder in folders if not (folder / "__init__.py").exists()] == []


def test_the_tests_above_can_fail() -> None:
    long = ast.parse("def f():\n" + "    x = 1\n" * 70)
    assert too_long(long)
    assert not too_long(ast.parse("@kernel\ndef f():\n" + "    x = 1\n" * 90))
    assert (1, "njit") in set(names_used(ast.parse("from numba import njit")))
    assert (1, "njit") in set(names_used(ast.parse("numba.njit(f)")))
    assert list(asks_the_time(ast.parse("datetime.now(UTC)"))) == [(1, "now")]
    assert MARKERS.search("# FIX" + "ME: later")
    assert HOMES.search("see /ho" + "me/someone/file")
    assert headings("# One\n```sh\n# not one\n```\n# Two\n") == ["# One", "# Two"]
