"""The audit as a list and a workbook: found by who, what, which thing and when, newest first."""

import ast
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from datong.app.server import application
from datong.app.service.audit import OF_ACCOUNTS
from datong.app.service.audit_list import Looked, act_words, acts, audit_list, audit_sheet
from datong.app.service.audit_words import WAYS, fields_words, way_words
from datong.app.service.roles_and_permissions import NotAllowed, NotSignedIn, Who
from datong.app.service.served_chain import Served
from workbook_cells import rows_of

AUDITOR = Who(9, "audit@works", "", ("auditor",))
ADMINISTRATOR = Who(8, "root@works", "", ("administrator",))
SOURCE = Path(__file__).resolve().parents[2] / "src" / "datong" / "app"


@pytest.fixture
def noted(served: Served, clock) -> Served:
    """Three entries, a day apart: the 2nd, 3rd and 4th of March."""
    for by, what, subject in (("ann", "release", "W1"), ("eve", "edit_order", "W2"), ("ann", "edit_order", "W10")):
        served.audit.note(by, what, subject, before={"units": 5}, after={"units": 7}, why="=1+1")
        clock.later(days=1)
    return served


def found(served: Served, **looked) -> list[str]:
    return [one.subject for one in audit_list(served, AUDITOR, Looked(**looked)).rows]


def test_entries_are_found_newest_first(noted: Served) -> None:
    assert found(noted) == ["W10", "W2", "W1"]
    assert found(noted, by="ANN ") == ["W10", "W1"]
    assert found(noted, what="edit_order") == ["W10", "W2"]
    assert found(noted, subject="w1") == ["W10", "W1"]
    assert found(noted, first=date(2026, 3, 3), last=date(2026, 3, 3)) == ["W2"]
    assert found(noted, subject="%") == []
    assert found(noted, first=date.min, last=date.max) == ["W10", "W2", "W1"]
    assert found(noted, first=date.max) == found(noted, last=date.min) == []
    assert found(noted, by="' OR 1") == []
    assert acts(noted, AUDITOR) == {"edit_order": 2, "release": 1}
    noted.audit.note("ann", "change_row", "products ÉCHARPE Straße", before=None, after=None)
    for part in ("écharpe", "Écharpe", "STRASSE", "e\u0301charpe"):
        assert found(noted, subject=part) == ["products ÉCHARPE Straße"]


def test_pieces_follow_one_another(noted: Served) -> None:
    first = audit_list(noted, AUDITOR, Looked(), count=2)
    assert (len(first.rows), first.total) == (2, 3)
    last = audit_list(noted, AUDITOR, Looked(), first.before, 2)
    assert [one.subject for one in last.rows] == ["W1"] and last.before is None


def test_the_workbook_has_what_is_looked_for_as_texts(noted: Served) -> None:
    rows = rows_of(audit_sheet(noted, AUDITOR, Looked(by="ann"), "zh"))
    assert [row["what_changed"] for row in rows] == ["W10", "W1"]
    assert [(row["act"], row["after"], row["reason"]) for row in rows][1] == ("下达", "数量（件）：7", "=1+1")


def test_who_may_not_see_the_audit_sees_none_of_it(noted: Served) -> None:
    planner = Who(1, "ann", "", ("planner",))
    for task in (lambda: audit_list(noted, planner, Looked()), lambda: acts(noted, planner)):
        with pytest.raises(NotAllowed):
            task()
    with pytest.raises(NotAllowed):
        audit_sheet(noted, planner, Looked(), "en")


@pytest.mark.parametrize("who", [ADMINISTRATOR, replace(AUDITOR, scopes=frozenset({"see_audit"}))])
def test_who_may_not_see_the_plan_sees_no_values_of_it_and_no_reasons(noted: Served, who: Who) -> None:
    """An administrator, or a token of an auditor for the audit alone: of accounts all, of orders that they changed."""
    roles = {"before": {"roles": ["analyst"]}, "after": {"roles": ["planner"]}}
    noted.audit.note("root", "change_account", "eve", **roles, why="she plans now")
    noted.audit.note("mill", "answer_order", "W1", why="the press is broken")
    noted.audit.note("mill", "answer_order", "W2")
    told = audit_list(noted, who, Looked()).rows
    assert [(one.subject, one.before, one.why, one.is_hidden) for one in told] == [
        ("W2", None, "", False),
        ("W1", None, "", True),
        ("eve", {"roles": ["analyst"]}, "she plans now", False),
        ("W10", None, "", True),
        ("W2", None, "", True),
        ("W1", None, "", True),
    ]
    rows = rows_of(audit_sheet(noted, who, Looked(), "en"))
    assert (rows[2]["after"], rows[2]["reason"]) == ("Roles: Planner", "she plans now")
    hidden = "not shown: needs the right to see the plan"
    assert {row[name] for row in (rows[1], *rows[3:]) for name in ("before", "after", "reason")} == {hidden}
    entries = noted.audit.entries(who)
    assert [e["is_hidden"] for e in entries] == [True, True, True, False, True, False]
    assert [e["after"] for e in entries if e["after"]] == [{"roles": ["planner"]}]
    assert [e["why"] for e in entries if e["why"]] == ["she plans now"]
    seen = audit_list(noted, AUDITOR, Looked()).rows
    assert not any(one.is_hidden for one in seen) and [one.before is None for one in seen] == [True] * 2 + [False] * 4
    assert [e["why"] for e in noted.audit.entries(AUDITOR)] == [
        *["=1+1"] * 3,
        "she plans now",
        "the press is broken",
        "",
    ]


def test_acts_on_accounts_are_acts_that_are_noted() -> None:
    assert acts_in_the_source() >= OF_ACCOUNTS


def acts_in_the_source() -> set[str]:
    """What calls of `note` and `entry` of the audit name as what was done."""
    names: set[str] = set()
    for file in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and len(node.args) >= 3:
                owner = node.func.value
                is_audit = isinstance(owner, ast.Attribute) and owner.attr in ("audit", "_audit")
                if is_audit and node.func.attr in ("note", "entry"):
                    names |= {n.value for n in ast.walk(node.args[1]) if isinstance(n, ast.Constant)}
    return names


def test_all_that_is_noted_has_words() -> None:
    names = acts_in_the_source()
    assert len(names) > 25
    for language in ("en", "zh"):
        assert [name for name in sorted(names) if act_words(name, language) == name] == []


def test_values_are_told_field_by_field_in_words() -> None:
    before = {"locked": False, "line": None, "units": 5.0, "offer": None}
    after = {"locked": True, "line": "A", "units": 7.5, "offer": None, "said": {"state": "accepted", "units": "7"}}
    assert fields_words(before, after, "en").split("\n") == ["Locked: no", "Line: –", "Units: 5"]
    told = fields_words(after, before, "zh").split("\n")
    assert told == ["锁定：是", "产线：A", "数量（件）：7.50", "回复：状态 已接单；数量（件） 7"]
    assert fields_words({"roles": ["planner", "auditor"]}, None, "en") == "Roles: Planner, Auditor"
    assert fields_words({"some_thing": [{"units": 2}]}, None, "en") == "some thing: Units 2"
    assert fields_words(None, after, "en") == ""


def test_every_door_names_itself(served: Served) -> None:
    assert all(way_words(way, language) != way for way in WAYS for language in ("en", "zh") if way != "rest")
    app = application(served)
    link = served.people.invite(None, "ann", "Ann", ["planner"])
    served.people.accept(link, "a long password")
    with TestClient(app) as client:
        client.post("/sign-in", data={"login": "ann", "password": "a long password"})
        client.post("/api/v1/session", json={"login": "ann", "password": "a long password"})
    ways = [one.way for one in audit_list(served, AUDITOR, Looked(what="sign_in")).rows]
    assert ways == ["rest", "web"]


def test_an_account_that_is_locked_says_what_it_was_and_until_when(served: Served) -> None:
    served.people.accept(served.people.invite(None, "ann", "Ann", ["planner"]), "a long password")
    for _ in range(20):
        with pytest.raises(NotSignedIn):
            served.people.sign_in("ann", "wrong")
    (one,) = audit_list(served, AUDITOR, Looked(what="locked")).rows
    assert one.before == {"state": "active"} and one.after is not None
    told = fields_words(one.after, one.before, "en").split("\n")
    assert told == ["Locked until: 2026-03-02T09:15:00+00:00", "State: locked for some minutes"]
