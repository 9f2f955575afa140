"""What a server does, for whoever runs it: counts and times of requests as Prometheus reads them, and a line of log for
each."""

import logging
import re
import secrets
from collections.abc import Iterator
from time import perf_counter
from typing import Any, TextIO

from prometheus_client import CollectorRegistry, Counter, Histogram, PlatformCollector, ProcessCollector
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector
from pythonjsonlogger.json import JsonFormatter
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from datong.app.service.served_chain import Served

METRICS_TYPE = CONTENT_TYPE_LATEST
# Bounds of the times that are counted, in seconds: what people notice lies between them.
BOUNDS_S = (0.01, 0.03, 0.1, 0.3, 0.5, 1.0, 3.0, 10.0)
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
# A request without a route of its own: a file of a page, or an address where nothing is.
OTHER = "other"
REQUEST_ID = "x-request-id"
_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
LOGGER = "datong.requests"


class Metrics:
    """Counts of one server since it began."""

    def __init__(self, served: Served) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        self._registry.register(_Standing(served))
        self._seconds = Histogram(
            "datong_request_seconds",
            "Time until the answer to a request began, by route.",
            ("method", "route"),
            buckets=BOUNDS_S,
            registry=self._registry,
        )
        self._requests = Counter(
            "datong_requests", "Requests answered.", ("method", "route", "status"), registry=self._registry
        )

    def count(self, method: str, route: str, status: int, seconds: float) -> None:
        named = method if method in METHODS else OTHER
        self._seconds.labels(named, route).observe(seconds)
        self._requests.labels(named, route, str(status)).inc()

    def text(self) -> bytes:
        """All of them as Prometheus reads them."""
        return generate_latest(self._registry)


class _Standing(Collector):
    """How things stand, looked up when they are asked for."""

    def __init__(self, served: Served) -> None:
        self._served = served

    def collect(self) -> Iterator[Metric]:
        database = self._served.database
        writes = GaugeMetricFamily("datong_chain_writes", "Writes to the chain since the server began.")
        writes.add_metric([], self._served.chain_thread.version)
        yield writes
        jobs = GaugeMetricFamily("datong_jobs", "Jobs by how far they are.", labels=["state"])
        for row in database.rows("SELECT state, count(*) AS n FROM jobs GROUP BY state ORDER BY state"):
            jobs.add_metric([row["state"]], row["n"])
        yield jobs
        words = GaugeMetricFamily("datong_webhook_words_waiting", "Words of webhooks not yet taken.")
        words.add_metric([], (database.row("SELECT count(*) AS n FROM webhook_words") or {"n": 0})["n"])
        yield words
        pages = GaugeMetricFamily("datong_listeners", "Pages, programs and webhooks that hear of changes.")
        pages.add_metric([], self._served.events.listening)
        yield pages


class Watched:
    """Counts each request, names it, and logs it where a log is kept, as its answer begins: a stream of events may
    end hours later."""

    def __init__(self, app: ASGIApp, metrics: Metrics, log: logging.Logger | None = None) -> None:
        self._app, self._metrics, self._log = app, metrics, log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get(REQUEST_ID, "")
        named = given if _ID.fullmatch(given) else secrets.token_hex(8)
        scope.setdefault("state", {})
        begun, is_answered = perf_counter(), False

        def answered(status: int) -> None:
            nonlocal is_answered
            is_answered = True
            seconds = perf_counter() - begun
            self._metrics.count(scope["method"], route_of(scope), status, seconds)
            if self._log is not None:
                self._log.info("request", extra=_told(scope, named, status, seconds))

        async def with_name(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[REQUEST_ID] = named
                answered(message["status"])
            await send(message)

        try:
            await self._app(scope, receive, with_name)
        finally:
            if not is_answered:
                answered(500)


def route_of(scope: Scope) -> str:
    """The route of a request without what stands in its places: no codes, and no more kinds than there are routes."""
    path = getattr(scope.get("route"), "path", None)
    return OTHER if path is None else scope.get("root_path", "") + path


def _told(scope: Scope, named: str, status: int, seconds: float) -> dict[str, Any]:
    call = scope["state"].get("call")
    return {
        "request": named,
        "method": scope["method"],
        "route": route_of(scope),
        "status": status,
        "milliseconds": round(seconds * 1000, 1),
        "account": call.who.account if call is not None else None,
        "address": scope["client"][0] if scope.get("client") else None,
    }


def request_log(to: TextIO) -> logging.Logger:
    """A log of a line of JSON for each request. Accounts stand in it by their number alone."""
    log = logging.Logger(LOGGER, logging.INFO)
    handler = logging.StreamHandler(to)
    handler.setFormatter(JsonFormatter("%(message)s", timestamp=True))
    log.addHandler(handler)
    return log
