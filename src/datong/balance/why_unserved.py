"""What stands in the way of demand that is late or lost.

Of a plan in any quantities, the scarce thing that takes most of the price of the cheapest way (`by_prices`). Of orders
in lots, whose prices tell little, what the orders themselves leave: the hours, components and offers of the ways in the
bucket in which they would have to start (`by_orders`).
"""

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from datetime import date
from functools import cached_property

import numpy as np
import pyarrow as pa

from datong.balance.arrays import Market
from datong.balance.bound import unit_prices
from datong.balance.evaluate import Outcome, Service
from datong.balance.scarcity import IDLE, LINE, NOTHING, PRODUCT, Scarcity, name_of
from datong.balance.solution import Prices
from datong.ledger.columns import grouped
from datong.model.flow import BoolArray, FloatArray, IntArray
from datong.network.bill_levels import turns

# Prices that differ by less than this share are alike: those of a search are not exact.
ALIKE = 1e-3
# Ways whose prices differ by less than this share cost alike.
EQUAL = 1e-6
# Of orders in lots, fewer units than this missing in a bucket are not looked into.
LEAST_TOLD = 0.05


@dataclass(frozen=True, eq=False)
class Units:
    """What `gaps` tells of demand, in units, as arrays of the same axes, by the bucket in which they are due: asked =
    on_time + late + lost; refused: the part of lost that is turned away. By the bucket in which it happens: served, and
    waiting at its end."""

    asked: FloatArray
    on_time: FloatArray
    late: FloatArray
    lost: FloatArray
    refused: FloatArray
    served: FloatArray
    waiting: FloatArray

    def map(self, change: Callable[[FloatArray], FloatArray]) -> "Units":
        return Units(*(change(getattr(self, f.name)) for f in fields(self)))


@dataclass(frozen=True, eq=False)
class Served:
    """What a plan does, and what of what is due in each bucket it serves."""

    outcome: Outcome
    told: Service

    @property
    def units(self) -> Units:
        """(demanded, bucket)"""
        told, served = self.told, np.diff(self.outcome.served_by, axis=1, prepend=0.0)
        lost = told.refused + told.never
        return Units(told.asked, told.on_time, told.late, lost, told.refused, served, self.outcome.waiting)


@dataclass(frozen=True, eq=False)
class Binding:
    """The scarce thing in the way of each (product asked for, bucket). name: flat, '' where nothing is.

    hours: it is counted in hours, else in units; price: money per unit of it; bucket: in which it is short, or a
    way would start, -1 where none can be there; needed: of it for all that is late or lost, 0 where nothing is scarce
    or more of it alone would not do; beside: flat, names of what is short as well, null where nothing is.
    """

    name: pa.StringArray
    hours: BoolArray
    price: FloatArray
    bucket: IntArray
    needed: FloatArray
    beside: pa.ListArray


def by_prices(
    market: Market, demanded: IntArray, units: Units, served: Served, ways: FloatArray, scarcity: Scarcity
) -> Binding:
    """Where demand waits or is lost, the scarce thing that takes most of the price of the cheapest way to have the
    product there and then; of a component that can be had, what takes most of its own price, and so on down. What
    is lost and could not be there in time could have come later: then of the first bucket in which it would be there.
    Of what is late, what makes it dearer there than in the bucket in which it is served.
    """
    d, t = np.nonzero(units.late + units.lost > NOTHING)
    cheapest = cheapest_ways(market, ways)
    sources = _sources(market, ways, cheapest, scarcity)
    last = _last_there(cheapest)
    there = last[demanded[d], t]
    latest = _latest(market, demanded, units, served.told)[d, t]
    first = (last[demanded[d]] >= 0).argmax(axis=1)
    waits = (there < 0) & (first > t) & (first <= latest)
    there = np.where(waits, last[demanded[d], first], there)
    d, t, waits, there = d[there >= 0], t[there >= 0], waits[there >= 0], there[there >= 0]
    best = cheapest[demanded[d], there]
    then = np.where(units.late[d, t] >= units.lost[d, t], _served_in(market, demanded, served)[d, t], -1)
    other = np.where(then >= 0, last[demanded[d], then] - market.ways.lead[best], -1)
    other[~market.ways.is_open[best, np.maximum(other, 0)]] = -1
    top, bucket, per_unit = _traced(market, scarcity, sources, best, there - market.ways.lead[best], other)
    told = ~waits | (top.kind >= 0)
    d, t, bucket, per_unit, top = d[told], t[told], bucket[told], per_unit[told], top.where(told)
    named = zip(top.kind.tolist(), top.thing.tolist(), strict=True)
    names = np.array([name_of(market, kind, thing) if kind >= 0 else "" for kind, thing in named], dtype=object)
    is_line = np.array([label not in market.places.shared for label in market.lines.names], dtype=bool)
    hours = top.kind == LINE
    hours[hours] = is_line[top.thing[hours]]
    parts = np.flatnonzero(top.kind == PRODUCT)
    top.price[parts] = scarcity.saved(top.thing[parts], bucket[parts])
    shape, cell = units.asked.shape, d * market.buckets + t
    cells, is_hours = np.full(units.asked.size, "", dtype=object), np.zeros(shape, dtype=bool)
    cells[cell], is_hours[d, t] = names, hours
    prices, needed, buckets = np.zeros(shape), np.zeros(shape), np.full(shape, -1, dtype=np.int64)
    prices[d, t], buckets[d, t] = top.price, bucket
    needed[d, t] = per_unit * (units.late + units.lost)[d, t]
    alone = pa.nulls(len(cells), pa.list_(pa.string()))
    return Binding(pa.array(cells, pa.string()), is_hours, prices, buckets, needed, alone)


def _latest(market: Market, demanded: IntArray, units: Units, told: Service) -> IntArray:
    """(product asked for, bucket) the last bucket of the horizon in which what is lost there would still be taken,
    where more is lost than late; of all else the bucket itself."""
    lost = told.refused + told.never > NOTHING
    waits = np.zeros((len(market.products), market.buckets), dtype=np.int64)
    np.maximum.at(
        waits,
        market.demand.product,
        np.where(lost, np.minimum(market.rules.max_lateness.wait, market.buckets)[:, None], 0),
    )
    bucket = np.broadcast_to(np.arange(market.buckets), units.lost.shape)
    last = np.minimum(bucket + waits[demanded], market.buckets - 1)
    return np.where(units.lost > np.maximum(units.late, NOTHING), last, bucket)


def _served_in(market: Market, demanded: IntArray, served: Served) -> IntArray:
    """(product asked for, bucket) the last bucket in which what is late of it is served; -1: nothing is, or nobody
    knows."""
    told, by = served.told, served.outcome.served_by
    due, bucket = np.cumsum(told.asked - told.refused - told.never, axis=1), np.arange(market.buckets)
    then = np.full(due.shape, -1, dtype=np.int64)
    for u in range(market.buckets - 1, 0, -1):
        then[(told.late > NOTHING) & (bucket < u) & (by[:, u, None] >= due - ALIKE)] = u
    found = np.full((len(market.products), market.buckets), -1, dtype=np.int64)
    np.maximum.at(found, market.demand.product, then)
    return found[demanded]


def _last_there(cheapest: IntArray) -> IntArray:
    """(product, bucket) the last bucket until then in which a way brings the product, where that is shut an earlier
    one, from which it is held; -1 where there is none. cheapest: of `cheapest_ways`."""
    there = np.where(cheapest >= 0, np.arange(cheapest.shape[1]), -1)
    return np.maximum.accumulate(there, axis=1)


@dataclass(frozen=True, eq=False)
class _Top:
    """What takes most of the price of ways and starts."""

    # (start) money per good unit, 0 where nothing is scarce.
    money: FloatArray
    # (start) money per unit of what is scarce.
    price: FloatArray
    # (start) whose name it is (`name_of`), -1 where nothing is scarce.
    kind: IntArray
    # (start) index of it, -1 where nothing is scarce.
    thing: IntArray

    def where(self, told: BoolArray) -> "_Top":
        return _Top(self.money[told], self.price[told], self.kind[told], self.thing[told])


def _top(market: Market, scarcity: Scarcity, way: IntArray, start: IntArray, other: IntArray) -> _Top:
    """Of equals the last by name. other: (start) another start of the way, above whose price it counts; -1: none."""
    most, price, money = np.full(len(way), -np.inf), np.zeros(len(way)), np.zeros(len(way))
    kind, thing = np.full(len(way), -1), np.full(len(way), -1)
    names = np.full(len(way), "", dtype=object)
    shares = scarcity.shares(way, start), scarcity.shares(way, np.maximum(other, 0))
    for share, then in zip(*shares, strict=True):
        above = share.money - np.where(other >= 0, then.money, 0.0)
        own = np.full(len(way), "", dtype=object)
        maybe = np.flatnonzero((share.money > 0) & (above >= most))
        own[maybe] = [name_of(market, share.kind, thing) for thing in share.thing[maybe]]
        more = maybe[(above[maybe] > most[maybe]) | (own[maybe] > names[maybe])]
        most[more], price[more], names[more] = above[more], share.price[more], own[more]
        money[more], kind[more], thing[more] = share.money[more], share.kind, share.thing[more]
    return _Top(money, price, kind, thing)


def _traced(
    market: Market, scarcity: Scarcity, sources: "_Sources", way: IntArray, start: IntArray, other: IntArray
) -> tuple[_Top, IntArray, FloatArray]:
    """What takes most of the price of ways and starts, behind components too; the bucket in which it is short, and how
    much of it a good unit takes: (start). Kind and thing are -1 where nothing is scarce. other: of `_top`."""
    count = len(way)
    told = _Top(np.zeros(count), np.zeros(count), np.full(count, -1), np.full(count, -1))
    bucket, per_unit, way, start, at = start.copy(), np.ones(count), way.copy(), start.copy(), np.arange(count)
    other = other.copy()
    for _ in range(len(market.products)):
        top = _top(market, scarcity, way[at], start[at], other[at])
        at, top = at[top.money > 0], top.where(top.money > 0)
        told.money[at], told.price[at], told.kind[at], told.thing[at] = top.money, top.price, top.kind, top.thing
        bucket[at] = start[at]
        per_unit[at] *= top.money / top.price
        at, part = at[top.kind == PRODUCT], top.thing[top.kind == PRODUCT]
        behind, arrives = sources.way[part, start[at]], sources.bucket[part, start[at]]
        then = np.maximum(other[at], 0)
        other[at] = np.where(
            (other[at] >= 0) & (sources.way[part, then] == behind) & (behind >= 0),
            sources.bucket[part, then] - market.ways.lead[behind],
            -1,
        )
        at, behind, arrives = (a[behind >= 0] for a in (at, behind, arrives))
        if not len(at):
            break
        way[at], start[at] = behind, arrives - market.ways.lead[behind]
    return told, bucket, per_unit


@dataclass(frozen=True, eq=False)
class _Sources:
    """Where units of a component come from at its price."""

    # (product, bucket) the way that brings them, -1 where stock alone sets the price.
    way: IntArray
    # (product, bucket) the bucket in which they arrive: that one, or an earlier one from which they are held.
    bucket: IntArray


def _sources(market: Market, ways: FloatArray, way: IntArray, scarcity: Scarcity) -> _Sources:
    """way: (product, bucket) of `cheapest_ways`."""
    best, cheapest = way.copy(), scarcity.cheapest
    own = np.full(best.shape, np.inf)
    own[best >= 0] = ways[best[best >= 0], np.nonzero(best >= 0)[1]]
    bucket = np.broadcast_to(np.arange(market.buckets), best.shape).copy()
    pooled = np.flatnonzero(market.products.is_component)
    for t in range(market.buckets):
        dearer = pooled[~(own[pooled, t] <= cheapest[pooled, t] * (1 + ALIKE) + NOTHING)]
        best[dearer, t] = best[dearer, t - 1] if t else -1
        bucket[dearer, t] = bucket[dearer, t - 1] if t else -1
        if t:
            held = cheapest[dearer, t - 1] + market.money.holding[dearer]
            worn = dearer[~(held <= cheapest[dearer, t] * (1 + ALIKE) + NOTHING)]
            best[worn, t] = -1
    return _Sources(best, bucket)


@dataclass(frozen=True)
class _Obstacle:
    """What keeps a way from bringing more.

    name: of a line, component or offer, counted in hours or in units; price: money per unit of it; bucket: in which it
    is short; amount: of it that would do, 0 where more of it alone would not; beside: names of what is short as well;
    too_soon: none of it, or of a component beside it, could be there by then.
    """

    name: str
    hours: bool
    price: float
    bucket: int
    amount: float
    beside: tuple[str, ...] = ()
    too_soon: bool = False


# Instead of an obstacle: what it would take costs more than the units are worth.
DEAR = _Obstacle("", False, 0.0, -1, 0.0)


def by_orders(
    market: Market,
    demanded: IntArray,
    units: Units,
    served: Served,
    prices: Prices,
    started: FloatArray,
    lots: FloatArray,
) -> Binding:
    """Where demand is late or lost, what the orders leave too little of, for the way whose start would be in time, or
    whose order before that could grow, and that lacks least: of its line's hours, its components and its limit the one
    that allows the fewest units; of a component, what keeps its own ways from bringing more. Nothing is in the way
    where a way has room for a lot, or where a lot would cost more than the units are worth on time. What is lost
    could have come later: where more of one thing alone would not do in its bucket, of those in which it still waits
    the one in which least is lacking.

    started, lots: (way, bucket) units and orders started.
    """
    left = _Left(market, served.outcome, prices, started, lots)
    worth, latest = _worth_on_time(market, demanded, units, served), _latest(market, demanded, units, served.told)
    late_cost = np.full(len(market.products), np.inf)
    np.minimum.at(late_cost, market.demand.product, market.late_cost)
    is_lost = np.zeros(len(market.products), dtype=bool)
    is_lost[market.demand.product[(served.units.lost > NOTHING).any(axis=1)]] = True
    shape = units.asked.shape
    cells, is_hours = np.full(units.asked.size, "", dtype=object), np.zeros(shape, dtype=bool)
    price, needed = np.zeros(shape), np.zeros(shape)
    buckets = np.full(shape, -1, dtype=np.int64)
    beside: list[tuple[str, ...] | None] = [None] * units.asked.size
    for d, t in zip(*np.nonzero(units.late + units.lost >= LEAST_TOLD), strict=True):
        product, saves = int(demanded[d]), float(worth[d, t])
        missing = float(units.late[d, t] + units.lost[d, t])
        come_later = units.lost[d, t] < LEAST_TOLD
        found = left.obstacles(product, int(t), missing, saves, come_later=come_later, wanted=bool(is_lost[product]))
        if all(obstacle is not None and (obstacle.amount <= 0 or obstacle.too_soon) for obstacle, _, _ in found):
            each = missing * float(late_cost[product])
            later = [(u, saves - each * (u - int(t))) for u in range(int(t) + 1, int(latest[d, t]) + 1)]
            found = [*found, *left.while_it_waits(product, later, missing)]
        if not found:
            continue
        obstacle, start, _ = min(found, key=_by_ease)
        buckets[d, t] = start if obstacle is None or obstacle is DEAR else obstacle.bucket
        if obstacle is not None:
            cells[d * market.buckets + t], is_hours[d, t] = obstacle.name, obstacle.hours
            price[d, t], needed[d, t] = obstacle.price, obstacle.amount
            beside[d * market.buckets + t] = obstacle.beside or None
    together = pa.array(beside, pa.list_(pa.string()))
    return Binding(pa.array(cells, pa.string()), is_hours, price, buckets, needed, together)


def _worth_on_time(market: Market, demanded: IntArray, units: Units, served: Served) -> FloatArray:
    """(product asked for, bucket) money that the late and lost units due there would save if they came on time: their
    lateness, at the mean time that those of their class wait, and what a lost one costs above being made. units: of
    them, without what could not come sooner."""
    told, product = served.told, market.demand.product
    late, lost = told.late.sum(axis=1), told.refused + told.never
    waits = np.maximum(served.outcome.waiting.sum(axis=1) / np.where(late > NOTHING, late, 1.0), 1.0)
    plain = np.where(np.isfinite(market.products.plain_cost), market.products.plain_cost, 0.0)[product]
    per_lost = np.maximum(market.lost_cost - plain, 0.0)
    found = []
    for money in (told.late * (market.late_cost * waits)[:, None], told.late, lost * per_lost[:, None], lost):
        by_product = np.zeros((len(market.products), market.buckets))
        np.add.at(by_product, product, money)
        found.append(by_product[demanded])
    of_late, all_late, of_lost, all_lost = found
    shares = (of / np.where(total > NOTHING, total, 1.0) for of, total in ((of_late, all_late), (of_lost, all_lost)))
    return sum(share * own for share, own in zip(shares, (units.late, units.lost), strict=True))


_Found = tuple[_Obstacle | None, int, str]


def _by_ease(found: _Found) -> tuple[bool, bool, bool, bool, float, str]:
    """A way that nothing is in the way of first, then one for which nothing is too soon, then the one that lacks one
    thing only, and least of it; one that costs too much last."""
    obstacle, _, way = found
    if obstacle is None:
        return False, False, False, False, 0.0, way
    return True, obstacle is DEAR, obstacle.too_soon, obstacle.amount <= 0, obstacle.amount, way


class _Left:
    """Hours, components and limits that orders leave."""

    def __init__(self, market: Market, outcome: Outcome, prices: Prices, started: FloatArray, lots: FloatArray) -> None:
        self.market, self.prices, self.lots, self.started = market, prices, lots, started
        self.hours = market.most_hours + market.lines.hours_taken - outcome.hours_used
        self.pool = outcome.pool
        self.limit = np.maximum(market.ways.limit - started, 0.0)
        self.uses_of, self.first_use = grouped(market.uses.way, len(market.ways))
        self.ways_of, self.first_way = grouped(market.ways.product, len(market.products))
        self.normal, self.plain = _normal_cost(market), np.nan_to_num(market.products.plain_cost, posinf=0.0)
        self.known: dict[tuple[int, int, float, float], _Obstacle | None] = {}

    def ways(self, product: int) -> list[int]:
        """Ways that bring a product, those besides whose own product it comes too."""
        own = self.ways_of[self.first_way[product] : self.first_way[product + 1]].tolist()
        return [*own, *(way for way, of in self.besides if of == product and way not in own)]

    @cached_property
    def besides(self) -> dict[tuple[int, int], float]:
        """By way and product that comes besides its own: units of it for a unit started."""
        rule = self.market.rules.co_products
        keys = zip(rule.way.tolist(), rule.product.tolist(), strict=True)
        return dict(zip(keys, rule.units.tolist(), strict=True))

    def _good(self, way: int, product: int, missing: float) -> float:
        """Good units of a way's own product beside which so many of a product come."""
        if self.market.ways.product[way] == product:
            return missing
        return missing / self.besides[way, product] * float(self.market.ways.yield_share[way])

    def obstacles(
        self,
        product: int,
        bucket: int,
        missing: float,
        worth: float = math.inf,
        above: frozenset[int] = frozenset(),
        *,
        come_later: bool = False,
        wanted: bool = True,
    ) -> list[_Found]:
        """Of each way that can be there in a bucket: what keeps it from it, the bucket of its start, and its name;
        where each would cost more than the units are worth, what keeps the order that brings them late from an earlier
        start, and else nothing. above: products for which it is looked into, in a circle of lanes the same ones again.
        come_later: a later order brings the units in any case; wanted: somebody would take more of them than there are.
        """
        names = self.market.ways.facts
        starts = self._in_time(product, bucket)
        ready = [(way, start, self._good(way, product, missing)) for way, start in starts]
        ready += [(way, start, self._good(way, product, missing)) for way, start in self._growing(product, bucket)]
        paying = []
        for way, start, good in ready:
            takes = self._later_smaller(way, start, good) if come_later else None
            cost = self._dearer(way, start, product, bucket, missing)
            if takes is not None and not wanted:
                cost += float(takes[-1] * self.market.ways.yield_share[way] * self.normal[way])
            if cost < worth:
                paying.append((way, start, good, takes, worth - self._own_extra(way, start, product, bucket, missing)))
        if not paying:
            moved = self._moved(product, bucket, worth)
            return moved or [(DEAR, start, names[way].name) for way, start in starts]
        found: list[_Found] = []
        for way, start, good, takes, rest in paying:
            obstacle = self._obstacle(way, start, good, above | {product}, takes, rest)
            found.append((obstacle, start, names[way].name))
        return found

    def while_it_waits(self, product: int, later: Sequence[tuple[int, float]], missing: float) -> list[_Found]:
        """`obstacles` of all later buckets in which units that are lost would still be taken; none where a way has room
        in one of them: then they are lost for what it costs to be late. later: these buckets, and what the units are
        worth there, less what it costs to be late."""
        paying = [(bucket, worth) for bucket, worth in later if worth > NOTHING]
        found: list[_Found] = []
        for bucket, worth in paying:
            own = self.obstacles(product, bucket, missing, worth)
            if any(obstacle is None for obstacle, _, _ in own):
                return []
            found += [one for one in own if one[0] is not DEAR]
        return found

    def _later_smaller(self, way: int, start: int, missing: float) -> FloatArray:
        """(bucket, from the start on) units of a lot for the missing good ones that are more than what the plan starts
        by then: later orders of the way are smaller by as much, none smaller than its smallest lot."""
        left = self._more(way, start, missing)
        takes, smallest = np.full(self.market.buckets - start, left), self.market.ways.facts[way].min_units
        for after in np.flatnonzero(self.lots[way, start + 1 :]).tolist():
            units = float(self.started[way, start + 1 + after])
            less = min(left, units)
            if NOTHING < units - less < smallest:
                less = max(units - smallest, 0.0)
            left -= less
            takes[after + 1 :] -= less
        return takes

    def _moved(self, product: int, bucket: int, worth: float) -> list[_Found]:
        """Of each way that could be there in a bucket and has its next order later: what that order lacks in the hours
        of the earlier start, where to hold all of it until then costs less than the units are worth on time. It moves
        with its set-up, and its components are there."""
        found: list[_Found] = []
        for way, start in self._in_time(product, bucket):
            after = np.flatnonzero(self.lots[way, start:])
            if not len(after) or after[0] == 0 or self.market.ways.product[way] != product:
                continue
            lot, facts = float(self.started[way, start + after[0]]), self.market.ways.facts[way]
            held = lot * facts.yield_share * int(after[0]) * float(self.market.money.holding[product])
            if held + self._overtime(way, start, lot) >= worth:
                continue
            takes = np.where(np.arange(self.market.buckets - start) < after[0], lot, 0.0)
            lacks = self._lacks(way, start, lot, takes)
            hours = [one for _, part, one in lacks if part < 0]
            if hours and len(hours) == len(lacks):
                found.append((hours[0], start, facts.name))
        return found

    def _orders(self, way: int, start: int, units: float) -> int:
        """How many orders more so many units of a way are there, each with its set-up."""
        facts, there = self.market.ways.facts[way], float(self.started[way, start])
        if not math.isfinite(facts.max_units):
            return int(self.lots[way, start] == 0)
        sizes = facts.sizes(bool(self.market.products.whole[self.market.ways.product[way]]))
        return sizes.orders(there + units) - sizes.orders(there)

    def _overtime(self, way: int, start: int, units: float) -> float:
        """Money for the overtime that so many units of a way take with their set-ups, beside what they lack."""
        overtime, money = self.market.rules.overtime, 0.0
        orders = self._orders(way, start, units) if overtime.is_there else 0
        worked, share = self.market.ways.facts[way].worked.at(start, self.market.buckets)
        for line, each, setup in self.market.held_by(way) if overtime.is_there else ():
            hours, extra = orders * setup + units * each, overtime.hours[line, worked]
            left = np.maximum(self.hours[line, worked], 0.0)
            usual = np.maximum(self.hours[line, worked] - extra, 0.0)
            over = np.clip(hours * share - usual, 0.0, np.minimum(extra, left))
            money += float((over * overtime.cost[line, worked]).sum())
        return money

    def _in_time(self, product: int, bucket: int) -> list[tuple[int, int]]:
        """Ways of a product and their starts for a bucket: the last in which each row of a table may start, from where
        the units are held if it is shut in the bucket that would be just in time."""
        last: dict[tuple[str, str | None], list[tuple[int, int]]] = defaultdict(list)
        for way in self.ways(product):
            facts, latest = self.market.ways.facts[way], bucket - int(self.market.ways.lead[way])
            is_open = np.flatnonzero(self.market.ways.is_open[way, : latest + 1]) if latest >= 0 else ()
            if len(is_open):
                last[facts.row or facts.name, facts.from_site].append((way, int(is_open[-1])))
        newest = {row: max(start for _, start in own) for row, own in last.items()}
        return [one for row, own in last.items() for one in own if one[1] == newest[row]]

    def _growing(self, product: int, bucket: int) -> list[tuple[int, int]]:
        """Ways that do not start for a bucket, and the start of their last order before that: it could be larger, and
        the units be held."""
        grown = []
        for way, start in self._in_time(product, bucket):
            before = np.flatnonzero(self.lots[way, :start])
            if self.lots[way, start] == 0 and len(before):
                grown.append((way, int(before[-1])))
        return grown

    def _dearer(self, way: int, start: int, product: int, bucket: int, missing: float) -> float:
        """Money that a lot for the missing units costs beside its units at their normal cost: its set-up, where no
        order of the way starts there, holding until the bucket, overtime, and what the way costs above the cheapest; of
        what comes besides another product, what is made of that and lies there, or is not made later."""
        market = self.market
        if market.ways.product[way] != product:
            return self._dearer_besides(way, start, self._good(way, product, missing))
        above = max(self._own_cost(way, start, missing) - float(market.products.plain_cost[product]), 0.0)
        return self._own_extra(way, start, product, bucket, missing) + missing * above

    def _own_extra(self, way: int, start: int, product: int, bucket: int, missing: float) -> float:
        """Of `_dearer`, what is not the price of the units: set-up, holding and overtime."""
        market, facts = self.market, self.market.ways.facts[way]
        more = self._more(way, start, self._good(way, product, missing))
        setup = self._orders(way, start, more) * (facts.setup_cost + self._per_lot_cost(way))
        if market.ways.product[way] != product:
            return setup
        early = bucket - int(market.ways.lead[way]) - start
        return setup + self._overtime(way, start, more) + missing * early * float(market.money.holding[product])

    def _dearer_besides(self, way: int, start: int, good: float) -> float:
        """Money for so many good units of a way more, of which later orders make as many fewer as they can."""
        takes, facts = self._later_smaller(way, start, good), self.market.ways.facts[way]
        orders = self._orders(way, start, self._more(way, start, good))
        setup = orders * (facts.setup_cost + self._per_lot_cost(way))
        own = float(self.market.money.holding[self.market.ways.product[way]]) * float(takes[:-1].sum())
        return setup + facts.yield_share * (own + float(takes[-1]) * float(self.normal[way]))

    def _own_cost(self, way: int, start: int, missing: float) -> float:
        """Money for a good unit of a way that starts then: its components at their normal cost where so many lie there,
        else at what the cheapest of their ways that is in time costs."""
        market, dearer = self.market, 0.0
        for use in self.uses_of[self.first_use[way] : self.first_use[way + 1]].tolist():
            part, each = int(market.uses.component[use]), float(market.uses.units[use])
            plain, in_time = float(market.products.plain_cost[part]), float(self.in_time[part, start])
            lies = float(self.pool[part, start:].min()) >= missing * each - NOTHING
            if not lies and market.uses.is_open[use, start] and np.isfinite(plain) and np.isfinite(in_time):
                dearer += each * max(in_time - plain, 0.0)
        return float(self.normal[way]) + dearer / float(market.ways.yield_share[way])

    @cached_property
    def in_time(self) -> FloatArray:
        """(product, bucket) money for a unit there, were nothing scarce, by the ways that are in time."""
        market = self.market
        no_line, no_limit = np.zeros(market.lines.hours.shape), np.zeros(market.ways.limit.shape)
        none = Prices(
            line=no_line,
            limit=no_limit,
            turned_away=np.zeros((len(market.demand), market.buckets)),
            component=np.full((len(market.products), market.buckets), np.inf),
        )
        return unit_prices(market, none)[1]

    def _per_lot_cost(self, way: int) -> float:
        """Money for what an order of the way takes whatever its size, at its normal cost."""
        return float(sum(units * self.plain[part] for part, units in self.market.rules.per_lot.of_way(way)))

    def _more(self, way: int, start: int, missing: float) -> float:
        """Units that would have to start for the missing good ones: in whole multiples, and beside no order of the way
        in that bucket at least its smallest lot."""
        facts = self.market.ways.facts[way]
        wanted, step = missing / facts.yield_share, facts.multiple_units
        if self.lots[way, start] == 0:
            wanted = max(wanted, facts.min_units)
        wanted = math.ceil(wanted / step - NOTHING) * step if step > 0 else wanted
        if math.isfinite(facts.max_units):
            there = float(self.started[way, start])
            whole = bool(self.market.products.whole[self.market.ways.product[way]])
            return facts.sizes(whole).up(there + wanted) - there
        return wanted

    def _lacks(
        self, way: int, start: int, lot: float, takes: FloatArray | None = None
    ) -> list[tuple[float, int, _Obstacle]]:
        """What a lot finds too little of: units that it allows, the component (-1: none), and how much is short.
        takes: (bucket, from the start on) units of it that are more than what the plan starts by then; None: all of
        them, for good."""
        market, facts = self.market, self.market.ways.facts[way]
        found: list[tuple[float, int, _Obstacle]] = []
        orders = self._orders(way, start, lot)
        for line, each, setup in market.held_by(way):
            hours = orders * setup + lot * each
            at, share = facts.worked.at(start, market.buckets)
            short = np.maximum(hours * share - self.hours[line, at], 0.0)
            if short.sum() > NOTHING * max(hours, 1.0):
                first = int(at[np.flatnonzero(short > 0)[0]])
                # A lot over several buckets that lacks hours in more than one lacks several things.
                amount = float(short.sum()) if (short > 0).sum() == 1 else 0.0
                is_line = market.lines.names[line] not in market.places.shared
                price = float(self.prices.line[line, first])
                allowed = lot - float((short / share).max()) / max(each, NOTHING)
                found.append((allowed, -1, _Obstacle(name_of(market, LINE, line), is_line, price, first, amount)))
        for use in self.uses_of[self.first_use[way] : self.first_use[way + 1]].tolist():
            part, each = int(market.uses.component[use]), float(market.uses.units[use])
            # What is taken now may be missing later: it must be there by the first bucket that is short of it.
            short = (lot if takes is None else takes) * each - self._there(part, start)
            lacks = float(short.max())
            if market.uses.is_open[use, start] and lacks > NOTHING * max(lot, 1.0):
                first = start + int(np.flatnonzero(short > NOTHING * max(lot, 1.0))[0])
                found.append((lot - lacks / each, part, self._missing(part, first, lacks)))
        for part, units in market.rules.per_lot.of_way(way) if orders else ():
            short = orders * units * (1.0 if takes is None else takes > NOTHING) - self._there(part, start)
            if float(short.max()) > NOTHING:
                first = start + int(np.flatnonzero(short > NOTHING)[0])
                found.append((0.0, part, self._missing(part, first, float(short.max()))))
        room = float(self.limit[way, start])
        if np.isfinite(room) and lot - room > NOTHING * max(lot, 1.0):
            price = float(self.prices.limit[way, start])
            found.append((room, -1, _Obstacle(facts.name, False, price, start, lot - room)))
        return found

    def _there(self, part: int, start: int) -> FloatArray:
        """(bucket) units of a component from a start on that the orders leave, or would with others of alternatives."""
        there = self.pool[part, start:]
        return there + self.freed[part][start:] if part in self.freed else there

    @cached_property
    def freed(self) -> dict[int, FloatArray]:
        """By component (bucket) units more that would lie at its end, were others of alternatives picked where they lie
        there for good: for each component by itself."""
        picks: dict[int, list[int]] = defaultdict(list)
        for way in np.flatnonzero([facts.picks is not None for facts in self.market.ways.facts]).tolist():
            picks[int(self.market.ways.product[way])].append(way)
        found: dict[int, FloatArray] = {}
        for own in picks.values():
            for way in own if len(own) > 1 else ():
                picked = np.cumsum(self.started[way])
                for part, each in self._takes(way):
                    others = [w for w in own if w != way and part not in dict(self._takes(w))]
                    instead = [self._picked_instead(way, other) for other in others]
                    freed = found.setdefault(part, np.zeros(self.market.buckets))
                    freed += each * np.minimum(np.sum(instead, axis=0), picked)
        return found

    def _takes(self, way: int) -> list[tuple[int, float]]:
        uses = self.uses_of[self.first_use[way] : self.first_use[way + 1]]
        return [(int(self.market.uses.component[use]), float(self.market.uses.units[use])) for use in uses]

    def _picked_instead(self, way: int, other: int) -> FloatArray:
        """(bucket) picks until then for which another alternative lies there from then on, and nobody takes it."""
        takes = self._takes(other)
        left = {part: np.minimum.accumulate(self.pool[part, ::-1])[::-1].copy() for part, _ in takes}
        moved = np.zeros(self.market.buckets)
        for t in np.flatnonzero(self.started[way] > NOTHING).tolist():
            if not self.market.ways.is_open[other, t]:
                continue
            units = min(float(self.started[way, t]), *(float(left[part][t]) / each for part, each in takes))
            if units > NOTHING:
                moved[t:] += units
                for part, each in takes:
                    left[part] -= units * each
        return moved

    def _missing(self, part: int, bucket: int, lacks: float) -> _Obstacle:
        """A component, and what one more unit of it there would save: nothing where some lies idle."""
        price = float(self.prices.component[part, bucket])
        lies = self.pool[part, bucket] > (IDLE if self.market.products.whole[part] else NOTHING)
        worth = max(price, 0.0) if np.isfinite(price) and not lies else 0.0
        return _Obstacle(self.market.products.names[part], False, worth, bucket, lacks)

    def _obstacle(
        self, way: int, start: int, missing: float, above: frozenset[int], takes: FloatArray | None, worth: float
    ) -> _Obstacle | None:
        """What keeps the way from starting, in this bucket, a lot for the missing good units; None: nothing,
        DEAR: a component that would cost too much. takes: of _lacks; worth: money that components may cost beside their
        price."""
        short: list[tuple[float, _Obstacle]] = []
        for allowed, part, lack in self._lacks(way, start, self._more(way, start, missing), takes):
            behind = lack if part < 0 or part in above else self._behind(part, lack, above, worth)
            if behind is DEAR:
                return DEAR
            if behind is not None:
                short.append((allowed, behind))
        if not short:
            return None
        _, worst = min(short, key=lambda one: (one[0], one[1].name))
        same = all((other.name, other.bucket) == (worst.name, worst.bucket) for _, other in short)
        alone = same and all(other.amount > 0 for _, other in short)
        names = [name for _, other in sorted(short, key=lambda one: one[0]) for name in (other.name, *other.beside)]
        beside = tuple(name for name in dict.fromkeys(names) if name != worst.name)
        amount, too_soon = sum(other.amount for _, other in short) if alone else 0.0, any(o.too_soon for _, o in short)
        return replace(worst, amount=amount, beside=beside, too_soon=too_soon)

    def _behind(self, part: int, lack: _Obstacle, above: frozenset[int], worth: float) -> _Obstacle | None:
        """What keeps more of a component from being there: what its own ways lack, or, where none could bring it by
        then, the component itself; None where a way has room for it."""
        key = part, lack.bucket, round(lack.amount, 6), round(worth, 6)
        if key not in self.known:
            found = self.obstacles(part, lack.bucket, lack.amount, worth, above)
            self.known[key] = min(found, key=_by_ease)[0] if found else replace(lack, too_soon=True)
        return self.known[key]


def cheapest_ways(market: Market, ways: FloatArray) -> IntArray:
    """(product, bucket) the cheapest way to have the product there; -1 where none is. Of equals the one that would cost
    least if nothing were scarce, for what is scarce of it makes it as dear as the others; then the first by name."""
    best = np.full((len(market.products), market.buckets), -1, dtype=np.int64)
    least = np.full(best.shape, np.inf)
    normal = _normal_cost(market)
    in_turn = sorted(range(len(market.ways)), key=lambda w: (round(normal[w], 6), market.ways.facts[w].name))
    by_cost = np.array(in_turn, dtype=np.int64)
    for turn in turns(market.ways.product[by_cost]):
        way = by_cost[turn]
        product = market.ways.product[way]
        better = ways[way] < np.where(np.isfinite(least[product]), least[product] * (1 - EQUAL), np.inf)
        least[product] = np.where(better, ways[way], least[product])
        best[product] = np.where(better, way[:, None], best[product])
    return best


def fence_of(market: Market, product: int, bucket: int) -> date | None:
    """The end of the release fence that closes the start of a way of a product that would be there in a bucket; None:
    there is none."""
    for way in np.flatnonzero(market.ways.product == product).tolist():
        until, start = market.ways.facts[way].fenced_until, bucket - int(market.ways.lead[way])
        if until is not None and start >= 0 and market.bucket_starts[start] < until:
            return until
    return None


def _normal_cost(market: Market) -> FloatArray:
    """(way) money for a good unit where nothing is scarce."""
    parts = market.uses.units * np.nan_to_num(market.products.plain_cost, posinf=0.0)[market.uses.component]
    borne = np.array([way.own_share for way in market.ways.facts])
    return (market.ways.cost + np.bincount(market.uses.way, parts, len(market.ways))) * borne / market.ways.yield_share
