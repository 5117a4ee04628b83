"""Trends as SVG: gaps as gaps, labelled scales, marked when not live."""

from datetime import timedelta
from xml.etree import ElementTree
from zoneinfo import ZoneInfo

import pytest

from console_cases import NOW, day, minute
from telesurv.console.feed import Feed
from telesurv.console.trend import NARROW_MM, draw

PARIS = ZoneInfo("Europe/Paris")
SVG = "{http://www.w3.org/2000/svg}"


def fed(*records):
    feed = Feed()
    for item in records:
        feed.apply(item)
    assert not feed.malformed
    return feed


def drawn(feed, numeric="heart_rate", mode="live", **options):
    series = feed.series(mode, "p-0001", numeric)
    words = {"language": "en", "zone": PARIS, "mode": mode} | options
    return ElementTree.fromstring(draw(series, numeric, **words))


def texts(root):
    return [element.text for element in root.iter(f"{SVG}text")]


def of_class(root, name):
    return [element for element in root.iter() if element.get("class") == name]


def test_a_day_with_an_hour_missing_is_two_lines():
    root = drawn(fed(*day("p-0001")))
    assert of_class(root, "mean")[0].get("d").count("M") == 2
    assert len(of_class(root, "band")) == 2


def test_one_minute_missing_is_a_gap_too():
    records = [minute(70, 60, NOW - timedelta(minutes=m)) for m in range(20) if m != 7]
    assert of_class(drawn(fed(*records)), "mean")[0].get("d").count("M") == 2


def test_scales_are_labelled_and_hold_all_values():
    root = drawn(fed(minute(185, 21)))
    values = [float(text) for text in texts(root) if text and text.isdecimal()]
    assert min(values) <= 21
    assert max(values) >= 185
    assert any("Heart rate (/min)" in text for text in texts(root))
    spo2 = drawn(fed(*day("p-0001", hours=1)), "spo2")
    assert {"80", "100"} <= set(texts(spo2))
    assert any("SpO₂ (%)" in text for text in texts(spo2))


def test_times_are_of_the_zone_and_the_last_value_is_told():
    root = drawn(fed(minute(71.6, 60, NOW.replace(second=0))))
    assert any("71.6/min (14 Mar 2026 10:26)" in text for text in texts(root))
    french = drawn(fed(minute(71.6, 60, NOW.replace(second=0))), language="fr")
    assert any("71,6/min (14 mars 2026 10:26)" in text for text in texts(french))


def test_onset_and_limit_are_drawn_where_they_lie_inside():
    feed = fed(*day("p-0001", hours=2))
    assert {"onset", "limit 90"} <= set(
        texts(drawn(feed, "spo2", onset=NOW - timedelta(minutes=30), limit=90.0))
    )
    outside = texts(drawn(feed, "spo2", onset=NOW - timedelta(hours=9), limit=20.0))
    assert not any("onset" in text or "limit" in text for text in outside)


@pytest.mark.parametrize(("mode", "mark"), [("replay", "REPLAY"), ("demo", "DEMO")])
def test_what_is_not_live_is_marked(mode, mark):
    assert mark in texts(drawn(fed(minute(70, 60, mode=mode)), mode=mode))
    assert mark not in texts(drawn(fed(minute(70, 60))))


def test_nothing_known_says_so_and_a_narrow_one_fits():
    assert "no value yet" in texts(drawn(fed()))
    root = drawn(fed(*day("p-0001")), width_mm=NARROW_MM)
    assert root.get("width") == f"{NARROW_MM:g}mm"
    assert len([text for text in texts(root) if ":" in text and len(text) == 5]) <= 6


def test_extreme_values_are_drawn():
    for value in (0.0, -1e30, 1e30, 1e-30):
        svg = ElementTree.tostring(drawn(fed(minute(value, value))), "unicode")
        assert "nan" not in svg
        assert len(svg) < 20_000


def test_no_text_leaves_a_narrow_drawing_and_its_heading_has_room():
    root = drawn(fed(minute(71.6, 60, NOW.replace(second=0))), width_mm=NARROW_MM)
    assert any("71.6/min (10:26)" in text for text in texts(root))
    centred = [each for each in root.iter() if each.get("text-anchor") == "middle"]
    times = [each for each in centred if each.text and ":" in each.text]
    assert times
    assert all(float(each.get("x")) + 4.3 <= NARROW_MM for each in times)


def test_a_single_minute_can_be_seen():
    assert len(of_class(drawn(fed(minute(70, 60))), "newest")) == 1
