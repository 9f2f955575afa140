"""The planner's pages in a browser, in both languages: they open without an error, say what they should, and what is
typed into them is kept. A machine without a browser fails here."""

import sqlite3
from collections.abc import Generator
from pathlib import Path

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from browser.planner import Planner, chromium, planner, signed_in
from datong.app.chain import Chain
from datong.app.http.signed_in import COOKIE
from datong.app.web.people import LISTED
from datong.model.words import say
from shop import write_shop
from workbook_cells import rows_of, saved

PEOPLE = {"en": ("planner", "en"), "zh": ("planner", "zh"), "manager": ("product_manager", "en")} | {
    "boss": ("administrator", "en"),
    "chef": ("administrator", "zh"),
}
# Each page, and something that is there once it is built.
PAGES = {
    "demand": "table.plain input",
    "market": ".chart canvas",
    "stock": ".chart canvas",
    "totals": "p.note",
    "what-if": "button.main",
    "findings": ".chart canvas",
    "data": "label.file",
    "replay": "button.main",
    "search?q=oil": "table.plain a",
}
NEW = b"sale,happened_at,product,market,units,price\nx1,2026-03-02,OIL,north,5,90\nx2,2026-03-02,OLI,north,5,90\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Generator[Planner]:
    """A shop with one plan, of which oil is to lie in stock."""
    folder = tmp_path_factory.mktemp("pages")
    rules = "product,smallest_units,largest_units\nOIL,40,90\n"
    chain = Chain(write_shop(folder / "shop", stock_rules_csv=rules))
    chain.run()
    chain.close()
    yield from served(folder / "shop")


@pytest.fixture(scope="module")
def without_plan(tmp_path_factory: pytest.TempPathFactory) -> Generator[Planner]:
    yield from served(write_shop(tmp_path_factory.mktemp("pages") / "new"))


def served(folder: Path) -> Generator[Planner]:
    with planner(folder, folder.with_name("database") / "people.sqlite", PEOPLE) as one:
        yield one


@pytest.fixture(scope="module")
def browser() -> Generator[Browser]:
    with chromium() as one:
        yield one


def opened(browser: Browser, server: Planner, who: str, path: str, wrong: list[str]) -> Page:
    """A page that somebody has open. wrong: what the browser says goes wrong is added to it."""
    page = server.page(browser, who, wrong)
    page.goto(f"{server.address}/planner/{path}")
    return page


def serious(page: Page) -> list[str]:
    """What axe finds serious, once notices that come or go have done so: half seen, their colors are others."""
    page.wait_for_function("!document.querySelector('[class*=enter-active], [class*=leave-active]')")
    found = Axe().run(page).response["violations"]
    return [f"{one['id']}: {one['nodes'][0]['html']}" for one in found if one["impact"] in ("serious", "critical")]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_each_page_opens_without_error(browser: Browser, server: Planner, language: str) -> None:
    wrong: list[str] = []
    for path, there in PAGES.items():
        page = opened(browser, server, language, path, wrong)
        page.locator(there).first.wait_for()
        name = path.partition("?")[0].replace("-", "_")
        assert page.locator("main h1").inner_text() == say(f"web.page.{name}", language)
        assert (path, serious(page)) == (path, [])
        page.context.close()
    assert wrong == []


@pytest.mark.parametrize("path", ["demand", "market", "findings"])
def test_without_a_plan_a_page_says_what_makes_one(browser: Browser, without_plan: Planner, path: str) -> None:
    wrong: list[str] = []
    page = opened(browser, without_plan, "en", path, wrong)
    page.get_by_text("There is no plan yet").wait_for()
    page.get_by_role("button", name=say("web_plan.plan_anew", "en")).wait_for()
    assert wrong == []
    page.context.close()


def test_a_typed_forecast_is_kept_and_taken_back(browser: Browser, server: Planner) -> None:
    wrong: list[str] = []
    page = opened(browser, server, "en", "demand?product=OIL&market=north", wrong)
    cell = page.get_by_label("Units expected from 9 Mar 2026 on")
    cell.fill("８０")  # full width
    cell.press("Tab")
    page.get_by_text("% by en").wait_for()
    assert cell.input_value() == "80"
    page.get_by_role("button", name="Take back").click()
    page.get_by_text("% by en").wait_for(state="detached")
    cell.evaluate(PASTE, "70\n71\n")
    page.get_by_text("% by en").nth(1).wait_for()
    assert [cell.input_value(), page.get_by_label("Units expected from 16 Mar").input_value()] == ["70", "71"]
    assert wrong == []
    page.context.close()


def test_what_was_typed_when_a_session_had_ended_is_sent_once_they_go_on(browser: Browser, server: Planner) -> None:
    page = opened(browser, server, "en", "demand?product=OIL&market=north", [])
    cell = page.get_by_label("Units expected from 23 Mar 2026 on")
    cell.wait_for()
    edited = page.get_by_role("row").filter(has=cell).get_by_text("% by en")
    with sqlite3.connect(server.database) as database:
        kept = database.execute("SELECT * FROM sessions").fetchall()
        database.execute("DELETE FROM sessions")
    cell.fill("55")
    cell.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("You are not signed in")
    with page.expect_response("**/planner/renew/**"):
        page.get_by_role("button", name="I have signed in").click()  # they have not
    page.wait_for_timeout(1000)  # until that is known
    expect(dialog).to_be_visible()
    with sqlite3.connect(server.database) as database:
        database.executemany(f"INSERT INTO sessions VALUES ({', '.join('?' * len(kept[0]))})", kept)
    page.get_by_role("button", name="I have signed in").click()
    expect(dialog).to_have_count(0)
    expect(edited).to_have_count(1)
    page.reload()
    expect(cell).to_have_value("55")
    page.get_by_role("row").filter(has=cell).get_by_role("button", name="Take back").click()
    expect(edited).to_have_count(0)
    page.context.close()


def test_what_is_typed_while_the_session_is_over_is_saved_after_signing_in(browser: Browser, server: Planner) -> None:
    wrong: list[str] = []
    page = opened(browser, server, "en", "demand?product=OIL&market=south", wrong)
    with sqlite3.connect(server.database) as database:
        kept = database.execute("SELECT * FROM sessions").fetchall()
        database.execute("DELETE FROM sessions")
    cells = [page.get_by_label(f"Units expected from {day} Mar") for day in (9, 16)]
    for cell, units in zip(cells, ("61", "62"), strict=True):
        cell.evaluate("(box, units) => { box.value = units; box.dispatchEvent(new Event('change')); }", units)
    page.get_by_role("dialog").wait_for()
    with sqlite3.connect(server.database) as database:
        database.executemany(f"INSERT INTO sessions VALUES ({', '.join('?' * len(kept[0]))})", kept)
    page.get_by_role("button", name="I have signed in").click()
    page.get_by_text("% by en").nth(1).wait_for()
    assert [cell.input_value() for cell in cells] == ["61", "62"]
    page.context.close()


PASTE = """(box, text) => {
  const data = new DataTransfer();
  data.setData('text', text);
  box.dispatchEvent(new ClipboardEvent('paste', {clipboardData: data, bubbles: true, cancelable: true}));
}"""


def test_a_what_if_is_made_and_changed(browser: Browser, server: Planner) -> None:
    wrong: list[str] = []
    page = opened(browser, server, "en", "what-if", wrong)
    page.get_by_label("Name").fill("overtime")
    page.wait_for_timeout(500)  # what is typed is sent a moment after the last key
    page.get_by_role("button", name="Create").click()
    page.get_by_role("heading", name="overtime").wait_for()
    page.get_by_role("button", name="Change", exact=True).first.click()
    page.get_by_label("hours_per_week").fill("60")
    page.get_by_label("hours_per_week").press("Tab")
    page.wait_for_timeout(500)  # labels change their colour by degrees
    assert serious(page) == []
    page.get_by_role("button", name="Keep on this").click()
    page.get_by_role("cell", name="lines:PRESS").wait_for()
    assert wrong == []
    page.context.close()


def test_work_that_goes_on_is_shown_after_the_page_is_opened_anew(browser: Browser, server: Planner) -> None:
    wrong: list[str] = []
    page = opened(browser, server, "en", "what-if", wrong)
    page.get_by_label("Name").fill("again")
    page.wait_for_timeout(500)
    page.get_by_role("button", name="Create").click()
    page.get_by_role("heading", name="again").wait_for()
    page.goto(f"{server.address}/planner/plan")
    page.get_by_role("button", name=say("web_plan.plan_anew", "en")).click()  # the other waits behind it
    page.get_by_role("button", name=say("web_plan.stop", "en")).wait_for()
    run, ask = say("web_what_if.run", "en"), say("web_market.quote_ask", "en")
    for path, button in (("what-if?name=again", run), ("market", ask)):
        page.goto(f"{server.address}/planner/{path}")
        if path == "market":
            page.get_by_label(say("web_market.quote_product", "en")).fill("OIL")
            page.get_by_label(say("web_market.quote_units", "en")).fill("5")
            page.get_by_label(say("web_market.quote_due", "en")).fill("2026-03-20")
            page.get_by_label(say("web_market.quote_market", "en")).fill("north")
            page.wait_for_timeout(400)
        page.get_by_role("button", name=button, exact=True).click()
        page.locator(".job button").wait_for()
        page.reload()
        page.locator(".job button").wait_for()
    assert wrong == []
    page.context.close()


def test_a_file_is_looked_at_taken_in_and_its_wrong_row_mended(browser: Browser, server: Planner) -> None:
    wrong: list[str] = []
    page = opened(browser, server, "en", "data", wrong)
    file = page.locator("input[type=file]").first
    file.set_input_files({"name": "sales.exe", "mimeType": "text/csv", "buffer": NEW})
    page.get_by_role("button", name="Look at it").click()
    page.get_by_text("is of a kind that is not read").wait_for()
    file.set_input_files({"name": "sales.csv", "mimeType": "text/csv", "buffer": NEW})
    page.get_by_role("button", name="Look at it").click()
    page.get_by_role("button", name="Take it in").click()
    page.get_by_role("button", name="Mend").click()
    page.get_by_label("product", exact=True).fill("OIL")
    page.get_by_label("product", exact=True).press("Tab")
    page.get_by_role("button", name="Take the row in").click()
    page.get_by_text("No row waits").wait_for()
    hours = b"line,hours_per_week\nPRESS,45\n"
    file.set_input_files({"name": "new hours.csv", "mimeType": "text/csv", "buffer": hours})
    page.get_by_role("button", name="Look at it").click()
    page.get_by_role("cell", name="PRESS", exact=True).first.wait_for()
    page.get_by_label(say("web_data.which_table", "en")).select_option("lines")
    page.get_by_role("button", name="Take it in").wait_for()
    assert serious(page) == []
    page.get_by_role("button", name="Drop it").first.click()
    page.get_by_text("new hours.csv waits").wait_for(state="detached")
    assert wrong == []
    page.context.close()


def test_what_of_a_file_is_not_sure_is_asked_on_the_page(browser: Browser, server: Planner) -> None:
    """2/3/2026 may be the second of March or the third of February: three values, and what each reading comes to."""
    wrong: list[str] = []
    rows = "".join(f"A{i},{1 + i % 3}/3/2026,OIL,{2 + i},90\n" for i in range(1, 6))
    export = f"Order,Date,SKU,Qty,Price\n{rows}".encode()
    page = opened(browser, server, "en", "data", wrong)
    file = page.locator("input[type=file]").first
    file.set_input_files({"name": "export 12.csv", "mimeType": "text/csv", "buffer": export})
    page.get_by_role("button", name="Look at it").first.click()
    page.get_by_text("for example: 2/3/2026").first.wait_for()
    assert page.get_by_role("radio").count() >= 2 and serious(page) == []
    assert "--answer" not in page.inner_text("main") and "terminal" not in page.inner_text("main")
    for _ in range(6):
        page.get_by_role("button", name="Answer").or_(page.get_by_role("button", name="Take it in")).first.wait_for()
        if page.get_by_role("button", name="Take it in").count():
            break
        page.get_by_role("button", name="Answer").click()
        page.wait_for_timeout(1000)
    page.get_by_role("button", name="Take it in").wait_for()
    assert "--answer" not in page.inner_text("main")
    page.get_by_role("button", name="Drop it").first.click()
    assert wrong == []
    page.context.close()


def test_a_product_manager_decides_and_sees_no_plan(browser: Browser, server: Planner) -> None:
    wrong: list[str] = []
    page = opened(browser, server, "manager", "findings?kind=complaint", wrong)
    page.get_by_text("Decide about it").first.click()
    page.get_by_label("Why").first.fill("The cap is bad")
    page.get_by_label("Why").first.press("Tab")
    page.get_by_role("button", name="Take it").first.click()
    page.get_by_text("The cap is bad").wait_for()
    page.goto(f"{server.address}/planner/market")
    page.get_by_text(say("web.not_for_you", "en")).wait_for()
    assert wrong == []
    page.context.close()


def test_nobody_uploads_without_a_session_or_with_another_sites_form(server: Planner) -> None:
    sent = {"files": {"file": ("sales.csv", NEW)}}
    address = f"{server.address}/planner/data/upload"
    unsigned = httpx.post(address, **sent)  # ty: ignore[invalid-argument-type]
    assert (unsigned.status_code, unsigned.headers["location"]) == (303, "/sign-in?next=/planner/data")
    forged = httpx.post(address, cookies={COOKIE: server.secrets["en"]}, data={"csrf": "guessed"}, **sent)  # ty: ignore[invalid-argument-type]
    assert "refused=" in forged.headers["location"]
    assert httpx.get(f"{server.address}/planner/demand").headers["location"].startswith("/sign-in?next=")


def test_the_forecast_comes_back_in_a_workbook_and_is_shown_before_it_counts(
    browser: Browser, server: Planner, tmp_path: Path
) -> None:
    wrong: list[str] = []
    page = opened(browser, server, "en", "demand?find=SALT", wrong)
    with page.expect_download() as loaded:
        page.get_by_role("button", name=say("web_workbooks.download", "en")).click()
    content = loaded.value.path().read_bytes()
    key = rows_of(content)[1]["row_key"]
    assert key.startswith("SALT|")
    file = tmp_path / "forecast.xlsx"
    file.write_bytes(saved(content, {(key, "edited_units"): 66.0}))
    page.locator("input[type=file]").set_input_files(file)
    page.get_by_role("button", name=say("web_workbooks.upload", "en")).click()
    page.get_by_role("cell", name=key).wait_for()
    assert serious(page) == []
    page.get_by_role("button", name=say("web_workbooks.apply", "en", count=1)).click()
    page.get_by_text(say("web_workbooks.count_done", "en", count=1)).wait_for()
    page.goto(f"{server.address}/planner/demand?product=SALT")
    assert page.get_by_label("Units expected from 9 Mar 2026 on").input_value() == "66"
    page.goto(f"{server.address}/planner/data")
    page.locator("input[type=file][accept='.xlsx']").set_input_files(
        {"name": "x.xlsx", "mimeType": "application/octet-stream", "buffer": b"no workbook"}
    )
    page.get_by_role("button", name=say("web_workbooks.upload", "en")).click()
    page.get_by_text("This is no workbook of a grid that Datong wrote").wait_for()
    assert wrong == []
    page.context.close()


def test_people_are_invited_in_their_language_and_what_was_done_is_listed(browser: Browser, server: Planner) -> None:
    wrong: list[str] = []
    page = opened(browser, server, "boss", "people", wrong)
    page.get_by_role("cell", name="manager", exact=True).wait_for()
    page.get_by_label("Login").fill("li@works")
    page.get_by_label("Language").select_option("zh")
    page.get_by_role("checkbox", name="Factory").click()
    page.get_by_label("Firm").fill("F1")
    page.wait_for_timeout(500)  # what is typed is sent a moment after the last key
    page.get_by_role("button", name="Invite", exact=True).click()
    letter = page.get_by_label(say("web_people.letter", "en"))
    letter.wait_for()
    assert "您已获邀" in letter.input_value() and f"{server.address}/invitation/" in letter.input_value()
    row = page.get_by_role("row").filter(has_text="li@works")
    assert "invited, no password yet" in row.inner_text()
    row.get_by_role("button", name="Suspend").click()
    page.get_by_role("button", name="Do it").click()
    row.get_by_text("disabled").wait_for()
    row.get_by_role("button", name="Roles").click()
    page.get_by_label("Roles of li@works").get_by_role("checkbox", name="Analyst").click()
    page.get_by_label("Roles of li@works").get_by_role("checkbox", name="Factory").click()
    page.get_by_role("button", name="Save").click()
    row.get_by_text("Analyst").wait_for()
    assert serious(page) == []
    page.goto(f"{server.address}/planner/audit?subject=li@works")
    page.get_by_role("cell", name="Invited somebody").wait_for()
    assert page.get_by_role("cell", name="Changed an account").count() == 2
    with page.expect_download() as loaded:
        page.get_by_role("link", name=".xlsx").click()
    rows = rows_of(loaded.value.path().read_bytes())
    assert [row["act"] for row in rows] == ["Changed an account", "Changed an account", "Invited somebody"]
    assert serious(page) == []
    assert wrong == []
    page.context.close()
    zh = opened(browser, server, "chef", "people", wrong)
    zh.get_by_role("heading", level=1, name="人员").wait_for()
    zh.get_by_role("button", name="恢复").wait_for()
    assert serious(zh) == []
    zh.context.close()


def test_many_accounts_are_listed_by_pages_and_found_by_a_text(browser: Browser, server: Planner) -> None:
    signed_in(server.database, {f"many{number:02}": ("analyst", "en") for number in range(LISTED + 1)})
    wrong: list[str] = []
    page = opened(browser, server, "boss", "people?find=MANY", wrong)
    rows = page.get_by_role("row").filter(has_text="many")
    rows.first.wait_for()
    assert rows.count() == LISTED and f"many{LISTED:02}" in rows.first.inner_text()
    page.get_by_role("link", name=say("web_parts.more", "en")).click()
    page.get_by_text(f"1 of {LISTED + 1} accounts").wait_for()
    assert rows.count() == 1 and "many00" in rows.first.inner_text()
    assert serious(page) == [] and wrong == []
    page.context.close()


def test_the_figures_behind_a_chart_are_drawn_when_they_are_opened(browser: Browser, server: Planner) -> None:
    wrong: list[str] = []
    page = opened(browser, server, "en", "market", wrong)
    behind = page.locator("details").first
    assert behind.locator("tr").count() == 0
    behind.locator("summary").click()
    behind.get_by_role("cell", name="PRESS", exact=True).first.wait_for()
    count = behind.locator("tr").count()
    assert count > 6
    behind.locator("summary").click()
    behind.locator("summary").click()
    page.wait_for_timeout(500)
    assert behind.locator("tr").count() == count and serious(page) == [] and wrong == []
    page.context.close()
