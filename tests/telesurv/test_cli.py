"""The command line: lazy, with exit codes and messages that say what to do."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest

from telesurv.cli import COMMANDS, _run, main, telesurv
from telesurv.cli._output import table
from telesurv_streams.log import Misconfigured

HEAVY = {"numba", "pyarrow", "neurokit2", "scipy", "numpy", "kafka", "starlette", "rich", "wfdb"}
ENVIRON = {k: v for k, v in os.environ.items() if not k.startswith("TELESURV_")}


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("TELESURV_"):
            monkeypatch.delenv(name)


def loaded_by(code: str) -> set[str]:
    """Which heavy packages a fresh process has loaded after running code."""
    script = f"import sys\n{code}\nprint(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, env=ENVIRON
    )
    return HEAVY & {name.partition(".")[0] for name in done.stdout.split()}


def outcome(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as stop:
        main(words)
    written = capsys.readouterr()
    assert isinstance(stop.value.code, int)
    return stop.value.code, written.out, written.err


def test_help_loads_nothing_heavy() -> None:
    code = """
from telesurv.cli import main
try:
    main(["--help"])
except SystemExit as stop:
    assert stop.code == 0
"""
    assert loaded_by(code) == set()


@pytest.mark.parametrize("name", COMMANDS)
def test_a_commands_own_help_loads_nothing_heavy_and_reads_well(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    command = telesurv.get_command(click.Context(telesurv), name)
    assert command is not None
    assert command.help is not None
    assert command.help.splitlines()[0] == COMMANDS[name]
    assert "Examples:\n  telesurv" in (command.epilog or ""), "the epilog shows how it is called"
    leaves = command.commands.values() if isinstance(command, click.Group) else [command]
    for leaf in leaves:
        for option in leaf.params:
            assert not isinstance(option, click.Option) or option.help or option.show_default
    code, out, _ = outcome(capsys, name, "--help")
    assert code == 0
    assert f"Usage: telesurv {name}" in out


def test_no_commands_module_loads_anything_heavy() -> None:
    code = f"""
import click
from telesurv.cli import telesurv
for name in {list(COMMANDS)}:
    telesurv.get_command(click.Context(telesurv), name)
"""
    assert loaded_by(code) == set()


def test_misconfigured_ends_with_2_and_names_the_setting(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, out, err = outcome(capsys, "serve")
    assert (code, out) == (2, "")
    assert err.startswith("telesurv: setting bootstrap is empty")
    code, _, err = outcome(capsys, "serve", "--poll-timeout", "5")
    assert code == 2
    assert "setting poll_timeout (--poll-timeout): saw '5'" in err
    assert "Traceback" not in err


@pytest.mark.parametrize("words", [("nonsense",), ("serve", "--bootstarp", "x"), ("import",)])
def test_wrong_use_ends_with_2(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = outcome(capsys, *words)
    assert code == 2
    assert "Usage: telesurv" in err


def raising(error: BaseException) -> click.Group:
    @click.group(cls=type(telesurv))
    def group() -> None:
        pass

    @group.command("check-config")
    def command() -> None:
        raise error

    group.get_command = lambda ctx, name: command  # type: ignore[method-assign]
    return group


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (Misconfigured("setting x: no"), 2, "telesurv: setting x: no"),
        (ValueError("two\nlines"), 1, "telesurv: ValueError: two lines (--traceback shows where)"),
        (AssertionError(), 1, "telesurv: a fault of telesurv itself: no further words"),
        (KeyboardInterrupt(), 130, "telesurv: interrupted"),
        (click.ClickException("no"), 1, "Error: no"),
        (SystemError("odd"), 1, "telesurv: SystemError: odd"),
    ],
)
def test_what_is_raised_becomes_a_code_and_one_line(
    error: BaseException, code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run.run(raising(error), ["check-config"]) == code
    err = capsys.readouterr().err.strip()
    assert err.startswith(message)
    assert "\n" not in err


def test_the_trace_is_shown_when_asked_for(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code, _, err = outcome(capsys, "serve", "--traceback")
    assert code == 2
    assert "Traceback" in err
    monkeypatch.setenv("TELESURV_LOG_LEVEL", "debug")
    assert "Traceback" in outcome(capsys, "serve")[2]


def test_check_config_shows_values_and_where_they_come_from(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TELESURV_SASL_PASSWORD", "hunter2")
    monkeypatch.setenv("TELESURV_GROUP", "night")
    config = tmp_path / "t.toml"
    config.write_text('in_flight_bytes = "1MiB"\n')
    words = ("check-config", "--config", str(config), "--poll-timeout", "1s", "--json")
    code, out, _ = outcome(capsys, *words)
    shown: dict[str, dict[str, Any]] = json.loads(out)
    assert code == 0
    assert shown["group"] == {"value": "night", "from": "environment TELESURV_GROUP"}
    assert shown["in_flight_bytes"] == {"value": "1MiB", "from": f"file {config}"}
    assert shown["poll_timeout"] == {"value": "1s", "from": "--poll-timeout"}
    assert shown["batch_records"] == {"value": "2000", "from": "default"}
    code, out, _ = outcome(capsys, *words[:-1])
    assert "sasl_password        ********" in out
    assert "hunter2" not in out
    config.write_text('in_flight = "1MiB"\n')
    code, _, err = outcome(capsys, *words)
    assert code == 2
    assert "did you mean in_flight_bytes?" in err


def test_plans_are_checked_before_any_is_put(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    good.write_text('{"patient": "p-07", "version": 3}')
    bad.write_text('{"patient": "p 07", "version": 3}')
    assert outcome(capsys, "plan", "put", str(good), "--check", "--json") == (
        0,
        '{"p-07": 3}\n',
        "",
    )
    code, _, err = outcome(capsys, "plan", "put", str(good), str(bad), "--bootstrap", "none:1")
    assert code == 1
    assert str(bad) in err
    assert "patient" in err
    code, out, _ = outcome(capsys, "plan", "schema")
    assert "expected_interval" in json.loads(out)["$defs"]["Plan"]["properties"]


def test_an_output_that_is_closed_early_is_no_error() -> None:
    script = f"{sys.executable} -m telesurv.cli check-config --json | true"
    done = subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, check=False, env=ENVIRON
    )
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("text", "factor"), [("max", None), ("1", 1.0), ("60x", 60.0), ("0.5", 0.5)]
)
def test_speed(text: str, factor: float | None) -> None:
    assert _run.SPEED.convert(text, None, None) == factor


@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "fast"])
def test_no_speed(text: str) -> None:
    with pytest.raises(click.BadParameter, match="expected max, or a factor"):
        _run.SPEED.convert(text, None, None)


def test_instants_are_utc_unless_they_say_otherwise() -> None:
    convert = _run.INSTANT.convert
    assert convert("2000-01-01T00:00:00Z", None, None) == 946_684_800 * 10**9
    assert convert("2000-01-01", None, None) == 946_684_800 * 10**9
    assert convert("2000-01-01T01:00:00.5+01:00", None, None) == 946_684_800_500_000_000
    with pytest.raises(click.BadParameter, match="expected for example"):
        convert("yesterday", None, None)


def test_a_table_is_as_wide_as_its_cells() -> None:
    assert table([("a", "bb"), ("ccc", "d")], ("x", "y")) == "x    y\na    bb\nccc  d"


def test_a_mistyped_command_is_told_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = outcome(capsys, "simulte")
    assert code == 2
    assert "No such command 'simulte'. Did you mean 'simulate'?" in err
