"""The planner's pages put into a server."""

from html import escape

import nicegui
from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles
from nicegui import ui
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response

from datong.app.http.accepted_language import accepted
from datong.app.http.signed_in import session_of
from datong.app.service.roles_and_permissions import NotSignedIn, Permission
from datong.app.service.served_chain import Served
from datong.app.web import (
    audit,
    data,
    demand,
    layout,
    market,
    market_findings,
    people,
    plan,
    replay,
    search,
    stock,
    today,
    totals,
    what_if,
)
from datong.app.web.gantt_and_grid_data import add_tiles
from datong.app.web.guide import lead
from datong.app.web.layout import Page
from datong.app.web.page_request_rates import RatedPages
from datong.app.web.visit import renew
from datong.app.web.workbooks import add_workbooks
from datong.model.words import say

# In the order of the bar on top.
PAGES: tuple[Page, ...] = (
    Page("today", "/planner/today", Permission.SEE_PLAN, today.build),
    Page("demand", demand.PATH, Permission.SEE_DEMAND, demand.build),
    Page("plan", "/planner/plan", Permission.SEE_PLAN, plan.build),
    Page("stock", stock.PATH, Permission.SEE_PLAN, stock.build),
    Page("market", market.PATH, Permission.SEE_PLAN, market.build),
    Page("what_if", what_if.PATH, Permission.SEE_PLAN, what_if.build),
    Page("findings", market_findings.PATH, Permission.SEE_FINDINGS, market_findings.build),
    Page("data", data.PATH, Permission.SEE_DATA, data.build),
    Page("replay", replay.PATH, Permission.SEE_PLAN, replay.build),
    Page("totals", totals.PATH, Permission.SEE_TOTALS, totals.build),
    Page("people", people.PATH, Permission.MANAGE_PEOPLE, people.build),
    Page("audit", audit.PATH, Permission.SEE_AUDIT, audit.build),
    Page("search", search.PATH, Permission.SEE_FINDINGS, search.build, in_navigation=False),
)

ICON = "打"


def add_pages(app: FastAPI, served: Served) -> None:
    """Add the pages, after everything else of the server: what no other door answers is asked of them."""
    app.add_middleware(RatedPages, served=served)
    app.mount("/planner/static", StaticFiles(directory=str(layout.STATIC)), name="planner_static")
    _add_signing_in_again(app, served)
    add_tiles(app, served)
    data.add_upload(app, served)
    add_workbooks(app, served)
    audit.add_downloads(app, served)
    stock.add_downloads(app, served)
    totals.add_downloads(app, served)
    layout.register(served, PAGES, lead)
    ui.run_with(
        app,
        title="Datong 打通",
        favicon=ICON,
        tailwind=False,
        show_welcome_message=False,
        reconnect_timeout=30.0,
    )
    # The toolkit's bar of loading has no name that could be read out; what goes on is said on each page.
    nicegui.app.config.quasar_config["loadingBar"] = {"skipHijack": True}
    _add_no_page(served)


def _add_no_page(served: Served) -> None:
    """What stands at an address of no page: plain, as the toolkit's own page needs scripts that may not run there."""

    @nicegui.app.exception_handler(404)
    def no_page(request: Request, _error: Exception) -> Response:
        try:
            language = session_of(request.headers, served).who.language
        except NotSignedIn:
            language = accepted(request.headers.get("accept-language", "")) or "en"
        title, back = escape(say("web.no_page", language)), escape(say("web.to_start", language))
        return HTMLResponse(
            f'<!doctype html><html lang="{language}"><head><meta charset="utf-8"><title>{title}</title>'
            f'<meta name="viewport" content="width=device-width"></head>'
            f'<body><main><h1>{title}</h1><p><a href="/">{back}</a></p></main></body></html>',
            404,
        )


def _add_signing_in_again(app: FastAPI, served: Served) -> None:
    """A page whose session ended goes on with a new one, and keeps what was typed there."""

    @app.get("/planner", include_in_schema=False)
    def begin() -> Response:
        return RedirectResponse("/", 303)  # which knows the page that is somebody's own

    @app.get("/planner/signed-in", include_in_schema=False)
    def signed_in(request: Request) -> Response:
        try:
            language = session_of(request.headers, served).who.language
        except NotSignedIn:
            return RedirectResponse("/sign-in?next=/planner/signed-in", 303)
        return PlainTextResponse(say("web.signed_in_again", language))

    @app.post("/planner/renew/{client}", include_in_schema=False)
    def renewed(client: str, request: Request) -> Response:
        try:
            session = session_of(request.headers, served)
        except NotSignedIn:
            return Response(status_code=401)
        return Response(status_code=204 if not session.must_factor and renew(client, session) else 404)
