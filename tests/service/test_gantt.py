"""Orders on their lines: what is in view, each once, and how full the lines are where too many are."""

from datetime import date, timedelta

import pytest

from datong.app.service import gantt
from datong.app.service.grids import Wanted
from datong.app.service.orders import orders
from datong.app.service.permissions import NotAllowed, Who
from datong.app.service.served import Served
from datong.app.service.stock import stock

ANN = Who(1, "ann", "Ann", ("planner",))
FOREVER = date(2026, 1, 1), date(2027, 1, 1)


@pytest.fixture
def planned(served: Served) -> Served:
    served.keeper.write("test", lambda chain: chain.run())
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
    run = planned.keeper.read(lambda chain: chain.kept_run())
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
