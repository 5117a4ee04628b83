"""The page as people meet it: live, in a real browser, on a desk and on a phone."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from browser_cases import ARGUMENTS, sees_drawn
from console_cases import NOW, alert, asystole, day, desaturation, heartbeat, noisy, record, ward
from telesurv.alerts.model import Alert, Reason
from telesurv.console import app, run
from telesurv.console.feed import Feed

pytestmark = pytest.mark.browser

DESK, PHONE = {"width": 1280, "height": 900}, {"width": 375, "height": 720}


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    expect.set_options(timeout=20_000)  # a busy machine is no failure
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield started
        started.close()


class Clock:
    """The console's wall clock: that of the cases, and as far on as a test wants."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


class Ward:
    """A console with its feed and clock, as a page sees it."""

    def __init__(self, feed: Feed, console: run.Running, clock: Clock) -> None:
        self.feed, self.console, self.clock = feed, console, clock
        self.url = console.url

    def beat(self) -> None:
        self.feed.apply(heartbeat(self.clock.now))


@contextmanager
def serving(monkeypatch: pytest.MonkeyPatch, *alerts: Alert) -> Iterator[Ward]:
    clock, feed = Clock(), Feed()
    made = app.create_app

    def with_clock(*args: Any, **options: Any) -> Any:
        return made(*args, **options, now=clock)

    monkeypatch.setattr(app, "TICK_S", 0.02)
    monkeypatch.setattr(app, "KEEP_ALIVE_S", 0.5)
    monkeypatch.setattr(run, "create_app", with_clock)
    feed.apply(heartbeat())
    for item in alerts:
        feed.apply(record(item))
    console = run.start(feed=feed, port=0, timezone="Europe/Paris")
    try:
        yield Ward(feed, console, clock)
    finally:
        console.stop()


@pytest.fixture
def visit(browser: Browser) -> Iterator[Any]:
    """Open a page; whatever it complains about in its own console fails the test."""
    complaints: list[str] = []
    pages: list[Page] = []

    def opened(
        url: str, size: dict[str, int] = DESK, language: str = "fr-FR", **options: Any
    ) -> Page:
        page = browser.new_page(viewport=size, locale=language, **options)
        page.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(url)
        pages.append(page)
        return page

    yield opened
    for page in pages:
        page.close()
    offline = ["CONNECTION_REFUSED", "INCOMPLETE_CHUNKED", "INTERNET_DISCONNECTED"]
    # A page that asks for something just when the console stops is cut off.
    offline += ["CONNECTION_RESET", "CONNECTION_CLOSED", "EMPTY_RESPONSE", "SOCKET_NOT_CONNECTED"]
    assert not [c for c in complaints if not any(f"ERR_{name}" in c for name in offline)]


def connected(page: Page) -> Page:
    """Wait until the stream has spoken."""
    expect(page.locator("#service[data-html]")).to_be_visible()
    return page


@pytest.mark.parametrize(
    ("locale", "words"),
    [("fr-FR", ["Alertes en cours", "Asystolie"]), ("en-GB", ["Open alerts", "Asystole"])],
)
def test_the_page_speaks_the_browser_s_language(monkeypatch, visit, locale, words):
    with serving(monkeypatch, *ward()) as served:
        page = visit(served.url, language=locale)
        for word in words:
            expect(page.get_by_text(word).filter(visible=True).first).to_be_visible()
        page.locator(".languages a").click()
        other = "Open alerts" if locale == "fr-FR" else "Alertes en cours"
        expect(page.locator("#h-live")).to_contain_text(other)


def test_the_most_urgent_alert_is_unfolded_with_strip_and_trends(monkeypatch, visit):
    with serving(monkeypatch, *ward()) as served:
        for patient in ("p-0001", "p-0002", "p-0003"):
            for item in day(patient, hours=2):
                served.feed.apply(item)
        page = visit(served.url)
        expect(page.locator("details[open]")).to_have_count(1)
        first = page.locator(".card").first
        expect(first).to_have_class("card high mode-live")
        expect(first.locator(".paper img")).to_be_visible()
        sees_drawn(page, "details[open] img")
        # 25 mm/s: on screen a millimetre is 96/25.4 pixels.
        width = page.evaluate("document.querySelector('.paper img').naturalWidth")
        assert width == pytest.approx(266 * 96 / 25.4, abs=2)


def test_a_new_alert_appears_is_announced_and_a_higher_revision_replaces_it(monkeypatch, visit):
    with serving(monkeypatch) as served:
        page = connected(visit(served.url))
        expect(page.locator("#list-live").get_by_text("Aucune alerte en cours.")).to_be_visible()
        opened = asystole()
        served.feed.apply(record(opened))
        card = page.locator(f"#a-live-{opened.id}")
        expect(card).to_be_visible()
        expect(card.locator("details")).to_have_attribute("open", "")
        expect(page.locator("#announce")).to_contain_text(
            "Nouvelle alerte: Priorité haute, Asystolie, Patient p-0001"
        )
        expect(page).to_have_title("(1) Console telesurv")
        expect(page.locator("#list-live").get_by_text("Aucune alerte en cours.")).to_have_count(0)
        changed = msgspec.structs.replace(
            opened, revision=2, count=3, reason=Reason(en="Again.", fr="Encore.")
        )
        served.feed.apply(record(changed))
        expect(card.locator(".reason")).to_have_text("Encore.")
        expect(card.locator("details")).to_have_attribute("open", "")
        served.feed.apply(record(msgspec.structs.replace(changed, revision=3, resolved=NOW)))
        expect(page.locator(f"#list-resolved #a-live-{opened.id}")).to_be_visible()
        expect(page.locator(f"#a-live-{opened.id}")).to_have_count(1)
        expect(page).to_have_title("Console telesurv")


def test_what_the_reader_unfolded_and_focused_stays_so(monkeypatch, visit):
    quiet, loud = desaturation(), asystole()
    with serving(monkeypatch, quiet) as served:
        page = connected(visit(served.url))
        summary = page.locator(f"#a-live-{quiet.id} summary")
        summary.focus()
        page.keyboard.press("Enter")
        expect(page.locator(f"#a-live-{quiet.id} details")).to_have_attribute("open", "")
        served.feed.apply(record(loud))
        expect(page.locator(".card").first).to_have_id(f"a-live-{loud.id}")
        revised = msgspec.structs.replace(quiet, revision=2, priority="high")
        served.feed.apply(record(revised))
        expect(page.locator(f"#a-live-{quiet.id}")).to_have_class("card high mode-live")
        expect(page.locator(f"#a-live-{quiet.id} details")).to_have_attribute("open", "")
        expect(summary).to_be_focused()
        ids = [held.alert.id for held in served.feed.open()]
        shown = page.locator("#list-live .card").evaluate_all("all => all.map(c => c.id)")
        assert shown == [f"a-live-{i}" for i in ids]


def test_a_service_that_dies_is_unmistakable_and_one_that_returns_clears_it(monkeypatch, visit):
    with serving(monkeypatch, asystole()) as served:
        page = connected(visit(served.url))
        expect(page.get_by_text("Service actif")).to_be_visible()
        served.clock.now = NOW + timedelta(seconds=16)
        banner = page.locator("#banner .banner")
        expect(banner).to_contain_text("SERVICE HORS LIGNE DEPUIS 14 mars 2026 10:26:53")
        expect(banner).to_have_attribute("role", "alert")
        expect(banner).to_be_in_viewport(ratio=1)
        colours = banner.evaluate("b => [getComputedStyle(b).backgroundColor, b.clientWidth]")
        assert colours == ["rgb(179, 0, 27)", DESK["width"]]
        expect(page).to_have_title("⚠ Console telesurv")
        page.mouse.wheel(0, 2000)
        expect(banner).to_be_in_viewport(ratio=1)
        served.beat()
        expect(banner).to_have_count(0)
        expect(page.get_by_text("Service actif")).to_be_visible()


def test_an_empty_list_of_a_dead_service_is_no_good_news(monkeypatch, visit):
    with serving(monkeypatch) as served:
        served.clock.now = NOW + timedelta(hours=1)
        page = connected(visit(served.url))
        expect(page.locator("#list-live").get_by_text("Aucune alerte en cours.")).to_be_hidden()
        expect(page.locator("#list-live").get_by_text("On ne sait rien")).to_be_visible()


def test_a_lost_connection_is_unmistakable_and_the_page_catches_up(monkeypatch, visit):
    with serving(monkeypatch, desaturation()) as served:
        page = connected(visit(served.url))
        expect(page.locator("#lost")).to_be_hidden()
        page.context.set_offline(True)
        served.console.stop()
        expect(page.locator("#lost")).to_be_visible()
        expect(page.locator("#lost")).to_contain_text("CONNEXION PERDUE DEPUIS 10:26:5")
        expect(page.locator("#lost")).to_be_in_viewport(ratio=1)
        served.feed.apply(record(asystole()))
        port = int(served.url.rpartition(":")[2].strip("/"))
        again = run.start(feed=served.feed, port=port, timezone="Europe/Paris")
        page.context.set_offline(False)
        try:
            expect(page.locator("#lost")).to_be_hidden()
            expect(page.locator(f"#a-live-{asystole().id}")).to_be_visible()
            expect(page.locator(".card")).to_have_count(2)
        finally:
            again.stop()


def test_a_silent_connection_is_taken_for_lost(monkeypatch, visit):
    with serving(monkeypatch, desaturation()) as served:
        page = connected(visit(served.url))
        monkeypatch.setattr(app, "TICK_S", 3)  # the server falls silent, the line stays open
        page.evaluate("heard = Date.now() - 16000")
        page.wait_for_timeout(100)
        expect(page.locator("#lost")).to_be_visible()


def test_trends_follow_their_patient(monkeypatch, visit):
    with serving(monkeypatch, asystole()) as served:
        for item in day("p-0001", hours=1):
            served.feed.apply(item)
        page = connected(visit(served.url))
        sees_drawn(page, "img.trend")
        before = page.locator("img.trend").first.get_attribute("src")
        for item in day("p-0001", hours=0.02, until=NOW + timedelta(minutes=2)):
            served.feed.apply(item)
        expect(page.locator("img.trend").first).not_to_have_attribute("src", before)
        sees_drawn(page, "img.trend")


@pytest.mark.parametrize(("mode", "mark"), [("replay", "RELECTURE"), ("demo", "DÉMONSTRATION")])
def test_what_is_not_live_is_framed_and_labelled(monkeypatch, visit, mode, mark):
    with serving(monkeypatch, noisy(mode=mode)) as served:
        page = connected(visit(served.url))
        expect(page.locator("#list-live")).to_be_hidden()
        section = page.locator(f"#list-{mode}")
        assert section.evaluate("s => getComputedStyle(s).borderTopStyle") == "dashed"
        expect(section.locator("h2 .badge")).to_have_text(mark)
        expect(section.locator(".card .badge.mode")).to_have_text(mark)
        expect(page.locator("#counts .badge")).to_have_text(mark)
        expect(page).to_have_title(f"(1) {mark} Console telesurv")


def test_a_phone_shows_it_without_scrolling_sideways(monkeypatch, visit):
    long = alert(id="long", patient="p" * 64, reason=Reason(en="x" * 900, fr="y" * 900))
    with serving(monkeypatch, *ward(), long, noisy(id="r", mode="replay")) as served:
        for item in day("p-0003", hours=3):
            served.feed.apply(item)
        page = connected(visit(served.url, PHONE))
        page.locator("details").evaluate_all("all => all.forEach(d => d.open = true)")
        assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
        paper = page.locator(".paper").first
        assert paper.evaluate("p => p.scrollWidth > p.clientWidth")
        small = page.evaluate(
            "[...document.querySelectorAll('summary span, dd, .reason, .facts span')]"
            ".filter(e => e.offsetWidth && parseFloat(getComputedStyle(e).fontSize) < 12).length"
        )
        assert small == 0


def test_a_hundred_alerts_come_at_once_and_stay_in_order(monkeypatch, visit):
    many = [
        asystole(id=f"many-{n}", patient=f"p-{n}", onset=NOW - timedelta(minutes=n))
        for n in range(100)
    ]
    with serving(monkeypatch) as served:
        page = connected(visit(served.url))
        for item in many:
            served.feed.apply(record(item))
        expect(page.locator("#list-live .card")).to_have_count(100)
        shown = page.locator("#list-live .card").evaluate_all("all => all.map(c => c.id)")
        assert shown == [f"a-live-many-{n}" for n in range(100)]
        expect(page.locator("details[open]")).to_have_count(1)
        for item in many[::2]:
            done = msgspec.structs.replace(item, revision=2, resolved=NOW)
            served.feed.apply(record(done))
        expect(page.locator("#list-live .card")).to_have_count(50)
        expect(page.locator("#list-resolved .card")).to_have_count(50)


def test_a_link_to_an_alert_unfolds_it(monkeypatch, visit):
    with serving(monkeypatch, *ward()) as served:
        page = visit(f"{served.url}#a-live-{desaturation().id}")
        expect(page.locator(f"#a-live-{desaturation().id} details")).to_have_attribute("open", "")


def test_without_javascript_the_page_is_there(monkeypatch, visit):
    with serving(monkeypatch, *ward()) as served:
        page = visit(served.url, java_script_enabled=False)
        expect(page.locator(".card").first).to_be_visible()
        page.locator(".card summary").nth(1).click()
        expect(page.locator("details[open] .paper img")).to_have_count(2)


def test_keyboard_and_names_for_those_who_do_not_see(monkeypatch, visit):
    with serving(monkeypatch, *ward()) as served:
        page = connected(visit(served.url))
        page.keyboard.press("Tab")
        expect(page.locator(".skip")).to_be_focused()
        assert page.evaluate("[...document.images].every(i => i.alt.length > 10)")
        assert page.evaluate(
            "[...document.querySelectorAll('[id]')].length"
            " === new Set([...document.querySelectorAll('[id]')].map(e => e.id)).size"
        )
        names = page.locator("summary").evaluate_all("all => all.map(s => s.innerText)")
        assert all("Haute" in n or "Moyenne" in n or "Basse" in n for n in names)
