"""`telesurv schema`: print the JSON Schema of what travels as JSON."""

import json

import click

EPILOG = """\b
Examples:
  telesurv schema alert > alert.schema.json
  telesurv schema plan"""

NAMES = ("alert", "numeric", "heartbeat", "plan")


@click.command("schema", epilog=EPILOG)
@click.argument("name", type=click.Choice(NAMES))
def command(name: str) -> None:
    """Print the JSON Schema of alerts, numerics, heartbeats or plans."""
    from telesurv import plans
    from telesurv.alerts import schema

    made = {**schema.SCHEMAS, "plan": plans.schema}[name]()
    click.echo(json.dumps(made, indent=2))
