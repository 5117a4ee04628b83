"""What `leads` says of the heart as a whole: how far it is known, whether it fibrillates.

And which lead shows it. All work on the fields of the state (`s`) of one row; `leads` describes
the rules.
"""

from typing import Any

from numpy.typing import NDArray

from telesurv_kernels._dtypes import FIBRILLATION, MARK, PRESENT
from telesurv_kernels._jit import kernel
from telesurv_kernels._lanes import CALM_OCTAVES, LEADS, better, none_speaks, speaks
from telesurv_kernels._peaks import first_beat
from telesurv_kernels._vote import out

ORGANISED_NS = 2_500_000_000  # a lead whose last beat is older shows no rhythm
SHORTEST_NS = 4_000_000_000  # so long fibrillation is there when it is said to be


@kernel
def shown(s: Any) -> int:
    """Return the lead that shows the heart now: the one of the best rank that can be read."""
    if s["alone"] > 0:
        return int(s["alone"] - 1)
    best = -1
    for lane in range(LEADS):
        if not speaks(s, lane) or s["readable_ns"][lane] >= s["mark_ns"][lane]:
            continue
        if best < 0 or better(s, lane, best):
            best = lane
    return int(s["lead"][best] - 1) if best >= 0 else int(max(s["followed"], 1) - 1)


@kernel
def fibrillation(
    s: Any, at: tuple[int, int, int], time_ns: int, findings: NDArray[Any], found: int
) -> int:
    """Say when the heart begins and ceases to fibrillate; unreadable leads have no say."""
    asked, present, doubted, contradicted, organised_ns = 0, 0, 0, 0, 0
    leader = shown(s) + 1
    since_ns = time_ns
    for lane in range(LEADS):
        says = s["fibrillation"][lane]
        if speaks(s, lane) and says < PRESENT:
            until_ns = s["beat_ns"][lane] if says == 0 else s["fibrillation_ns"][lane]
            organised_ns = max(organised_ns, until_ns)
        if not speaks(s, lane) or s["readable_ns"][lane] >= s["mark_ns"][lane]:
            continue
        asked += 1
        if says > present or (says == present and says > 0):
            began_ns = s["fibrillation_ns"][lane]
            since_ns = began_ns if says > present else min(since_ns, began_ns)
            present = says
        elif says == 0 and abs(time_ns - s["beat_ns"][lane]) <= ORGANISED_NS:
            doubted = 1
            contradicted |= s["contrast"][lane] >= CALM_OCTAVES
        elif says == 0 and s["lead"][lane] == leader:
            contradicted = 1
    for lane in range(LEADS):
        if s["lead"][lane] == leader and s["fibrillation"][lane] == PRESENT:
            doubted = 0
    fibrillates = 0 if contradicted else min(present, 1) if doubted else present
    if asked == 0 or fibrillates == s["fibrillates"]:
        return found
    s["fibrillates"] = fibrillates
    if fibrillates == PRESENT:
        since_ns = max(since_ns, min(organised_ns, s["now_ns"] - SHORTEST_NS))
    elif fibrillates == 0:
        since_ns = time_ns
    return out(findings, found, at, FIBRILLATION, since_ns, float(fibrillates), 0)


@kernel
def readable_ns(s: Any, lane: int, until_ns: int) -> int:
    """Return how long a lane was readable since the heart's last MARK."""
    begin_ns = max(s["readable_ns"][lane], s["marked_ns"])
    length_ns: int = max(min(s["mark_ns"][lane], until_ns) - begin_ns, 0)
    return length_ns


@kernel
def mark(s: Any, at: tuple[int, int, int], findings: NDArray[Any], found: int) -> int:
    """Say how far all leads that speak have decided, and whether one of them could read."""
    until_ns = s["now_ns"]
    for lane in range(LEADS):
        if speaks(s, lane):
            until_ns = min(until_ns, s["mark_ns"][lane])
    first = first_beat(s)
    if first >= 0:
        until_ns = min(until_ns, s["evidence_ns"][first])
    if until_ns <= s["marked_ns"] or none_speaks(s):
        return found
    longest_ns: Any = 0
    for lane in range(LEADS):
        if speaks(s, lane):
            longest_ns = max(longest_ns, readable_ns(s, lane, until_ns))
    s["marked_ns"] = until_ns
    s["resumed"] = 0
    found = out(findings, found, at, MARK, until_ns, float(longest_ns), 0)
    return fibrillation(s, at, until_ns, findings, found)
