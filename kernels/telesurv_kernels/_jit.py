"""The one place that decides how kernels are compiled and where they are cached.

Numba invalidates a cached kernel when *its own* file changes, not when a helper that it
calls in another file does. So the cache directory carries a digest of every kernel
source file: edit any of them and the whole package compiles again.
"""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast

import numba

P = ParamSpec("P")
R = TypeVar("R")


def source_digest() -> str:
    """Return 12 hex digits that change when any kernel source file changes."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        digest.update(path.name.encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def cache_root() -> Path:
    """Return the directory that holds compiled kernels for exactly this source."""
    base = os.environ.get("NUMBA_CACHE_DIR")
    root = Path(base) if base else Path.home() / ".cache" / "telesurv"
    return root / source_digest()


_CACHE_ROOT = str(cache_root())

COMPILED: list[Any] = []
"""Every dispatcher that `kernel` made, in order of import (for `warm` and its check)."""


def kernel(func: Callable[P, R]) -> Callable[P, R]:
    """Compile `func` in nopython mode: cached, IEEE-strict, single-threaded."""
    config: Any = numba.config
    saved, config.CACHE_DIR = config.CACHE_DIR, _CACHE_ROOT
    try:
        compiled = numba.njit(cache=True, error_model="numpy", nogil=True, fastmath=False)(func)
    finally:
        config.CACHE_DIR = saved
    COMPILED.append(compiled)
    return cast("Callable[P, R]", compiled)
