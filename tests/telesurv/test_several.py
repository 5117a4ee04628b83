"""Several oximeters, one patient: either keeps a condition."""

from telesurv.alerts.change import Change
from telesurv.alerts.several import ALIVE_NS, Several
from telesurv_kernels import _dtypes as d

S = 1_000_000_000
CODES = {"on": d.ON, "off": d.OFF}


def change(line: int, what: str, at_s: float, of: int = 0) -> Change:
    onset_ns = 0 if what == "off" else round((at_s - 4) * S)
    rank = (line, "spo2", "d")
    return Change(round(at_s * S), rank, CODES[what], of, line, onset_ns, 0, 4.0, False)


DESATURATION = d.DESATURATION


def said(several: Several, line: int, what: str, at_s: float, positions: dict[int, int]) -> bool:
    return several.take(change(line, what, at_s, DESATURATION), positions)


def test_present_while_one_says_so() -> None:
    several, at = Several(), {1: 100 * S, 2: 100 * S}
    assert said(several, 1, "on", 10, at)
    assert said(several, 2, "on", 20, at)
    assert not said(several, 1, "off", 30, at)
    assert said(several, 2, "off", 40, at)
    assert not several.holders
    assert not several.ended


def test_one_that_fell_silent_is_not_asked() -> None:
    several, at = Several(), {1: 100 * S, 2: 100 * S}
    said(several, 1, "on", 10, at)
    said(several, 2, "on", 20, at)
    assert not said(several, 1, "off", 30, at)
    at[1] += ALIVE_NS
    assert several.passed(lambda line: at) == []
    at[1] += 1
    (over,) = several.passed(lambda line: at)
    assert over.timeline == 1
    assert several.passed(lambda line: at) == []


def test_one_that_was_silent_before_neither() -> None:
    several, at = Several(), {1: 100 * S, 2: 20 * S}
    said(several, 2, "on", 19, at)
    said(several, 1, "on", 90, at)
    assert said(several, 1, "off", 99, at)
