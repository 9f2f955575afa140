"""Shelf life (`products.shelf_life_days`): a unit may lie over the ends of L buckets, L whole buckets.

    I_p(t) + sum over classes d of E stock set aside  <=  sum of arrivals in (t - L, t] + promised_p(t) - bad_p(t)

As the oldest go first, what is left is the youngest: nothing older is left exactly when no more is left than came in
the last L buckets. What would be older is wasted: it leaves stock, and has cost what it cost. Stock counts as new in
the first bucket, but for what of it has a day of expiry by then, bad_p(t); what orders under way will still take,
promised_p(t), is theirs. A substitute that is set aside counts
as stock of what it stands in for, not as an arrival. With several paths the rule holds for the stock that is expected.

Bound: 0 >= mu (stock - fresh) for mu >= 0: the price mu(p, t) adds to holding in t, and a unit's arrival earns the mu
of its L buckets (`credit`), no mu counting by which arrivals would earn more than they cost (`make_room`).
L, out of days: `network/rule_facts.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np

from datong.balance.rules.rule import Chain, Charges, Found, Part, Reader, Rule, Walk
from datong.balance.tolerance import TOLERANCE, assert_within
from datong.model.flow import BoolArray, FloatArray, IntArray
from datong.network.rule_facts import RuleFacts
from datong.network.shelf_life import spoiling

if TYPE_CHECKING:
    from datong.balance.arrays import Market
    from datong.balance.highs import Programme
    from datong.balance.solution import Prices


@dataclass(frozen=True, eq=False)
class ShelfLife(Rule):
    name: ClassVar[str] = "shelf life"
    leaves_over: ClassVar[bool] = True

    # (product) buckets, -1 where a unit keeps.
    life: IntArray
    # (product, bucket) units of stock with a day of expiry that go bad by its end, cumulative.
    spoils: FloatArray

    @classmethod
    def of(cls, facts: RuleFacts, chain: Chain) -> "ShelfLife":
        life = np.full(len(chain.products), -1, dtype=np.int64)
        spoils = np.zeros((len(chain.products), chain.buckets))
        for p, product in enumerate(chain.products):
            keeps = facts.shelf_life.get(product)
            life[p] = -1 if keeps is None else keeps.buckets
            spoils[p] = 0.0 if keeps is None or keeps.spoils is None else keeps.spoils
        return cls(life, spoils)

    @property
    def is_there(self) -> bool:
        return bool((self.life >= 0).any())

    def only(self, product: BoolArray) -> Self:
        """The rule for some products (product) alone."""
        return type(self)(np.where(product, self.life, -1), np.where(product[:, None], self.spoils, 0.0))

    def part(self, part: Part) -> Self:
        return self.only(part.products)

    def add_to(self, programme: "Programme", column_of: IntArray) -> Reader:
        market = programme.market
        most = self.fresh(market, np.zeros(market.stock.fixed.shape))
        added = {
            int(product): self._rows_and_waste(programme, int(product), most[product], column_of)
            for product in np.flatnonzero((self.life >= 0) & market.products.is_component)
        }

        def read(value: FloatArray, dual: FloatArray) -> Found:
            price, wasted = np.zeros(most.shape), np.zeros(most.shape)
            for product, (rows, waste) in added.items():
                price[product], wasted[product] = -dual[rows], value[waste]
            return Found(price, wasted)

        return read

    def _rows_and_waste(
        self, programme: "Programme", product: int, most: FloatArray, column_of: IntArray
    ) -> tuple[IntArray, IntArray]:
        """The rows of a product's stock, and the columns of what of it goes bad."""
        market, buckets = programme.market, programme.buckets
        waste = programme.add_columns(np.zeros(buckets), np.full(buckets, np.inf))
        programme.disliked.append(waste)
        programme.add_entries(programme.pool_row[product] + np.arange(buckets), waste, 1.0)
        rows = programme.add_rows(np.full(buckets, -np.inf), most)
        programme.add_entries(rows, programme.stock[product], 1.0)
        for d in np.flatnonzero(market.demand.product == product):
            columns, bucket, share = programme.over[d]
            programme.add_entries(rows[bucket], columns, share)
        besides = market.rules.co_products
        brings = [(w, market.ways.yield_share[w]) for w in np.flatnonzero(market.ways.product == product)]
        brings += [(besides.way[i], besides.units[i]) for i in np.flatnonzero(besides.product == product)]
        for way, each in brings:
            start = np.flatnonzero(column_of[way] >= 0)
            for later in range(int(self.life[product])):
                until = start + market.ways.lead[way] + later
                some = until < buckets
                columns = column_of[way, start[some]]
                programme.add_entries(rows[until[some]], columns, -each)
        return rows, waste

    def referee(self, market: "Market", walk: Walk) -> Mapping[str, float]:
        can_perish = np.where(self.life[:, None] >= 0, np.inf, 0.0)
        assert_within(walk.wasted, np.broadcast_to(can_perish, walk.wasted.shape), "waste of a product that keeps")
        if self.is_there:
            most = np.maximum(self.fresh(market, walk.arrived), 0.0)
            assert_within(walk.stock, most, "a unit kept beyond its shelf life")
        return {}

    def lets_start(self, market: "Market", arrived: FloatArray, stock: FloatArray) -> bool:
        """What of a component would be too old cannot go bad once orders are given; of what is delivered it can. One
        that is delivered and used as well is refused: only the programme of deliveries knows."""
        serves = np.array([way.serves for way in market.ways.facts], dtype=bool)
        serving = serves[market.uses.way]
        delivered, used = np.zeros((2, len(self.life)), dtype=bool)
        delivered[market.demand.product] = delivered[market.uses.component[serving]] = True
        used[market.uses.component[~serving]] = True
        perishes = self.life >= 0
        if (perishes & delivered & used).any():
            return False
        rest = perishes & ~delivered
        return bool((stock[rest] <= self.fresh(market, arrived)[rest] + TOLERANCE).all())

    def price(self, market: "Market", prices: "Prices") -> FloatArray:
        """(product, bucket) money per unit in stock, in the bound."""
        given = np.maximum(prices.rule.get(self.name, np.zeros(market.stock.fixed.shape)), 0.0)
        return np.where(self.life[:, None] >= 0, given, 0.0)

    def worth(self, market: "Market", prices: "Prices", charges: Charges) -> float:
        product = np.flatnonzero(self.life >= 0)
        most = self.fresh(market, np.zeros(market.stock.fixed.shape))[product]
        return float((charges.shelf_life[product] * most).sum())

    def fresh(self, market: "Market", arrived: FloatArray) -> FloatArray:
        """(product, bucket) most units that can be in stock at the bucket's end; inf for a product that keeps.

        arrived: (product, bucket) good units of what is started.
        """
        most = np.full(arrived.shape, np.inf)
        product = np.flatnonzero(self.life >= 0)
        came = np.cumsum(arrived[product] + np.maximum(market.stock.fixed[product], 0.0), axis=1)
        most[product] = came - _ago(came, self.life[product]) + _promised(market, product)
        most[product] -= self.spoiling(market)[product]
        return most

    def spoiling(self, market: "Market") -> FloatArray:
        """(product, bucket) units of the first stock that go bad by its end, while any of it counts as new."""
        bad = spoiling(self.spoils, market.stock.fixed, market.stock.taken)
        return np.where(np.arange(market.buckets) < self.life[:, None], bad, 0.0)

    @property
    def is_dated(self) -> BoolArray:
        """(product) whether units of it lie there that have a day of expiry."""
        found: BoolArray = (self.spoils > 0).max(axis=1, initial=False)
        return found

    def credit(self, price: FloatArray) -> FloatArray:
        """(product, bucket) what a unit's arrival is worth by making room: the prices of its next L buckets.

        price: (product, bucket) of the shelf life, per unit in stock.
        """
        buckets, total = price.shape[1], np.cumsum(price, axis=1)
        last = np.clip(np.arange(buckets) + self.life[:, None] - 1, 0, buckets - 1)
        credit = np.take_along_axis(total, last, axis=1) - total + price
        return np.where(self.life[:, None] > 0, credit, 0.0)


def make_room(
    market: "Market", of: IntArray, price: FloatArray, elsewhere: FloatArray, charge: Charges, credit: FloatArray
) -> None:
    """Lowers the price of shelf life, by product, to where no arrival earns more than it costs: else units would be
    made to be thrown away. price: (way, bucket of arrival) of the ways `of`."""
    product = market.ways.product[of]
    earned = credit[product]
    if not earned.any():
        return
    share = np.ones(len(market.products))
    cost = np.where(np.isfinite(price), np.maximum(price - np.maximum(elsewhere[product], 0.0), 0.0), np.inf)
    ratio = np.where(earned > 0, cost / np.where(earned > 0, earned, 1.0), 1.0).min(axis=1)
    np.minimum.at(share, product, ratio)
    some = np.unique(product)
    charge.shelf_life[some] *= share[some, None]
    credit[some] *= share[some, None]


def _ago(amount: FloatArray, buckets: IntArray) -> FloatArray:
    """(row, bucket) the amount so many buckets before, 0 before the first. buckets: (row)."""
    then = np.arange(amount.shape[1]) - buckets[:, None]
    return np.where(then >= 0, np.take_along_axis(amount, np.maximum(then, 0), axis=1), 0.0)


def _promised(market: "Market", product: IntArray) -> FloatArray:
    """(product, bucket) units that orders under way will still take after the bucket."""
    out = np.maximum(-market.stock.fixed[product], 0.0)
    return out.sum(axis=1, keepdims=True) - np.cumsum(out, axis=1)
