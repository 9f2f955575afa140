"""Calls of tools and their answers, by the SDK of the Model Context Protocol: a server of tools for one who asks."""

import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from anyio import current_time, sleep
from anyio.to_thread import run_sync
from mcp.server import Server
from mcp.server.context import ServerRequestContext
from mcp_types import (
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
    TextContent,
    ToolAnnotations,
)
from mcp_types import Tool as Described

from datong import __version__
from datong.app.http.request_rates import Rates
from datong.app.mcp.arguments import read, schema_of
from datong.app.mcp.tools import TOOLS, Pending, Told, plain
from datong.app.service.roles_and_permissions import Who
from datong.app.service.served_chain import Served
from datong.model.errors import BadInput, DatongError, NotFound, Refused
from datong.model.words import message, say

NAME, WAY = "datong", "mcp"
# Seconds between two looks at a job.
LOOKS_EVERY_S = 0.25
LOG = logging.getLogger("datong.mcp")


@dataclass(frozen=True)
class Door:
    """What every call stands on. rates: shared with the other doors, so that nobody asks more often by two of them."""

    served: Served
    rates: Rates


def server_for(door: Door, language: str, who: Callable[[], Who]) -> Server[Any]:
    """A server of the tools for somebody. who: as things stand at that moment; raises where nobody may ask any more.
    language: of what it says of itself."""
    by_this_door = Door(door.served.by_way(WAY), door.rates)

    async def list_tools(_context: ServerRequestContext, _params: PaginatedRequestParams | None) -> ListToolsResult:
        tools = await run_sync(lambda: described(who()))
        return ListToolsResult(tools=tools, ttl_ms=0, cache_scope="private")

    async def call_tool(_context: ServerRequestContext, params: CallToolRequestParams) -> CallToolResult:
        def first(asker: Who) -> Told | Pending:
            return _answer(by_this_door, asker, params.name, params.arguments)

        found = await run_sync(lambda: _result_of(who, language, params.name, first))
        until = current_time() + (found.wait_s if isinstance(found, Pending) else 0)
        while isinstance(found, Pending):
            is_over = not found.job.is_open or current_time() >= until
            if not is_over:  # no thread waits with it
                await sleep(LOOKS_EVERY_S)
            again = partial(_look_again, by_this_door, found, is_over)
            found = await run_sync(partial(_result_of, who, language, params.name, again))
        return found

    return described_server(language, list_tools, call_tool)


def described_server(
    language: str,
    list_tools: Callable[[ServerRequestContext, PaginatedRequestParams | None], Awaitable[ListToolsResult]],
    call_tool: Callable[[ServerRequestContext, CallToolRequestParams], Awaitable[CallToolResult]],
) -> Server[Any]:
    """A server that says what it is, in a language."""
    return Server(
        NAME,
        version=__version__,
        title="Datong 打通",
        instructions=say("mcp.instructions", language),
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )


def described(who: Who) -> list[Described]:
    """The tools that somebody may call, in their language."""
    return [
        Described(
            name=name,
            title=say(f"mcp.title.{name}", who.language),
            description=f"{say(f'mcp.tool.{name}', who.language)} {say('mcp.quoted', who.language)}",
            input_schema=schema_of(tool.arguments, who.language),
            annotations=ToolAnnotations(
                read_only_hint=tool.is_read, destructive_hint=False, idempotent_hint=tool.is_read, open_world_hint=False
            ),
        )
        for name, tool in TOOLS.items()
        if any(who.may(permission) for permission in tool.needs)
    ]


def _look_again(door: Door, pending: Pending, is_over: bool, who: Who) -> Told | Pending:
    """The answer where the wait is over, else how far its job is now."""
    return pending.told(pending.job) if is_over else replace(pending, job=door.served.jobs.job(who, pending.job.job))


def _result_of(
    who: Callable[[], Who], language: str, name: str, task: Callable[[Who], Told | Pending]
) -> CallToolResult | Pending:
    """What a task of a tool gives to whoever asks, or why it does not."""
    try:
        asker = who()
        language = asker.language
        found = task(asker)
        return found if isinstance(found, Pending) else _result(plain(found))
    except DatongError as error:
        findings = error.findings if isinstance(error, BadInput) else ()
        texts = [error.message.text(language), *(one.text(language) for one in findings)]
        return _result({"code": error.message.key, "problem": "\n".join(texts)}, is_error=True)
    except Exception:  # what went wrong inside goes to the log, not to whoever calls
        LOG.exception("tool %s", name)
        return _result({"code": "mcp.fault", "problem": say("mcp.fault", language)}, is_error=True)


def _answer(door: Door, who: Who, name: str, arguments: dict[str, Any] | None) -> Told | Pending:
    tool = TOOLS.get(name)
    if tool is None:
        raise NotFound(message("mcp.no_tool", tool=name, tools=", ".join(TOOLS)))
    wait = door.rates.wait_s(f"account {who.account}", tool.rate)
    if wait:
        raise Refused(message("service.too_often", seconds=int(-(-wait // 1))))
    if not any(who.may(permission) for permission in tool.needs):
        who.require(tool.needs[0])
    return tool.answer(door.served, who, read(tool.arguments, arguments))


def _result(told: Told, is_error: bool = False) -> CallToolResult:
    text = json.dumps(told, ensure_ascii=False)
    return CallToolResult(content=[TextContent(type="text", text=text)], structured_content=told, is_error=is_error)
