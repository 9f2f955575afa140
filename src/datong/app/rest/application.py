"""The API as an application of its own, put under /api/v1."""

import re
import secrets
from typing import Any

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException
from starlette.routing import Mount

from datong.app.http.accepted_language import accepted
from datong.app.http.counts_and_logs import Metrics
from datong.app.http.request_rates import Rates
from datong.app.rest import (
    data,
    demand,
    factory,
    health,
    jobs,
    live_events,
    market,
    market_findings,
    metrics,
    orders,
    people,
    plan,
    proposals,
    replays,
    search,
    session,
    stock_limits,
    today,
    totals,
    webhooks,
    what_if,
    workbooks,
)
from datong.app.rest.around_every_call import Door
from datong.app.rest.openapi import described
from datong.app.rest.problems import problem
from datong.app.service.requests_done_once import Answered
from datong.app.service.served_chain import Served

PREFIX = "/api/v1"
ROUTERS = (
    health.router,
    session.anybody,
    session.begun,
    session.signed,
    people.people,
    people.tokens,
    metrics.router,
    webhooks.webhooks,
    jobs.jobs,
    jobs.audit,
    workbooks.router,
    workbooks.sent_back,
    today.router,
    today.decisions,
    orders.given_out,
    orders.listed,
    orders.router,
    proposals.router,
    plan.router,
    stock_limits.router,
    replays.router,
    totals.router,
    search.router,
    demand.router,
    market.router,
    market.quotes,
    market_findings.router,
    what_if.router,
    data.router,
    data.waiting,
    data.files,
    data.sending,
    factory.router,
    factory.pictures,
    factory.hours,
    live_events.events,
)


class Api(FastAPI):
    """The application; its description is put right for what every endpoint does alike."""

    def openapi(self) -> dict[str, Any]:
        if not self.openapi_schema:
            self.openapi_schema = described(super().openapi())
        return self.openapi_schema


def new_api() -> Api:
    """The API without a chain: what describes it."""
    api = Api(title="Datong", version="1", openapi_url="/openapi.json", docs_url=None, redoc_url=None)
    for router in ROUTERS:
        api.include_router(router)
    for kind in (HTTPException, Exception):
        api.add_exception_handler(kind, _told)
    return api


def add_api(
    app: FastAPI,
    served: Served,
    is_secure: bool = False,
    counts: Metrics | None = None,
    rates: Rates | None = None,
) -> None:
    """Put the API of a served chain into an application. is_secure: the server is reached by TLS. counts: of the
    server; None: those of the API are kept nowhere. rates: shared with other doors; None: its own."""
    api = new_api()
    api.state.door = Door(
        served=served,
        rates=rates or Rates(served.now),
        answered=Answered(served.database, served.now),
        streams=[],
        begun=secrets.token_hex(8),
        is_secure=is_secure,
        metrics=counts or Metrics(served),
    )
    mounted = Mount(PREFIX, app=api)
    # A line end in an address is below the prefix, too: the API says that nothing is there.
    mounted.path_regex = re.compile(mounted.path_regex.pattern, re.DOTALL)
    app.router.routes.append(mounted)


def _told(request: Request, error: Exception) -> Response:
    """What went wrong outside of an endpoint, or by a fault of the program, which goes on to the log."""
    return problem(error, accepted(request.headers.get("accept-language", "")) or "en", request.url.path)
