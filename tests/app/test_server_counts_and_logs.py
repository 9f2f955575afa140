"""What whoever runs a server sees of it: metrics, a log of requests, traces; and the files that deploy it."""

import argparse
import asyncio
import configparser
import io
import json
import re
import shlex
import tomllib
from collections.abc import AsyncGenerator, Generator, Mapping
from logging import Logger
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from opentelemetry.instrumentation._semconv import _OpenTelemetrySemanticConventionStability
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client.parser import text_string_to_metric_families

from datong.app.cli.main import parser
from datong.app.forms.pages import add_forms
from datong.app.http.counts_and_logs import Metrics, Watched, request_log
from datong.app.http.signed_in import COOKIE
from datong.app.rest.application import add_api
from datong.app.service.served_chain import Served
from datong.app.tracing import is_wanted, trace
from served_mill import Clock, serve_mill, session_of

DEPLOY = Path(__file__).parents[2] / "deploy"


@pytest.fixture
def served(tmp_path: Path) -> Generator[Served]:
    one = serve_mill(tmp_path, Clock())
    yield one
    one.close()


def application(served: Served, log: Logger | None = None) -> FastAPI:
    """As `serving.application`, without the pages of NiceGUI, which a process can have once."""
    app, metrics = FastAPI(openapi_url=None), Metrics(served)
    add_api(app, served, counts=metrics)
    add_forms(app, served)
    app.add_middleware(Watched, metrics=metrics, log=log)
    return app


def asked(app: FastAPI, *paths: str, headers: Mapping[str, str | bytes] | None = None) -> list[httpx.Response]:
    async def ask() -> list[httpx.Response]:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://works") as client:
            return [await client.get(path, headers=headers) for path in paths]

    return asyncio.run(ask())


def test_metrics_count_requests_by_route_for_who_may_see_them(served: Served) -> None:
    app = application(served)
    session = session_of(served, "auditor")
    cookie = {"cookie": f"{COOKIE}={session.secret}"}
    paths = ["/api/v1/orders/SECRET-1", "/api/v1/orders/SECRET-2", "/nowhere/SECRET-3", "/api/v1/health"]
    asked(app, *paths, headers=cookie)
    (text,) = asked(app, "/api/v1/metrics", headers=cookie)
    assert text.status_code == 200 and text.headers["content-type"].startswith("text/plain")
    assert "SECRET" not in text.text
    samples = {
        (s.name, s.labels.get("route"), s.labels.get("status")): s.value
        for family in text_string_to_metric_families(text.text)
        for s in family.samples
    }
    assert samples["datong_requests_total", "/api/v1/orders/{order:path}", "404"] == 2
    assert samples["datong_requests_total", "/api/v1/health", "200"] == 1
    assert samples["datong_request_seconds_count", "/api/v1/orders/{order:path}", None] == 2
    assert samples["datong_chain_writes", None, None] == served.chain_thread.version
    assert ("datong_listeners", None, None) in samples
    planner = session_of(served, "planner")
    (closed,) = asked(app, "/api/v1/metrics", headers={"cookie": f"{COOKIE}={planner.secret}"})
    assert closed.status_code == 403


def test_each_request_is_a_line_of_json_without_names(served: Served) -> None:
    log = io.StringIO()
    app = application(served, log=request_log(log))
    session = session_of(served, "planner")
    first, second = asked(
        app, "/api/v1/orders", "/sign-in", headers={"cookie": f"{COOKIE}={session.secret}", "x-request-id": "abc-1"}
    )
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    told = [(line["route"], line["status"]) for line in lines]
    assert told == [("/api/v1/orders", first.status_code), ("/sign-in", second.status_code)]
    assert lines[0]["request"] == first.headers["x-request-id"] == "abc-1"
    assert lines[0]["account"] == session.who.account and session.who.login not in log.getvalue()
    assert session.secret not in log.getvalue()


def test_a_stream_is_counted_and_logged_as_it_begins_by_the_time_until_then(served: Served) -> None:
    """One that stays open for hours is no answer that took hours, and is seen while it is open."""
    log, metrics, app, open_s = io.StringIO(), Metrics(served), FastAPI(openapi_url=None), 0.5
    app.add_middleware(Watched, metrics=metrics, log=request_log(log))
    seen: list[str] = []

    async def words() -> AsyncGenerator[str]:
        yield "first"
        seen.extend((metrics.text().decode(), log.getvalue()))
        await asyncio.sleep(open_s)

    @app.get("/stream")
    async def stream() -> StreamingResponse:
        return StreamingResponse(words())

    asked(app, "/stream")
    for text in (seen[0], metrics.text().decode()):
        assert 'datong_requests_total{method="GET",route="/stream",status="200"} 1.0' in text
        (took,) = re.findall(r'datong_request_seconds_sum\{method="GET",route="/stream"\} (\S+)', text)
        assert float(took) < open_s
    (line,) = [json.loads(one) for one in log.getvalue().splitlines()]
    assert seen[1] == log.getvalue() and line["milliseconds"] < open_s * 1000


@pytest.mark.parametrize("given", ["", "x" * 65, "a b", "a\u00e9"])
def test_a_wrong_name_of_a_request_is_replaced(served: Served, given: str) -> None:
    (answer,) = asked(application(served), "/api/v1/health", headers={"x-request-id": given.encode("latin-1")})
    assert re.fullmatch("[0-9a-f]{16}", answer.headers["x-request-id"])


def test_traces_go_out_where_the_environment_asks(served: Served) -> None:
    assert is_wanted({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}) and not is_wanted({})
    app, spans = application(served), InMemorySpanExporter()
    provider = trace(app, {}, spans)
    asked(app, "/api/v1/health")
    provider.force_flush()
    names = {span.name for span in spans.get_finished_spans()}
    assert any("/api/v1" in name for name in names), names
    provider.shutdown()


@pytest.mark.parametrize("kinds", ["", "http", "http/dup"])
def test_traces_tell_routes_and_nothing_of_what_fills_them(served: Served, monkeypatch, kinds: str) -> None:
    """Whichever names of attributes OpenTelemetry is told to use: no secret, no code, no search stands in a span."""
    stability = _OpenTelemetrySemanticConventionStability
    monkeypatch.setenv("OTEL_SEMCONV_STABILITY_OPT_IN", kinds)
    monkeypatch.setattr(stability, "_initialized", False)
    monkeypatch.setattr(stability, "_OTEL_SEMCONV_STABILITY_SIGNAL_MAPPING", {})
    app, spans = application(served), InMemorySpanExporter()

    @app.get("/broken/{what}")
    def broken(what: str) -> None:
        raise RuntimeError

    provider = trace(app, {"OTEL_PYTHON_EXCLUDED_URLS": "/health"}, spans)
    secret = served.people.invite(None, "new@works", "", ["planner"])
    searched = "/api/v1/orders?search=Canary%20Li&cursor=CanaryCursor"
    asked(app, f"/invitation/{secret}", "/api/v1/orders/CanaryOrder", searched, "/nowhere/CanaryPath?x=Canary")
    asked(app, "/api/v1/health", "/broken/Canary")
    provider.force_flush()
    told = [span.to_json() for span in spans.get_finished_spans()]
    assert any("/api/v1/orders/{order:path}" in one for one in told)
    assert [one for one in told if "Canary" in one or secret in one] == []
    assert [one for one in told if "/invitation" in one or "/health" in one] == []
    routes = {
        str(span.attributes[name])
        for span in spans.get_finished_spans()
        for name in ("http.target", "http.url", "url.path", "url.query")
        if span.attributes and name in span.attributes
    }
    assert routes == {"/api/v1/orders", "/api/v1/orders/{order:path}", "/broken/{what}", "other"}
    provider.shutdown()


# deploy ------------------------------------------------------------------------------------------


def options_of(command: str) -> argparse.Namespace:
    words = shlex.split(command)
    assert words.pop(0).endswith("datong")
    return parser("en").parse_args(words)


def test_the_unit_of_systemd_starts_a_server() -> None:
    """It is read as systemd reads it, and its command is one that Datong knows."""
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # names of systemd are as they are written
    unit.read_string((DEPLOY / "datong.service").read_text(encoding="utf-8"))
    options = options_of(unit["Service"]["ExecStart"])
    assert (options.command, options.host) == ("serve", "127.0.0.1")
    assert options.chain == Path(unit["Service"]["WorkingDirectory"]) / "chain"
    assert unit["Service"]["ProtectSystem"] == "strict" and unit["Service"]["NoNewPrivileges"] == "yes"
    assert str(options.chain).startswith("/var/lib/" + unit["Service"]["StateDirectory"])


def test_the_container_starts_a_server_as_nobody_special() -> None:
    lines = (DEPLOY / "Containerfile").read_text(encoding="utf-8").splitlines()
    (command,) = [json.loads(line.removeprefix("CMD ")) for line in lines if line.startswith("CMD ")]
    options = options_of(shlex.join(command))
    assert (options.command, options.host) == ("serve", "0.0.0.0") and options.behind_proxy
    users = [line.split()[1] for line in lines if line.startswith("USER ")]
    assert users and users[-1] not in ("root", "0")
    (installed,) = [re.findall(r"whl\)\[([a-z,]+)\]", line) for line in lines if "pip install" in line]
    project = tomllib.loads((DEPLOY.parent / "pyproject.toml").read_text(encoding="utf-8"))
    of_a_server = set(project["project"]["optional-dependencies"]) - {"bench", "dev", "plot"}
    assert set(installed[0].split(",")) == of_a_server
    check = next(i for i, line in enumerate(lines) if line.startswith("HEALTHCHECK"))
    assert "/api/v1/health" in lines[check + 1]
