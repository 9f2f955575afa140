"""Lots that take a component before an order that is out needs it: what comes between the two counts."""

from datetime import timedelta

import pytest

from cases.random_chains import random_chain
from datong.balance import solvers
from datong.cycle import decide, head
from datong.model.flow import Clearing, nothing_learnt
from small_chain import MONDAY, chain, press

WEEK = timedelta(weeks=1)


def with_an_order_out(units_per_week: float | None = None, out: float = 10.0) -> Clearing:
    """A and B take a C each; C is bought at 1, a week away. 10 A are wanted in week 1, and a locked order makes 10 B of
    week 5, whose C can be ordered until week 4. Holding A or C for a week costs 1, a week late with A 5."""
    tables = press(hours_per_unit=0.0)
    tables["products"] += [{"product": "B", "price": 100.0}, {"product": "C", "price": 1.0}]
    tables["products"] = [{"kind": None} | row for row in tables["products"]]
    tables["products"][2]["kind"] = "component"
    tables["recipes"].append(
        {"recipe": "B/L", "product": "B", "line": "L", "hours_per_unit": 0.0, "cost_per_unit": 2.0}
    )
    tables["components"] = [{"product": p, "component": "C", "units_per_unit": 1.0} for p in "AB"]
    offer = {"offer": "C/S", "product": "C", "price": 1.0, "lead_days": 7.0}
    tables["offers"] = [offer | {"units_per_week": units_per_week}]
    tables["economics"] += [dict(tables["economics"][0]) | {"product": p} for p in "BC"]
    wanted = {"A": MONDAY + WEEK, "B": MONDAY + 5 * WEEK}
    tables["demand"] = [{"demand": f"d{p}", "product": p, "due": due, "units": 10.0} for p, due in wanted.items()]
    order = {"order": "W", "product": "B", "recipe": "B/L", "units": out, "locked": True}
    tables["orders"] = [order | {"start": MONDAY + 5 * WEEK, "due": MONDAY + 5 * WEEK}]
    return decide(head(chain(7, {"max_late_days": 99}, **tables), nothing_learnt(), 0)).clearing


@pytest.fixture(autouse=True)
def lots_of_the_plan_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a chain that is too large for HiGHS to look for lots."""
    monkeypatch.setattr(solvers, "INTEGER_UP_TO", -1)


def bought(clearing: Clearing) -> dict[int, float]:
    rows = [r for r in clearing.quantities.to_pylist() if r["kind"] == "buy"]
    return {(r["start"] - MONDAY).days // 7: r["units"] for r in rows}


def test_what_is_bought_later_for_an_order_that_is_out_is_not_kept_of_what_comes_before() -> None:
    """10 C now for A, 10 in week 4 for B: A on time. 20 x 1 + 10 x 2 = 40."""
    found = with_an_order_out()
    assert bought(found) == {0: 10.0, 4: 10.0}
    (row,) = [r for r in found.gaps.to_pylist() if r["product"] == "A" and r["demand_units"] > 0]
    assert (row["on_time_units"], found.total_cost) == (10.0, pytest.approx(40.0))


def test_what_cannot_be_bought_later_is_kept() -> None:
    """4 C a week: 24 of 20 that are needed by week 5, so that what lies there in between is B's as well."""
    found = with_an_order_out(units_per_week=4.0)
    assert sum(bought(found).values()) == 20.0
    late = [r["late_units"] for r in found.gaps.to_pylist() if r["product"] == "A" and r["demand_units"] > 0]
    assert late == [6.0]


@pytest.mark.parametrize("seed", range(16))
def test_orders_that_are_out_find_their_components_in_any_chain(seed: int) -> None:
    """The referee ends a plan in which a stock falls below zero."""
    made = random_chain(seed)
    clearing = decide(head(made.state, nothing_learnt(), 0)).clearing
    least = min((r["closing_units"] for r in clearing.flow.to_pylist()), default=0.0)
    assert least >= -1e-6
