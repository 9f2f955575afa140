"""A plan with an order more is no dearer than the one without it and a larger lot."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from datong.balance.evaluate import assert_within, hours_worked
from datong.balance.plan_with_order_added import with_more
from datong.balance.solvers import Cleared, in_orders
from datong.cycle import decide, head
from datong.ledger.state import state_of_tables
from datong.model.flow import nothing_learnt
from datong.model.settings import ChainSettings
from each import each_seed

MONDAY = date(2026, 1, 5)
WEEKS = 4

Tables = dict[str, list[dict[str, Any]]]


def plan(tables: Tables) -> Cleared:
    settings = ChainSettings("t", horizon_buckets=WEEKS, time_zone="UTC")
    given = {name: pa.Table.from_pylist(rows) for name, rows in tables.items() if rows}
    state = state_of_tables(settings, datetime(2026, 1, 5, tzinfo=UTC), given)
    return decide(head(state, nothing_learnt(), 0), whole=True).given_out


def kiln(asked: list[float], hours: float = 10.0, **recipe: Any) -> Tables:
    """A: an hour a unit of the week's hours, 2 of money, a set-up of 12, lots of at least 4 in twos, a Q each; Q lies
    there."""
    row = {"recipe": "A/L", "product": "A", "line": "L", "hours_per_unit": 1.0, "cost_per_unit": 2.0}
    row |= {"setup_cost": 12.0, "min_lot_units": 4.0, "lot_multiple_units": 2.0}
    economics = {"holding_cost_per_unit_week": 0.1, "late_cost_per_unit_week": 1.5, "lost_sale_cost_per_unit": 5.0}
    return {
        "products": [{"product": "A", "price": 10.0}, {"product": "Q", "kind": "material", "price": 1.0}],
        "lines": [{"line": "L", "hours_per_week": hours}],
        "recipes": [row | recipe],
        "components": [{"product": "A", "component": "Q", "units_per_unit": 1.0}],
        "offers": [{"offer": "Q/S", "product": "Q", "price": 1.0, "lead_days": 7.0}],
        "stock": [{"happened_at": datetime(2026, 1, 4, tzinfo=UTC), "product": "Q", "units": 30.0}],
        "economics": [{"product": "A"} | economics],
        "demand": [request(f"d{t}", t, units) for t, units in enumerate(asked) if units > 0],
    }


def alone(asked: list[float]) -> Tables:
    """Without Q."""
    return kiln(asked) | {"components": [], "stock": [], "offers": []}


def request(name: str, week: int, units: float) -> dict[str, Any]:
    due = MONDAY + week * timedelta(weeks=1)
    return {"demand": name, "product": "A", "market": "all", "due": due, "units": units}


def two(tables: Tables, week: int, units: float) -> tuple[Cleared, Cleared]:
    """The plan without a request more, and its orders for the demand with it: what a search that misses all gives."""
    before = plan(tables)
    after = plan(tables | {"demand": [*tables["demand"], request("more", week, units)]})
    assert before.lots is not None
    return before, in_orders(after, before.solution.started, before.lots)


def test_a_lot_of_the_week_before_takes_a_few_units_more() -> None:
    """8 A in the second week are made in one lot. 2 more, due in the third, are 2 more of that lot, 4, and a week of
    holding, 0.2; their own lot would cost 20, refusing them 10."""
    before, found = two(alone([0.0, 8.0, 0.0, 0.0]), 2, 2.0)
    assert found.total_cost - before.total_cost == pytest.approx(10.0)
    best = with_more(before, found, "A", 2, 2.0)
    assert best.total_cost - before.total_cost == pytest.approx(2 * 2.0 + 2 * 0.1)
    assert best.lots is not None and best.lots.sum() == 1.0


def test_a_later_lot_serves_it_late_where_that_is_cheaper() -> None:
    """The lot of the first week is full. 2 more due then go into that of the second: 4, and 2 x 1.5 late."""
    before, found = two(alone([10.0, 8.0, 0.0, 0.0]), 0, 2.0)
    best = with_more(before, found, "A", 0, 2.0)
    assert best.total_cost - before.total_cost == pytest.approx(2 * 2.0 + 2 * 1.5)


def test_nothing_is_dearer_for_it() -> None:
    """Where every lot is full, and one more dearer than refusing, the plan found stays."""
    before, found = two(kiln([10.0, 10.0, 10.0, 10.0]), 1, 2.0)
    assert with_more(before, found, "A", 1, 2.0) is found


@each_seed(range(40))
def test_it_is_no_dearer_than_any_planned_lot_made_larger(seed: int) -> None:
    random = np.random.default_rng(seed)
    recipe = {"lead_days": float(random.choice([0.0, 7.0])), "yield_share": float(random.choice([1.0, 0.5]))}
    tables = kiln([float(u) for u in random.integers(0, 12, WEEKS)], hours=float(random.integers(8, 20)), **recipe)
    if not tables["demand"]:
        return
    week, units = int(random.integers(0, WEEKS)), float(random.integers(1, 6))
    before, found = two(tables, week, units)
    best = with_more(before, found, "A", week, units)
    market, step = before.market, 2.0
    larger = step * np.ceil(units / market.ways.yield_share[0] / step)
    assert best.total_cost <= found.total_cost
    for way, bucket in zip(*np.nonzero(before.lots), strict=True):
        if market.ways.facts[way].recipe is None:
            continue
        started = before.solution.started.copy()
        started[way, bucket] += larger
        try:
            assert_within(hours_worked(market, started, before.lots), market.most_hours, "hours")
            other = in_orders(found, started, before.lots)
        except AssertionError:
            continue
        assert best.total_cost <= other.total_cost + 1e-6
