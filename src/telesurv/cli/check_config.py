"""`telesurv check-config`: the settings in force, and where each comes from."""

from pathlib import Path
from typing import Any

import click

from telesurv.cli._output import result, table
from telesurv.cli._run import setting_options
from telesurv.settings import SECRET, SETTINGS, load

EPILOG = """\b
Examples:
  telesurv check-config --config telesurv.toml
  telesurv check-config --json | jq .checkpoint_interval.value

Ends with 2 and the setting's name where something is wrong."""

OPTIONS = tuple(name for name, row in SETTINGS.items() if row.form is not SECRET)


@click.command("check-config", epilog=EPILOG)
@setting_options(*OPTIONS)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def command(config: Path | None, as_json: bool, **texts: str | None) -> None:
    """Say which settings are in force, and where they come from."""
    loaded = load(texts, config=config)
    shown: dict[str, dict[str, Any]] = {
        name: {"value": row.show(getattr(loaded.settings, name)), "from": loaded.origins[name]}
        for name, row in SETTINGS.items()
    }
    rows = [(name, entry["value"], entry["from"]) for name, entry in shown.items()]
    result(as_json, shown, table(rows, ("setting", "value", "from")))
