"""What every plan costs that serves all demand: a gap as a share of the rest says more than of the whole."""

from collections import defaultdict

import numpy as np

from datong.balance.arrays import Market
from datong.model.flow import FloatArray


def unavoidable_cost(market: Market) -> float:
    """Money for all demand by what is cheapest where nothing is scarce, late or held; stock goes off the needs first.

        need(p) = max(0, demand(p) + sum over what it goes into of need / yield * units per unit - what comes anyway)
        cost    = sum over products of need / yield * cost of the way that is cheapest with its components, of what
              comes besides others the part of that which it bears (network/co_products.py)
                  - what is left of stock that nobody needs * its salvage

    With lanes, what lies at a site and is not needed there is moved first, one lane on, where that costs less.
    Demand is the expected demand of the horizon. Where a substitute or the lost sale costs less than the product's
    cheapest way, demand counts at that. A product that no way makes counts at its lost sale. It is a yardstick and no
    bound: components that lie in stock cost nothing here, but a product made of them is compared as if they did.
    """
    need = -market.stock.fixed.sum(axis=1)
    given = market.given_demand
    total = given[:, -1] if given is not None else np.array([a[:, -1].mean() for a in market.demand.cumulative])
    asked = np.zeros(len(market.products))
    np.add.at(asked, market.demand.product, total)
    need += asked
    plain = np.where(np.isfinite(market.products.plain_cost), market.products.plain_cost, 0.0)
    can_start = np.asarray(market.ways.is_open.any(axis=1))
    used = np.flatnonzero(market.uses.is_open.any(axis=1))
    parts = np.bincount(
        market.uses.way[used], market.uses.units[used] * plain[market.uses.component[used]], len(market.ways)
    )
    borne = np.array([way.own_share for way in market.ways.facts], dtype=np.float64)
    unit_cost = np.where(can_start, (market.ways.cost + parts) * borne / market.ways.yield_share, np.inf)
    besides = market.rules.co_products
    comes = np.zeros(len(market.products), dtype=bool)  # besides others, for no more than by the product's own ways
    comes[besides.product[can_start[besides.way]]] = True
    best = np.full(len(market.products), -1)
    from_stock = np.zeros(len(market.ways), dtype=bool)  # of a component that no way makes
    from_stock[market.uses.way[used[~np.isfinite(market.products.plain_cost[market.uses.component[used]])]]] = True
    order = np.lexsort((-np.arange(len(market.ways)), -unit_cost, ~from_stock))
    order = order[np.isfinite(unit_cost[order])]
    best[market.ways.product[order]] = order  # the last one written is the cheapest
    comes &= market.products.plain_cost < np.append(unit_cost, np.inf)[best]
    is_best = np.zeros(len(market.ways), dtype=bool)
    is_best[best[best >= 0]] = True
    otherwise, moves = _instead(market), _moves_of_stock(market)
    is_dear = otherwise < np.append(unit_cost, np.inf)[best]  # -1: no way
    cost = 0.0
    for step in reversed(market.steps):
        short = np.maximum(need[step.products], 0.0)
        need[step.products] -= short  # a circle of lanes is gone through again, for what it still needs by then
        left_out = np.where(is_dear[step.products], np.minimum(short, asked[step.products]), 0.0)
        asked[step.products] -= left_out
        cost += float(left_out @ otherwise[step.products])
        short -= left_out
        at_once = np.where(comes[step.products], short, 0.0)
        cost += float(at_once[at_once > 0] @ market.products.plain_cost[step.products[at_once > 0]])
        short -= at_once
        for place in np.flatnonzero(short > 0).tolist() if moves else ():
            product = int(step.products[place])
            anew = min(unit_cost[best[product]] if best[product] >= 0 else np.inf, otherwise[product])
            for way, source in moves.get(product, ()):
                taken = min(short[place], -need[source])
                if taken > 0 and market.ways.cost[way] < anew:
                    short[place] -= taken
                    need[source] += taken
                    cost += taken * float(market.ways.cost[way])
        way = best[step.products]
        made = way >= 0
        started = np.zeros(len(market.ways))
        started[way[made]] = short[made] * borne[way[made]] / market.ways.yield_share[way[made]]
        cost += float(started[way[made]] @ market.ways.cost[way[made]])
        cost += float(short[~made] @ market.money.lost_sale[step.products[~made]])
        use = step.uses[market.uses.is_open[step.uses].any(axis=1) & is_best[market.uses.way[step.uses]]]
        np.add.at(need, market.uses.component[use], market.uses.units[use] * started[market.uses.way[use]])
    sold = np.unique(market.demand.product)
    return cost - float(np.maximum(-need[sold], 0.0) @ market.money.salvage[sold])


def _moves_of_stock(market: Market) -> dict[int, list[tuple[int, int]]]:
    """Product -> the ways that only move it from where some of it lies, and from where; the cheapest first."""
    lies = market.stock.fixed.sum(axis=1) > 0
    found: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for use in np.flatnonzero(lies[market.uses.component]).tolist():
        way = int(market.uses.way[use])
        if market.ways.facts[way].kind == "move" and market.ways.is_open[way].any():
            found[int(market.ways.product[way])].append((way, int(market.uses.component[use])))
    return {product: sorted(of, key=lambda one: (market.ways.cost[one[0]], one)) for product, of in found.items()}


def _instead(market: Market) -> FloatArray:
    """(product) money for a unit of demand that is not served with the product itself: by a substitute, or lost."""
    instead = market.money.lost_sale.copy()
    rules = market.rules
    of = market.demand.product[rules.substitutes.demand]
    np.minimum.at(instead, of, market.products.plain_cost[rules.substitutes.product] + rules.substitutes.cost)
    return instead
