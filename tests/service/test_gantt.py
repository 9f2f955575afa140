"""Orders on their lines: what is in view, each once, and how full the lines are where too many are."""

from datetime import date, timedelta
from pathlib import Path

import pytest

from datong.app.service import gantt
from datong.app.service.grids import Wanted
from datong.app.service.orders_shown import order, orders
from datong.app.service.roles_and_permissions import NotAllowed, Who
from datong.app.service.served_chain import Served, serve
from datong.app.service.stock import stock
from mill import write
from service.conftest import QUICK, Clock

ANN = Who(1, "ann", "Ann", ("planner",))
FOREVER = date(2026, 1, 1), date(2027, 1, 1)


@pytest.fixture
def planned(served: Served) -> Served:
    served.chain_thread.write("test", lambda chain: chain.run())
    return served


def test_every_work_order_stands_on_its_line(planned: Served) -> None:
    rows = orders(planned, ANN, Wanted()).rows.to_pylist()
    made = {r["order"]: r["line"] or "" for r in rows if r["kind"] == "make"}
    lines = gantt.lines(planned, ANN)
    assert [line.line for line in lines.lines] == ["A", ""]
    found = gantt.bars(planned, ANN, 0, 10, *FOREVER).rows
    assert found is not None
    assert {r["order"]: lines.lines[r["row"]].line for r in found.to_pylist()} == made
    assert [line.orders for line in lines.lines] == [list(made.values()).count(name) for name in ("A", "")]


ORDERS = """order,kind,product,recipe,units,start,due,site
E1,make,P,,5,2026-03-03,2026-03-05,
E2,make,Q,,5,2026-03-03,2026-03-05,
E3,make,Q,Q/2,5,2026-03-03,2026-03-05,
E4,make,Q,,5,2026-03-03,2026-03-05,W2
E5,buy,M,,5,2026-03-03,2026-03-05,
"""


def test_an_order_without_a_line_stands_on_the_only_one_that_makes_it(tmp_path: Path, clock: Clock) -> None:
    """P is made on A alone; Q on B and C; Q/2 runs on C, and at W2 is C alone."""
    lines = "line,hours_per_week,site\nA,40,W1\nB,40,W1\nC,40,W2\n"
    recipes = "recipe,product,line,hours_per_unit,cost_per_unit\nP/1,P,A,1,10\nQ/1,Q,B,1,5\nQ/2,Q,C,1,5\n"
    sites = "site,kind,firm\nW1,factory,One\nW2,factory,Two\n"
    folder = write(tmp_path / "own", orders_csv=ORDERS, lines_csv=lines, recipes_csv=recipes, sites_csv=sites)
    served = serve(folder, None, clock, hasher=QUICK)
    try:
        rows = {row["order"]: row for row in orders(served, ANN, Wanted()).rows.to_pylist()}
        assert [rows[f"E{n}"]["line"] for n in range(1, 6)] == ["A", None, "C", "C", None]
        assert [rows[name]["counterparty"] for name in ("E1", "E3", "E4")] == ["One", "Two", "Two"]
        assert [(line.line, line.orders) for line in gantt.lines(served, ANN).lines] == [("A", 1), ("C", 2), ("", 1)]
        assert [order(served, ANN, name).lines for name in ("E1", "E2", "E5")] == [(), ("B", "C"), ()]
    finally:
        served.close()


def test_an_order_that_is_out_is_drawn_to_the_day_by_which_its_line_has_its_hours(tmp_path: Path, clock: Clock) -> None:
    """13 hours, promised for Monday, on a line of 8 hours a day: Tuesday. What it was promised for stands beside it."""
    folder = write(
        tmp_path / "own",
        orders_csv="order,kind,product,recipe,units,start,due\nE1,make,P,P/1,13,2026-03-02,2026-03-02\n"
        "E2,make,Q,Q/1,5,2026-03-02,2026-03-02\n",
        order_events_csv="happened_at,order,state\n2026-02-27 09:00,E1,released\n2026-02-27 09:00,E2,released\n",
        lines_csv="line,hours_per_week\nA,40\nB,40\n",
        recipes_csv="recipe,product,line,hours_per_unit,cost_per_unit\nP/1,P,A,1,10\nQ/1,Q,B,1,5\n",
    )
    served = serve(folder, None, clock, hasher=QUICK)
    try:
        served.chain_thread.write("test", lambda chain: chain.run())
        monday, tuesday = date(2026, 3, 2), date(2026, 3, 3)
        rows = {row["order"]: row for row in orders(served, ANN, Wanted()).rows.to_pylist()}
        assert {name: (rows[name]["due"], rows[name]["counted_on"]) for name in ("E1", "E2")} == {
            "E1": (monday, tuesday),
            "E2": (monday, None),
        }
        found = gantt.bars(served, ANN, 0, 10, tuesday, tuesday).rows
        assert found is not None
        assert [row["order"] for row in found.to_pylist() if row["origin"] == "out"] == ["E1"]
        assert order(served, ANN, "E1").counted_on == tuesday
    finally:
        served.close()


def test_lines_show_the_days_on_which_their_calendar_is_closed(tmp_path: Path, clock: Clock) -> None:
    """Orders go from Tuesday 3 to Monday 9 March: A is closed at the weekend between; B has no calendar."""
    folder = write(
        tmp_path / "own",
        orders_csv="order,kind,product,recipe,units,start,due\nE1,make,P,P/1,5,2026-03-03,2026-03-09\n"
        "E2,make,Q,Q/1,5,2026-03-03,2026-03-05\n",
        calendars_csv="calendar\nworks\n",
        lines_csv="line,hours_per_week,calendar\nA,40,works\nB,40,\n",
        recipes_csv="recipe,product,line,hours_per_unit,cost_per_unit\nP/1,P,A,1,10\nQ/1,Q,B,1,5\n",
    )
    served = serve(folder, None, clock, hasher=QUICK)
    try:
        assert [line.line for line in gantt.lines(served, ANN).lines] == ["A", "B"]
        (found,) = gantt.closed(served, ANN)
        assert (found.rows, found.spans) == ([0], ((date(2026, 3, 7), date(2026, 3, 9)),))
    finally:
        served.close()


def test_only_what_is_in_view_comes(planned: Served) -> None:
    whole = gantt.bars(planned, ANN, 0, 10, *FOREVER).rows
    assert whole is not None
    rows = whole.to_pylist()
    day = min(r["start"] for r in rows) + timedelta(days=7)
    for first, last, begin, end in ((day, day, 0, 1), (date(2026, 3, 2), day, 1, 2), (FOREVER[0], FOREVER[0], 0, 9)):
        found = gantt.bars(planned, ANN, begin, end, first, last).rows
        assert found is not None
        wanted = {r["order"] for r in rows if r["start"] <= last and r["due"] >= first and begin <= r["row"] < end}
        assert set(found["order"].to_pylist()) == wanted


def test_where_too_many_are_in_view_the_load_of_the_lines_comes(
    planned: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gantt, "MOST_BARS", 0)
    found = gantt.bars(planned, ANN, 0, 1, *FOREVER)
    run = planned.chain_thread.read(lambda chain: chain.kept_run())
    assert found.rows is None
    of_a = {h["bucket"]: h for h in run.tables["hours"].to_pylist() if h["line"] == "A"}
    for one in found.load:
        hours = of_a[one.bucket]
        assert one.share == pytest.approx((hours["run_hours"] + hours["setup_hours"]) / hours["available_hours"])
    rows = [r for r in orders(planned, ANN, Wanted()).rows.to_pylist() if r["line"] == "A"]
    assert sum(one.orders for one in found.load) == len(rows)


def test_the_stock_of_a_product_adds_up_bucket_by_bucket(planned: Served) -> None:
    found = stock(planned, ANN, "P").to_pylist()
    assert found
    for row in found:
        assert row["opening_units"] + row["comes_units"] - row["goes_units"] == pytest.approx(row["closing_units"])
    assert stock(planned, ANN, "nothing").num_rows == 0


def test_who_may_not_see_the_plan_sees_none_of_it(planned: Served) -> None:
    factory = Who(2, "fa", "Fa", ("factory",), "F1")
    with pytest.raises(NotAllowed):
        gantt.lines(planned, factory)
    with pytest.raises(NotAllowed):
        gantt.bars(planned, factory, 0, 1, *FOREVER)
    with pytest.raises(NotAllowed):
        stock(planned, factory, "P")
