"""Safety stock (`stock_rules`: smallest_units, smallest_days; `products.safety_stock_units`): the stock of a target
k is to be no less than s at the end of each bucket, at a price.

    sum over t of u_k(t) x max(s_k(t) - I_k(t), 0),     I: rules/stock_held.py

It is soft: u is more than holding and at most holding and lateness together, so that demand may use the stock, and a
plan always comes out. How u and the days of cover are found: network/stock_targets.py.

HiGHS: a column of what is missing, and I + missing >= s. Its price m, 0 <= m <= u, is off the holding of the stock
points of k: with holding h - m and m s on top, the bound is that of the market without the rule (`worth`), as
u max(s - I, 0) >= m (s - I). The slopes of the cost curves still rise, as m is at most h and b together, so that the
pieces of expected stock fill in order. No m counts by which keeping a unit to the end would earn more than it costs
(`kept_share`). Search: a target of one class of demand alone stands in its curve, also in the bound (`StockCurve`);
with others the search is refused.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np

from datong.balance.rules.rule import Chain, Charges, Found, Part, Reader, Rule, Walk
from datong.balance.rules.stock_held import StockHeld, own_demand
from datong.balance.rules.substitutes import worth_elsewhere, worth_left
from datong.model.flow import BoolArray, FloatArray, IntArray
from datong.network.rule_facts import RuleFacts

if TYPE_CHECKING:
    from datong.balance.arrays import Market
    from datong.balance.highs import Programme
    from datong.balance.solution import Prices

# What of a price is left off so that rounding does not make a unit that is left over earn; a smaller share counts none.
MARGIN, LEAST_SHARE = 1e-9, 1e-3


@dataclass(frozen=True, eq=False)
class SafetyStock(Rule):
    name: ClassVar[str] = "safety stock"

    # Whose stock counts.
    stock: StockHeld
    # (target, bucket) units at its end at least.
    smallest: FloatArray
    # (target, bucket) money for a unit below that.
    cost: FloatArray
    # (target) the class of demand in whose curve it stands (`own_demand`), -1: none.
    own: IntArray
    # (target) days of the safety lead time that is in it; 0: none.
    lead_days: FloatArray

    @classmethod
    def of(cls, facts: RuleFacts, chain: Chain) -> "SafetyStock":
        targets = [target for target in facts.stock_targets if target.smallest.any()]
        shape = (len(targets), chain.buckets)
        smallest, cost = (
            np.array([getattr(target, name) for target in targets]).reshape(shape) for name in ("smallest", "below")
        )
        stock = StockHeld.of(targets, chain)
        lead_days = np.array([target.lead_days for target in targets], dtype=np.float64)
        return cls(stock, smallest, cost, own_demand(stock, len(targets), chain.classes), lead_days)

    def in_no_pool(self, is_pooled: BoolArray, demanded: IntArray) -> Self:
        """The same, in the curves of demand for products alone that lie in no pool. is_pooled: (product); demanded:
        (demanded) its product."""
        pooled = is_pooled[demanded[self.own]] if len(demanded) else np.ones(len(self.own), dtype=bool)
        return replace(self, own=np.where(pooled, -1, self.own))

    @property
    def is_in_search(self) -> bool:
        return bool((self.own >= 0).all())

    @property
    def is_there(self) -> bool:
        return bool(self.smallest.any())

    def part(self, part: Part) -> Self:
        stock, kept = self.stock.part(part)
        none = np.full(len(kept), -1)
        return type(self)(stock, self.smallest[kept], self.cost[kept], none, self.lead_days[kept])

    def without(self) -> Self:
        """The rule of no target."""
        none = np.zeros(0, dtype=np.int64)
        return type(self)(StockHeld(none, none), self.smallest[:0], self.cost[:0], none, self.lead_days[:0])

    def most(self, products: int) -> FloatArray:
        """(product) units that the rule can want in stock at most: supply may go so far beyond the largest demand."""
        most = np.zeros(products)
        np.maximum.at(most, self.stock.product, self.smallest.max(axis=1, initial=0.0)[self.stock.target])
        return most

    def add_to(self, programme: "Programme", column_of: IntArray) -> Reader:
        rows = programme.add_rows(np.zeros(self.smallest.size), np.full(self.smallest.size, np.inf))
        at = rows.reshape(self.smallest.shape)
        least = self.smallest - self.stock.add_to(programme, at)
        programme.limits[-1] = (least.ravel(), programme.limits[-1][1])
        missing = programme.add_columns(self.cost.ravel(), self.smallest.ravel())
        programme.add_entries(rows, missing, 1.0)
        return lambda _value, dual: Found(price=dual[at])

    def referee(self, market: "Market", walk: Walk) -> Mapping[str, float]:
        if not self.is_there:
            return {}
        return {"safety_stock": float((self.cost * self.missing(walk.stock)).sum())}

    def missing(self, stock: FloatArray) -> FloatArray:
        """(target, bucket) units below the smallest stock. stock: (product, bucket) units."""
        return np.maximum(self.smallest - self.stock.together(stock, len(self.smallest)), 0.0)

    def price(self, prices: "Prices") -> FloatArray:
        """(target, bucket) m, in the bound; none of targets that stand in the curve of their demand."""
        given = np.clip(prices.rule.get(self.name, np.zeros(self.cost.shape)), 0.0, self.cost)
        return np.where(self.own[:, None] < 0, given, 0.0)

    def worth(self, market: "Market", prices: "Prices", charges: Charges) -> float:
        return -float((charges.safety_stock * self.smallest).sum())

    def kept_share(
        self, market: "Market", of: IntArray, price: FloatArray, kept: "KeptWorth", share: FloatArray
    ) -> None:
        """Lowers, by target, the share of m that may count to where no way earns by leaving units over. What a unit is
        worth kept rises with m no faster than in a straight line between its worth without and with all of m.

        of: (way); price: (way, bucket of arrival) of a good unit.
        """
        if not self.is_there:
            return
        brings = market.ways.product[of]
        for product, targets in self._earn_by(market).items():
            own = np.flatnonzero(brings == product)
            if not len(own):
                continue
            there, without, more = price[own].min(axis=0), kept.without[product], kept.gain[product]
            can = np.isfinite(there) & (more > 0)
            ratio = np.maximum(there - without, 0.0)[can] / more[can]
            share[targets] = np.minimum(share[targets], ratio.min(initial=1.0))

    def _earn_by(self, market: "Market") -> dict[int, list[int]]:
        """Product -> the targets whose m a unit of it can earn: its own, and those of what it stands in for."""
        found: dict[int, list[int]] = defaultdict(list)
        rule = market.rules.substitutes
        for k, p in zip(self.stock.target.tolist(), self.stock.product.tolist(), strict=True):
            found[p].append(k)
            for q in rule.product[market.demand.product[rule.demand] == p].tolist():
                found[q].append(k)
        return found

    def lowered(self, prices: "Prices", share: FloatArray) -> "Prices":
        """The prices with so much of m, by target, and a little less, so that rounding is no reason to lower it again;
        none of it where that was tried."""
        before = self.price(prices)
        share = np.where(share < 1.0, share * (1.0 - MARGIN), 1.0)
        after = before * np.where(share > LEAST_SHARE, share, 0.0)[:, None]
        return replace(prices, rule={**prices.rule, self.name: after})


@dataclass(frozen=True, eq=False)
class KeptWorth:
    """What a unit is worth kept, (product, bucket in which it is there)."""

    # Money without the prices of safety stock.
    without: FloatArray
    # Money more with them.
    gain: FloatArray

    @classmethod
    def of(cls, market: "Market", charges: Charges) -> "KeptWorth":
        if not charges.safety_stock.any():
            none = np.zeros((len(market.products), market.buckets))
            return cls(none, none)
        every = np.arange(len(market.products))
        plain = replace(charges, off_holding=np.zeros(charges.off_holding.shape))
        without, with_all = (
            worth_kept(market, every, market.money.holding[:, None] + c.held(every), worth_elsewhere(market, c))
            for c in (plain, charges)
        )
        return cls(without, np.where(np.isfinite(without), with_all - without, 0.0))


def worth_kept(market: "Market", product: IntArray, holding: FloatArray, elsewhere: FloatArray) -> FloatArray:
    """(product, bucket) what a unit that is there in the bucket is worth by being left over, then or after a while: the
    most of `worth_left` and of what it is worth elsewhere (product, bucket) in a later bucket, held until then.

    holding, elsewhere: (product, bucket) of the products given.
    """
    worth = worth_left(market, product, holding)
    best = np.full(len(product), -np.inf)
    for t in range(market.buckets - 1, -1, -1):
        best = np.maximum(best - holding[:, t], elsewhere[:, t])
        worth[:, t] = np.maximum(worth[:, t], best)
    return worth
