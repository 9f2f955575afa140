"""Components that go bad: lots are bought anew for what no longer keeps, by hand; chains at random run under the rules
that the referee of tests/cases does not know."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from cases.random_chains import RandomChain, random_chain
from datong.cycle import CycleResult, run_cycle
from datong.ledger.state import State, in_state_schema, state_of_tables
from datong.model.errors import NoPlan
from datong.model.flow import nothing_learnt
from datong.model.settings import ChainSettings
from datong.network.shelf_life import wasted
from datong.plan.reason import sentence
from searched import searched_of_every, searched_once

MONDAY = date(2026, 1, 5)


@pytest.mark.parametrize(
    ("comes", "arrived", "taken", "life", "bad"),
    [
        # 30 come, 10 are taken in each of two weeks: the last 10 lay over two ends.
        ([0, 0, 0], [30, 0, 0], [10, 10, 0], 1, [0, 10, 0]),
        ([0, 0, 0], [30, 0, 0], [10, 10, 0], 2, [0, 0, 10]),
        ([0, 0, 0], [30, 0, 0], [10, 10, 0], 0, [20, 0, 0]),
        # What came last is what is left.
        ([0, 0, 0], [30, 30, 0], [10, 0, 0], 1, [0, 20, 30]),
        # An order that is out will take 8 of it: they are kept for it.
        ([20, 0, -8], [0, 0, 0], [2, 0, 0], 1, [0, 10, 0]),
    ],
)
def test_what_goes_bad_by_hand(
    comes: list[float], arrived: list[float], taken: list[float], life: int, bad: list[float]
) -> None:
    given = (np.array(own, dtype=np.float64) for own in (comes, arrived, taken))
    assert wasted(*given, life).tolist() == bad


def bakery(days: float | None, stock: float = 0.0, **offer: float) -> State:
    """10 loaves in each of four weeks, as many as there are hours for, a sack of flour each. Flour keeps for some days
    and comes at once."""
    rows: dict[str, list[dict[str, Any]]] = {
        "products": [
            {"product": "loaf", "price": 100.0, "kind": "finished", "shelf_life_days": None},
            {"product": "flour", "price": 1.0, "kind": "material", "shelf_life_days": days},
        ],
        "lines": [{"line": "oven", "hours_per_week": 10.0}],
        "recipes": [{"recipe": "bake", "product": "loaf", "line": "oven", "hours_per_unit": 1.0, "cost_per_unit": 1.0}],
        "components": [{"product": "loaf", "component": "flour", "units_per_unit": 1.0}],
        "offers": [{"offer": "mill", "product": "flour", "price": 1.0} | offer],
        "demand": [
            {"demand": f"d{t}", "product": "loaf", "due": MONDAY + timedelta(weeks=t), "units": 10.0} for t in range(4)
        ],
        "stock": [{"product": "flour", "units": stock, "happened_at": MONDAY, "site": None}] if stock else [],
    }
    tables = {name: in_state_schema(name, pa.Table.from_pylist(own)) for name, own in rows.items() if own}
    chain = ChainSettings("t", horizon_buckets=4, path_count=1)
    return state_of_tables(chain, chain.calendar.midnight(MONDAY), tables)


def flour(state: State) -> tuple[Mapping[int, float], Mapping[int, float], float]:
    """Units bought and gone bad, by week, and what is served late or never."""
    result = run_cycle(state, nothing_learnt(), (), 0)
    bought = {
        (o.start - MONDAY).days // 7: o.units for o in result.plan.orders if o.kind == "buy" and o.product == "flour"
    }
    flow = [row for row in result.clearing.flow.to_pylist() if row["product"] == "flour"]
    bad = {(row["bucket"] - MONDAY).days // 7: row["wasted_units"] for row in flow if row["wasted_units"] > 0}
    gaps = result.clearing.gaps.to_pylist()
    return bought, bad, sum(row["demand_units"] - row["on_time_units"] for row in gaps)


@pytest.mark.parametrize(
    ("days", "stock", "offer", "bought", "bad"),
    [
        (None, 0.0, {"min_order_units": 30.0}, {0: 40.0}, {}),
        (7.0, 0.0, {"min_order_units": 30.0}, {0: 30.0, 2: 30.0}, {1: 10.0, 3: 10.0}),
        (0.0, 0.0, {}, {0: 10.0, 1: 10.0, 2: 10.0, 3: 10.0}, {}),
        # 100 that lie there keep for a week: 20 are used.
        (7.0, 100.0, {}, {2: 10.0, 3: 10.0}, {1: 80.0}),
    ],
)
def test_flour_is_bought_anew_where_it_no_longer_keeps(
    days: float | None, stock: float, offer: dict[str, float], bought: dict[int, float], bad: dict[int, float]
) -> None:
    assert flour(bakery(days, stock, **offer)) == (bought, bad, 0.0)


@pytest.mark.parametrize(("days", "bad"), [(0.0, {0: 6.0}), (7.0, {1: 6.0}), (14.0, {2: 6.0}), (35.0, {}), (None, {})])
@pytest.mark.parametrize("is_made", [False, True])
def test_what_nobody_takes_lies_until_it_goes_bad(days: float | None, bad: dict[int, float], is_made: bool) -> None:
    """Of 8 that lie there, or are made in one lot, 2 are wanted at once. Nobody throws the others away before they go
    bad to save what holding them costs: they lie there, and are counted, until then."""
    rows: dict[str, list[dict[str, Any]]] = {
        "products": [{"product": "loaf", "price": 100.0, "kind": "finished", "shelf_life_days": days}],
        "lines": [{"line": "oven", "hours_per_week": 100.0}],
        "recipes": [{"recipe": "bake", "product": "loaf", "line": "oven", "hours_per_unit": 1.0, "min_lot_units": 8.0}],
        "economics": [{"product": "loaf", "holding_cost_per_unit_week": 1.0}],
        "demand": [{"demand": "d0", "product": "loaf", "due": MONDAY, "units": 2.0}],
        "stock": [] if is_made else [{"product": "loaf", "units": 8.0, "happened_at": MONDAY, "site": None}],
    }
    tables = {name: in_state_schema(name, pa.Table.from_pylist(own)) for name, own in rows.items() if own}
    chain = ChainSettings("t", horizon_buckets=4, path_count=1)
    clearing = run_cycle(
        state_of_tables(chain, chain.calendar.midnight(MONDAY), tables), nothing_learnt(), (), 0
    ).clearing
    flow = {(row["bucket"] - MONDAY).days // 7: row for row in clearing.flow.to_pylist()}
    assert {t: row["wasted_units"] for t, row in flow.items() if row["wasted_units"] > 0} == bad
    last = min(bad, default=4)
    assert [flow[t]["closing_units"] if t in flow else 0.0 for t in range(4)] == [
        6.0 if t < last else 0.0 for t in range(4)
    ]
    assert clearing.cost["holding"] == pytest.approx(6.0 * last)


def two_bakeries(days: float | None, sold_at: str) -> State:
    """10 loaves in each of four weeks at the shop, which a van brings for 50 a trip or the oven bakes for 50 a lot;
    a loaf costs 1, and a week of holding it 0.1."""
    rows: dict[str, list[dict[str, Any]]] = {
        "products": [{"product": "loaf", "price": 100.0, "kind": "finished", "shelf_life_days": days}],
        "sites": [{"site": "bakery"}, {"site": "shop"}],
        "lines": [{"line": "oven", "site": "bakery", "hours_per_week": 100.0}],
        "recipes": [
            {"recipe": "bake", "product": "loaf", "line": "oven", "hours_per_unit": 1.0, "cost_per_unit": 1.0}
            | ({"setup_cost": 50.0} if sold_at == "bakery" else {})
        ],
        "lanes": [
            {"lane": a + b, "from_site": a, "to_site": b, "cost_per_order": 50.0}
            for a, b in (("bakery", "shop"), ("shop", "bakery"))
        ],
        "economics": [{"product": "loaf", "holding_cost_per_unit_week": 0.1, "late_cost_per_unit_week": 20.0}],
        "demand": [
            {"demand": f"d{t}", "product": "loaf", "market": sold_at, "due": MONDAY + timedelta(weeks=t), "units": 10.0}
            for t in range(4)
        ],
    }
    tables = {name: in_state_schema(name, pa.Table.from_pylist(own)) for name, own in rows.items()}
    chain = ChainSettings("t", horizon_buckets=4, path_count=1)
    return state_of_tables(chain, chain.calendar.midnight(MONDAY), tables)


@pytest.mark.parametrize("most_nodes", [0, None])
@pytest.mark.parametrize("sold_at", ["bakery", "shop"])
@pytest.mark.parametrize(("days", "lots"), [(None, 1), (7.0, 2), (14.0, 2), (0.0, 4)])
def test_a_lot_of_what_is_sold_is_for_no_longer_than_it_keeps(
    days: float | None, lots: int, sold_at: str, most_nodes: int | None
) -> None:
    """A fixed 50 saves more than weeks of holding; what would go bad on the way to its day is none of a lot, whether
    HiGHS looks for better lots or not."""
    with searched_once(most_nodes):
        result = run_cycle(two_bakeries(days, sold_at), nothing_learnt(), (), 0)
    kind = "make" if sold_at == "bakery" else "move"
    made = [o.units for o in result.plan.orders if o.kind == kind]
    assert sum(made) == 40.0 and len(made) == lots
    assert sum(row["wasted_units"] for row in result.clearing.flow.to_pylist()) == 0.0
    assert result.clearing.cost["late"] + result.clearing.cost["lost"] == 0.0


def told_bad(result: CycleResult, product: str) -> dict[tuple[str, str], float]:
    """What the reasons of a product's orders say goes bad: units by the day they start and the bucket at whose end."""
    found: dict[tuple[str, str], float] = {}
    for order in result.plan.orders:
        for cause in order.causes if order.product == product else ():
            if cause.text.key == "plan.cause.goes_bad":
                params = dict(cause.text.params)
                found[str(order.start), dict(params["when"].params)["day"].isoformat()] = params["units"]
    return found


def test_an_order_says_what_of_it_goes_bad_and_when() -> None:
    """Of 30 that come in the first week 10 are used in each of two, and of 30 of the third in each of two."""
    result = run_cycle(bakery(7.0, min_order_units=30.0), nothing_learnt(), (), 0)
    weeks = [(MONDAY + timedelta(weeks=t)).isoformat() for t in range(4)]
    assert told_bad(result, "flour") == {(weeks[0], weeks[1]): 10.0, (weeks[2], weeks[3]): 10.0}
    (first, *_) = (o for o in result.plan.orders if o.product == "flour")
    assert "of these 10 will have gone bad at the end of the week of 2026-01-12" in sentence(first, "en")
    assert "报废" in sentence(first, "zh")
    # All 80 that go bad lay there already: no order is for them.
    assert told_bad(run_cycle(bakery(7.0, 100.0), nothing_learnt(), (), 0), "flour") == {}


def with_rules(made: RandomChain) -> RandomChain | None:
    """A random chain with smallest deliveries, groups, shelf lives and substitutes, or some of them; None: none."""
    random = np.random.default_rng(made.seed)
    tables = {name: [dict(row) for row in rows] for name, rows in made.tables.items()}
    chosen: Sequence[bool] = (random.random(4) < 0.5).tolist()
    asked = tables.get("demand", [])
    for row in asked if chosen[0] else ():
        if random.random() < 0.4:
            row["min_delivery_units"] = float(random.integers(1, max(2, int(row["units"]))))
    for at in random.permutation(len(asked))[:3].tolist() if chosen[1] else ():
        asked[at]["delivery_group"] = "together"
    for row in tables["products"] if chosen[2] else ():
        if random.random() < 0.6:
            row["shelf_life_days"] = float(random.integers(0, 15))
    finished = [row["product"] for row in tables["products"] if row["kind"] == "finished"]
    if chosen[3] and len(finished) > 1:
        tables["substitutes"] = [{"product": finished[0], "substitute": finished[1], "cost_per_unit": 1.0}]
    return replace(made, tables=tables) if any(chosen) else None


@pytest.mark.parametrize("seed", range(24))
def test_a_chain_runs_whatever_its_rules(seed: int) -> None:
    """The product's own referee holds the orders to every rule: shelf life, smallest deliveries, stocks, hours."""
    made = with_rules(random_chain(seed))
    if made is None:
        return
    try:
        with searched_of_every(4, seed):
            result = run_cycle(made.state, nothing_learnt(), (), 0)
    except NoPlan:
        return
    clearing = result.clearing
    gone: dict[str, float] = defaultdict(float)
    for row in clearing.flow.to_pylist():
        gone[row["product"]] += row["wasted_units"]
    for row in made.tables["products"]:
        said = sum(told_bad(result, row["product"]).values())
        assert said <= gone[row["product"]] + 0.05 * len(result.plan.orders), row["product"]
    total = sum(clearing.cost.values())
    assert clearing.lower_bound <= total + 1e-6 * max(abs(total), 1.0)
