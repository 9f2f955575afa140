"""Sourcing shares (`sourcing_share` of recipes and offers): each of them brings its share of all that is started of its
product.

    sum over its rows of  price_r x max(share_r Q - q_r, 0)

with q_r the good units that row r starts in the horizon, Q those of all recipes and offers of its product, at all
sites together. Orders that are out, and transfers, do not count. Where rows of a product say other shares from a day
on, each part of the horizon counts by itself, as a row of its own.

HiGHS:  q_r - share_r Q + short >= 0.
Bound:  price max(share Q - q, 0) >= phi (share Q - q) for phi in [0, price]: each unit started of the product costs
phi share more, of the row itself phi less.
Nobody makes leftovers for the sake of a share: with what is needed of a product, and less than one lot of it,
HiGHS:  sum of all that comes of it <= needed + lot.
What the tables say of it: `network/sourcing_shares.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np

from datong.balance.rules.rule import Chain, Found, Part, Reader, Rule, Walk
from datong.balance.tolerance import TOLERANCE
from datong.model.flow import BoolArray, FloatArray, IntArray
from datong.network.rule_facts import RuleFacts

# So much of a lot is less than one.
BELOW_A_LOT = 0.999

if TYPE_CHECKING:
    from datong.balance.arrays import Market
    from datong.balance.highs import Programme
    from datong.balance.solution import Prices


@dataclass(frozen=True, eq=False)
class SourcingShares(Rule):
    name: ClassVar[str] = "sourcing shares"
    earns: ClassVar[bool] = True

    # (row) of recipes and offers: their kind, code and product.
    rows: tuple[tuple[str, str, str], ...]
    # (row) the share that it is to bring, 0 to 1.
    share: FloatArray
    # (row) money for a good unit that it is short of that.
    cost: FloatArray
    # (row, way) good units that count for the row where a unit is started.
    own: FloatArray
    # (row, way) good units that count for all of its product.
    every: FloatArray
    # (row, bucket) whether starts count.
    during: BoolArray
    # (row) the first days of its buckets and of those after them; None: it counts in all.
    days: tuple[tuple[date, date | None] | None, ...] = ()

    @classmethod
    def of(cls, facts: RuleFacts, chain: Chain) -> "SourcingShares":
        shape = (len(facts.sourcing), len(chain.ways))
        own, every = np.zeros(shape), np.zeros(shape)
        for r, row in enumerate(facts.sourcing):
            for w, way in enumerate(chain.ways):
                own[r, w] = way.yield_share if way.name in row.ways else 0.0
                every[r, w] = way.yield_share if way.name in row.of_product else 0.0
        return cls(
            rows=tuple((row.kind, row.code, row.product) for row in facts.sourcing),
            share=np.array([row.share for row in facts.sourcing], dtype=np.float64),
            cost=np.array([row.cost for row in facts.sourcing], dtype=np.float64),
            own=own,
            every=every,
            during=np.array([[row.holds_in(t) for t in range(chain.buckets)] for row in facts.sourcing], dtype=bool),
            days=tuple(row.days for row in facts.sourcing),
        )

    @property
    def is_there(self) -> bool:
        return len(self.rows) > 0

    def part(self, part: Part) -> Self:
        """None: deliveries start nothing."""
        none = np.zeros((0, len(part.ways)))
        return type(self)((), np.zeros(0), np.zeros(0), none, none, np.zeros((0, 0), dtype=bool))

    @property
    def missed_by(self) -> FloatArray:
        """(row, way) what a unit started adds to what the row is short of."""
        return self.share[:, None] * self.every - self.own

    def add_to(self, programme: "Programme", column_of: IntArray) -> Reader:
        count = len(self.rows)
        rows = programme.add_rows(np.zeros(count), np.full(count, np.inf))
        programme.add_entries(rows, programme.add_columns(self.cost, np.full(count, np.inf)), 1.0)
        for row, missed, during in zip(rows.tolist(), self.missed_by, self.during, strict=True):
            way, bucket = np.nonzero((column_of >= 0) & (missed != 0)[:, None] & during)
            programme.add_entries(np.full(len(way), row), column_of[way, bucket], -missed[way])
        self._make_no_leftovers(programme, column_of)
        return lambda _value, dual: Found(dual[rows])

    def _make_no_leftovers(self, programme: "Programme", column_of: IntArray) -> None:
        """A share is a part of what is needed: of no product, at each of its stock points, comes more than is needed;
        in lots, no lot beyond that with which all that is needed is there."""
        market = programme.market
        if not self.is_there or market.rules.co_products.is_there:  # what comes with others may be more than is needed
            return
        held = market.rules.safety_stock.most(len(market.products))
        for product in np.unique(market.ways.product).tolist():
            ways = np.flatnonzero(market.ways.product == product)
            facts = [market.ways.facts[w] for w in ways]
            lot = max(max(way.min_units, way.multiple_units, 1.0) * way.yield_share for way in facts)
            beyond = held[product] + (lot * BELOW_A_LOT if programme.leave_over else 0.0)
            if product in programme.stock:
                comes = float(np.maximum(market.stock.fixed[product], 0.0).sum())
                row = programme.add_rows(np.array([-np.inf]), np.array([comes + beyond]))
                programme.add_entries(row, programme.stock[product][-1:], 1.0)
                continue
            asked = [float(market.net_demand(d).max()) for d in np.flatnonzero(market.demand.product == product)]
            row = programme.add_rows(np.array([-np.inf]), np.array([max([*asked, 0.0]) + beyond]))
            way, bucket = np.nonzero(column_of[ways] >= 0)
            good = market.ways.yield_share[ways[way]]
            programme.add_entries(np.full(len(way), row[0]), column_of[ways[way], bucket], good)

    def short(self, started: FloatArray) -> FloatArray:
        """(row) good units that it is short of its share. started: (way, bucket) units."""
        short, every = self.brought(self.missed_by, started), self.brought(self.every, started)
        return np.where(short > TOLERANCE * np.maximum(every, 1.0), short, 0.0)

    def brought(self, each: FloatArray, started: FloatArray) -> FloatArray:
        """(row) units that starts (way, bucket) in its buckets bring. each: (row, way) of a unit started."""
        return np.einsum("rw,wt,rt->r", each, started, self.during) if len(self.rows) else np.zeros(0)

    def referee(self, market: "Market", walk: Walk) -> Mapping[str, float]:
        return {"sourcing_shares": float(self.cost @ self.short(walk.started))} if self.is_there else {}

    def price(self, prices: "Prices") -> FloatArray:
        """(way, bucket) money per unit started, in the bound; (way, 1) without a row."""
        if not self.rows:
            return np.zeros((self.own.shape[1], 1))
        given = np.clip(prices.rule.get(self.name, np.zeros(len(self.rows))), 0.0, self.cost)
        return np.einsum("r,rw,rt->wt", given, self.missed_by, self.during)
