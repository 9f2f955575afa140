"""Findings of the market as they are shown and decided upon."""

from collections.abc import Callable
from datetime import date

import pytest

from datong.app.service.market_findings import decide, effect, finding, findings
from datong.app.service.roles_and_permissions import NotAllowed, Who
from datong.app.service.served_chain import Served
from datong.model.errors import NotFound, Refused
from datong.network.finding_decisions import Change

PLANNER = Who(1, "plan@works", "", ("planner",))
MANAGER = Who(2, "product@works", "", ("product_manager",))
ANALYST = Who(3, "look@works", "", ("analyst",))
FACTORY = Who(4, "press@works", "", ("factory",), firm="F1")


def complaint(served: Served) -> str:
    market = findings(served, MANAGER).market
    assert market is not None
    return next(one.finding.finding for one in market.findings if one.finding.kind == "complaint")


def test_findings_come_with_strength_picture_and_masked_quotes(shop: Served) -> None:
    market = findings(shop, ANALYST).market
    assert market is not None
    assert {one.finding.kind for one in market.findings} == {"promotion", "complaint"}
    shown = finding(shop, ANALYST, complaint(shop))
    assert shown.finding.strength is not None
    assert shown.picture is not None
    assert shown.quotes
    assert "leaks" in shown.quotes[0].text
    assert shown.finding.orders  # those that have it among their reasons


def test_a_decision_is_shown_at_once_and_known_who_took_it(shop: Served, audited: Callable) -> None:
    name = complaint(shop)
    change = Change(date(2026, 3, 9), date(2026, 3, 23), -0.2, -0.3, -0.1)
    decide(shop, MANAGER, name, "taken", "The cap is bad", change)
    made = finding(shop, MANAGER, name).finding.decision
    assert made is not None
    assert (made.state, made.decided_by, made.reason, made.change) == (
        "taken",
        "product@works",
        "The cap is bad",
        change,
    )
    assert audited()[-1] == "decide_finding"
    run = shop.chain_thread.write("x", lambda chain: chain.run())
    moved = {
        (r["bucket"], r["factor"]) for r in run.tables["adjustments"].to_pylist() if r["signal"].startswith("taken")
    }
    assert moved == {(date(2026, 3, 9), 0.8), (date(2026, 3, 16), 0.8)}
    decide(shop, PLANNER, name, "dismissed", "Mended")
    made = finding(shop, MANAGER, name).finding.decision
    assert made is not None
    assert (made.state, made.decided_by) == ("dismissed", "plan@works")


def test_what_cannot_be_decided_says_why(shop: Served) -> None:
    name = complaint(shop)
    days = (date(2026, 3, 9), date(2026, 3, 23))
    with pytest.raises(Refused):
        decide(shop, MANAGER, name, "perhaps")
    with pytest.raises(Refused, match="dismissed"):
        decide(shop, MANAGER, name, "dismissed", "", Change(*days, -0.2, -0.2, -0.2))
    with pytest.raises(Refused, match="end after"):
        decide(shop, MANAGER, name, "taken", "", Change(days[1], days[0], -0.2, -0.2, -0.2))
    with pytest.raises(Refused, match="low end"):
        decide(shop, MANAGER, name, "taken", "", Change(*days, -0.2, 0.2, -0.2))
    with pytest.raises(NotFound):
        decide(shop, MANAGER, "complaint-none", "taken")
    with pytest.raises(Refused):
        effect(shop, MANAGER, name)  # nobody decided


def test_the_effect_of_a_decision_says_that_it_is_too_early(shop: Served) -> None:
    name = complaint(shop)
    decide(shop, MANAGER, name, "taken", "The cap is bad")
    found = effect(shop, ANALYST, name)
    assert found.estimate is None
    assert found.text.text("en")
    assert found.text.text("zh") != found.text.text("en")


def test_who_may_not_is_told(shop: Served) -> None:
    with pytest.raises(NotAllowed):
        decide(shop, ANALYST, complaint(shop), "taken")
    for task in (findings, lambda s, w: finding(s, w, "x"), lambda s, w: effect(s, w, "x")):
        with pytest.raises(NotAllowed):
            task(shop, FACTORY)


def test_without_a_run_the_answer_names_what_makes_one(served: Served) -> None:
    with pytest.raises(NotFound):
        findings(served, MANAGER)
