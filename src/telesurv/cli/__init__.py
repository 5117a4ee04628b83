"""The command `telesurv`: one file a command, loaded only when it is called.

Commands parse options, call one function of the package, and say what came of it. `main` turns
what is raised into an exit code and one line: 2 for `Misconfigured` and wrong options, 130 for
Ctrl-C, 1 for the rest (with `--traceback`, or log level debug, the whole trace).
"""

import difflib
import importlib
from collections.abc import Sequence

import click

from telesurv import __version__

COMMANDS = {
    "demo": "Play simulated patients, service and console on this machine; no broker needed.",
    "import": "Read WFDB, EDF and CSV recordings into Parquet.",
    "record": "Write a topic of frames to Parquet as it comes.",
    "simulate": "Make realistic patients with scripted events, to Parquet or to Kafka.",
    "replay": "Play recordings through the engine, or into Kafka.",
    "annotate": "Find beats and rhythms of WFDB records, as standard annotation files.",
    "evaluate": "Score what is found in WFDB records against what experts say of them.",
    "serve": "Run a worker: frames in from Kafka, alerts out.",
    "console": "Show alerts and trends in the browser.",
    "topics": "Create the topics, or list them.",
    "plan": "Put a patient's plan, or print the plans' schema.",
    "schema": "Print the JSON Schema of alerts, numerics, heartbeats or plans.",
    "warm": "Compile the kernels, so that later starts only load them.",
    "check-config": "Say which settings are in force, and where they come from.",
}
"""Name → what the list of commands says of it; the command's own first line, a test holds."""

EPILOG = """\b
Examples:
  telesurv demo
  telesurv import records/ --out imported
  telesurv replay imported --alerts alerts.jsonl
  TELESURV_BOOTSTRAP=kafka:9092 telesurv serve

Settings come from options, the environment (TELESURV_…) and a TOML file (TELESURV_CONFIG);
`telesurv check-config` shows them."""


class Commands(click.Group):
    """A group that imports a command's module only when that command is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command; None where there is none of this name."""
        if cmd_name not in COMMANDS:
            return None
        stem = {"import": "import_"}.get(cmd_name, cmd_name.replace("-", "_"))
        command: click.Command = importlib.import_module(f"telesurv.cli.{stem}").command
        for leaf in command.commands.values() if isinstance(command, click.Group) else [command]:
            if not any(option.name == "traceback" for option in leaf.params):
                leaf.params.append(_traceback_option())
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; for a name that is none, say the nearest."""
        near = difflib.get_close_matches(args[0], COMMANDS, 1)
        if args[0] not in COMMANDS and near:
            ctx.fail(f"No such command {args[0]!r}. Did you mean {near[0]!r}?")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list from the table: the commands themselves stay unloaded."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def _traceback_option() -> click.Option:
    def remember(ctx: click.Context, option: click.Parameter, wanted: bool) -> None:
        if wanted:
            ctx.find_root().meta["telesurv.traceback"] = True

    return click.Option(
        ["--traceback"],
        is_flag=True,
        expose_value=False,
        is_eager=True,
        callback=remember,
        help="Show where an error came from.",
    )


@click.group(cls=Commands, epilog=EPILOG, context_settings={"max_content_width": 100})
@click.version_option(__version__, prog_name="telesurv", message="%(prog)s %(version)s")
def telesurv() -> None:
    """Continuous vitals of patients at home: signals in over Kafka, alerts out."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit."""
    from telesurv.cli._run import run

    raise SystemExit(run(telesurv, arguments))
