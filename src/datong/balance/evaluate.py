"""The referee: what a plan does and costs, worked out from the plan alone, on every sample path.

Every figure that is shown comes from here: bucket by bucket the plan receives, makes, moves, serves and counts. What it
may not do (more hours than a line has, a stock below zero) ends it with an AssertionError: then whoever made the plan
is broken. tests/oracles holds it to a plain walk through the orders.
"""

from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp

from datong.balance.arrays import Market
from datong.balance.bound import shifted
from datong.balance.long_lot_spans import hours_worked
from datong.balance.rules.rule import Walk
from datong.balance.solution import Solution
from datong.balance.tolerance import TOLERANCE, assert_within
from datong.model.demand_layers import expected_over_and_short
from datong.model.flow import FloatArray, IntArray
from datong.network.shelf_life import wasted as wasted_units


@dataclass(frozen=True, eq=False)
class Outcome:
    """cost: money by term. hours_used: (line, bucket), set-ups and orders under way included. stock: (product, bucket)
    at the bucket's end, in pools and set aside for demand, as expected; pool: the part that lies in pools. pool_used:
    (product, bucket) units taken from pools, issues to demand included.

    By demand, (demanded, bucket) expected units: supply (what can be delivered) and served_by, cumulative; turned_away,
    in the bucket in which it was due; waiting at the bucket's end.
    """

    cost: dict[str, float]
    hours_used: FloatArray
    stock: FloatArray
    pool: FloatArray
    pool_used: FloatArray
    supply: FloatArray
    served_by: FloatArray
    turned_away: FloatArray
    waiting: FloatArray


def evaluate(
    market: Market,
    started: FloatArray,
    issued: FloatArray,
    turned_away: FloatArray,
    substituted: FloatArray | None = None,
    wasted: FloatArray | None = None,
    lots: FloatArray | None = None,
    whole: bool = False,
) -> Outcome:
    """Cost and course of a plan. Raises AssertionError where it breaks a rule of the market: then a door is broken.

    lots: (way, bucket) orders started there, each with its way's set-up; None: nothing is set up. whole: deliveries are
    in whole units of what comes so; the part of a unit that a yield leaves lies until there is a whole one.

    Conservation: opening + made + received - used - served = closing, for every product and bucket.
    Each rule beyond the linear core refuses and costs by itself (`Rule.referee`).
    """
    assert_within(started, market.ways.limit, "more started than a way allows")
    assert_within(turned_away, market.demand.sure, "more turned away than is sure to be asked")
    if substituted is None or not substituted.size:
        substituted = np.zeros((len(market.rules.substitutes.cost), market.buckets))
    if wasted is None or not wasted.size:
        wasted = np.zeros(market.stock.fixed.shape)
    limited = np.flatnonzero(np.isfinite(market.largest_lot))
    if lots is not None and len(limited):
        assert_within(started[limited], lots[limited] * market.largest_lot[limited, None], "a lot above the largest")
    hours = hours_worked(market, started, lots)
    assert_within(hours, market.most_hours, "more hours than a line has")
    arrived = arrived_units(market, started)
    used = _taken(market, used_units(market, started), issued, substituted)
    if lots is not None:
        market.rules.per_lot.take_off(used, -lots)
    pool, came = _supplied(market, arrived, used, issued, substituted, wasted)
    product = market.demand.product
    supply = market.deliverable(came, product) if whole else came
    over, late, served_by = _course(market, supply, turned_away)
    over = over + (came - supply)
    conserved = np.isclose(served_by + over, came, rtol=1e-9, atol=1e-6).all(axis=1)
    broken = [market.products.names[p] for p in product[~conserved][:5]]
    assert not broken, f"{broken}: supply is not served + closing stock"
    scale = np.maximum(np.cumsum(np.abs(market.stock.fixed) + arrived, axis=1).max(initial=1.0), 1.0)
    is_there = pool.min(initial=0.0) >= -TOLERANCE * scale
    pool = np.maximum(pool, 0.0)
    stock = pool.copy()
    np.add.at(stock, product, over)
    walk = Walk(
        started=started,
        hours=hours,
        arrived=arrived,
        substituted=substituted,
        wasted=wasted,
        in_time=supply + np.cumsum(turned_away, axis=1),
        served=served_by,
        stock=stock,
    )
    cost = _way_cost(market, started) | _demand_cost(market, over, late, turned_away)
    of_rules: dict[str, float] = {}
    for rule in market.rules.all:
        of_rules |= rule.referee(market, walk)
    assert is_there, "a stock below zero"
    cost |= dict(sorted(of_rules.items()))
    cost["holding"] += float((pool.sum(axis=1) * market.money.holding).sum())
    cost["salvage"] -= float((pool[:, -1] * market.money.salvage).sum())
    if lots is not None:
        for term, of in market.ways.with_fixed_cost.items():
            cost[term] = float(lots[of].sum(axis=1) @ (market.ways.setup_cost - market.ways.paid_more)[of])
        cost["purchase"] += float(lots.sum(axis=1) @ market.ways.paid_more)
    return Outcome(
        cost=_in_order(cost),
        hours_used=hours + market.lines.hours_taken,
        stock=stock,
        pool=pool,
        pool_used=used,
        supply=supply,
        served_by=served_by,
        turned_away=turned_away,
        waiting=late,
    )


def fewest_wasted(market: Market, started: FloatArray, issued: FloatArray, substituted: FloatArray) -> FloatArray:
    """(product, bucket) the fewest units that go bad of what starts bring, in any quantities, and deliveries take."""
    return gone_bad(
        market, arrived_units(market, started), _taken(market, used_units(market, started), issued, substituted)
    )


def with_fewest_wasted(market: Market, solution: Solution, lots: FloatArray | None = None) -> Solution:
    """The solution in which the fewest units go bad, each at the end of its last bucket: a programme that throws away
    what it need not keep would say of good units that they do. In any quantities (lots is None) only of stock with a
    day of expiry, so that the plan is at its bound. What is set aside for demand lies until that takes it. lots: (way,
    bucket) orders started."""
    rule = market.rules.shelf_life
    latest = rule.is_dated if lots is None else rule.life >= 0
    if not latest.any():
        return solution
    started, none = solution.started, np.zeros(market.stock.fixed.shape)
    substituted = solution.substituted
    if not substituted.size:
        substituted = np.zeros((len(market.rules.substitutes.cost), market.buckets))
    arrived, taken = arrived_units(market, started), used_units(market, started)
    if lots is not None:
        market.rules.per_lot.take_off(taken, -lots)
    taken = _taken(market, taken, solution.issued, substituted)
    _, came = _supplied(market, arrived, taken, solution.issued, substituted, none)
    over, _, _ = _course(market, came, solution.turned_away)
    set_aside = np.zeros(none.shape)
    np.add.at(set_aside, market.demand.product, over)
    bad = gone_bad(market, arrived, taken - np.diff(set_aside, axis=1, prepend=0.0))
    wasted = solution.wasted if solution.wasted.size else none
    return replace(solution, wasted=np.where(latest[:, None], bad, wasted))


def gone_bad(market: Market, arrived: FloatArray, taken: FloatArray) -> FloatArray:
    """(product, bucket) the fewest units that go bad where these (product, bucket) arrive and are taken."""
    found, life = np.zeros(market.stock.fixed.shape), market.rules.shelf_life.life
    spoils = market.rules.shelf_life.spoiling(market)
    for p in np.flatnonzero(life >= 0).tolist():
        found[p] = wasted_units(market.stock.fixed[p], arrived[p], taken[p], int(life[p]), spoils[p])
    return found


def _taken(market: Market, used: FloatArray, issued: FloatArray, substituted: FloatArray) -> FloatArray:
    """(product, bucket) units that leave the pools: used, set aside for demand, and for that of what they stand in for.
    used: written over."""
    product = market.demand.product
    pooled = market.products.is_component[product]
    np.add.at(used, product[pooled], issued[pooled])
    np.add.at(used, market.rules.substitutes.product, substituted)
    return used


def _supplied(
    market: Market,
    arrived: FloatArray,
    taken: FloatArray,
    issued: FloatArray,
    substituted: FloatArray,
    wasted: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    """Units in pools at the end of each bucket (product, bucket), and those that came to demand by then (demanded,
    bucket); what comes straight to demand lies in no pool."""
    product = market.demand.product
    pooled = market.products.is_component[product]
    pool = np.cumsum(market.stock.fixed + arrived - taken - wasted, axis=1)
    supply = np.where(pooled[:, None], np.cumsum(issued, axis=1), pool[product])
    np.add.at(supply, market.rules.substitutes.demand, np.cumsum(substituted, axis=1))
    pool[product[~pooled]] = 0.0
    return pool, supply


def _way_cost(market: Market, started: FloatArray) -> dict[str, float]:
    """Money by term for what is started."""
    money = market.ways.cost * started.sum(axis=1)
    kind = np.array([w.kind for w in market.ways.facts], dtype=np.str_)
    terms = {"make": "production", "buy": "purchase", "move": "transport"}
    return {term: float(money[kind == k].sum()) for k, term in terms.items() if k != "move" or (kind == k).any()}


def _demand_cost(market: Market, over: FloatArray, late: FloatArray, turned_away: FloatArray) -> dict[str, float]:
    """Money by term for demand; all (demanded, bucket): units left over, waiting, and turned away in it."""
    product, money = market.demand.product, market.money
    lost = float((market.lost_cost * turned_away.sum(axis=1)).sum()) + float((market.end_cost * late[:, -1]).sum())
    return {
        "holding": float((money.holding[product] * over.sum(axis=1)).sum()),
        "late": float((market.late_cost * late.sum(axis=1)).sum()),
        "lost": lost,
        "salvage": 0.0 - float((money.salvage[product] * over[:, -1]).sum()),
    }


def _in_order(cost: dict[str, float]) -> dict[str, float]:
    """The terms that each plan has come first, then transport and the others as they were added."""
    always = ("production", "purchase", "holding", "late", "lost", "salvage")
    return {term: cost[term] for term in (*always, *(term for term in cost if term not in always))}


@dataclass(frozen=True, eq=False)
class Service:
    """Who is served when, (demanded, bucket) expected units by the bucket in which they are due:

        asked = on_time + late + refused + never

    late: served in a later bucket; refused: turned away; never: still waiting when the horizon ends.
    """

    asked: FloatArray
    on_time: FloatArray
    late: FloatArray
    refused: FloatArray
    never: FloatArray


def supply_of(market: Market, started: FloatArray, issued: FloatArray) -> FloatArray:
    """(demanded, bucket) cumulative units that come to each class of demand."""
    product = market.demand.product
    comes = market.stock.fixed + arrived_units(market, started)
    return np.cumsum(np.where(market.products.is_component[product, None], issued, comes[product]), axis=1)


def covered(market: Market, started: FloatArray) -> Market:
    """The market with starts (way, bucket) that bring what orders under way need and is not there: what comes anyway
    then never falls below nothing."""
    return replace(
        market,
        stock=replace(
            market.stock,
            fixed=market.stock.fixed + arrived_units(market, started) - used_units(market, started),
            covering=np.zeros(started.shape),
        ),
        lines=replace(market.lines, hours=np.maximum(market.lines.hours - hours_worked(market, started), 0.0)),
        ways=replace(market.ways, limit=np.maximum(market.ways.limit - started, 0.0)),
    )


def arrived_units(market: Market, started: FloatArray) -> FloatArray:
    """(product, bucket) good units that come of what is started, co-products among them."""
    good = shifted(market.ways.yield_share[:, None] * started, market.ways.lead, 0.0)
    ways = np.arange(len(market.ways))
    own = _summed(market.ways.product, ways, np.ones(len(ways)), good, len(market.products))
    besides = market.rules.co_products
    return own + besides.arrived(market, started) if besides.is_there else own


def used_units(market: Market, started: FloatArray) -> FloatArray:
    """(product, bucket) units of components that go into what is started."""
    always = market.uses.is_open.all(axis=1)
    count, way, units = len(market.products), market.uses.way, market.uses.units
    used = _summed(market.uses.component[always], way[always], units[always], started, count)
    some = np.flatnonzero(~always)  # valid in some buckets only
    np.add.at(used, market.uses.component[some], market.uses.is_open[some] * units[some, None] * started[way[some]])
    return used


def _summed(row: IntArray, of: IntArray, factor: FloatArray, amount: FloatArray, rows: int) -> FloatArray:
    """(row, bucket) sum of factor * amount[of] over what belongs to each row; amount: (way, bucket)."""
    return sp.csr_matrix((factor, (row, of)), shape=(rows, len(amount))) @ amount


def _course(market: Market, supply: FloatArray, turned_away: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """(demanded, bucket) expected units left, waiting, and served so far, of cumulative supply (demanded, bucket)."""
    away = np.cumsum(turned_away, axis=1)
    if market.given_demand is not None:
        asked = market.given_demand - away
        return np.maximum(supply - asked, 0.0), np.maximum(asked - supply, 0.0), np.minimum(supply, asked)
    over, short, served = np.zeros((3, *supply.shape))
    for d, paths in enumerate(market.demand.cumulative):
        over[d], short[d] = expected_over_and_short(supply[d], paths - away[d])
        served[d] = np.minimum(supply[d], paths - away[d]).mean(axis=0)
    return over, short, served


def service(market: Market, outcome: Outcome) -> Service:
    """Oldest first: of what is due in bucket t and not refused, A(t-1) to A(t) of all that is asked for, as much is
    served by the end of bucket s as supply reaches into it,

        E min(A(t), X(s)) - E min(A(t-1), X(s)),

    on time for s = t, in the end for the last s; what was due before the first bucket is late in any. Paths that take
    recourse into account can ask for less than nothing in a bucket; what is expected of it then stays between nothing
    and what is asked for.
    """
    away, supply = np.cumsum(outcome.turned_away, axis=1), outcome.supply
    last = supply[:, -1:]
    if market.given_demand is not None:
        total = market.given_demand
        on_time, served = _reached(total - away, supply), _reached(total - away, last)
    else:
        total, on_time, served = np.zeros((3, *supply.shape))
        for d, paths in enumerate(market.demand.cumulative):
            total[d] = paths.mean(axis=0)
            on_time[d] = _reached(paths - away[d], supply[d]).mean(axis=0)
            served[d] = _reached(paths - away[d], last[d]).mean(axis=0)
    units = np.diff(total, axis=1, prepend=0.0)
    served = np.clip(served, 0.0, np.maximum(units - outcome.turned_away, 0.0))
    on_time = np.clip(on_time, 0.0, served)
    on_time[:, 0] -= np.minimum(np.minimum(market.demand.owed, np.maximum(supply[:, 0], 0.0)), on_time[:, 0])
    never = units - outcome.turned_away - served
    return Service(units, on_time, served - on_time, outcome.turned_away, never)


def _reached(asked: FloatArray, supply: FloatArray) -> FloatArray:
    """(row, bucket) how far supply reaches into what is asked for in each bucket; asked: cumulative."""
    before = np.concatenate([np.zeros((len(asked), 1)), asked[:, :-1]], axis=1)
    return np.minimum(asked, supply) - np.minimum(before, supply)
