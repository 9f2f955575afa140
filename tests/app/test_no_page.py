"""What stands at an address of no page: a sentence and a way back, under the strict policy."""

import asyncio
from collections.abc import Generator
from pathlib import Path

import httpx
import pytest

from datong.app.http.signed_in import COOKIE
from datong.app.server import application
from datong.app.service.served_chain import Served
from served_mill import Clock, serve_mill, session_of


@pytest.fixture
def served(tmp_path: Path) -> Generator[Served]:
    one = serve_mill(tmp_path, Clock())
    yield one
    one.close()


@pytest.mark.parametrize(
    ("language", "text"), [("en", "There is no page at this address."), ("zh", "此地址没有页面。")]
)
def test_an_address_of_no_page_says_so_without_a_script(served: Served, language: str, text: str) -> None:
    app, secret = application(served), session_of(served, "planner", language=language).secret

    async def asked() -> list[httpx.Response]:
        transport = httpx.ASGITransport(app)
        signed_in, nobody = {"cookie": f"{COOKIE}={secret}"}, {"accept-language": language}
        async with app.router.lifespan_context(app), httpx.AsyncClient(transport=transport, base_url="http://x") as to:
            return [
                await to.get(path, headers=headers)
                for path in ("/data", "/planner/nosuch", "/a/b?c=<i>")
                for headers in (signed_in, nobody)
            ]

    for answer in asyncio.run(asked()):
        assert answer.status_code == 404 and text in answer.text and 'href="/"' in answer.text
        assert "<script" not in answer.text and "<i>" not in answer.text
