"""The one place that decides how kernels are compiled and where they are cached.

What Python calls is an `entry`: compiled with a way in from the interpreter, and cached. What
entries are made of are `kernel`s: compiled into each entry that calls them, for each types they
are called with, literals aside, and never on their own, which would take as long again. Numba
would make machine code and a way in for each, and optimise what each calls once more with it:
here an entry is optimised once, as a whole. In Python kernels run as written.

Numba invalidates a cached kernel when *its own* file changes, not when a helper that it
calls in another file does. So the cache directory carries a digest of every kernel
source file: edit any of them and the whole package compiles again.

Where the directory cannot be written (a container's image), kernels are loaded from it all the
same; one that is missing there is compiled in memory, and `telesurv warm --check` says so. Where
there is none and none can be made, every process compiles for itself.
"""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast

import numba
from numba import extending
from numba.core import cgutils
from numba.core.caching import UserProvidedCacheLocator
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.compiler_machinery import AnalysisPass, register_pass
from numba.core.typed_passes import AnnotateTypes

P = ParamSpec("P")
R = TypeVar("R")
A = TypeVar("A")

tools: Any = cgutils
overload: Any = extending.overload


def intrinsic(func: Callable[P, Any]) -> Any:
    """Let `func` say what machine code stands for a call."""
    made: Any = extending.intrinsic
    return made(func)


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

_POLICY = {"error_model": "numpy", "nogil": True, "fastmath": False, "no_cfunc_wrapper": True}

COMPILED: list[Any] = []
"""Every dispatcher that `entry` made, in order of import (for `warm` and its check)."""


class Locator(UserProvidedCacheLocator):
    """Finds our cache directory, also where it can only be read (Numba's own would give up)."""

    def ensure_cache_path(self) -> None:
        """Raise `OSError` where the directory neither is nor can be made."""
        try:
            super().ensure_cache_path()  # type: ignore[no-untyped-call]
        except OSError:
            if not Path(self.get_cache_path()).is_dir():  # type: ignore[no-untyped-call]
                raise


def keeps() -> bool:
    """Return whether what this process compiles is kept for others."""
    try:
        Path(_CACHE_ROOT).mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    disabled: bool = numba.config.DISABLE_JIT  # type: ignore[attr-defined]
    return os.access(_CACHE_ROOT, os.W_OK) and not disabled


def is_cached(func: Any) -> bool:
    """Return whether the cache holds something compiled of a kernel for this source."""
    cache = getattr(func, "_cache", None)
    if cache is None or not cache.cache_path:
        return False
    module = func.__module__.rpartition(".")[2]
    return any(Path(cache.cache_path).glob(f"{module}.{func.__qualname__}-*.nbi"))


class _Part(JITCodeLibrary):
    """The code of a kernel: linked into what calls it, and neither optimised nor built before."""

    @property
    def codegen(self) -> Any:
        """What is not built has no environment that could be set."""
        return self

    def set_env(self, name: str, environment: Any) -> None:
        """Set none."""

    def get_pointer_to_function(self, name: str) -> int:
        """Make it ready for linking; there is no machine code to point to."""
        self._ensure_finalized()  # type: ignore[no-untyped-call]
        return 0

    def _optimize_final_module(self) -> None:
        """Leave it to the entry."""

    def _finalize_final_module(self) -> None:
        self._finalize_dynamic_globals()  # type: ignore[no-untyped-call]
        self._finalized = True


@register_pass(mutates_CFG=False, analysis_only=True)  # type: ignore[no-untyped-call]
class _AsPart(AnalysisPass):
    """Lets what is compiled become a `_Part`."""

    _name = "as_part"

    def __init__(self) -> None:
        AnalysisPass.__init__(self)  # type: ignore[no-untyped-call]

    def run_pass(self, state: Any) -> bool:
        part: Any = _Part
        state.library = part(state.targetctx.codegen(), state.func_id.func_qualname)
        state.library.enable_object_caching()
        return False


class _Parts(CompilerBase):
    """Numba's passes, but for where the code goes."""

    def define_pipelines(self) -> list[Any]:
        passes = DefaultPassBuilder.define_nopython_pipeline(self.state)  # type: ignore[no-untyped-call]
        passes.add_pass_after(_AsPart, AnnotateTypes)
        passes.finalize()
        return [passes]


_WITHIN = {**_POLICY, "nopython": True, "no_cpython_wrapper": True, "pipeline_class": _Parts}


def kernel(func: Callable[P, R]) -> Callable[P, R]:
    """Let `func` be compiled into the entries that call it, by their rules."""
    overload(func, jit_options=_WITHIN, strict=False)(lambda *_, **__: func)
    return func


def borrowed(array: A) -> A:
    """Return an array whose slices count no references to its memory.

    Each slice that outlives a branch would be counted, atomically: some 10 ns, as much as the work
    on a dozen samples. The arguments of an entry are held by its caller for as long as it runs.
    """
    return array


@intrinsic
def _without_owner(_: Any, array: Any) -> Any:
    """Return an array as it is, but for whom it belongs to."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        made = context.make_array(signature.args[0])(context, builder, arguments[0])
        made.meminfo = tools.get_null_value(made.meminfo.type)
        made.parent = tools.get_null_value(made.parent.type)
        return made._getvalue()  # noqa: SLF001  # it has no other way out

    return array(array), generate


overload(borrowed)(lambda array: lambda array: _without_owner(array))


def entry(func: Callable[P, R]) -> Callable[P, R]:
    """Compile `func` in nopython mode: cached, IEEE-strict, single-threaded."""
    config: Any = numba.config
    njit: Any = numba.njit
    saved = config.CACHE_DIR, config.CACHE_LOCATOR_CLASSES
    config.CACHE_DIR = _CACHE_ROOT
    config.CACHE_LOCATOR_CLASSES = f"{__name__}.{Locator.__name__}"
    try:
        compiled = njit(cache=True, **_POLICY)(func)
    except RuntimeError:  # no locator: the directory neither is nor can be made
        compiled = njit(**_POLICY)(func)
    finally:
        config.CACHE_DIR, config.CACHE_LOCATOR_CLASSES = saved
    cache = getattr(compiled, "_cache", None)
    if cache is not None and cache.cache_path and not os.access(cache.cache_path, os.W_OK):
        cache.save_overload = _keep_nothing
    COMPILED.append(compiled)
    return cast("Callable[P, R]", compiled)


def _keep_nothing(signature: Any, result: Any) -> None:
    """Stand for Numba's saving, where the directory can only be read."""


def loads() -> tuple[int, int]:
    """Return how many signatures this process loaded from the cache, and how many it compiled."""
    counts = [dispatcher.stats for dispatcher in COMPILED if hasattr(dispatcher, "stats")]
    loaded = sum(sum(count.cache_hits.values()) for count in counts)
    compiled = sum(sum(count.cache_misses.values()) for count in counts)
    return loaded, compiled
