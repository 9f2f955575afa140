"""Pieces of orders that pages in view ask for: whose session it is, in which words, and what is refused."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from threading import Event, Thread

import pytest
from argon2 import PasswordHasher
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient, Response
from nicegui import Client as Page

from datong.app.http.request_rates import PAGE
from datong.app.http.signed_in import COOKIE
from datong.app.service.served_chain import Served, serve
from datong.app.web.gantt_and_grid_data import add_tiles
from datong.app.web.page_request_rates import RatedPages
from datong.app.web.pages import add_pages
from datong.model.words import say
from mill import write

QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
ROLES = {"ann": ("planner", "en"), "wang": ("planner", "zh"), "pia": ("product_manager", "en")}


class Client:
    """Somebody's browser; '': of nobody who is signed in."""

    def __init__(self, app: FastAPI, secret: str) -> None:
        self.app, self.secret = app, secret

    def get(self, path: str) -> Response:
        async def got() -> Response:
            async with AsyncClient(transport=ASGITransport(self.app), base_url="http://test") as client:
                return await client.get(path, headers={"cookie": f"{COOKIE}={self.secret}"})

        return asyncio.run(got())


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = write(tmp_path_factory.mktemp("tiles") / "mill")
    one = serve(folder, None, lambda: datetime(2026, 3, 2, 9, tzinfo=UTC), hasher=QUICK)
    one.chain_thread.write("test", lambda chain: chain.run())
    yield one
    one.close()


@pytest.fixture(scope="module")
def clients(chain: Served) -> dict[str, Client]:
    app = FastAPI()
    add_tiles(app, chain)
    found = {"": Client(app, "")}
    for login, (role, language) in ROLES.items():
        link = chain.people.invite(None, login, login, [role], language=language)
        found[login] = Client(app, chain.people.accept(link, "a long password").secret)
    return found


PATHS = ("orders", "gantt/lines", "gantt?tile=0,8,2026-03-01,2026-05-01")


@pytest.mark.parametrize("path", PATHS)
def test_only_who_sees_the_plan_gets_anything(clients: dict[str, Client], path: str) -> None:
    answers = {login: client.get(f"/planner/data/{path}") for login, client in clients.items()}
    assert {login: a.status_code for login, a in answers.items()} == {"": 401, "ann": 200, "wang": 200, "pia": 403}
    assert all(set(answers[login].json()) == {"error"} for login in ("", "pia"))


def test_rows_are_in_the_reader_s_words_and_pieces_make_the_whole(clients: dict[str, Client]) -> None:
    whole = clients["ann"].get("/planner/data/orders").json()
    chinese = clients["wang"].get("/planner/data/orders").json()
    assert {row["kind"] for row in whole["rows"]} == {"make", "buy"}
    assert {row["kind"] for row in chinese["rows"]} == {"生产", "采购"}
    pieces = [
        clients["ann"].get(f"/planner/data/orders?skip={skip}&count=2").json()["rows"]
        for skip in range(0, whole["total"], 2)
    ]
    assert [row for rows in pieces for row in rows] == whole["rows"]


def test_narrowed_sorted_and_searched(clients: dict[str, Client]) -> None:
    def found(query: str) -> list[str]:
        return [row["order"] for row in clients["ann"].get(f"/planner/data/orders?{query}").json()["rows"]]

    names = found("")
    assert found('filters=[["kind","is","buy"]]') == [name for name in names if name.startswith("P")]
    assert found("sort=order&descending=true") == sorted(names, reverse=True)
    assert found("search=W20260302-001") == ["W20260302-001"]
    assert set(found("sort=late_for")) == set(found("sort=way")) == set(names)


@pytest.mark.parametrize(
    "query", ["filters=nonsense", 'filters=[["nothing","is","1"]]', "sort=nothing", 'filters=[["units","from","many"]]']
)
def test_what_cannot_be_asked_is_refused_in_words(clients: dict[str, Client], query: str) -> None:
    answer = clients["wang"].get(f"/planner/data/orders?{query}")
    assert answer.status_code == 400 and answer.json()["error"]


@pytest.mark.parametrize("query", ["tile=", "tile=0,8,soon,2026-05-01", "tile=-1,x,1,2"])
def test_days_that_are_none_are_refused(clients: dict[str, Client], query: str) -> None:
    assert clients["ann"].get(f"/planner/data/gantt?{query}").status_code == 400


def test_tiles_that_are_asked_for_together_are_what_each_is(clients: dict[str, Client]) -> None:
    ever = "2026-03-01,2026-05-01"
    tiles = [f"0,1,{ever}", f"1,8,{ever}", "0,8,2026-03-02,2026-03-03", f"0,0,{ever}"]
    apart = [clients["ann"].get(f"/planner/data/gantt?tile={tile}").json()["tiles"] for tile in tiles]
    together = clients["ann"].get("/planner/data/gantt?" + "&".join(f"tile={tile}" for tile in tiles)).json()["tiles"]
    assert together == [one for (one,) in apart]
    assert {bar[1] for bar in together[0]["bars"]} == {0} and {bar[1] for bar in together[1]["bars"]} == {1}
    assert together[3]["bars"] == []


def test_pages_are_limited_by_account_and_what_lies_ready_is_not(chain: Served) -> None:
    app = FastAPI()
    add_tiles(app, chain)
    app.add_middleware(RatedPages, served=chain)
    ann, wang = (Client(app, chain.people.sign_in(login, "a long password").secret) for login in ("ann", "wang"))
    statuses = [ann.get("/planner/data/gantt/lines").status_code for _ in range(int(PAGE.at_once) + 1)]
    assert statuses == [200] * int(PAGE.at_once) + [429]
    told = ann.get("/planner/data/orders")
    assert told.headers["retry-after"] == "1" and "Too many requests" in told.text
    again = Client(app, chain.people.sign_in("ann", "a long password").secret)
    assert again.get("/planner/data/orders").status_code == 429  # another browser of the same person
    assert wang.get("/planner/data/orders").status_code == 200
    assert ann.get("/planner/static/none.css").status_code == ann.get("/elsewhere").status_code == 404


def test_a_page_whose_content_takes_long_is_sent_before_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The chain is busy for seconds; what the page says meanwhile is there at once. Who leaves it then leaves no
    error."""
    one = serve(write(tmp_path / "mill"), None, lambda: datetime(2026, 3, 2, 9, tzinfo=UTC), hasher=QUICK)
    try:
        link = one.people.invite(None, "ann", "ann", ["planner"])
        secret = one.people.accept(link, "a long password").secret
        app = FastAPI()
        add_pages(app, one)
        begun, busy = Event(), Event()

        def long(_chain: object) -> None:
            begun.set()
            busy.wait(60)

        async def got() -> Response:
            async with AsyncClient(transport=ASGITransport(app), base_url="http://test") as client:
                return await client.get("/planner/today", headers={"cookie": f"{COOKIE}={secret}"})

        worker = Thread(target=lambda: one.chain_thread.read(long))
        worker.start()
        begun.wait(10)

        async def all_of_it() -> Response:
            async with app.router.lifespan_context(app):
                before = set(Page.instances)
                try:
                    answer = await asyncio.wait_for(got(), 20)
                    (page,) = (Page.instances[name] for name in set(Page.instances) - before)
                    page.delete()  # the browser is gone
                finally:
                    busy.set()
                building = [task for task in asyncio.all_tasks() if "wait for result of page" in task.get_name()]
                await asyncio.wait(building, timeout=20)
                return answer

        with caplog.at_level("WARNING"):
            answer = asyncio.run(all_of_it())
        assert [record.getMessage() for record in caplog.records] == []
        worker.join()
        assert answer.status_code == 200 and say("web.at_work", "en") in answer.text
        assert say("web_today.no_run", "en")[:30] not in answer.text
    finally:
        one.close()
