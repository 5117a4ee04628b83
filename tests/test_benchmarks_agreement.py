"""Who found which heartbeat, and how often two agree."""

from pathlib import Path

import numpy as np
import pytest

from telesurv.lead import Lead
from telesurv.simulate.monitor_cases import CASES

OURS = "telesurv"


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1]))


def clean() -> Lead:
    case = CASES["qrs-1mv-100ms-80"]()
    return Lead("clean", 0, "II", case.codes, case.rate_hz, case.scale_mv, 1, case.rate_hz)


def test_a_clean_signal_is_found_by_all() -> None:
    from benchmarks import agreement, agreement_table

    counts = agreement.compared(clean())
    assert counts[agreement_table.ALL] >= 77  # 60 s at 80/min; two at the edges
    assert counts[OURS] == 0


def test_a_beat_that_another_finds_is_where_ours_is() -> None:
    from benchmarks import agreement

    at, between = 1065, 1156  # near 4.25 s, and after it
    heard = agreement.found_by(clean(), np.array([at, between]))
    assert heard[between] == {OURS}
    assert heard[at] == {OURS, *agreement.PEERS}
    assert sum(names == set(agreement.PEERS) for names in heard.values()) > 70


def test_where_we_stand_alone() -> None:
    from benchmarks import agreement

    mask = np.zeros(5000, np.uint8)
    mask[3000] = 16
    lead = Lead("any", 0, "II", np.zeros(5000, np.int16), 250.0, 0.005, 1, 250.0)
    ours = np.array([100, 1000, 1050, 2000, 3000, 4990])
    places = [agreement.where(lead, at, ours, mask) for at in ours.tolist()]
    assert places == ["at an edge", "close", "close", "elsewhere", "unreadable", "at an edge"]


def test_agreement_is_f1_of_two() -> None:
    from benchmarks import agreement, agreement_table

    first, second = agreement.PEERS
    counts = {
        "records": 3,
        agreement_table.ALL: 90,
        f"{OURS}+{first}": 5,
        f"{OURS}+{second}": 2,
        OURS: 1,
        agreement_table.BOTH: 4,
        "missed, close": 4,
    }
    assert agreement_table.agreed(counts, first) == pytest.approx(200 * 95 / (190 + 2 + 1 + 4))
    assert agreement_table.agreed(counts, second) == pytest.approx(200 * 92 / (184 + 5 + 1 + 4))
