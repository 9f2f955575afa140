"""Smallest delivery (`demand.min_delivery_units`): each delivery of a request is nothing or at least m units of it.

    m_d y(d, t) <= issued(d, t) <= units_d y(d, t),     y(d, t) 0 or 1,     y(d, t) = 0 before d is due
    sum over t of issued(d, t) + turned away(d, t) <= units_d,      issued: substitutes for d included

Requests of a group (`demand.delivery_group`) come complete and together: m is all their units, and they have one y(t),
0 before the last of them is due.

A request with m is a class of demand d of its own; what it is to get is set aside for it in the bucket in which it is
delivered. m of all its units, or more: it is delivered complete, or not at all (m_d is at most its units).

HiGHS: y are whole-number columns, also where lots are decided (exact_lots.py) and where deliveries are chosen for given
orders (deliveries.py); prices are those of the programme in which they need not be (`Programme.solve`). Bound: HiGHS's
own, where its programme is exact (`Solution.gap`), else that of the market without the rule. The search does not know
it.
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
    # (demanded) code of the group with which it is delivered, '' where it is by itself.
    groups: tuple[str, ...]

    @classmethod
    def of(cls, facts: RuleFacts, chain: Chain) -> "SmallestDelivery":
        smallest = np.array([c.smallest_units for _, c in chain.classes], dtype=np.float64)
        requests, groups = (tuple(getattr(c, name) for _, c in chain.classes) for name in ("request", "group"))
        return cls(smallest, requests, groups)

    @property
    def is_there(self) -> bool:
        return bool((self.smallest > 0).any())

    def rounded(self, whole: BoolArray) -> Self:
        """The same, in whole units of what comes so. whole: (demanded)."""
        smallest = np.where(whole, np.ceil(self.smallest - ROUNDING), self.smallest)
        return type(self)(smallest, self.requests, self.groups)

    def part(self, part: Part) -> Self:
        requests, groups = (tuple(of[d] for d in part.demanded.tolist()) for of in (self.requests, self.groups))
        return type(self)(self.smallest[part.demanded], requests, groups)

    def add_to(self, programme: "Programme", column_of: IntArray) -> Reader:
        demand, buckets = programme.market.demand, programme.buckets
        of_group: dict[str, IntArray] = {}
        for d in np.flatnonzero(self.smallest > 0).tolist():
            asked, group = demand.cumulative[d][0], self.groups[d]
            if not group or group not in of_group:
                is_due = np.all([demand.cumulative[other][0] > ROUNDING for other in self._with(d)], axis=0)
                of_group[group] = programme.add_columns(np.zeros(buckets), is_due.astype(np.float64))
                programme.whole_columns.append(of_group[group])
            delivers = of_group[group]
            most = programme.add_rows(np.full(buckets, -np.inf), np.zeros(buckets))
            programme.add_entries(most, delivers, -float(asked[-1]))
            least = programme.add_rows(np.zeros(buckets), np.full(buckets, np.inf))
            programme.add_entries(least, delivers, -float(self.smallest[d]))
            # What is refused is not set aside for it: else a group could be delivered without one that was refused.
            once = np.repeat(programme.add_rows(np.array([-np.inf]), np.array([float(asked[-1])])), buckets)
            for comes in (programme.issued[d], *programme.substituted.get(d, ())):
                for row in (most, least, once):
                    programme.add_entries(row, comes, 1.0)
            programme.add_entries(once, programme.turned_away[d], 1.0)
        return nothing_found

    def _with(self, d: int) -> list[int]:
        """What is delivered with a class, itself included."""
        return [e for e, group in enumerate(self.groups) if group == self.groups[d]] if self.groups[d] else [d]

    def referee(self, market: "Market", walk: Walk) -> Mapping[str, float]:
        came = np.diff(walk.served, axis=1, prepend=0.0)
        of, least = came[self.smallest > 0], self.smallest[self.smallest > 0, None]
        assert ((of <= ROUNDING) | (of >= least * (1 - ROUNDING) - ROUNDING)).all(), "a delivery below the smallest"
        for d in np.flatnonzero([bool(group) for group in self.groups]).tolist():
            other = self._with(d)[0]
            assert ((came[d] > ROUNDING) == (came[other] > ROUNDING)).all(), "a delivery without its group"
        return {}
