"""Overtime (`line_calendar`: overtime_hours, overtime_cost_per_hour): a line may work more hours, each at a cost.

    sum of cost x max(hours - hours of the line, 0),     hours <= hours of the line + overtime

HiGHS: a column of hours for each line and bucket that has some. Bound: it takes off max(price of the hour - cost, 0) x
overtime. Referee: `Market.most_hours` is the most that a line can work. Hours and cost by
bucket: `network/line_hours.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np

from datong.balance.rules.rule import Chain, Charges, Part, Reader, Rule, Walk, nothing_found
from datong.model.flow import FloatArray, IntArray
from datong.network.rule_facts import RuleFacts

if TYPE_CHECKING:
    from datong.balance.arrays import Market
    from datong.balance.highs import Programme
    from datong.balance.solution import Prices


@dataclass(frozen=True, eq=False)
class Overtime(Rule):
    name: ClassVar[str] = "overtime"

    # (line, bucket) hours.
    hours: FloatArray
    # (line, bucket) money per hour.
    cost: FloatArray

    @classmethod
    def of(cls, facts: RuleFacts, chain: Chain) -> "Overtime":
        none, shape = np.zeros(chain.buckets), (len(chain.lines), chain.buckets)
        hours, cost = (
            np.array([of_line.get(line, none) for line in chain.lines]).reshape(shape)
            for of_line in (facts.overtime_hours, facts.overtime_cost)
        )
        return cls(hours, cost)

    @property
    def is_there(self) -> bool:
        return bool(self.hours.any())

    def part(self, part: Part) -> Self:
        """None: deliveries take no hours."""
        none = np.zeros((0, part.buckets))
        return type(self)(none, none)

    def add_to(self, programme: "Programme", column_of: IntArray) -> Reader:
        line, bucket = np.nonzero(self.hours > 0)
        columns = programme.add_columns(self.cost[line, bucket], self.hours[line, bucket])
        programme.add_entries(programme.line_row + line * programme.buckets + bucket, columns, -1.0)
        return nothing_found

    def referee(self, market: "Market", walk: Walk) -> Mapping[str, float]:
        if not self.is_there:
            return {}
        return {"overtime": float((self.cost * np.maximum(walk.hours - market.lines.hours, 0.0)).sum())}

    def worth(self, market: "Market", prices: "Prices", charges: Charges) -> float:
        if not self.is_there:
            return 0.0
        over = np.maximum(np.maximum(prices.line, 0.0) - self.cost, 0.0)
        return float((over * self.hours).sum())
