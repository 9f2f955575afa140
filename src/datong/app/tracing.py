"""Traces of requests by OpenTelemetry, where the environment names a collector: OTEL_EXPORTER_OTLP_ENDPOINT."""

from collections.abc import Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING

from fastapi import FastAPI

from datong.model.errors import NotFound
from datong.model.words import message

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter

WANTED = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
LIBRARIES = ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http", "opentelemetry.instrumentation.fastapi")


def is_wanted(environment: Mapping[str, str]) -> bool:
    """Whether traces are to be sent."""
    return any(environment.get(name) for name in WANTED)


def trace(app: FastAPI, exporter: "SpanExporter | None" = None) -> "TracerProvider":
    """Send a trace of each request; what sends them. exporter: where to; None: where the environment says. Raises
    NotFound where the libraries are missing."""
    if not all(_is_there(name) for name in LIBRARIES):
        raise NotFound(message("serving.no_tracing"))
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
    from opentelemetry.sdk.resources import SERVICE_NAME, Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(resource=Resource.create({SERVICE_NAME: "datong"}))
    provider.add_span_processor(BatchSpanProcessor(exporter or OTLPSpanExporter()))
    FastAPIInstrumentor.instrument_app(app, tracer_provider=provider)
    return provider


def _is_there(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:
        return False
