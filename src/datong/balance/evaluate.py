"""What quantities really cost, worked out again from the quantities alone, on every sample path."""

from dataclasses import dataclass

import numpy as np

from datong.balance.pack import Market
from datong.model.flow import FloatArray
from datong.model.layers import expected_over_and_short

# Share of a stock, capacity or limit by which rounding in a solver may miss it.
TOLERANCE = 1e-6
# The term that a kind of way adds its cost to.
COST_TERMS = {"make": "production", "buy": "purchase", "move": "transport"}


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


def evaluate(market: Market, started: FloatArray, issued: FloatArray, turned_away: FloatArray) -> Outcome:
    """Cost and course of a plan. Raises AssertionError where it breaks a rule of the market: then a door is broken.

    Conservation: opening + made + received - used - served = closing, for every product and bucket.
    """
    buckets = market.buckets
    _assert_within(started, market.way_limit, "more started than a way allows")
    _assert_within(turned_away, market.sure, "more turned away than is sure to be asked")
    arrived = np.zeros((len(market.products), buckets))
    used = np.zeros((len(market.products), buckets))
    hours = np.zeros(market.line_hours.shape)
    for way, product in enumerate(market.way_product):
        lead = market.way_lead[way]
        arrived[product, lead:] += market.way_yield[way] * started[way, : max(buckets - lead, 0)]
        if market.way_line[way] >= 0:
            hours[market.way_line[way]] += market.way_hours[way] * started[way]
    for use, way in enumerate(market.use_way):
        used[market.use_component[use]] += np.where(market.use_open[use], market.use_units[use] * started[way], 0.0)
    _assert_within(hours, market.line_hours, "more hours than a line has")

    cost = dict.fromkeys(("production", "purchase", "holding", "late", "lost", "salvage"), 0.0)
    if any(facts.kind == "move" for facts in market.ways):
        cost["transport"] = 0.0
    for way, facts in enumerate(market.ways):
        cost[COST_TERMS[facts.kind]] += float(market.way_cost[way] * started[way].sum())

    served_by = np.zeros(market.sure.shape)
    late, lost = np.zeros(market.sure.shape), turned_away.copy()
    supply = np.zeros(market.sure.shape)
    stock = np.cumsum(market.fixed + arrived - used, axis=1)
    for d, product in enumerate(market.demanded):
        if market.is_component[product]:
            stock[product] -= np.cumsum(issued[d])
            used[product] += issued[d]
            supply[d] = np.cumsum(issued[d])
        else:
            supply[d] = stock[product]
            stock[product] = 0.0  # held for demand, counted below
        still_asked = market.cumulative_demand[d] - np.cumsum(turned_away[d])
        over, short = expected_over_and_short(supply[d], still_asked)
        served_by[d] = np.minimum(supply[d], still_asked).mean(axis=0)
        conserved = np.allclose(served_by[d] + over, supply[d], rtol=1e-9, atol=1e-6)
        assert conserved, f"{market.products[product]}: supply is not served + closing stock"
        late[d] = short
        lost[d, -1] += short[-1]
        cost["holding"] += float(market.holding[product] * over.sum())
        cost["late"] += float(market.late[product] * short.sum())
        cost["lost"] += float(
            market.lost_sale[product] * turned_away[d].sum() + market.waiting_at_end[product] * short[-1]
        )
        cost["salvage"] -= float(market.salvage[product] * over[-1])
    scale = np.maximum(np.cumsum(np.abs(market.fixed) + arrived, axis=1).max(initial=1.0), 1.0)
    assert stock.min(initial=0.0) >= -TOLERANCE * scale, "a stock below zero"
    stock = np.maximum(stock, 0.0)
    cost["holding"] += float((stock.sum(axis=1) * market.holding).sum())
    cost["salvage"] -= float((stock[:, -1] * market.salvage).sum())
    asked = np.array([a.mean(axis=0) for a in market.cumulative_demand]).reshape(market.sure.shape)
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


def _assert_within(amount: FloatArray, limit: FloatArray, broken: str) -> None:
    slack = TOLERANCE * np.maximum(np.where(np.isfinite(limit), np.abs(limit), 0.0), 1.0)
    assert (amount >= -TOLERANCE).all() and (amount <= limit + slack).all(), broken
