"""The words of the console: complete in both languages, dates and numbers as people write them."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from telesurv.alerts import conditions
from telesurv.console import text

PARIS = ZoneInfo("Europe/Paris")


def test_every_word_and_condition_is_there_in_both_languages():
    for table in (text.WORDS, text.CONDITIONS, text.UNITS):
        for name, written in table.items():
            assert len(written) == len(text.LANGUAGES), name
    for table in (text.WORDS, text.CONDITIONS):
        assert all(word.strip() for written in table.values() for word in written)


def test_every_condition_that_we_raise_has_a_name():
    raised = set(conditions.CONDITIONS)
    assert raised <= set(text.CONDITIONS)


def test_an_unknown_condition_and_reason_are_shown_as_they_came_and_bounded():
    assert text.condition_name("asystole", "fr") == "Asystolie"
    assert text.condition_name("new-thing", "fr") == "new-thing"
    assert len(text.condition_name("x" * 1000, "fr")) == 80
    assert text.why("flat", "fr") == "constant"
    assert text.why("title", "fr") == "title"


@pytest.mark.parametrize(
    ("language", "written"), [("en", "1 Dec 2025 00:30:05"), ("fr", "1er déc. 2025 00:30:05")]
)
def test_dates_are_of_the_zone(language, written):
    instant = datetime(2025, 11, 30, 23, 30, 5, tzinfo=UTC)
    assert text.date(instant, language, PARIS) == written
    assert text.iso(instant) == "2025-11-30T23:30:05.000Z"


def test_the_zone_says_its_offset():
    winter, summer = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=UTC)
    assert text.zone_name(winter, PARIS) == "Europe/Paris (UTC+1)"
    assert text.zone_name(summer, PARIS) == "Europe/Paris (UTC+2)"
    assert text.zone_name(winter, UTC) == "UTC"
    assert text.zone_name(winter, ZoneInfo("America/St_Johns")).endswith("(UTC\u22123:30)")


def test_numbers_and_units():
    assert text.quantity(4.6, "s", "fr") == "4,6\u00a0s"
    assert text.quantity(140.0, "/min", "fr") == "140/min"
    assert text.quantity(38.5, "Cel", "en") == "38.5\u00a0°C"
