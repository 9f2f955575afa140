"""Largest stock (`stock_rules.largest_units`): no more is made or bought than brings the stock of a target k up to L,
unless demand needs it.

    sum over t of v_k(t) x max(I_k(t) - L_k(t), 0),     I: rules/stock_held.py

It is soft: v is between holding and lateness (network/stock_targets.py), so that what demand needs early, for want of
hours later say, is still made, and what is there above L is no contradiction.

HiGHS: a column of what is beyond, and I - beyond <= L. It can pay to bring what is too much at one point to another,
or to make something of it. Search and bound: a target of one class of demand alone stands in its curve (`StockCurve`);
with others the search is refused, and the bound is that of the market without them, which costs no more, also for lots.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np

from datong.balance.rules.rule import Chain, Part, Reader, Rule, Walk, nothing_found
from datong.balance.rules.stock_held import StockHeld, own_demand
from datong.model.flow import BoolArray, FloatArray, IntArray
from datong.network.rule_facts import RuleFacts

if TYPE_CHECKING:
    from datong.balance.arrays import Market
    from datong.balance.highs import Programme


@dataclass(frozen=True, eq=False)
class LargestStock(Rule):
    name: ClassVar[str] = "largest stock"

    # Whose stock counts.
    stock: StockHeld
    # (target, bucket) units at its end at most; inf: any.
    largest: FloatArray
    # (target, bucket) money for a unit above that.
    cost: FloatArray
    # (target) the class of demand in whose curve it stands (`own_demand`), -1: none.
    own: IntArray

    @classmethod
    def of(cls, facts: RuleFacts, chain: Chain) -> "LargestStock":
        targets = [target for target in facts.stock_targets if np.isfinite(target.largest).any()]
        shape = (len(targets), chain.buckets)
        largest, cost = (
            np.array([getattr(target, name) for target in targets]).reshape(shape) for name in ("largest", "above")
        )
        stock = StockHeld.of(targets, chain)
        return cls(stock, largest, cost, own_demand(stock, len(targets), chain.classes))

    def in_no_pool(self, is_pooled: BoolArray, demanded: IntArray) -> Self:
        """The same, in the curves of demand for products alone that lie in no pool. is_pooled: (product); demanded:
        (demanded) its product."""
        pooled = is_pooled[demanded[self.own]] if len(demanded) else np.ones(len(self.own), dtype=bool)
        return replace(self, own=np.where(pooled, -1, self.own))

    @property
    def can_leave_over(self) -> bool:
        return bool((self.own < 0).any())

    @property
    def is_in_search(self) -> bool:
        return bool((self.own >= 0).all())

    @property
    def is_there(self) -> bool:
        return bool(np.isfinite(self.largest).any())

    def part(self, part: Part) -> Self:
        stock, kept = self.stock.part(part)
        return type(self)(stock, self.largest[kept], self.cost[kept], np.full(len(kept), -1))

    def without(self) -> Self:
        """The rule of no target."""
        none = np.zeros(0, dtype=np.int64)
        return type(self)(StockHeld(none, none), self.largest[:0], self.cost[:0], none)

    def add_to(self, programme: "Programme", column_of: IntArray) -> Reader:
        rows = programme.add_rows(np.full(self.largest.size, -np.inf), np.zeros(self.largest.size))
        at = rows.reshape(self.largest.shape)
        most = self.largest - self.stock.add_to(programme, at)
        programme.limits[-1] = (programme.limits[-1][0], most.ravel())
        beyond = programme.add_columns(self.cost.ravel(), np.full(self.largest.size, np.inf))
        programme.add_entries(rows, beyond, -1.0)
        return nothing_found

    def referee(self, market: "Market", walk: Walk) -> Mapping[str, float]:
        if not self.is_there:
            return {}
        return {"largest_stock": float((self.cost * self.beyond(walk.stock)).sum())}

    def beyond(self, stock: FloatArray) -> FloatArray:
        """(target, bucket) units above the largest stock. stock: (product, bucket) units."""
        return np.maximum(self.stock.together(stock, len(self.largest)) - self.largest, 0.0)
