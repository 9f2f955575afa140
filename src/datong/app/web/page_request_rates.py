"""How often the planner's pages and their pieces may be asked for, by account."""

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from datong.app.http.request_rates import PAGE, Rates
from datong.app.http.signed_in import cookie_of
from datong.app.service.roles_and_permissions import NotSignedIn
from datong.app.service.served_chain import Served
from datong.model.words import say

PAGES, FREE = "/planner", "/planner/static/"


class RatedPages:
    """Refuses requests for pages that come too often; of those who are not signed in, by address. Scripts and styles,
    which lie ready, are free."""

    def __init__(self, app: ASGIApp, served: Served) -> None:
        self._app, self._served, self._rates = app, served, Rates(served.now)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(PAGES) or scope["path"].startswith(FREE):
            await self._app(scope, receive, send)
            return
        asker, language = await run_in_threadpool(self._asker, Request(scope))
        wait = self._rates.wait_s(asker, PAGE)
        if not wait:
            await self._app(scope, receive, send)
            return
        seconds = int(-(-wait // 1))
        text = say("service.too_often", language, seconds=seconds)
        await PlainTextResponse(text, 429, {"retry-after": str(seconds)})(scope, receive, send)

    def _asker(self, request: Request) -> tuple[str, str]:
        """Who asks, and their language."""
        try:
            who = self._served.people.session(cookie_of(request.headers), is_use=False).who
        except NotSignedIn:
            return request.client.host if request.client else "-", "en"
        return f"account {who.account}", who.language
