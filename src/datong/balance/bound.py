"""The certificate: from prices alone, a cost that no plan fixed now can go below.

Weak duality (Geoffrion 1974): give every scarce thing any price that is not negative, let each unit take what is
cheapest for it alone, and take off the worth of everything scarce at these prices. Only hard minima stand here, every
sample path counts, and no figure of a solver but its prices comes in; so a bad solver gives a weak bound, never a
false one.
"""

import numpy as np

from datong.balance.pack import Market
from datong.balance.solution import Prices
from datong.model.flow import FloatArray
from datong.model.layers import expected_over_and_short, layer_grid, layer_slopes


def unit_prices(market: Market, prices: Prices) -> tuple[FloatArray, FloatArray]:
    """Full prices of a good unit, by way and by product, each with the bucket in which it is there.

    A way costs (cost + hours * price of the hour + its components at their prices + price of the offer) / yield. A
    product's price is its cheapest way's; a component's also at most that of holding it from the bucket before, and at
    most the given one, so that no way and no holding earns anything at these prices.
    """
    buckets = market.buckets
    ways = np.full(market.way_open.shape, np.inf)
    cheapest = np.full((len(market.products), buckets), np.inf)
    ways_of = _groups(market.way_product, len(market.products))
    uses_of = _groups(market.use_way, len(market.ways))
    line_price = np.maximum(prices.line, 0.0)
    limit_price = np.where(np.isfinite(market.way_limit), np.maximum(prices.limit, 0.0), 0.0)
    for product in market.levels:
        for way in ways_of[product]:
            lead = market.way_lead[way]
            if lead >= buckets:
                continue
            price = market.way_cost[way] + limit_price[way]
            if market.way_line[way] >= 0:
                price = price + market.way_hours[way] * line_price[market.way_line[way]]
            for use in uses_of[way]:
                part = market.use_units[use] * cheapest[market.use_component[use]]
                price = price + np.where(market.use_open[use], part, 0.0)
            price = np.where(market.way_open[way], price / market.way_yield[way], np.inf)
            ways[way, lead:] = price[: buckets - lead]
            cheapest[product] = np.minimum(cheapest[product], ways[way])
        if market.is_component[product]:
            cheapest[product] = _held(market, product, np.minimum(cheapest[product], prices.component[product]))
    return ways, cheapest


def _held(market: Market, product: int, price: FloatArray) -> FloatArray:
    """The price that neither falls below what is left at the end is worth nor rises by more than the holding."""
    left = np.arange(market.buckets, 0, -1)
    price = np.maximum(price, market.salvage[product] - market.holding[product] * left)
    steps = market.holding[product] * np.arange(market.buckets)
    return np.minimum.accumulate(price - steps) + steps


def _groups(keys: FloatArray | np.ndarray, count: int) -> list[list[int]]:
    groups: list[list[int]] = [[] for _ in range(count)]
    for i, key in enumerate(keys):
        groups[int(key)].append(i)
    return groups


def lower_bound(market: Market, prices: Prices) -> float:
    """The Lagrangian dual at these prices, in money; negative prices count as none.

        sum over demanded products of
            sum_t f_t(0) + sum over layers n of min(0, min over a of price_a + sum_{t>=a} slope_t(n))
        - sum of price * amount over line hours, limited offers, sure demand, and component stock that comes anyway,

    price_a being the cheapest way to have the unit in bucket a: made, bought, or turned away. With component stock that
    has no way and no use, its price is taken as 0.
    """
    _, cheapest = unit_prices(market, prices)
    away_price = np.maximum(prices.turned_away, _least_away_price(market))
    bound = -float((np.maximum(prices.line, 0.0) * market.line_hours).sum())
    limited = np.isfinite(market.way_limit)
    bound -= float((np.maximum(prices.limit, 0.0)[limited] * market.way_limit[limited]).sum())
    bound -= float((away_price * market.sure).sum())
    for product in np.nonzero(market.is_component)[0]:
        stock = market.fixed[product] != 0
        if not np.isfinite(cheapest[product][stock]).all():
            return -np.inf
        bound -= float((cheapest[product][stock] * market.fixed[product][stock]).sum())
    for d, product in enumerate(market.demanded):
        away = np.where(market.sure[d] > 0, market.lost_sale[product] + away_price[d], np.inf)
        price = np.minimum(cheapest[product], away)
        bound += _least_cost(market, d, price)
    bound += _idle_stock_cost(market)
    return bound


def _least_away_price(market: Market) -> FloatArray:
    """(demanded, bucket) the price at which nobody turns a buyer away to earn the salvage of the unit; at least 0."""
    product = market.demanded
    held = market.holding[product, None] * np.arange(market.buckets, 0, -1)
    return np.maximum((market.salvage - market.lost_sale)[product, None] - held, 0.0)


def _least_cost(market: Market, d: int, price: FloatArray) -> float:
    """What the d-th demanded product costs at least when a unit in bucket a is to be had at price (bucket)."""
    product = market.demanded[d]
    holding, late, waiting, salvage = (
        float(a[product]) for a in (market.holding, market.late, market.waiting_at_end, market.salvage)
    )
    net = market.net_demand(d)
    over, short = expected_over_and_short(np.zeros(market.buckets), net)
    base = holding * over.sum() + late * short.sum() + waiting * short[-1] - salvage * over[-1]
    width, chance = layer_grid(net)
    saving = np.cumsum(layer_slopes(chance, holding, late, waiting, salvage)[:, ::-1], axis=1)[:, ::-1] + price
    return float(base + width @ np.minimum(saving.min(axis=1), 0.0)) if len(width) else float(base)


def _idle_stock_cost(market: Market) -> float:
    """Holding of stock that nobody asks for and nothing uses: every plan pays it."""
    idle = np.ones(len(market.products), dtype=bool)
    idle[market.demanded] = False
    idle &= ~market.is_component
    stock = np.cumsum(market.fixed[idle], axis=1)
    return float((stock.sum(axis=1) * market.holding[idle]).sum() - (stock[:, -1] * market.salvage[idle]).sum())
