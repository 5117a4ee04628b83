"""The published JSON Schemas of what the service says: alerts, numerics, heartbeats.

Made from the structs that are sent, with what every field means. Every field is always there.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from telesurv.alerts.conditions import CONDITIONS
from telesurv.alerts.model import Alert, Heartbeat, Minute
from telesurv_kernels._dtypes import NUMERICS

_DEVICE_TIME = "device time, ISO 8601, UTC"

FIELDS: dict[str, dict[str, str]] = {
    "Alert": {
        "id": "UUIDv5 of patient, condition and the onset first announced; never changes",
        "revision": "from 1 on; of one id, and mode, the highest revision counts",
        "patient": "pseudonym",
        "condition": "the gravest that is present; of a resolved alert the gravest it went through",
        "conditions": "all that the episode went through, the newest 16 of many",
        "kind": "of the patient, or of the means of measuring",
        "priority": "of the condition, as IEC 60601-1-8 ranks them",
        "mode": "live, or played again: then it is about no patient now",
        "retrospective": "whether what decided it came over a minute after it was measured",
        "cross_check": "what other signals say of it",
        "not_analysable_since": "since when the signal cannot be read; null while it can",
        "onset": f"when it began; {_DEVICE_TIME}",
        "detected": f"the sample at which the present condition was decided; {_DEVICE_TIME}",
        "resolved": f"when it ended; null while it is present; {_DEVICE_TIME}",
        "emitted": "when this revision was sent, by the service's clock; a replay differs in it",
        "count": "events that this alert joins",
        "reason": "one sentence with its numbers",
        "evidence": "strips; a second one where the episode grew graver long after its onset",
        "evidence_complete": "whether the strips are final",
        "rule": "what fired",
    },
    "Entry": {
        "condition": "name",
        "priority": "of this condition, raised where it outlasted its grace",
        "onset": _DEVICE_TIME,
        "detected": _DEVICE_TIME,
        "resolved": f"null while it is present; {_DEVICE_TIME}",
    },
    "Reason": {"en": "in English", "fr": "in French"},
    "Strip": {
        "device": "who measured",
        "channel": "what was measured",
        "unit": "of physical values, UCUM",
        "start": f"of the first sample; {_DEVICE_TIME}",
        "rate": "samples a second",
        "scale": "physical = sample * scale + offset",
        "offset": "physical = sample * scale + offset",
        "samples": "little-endian int16 in base64; -32768 is missing",
        "unreadable": "stretches that cannot be read: from sample, to sample (excluded), why",
        "beats": "samples of the R-peaks",
        "beat_classes": "of each beat: N, S, V, F or Q of ANSI/AAMI EC57; ? where not classified",
    },
    "Rule": {
        "name": "of the condition",
        "version": "of the rule",
        "limit": "in force when it fired; null where the rule has none",
        "unit": "of the limit, UCUM",
        "plan_version": "of the plan that set the limit; 0: the default",
    },
    "Minute": {
        "patient": "pseudonym",
        "mode": "live, or played again",
        "minute": f"its begin; {_DEVICE_TIME}",
        "numeric": "what was measured",
        "unit": "UCUM",
        "mean": "of the minute",
        "low": "lowest of the minute",
    },
    "Heartbeat": {
        "partition": "of the frames",
        "position": "next offset to be analysed",
        "lag": "records not yet analysed",
        "present": "alerts that are present",
        "digest": "of their sorted ids and revisions",
        "sent": "by the worker's clock, ISO 8601, UTC",
        "worker": "who sent it",
        "interval_s": "the next one is due in so many seconds",
    },
}
"""What every field means, by struct."""

_DATES = {"onset", "detected", "resolved", "emitted", "not_analysable_since", "start", "minute"}
_DATES |= {"sent"}
_DATE = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?Z$"
_LEAST = {"revision": 1, "count": 1, "version": 1, "plan_version": 0, "lag": 0, "present": 0}


def alert() -> dict[str, Any]:
    """Return the schema of an alert."""
    return _schema(Alert, "alert")


def numeric() -> dict[str, Any]:
    """Return the schema of a minute of a numeric."""
    return _schema(Minute, "numeric")


def heartbeat() -> dict[str, Any]:
    """Return the schema of a heartbeat."""
    return _schema(Heartbeat, "heartbeat")


SCHEMAS: dict[str, Callable[[], dict[str, Any]]] = {
    "alert": alert,
    "numeric": numeric,
    "heartbeat": heartbeat,
}
"""Name of what is sent -> its schema."""


def _schema(struct: type[msgspec.Struct], name: str) -> dict[str, Any]:
    found = msgspec.json.schema(struct)
    for title, known in found["$defs"].items():
        assert known["properties"].keys() == FIELDS[title].keys(), f"{title}: fields differ"
        known["required"] = list(known["properties"])
        known["additionalProperties"] = False
        for field, described in known["properties"].items():
            _describe(title, field, described)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:telesurv:{name}:1",
        **found,
    }


def _describe(title: str, field: str, described: dict[str, Any]) -> None:
    """Add what a field means, and what msgspec does not know of it."""
    described.pop("default", None)
    described["description"] = FIELDS[title][field]
    for choice in described.get("anyOf", [described]):
        if field in _DATES and choice.get("type") == "string":
            choice |= {"format": "date-time", "pattern": _DATE}
    if field == "id":
        described["format"] = "uuid"
    elif field == "condition" or (title, field) == ("Rule", "name"):
        described["enum"] = sorted(CONDITIONS)
    elif field == "numeric":
        described["enum"] = [name for name in NUMERICS if name]
    elif field in _LEAST:
        described["minimum"] = _LEAST[field]
