"""Whether a lead's signal can be analysed at all: `unreadable`.

It consumes the MARKs and GAPs of the beat kernel, in device time, and says when more of the
last minutes was unreadable than not. Time is told in parts of 20 s of the device's clock:

- `unreadable` ON: more than 150 s unreadable in this part and the 14 before it (> 50 % of
  5 min). Onset: the first unreadable stretch among them. Value: their share of 5 min, %.
- OFF: 2 min readable in this part and the 6 before it; then 5 min begin anew. End: 2 min
  before. A tenth may be lost, so that single artefacts do not keep the alert.

What never came is not unreadable: a hole between a GAP and what came before it counts neither
way (of that `non-transmission` speaks). Where the device's clock goes back everything is
forgotten but whether the condition is present. Source: convention (`CONDITIONS`).

Decision delay: that of the MARK that completes it, and one distance between MARKs at most.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from telesurv_kernels._dtypes import GAP, MARK, OFF, ON, UNREADABLE
from telesurv_kernels._finding import put_event
from telesurv_kernels._jit import borrowed, entry, kernel
from telesurv_kernels._pending import SLACK_NS

VERSION = 1
"""Rises when the meaning of the state changes."""

PART_NS = 20_000_000_000
PARTS = 15  # 5 min
LIMIT_PCT = 50.0  # of 5 min
BACK_PARTS = 7  # of 2 min to 2 min 20 s
BACK_NS = 120_000_000_000

PARAMS = np.dtype([("unreadable_ns", np.int64)])  # more than this in PARTS: unreadable

STATE = np.dtype(
    [
        ("seen", np.int64),  # 1: decided_ns holds
        ("decided_ns", np.int64),  # the last MARK or GAP
        ("present", np.int64),  # 1: unreadable
        ("part", np.int64),  # parts since the epoch, of the newest
        ("lost_ns", np.int64, (PARTS,)),  # unreadable time of each part, by part % PARTS
        ("readable_ns", np.int64, (PARTS,)),
        ("first_ns", np.int64, (PARTS,)),  # where the first loss of the part began
    ]
)


def params(limit_pct: float = LIMIT_PCT) -> NDArray[Any]:
    """Return the PARAMS of a row, shape ``()``.

    Parameters
    ----------
    limit_pct : share of 5 min that may be unreadable
    """
    assert 0 < limit_pct < 100, limit_pct
    row = np.zeros((), PARAMS)
    row["unreadable_ns"] = round(limit_pct / 100 * PARTS * PART_NS)
    return row


def capacity(samples: int, segments: int) -> int:
    """Return an upper bound of the findings of one call: one for each of so many events."""
    del segments
    return samples


@entry
def advance(
    state: NDArray[Any], params: NDArray[Any], events: NDArray[Any], findings: NDArray[Any]
) -> int:
    """Consume `events` and return how many `findings` were written.

    Parameters
    ----------
    state : STATE[rows], updated in place
    params : PARAMS[rows]
    events : EVENT[m]; of one row in the order in which the beat kernel emitted them
    findings : FINDING[capacity]
    """
    events, findings = borrowed(events), borrowed(findings)
    found = 0
    for index in range(len(events)):
        event = events[index]
        if event["kind"] != MARK and event["kind"] != GAP:
            continue
        s = state[event["row"]]
        time_ns = event["time_ns"]
        if s["seen"] == 0 or time_ns < s["decided_ns"]:
            s["seen"] = 1
            _forget(s)
            s["part"] = time_ns // PART_NS
        elif event["kind"] == MARK:
            _turn(s, time_ns // PART_NS)
            found = _add(s, params[event["row"]], event, findings, found)
        else:
            _turn(s, time_ns // PART_NS)
        s["decided_ns"] = time_ns
    return found


@kernel
def _forget(s: Any) -> None:
    """Begin 5 min anew."""
    s["lost_ns"][:] = 0
    s["readable_ns"][:] = 0


@kernel
def _turn(s: Any, part: int) -> None:
    """Make `part` the newest; those between are empty."""
    for turned in range(max(s["part"], part - PARTS) + 1, part + 1):
        s["lost_ns"][turned % PARTS] = 0
        s["readable_ns"][turned % PARTS] = 0
    s["part"] = part


@kernel
def _add(s: Any, p: Any, event: Any, findings: NDArray[Any], found: int) -> int:
    """Add what a MARK says to the newest part, and judge."""
    time_ns = event["time_ns"]
    span_ns = time_ns - s["decided_ns"]
    readable_ns = min(np.int64(event["value"]), span_ns)
    if readable_ns + SLACK_NS >= span_ns:
        readable_ns = span_ns
    slot = s["part"] % PARTS
    if readable_ns < span_ns and s["lost_ns"][slot] == 0:
        s["first_ns"][slot] = s["decided_ns"]
    s["lost_ns"][slot] += span_ns - readable_ns
    s["readable_ns"][slot] += readable_ns
    if s["present"] == 0:
        lost_ns = s["lost_ns"].sum()
        if lost_ns > p["unreadable_ns"]:
            s["present"] = 1
            value = lost_ns / (PARTS * PART_NS) * 100.0
            return put_event(findings, found, event, ON, UNREADABLE, _first(s), 0, value)
        return found
    back_ns = np.int64(0)
    for past in range(BACK_PARTS):
        back_ns += s["readable_ns"][(s["part"] - past) % PARTS]
    if back_ns >= BACK_NS:
        s["present"] = 0
        _forget(s)
        return put_event(findings, found, event, OFF, UNREADABLE, 0, time_ns - BACK_NS, 0.0)
    return found


@kernel
def _first(s: Any) -> int:
    """Return where the first loss among the parts began."""
    first_ns = s["first_ns"][s["part"] % PARTS]
    for past in range(PARTS):
        slot = (s["part"] - past) % PARTS
        if s["lost_ns"][slot] > 0:
            first_ns = s["first_ns"][slot]
    return int(first_ns)
