"""Of another firm nothing comes out: every endpoint, asked by somebody of a firm about things of another one."""

import json
from io import BytesIO
from zipfile import ZipFile

import pytest

from datong.app.rest.api_markdown import endpoints
from datong.app.rest.application import new_api
from datong.app.rest.openapi import OPEN
from datong.app.service.factory import own_orders
from datong.app.service.grids import Wanted
from datong.app.service.order_edit_rules import Change
from datong.app.service.orders_shown import orders
from datong.app.service.proposals_and_approvals import propose
from datong.app.service.roles_and_permissions import Permission
from datong.app.service.served_chain import Served
from rest_client import Client, application
from served_mill import session_of

MILL, PRESS = "Mill One", "Press Two"
# Words that stand in rows of the first firm alone.
CANARIES = ("Mill One", "一号磨坊", "1 Mill Road", "Stone mill", "Flour")
ENDPOINTS = [
    (method, path)
    for method, path, _ in endpoints(new_api().openapi())
    if (method.lower(), path) not in OPEN and path != "/events"  # tests/rest/test_live_events.py
]


def names_of_the_mill(served: Served) -> dict[str, str]:
    """What is the first firm's, by the name of the place in a path."""
    mill = session_of(served, "factory", MILL)
    order = own_orders(served, mill.who).orders[0].order
    planner = session_of(served, "planner", login="other@works").who
    job = served.jobs.cancel(planner, served.jobs.start(planner, "run", {}).job)
    flour = next(row for row in orders(served, planner, Wanted()).rows.to_pylist() if _is_flour_planned(row))
    proposal = propose(served, planner, Change(flour["order"]), "Flour of Mill One").proposal
    names = {"order": order, "login": mill.who.login, "job": job.job, "proposal": str(proposal)}
    return names | {"name": "main", "table": "lines"}


def in_workbook(content: bytes) -> str:
    """All texts of a workbook; '' of what is none."""
    if not content.startswith(b"PK"):
        return ""
    with ZipFile(BytesIO(content)) as book:
        return "".join(book.read(name).decode() for name in book.namelist())


def _is_flour_planned(row: dict) -> bool:
    return (row["product"], row["origin"]) == ("P", "plan")


@pytest.mark.parametrize(("role", "firm"), [("factory", PRESS), ("platform", None)])
def test_nothing_of_the_mill_comes_out(firms: Served, clock, role: str, firm: str | None) -> None:
    names, client = names_of_the_mill(firms), Client(application(firms), session_of(firms, role, firm))
    seen, told = 0, []
    for method, path in ENDPOINTS:
        if (method, path) in (("DELETE", "/session"), ("PUT", "/session/password")):
            continue
        clock.later(minutes=1)
        words = CANARIES if "{order}" in path else (*CANARIES, names["order"])  # what is asked for may be said again
        for place in (f"{{{name}}}" for name in names):
            path = path.replace(place, names[place.strip("{}")])
        said = client.ask(method, path, json=None if method == "GET" else {})
        seen += 1
        shown = said.text + in_workbook(said.content)
        told += [(method, path, word) for word in words if word in shown]
        assert said.status_code < 500, (method, path, said.text)
    assert told == [] and seen > 60


def test_the_planner_sees_the_canaries(firms: Served) -> None:
    """They are there to be found."""
    planner = Client(application(firms), session_of(firms, "planner"))
    names_of_the_mill(firms)
    paths = ("/orders", "/branches/main/rows/lines", "/search?text=F", "/proposals")
    said = json.dumps([planner.get(path).json() for path in paths])
    assert "Flour of Mill One" in said
    assert all(word in said or word.encode("unicode_escape").decode() in said for word in CANARIES[1:2] + CANARIES[3:])
    assert "Flour" in in_workbook(planner.get("/orders.xlsx").content)


def test_an_event_of_the_mill_is_not_told_to_others(firms: Served) -> None:
    listeners = [firms.events.listen(session_of(firms, "factory", firm).who) for firm in (MILL, PRESS)]
    firms.events.tell("orders", "W1", Permission.SEE_PLAN, MILL)
    assert [one.queue.qsize() for one in listeners] == [1, 0]
