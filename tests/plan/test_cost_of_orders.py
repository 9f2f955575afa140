"""A fixed cost of an order of an offer: needs are ordered at once where that costs less than their holding, by hand."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import pyarrow as pa
import pytest

from datong.cycle import Decision, decide, head, run_cycle
from datong.ledger.state import State, in_state_schema, state_of_tables
from datong.model.flow import nothing_learnt
from datong.model.settings import ChainSettings

MONDAY = date(2026, 1, 5)


def state(cost_per_order: float, *asked: float, others: Sequence[Mapping[str, Any]] = ()) -> State:
    """P bought for 2 a unit, there in the week of its order; holding 1 a week, late 50, lost 1,000."""
    rows = {
        "products": [{"product": "P", "price": 100.0}],
        "offers": [{"offer": "o", "product": "P", "price": 2.0, "cost_per_order": cost_per_order}, *others],
        "economics": [
            {"product": "P", "holding_cost_per_unit_week": 1.0, "late_cost_per_unit_week": 50.0}
            | {"lost_sale_cost_per_unit": 1000.0}
        ],
        "demand": [
            {"demand": f"d{t}", "product": "P", "due": MONDAY + timedelta(weeks=t), "units": units}
            for t, units in enumerate(asked)
        ],
    }
    tables = {name: in_state_schema(name, pa.Table.from_pylist(own)) for name, own in rows.items()}
    chain = ChainSettings("t", horizon_buckets=len(asked), path_count=1)
    return state_of_tables(chain, chain.calendar.midnight(MONDAY), tables)


def decided(of: State) -> Decision:
    return decide(head(of, nothing_learnt(), 0))


@pytest.mark.parametrize(
    ("cost_per_order", "told"),
    [
        # Four orders cost 20 and hold nothing; two would cost 10 and hold 10 + 10.
        (5.0, {"purchase": 80, "ordering": 20}),
        # Two orders: 30 + 10 + 10; one 15 + 10 + 20 + 30, three 45 + 10, four 60.
        (15.0, {"purchase": 80, "ordering": 30, "holding": 20}),
        # One order: 60 + 60; two 120 + 20.
        (60.0, {"purchase": 80, "ordering": 60, "holding": 60}),
    ],
)
def test_orders_are_joined_where_that_costs_less_than_holding(cost_per_order: float, told: dict[str, float]) -> None:
    clearing = decided(state(cost_per_order, 10.0, 10.0, 10.0, 10.0)).clearing
    assert {term: money for term, money in clearing.cost.items() if money} == pytest.approx(told)
    assert clearing.lower_bound == pytest.approx(sum(told.values()))
    rows = [r for r in clearing.money.to_pylist() if r["term"] == "ordering"]
    assert sum(r["money"] for r in rows) == pytest.approx(told["ordering"])


def test_the_reason_says_what_joining_saves() -> None:
    orders = run_cycle(state(15.0, 10.0, 10.0, 10.0, 10.0), nothing_learnt(), (), 0).plan.orders
    assert [(o.start, o.units) for o in orders] == [(MONDAY, 20.0), (MONDAY + timedelta(weeks=2), 20.0)]
    english, chinese = (" ".join(c.text.text(language) for c in orders[0].causes) for language in ("en", "zh"))
    assert "the needs of 2 weeks are ordered at once, which saves 15 CNY of the fixed cost of orders" in english
    assert "并为一张订单，省去订货固定费用 15 CNY" in chinese


def test_a_dearer_unit_without_a_cost_of_its_order_is_taken_for_few() -> None:
    """3 wanted: 3 x 2 + 15 by o, 3 x 4 by the other; of 10, 35 against 40."""
    other = {"offer": "other", "product": "P", "price": 4.0, "cost_per_order": 0.0}
    for units, kind in ((3.0, "other"), (10.0, "o")):
        orders = run_cycle(state(15.0, units, others=[other]), nothing_learnt(), (), 0).plan.orders
        assert [(o.offer, o.units) for o in orders] == [(kind, units)]
