"""Whether a lead can be analysed, batch and obvious: lists of what each MARK said.

Shares only constants with the kernel.
"""

from typing import Any

from numpy.typing import NDArray

from telesurv_kernels import _dtypes as d
from telesurv_kernels import readable as k
from telesurv_kernels._pending import SLACK_NS

Finding = tuple[int, int, int, int, int, float]
"""kind, condition, onset_ns, end_ns, detected_ns, value"""

Stretch = tuple[int, int, int, int]
"""Part of 20 s that it ends in, begin, readable ns, unreadable ns"""


def findings(events: NDArray[Any], limit_ns: int) -> list[Finding]:
    """Return all findings of one row's events, in order."""
    found: list[Finding] = []
    known: list[Stretch] = []  # since the row began, or began anew
    last: int | None = None
    present = False
    for event in events:
        kind, time, value = (event[name].item() for name in ("kind", "time_ns", "value"))
        decided = event["decided_ns"].item()
        if kind not in (d.MARK, d.GAP):
            continue
        if last is None or time < last:
            known = []
        elif kind == d.MARK:
            span = time - last
            readable = span if value + SLACK_NS >= span else int(value)
            part = time // k.PART_NS
            known.append((part, last, readable, span - readable))
            known = [s for s in known if s[0] > part - k.PARTS]
            lost = sum(s[3] for s in known)
            back = sum(s[2] for s in known if s[0] > part - k.BACK_PARTS)
            if not present and lost > limit_ns:
                onset = min(s[1] for s in known if s[3])
                share = lost / (k.PARTS * k.PART_NS) * 100
                found.append((d.ON, d.UNREADABLE, onset, 0, decided, share))
                present = True
            elif present and back >= k.BACK_NS:
                found.append((d.OFF, d.UNREADABLE, 0, time - k.BACK_NS, decided, 0.0))
                present, known = False, []
        last = time
    return found
