"""No service is never taken for no alert."""

from datetime import timedelta

from console_cases import NOW, heartbeat
from telesurv.console.feed import Feed


def fed(*records, partitions=None):
    feed = Feed(partitions)
    for item in records:
        feed.apply(item)
    return feed


def at(seconds):
    return NOW + timedelta(seconds=seconds)


def test_without_any_heartbeat_the_service_is_not_alive():
    assert not fed().alive(NOW)
    assert fed().status(NOW).cause == "never"


def test_it_is_alive_up_to_three_intervals_after_its_heartbeat():
    feed = fed(heartbeat())
    assert feed.alive(NOW)
    assert feed.alive(at(15))
    assert not feed.alive(at(15.1))
    status = feed.status(at(60))
    assert (status.cause, status.since, status.lost) == ("silent", NOW, (0,))


def test_one_silent_partition_is_enough():
    feed = fed(heartbeat(), heartbeat(at(30), 1), heartbeat(at(30), 2))
    status = feed.status(at(31))
    assert (status.alive, status.since, status.lost) == (False, NOW, (0,))
    feed.apply(heartbeat(at(31), 0))
    assert feed.alive(at(31))


def test_a_partition_that_never_spoke_is_missed_when_their_number_is_known():
    feed = fed(heartbeat(), heartbeat(partition=2), partitions=3)
    status = feed.status(NOW)
    assert (status.alive, status.cause, status.lost) == (False, "missing", (1,))


def test_an_older_heartbeat_changes_nothing():
    feed = fed(heartbeat(at(60)), heartbeat(NOW))
    assert feed.alive(at(70))


def test_a_heartbeat_from_the_future_is_no_sign_of_life():
    feed = fed(heartbeat(at(3600)))
    assert not feed.alive(NOW)
    assert feed.status(NOW).cause == "clock"
    assert fed(heartbeat(at(10))).alive(NOW)


def test_a_deleted_heartbeat_is_none():
    feed = fed(heartbeat(), heartbeat()._replace(value=None))
    assert feed.status(NOW).cause == "never"


def test_a_console_that_is_still_reading_or_cannot_read_does_not_claim_life():
    feed = fed(heartbeat())
    feed.caught_up = False
    assert not feed.alive(NOW)
    feed.caught_up, feed.trouble = True, "no broker"
    assert not feed.alive(NOW)


def test_lag_and_present_are_of_all_partitions():
    status = fed(heartbeat(lag=3, present=2), heartbeat(partition=1, lag=4, present=1)).status(NOW)
    assert (status.lag, status.present, status.partitions) == (7, 3, 2)
