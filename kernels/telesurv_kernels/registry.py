"""Every kernel by name, and what compiles them all."""

import inspect
import sys
from collections.abc import Iterable
from types import ModuleType
from typing import Any

import numpy as np

from telesurv_kernels import (
    _dtypes,
    atrial,
    beats,
    classes,
    ectopy,
    fibrillation,
    leads,
    quality,
    readable,
    rhythm,
    silence,
    spo2,
)

KERNELS: dict[str, ModuleType] = {
    "quality": quality,
    "beats": beats,
    "classes": classes,
    "fibrillation": fibrillation,
    "leads": leads,
    "rhythm": rhythm,
    "readable": readable,
    "ectopy": ectopy,
    "atrial": atrial,
    "spo2": spo2,
    "silence": silence,
}
"""Name of a kernel -> its module; read by tests, benchmarks and documentation."""


def arguments(module: ModuleType) -> dict[str, Any]:
    """Return empty arguments of a kernel's `advance`, by name, with its real types.

    The names are the contract: `kernels/README.md`.
    """
    made: dict[str, Any] = {
        "state": np.zeros(1, module.STATE),
        "params": np.zeros(1, module.PARAMS),
        "segments": np.zeros(0, _dtypes.SEGMENT),
        "events": np.zeros(0, getattr(module, "EVENT", _dtypes.EVENT)),
        "samples": np.zeros(0, np.int16),
        "mask": np.zeros(0, np.uint8),
        "time_ns": np.zeros(0, np.int64),
        "findings": np.zeros(0, getattr(module, "FINDING", _dtypes.FINDING)),
    }
    return {name: made[name] for name in inspect.signature(module.advance).parameters}


def warm(names: Iterable[str] = KERNELS) -> None:
    """Compile kernels for the types that the engine calls them with, or load them."""
    for name in names:
        KERNELS[name].advance(*arguments(KERNELS[name]).values())


if __name__ == "__main__":
    warm(sys.argv[1:])
