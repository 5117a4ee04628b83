"""What is shown of the monitor standard's test signals: as text."""

import re
from typing import Any

from benchmarks.markdown import sentence, table

PACED = re.compile(r"(paced|lost).*hz(.*)")
WORDS = {"paced": "pacing pulses, each with its beat", "lost": "pacing pulses without capture"}


def short(found: dict[str, Any]) -> str:
    """Return how many are right."""
    cases = found["cases"].values()
    return f"monitor signals: {sum(not one['faults'] for one in cases)} of {len(cases)} as wanted"


def page(found: dict[str, Any]) -> list[str]:
    """Return the section of the page."""
    cases: dict[str, Any] = found["cases"]
    rows, groups = [], dict[tuple[str, str], list[dict[str, Any]]]()
    for name, one in cases.items():
        if paced := PACED.fullmatch(name):
            groups.setdefault((paced[1], paced[2]), []).append(one)
            continue
        rows.append(
            [
                name,
                _number(one["wanted_per_min"]),
                _number(one["rate_per_min"]),
                _time(one),
                _said(one),
            ]
        )
    pulses = [
        [
            WORDS[word] + (f", {tail[1:]}" if tail else ", no tail"),
            f"{sum(not one['faults'] for one in members)} of {len(members)}",
            _said(next((one for one in members if one["faults"]), members[0])),
        ]
        for (word, tail), members in groups.items()
    ]
    return [
        "## The monitor standard's test signals\n",
        f"After IEC 60601-2-27 and ANSI/AAMI EC13, as what makers publish quotes them, made by "
        f"`telesurv.simulate.monitor_cases`; irregular rhythms and tachycardias approximate the "
        f"standard's recordings. {sentence(short(found))}. The rate is that of a monitor (12 RR "
        "without the longest and the shortest), computed of our beats; the service's own numeric "
        "is a mean of each minute.\n",
        table(["signal", "wanted /min", "shown /min", "time", "as wanted"], rows),
        "±2 and ±700 mV, 1 and 2 ms, at 500 and 1000 Hz, saturating at 10 mV; *tail25*: an "
        "overshoot with a time constant of 25 ms (a quarter of the pulse, 2 mV at most; *tail100* "
        "a fortieth).\n",
        table(["signal", "as wanted", "else"], pulses),
    ]


def _number(per_min: float | None) -> str:
    return "none" if per_min is None else f"{per_min:g}"


def _time(one: dict[str, Any]) -> str:
    if one.get("alarm"):
        condition, late_s = one["alarm"]
        return f"{condition} after {late_s:.1f} s"
    if "right_s" in one:
        right, minute = (_seconds(one[name]) for name in ("right_s", "minute_s"))
        return f"right after {right}; the minute's mean after {minute}"
    return ""


def _seconds(value: float | None) -> str:
    return "never" if value is None else f"{value:.1f} s"


def _said(one: dict[str, Any]) -> str:
    return "; ".join(one["faults"]) or "yes"
