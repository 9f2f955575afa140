"""A safety stock is kept to the last bucket of its row, also where what lies then is used only some buckets later."""

from datetime import timedelta
from typing import Any

import numpy as np

from datong.cycle import CycleResult, run_cycle
from datong.model.flow import nothing_learnt
from each import each_seed
from small_chain import MONDAY, chain


def run(smallest: list[float], wanted: list[float], rule: dict[str, Any] | None = None) -> CycleResult:
    """A is bought at once at 10 a unit; holding is 0.4, lateness 2.5, a lost sale 100."""
    cost = {"holding_cost_per_unit_week": 0.4, "late_cost_per_unit_week": 2.5, "lost_sale_cost_per_unit": 100.0}
    weeks = [MONDAY + timedelta(weeks=t) for t in range(len(wanted))]
    rules = [
        {"product": "A", "smallest_units": units, "valid_from": week} | (rule or {})
        for week, units in zip(weeks, smallest, strict=True)
    ]
    rows = [
        {"demand": f"D{t}", "product": "A", "due": week, "units": units}
        for t, (week, units) in enumerate(zip(weeks, wanted, strict=True))
        if units
    ]
    state = chain(
        len(wanted),
        products=[{"product": "A", "price": 100.0}],
        offers=[{"offer": "O", "product": "A", "price": 10.0, "lead_days": 0.0}],
        economics=[{"product": "A"} | cost],
        stock_rules=rules,
        demand=rows,
    )
    return run_cycle(state, nothing_learnt(), (), 0)


def missing(found: CycleResult) -> list[float]:
    return found.clearing.stock_limits["missing_units"].to_pylist()


def test_the_stock_of_a_row_that_ends_lies_to_its_last_week() -> None:
    """30 until the fourth week, 10 used a week: ten of those of that week lie for three, at 0.4 each."""
    found = run([10, 10, 30, 30, 0, 0, 0, 0], [10] * 8)
    assert missing(found) == [0.0] * 8
    assert found.clearing.lower_bound <= found.clearing.total_cost + 1e-6


def test_a_price_that_a_row_says_stays_as_it_is() -> None:
    """At 1 a week the ten that would lie for three weeks at 0.4 are not worth it."""
    said = {"below_cost_per_unit_week": 1.0}
    assert missing(run([10, 10, 30, 30, 0, 0, 0, 0], [10] * 8, said)) == [0, 0, 0, 10, 0, 0, 0, 0]


@each_seed(range(8))
def test_no_safety_stock_is_short_where_supply_is_at_hand(seed: int) -> None:
    draw = np.random.default_rng(seed)
    wanted = [float(x) for x in draw.integers(8, 13, 10)]
    smallest = [float(x) for x in draw.choice([0, 5, 10, 30, 40], 10)]
    smallest[5:] = [0.0] * 5
    found = run(smallest, wanted)
    assert max(missing(found), default=0.0) <= 1e-6
    assert all(row["what"] == "on_time" for row in found.clearing.deliveries.to_pylist())
