"""What holds for every kernel of the registry: `kernels/README.md`."""

import importlib
import os
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from kernel_cases import CASES, Case, Outcome, call, digest, events_within, run, without_segment
from telesurv_kernels import _dtypes, registry
from telesurv_kernels.registry import KERNELS

TESTS = Path(__file__).parents[1]
STATE_BYTES_MAX = {
    "quality": 512,
    "beats": 4096,
    "classes": 3072,
    "leads": 8192,
    "rhythm": 1024,
    "ectopy": 1536,
    "atrial": 1536,
    "fibrillation": 1024,
    "readable": 512,
    "spo2": 2048,
    "silence": 64,
}
CACHED: dict[str, tuple[Case, Outcome]] = {}

each = pytest.mark.parametrize("name", KERNELS)


def case_of(name: str) -> tuple[Case, Outcome]:
    """Return a kernel's case, and what comes of it uncut."""
    if name not in CACHED:
        case = CASES[name]()
        CACHED[name] = case, run(case)
    return CACHED[name]


def given_to(case: Case, rows: int) -> dict[str, Any]:
    """Return the whole case as the columns of one call, for a table of so many rows."""
    params = np.zeros(rows, case.module.PARAMS)
    params[:] = case.params
    segments = np.zeros(0, _dtypes.SEGMENT)
    columns = {name: column.copy() for name, column in case.columns.items()}
    given = columns | {"params": params, "segments": segments}
    if case.events is not None:
        given["events"] = events_within(case.events, [(0, 0, len(case))])
    return given


@each
def test_every_kernel_has_a_case_an_oracle_and_a_version(name: str) -> None:
    assert name in CASES, f"{name}: no case in tests/kernel_cases.py"
    importlib.import_module(f"oracles.{name}")
    assert KERNELS[name].VERSION >= 1
    _, outcome = case_of(name)
    assert len(outcome.findings), "a case that finds nothing proves nothing"


@each
def test_no_padding_and_a_bounded_state(name: str) -> None:
    module = KERNELS[name]
    for part in ("PARAMS", "STATE", "FINDING"):
        dtype = getattr(module, part, _dtypes.FINDING)
        assert dtype.itemsize == sum(dtype[field].itemsize for field in dtype.names), part
    assert module.STATE.itemsize <= STATE_BYTES_MAX[name]


@each
def test_a_finding_names_row_and_segment_first(name: str) -> None:
    dtype = getattr(KERNELS[name], "FINDING", _dtypes.FINDING)
    assert dtype.names[:3] == ("row", "segment", "kind")


@each
@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_however_it_is_cut(name: str, data: st.DataObject) -> None:
    case, whole = case_of(name)
    cuts = data.draw(st.lists(st.integers(0, len(case)), max_size=60))
    assert run(case, cuts).same_as(whole)


@each
def test_one_by_one(name: str) -> None:
    case, whole = case_of(name)
    assert run(case, range(len(case))).same_as(whole)


@each
@given(data=st.data())
@settings(max_examples=20, deadline=None)
def test_snapshot_and_restore(name: str, data: st.DataObject) -> None:
    case, whole = case_of(name)
    cut = data.draw(st.integers(0, len(case)))
    before = run(case, span=(0, cut))
    snapshot = before.state.tobytes()
    restored = np.frombuffer(snapshot, case.module.STATE).copy()
    after = run(case, state=restored, span=(cut, len(case)))
    joined = np.concatenate([before.findings, after.findings])
    assert joined.tobytes() == whole.findings.tobytes()
    assert after.state.tobytes() == whole.state.tobytes()


@each
def test_nothing_given_changes_nothing(name: str) -> None:
    case, whole = case_of(name)
    state = whole.state.copy()
    given = given_to(replace(case, columns={k: v[:0] for k, v in case.columns.items()}), 1)
    assert len(call(case, state, given)) == 0
    if "segments" in registry.arguments(case.module):
        empty = np.zeros(1, _dtypes.SEGMENT)
        empty["restart"] = 1
        assert len(call(case, state, given | {"segments": empty})) == 0
    assert state.tobytes() == whole.state.tobytes()


@each
def test_inputs_stay_as_they_are(name: str) -> None:
    case, _ = case_of(name)
    given = given_to(case, 1)
    given["segments"] = np.array([(0, 0, len(case), 0)], _dtypes.SEGMENT)
    before = {key: value.copy() for key, value in given.items()}
    call(case, np.zeros(1, case.module.STATE), given)
    for key, value in given.items():
        assert key in case.outputs or np.array_equal(value, before[key]), key


def interleaved(case: Case, rows: tuple[int, ...], pieces: int) -> dict[str, Any]:
    """Return a call that gives each of some rows the whole case, piece by piece in turns."""
    edges = np.linspace(0, len(case), pieces + 1).astype(int)
    spans = [(r, a, b) for a, b in pairwise(edges) for r in rows]
    given = given_to(case, max(rows) + 2)
    for name, column in case.columns.items():
        parts = []
        for row, begin, end in spans:
            part = column[begin:end].copy()
            if part.dtype.names:  # events name their row
                part["row"] = row
            parts.append(part)
        given[name] = np.concatenate(parts)
    segments = np.zeros(len(spans), _dtypes.SEGMENT)
    segments["row"] = [row for row, _, _ in spans]
    segments["last"] = np.cumsum([end - begin for _, begin, end in spans])
    segments["first"][1:] = segments["last"][:-1]
    if case.events is not None:
        given["events"] = events_within(case.events, spans)
    return given | {"segments": segments}


@each
def test_rows_do_not_touch_each_other(name: str) -> None:
    case = replace(case_of(name)[0], restarts=())
    alone = run(case)
    state = np.zeros(5, case.module.STATE)
    findings = call(case, state, interleaved(case, (0, 3, 2), 13))
    for row in (0, 3, 2):
        mine = without_segment(findings[findings["row"] == row])
        mine["row"] = 0
        assert mine.tobytes() == alone.findings.tobytes()
        assert state[row].tobytes() == alone.state[0].tobytes()
    for row in (1, 4):
        assert not any(state[row].tobytes())


@each
def test_a_finding_names_the_segment_that_completed_it(name: str) -> None:
    case = replace(case_of(name)[0], restarts=())
    if "segments" not in registry.arguments(case.module):
        pytest.skip("an event kernel hands on its events' segment")
    given = interleaved(case, (1,), 29)
    findings = call(case, np.zeros(3, case.module.STATE), given)
    for index in range(29):
        upto = {k: given[k][: given["segments"][index]["last"]] for k in case.columns}
        upto |= {"params": given["params"], "segments": given["segments"][: index + 1]}
        if case.events is not None:
            upto["events"] = given["events"][given["events"]["segment"] <= index]
        part = call(case, np.zeros(3, case.module.STATE), upto)
        assert part.tobytes() == findings[findings["segment"] <= index].tobytes()


def uncompiled() -> dict[str, str]:
    """Return every kernel's digest from a process that compiles nothing."""
    environment = os.environ | {"NUMBA_DISABLE_JIT": "1", "PYTHONPATH": str(TESTS)}
    done = subprocess.run(
        [sys.executable, "-W", "error", str(TESTS / "kernel_cases.py")],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return dict(line.split() for line in done.stdout.splitlines())


def test_compiled_does_as_written() -> None:
    assert uncompiled() == {name: digest(name) for name in KERNELS}


@each
def test_warming_compiles_what_the_engine_calls(name: str) -> None:
    registry.warm()
    case_of(name)
    dispatcher: Any = KERNELS[name].advance
    if not hasattr(dispatcher, "signatures"):
        pytest.skip("runs uncompiled")
    assert len(dispatcher.signatures) == 1


def silence(name: str) -> dict[str, NDArray[Any]]:
    """Return a minute of a patient of whom nothing is to be found."""
    rng = np.random.default_rng(5)
    hum = np.rint(rng.normal(0, 4, 15_000)).astype(np.int16)
    return {
        "quality": {"samples": hum, "mask": np.zeros(15_000, np.uint8)},
        "beats": {"samples": hum, "mask": np.zeros(15_000, np.uint8)},
        "classes": {"samples": hum, "mask": np.zeros(15_000, np.uint8)},
        "leads": {"events": np.zeros(0, _dtypes.LEAD_EVENT)},
        "rhythm": {"events": np.zeros(0, _dtypes.EVENT)},
        "readable": {"events": np.zeros(0, _dtypes.EVENT)},
        "fibrillation": {"samples": hum, "mask": np.zeros(15_000, np.uint8)},
        "ectopy": {"events": np.zeros(0, _dtypes.EVENT)},
        "atrial": {"events": np.zeros(0, _dtypes.EVENT)},
        "silence": {"events": np.zeros(0, KERNELS["silence"].ARRIVAL)},
        "spo2": {
            "samples": np.full(59, 9700, np.int16),
            "time_ns": np.arange(59, dtype=np.int64) * 1_000_000_000,
        },
    }[name]


@each
def test_nothing_is_found_in_silence(name: str) -> None:
    case = case_of(name)[0]
    heard = None if case.events is None else case.events[:0]  # `beats` finds nothing either
    case = replace(case, columns=silence(name), restarts=(), events=heard)
    findings = run(case).findings
    said = {_dtypes.MARK, _dtypes.GAP} if name == "beats" else set()
    assert set(findings["kind"].tolist()) <= said


@pytest.mark.parametrize("name", ["quality", "beats", "fibrillation"])
def test_gain_changes_nothing(name: str) -> None:
    case, whole = case_of(name)
    finer = {k: v.copy() for k, v in case.columns.items()}
    there = finer["samples"] != -32768
    finer["samples"][there] *= 4
    settings_of = {"ecg": True} if name == "quality" else {}
    fine = replace(case, columns=finer, params=case.module.params(250.0, 0.005 / 4, **settings_of))
    if name == "quality":
        # The band of 2 codes of 5 uV is one of 8 codes of 1.25 uV, but not below 5 uV = 4.
        fine.params["constant_codes"] = 8
    assert run(fine).findings.tobytes() == whole.findings.tobytes()
