"""Whole units that a full bucket has no room for are made ahead where hours are free, and neither late nor lost."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from datong.cycle import CycleResult, run_cycle
from datong.ledger.state import State, in_state_schema, state_of_tables
from datong.model.flow import nothing_learnt
from datong.model.settings import ChainSettings

FIRST = date(2018, 1, 1)


def shop(wanted: Mapping[tuple[str, int], float], hours: float, each: float, days: int, **tables: Any) -> State:
    """Products that one line makes, at so many hours a day and a unit. wanted: units by product and day, from 0."""
    products = sorted({product for product, _ in wanted})
    rows: dict[str, Sequence[Mapping[str, Any]]] = {
        "products": [{"product": p, "price": 100.0} for p in products],
        "lines": [{"line": "L", "hours_per_week": 7 * hours}],
        "recipes": [{"recipe": f"make {p}", "product": p, "line": "L", "hours_per_unit": each} for p in products],
        "demand": [
            {"demand": f"{p} {day}", "product": p, "due": FIRST + timedelta(days=day), "units": units}
            for (p, day), units in wanted.items()
        ],
        **tables,
    }
    chain = ChainSettings("t", bucket="day", horizon_buckets=days, path_count=1)
    given = {name: in_state_schema(name, pa.Table.from_pylist(list(own))) for name, own in rows.items()}
    return state_of_tables(chain, chain.calendar.midnight(FIRST), given)


def made(result: CycleResult) -> dict[int, float]:
    """Units made, of all products, by day of start."""
    found: dict[int, float] = defaultdict(float)
    for order in result.plan.orders:
        found[(order.start - FIRST).days] += order.units
    return dict(sorted(found.items()))


def not_on_time(result: CycleResult) -> float:
    return sum(row["demand_units"] - row["on_time_units"] for row in result.clearing.gaps.to_pylist())


@pytest.mark.parametrize(
    ("wanted", "orders"),
    [
        # 60 hours a day at 8 a unit are seven whole units a day: 20 take three days.
        ({("A", 12): 20.0}, {10: 6.0, 11: 7.0, 12: 7.0}),
        # 22 are fewer than 3 x 7.5, and one more than 3 x 7.
        ({("A", 12): 22.0}, {9: 1.0, 10: 7.0, 11: 7.0, 12: 7.0}),
        # What is wanted later does not make up for what is wanted first.
        ({("A", 6): 15.0, ("A", 26): 15.0}, {4: 1.0, 5: 7.0, 6: 7.0, 24: 1.0, 25: 7.0, 26: 7.0}),
        ({("A", 12): 11.0, ("B", 12): 11.0}, {9: 1.0, 10: 7.0, 11: 7.0, 12: 7.0}),
    ],
)
def test_whole_units_by_hand(wanted: Mapping[tuple[str, int], float], orders: Mapping[int, float]) -> None:
    result = run_cycle(shop(wanted, 60.0, 8.0, 30), nothing_learnt(), (), 0)
    assert (made(result), not_on_time(result)) == (orders, 0.0)


@pytest.mark.parametrize("seed", range(12))
def test_nothing_is_late_that_whole_units_can_make_in_time(seed: int) -> None:
    """Of products at the same hours a unit, all that a line can make in whole units by each day is on time."""
    random = np.random.default_rng(seed)
    hours, each, days = float(random.integers(20, 70)), float(random.integers(5, 12)), 25
    a_day, wanted, left = int(hours // each), dict[tuple[str, int], float](), 0
    for day in range(days):
        left += a_day
        for product in "AB":
            units = int(random.integers(0, left + 1)) if random.random() < 0.2 else 0
            if units:
                wanted[product, day] = float(units)
                left -= units
    result = run_cycle(shop(wanted, hours, each, days), nothing_learnt(), (), 0)
    assert not_on_time(result) == 0.0


@pytest.mark.parametrize("lead", [0.0, 3.0])
def test_components_come_in_time_for_what_is_made_ahead(lead: float) -> None:
    """22 of A, each of two parts that take a line of their own as long: both are made ahead, and bought for."""
    parts = {
        "products": [{"product": p, "price": 100.0} for p in "APM"],
        "lines": [{"line": line, "hours_per_week": 420.0} for line in "LK"],
        "recipes": [
            {"recipe": "make A", "product": "A", "line": "L", "hours_per_unit": 8.0, "lead_days": 0.0},
            {"recipe": "make P", "product": "P", "line": "K", "hours_per_unit": 8.0, "lead_days": lead},
        ],
        "components": [
            {"product": "A", "component": "P", "units_per_unit": 1.0},
            {"product": "P", "component": "M", "units_per_unit": 2.0},
        ],
        "offers": [{"offer": "O", "product": "M", "price": 1.0, "lead_days": 2.0}],
    }
    result = run_cycle(shop({("A", 15): 22.0, ("A", 22): 22.0}, 60.0, 8.0, 30, **parts), nothing_learnt(), (), 0)
    assert not_on_time(result) == 0.0


def test_what_goes_bad_is_not_made_ahead() -> None:
    """A unit that keeps for no day is made on the day on which it is wanted: one of 8 finds no hours."""
    keeps = [{"product": "A", "price": 100.0, "shelf_life_days": 0.0}]
    result = run_cycle(shop({("A", 6): 8.0}, 60.0, 8.0, 12, products=keeps), nothing_learnt(), (), 0)
    assert made(result) in ({6: 7.0, 7: 1.0}, {6: 7.0})


def test_what_waits_costs_far_more_than_what_is_made() -> None:
    """Over 300 days what nobody would get weighs so much that it leaves rounding in a bound that is the cost."""
    assert not_on_time(run_cycle(shop({("A", 40): 20.0}, 60.0, 8.0, 300), nothing_learnt(), (), 0)) == 0.0
