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


def by_lane(lane: Mapping[str, Any], *asked: float) -> State:
    """The same, bought at F without a cost of its orders and wanted at S, in the week in which it leaves."""
    at_f = state(0.0, *asked)
    rows = {
        "sites": [{"site": "F", "kind": "factory"}, {"site": "S", "kind": "shop"}],
        "lanes": [{"lane": "FS", "from_site": "F", "to_site": "S"} | lane],
        "offers": [{"offer": "o", "product": "P", "price": 2.0, "to_site": "F"}],
        "demand": [row | {"market": "S"} for row in at_f.table("demand").to_pylist()],
    }
    kept = {name: at_f.table(name) for name in ("products", "economics")}
    tables = kept | {name: in_state_schema(name, pa.Table.from_pylist(own)) for name, own in rows.items()}
    return state_of_tables(at_f.settings, at_f.as_of, tables)


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


@pytest.mark.parametrize(
    ("lane", "sent", "told"),
    [
        ({"cost_per_order": 5.0}, [10, 10, 10, 10], {"ordering": 20}),
        ({"cost_per_order": 15.0}, [20, 20], {"ordering": 30, "holding": 20}),
        ({"cost_per_order": 60.0}, [40], {"ordering": 60, "holding": 60}),
        ({"min_order_units": 20.0}, [20, 20], {"holding": 20}),
        # 6 lie for a week, then 4, then 2.
        ({"lot_multiple_units": 8.0}, [16, 8, 8, 8], {"holding": 12}),
    ],
)
def test_transfers_are_joined_in_the_same_way(
    lane: dict[str, float], sent: list[float], told: dict[str, float]
) -> None:
    result = run_cycle(by_lane(lane, 10.0, 10.0, 10.0, 10.0), nothing_learnt(), (), 0)
    assert [o.units for o in result.plan.orders if o.kind == "move"] == sent
    cost = result.clearing.cost
    assert {term: money for term, money in cost.items() if money} == pytest.approx({"purchase": 80} | told)
    assert result.clearing.lower_bound == pytest.approx(80 + sum(told.values()))


def test_the_reason_of_a_transfer_says_what_joining_saves() -> None:
    order = next(
        o
        for o in run_cycle(by_lane({"cost_per_order": 15.0}, 10.0, 10.0), nothing_learnt(), (), 0).plan.orders
        if o.kind == "move"
    )
    english, chinese = (" ".join(c.text.text(language) for c in order.causes) for language in ("en", "zh"))
    assert "the needs of 2 weeks are sent at once, which saves 15 CNY of the fixed cost of orders" in english
    assert "并为一次调拨，省去订货固定费用 15 CNY" in chinese


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
