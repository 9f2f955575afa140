"""The API of a served mill, asked in this process."""

import asyncio
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from datong.app.http.signed_in import COOKIE, CSRF_HEADER
from datong.app.rest.application import PREFIX, add_api
from datong.app.service.people import Session
from datong.app.service.served import Served
from served_mill import Clock, serve_mill, session_of


def application(served: Served) -> FastAPI:
    app = FastAPI(openapi_url=None)
    add_api(app, served)
    return app


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

        return asyncio.run(asked())

    def get(self, path: str, **more: Any) -> httpx.Response:
        return self.ask("GET", path, **more)

    def post(self, path: str, json: Any = None, **more: Any) -> httpx.Response:
        return self.ask("POST", path, json={} if json is None else json, **more)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def served(tmp_path: Path, clock: Clock) -> Generator[Served]:
    one = serve_mill(tmp_path, clock)
    yield one
    one.close()


@pytest.fixture
def app(served: Served) -> FastAPI:
    return application(served)


@pytest.fixture
def nobody(app: FastAPI) -> Client:
    return Client(app)


@pytest.fixture
def planner(app: FastAPI, served: Served) -> Client:
    return Client(app, session_of(served, "planner"))


@pytest.fixture
def administrator(app: FastAPI, served: Served) -> Client:
    return Client(app, session_of(served, "administrator"))
