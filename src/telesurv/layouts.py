"""Layouts of struct states: their digests, and those of earlier releases by digest.

A snapshot names the layout of each of its sections. One that this release writes is copied,
one of an earlier release is taken over field by field (a field that is new stays zero), any
other one is learnt again: the state is zero but for the count of samples.
"""

import hashlib
import json
from functools import cache, lru_cache
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray

from telesurv.cascade import HEART_KERNELS, LEAD_KERNELS
from telesurv_kernels import quality, silence, spo2
from telesurv_streams.timeline import TIMELINE

LAYOUTS: dict[str, np.dtype[Any]] = {
    "timeline": TIMELINE,
    "quality": quality.STATE,
    **{name: kernel.STATE for name, kernel in (LEAD_KERNELS | HEART_KERNELS).items()},
    "spo2": spo2.STATE,
    "silence": silence.STATE,
}
"""Every section of a snapshot that is a struct, and its layout now."""


COUNTING = ("quality", "beats", "classes", "fibrillation")
"""Kernels that count all samples of their timeline: their findings name samples."""

RELEASED = "released_layouts.json"


@lru_cache(maxsize=64)
def digest(dtype: np.dtype[Any]) -> str:
    """Return 8 hex digits of a struct's fields, their types and their order."""
    return hashlib.sha256(json.dumps(dtype.descr).encode()).hexdigest()[:8]


@cache
def earlier() -> dict[str, np.dtype[Any]]:
    """Return the layouts of released versions by digest."""
    text = resources.files("telesurv").joinpath(RELEASED).read_text()
    return {
        name: np.dtype([tuple(tuple(x) if isinstance(x, list) else x for x in f) for f in fields])
        for name, fields in json.loads(text).items()
    }


def with_present() -> str:
    """Return what the file of released layouts has to hold: what it holds, and those of now.

    Whoever changes a layout writes it, once, before a release; what was released is never taken
    out. From the root of the repository:

    python -c "from telesurv import layouts; print(layouts.with_present())" >layouts.json &&
    mv layouts.json src/telesurv/released_layouts.json
    """
    known = {name: dtype.descr for name, dtype in earlier().items()}
    known |= {digest(dtype): dtype.descr for dtype in LAYOUTS.values()}
    lines = [
        f'"{name}":{json.dumps(fields, separators=(",", ":"))}' for name, fields in known.items()
    ]
    return "{\n" + ",\n".join(lines) + "\n}"


def restored(name: str, known: str, data: bytes, count: int = 0) -> NDArray[Any]:
    """Return the state of a section from its bytes.

    Parameters
    ----------
    name : of the section
    known, data : digest of the layout that it was written with, and the bytes
    count : samples that the timeline has had, for a kernel that learns again
    """
    now = LAYOUTS[name]
    state = np.zeros((), now)
    if known == digest(now) and len(data) == now.itemsize:
        state[...] = np.frombuffer(data, now)[0]
        return state
    before = earlier().get(known)
    if before is not None and len(data) == before.itemsize:
        old = np.frombuffer(data, before)[0]
        for field in now.names or ():
            if field in (before.names or ()) and before[field] == now[field]:
                state[field] = old[field]
        return state
    if name in COUNTING:
        state["count"] = count
    return state
