"""What the orders of a plan leave: stock that nobody takes, hours, limits of ways; and what more they could bring."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from datong.balance.arrays import Market
from datong.balance.evaluate import Outcome
from datong.ledger.columns import grouped
from datong.model.flow import FloatArray, IntArray

NOTHING = 1e-6


@dataclass(frozen=True, slots=True)
class Start:
    """Units more that a way starts in a bucket, and how many orders more they are, each with its set-up."""

    way: int
    bucket: int
    units: float
    orders: int


@dataclass(frozen=True, slots=True)
class More:
    """What brings some units more: money, and the starts, those of components among them."""

    money: float
    starts: tuple[Start, ...]


class Room:
    """What the orders leave. Every question leaves it as it was."""

    def __init__(
        self,
        market: Market,
        outcome: Outcome,
        started: FloatArray,
        lots: FloatArray | None,
        overtime: bool = False,
    ) -> None:
        """started, lots: (way, bucket) units and orders. overtime: whether its hours may be worked too."""
        self.market = market
        hours = market.most_hours if overtime else market.lines.hours
        self.hours = np.maximum(hours + market.lines.hours_taken - outcome.hours_used, 0.0)
        # Of uncertain demand, what is set aside for it is there against what it may still ask for.
        stock = outcome.stock if market.given_demand is not None else outcome.pool
        self.there = np.minimum.accumulate(stock[:, ::-1], axis=1)[:, ::-1].copy()
        self.limit = np.maximum(market.ways.limit - started, 0.0)
        self.is_started = started > NOTHING if lots is None else lots > 0
        self.started = started
        self.uses_of, self.first_use = grouped(market.uses.way, len(market.ways))
        self.ways_of, self.first_way = grouped(market.ways.product, len(market.products))
        self.journal: list[tuple[FloatArray, tuple[int, slice | IntArray], float | FloatArray]] = []
        self.added: list[Start] = []

    def cost(self, product: int, bucket: int, units: float) -> float | None:
        """Money for so many good units more that are there in a bucket and served then; None where they cannot be."""
        return min((one.money for one in self.ways_to(product, bucket, units)), default=None)

    def ways_to(self, product: int, bucket: int, units: float) -> list[More]:
        """Each way to have so many good units more in a bucket, stock that lies there first."""
        found = []
        for way in self._ways(product):
            money = self._bring(product, bucket, units, frozenset(), (way,))
            if money is not None:
                found.append(More(money, tuple(self.added)))
            self._undo((0, 0))
        return found

    def _ways(self, product: int) -> list[int]:
        return self.ways_of[self.first_way[product] : self.first_way[product + 1]].tolist()

    def _bring(
        self, product: int, bucket: int, good: float, above: frozenset[int], ways: Sequence[int] | None = None
    ) -> float | None:
        """Takes what lies there, and has one lot more bring the rest, by the first of the ways that can."""
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
        for way in self._ways(product) if ways is None else ways:
            mark = len(self.journal), len(self.added)
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
        orders = 0 if is_more else 1
        if math.isfinite(facts.max_units):
            there, sizes = float(self.started[way, start]), facts.sizes(bool(market.products.whole[product]))
            lot = sizes.up(there + lot) - there
            orders = sizes.orders(there + lot) - sizes.orders(there)
        works, share = facts.worked.at(start, market.buckets)
        hours = []
        for line, each, setup in market.held_by(way):
            hours.append((line, (orders * setup + lot * each) * share))
        if any((self.hours[line, works] < wanted - NOTHING).any() for line, wanted in hours):
            return None
        if lot > self.limit[way, start] + NOTHING:
            return None
        for line, wanted in hours:
            self._change(self.hours, line, works, -wanted)
        self._change(self.limit, way, slice(start, start + 1), -lot)
        self.added.append(Start(way, start, lot, orders))
        money = orders * facts.setup_cost + lot * float(market.ways.cost[way])
        for use in self.uses_of[self.first_use[way] : self.first_use[way + 1]].tolist():
            if not market.uses.is_open[use, start]:
                continue
            part = self._bring(int(market.uses.component[use]), start, lot * float(market.uses.units[use]), above)
            if part is None:
                return None
            money += part
        for component, units in market.rules.per_lot.of_way(way) if orders else ():
            part = self._bring(component, start, orders * units, above)
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

    def _change(self, array: FloatArray, row: int, at: slice | IntArray, by: float | FloatArray) -> None:
        array[row, at] += by
        self.journal.append((array, (row, at), by))

    def _undo(self, until: tuple[int, int]) -> None:
        del self.added[until[1] :]
        while len(self.journal) > until[0]:
            array, at, by = self.journal.pop()
            array[at] -= by
