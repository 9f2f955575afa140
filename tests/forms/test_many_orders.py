"""A firm with hundreds of orders: pages stay small, and every order is on one of them."""

import re
from collections.abc import Generator, Mapping
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from fastapi import FastAPI

from datong.app.forms.pages import add_forms
from datong.app.forms.rendering import static_files
from datong.app.service import factory
from datong.app.service.grids import Filter, Wanted
from datong.app.service.served_chain import Served, serve
from datong.app.service.sign_in_limits import IDLE
from datong.app.service.typed_answers import Typed
from datong.model.errors import Refused
from forms.conftest import Browser
from forms.test_factory_pages import MOST
from mill import write
from service.conftest import QUICK, Clock
from service.test_photo_checked_and_cleaned import jpeg
from two_firms import FILES, MILL, PASSWORD, person
from workbook_cells import rows_of

COUNT = 300
ODD = "Ä/1 <b>#2?&x=%41 拉"
NAME = "富硒全麦石磨面粉（家庭装，5 公斤 × 4 袋，带提手）"


@pytest.fixture
def served(tmp_path: Path, clock: Clock) -> Generator[Served]:
    orders = [f"W20260301-{n:03},make,P,P/1,40,2026-03-{2 + n % 20:02},2026-03-{4 + n % 20:02}" for n in range(COUNT)]
    said = [f"W20260301-{n:03},released,2026-03-01T08:00,{MILL}" for n in range(COUNT)]
    orders.append(f"{ODD},make,P,P/1,40,2026-03-02,2026-03-04")
    said.append(f"{ODD},released,2026-03-01T08:00,{MILL}")
    said += [f"W20260301-{n:03},accepted,2026-03-01T09:00,{MILL}" for n in range(100, 200)]
    said += [f"W20260301-{n:03},refused,2026-03-01T09:00,{MILL}" for n in range(200, COUNT)]
    files = FILES | {
        "products_csv": FILES["products_csv"].replace("Flour", NAME),
        "orders_csv": "\n".join(["order,kind,product,recipe,units,start,due", *orders, ""]),
        "order-events_csv": "\n".join(["order,state,happened_at,counterparty", *said, ""]),
    }
    folder = write(tmp_path / "mill", **{name: text for name, text in files.items() if name != "order-events_csv"})
    (folder / "order_events.csv").write_text(files["order-events_csv"], encoding="utf-8")
    one = serve(folder, None, clock, hasher=QUICK)
    person(one, "miller", MILL, language="zh")
    yield one
    one.close()


def test_each_order_is_on_a_page_and_each_page_is_small(served: Served) -> None:
    app = FastAPI(openapi_url=None)
    add_forms(app, served)
    one = Browser(app)
    files = sum(len(file.content) for file in static_files().values())
    page = one.sign_in("miller")
    assert page.text.count("<li>") == 3 * 12 and len(page.content) + files < MOST
    assert re.findall(r'class="count">(\d+)<', page.text) == ["101", "100", "100"]
    found: set[str] = set()
    for part in ("to_answer", "running", "ended"):
        path = f"/factory?part={part}"
        while path:
            page = one.get(path)
            assert len(page.content) + files < MOST, len(page.content)
            found |= set(re.findall(r"W20260301-\d{3}", page.text))
            more = re.search(r'class="more" href="([^"]+)"', page.text)
            path = more[1].replace("&amp;", "&") if more else ""
    assert len(found) == COUNT
    for odd in (
        "/factory?part=nothing",
        "/factory?part=ended&after=-1",
        f"/factory?part=ended&after={'9' * 5000}",
    ):
        assert one.get(odd).status_code == 200


def test_only_orders_that_are_shown_are_read_by_themselves(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    whole = factory._own_order

    def counted(row: Mapping[str, Any], *told: Any) -> factory.OwnOrder:
        read.append(row["order"])
        return whole(row, *told)

    monkeypatch.setattr(factory, "_own_order", counted)
    app = FastAPI(openapi_url=None)
    add_forms(app, served)
    page = Browser(app).sign_in("miller")
    assert len(read) == 36 and all(f">{name} · " in page.text for name in read if name != ODD)
    who = served.people.sign_in("miller", PASSWORD).who
    found = factory.own_orders(served, who).orders
    told = [one.order for one in found]
    for part in factory.PARTS:
        dues = [one.due for one in found if one.part == part]
        assert dues == sorted(dues, reverse=part == "ended") and len(set(dues)) > 1
    assert len(set(told)) == len(told) == COUNT + 1


def test_a_firm_s_list_reads_no_plan(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a large chain a plan has many times as many orders as were given out."""

    def fails(_chain: object) -> None:
        raise AssertionError("the orders of the whole chain were read")

    monkeypatch.setattr("datong.app.service.orders_shown.orders_now", fails)
    who = served.people.sign_in("miller", PASSWORD).who
    assert factory.own_orders(served, who, Wanted(count=1)).total == COUNT + 1


def test_pieces_of_the_list_make_the_whole_while_orders_are_answered(served: Served) -> None:
    """Each order comes once, in the order of the whole; one that is answered meanwhile moves, and hides no other."""
    who = served.people.sign_in("miller", PASSWORD).who
    whole = [one.order for one in factory.own_orders(served, who).orders]
    told, cursor = [], None
    while True:
        piece = factory.own_orders(served, who, Wanted(cursor=cursor, count=37))
        told += [one.order for one in piece.orders]
        cursor = piece.cursor
        if cursor is None:
            break
        if len(told) == 37:
            first = factory.answer(
                served, who, told[0], Typed("refused", "phone-00001", remark="The mill stands still")
            )
            assert first.is_taken
    assert told[:37] + [name for name in told[37:] if name != told[0]] == whole and piece.total == COUNT + 1
    ended = factory.own_orders(served, who, Wanted((Filter("part", "is", "ended"),), count=1))
    assert ended.total == 101 and ended.orders[0].part == "ended"
    with pytest.raises(Refused):
        factory.own_orders(served, who, Wanted((Filter("cost", "from", "1"),)))


def test_the_list_is_a_workbook(served: Served) -> None:
    app = FastAPI(openapi_url=None)
    add_forms(app, served)
    one = Browser(app)
    link = re.search(r'href="(/factory/orders\.xlsx)"', one.sign_in("miller").text)
    assert link is not None
    rows = rows_of(one.get(link[1]).content)
    assert len(rows) == COUNT + 1 and len({row["order"] for row in rows}) == COUNT + 1
    assert ODD in {row["order"] for row in rows}
    assert {(row["product_name"], row["base_unit"], row["kind"]) for row in rows} == {(NAME, "件", "生产")}


def test_an_order_with_an_odd_number_is_answered(served: Served, clock: Clock) -> None:
    app = FastAPI(openapi_url=None)
    add_forms(app, served)
    one = Browser(app)
    one.sign_in("miller")
    path = f"/factory/orders/{quote(ODD)}"
    page = one.get(path)
    assert page.status_code == 200 and escape(ODD) in page.text and "<b>#2" not in page.text
    page = one.send(page, f"{path}#accepted")
    assert page.status_code == 200 and "已接单" in page.text
    page = one.send(page, f"{path}/photos", files={"photo": ("x.jpg", jpeg())})
    link = re.search(r'href="(/photos/[^"]+)"', page.text)
    assert link is not None and one.client.get(link[1]).headers["content-type"] == "image/jpeg"
    clock.later(seconds=IDLE.total_seconds() + 1)
    page = one.send(page, f"{path}#started")
    page = one.send(page, "/sign-in", login="miller", password=PASSWORD)
    assert "已开工" in one.send(page, path).text
    clock.later(seconds=IDLE.total_seconds() + 1)
    page = one.send(one.get(path), "/sign-in", login="miller", password=PASSWORD)
    assert page.status_code == 200 and escape(ODD) in page.text
