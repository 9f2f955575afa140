"""The certificate: from prices alone, a cost that no plan fixed now can go below.

Weak duality (Geoffrion 1974): give every scarce thing any price that is not negative, let each unit take what is
cheapest for it alone, and take off the worth of everything scarce at these prices. Only hard minima stand here, every
sample path counts, and no figure of a solver but its prices comes in; so a bad solver gives a weak bound, never a
false one.
"""

import numpy as np

from datong.balance.pack import Market
from datong.balance.solution import Prices
from datong.model.flow import FloatArray, IntArray
from datong.model.layers import expected_over_and_short, layer_grid, layer_slopes

# Products whose layers are looked at together: what a core's cache holds.
PRODUCTS_AT_ONCE = 200


def unit_prices(market: Market, prices: Prices) -> tuple[FloatArray, FloatArray]:
    """Full prices of a good unit, by way and by product, each with the bucket in which it is there.

    A way costs (cost + hours * price of the hour + its components at their prices + price of the offer) / yield. A
    product's price is its cheapest way's; a component's also at most that of holding it from the bucket before, and at
    most the given one, so that no way and no holding earns anything at these prices.
    """
    ways = np.full(market.way_open.shape, np.inf)
    cheapest = np.full((len(market.products), market.buckets), np.inf)
    line_price = np.maximum(prices.line, 0.0)
    for step in market.steps:
        of = step.ways
        limit_price = np.where(np.isfinite(market.way_limit[of]), np.maximum(prices.limit[of], 0.0), 0.0)
        price = market.way_cost[of, None] + limit_price
        on_line = np.flatnonzero(market.way_line[of] >= 0)
        price[on_line] += market.way_hours[of[on_line], None] * line_price[market.way_line[of[on_line]]]
        for turn in step.use_turns:
            use = step.uses[turn]
            part = market.use_units[use, None] * cheapest[market.use_component[use]]
            price[step.use_at[turn]] += np.where(market.use_open[use], part, 0.0)
        price = np.where(market.way_open[of], price / market.way_yield[of, None], np.inf)
        ways[of] = there = shifted(price, market.way_lead[of], np.inf)
        for turn in step.way_turns:
            product = market.way_product[of[turn]]
            cheapest[product] = np.minimum(cheapest[product], there[turn])
        part = step.products[market.is_component[step.products]]
        cheapest[part] = _held(market, part, np.minimum(cheapest[part], prices.component[part]))
    return ways, cheapest


def shifted(amount: FloatArray, lead: IntArray, before: float) -> FloatArray:
    """Amounts by bucket of start as amounts by bucket of arrival, both (way, bucket); `before`: where none can be."""
    start = np.arange(amount.shape[1]) - lead[:, None]
    return np.where(start >= 0, np.take_along_axis(amount, np.maximum(start, 0), axis=1), before)


def _held(market: Market, product: IntArray, price: FloatArray) -> FloatArray:
    """The prices that neither fall below what is left at the end is worth nor rise by more than the holding.

    product: indices; price: (one of them, bucket).
    """
    holding = market.holding[product, None]
    left = np.arange(market.buckets, 0, -1)
    price = np.maximum(price, market.salvage[product, None] - holding * left)
    steps = holding * np.arange(market.buckets)
    return np.minimum.accumulate(price - steps, axis=1) + steps


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
    stock = market.is_component[:, None] & (market.fixed != 0)
    worth = cheapest[stock]
    if not np.isfinite(worth).all():
        return -np.inf
    bound -= float(worth @ market.fixed[stock])
    product = market.demanded
    away = np.where(market.sure > 0, market.lost_sale[product, None] + away_price, np.inf)
    price = np.minimum(cheapest[product], away)
    if market.given_demand is None:
        bound += sum(_least_cost(market, d, price[d]) for d in range(len(product)))
    else:
        pieces = range(0, len(product), PRODUCTS_AT_ONCE)
        bound += sum(
            _least_given_cost(market, np.arange(i, min(i + PRODUCTS_AT_ONCE, len(product))), price) for i in pieces
        )
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


def _least_given_cost(market: Market, d: IntArray, price: FloatArray) -> float:
    """`_least_cost` of some demanded products whose demand is one path. price: (demanded, bucket), of all of them.

    A layer is asked for from one bucket on or, after a receipt, not: the edges of the layers are the path's own values.
    """
    product = market.demanded[d]
    holding, late, waiting, salvage = (
        a[product, None] for a in (market.holding, market.late, market.waiting_at_end, market.salvage)
    )
    net = market.net_given_demand(d)
    over, short = np.maximum(-net, 0.0), np.maximum(net, 0.0)
    base = (holding * over + late * short).sum() + (waiting * short[:, -1:] - salvage * over[:, -1:]).sum()
    upper = np.sort(short, axis=1)
    lower = np.concatenate([np.zeros((len(d), 1)), upper[:, :-1]], axis=1)
    asked = net[:, None, :] > lower[:, :, None]  # (d, layer, bucket)
    slope = np.where(asked, -late[:, :, None], holding[:, :, None])
    slope[:, :, -1] -= np.where(asked[:, :, -1], waiting, salvage)
    saving = np.cumsum(slope[:, :, ::-1], axis=2)[:, :, ::-1] + price[d, None, :]
    return float(base + ((upper - lower) * np.minimum(saving.min(axis=2), 0.0)).sum())


def _idle_stock_cost(market: Market) -> float:
    """Holding of stock that nobody asks for and nothing uses: every plan pays it."""
    idle = np.ones(len(market.products), dtype=bool)
    idle[market.demanded] = False
    idle &= ~market.is_component
    stock = np.cumsum(market.fixed[idle], axis=1)
    return float((stock.sum(axis=1) * market.holding[idle]).sum() - (stock[:, -1] * market.salvage[idle]).sum())
