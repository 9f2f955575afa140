"""Priorities, and firm orders before forecast (`demand.priority`, `demand.firm`).

    cost of lateness and loss of class d = weight_d x that of its product

A product's demand falls into classes d, each with its own backlog; they share its supply, set aside for one of them
bucket by bucket (`pools` in rules/__init__.py: its units lie in one stock till then). The weights, from the factors of
chain.toml, are worked out in `network/rule_facts.py` (`demand_classes`).

HiGHS, bound and referee: `Market.late_cost`, `lost_cost` and `end_cost` hold the weighted money of a class, and stand
wherever a class's lateness or loss is counted.
"""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from datong.balance.rules.rule import Chain, Part, Rule
from datong.model.flow import FloatArray
from datong.network.rule_facts import RuleFacts


@dataclass(frozen=True, eq=False)
class Priorities(Rule):
    name: ClassVar[str] = "priorities"

    # (demanded) factor on lateness and loss.
    weight: FloatArray

    @classmethod
    def of(cls, facts: RuleFacts, chain: Chain) -> "Priorities":
        return cls(np.array([c.weight for _, c in chain.classes], dtype=np.float64))

    @property
    def is_there(self) -> bool:
        return bool((self.weight != 1.0).any())

    def part(self, part: Part) -> Self:
        return type(self)(self.weight[part.demanded])
