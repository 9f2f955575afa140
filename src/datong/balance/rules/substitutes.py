"""Substitutes (`substitutes`: product, substitute, cost_per_unit): a unit of product q may be set aside for a class d
of the demand for p, V(q, d, t) at cost c each.

    I_q(t) = I_q(t - 1) + arrivals - used - issued - sum of V(q, ., t),    M_d(t) - M_d(t - 1) = ... + V(., d, t)

In deliveries it leaves for its buyer as it is set aside, and so it does in all of the market where a row does not hold
in every bucket: what is delivered by then (U: supply and what comes anyway, up to the largest demand of any path)
rises by as much.

    sum of V(., d, t) + turned away in t  <=  U_d(t) - U_d(t - 1)

The price of this limit is not in the bound, which is below the optimum where it binds.

Bound: a unit of d costs at most the substitute's price in that bucket and c (`cheapen`), and a substitute is worth at
least what it would be as one that is left over of what it stands in for (`worth_elsewhere`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np

from datong.balance.rules.rule import Chain, Charges, Found, Part, Reader, Rule, Walk
from datong.balance.tolerance import assert_within
from datong.model.flow import BoolArray, FloatArray, IntArray
from datong.network.rule_facts import RuleFacts

if TYPE_CHECKING:
    from datong.balance.arrays import Market
    from datong.balance.highs import Programme


@dataclass(frozen=True, eq=False)
class Substitutes(Rule):
    name: ClassVar[str] = "substitutes"
    leaves_over: ClassVar[bool] = True

    # (substitute) index of the demanded that it may serve.
    demand: IntArray
    # (substitute) index of the product that may serve it.
    product: IntArray
    # (substitute) money per unit, on top of the product's own.
    cost: FloatArray
    # (substitute, bucket) whether it may.
    is_open: BoolArray

    @classmethod
    def of(cls, facts: RuleFacts, chain: Chain) -> "Substitutes":
        at, always = {p: i for i, p in enumerate(chain.products)}, (True,) * chain.buckets
        asked = {s.product for s in facts.substitutes}
        of = {p: [d for d, (i, _) in enumerate(chain.classes) if i == at[p]] for p in asked}
        pairs = [(d, at[s.substitute], s.cost_per_unit, s.holds) for s in facts.substitutes for d in of[s.product]]
        return cls(
            demand=np.array([d for d, *_ in pairs], dtype=np.int64),
            product=np.array([p for _, p, *_ in pairs], dtype=np.int64),
            cost=np.array([c for _, _, c, _ in pairs], dtype=np.float64),
            is_open=np.array([h or always for *_, h in pairs], dtype=bool).reshape(-1, chain.buckets),
        )

    @property
    def is_there(self) -> bool:
        return len(self.cost) > 0

    def part(self, part: Part) -> Self:
        kept = np.isin(self.demand, part.demanded)
        place = np.searchsorted(part.demanded, self.demand[kept])
        return type(self)(place, self.product[kept], self.cost[kept], self.is_open[kept])

    def add_to(self, programme: "Programme", column_of: IntArray) -> Reader:
        buckets = programme.buckets
        t, index = np.arange(buckets), np.zeros((len(self.cost), buckets), dtype=np.int64)
        for i, (d, product) in enumerate(zip(self.demand, self.product, strict=True)):
            most = np.where(self.is_open[i], np.inf, 0.0)
            columns = programme.add_columns(np.full(buckets, self.cost[i]), most)
            programme.add_entries(programme.pool_row[product] + t, columns, 1.0)
            programme.add_entries(programme.demand_row[d] + t, columns, -1.0)
            programme.substituted.setdefault(int(d), []).append(columns)
            index[i] = columns
        limited = np.ones(len(self.cost), dtype=bool) if programme.delivers else ~self.is_open.all(axis=1)
        for d in np.unique(self.demand[limited]).tolist():
            self._no_sooner_than_wanted(programme, d, index[self.demand == d])
        return lambda value, _dual: Found(units=value[index])

    @staticmethod
    def _no_sooner_than_wanted(programme: "Programme", d: int, columns: IntArray) -> None:
        """columns: (substitute, bucket) those of a class of demand."""
        supply, bucket = programme.up_to_demand[d]
        market = programme.market
        asked = market.demand.cumulative[d].max(axis=0)
        comes = (market.demand.cumulative[d] - market.net_demand(d)).max(axis=0)  # the same on all paths
        anyway = np.minimum(comes, asked) + market.least_supply[d]
        rises = np.maximum(np.diff(anyway, prepend=0.0), 0.0)
        rows = programme.add_rows(np.full(programme.buckets, -np.inf), rises)
        for own in (*columns, programme.turned_away[d]):
            programme.add_entries(rows, own, 1.0)
        programme.add_entries(rows[bucket], supply, -1.0)
        later = bucket + 1 < programme.buckets
        programme.add_entries(rows[bucket[later] + 1], supply[later], 1.0)

    def referee(self, market: "Market", walk: Walk) -> Mapping[str, float]:
        most = np.where(self.is_open, np.inf, 0.0)
        assert_within(walk.substituted, most, "a substitute below zero, or where none may be")
        return {"substitution": float(self.cost @ walk.substituted.sum(axis=1))} if self.is_there else {}

    def cheapen(self, price: FloatArray, cheapest: FloatArray) -> None:
        """Lowers the prices of demand (demanded, bucket) to those of its substitutes. cheapest: (product, bucket)."""
        instead = cheapest[self.product] + self.cost[:, None]
        np.minimum.at(price, self.demand, np.where(self.is_open, instead, np.inf))

    def honest_salvages(self, demanded: IntArray, salvage: FloatArray, plain_cost: FloatArray) -> FloatArray:
        """(product) salvage, and never more than a substitute costs: nobody makes one to have the other left over."""
        salvage = salvage.copy()
        np.minimum.at(salvage, demanded[self.demand], plain_cost[self.product] + self.cost)
        return salvage


def worth_left(market: "Market", product: IntArray, holding: FloatArray) -> FloatArray:
    """(product, bucket) what a unit that is there in the bucket is worth by being left over. holding: the same axes."""
    return market.money.salvage[product, None] - np.cumsum(holding[:, ::-1], axis=1)[:, ::-1]


def worth_elsewhere(market: "Market", charges: Charges) -> FloatArray:
    """(product, bucket) what it is worth at least by standing in for one that is left over, or by being thrown away."""
    rule = market.rules.substitutes
    perishes = market.rules.shelf_life.life[:, None] >= 0
    worth = np.where(perishes, 0.0, np.full(market.stock.fixed.shape, -np.inf))
    of = market.demand.product[rule.demand]
    left = worth_left(market, of, market.money.holding[of, None] + charges.held(of))
    np.maximum.at(worth, rule.product, left - rule.cost[:, None])
    return worth
