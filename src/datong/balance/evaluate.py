"""What quantities really cost, worked out again from the quantities alone, on every sample path."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from datong.balance.bound import shifted
from datong.balance.pack import Market
from datong.balance.rules import fresh, rule_costs
from datong.model.flow import FloatArray, IntArray
from datong.model.layers import expected_over_and_short

# Share of a stock, capacity or limit by which rounding in a solver may miss it.
TOLERANCE = 1e-6


@dataclass(frozen=True, eq=False)
class Outcome:
    """cost: money by term. asked, served, late (waiting at the bucket's end), lost: (demanded, bucket) expected units.

    hours_used: (line, bucket), with orders under way. component_stock: (product, bucket) at the end of the bucket.
    component_used: (product, bucket), issues to demand included. supply: (demanded, bucket) cumulative, all that comes.
    turned_away: (demanded, bucket), part of lost.
    """

    cost: dict[str, float]
    asked: FloatArray
    served: FloatArray
    late: FloatArray
    lost: FloatArray
    hours_used: FloatArray
    component_stock: FloatArray
    component_used: FloatArray
    supply: FloatArray
    turned_away: FloatArray


def evaluate(
    market: Market,
    started: FloatArray,
    issued: FloatArray,
    turned_away: FloatArray,
    substituted: FloatArray | None = None,
    wasted: FloatArray | None = None,
) -> Outcome:
    """Cost and course of a plan. Raises AssertionError where it breaks a rule of the market: then a door is broken.

    Conservation: opening + made + received - used - served = closing, for every product and bucket.
    """
    _assert_within(started, market.way_limit, "more started than a way allows")
    _assert_within(turned_away, market.sure, "more turned away than is sure to be asked")
    rules = market.beyond
    if substituted is None or not substituted.size:
        substituted = np.zeros((len(rules.substitute_cost), market.buckets))
    if wasted is None or not wasted.size:
        wasted = np.zeros(market.fixed.shape)
    _assert_within(
        substituted, np.where(rules.substitute_open, np.inf, 0.0), "a substitute below zero, or where none may be"
    )
    can_perish = np.where(rules.shelf_life[:, None] >= 0, np.inf, 0.0)
    _assert_within(wasted, np.broadcast_to(can_perish, wasted.shape), "waste of a product that keeps")
    arrived = _arrived(market, started)
    used = _used(market, started)
    on_line = np.flatnonzero(market.way_line >= 0)
    hours = _summed(market.way_line[on_line], on_line, market.way_hours[on_line], started, len(market.lines))
    _assert_within(hours, market.most_hours, "more hours than a line has")

    cost = dict.fromkeys(("production", "purchase", "holding", "late", "lost", "salvage"), 0.0)
    money = market.way_cost * started.sum(axis=1)
    kind = np.array([w.kind for w in market.ways], dtype=np.str_)
    cost["production"], cost["purchase"] = (float(money[kind == k].sum()) for k in ("make", "buy"))
    if (kind == "move").any():
        cost["transport"] = float(money[kind == "move"].sum())

    product = market.demanded
    pooled = market.is_component[product]
    np.add.at(used, product[pooled], issued[pooled])
    np.add.at(used, rules.substitute_product, substituted)
    stock = np.cumsum(market.fixed + arrived - used - wasted, axis=1)
    supply = np.where(pooled[:, None], np.cumsum(issued, axis=1), stock[product])
    np.add.at(supply, rules.substitute_demand, np.cumsum(substituted, axis=1))
    stock[product[~pooled]] = 0.0  # held for demand, counted below
    over, late, served_by = _course(market, supply, turned_away)
    conserved = np.isclose(served_by + over, supply, rtol=1e-9, atol=1e-6).all(axis=1)
    broken = [market.products[p] for p in product[~conserved][:5]]
    assert not broken, f"{broken}: supply is not served + closing stock"
    in_time = supply + np.cumsum(turned_away, axis=1)
    _assert_within(rules.overdue, np.maximum(in_time, 0.0), "demand waits beyond the maximum lateness")
    lost = turned_away.copy()
    lost[:, -1] += late[:, -1]
    cost["holding"] += float((market.holding[product] * over.sum(axis=1)).sum())
    cost["late"] += float((market.late_cost * late.sum(axis=1)).sum())
    cost["lost"] += float((market.lost_cost * turned_away.sum(axis=1)).sum())
    cost["lost"] += float((market.end_cost * late[:, -1]).sum())
    cost["salvage"] -= float((market.salvage[product] * over[:, -1]).sum())
    scale = np.maximum(np.cumsum(np.abs(market.fixed) + arrived, axis=1).max(initial=1.0), 1.0)
    assert stock.min(initial=0.0) >= -TOLERANCE * scale, "a stock below zero"
    stock = np.maximum(stock, 0.0)
    if "shelf life" in market.rules:
        in_all = stock.copy()
        np.add.at(in_all, product, over)
        _assert_within(in_all, np.maximum(fresh(market, arrived), 0.0), "a unit kept beyond its shelf life")
    cost |= rule_costs(market, started, hours, substituted)
    cost["holding"] += float((stock.sum(axis=1) * market.holding).sum())
    cost["salvage"] -= float((stock[:, -1] * market.salvage).sum())
    asked = market.given_demand
    if asked is None:
        asked = np.array([a.mean(axis=0) for a in market.cumulative_demand])
    return Outcome(
        cost=cost,
        asked=np.diff(asked, axis=1, prepend=0.0),
        served=np.diff(served_by, axis=1, prepend=0.0),
        late=late,
        lost=lost,
        hours_used=hours + market.hours_taken,
        component_stock=stock,
        component_used=used,
        supply=supply,
        turned_away=turned_away,
    )


def supply_of(market: Market, started: FloatArray, issued: FloatArray) -> FloatArray:
    """(demanded, bucket) cumulative units that come to each class of demand."""
    product = market.demanded
    comes = market.fixed + _arrived(market, started)
    return np.cumsum(np.where(market.is_component[product, None], issued, comes[product]), axis=1)


def _arrived(market: Market, started: FloatArray) -> FloatArray:
    """(product, bucket) good units that come of what is started."""
    good = shifted(market.way_yield[:, None] * started, market.way_lead, 0.0)
    ways = np.arange(len(market.ways))
    return _summed(market.way_product, ways, np.ones(len(ways)), good, len(market.products))


def _used(market: Market, started: FloatArray) -> FloatArray:
    """(product, bucket) units of components that go into what is started."""
    always = market.use_open.all(axis=1)
    count, way, units = len(market.products), market.use_way, market.use_units
    used = _summed(market.use_component[always], way[always], units[always], started, count)
    some = np.flatnonzero(~always)  # valid in some buckets only
    np.add.at(used, market.use_component[some], market.use_open[some] * units[some, None] * started[way[some]])
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
    for d, paths in enumerate(market.cumulative_demand):
        over[d], short[d] = expected_over_and_short(supply[d], paths - away[d])
        served[d] = np.minimum(supply[d], paths - away[d]).mean(axis=0)
    return over, short, served


def _assert_within(amount: FloatArray, limit: FloatArray, broken: str) -> None:
    slack = TOLERANCE * np.maximum(np.where(np.isfinite(limit), np.abs(limit), 0.0), 1.0)
    assert (amount >= -TOLERANCE).all() and (amount <= limit + slack).all(), broken
