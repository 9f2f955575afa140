"""The tools over standard input and output, for whoever has the chain's folder: they act as a named person.

Where a server has the chain, it keeps it: calls go on to its /mcp with a token that ends with this process.
"""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import httpx2
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client
from mcp.server import Server
from mcp.server.context import ServerRequestContext
from mcp.server.stdio import stdio_server
from mcp_types import CallToolRequestParams, CallToolResult, ListToolsResult, PaginatedRequestParams

from datong.app.borrowed_chain import address_of
from datong.app.http.request_rates import Rates
from datong.app.mcp.arguments import MOST_WAIT_S
from datong.app.mcp.calls import WAY, Door, described_server, server_for
from datong.app.mcp.over_http import PATH
from datong.app.service.accounts import People
from datong.app.service.audit import Audit
from datong.app.service.lend_chain import Lending
from datong.app.service.roles_and_permissions import Who
from datong.app.service.served_chain import DATABASE_FILE, Served, serve, server_folder
from datong.app.service.server_database import ServerDatabase
from datong.app.wiring import utc_now
from datong.model.errors import LedgerBusy, NotFound, Refused
from datong.model.words import message

TOKEN_NAME, LASTS = "datong mcp", timedelta(days=1)
# Seconds that an answer may take beyond the longest wait of a tool.
SLACK_S = 60


def run(chain: Path, database_folder: Path | None, login: str) -> None:
    """Answer until standard input ends. Raises what Chain raises, NotFound where there is no such person, and Refused
    where a server has the chain and does not answer."""
    database_file = (server_folder(chain) if database_folder is None else database_folder) / DATABASE_FILE
    if not database_file.is_file():
        raise NotFound(message("service.no_account", login=login))
    try:
        served = serve(chain, database_file)
    except LedgerBusy:
        address = address_of(chain)
        if not address:
            raise
        _run_at(address, database_file, login)
        return
    try:
        server = server_of_person(served, login)
        lending = Lending(served.chain_thread, served.events, "")
        try:
            anyio.run(_answer, server)
        finally:
            lending.close()
    finally:
        served.close()


def _run_at(address: str, database_file: Path, login: str) -> None:
    """Answer by the server that has the chain. Raises Refused where it cannot be reached."""
    is_lost = False
    with _token(database_file, login) as (token, language):
        try:
            anyio.run(_hand_on, address, token, language)
        except* (httpx2.HTTPError, MCPError):
            is_lost = True
    if is_lost:
        raise Refused(message("mcp.no_server", address=address))


def person(people: People, login: str) -> Who:
    """Whom the tools act as: with all that they may, and yet not as they themselves, who alone approve. Raises
    NotFound."""
    who = people.of_login(login)
    if who is None:
        raise NotFound(message("service.no_account", login=login))
    return replace(who, scopes=frozenset(p.value for p in who.permissions))


def server_of_person(served: Served, login: str) -> Server[Any]:
    """The tools for somebody, looked up anew for each call."""
    who = person(served.people, login)
    return server_for(Door(served, Rates(served.now)), who.language, lambda: person(served.people, login))


async def _answer(server: Server[Any]) -> None:
    async with stdio_server() as (come, go):
        await server.run(come, go, server.create_initialization_options())


@contextmanager
def _token(database_file: Path, login: str) -> Generator[tuple[str, str]]:
    """A token of a person at the server that has the chain, and their language; it ends with what is done with it."""
    database = ServerDatabase(database_file)
    try:
        people = People(database, Audit(database, utc_now, WAY), utc_now)
        who = person(people, login)
        secret = people.make_token(replace(who, scopes=None), TOKEN_NAME, sorted(who.scopes or ()), LASTS)
        try:
            yield secret, who.language
        finally:
            people.end_token(secret)
    finally:
        database.close()


async def _hand_on(address: str, token: str, language: str) -> None:
    """Hand each call on to the server that has the chain."""
    headers = {"authorization": f"Bearer {token}"}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=MOST_WAIT_S + SLACK_S) as http,
        Client(streamable_http_client(f"{address}{PATH}", http_client=http)) as far,
    ):

        async def list_tools(_context: ServerRequestContext, _params: PaginatedRequestParams | None) -> ListToolsResult:
            return await far.list_tools()

        async def call_tool(_context: ServerRequestContext, params: CallToolRequestParams) -> CallToolResult:
            return await far.call_tool(params.name, params.arguments)

        await _answer(described_server(language, list_tools, call_tool))
