"""Every endpoint against everybody: nobody, a wrong token, a forged page, each role, a token without the scope."""

import re
from collections.abc import Generator
from typing import Any

import pytest
from fastapi import FastAPI

from datong.app.http.signed_in import CSRF_HEADER
from datong.app.rest.api_markdown import endpoints
from datong.app.rest.application import ROUTERS, add_api, new_api
from datong.app.rest.around_every_call import Open, Signed
from datong.app.rest.openapi import OPEN
from datong.app.service.roles_and_permissions import OF_A_FIRM, ROLES, Permission
from datong.app.service.served_chain import Served
from rest_client import Client, application
from served_mill import PASSWORD, Clock, serve_mill, session_of

ENDPOINTS = [(method, path) for method, path, _ in endpoints(new_api().openapi())]
SIGNED = [(method, path) for method, path in ENDPOINTS if (method.lower(), path) not in OPEN]
P = Permission
# What each endpoint needs, with a body that fits; None: to be signed in, or the answer itself is only what one may see.
NEEDS: dict[tuple[str, str], tuple[Permission | None, Any]] = {
    ("GET", "/session"): (None, None),
    ("DELETE", "/session"): (None, None),
    ("POST", "/session/factor"): (None, None),
    ("POST", "/session/factor/confirmation"): (None, None),
    ("PUT", "/session/password"): (None, None),
    ("PUT", "/session/language"): (None, None),
    ("GET", "/session/guide"): (None, None),
    ("POST", "/session/guide/{page}"): (None, None),
    ("DELETE", "/session/guide"): (None, None),
    ("GET", "/people"): (P.MANAGE_PEOPLE, None),
    ("POST", "/people"): (P.MANAGE_PEOPLE, {"login": "new@works", "roles": ["analyst"]}),
    ("GET", "/people/{login}"): (P.MANAGE_PEOPLE, None),
    ("PATCH", "/people/{login}"): (P.MANAGE_PEOPLE, {"disabled": False}),
    ("POST", "/people/{login}/reset"): (P.MANAGE_PEOPLE, None),
    ("PUT", "/people/{login}/factor"): (P.MANAGE_PEOPLE, {"asked": False}),
    ("GET", "/tokens"): (None, None),
    ("POST", "/tokens"): (None, None),
    ("DELETE", "/tokens/{token}"): (None, None),
    ("GET", "/metrics"): (P.SEE_HEALTH, None),
    ("GET", "/webhooks"): (None, None),
    ("POST", "/webhooks"): (None, None),
    ("POST", "/webhooks/{webhook}/test"): (None, None),
    ("DELETE", "/webhooks/{webhook}"): (None, None),
    ("GET", "/jobs"): (None, None),
    ("POST", "/jobs"): (P.RUN_PLAN, {"kind": "run", "branch": "none"}),
    ("GET", "/jobs/{job}"): (None, None),
    ("POST", "/jobs/{job}/cancellation"): (None, None),
    ("GET", "/audit"): (P.SEE_AUDIT, None),
    ("GET", "/audit/found"): (P.SEE_AUDIT, None),
    ("GET", "/audit/found.xlsx"): (P.SEE_AUDIT, None),
    ("GET", "/audit/acts"): (P.SEE_AUDIT, None),
    ("GET", "/events"): (None, None),
    ("GET", "/today"): (P.SEE_PLAN, None),
    ("GET", "/decisions"): (P.SEE_PLAN, None),
    ("GET", "/decisions/planners"): (P.EDIT_ORDERS, None),
    ("POST", "/decisions/prices"): (P.EDIT_ORDERS, None),
    ("GET", "/decisions/prices"): (P.EDIT_ORDERS, None),
    ("GET", "/orders/{order}/price"): (P.EDIT_ORDERS, None),
    ("POST", "/decisions/{key}/taking"): (P.RELEASE_ORDERS, {}),
    ("POST", "/decisions/{key}/holding"): (P.RELEASE_ORDERS, {}),
    ("POST", "/decisions/{key}/dismissal"): (P.EDIT_ORDERS, {}),
    ("PUT", "/decisions/{key}/assignment"): (P.EDIT_ORDERS, {"to": "planner@works"}),
    ("POST", "/replays"): (P.WHAT_IF, {"buckets": 1}),
    ("GET", "/replays/last"): (P.SEE_PLAN, None),
    ("GET", "/releases"): (P.SEE_PLAN, None),
    ("POST", "/releases"): (P.RELEASE_ORDERS, {"orders": ["none"]}),
    ("GET", "/orders"): (P.SEE_PLAN, None),
    ("GET", "/orders.xlsx"): (P.SEE_PLAN, None),
    ("POST", "/orders.xlsx/preview"): (P.EDIT_ORDERS, b"x"),
    ("POST", "/orders.xlsx"): (P.EDIT_ORDERS, b"x"),
    ("GET", "/releases.xlsx"): (P.SEE_PLAN, None),
    ("GET", "/demand.xlsx"): (P.SEE_DEMAND, None),
    ("GET", "/demand/forecast.xlsx"): (P.SEE_DEMAND, None),
    ("POST", "/demand/forecast.xlsx/preview"): (P.CHANGE_DEMAND, b"x"),
    ("POST", "/demand/forecast.xlsx"): (P.CHANGE_DEMAND, b"x"),
    ("GET", "/market/lost.xlsx"): (P.SEE_PLAN, None),
    ("GET", "/data/arrivals.xlsx"): (P.SEE_DATA, None),
    ("GET", "/quarantine.xlsx"): (P.SEE_DATA, None),
    ("GET", "/branches/{name}/rows/{table}.xlsx"): (P.SEE_PLAN, None),
    ("GET", "/data/tables/{table}.xlsx"): (P.SEE_DATA, None),
    ("POST", "/data/tables/{table}.xlsx/preview"): (P.CHANGE_DATA, b"x"),
    ("POST", "/data/tables/{table}.xlsx"): (P.CHANGE_DATA, b"x"),
    ("GET", "/orders/{order}"): (P.SEE_PLAN, None),
    ("PATCH", "/orders/{order}"): (P.EDIT_ORDERS, {}),
    ("GET", "/orders/{order}/reasons/{rank}/evidence"): (P.SEE_PLAN, None),
    ("GET", "/orders/{order}/ways"): (P.EDIT_ORDERS, None),
    ("GET", "/orders/{order}/steps"): (P.SEE_PLAN, None),
    ("POST", "/orders/{order}/check"): (P.EDIT_ORDERS, {}),
    ("POST", "/orders/{order}/price"): (P.EDIT_ORDERS, {}),
    ("POST", "/orders/{order}/undo"): (P.EDIT_ORDERS, None),
    ("POST", "/orders/{order}/redo"): (P.EDIT_ORDERS, None),
    ("GET", "/proposals"): (None, None),  # each sees those of what they may see
    ("POST", "/proposals"): (P.SEE_PLAN, {"kind": "release", "orders": ["none"], "why": "late"}),
    ("GET", "/proposals/{proposal}"): (None, None),
    ("POST", "/proposals/{proposal}/approval"): (None, None),  # by kind: tests/rest/test_proposals.py
    ("POST", "/proposals/{proposal}/refusal"): (None, None),
    ("GET", "/plan/lines"): (P.SEE_PLAN, None),
    ("GET", "/plan/bars"): (P.SEE_PLAN, None),
    ("GET", "/plan/closed-days"): (P.SEE_PLAN, None),
    ("GET", "/plan/stock"): (P.SEE_PLAN, None),
    ("GET", "/plan/runs"): (P.SEE_PLAN, None),
    ("GET", "/plan/difference"): (P.SEE_PLAN, None),
    ("GET", "/search"): (None, None),  # who may see nothing of it: tests/service/test_search.py
    ("GET", "/demand"): (P.SEE_DEMAND, None),
    ("GET", "/demand/item"): (P.SEE_DEMAND, None),
    ("GET", "/demand/edits"): (P.SEE_DEMAND, None),
    ("PUT", "/demand/edits"): (
        P.CHANGE_DEMAND,
        {"product": "P", "market": "all", "bucket": "2026-03-02", "units": 1},
    ),
    ("DELETE", "/demand/edits/{edit}"): (P.CHANGE_DEMAND, None),
    ("GET", "/demand/accuracy"): (P.SEE_DEMAND, None),
    ("GET", "/plan/stock-cover"): (P.SEE_PLAN, None),
    ("GET", "/plan/stock-cover.xlsx"): (P.SEE_PLAN, None),
    ("GET", "/plan/stock-places"): (P.SEE_PLAN, None),
    ("GET", "/plan/stock-places.xlsx"): (P.SEE_PLAN, None),
    ("GET", "/plan/stock-limits"): (P.SEE_PLAN, None),
    ("GET", "/plan/stock-limits.xlsx"): (P.SEE_PLAN, None),
    ("GET", "/totals"): (P.SEE_TOTALS, None),
    ("GET", "/totals/demand"): (P.SEE_TOTALS, None),
    ("GET", "/totals/demand.xlsx"): (P.SEE_TOTALS, None),
    ("GET", "/totals/hours"): (P.SEE_TOTALS, None),
    ("GET", "/totals/hours.xlsx"): (P.SEE_TOTALS, None),
    ("GET", "/market/hours"): (P.SEE_PLAN, None),
    ("GET", "/market/scarce"): (P.SEE_PLAN, None),
    ("GET", "/market/lost"): (P.SEE_PLAN, None),
    ("GET", "/market/in-the-way"): (P.SEE_PLAN, None),
    ("POST", "/quotes"): (P.QUOTE, {"product": "none", "units": 1, "due": "2026-03-20"}),
    ("GET", "/findings"): (P.SEE_FINDINGS, None),
    ("GET", "/findings/aspects"): (P.SEE_FINDINGS, None),
    ("GET", "/findings/{finding}"): (P.SEE_FINDINGS, None),
    ("GET", "/findings/{finding}/effect"): (P.SEE_FINDINGS, None),
    ("POST", "/findings/{finding}/decision"): (P.DECIDE_FINDINGS, {"state": "taken"}),
    ("GET", "/branches"): (P.SEE_PLAN, None),
    ("POST", "/branches"): (P.WHAT_IF, {"name": "main"}),
    ("DELETE", "/branches/{name}"): (P.WHAT_IF, None),
    ("GET", "/branches/{name}/rows/{table}"): (P.SEE_PLAN, None),
    ("GET", "/branches/{name}/changes"): (P.SEE_PLAN, None),
    ("POST", "/branches/{name}/changes"): (P.WHAT_IF, {"changes": [{"table": "lines", "values": {"line": "B"}}]}),
    ("POST", "/branches/{name}/runs"): (P.WHAT_IF, None),
    ("GET", "/branches/{name}/comparison"): (P.SEE_PLAN, None),
    ("POST", "/branches/{name}/taking-over"): (P.WHAT_IF, {}),
    ("GET", "/data/freshness"): (P.SEE_DATA, None),
    ("GET", "/data/arrivals"): (P.SEE_DATA, None),
    ("GET", "/data/findings"): (P.SEE_DATA, None),
    ("GET", "/data/profiles"): (P.SEE_DATA, None),
    ("GET", "/quarantine"): (P.SEE_DATA, None),
    ("GET", "/quarantine/{row}"): (P.SEE_DATA, None),
    ("PATCH", "/quarantine/{row}"): (P.CHANGE_DATA, {"cells": {"a": "b"}}),
    ("POST", "/quarantine/retry"): (P.CHANGE_DATA, None),
    ("POST", "/quarantine/discard"): (P.CHANGE_DATA, {"rows": ["none"]}),
    ("GET", "/uploads"): (P.CHANGE_DATA, None),
    ("POST", "/uploads"): (P.CHANGE_DATA, b"x"),
    ("DELETE", "/uploads/{upload}"): (P.CHANGE_DATA, None),
    ("GET", "/uploads/{upload}/parts"): (P.CHANGE_DATA, None),
    ("POST", "/uploads/{upload}/preview"): (P.CHANGE_DATA, {}),
    ("POST", "/uploads/{upload}/taking"): (P.CHANGE_DATA, {}),
    ("GET", "/own-orders"): (P.ANSWER_ORDERS, None),
    ("GET", "/own-orders.xlsx"): (P.ANSWER_ORDERS, None),
    ("GET", "/own-orders/{order}"): (P.ANSWER_ORDERS, None),
    ("GET", "/own-orders/{order}/late-answers"): (P.ANSWER_ORDERS, None),
    ("POST", "/own-orders/{order}/answers"): (P.ANSWER_ORDERS, {"state": "accepted", "key": "phone-0001"}),
    ("POST", "/own-orders/{order}/photos"): (P.ANSWER_ORDERS, b"x"),
    ("GET", "/own-orders/{order}/photos"): (None, None),  # of a firm's own order, or of any for who sees the plan
    ("GET", "/own-orders/{order}/photos/{digest}"): (None, None),
    ("GET", "/own-hours"): (P.ANSWER_ORDERS, None),
}
# Permissions that an endpoint asks for besides, and what else its address needs.
BESIDES = {("POST", "/branches/{name}/taking-over"): {P.CHANGE_DATA}}
QUERIES = {
    "/demand/item": "?product=P",
    "/uploads": "?name=sales.csv",
    "/plan/bars": "?from_row=0&to_row=9&first=2026-03-02&last=2026-03-30",
    "/plan/stock": "?product=P",
    "/plan/difference": "?a=1&b=2",
    "/search": "?text=P",
}


def test_each_endpoint_says_what_it_needs() -> None:
    assert set(NEEDS) == set(SIGNED)


def concrete(path: str) -> str:
    return re.sub(r"\{\w+\}", "1", path) + QUERIES.get(path, "")


@pytest.fixture(scope="module")
def shut(tmp_path_factory: pytest.TempPathFactory) -> Generator[tuple[Clock, Client, Client]]:
    """A clock, and nobody and a planner before one application for all tests of refusals: who is refused changes
    nothing of it."""
    clock = Clock()
    one = serve_mill(tmp_path_factory.mktemp("shut"), clock)
    app = application(one)
    yield clock, Client(app), Client(app, session_of(one, "planner"))
    one.close()


@pytest.mark.parametrize(("method", "path"), SIGNED)
def test_who_is_not_signed_in_is_told_so_before_all_else(shut, method: str, path: str) -> None:
    clock, nobody, _ = shut
    clock.later(seconds=10)
    for headers in ({}, {"authorization": "Bearer datong_none"}, {"cookie": "datong_session=none"}):
        for content in (None, b"{"):
            told = nobody.ask(method, concrete(path), headers=headers, content=content)
            assert told.status_code == 401 and told.headers["www-authenticate"]


@pytest.mark.parametrize(("method", "path"), [one for one in SIGNED if one[0] != "GET"])
def test_a_change_from_another_page_is_refused(shut, method: str, path: str) -> None:
    clock, _, planner = shut
    clock.later(seconds=10)
    for said in ("", "forged"):
        told = planner.ask(method, concrete(path), headers={CSRF_HEADER: said})
        assert (told.status_code, told.json()["code"]) == (403, "service.forged")


@pytest.mark.parametrize("role", ROLES)
def test_each_role_may_do_what_it_may_and_nothing_else(app: FastAPI, served: Served, clock, role: str) -> None:
    session = session_of(served, role, "F1" if role in OF_A_FIRM else None)
    client, wrong = Client(app, session), []
    bare = client.post("/tokens", {"name": "t", "scopes": [sorted(ROLES[role])[0]]}).json()["secret"]
    for (method, path), (needed, body) in NEEDS.items():
        if needed is None:
            continue
        clock.later(minutes=1)
        all_of_them = {needed} | BESIDES.get((method, path), set())
        for asker, has in ((client, ROLES[role]), (Client(app, token=bare), {sorted(ROLES[role])[0]})):
            may = all_of_them <= has
            told = asker.ask(
                method, concrete(path), **({"content": body} if isinstance(body, bytes) else {"json": body})
            )
            if (told.status_code == 403) == may or told.status_code >= 500:
                wrong.append((method, path, told.status_code, told.text))
    assert wrong == []


def test_each_route_is_described_and_lets_nobody_in_but_three() -> None:
    """A route that the description leaves out would be walked by no test."""
    routes = [route for router in ROUTERS for route in router.routes]
    assert len(routes) == len(ENDPOINTS)
    assert all(route.include_in_schema for route in routes if isinstance(route, Open))
    let_in = {(m.lower(), r.path) for r in routes if not isinstance(r, Signed) for m in getattr(r, "methods", ())}
    assert let_in == OPEN


def test_a_cookie_goes_over_tls_alone_where_there_is_tls(served: Served) -> None:
    session_of(served, "planner")
    app = FastAPI()
    add_api(app, served, is_secure=True)
    begun = Client(app).post("/session", {"login": "planner@works", "password": PASSWORD})
    assert "Secure" in begun.headers["set-cookie"]


def test_an_answer_that_has_not_changed_is_not_sent_again(app: FastAPI, administrator, served: Served) -> None:
    first = administrator.get("/people")
    tag = {"if-none-match": first.headers["etag"]}
    again = administrator.get("/people", headers=tag)
    assert again.status_code == 304 and not again.content and again.headers["etag"] == first.headers["etag"]
    assert "Authorization" in again.headers["vary"] and "private" in again.headers["cache-control"]
    session_of(served, "planner")
    assert administrator.get("/people", headers=tag).status_code == 200
    assert administrator.get("/audit", headers={"if-none-match": "*"}).status_code == 304


def test_the_audit_comes_piece_by_piece(administrator) -> None:
    whole = administrator.get("/audit").json()
    assert whole["cursor"] is None and len(whole["rows"]) >= 3
    pieces, cursor = [], "0"
    while cursor is not None:
        piece = administrator.get(f"/audit?count=1&cursor={cursor}").json()
        pieces, cursor = pieces + piece["rows"], piece["cursor"]
    assert pieces == whole["rows"]
    assert administrator.get("/audit?cursor=x").status_code == 422


def test_jobs_are_begun_seen_and_cancelled(planner, administrator) -> None:
    job = planner.post("/jobs", {"kind": "run"})
    assert job.status_code == 202 and job.json()["state"] in ("queued", "running")
    assert [one["job"] for one in planner.get("/jobs").json()["rows"]] == [job.json()["job"]]
    path = f"/jobs/{job.json()['job']}"
    assert administrator.get("/jobs").json()["rows"] == [] and administrator.get(path).status_code == 404
    assert administrator.post(f"{path}/cancellation").json()["code"] == "service.no_job"
    assert planner.post(f"{path}/cancellation").json()["state"] in ("cancelled", "done")
    assert planner.get(path).json()["kind"] == "run"
    none = planner.post("/jobs", {"kind": "none"})
    assert (none.status_code, none.json()["code"]) == (422, "rest.invalid")
