"""The fold of records: which revision counts, what is kept, and that nothing sent breaks it."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from console_cases import NOW, alert, asystole, day, heartbeat, minute, record, silence, ward
from telesurv.alerts.model import Alert
from telesurv.console import feed as feed_module
from telesurv.console.feed import Feed
from telesurv.console.series import MINUTES
from telesurv_streams.log import ALERTS, NUMERICS, Record


def fed(*records: Record) -> Feed:
    feed = Feed()
    for item in records:
        feed.apply(item)
    return feed


def revised(alert_: Alert, revision: int, **changes: object) -> Alert:
    return msgspec.structs.replace(alert_, revision=revision, **changes)


def tombstone(alert_: Alert) -> Record:
    return record(alert_)._replace(value=None)


def test_the_highest_revision_counts_in_whatever_order_they_come():
    first = alert(count=1)
    third = revised(first, 3, count=3)
    for order in ((first, third), (third, first)):
        feed = fed(*map(record, order))
        assert [h.alert.count for h in feed.open()] == [3]
        assert feed.malformed == 0


def test_of_a_repeated_revision_the_earliest_emitted_counts():
    early = alert()
    late = msgspec.structs.replace(early, emitted=early.emitted + timedelta(minutes=3))
    for order in ((early, late), (late, early)):
        (held,) = fed(*map(record, order)).open()
        assert held.alert.emitted == held.first_emitted == early.emitted


def test_first_emitted_is_of_all_revisions():
    first = alert()
    second = revised(first, 2, emitted=first.emitted + timedelta(minutes=1))
    (held,) = fed(record(second), record(first)).open()
    assert held.alert.revision == 2
    assert held.first_emitted == first.emitted


def test_a_replay_does_not_touch_the_live_alert_of_the_same_id():
    live = alert()
    feed = fed(record(live), record(revised(live, 9, mode="replay", resolved=NOW)))
    assert [h.alert.mode for h in feed.open()] == ["live"]
    assert [h.alert.mode for h in feed.resolved()] == ["replay"]


def test_a_tombstone_removes_its_revision_and_older_ones_only():
    first = alert()
    second = revised(first, 2)
    assert fed(record(first), record(second), tombstone(first)).open()
    assert not fed(record(first), record(second), tombstone(second)).open()
    # From another partition the older revision may come last: it stays gone.
    assert not fed(record(second), tombstone(second), record(first)).open()
    assert fed(tombstone(first), record(second)).open()


def test_resolving_moves_an_alert_and_only_a_higher_revision_reopens_it():
    opened = alert()
    resolved = revised(opened, 2, resolved=NOW)
    feed = fed(record(opened), record(resolved), record(opened))
    assert not feed.open()
    assert [h.alert.id for h in feed.resolved()] == [opened.id]
    feed.apply(record(revised(opened, 3)))
    assert feed.open()
    assert not feed.resolved()


def test_open_alerts_are_sorted_by_priority_then_onset_newest_first():
    shown = fed(*map(record, ward())).open()
    order = [(h.alert.priority, h.alert.onset) for h in shown]
    rank = {"high": 0, "medium": 1, "low": 2}
    assert order == sorted(order, key=lambda o: (rank[o[0]], -o[1].timestamp()))
    assert shown[-1].alert.condition == "lead-off"


def test_the_newest_resolved_alerts_are_kept_and_an_evicted_one_does_not_come_back(monkeypatch):
    monkeypatch.setattr(feed_module, "RESOLVED_MAX", 3)
    done = [alert(id=f"a{n}", revision=2, resolved=NOW) for n in range(5)]
    feed = Feed()
    for n, item in enumerate(done):
        feed.apply(record(item, arrival=NOW + timedelta(seconds=n)))
    assert [h.alert.id for h in feed.resolved()] == ["a4", "a3", "a2"]
    feed.apply(record(revised(done[0], 1, resolved=None)))
    assert not feed.open()


def test_beyond_the_bound_the_least_urgent_open_alert_is_left_out_and_counted(monkeypatch):
    monkeypatch.setattr(feed_module, "OPEN_MAX", 2)
    low = alert(id="low", priority="low")
    feed = fed(record(low), record(alert(id="h1")), record(alert(id="h2")))
    assert {h.alert.id for h in feed.open()} == {"h1", "h2"}
    assert feed.left_out == 1
    feed.apply(record(revised(low, 2, resolved=NOW)))
    assert feed.left_out == 0


def test_a_record_that_changes_nothing_does_not_raise_the_version():
    feed = fed(record(alert()))
    before = feed.version
    feed.apply(record(alert()))
    assert feed.version == before
    feed.apply(record(silence()))
    assert feed.version > before


@pytest.mark.parametrize(
    "broken",
    [
        record(alert())._replace(value=b"{"),
        record(alert())._replace(value=b"\xff\xfe"),
        record(alert())._replace(value=b"[" * 100_000),
        record(alert())._replace(key=None),
        record(alert())._replace(key=b"live/x/y/1"),
        record(alert())._replace(key=b"live/other/1"),
        record(alert())._replace(key="é/é/1".encode()),
        record(alert(patient="<script>")),
        record(alert(id="../x")),
        record(alert(onset=datetime(2300, 1, 1, tzinfo=UTC))),
        record(alert())._replace(
            value=msgspec.json.encode(alert()).replace(
                b"2026-03-14T09:21:53Z", b"2026-03-14T09:21:53"
            )
        ),
        record(alert())._replace(value=b" " * (feed_module.VALUE_BYTES_MAX + 1)),
        heartbeat(interval_s=0.0),
        heartbeat(interval_s=1e9),
        heartbeat(partition=-1),
        heartbeat()._replace(key=b"heartbeat/3"),
        heartbeat()._replace(key=b"elsewhere/0"),
        heartbeat()._replace(headers=(("telesurv-kind", b"\xff"),)),
        minute(80, 70)._replace(key=b"p-0002"),
        minute(80, 70)._replace(value=b'{"patient": 1}'),
        minute(80, 70, NOW + timedelta(days=1))._replace(arrival_ns=int(NOW.timestamp() * 1e9)),
    ],
    ids=lambda r: (r.key or b"none").decode(errors="replace")[:24],
)
def test_what_cannot_be_read_is_counted_and_changes_nothing(broken):
    feed = fed(record(asystole()), heartbeat())
    before = feed.version, feed.status(NOW)
    feed.apply(broken._replace(offset=77))
    assert feed.malformed == 1
    assert f"{broken.topic}-0@77: " in feed.malformed_last
    assert (feed.version, feed.status(NOW)) == before


@settings(max_examples=150, deadline=None)
@given(
    topic=st.sampled_from([ALERTS, NUMERICS]),
    key=st.one_of(st.none(), st.binary(max_size=40), st.just(b"live/a/1"), st.just(b"p")),
    value=st.one_of(st.none(), st.binary(max_size=200)),
    cut=st.integers(0, 2000),
    flip=st.integers(0, 2000),
)
def test_no_bytes_break_it(topic, key, value, cut, flip):
    feed = Feed()
    feed.apply(Record(topic, 0, 0, 0, key, value))
    whole = record(asystole())
    mangled = bytearray(whole.value or b"")
    mangled[flip % len(mangled)] ^= 1 << (flip % 8)
    feed.apply(whole._replace(value=bytes(mangled)))
    feed.apply(whole._replace(value=(whole.value or b"")[:cut]))
    assert feed.malformed >= 1
    assert len(feed.open()) <= 1


def test_a_trend_keeps_a_day_of_minutes_takes_late_ones_and_leaves_gaps():
    feed = fed(*day("p-0001"))
    series = feed.series("live", "p-0001", "heart_rate")
    assert series.minute[-1] - series.minute[0] == MINUTES - 1
    assert len(series.minute) == MINUTES - 59  # the hour that is missing
    feed.apply(minute(99, 98, NOW - timedelta(minutes=330)))
    later = feed.series("live", "p-0001", "heart_rate")
    assert len(later.minute) == len(series.minute) + 1
    assert feed.numerics("live", "p-0001").keys() == {"heart_rate", "spo2"}
    assert feed.series("replay", "p-0001", "heart_rate") is None


def test_a_trend_forgets_what_is_older_than_a_day():
    feed = fed(minute(60, 55, NOW - timedelta(days=2)), minute(70, 65, NOW))
    assert list(feed.series("live", "p-0001", "heart_rate").mean) == [70]
    feed.apply(minute(60, 55, NOW - timedelta(days=1)))
    assert list(feed.series("live", "p-0001", "heart_rate").mean) == [70]


def test_minutes_that_never_came_are_not_those_of_the_day_before():
    feed = fed(*day("p-0001"))
    feed.apply(minute(70, 65, NOW + timedelta(minutes=30)))
    series = feed.series("live", "p-0001", "heart_rate")
    assert series.minute[-1] - series.minute[-2] == 30
    assert len(series.minute) == MINUTES - 59 - 29


def test_a_replay_may_begin_again_at_an_earlier_date():
    feed = fed(minute(70, 65, NOW, mode="replay"))
    feed.apply(minute(60, 55, NOW - timedelta(days=30), mode="replay"))
    assert list(feed.series("replay", "p-0001", "heart_rate").mean) == [60]


def test_modes_seen_are_told():
    assert fed().modes == frozenset()
    assert fed(minute(70, 65, mode="demo")).modes == {"demo"}
    assert fed(record(alert(mode="replay")), record(alert())).modes == {"replay", "live"}
