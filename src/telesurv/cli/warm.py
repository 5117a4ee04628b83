"""`telesurv warm`: compile the kernels, or check that nothing is left to compile."""

import click

from telesurv.cli._output import result
from telesurv.cli._run import with_settings
from telesurv.settings import Settings

EPILOG = """\b
Examples:
  telesurv warm
  telesurv warm --check     ends with 1 where something had to be compiled

Compiled kernels fit one CPU and one version of the kernels' sources. In a container: compile at
build, with NUMBA_CPU_NAME and an empty NUMBA_CPU_FEATURES, as docker/README.md says."""


@click.command("warm", epilog=EPILOG)
@click.option("--check", is_flag=True, help="End with 1 where something had to be compiled.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@with_settings("cache_dir")
def command(settings: Settings, check: bool, as_json: bool) -> int:
    """Compile the kernels, so that later starts only load them."""
    from telesurv.warming import warm
    from telesurv_kernels import _jit

    warm()
    loaded, compiled = _jit.loads()
    fields = {"cache": str(_jit.cache_root()), "loaded": loaded, "compiled": compiled}
    result(as_json, fields, f"{loaded} loaded, {compiled} compiled, in {fields['cache']}")
    return 1 if check and compiled else 0
