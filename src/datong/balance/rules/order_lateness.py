"""Lateness of orders (`demand.max_late_days`): a request that has its own waits so long at most.

    S_d(t) + U_d(t) >= D_d(t - K_d),     K_d: whole buckets of the max_late_days of its requests

Requests of a product with the same weight and the same K are a class of demand d of their own, with its own backlog,
oldest first; classes share the supply as those of priorities do (`pools` in rules/__init__.py). Which classes there
are: `demand_classes` in network/rule_facts.py. The rule itself stands in `max_lateness.py`, for all classes.
"""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from datong.balance.rules.rule import Chain, Part, Rule
from datong.model.flow import IntArray
from datong.network.rule_facts import RuleFacts

# Of a class that waits as long as all of the chain.
AS_THE_CHAIN = -1


@dataclass(frozen=True, eq=False)
class OrderLateness(Rule):
    name: ClassVar[str] = "lateness of orders"

    # (demanded) whole buckets that its requests wait at most, or AS_THE_CHAIN.
    late_buckets: IntArray

    @classmethod
    def of(cls, facts: RuleFacts, chain: Chain) -> "OrderLateness":
        own = [AS_THE_CHAIN if c.late_buckets is None else c.late_buckets for _, c in chain.classes]
        return cls(np.array(own, dtype=np.int64))

    @property
    def is_there(self) -> bool:
        return bool((self.late_buckets != AS_THE_CHAIN).any())

    def part(self, part: Part) -> Self:
        return type(self)(self.late_buckets[part.demanded])
