"""Lots on random small chains: the integer programme against enumeration, against the plan stage, and every bound."""

from datetime import UTC, date, datetime, timedelta
from itertools import product as every

import numpy as np
import pyarrow as pa
import pytest

import datong
from datong.balance import exact_lots, highs, leftovers
from datong.balance.bound import lower_bound
from datong.balance.evaluate import evaluate, supply_of
from datong.balance.pack import pack
from datong.balance.rules.max_lateness import turn_away_overdue
from datong.balance.solution import Limits, Solution
from datong.balance.solvers import better_lots, cleared, in_orders
from datong.connectors.files.starter import write_starter
from datong.ledger.state import state_of_tables
from datong.lots_put_off import started_by
from datong.model.flow import Forecast, Item, nothing_learnt
from datong.model.settings import ChainSettings
from datong.network.facts import chain_facts
from datong.network.position import position
from datong.network.whole_units import whole_products
from datong.plan.choose_lots import choose
from planning import decided
from small_chain import chain, demand, press

START = date(2026, 1, 5)
EXACT = {**highs.OPTIONS, "mip_max_nodes": 2000}


def random_chain(seed, products=3, weeks=5, parts=True):
    """State and given demand of 1-3 products on two lines, short of hours, and a bought part of each with an MOQ."""
    random = np.random.default_rng(seed)
    count = int(random.integers(1, products + 1))
    sold, bought = [f"P{i}" for i in range(count)], [f"Q{i}" for i in range(count)] if parts else []
    price = random.uniform(20, 60, count).round(2)
    asked = random.poisson(random.uniform(2, 9), (count, weeks)).astype(float)
    ways = [(p, k) for p in sold for k in range(random.integers(1, 3))]
    n, m = len(ways), len(bought)
    hours = random.uniform(0.5, 1.5, n).round(2)
    load = float(asked.sum() / weeks)
    given = {
        "products": pa.table(
            {
                "product": sold + bought,
                "kind": ["finished"] * count + ["material"] * m,
                "price": pa.array([*price, *[None] * m], pa.float64()),
            }
        ),
        "economics": pa.table(
            {
                "product": sold + bought,
                "holding_cost_per_unit_week": random.uniform(0.05, 0.4, count + m).round(3),
                "late_cost_per_unit_week": pa.array([*(price * 0.1), *[None] * m], pa.float64()),
                "lost_sale_cost_per_unit": pa.array([*price, *[None] * m], pa.float64()),
            }
        ),
        "lines": pa.table({"line": ["A", "B"], "hours_per_week": (load * random.uniform(0.4, 1.0, 2)).round(1)}),
        "recipes": pa.table(
            {
                "recipe": [f"{p}/{k}" for p, k in ways],
                "product": [p for p, _ in ways],
                "line": random.choice(["A", "B"], n).tolist(),
                "hours_per_unit": hours,
                "cost_per_unit": random.uniform(3, 9, n).round(2),
                "lead_days": 7.0 * random.integers(0, 2, n),
                "yield_share": random.choice([1.0, 1.0, 0.9], n),
                "setup_hours": random.choice([0.0, 0.3, 1.0], n),
                "setup_cost": random.choice([0.0, 4.0, 15.0], n),
                "min_lot_units": random.choice([0.0, 3.0, 7.0], n),
                "lot_multiple_units": random.choice([0.0, 2.0, 5.0], n),
            }
        ),
        "stock": pa.table(
            {
                "happened_at": pa.array([datetime(2026, 1, 5, tzinfo=UTC)] * (count + m), pa.timestamp("us", tz="UTC")),
                "product": sold + bought,
                "units": random.integers(0, 12, count + m).astype(float),
            }
        ),
    }
    if parts:
        given["components"] = pa.table({"product": sold, "component": bought, "units_per_unit": [1.0] * count})
        given["offers"] = pa.table(
            {
                "offer": [f"{q}/V" for q in bought],
                "product": bought,
                "price": random.uniform(1, 5, m).round(2),
                "lead_days": 7.0 * random.integers(0, 2, m),
                "min_order_units": random.choice([0.0, 10.0], m),
                "lot_multiple_units": random.choice([0.0, 4.0], m),
            }
        )
    late = int(random.choice([14, 70]))
    settings = ChainSettings("mill", bucket="week", start=START, horizon_buckets=weeks, max_late_days=late)
    demand = {
        "demand": [f"d{i}-{t}" for i in range(count) for t in range(weeks)],
        "product": [p for p in sold for _ in range(weeks)],
        "due": [START + timedelta(days=7 * t) for _ in sold for t in range(weeks)],
        "units": asked.ravel(),
    }
    state = state_of_tables(settings, datetime(2026, 1, 5, tzinfo=UTC), given | {"demand": pa.table(demand)})
    items, starts = tuple(Item(p, "all") for p in sold), settings.calendar.starts(START, weeks)
    none = np.zeros(count)
    method = ("given",) * count
    return state, Forecast(items, starts, asked[:, None], method, none.astype(np.int64), none.astype(bool))


def packed(state, demand):
    """Market and the lot rules of its ways."""
    market = pack(state, demand, nothing_learnt(), position(state))
    whole = whole_products(state, demand, chain_facts(state, demand.bucket_starts, nothing_learnt(), demand.items))
    return market, exact_lots.lot_rules(market, np.array([whole[p] for p in market.products.names], dtype=bool))


def of_plan_stage(state, demand, market):
    """The plan stage's lots for the market in any quantities, as (way, bucket) units, and what these orders do."""
    linear = cleared(market)
    started = started_by(linear, choose(state, demand, linear.tables(demand), nothing_learnt()).lots)
    return started, in_orders(linear, started, (started > 1e-6).astype(float))


def waiting_cost(market, rules, started):
    """Cost of starts whose demand waits for them, checked for every rule of lots by `cost_in_lots`."""
    none = np.zeros(market.demand.sure.shape)
    lots = (started > 1e-6).astype(float)
    away = turn_away_overdue(market, supply_of(market, started, none), none)
    exact_lots.cost_in_lots(market, rules, Solution(started, none, away, None, "", 0), lots)
    whole = market.deliverable(supply_of(market, started, none), market.demand.product)
    away = turn_away_overdue(market, whole, none)
    return sum(evaluate(market, started, none, away, lots=lots, whole=True).cost.values())


def test_lots_of_the_integer_programme_cost_no_more_than_those_of_the_plan_stage():
    """Both costed by one code, which refuses a plan that breaks a rule; bounds in order, and the optimum proven. The
    plan stage's lots cost no more with the deliveries chosen for them than where demand simply waits."""
    dearer = closer = 0
    plans = optima = 0.0
    for seed in range(40):
        state, demand = random_chain(seed, products=2, weeks=4)
        market, rules = packed(state, demand)
        linear = highs.solve(market)
        bound = lower_bound(market, linear.prices)
        start, given_out = of_plan_stage(state, demand, market)
        plain = given_out.total_cost
        waits = waiting_cost(market, rules, start)
        assert plain <= waits + 1e-6 * max(abs(waits), 1.0), seed
        found = exact_lots.solve(market, rules, start, options=EXACT)
        scale = 1e-6 * max(abs(found.total_cost), 1.0)
        assert found.total_cost <= plain + scale, seed
        assert bound <= found.bound + scale, seed
        assert found.bound <= found.total_cost + scale, seed
        assert plain >= found.bound - scale, seed
        plans += plain - bound
        optima += found.total_cost - bound
        dearer += plain > found.total_cost * (1 + 1e-6)
        closer += found.bound > bound + scale
    assert dearer > 12 and closer > 24
    assert plans < 1.5 * optima  # over the bound of the market without lots


@pytest.mark.parametrize("seed", range(12))
def test_the_integer_programme_finds_what_enumeration_finds(seed):
    """One product over three weeks: all starts in whole steps up to what is asked for and one lot more."""
    state, demand = random_chain(1000 + seed, products=1, weeks=3, parts=False)
    market, rules = packed(state, demand)
    cells = np.argwhere(market.ways.is_open)
    if len(cells) > 3:
        cells = cells[:3]
        for way, t in np.argwhere(market.ways.is_open)[3:]:
            market.ways.limit[way, t] = 0.0
    most = market.demand.cumulative[0].max() + rules.smallest.max() + rules.step.max()
    least = np.inf
    choices = []
    for way, _ in cells:
        step = max(rules.step[way], 1.0)
        choices.append([0.0, *np.arange(max(rules.smallest[way], step), most + step, step)])
    for units in every(*choices):
        started = np.zeros(market.ways.is_open.shape)
        started[tuple(cells.T)] = units
        setups = (started > 0) * 1.0
        hours = np.zeros(market.lines.hours.shape)
        taken = started * market.ways.hours[:, None] + setups * rules.setup_hours[:, None]
        np.add.at(hours, market.ways.line, taken)
        if (hours > market.lines.hours + 1e-9).any():
            continue
        none = np.zeros(market.demand.sure.shape)
        away = turn_away_overdue(market, supply_of(market, started, none), none)
        cost = sum(evaluate(market, started, none, away).cost.values())
        least = min(least, cost + float(setups.sum(axis=1) @ rules.setup_cost))
    found = exact_lots.solve(market, rules, options=EXACT)
    if "maximum lateness" not in market.rule_names and (market.demand.sure == 0).all():
        assert found.total_cost == pytest.approx(least, rel=1e-6)
    assert found.total_cost <= least + 1e-6
    assert found.bound == pytest.approx(found.total_cost, rel=1e-4)


def test_the_answer_is_never_dearer_than_the_lots_it_begins_with():
    state, demand = random_chain(3)
    market, rules = packed(state, demand)
    start, given_out = of_plan_stage(state, demand, market)
    found = better_lots(given_out, rules, Limits(0.0))
    assert found.total_cost <= given_out.total_cost <= waiting_cost(market, rules, start) + 1e-6
    assert given_out.bound - 1e-6 <= found.bound <= found.total_cost + 1e-6
    assert found.solution.door == "integer"


def test_a_large_chain_keeps_the_lots_it_begins_with(monkeypatch):
    state, demand = random_chain(3)
    market, _ = packed(state, demand)
    start, given_out = of_plan_stage(state, demand, market)
    monkeypatch.setattr("datong.balance.solvers.INTEGER_UP_TO", 1)
    decision = decided(state, demand)
    assert decision.given_out.solution.door != "integer"
    np.testing.assert_array_equal(decision.given_out.solution.started, start)
    assert decision.given_out.total_cost == pytest.approx(given_out.total_cost)


def test_what_is_rounding_leaves_no_room_for_a_cheaper_plan():
    found = exact_lots._Found(np.zeros(0), -666.9019374999996, -666.9019374999996)
    assert not exact_lots._leaves_room(-666.9019374999999, found, 0.0)
    assert exact_lots._leaves_room(-666.902, found, 0.0)
    assert not exact_lots._leaves_room(-666.902, found, 0.01)


def test_whole_units_are_not_sought_anew_where_the_first_search_met_its_bound(tmp_path, monkeypatch):
    """The starter, of which the lots of the first search are whole units and lie 3e-13 above its bound of -667."""
    write_starter(tmp_path / "chain", "en")
    rows = [f"s{i},2026-02-{i:02d},BAG-01,{1 + i % 3}" for i in range(1, 21)]
    (tmp_path / "chain" / "sales.csv").write_text("\n".join(["sale,happened_at,product,units", *rows]) + "\n")
    searches, searched = [], exact_lots._Lots._searched

    def counted(self, begun, search, fixed=None):
        searches.append(len(search.whole))
        return searched(self, begun, search, fixed)

    monkeypatch.setattr(exact_lots._Lots, "_searched", counted)
    with datong.open(tmp_path / "chain") as chain:
        chain.run()
    assert len(searches) == 1


def test_what_lots_eat_is_off_the_bound_of_the_market_without_them():
    """Random chains whose lots take components that lie there, are bought or are made: the best plan in lots is never
    below the market in any quantities less `most_saved`, and with some it is below that market."""
    below, tight = 0, 0
    for seed in range(24):
        random = np.random.default_rng(seed)
        given = press(hours_per_unit=0.5, setup_cost=float(random.choice([0.0, 5.0])))
        given["products"] = [{"product": p, "price": 20.0, "kind": k} for p, k in (("A", "finished"), ("C", "semi"))]
        given["products"].append({"product": "D", "price": 5.0, "kind": "material"})
        per_lot, per_unit = float(random.choice([2.0, 5.0])), float(random.choice([0.0, 1.0]))
        given["components"] = [{"product": "A", "component": "C", "units_per_unit": per_unit, "units_per_lot": per_lot}]
        if seed % 2:
            made = given["recipes"][0] | {"recipe": "C/L", "product": "C", "setup_cost": 0.0, "min_lot_units": 6.0}
            given["recipes"].append(made)
            given["components"].append({"product": "C", "component": "D", "units_per_unit": 1.0, "units_per_lot": 0.0})
        offers = [{"offer": "o" + p, "product": p, "price": 4.0, "min_order_units": 7.0} for p in "CD"]
        given["offers"] = offers[int(random.integers(0, 2)) :]
        day = datetime(2023, 12, 31, tzinfo=UTC)
        stock = {p: (0.0, 3.0, 12.0, 40.0)[int(random.integers(0, 4))] if seed % 4 else 0.0 for p in "CD"}
        given["stock"] = [{"happened_at": day, "product": p, "units": units} for p, units in stock.items()]
        holding = {"C": float(random.uniform(0.5, 1.0)), "D": float(random.uniform(0.1, 0.5))}  # no more than of A
        usual = given["economics"][0]
        given["economics"] += [usual | {"product": p, "holding_cost_per_unit_week": h} for p, h in holding.items()]
        state = chain(4, **given)
        asked = demand(state, A=[random.poisson(3.0, 4).astype(float)])
        market, rules = packed(state, asked)
        best = exact_lots.solve(market, rules, options=EXACT)
        without = cleared(market).bound
        less = market.rules.per_lot.most_saved(market)
        assert without - less <= best.bound + 1e-6 * max(abs(best.bound), 1.0)
        below, tight = below + (without > best.total_cost + 1e-6), tight + (less == 0.0)
    assert below > 0
    assert tight > 0


def test_what_lots_save_by_leftovers_is_off_the_bound_of_the_market_without_them():
    """Random chains with a component that is dearer to hold than what is made of it, through one level or two: the best
    plan in lots is never below the market in any quantities less `most_saved`, and with some it is below that market;
    where no component is dearer nothing is off."""
    below, nothing = 0, 0
    for seed in range(24):
        random = np.random.default_rng(seed)
        given = press(hours_per_unit=0.5, setup_cost=5.0, yield_share=float(random.choice([1.0, 0.5])))
        given["products"] = [{"product": p, "price": 20.0, "kind": k} for p, k in (("A", "finished"), ("C", "semi"))]
        given["products"].append({"product": "D", "price": 5.0, "kind": "material"})
        given["recipes"].append(given["recipes"][0] | {"recipe": "C/L", "product": "C", "min_lot_units": 6.0})
        rows = [("A", "C", 1.0), ("A", "D", 1.0), ("C", "D", 2.0)]
        rows = rows if seed % 2 else [row for row in rows if row[0] != "A" or row[1] != "D"]
        given["components"] = [{"product": p, "component": c, "units_per_unit": units} for p, c, units in rows]
        given["offers"] = [{"offer": "oD", "product": "D", "price": 4.0, "min_order_units": 7.0}]
        day = datetime(2023, 12, 31, tzinfo=UTC)
        stock = {p: (0.0, 3.0, 12.0, 40.0)[int(random.integers(0, 4))] for p in "CD"}
        given["stock"] = [{"happened_at": day, "product": p, "units": units} for p, units in stock.items()]
        dear = 20.0 if seed % 3 else 0.1
        holding = {"C": float(random.uniform(0.1, dear)), "D": float(random.uniform(0.1, dear))}
        usual = given["economics"][0]
        given["economics"] += [usual | {"product": p, "holding_cost_per_unit_week": h} for p, h in holding.items()]
        state = chain(4, **given)
        market, rules = packed(state, demand(state, A=[random.poisson(3.0, 4).astype(float)]))
        best = exact_lots.solve(market, rules, options=EXACT)
        without, less = cleared(market).bound, leftovers.most_saved(market)
        assert without - less <= best.bound + 1e-6 * max(abs(best.bound), 1.0)
        below, nothing = below + (without > best.total_cost + 1e-6), nothing + (less == 0.0)
    assert below > 0
    assert nothing > 0
