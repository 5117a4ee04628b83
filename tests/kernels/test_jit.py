"""The compile policy: where compiled kernels lie, and what happens where they cannot."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import numpy as np
from telesurv_kernels import _jit, quality, registry
registry.arguments(quality)
quality.advance(*registry.arguments(quality).values())
print(*_jit.loads())
"""


def loads(cache: str, **environ: str) -> tuple[int, ...]:
    """Kernels that a fresh process loaded and compiled, calling quality alone."""
    variables = {**os.environ, "NUMBA_CACHE_DIR": cache, **environ}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=variables, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return tuple(map(int, done.stdout.split()))


@pytest.mark.slow
def test_a_kernel_is_compiled_once_and_loaded_ever_after(tmp_path: Path) -> None:
    loaded, compiled = loads(str(tmp_path))
    assert loaded == 0
    assert compiled > 0
    assert loads(str(tmp_path))[1] == 0
    assert len(list(tmp_path.iterdir())) == 1, "one folder, named by the digest of the sources"


@pytest.mark.slow
def test_without_a_place_for_the_cache_every_process_compiles_and_works(tmp_path: Path) -> None:
    file = tmp_path / "a-file"
    file.write_text("")
    for _ in range(2):
        loaded, compiled = loads(str(file / "below"))
        assert loaded == 0
        assert compiled > 0


def test_uncompiled_there_is_nothing_to_count(tmp_path: Path) -> None:
    assert loads(str(tmp_path), NUMBA_DISABLE_JIT="1") == (0, 0)
