"""The safety lead time of a product: its supply is there so many days before it is needed, by hand."""

from datetime import date, timedelta
from typing import Any

import pyarrow as pa
import pytest

from datong.cycle import CycleResult, run_cycle
from datong.ledger.state import State, in_state_schema, state_of_tables
from datong.model.flow import nothing_learnt
from datong.model.settings import ChainSettings

MONDAY = date(2026, 1, 5)


def state(lead: float, *asked: float, **more: list[dict[str, Any]]) -> State:
    """P made on a line of 10 hours a week, an hour a unit at 2, there in its week; holding 1 a week, late 5, lost
    1,000."""
    rows = {
        "products": [{"product": "P", "price": 100.0, "safety_lead_days": lead}],
        "lines": [{"line": "L", "hours_per_week": 10.0}],
        "recipes": [{"recipe": "r", "product": "P", "line": "L", "hours_per_unit": 1.0, "cost_per_unit": 2.0}],
        "economics": [
            {"product": "P", "holding_cost_per_unit_week": 1.0, "late_cost_per_unit_week": 5.0}
            | {"lost_sale_cost_per_unit": 1000.0}
        ],
        "demand": [
            {"demand": f"d{t}", "product": "P", "due": MONDAY + timedelta(weeks=t), "units": units}
            for t, units in enumerate(asked)
            if units
        ],
    } | more
    tables = {name: in_state_schema(name, pa.Table.from_pylist(own)) for name, own in rows.items()}
    chain = ChainSettings("t", horizon_buckets=len(asked), path_count=1)
    return state_of_tables(chain, chain.calendar.midnight(MONDAY), tables)


def run(of: State) -> CycleResult:
    return run_cycle(of, nothing_learnt(), (), 0)


def started(result: CycleResult) -> list[tuple[int, float]]:
    return [((o.start - MONDAY).days // 7, o.units) for o in result.plan.orders]


@pytest.mark.parametrize(
    ("lead", "when"), [(0.0, [(3, 6.0)]), (7.0, [(2, 6.0)]), (14.0, [(1, 6.0)]), (10.5, [(1, 3.0), (2, 3.0)])]
)
def test_supply_is_there_so_many_days_before_it_is_needed(lead: float, when: list[tuple[int, float]]) -> None:
    """6 are wanted in the fourth week. By days of cover, half of a week's need is of its first half: 10.5 days before
    it is the week but one before for that half."""
    result = run(state(lead, 0.0, 0.0, 0.0, 6.0))
    assert started(result) == when
    assert result.clearing.cost.get("safety_stock", 0.0) == 0
    (gap,) = (r for r in result.clearing.gaps.to_pylist() if r["demand_units"])
    assert gap["on_time_units"] == 6


def test_where_it_cannot_be_earlier_it_is_as_early_as_it_can_and_on_time() -> None:
    """8 wanted in week 1, 10 in week 2, 6 in week 3, 10 hours a week: of the 10 only 2 can be a week early, so that of
    the 6 that are to lie at the end of week 2 only 2 do. u is the least of sqrt(1 x 5) and (1000 - 2) / 3: 2.236."""
    result = run(state(7.0, 8.0, 10.0, 6.0))
    assert started(result) == [(0, 10.0), (1, 10.0), (2, 4.0)]
    assert sum(r["late_units"] + r["lost_units"] for r in result.clearing.gaps.to_pylist()) == 0
    told = {term: money for term, money in result.clearing.cost.items() if money}
    assert told == pytest.approx({"production": 48, "holding": 2 + 2, "safety_stock": (8 + 4) * 5**0.5})
    assert result.clearing.lower_bound == pytest.approx(sum(told.values()))


def test_it_comes_on_top_of_a_safety_stock() -> None:
    rule = {"product": "P", "smallest_units": 3.0}
    result = run(state(7.0, 0.0, 0.0, 6.0, stock_rules=[rule]))
    assert started(result) == [(0, 3.0), (1, 6.0)]


def test_a_component_is_there_before_its_order_starts() -> None:
    parts = {
        "products": [{"product": "M", "price": 5.0, "safety_lead_days": 7.0}, {"product": "P", "price": 100.0}],
        "offers": [{"offer": "m", "product": "M", "price": 3.0}],
        "components": [{"product": "P", "component": "M", "units_per_unit": 2.0}],
    }
    result = run(state(0.0, 0.0, 0.0, 6.0, **parts))
    when = {(o.product, (o.start - MONDAY).days // 7): o.units for o in result.plan.orders}
    assert when == {("M", 1): 12.0, ("P", 2): 6.0}


def test_the_reason_says_why_it_is_early() -> None:
    (order,) = run(state(7.0, 0.0, 0.0, 6.0)).plan.orders
    english, chinese = (" ".join(c.text.text(language) for c in order.causes) for language in ("en", "zh"))
    assert "6 are there in the week of 2026-01-12, before they are needed: its safety lead time is 7 days" in english
    assert "提前到位：安全提前期为 7 天" in chinese
