"""A firm with hundreds of orders: pages stay small, and every order is on one of them."""

import re
from collections.abc import Generator
from pathlib import Path

import pytest
from fastapi import FastAPI

from datong.app.forms.pages import add_forms
from datong.app.forms.rendering import static_files
from datong.app.service.served import Served, serve
from forms.conftest import Browser
from forms.test_factory_pages import MOST
from mill import write
from service.conftest import QUICK, Clock
from two_firms import FILES, MILL, person

COUNT = 300
NAME = "富硒全麦石磨面粉（家庭装，5 公斤 × 4 袋，带提手）"


@pytest.fixture
def served(tmp_path: Path, clock: Clock) -> Generator[Served]:
    orders = [f"W20260301-{n:03},make,P,P/1,40,2026-03-{2 + n % 20:02},2026-03-{4 + n % 20:02}" for n in range(COUNT)]
    said = [f"W20260301-{n:03},released,2026-03-01T08:00,{MILL}" for n in range(COUNT)]
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
    assert re.findall(r'class="count">(\d+)<', page.text) == ["100", "100", "100"]
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
        "/factory?part=ended&from=-1",
        "/factory?part=ended&from=99999999999999999999",
    ):
        assert one.get(odd).status_code == 200
