"""The alerts of one patient: findings in, revisions out, in the order of the log.

Nothing here depends on how the log was cut into batches: a revision is made when a finding
counts, or when the signal passes a point of device time, and shows what lies before that.
"""

from typing import Protocol

from telesurv.alerts.change import Change
from telesurv.alerts.conditions import CONDITIONS, HEART, Condition
from telesurv.alerts.episode import Episode, Present, alert_id
from telesurv.alerts.life import TRANSITIONS, Action, Input
from telesurv.alerts.model import Alert, Strip
from telesurv.alerts.several import Several
from telesurv_kernels import _dtypes as codes

BEFORE_NS, AFTER_NS = 10_000_000_000, 10_000_000_000
"""A strip shows this much before the onset and after it."""

KEPT_NS = 20_000_000_000
"""How far before the decision a strip may begin; the ring holds this and what may follow it."""

SLOW_BEFORE_NS, SLOW_KEPT_NS = 30_000_000_000, 45_000_000_000
"""The same for a numeric such as SpO2, whose ring holds a minute at least."""

COVERED_NS = 10_000_000_000
"""A later strip that begins this soon after the first one replaces it."""

GIVE_UP_NS = 60_000_000_000
"""A strip is complete when the patient's other signals went on for so long and its own did not."""

SKEW_ENDS_NS = 3_600_000_000_000
"""A device's clock is right again when for this long nothing came from the future."""


class Surroundings(Protocol):
    """What an alert needs to know of the patient beside the finding itself."""

    @property
    def patient(self) -> str:
        """Pseudonym."""
        ...

    @property
    def mode(self) -> str:
        """Mode: live, replay or demo."""
        ...

    @property
    def plan_version(self) -> int:
        """Version of the plan in force."""
        ...

    def limit(self, condition: str) -> float:
        """Return the limit in force for a condition, in its unit."""
        ...

    def beats(self, condition: str) -> int:
        """Return for how many beats in a row it has to be beyond; 0: they are not counted."""
        ...

    def channel(self, timeline: int) -> str:
        """Return the channel of a timeline; "" for -1."""
        ...

    def rank(self, timeline: int) -> tuple[int, str, str]:
        """Return what orders the patient's timelines."""
        ...

    def position_ns(self, timeline: int) -> int:
        """Return the device time right after the last analysed sample of a timeline."""
        ...

    def strip(self, timeline: int, from_ns: int, to_ns: int) -> Strip | None:
        """Return what a timeline's ring holds of a stretch of device time."""
        ...

    def all_positions(self) -> dict[int, int]:
        """Return the positions of all timelines."""
        ...

    def positions_like(self, timeline: int) -> dict[int, int]:
        """Return the positions of the timelines that measure the same, and have begun."""
        ...

    @property
    def reached_ns(self) -> int:
        """Device time up to which all that the ECG leads say is known; 0: there is none."""
        ...

    def best_wave(self) -> int:
        """Return the timeline that shows best how the patient was; -1: none."""
        ...


class PatientAlerts:
    """Open and joinable episodes of a patient."""

    def __init__(self) -> None:
        self.episodes: dict[str, Episode] = {}
        self.several = Several()
        self.minutes: list[Change] = []
        """Minutes of numerics that count for the patient; whoever reads them empties it."""
        self.skew_ns: int | None = None
        """Arrival of the last frame from the future."""

    @property
    def waits(self) -> bool:
        """Whether something may happen without a new finding, as the signal goes on."""
        return (
            bool(self.several.ended)
            or self.skew_ns is not None
            or any(episode.next_point_ns is not None for episode in self.episodes.values())
        )

    def found(self, change: Change, around: Surroundings) -> list[Alert]:
        """Take in a finding that counts for the patient and return the revisions it makes."""
        if change.kind in (codes.SURE, codes.UNSURE_SINCE):
            return self._signal(change, around)
        if change.kind == codes.MINUTE:
            self.minutes.append(change)
            return []
        condition = CONDITIONS[codes.CONDITIONS[change.condition]]
        chain = condition.chain
        if condition.per_channel:
            chain += f":{':'.join(reversed(around.rank(change.timeline)[1:]))}"
        said = self._silenced(around) if condition.name == "non-transmission" else []
        episode = self.episodes.get(chain)
        if condition.name == "clock-skew" and change.kind == codes.ON:
            self.skew_ns = change.detected_ns
        of_device = change.timeline >= 0 and not condition.per_channel and chain not in HEART
        if of_device and not self.several.take(change, around.positions_like(change.timeline)):
            return said
        known = episode is not None and episode.is_present(condition.name)
        if known != (change.kind == codes.OFF):
            return said  # it ends and is not present, or begins and is: nothing new
        what = _input(episode, condition, change)
        step = TRANSITIONS["absent" if episode is None else episode.state, what]
        if what == "later":
            episode, what = None, "event" if change.kind == codes.EPISODE else "on"
            step = TRANSITIONS["absent", what]
        if step.action == "none":
            return said
        if episode is None:
            episode = self.episodes[chain] = _episode(chain, condition, change, around)
        episode.state = step.state
        self._act(step.action, episode, condition, change, around)
        return [*said, _revision(episode, around)]

    def arrived(self, arrival_ns: int, around: Surroundings) -> list[Alert]:
        """Return what a frame that is not from the future ends: an hour of them, clock skew."""
        if self.skew_ns is None or arrival_ns < self.skew_ns + SKEW_ENDS_NS:
            return []
        self.skew_ns = None
        rank = (-1, "", "")
        code = codes.CLOCK_SKEW
        change = Change(arrival_ns, rank, codes.OFF, code, -1, 0, arrival_ns, 0.0, False)
        return self.found(change, around)

    def advanced(self, around: Surroundings) -> list[Alert]:
        """Return the revisions that the signals' new positions make."""
        said = []
        for change in self.several.passed(around.positions_like):
            said += self.found(change, around)
        return said + self._points(around, None)

    def heard(self, change: Change, around: Surroundings) -> list[Alert]:
        """Take in a finding of the heart, after what was to be shown before it was decided."""
        return self._points(around, change.detected_ns) + self.found(change, around)

    def _points(self, around: Surroundings, heart_ns: int | None) -> list[Alert]:
        """Show what is to be shown by now; with `heart_ns` of the heart alone, and up to there."""
        said = []
        newest_ns = max(around.all_positions().values(), default=0)
        for episode in self.episodes.values():
            if episode.next_point_ns is None or (heart_ns and episode.chain not in HEART):
                continue
            now_ns = around.position_ns(episode.strip_line)
            if episode.chain in HEART:
                now_ns = min(now_ns, around.reached_ns)
                now_ns = min(now_ns, heart_ns or now_ns)
            while (point_ns := episode.next_point_ns) is not None:
                at_strip = not episode.strip_complete and episode.strip_to_ns == point_ns
                if now_ns < point_ns and not (at_strip and newest_ns >= episode.strip_by_ns):
                    break
                assert TRANSITIONS[episode.state, "point"].action == "show"
                if at_strip:
                    _cut(episode, around, point_ns)
                else:
                    episode.escalate()
                said.append(_revision(episode, around))
        return said

    def _signal(self, change: Change, around: Surroundings) -> list[Alert]:
        """Mark what is present in the heart's chains as (not) analysable; it does not end."""
        said = []
        since_ns = change.onset_ns if change.kind == codes.UNSURE_SINCE else None
        for episode in self.episodes.values():
            if episode.chain in HEART and TRANSITIONS[episode.state, "signal"].action == "show":
                episode.unanalysed_ns = since_ns
                said.append(_revision(episode, around))
        return said

    def _silenced(self, around: Surroundings) -> list[Alert]:
        """Complete strips with what there is: nothing more is to be waited for."""
        said = []
        for episode in self.episodes.values():
            if not episode.strip_complete:
                _cut(episode, around, episode.strip_to_ns)
                said.append(_revision(episode, around))
        return said

    def _act(
        self,
        action: Action,
        episode: Episode,
        condition: Condition,
        change: Change,
        around: Surroundings,
    ) -> None:
        if action in ("end", "resolve"):
            episode.end(condition.name, change.end_ns)
            if action == "resolve":
                episode.ended_ns, episode.unanalysed_ns = change.end_ns, None
                episode.escalate_ns = None
            return
        if action == "join":
            episode.count += 1
        if action in ("join", "add"):
            episode.enter(_present(condition, change, around))
        if change.kind == codes.EPISODE:
            episode.end(condition.name, change.end_ns)
        if change.kind == codes.EPISODE and episode.state == "ended":
            episode.ended_ns = change.end_ns
        elif episode.state == "present":
            episode.ended_ns = None
        episode.retrospective = episode.retrospective or change.late
        rises = action in ("add", "join") and episode.gravest.condition == condition.name
        if action == "announce" or (rises and episode.strip_complete):
            _frame_strip(episode, condition, change, around)
        if condition.grace_ns and episode.escalate_ns is None:
            episode.escalate_ns = change.onset_ns + condition.grace_ns


def _input(episode: Episode | None, condition: Condition, change: Change) -> Input:
    """Name what a finding is to an episode, in the words of the table."""
    if change.kind == codes.OFF:
        assert episode is not None
        holding = [entry for entry in episode.entries if entry.resolved_ns is None]
        return "last off" if len(holding) == 1 else "off"
    event = change.kind == codes.EPISODE
    if episode is None or episode.state == "present":
        return "event" if event else "on"
    if not episode.joins(change.onset_ns):
        return "later"
    return "event again" if event else "again"


def _present(condition: Condition, change: Change, around: Surroundings) -> Present:
    return Present(
        condition=condition.name,
        priority=condition.priority,
        onset_ns=change.onset_ns,
        detected_ns=change.detected_ns,
        value=change.value,
        limit=around.limit(condition.name),
        plan_version=around.plan_version,
        beats=around.beats(condition.name),
    )


def _episode(chain: str, condition: Condition, change: Change, around: Surroundings) -> Episode:
    where = chain if condition.per_channel else condition.name
    return Episode(
        id=alert_id(around.patient, where, change.onset_ns),
        chain=chain,
        entries=[_present(condition, change, around)],
        channel=around.channel(change.timeline),
        onset_ns=change.onset_ns,
    )


def _frame_strip(
    episode: Episode, condition: Condition, change: Change, around: Surroundings
) -> None:
    """Choose what the strip shows, and cut what there is of it."""
    before_ns, kept_ns = BEFORE_NS, KEPT_NS
    if condition.chain == "oxygen":
        before_ns, kept_ns = SLOW_BEFORE_NS, SLOW_KEPT_NS
    from_ns = max(change.onset_ns - before_ns, change.detected_ns - kept_ns)
    if episode.first_strip is None and from_ns > episode.strip_from_ns + COVERED_NS:
        episode.first_strip = episode.strip
    episode.strip = None
    episode.strip_by_ns = max(around.all_positions().values(), default=0) + GIVE_UP_NS
    episode.strip_line = change.timeline
    if change.timeline < 0:  # of no channel: how the patient was before
        episode.strip_line = around.best_wave()
        position_ns = around.position_ns(episode.strip_line)
        episode.strip_from_ns, episode.strip_to_ns = position_ns - KEPT_NS, position_ns
        _cut(episode, around, position_ns)
        return
    episode.strip_from_ns = from_ns
    episode.strip_to_ns = max(change.onset_ns + AFTER_NS, change.detected_ns)
    episode.strip_complete = False
    _cut(episode, around, change.detected_ns)


def _cut(episode: Episode, around: Surroundings, to_ns: int) -> None:
    if episode.strip_line >= 0:
        strip = around.strip(episode.strip_line, episode.strip_from_ns, to_ns)
        # New settings of the sender begin a new ring: then what was cut before shows more.
        if strip is not None and (episode.strip is None or strip.start <= episode.strip.start):
            episode.strip = strip
    episode.strip_complete = to_ns >= episode.strip_to_ns


def _revision(episode: Episode, around: Surroundings) -> Alert:
    episode.revision += 1
    return episode.alert(around.patient, around.mode)
