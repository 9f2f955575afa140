"""Signing in over the API: cookies, forged changes, second factors, tokens, accounts."""

import pyotp
import pytest
from fastapi import FastAPI

from datong.app.http.signed_in import COOKIE, CSRF_HEADER
from datong.app.service.served_chain import Served
from served_mill import PASSWORD, session_of


def test_who_signs_in_gets_a_cookie_that_scripts_cannot_read(nobody, served: Served) -> None:
    session_of(served, "planner", language="zh")
    begun = nobody.post("/session", {"login": "Planner@works", "password": PASSWORD})
    assert begun.status_code == 201 and begun.json()["roles"] == ["planner"] and not begun.json()["must_factor"]
    cookie = begun.headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=lax" in cookie and "Secure" not in cookie
    signed = {"cookie": f"{COOKIE}={begun.cookies[COOKIE]}"}
    me = nobody.get("/session", headers=signed)
    assert me.json() == begun.json() and me.headers["content-language"] == "zh"
    assert "run_plan" in me.json()["permissions"] and "manage_people" not in me.json()["permissions"]
    csrf = {CSRF_HEADER: me.json()["csrf"]}
    assert nobody.ask("DELETE", "/session", headers=signed).status_code == 403
    assert nobody.ask("DELETE", "/session", headers=signed | csrf).json() == {"done": True}
    assert nobody.get("/session", headers=signed).status_code == 401


def test_a_wrong_password_is_told_as_a_wrong_login(nobody, served: Served) -> None:
    session_of(served, "planner")
    told = [
        nobody.post("/session", {"login": login, "password": "not the one"}).json()
        for login in ("planner@works", "nobody@works")
    ]
    assert told[0] == told[1] and told[0]["status"] == 401


def test_signing_in_is_tried_so_often_by_address(nobody, clock) -> None:
    asked = [nobody.post("/session", {"login": "a@b", "password": "x"}) for _ in range(11)]
    assert [a.status_code for a in asked] == [401] * 10 + [429]
    assert asked[-1].headers["retry-after"] == "6"
    clock.later(seconds=6)
    assert nobody.post("/session", {"login": "a@b", "password": "x"}).status_code == 401


def test_an_invited_administrator_sets_up_a_second_factor_before_all_else(nobody, served: Served) -> None:
    secret = served.people.invite(None, "admin@works", "", ["administrator"])
    begun = nobody.post("/session/acceptance", {"secret": secret, "password": PASSWORD})
    assert begun.status_code == 201 and begun.json()["must_factor"]
    signed = {"cookie": f"{COOKIE}={begun.cookies[COOKIE]}", CSRF_HEADER: begun.json()["csrf"]}
    assert nobody.get("/people", headers=signed).json()["code"] == "service.must_factor"
    address = nobody.post("/session/factor", headers=signed).json()["address"]
    code = pyotp.parse_uri(address).at(served.now())
    assert nobody.post("/session/factor/confirmation", {"code": "000000"}, headers=signed).status_code == 401
    assert nobody.post("/session/factor/confirmation", {"code": code}, headers=signed).json() == {"done": True}
    assert nobody.get("/people", headers=signed).status_code == 200


def test_another_password_ends_the_other_sessions(app: FastAPI, nobody, planner) -> None:
    changed = planner.ask("PUT", "/session/password", json={"old": PASSWORD, "new": "another long sentence"})
    assert changed.status_code == 200
    assert planner.get("/session").status_code == 401
    signed = {"cookie": f"{COOKIE}={changed.cookies[COOKIE]}"}
    assert nobody.get("/session", headers=signed).json()["csrf"] == changed.json()["csrf"]


def test_the_language_of_an_account_is_that_of_its_answers(planner) -> None:
    assert planner.ask("PUT", "/session/language", json={"language": "zh"}).status_code == 200
    assert planner.get("/jobs/J1").json()["title"] == "未找到"
    assert planner.get("/jobs/J1", headers={"accept-language": "de, en-GB;q=0.8"}).json()["title"] == "Not found"


def test_a_token_may_do_what_its_scopes_say(app: FastAPI, planner, nobody) -> None:
    made = planner.post("/tokens", {"name": "script", "scopes": ["run_plan"]})
    assert made.status_code == 201
    bearer = {"authorization": f"Bearer {made.json()['secret']}"}
    me = nobody.get("/session", headers=bearer).json()
    assert me["permissions"] == ["run_plan"] and me["csrf"] is None
    assert nobody.get("/jobs", headers=bearer).status_code == 200
    assert nobody.get("/people", headers=bearer).status_code == 403
    assert nobody.get("/session", headers={"authorization": "Bearer wrong"}).status_code == 401
    (token,) = planner.get("/tokens").json()
    assert token["name"] == "script" and "secret" not in token
    assert planner.ask("DELETE", f"/tokens/{token['token']}").status_code == 200
    assert nobody.get("/session", headers=bearer).status_code == 401
    assert planner.ask("DELETE", f"/tokens/{token['token']}").status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "json"),
    [
        ("GET", "/tokens", None),
        ("POST", "/tokens", {"name": "n", "scopes": ["run_plan"]}),
        ("DELETE", "/tokens/1", None),
        ("PUT", "/session/password", {"old": PASSWORD, "new": "another long sentence"}),
        ("PUT", "/session/language", {"language": "zh"}),
        ("POST", "/session/factor", None),
        ("DELETE", "/session", None),
    ],
)
def test_a_token_changes_nothing_of_how_its_owner_signs_in(nobody, planner, method: str, path: str, json) -> None:
    secret = planner.post("/tokens", {"name": "script", "scopes": ["run_plan"]}).json()["secret"]
    refused = nobody.ask(method, path, json=json, headers={"authorization": f"Bearer {secret}"})
    assert (refused.status_code, refused.json()["code"]) == (403, "rest.session_needed")


def test_accounts_are_invited_changed_and_reset(administrator, planner, nobody) -> None:
    invited = administrator.post("/people", {"login": "New@works", "roles": ["factory"], "firm": "F1"})
    assert invited.status_code == 201 and invited.json()["login"] == "new@works"
    assert planner.get("/people").status_code == 403
    assert {one["login"]: one["state"] for one in administrator.get("/people").json()["rows"]} == {
        "planner@works": "active",
        "administrator@works": "active",
        "new@works": "invited",
    }
    again = administrator.post("/people", {"login": "new@works", "roles": ["factory"], "firm": "F1"})
    assert (again.status_code, again.json()["code"]) == (409, "service.login_taken")
    seen = administrator.get("/people/new@works")
    other = administrator.ask("PATCH", "/people/new@works", json={"roles": ["analyst"]})
    assert other.json()["roles"] == ["analyst"] and other.headers["etag"] != seen.headers["etag"]
    tag = {"if-match": seen.headers["etag"]}
    late = administrator.ask("PATCH", "/people/new@works", json={"disabled": True}, headers=tag)
    assert late.status_code == 412 and late.json()["current"]["roles"] == ["analyst"]
    tag = {"if-match": administrator.get("/people/new@works").headers["etag"]}
    assert administrator.ask("PATCH", "/people/new@works", json={"disabled": True}, headers=tag).status_code == 200
    assert administrator.get("/people/new@works").json()["state"] == "disabled"
    assert administrator.get("/people/none@works").status_code == 404
    last = administrator.ask("PATCH", "/people/administrator@works", json={"disabled": True})
    assert (last.status_code, last.json()["code"]) == (409, "service.last_administrator")
    link = administrator.post("/people/planner@works/reset")
    assert link.status_code == 201 and planner.get("/session").status_code == 401
    accepted = nobody.post("/session/acceptance", {"secret": link.json()["secret"], "password": PASSWORD})
    assert accepted.json()["login"] == "planner@works"
