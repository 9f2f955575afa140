"""The factory's pages on a phone, in Chinese: big buttons, no line and a line again, nothing that axe objects to."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from browser.phone import Server, phone
from browser.planner import chromium
from datong.app.service.factory import own_orders
from datong.app.service.sign_in_limits import IDLE
from two_firms import PASSWORD

# Where pictures of the pages go, for who wants to look at them.
PICTURES = os.environ.get("DATONG_PICTURES")


@pytest.fixture(scope="module")
def opened() -> Iterator[Browser]:
    with chromium() as one:
        yield one


@pytest.fixture
def server(app) -> Iterator[Server]:
    one = Server(app)
    yield one
    one.stop()


@pytest.fixture
def address(server: Server) -> str:
    return server.address


def cut(page: Page, server: Server) -> None:
    """No line: the phone knows it, and nobody would answer anyhow."""
    page.context.set_offline(True)
    server.stop()


def mend(page: Page, server: Server) -> None:
    server.start()
    page.context.set_offline(False)


def sign_in(page: Page, address: str, login: str = "miller") -> None:
    page.goto(f"{address}/sign-in?next=/factory")
    page.locator("input[name=login]").fill(login)
    page.locator("input[name=password]").fill(PASSWORD)
    page.locator("button.big").click()


def see(page: Page, name: str) -> None:
    """No serious finding of axe, nothing wider than the phone; and a picture, where wanted."""
    found = Axe().run(page).response["violations"]
    serious = [(one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in ("serious", "critical")]
    assert serious == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 390, name
    small = page.evaluate(
        "[...document.querySelectorAll('button,summary,input:not([type=hidden]),.orders a')]"
        ".filter(e => e.offsetHeight && e.offsetHeight < 24).map(e => e.outerHTML)"
    )
    assert small == []
    if PICTURES:
        page.screenshot(path=Path(PICTURES) / f"{name}.png", full_page=True)


def events(served) -> list[str]:
    rows = served.chain_thread.read(
        lambda chain: chain.state(names=("order_events",)).table("order_events").to_pylist()
    )
    rows = sorted(rows, key=lambda row: row["happened_at"])
    return [row["state"] for row in rows if row["state"] not in ("proposed", "released")]


@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_page_can_be_read_and_pressed_on_a_phone(opened, address, served, language: str) -> None:
    page = phone(opened, language)
    page.emulate_media(color_scheme="dark" if language == "en" else "light")
    wrong: list[str] = []
    page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.goto(f"{address}/sign-in")
    see(page, f"{language}-1-sign-in")
    sign_in(page, address)
    if language == "en":
        page.get_by_role("button", name="English").click()
    see(page, f"{language}-2-orders")
    page.locator(".orders a").first.click()
    see(page, f"{language}-3-order")
    for fold in page.locator("details").all():
        fold.locator("summary").first.click()
    see(page, f"{language}-4-order-open")
    page.locator("form:has(input[value=partly_done]) input[name=good_units]").fill("4000")
    page.locator("form:has(input[value=partly_done]) button.big").click()
    expect(page.locator("[role=alert]")).to_be_visible()
    see(page, f"{language}-5-wrong")
    assert page.locator("form:has(input[value=partly_done]) input[name=good_units]").input_value() == "4000"
    page.locator("button.big.good").click()
    expect(page.locator("[role=status]")).to_be_visible()
    see(page, f"{language}-6-accepted")
    page.goto(f"{address}/factory")
    see(page, f"{language}-7-running")
    page.goto(f"{address}/factory/hours")
    see(page, f"{language}-8-hours")
    page.goto(f"{address}/account")
    see(page, f"{language}-9-account")
    page.goto(f"{address}/factor")
    page.locator("button.big").click()
    see(page, f"{language}-10-factor")
    page.goto(f"{address}/invitation/secret")
    see(page, f"{language}-11-invitation")
    assert [text for text in wrong if "422" not in text] == []
    page.context.close()


def test_answers_without_a_line_wait_and_are_sent_once(opened, server, address, served) -> None:
    page = phone(opened, "zh")
    sign_in(page, address)
    page.locator(".orders a").first.click()
    page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    page.reload()
    cut(page, server)
    page.locator("button.big.good").click()
    expect(page.locator("#waiting")).to_contain_text("恢复网络后自动提交")
    page.locator("details:has(input[value=started]) summary").click()
    page.locator("form:has(input[value=started]) textarea").fill("夜班开始")
    page.locator("form:has(input[value=started]) button.big").click()
    expect(page.locator("#waiting li")).to_have_count(2)
    see(page, "zh-12-waiting")
    page.reload()  # the page itself comes from the phone
    expect(page.locator("#waiting li")).to_have_count(2)
    assert events(served) == []
    mend(page, server)
    expect(page.locator("[role=status]")).to_contain_text("已开工", timeout=25_000)
    expect(page.locator("#waiting")).to_be_hidden()
    see(page, "zh-13-sent")
    assert sorted(events(served)) == ["accepted", "started"]
    page.reload()
    assert sorted(events(served)) == ["accepted", "started"]
    expect(page.locator(".state")).to_contain_text("已开工")
    page.context.close()


def test_an_answer_whose_reply_was_lost_counts_once(opened, address, served) -> None:
    """The server has it; the phone does not know, and sends it again."""
    page = phone(opened, "zh")
    sign_in(page, address)
    page.locator(".orders a").first.click()
    lost = []

    def lose(route) -> None:
        if route.request.method == "POST" and not lost:
            lost.append(route.fetch().status)
            route.abort()
        else:
            route.continue_()

    page.route("**/factory/orders/*", lose)
    page.locator("button.big.good").click()
    expect(page.locator("#waiting li")).to_have_count(1)
    assert lost == [200] and events(served) == ["accepted"]
    page.locator("#waiting button").click()
    expect(page.locator("[role=status]")).to_contain_text("已接单")
    assert events(served) == ["accepted"]
    page.context.close()


def test_what_waits_is_sent_after_signing_in_again(opened, address, served, clock) -> None:
    page = phone(opened, "zh")
    sign_in(page, address)
    page.locator(".orders a").first.click()
    page.locator("button.big.good").wait_for()
    page.wait_for_load_state("load")  # before its script is there, the page sends a plain form
    clock.later(seconds=IDLE.total_seconds() + 1)
    page.locator("button.big.good").click()
    page.locator("input[name=login]").fill("miller")
    page.locator("input[name=password]").fill(PASSWORD)
    page.locator("button.big").click()
    expect(page.locator("[role=status]")).to_contain_text("已接单")
    assert events(served) == ["accepted"]
    page.context.close()


def test_what_waits_and_is_wrong_stays_until_it_is_taken_away(opened, server, address, served) -> None:
    page = phone(opened, "zh")
    sign_in(page, address)
    page.locator(".orders a").first.click()
    cut(page, server)
    page.locator("details:has(input[value=offered]) summary").click()
    page.locator("form:has(input[value=offered]) input[name=units]").fill("2,100")
    page.locator("form:has(input[value=offered]) button.big").click()
    expect(page.locator("#waiting li")).to_have_count(1)
    mend(page, server)
    expect(page.locator("#waiting")).to_contain_text("请写明 2100 或 2.1", timeout=25_000)
    see(page, "zh-14-waiting-wrong")
    assert events(served) == []
    page.locator("#waiting li button").click()
    expect(page.locator("#waiting")).to_be_hidden()
    page.context.close()


def test_it_works_without_a_script(opened, address, served) -> None:
    page = phone(opened, "zh", has_script=False)
    sign_in(page, address)
    page.locator(".orders a").first.click()
    page.locator("button.big.good").click()
    expect(page.locator("[role=status]")).to_contain_text("已接单")
    assert events(served) == ["accepted"]
    assert len(own_orders(served, served.people.sign_in("miller", PASSWORD).who).orders) == 1
    page.context.close()
