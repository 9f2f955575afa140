"""Proposals over the API: a token proposes, a person with a session decides."""

from fastapi import FastAPI

from datong.app.service.releases import to_release
from datong.app.service.roles_and_permissions import ROLES
from datong.app.service.served_chain import Served
from rest_client import Client
from served_mill import session_of


def bot_of(planner: Client, app: FastAPI) -> Client:
    """A program of the planner's, with everything that the planner may."""
    scopes = sorted(p.value for p in ROLES["planner"])
    return Client(app, token=planner.post("/tokens", {"name": "bot", "scopes": scopes}).json()["secret"])


def test_a_token_proposes_and_a_person_approves_or_refuses(app: FastAPI, planned: Served, planner: Client) -> None:
    bot, who = bot_of(planner, app), session_of(planned, "planner", login="other@works").who
    first, second = sorted(to_release(planned, who)["order"].to_pylist())[:2]
    made = bot.post("/proposals", {"kind": "release", "orders": [first], "why": "Late for d1"})
    assert made.status_code == 201 and first in made.json()["told"][0]["zh"]
    path = f"/proposals/{made.json()['proposal']}"
    for what in ("approval", "refusal"):
        told = bot.post(f"{path}/{what}")
        assert (told.status_code, told.json()["code"]) == (403, "rest.session_needed")
    assert bot.get(path).json()["state"] == "open" and to_release(planned, who).num_rows
    analyst = Client(app, session_of(planned, "analyst"))
    assert analyst.get("/proposals").json()["rows"] == [made.json()]
    assert analyst.post(f"{path}/approval").json()["code"] == "service.not_allowed"
    done = planner.post(f"{path}/approval", {"why": "Yes"})
    assert (done.status_code, done.json()["decided_by"]) == (200, "planner@works")
    assert first not in to_release(planned, who)["order"].to_pylist()
    again = planner.post(f"{path}/approval")
    assert (again.status_code, again.json()["code"]) == (409, "proposals.decided")
    change = bot.post("/proposals", {"kind": "change", "order": second, "why": "Keep it"}).json()
    assert planner.post(f"/proposals/{change['proposal']}/refusal", {"why": "No"}).json()["state"] == "refused"
    assert [one["proposal"] for one in planner.get("/proposals?state=refused").json()["rows"]] == [change["proposal"]]


def test_a_stale_proposal_is_a_conflict(app: FastAPI, planned: Served, planner: Client) -> None:
    name = sorted(to_release(planned, session_of(planned, "planner", login="o@works").who)["order"].to_pylist())[0]
    bot = bot_of(planner, app)
    made = bot.post("/proposals", {"kind": "change", "order": name, "why": "Keep it"}).json()
    assert planner.post("/releases", {"orders": [name]}).status_code == 200
    told = planner.post(f"/proposals/{made['proposal']}/approval")
    assert (told.status_code, told.json()["code"]) == (409, "proposals.stale")
    assert name in planner.get(f"/proposals/{made['proposal']}").json()["stale"]["en"]


def test_what_is_no_proposal_is_refused(planned: Served, planner: Client) -> None:
    for body in (
        {"kind": "run", "why": "x"},
        {"kind": "release", "orders": [], "why": "x"},
        {"kind": "release", "orders": ["none"]},
        {"kind": "change", "order": "none", "units": "many", "why": "x"},
        {"kind": "decide", "finding": "none", "state": "maybe", "why": "x"},
    ):
        assert planner.post("/proposals", body).status_code == 422
    assert planner.post("/proposals", {"kind": "release", "orders": ["none"], "why": "x"}).status_code == 404
    decision = {"kind": "decide", "finding": "none", "state": "taken", "why": "x"}
    demand = {"first": "2026-03-09", "after": "2026-03-16", "share": 0.2, "low": 0.1, "high": 0.3}
    assert planner.post("/proposals", decision | {"change": demand}).status_code == 404
    assert planner.get("/proposals/9").status_code == planner.post("/proposals/9/approval").status_code == 404
    assert planner.get("/proposals?state=none").status_code == 422
