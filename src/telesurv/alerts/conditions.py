"""Every condition as a row: kind, priority, which chain it belongs to, and what it joins.

A *chain* is a cause that may grow graver: its conditions share one episode and one id. Rules
and limits stand with the kernels that find them; texts in `reasons`.
"""

from dataclasses import dataclass

from telesurv.alerts.model import Kind, Priority

MINUTE_NS = 60_000_000_000
DAY_NS = 24 * 60 * MINUTE_NS

JOIN_NS: dict[Priority, int] = {"high": 0, "medium": 10 * MINUTE_NS, "low": DAY_NS}
"""What comes again within this after its end joins the alert, with a count."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition. `rank` orders a chain: the higher is the graver."""

    name: str
    kind: Kind
    priority: Priority
    chain: str
    rank: int = 0
    unit: str = ""  # UCUM, of the number that the rule speaks of
    version: int = 1  # of the rule
    grace_ns: int = 0  # a low one that lasts longer than this becomes medium; 0: never
    per_channel: bool = False  # one episode a channel, not one a patient

    @property
    def join_ns(self) -> int:
        """How long after its end another one joins the alert."""
        return JOIN_NS[self.priority]


_TABLE = (
    Condition("extreme-bradycardia", "physiological", "high", "failing-heart", 1, "/min"),
    Condition("extreme-tachycardia", "physiological", "high", "failing-heart", 2, "/min"),
    Condition("ventricular-tachycardia", "physiological", "high", "failing-heart", 3, "/min"),
    Condition("asystole", "physiological", "high", "failing-heart", 4, "s", version=2),
    Condition("ventricular-fibrillation", "physiological", "high", "failing-heart", 5, "s"),
    Condition("pause", "physiological", "medium", "pause", unit="ms"),
    Condition("ventricular-run", "physiological", "medium", "ventricular-run", unit="/min"),
    Condition("supraventricular-tachycardia", "physiological", "medium", "atrium", 1, "/min"),
    Condition("atrial-fibrillation", "physiological", "medium", "atrium", 2, "s", version=2),
    Condition("couplet", "physiological", "low", "couplet", unit="/min"),
    Condition("bigeminy", "physiological", "low", "bigeminy"),
    Condition("trigeminy", "physiological", "low", "trigeminy"),
    Condition("missed-beat", "physiological", "low", "missed-beat"),
    Condition(
        "frequent-ventricular-beats",
        "physiological",
        "low",
        "frequent-ventricular-beats",
        unit="/h",
    ),
    Condition("desaturation", "physiological", "medium", "oxygen", 1, "%"),
    Condition("severe-desaturation", "physiological", "high", "oxygen", 2, "%"),
    Condition(
        "lead-off",
        "technical",
        "low",
        "lead-off",
        unit="s",
        grace_ns=5 * MINUTE_NS,
        per_channel=True,
    ),
    Condition(
        "probe-off",
        "technical",
        "low",
        "probe-off",
        unit="s",
        grace_ns=5 * MINUTE_NS,
        per_channel=True,
    ),
    Condition(
        "unreadable",
        "technical",
        "low",
        "unreadable",
        unit="%",
        grace_ns=5 * MINUTE_NS,
        per_channel=True,
    ),
    Condition("non-transmission", "technical", "medium", "non-transmission", unit="s"),
    Condition("clock-skew", "technical", "low", "clock-skew", unit="s"),
    Condition("data-lost", "technical", "medium", "data-lost"),
    Condition("quarantined", "technical", "medium", "quarantined"),
)

CONDITIONS: dict[str, Condition] = {condition.name: condition for condition in _TABLE}
"""Every condition that the engine can raise, by name."""

OF_HEART = frozenset(
    name
    for name, condition in CONDITIONS.items()
    if condition.kind == "physiological" and condition.chain != "oxygen"
)
"""The conditions that the fused ECG leads decide about."""

HEART = frozenset(CONDITIONS[name].chain for name in OF_HEART)
"""The chains of these."""
