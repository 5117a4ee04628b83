"""The documentation names what there is: settings, commands, kernels, conditions, files."""

import re
from pathlib import Path

import click
import pytest

from telesurv.alerts.conditions import CONDITIONS
from telesurv.cli import COMMANDS, telesurv
from telesurv.settings import SETTINGS
from telesurv.simulate.script import EVENTS
from telesurv_kernels.registry import KERNELS
from telesurv_streams.topics import topics

ROOT = Path(__file__).parents[1]
FOLDERS = ("src", "streams", "kernels", "tests", "benchmarks", "docker")
PAGES = [
    *ROOT.glob("*.md"),
    *(page for folder in FOLDERS for page in (ROOT / folder).rglob("*.md")),
]
TEXT = "\n".join(page.read_text() for page in PAGES if page.name != "CHANGELOG.md")


@pytest.mark.parametrize("name", SETTINGS)
def test_a_setting_is_documented_as_it_is(name: str) -> None:
    row = SETTINGS[name]
    default = row.show(row.default)
    form = row.form.unit.replace("|", r"\|")
    line = f"| `{name}` | {form} | {f'`{default}`' if default else ''} | {row.help} |"
    assert line in TEXT, f"no README has this row of settings:\n{line}"


def test_no_page_speaks_of_settings_that_are_not_there() -> None:
    others = {"TELESURV_CONFIG", "TELESURV_RECORDINGS", "TELESURV_TEST_BOOTSTRAP"}
    known = {row.variable for row in SETTINGS.values()} | others
    named = set(re.findall(r"\bTELESURV_[A-Z_]*[A-Z]\b", TEXT))
    assert named <= known, f"unknown: {sorted(named - known)}"


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_and_each_of_its_own_is_documented(name: str) -> None:
    assert f"| `telesurv {name}` | {COMMANDS[name]} |" in TEXT
    command = telesurv.get_command(click.Context(telesurv), name)
    if isinstance(command, click.Group):
        for below in command.commands:
            assert f"`telesurv {name} {below}`" in TEXT


def test_every_command_that_a_page_shows_exists() -> None:
    shown = re.findall(r"^\s*(?:\$ )?telesurv ([a-z][a-z-]*)", TEXT, re.MULTILINE)
    shown += re.findall(r"`telesurv ([a-z][a-z-]*)", TEXT)
    assert set(shown) <= set(COMMANDS)


@pytest.mark.parametrize("name", KERNELS)
def test_a_kernel_has_a_row_that_leads_to_it(name: str) -> None:
    rows = re.findall(rf"^\| \[`{name}`\]\(.*{name}\.py\)", TEXT, re.MULTILINE)
    assert rows, f"kernels/README.md has no row of {name}"


@pytest.mark.parametrize("name", [*CONDITIONS, *EVENTS])
def test_a_condition_and_an_event_has_a_row(name: str) -> None:
    assert re.search(rf"^\| `{name}` \|", TEXT, re.MULTILINE)


@pytest.mark.parametrize("name", [row.name for row in topics()])
def test_a_topic_is_named(name: str) -> None:
    assert f"`{name}`" in TEXT


def test_conditions_have_the_priority_that_the_page_says() -> None:
    for condition in CONDITIONS.values():
        row = f"| `{condition.name}` | {condition.kind} | {condition.priority} |"
        assert row in TEXT, row


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s#]+)[^)]*\)", page.read_text()):
        if "://" not in target and not target.startswith("mailto:"):
            assert (page.parent / target).exists(), f"{page}: {target}"


def test_make_targets_are_documented() -> None:
    targets = re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for target in targets:
        assert target == "help" or re.search(rf"`make [^`]*\b{target}\b", TEXT), target
