"""The description of the API holds: generated requests get the answers that it promises, and never a fault.

DATONG_API_EXAMPLES: requests for each endpoint, instead of a few.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from datong.app.http.signed_in import COOKIE, CSRF_HEADER
from datong.app.rest.api_markdown import endpoints, page_with
from datong.app.rest.application import PREFIX, new_api
from datong.app.rest.openapi import OPEN
from datong.app.service import orders_shown, today
from datong.app.service.accounts import Session
from datong.app.service.grids import Wanted
from datong.app.service.roles_and_permissions import NotSignedIn
from datong.app.service.served_chain import Served
from served_mill import session_of

EXAMPLES = int(os.environ.get("DATONG_API_EXAMPLES", "12"))
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_the_page_of_endpoints_is_that_of_the_program() -> None:
    page = (DOCS / "api.md").read_text(encoding="utf-8")
    assert page == page_with(page, new_api().openapi()), "python -m datong.app.rest.api_markdown docs/api.md"


def test_each_endpoint_says_what_it_does_and_how_one_signs_in() -> None:
    schema = new_api().openapi()
    assert schema["openapi"].startswith("3.1")
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            assert operation["description"], path
            assert ("security" in operation) != ((method, path) in OPEN), path
            assert "HTTPValidationError" not in str(operation)
    assert len(endpoints(schema)) == sum(len(operations) for operations in schema["paths"].values())


def anybody(served: Served) -> Callable[[], Session]:
    """Somebody who may do most, signed in again where a request has signed them out."""
    session = session_of(served, "administrator")
    served.people.change(session.who, "administrator@works", roles=["administrator", "planner"])
    row = served.people._row("administrator@works")
    now: list[Session] = []

    def signed_in() -> Session:
        try:
            return served.people.session(now[-1].secret if now else "")
        except NotSignedIn:
            now.append(served.people._begin(row))
            return now[-1]

    return signed_in


def names_that_are_there(served: Served) -> dict[str, str]:
    """What requests may ask about, by the name of the place in the path."""
    login = session_of(served, "analyst").who.login
    served.chain_thread.write("plan@works", lambda chain: (chain.run(), chain.branch("why not")))
    who = session_of(served, "planner").who
    names = orders_shown.orders(served, who, Wanted()).rows["order"].to_pylist()
    key = today.decisions(served, who)[0][0].key
    return {"login": login, "token": "1", "order": names[-1], "rank": "1", "key": key, "name": "why not"} | {
        "table": "lines",
        "edit": "demand_adjustments:none",
    }


def test_generated_requests_get_what_the_description_promises(app: FastAPI, served: Served, clock) -> None:
    who, there = anybody(served), names_that_are_there(served)
    schema = schemathesis.openapi.from_asgi(f"{PREFIX}/openapi.json", app)
    seen: dict[str, set[int]] = {}
    wrong: list[str] = []
    for operation in (result.ok() for result in schema.get_all_operations()):
        if operation.path == "/events":
            continue  # it does not end: tests/rest/test_live_events.py
        name = operation.label
        check = checked(name, operation.as_strategy(), lambda case: asked(case, who(), there, clock), seen)
        try:
            check()
        except Exception as error:  # each endpoint is tried, and all that is wrong told at once
            wrong.append(f"{name}: {error}")
    assert not wrong, "\n\n".join(wrong)
    assert any(codes & {200, 201, 202} for codes in seen.values()) and len(seen) > 15


def asked(case: Case, session: Session, there: dict[str, str], clock: Any) -> Any:
    clock.later(seconds=10)
    for place in case.path_parameters or {}:
        if place in there and len(str(case.path_parameters[place])) % 2:
            case.path_parameters[place] = there[place]
    return case.call(headers={"cookie": f"{COOKIE}={session.secret}", CSRF_HEADER: session.csrf})


def checked(name: str, strategy: Any, ask: Callable[[Case], Any], seen: dict[str, set[int]]) -> Callable[[], None]:
    @given(case=strategy)
    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    def check(case: Case) -> None:
        answer = ask(case)
        seen.setdefault(name, set()).add(answer.status_code)
        case.validate_response(answer, checks=CHECKS)

    return check
