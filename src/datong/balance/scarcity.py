"""What is scarce, and how much of a price it is."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from datong.balance.arrays import Market
from datong.balance.long_lot_spans import over_span
from datong.balance.solution import Prices
from datong.ledger.columns import grouped
from datong.model.flow import FloatArray, IntArray
from datong.network.spread_over_long_lot import mean_over

# Quantities and prices below this are rounding of a solver.
NOTHING = 1e-7
# Units left in a pool below this are a part of one that whole units leave.
IDLE = 1.0 - NOTHING


@dataclass(frozen=True, eq=False)
class Share:
    """What one scarce thing adds to a good unit of a way, for many starts at once: all (start).

    money: 0 where it is not worth telling. price: of the thing itself. kind, thing: whose name it is (see `name_of`).
    """

    money: FloatArray
    price: FloatArray
    kind: int
    thing: IntArray


WAY, LINE, PRODUCT = range(3)


def name_of(market: Market, kind: int, thing: int) -> str:
    if kind == WAY:
        return market.ways.facts[thing].name
    return shared_name(market, market.lines.names[thing])[1] if kind == LINE else market.products.names[thing]


def shared_name(market: Market, label: str) -> tuple[str, str]:
    """What a line's label stands for, and its name: a line, or with lanes a lane or an offer."""
    return market.places.shared.get(label, ("line", label))


def product_of(market: Market, label: str) -> str:
    """The product of a stock point; of a chain without lanes, itself."""
    return market.places.stock_points[label].product if label in market.places.stock_points else label


class Scarcity:
    """How much of a way's price is scarce things, by thing.

    cheapest: (product, bucket) price of a unit. pool: (product, bucket) units that lie in pools at the bucket's end.
    """

    def __init__(self, market: Market, prices: Prices, cheapest: FloatArray, pool: FloatArray) -> None:
        self.market = market
        self.prices = prices
        self.cheapest = cheapest
        self.pool = pool
        plain = market.products.plain_cost
        self.component_premium = np.maximum(cheapest - np.where(np.isfinite(plain), plain, 0.0)[:, None], 0.0)
        self.uses_of, self.first_use = grouped(market.uses.way, len(market.ways))

    def saved(self, product: IntArray, bucket: IntArray) -> FloatArray:
        """What one more unit of a component there and then would save: nothing where some lies idle."""
        price = self.cheapest[product, bucket]
        idle = self.pool[product, bucket] > np.where(self.market.products.whole[product], IDLE, NOTHING)
        return np.where(~idle & np.isfinite(price), np.maximum(price, 0.0), 0.0)

    def uses(self, way: IntArray) -> Iterator[tuple[IntArray, IntArray]]:
        """The first use of each way, the second, and so on, as (positions in `way`, uses)."""
        first, after = self.first_use[way], self.first_use[way + 1]
        for turn in range(int((after - first).max(initial=0))):
            at = np.flatnonzero(first + turn < after)
            yield at, self.uses_of[first[at] + turn]

    def shares(self, way: IntArray, start: IntArray) -> Iterator[Share]:
        """What each scarce thing adds to a good unit of the ways, started in these buckets; way, start: (start)."""
        market = self.market
        yields, line = market.ways.yield_share[way], market.ways.line[way]
        price = self.prices.limit[way, start]
        yield _told(price, price, WAY, way)
        price, works = np.zeros(len(way)), np.flatnonzero(line >= 0)
        price[works] = over_span(market, way[works], self.prices.line)[np.arange(len(works)), start[works]]
        yield _told(market.ways.hours[way] * price / yields, price, LINE, line)
        for thing, price, hours in self._beside(way, start):
            yield _told(hours / yields, price, LINE, thing)
        for at, use in self.uses(way):
            component, price = np.full(len(way), -1), np.zeros(len(way))
            component[at] = market.uses.component[use]
            premium = self.component_premium[component[at], start[at]]
            price[at] = np.where(market.uses.is_open[use, start[at]] & np.isfinite(premium), premium, 0.0)
            money = np.zeros(len(way))
            money[at] = market.uses.units[use] * price[at] / yields[at]
            yield _told(money, price, PRODUCT, component)

    def _beside(self, way: IntArray, start: IntArray) -> Iterator[tuple[IntArray, FloatArray, FloatArray]]:
        """Lines that the ways hold beside their own, one at a time: their price, and money for a unit started."""
        beside = self.market.rules.lines_at_once
        for i, w in enumerate(beside.way.tolist()):
            at = np.flatnonzero(way == w)
            price = np.zeros(len(way))
            price[at] = mean_over(self.prices.line[beside.line[i]], self.market.ways.facts[w].worked)[start[at]]
            yield np.where(way == w, beside.line[i], -1), price, beside.hours[i] * price


def _told(money: FloatArray, price: FloatArray, kind: int, thing: IntArray) -> Share:
    return Share(np.where(money > NOTHING, money, 0.0), price, kind, thing)
