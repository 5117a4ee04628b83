"""The published schemas describe what is sent, and nothing that is sent escapes them."""

import json
from datetime import UTC, datetime
from typing import Any

import jsonschema
import msgspec
import pytest

from engine_cases import T0, Ran, S, Tape, beating, by_end, made, off, oxygen, run
from telesurv.alerts import schema
from telesurv.alerts.conditions import CONDITIONS
from telesurv.alerts.model import Alert, Heartbeat, Limits, Minute, Plan
from telesurv.plans import schema as plan_schema
from telesurv.publish import alert_record, heartbeat


def validator(made_of: dict[str, Any]) -> jsonschema.Draft202012Validator:
    jsonschema.Draft202012Validator.check_schema(made_of)
    checker = jsonschema.Draft202012Validator.FORMAT_CHECKER
    return jsonschema.Draft202012Validator(made_of, format_checker=checker)


@pytest.fixture(scope="module")
def ran() -> Ran:
    """A patient to whom nearly everything happens."""
    ecg = off(made(beating(100, [(20, 27.5)]), 100), (40, 60))
    spo2 = oxygen([(30, 97), (30, 80), (20, 0), (20, 97)])
    tape = Tape()
    for row in by_end(*ecg.frames("p"), *spo2.frames("p")):
        tape.rows([row])
    tomorrow = ecg.frames("p")[0]._replace(start_ns=T0 + 86_400 * S)
    tape.rows([tomorrow], tape.now_ns).lost(tape.now_ns)
    for second in range(110, 1400, 10):
        tape.tick(T0 + second * S)
    return run(tape.records)


def every(ran: Ran) -> list[Alert]:
    return [alert for revisions in ran.revisions.values() for alert in revisions]


def test_every_revision_is_as_the_schema_says(ran: Ran) -> None:
    known = validator(schema.alert())
    conditions = {alert.condition for alert in every(ran)}
    assert conditions >= {
        "asystole", "lead-off", "desaturation", "severe-desaturation", "probe-off",
        "clock-skew", "data-lost", "non-transmission",
    }  # fmt: skip
    for alert in every(ran):
        known.validate(json.loads(msgspec.json.encode(alert)))
        sent = alert_record(alert, 1_800_000_000.5, 48).value
        assert sent is not None
        known.validate(json.loads(sent))


def test_minutes_and_heartbeats_are_as_their_schemas_say(ran: Ran) -> None:
    known = validator(schema.numeric())
    assert {minute.numeric for minute in ran.minutes} == {"heart_rate", "spo2"}
    for minute in ran.minutes:
        known.validate(json.loads(msgspec.json.encode(minute)))
    beat = heartbeat(3, 17, 2, ran.engine.alerts.values(), "worker-1", 1_800_000_000.0, 5.0)
    assert beat.value is not None
    validator(schema.heartbeat()).validate(json.loads(beat.value))


def test_what_is_read_back_is_what_was_sent(ran: Ran) -> None:
    for alert in every(ran):
        assert msgspec.json.decode(msgspec.json.encode(alert), type=Alert) == alert


@pytest.mark.parametrize(
    ("field", "value"),
    [("id", 7), ("id", "no-uuid"), ("revision", 0), ("condition", "cold-feet"),
     ("priority", "urgent"), ("mode", "dream"), ("onset", "yesterday"), ("evidence", None),
     ("unheard_of", 1), ("count", 0), ("rule", {}), ("not_analysable_since", "now")],
)  # fmt: skip
def test_what_the_schema_refuses(ran: Ran, field: str, value: Any) -> None:
    document = json.loads(msgspec.json.encode(ran.alerts[0]))
    known = validator(schema.alert())
    known.validate(document)
    with pytest.raises(jsonschema.ValidationError):
        known.validate(document | {field: value})
    del document["reason"]
    with pytest.raises(jsonschema.ValidationError):
        known.validate(document)


@pytest.mark.parametrize("name", schema.SCHEMAS)
def test_every_field_is_described(name: str) -> None:
    made_of = schema.SCHEMAS[name]()
    for known in made_of["$defs"].values():
        assert known["description"]
        assert known["required"] == list(known["properties"])
        for field, described in known["properties"].items():
            assert described["description"], field


def test_structs_and_descriptions_agree() -> None:
    structs = {"Alert": Alert, "Minute": Minute, "Heartbeat": Heartbeat}
    for name, struct in structs.items():
        assert set(schema.FIELDS[name]) == set(struct.__struct_fields__)
    assert schema.alert()["$defs"]["Entry"]["properties"]["condition"]["enum"] == sorted(CONDITIONS)


def test_the_schema_of_a_plan_takes_what_a_plan_is() -> None:
    known = validator(plan_schema())
    plan = Plan(patient="p", version=1, limits=Limits(spo2_low=88))
    known.validate(json.loads(msgspec.json.encode(plan)))
    for wrong in ({"limits": {"spo2_low": 40}}, {"colour": 1}, {"version": "x"}):
        with pytest.raises(jsonschema.ValidationError):
            known.validate({"patient": "p", "version": 1} | wrong)


def test_dates_are_in_utc(ran: Ran) -> None:
    document = json.loads(msgspec.json.encode(ran.alerts[0]))
    assert document["onset"].endswith("Z")
    assert datetime.fromisoformat(document["onset"]).tzinfo == UTC
