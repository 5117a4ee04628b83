"""Beat for beat beside two peers: as text."""

from typing import Any

from benchmarks.agreement import BEGIN_S, CLOSE_S, END_S, PEERS
from benchmarks.ecg_detectors import OURS
from benchmarks.markdown import sentence, table

ALL = "+".join((OURS, *PEERS))
BOTH = "+".join(PEERS)
PLACES = ("elsewhere", "close", "at an edge", "unreadable")


def agreed(counts: dict[str, int], peer: str) -> float:
    """Return F1 of our beats and a peer's, in percent."""
    both = sum(counts.get(name, 0) for name in (ALL, f"{OURS}+{peer}"))
    one = sum(
        count
        for names, count in counts.items()
        if names != "records" and "," not in names and (OURS in names) != (peer in names)
    )
    return 200 * both / max(2 * both + one, 1)


def short(found: dict[str, Any]) -> str:
    """Return the line that one wants to know first."""
    if not found["groups"]:
        return "agreement with peers: no recordings (TELESURV_RECORDINGS)"
    total: dict[str, int] = {}
    for group, counts in found["groups"].items():
        if not group.endswith("~"):
            for name, count in counts.items():
                total[name] = total.get(name, 0) + count
    shares = ", ".join(f"{peer} {agreed(total, peer):.2f} %" for peer in PEERS)
    return f"beats as found by {shares} (F1; cinc2017 but for ~, perform-af)"


def page(found: dict[str, Any]) -> list[str]:
    """Return the section of the page."""
    rows, places = [], []
    for group, counts in found["groups"].items():
        ours = f"{OURS}+"
        one_peer = [counts.get(ours + peer, 0) for peer in PEERS]
        theirs = [counts.get(peer, 0) for peer in PEERS]
        rows.append(
            [
                group,
                *(str(n) for n in (counts["records"], counts.get(ALL, 0), counts.get(BOTH, 0))),
                str(counts.get(OURS, 0)),
                " / ".join(str(n) for n in one_peer),
                " / ".join(str(n) for n in theirs),
                *(f"{agreed(counts, peer):.2f}" for peer in PEERS),
            ]
        )
        for what in ("missed", "alone"):
            places.append(
                [group, what, *(str(counts.get(f"{what}, {place}", 0)) for place in PLACES)]
            )
    names = " / ".join(PEERS)
    return [
        "## Beat for beat beside two peers\n",
        f"Recordings without experts' beats: hand-held ones (cinc2017, 300 Hz, by the challenge's "
        f"class) and perform-af (125 Hz). Heartbeats by who found them, within 150 ms; the two "
        f"last columns are F1 against {names}. {sentence(short(found))}.\n",
        table(
            [
                "group",
                "records",
                "all three",
                "both peers, not we",
                "only we",
                f"we and {names}",
                f"only {names}",
                *(f"F1, {peer}" for peer in PEERS),
            ],
            rows,
        ),
        f"Where we stand alone: *missed* what both peers found, or found *alone*. At an edge: in "
        f"the first {BEGIN_S:g} s or the last {END_S:g} s of a recording; close: within "
        f"{CLOSE_S * 1000:g} ms of another beat of ours.\n",
        table(["group", "", *PLACES], places),
    ]
