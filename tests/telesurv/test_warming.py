"""After `warm` nothing is left to compile, whatever patients do."""

from telesurv.engine import Engine
from telesurv.simulate import ward
from telesurv.warming import _records, warm
from telesurv_kernels import _jit
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
