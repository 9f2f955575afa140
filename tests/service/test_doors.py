"""What every door shares: cookies, forged requests, rates, headers."""

import asyncio

import pytest
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse

from datong.app.http.headers import STRICT, SafeHeaders
from datong.app.http.request_rates import MOST_KNOWN, Rate, Rates
from datong.app.http.signed_in import COOKIE, cookie_of, refuse_forged
from datong.app.service.accounts import Session
from datong.app.service.roles_and_permissions import NotAllowed, Who

SESSION = Session("secret", "a token", Who(1, "plan@works", "", ("planner",)))


def test_a_browsers_change_says_the_token_of_its_session() -> None:
    refuse_forged("POST", SESSION, "a token")
    refuse_forged("GET", SESSION, "")
    refuse_forged("POST", None, "")
    for said in ("", "another", "a tokén"):
        with pytest.raises(NotAllowed):
            refuse_forged("POST", SESSION, said)


@pytest.mark.parametrize(("text", "found"), [(f"x=1; {COOKIE}=abc", "abc"), ("x=1", ""), ("", ""), ('"\\;=', "")])
def test_the_cookie_of_a_session(text: str, found: str) -> None:
    assert cookie_of(Headers({"cookie": text})) == found


def test_rates_fill_with_time_and_each_asker_has_their_own(clock) -> None:
    rates, rate = Rates(clock), Rate(at_once=3, a_minute=60)
    assert [rates.wait_s("a", rate) for _ in range(4)] == [0.0, 0.0, 0.0, 1.0]
    assert rates.wait_s("b", rate) == 0.0
    clock.later(seconds=1)
    assert [rates.wait_s("a", rate) for _ in range(2)] == [0.0, 1.0]
    clock.later(hours=1)
    assert [rates.wait_s("a", rate) for _ in range(4)] == [0.0, 0.0, 0.0, 1.0]


def test_no_more_askers_are_remembered_than_there_is_room_for(clock) -> None:
    rates = Rates(clock)
    for number in range(MOST_KNOWN + 50):
        rates.wait_s(str(number), Rate(1, 1))
    assert len(rates._left) == MOST_KNOWN


@pytest.mark.parametrize(("path", "strict"), [("/api/v1/orders", True), ("/planner/today", False)])
def test_headers_are_on_every_answer(path: str, strict: bool) -> None:
    sent = []

    async def send(message) -> None:
        sent.append(message)

    app = SafeHeaders(PlainTextResponse("x"), loose=("/planner",), is_secure=True)
    scope = {"type": "http", "method": "GET", "path": path, "headers": []}
    asyncio.run(app(scope, None, send))  # ty: ignore[invalid-argument-type]
    headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    assert (headers["content-security-policy"] == STRICT) == strict
    assert headers["x-content-type-options"] == "nosniff" and "max-age" in headers["strict-transport-security"]
