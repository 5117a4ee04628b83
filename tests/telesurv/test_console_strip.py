"""Strips as SVG: to scale, unreadable never as signal, gaps as gaps, no size or text trusted."""

import re
from datetime import timedelta
from xml.etree import ElementTree
from zoneinfo import ZoneInfo

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from console_cases import NOW, asystole, desaturation, ecg, noisy, strip
from telesurv.alerts.model import Strip
from telesurv.console.rows import MM_PER_S
from telesurv.console.strip import LEFT_MM, ROWS_MAX, WIDTH_MM, Marks, draw

PARIS = ZoneInfo("Europe/Paris")
SVG = "{http://www.w3.org/2000/svg}"


def drawn(shown: Strip, marks: Marks | None = None, language="en") -> ElementTree.Element:
    return ElementTree.fromstring(draw(shown, marks or Marks(), language=language, zone=PARIS))


def of_class(root, name):
    return [element for element in root.iter() if element.get("class") == name]


def texts(root):
    return [element.text for element in root.iter(f"{SVG}text")]


def points_mm(path) -> np.ndarray:
    """Return the points of a trace, [n, 2], mm."""
    found = []
    for part in path.get("d").split("M")[1:]:
        start, _, steps = part.partition("l")
        moves = np.array(steps.split(), float).reshape(-1, 2)
        found.append(np.cumsum(np.vstack((np.array(start.split(), float), moves)), axis=0))
    return np.vstack(found) / 100


def test_a_second_is_25_mm_and_a_millivolt_10_mm():
    samples = np.zeros(2500, np.int16)
    samples[250], samples[1250] = 200, -100  # 1 mV at 1 s, -0.5 mV at 5 s
    root = drawn(strip(samples))
    assert root.get("width") == f"{WIDTH_MM:g}mm"
    assert root.get("viewBox").split()[2] == f"{WIDTH_MM:g}"
    points = points_mm(of_class(root, "trace")[0])
    baseline = np.median(points[:, 1])
    up, down = points[np.argmin(points[:, 1])], points[np.argmax(points[:, 1])]
    assert baseline - up[1] == pytest.approx(10)
    assert down[1] - baseline == pytest.approx(5)
    assert down[0] - up[0] == pytest.approx(4 * MM_PER_S)
    pulse = of_class(root, "calibration")[0].get("d")
    assert "v-10h5v10" in pulse  # 1 mV for 0.2 s
    assert "1 mV" in texts(root)
    assert any("25 mm/s · 10 mm/mV" in text for text in texts(root))


@pytest.mark.parametrize(("unit", "scale"), [("uV", 5.0), ("V", 5e-6)])
def test_other_units_of_voltage_are_drawn_to_the_same_scale(unit, scale):
    samples = ecg([1.0, 2.0])
    same = [draw(strip(samples, unit=u, scale=s), Marks(), language="en", zone=PARIS)
            for u, s in (("mV", 0.005), (unit, scale))]  # fmt: skip
    assert same[0] == same[1]


def test_a_slow_offset_is_taken_off():
    samples = ecg([1.0, 2.0])
    lifted = draw(strip(samples, offset=3.0), Marks(), language="en", zone=PARIS)
    assert lifted == draw(strip(samples), Marks(), language="en", zone=PARIS)


def test_what_is_drawn_to_no_scale_says_so():
    wave = np.rint(1000 * np.sin(np.arange(1250) / 20)).astype(np.int16)
    root = drawn(strip(wave, channel="ppg", unit="1", rate=125.0))
    assert any("not to scale" in text for text in texts(root))
    assert not of_class(root, "calibration")
    assert not of_class(root, "paper")
    assert any("not to scale" in text for text in texts(drawn(strip(ecg([1]), unit="mm[Hg]"))))


def test_unreadable_stretches_are_hatched_and_say_why_and_are_not_ink():
    shown = noisy().evidence[0]
    root = drawn(shown, language="fr")
    hatched = of_class(root, "unreadable")
    assert [h.get("fill") for h in hatched] == ["url(#hatch)"] * 2
    spans = [(float(h.get("x")), float(h.get("width"))) for h in hatched]
    assert spans[0] == (pytest.approx(LEFT_MM + 6 * 25), pytest.approx(3 * 25))
    assert spans[1] == (pytest.approx(LEFT_MM + 2 * 25), pytest.approx(2 * 25))
    assert {"bruit", "constant", "pas de données"} <= set(texts(root))
    for path, (first, width) in zip(of_class(root, "trace"), spans, strict=True):
        x = points_mm(path)[:, 0]
        assert not np.any((x > first + 0.01) & (x < first + width - 0.11))
    for path, (first, width) in zip(of_class(root, "pale"), spans, strict=True):
        x = points_mm(path)[:, 0]
        assert np.all((x >= first - 0.01) & (x <= first + width + 0.01))


def test_missing_samples_are_a_gap_in_the_trace():
    samples = ecg(np.arange(0.5, 10, 0.8), 10.0)
    samples[1000:1500] = -32768
    root = drawn(strip(samples))
    (path,) = of_class(root, "trace")
    assert path.get("d").count("M") == 2
    x = points_mm(path)[:, 0]
    assert not np.any((x > LEFT_MM + 4 * 25 - 0.05) & (x < LEFT_MM + 6 * 25 - 0.05))
    assert "no data" in texts(root)


def test_beats_are_marked_hollow_where_unreadable_and_no_interval_spans_it():
    root = drawn(noisy().evidence[0])
    marks = of_class(root, "beat")
    assert len(marks) == 12
    assert sum(m.get("fill") == "none" for m in marks) == 3
    intervals = [text for text in texts(root) if re.fullmatch(r"\d+", text or "")]
    # 12 beats on two lines; pairs that touch noise, the flat or the missing stretch have none.
    assert intervals == ["1700"] * 4


def test_beats_that_are_not_normal_bear_their_letter():
    beats = [1.0, 2.0, 2.6, 4.0, 5.0]
    root = drawn(strip(ecg(beats), beats, beat_classes="NNV?S"))
    assert [text for text in texts(root) if text in set("NSVFQ?")] == ["V", "S"]
    assert [text for text in texts(drawn(strip(ecg(beats), beats))) if text in ("V", "?")] == []


def test_onset_and_detection_lie_at_their_instants():
    item = asystole()
    root = drawn(item.evidence[0], Marks(onset=item.onset, detected=item.detected), "fr")
    lines = {
        text: float(element.get("x1"))
        for element, following in zip(root, list(root)[1:], strict=False)
        if element.tag == f"{SVG}line" and (text := following.text) in ("début", "détectée")
    }
    assert lines["début"] == pytest.approx(LEFT_MM)  # ten seconds in: where the second line begins
    assert lines["détectée"] == pytest.approx(LEFT_MM + 4.6 * 25)


def test_an_instant_outside_of_the_strip_is_not_marked():
    shown = asystole().evidence[0]
    root = drawn(shown, Marks(onset=NOW + timedelta(hours=1), detected=NOW - timedelta(hours=9)))
    assert not {"onset", "detected"} & set(texts(root))


def test_the_axis_shows_the_zone_s_clock():
    assert "10:21:45" in texts(drawn(asystole().evidence[0]))  # 09:21:45 UTC


@pytest.mark.parametrize(("mode", "mark"), [("replay", "RELECTURE"), ("demo", "DÉMONSTRATION")])
def test_what_is_not_live_is_marked_across_every_line(mode, mark):
    waves = drawn(asystole().evidence[0], Marks(mode=mode), "fr")
    assert texts(waves).count(mark) == 2
    assert texts(drawn(desaturation().evidence[0], Marks(mode=mode), "fr")).count(mark) == 1
    assert mark not in texts(drawn(asystole().evidence[0], Marks(), "fr"))


def test_readings_are_steps_with_unit_limit_and_gap():
    root = drawn(desaturation().evidence[0], Marks(limit=90.0))
    (path,) = of_class(root, "trace")
    assert path.get("d").count("M") == 2
    assert len(of_class(root, "missing")) == 1
    assert "limit 90" in texts(root)
    assert any(text.endswith("%") for text in texts(root))
    values = [float(text) for text in texts(root) if re.fullmatch(r"\d+", text)]
    assert min(values) <= 84
    assert max(values) == 100


def test_a_fast_signal_is_thinned_but_keeps_its_peaks():
    samples = np.zeros(40_000, np.int16)
    samples[[7001, 23_456]] = 200
    path = draw(strip(samples, rate=4000.0), Marks(), language="en", zone=PARIS)
    root = ElementTree.fromstring(path)
    points = points_mm(of_class(root, "trace")[0])
    assert len(points) < 25_000
    assert np.sum(points[:, 1] < np.median(points[:, 1]) - 9.9) == 2


@pytest.mark.parametrize(
    "changes",
    [
        {"rate": 0.0},
        {"rate": -5.0},
        {"rate": 1e300},
        {"rate": 1e-300},
        {"samples": b""},
        {"samples": b"\x00"},
    ],
)
def test_what_cannot_be_drawn_says_so(changes):
    root = drawn(msgspec.structs.replace(strip(ecg([1])), **changes))
    assert any("cannot be drawn" in text for text in texts(root))


def test_a_huge_strip_is_cut_and_says_so():
    svg = draw(strip(np.zeros(600_000, np.int16)), Marks(), language="en", zone=PARIS)
    root = ElementTree.fromstring(svg)
    assert len(of_class(root, "trace")) == ROWS_MAX
    assert any(f"{2400 - 120} s more are not drawn" in text for text in texts(root))


def test_foreign_text_stays_text():
    evil = '</text><script>alert(1)</script>\x00\ud800&"'
    shown = strip(ecg([1]), channel=evil, device=evil * 50, unreadable=((0, 2000, evil),))
    svg = draw(shown, Marks(), language="en", zone=PARIS)
    assert "<script" not in svg
    ElementTree.fromstring(svg)


@settings(max_examples=120, deadline=None)
@given(
    samples=st.binary(max_size=900),
    rate=st.floats(allow_nan=True, allow_infinity=True),
    scale=st.floats(allow_nan=True, allow_infinity=True),
    offset=st.floats(allow_nan=True, allow_infinity=True),
    stretches=st.lists(
        st.tuples(st.integers(-(2**63), 2**63), st.integers(-(2**63), 2**63), st.text()),
        max_size=5,
    ),
    beats=st.lists(st.integers(-(2**63), 2**63), max_size=5),
    channel=st.sampled_from(["ecg.I", "spo2", "ppg", ""]),
    unit=st.sampled_from(["mV", "%", "1", "uV"]),
    limit=st.one_of(st.none(), st.floats()),
)
def test_no_strip_breaks_the_drawing(
    samples, rate, scale, offset, stretches, beats, channel, unit, limit
):
    shown = msgspec.structs.replace(
        strip(ecg([1])),
        samples=samples,
        rate=rate,
        scale=scale,
        offset=offset,
        unreadable=tuple(stretches),
        beats=tuple(beats),
        channel=channel,
        unit=unit,
    )
    for likely in (rate, 250.0, 1.0):
        shown = msgspec.structs.replace(shown, rate=likely)
        marks = Marks(onset=NOW, detected=NOW, limit=limit, mode="demo")
        svg = draw(shown, marks, language="fr", zone=PARIS)
        ElementTree.fromstring(svg)
        assert len(svg) < 1_000_000
        assert not re.search(r'="[^"<>]*\b(nan|inf)\b', svg)


def test_a_strip_at_the_end_of_time_is_drawn_too():
    drawn(strip(ecg([1]), start=NOW.replace(year=2261, month=12, day=31, hour=23, minute=59)))
    drawn(strip(ecg([1]), start=NOW.replace(year=1970, month=1, day=1, hour=0, minute=0)))
