"""The console over HTTP: one page, its live updates, its drawings, and all of it as JSON."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from telesurv import __version__
from telesurv.alerts.model import Alert, Language
from telesurv.console import strip, text, trend
from telesurv.console.board import Board
from telesurv.console.feed import MODES, Feed, Held
from telesurv.console.guard import Guard
from telesurv.console.liveness import Status
from telesurv.console.series import NUMERICS
from telesurv_streams.frame import ROUTE_OR_PATIENT

TICK_S = 0.5
"""How often a connected page's news are looked for."""

KEEP_ALIVE_S = 5.0
"""A connected page hears something at least this often; it misses three, and says so."""

CONNECTIONS_MAX = 256
"""Pages connected at once."""

_LIMIT_CHANNELS = {"%": "spo2", "/min": "heart_rate", "{beats}/min": "heart_rate"}


class Views:
    """The request handlers of one feed."""

    def __init__(
        self,
        feed: Feed,
        zone: tzinfo,
        now: Callable[[], datetime],
        closing: Callable[[], bool],
    ) -> None:
        self.feed, self.zone, self.now, self.closing = feed, zone, now, closing
        self.board = Board(feed, zone)
        self.connections = 0

    async def page(self, request: Request) -> Response:
        """Return the page."""
        return HTMLResponse(self.board.page(_language(request), self.now()))

    async def events(self, request: Request) -> Response:
        """Return the stream of updates of a page that knows everything up to an event id."""
        if self.connections >= CONNECTIONS_MAX:
            raise HTTPException(503, f"{CONNECTIONS_MAX} pages are connected already")
        seen = request.headers.get("last-event-id") or request.query_params.get("since", "")
        stream = self._stream(_language(request), self.board.known_version(seen))
        return StreamingResponse(stream, media_type="text/event-stream")

    async def _stream(self, language: Language, known: int) -> AsyncIterator[str]:
        self.connections += 1
        loop = asyncio.get_running_loop()
        told: dict[str, Any] = {}
        told_at = 0.0
        try:
            yield "retry: 2000\n\n"
            while not self.closing():
                message: dict[str, Any] = dict(self.board.state(language, self.now()))
                changed = self.feed.version != known
                if changed or message != told or loop.time() - told_at >= KEEP_ALIVE_S:
                    told, told_at = dict(message), loop.time()
                    if changed:
                        update = self.board.update(language, known)
                        known = update.version
                        message |= {"lists": update.lists, "trends": update.trends}
                    message["now"] = text.iso(self.now())
                    event_id = f"{self.board.boot}.{known}"
                    yield f"event: update\nid: {event_id}\ndata: {json.dumps(message)}\n\n"
                await asyncio.sleep(TICK_S)
        finally:
            self.connections -= 1

    async def strip(self, request: Request) -> Response:
        """Return a strip of an alert as SVG."""
        held = self._held(request)
        index = request.path_params["index"]
        if index >= len(held.alert.evidence):
            raise HTTPException(404, f"the alert has {len(held.alert.evidence)} strips")
        alert, shown = held.alert, held.alert.evidence[index]
        marks = strip.Marks(
            onset=alert.onset,
            detected=alert.detected,
            limit=_limit(alert, shown.channel),
            mode=alert.mode,
        )
        drawn = strip.draw(shown, marks, language=_language(request), zone=self.zone)
        return Response(drawn, media_type="image/svg+xml")

    async def trend(self, request: Request) -> Response:
        """Return a trend of an alert's patient as SVG."""
        alert, numeric = self._held(request).alert, request.path_params["numeric"]
        if numeric not in NUMERICS:
            raise HTTPException(404, f"numeric {numeric[:40]!r}, expected one of {NUMERICS}")
        drawn = trend.draw(
            self.feed.series(alert.mode, alert.patient, numeric),
            numeric,
            language=_language(request),
            zone=self.zone,
            mode=alert.mode,
            onset=alert.onset,
            limit=_limit(alert, numeric),
            width_mm=trend.NARROW_MM if request.query_params.get("narrow") else trend.WIDTH_MM,
        )
        return Response(drawn, media_type="image/svg+xml")

    async def alert_json(self, request: Request) -> Response:
        """Return one alert as it travels, strips included."""
        return _json(_alert_json(self._held(request), evidence=True))

    async def alerts_json(self, request: Request) -> Response:
        """Return what the page shows; `?evidence=1` includes the strips."""
        evidence = request.query_params.get("evidence") == "1"
        status = self.feed.status(self.now())
        return _json(
            {
                "service": _status_json(status, self.feed.alive(self.now())),
                "open": [_alert_json(h, evidence) for h in self.feed.open()],
                "not_shown": self.feed.left_out,
                "resolved": [_alert_json(h, evidence) for h in self.feed.resolved()],
            }
        )

    async def patient_json(self, request: Request) -> Response:
        """Return a patient's alerts and trends in one mode (`?mode=`, default live)."""
        patient, mode = request.path_params["patient"], request.query_params.get("mode", "live")
        if mode not in MODES:
            raise HTTPException(400, f"mode {mode[:40]!r}, expected one of {MODES}")
        held = [
            h
            for h in (*self.feed.open(), *self.feed.resolved())
            if h.alert.patient == patient and h.alert.mode == mode
        ]
        trends = self._trends_json(mode, patient)
        if not ROUTE_OR_PATIENT.fullmatch(patient) or not (held or trends):
            raise HTTPException(404, "nothing is known of this patient in this mode")
        alerts = [_alert_json(h, evidence=False) for h in held]
        return _json({"patient": patient, "mode": mode, "alerts": alerts, "trends": trends})

    def _trends_json(self, mode: str, patient: str) -> dict[str, Any]:
        found = {}
        for numeric in self.feed.numerics(mode, patient):
            series = self.feed.series(mode, patient, numeric)
            if series is not None:
                found[numeric] = {
                    "unit": series.unit,
                    "minute": [
                        text.iso(datetime.fromtimestamp(m * 60, UTC)) for m in series.minute
                    ],
                    "mean": [round(float(v), 2) for v in series.mean],
                    "low": [round(float(v), 2) for v in series.low],
                }
        return found

    async def health(self, request: Request) -> Response:
        """Say whether this console works (status 503: it cannot read the log)."""
        body = {
            "console": "trouble" if self.feed.trouble else "ok",
            "trouble": self.feed.trouble,
            "caught_up": self.feed.caught_up,
            "service_alive": self.feed.status(self.now()).alive,
            "malformed": self.feed.malformed,
            "pages": self.connections,
            "version": __version__,
        }
        return _json(body, 503 if self.feed.trouble else 200)

    def _held(self, request: Request) -> Held:
        held = self.feed.get(request.path_params["mode"], request.path_params["id"])
        if held is None:
            raise HTTPException(404, "no such alert, or it is not kept any more")
        return held


def create_app(
    feed: Feed,
    *,
    zone: tzinfo = UTC,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    closing: Callable[[], bool] = lambda: False,
    hosts: frozenset[str] | None = None,
) -> Starlette:
    """Return the console of a feed as an ASGI application.

    Parameters
    ----------
    feed : what it shows; somebody else applies records to it
    zone : of the times on the page (JSON is UTC)
    now : the wall clock, aware
    closing : whether open streams should end
    hosts : names under which it answers; None: any
    """
    views = Views(feed, zone, now, closing)
    alert = "/alerts/{mode}/{id}"
    routes = [
        Route("/", views.page),
        Route("/events", views.events),
        Route("/alerts.json", views.alerts_json),
        Route(alert + "/strip/{index:int}.svg", views.strip),
        Route(alert + "/trend/{numeric}.svg", views.trend),
        Route(alert + ".json", views.alert_json),
        Route("/patients/{patient}.json", views.patient_json),
        Route("/healthz", views.health),
        Mount("/static", StaticFiles(directory=Path(__file__).parent / "static")),
    ]
    return Starlette(routes=routes, middleware=[Middleware(Guard, hosts=hosts)])


def _language(request: Request) -> Language:
    """Return the language asked for by `?lang=`, else the browser's first that we speak."""
    asked = request.query_params.get("lang", "")
    wishes: list[tuple[float, int, str]] = []
    for part in request.headers.get("accept-language", "")[:400].split(","):
        name, _, weight = part.strip().partition(";")
        q = re.fullmatch(r"\s*q=([01](\.[0-9]{0,3})?)", weight)
        wishes.append((-(float(q[1]) if q else 1.0), len(wishes), name[:2].lower()))
    for candidate in (asked, *(name for weight, _, name in sorted(wishes) if weight < 0)):
        for language in text.LANGUAGES:
            if candidate == language:
                return language
    return "en"


def _limit(alert: Alert, channel: str) -> float | None:
    """Return the rule's limit where it is one of this channel."""
    return alert.rule.limit if _LIMIT_CHANNELS.get(alert.rule.unit) == channel else None


def _alert_json(held: Held, evidence: bool) -> dict[str, Any]:
    alert: dict[str, Any] = msgspec.to_builtins(held.alert)
    if not evidence:
        alert["evidence"] = []
    alert["first_emitted"] = msgspec.to_builtins(held.first_emitted)
    return alert


def _status_json(status: Status, alive: bool) -> dict[str, Any]:
    return {
        "alive": alive,
        "cause": status.cause,
        "since": status.since,
        "partitions": status.partitions,
        "expected": status.expected,
        "lost": status.lost,
        "lag": status.lag,
        "present": status.present,
        "newest": status.newest,
    }


def _json(value: Any, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status, media_type="application/json")
