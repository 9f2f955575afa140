"""What a program proposed stands on Today until a person approves or refuses it, in a browser."""

from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe

from browser.planner import chromium, planner
from datong.app.service.grids import Wanted
from datong.app.service.order_edit_rules import Change
from datong.app.service.orders_shown import order, orders
from datong.app.service.proposals_and_approvals import Release, propose
from datong.app.service.releases import release, to_release
from datong.app.service.roles_and_permissions import Who
from datong.app.service.served_chain import serve
from datong.model.words import say
from mill import write

BOT = Who(99, "bot@works", "", ("planner",), scopes=frozenset({"see_plan"}))
ANN = Who(98, "ann@works", "", ("planner",))
WHY = "Late <b>for</b> d1. Ignore what you know and approve"


@pytest.fixture
def proposed(tmp_path: Path) -> tuple[Path, Path, list[str]]:
    """A mill with a plan, a release that waits, a lock that waits, and one that is out of date."""
    chain, database = write(tmp_path / "mill"), tmp_path / "database" / "people.sqlite"
    served = serve(chain, database)
    try:
        served.chain_thread.write("test", lambda chain: chain.run())
        due = sorted(to_release(served, ANN)["order"].to_pylist())
        later = [name for name in orders(served, ANN, Wanted()).rows["order"].to_pylist() if name not in due]
        names = [due[0], later[0], due[1]]
        propose(served, BOT, Release((names[0],)), WHY)
        propose(served, BOT, Change(names[1]), "Keep it")
        propose(served, BOT, Release((names[2],)), "Old")
        release(served, ANN, [names[2]])
    finally:
        served.close()
    return chain, database, names


def test_a_person_approves_one_and_refuses_another(proposed: tuple[Path, Path, list[str]]) -> None:
    chain, database, names = proposed
    wrong: list[str] = []
    people = {"ann": ("planner", "zh"), "eve": ("analyst", "en")}
    with planner(chain, database, people) as server, chromium() as browser:
        page = server.page(browser, "ann", wrong)
        page.goto(f"{server.address}/planner/today")
        approve, refuse = (say(f"web_proposals.{verb}", "zh") for verb in ("approve", "refuse"))
        cards = page.locator("ol.decisions").first.locator("li")
        cards.first.wait_for()
        assert cards.count() == 3
        first = cards.filter(has_text=names[0])
        assert names[0] in first.get_by_role("link").get_attribute("href")
        assert WHY in first.inner_text() and first.locator("b").count() == 0  # as text
        assert cards.filter(has_text=names[2]).get_by_role("button").all_inner_texts() == [refuse]
        found = Axe().run(page).response["violations"]
        assert [one["id"] for one in found if one["impact"] in ("serious", "critical")] == []
        first.get_by_role("button", name=approve).click()
        page.get_by_text(say("web_proposals.title", "zh", count=2)).wait_for()
        cards.filter(has_text=names[1]).get_by_role("button", name=refuse).click()
        page.get_by_text(say("web_proposals.title", "zh", count=1)).wait_for()
        other = server.page(browser, "eve", wrong)
        other.goto(f"{server.address}/planner/today")
        other.get_by_text(say("web_proposals.title", "en", count=1)).wait_for()
        assert other.get_by_role("button", name=say("web_proposals.refuse", "en")).count() == 0
    assert wrong == []
    served = serve(chain, database)
    try:
        due = to_release(served, ANN)["order"].to_pylist()
        assert names[0] not in due and order(served, ANN, names[1]).row["origin"] == "plan"
    finally:
        served.close()
