"""What every plan costs that serves all demand: a gap as a share of the rest says more than of the whole."""

import numpy as np

from datong.balance.pack import Market


def unavoidable_cost(market: Market) -> float:
    """Money for all demand by its cheapest way, where nothing is scarce, late or held; stock goes off the needs first.

        need(p) = max(0, demand(p) + sum over what it goes into of need / yield * units per unit - what comes anyway)
        cost    = sum over products of need / yield * cost of the way that is cheapest with its components

    Demand is the expected demand of the horizon. A product that no way makes counts at its lost sale. It is a yardstick
    and no bound: where a lost sale is cheaper than making the unit, a plan may cost less.
    """
    need = -market.fixed.sum(axis=1)
    asked = market.given_demand
    total = asked[:, -1] if asked is not None else np.array([a[:, -1].mean() for a in market.cumulative_demand])
    np.add.at(need, market.demanded, total)
    plain = np.where(np.isfinite(market.plain_cost), market.plain_cost, 0.0)
    can_start = market.way_open.any(axis=1)
    used = np.flatnonzero(market.use_open.any(axis=1))
    parts = np.bincount(
        market.use_way[used], market.use_units[used] * plain[market.use_component[used]], len(market.ways)
    )
    unit_cost = np.where(can_start, (market.way_cost + parts) / market.way_yield, np.inf)
    best = np.full(len(market.products), -1)
    order = np.lexsort((-np.arange(len(market.ways)), -unit_cost))
    order = order[np.isfinite(unit_cost[order])]
    best[market.way_product[order]] = order  # the last one written is the cheapest
    is_best = np.zeros(len(market.ways), dtype=bool)
    is_best[best[best >= 0]] = True
    cost = 0.0
    for step in reversed(market.steps):
        short = np.maximum(need[step.products], 0.0)
        way = best[step.products]
        made = way >= 0
        started = np.zeros(len(market.ways))
        started[way[made]] = short[made] / market.way_yield[way[made]]
        cost += float(started[way[made]] @ market.way_cost[way[made]])
        cost += float(short[~made] @ market.lost_sale[step.products[~made]])
        use = step.uses[market.use_open[step.uses].any(axis=1) & is_best[market.use_way[step.uses]]]
        np.add.at(need, market.use_component[use], market.use_units[use] * started[market.use_way[use]])
    return cost
