"""A planner's week in a browser: make a plan, look at it, mend an order, give it out; and two who do so at once."""

import os
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from browser.planner import Planner, chromium, planner
from datong.app.chain import Chain
from mill import write

# Where pictures of the pages go, for who wants to look at them.
PICTURES = os.environ.get("DATONG_PICTURES")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as one:
        yield one


PEOPLE = {
    "ann": ("planner", "en"),
    "wang": ("planner", "zh"),
    "pia": ("product_manager", "en"),
    "eve": ("analyst", "en"),
}


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Planner]:
    """A chain without a plan."""
    with planner(write(tmp_path / "mill"), tmp_path / "database" / "people.sqlite", PEOPLE) as one:
        yield one


HARM = "<img src=x onerror=console.error('harm')>Plough"


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Planner]:
    """A chain with a plan, whose every test has an order of its own. The name of P would do harm where it was read as
    HTML."""
    place = tmp_path_factory.mktemp("planned")
    products = f"product,name,price,kind\nP,{HARM},100,finished\nQ,,50,finished\nM,,4,material\n"
    with Chain(write(place / "mill", products_csv=products)) as chain:
        chain.run()
    with planner(place / "mill", place / "database" / "people.sqlite", PEOPLE) as one:
        yield one


# No animation that ends is still going on: half faded in, a text has not its contrast yet.
FADED_IN = """() => document.getAnimations().every(
    one => one.playState !== 'running' || one.effect.getComputedTiming().endTime === Infinity)"""


def see(page: Page, name: str) -> None:
    """No serious finding of axe, once what fades in is there; and a picture, where wanted."""
    page.wait_for_function(FADED_IN)
    if PICTURES:
        page.screenshot(path=Path(PICTURES) / f"{name}.png", full_page=True)
    found = Axe().run(page).response["violations"]
    assert [(f["id"], f["nodes"][0]["html"][:200]) for f in found if f["impact"] in ("serious", "critical")] == []


def test_a_week_from_the_plan_to_what_is_given_out(browser: Browser, served: Planner) -> None:
    problems: list[str] = []
    page = served.page(browser, "ann", problems)
    page.goto(f"{served.address}/planner/today")
    expect(page.get_by_role("note")).to_contain_text("There is no plan yet")
    page.get_by_role("button", name="Make a new plan").click()
    expect(page.get_by_role("heading", name=re.compile("To decide first"))).to_be_visible(timeout=60_000)
    see(page, "today-en")
    page.get_by_role("link", name="Plan", exact=True).click()
    row = page.locator(".ag-center-cols-container .ag-row").filter(has_text="A").first
    expect(row).to_be_visible()
    panel = page.get_by_role("complementary")
    bought = page.locator(".ag-pinned-left-cols-container .ag-row").filter(has_text="P20260302-001")
    bought.click()
    expect(panel.get_by_role("heading", name=re.compile("P20260302-001"))).to_be_visible()
    bought.locator(".ag-cell").press("ArrowDown")
    page.keyboard.press("Space")
    expect(panel.get_by_role("heading", name=re.compile("W20260302-001"))).to_be_visible()
    page.goto(f"{served.address}/planner/plan?order=W20260302-001")
    expect(panel.get_by_role("heading", name=re.compile("W20260302-001"))).to_be_visible()
    see(page, "plan-en")
    panel.get_by_label("Units", exact=True).fill("400")
    panel.get_by_role("button", name="What would it cost?").click()
    expect(panel).to_contain_text("hours on line A")  # 40 hours a week, an hour each
    panel.get_by_label("Units", exact=True).fill("20")
    panel.get_by_role("button", name="What would it cost?").click()
    expect(panel).to_contain_text(re.compile("The plan would cost .* (more|less)"), timeout=60_000)
    panel.get_by_label("Why").fill("the mould is worn")
    panel.get_by_role("button", name="Save").click()
    expect(panel).to_contain_text("proposed, locked")
    expect(panel).to_contain_text("the mould is worn")
    panel.get_by_role("button", name="Undo").click()
    expect(panel).not_to_contain_text("proposed, locked")
    panel.get_by_role("button", name="Redo").click()
    expect(panel).to_contain_text("proposed, locked")
    give_out = page.get_by_role("button", name=re.compile(r"Give out what is due \(\d+\)"))
    before = give_out.inner_text()
    panel.get_by_role("button", name="Give out").click()
    expect(panel.get_by_role("heading", name=re.compile("W20260302-001 · released"))).to_be_visible()
    # What stands above the orders is as they are now, without the page being opened anew.
    expect(page.get_by_role("button", name=before, exact=True)).to_have_count(0)
    panel.get_by_text("ann · Given out").wait_for()
    # What is given out together takes the form of the order that is open away.
    page.goto(f"{served.address}/planner/plan?order=P20260302-001")
    panel.get_by_role("button", name="Save").wait_for()
    page.get_by_role("button", name=re.compile("Give out what is due")).click()
    page.get_by_role("button", name="Give them out").click()
    expect(panel.get_by_role("heading", name=re.compile("P20260302-001 · released"))).to_be_visible()
    expect(panel.get_by_role("button", name="Save")).to_have_count(0)
    page.get_by_role("searchbox", name="Find order").fill("W20260302-001")
    expect(page.locator("#order-count")).to_have_text("1 order")
    assert problems == []


def test_a_row_of_the_grid_opens_its_order(browser: Browser, planned: Planner) -> None:
    """By a click on any of its cells, by Enter and by Space; once its panel is shut, by another click too. What is
    typed for the order that is shown stays."""
    problems: list[str] = []
    page = planned.page(browser, "ann", problems, width=1600)
    page.goto(f"{planned.address}/planner/plan?show=all")
    rows = page.locator(".ag-center-cols-container .ag-row")
    expect(rows.filter(has_text="proposed").first).to_be_visible()
    title = page.get_by_role("complementary").get_by_role("heading", level=2).first

    def name(at: int) -> re.Pattern[str]:
        pinned = page.locator(f".ag-pinned-left-cols-container .ag-row[row-index='{at}']")
        return re.compile(f"^{pinned.inner_text().strip()} ")

    for cell in (0, 3):
        page.locator(f".ag-center-cols-container .ag-row[row-index='{cell}'] .ag-cell").nth(cell).click()
        expect(title).to_have_text(name(cell), timeout=20_000)
    for at, key in ((2, "Enter"), (1, " ")):
        page.keyboard.press("ArrowUp")
        page.keyboard.press(key)
        expect(title).to_have_text(name(at))
    row = rows.filter(has_text="proposed").first
    at, opened = int(row.get_attribute("row-index") or ""), row.locator(".ag-cell").first
    opened.click()
    expect(title).to_have_text(name(at))
    units = page.get_by_role("complementary").get_by_label("Units", exact=True)
    units.fill("11")
    page.keyboard.press("Tab")
    shown = title.inner_text()
    opened.click()
    page.wait_for_timeout(500)
    expect(units).to_have_value("11")
    page.get_by_role("complementary").get_by_role("button", name="Close").click()
    expect(title).to_have_count(0)
    opened.click()
    expect(title).to_have_text(shown)
    assert problems == []


def test_the_pages_in_chinese_and_dark(browser: Browser, planned: Planner) -> None:
    problems: list[str] = []
    page = planned.page(browser, "wang", problems)
    page.context.add_cookies([{"name": "datong_look", "value": "dark", "url": planned.address}])
    for path, name in (("today", "今日"), ("plan?order=W20260302-001", "计划")):
        page.goto(f"{planned.address}/planner/{path}")
        expect(page.get_by_role("heading", level=1, name=name)).to_be_visible()
        page.wait_for_load_state("networkidle")
        expect(page.get_by_text(HARM).first).to_be_visible()
        assert page.evaluate("document.documentElement.lang") == "zh-CN"
        see(page, f"{path.partition('?')[0]}-zh-dark")
    assert problems == []


def test_two_who_edit_the_same_order_and_the_second_loses_nothing(browser: Browser, planned: Planner) -> None:
    problems: list[str] = []
    ann, wang = (planned.page(browser, login, problems) for login in ("ann", "wang"))
    for page in (ann, wang):
        page.goto(f"{planned.address}/planner/plan?order=W20260302-001")
        expect(page.get_by_role("complementary").get_by_role("heading", name=re.compile("W2026"))).to_be_visible()
    units = wang.get_by_role("complementary").get_by_label("数量", exact=True)
    units.fill("11")
    ann.get_by_role("complementary").get_by_label("Units", exact=True).fill("20")
    ann.get_by_role("complementary").get_by_role("button", name="Save").click()
    expect(ann.get_by_role("complementary")).to_contain_text("proposed, locked")
    wang.get_by_role("button", name="保存").click()
    expect(wang.locator(".q-notification").filter(has_text="ann").first).to_contain_text("20")
    assert units.input_value() == "11"
    wang.get_by_role("button", name="保存").click()
    expect(wang.get_by_role("complementary")).to_contain_text("建议（已锁定）")
    assert problems == []


def test_the_second_who_edits_another_field_changes_that_alone(browser: Browser, planned: Planner) -> None:
    """Ann says 20 units; Wang, whose page still has what was planned, says another day, is told, and says it again."""
    problems: list[str] = []
    ann, wang = (planned.page(browser, login, problems) for login in ("ann", "wang"))
    for page in (ann, wang):
        page.goto(f"{planned.address}/planner/plan?order=W20260302-002")
        expect(page.get_by_role("complementary").get_by_role("heading", name=re.compile("W2026"))).to_be_visible()
    units, start = (wang.get_by_role("complementary").get_by_label(name, exact=True) for name in ("数量", "开始"))
    before = units.input_value()
    start.fill("2026-03-03")
    ann.get_by_role("complementary").get_by_label("Units", exact=True).fill("3")
    ann.get_by_role("complementary").get_by_role("button", name="Save").click()
    expect(ann.get_by_role("complementary")).to_contain_text("proposed, locked")
    wang.get_by_role("button", name="保存").click()
    expect(units).to_have_value("3")
    assert before != "3" and start.input_value() == "2026-03-03"
    wang.get_by_role("button", name="保存").click()
    expect(wang.get_by_role("complementary")).to_contain_text("2026-03-03 →")
    expect(units).to_have_value("3")
    assert problems == []


def test_what_is_pressed_after_a_session_ended_is_done_once_they_go_on(browser: Browser, planned: Planner) -> None:
    problems: list[str] = []
    page = planned.page(browser, "ann", problems)
    page.goto(f"{planned.address}/planner/plan?order=W20260302-002")
    units = page.get_by_role("complementary").get_by_label("Units", exact=True)
    units.fill("20")
    page.wait_for_function("((datongGantt.picture() || {}).shown || new Map()).size")
    page.wait_for_load_state("networkidle")  # what the page asks for by itself would tell as well
    with sqlite3.connect(planned.database) as database:
        kept = database.execute("SELECT * FROM sessions").fetchall()
        database.execute("DELETE FROM sessions")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("dialog")).to_contain_text("You are not signed in")
    assert units.input_value() == "20"
    with sqlite3.connect(planned.database) as database:
        database.executemany(f"INSERT INTO sessions VALUES ({', '.join('?' * len(kept[0]))})", kept)
    page.get_by_role("button", name="I have signed in").click()
    expect(page.get_by_role("dialog")).to_have_count(0)  # and what was pressed is done
    expect(page.get_by_role("complementary")).to_contain_text("proposed, locked")


def test_who_is_not_signed_in_goes_there_and_who_may_not_sees_why(browser: Browser, planned: Planner) -> None:
    page = browser.new_context().new_page()
    answer = page.request.get(f"{planned.address}/planner/plan?order=W1", max_redirects=0)
    assert (answer.status, answer.headers["location"]) == (303, "/sign-in?next=/planner/plan%3Forder%3DW1")
    assert page.request.get(f"{planned.address}/planner/data/orders").status == 401
    problems: list[str] = []
    pia = planned.page(browser, "pia", problems)
    assert pia.request.get(f"{planned.address}/planner/data/orders").status == 403
    pia.goto(f"{planned.address}/planner/plan")
    expect(pia.get_by_role("note")).to_contain_text("may not see this page")
    assert problems == []


def test_an_order_is_dragged_to_another_day_checked_and_priced(browser: Browser, planned: Planner) -> None:
    problems: list[str] = []
    page = planned.page(browser, "ann", problems)
    page.goto(f"{planned.address}/planner/plan")
    picture = "datongGantt.picture()"
    drawn = f"{picture} && [...({picture}.shown || new Map()).values()].find(b => b[0] === 'W20260302-004')"
    page.wait_for_function(drawn)
    x, y, width, height, scale = page.evaluate(f"(b => [...{picture}.box(b), {picture}.scale])({drawn})")
    place = page.locator("#picture canvas").bounding_box()
    assert place is not None
    at = (place["x"] + x + width / 2, place["y"] + y + height / 2)
    page.mouse.move(*at)
    page.mouse.down()
    page.mouse.move(at[0] + scale, at[1], steps=4)
    page.mouse.up()
    panel = page.get_by_role("complementary")
    expect(panel.get_by_label("Start", exact=True)).to_have_value("2026-03-10")
    expect(panel).to_contain_text(re.compile("The plan would cost .* (more|less)"), timeout=60_000)
    panel.get_by_role("button", name="Save").click()
    expect(panel).to_contain_text("proposed, locked")
    page.wait_for_function(f"{drawn}[2] === '2026-03-10'")
    page.locator("#picture canvas").focus()
    for _ in range(4):
        page.keyboard.press("+")
    first = page.evaluate(f"{picture}.first")
    page.keyboard.press("ArrowLeft")
    assert page.evaluate(f"{picture}.first") < first
    assert problems == []


def test_who_only_looks_finds_nothing_to_change(browser: Browser, planned: Planner) -> None:
    problems: list[str] = []
    page = planned.page(browser, "eve", problems)
    page.goto(f"{planned.address}/planner/today")
    expect(page.get_by_role("heading", name=re.compile("To decide first"))).to_be_visible()
    page.goto(f"{planned.address}/planner/plan?order=W20260302-003")
    expect(page.get_by_role("complementary").get_by_role("heading", name=re.compile("W20260302-003"))).to_be_visible()
    for name in ("Save", "Lock", "Give out", "Make a new plan", "Undo"):
        expect(page.get_by_role("button", name=name)).to_have_count(0)
    assert problems == []
