"""The tools at /mcp of a server (streamable HTTP): each request by itself, with a token of the API."""

from dataclasses import dataclass

from fastapi import FastAPI
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from datong.app.http.request_rates import Rates
from datong.app.mcp.calls import Door, server_for
from datong.app.service.roles_and_permissions import NotSignedIn, Who
from datong.app.service.served_chain import Served
from datong.model.words import LANGUAGES

PATH = "/mcp"
MOST_BYTES = 1 << 20


def add_mcp(app: FastAPI, served: Served, rates: Rates) -> None:
    """Put the tools into an application. rates: shared with its other doors."""
    app.router.routes.append(Route(PATH, endpoint=_Requests(Door(served, rates)), methods=["POST"]))


@dataclass(frozen=True)
class _Caller:
    """Who sends a request, for the log."""

    who: Who


class _Requests:
    """Answers requests of programs. A browser's cookie counts nothing here: no page of another site can call a tool."""

    path = PATH  # as a route has it, for counts and the log

    def __init__(self, door: Door) -> None:
        self._door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["route"] = self
        scheme, _, secret = Headers(scope=scope).get("authorization", "").partition(" ")
        try:
            who = await run_in_threadpool(self._who, scheme, secret)
        except NotSignedIn as error:
            await _nobody(error)(scope, receive, send)
            return
        scope.setdefault("state", {})["call"] = _Caller(who)
        server = server_for(self._door, who.language, lambda: who)
        manager = StreamableHTTPSessionManager(
            server, json_response=True, stateless=True, max_request_body_size=MOST_BYTES
        )
        async with manager.run():
            await manager.handle_request(scope, receive, send)

    def _who(self, scheme: str, secret: str) -> Who:
        """Raises NotSignedIn."""
        return self._door.served.people.of_token(secret.strip() if scheme.lower() == "bearer" else "")


def _nobody(error: NotSignedIn) -> Response:
    texts = {language: error.message.text(language) for language in LANGUAGES}
    told = {"error": "invalid_token", "error_description": texts["en"], "texts": texts}
    return JSONResponse(told, 401, {"www-authenticate": 'Bearer realm="datong", error="invalid_token"'})
