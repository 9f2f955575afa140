"""The release fence of a product: no new order of it starts within so many days, by hand."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

import pyarrow as pa
import pytest

from datong.cycle import CycleResult, run_cycle
from datong.ledger.state import State, in_state_schema, state_of_tables
from datong.model.flow import nothing_learnt
from datong.model.settings import ChainSettings
from datong.questions.demand_totals import short_by_cause
from datong.questions.replenish import replenishment
from datong.questions.since.rows import Naming
from datong.questions.since.this_week import this_week
from datong.questions.tables_out import run_tables

MONDAY = date(2026, 1, 5)


def state(fence: Mapping[str, int], **more: list[dict[str, Any]]) -> State:
    """P bought at 2, there in the week of its order; 10 wanted in each of 3 weeks; late 5 a week, lost 1,000."""
    rows = {
        "products": [{"product": p, "price": 100.0, "release_fence_days": fence.get(p)} for p in ("M", "P")],
        "offers": [{"offer": "o", "product": "P", "price": 2.0}],
        "economics": [
            {"product": "P", "holding_cost_per_unit_week": 1.0, "late_cost_per_unit_week": 5.0}
            | {"lost_sale_cost_per_unit": 1000.0}
        ],
        "demand": [
            {"demand": f"d{t}", "product": "P", "due": MONDAY + timedelta(weeks=t), "units": 10.0} for t in range(3)
        ],
    } | more
    tables = {name: in_state_schema(name, pa.Table.from_pylist(own)) for name, own in rows.items()}
    chain = ChainSettings("t", horizon_buckets=4, path_count=1)
    return state_of_tables(chain, chain.calendar.midnight(MONDAY), tables)


def run(of: State) -> CycleResult:
    return run_cycle(of, nothing_learnt(), (), 0)


def told(result: CycleResult, product: str, language: str) -> str:
    orders = [o for o in result.plan.orders if o.product == product]
    return " ".join(c.text.text(language) for o in orders for c in o.causes)


@pytest.mark.parametrize(("days", "first", "late"), [(0, 0, 0), (1, 1, 50), (7, 1, 50), (8, 2, 150)])
def test_no_order_starts_within_the_fence(days: int, first: int, late: float) -> None:
    """A week of delay costs 10 x 5; two 10 x 10 + 10 x 5."""
    result = run(state({"P": days}))
    assert min(o.start for o in result.plan.orders) == MONDAY + timedelta(weeks=first)
    assert sum(o.units for o in result.plan.orders) == 30
    assert result.clearing.cost.get("late", 0.0) == pytest.approx(late)
    assert result.clearing.lower_bound == pytest.approx(60 + late)


def test_what_is_late_says_that_it_lies_within_the_fence() -> None:
    result = run(state({"P": 8}))
    rows = [r for r in result.clearing.gaps.to_pylist() if r["late_units"] > 0]
    assert [(r["bucket"], r["fenced_until"]) for r in rows] == [
        (MONDAY + timedelta(weeks=t), MONDAY + timedelta(days=8)) for t in range(2)
    ]
    assert "it lies within the release fence: no new order starts before 2026-01-13" in told(result, "P", "en")
    assert "处于下达围栏内：2026-01-13 之前不下新订单" in told(result, "P", "zh")
    free = run(state({}))
    assert all(r["fenced_until"] is None for r in free.clearing.gaps.to_pylist())


def test_what_is_lost_though_it_waits_beyond_the_fence_is_lost_for_what_is_short_then() -> None:
    """P comes from the second week on, when L makes 2 a week of the 10 that are asked for in each: those of
    the first week are lost, though they wait, and the hours after the fence are short."""
    made = {
        "offers": [],
        "recipes": [{"recipe": "r", "product": "P", "line": "L", "hours_per_unit": 1.0, "setup_cost": 1.0}],
        "lines": [{"line": "L", "hours_per_week": 2.0}],
    }
    rows = [r for r in run(state({"P": 7}, **made)).clearing.gaps.to_pylist() if r["lost_units"] > r["late_units"]]
    assert MONDAY in [r["bucket"] for r in rows]
    assert {(r["binding"], r["fenced_until"]) for r in rows} == {("L", None)}


def test_what_does_not_wait_beyond_the_fence_is_lost_for_the_fence() -> None:
    """Whoever asks in the first week does not wait: the fence alone is in the way, the hours would do."""
    waits = [
        {"demand": f"d{t}", "product": "P", "due": MONDAY + timedelta(weeks=t), "units": 10.0, "max_late_days": 0}
        for t in range(3)
    ]
    gaps = run(state({"P": 7}, demand=waits)).clearing.gaps
    (row,) = (r for r in gaps.to_pylist() if r["lost_units"] > 0)
    assert (row["bucket"], row["binding"], row["fenced_until"]) == (MONDAY, "", MONDAY + timedelta(weeks=1))
    said = short_by_cause({"gaps": gaps}, {})
    assert {r["cause"]: r["units"] for r in said if r["units"]} == {"fenced": 10.0}


def test_a_component_within_its_fence_is_the_cause() -> None:
    made = {
        "offers": [{"offer": "m", "product": "M", "price": 2.0}],
        "recipes": [{"recipe": "r", "product": "P"}],
        "components": [{"product": "P", "component": "M", "units_per_unit": 1.0}],
    }
    result = run(state({"M": 7}, **made))
    assert min(o.start for o in result.plan.orders) == MONDAY + timedelta(weeks=1)
    assert (
        "there is too little of M, which lies within its release fence: no new order of it starts before 2026-01-12"
        in told(result, "P", "en")
    )
    assert "缺M，其处于下达围栏内：2026-01-12 之前不下新订单" in told(result, "P", "zh")


def test_orders_that_are_out_stay() -> None:
    """10 are under way for the first week: the fence is of new orders alone."""
    out = {"order": "O", "kind": "buy", "product": "P", "offer": "o", "units": 10.0, "start": MONDAY, "due": MONDAY}
    result = run(state({"P": 7}, orders=[out]))
    assert result.clearing.cost.get("late", 0.0) == 0
    assert [o.start for o in result.plan.orders] == [MONDAY + timedelta(weeks=t) for t in (1, 2)]


def test_orders_are_due_for_release_before_they_come_within_the_fence() -> None:
    """The next cycle would not propose them any more. Without a fence only those of the first week are due."""
    due = {days: [m.order.start for m in run(state({"P": days})).messages] for days in (0, 7, 8)}
    assert due == {days: [MONDAY + timedelta(weeks=week)] for days, week in ((0, 0), (7, 1), (8, 2))}


def test_what_is_due_for_its_fence_alone_is_told_apart_from_what_starts_now() -> None:
    """Q starts in the first week; the first order of P in the second, and is due now for its fence alone."""
    of = state(
        {"P": 7},
        products=[
            {"product": "P", "price": 100.0, "release_fence_days": 7},
            {"product": "Q", "price": 100.0, "release_fence_days": None},
        ],
        offers=[{"offer": p.lower(), "product": p, "price": 2.0} for p in ("P", "Q")],
        demand=[
            {"demand": f"{p}{t}", "product": p, "due": MONDAY + timedelta(weeks=t), "units": 10.0}
            for p, t in (("P", 1), ("Q", 0))
        ],
    )
    found = [row.text for row in this_week(None, of, run_tables(run(of)), Naming(of)) if row.kind == "release"]
    (told,) = found
    assert "Give out by 2026-01-11 (2: 1 to start by then, 1 because of a release fence)" in told.text("en")
    assert "共 2 张：1 张届时应开工、下单或发货，1 张" in told.text("zh")


def test_replenish_orders_nothing_within_the_fence() -> None:
    of = state({"P": 7})
    found = replenishment(of, run(of).forecast, 0)
    assert found["orders"].num_rows == 0
    (row,) = (r for r in found["without_way"].to_pylist() if r["product"] == "P")
    assert (row["opens"], row["refused"]) == (MONDAY + timedelta(weeks=1), False)
