"""Traces of requests by OpenTelemetry, where the environment names a collector: OTEL_EXPORTER_OTLP_ENDPOINT."""

from collections.abc import Callable, Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING

from fastapi import FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from datong.app.http.counts_and_logs import METHODS, OTHER, route_of
from datong.model.errors import NotFound
from datong.model.words import message

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.trace import Span

WANTED = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
LIBRARIES = ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http", "opentelemetry.instrumentation.fastapi")
# Addresses that the environment leaves out, as OpenTelemetry reads them; the first that is set counts.
LEFT_OUT = ("OTEL_PYTHON_FASTAPI_EXCLUDED_URLS", "OTEL_PYTHON_EXCLUDED_URLS")
# Each address that begins with it ends with a secret.
SECRET_PATH = "/invitation/"
# What a span says of the address, by the older and the newer names of OpenTelemetry.
OF_ADDRESS = ("http.route", "http.target", "http.url", "url.path", "url.query", "url.full")


def is_wanted(environment: Mapping[str, str]) -> bool:
    """Whether traces are to be sent."""
    return any(environment.get(name) for name in WANTED)


def trace(app: FastAPI, environment: Mapping[str, str], exporter: "SpanExporter | None" = None) -> "TracerProvider":
    """Send a trace of each request, by its route alone; what sends them. environment: which addresses it leaves out,
    besides invitations. exporter: where to; None: where the environment says. Raises NotFound where the libraries are
    missing."""
    if not all(_is_there(name) for name in LIBRARIES):
        raise NotFound(message("serving.no_tracing"))
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
    from opentelemetry.sdk.resources import SERVICE_NAME, Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.trace import get_current_span

    provider = TracerProvider(resource=Resource.create({SERVICE_NAME: "datong"}))
    provider.add_span_processor(BatchSpanProcessor(exporter or OTLPSpanExporter()))
    app.add_middleware(_ByRoute, span_now=get_current_span)
    left_out = next((environment[name] for name in LEFT_OUT if environment.get(name)), "")
    excluded = ",".join(filter(None, (left_out, SECRET_PATH)))
    FastAPIInstrumentor.instrument_app(app, tracer_provider=provider, excluded_urls=excluded)
    return provider


class _ByRoute:
    """Writes the route over what a span says of the address: paths hold codes and secrets, questions hold names."""

    def __init__(self, app: ASGIApp, span_now: "Callable[[], Span]") -> None:
        self._app, self._span_now = app, span_now

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        span = self._span_now()
        _tell(span, scope, OTHER)

        async def told(message: Message) -> None:
            """The route is known with the first word of an answer; with the last one the span ends."""
            if message["type"] in ("http.response.start", "websocket.accept"):
                _tell(span, scope, route_of(scope))
            await send(message)

        try:
            await self._app(scope, receive, told)
        except BaseException:
            _tell(span, scope, route_of(scope))
            raise


def _tell(span: "Span", scope: Scope, route: str) -> None:
    method = scope.get("method", "GET")  # a socket begins as one
    span.update_name(f"{method if method in METHODS else OTHER} {route}")
    span.set_attributes(dict.fromkeys(OF_ADDRESS, route))


def _is_there(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:
        return False
