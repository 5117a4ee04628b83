"""The life of an alert as a table. What runs it is in `episode`; the diagram is drawn from it.

States: *absent*, *present* (at least one condition of its chain holds), *ended* (none does;
what comes again soon enough joins it). Reviews never enter here: latched, acknowledged and
closed are folded from alerts and reviews by whoever shows them.
"""

from typing import Literal, NamedTuple

State = Literal["absent", "present", "ended"]
Input = Literal[
    "on", "event", "off", "last off", "again", "event again", "later", "point", "signal"
]
Action = Literal["announce", "add", "end", "resolve", "join", "show", "none"]


class Step(NamedTuple):
    """Where an input leads, and what is done: every action but `none` makes a revision."""

    state: State
    action: Action


TRANSITIONS: dict[tuple[State, Input], Step] = {
    # A condition of the chain begins; an event is over when it is found.
    ("absent", "on"): Step("present", "announce"),
    ("absent", "event"): Step("ended", "announce"),
    ("present", "on"): Step("present", "add"),
    ("present", "event"): Step("present", "join"),
    # One of several ends, or the last one.
    ("present", "off"): Step("present", "end"),
    ("present", "last off"): Step("ended", "resolve"),
    # Soon after its end: the same alert, counted. Later: a new one, as if absent.
    ("ended", "again"): Step("present", "join"),
    ("ended", "event again"): Step("ended", "join"),
    ("ended", "later"): Step("absent", "none"),
    # A point of device time is reached: the strip is complete, a grace is over.
    ("present", "point"): Step("present", "show"),
    ("ended", "point"): Step("ended", "show"),
    # The signal that it is judged by is (not) analysable. It neither ends nor withdraws it.
    ("present", "signal"): Step("present", "show"),
    ("ended", "signal"): Step("ended", "none"),
}
"""(state, what comes) -> (state, what is done). What is not here cannot happen."""


def diagram() -> str:
    """Return the table as a Mermaid state diagram."""
    lines = ["stateDiagram-v2", "    [*] --> absent"]
    for (state, what), step in TRANSITIONS.items():
        if step.action != "none" or step.state != state:
            lines.append(f"    {state} --> {step.state}: {what} / {step.action}")
    return "\n".join(lines)
