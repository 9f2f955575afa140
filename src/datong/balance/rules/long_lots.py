"""Long lots: a way whose smallest lot needs more hours than its line has in any bucket works over several.

    hours(l, s) = sum of share(w, s - t) (hours x(w, t) + set-up y(w, t))   over ways w on line l and buckets t

The hours stand in `long_lot_spans.py`, which HiGHS, bound and referee use for every way; which ways are long is
decided in `network/long_lots.py`. The search of prices does not know the rule.
"""

from dataclasses import dataclass
from typing import ClassVar, Self

from datong.balance.rules.rule import Chain, Part, Rule
from datong.model.flow import IntArray
from datong.network.rule_facts import RuleFacts


@dataclass(frozen=True, eq=False)
class LongLots(Rule):
    name: ClassVar[str] = "long lots"

    # (way) buckets that a start works over.
    span: IntArray

    @classmethod
    def of(cls, facts: RuleFacts, chain: Chain) -> "LongLots":
        return cls(chain.span)

    @property
    def is_there(self) -> bool:
        return bool((self.span > 1).any())

    def part(self, part: Part) -> Self:
        return type(self)(self.span[part.ways])
