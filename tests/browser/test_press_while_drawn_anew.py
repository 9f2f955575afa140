"""What is pressed on a page that is being drawn anew is done, or the page says that it changed: nothing is lost."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from browser.planner import Planner, chromium, planner
from datong.app.chain import Chain
from datong.model.words import say
from mill import write

PEOPLE = {"ann": ("planner", "en"), "wang": ("planner", "en"), "boss": ("administrator", "en")}
# What the server sends waits in the browser: there the page is as it was, while on the server it is drawn anew.
HOLD = """() => {
  const heard = window.socket.onevent;
  window.held = [];
  window.socket.onevent = (packet) => window.held.push(packet);
  window.letGo = () => {
    window.socket.onevent = heard;
    window.held.forEach((packet) => heard.call(window.socket, packet));
  };
}"""
SETTLED = """() => {
  const before = window.held.length;
  return new Promise((tell) => setTimeout(() => tell(before === window.held.length), 400));
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as one:
        yield one


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Planner]:
    with Chain(write(tmp_path / "mill")) as chain:
        chain.run()
    with planner(tmp_path / "mill", tmp_path / "database" / "people.sqlite", PEOPLE) as one:
        yield one


def today(server: Planner, browser: Browser) -> tuple[Page, Locator]:
    """The page Today of one planner, and its cards of what is to be decided."""
    page = server.page(browser, "ann", [])
    page.goto(f"{server.address}/planner/today")
    cards = page.locator("ol.decisions > li")
    expect(cards.nth(1)).to_be_visible()
    return page, cards


def order_of(card: Locator) -> str:
    found = re.search(r"[WP]\d{8}-\d{3}", card.inner_text())
    assert found is not None
    return found[0]


def do_as_another(server: Planner, browser: Browser, order: str, act: str) -> None:
    """Another planner does something to an order."""
    page = server.page(browser, "wang", [])
    page.goto(f"{server.address}/planner/plan?order={order}")
    page.get_by_role("complementary").get_by_role("button", name=act, exact=True).click()
    expect(page.locator(".q-notification.bg-positive")).to_be_visible()
    page.context.close()


def drawn_anew(page: Page) -> None:
    """The server has drawn anew what the browser has not heard of yet."""
    page.wait_for_function("() => window.held.length > 0")
    while not page.evaluate(SETTLED):
        pass


def test_a_press_on_a_card_that_did_not_change_is_done(server: Planner, browser: Browser) -> None:
    page, cards = today(server, browser)
    pressed, other = (cards.nth(at) for at in (0, 1))
    name = order_of(pressed)
    page.evaluate(HOLD)
    do_as_another(server, browser, order_of(other), say("web_plan.release", "en"))
    drawn_anew(page)
    pressed.get_by_role("button", name=say("web_today.take", "en")).click()
    page.evaluate("() => window.letGo()")
    expect(page.get_by_text(say("web_today.taken", "en"))).to_be_visible()
    expect(cards.filter(has_text=name)).to_have_count(0)
    page.context.close()


def test_a_press_that_a_drawing_cuts_in_two_is_done(server: Planner, browser: Browser) -> None:
    """The button goes down before the page is drawn anew and up after it."""
    page, cards = today(server, browser)
    pressed, other = (cards.nth(at) for at in (0, 1))
    name, others = order_of(pressed), order_of(other)
    pressed.get_by_role("button", name=say("web_today.take", "en")).hover()
    page.mouse.down()
    do_as_another(server, browser, others, say("web_plan.release", "en"))
    expect(cards.filter(has_text=others)).to_have_count(0)
    page.mouse.up()
    expect(cards.filter(has_text=name)).to_have_count(0)
    page.context.close()


def test_a_press_on_a_card_that_changed_is_said_not_to_be_done(server: Planner, browser: Browser) -> None:
    page, cards = today(server, browser)
    pressed = cards.nth(0)
    name = order_of(pressed)
    page.evaluate(HOLD)
    do_as_another(server, browser, name, say("web_plan.lock", "en"))
    drawn_anew(page)
    pressed.get_by_role("button", name=say("web_today.take", "en")).click()
    page.evaluate("() => window.letGo()")
    expect(page.get_by_text(say("web.pressed_gone", "en"))).to_be_visible()
    expect(page.locator("button[aria-busy=true]")).to_have_count(0)
    page.goto(f"{server.address}/planner/plan?order={name}")
    expect(page.get_by_role("complementary").get_by_role("heading").first).not_to_contain_text("released")
    page.context.close()


def test_a_row_of_accounts_stays_while_another_changes(server: Planner, browser: Browser) -> None:
    page = server.page(browser, "boss", [])
    page.goto(f"{server.address}/planner/people")
    rows = page.locator("tbody tr")
    ann, row = (rows.filter(has=page.get_by_role("cell", name=name, exact=True)) for name in ("ann", "wang"))
    row.evaluate("(one) => { one.dataset.seen = 'yes'; }")
    ann.get_by_role("button", name=say("web_people.suspend", "en")).click()
    page.get_by_role("button", name=say("web_people.yes", "en")).click()
    expect(ann).to_contain_text(say("service.state.disabled", "en"))
    expect(row).to_have_attribute("data-seen", "yes")
    page.context.close()
