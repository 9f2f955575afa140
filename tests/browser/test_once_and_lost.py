"""A button that is pressed twice acts once and frightens nobody; what was typed while a server was gone is not lost."""

import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, expect

from browser.planner import chromium, planner
from datong.app.chain import Chain
from datong.model.words import say
from mill import write

PEOPLE = {"ann": ("planner", "en"), "wang": ("planner", "zh")}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as one:
        yield one


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with the chain `mill`, which has a plan, and room for a database."""
    with Chain(write(tmp_path / "mill")) as chain:
        chain.run()
    return tmp_path


THREE_CLICKS = "(one) => { one.click(); one.click(); one.click(); }"


def panel(page: Page) -> Locator:
    return page.get_by_role("complementary")


def test_a_button_that_is_pressed_twice_acts_once(browser: Browser, place: Path) -> None:
    problems: list[str] = []
    database = place / "database" / "people.sqlite"
    with planner(place / "mill", database, PEOPLE) as served:
        page = served.page(browser, "ann", problems)
        page.goto(f"{served.address}/planner/plan?order=W20260302-001")
        button = panel(page).get_by_role("button", name="Give out")
        button.dblclick()
        expect(panel(page).get_by_role("heading", name=re.compile("released"))).to_be_visible()
        page.wait_for_timeout(500)  # time for a second answer
        assert page.locator(".q-notification.bg-negative").count() == 0
        page.goto(f"{served.address}/planner/today")
        page.get_by_role("button", name="Give out").first.evaluate(THREE_CLICKS)
        expect(page.locator(".q-notification").first).to_be_visible()
        page.wait_for_timeout(500)
        assert page.locator(".q-notification.bg-negative, .q-notification.bg-info").count() == 0
        assert page.locator("button[aria-busy=true]").count() == 0
        page.context.close()
    with sqlite3.connect(database) as kept:
        assert kept.execute("SELECT count(*) FROM audit WHERE what = 'release'").fetchone() == (2,)
    assert problems == []


def test_what_was_typed_while_the_server_was_gone_is_put_back(browser: Browser, place: Path) -> None:
    database = place / "database" / "people.sqlite"
    with planner(place / "mill", database, PEOPLE) as served:
        page = served.page(browser, "wang", [])
        page.goto(f"{served.address}/planner/plan?order=W20260302-001")
        panel(page).get_by_label("数量", exact=True).fill("11")
        port = int(served.address.rpartition(":")[2])
    notice = page.locator("#server-notice")
    expect(notice).to_contain_text(say("web.server_lost", "zh"))
    expect(notice).to_contain_text("数量: 11")
    panel(page).get_by_label("原因").fill("模具磨损")
    expect(notice).to_contain_text("模具磨损")
    found = Axe().run(page).response["violations"]
    assert [one["id"] for one in found if one["impact"] in ("serious", "critical")] == []
    with planner(place / "mill", database, {}, port):
        expect(notice).to_contain_text(say("web.put_back", "zh"), timeout=60_000)
        expect(panel(page).get_by_label("数量", exact=True)).to_have_value("11")
        panel(page).get_by_role("button", name="保存").click()
        expect(panel(page)).to_contain_text("建议（已锁定）")
        expect(panel(page)).to_contain_text("模具磨损")
        page.context.close()


def test_what_is_typed_stays_while_the_page_is_drawn_anew(browser: Browser, place: Path) -> None:
    with planner(place / "mill", place / "database" / "people.sqlite", PEOPLE) as served:
        page = served.page(browser, "ann", [])
        page.goto(f"{served.address}/planner/replay")
        page.get_by_label("Weeks or days").fill("3")
        page.wait_for_timeout(500)  # what is typed is sent a moment after the last key
        page.get_by_role("button", name="Replay", exact=True).click()
        expect(page.locator(".job")).to_contain_text(re.compile("sales|replay", re.IGNORECASE))
        expect(page.get_by_label("Weeks or days")).to_have_value("3")
        page.context.close()


def test_the_price_of_a_change_is_there_again_until_something_changes(browser: Browser, place: Path) -> None:
    """After the page is loaded anew, and after the server was gone; not of another change, and not of another chain."""
    database = place / "database" / "people.sqlite"
    with planner(place / "mill", database, PEOPLE) as served:
        page = served.page(browser, "ann", [])
        page.goto(f"{served.address}/planner/plan?order=W20260302-001")
        units = panel(page).get_by_label("Units", exact=True)
        units.fill("20")
        panel(page).get_by_role("button", name=say("web_plan.ask_price", "en")).click()
        price = panel(page).locator(".told")
        expect(price).to_contain_text("CNY", timeout=60_000)
        told = price.inner_text().splitlines()[-1]
        units.fill("21")
        expect(price).to_have_text(say("web_plan.price_other", "en"))
        units.fill("20")
        expect(price).to_contain_text(told)
        page.reload()
        expect(price).to_contain_text(told)
        port = int(served.address.rpartition(":")[2])
    expect(page.locator("#server-notice")).to_contain_text(say("web.server_lost", "en"))
    with planner(place / "mill", database, {}, port) as served:
        expect(page.locator("#server-notice")).to_be_hidden(timeout=60_000)
        expect(price).to_contain_text(told)
        other = page.context.new_page()
        other.goto(f"{served.address}/planner/plan?order=P20260302-001")
        panel(other).get_by_role("button", name=say("web_plan.lock", "en")).click()
        expect(price).to_contain_text(say("web_plan.price_old", "en"))
        expect(price).not_to_contain_text(told)
        page.reload()
        expect(price).to_contain_text(say("web_plan.price_old", "en"))
        page.context.close()
