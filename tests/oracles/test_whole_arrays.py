"""Whole arrays against plain loops on random small chains: facts, prices, bound, and the tables that come out."""

import sys
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from datong.balance import highs
from datong.balance.bound import lower_bound, unit_prices
from datong.balance.clearing_tables import read_back
from datong.balance.evaluate import evaluate, used_units
from datong.balance.solution import Prices
from datong.model.errors import NoPlan
from datong.model.flow import Forecast, Item
from datong.model.settings import ChainSettings
from datong.network.bill_levels import product_levels, turns
from datong.network.bills import ComponentUse
from datong.network.facts import ChainFacts
from datong.network.planned_demand import response_buckets
from datong.network.way_arrays import unit_costs

sys.path.insert(0, str(Path(__file__).parent))

import loops
from test_market import random_chain, way

STARTS = tuple(date(2024, 1, 1) + timedelta(days=7 * i) for i in range(5))


def random_ways(seed):
    """Products P0..P7, each made of some that come after it, some ways and components valid for a while only."""
    random = np.random.default_rng(seed)
    products = tuple(f"P{i}" for i in range(8))

    def span():
        first, after = sorted(random.choice(40, 2, replace=False))
        some = random.random() < 0.4
        return [STARTS[0] + timedelta(days=int(d)) if some else None for d in (first, after)]

    ways = []
    for i, product in enumerate(products):
        for k in range(random.integers(0, 4)):
            chosen = random.choice(
                [*products[i + 1 :], "unknown"], min(int(random.integers(0, 3)), 7 - i), replace=False
            )
            uses = tuple(ComponentUse(str(c), float(random.integers(1, 4)), *span()) for c in sorted(chosen))
            valid_from, valid_to = span()
            ways.append(
                way(
                    f"R{random.integers(100)}/{i}{k}",
                    "make",
                    product,
                    cost_per_unit=float(random.integers(1, 4)),
                    yield_share=float(random.choice([1, 0.5])),
                    lead_days=int(random.integers(0, 20)),
                    uses=uses,
                    valid_from=valid_from,
                    valid_to=valid_to,
                )
            )
    return products, tuple(sorted(ways, key=lambda w: (w.product, w.kind, w.name)))


def test_costs_and_response_are_those_of_the_loops():
    for seed in range(60):
        products, ways = random_ways(seed)
        assert unit_costs(products, ways, STARTS) == loops.unit_costs(products, ways, STARTS), seed
        facts, settings = ChainFacts(products, {}, ways, {}), ChainSettings("x", frozen_buckets=1)
        assert response_buckets(facts, STARTS, settings) == loops.response_buckets(facts, STARTS, settings), seed


def test_levels_are_one_above_the_highest_component_and_a_circle_has_none():
    """P0 <- P1 <- P2 and P0 <- P2: levels 2, 1, 0."""
    parent, component = np.array([0, 1, 0]), np.array([1, 2, 2])
    assert product_levels(("P0", "P1", "P2"), parent, component).tolist() == [2, 1, 0]
    with pytest.raises(NoPlan, match="P1, P2"):
        product_levels(("P0", "P1", "P2"), np.array([0, 1, 2]), np.array([1, 2, 1]))


def test_in_no_turn_a_group_comes_twice():
    parts = turns(np.array([3, 0, 3, 3, 0]))
    assert [p.tolist() for p in parts] == [[1, 0], [4, 2], [3]]
    assert [p.tolist() for p in turns(np.zeros(0, np.int64))] == [[]]


def wild_prices(market, seed):
    random = np.random.default_rng(seed)
    shapes = (market.lines.hours, market.ways.limit, market.demand.sure)
    line, limit, away = (random.normal(1.0, 2.0, a.shape) for a in shapes)
    component = np.where(
        random.random(market.stock.fixed.shape) < 0.7, random.uniform(1, 30, market.stock.fixed.shape), np.inf
    )
    return Prices(line, limit, away, component)


def some_uses_closed(market, seed):
    """The market with some components valid in some buckets only."""
    return replace(
        market,
        uses=replace(market.uses, is_open=np.random.default_rng(seed).random(market.uses.is_open.shape) < 0.7),
    )


@pytest.mark.parametrize("with_components", [False, True])
def test_prices_and_bound_are_those_of_the_loops(with_components):
    with_bound = 0
    for seed in range(80):
        market = some_uses_closed(random_chain(seed, with_components)[0], seed)
        prices = wild_prices(market, seed)
        for own, plain in zip(unit_prices(market, prices), loops.unit_prices(market, prices), strict=True):
            np.testing.assert_allclose(own, plain, rtol=1e-12, err_msg=str(seed))
        bound = lower_bound(market, prices)
        assert bound == pytest.approx(loops.lower_bound(market, prices), rel=1e-9, abs=1e-6), seed
        with_bound += np.isfinite(bound)
    assert with_bound > 40


def test_components_go_into_what_is_started_while_they_are_valid():
    for seed in range(40):
        market = some_uses_closed(random_chain(seed, True)[0], seed)
        started = np.random.default_rng(seed).uniform(0, 9, market.ways.is_open.shape)
        used = np.zeros_like(market.stock.fixed)
        for use, way_of in enumerate(market.uses.way):
            for t in range(market.buckets):
                if market.uses.is_open[use, t]:
                    used[market.uses.component[use], t] += market.uses.units[use] * started[way_of, t]
        np.testing.assert_allclose(used_units(market, started), used, rtol=1e-12, err_msg=str(seed))


@pytest.mark.parametrize("with_components", [False, True])
def test_tables_are_those_of_the_loops(with_components):
    scarce = short = late = 0
    for seed in range(60):
        market, demand = random_chain(seed, with_components)
        demand = in_two_markets(demand, seed)
        solution = highs.solve(market)
        outcome = evaluate(market, solution.started, solution.issued, solution.turned_away)
        clearing = read_back(market, demand, solution, outcome, 0.0)
        rows = clearing.quantities.to_pylist()
        own = [(bucket_of(market, r["start"]), r["product"], r["kind"], r["recipe"] or r["offer"]) for r in rows]
        numbers = [[r["units"], r["cost_per_unit"], r["price_share"]] for r in rows]
        plain = loops.quantities(market, solution)
        assert own == [r[:4] for r in plain], seed
        np.testing.assert_allclose(np.reshape(numbers, (-1, 3)), np.reshape([r[4:] for r in plain], (-1, 3)), rtol=1e-9)
        scarce += sum(r["price_share"] > 0 for r in rows)
        rows = clearing.gaps.to_pylist()
        plain = loops.gaps(market, demand, outcome, solution.prices)
        own = [(r["product"], bucket_of(market, r["bucket"]), r["market"], r["binding"]) for r in rows]
        assert own == [(*r[:3], r[9]) for r in plain], seed
        names = [f"{n}_units" for n in ("demand", "on_time", "late", "lost", "served", "waiting")] + ["binding_price"]
        numbers = [[r[n] for n in names] for r in rows]
        np.testing.assert_allclose(numbers, [(*r[3:9], r[10]) for r in plain], rtol=1e-9, atol=1e-6)
        late += sum(r["late_units"] > 0 for r in rows)
        short += sum(r["binding"] != "" for r in rows)
    assert scarce > 50
    assert short > 50
    assert late > 50


def bucket_of(market, day):
    return market.bucket_starts.index(day)


def in_two_markets(demand, seed):
    """The forecast with its first product in two markets, and without its last: that is owed from before only."""
    random = np.random.default_rng(seed)
    items = [Item(demand.items[0].product, "b"), Item(demand.items[0].product, "a"), *demand.items[1:-1]]
    part = demand.paths[:1] * random.uniform(0, 1, demand.paths[:1].shape)
    paths = np.concatenate([part, demand.paths[:1] - part, demand.paths[1:-1]])
    none = np.zeros(len(items))
    return Forecast(
        tuple(items), demand.bucket_starts, paths, ("x",) * len(items), none.astype(np.int64), none.astype(bool)
    )
