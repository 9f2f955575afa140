"""Chains with lanes: the market of stock points against a programme written out by product, site and week."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from scipy.optimize import linprog

from datong.balance import highs
from datong.balance.avoidable import unavoidable_cost
from datong.balance.bound import lower_bound
from datong.balance.evaluate import evaluate
from datong.balance.pack import pack
from datong.balance.solution import Prices
from datong.balance.solvers import balance
from datong.ledger.state import state_of_tables
from datong.model.errors import Refused
from datong.model.flow import Forecast, Item, nothing_learnt
from datong.model.settings import ChainSettings
from datong.network.position import position
from planning import decided, plan
from searched import searched_once

MONDAY = date(2024, 1, 1)
SITES = ("F", "G", "S", "T")
HOLDING, LATE, LOST = 0.5, 4.0, 60.0


def random_tables(seed):
    """Two products at four sites: recipes at F and G, A of two Q, any lanes between them, circles too; stock."""
    random = np.random.default_rng(seed)
    buckets = int(random.integers(2, 6))
    pairs = [(a, b) for a in SITES for b in SITES if a != b]
    chosen = [pairs[i] for i in random.choice(len(pairs), int(random.integers(3, 9)), replace=False)]
    lanes = [
        {
            "lane": f"{a}{b}",
            "from_site": a,
            "to_site": b,
            "product": random.choice([None, None, "A", "Q"]),
            "lead_days": float(random.choice([0, 0, 7, 14])),
            "cost_per_unit": float(random.choice([0.0, 1.0, 2.5])),
            "units_per_week": random.choice([None, 6.0, 15.0]),
        }
        for a, b in chosen
    ]
    recipes = [
        {
            "recipe": f"{p}/{line}",
            "product": p,
            "line": line,
            "hours_per_unit": 1.0,
            "cost_per_unit": float(random.uniform(1, 9)),
            "lead_days": float(random.choice([0, 7])),
        }
        for p in ("A", "Q")
        for line in ("LF", "LG")
        if random.random() < 0.8 or line == "LF"
    ]
    markets = [m for m in ("S", "T", "G") if random.random() < 0.6] or ["S"]
    sold = [("A", m) for m in markets] + ([("Q", "T")] if random.random() < 0.4 else [])
    tables = {
        "products": [{"product": "A", "kind": "finished"}, {"product": "Q", "kind": "component"}],
        "sites": [{"site": s} for s in SITES],
        "lines": [
            {"line": "LF", "site": "F", "hours_per_week": float(random.uniform(10, 40))},
            {"line": "LG", "site": "G", "hours_per_week": float(random.uniform(10, 40))},
        ],
        "recipes": recipes,
        "components": [{"product": "A", "component": "Q", "units_per_unit": 2.0}],
        "lanes": lanes,
        "economics": [
            {
                "product": p,
                "holding_cost_per_unit_week": HOLDING,
                "late_cost_per_unit_week": LATE,
                "lost_sale_cost_per_unit": LOST,
            }
            for p in "AQ"
        ],
        "stock": [
            {
                "happened_at": datetime(2023, 12, 31, tzinfo=UTC),
                "product": str(random.choice(["A", "Q"])),
                "site": s,
                "units": float(random.integers(1, 12)),
            }
            for s in SITES
            if random.random() < 0.5
        ],
        "demand": [{"demand": f"{p}{m}", "product": p, "market": m, "due": MONDAY, "units": 0.0} for p, m in sold],
    }
    units = {Item(p, m): random.integers(0, 12, buckets).astype(float) for p, m in sold}
    return tables, dict(sorted(units.items())), buckets


def state_and_demand(tables, units, buckets):
    settings = ChainSettings("test", horizon_buckets=buckets)
    given = {name: pa.Table.from_pylist(rows) for name, rows in tables.items() if rows}
    state = state_of_tables(settings, datetime(2024, 1, 1, tzinfo=UTC), given)
    zero = np.zeros(len(units))
    starts = settings.calendar.starts(MONDAY, buckets)
    paths = np.array(list(units.values()))[:, None, :]
    names = ("given",) * len(units)
    return state, Forecast(tuple(units), starts, paths, names, zero.astype(np.int64), zero.astype(bool))


def written_out(tables, units, buckets):
    """The optimum of the same chain as one programme over (product, site, week), with scipy.

    Stock, backlog B and lost U where asked: in + stock(t-1) - out - sold = stock(t); B(t) = B(t-1) + asked - sold - U.
    Each lane takes what leaves in a week; what is on the way is held; B is lost at the end.
    """
    columns, cost, upper, rows, right, limits = {}, [], [], {}, {}, {}

    def column(name, money, most=np.inf):
        columns[name] = len(cost)
        cost.append(money)
        upper.append(most)
        return columns[name]

    def add(row, at, value, into=rows):
        into.setdefault(row, {})[at] = into.setdefault(row, {}).get(at, 0.0) + value

    lead = {True: 1, False: 0}
    of_line = {"LF": "F", "LG": "G"}
    hours = {r["line"]: r["hours_per_week"] for r in tables["lines"]}
    for p in "AQ":
        for s in SITES:
            for t in range(buckets):
                i = column(("stock", p, s, t), HOLDING)
                add((p, s, t), i, -1.0)
                if t + 1 < buckets:
                    add((p, s, t + 1), i, 1.0)
                right[p, s, t] = 0.0
    for r in tables["stock"]:
        right[r["product"], r["site"], 0] -= r["units"]
    for r in tables["recipes"]:
        for t in range(buckets):
            arrive = t + lead[r["lead_days"] > 0]
            if arrive < buckets:
                i = column(("make", r["recipe"], t), r["cost_per_unit"])
                add((r["product"], of_line[r["line"]], arrive), i, 1.0)
                add((r["line"], t), i, 1.0, limits)
                if r["product"] == "A":
                    add(("Q", of_line[r["line"]], t), i, -2.0)
    for r in tables["lanes"]:
        weeks = int(np.ceil(r["lead_days"] / 7))
        for p in "AQ" if r["product"] is None else r["product"]:
            for t in range(buckets - weeks):
                i = column(("move", r["lane"], p, t), r["cost_per_unit"] + HOLDING * weeks)
                add((p, r["from_site"], t), i, -1.0)
                add((p, r["to_site"], t + weeks), i, 1.0)
                add((r["lane"], t), i, 1.0, limits)
    for (p, s), asked in units.items():
        for t in range(buckets):
            sold = column(("sold", p, s, t), 0.0)
            back = column(("back", p, s, t), LATE + (LOST if t == buckets - 1 else 0.0))
            away = column(("away", p, s, t), LOST, float(asked[t]))
            add((p, s, t), sold, -1.0)
            for at, value in ((sold, 1.0), (back, 1.0), (away, 1.0)):
                add(("owed", p, s, t), at, value)
            if t + 1 < buckets:
                add(("owed", p, s, t + 1), back, -1.0)
            right["owed", p, s, t] = float(asked[t])
    most = hours | {r["lane"]: np.inf if r["units_per_week"] is None else r["units_per_week"] for r in tables["lanes"]}

    def matrix(of):
        found = np.zeros((len(of), len(cost)))
        for n, row in enumerate(of.values()):
            found[n, list(row)] = list(row.values())
        return found

    capped = {name: row for name, row in limits.items() if np.isfinite(most[name[0]])}
    found = linprog(
        cost,
        A_ub=matrix(capped) if capped else None,
        b_ub=[most[name[0]] for name in capped] if capped else None,
        A_eq=matrix(rows),
        b_eq=[right[row] for row in rows],
        bounds=[(0, None if np.isinf(u) else u) for u in upper],
    )
    assert found.status == 0, found.message
    return found.fun


def test_a_chain_with_lanes_costs_what_the_programme_written_out_costs():
    circles = 0
    for seed in range(45):
        tables, units, buckets = random_tables(seed)
        state, forecast = state_and_demand(tables, units, buckets)
        clearing = balance(state, forecast, nothing_learnt())
        expected = written_out(tables, units, buckets)
        assert clearing.total_cost == pytest.approx(expected, rel=1e-6, abs=1e-5), seed
        assert clearing.lower_bound == pytest.approx(expected, rel=1e-6, abs=1e-5), seed
        circles += pack(state, forecast, nothing_learnt(), position(state)).has_circles
    assert circles > 20


def test_planned_orders_keep_every_rule_at_every_site():
    """Orders followed week by week: no line or lane beyond what it has, no stock below zero anywhere, whole units; and
    what they bring to the markets is worth what they cost: most of what the clearing serves is there."""
    moved = served = cleared = 0.0
    for seed in range(30):
        tables, units, buckets = random_tables(seed)
        if seed % 3 == 0:  # a market that is no site: several sites may serve it
            units = dict(sorted({Item("A", "all"): units.pop(next(iter(units))), **units}.items()))
        state, forecast = state_and_demand(tables, units, buckets)
        clearing = balance(state, forecast, nothing_learnt())
        planned = plan(state, forecast)
        stock = {(p, s): np.zeros(buckets) for p in "AQ" for s in SITES}
        for r in tables["stock"]:
            stock[r["product"], r["site"]][0] += r["units"]
        taken = {r["line"]: np.zeros(buckets) for r in tables["lines"]}
        taken |= {r["lane"]: np.zeros(buckets) for r in tables["lanes"]}
        leads = {r["lane"]: int(np.ceil(r["lead_days"] / 7)) for r in tables["lanes"]}
        leads |= {r["recipe"]: int(r["lead_days"] > 0) for r in tables["recipes"]}
        for o in planned.orders:
            t = (o.start - MONDAY).days // 7
            assert o.units == round(o.units), seed
            taken[o.line or o.lane][t] += o.units
            stock[o.product, o.site][t + leads[o.recipe or o.lane]] += o.units
            if o.kind == "move":
                stock[o.product, o.from_site][t] -= o.units
                moved += o.units
            elif o.product == "A":
                stock["Q", o.site][t] -= 2 * o.units
        for r in tables["lines"]:
            assert taken[r["line"]].max() <= r["hours_per_week"] + 1e-6, seed
        for r in tables["lanes"]:
            assert taken[r["lane"]].max() <= (r["units_per_week"] or np.inf) + 1e-6, seed
        for place, units_there in stock.items():
            assert np.cumsum(units_there).min() >= -1e-6, (seed, place)
        for (p, s), asked in units.items():
            if s in SITES:
                served += min(stock[p, s].sum(), asked.sum())
        rows = clearing.gaps.to_pylist()
        cleared += sum(r["served_units"] for r in rows if r["market"] in SITES)
    assert moved > 500
    assert served > 0.93 * cleared


def test_the_door_of_prices_refuses_circles_and_auto_takes_the_other():
    tables, units, buckets = random_tables(1)
    tables["lanes"] = [{"lane": a + b, "from_site": a, "to_site": b} for a, b in (("F", "S"), ("S", "F"))]
    state, forecast = state_and_demand(tables, units, buckets)
    assert balance(state, forecast, nothing_learnt()).door == "highs"
    with pytest.raises(Refused, match="circle"):
        balance(state, forecast, nothing_learnt(), door="prices")


def test_the_door_of_prices_ships_as_well_as_the_exact_one():
    """Within the gap asked for, and never better than what is best; stock that nobody can use has a price, too."""
    compared = shared = 0
    for seed in range(80):
        tables, units, buckets = random_tables(seed)
        if seed % 3 == 0:  # a market that is no site: several sites may serve it
            units = dict(sorted({Item("A", "all"): units.pop(next(iter(units))), **units}.items()))
        state, forecast = state_and_demand(tables, units, buckets)
        market = pack(state, forecast, nothing_learnt(), position(state))
        if market.has_circles:
            continue
        least = balance(state, forecast, nothing_learnt(), door="highs").total_cost
        found = balance(state, forecast, nothing_learnt(), door="prices")
        near = 1e-4 * least
        assert found.lower_bound <= least + 1e-9 * least and found.total_cost >= least - 1e-9 * least, seed
        avoidable = max(found.total_cost - unavoidable_cost(market), 0.0)
        assert found.total_cost - found.lower_bound <= 0.01 * avoidable + near, seed
        compared += 1
        shared += bool(market.products.is_component[market.demand.product].any())
    assert compared > 20 and shared > 5


def test_any_prices_bound_a_chain_with_lanes_from_below():
    for seed in range(30):
        tables, units, buckets = random_tables(seed)
        if seed % 2:  # demand that goes on beyond the horizon: what is left is worth something
            tables["demand"] = []
        state, forecast = state_and_demand(tables, units, buckets)
        market = pack(state, forecast, nothing_learnt(), position(state))
        best = highs.solve(market)
        total = sum(evaluate(market, best.started, best.issued, best.turned_away).cost.values())
        random = np.random.default_rng(seed)
        for spread in (0.0, 0.1, 1.0, 10.0):
            noise = [spread * random.standard_normal(a.shape) for a in (best.prices.line, best.prices.limit)]
            away = best.prices.turned_away + spread * random.standard_normal(best.prices.turned_away.shape)
            component = best.prices.component + spread * random.standard_normal(best.prices.component.shape)
            wild = Prices(best.prices.line + noise[0], best.prices.limit + noise[1], away, component)
            assert lower_bound(market, wild) <= total + 1e-6 * max(abs(total), 1.0), (seed, spread)
        if seed % 2 == 0:
            assert lower_bound(market, best.prices) == pytest.approx(total, rel=1e-6, abs=1e-5)


def test_a_transfer_never_arrives_before_it_left():
    """In a circle of lanes without any source nothing comes about, however the lanes go round."""
    tables, units, buckets = random_tables(1)
    tables["recipes"], tables["stock"] = [], []
    tables["offers"] = [{"offer": "X", "product": "A", "price": 1.0, "to_site": "F", "units_per_week": 0.0}]
    tables["lanes"] = [
        {"lane": a + b, "from_site": a, "to_site": b, "lead_days": 0.0, "cost_per_unit": 0.0}
        for a, b in (("F", "G"), ("G", "S"), ("S", "F"))
    ]
    tables["components"] = []
    units = {Item("A", "S"): np.full(buckets, 3.0)}
    state, forecast = state_and_demand(tables, units, buckets)
    clearing = balance(state, forecast, nothing_learnt())
    assert clearing.cost["lost"] == pytest.approx(LOST * 3 * buckets)
    assert (forecast.bucket_starts[1] - forecast.bucket_starts[0]) == timedelta(days=7)


@pytest.mark.parametrize("seed", [16, 20, 21, 35, 37, 39])
def test_where_lanes_cost_nothing_no_goods_go_there_and_back_at_once(seed):
    """In lots of three on lanes both ways, without cost or lead time, HiGHS looks for better lots: 111 of Q went from F
    to G and 129 from G to F on the same day, where 18 had to go."""
    tables, units, buckets = random_tables(seed)
    for lane in tables["lanes"]:
        lane |= {"lead_days": 0.0, "cost_per_unit": 0.0, "lot_multiple_units": 3.0}
    state, forecast = state_and_demand(tables, units, buckets)
    with searched_once(most_nodes=20):
        given_out = decided(state, forecast).given_out
    assert given_out.market.has_circles and given_out.solution.door == "integer"
    ways, started = given_out.market.ways.facts, given_out.solution.started
    moved = {
        (way.product, way.from_site, way.site, t)
        for way, own in zip(ways, started, strict=True)
        for t in np.flatnonzero(own > 1e-6).tolist()
        if way.kind == "move"
    }
    assert moved
    places = {(product.rpartition("@")[0], start, end, t) for product, start, end, t in moved}
    assert not {(product, end, start, t) for product, start, end, t in places} & places
