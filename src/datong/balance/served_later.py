"""When units that are lost could be served, asked for later: out of what the orders of the plan leave.

The orders and deliveries of the plan stay as they are. Asked for in a later bucket the units come of stock that nobody
takes from then on, or of one lot more (its components of such stock, or of lots of theirs), on regular hours that the
orders leave and within the limits of ways. That counts where it costs less than losing them: then there is a plan that
serves them, beside everybody else, and is cheaper than refusing them.
"""

import math

import numpy as np

from datong.balance.arrays import Market
from datong.balance.evaluate import Outcome
from datong.ledger.columns import grouped
from datong.model.flow import FloatArray, IntArray

NOTHING = 1e-6
# So many products and buckets are looked into, those with most units first; of the others nothing is told.
MOST_LOOKED_INTO = 500


def served_later(
    market: Market, demanded: IntArray, lost: FloatArray, outcome: Outcome, started: FloatArray, lots: FloatArray | None
) -> IntArray:
    """(product asked for, bucket) the first later bucket in which all the units lost there could be served; -1: none.

    demanded: (product asked for) its index. lost: (product asked for, bucket) units. started, lots: (way, bucket) units
    and orders.
    """
    later = np.full(lost.shape, -1, dtype=np.int64)
    room = _Room(market, outcome, started, lots)
    each = _least_lost_cost(market)
    cells = [(-float(lost[d, t]), int(d), int(t)) for d, t in zip(*np.nonzero(lost > NOTHING), strict=True)]
    for units, d, t in sorted(cells)[:MOST_LOOKED_INTO]:
        product = int(demanded[d])
        for bucket in range(t + 1, market.buckets):
            money = room.cost(product, bucket, -units)
            if money is not None and money < -units * float(each[product]) - NOTHING:
                later[d, t] = bucket
                break
    return later


def _least_lost_cost(market: Market) -> FloatArray:
    """(product) money for a unit lost, of the class that counts least."""
    least = np.full(len(market.products), np.inf)
    np.minimum.at(least, market.demand.product, market.lost_cost)
    return least


class _Room:
    """What the orders leave. Every question leaves it as it was."""

    def __init__(self, market: Market, outcome: Outcome, started: FloatArray, lots: FloatArray | None) -> None:
        self.market = market
        self.hours = np.maximum(market.lines.hours + market.lines.hours_taken - outcome.hours_used, 0.0)
        # Of uncertain demand, what is set aside for it is there against what it may still ask for.
        stock = outcome.stock if market.given_demand is not None else outcome.pool
        self.there = np.minimum.accumulate(stock[:, ::-1], axis=1)[:, ::-1].copy()
        self.limit = np.maximum(market.ways.limit - started, 0.0)
        self.is_started = started > NOTHING if lots is None else lots > 0
        self.uses_of, self.first_use = grouped(market.uses.way, len(market.ways))
        self.ways_of, self.first_way = grouped(market.ways.product, len(market.products))
        self.journal: list[tuple[FloatArray, tuple[int, slice], float]] = []

    def cost(self, product: int, bucket: int, units: float) -> float | None:
        """Money for so many good units more that are there in a bucket and served then; None where they cannot be."""
        money = self._bring(product, bucket, units, frozenset())
        self._undo(0)
        return money

    def _bring(self, product: int, bucket: int, good: float, above: frozenset[int]) -> float | None:
        lies = max(float(self.there[product, bucket]), 0.0)
        if self.market.products.whole[product]:
            lies = math.floor(lies + NOTHING)
        taken = min(lies, good)
        self._take(product, bucket, taken)
        money, good = taken * max(float(self.market.money.salvage[product]), 0.0), good - taken
        if good <= NOTHING:
            return money
        if product in above:
            return None
        for way in self.ways_of[self.first_way[product] : self.first_way[product + 1]].tolist():
            mark = len(self.journal)
            own = self._start(way, product, bucket, good, above | {product})
            if own is not None:
                return money + own
            self._undo(mark)
        return None

    def _start(self, way: int, product: int, bucket: int, good: float, above: frozenset[int]) -> float | None:
        """One lot of a way that is there in a bucket."""
        market, facts = self.market, self.market.ways.facts[way]
        start = bucket - int(market.ways.lead[way])
        if start < 0 or not market.ways.is_open[way, start]:
            return None
        is_more = bool(self.is_started[way, start])
        lot = good / facts.yield_share if is_more else max(good / facts.yield_share, facts.min_units)
        step = facts.multiple_units if facts.multiple_units > 0 else (1.0 if market.products.whole[product] else 0.0)
        lot = math.ceil(lot / step - NOTHING) * step if step > 0 else lot
        setup_hours, setup_cost = (0.0, 0.0) if is_more else (facts.setup_hours, facts.setup_cost)
        line, hours = int(market.ways.line[way]), (setup_hours + lot * facts.hours_per_unit) / facts.span
        works = slice(start, start + facts.span)
        if line >= 0 and (self.hours[line, works] < hours - NOTHING).any():
            return None
        if lot > self.limit[way, start] + NOTHING:
            return None
        if line >= 0:
            self._change(self.hours, line, works, -hours)
        self._change(self.limit, way, slice(start, start + 1), -lot)
        money = setup_cost + lot * float(market.ways.cost[way])
        for use in self.uses_of[self.first_use[way] : self.first_use[way + 1]].tolist():
            if not market.uses.is_open[use, start]:
                continue
            part = self._bring(int(market.uses.component[use]), start, lot * float(market.uses.units[use]), above)
            if part is None:
                return None
            money += part
        more = lot * facts.yield_share - good
        if more > NOTHING:
            lies = market.buckets - bucket
            worth = float(market.money.salvage[product]) - lies * float(market.money.holding[product])
            money -= more * worth
        return money

    def _take(self, product: int, bucket: int, units: float) -> None:
        """Off what lies there from a bucket on; before that, as much as is still there then can be taken."""
        if units > 0:
            before = np.minimum(self.there[product, :bucket], self.there[product, bucket] - units)
            for t in np.flatnonzero(self.there[product, :bucket] > before).tolist():
                self._change(self.there, product, slice(t, t + 1), float(before[t] - self.there[product, t]))
            self._change(self.there, product, slice(bucket, self.market.buckets), -units)

    def _change(self, array: FloatArray, row: int, at: slice, by: float) -> None:
        array[row, at] += by
        self.journal.append((array, (row, at), by))

    def _undo(self, until: int) -> None:
        while len(self.journal) > until:
            array, at, by = self.journal.pop()
            array[at] -= by
