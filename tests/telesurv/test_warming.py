"""After `warm` nothing is left to compile, whatever patients do."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from telesurv.engine import Engine
from telesurv.simulate import ward
from telesurv.warming import SHARES, _records, warm
from telesurv_kernels import _jit
from telesurv_kernels.registry import KERNELS
from telesurv_streams.log import FRAMES, Record


def signatures() -> int:
    return sum(len(dispatcher.signatures) for dispatcher in _jit.COMPILED)


def test_a_ward_compiles_nothing_more() -> None:
    warm()
    before = signatures()
    assert before > 0
    engine = Engine()
    patients = ward(9, seed=4, first_s=2.0, apart_s=2.0)
    for second in range(0, 60, 7):
        messages = [m for patient in patients for m in patient.messages(second, second + 7)]
        arrival_ns = patients[0].epoch_ns + (second + 8) * 10**9
        engine.feed(
            [
                Record(FRAMES, 0, second * 100 + i, arrival_ns, m.key, m.value, m.headers)
                for i, m in enumerate(messages)
            ]
        )
    assert signatures() == before


def test_the_made_up_patient_lives_through_nearly_everything() -> None:
    """What they do not, would be compiled while a real one waits."""
    output = Engine().feed(_records())
    assert output.bad == []
    found = {entry.condition for _, alert in output.alerts for entry in alert.conditions}
    assert found >= {
        "asystole",
        "pause",
        "extreme-tachycardia",
        "desaturation",
        "severe-desaturation",
        "lead-off",
        "non-transmission",
    }


def test_every_kernel_is_in_one_share() -> None:
    assert sorted(name for share in SHARES for name in share) == sorted(KERNELS)


@pytest.mark.slow
def test_several_processes_leave_nothing_to_compile_to_the_one_that_asked(tmp_path: Path) -> None:
    code = "from telesurv import warming as w; from telesurv_kernels import _jit; "
    code += "w.os.cpu_count = lambda: 2; w.compile_kernels(); print(*_jit.loads())"
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True)
    loaded, compiled = map(int, done.stdout.split())
    assert compiled == 0
    assert loaded >= len(KERNELS)
