"""The plain pages of a mill whose orders are given out, in this process, without a script."""

import asyncio
import re
from collections.abc import Callable, Generator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient, Response

from datong.app.forms.pages import add_forms
from datong.app.http.headers import SafeHeaders
from datong.app.service.served_chain import Served, serve
from service.conftest import QUICK, Clock
from two_firms import MILL, PASSWORD, PRESS, copied, person, two_firms_given_out


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session")
def given_out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The chain with its orders given out, made once."""
    return two_firms_given_out(tmp_path_factory.mktemp("given-out") / "mill", Clock())


@pytest.fixture
def served(tmp_path: Path, given_out: Path, clock: Clock) -> Generator[Served]:
    one = serve(copied(given_out, tmp_path / "mill"), tmp_path / "database" / "people.sqlite", clock, hasher=QUICK)
    person(one, "miller", MILL, language="zh")
    person(one, "press", PRESS)
    person(one, "planner", None, ("planner",))
    yield one
    one.close()


@pytest.fixture
def app(served: Served) -> FastAPI:
    app = FastAPI(openapi_url=None)
    add_forms(app, served)
    app.add_middleware(SafeHeaders)
    return app


class Forms(HTMLParser):
    """Each form of a page: where it goes, and what it says as it stands there."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []
        self._area: str | None = None
        self.feed(html)

    def handle_starttag(self, tag, attrs) -> None:
        told = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.found.append((told.get("action", ""), {}))
        elif tag == "input" and self.found and told.get("type") not in ("checkbox", "file") and "name" in told:
            self.found[-1][1][told["name"]] = told.get("value", "")
        elif tag == "textarea":
            self._area = told["name"]
            self.found[-1][1][told["name"]] = ""

    def handle_data(self, data: str) -> None:
        if self._area is not None:
            self.found[-1][1][self._area] += data

    def handle_endtag(self, tag) -> None:
        if tag == "textarea":
            self._area = None


class Client:
    """Sends requests to an application, with cookies."""

    def __init__(self, app: FastAPI, language: str) -> None:
        at = ASGITransport(app, client=("10.0.0.7", 1234))
        self._open = AsyncClient(transport=at, base_url="http://testserver", headers={"accept-language": language})

    def get(self, path: str, **options: Any) -> Response:
        return asyncio.run(self._open.get(path, **options))

    def post(self, path: str, **options: Any) -> Response:
        return asyncio.run(self._open.post(path, **options))


class Browser:
    """What somebody without a script does."""

    def __init__(self, app: FastAPI, language: str = "en") -> None:
        self.client = Client(app, language)

    def get(self, path: str) -> Response:
        answer = self.client.get(path)
        while answer.is_redirect:
            answer = self.client.get(answer.headers["location"])
        return answer

    def send(self, page: Response, action: str, files=None, follow: bool = True, **values: str) -> Response:
        """Fill in the form of a page and send it. action: where it goes, with its state, as '/x#accepted'."""
        where, _, state = action.rpartition("#") if "#" in action else (action, "", "")
        forms = [fields for to, fields in Forms(page.text).found if to == where]
        fields = next(one for one in forms if not state or one.get("state") == state)
        answer = self.client.post(where or page.url.path, data=fields | values, files=files)
        while follow and answer.is_redirect:
            answer = self.client.get(answer.headers["location"])
        return answer

    def sign_in(self, login: str, password: str = PASSWORD, following: str = "/factory") -> Response:
        return self.send(self.get(f"/sign-in?next={following}"), "/sign-in", login=login, password=password)


@pytest.fixture
def browse(app: FastAPI) -> Callable[..., Browser]:
    return lambda language="en": Browser(app, language)


@pytest.fixture
def miller(browse) -> Browser:
    one = browse()
    one.sign_in("miller")
    return one


def order_of(page: Response) -> str:
    """The first order of a list."""
    found = re.search(r'href="/factory/orders/([^"?]+)"', page.text)
    assert found is not None
    return found[1]
