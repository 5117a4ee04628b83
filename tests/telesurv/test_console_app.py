"""The console over HTTP: the page in both languages, its drawings, its JSON, its headers."""

import asyncio
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from html.parser import HTMLParser
from xml.etree import ElementTree
from zoneinfo import ZoneInfo

import httpx
import msgspec
import pytest
from starlette.applications import Starlette

from console_cases import (
    NOW,
    alert,
    asystole,
    day,
    desaturation,
    heartbeat,
    noisy,
    record,
    silence,
    ward,
)
from telesurv.alerts.model import Alert, Reason
from telesurv.console import board
from telesurv.console.app import create_app
from telesurv.console.feed import Feed


class Http:
    """Asks an application without a network."""

    def __init__(self, app: Starlette) -> None:
        self.app = app

    def get(self, path: str, headers: dict[str, str] | None = None) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(app=self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://console") as http:
                return await http.get(path, headers=headers)

        return asyncio.run(ask())


class Page(HTMLParser):
    """The text of a page, its elements by id, and whether its tags are balanced."""

    VOID = frozenset(["meta", "link", "img", "source", "br"])

    def __init__(self, html: str) -> None:
        super().__init__()
        self.stack: list[str] = []
        self.ids: list[str] = []
        self.attributes: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(html)
        self.close()
        assert not self.stack, self.stack

    def handle_starttag(self, tag, attrs):
        self.attributes.append((tag, dict(attrs)))
        if "id" in dict(attrs):
            self.ids.append(dict(attrs)["id"] or "")
        if tag not in self.VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.attributes.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.stack.pop() == tag, tag

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))

    def cards(self) -> list[str]:
        return [i for i in self.ids if i.startswith("a-")]


def fed(*alerts: Alert, alive: bool = True) -> Feed:
    feed = Feed()
    if alive:
        feed.apply(heartbeat())
    for item in alerts:
        feed.apply(record(item))
    assert not feed.malformed
    return feed


def client(feed: Feed, now: Callable[[], datetime] = lambda: NOW) -> Http:
    return Http(create_app(feed, zone=ZoneInfo("Europe/Paris"), now=now))


def page(feed: Feed, language: str = "en", now: datetime = NOW) -> Page:
    return Page(client(feed, lambda: now).get(f"/?lang={language}").text)


def test_the_page_lists_open_alerts_in_order_then_resolved_ones():
    feed = fed(*ward())
    shown = page(feed)
    assert shown.cards() == [f"a-live-{held.alert.id}" for held in (*feed.open(), *feed.resolved())]
    assert len(set(shown.ids)) == len(shown.ids)


def test_an_alert_says_who_what_since_when_and_why_in_the_page_s_language():
    english, french = page(fed(asystole())).text, page(fed(asystole()), "fr").text
    assert "Asystole" in english
    assert "p-0001" in english
    assert "since 14 Mar 2026 10:21:53" in english
    assert "No heartbeat in 4.6 s" in english
    assert "High" in english
    assert "Asystolie" in french
    assert "depuis 14 mars 2026 10:21:53" in french
    assert "Aucun battement pendant 4,6 s" in french
    assert "asystole, version 1 · limite 4\u00a0s · plan par défaut" in french.replace(
        " s", "\u00a0s"
    )
    assert "Haute" in french


def test_utc_stands_behind_every_time_shown():
    times = [a for tag, a in page(fed(asystole())).attributes if tag == "time" and "datetime" in a]
    assert times
    assert all(a["title"] == a["datetime"] and a["title"].endswith("Z") for a in times)


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("fr-FR,fr;q=0.9,en;q=0.8", "fr"),
        ("en-GB,fr;q=0.5", "en"),
        ("de,fr;q=0.3,en;q=0.2", "fr"),
        ("fr;q=0,en", "en"),
        ("", "en"),
        (";;q=,,=\x7f" * 50, "en"),
    ],
)
def test_without_a_wish_the_browser_s_language_is_spoken(header, language):
    answer = client(fed()).get("/", headers={"accept-language": header})
    assert f'<html lang="{language}">' in answer.text
    assert '<html lang="fr">' in client(fed()).get("/?lang=fr").text
    assert '<html lang="en">' in client(fed()).get("/?lang=xx").text


def test_a_living_service_with_no_alert_says_so():
    shown = page(fed())
    assert "No open alert." in shown.text
    assert "Service alive" in shown.text
    assert "NOT ALIVE" not in shown.text


@pytest.mark.parametrize("language", ["en", "fr"])
def test_a_dead_service_is_said_before_anything_else(language):
    shown = page(fed(asystole()), language, NOW + timedelta(minutes=2))
    headline = {"en": "SERVICE NOT ALIVE SINCE", "fr": "SERVICE HORS LIGNE DEPUIS"}[language]
    assert shown.text.index(headline) < shown.text.index("p-0001")
    assert {"en": "14 Mar 2026 10:26:53", "fr": "14 mars 2026 10:26:53"}[language] in shown.text
    body = next(a for tag, a in shown.attributes if tag == "body")
    assert body["class"] == "dead"
    title = shown.words[next(i for i, w in enumerate(shown.words) if "⚠" in w)]
    assert title.startswith("⚠")


def test_a_service_that_was_never_alive_a_loading_console_and_a_lost_log_are_said():
    assert "no sign of life was ever received" in page(fed(alive=False)).text
    feed = fed()
    feed.caught_up = False
    assert "READING THE LOG" in page(feed).text
    feed.trouble = "no broker at example:9092"
    text = page(feed).text
    assert "THE LOG CANNOT BE READ" in text
    assert "no broker at example:9092" in text


@pytest.mark.parametrize(("mode", "mark"), [("replay", "REPLAY"), ("demo", "DEMO")])
def test_a_replay_and_a_demo_never_look_live(mode, mark):
    feed = fed(asystole(mode=mode), desaturation(id="d", mode=mode))
    shown = page(feed)
    assert shown.text.count(mark) >= 4  # header, section, each card
    assert f"({2}) {mark} telesurv console" in shown.text
    lists = {a["id"]: a["class"] for tag, a in shown.attributes if tag == "section"}
    assert f"mode-{mode}" in (lists[f"list-{mode}"] or "")
    hidden = re.findall(r'data-shown="(\w+)"', client(feed).get("/").text)
    order = ["live", "replay", "demo", "resolved"]
    assert dict(zip(order, hidden, strict=True)) == {
        "live": "no", "replay": "no", "demo": "no", "resolved": "yes", mode: "yes"
    }  # fmt: skip
    strip = client(feed).get(f"/alerts/{mode}/d/strip/0.svg").text
    assert mark in strip


def test_a_console_that_saw_only_a_demo_does_not_look_live_when_it_is_empty():
    feed = fed()
    for item in day("p-0001", mode="demo", hours=0.1):
        feed.apply(item)
    assert "DEMO telesurv console" in page(feed).text


def test_what_is_foreign_is_escaped_and_bounded():
    evil = "<script>alert(1)</script>" + "é" * 5000
    item = alert(
        condition=evil,
        reason=Reason(en=evil, fr=evil),
        cross_check=evil,
        patient="p" * 64,
        conditions=alert().conditions * 500,
    )
    answer = client(fed(item)).get("/")
    assert "<script>alert" not in answer.text
    assert len(answer.text) < 60_000
    Page(answer.text)


def test_long_lists_are_bounded_and_say_so(monkeypatch):
    monkeypatch.setattr(board, "LIST_MAX", 10)
    shown = page(fed(*(alert(id=f"a{n}") for n in range(25))))
    assert len(shown.cards()) == 10
    assert "15 further open alerts are not shown." in shown.text


def test_an_alert_without_strip_says_so_and_a_doubtful_one_too():
    assert "This alert has no strip." in page(fed(silence())).text
    doubtful = page(fed(noisy())).text
    assert "Signal not analysable since 14 Mar 2026 10:22:03" in doubtful
    assert "not cross-checked" in doubtful
    assert "unreadable: flat, noise" in str(page(fed(noisy())).attributes)


def test_drawings_are_svg_in_the_language_asked_for():
    feed = fed(asystole())
    for item in day("p-0001", hours=1):
        feed.apply(item)
    http = client(feed)
    sources = [
        a["src"] or "" for tag, a in Page(http.get("/?lang=fr").text).attributes if tag == "img"
    ]
    assert len(sources) == 3
    for source in sources:
        answer = http.get(source)
        assert answer.headers["content-type"] == "image/svg+xml"
        ElementTree.fromstring(answer.text)
        assert "début" in answer.text
    assert 'width="88mm"' in http.get(sources[1] + "&narrow=1").text


def test_the_limit_is_drawn_on_the_channel_that_it_is_of():
    http = client(fed(desaturation(), asystole()))
    assert "limit 90" in http.get(f"/alerts/live/{desaturation().id}/strip/0.svg").text
    assert "limit 4" not in http.get(f"/alerts/live/{asystole().id}/strip/0.svg").text


@pytest.mark.parametrize(
    "path",
    [
        "/alerts/live/nobody.json",
        "/alerts/live/nobody/strip/0.svg",
        "/alerts/live/{id}/strip/7.svg",
        "/alerts/replay/{id}.json",
        "/alerts/live/{id}/trend/weight.svg",
        "/patients/nobody.json",
        "/patients/%3Cscript%3E.json",
        "/static/../app.py",
        "/static/%2e%2e/app.py",
        "/nothing",
    ],
)
def test_what_does_not_exist_is_not_found(path):
    assert client(fed(asystole())).get(path.format(id=asystole().id)).status_code == 404


def test_the_json_twin_says_what_the_page_shows():
    http = client(fed(*ward()))
    body = http.get("/alerts.json").json()
    assert body["service"]["alive"] is True
    assert [a["id"] for a in body["open"]] == [h.alert.id for h in fed(*ward()).open()]
    assert all(a["evidence"] == [] for a in body["open"])
    assert body["open"][0]["first_emitted"].endswith("Z")
    one = http.get(f"/alerts/live/{asystole().id}.json").json()
    del one["first_emitted"]
    assert msgspec.convert(one, Alert) == asystole()
    full = http.get("/alerts.json?evidence=1").json()["open"]
    assert any(a["evidence"] for a in full)


def test_a_patient_as_json():
    feed = fed(*ward())
    for item in day("p-0001", hours=1):
        feed.apply(item)
    body = client(feed).get("/patients/p-0001.json").json()
    assert [a["condition"] for a in body["alerts"]] == ["asystole"]
    rate = body["trends"]["heart_rate"]
    assert rate["unit"] == "/min"
    assert len(rate["minute"]) == len(rate["mean"]) == len(rate["low"]) == 61
    assert rate["minute"][-1] == "2026-03-14T09:26:00.000Z"
    assert client(feed).get("/patients/p-0001.json?mode=replay").status_code == 404
    assert client(feed).get("/patients/p-0001.json?mode=other").status_code == 400


def test_health_is_of_the_console_and_tells_of_the_service():
    feed = fed(alive=False)
    answer = client(feed).get("/healthz")
    assert (answer.status_code, answer.json()["service_alive"]) == (200, False)
    feed.trouble = "no broker"
    assert client(feed).get("/healthz").status_code == 503


def test_every_answer_carries_the_guarding_headers():
    http = client(fed(asystole()))
    for path in ("/", "/alerts.json", "/static/console.js", "/nothing", "/healthz"):
        headers = http.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
        assert headers["referrer-policy"] == "no-referrer"


def test_the_page_needs_nothing_from_elsewhere_and_no_inline_code():
    html = client(fed(*ward())).get("/").text
    assert not re.search(r"(src|href|srcset)=[\"']?(https?:)?//", html)
    assert not re.search(r"<style|style=|\son\w+=|javascript:", html)
    assert re.findall(r"<script[^>]*>[^<]", html) == []


def test_without_javascript_the_page_reloads_itself():
    html = client(fed()).get("/").text
    assert '<noscript><meta http-equiv="refresh" content="15"></noscript>' in html
    assert "reloads itself every 15 seconds" in html


def test_a_strange_host_is_refused():
    app = create_app(fed(asystole()), hosts=frozenset({"localhost", "::1"}))
    for host, status in (
        ("localhost:8600", 200),
        ("[::1]:8600", 200),
        ("LOCALHOST", 200),
        ("evil.example", 400),
        ("localhost.evil.example", 400),
        ("", 400),
    ):
        answer = Http(app).get("/", headers={"host": host})
        assert answer.status_code == status, host
        assert "p-0001" not in answer.text or status == 200
