"""Accounts, sessions, tokens, second factors: who gets in, who does not, and what is noted of it."""

import sqlite3
from datetime import timedelta
from pathlib import Path

import pyotp
import pytest

from datong.app.service.accounts import Session
from datong.app.service.roles_and_permissions import ROLES, NotAllowed, NotSignedIn, Permission
from datong.app.service.served_chain import Served
from datong.app.service.server_database import SCHEMA, ServerDatabase
from datong.app.service.sign_in_limits import MOST_FAILURES
from datong.model.errors import NotFound, Refused
from datong.model.words import catalogue

PASSWORD = "a long sentence to remember"


def administrator(served: Served) -> Session:
    session = served.people.accept(
        served.people.invite(None, "admin@works", "Admin", ["administrator"]), "the first password"
    )
    secret = pyotp.parse_uri(served.people.begin_factor(session.who)).secret
    served.people.confirm_factor(session.who, pyotp.TOTP(secret).at(served.now()))
    return served.people.session(session.secret)


def planner(served: Served, login: str = "plan@works") -> Session:
    return served.people.accept(served.people.invite(None, login, "", ["planner"]), PASSWORD)


def test_an_invited_person_sets_a_password_once_and_signs_in(served: Served, clock) -> None:
    link = served.people.invite(None, "Plan@Works", "Planner", ["planner"])
    with pytest.raises(NotSignedIn):
        served.people.sign_in("plan@works", PASSWORD)
    begun = served.people.accept(link, PASSWORD)
    with pytest.raises(NotFound):
        served.people.accept(link, "another password")
    assert served.people.accept(link, PASSWORD).who == begun.who  # the form was sent twice
    clock.later(minutes=1)
    with pytest.raises(NotFound):
        served.people.accept(link, PASSWORD)
    session = served.people.sign_in("PLAN@works ", PASSWORD)
    assert session.who == begun.who == served.people.session(session.secret).who
    assert session.who.may(Permission.RUN_PLAN) and not session.who.may(Permission.MANAGE_PEOPLE)


def test_who_guesses_learns_nothing_and_is_locked_out(served: Served, clock) -> None:
    planner(served)
    said = set()
    for login in ["nobody@works"] + ["plan@works"] * MOST_FAILURES:
        with pytest.raises(NotSignedIn) as error:
            served.people.sign_in(login, "a wrong password")
        said.add(str(error.value))
    with pytest.raises(NotSignedIn) as error:
        served.people.sign_in("plan@works", PASSWORD)
    assert said == {str(error.value)}
    clock.later(minutes=16)
    assert served.people.sign_in("plan@works", PASSWORD).who.login == "plan@works"


def test_a_session_ends_when_it_is_not_used_and_at_last(served: Served, clock) -> None:
    session = planner(served)
    for _ in range(120):
        clock.later(hours=7)
        if clock.moment.timestamp() > 30 * 86400 + session_begun(served):
            break
        served.people.session(session.secret)
    with pytest.raises(NotSignedIn):
        served.people.session(session.secret)
    again = served.people.sign_in("plan@works", PASSWORD)
    clock.later(hours=9)
    with pytest.raises(NotSignedIn):
        served.people.session(again.secret)


def session_begun(served: Served) -> float:
    return float(served.database.rows("SELECT min(made) AS made FROM sessions")[0]["made"])


def test_an_administrator_needs_a_second_factor_and_no_code_counts_twice(served: Served, clock) -> None:
    link = served.people.invite(None, "admin@works", "", ["administrator"])
    session = served.people.accept(link, "the first password")
    assert session.must_factor
    factor = pyotp.TOTP(pyotp.parse_uri(served.people.begin_factor(session.who)).secret)
    for wrong in ("000000" if factor.at(clock()) != "000000" else "111111", "", "１２３四五六"):
        with pytest.raises(NotSignedIn):
            served.people.confirm_factor(session.who, wrong)
    served.people.confirm_factor(session.who, factor.at(clock()))
    served.people.confirm_factor(session.who, factor.at(clock()))  # the form was sent twice
    for code in ("", factor.at(clock())):
        with pytest.raises(NotSignedIn):
            served.people.sign_in("admin@works", "the first password", code)
    clock.later(seconds=60)
    assert not served.people.sign_in("admin@works", "the first password", factor.at(clock())).must_factor
    with pytest.raises(Refused):
        served.people.begin_factor(session.who)


def test_a_token_may_what_its_scopes_say_and_ends(served: Served, clock) -> None:
    who = planner(served).who
    for scopes in ([], ["manage_people"], ["see_plan", "nothing"]):
        with pytest.raises(Refused):
            served.people.make_token(who, "robot", scopes)
    secret = served.people.make_token(who, "robot", ["see_plan"], timedelta(days=2))
    robot = served.people.of_token(secret)
    assert robot.permissions == {Permission.SEE_PLAN}
    with pytest.raises(NotAllowed):
        robot.require(Permission.RUN_PLAN)
    with pytest.raises(NotAllowed):
        served.people.make_token(robot, "a child", ["see_plan"])
    assert [t["name"] for t in served.people.tokens(who)] == ["robot"]
    clock.later(days=3)
    with pytest.raises(NotSignedIn):
        served.people.of_token(secret)


@pytest.mark.parametrize("what", ["reset", "roles", "disabled"])
def test_whoever_is_changed_is_out_everywhere(served: Served, what: str) -> None:
    admin, session = administrator(served), planner(served)
    token = served.people.make_token(session.who, "robot", ["see_plan"])
    if what == "reset":
        served.people.reset(admin.who, "plan@works")
    elif what == "roles":
        served.people.change(admin.who, "plan@works", roles=["analyst"])
    else:
        served.people.change(admin.who, "plan@works", disabled=True)
    for find, secret in ((served.people.session, session.secret), (served.people.of_token, token)):
        with pytest.raises(NotSignedIn):
            find(secret)


def test_only_who_manages_people_does(served: Served) -> None:
    who = planner(served).who
    for attempt in (
        lambda: served.people.invite(who, "x@works", "", ["planner"]),
        lambda: served.people.reset(who, "plan@works"),
        lambda: served.people.change(who, "plan@works", roles=["administrator"]),
        lambda: served.people.accounts(who),
        lambda: served.audit.entries(who),
    ):
        with pytest.raises(NotAllowed):
            attempt()


def test_the_last_administrator_stays(served: Served) -> None:
    admin = administrator(served).who
    for changes in ({"roles": ["planner"]}, {"disabled": True}):
        with pytest.raises(Refused):
            served.people.change(admin, "admin@works", **changes)
    assert [a.roles for a in served.people.accounts(admin)] == [("administrator",)]


@pytest.mark.parametrize(
    ("login", "roles", "firm"),
    [
        ("a b", ["planner"], None),
        ("x@y", [], None),
        ("x@y", ["god"], None),
        ("x@y", ["factory"], None),
        ("x@y", ["factory", "planner"], "F"),
        ("x@y", ["planner"], "F"),
    ],
)
def test_an_account_that_cannot_be_is_refused(served: Served, login: str, roles: list[str], firm: str | None) -> None:
    with pytest.raises(Refused):
        served.people.invite(None, login, "", roles, firm)
    assert served.people.is_empty()


def test_every_change_is_in_the_audit_and_no_secret_is_kept(served: Served, tmp_path: Path) -> None:
    admin, session = administrator(served), planner(served)
    token = served.people.make_token(session.who, "robot", ["see_plan"])
    served.people.change(admin.who, "plan@works", roles=["analyst"])
    entries = served.audit.entries(admin.who)
    told = [(e["by"], e["what"], e["subject"]) for e in entries]
    assert ("admin@works", "change_account", "plan@works") in told
    assert ("command line", "invite", "plan@works") in told
    changed = entries[-1]
    assert (changed["before"]["roles"], changed["after"]["roles"]) == (["planner"], ["analyst"])
    kept = b"".join(file.read_bytes() for file in (tmp_path / "database").iterdir())
    for secret in (token, session.secret, PASSWORD):
        assert secret.encode() not in kept


def test_the_database_is_for_nobody_else(served: Served, tmp_path: Path) -> None:
    assert (tmp_path / "database" / "people.sqlite").stat().st_mode & 0o077 == 0


def test_roles_and_permissions_have_words() -> None:
    assert {f"service.role.{role}" for role in ROLES} <= catalogue().keys()
    assert {f"service.permission.{p.value}" for p in Permission} <= catalogue().keys()


def test_a_second_factor_is_asked_of_anybody_and_taken_away(served: Served) -> None:
    boss, one = administrator(served), planner(served)
    asked = served.people.set_factor(boss.who, "plan@works", True)
    assert (asked.must_factor, asked.has_factor) == (True, False)
    with pytest.raises(NotSignedIn):
        served.people.session(one.secret)
    again = served.people.sign_in("plan@works", PASSWORD)
    assert again.must_factor
    factor = pyotp.TOTP(pyotp.parse_uri(served.people.begin_factor(again.who)).secret)
    served.people.confirm_factor(again.who, factor.at(served.now()))
    with pytest.raises(NotSignedIn):
        served.people.sign_in("plan@works", PASSWORD)
    gone = served.people.set_factor(boss.who, "plan@works", False)
    assert (gone.must_factor, gone.has_factor) == (False, False)
    assert not served.people.sign_in("plan@works", PASSWORD).must_factor
    assert served.people.set_factor(boss.who, "admin@works", False).must_factor  # an administrator always needs one
    with pytest.raises(NotAllowed):
        served.people.set_factor(one.who, "admin@works", False)


def test_a_database_of_an_earlier_version_is_opened(tmp_path: Path) -> None:
    file = tmp_path / "people.sqlite"
    with sqlite3.connect(file) as kept:
        kept.executescript(SCHEMA)
    kept.close()
    for _ in range(2):
        database = ServerDatabase(file)
        assert database.rows("SELECT factor_asked FROM accounts") == []
        database.close()
