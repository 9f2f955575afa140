"""A week in workbooks: orders, the forecast and a table go out, come back changed, and are looked at first."""

import io
import re
import zipfile
from datetime import date
from typing import Any

import pytest

from datong.app.service import demand, order_edits, orders_shown, releases
from datong.app.service.changes_by_workbook import Reviewed, apply, preview, sheet
from datong.app.service.data import change_rows
from datong.app.service.grids import Filter, Wanted
from datong.app.service.order_edit_rules import Change
from datong.app.service.roles_and_permissions import NotAllowed, Who
from datong.app.service.served_chain import Served
from datong.model.errors import BadInput, NotFound
from workbook_cells import rows_of, saved

ANN, BOB = (Who(n, login, login, ("planner",)) for n, login in ((1, "ann"), (2, "bob")))
ANALYST, AUDITOR = Who(3, "eve", "", ("analyst",)), Who(4, "aud", "", ("auditor",))
ALL = Wanted()


@pytest.fixture
def planned(served: Served) -> Served:
    served.chain_thread.write("test", lambda chain: chain.run())
    return served


def states(found: Reviewed) -> dict[str, str]:
    return {row.key: row.state for row in found.rows}


def on_a(served: Served) -> list[dict[str, Any]]:
    return orders_shown.orders(served, ANN, Wanted((Filter("line", "is", "A"),))).rows.to_pylist()


def now_of(served: Served, name: str) -> Any:
    return orders_shown.order(served, ANN, name).row


def test_a_week_in_the_workbook_of_orders(planned: Served) -> None:
    """Units of the first order on A are changed, the second is locked, and both are given out."""
    first, second = on_a(planned)[:2]
    content = saved(
        sheet(planned, ANN, "orders", ALL, "zh"),
        {(first["order"], "units"): 30.0, (second["order"], "locked"): "是"},
    )
    looked = preview(planned, ANN, "orders", content)
    assert states(looked) == {first["order"]: "ready", second["order"]: "ready"}
    assert [(c.column, c.sent, c.came, c.now) for c in looked.rows[0].cells] == [("units", 40.0, 30.0, 40.0)]
    assert now_of(planned, first["order"])["origin"] == "plan"  # nothing is changed by looking
    done = apply(planned, ANN, "orders", content, "the mould is worn")
    assert done.counts == {"ready": 0, "contested": 0, "refused": 0, "done": 2}
    assert (now_of(planned, first["order"])["units"], now_of(planned, second["order"])["locked"]) == (30.0, True)
    assert apply(planned, ANN, "orders", content).rows == ()  # the same again changes nothing
    noted = [(e["what"], e["by"], e["why"]) for e in planned.audit.entries(AUDITOR)]
    assert noted == [(what, "ann", "the mould is worn") for what in ("edit_order", "lock_order")]
    planned.chain_thread.write("ann", lambda chain: chain.run())
    due = releases.to_release(planned, ANN)["order"].to_pylist()
    assert first["order"] in due
    assert first["order"] in releases.release(planned, ANN).orders


def test_a_lock_is_taken_off_with_all_that_was_changed(planned: Served) -> None:
    row = on_a(planned)[0]
    for units in (30.0, 20.0):
        order_edits.edit(
            planned, ANN, Change(row["order"], units=units), orders_shown.order(planned, ANN, row["order"]).version
        )
    content = saved(sheet(planned, ANN, "orders", ALL, "en"), {(row["order"], "locked"): False})
    assert apply(planned, BOB, "orders", content).counts["done"] == 1
    assert now_of(planned, row["order"])["units"] == row["units"]
    assert now_of(planned, row["order"])["origin"] == "plan"


def test_what_is_wrong_with_orders_is_told_row_by_row_and_the_others_are_changed(planned: Served) -> None:
    first, second = on_a(planned)[:2]
    content = sheet(planned, ANN, "orders", ALL, "en")
    wrong = saved(content, {(first["order"], "units"): 41.0, (second["order"], "units"): second["units"] - 1})
    looked = preview(planned, ANN, "orders", wrong)
    assert states(looked) == {first["order"]: "refused", second["order"]: "ready"}
    assert [f.code for f in looked.rows[0].findings] == ["hours"]
    done = apply(planned, ANN, "orders", wrong)
    assert states(done) == {first["order"]: "refused", second["order"]: "done"}
    assert [f.code for f in done.rows[0].findings] == ["hours"]
    assert now_of(planned, first["order"])["origin"] == "plan"
    for cells, code in (
        ({(first["order"], "units"): ""}, "empty"),
        ({(second["order"], "locked"): False, (second["order"], "units"): 3.0}, "unlock_alone"),
    ):
        fresh = sheet(planned, ANN, "orders", ALL, "en")
        found = preview(planned, ANN, "orders", saved(fresh, cells))
        assert [f.code for row in found.rows for f in row.findings] == [code]
        assert all(f.text(lang) for row in found.rows for f in row.findings for lang in ("en", "zh"))
    with pytest.raises(BadInput) as error:
        preview(planned, ANN, "orders", saved(content, {(first["order"], "start"): "soon"}))
    assert [f.code for f in error.value.findings] == ["unreadable"]


def test_what_somebody_else_changed_meanwhile_is_left_and_told(planned: Served) -> None:
    first, second = on_a(planned)[:2]
    content = saved(
        sheet(planned, ANN, "orders", ALL, "en"),
        {(first["order"], "units"): 30.0, (second["order"], "units"): second["units"] - 2},
    )
    version = orders_shown.order(planned, BOB, first["order"]).version
    order_edits.edit(planned, BOB, Change(first["order"], units=25.0), version)
    looked = preview(planned, ANN, "orders", content)
    assert states(looked) == {first["order"]: "contested", second["order"]: "ready"}
    (cell,) = looked.rows[0].cells
    assert (cell.sent, cell.came, cell.now, cell.is_contested) == (40.0, 30.0, 25.0, True)
    done = apply(planned, ANN, "orders", content)
    assert states(done) == {first["order"]: "contested", second["order"]: "done"}
    assert now_of(planned, first["order"])["units"] == 25.0


def test_a_saved_formula_counts_by_its_value_and_is_never_worked_out(planned: Served) -> None:
    row = on_a(planned)[0]
    content = saved(sheet(planned, ANN, "orders", ALL, "en"), {(row["order"], "units"): ("=15*2", 30.0)})
    (found,) = preview(planned, ANN, "orders", content).rows
    assert found.came == {"units": 30.0}


def test_the_forecast_is_edited_and_cleared_in_a_workbook(shop: Served) -> None:
    week, later = date(2026, 3, 9), date(2026, 3, 16)
    content = sheet(shop, ANN, "forecast", Wanted(search="OIL"), "en")
    assert {row["product"] for row in rows_of(content)} == {"OIL"}
    keys = [f"OIL|north|{day}" for day in (week, later)]
    changed = saved(content, {(keys[0], "edited_units"): 80.0, (keys[1], "edited_units"): -1.0})
    looked = preview(shop, ANN, "forecast", changed)
    assert states(looked) == {keys[0]: "ready", keys[1]: "refused"} and looked.rows[1].said is not None
    assert apply(shop, ANN, "forecast", changed, "a new shop").counts["done"] == 1
    told = demand.hand_edit(shop, ANN, demand.Bucket("OIL", "north", week))
    assert told is not None and (told.by, told.why) == ("ann", "a new shop")
    again = sheet(shop, ANN, "forecast", ALL, "en")
    held = next(row for row in rows_of(again) if row["row_key"] == keys[0])
    assert held["edited_units"] == pytest.approx(80.0) and held["by"] == "ann"
    demand.edit_forecast(shop, BOB, "OIL", "north", week, 90)
    cleared = saved(again, {(keys[0], "edited_units"): ""})
    assert states(preview(shop, ANN, "forecast", cleared)) == {keys[0]: "contested"}
    cleared = saved(sheet(shop, ANN, "forecast", ALL, "en"), {(keys[0], "edited_units"): ""})
    assert apply(shop, ANN, "forecast", cleared).counts["done"] == 1
    assert demand.hand_edit(shop, ANN, demand.Bucket("OIL", "north", week)) is None


def test_rows_of_a_table_are_changed_all_or_none(served: Served) -> None:
    content = sheet(served, ANN, "products", ALL, "en")
    good = saved(content, {("P", "price"): 120.0, ("Q", "name"): "=Q"})
    assert preview(served, ANN, "products", good).counts["ready"] == 2
    wrong = saved(content, {("P", "price"): -5.0, ("Q", "name"): "New"})
    looked = preview(served, ANN, "products", wrong)
    assert states(looked) == {"P": "refused", "Q": "ready"} and looked.rows[0].findings
    done = apply(served, ANN, "products", wrong)
    assert states(done) == {"P": "refused", "Q": "refused"} and done.rows[1].said is not None
    assert apply(served, ANN, "products", good, "new list").counts["done"] == 2
    held = served.chain_thread.read(lambda chain: chain.state(names=("products",)).table("products").to_pylist())
    found = {row["product"]: (row["price"], row["name"], row["kind"]) for row in held}
    assert found["P"] == (120.0, None, "finished") and found["Q"][:2] == (50.0, "=Q")
    entry = served.audit.entries(AUDITOR)[0]
    assert (entry["subject"], entry["before"], entry["after"]) == ("products:P", {"price": "100.0"}, {"price": "120.0"})
    meanwhile = saved(content, {("P", "price"): 130.0})
    assert states(preview(served, ANN, "products", meanwhile)) == {"P": "contested"}


def test_a_row_changed_while_it_is_written_leaves_all_as_it_was(served: Served) -> None:
    with pytest.raises(BadInput):
        change_rows(served, ANN, "products", {"P": {"price": 120.0}}, {"P": {"price": 99.0}})
    held = served.chain_thread.read(lambda chain: chain.state(names=("products",)).table("products").to_pylist())
    assert {row["price"] for row in held} == {100.0, 50.0, 4.0}


def test_who_may_not_change_a_grid_may_load_it(planned: Served) -> None:
    content = sheet(planned, ANALYST, "orders", ALL, "en")
    for task in (preview, apply):
        with pytest.raises(NotAllowed):
            task(planned, ANALYST, "orders", content)
    factory = Who(5, "f", "", ("factory",), firm="F1")
    for name in ("orders", "forecast", "lines"):
        with pytest.raises(NotAllowed):
            sheet(planned, factory, name, ALL, "en")
    with pytest.raises(NotFound):
        sheet(planned, ANN, "sales", ALL, "en")
    with pytest.raises(BadInput):
        preview(planned, ANN, "products", content)


def test_the_same_rows_are_the_same_bytes(planned: Served) -> None:
    first = sheet(planned, ANN, "orders", ALL, "en")
    assert sheet(planned, ANN, "orders", ALL, "en") == first
    with zipfile.ZipFile(io.BytesIO(first)) as book:
        core = book.read("docProps/core.xml").decode()
    assert re.findall(r"\d{4}-\d\d-\d\d", core) == ["2000-01-01", "2000-01-01"]  # not when it was written
