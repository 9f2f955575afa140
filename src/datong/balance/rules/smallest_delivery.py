"""Smallest delivery (`demand.min_delivery_units`): each delivery of a request is nothing or at least m units of it.

    m_d y(d, t) <= issued(d, t) <= units_d y(d, t),     y(d, t) 0 or 1,     y(d, t) = 0 before d is due

A request with m is a class of demand d of its own; what it is to get is set aside for it in the bucket in which it is
delivered. m of all its units, or more: it is delivered complete, or not at all (m_d is at most its units).

HiGHS: y are whole-number columns, here and where deliveries are chosen for given orders (deliveries.py); prices are
those of the programme in which they need not be (`Programme.solve`). Bound: that of the market without the rule, which
costs no more. The search and the integer programme of lots do not know it: a chain with it has the lots of the plan
stage.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np

from datong.balance.rules.rule import Chain, Part, Reader, Rule, Walk, nothing_found
from datong.model.flow import BoolArray, FloatArray, IntArray
from datong.network.rule_facts import RuleFacts

if TYPE_CHECKING:
    from datong.balance.arrays import Market
    from datong.balance.highs import Programme

# Units below this are rounding.
ROUNDING = 1e-6


@dataclass(frozen=True, eq=False)
class SmallestDelivery(Rule):
    name: ClassVar[str] = "smallest deliveries"

    # (demanded) units of the smallest delivery; 0: it comes in any part.
    smallest: FloatArray
    # (demanded) key of the one request that it is, '' where it may be any.
    requests: tuple[str, ...]

    @classmethod
    def of(cls, facts: RuleFacts, chain: Chain) -> "SmallestDelivery":
        smallest = np.array([c.smallest_units for _, c in chain.classes], dtype=np.float64)
        return cls(smallest, tuple(c.request for _, c in chain.classes))

    @property
    def is_there(self) -> bool:
        return bool((self.smallest > 0).any())

    def rounded(self, whole: BoolArray) -> Self:
        """The same, in whole units of what comes so. whole: (demanded)."""
        return type(self)(np.where(whole, np.ceil(self.smallest - ROUNDING), self.smallest), self.requests)

    def part(self, part: Part) -> Self:
        return type(self)(self.smallest[part.demanded], tuple(self.requests[d] for d in part.demanded.tolist()))

    def add_to(self, programme: "Programme", column_of: IntArray) -> Reader:
        demand, buckets = programme.market.demand, programme.buckets
        for d in np.flatnonzero(self.smallest > 0).tolist():
            asked = demand.cumulative[d][0]
            is_due = asked > ROUNDING
            delivers = programme.add_columns(np.zeros(buckets), is_due.astype(np.float64))
            programme.whole_columns.append(delivers)
            most = programme.add_rows(np.full(buckets, -np.inf), np.zeros(buckets))
            programme.add_entries(most, programme.issued[d], 1.0)
            programme.add_entries(most, delivers, -float(asked[-1]))
            least = programme.add_rows(np.zeros(buckets), np.full(buckets, np.inf))
            programme.add_entries(least, programme.issued[d], 1.0)
            programme.add_entries(least, delivers, -float(self.smallest[d]))
        return nothing_found

    def referee(self, market: "Market", walk: Walk) -> Mapping[str, float]:
        came = np.diff(walk.served, axis=1, prepend=0.0)
        least = np.where(came > ROUNDING, self.smallest[:, None], 0.0)
        assert (came >= least * (1 - ROUNDING) - ROUNDING).all(), "a delivery below the smallest"
        return {}
