"""The API of a served chain, asked in this process; each answer is held to the API's description."""

import asyncio
import time
from collections.abc import Mapping
from datetime import timedelta
from functools import cache
from typing import Any

import httpx
import schemathesis
from fastapi import FastAPI

from datong.app.http.signed_in import COOKIE, CSRF_HEADER
from datong.app.rest.application import PREFIX, add_api, new_api
from datong.app.service.accounts import Session
from datong.app.service.served_chain import Served


def application(served: Served) -> FastAPI:
    app = FastAPI(openapi_url=None)
    add_api(app, served)
    return app


@cache
def description() -> Any:
    return schemathesis.openapi.from_dict(new_api().openapi())


def hold_to_the_description(method: str, path: str, answer: httpx.Response) -> None:
    """An answer has one of the statuses, and the shape, that the description has for its endpoint."""
    operation = description().find_operation_by_path(method, path.partition("?")[0])
    if operation is not None:
        assert str(answer.status_code) in operation.responses.status_codes, answer.text
        if answer.content:
            plain = httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)
            plain.request, plain.elapsed = httpx.Request(method, answer.request.url), timedelta()
            operation.validate_response(plain)


class Client:
    """Asks as somebody: with the cookie of a session and its token against forgery, with a token, or as nobody."""

    def __init__(self, app: FastAPI, session: Session | None = None, token: str | None = None, **headers: str) -> None:
        self.app, self.session = app, session
        self.headers: dict[str, str] = {name.replace("_", "-"): value for name, value in headers.items()}
        if session is not None:
            self.headers |= {"cookie": f"{COOKIE}={session.secret}", CSRF_HEADER: session.csrf}
        if token is not None:
            self.headers["authorization"] = f"Bearer {token}"

    def ask(self, method: str, path: str, headers: Mapping[str, str] | None = None, **more: Any) -> httpx.Response:
        async def asked() -> httpx.Response:
            transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://works") as client:
                return await client.request(method, PREFIX + path, headers={**self.headers, **(headers or {})}, **more)

        answer = asyncio.run(asked())
        hold_to_the_description(method, path, answer)
        return answer

    def get(self, path: str, **more: Any) -> httpx.Response:
        return self.ask("GET", path, **more)

    def post(self, path: str, json: Any = None, **more: Any) -> httpx.Response:
        return self.ask("POST", path, json={} if json is None else json, **more)


def ended(client: Client, job: str) -> dict:
    for _ in range(150):
        found = client.get(f"/jobs/{job}").json()
        if found["state"] not in ("queued", "running"):
            return found
        time.sleep(0.2)
    raise AssertionError(found)
