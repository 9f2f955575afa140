"""Largest lot (`recipes.max_lot_units`): more of a recipe in a week is several orders, each with its set-up; by hand,
and against every plan there is of small chains."""

import itertools
import math
import random
from collections import Counter
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from datong import cycle
from datong.balance.arrays import Market
from datong.balance.exact_lots import LotRules
from datong.cycle import Decision, decide, head, run_cycle
from datong.ledger.state import State, in_state_schema, state_of_tables
from datong.model.flow import nothing_learnt
from datong.model.settings import ChainSettings
from datong.network.largest_lot import LotSizes, orders_in

MONDAY = date(2026, 1, 5)


def state(asked: Sequence[float], hours: float = 40.0, **recipe: Any) -> State:
    """A made on L at an hour and 1 a unit; an order takes 2 h and 10. Holding 1 a week, late 50, lost 1,000."""
    usual = {"recipe": "A/L", "product": "A", "line": "L", "hours_per_unit": 1.0, "cost_per_unit": 1.0}
    rows: dict[str, list[dict[str, Any]]] = {
        "products": [{"product": "A", "price": 100.0}],
        "lines": [{"line": "L", "hours_per_week": hours}],
        "recipes": [usual | {"setup_hours": 2.0, "setup_cost": 10.0} | recipe],
        "economics": [
            {"product": "A", "holding_cost_per_unit_week": 1.0, "late_cost_per_unit_week": 50.0}
            | {"lost_sale_cost_per_unit": 1000.0}
        ],
        "demand": [
            {"demand": f"d{t}", "product": "A", "due": MONDAY + timedelta(weeks=t), "units": units}
            for t, units in enumerate(asked)
            if units
        ],
    }
    tables = {name: in_state_schema(name, pa.Table.from_pylist(own)) for name, own in rows.items()}
    chain = ChainSettings("t", horizon_buckets=len(asked), path_count=1)
    return state_of_tables(chain, chain.calendar.midnight(MONDAY), tables)


def decided(of: State) -> Decision:
    return decide(head(of, nothing_learnt(), 0))


def costs(decision: Decision) -> dict[str, float]:
    return {term: money for term, money in decision.clearing.cost.items() if money}


@pytest.mark.parametrize(
    ("recipe", "orders", "told"),
    [
        ({}, [30.0], {"production": 30, "setup": 10}),
        ({"max_lot_units": 10.0}, [10.0, 10.0, 10.0], {"production": 30, "setup": 30}),
        # Whole multiples of 4: 8 is the largest, and 32 are the fewest that do.
        ({"max_lot_units": 10.0, "lot_multiple_units": 4.0}, [8.0] * 4, {"production": 32, "setup": 40, "holding": 2}),
        # 13, 13 and 4 would leave an order below the smallest.
        ({"max_lot_units": 13.0, "min_lot_units": 6.0}, [13.0, 11.0, 6.0], {"production": 30, "setup": 30}),
        # What is below the smallest lot is that.
        ({"max_lot_units": 4.0, "min_lot_units": 10.0}, [10.0, 10.0, 10.0], {"production": 30, "setup": 30}),
        # Two of 16 to 18 cannot be 30; two of 16 are the fewest above.
        ({"max_lot_units": 18.0, "min_lot_units": 16.0}, [16.0, 16.0], {"production": 32, "setup": 20, "holding": 2}),
    ],
)
def test_more_than_a_largest_lot_is_several_orders(
    recipe: dict[str, float], orders: list[float], told: dict[str, float]
) -> None:
    result = run_cycle(state([30.0], hours=60.0, **recipe), nothing_learnt(), (), 0)
    assert [order.units for order in result.plan.orders] == orders
    assert costs(result.decision) == pytest.approx(told)
    hours = result.clearing.hours.to_pylist()[0]
    assert hours["setup_hours"] == pytest.approx(2 * len(orders))
    assert hours["run_hours"] == pytest.approx(sum(orders))
    assert len({order.order for order in result.plan.orders}) == len(orders)
    assert sum(order.cost for order in result.plan.orders) == pytest.approx(told["production"] + told["setup"])


def test_set_ups_of_all_orders_take_hours() -> None:
    """40 h: three orders of 10 are 36 h, and 2 units after a fourth set-up; the other 8 of 40 come a week late."""
    decision = decided(state([40.0, 0.0], max_lot_units=10.0))
    first, second = decision.given_out.solution.started[0]
    assert (first, second) == (32.0, 8.0)
    assert costs(decision) == pytest.approx({"production": 40, "setup": 50, "late": 8 * 50})
    assert decision.clearing.lower_bound == pytest.approx(490)


def test_the_reason_says_so() -> None:
    result = run_cycle(state([30.0], max_lot_units=10.0), nothing_learnt(), (), 0)
    for order in result.plan.orders:
        told = [cause.text for cause in order.causes if cause.text.key == "plan.cause.largest_lot_takes"]
        assert len(told) == 1
        figures = dict(told[0].params)
        assert (figures["largest"], figures["orders"]) == (10.0, 3)
    plain = run_cycle(state([30.0]), nothing_learnt(), (), 0)
    assert not any("largest" in cause.text.key for order in plain.plan.orders for cause in order.causes)


def cheapest(asked: Sequence[float], sizes: LotSizes, hours: float) -> float:
    """The least that any plan in whole units costs: each is looked at, with every way to refuse what never comes."""
    best = math.inf
    for made in itertools.product(range(int(sum(asked) + sizes.smallest) + 1), repeat=len(asked)):
        counts = [math.ceil(units / sizes.largest) for units in made]
        if any(
            n * sizes.smallest > u or 2 * n + u > hours or u % sizes.step for n, u in zip(counts, made, strict=True)
        ):
            continue
        lost = max(int(sum(asked)) - sum(made), 0)
        cost = 10 * sum(counts) + sum(made) + 1000 * lost
        for refused in itertools.product(*(range(min(int(units), lost) + 1) for units in asked)):
            if sum(refused) == lost and cost < best:
                lies = np.cumsum(np.array(made) - np.array(asked) + np.array(refused))
                best = min(best, cost + float(np.where(lies > 0, lies, -50 * lies).sum()))
    return best


def drawn(seed: int) -> tuple[list[float], float, dict[str, float]]:
    """Demand, hours and recipe of a small chain."""
    draw = random.Random(seed)
    asked = [float(draw.randint(0, 6)) for _ in range(3)]
    smallest = draw.choice([0.0, 0.0, 2.0, 3.0])
    recipe = {"max_lot_units": float(draw.randint(2, 5)), "min_lot_units": smallest}
    return asked, float(draw.choice([8, 12, 20, 40])), recipe | {"lot_multiple_units": draw.choice([0.0, 0.0, 2.0])}


def sizes_of(recipe: dict[str, float]) -> LotSizes:
    return LotSizes.of(recipe["min_lot_units"], recipe["max_lot_units"], recipe["lot_multiple_units"] or 1.0)


@pytest.mark.parametrize("seed", range(30))
def test_no_plan_is_cheaper(seed: int) -> None:
    asked, hours, recipe = drawn(seed)
    decision = decided(state(asked, hours, **recipe))
    found, best = sum(decision.clearing.cost.values()), cheapest(asked, sizes_of(recipe), hours)
    assert found == pytest.approx(best), (asked, hours, recipe)
    assert decision.clearing.lower_bound <= best + 1e-6


@pytest.mark.parametrize("seed", range(30))
def test_lots_of_a_chain_too_large_for_the_exact_door_are_near_it(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, hours, recipe = drawn(seed)
    best = cheapest(asked, sizes_of(recipe), hours)

    def never(market: Market, rules: LotRules) -> bool:
        return False

    monkeypatch.setattr(cycle, "fits_integers", never)
    found = sum(decided(state(asked, hours, **recipe)).clearing.cost.values())
    assert best - 1e-6 <= found <= 1.25 * best + 20, (asked, hours, recipe)


@pytest.mark.parametrize("seed", range(200))
def test_what_orders_can_be(seed: int) -> None:
    """`LotSizes` against a count of all quantities that whole orders can be."""
    draw = random.Random(seed)
    step, smallest, largest = draw.choice([1, 1, 2, 3]), draw.randint(0, 9), draw.randint(1, 12)
    sizes = LotSizes.of(float(smallest), float(largest), float(step))
    one = [u for u in range(step, int(sizes.largest) + 1, step) if u >= smallest]
    can, most = {0: 0}, 80
    for units in range(1, most):
        own = [can[units - u] + 1 for u in one if units - u in can]
        if own:
            can[units] = min(own)
    for units in range(1, most - 15):
        above = min(u for u in can if u >= max(units, 1))
        assert sizes.up(float(units)) == above
        assert sizes.down(float(units)) == max(u for u in can if u <= units)
        assert sizes.orders(float(above)) == can[above]
        assert orders_in(np.array([[float(above)]]), np.array([[sizes.largest]])) == can[above]
        parts = sizes.parts(float(above))
        assert sum(parts) == above
        assert Counter(int(p) for p in parts).keys() <= set(one)
    setup, each, hours = draw.choice([0.0, 1.0, 2.5]), draw.choice([0.5, 1.0]), draw.uniform(0, 30)
    made = sizes.within(hours, setup, each)
    if made > 0:
        assert setup * sizes.orders(made) + each * made <= hours + 1e-6
        assert setup * sizes.orders(made + 0.01) + each * (made + 0.01) > hours
