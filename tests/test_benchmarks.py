"""The benchmarks run, and their page says what their figures say."""

import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT))


def test_the_page_of_results_is_made_of_the_figures() -> None:
    from benchmarks import table

    results = json.loads((RESULTS / "results.json").read_text())
    assert set(results) >= {"engine", "worker", "startup", "memory"}
    assert not any(section["quick"] for section in results.values())
    assert (RESULTS / "README.md").read_text() == table.markdown(results)


def test_patients_are_the_same_each_time_and_differ_in_name_alone(tmp_path: Path) -> None:
    from benchmarks import patients

    pytest.importorskip("neurokit2")
    first, again = (patients.simulate(3, 4, 2, lambda share: None) for _ in range(2))
    assert first == again
    first.save(tmp_path / "ward")
    ward = patients.load(tmp_path / "ward")
    assert (ward.patients, ward.messages) == (6, 24)
    sent = dict(ward.second(1))
    assert len(sent) == 6
    assert sent[b"patient-0001-1"] == sent[b"patient-0001-0"].replace(b"0001-0", b"0001-1")
    batches = list(patients.records(ward))
    assert [len(batch) for batch in batches] == [6] * 4
    assert len({(r.partition, r.offset) for batch in batches for r in batch}) == 24


def test_the_engine_takes_every_message_whatever_the_order() -> None:
    from benchmarks import engine, patients

    pytest.importorskip("neurokit2")
    ward = patients.simulate(3, 24, 2, lambda share: None)
    for order, size in ((engine.as_it_comes, 4), (engine.catching_up, 6)):
        found = engine.feed(order(ward, size), ward.messages)
        assert found["us"] > 0
        assert 0 < found["count"] <= ward.messages
