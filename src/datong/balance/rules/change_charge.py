"""Change charge (`change_cost_share` in [defaults] of chain.toml): what differs from the plan that stands costs.

    sum over ways and charged buckets of  charge x |x(w, t) - x0(w, t)|,    x0: the plan that stands

HiGHS:  started - more + less = before, both at the charge; where nothing was planned, what starts is more (`on_new`).
Bound:  charge |x - x0| >= v (x - x0) for v in [-charge, charge]; for x0 = 0 best at v = charge.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np

from datong.balance.rules.rule import Chain, Charges, Found, Part, Reader, Rule, Walk
from datong.model.flow import BoolArray, FloatArray, IntArray
from datong.network.rule_facts import RuleFacts

if TYPE_CHECKING:
    from datong.balance.arrays import Market
    from datong.balance.highs import Programme
    from datong.balance.solution import Prices


@dataclass(frozen=True, eq=False)
class ChangeCharge(Rule):
    name: ClassVar[str] = "change charge"
    leaves_over: ClassVar[bool] = True
    earns: ClassVar[bool] = True

    # (way) money per unit.
    cost: FloatArray
    # (way, bucket) units that the plan that stands starts.
    before: FloatArray
    # (bucket) whether that plan reaches so far, and it is not frozen.
    charged: BoolArray

    @classmethod
    def of(cls, facts: RuleFacts, chain: Chain) -> "ChangeCharge":
        none, t = np.zeros(chain.buckets), np.arange(chain.buckets)
        before = np.array([facts.before.get(w.name, none) for w in chain.ways])
        return cls(
            cost=np.array([facts.change_cost.get(w.product, 0.0) for w in chain.ways], dtype=np.float64),
            before=before.reshape(len(chain.ways), chain.buckets),
            charged=(t < facts.before_buckets) & (t >= chain.frozen_buckets),
        )

    @property
    def is_there(self) -> bool:
        return bool(self.charged.any() and self.cost.any())

    def part(self, part: Part) -> Self:
        """None: deliveries change no order."""
        ways, buckets = len(part.ways), part.buckets
        return type(self)(np.zeros(ways), np.zeros((ways, buckets)), np.zeros(buckets, dtype=bool))

    def on_new(self, way: IntArray, bucket: IntArray) -> FloatArray:
        """(start) money per unit that starts where nothing was planned."""
        is_new = self.charged[bucket] & (self.before[way, bucket] == 0)
        return is_new * self.cost[way]

    def add_to(self, programme: "Programme", column_of: IntArray) -> Reader:
        changes = self.charged & (self.before > 0) & (column_of >= 0) & (self.cost[:, None] > 0)
        way, bucket = np.nonzero(changes)
        before, cost = self.before[way, bucket], self.cost[way]
        rows = programme.add_rows(before, before)
        programme.add_entries(rows, column_of[way, bucket], 1.0)
        programme.add_entries(rows, programme.add_columns(cost, np.full(len(cost), np.inf)), -1.0)
        programme.add_entries(rows, programme.add_columns(cost, before), 1.0)

        def read(_value: FloatArray, dual: FloatArray) -> Found:
            price = np.zeros(self.before.shape)
            price[way, bucket] = -dual[rows]
            return Found(price)

        return read

    def referee(self, market: "Market", walk: Walk) -> Mapping[str, float]:
        if not self.is_there:
            return {}
        moved = np.abs(walk.started - self.before)[:, self.charged]
        return {"changes": float(self.cost @ moved.sum(axis=1))}

    def price(self, market: "Market", prices: "Prices") -> FloatArray:
        """(way, bucket) money per unit started, in the bound."""
        most = np.where(self.charged, self.cost[:, None], 0.0)
        change = np.clip(prices.rule.get(self.name, np.zeros(most.shape)), -most, most)
        change = np.where(self.before > 0, change, most)
        return np.where((self.before > 0) & ~market.ways.is_open, -most, change)

    def room(self, way: IntArray, change: FloatArray) -> FloatArray:
        """(way, bucket) by how much the price of some ways can rise. change: (way, bucket) of all, as it is."""
        most = np.where(self.charged, self.cost[way, None], 0.0)
        return np.where(self.before[way] > 0, most - change[way], 0.0)

    def worth(self, market: "Market", prices: "Prices", charges: Charges) -> float:
        return float((charges.change * self.before).sum())
