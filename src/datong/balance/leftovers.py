"""What a plan in lots can save by bringing more than anyone asks for, which the market in any quantities never does.

Of any plan in lots, leave out the units of products sold that come beyond the most that is asked for and is to lie
(section 4 of docs/balance.md), with all that is made and bought for them alone; what of it came anyway, F(c, t) of a
component c in bucket t, lies to the end. With h(c, s) the holding of a unit at the end of bucket s and what is above a
largest stock, v(c) its salvage, k(c) what it costs where nothing is scarce, that costs at most more

    sum over c of products that are sold, and of what goes into those:  sum over t of F(c, t) max(lies(c, t) + k(c), 0)
    lies(c, t) = sum over s >= t of h(c, s) - v(c)

since a unit left over is worth no more than what it costs, all bought. Left lying where they are used, the components
of a start w in bucket t cost the first of these two more, and that is all where a start has no gain:

    gain(w, t) = sum over c of units(w, c) lies(c, t) - cost(w) - yield(w) lies(product of w, t + lead of w), and
                 less that of what comes besides
    sum over w, t of  max(gain(w, t), 0) x the most that hours and limits let start

So it is the least of the two sums, and 0 where no component is dearer to hold than what is made of it.
"""

import numpy as np

from datong.balance.arrays import Market
from datong.balance.bound import most_started
from datong.model.flow import BoolArray, FloatArray, IntArray

# Of a gain, what is rounding.
NOTHING = 1e-9


def most_saved(market: Market) -> float:
    """Money; inf where it is not known."""
    lies = _lies(market)
    gain = _gains(market, lies)
    if not gain.any():
        return 0.0
    some = gain > 0
    started = float((gain[some] * most_started(market)[some]).sum())
    comes = np.maximum(market.stock.fixed, 0.0) * _goes_into(market, np.unique(np.nonzero(some)[0]))[:, None]
    worth = np.maximum(lies + market.products.plain_cost[:, None], 0.0)
    return min(started, float((comes[comes > 0] * worth[comes > 0]).sum()))


def _lies(market: Market) -> FloatArray:
    """(product, bucket) money for a unit that lies from a bucket to the end."""
    largest = market.rules.largest_stock
    held = market.money.holding[:, None] + largest.stock.by_product(largest.cost, len(market.products))
    return np.cumsum(held[:, ::-1], axis=1)[:, ::-1] - market.money.salvage[:, None]


def _gains(market: Market, lies: FloatArray) -> FloatArray:
    """(way, bucket) gain of a start that nobody asks for, of products sold; 0 where there is none."""
    gain = np.zeros(market.ways.is_open.shape)
    saved = market.uses.units[:, None] * lies[market.uses.component] * market.uses.is_open
    np.add.at(gain, market.uses.way, saved)
    product = market.ways.product
    holding = market.money.holding[product, None]
    there = np.maximum(market.buckets - np.arange(market.buckets) - market.ways.lead[:, None], 0)
    left = holding * there - market.money.salvage[product, None]
    gain -= market.ways.cost[:, None] + market.ways.yield_share[:, None] * left
    if market.rules.co_products.is_there:
        gain -= market.rules.co_products.credit(market, lies)
    sold = np.isin(product, market.demand.product)
    sold[market.rules.co_products.way[np.isin(market.rules.co_products.product, market.demand.product)]] = True
    counts = market.ways.is_open & sold[:, None]
    scale = market.ways.cost[:, None] + np.abs(left)
    return np.where(counts & (gain > NOTHING * np.maximum(scale, 1.0)), gain, 0.0)


def _goes_into(market: Market, ways: IntArray) -> BoolArray:
    """(product) whether it goes into what these ways bring, through any number of levels."""
    into, starts = np.zeros(len(market.products), dtype=bool), np.zeros(len(market.ways), dtype=bool)
    starts[ways] = True
    while True:
        starts |= into[market.ways.product]
        before = into.copy()
        into[market.uses.component[starts[market.uses.way]]] = True
        if (into == before).all():
            return into
