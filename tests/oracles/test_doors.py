"""Random small chains of several levels: every door against a dense linear programme written out path by path.

The programme here shares nothing with that of balance/highs.py but what it means: one variable for what is over and one
for what is short on every path and in every bucket, instead of pieces of expected cost.
"""

from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cache

import numpy as np
import pytest
from scipy.optimize import linprog

from datong.balance import highs, price_search
from datong.balance.arrays import Market
from datong.balance.bound import lower_bound
from datong.balance.dual import Dual
from datong.balance.evaluate import covered, evaluate
from datong.balance.pack import pack_facts
from datong.balance.repair import _Repair
from datong.balance.solution import Limits, Prices, Solution
from datong.model.calendar import Calendar
from datong.network.bills import ComponentUse
from datong.network.economics import Economics, honest_salvage
from datong.network.facts import ChainFacts
from datong.network.position import Position, UnderWay
from datong.network.way_arrays import unit_costs
from datong.network.ways import Way

FIRST, WEEK = date(2024, 1, 1), timedelta(days=7)
# Widest certified gap of the door of prices, as a share of all money in and out.
MOST_GAP = 0.03


@dataclass(frozen=True)
class Part:
    """A product of the random chain; level 0 is sold, each level below is made into the one above or further up."""

    name: str
    level: int
    price: float


def random_parts(random: np.random.Generator, levels: int) -> list[Part]:
    parts = [Part(f"P{i}", 0, float(random.uniform(20, 60))) for i in range(random.integers(1, 9))]
    for level in range(1, levels + 1):
        price = 8.0 / level
        parts += [
            Part(f"Q{level}{i}", level, float(random.uniform(0.5, 1.0) * price)) for i in range(random.integers(1, 4))
        ]
    return parts


def random_use(random: np.random.Generator, component: str) -> ComponentUse:
    valid_to = FIRST + 3 * WEEK if random.random() < 0.1 else None
    return ComponentUse(component, float(random.choice([0.5, 1.0, 2.0])), None, valid_to)


def random_ways(random: np.random.Generator, part: Part, parts: list[Part], lines: list[str]) -> list[Way]:
    """None at all for one product in twelve; else recipes with yields, lead times and spans, and offers with limits."""
    if random.random() < 1 / 12:
        return []
    below = [p for p in parts if p.level > part.level]
    ways = []
    for k in range(random.integers(0 if below or part.level else 1, 4)):
        chosen = random.choice(len(below), min(int(random.integers(0, 3)), len(below)), replace=False) if below else []
        recipe = {
            "kind": "make",
            "line": str(random.choice(lines)) if random.random() < 0.9 else None,
            "hours_per_unit": float(random.uniform(0.05, 1.0)),
            "cost_per_unit": part.price * float(random.uniform(0.1, 0.5)),
            "yield_share": float(random.choice([1.0, 0.9, 0.6])),
            "uses": tuple(random_use(random, below[c].name) for c in sorted(chosen)),
        }
        ways.append((f"{part.name}/{k}", recipe))
    if random.random() < (0.3 if part.level == 0 else 0.7) or not ways:
        most = float(random.choice([np.inf, 4.0, 25.0]))
        offer = {"kind": "buy", "cost_per_unit": part.price * float(random.uniform(0.3, 0.9)), "units_per_week": most}
        ways.append((f"{part.name}/x", offer))
    plain = dict.fromkeys(("hours_per_unit", "setup_hours", "setup_cost", "min_units", "multiple_units"), 0.0)
    plain |= {"line": None, "yield_share": 1.0, "units_per_week": np.inf, "uses": (), "valid_to": None}
    found = []
    for name, given in ways:
        valid_from = FIRST + 2 * WEEK if random.random() < 0.1 else None
        lead_days = int(random.choice([0, 0, 7, 14, 21]))
        found.append(Way(name=name, product=part.name, lead_days=lead_days, valid_from=valid_from, **(plain | given)))
    return found


@cache
def random_market(seed: int, levels: int) -> tuple[Market, int]:
    """The market of 1-8 products over 3-8 weeks, on lines with far too few to plenty of hours, with orders under way.

    Returns it with the number of its frozen buckets.
    """
    random = np.random.default_rng([seed, levels])
    buckets, paths = int(random.integers(3, 9)), int(random.choice([1, 1, 4, 12]))
    starts = tuple(FIRST + t * WEEK for t in range(buckets))
    parts = random_parts(random, levels)
    lines = [f"L{i}" for i in range(random.integers(1, 4))]
    ways = [w for part in parts for w in random_ways(random, part, parts, lines)]
    products = tuple(sorted(p.name for p in parts))
    costs = unit_costs(products, ways, starts)
    economics = {}
    for part in parts:
        holding, late, lost = part.price * random.uniform([0.001, 0.01, 0.4], [0.02, 0.1, 1.2])
        waiting = lost * float(random.choice([0.6, 1.0]))
        salvage = honest_salvage(float(random.choice([0.0, 0.0, part.price])), costs[part.name], waiting)
        economics[part.name] = Economics(part.price, holding, late, lost, waiting, salvage)
    sold = [p for p in parts if p.level == 0 or random.random() < 0.15]
    asked = {}
    for part in sold:
        units = random.poisson(random.uniform(1, 20), (paths, buckets)).astype(np.float64)
        asked[part.name] = units * (random.random(buckets) < 0.8)
    hours = sum(a.mean() for a in asked.values()) / len(lines) * float(random.choice([0.2, 0.5, 1.0]))
    line_hours = {line: np.full(buckets, hours * random.uniform(0.5, 2.0)) for line in lines}
    for line in lines:
        line_hours[line][random.integers(0, buckets)] *= float(random.choice([0.0, 0.5, 1.0]))  # maintenance
    ordered = sorted(ways, key=lambda w: (w.product, w.kind, w.name))
    facts = ChainFacts(products, economics, tuple(ordered), line_hours)
    under_way = []
    for k, way in enumerate(w for w in ordered if random.random() < 0.2):
        start, due = starts[0] + WEEK * int(random.integers(-1, 2)), starts[0] + WEEK * int(random.integers(0, 4))
        units = float(random.integers(1, 6))
        under_way.append(UnderWay(f"W{k}", way.kind, way.product, way.recipe, way.line, units, start, max(start, due)))
    stock = {p: float(random.integers(0, 15)) if random.random() < 0.5 else 0.0 for p in products}
    where = Position(stock, {}, {}, tuple(under_way))
    frozen = int(random.choice([0, 0, 0, 1]))
    return pack_facts(facts, where, asked, starts, Calendar("UTC", "week"), frozen), frozen


def without_claims(market: Market) -> Market:
    """A market in which what orders under way need is there."""
    return covered(market, market.stock.covering)


class Dense:
    """Columns and rows of the programme by name. A row: ({column: value}, least, most)."""

    def __init__(self) -> None:
        self.at: dict[tuple, int] = {}
        self.cost: list[float] = []
        self.most: list[float] = []
        self.equal: list[tuple[dict[tuple, float], float]] = []
        self.under: list[tuple[dict[tuple, float], float]] = []

    def column(self, name: tuple, cost: float, most: float = np.inf) -> None:
        self.at[name] = len(self.cost)
        self.cost.append(cost)
        self.most.append(most)

    def least(self) -> float:
        def arrays(rows):
            matrix = np.zeros((len(rows), len(self.cost)))
            for i, (terms, _) in enumerate(rows):
                for name, value in terms.items():
                    matrix[i, self.at[name]] += value
            return (matrix, np.array([b for _, b in rows])) if rows else (None, None)

        (a_ub, b_ub), (a_eq, b_eq) = arrays(self.under), arrays(self.equal)
        bounds = [(0.0, most) for most in self.most]
        found = linprog(self.cost, a_ub, b_ub, a_eq, b_eq, bounds)
        assert found.status == 0, found.message
        return float(found.fun)


def add(terms: dict[tuple, float], name: tuple, value: float) -> None:
    terms[name] = terms.get(name, 0.0) + value


def optimum(market: Market, frozen: int) -> float:
    """The least expected cost, from the facts of the ways and what comes anyway."""
    buckets, names = market.buckets, market.products.names
    dense, idle = Dense(), 0.0
    arrivals: dict[tuple, dict] = {(p, t): {} for p in names for t in range(buckets)}
    used: dict[tuple, dict] = {(p, t): {} for p in names for t in range(buckets)}
    hours: dict[tuple, dict] = {(line, t): {} for line in market.lines.names for t in range(buckets)}
    for way in market.ways.facts:
        for t, day in enumerate(market.bucket_starts):
            there = t + -(-way.lead_days // 7)
            if t < frozen or there >= buckets or (way.valid_from is not None and day < way.valid_from):
                continue
            column = ("start", way.name, t)
            dense.column(column, way.cost_per_unit, way.units_per_week)
            add(arrivals[way.product, there], column, way.yield_share)
            if way.line is not None:
                add(hours[way.line, t], column, way.hours_per_unit)
            for use in way.uses:
                if use.valid_to is None or day < use.valid_to:
                    add(used[use.component, t], column, use.units_per_unit)
    for line, name in enumerate(market.lines.names):
        for t in range(buckets):
            dense.under.append((hours[name, t], market.lines.hours[line, t]))
    components = {u.component for w in market.ways.facts for u in w.uses}
    sold = {names[p]: d for d, p in enumerate(market.demand.product)}
    for p, name in enumerate(names):
        holding, salvage = market.money.holding[p], market.money.salvage[p]
        if name in components:
            for t in range(buckets):
                dense.column(("stock", name, t), holding - (salvage if t == buckets - 1 else 0.0))
                if name in sold:
                    dense.column(("issued", name, t), 0.0)
                row = {("stock", name, t): -1.0}
                if t:
                    row["stock", name, t - 1] = 1.0
                for column, value in arrivals[name, t].items():
                    add(row, column, value)
                for column, value in used[name, t].items():
                    add(row, column, -value)
                if name in sold:
                    row["issued", name, t] = -1.0
                dense.equal.append((row, -market.stock.fixed[p, t]))
        elif name not in sold:
            stock = np.cumsum(market.stock.fixed[p])
            idle += holding * stock.sum() - salvage * stock[-1]
        if name not in sold:
            continue
        paths = market.demand.cumulative[sold[name]]
        for t in range(buckets):
            dense.column(("away", name, t), market.money.lost_sale[p], market.demand.sure[sold[name], t])
            for k in range(len(paths)):
                last = t == buckets - 1
                dense.column(("over", name, t, k), (holding - (salvage if last else 0.0)) / len(paths))
                late = market.money.late[p] + (market.money.waiting_at_end[p] if last else 0.0)
                dense.column(("short", name, t, k), late / len(paths))
        supply: dict[tuple, float] = {}
        comes = 0.0
        anyway = np.zeros(buckets) if name in components else np.cumsum(market.stock.fixed[p])
        largest = max(float((paths - anyway).max()), 0.0)  # nobody makes leftovers for a living
        for t in range(buckets):
            add(supply, ("away", name, t), 1.0)
            if name in components:
                add(supply, ("issued", name, t), 1.0)
            else:
                comes += market.stock.fixed[p, t]
                for column, value in arrivals[name, t].items():
                    add(supply, column, value)
            dense.under.append((dict(supply), largest))
            for k, path in enumerate(paths):
                row = dict(supply)
                add(row, ("over", name, t, k), -1.0)
                add(row, ("short", name, t, k), 1.0)
                dense.equal.append((row, path[t] - comes))
    return dense.least() + idle


@cache
def least_cost(seed: int, levels: int) -> float:
    """The optimum of a random market, written out once for all tests."""
    return optimum(*random_market(seed, levels))


@cache
def exact(seed: int, levels: int) -> Solution:
    """What the exact door finds for a random market."""
    return highs.solve(random_market(seed, levels)[0])


def costed(market: Market, solution) -> tuple[float, float, float]:
    """Cost (the plan is refused if it breaks a rule), bound, and all money in and out."""
    outcome = evaluate(market, solution.started, solution.issued, solution.turned_away)
    money = sum(abs(c) for c in outcome.cost.values())
    return sum(outcome.cost.values()), lower_bound(market, solution.prices), max(money, 1.0)


@pytest.mark.parametrize("levels", [0, 1, 2, 3])
def test_the_exact_door_meets_the_programme_written_out(levels):
    for seed in range(100):
        market, _ = random_market(seed, levels)
        least = least_cost(seed, levels)
        cost, bound, money = costed(market, exact(seed, levels))
        assert cost == pytest.approx(least, rel=1e-6, abs=1e-6 * money), seed
        assert bound == pytest.approx(least, rel=1e-6, abs=1e-6 * money), seed


def test_the_exact_door_by_another_method():
    """Equal optima may have other orders and other prices: each one's bound holds for the other's cost."""
    options = {**highs.OPTIONS, "solver": "ipm"}
    for seed in range(60):
        market, _ = random_market(seed, levels=2)
        corner, inner = costed(market, exact(seed, 2)), costed(market, highs.solve(market, options))
        tolerance = 1e-5 * corner[2]
        assert inner[1] <= corner[0] + tolerance, seed
        assert corner[1] <= inner[0] + tolerance, seed
        assert inner[0] - inner[1] < 1e-4 * corner[2], seed


def test_large_programmes_by_interior_point_and_by_simplex_where_that_ends_without_an_answer(monkeypatch):
    """The optimum is the same either way."""
    used, solve = [], highs.Programme.solve

    def watched(self, options=highs.OPTIONS, on_progress=highs.never_stop):
        used.append(options["solver"])
        if used[-1] == "ipm" and interior_fails:
            raise RuntimeError("HiGHS: Unknown")
        return solve(self, options, on_progress)

    for seed in range(40):
        market, _ = random_market(seed, levels=2)
        cost, _, money = costed(market, exact(seed, 2))
        monkeypatch.setattr(highs, "INTERIOR_FROM", 0)
        monkeypatch.setattr(highs.Programme, "solve", watched)
        for expected in (["ipm"], ["ipm", "choose"]):
            interior_fails = len(expected) > 1
            used.clear()
            found, bound, _ = costed(market, highs.solve(market))
            assert used == (["choose"] if market.single_level else expected), seed
            assert found == pytest.approx(cost, rel=1e-6, abs=1e-6 * money), seed
            assert bound == pytest.approx(cost, rel=1e-6, abs=1e-6 * money), seed
        monkeypatch.undo()


@pytest.mark.parametrize("levels", [0, 1, 2, 3])
def test_the_door_of_prices_against_the_programme_written_out(levels):
    """Both plans keep every rule, no bound lies above the other's cost, and the certified gap holds the difference."""
    widest = 0.0
    for seed in range(5):
        market, _ = random_market(seed, levels)
        least = least_cost(seed, levels)
        cost, bound, money = costed(market, price_search.solve(market).solution)
        assert bound <= least + 1e-6 * money, seed
        assert cost >= least - 1e-6 * money, seed
        assert cost - bound < MOST_GAP * money, seed
        widest = max(widest, (cost - bound) / money)
    assert widest > 0  # some of them were scarce


@pytest.mark.parametrize("levels", [0, 1, 2, 3])
def test_no_prices_give_a_bound_above_the_optimum(levels):
    """Neither near the balance, with some components for nothing or at what their ways cost, nor far from it."""
    finite = 0
    for seed in range(60):
        market, _ = random_market(seed, levels)
        least = least_cost(seed, levels)
        best = exact(seed, levels).prices
        random = np.random.default_rng(seed)
        for spread in (0.0, 0.05, 5.0):
            line, limit, away, component = (
                np.maximum(a + spread * random.standard_normal(a.shape), 0.0)
                for a in (best.line, best.limit, best.turned_away, best.component)
            )
            free = random.random(component.shape) < 0.3
            for given in (component, np.where(free, 0.0, component), np.where(free, np.inf, component)):
                bound = lower_bound(market, Prices(line, limit, away, given))
                assert bound <= least + 1e-6 * max(abs(least), 1.0), (seed, spread)
                finite += bound > -np.inf
    assert finite > 300


def test_the_programme_written_out_sees_what_is_wrong():
    """Fewer hours and dearer lateness never cost less, and often more: else it would agree with anything."""
    moved = 0
    for seed in range(20):
        market, frozen = random_market(seed, levels=2)
        market = without_claims(market)
        least = optimum(market, frozen)
        assert (
            optimum(replace(market, lines=replace(market.lines, hours=market.lines.hours * 1.5)), frozen)
            <= least + 1e-6
        ), seed
        assert (
            optimum(replace(market, money=replace(market.money, late=market.money.late * 1.5)), frozen) >= least - 1e-6
        ), seed
        moved += (
            optimum(replace(market, lines=replace(market.lines, hours=market.lines.hours * 0.5)), frozen) > least + 1e-3
        )
    assert moved > 5


@pytest.mark.parametrize("levels", [0, 1, 2])
def test_what_starts_later_keeps_every_rule_and_costs_less(levels):
    """`later` alone, on plans of the search: `evaluate` refuses a plan that breaks a rule."""
    cheaper = 0
    for seed in range(40):
        market = without_claims(random_market(seed, levels)[0])
        dual = Dual(market)
        price = np.maximum(0.0, dual.low)
        repair = _Repair(market, dual, price)
        soft = dual.flow(price, 0.01)
        planned, issued = repair.cut(np.where(market.ways.is_open, soft.started, 0.0).T, soft.issued.T)
        costs = []
        for started in (planned, repair.later(planned, issued)):
            away = np.zeros(market.demand.sure.shape)
            costs.append(sum(evaluate(market, started.T, issued.T, away).cost.values()))
        assert costs[1] <= costs[0] + 1e-9 * abs(costs[0]), seed
        cheaper += costs[1] < costs[0] - 1e-6
    assert cheaper >= 3


def test_stock_after_more_starts_is_that_of_all_starts():
    """Kept up to date level by level, what lies in stock is what it is worked out to be anew."""
    for seed in range(8):
        market, _ = random_market(seed, levels=2)
        dual = Dual(market)
        repair = _Repair(market, dual, dual.worth)
        random = np.random.default_rng(seed)
        shape = (market.buckets, len(market.ways))
        started, more = (np.where(market.ways.is_open.T, random.uniform(0, 9, shape), 0.0) for _ in range(2))
        issued = np.zeros((market.buckets, len(market.demand)))
        spare = repair._spare(started, issued)
        for level in repair.levels:
            repair._change_spare(spare, level, more)
        assert spare == pytest.approx(repair._spare(started + more, issued)), seed


def hands_over_its_cost_and_bound(market, found):
    """The search's own cost and bound are those of its plan and its prices."""
    cost, bound, money = costed(market, found.solution)
    return sum(found.outcome.cost.values()) == pytest.approx(cost, abs=1e-9 * money) and (
        found.bound == pytest.approx(bound, abs=1e-9 * money)
    )


def test_the_search_hands_over_the_cost_and_bound_of_its_plan_and_prices():
    for seed in range(4):
        market, _ = random_market(seed, levels=1)
        assert hands_over_its_cost_and_bound(market, price_search.solve(market)), seed


def test_a_search_from_its_own_prices_is_done_sooner():
    """Prices are those of one temperature: the search finds it, and ends after a few steps with a gap as narrow; what
    it hands over is of its plan and prices."""
    steps = np.zeros(2)
    for seed in range(15):
        market, _ = random_market(seed, levels=1)
        cold = price_search.solve(market, Limits(0.01))
        warm = price_search.solve(market, Limits(0.01), start=cold.solution.prices)
        assert hands_over_its_cost_and_bound(market, cold) and hands_over_its_cost_and_bound(market, warm), seed
        steps += (cold.solution.iterations, warm.solution.iterations)
        assert warm.bound <= sum(cold.outcome.cost.values()) + 1e-9 * abs(warm.bound), seed
    assert steps[1] < 0.5 * steps[0]
