"""How soon a product could be there, were all hours and units free: by lead times, with what must come before it."""

import math
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from datong.balance.arrays import Market
from datong.balance.scarcity import NOTHING
from datong.ledger.columns import grouped
from datong.model.flow import BoolArray

# Of more products that come one after the other the first and the last ones are named.
MOST_NAMED = 4
ENDS_NAMED = 2


@dataclass(frozen=True)
class Soonest:
    """How a unit that nothing is ordered of yet is there soonest.

    there: index of the bucket in which it is there; start: of the one in which the first of what it takes one after
    the other starts; lead_days: from that start on, before they are rounded up; way: index of the way that brings it;
    through: components that must come before it, the first to come first.
    """

    there: int
    start: int
    lead_days: float
    way: int
    through: tuple[str, ...] = ()

    @property
    def days(self) -> int:
        """Days from the start on, rounded up."""
        return math.ceil(self.lead_days - NOTHING)

    @property
    def named(self) -> str | None:
        """What must come before it, as a reader is told; None: nothing."""
        told = self.through
        if len(told) > MOST_NAMED:
            told = (*told[:ENDS_NAMED], "…", *told[-ENDS_NAMED:])
        return " → ".join(told) or None


def soonest(market: Market, products: Collection[int]) -> dict[int, Soonest]:
    """Of those of these products that may still be started, how each is there soonest. Components that lie there, or
    come anyway, wait for nothing else."""
    return _Search(market).of(products)


class _Search:
    def __init__(self, market: Market) -> None:
        self.market = market
        besides = market.rules.co_products
        self.way = np.concatenate([np.arange(len(market.ways)), besides.way])
        product = np.concatenate([market.ways.product, besides.product])
        self.ways_of, self.first_way = grouped(product, len(market.products))
        self.uses_of, self.first_use = grouped(market.uses.way, len(market.ways))
        self.starts: dict[int, BoolArray] = {}

    def of(self, products: Collection[int]) -> dict[int, Soonest]:
        below = self._below(products)
        found: dict[int, Soonest] = {}
        may_circle = self.market.has_circles or self.market.rules.co_products.is_there
        for _ in range(len(below) + 1 if may_circle else 1):  # as often as the longest way round has points
            changed = False
            for product in reversed(below):
                ways = [self._by(way, found) for way in self._ways(product)]
                best = min((one for one in ways if one is not None), key=_in_turn, default=None)
                if best is not None and best != found.get(product):
                    found[product], changed = best, True
            if not changed:
                break
        return {product: found[product] for product in products if product in found}

    def _below(self, products: Collection[int]) -> list[int]:
        """These products and all that goes into them, what takes before what is taken as far as there is no circle."""
        seen: dict[int, None] = {}
        for product in products:
            self._visit(product, seen)
        return list(reversed(seen))

    def _visit(self, product: int, seen: dict[int, None]) -> None:
        """Adds a product after all that goes into it."""
        begun, stack = set(seen), [(product, False)]
        while stack:
            one, is_done = stack.pop()
            if is_done:
                seen[one] = None
            elif one not in begun:
                begun.add(one)
                stack.append((one, True))
                stack += [(part, False) for way in self._ways(one) for part, _ in self._takes(way)]

    def _ways(self, product: int) -> list[int]:
        own = self.ways_of[self.first_way[product] : self.first_way[product + 1]]
        return self.way[own].tolist()

    def _takes(self, way: int) -> list[tuple[int, int]]:
        """Components that the way takes, each with its row of uses, -1: by the order."""
        uses = self.uses_of[self.first_use[way] : self.first_use[way + 1]].tolist()
        per_lot = [(part, -1) for part, _ in self.market.rules.per_lot.of_way(way)]
        return [(int(self.market.uses.component[use]), use) for use in uses] + per_lot

    @cached_property
    def lies(self) -> dict[int, int]:
        """By product of which any lies there or comes anyway, the first bucket in which it does."""
        there = np.cumsum(self.market.stock.fixed, axis=1) > NOTHING
        return {p: int(there[p].argmax()) for p in np.flatnonzero(there.any(axis=1)).tolist()}

    def _open(self, way: int) -> BoolArray:
        """(bucket) whether the way may start there: its lines have hours."""
        if way not in self.starts:
            market, starts = self.market, self.market.ways.is_open[way].copy()
            for line, each, setup in market.held_by(way) if market.ways.span[way] == 1 else ():
                if each > 0 or setup > 0:
                    starts &= market.most_hours[line] + market.lines.hours_taken[line] > NOTHING
            self.starts[way] = starts
        return self.starts[way]

    def _by(self, way: int, found: dict[int, Soonest]) -> Soonest | None:
        """The way's product by it, once its components are there as far as they were found; None: not at all."""
        market, bucket = self.market, 0
        starts, last = self._open(way), None
        while True:
            after = np.flatnonzero(starts[bucket:])
            if not len(after):
                return None
            bucket += int(after[0])
            waits: list[tuple[int, int]] = []
            for part, use in self._takes(way):
                if use < 0 or market.uses.is_open[use, bucket]:
                    own = found.get(part)
                    there = min(self.lies.get(part, market.buckets), own.there if own is not None else market.buckets)
                    waits.append((there, part))
            latest = max((there for there, _ in waits), default=0)
            if latest >= market.buckets:
                return None
            if latest <= bucket:
                break
            bucket = latest
        ordered = [(there, part) for there, part in waits if self.lies.get(part, market.buckets) > there]
        last = max(ordered, default=None, key=lambda one: (one[0], market.products.names[one[1]]))
        facts, there = market.ways.facts[way], bucket + int(market.ways.lead[way])
        days = float(facts.lead_days if facts.lead_time is None else facts.lead_time)
        if last is None or last[0] <= int(starts.argmax()) or last[0] < latest:
            return Soonest(there, bucket, days, way)
        before, part = found[last[1]], market.products.names[last[1]]
        gap = (market.bucket_starts[bucket] - market.bucket_starts[last[0]]).days
        own = (part,) if not facts.serves and self._has_a_name(before.way) else ()
        return Soonest(there, before.start, before.lead_days + gap + days, way, (*before.through, *own))

    def _has_a_name(self, way: int) -> bool:
        """Whether a reader knows what the way brings: it is no choice among alternatives, nor waits between steps."""
        facts = self.market.ways.facts[way]
        return facts.picks is None and (facts.place is None or facts.place[0] == facts.place[1])


def _in_turn(one: Soonest) -> tuple[int, float, int, tuple[str, ...]]:
    return one.there, one.lead_days, one.start, one.through
