"""What goes onto the page: lists of alerts, the state of the service, counts; in one language.

The page and its live updates are rendered by the same templates. An update carries every list in
full order, but of alerts that the page already has only a stub with their identity.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any
from uuid import uuid4

from jinja2 import Environment, PackageLoader, StrictUndefined

from telesurv import __version__
from telesurv.alerts.model import Alert, Language, Rule, Strip
from telesurv.console import text
from telesurv.console.feed import MODES, PRIORITIES, Feed, Held
from telesurv.console.liveness import Status

LIST_MAX = 300
"""Open alerts on the page per mode; the JSON has all of them."""

RESOLVED_SHOWN = 50
OPENED_MAX = 1
"""High-priority alerts that a fresh page shows unfolded: the list stays a list."""

REASON_LENGTH_MAX = 600
_LISTS = (*MODES, "resolved")

_templates = Environment(
    loader=PackageLoader("telesurv.console"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


@dataclass(frozen=True, slots=True)
class Update:
    """The changing parts of the page, as HTML."""

    version: int
    lists: dict[str, str]
    trends: dict[str, int]  # "mode/patient": version of its newest minute


class Board:
    """Renders a feed for people, in the times of one zone."""

    def __init__(self, feed: Feed, zone: tzinfo) -> None:
        self.feed, self.zone = feed, zone
        self.boot = uuid4().hex[:8]  # tells a page that the console behind it was restarted

    def page(self, language: Language, now: datetime) -> str:
        """Return the whole page."""
        update = self.update(language, known=-1)
        return _templates.get_template("page.html").render(
            **self._words(language),
            **self.state(language, now),
            lists=update.lists,
            modes=MODES,
            event_id=f"{self.boot}.{update.version}",
            other="en" if language == "fr" else "fr",
            zone=text.zone_name(now, self.zone),
            zone_key=str(getattr(self.zone, "key", "UTC")),
            release=__version__,
        )

    def known_version(self, event_id: str) -> int:
        """Return the version that a page with this event id has, -1 for none of ours."""
        boot, _, version = event_id.partition(".")
        if boot != self.boot or not version.isdecimal() or len(version) > 15:
            return -1
        return int(version)

    def update(self, language: Language, known: int) -> Update:
        """Return the lists; alerts not changed since version `known` are stubs."""
        version = self.feed.version  # read first: what changes meanwhile is sent again
        held = self.feed.open()
        by_mode = {mode: [h for h in held if h.alert.mode == mode] for mode in MODES}
        urgent = [h for mode in MODES for h in by_mode[mode] if h.alert.priority == "high"]
        unfolded = [h.identity for h in urgent[:OPENED_MAX]]
        shown = {mode: by_mode[mode][:LIST_MAX] for mode in MODES}
        resolved = self.feed.resolved()
        shown["resolved"] = resolved[:RESOLVED_SHOWN]
        left_out = {mode: len(by_mode[mode]) - len(shown[mode]) for mode in MODES}
        left_out["live"] += self.feed.left_out
        left_out["resolved"] = len(resolved) - len(shown["resolved"])
        words = self._words(language)
        template = _templates.get_template("list.html")
        lists = {
            name: template.render(
                **words,
                name=name,
                cards=self._cards(shown[name], language, known),
                unfolded=unfolded if known < 0 else (),
                left_out=left_out[name],
                shown=bool(shown[name]) or name == "resolved" or name in self._modes(),
            )
            for name in _LISTS
        }
        return Update(version, lists, self._trend_versions(shown))

    def _cards(self, held: Sequence[Held], language: Language, known: int) -> list[dict[str, Any]]:
        return [
            self._card(h, language) if h.version > known else {"stub": _element_id(h)} for h in held
        ]

    def _trend_versions(self, shown: dict[str, list[Held]]) -> dict[str, int]:
        patients = {(h.alert.mode, h.alert.patient) for held in shown.values() for h in held}
        return {
            f"{mode}/{patient}": max(known.values())
            for mode, patient in sorted(patients)
            if (known := self.feed.numerics(mode, patient))
        }

    def state(self, language: Language, now: datetime) -> dict[str, str | bool]:
        """Return the banner (empty: all is well), the line on the service, the counts, title."""
        status = self.feed.status(now)
        banner = self._banner(status, language)
        words = self._words(language)
        counts: Counter[tuple[str, str]] = Counter(
            (h.alert.mode, h.alert.priority) for h in self.feed.open()
        )
        modes = [m for m in MODES if m in self._modes() or any(counts[m, p] for p in PRIORITIES)]
        by_mode = [(mode, [(p, counts[mode, p]) for p in PRIORITIES]) for mode in modes]
        return {
            "banner": _templates.get_template("banner.html").render(**words, banner=banner),
            "service": _templates.get_template("service.html").render(
                **words, status=status, feed=self.feed, healthy=not banner
            ),
            "counts": _templates.get_template("counts.html").render(**words, counts=by_mode),
            "title": _title(by_mode, bool(banner), language),
            "dead": bool(banner),
        }

    def _modes(self) -> set[str]:
        """Return the modes whose section stands even when empty.

        That is the live one, unless all that was ever received is a replay or a demo: then an
        empty page must not look live.
        """
        seen = self.feed.modes
        return {"live"} if "live" in seen or not seen else set(seen)

    def _banner(self, status: Status, language: Language) -> dict[str, Any]:
        """Return what the red banner says: headline, instant, details; empty when all is well."""
        details = [self.feed.trouble[:300]] if self.feed.trouble else []
        total = max(status.partitions, status.expected or 0)
        partly = 0 < len(status.lost) < total
        if partly:
            named = ", ".join(map(str, status.lost[:12])) + ("…" if len(status.lost) > 12 else "")
            lost = text.word("partitions_lost", language)
            details.append(f"{len(status.lost)} {lost} {total} ({named})")
        details.append(text.word("partly_watched" if partly else "not_watched", language))
        names = {"never": "never_alive", "missing": "missing_alive", "clock": "clock_alive"}
        if self.feed.trouble:
            headline, since = "log_trouble", None
        elif not self.feed.caught_up:
            headline, since, details = "loading", None, []
        elif status.cause == "silent":
            headline, since = "not_alive_since", status.since
        elif status.cause != "alive":
            headline, since = names[status.cause], None
        else:
            return {}
        return {"headline": headline, "since": since, "details": details}

    def _words(self, language: Language) -> dict[str, Any]:
        return {
            "lang": language,
            "word": lambda name: text.word(name, language),
            "date": lambda instant: text.date(instant, language, self.zone),
            "clock": lambda instant: text.clock(instant, self.zone),
            "iso": text.iso,
        }

    def _card(self, held: Held, language: Language) -> dict[str, Any]:
        """Return what the card of an alert says."""
        alert = held.alert
        reason = alert.reason.fr if language == "fr" else alert.reason.en
        if len(reason) > REASON_LENGTH_MAX:
            reason = reason[: REASON_LENGTH_MAX - 1] + "…"
        return {
            "stub": "",
            "element": _element_id(held),
            "identity": held.identity,
            "version": held.version,
            "alert": alert,
            "first_emitted": held.first_emitted,
            "condition": text.condition_name(alert.condition, language),
            "reason": reason,
            "rule": _rule(alert.rule, language),
            "cross_check": _cross_check(alert, language),
            "course": [
                (text.condition_name(entry.condition, language), entry)
                for entry in alert.conditions[:50]
            ],
            "strips": [_strip(strip, language, self.zone) for strip in alert.evidence[:12]],
            "trends": self.feed.numerics(alert.mode, alert.patient),
        }


def _title(
    by_mode: list[tuple[str, list[tuple[str, int]]]], troubled: bool, language: Language
) -> str:
    """Return the title of the window: trouble, or the number of open alerts of the first mode."""
    mode, counts = by_mode[0]
    total = sum(count for _, count in counts)
    mark = "" if mode == "live" else f"{text.word(f'mark_{mode}', language)} "
    number = "⚠ " if troubled else f"({total}) " if total else ""
    return number + mark + text.word("title", language)


def _element_id(held: Held) -> str:
    return f"a-{held.alert.mode}-{held.alert.id}"


def _rule(rule: Rule, language: Language) -> str:
    """Return the rule that fired, its limit, and the plan that set it."""
    parts = [f"{rule.name[:80]}, {text.word('version', language)} {rule.version}"]
    if rule.limit is not None:
        limit = text.quantity(rule.limit, rule.unit, language)
        parts.append(f"{text.word('limit', language)} {limit}")
    if rule.plan_version:
        parts.append(f"{text.word('plan_version', language)} {rule.plan_version}")
    else:
        parts.append(text.word("plan_default", language))
    return " · ".join(parts)


def _cross_check(alert: Alert, language: Language) -> str:
    known = alert.cross_check in text.WORDS
    return text.word(alert.cross_check, language) if known else alert.cross_check[:120]


def _strip(strip: Strip, language: Language, zone: tzinfo) -> dict[str, str]:
    """Return the name of a strip and a description for those who do not see it."""
    name = f"{text.word('strip_of', language)} {strip.channel[:40]} ({strip.device[:64]})"
    said = [f"{name}, {text.date(strip.start, language, zone)}"]
    if strip.beats:
        said.append(f"{len(strip.beats)} {text.word('beats', language)}")
    reasons = sorted({text.why(reason, language) for _, _, reason in strip.unreadable})
    if reasons:
        said.append(f"{text.word('unreadable_stretch', language)}: {', '.join(reasons)[:120]}")
    return {"name": name, "description": "; ".join(said)}
