"""The two ways in: /mcp of a server with tokens of the API, and standard input for whoever has the folder."""

import asyncio
import io
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from mcp import Client, StdioServerParameters

from datong.app.http.counts_and_logs import Metrics, Watched, request_log
from datong.app.http.request_rates import Rates
from datong.app.http.signed_in import COOKIE
from datong.app.mcp.over_http import add_mcp
from datong.app.mcp.over_stdio import person, server_of_person
from datong.app.service.lend_chain import Lending
from datong.app.service.proposals_and_approvals import approve
from datong.app.service.roles_and_permissions import NotAllowed
from datong.app.service.served_chain import DATABASE_FILE, Served, serve
from datong.model.errors import NotFound
from mill import write
from served_mill import QUICK, session_of

HEADERS = {"accept": "application/json, text/event-stream", "content-type": "application/json"}


def application(served: Served) -> FastAPI:
    app = FastAPI(openapi_url=None)
    add_mcp(app, served, Rates(served.now))
    return app


def posted(served: Served | FastAPI, body: Any, method: str = "POST", **headers: str) -> httpx.Response:
    async def asked() -> httpx.Response:
        transport = httpx.ASGITransport(served if isinstance(served, FastAPI) else application(served))
        async with httpx.AsyncClient(transport=transport, base_url="http://works") as client:
            return await client.request(method, "/mcp", json=body, headers={**HEADERS, **headers})

    return asyncio.run(asked())


def call(name: str, **arguments: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": name, "arguments": arguments}}


def test_only_a_token_comes_in(planned: Served) -> None:
    session = session_of(planned, "planner")
    secret = planned.people.make_token(session.who, "bot", ["see_plan"])
    said = posted(planned, call("orders", count=1), authorization=f"Bearer {secret}")
    assert said.status_code == 200 and said.json()["result"]["structuredContent"]["total"] > 1
    refused = posted(planned, call("quote", product="P", units=1, due="2026-03-20"), authorization=f"Bearer {secret}")
    assert refused.json()["result"]["isError"]
    cookie = f"{COOKIE}={session.secret}"
    for headers in ({}, {"cookie": cookie}, {"authorization": "Bearer none"}, {"authorization": secret}):
        told = posted(planned, call("orders"), **headers)
        assert told.status_code == 401 and "Bearer" in told.headers["www-authenticate"]
    assert posted(planned, None, "GET", authorization=f"Bearer {secret}").status_code == 405
    large = posted(planned, call("orders", search="x" * (1 << 20)), authorization=f"Bearer {secret}")
    assert large.status_code == 413
    planned.people.end_token(secret)
    assert posted(planned, call("orders"), authorization=f"Bearer {secret}").status_code == 401


def test_a_call_is_counted_and_logged_by_its_account(planned: Served) -> None:
    session, log = session_of(planned, "planner"), io.StringIO()
    secret = planned.people.make_token(session.who, "bot", ["see_plan"])
    app, metrics = application(planned), Metrics(planned)
    app.add_middleware(Watched, metrics=metrics, log=request_log(log))
    assert posted(app, call("orders"), authorization=f"Bearer {secret}").status_code == 200
    assert posted(app, call("orders")).status_code == 401
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    assert [(one["route"], one["account"]) for one in lines] == [("/mcp", session.who.account), ("/mcp", None)]
    assert 'route="/mcp"' in metrics.text().decode()


def test_a_named_person_is_a_program_and_approves_nothing(planned: Served) -> None:
    login = session_of(planned, "planner").who.login
    who = person(planned.people, login)
    assert who.scopes == {p.value for p in who.permissions} and len(who.permissions) > 5
    with pytest.raises(NotAllowed):
        planned.people.make_token(who, "more", ["see_plan"])
    with pytest.raises(NotFound):
        approve(planned, who, 1)
    administrator = session_of(planned, "administrator")
    server = server_of_person(planned, login)
    planned.people.change(administrator.who, login, disabled=True)
    with pytest.raises(NotFound):
        person(planned.people, login)

    async def asked() -> Any:
        async with Client(server) as client:
            return await client.call_tool("orders", {})

    assert anyio.run(asked).structured_content["code"] == "service.no_account"


def database_with_planner(folder: Path) -> tuple[Path, str]:
    """A mill with a plan, and somebody who plans."""
    chain = write(folder / "mill")
    served = serve(chain, folder / "database" / DATABASE_FILE, hasher=QUICK)
    try:
        served.chain_thread.write("test", lambda chain: chain.run())
        return chain, session_of(served, "planner", language="zh").who.login
    finally:
        served.close()


def asked_by_command(chain: Path, login: str) -> tuple[list[str], dict[str, Any]]:
    """What a client gets of `datong mcp`: names of tools, and a list of orders."""
    words = ["-m", "datong", "mcp", str(chain), "--as", login, "--server-folder", str(chain.parent / "database")]

    async def asked() -> tuple[list[str], dict[str, Any]]:
        parameters = StdioServerParameters(command=sys.executable, args=words, env=dict(os.environ))
        async with Client(parameters) as client:
            tools = await client.list_tools()
            said = await client.call_tool("orders", {"count": 1})
            return [one.name for one in tools.tools], said.structured_content

    return anyio.run(asked)


def test_the_command_answers_over_standard_input(tmp_path: Path) -> None:
    chain, login = database_with_planner(tmp_path)
    names, told = asked_by_command(chain, login)
    assert "propose" in names and told["total"] > 1
    wrong = refused(chain, "nobody")
    assert wrong.returncode != 0 and "nobody" in wrong.stderr and wrong.stdout == ""


def refused(chain: Path, login: str) -> subprocess.CompletedProcess[str]:
    database = str(chain.parent / "database")
    words = [sys.executable, "-m", "datong", "mcp", str(chain), "--as", login, "--server-folder", database]
    return subprocess.run(words, capture_output=True, text=True, timeout=60)


def test_a_server_that_does_not_answer_is_told_of(tmp_path: Path) -> None:
    chain, login = database_with_planner(tmp_path)
    served = serve(chain, tmp_path / "database" / DATABASE_FILE, hasher=QUICK)
    lending = Lending(served.chain_thread, served.events, "http://127.0.0.1:9")
    try:
        told = refused(chain, login)
        assert told.returncode != 0 and "127.0.0.1:9" in told.stderr and "Traceback" not in told.stderr
        assert served.database.rows("SELECT * FROM tokens") == []
    finally:
        lending.close()
        served.close()


@contextmanager
def listening(app: FastAPI) -> Generator[str]:
    """An application at a port of this machine."""
    door = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", ws="none"))
    thread = threading.Thread(target=lambda: server.run([door]), daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    yield f"http://127.0.0.1:{door.getsockname()[1]}"
    server.should_exit = True
    thread.join()


def test_a_server_keeps_the_chain_and_answers_the_command(tmp_path: Path) -> None:
    chain, login = database_with_planner(tmp_path)
    served = serve(chain, tmp_path / "database" / DATABASE_FILE, hasher=QUICK)
    try:
        with listening(application(served)) as address:
            lending = Lending(served.chain_thread, served.events, address)
            version = served.chain_thread.version
            names, told = asked_by_command(chain, login)
            lending.close()
        assert "propose" in names and told["total"] > 1
        assert served.chain_thread.version == version  # the chain was not lent
        assert served.database.rows("SELECT * FROM tokens") == []  # its token ended with it
        noted = served.database.rows("SELECT what, way FROM audit ORDER BY entry DESC LIMIT 2")
        assert [row["what"] for row in noted] == ["drop_token", "make_token"] and noted[0]["way"] == "mcp"
    finally:
        served.close()
    assert json.dumps(told)
