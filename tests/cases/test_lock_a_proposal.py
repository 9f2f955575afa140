"""What a plan proposes can be locked as it is: the next plan is one too, and has it on the day for which it was
proposed."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa

from cases.random_chains import random_chain
from datong.cycle import CycleResult, run_cycle
from datong.ledger.state import State, state_of_tables
from datong.model.errors import NoPlan
from datong.model.flow import PlannedOrder, nothing_learnt
from datong.model.settings import ChainSettings
from each import each_seed
from searched import searched_once

MONDAY = date(2024, 1, 1)


def planned(state: State) -> CycleResult:
    return run_cycle(state, nothing_learnt(), (), 0)


def locked(state: State, order: PlannedOrder) -> State:
    """With the order in `orders`, as it was proposed."""
    row = {name: getattr(order, name) for name in ("kind", "product", "recipe", "offer", "line", "lane", "units")}
    row |= {"order": "OWN", "start": order.start, "due": order.due, "locked": True, "site": order.site}
    orders = [*state.table("orders").to_pylist(), row]
    return state.with_tables(orders=pa.Table.from_pylist(orders, state.table("orders").schema))


def comes_as_proposed(state: State, order: PlannedOrder) -> None:
    (kept,) = [r for r in planned(locked(state, order)).plan.kept.to_pylist() if r["order"] == "OWN"]
    assert kept["to_come_units"] == order.units
    if kept["waits_for"] is None:  # else for a component of which other orders of the plan bring the last units
        assert kept["counted_on"] is not None, order
        assert kept["counted_on"] <= order.due, (order, kept)


@each_seed(range(14))
def test_an_order_of_a_random_chain(seed: int) -> None:
    """The first order in a plan that HiGHS made better, too, but of seed 11, where it would look at parts of the plan
    for more than half a minute. Where the others are locked, the plan around them is in whatever lots."""
    chain = random_chain(seed)
    with searched_once(most_nodes=0 if seed == 11 else None):
        try:
            plan = planned(chain.state).plan
        except NoPlan:
            return
        some = plan.orders[:: max(len(plan.orders) // 2, 1)]
        for order in some[:1]:
            comes_as_proposed(chain.state, order)
    with searched_once(most_nodes=0):
        for order in some[1:]:
            comes_as_proposed(chain.state, order)


def _long_work(hours: float, due: int, bucket: str) -> State:
    """A unit of so many hours on a line of 8 hours from Monday to Friday, and others of 8."""
    rows: dict[str, list[dict[str, Any]]] = {
        "products": [{"product": "A", "price": 1000.0}, {"product": "B", "price": 100.0}],
        "calendars": [{"calendar": "MF"}],
        "lines": [{"line": "L", "hours_per_week": 40.0, "calendar": "MF"}],
        "recipes": [
            {"recipe": "RA", "product": "A", "line": "L", "hours_per_unit": hours, "cost_per_unit": 1.0},
            {"recipe": "RB", "product": "B", "line": "L", "hours_per_unit": 8.0, "cost_per_unit": 1.0},
        ],
        "stock": [
            {"product": p, "units": 0.0, "happened_at": datetime(2023, 12, 31, 12, tzinfo=UTC)} for p in ("A", "B")
        ],
        "demand": [
            {"demand": "a", "product": "A", "due": MONDAY + timedelta(days=due), "units": 1.0},
            {"demand": "b", "product": "B", "due": MONDAY + timedelta(days=4), "units": 1.0},
        ],
    }
    settings = ChainSettings("t", bucket=bucket, horizon_buckets=28 if bucket == "day" else 4, max_late_days=60)
    tables = {name: pa.Table.from_pylist(own) for name, own in rows.items()}
    return state_of_tables(settings, datetime(2024, 1, 1, tzinfo=UTC), tables)


def test_an_order_that_is_longer_than_a_day_or_a_week() -> None:
    lots = 0
    for bucket in ("day", "week"):
        for hours in (12.0, 24.0, 40.0, 48.0, 80.0):
            for due in (4, 11):
                state = _long_work(hours, due, bucket)
                for order in planned(state).plan.orders:
                    comes_as_proposed(state, order)
                    lots += order.due > order.start
    assert lots > 10
