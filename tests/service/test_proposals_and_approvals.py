"""Proposals: nothing is done before a person approves it, as things are then, in that person's name."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta

import pytest

from datong.app.service import proposals_and_approvals as subject
from datong.app.service.market_findings import decide, finding, findings
from datong.app.service.order_edit_rules import Change
from datong.app.service.order_edits import edit
from datong.app.service.orders_shown import order
from datong.app.service.proposals_and_approvals import (
    Decide,
    Release,
    Stale,
    approve,
    proposal,
    proposals,
    propose,
    refuse,
)
from datong.app.service.releases import release, to_release
from datong.app.service.roles_and_permissions import NotAllowed, Who
from datong.app.service.served_chain import Meanwhile, Served
from datong.model.errors import BadInput, NotFound, Refused
from datong.network.finding_decisions import Change as DemandChange

ANN = Who(1, "ann", "Ann", ("planner",))
BOT = Who(2, "bot", "", ("analyst",), scopes=frozenset({"see_plan", "see_findings"}))
MANAGER = Who(3, "mary", "", ("product_manager",))
FACTORY = Who(4, "press", "", ("factory",), firm="F1")
AUDITOR = Who(9, "audit", "", ("auditor",))


@pytest.fixture
def planned(served: Served) -> Served:
    served.chain_thread.write("test", lambda chain: chain.run())
    return served


def due(served: Served) -> list[str]:
    return sorted(to_release(served, ANN)["order"].to_pylist())


def entries(served: Served) -> list[dict]:
    return served.audit.entries(AUDITOR)


def test_a_release_waits_until_a_person_approves_it(planned: Served) -> None:
    names = due(planned)[:2]
    made = propose(planned.by_way("mcp"), BOT, Release(tuple(names)), "Late for d1")
    assert (made.kind, made.state, made.by, made.why, made.stale) == ("release", "open", "bot", "Late for d1", None)
    assert [name in line["en"] and name in line["zh"] for name, line in zip(names, made.told, strict=True)] == [
        True
    ] * 2
    assert due(planned)[:2] == names  # nothing was given out
    done = approve(planned, ANN, made.proposal, "Yes")
    assert (done.state, done.decided_by, done.decided_why) == ("approved", "ann", "Yes")
    assert not set(names) & set(due(planned))
    told = {(e["what"], e["subject"], e["by"]): e for e in entries(planned)}
    assert told["propose", "proposal 1", "bot"]["way"] == "mcp"
    given = told["release", names[0], "ann"]["after"]
    assert (given["proposal"], given["proposed_by"]) == (1, "bot")
    assert told["approve_proposal", "proposal 1", "ann"]["after"]["proposed_why"] == "Late for d1"
    assert order(planned, ANN, names[0]).row["origin"] == "out"
    with pytest.raises(Refused, match="decided"):
        approve(planned, ANN, made.proposal)


def test_a_token_approves_and_refuses_nothing_whatever_it_may(planned: Served) -> None:
    made = propose(planned, BOT, Release((due(planned)[0],)), "Why not")
    as_token = replace(ANN, scopes=frozenset(p.value for p in ANN.permissions))
    for verb in (approve, refuse):
        with pytest.raises(NotAllowed, match="person"):
            verb(planned, as_token, made.proposal)
    assert proposal(planned, ANN, made.proposal).state == "open" and due(planned)
    assert not subject.may_decide(as_token, "release") and subject.may_decide(ANN, "release")


def test_what_is_of_orders_that_changed_since_is_stale(planned: Served) -> None:
    name = due(planned)[0]
    made = propose(planned, BOT, Release((name,)), "Now")
    seen = order(planned, ANN, name)
    edit(planned, ANN, Change(name, start=seen.row["start"] + timedelta(days=1)), seen.version)
    now = proposal(planned, ANN, made.proposal)
    assert now.stale is not None and name in now.stale["en"] and name in now.stale["zh"]
    with pytest.raises(Stale):
        approve(planned, ANN, made.proposal)
    assert due(planned).count(name) == 1
    gone = refuse(planned, ANN, made.proposal, "Old")
    assert (gone.state, gone.stale) == ("refused", None)
    assert proposals(planned, ANN) == [] and len(proposals(planned, ANN, "refused")) == 1


def test_what_is_written_between_the_look_and_the_change_keeps_it_from_being_done(
    planned: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = due(planned)
    made = propose(planned, BOT, Release((names[0],)), "Now")
    look = subject._stale

    def looked(*args):
        found = look(*args)
        if names[1] in due(planned):
            release(planned, ANN, [names[1]])
        return found

    monkeypatch.setattr(subject, "_stale", looked)
    with pytest.raises(Meanwhile):
        approve(planned, ANN, made.proposal)
    monkeypatch.undo()
    assert proposal(planned, ANN, made.proposal).state == "open" and names[0] in due(planned)
    assert not [e for e in entries(planned) if e["what"] == "approve_proposal"]


def test_a_change_is_checked_when_it_is_proposed_and_made_as_the_person(planned: Served) -> None:
    row = next(r for r in to_release(planned, ANN).to_pylist() if r["line"] == "A")
    with pytest.raises(BadInput):
        propose(planned, BOT, Change(row["order"], units=-1.0), "Wrong")
    made = propose(planned, BOT, Change(row["order"], units=row["units"] - 1), "One less is enough")
    assert any(f"{row['units']:,.10g} → {row['units'] - 1:,.10g}" in line["en"] for line in made.told)
    with pytest.raises(NotAllowed):
        approve(planned, replace(ANN, roles=("analyst",)), made.proposal)
    approve(planned, ANN, made.proposal)
    assert order(planned, ANN, row["order"]).row["units"] == row["units"] - 1
    last = next(e for e in entries(planned) if e["what"] == "edit_order")
    assert (last["by"], last["after"]["proposed_by"]) == ("ann", "bot")


def test_a_decision_about_a_finding_is_taken_as_the_person(shop: Served) -> None:
    market = findings(shop, MANAGER).market
    assert market is not None
    name = next(one.finding.finding for one in market.findings if one.finding.kind == "complaint")
    change = DemandChange(date(2026, 3, 9), date(2026, 3, 23), -0.2, -0.3, -0.1)
    with pytest.raises(Refused):
        propose(shop, BOT, Decide(name, "dismissed", change), "No change goes with a dismissal")
    made = propose(shop, BOT, Decide(name, "taken", change), "The cap is bad")
    other = propose(shop, BOT, Decide(name, "dismissed"), "Or not")
    assert finding(shop, MANAGER, name).finding.decision is None
    approve(shop, MANAGER, made.proposal, "Agreed")
    decided = finding(shop, MANAGER, name).finding.decision
    assert decided is not None
    assert (decided.state, decided.decided_by, decided.change) == ("taken", "mary", change)
    assert proposal(shop, MANAGER, other.proposal).stale is not None
    with pytest.raises(Stale):
        approve(shop, MANAGER, other.proposal)
    decide(shop, MANAGER, name, "dismissed", "Mended")


def test_who_sees_what_waits(planned: Served, audited: Callable) -> None:
    made = propose(planned, BOT, Release((due(planned)[0],)), "Now")
    assert propose(planned, BOT, Release((due(planned)[0],)), "Now again").proposal == made.proposal
    assert [one.proposal for one in proposals(planned, AUDITOR)] == [made.proposal]
    assert proposals(planned, MANAGER) == []  # orders are not theirs to see
    for who, error in ((MANAGER, NotFound), (FACTORY, NotAllowed)):
        with pytest.raises(error):
            proposal(planned, who, made.proposal)
        with pytest.raises(error):
            approve(planned, who, made.proposal)
    with pytest.raises(NotAllowed):
        propose(planned, FACTORY, Release((due(planned)[0],)), "Mine")


def test_what_cannot_be_done_is_not_proposed(planned: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    name = due(planned)[0]
    for asked, error in ((Release(("none",)), NotFound), (Release(()), Refused), (Decide("none", "taken"), NotFound)):
        with pytest.raises(error):
            propose(planned, BOT, asked, "Why not")
    with pytest.raises(Refused, match="Say why"):
        propose(planned, BOT, Release((name,)), "  ")
    with pytest.raises(Refused, match="no state"):
        proposals(planned, ANN, "none")
    monkeypatch.setattr(subject, "MOST_OPEN", 1)
    propose(planned, BOT, Release((name,)), "One")
    with pytest.raises(Refused, match="wait already"):
        propose(planned, BOT, Change(name), "Two")
    assert [one.told[0]["en"].split()[0] for one in proposals(planned, ANN)] == ["Give"]
