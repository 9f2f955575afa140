"""Server-sent events: what one may hear, for as long as one may."""

import asyncio
from collections.abc import Callable

import pytest
from fastapi import FastAPI

from datong.app.http.signed_in import COOKIE
from datong.app.rest import live_events
from datong.app.rest.application import PREFIX
from datong.app.service.accounts import Session
from datong.app.service.roles_and_permissions import Permission
from datong.app.service.served_chain import Served
from datong.app.service.sign_in_limits import IDLE
from served_mill import session_of


def heard(app: FastAPI, session: Session, steps: list[Callable[[], object]], **headers: str) -> str:
    """What a stream says. steps: done one after another while it is open, each when it has said something or is silent;
    then the listener hangs up."""
    said: list[str] = []
    names = {"cookie": f"{COOKIE}={session.secret}", **{n.replace("_", "-"): v for n, v in headers.items()}}

    async def listen() -> None:
        gone, unread = asyncio.Event(), [{"type": "http.request", "body": b"", "more_body": False}]

        async def receive():
            if unread:
                return unread.pop()
            await gone.wait()
            return {"type": "http.disconnect"}

        async def send(message) -> None:
            said.append(message.get("body", b"").decode())

        scope = {
            "type": "http",
            "method": "GET",
            "path": PREFIX + "/events",
            "query_string": b"",
            "headers": [(n.encode(), v.encode()) for n, v in names.items()],
        }
        stream = asyncio.create_task(app(scope, receive, send))  # ty: ignore[invalid-argument-type]
        for _ in range(500):  # until it is open, however busy the machine is
            if "".join(said) or stream.done():
                break
            await asyncio.sleep(0.02)
        for step in [*steps, lambda: None]:
            await asyncio.sleep(0.1)
            await asyncio.to_thread(step)
        await asyncio.sleep(0.1)
        gone.set()
        await asyncio.wait_for(stream, 5)

    asyncio.run(listen())
    return "".join(said)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_events, "LOOK_S", 0.01)


def test_one_hears_what_one_may_see(app: FastAPI, served: Served) -> None:
    def change() -> None:
        served.events.tell("orders", "W1", Permission.SEE_PLAN, "F1")
        served.events.tell("orders", "W2", Permission.SEE_PLAN, "F2")
        served.events.tell("findings", "", Permission.SEE_FINDINGS)

    told = {
        role: heard(app, session_of(served, role, firm), [change])
        for role, firm in (("planner", None), ("factory", "F1"), ("product_manager", None), ("platform", None))
    }
    assert told["planner"] == (
        "retry: 3000\n\n"
        'id: 1\nevent: orders\ndata: {"kind": "orders", "subject": "W1"}\n\n'
        'id: 2\nevent: orders\ndata: {"kind": "orders", "subject": "W2"}\n\n'
        'id: 3\nevent: findings\ndata: {"kind": "findings", "subject": ""}\n\n'
    )
    assert told["factory"] == 'retry: 3000\n\nid: 1\nevent: orders\ndata: {"kind": "orders", "subject": "W1"}\n\n'
    assert "W" not in told["product_manager"] and "findings" in told["product_manager"]
    assert told["platform"] == "retry: 3000\n\n"


def test_who_comes_back_is_told_to_load_anew(app: FastAPI, served: Served) -> None:
    assert "event: lost" in heard(app, session_of(served, "planner"), [], last_event_id="7")


def test_a_stream_ends_with_its_session(app: FastAPI, served: Served) -> None:
    session = session_of(served, "planner")

    def leave() -> None:
        served.people.sign_out(session.secret)
        served.events.tell("plan", "SECRET", Permission.SEE_PLAN)

    assert heard(app, session, [leave]) == "retry: 3000\n\n"


def test_a_stream_says_that_the_line_holds_and_keeps_no_session_alive(
    app: FastAPI, served: Served, clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_events, "HEARTBEAT_S", 0.02)
    session = session_of(served, "planner")
    half = IDLE.total_seconds() * 0.6
    said = heard(app, session, [lambda: clock.later(seconds=half), lambda: clock.later(seconds=half)])
    assert said.count(": the line holds") > 2
    assert heard(app, session, []).startswith('{"type":"urn:datong:problem:not_signed_in"')


def test_an_account_has_so_many_streams_and_gives_them_back(app: FastAPI, served: Served, monkeypatch) -> None:
    monkeypatch.setattr(live_events, "MOST_STREAMS", 1)
    session, second = session_of(served, "planner"), []
    heard(app, session, [lambda: second.append(heard(app, session, []))])
    assert "rest.too_many_streams" in second[0]
    assert heard(app, session, []) == "retry: 3000\n\n"
    assert served.events._listeners == []


def test_a_stream_that_is_given_up_before_it_says_anything_gives_its_place_back(app: FastAPI, served: Served) -> None:
    session = session_of(served, "planner")

    async def lost() -> None:
        async def receive():
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(_message) -> None:
            raise OSError("the line is cut")

        headers = [(b"cookie", f"{COOKIE}={session.secret}".encode())]
        scope = {"type": "http", "method": "GET", "path": PREFIX + "/events", "query_string": b"", "headers": headers}
        scope["asgi"] = {"spec_version": "2.4"}
        with pytest.raises(Exception):  # noqa: B017 - whatever the framework makes of it
            await app(scope, receive, send)  # ty: ignore[invalid-argument-type]

    asyncio.run(lost())
    assert served.events._listeners == []
    (api,) = [route.app for route in app.router.routes if getattr(route, "path", "") == PREFIX]  # ty: ignore[unresolved-attribute]
    assert api.state.door.streams == []
