"""Every table of the API is a workbook too, and those that can be changed in one come back."""

import pytest
from fastapi import FastAPI

from datong.app.rest.application import new_api
from datong.app.service.served_chain import Served
from rest_client import Client, application
from served_mill import session_of
from workbook_cells import rows_of, saved

XLSX = {"content-type": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"}
TABLES = [
    "/orders",
    "/releases",
    "/demand",
    "/market/lost",
    "/data/arrivals",
    "/quarantine",
    "/branches/main/rows/lines",
    "/plan/stock-cover",
    "/plan/stock-places",
    "/plan/stock-limits",
    "/totals/demand",
    "/totals/hours",
]
# Tables of which a mill has nothing; what is in them, tests/service/test_stock_limits.py and test_totals.py say.
EMPTY = ("/quarantine", "/market/lost", "/plan/stock-places", "/plan/stock-limits", "/totals/demand", "/totals/hours")


def test_each_table_of_the_api_is_a_workbook_too() -> None:
    schema = new_api().openapi()
    tables = {
        path
        for path, operations in schema["paths"].items()
        if "Grid" in str(operations.get("get", {}).get("responses", {}).get("200", {}).get("content"))
    }
    assert {path.replace("{name}", "main").replace("{table}", "lines") for path in tables} == set(TABLES)
    assert all(f"{path}.xlsx" in schema["paths"] for path in tables)


@pytest.mark.parametrize("path", TABLES)
def test_a_workbook_has_the_rows_of_the_table(planned: Served, planner: Client, path: str) -> None:
    table = planner.get(f"{path}?count=1000").json()
    book = planner.get(f"{path}.xlsx", headers={"accept-language": "zh"})
    assert book.status_code == 200 and book.headers["content-type"].startswith(XLSX["content-type"])
    rows = rows_of(book.content)
    assert len(rows) == table["total"] and (path in EMPTY or rows)
    if rows:
        column = table["columns"][0]["name"]
        assert [row[column] for row in rows] == [row[column] for row in table["rows"]]
    tag = {"if-none-match": book.headers["etag"], "accept-language": "zh"}
    assert planner.get(f"{path}.xlsx", headers=tag).status_code == 304


def test_conditions_hold_for_a_workbook(planned: Served, planner: Client) -> None:
    asked = "condition=kind:is:make&sort=units&descending=true"
    rows = planner.get(f"/orders?{asked}&count=1000").json()["rows"]
    assert [row["order"] for row in rows_of(planner.get(f"/orders.xlsx?{asked}&count=1").content)] == [
        row["order"] for row in rows
    ]


def test_orders_come_back_are_looked_at_and_changed_once(app: FastAPI, planned: Served, planner: Client) -> None:
    first, second = planner.get("/orders?condition=line:is:A").json()["rows"][:2]
    cells = {(first["order"], "units"): first["units"] - 1, (second["order"], "units"): second["units"] - 1}
    content = saved(planner.get("/orders.xlsx").content, cells)
    other = Client(app, session_of(planned, "planner", login="other@works"))
    match = {"if-match": other.get(f"/orders/{second['order']}").headers["etag"]}
    other.ask("PATCH", f"/orders/{second['order']}", json={"units": second["units"] - 3}, headers=match)
    looked = planner.ask("POST", "/orders.xlsx/preview", content=content, headers=XLSX)
    assert looked.status_code == 200
    assert [row["state"] for row in looked.json()["rows"]] == ["ready", "contested"]
    cell = looked.json()["rows"][1]["cells"][0]
    assert (cell["sent"], cell["came"], cell["now"]) == (second["units"], second["units"] - 1, second["units"] - 3)
    key = XLSX | {"idempotency-key": "week 10"}
    done = [planner.ask("POST", "/orders.xlsx?why=less", content=content, headers=key) for _ in range(2)]
    assert done[0].json() == done[1].json() and done[1].headers["idempotency-replayed"] == "true"
    assert done[0].json()["counts"] == {"ready": 0, "contested": 1, "refused": 0, "done": 1}
    assert planner.get(f"/orders/{first['order']}").json()["row"]["units"] == first["units"] - 1
    due = planner.post("/releases", {}).json()["orders"]
    assert first["order"] in due
    assert planner.ask("POST", "/orders.xlsx", content=b"no workbook", headers=XLSX).json()["findings"]


def test_the_forecast_and_a_table_come_back(shop: Served) -> None:
    planner = Client(application(shop), session_of(shop, "planner"))
    content = planner.get("/demand/forecast.xlsx?search=north").content
    key = next(row["row_key"] for row in rows_of(content))
    changed = saved(content, {(key, "edited_units"): 80.0})
    assert planner.ask("POST", "/demand/forecast.xlsx/preview", content=changed, headers=XLSX).json()["rows"]
    assert planner.ask("POST", "/demand/forecast.xlsx", content=changed, headers=XLSX).json()["counts"]["done"] == 1
    product, market, day = key.split("|")
    item = planner.get(f"/demand/item?product={product}&market={market}").json()
    edited = {row["bucket"]: row["edited_units"] for row in item["forecast"]}
    assert edited[day] == pytest.approx(80.0)
    table = planner.get("/data/tables/products.xlsx").content
    changed = saved(table, {("SALT", "name"): "盐"})
    assert (
        planner.ask("POST", "/data/tables/products.xlsx", content=changed, headers=XLSX).json()["counts"]["done"] == 1
    )
    again = planner.get("/branches/main/rows/products").json()["rows"]
    assert {row["product"]: row["name"] for row in again}["SALT"] == "盐"
    for missing in ("sales", "orders", "none"):
        assert planner.get(f"/data/tables/{missing}.xlsx").status_code == 404
