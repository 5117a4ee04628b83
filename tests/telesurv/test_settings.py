"""Precedence, units, unknown names and secrets of the table of settings."""

import dataclasses
from pathlib import Path

import pytest

from telesurv.settings import SETTINGS, Secret, Settings, load
from telesurv_streams.log import Misconfigured


def test_an_option_wins_over_environment_over_file_over_default(tmp_path: Path) -> None:
    config = tmp_path / "telesurv.toml"
    config.write_text('poll_timeout = "1s"\ngroup = "of-file"\nnamespace = "of-file"\n')
    environ = {"TELESURV_GROUP": "of-env", "TELESURV_NAMESPACE": "of-env"}
    loaded = load({"namespace": "of-option", "group": None}, environ, config)
    assert loaded.settings.namespace == "of-option"
    assert loaded.settings.group == "of-env"
    assert loaded.settings.poll_timeout == 1.0
    assert loaded.settings.batch_records == 2000
    assert loaded.origins["namespace"] == "--namespace"
    assert loaded.origins["group"] == "environment TELESURV_GROUP"
    assert loaded.origins["poll_timeout"] == f"file {config}"
    assert loaded.origins["batch_records"] == "default"


def test_the_file_is_named_by_the_environment_too(tmp_path: Path) -> None:
    config = tmp_path / "t.toml"
    config.write_text("console_port = 9000\n")
    assert load(environ={"TELESURV_CONFIG": str(config)}).settings.console_port == 9000


def test_every_default_reads_back_from_how_it_is_shown() -> None:
    for row in SETTINGS.values():
        if not isinstance(row.default, Secret):
            assert row.read(row.show(row.default), "here") == row.default, row.name
    assert [f.name for f in dataclasses.fields(Settings)] == list(SETTINGS)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("checkpoint_interval", "30", "duration with its unit"),
        ("checkpoint_interval", "30 sec", "duration with its unit"),
        ("checkpoint_interval", "0s", "from 1s to 10m"),
        ("heartbeat_interval", "5h", "from 1s to 1m"),
        ("in_flight_bytes", "16777216", "size with its unit"),
        ("in_flight_bytes", "16mb", "size with its unit"),
        ("console_port", "eighty", "whole number from 0 to 65535"),
        ("console_port", "70000", "whole number from 0 to 65535"),
        ("frame_partitions", "0", "whole number from 1"),
        ("security_protocol", "TLS", "one of PLAINTEXT, SSL"),
        ("language", "de", "one of en, fr"),
        ("bootstrap", "kafka", "host:port"),
        ("bootstrap", "a:1,,b:2", "host:port"),
        ("group", "a b", "letters"),
    ],
)
def test_a_wrong_value_names_setting_origin_seen_and_expected(
    name: str, value: str, expected: str
) -> None:
    variable = SETTINGS[name].variable
    with pytest.raises(Misconfigured) as caught:
        load(environ={variable: value})
    message = str(caught.value)
    for part in (f"setting {name} ", f"environment {variable}", repr(value), expected):
        assert part in message


@pytest.mark.parametrize("text", ["poll_timeout = 200", "poll_timeout = 0.2", "group = true"])
def test_a_bare_number_or_another_type_in_the_file_is_refused(tmp_path: Path, text: str) -> None:
    config = tmp_path / "t.toml"
    config.write_text(text + "\n")
    with pytest.raises(Misconfigured, match=rf"setting {text.split()[0]} \(file .*saw"):
        load(environ={}, config=config)


def test_unknown_names_are_refused_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="did you mean TELESURV_BOOTSTRAP"):
        load(environ={"TELESURV_BOOTSTARP": "a:1"})
    config = tmp_path / "t.toml"
    config.write_text('pol_timeout = "1s"\n')
    with pytest.raises(Misconfigured, match=r"unknown setting pol_timeout .*poll_timeout"):
        load(environ={}, config=config)
    config.write_text("not toml")
    with pytest.raises(Misconfigured, match="not TOML"):
        load(environ={}, config=config)
    with pytest.raises(Misconfigured, match="No such file"):
        load(environ={}, config=tmp_path / "none.toml")


def test_what_kubernetes_puts_into_the_environment_is_no_setting() -> None:
    links = {
        "TELESURV_SERVICE_HOST": "10.0.0.1",
        "TELESURV_SERVICE_PORT": "8600",
        "TELESURV_PORT": "tcp://10.0.0.1:8600",
        "TELESURV_PORT_8600_TCP_ADDR": "10.0.0.1",
        "TELESURV_CONSOLE_PORT": "tcp://10.0.0.2:8600",
    }
    assert load(environ=links).settings.console_port == 8600
    assert load(environ={"TELESURV_CONSOLE_PORT": "81"}).settings.console_port == 81


def test_secrets_do_not_show() -> None:
    environ = {
        "TELESURV_SECURITY_PROTOCOL": "SASL_SSL",
        "TELESURV_SASL_USERNAME": "worker",
        "TELESURV_SASL_PASSWORD": "hunter2",
    }
    loaded = load(environ=environ)
    assert loaded.settings.sasl_password.reveal() == "hunter2"
    shown = SETTINGS["sasl_password"].show(loaded.settings.sasl_password)
    for text in (repr(loaded), f"{loaded.settings.sasl_password}", shown):
        assert "hunter2" not in text
    assert shown == "********"
    del environ["TELESURV_SASL_PASSWORD"]
    with pytest.raises(Misconfigured, match="sasl_password"):
        load(environ=environ)


def test_slices_come_within_a_checkpoint() -> None:
    with pytest.raises(Misconfigured, match=r"slice_interval: saw 20s.*checkpoint_interval, 10s"):
        load({"slice_interval": "20s", "checkpoint_interval": "10s"}, {})


def test_no_setting_speaks_of_silence() -> None:
    """French law asks for it: what may be set is the plan's interval, not whether to judge."""
    for row in SETTINGS.values():
        words = row.name + " " + row.help.lower()
        assert not any(w in words for w in ("silence", "transmission", "disable", "tick"))


def test_a_zone_that_nobody_knows_is_refused_before_the_console_starts() -> None:
    assert load({"timezone": "Europe/Paris"}, environ={}).settings.timezone == "Europe/Paris"
    for text in ("Mars/Crater", "../etc/passwd"):
        with pytest.raises(Misconfigured, match=r"setting timezone .*expected a name such as"):
            load({"timezone": text}, environ={})
