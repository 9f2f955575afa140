"""Maximum lateness (`max_late_days` in chain.toml): what was asked for K buckets ago is served, or was turned away.

    S_d(t) + U_d(t) >= O_d(t),     O_d(t) = D_d(t - K_d)

S, U, D cumulative units served, turned away and asked for, oldest first; K whole buckets of max_late_days, of a class
whose requests have their own (`order_lateness.py`) of those. With one
path this is the rule itself. With several, D is what is asked for on every path, bucket by bucket and in all: of the
rest, which may never come, the plan of that later day decides. Before bucket K only what is owed from before can be
overdue.

HiGHS: the cost curves of a class start at the least supply that the rule allows (`least_supply`, `highs.cost_pieces`).
Bound: a layer below it must be covered by then (`bound._in_time`). Search: it looks on without the rule, and then turns
away what its plan would serve too late (`turn_away_overdue`, called by `prices.solve`). K, and what is owed from
before: `network/rule_facts.py`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np

from datong.balance.rules.rule import Chain, Part, Rule, Walk
from datong.balance.tolerance import assert_within
from datong.model.flow import FloatArray, IntArray
from datong.network.rule_facts import DemandClass, RuleFacts

if TYPE_CHECKING:
    from datong.balance.arrays import Market


# More buckets than any horizon has.
NEVER = 1_000_000


@dataclass(frozen=True, eq=False)
class MaxLateness(Rule):
    name: ClassVar[str] = "maximum lateness"
    in_search: ClassVar[bool] = True

    # (demanded, bucket) O: cumulative units that must be served or turned away by the end of the bucket.
    overdue: FloatArray
    # (demanded) K: buckets for which its demand waits at most; NEVER where it waits for ever.
    wait: IntArray

    @classmethod
    def of(cls, facts: RuleFacts, chain: Chain) -> "MaxLateness":
        waits = (facts.late_buckets if one.late_buckets is None else one.late_buckets for _, one in chain.classes)
        wait = np.array([NEVER if late is None else late for late in waits], dtype=np.int64)
        return cls(_overdue(facts, chain.classes, chain.sure), wait)

    @property
    def is_there(self) -> bool:
        return bool(self.overdue.any())

    def part(self, part: Part) -> Self:
        return type(self)(self.overdue[part.demanded], self.wait[part.demanded])

    def referee(self, market: "Market", walk: Walk) -> Mapping[str, float]:
        assert_within(self.overdue, np.maximum(walk.in_time, 0.0), "demand waits beyond the maximum lateness")
        return {}

    def least_supply(self, market: "Market") -> FloatArray:
        """(demanded, bucket) the least of M, supply beyond what comes anyway and turned away."""
        product = market.demand.product
        anyway = np.cumsum(market.stock.fixed[product], axis=1)
        least = self.overdue - np.where(market.products.is_component[product, None], 0.0, anyway)
        return np.maximum.accumulate(np.maximum(least, 0.0), axis=1)


def _overdue(facts: RuleFacts, classes: Sequence[tuple[int, DemandClass]], sure: FloatArray) -> FloatArray:
    overdue = np.zeros(sure.shape)
    buckets = sure.shape[1]
    for d, (_, one) in enumerate(classes):
        late = facts.late_buckets if one.late_buckets is None else one.late_buckets
        if late is None:
            continue
        if late < buckets:
            certain = np.cumsum(sure[d])
            if len(one.paths) > 1:
                certain = np.minimum(certain, np.cumsum(one.paths, axis=1).min(axis=0))
            overdue[d, late:] = np.maximum(certain[: buckets - late], 0.0)
        if one.owed is not None:
            overdue[d] = np.maximum(overdue[d], np.cumsum(one.owed[:-1]))
    return overdue


def turn_away_overdue(market: "Market", supply: FloatArray, turned_away: FloatArray) -> FloatArray:
    """For a door that does not know the rule: turned_away, and besides what would be served too late.

    supply: (demanded, bucket) cumulative. What is overdue and neither served nor turned away by a bucket is turned away
    in the first buckets in which sure demand is left to turn away.
    """
    overdue = market.rules.max_lateness.overdue
    away = turned_away.copy()
    missing = overdue - supply - np.cumsum(away, axis=1)
    for d in np.flatnonzero(missing.max(axis=1, initial=0.0) > 0):
        for t in range(market.buckets):
            short = overdue[d, t] - supply[d, t] - away[d, : t + 1].sum()
            for s in range(t + 1):
                more = min(max(short, 0.0), market.demand.sure[d, s] - away[d, s])
                away[d, s] += more
                short -= more
    return away
