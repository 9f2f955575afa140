"""Slow against fast on random small chains: a plain loop of costs, both doors, and the bound from prices alone."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest

from datong.balance import dual as dual_module
from datong.balance import highs, price_search
from datong.balance.arrays import Lines
from datong.balance.bound import lower_bound
from datong.balance.dual import Dual
from datong.balance.evaluate import evaluate
from datong.balance.pack import pack_facts
from datong.balance.solution import Prices
from datong.balance.solvers import clear
from datong.balance.unit_prices import cleared_for_quotes
from datong.model.calendar import Calendar
from datong.model.flow import Forecast, Item
from datong.network.bills import ComponentUse
from datong.network.economics import Economics, honest_salvage
from datong.network.facts import ChainFacts
from datong.network.position import Position, UnderWay
from datong.network.way_arrays import unit_costs
from datong.network.ways import Way
from planning import served_in


def way(name, kind, product, **others):
    """A Way with nothing special but what is given."""
    numbers = ("hours_per_unit", "cost_per_unit", "setup_hours", "setup_cost", "min_units", "multiple_units")
    plain = dict.fromkeys(numbers, 0.0) | dict.fromkeys(("line", "valid_from", "valid_to"))
    plain |= {"lead_days": 0, "yield_share": 1.0, "units_per_week": np.inf, "uses": ()}
    return Way(name=name, kind=kind, product=product, **(plain | others))


def random_chain(seed, with_components=False):
    """A market of 1-4 products on 1-3 lines over 2-7 weeks, at most times short of hours, and its forecast."""
    random = np.random.default_rng(seed)
    buckets, paths = int(random.integers(2, 8)), int(random.choice([1, 5, 20]))
    starts = tuple(date(2024, 1, 1) + timedelta(days=7 * i) for i in range(buckets))
    lines = [f"L{i}" for i in range(random.integers(1, 4))]
    sold = [f"P{i}" for i in range(random.integers(1, 5))]
    parts = ["Q0", "Q1"] if with_components else []
    ways, economics = [], {}
    for product in sold + parts:
        price = float(random.uniform(5, 50)) * (0.2 if product in parts else 1.0)
        holding, late, lost = price * random.uniform([0.002, 0.01, 0.3], [0.02, 0.1, 1.0])
        economics[product] = Economics(
            price, holding, late, lost, lost * float(random.choice([0.7, 1.0])), float(random.choice([0.0, price]))
        )
        for k in range(random.integers(1, 4)):
            uses = ()
            if parts and product in sold:
                chosen = random.choice(parts, random.integers(0, 3), replace=False)
                uses = tuple(ComponentUse(str(c), float(random.choice([1, 2.5])), None, None) for c in sorted(chosen))
            ways.append(
                way(
                    f"{product}/{k}",
                    "make",
                    product,
                    line=str(random.choice(lines)),
                    hours_per_unit=float(random.uniform(0.2, 1)),
                    cost_per_unit=price * float(random.uniform(0.2, 0.5)),
                    lead_days=int(random.choice([0, 7])),
                    yield_share=float(random.choice([1, 0.9])),
                    uses=uses,
                )
            )
        if random.random() < 0.5 or product in parts:
            most = float(random.choice([np.inf, 10.0]))
            ways.append(
                way(f"{product}/x", "buy", product, cost_per_unit=price * 0.7, lead_days=7, units_per_week=most)
            )
    # A part is sometimes sold as it is, too.
    asked_of = sold + (["Q0"] if parts and random.random() < 0.3 else [])
    asked = {p: random.poisson(random.uniform(2, 30), size=(paths, buckets)).astype(float) for p in asked_of}
    load = sum(a.mean(axis=0).mean() for a in asked.values()) * 0.6 / len(lines)
    products = tuple(sorted(sold + parts))
    costs = unit_costs(products, ways, starts)
    for product, e in economics.items():
        economics[product] = replace(e, salvage=honest_salvage(e.salvage, costs[product], e.waiting_at_end))
    facts = ChainFacts(
        products,
        economics,
        tuple(sorted(ways, key=lambda w: (w.product, w.kind, w.name))),
        {name: np.full(buckets, load * random.uniform(0.5, 1.5)) for name in lines},
    )
    first = ways[0]
    under_way = (
        UnderWay("W1", "make", first.product, first.name, first.line, 5.0, starts[0], starts[1]),
        UnderWay("P1", "buy", sold[-1], None, None, 3.0, starts[0] - timedelta(days=9), starts[-1]),
    )
    where = Position({p: float(random.integers(0, 30)) for p in facts.products}, {}, {}, under_way)
    market = pack_facts(facts, where, asked, starts, Calendar("UTC", "week"), int(random.choice([0, 0, 1])))
    items = tuple(Item(p, "all") for p in asked)
    none, count = np.zeros(len(items)), len(items)
    return market, Forecast(
        items,
        starts,
        np.array([asked[i.product] for i in items]),
        ("x",) * count,
        none.astype(np.int64),
        none.astype(bool),
    )


def plain_cost(market, solution):
    """Expected cost by loops over products, paths and buckets; asserts hours, limits and stocks on the way."""
    buckets, names = market.buckets, market.products.names
    hours = {(line, t): 0.0 for line in range(len(market.lines)) for t in range(buckets)}
    stock = {p: list(market.stock.fixed[p]) for p in range(len(names))}
    total = 0.0
    for w, facts in enumerate(market.ways.facts):
        for t in range(buckets):
            units = solution.started[w, t]
            if units == 0:
                continue
            assert market.ways.is_open[w, t]
            assert units <= facts.units_per_week + 1e-6
            total += units * facts.cost_per_unit
            stock[market.ways.product[w]][t + market.ways.lead[w]] += units * facts.yield_share
            if facts.line is not None:
                hours[market.lines.names.index(facts.line), t] += units * facts.hours_per_unit
            for use in facts.uses:
                stock[names.index(use.component)][t] -= units * use.units_per_unit
    for (line, t), used in hours.items():
        assert used <= market.lines.hours[line, t] + 1e-6
    sold = {}
    for d, p in enumerate(market.demand.product):
        sold[p] = list(solution.issued[d]) if market.products.is_component[p] else stock.pop(p)
        if market.products.is_component[p]:
            for t in range(buckets):
                stock[p][t] -= solution.issued[d, t]
    for p, moves in stock.items():
        level = 0.0
        for t in range(buckets):
            level += moves[t]
            assert level > -1e-5
            total += market.money.holding[p] * level
        total -= market.money.salvage[p] * level
    for d, p in enumerate(market.demand.product):
        paths = market.demand.cumulative[d]
        total += market.money.lost_sale[p] * solution.turned_away[d].sum()
        for path in paths:
            supply = away = 0.0
            for t in range(buckets):
                supply += sold[p][t]
                away += solution.turned_away[d, t]
                left, waiting = max(supply + away - path[t], 0.0), max(path[t] - away - supply, 0.0)
                cost = market.money.holding[p] * left + market.money.late[p] * waiting
                if t == buckets - 1:
                    cost += market.money.waiting_at_end[p] * waiting - market.money.salvage[p] * left
                total += cost / len(paths)
    return total


@pytest.mark.parametrize("with_components", [False, True])
def test_cost_and_bound_of_the_exact_door(with_components):
    """With at most as many paths as breakpoints the programme is exact: cost, plain loop and bound are one number."""
    for seed in range(40):
        market, forecast = random_chain(seed, with_components)
        solution = highs.solve(market)
        clearing = clear(market, forecast, "highs")
        total = clearing.total_cost
        assert total == pytest.approx(plain_cost(market, solution), rel=1e-7, abs=1e-6), seed
        assert lower_bound(market, solution.prices) == pytest.approx(total, rel=1e-6, abs=1e-6), seed


@pytest.mark.parametrize("with_components", [False, True])
def test_doors_agree_within_their_certificates(with_components):
    for seed in range(15):
        market, forecast = random_chain(seed, with_components)
        exact, searched = clear(market, forecast, "highs"), clear(market, forecast, "prices")
        assert exact.lower_bound <= searched.total_cost + 1e-6, seed
        assert searched.lower_bound <= exact.total_cost + 1e-6, seed
        assert searched.total_cost - exact.total_cost <= searched.total_cost - searched.lower_bound + 1e-6, seed
        assert searched.gap_share < 0.03, seed
    solution = price_search.solve(market).solution
    assert searched.total_cost == pytest.approx(plain_cost(market, solution), rel=1e-7)


def test_without_anything_scarce_the_door_of_prices_is_exact_at_one_look():
    for seed in range(30):
        market, forecast = random_chain(seed)
        none = np.zeros((0, market.buckets))
        market = replace(
            market,
            lines=Lines(names=(), hours=none, hours_taken=none),
            rules=replace(market.rules, overtime=replace(market.rules.overtime, hours=none, cost=none)),
            ways=replace(
                market.ways,
                line=np.full(len(market.ways), -1),
                limit=np.where(market.ways.is_open, np.inf, 0.0),
            ),
            demand=replace(market.demand, sure=market.demand.sure * Dual(market).certain[:, None]),
        )
        exact, searched = clear(market, forecast, "highs"), clear(market, forecast, "prices")
        assert searched.iterations == 0
        assert searched.total_cost == pytest.approx(exact.total_cost, rel=1e-6, abs=1e-6), seed


def test_nobody_is_turned_away_where_it_cannot_pay():
    """The exact door, which may turn any sure buyer away, does so only where the door of prices has a price for it."""
    cells = 0
    for seed in range(100):
        market, _ = random_chain(seed)
        pays = Dual(market).turning_away_pays
        cells += int(((market.demand.sure > 0) & ~pays).sum())
        assert highs.solve(market).turned_away[~pays].max(initial=0.0) <= 1e-6, seed
    assert cells > 100


def soft_least(costs, heat):
    """-heat log sum exp(-cost / heat) of the finite ones; inf of none."""
    costs = [c for c in costs if np.isfinite(c)]
    if not costs:
        return np.inf
    least = min(costs)
    return least - heat * np.log(sum(np.exp(-(c - least) / heat) for c in costs))


def plain_dual(market, dual, price, temperature):
    """The smoothed dual in plain loops: costs of components first, then each unit of demand alone."""
    hours, limit, away, stock = dual.split(price)
    limits, aways = np.zeros(market.ways.limit.shape), np.zeros(market.demand.sure.shape)
    limits[dual.limited], aways[dual.away] = limit, away
    buckets = range(market.buckets)
    cost = np.full((len(market.products), market.buckets), np.inf)  # of a unit there in a bucket
    arriving = cost.copy()
    total = -float(price @ dual.amount)
    for p in np.argsort(dual.level, kind="stable"):
        heat = temperature * dual.scale[p]
        for t in buckets:
            choices = [stock[i] for i in range(len(stock)) if (dual.stock_product[i], dual.stock_bucket[i]) == (p, t)]
            for way in np.nonzero(market.ways.product == p)[0]:
                start = t - market.ways.lead[way]
                if start < 0 or not market.ways.is_open[way, start]:
                    continue
                unit = market.ways.cost[way] + limits[way, start]
                if market.ways.line[way] >= 0:
                    unit += market.ways.hours[way] * hours[start, market.ways.line[way]]
                for use in np.nonzero(market.uses.way == way)[0]:
                    if market.uses.is_open[use, start]:
                        unit += market.uses.units[use] * cost[market.uses.component[use], start]
                choices.append(unit / market.ways.yield_share[way])
            arriving[p, t] = soft_least(choices, heat)
            kept = cost[p, t - 1] + market.money.holding[p] if t > 0 else np.inf
            cost[p, t] = soft_least([arriving[p, t], kept], heat)
        if market.products.is_component[p]:
            total += sum(cost[p, t] * -market.stock.fixed[p, t] for t in buckets if market.stock.fixed[p, t] < 0)
    for block in dual.blocks:
        for n, p in enumerate(block.products):
            heat = temperature * dual.scale[p]
            if block.demand.width is not None:
                there = (cost[p] if market.products.is_component[p] else arriving[p]).copy()
                d = list(market.demand.product).index(p)
                for t in buckets:
                    away = market.money.lost_sale[p] + aways[d, t] if dual.away[d, t] else np.inf
                    there[t] = soft_least([there[t], away], heat)
                for j, width in enumerate(block.demand.width[:, n]):
                    total += width * soft_least([0.0, *(there + block.demand.after[:, j, n])], heat)
            elif block.demand.asked is not None:
                for due in buckets:
                    later = market.money.late[p] + market.money.waiting_at_end[p]
                    for t in range(market.buckets - 1, due, -1):
                        later = market.money.late[p] + soft_least([arriving[p, t], later], heat) if t > due else later
                    choices = [cost[p, due], later, market.money.lost_sale[p]]
                    total += block.demand.asked[due, n] * soft_least(choices, heat)
    return total


@pytest.mark.parametrize("block_products", [1, 1024])
def test_the_smoothed_dual_is_that_of_the_plain_loop_whatever_the_blocks(block_products, monkeypatch):
    monkeypatch.setattr(dual_module, "BLOCK_PRODUCTS", block_products)
    monkeypatch.setattr(dual_module, "BLOCK_NUMBERS", block_products)
    for seed in range(40):
        market, _ = random_chain(seed, with_components=seed % 4 > 0)
        dual = Dual(market)
        random = np.random.default_rng(seed)
        temperature = float(random.choice([0.5, 0.1]))
        price = dual.low + random.uniform(0, 0.5, dual.size) * dual.worth
        value, used = dual.value(price, temperature)
        assert value == pytest.approx(plain_dual(market, dual, price, temperature), rel=1e-9), seed
        for i in random.choice(dual.size, min(3, dual.size)):
            step = np.eye(1, dual.size, i)[0] * 1e-6
            slope = (dual.value(price + step, temperature)[0] - dual.value(price - step, temperature)[0]) / 2e-6
            assert used[i] - dual.amount[i] == pytest.approx(slope, rel=1e-3, abs=1e-4), seed


@pytest.mark.parametrize("threads", [1, 3])
def test_the_number_of_threads_changes_no_byte(threads, monkeypatch):
    monkeypatch.setattr(dual_module, "BLOCK_PRODUCTS", 1)
    monkeypatch.setattr(dual_module, "BLOCK_NUMBERS", 1)
    market, _ = random_chain(5, with_components=True)
    price = Dual(market).worth * 0.3
    dual = Dual(market, threads)
    assert len(dual.sold) > 1 and (dual.pool is not None) == (threads > 1)
    value, used = dual.value(price, 0.1)
    dual.close()
    again, used_again = Dual(market, 1).value(price, 0.1)
    assert (value, used.tobytes()) == (again, used_again.tobytes())


def test_any_prices_give_a_bound_below_any_plan():
    """Prices drawn at random bound the optimum from below; so do prices with noise on the best ones."""
    for seed in range(60):
        market, forecast = random_chain(seed, with_components=seed % 2 == 0)
        best = highs.solve(market)
        total = clear(market, forecast, "highs").total_cost
        random = np.random.default_rng(seed)
        for spread in (0.1, 1.0, 10.0):
            noise = [spread * random.standard_normal(a.shape) for a in (best.prices.line, best.prices.limit)]
            away = spread * random.standard_normal(best.prices.turned_away.shape)
            component = best.prices.component + spread * random.standard_normal(best.prices.component.shape)
            wild = Prices(best.prices.line + noise[0], best.prices.limit + noise[1], away, component)
            assert lower_bound(market, wild) <= total + 1e-6 * max(abs(total), 1.0), (seed, spread)


def test_worse_plans_cost_more_and_stay_above_the_bound():
    market, _ = random_chain(3)
    solution = highs.solve(market)
    bound = lower_bound(market, solution.prices)
    for share in (0.0, 0.5, 0.9):
        worse = replace(solution, started=solution.started * share)
        cost = evaluate(market, worse.started, worse.issued, worse.turned_away).cost
        assert sum(cost.values()) == pytest.approx(plain_cost(market, worse), rel=1e-9)
        assert sum(cost.values()) >= bound - 1e-6


def test_a_plan_that_breaks_a_rule_is_refused():
    market, _ = random_chain(3)
    solution = highs.solve(market)
    with pytest.raises(AssertionError, match=r"hours|allows"):
        evaluate(market, solution.started * 10 + 1, solution.issued, solution.turned_away)


def with_more(market, d, bucket, units):
    """The market with so many units more asked for on every path."""
    cumulative, sure = list(market.demand.cumulative), market.demand.sure.copy()
    cumulative[d] = cumulative[d].copy()
    cumulative[d][:, bucket:] += units
    sure[d, bucket] += units
    return replace(market, demand=replace(market.demand, cumulative=tuple(cumulative), sure=sure))


@pytest.mark.parametrize("with_components", [False, True])
def test_a_quote_is_what_a_little_of_the_order_costs(with_components):
    """The least of all options, of lateness to the end and of a lost sale is the cost's slope: none is left out, none
    is too cheap. What the options do not have is to share out a unit over paths: a few are a little dearer."""
    off, little = [], 1e-4

    def solved(of):
        solution = highs.solve(of)
        outcome = evaluate(of, solution.started, solution.issued, solution.turned_away)
        return solution, outcome, sum(outcome.cost.values())

    for seed in range(50):
        market, _ = random_chain(seed, with_components)
        solution, outcome, before = solved(market)
        of = cleared_for_quotes(market, solution.prices, solution.started, solution.turned_away, served_in(outcome))
        random = np.random.default_rng(seed)
        for _ in range(2):
            d, t = int(random.integers(len(market.demand))), int(random.integers(market.buckets))
            slope = (solved(with_more(market, d, t, little))[2] - before) / little
            waiting = market.late_cost[d] * (market.buckets - t) + market.end_cost[d]
            prices = [o.price for o in of.options(int(market.demand.product[d]), t)]
            price = min([*prices, float(waiting), float(market.lost_cost[d])])
            off.append(abs(price - slope) / max(abs(slope), 1.0))
    assert max(off) < 0.05
    assert np.mean(np.array(off) > 1e-3) <= 0.05
