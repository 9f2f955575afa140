"""What would have happened: makes what a policy ordered, serves what buyers really ordered, and counts.

Every policy meets the same opening stock, the same demand and the same capacity. In each bucket, in this order:
receive, make, serve, count. Whatever is due in a bucket is served at its end, first due first.
"""

import hashlib
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property

import numpy as np

from datong.ledger.facts import Economics, Way, way_on, ways_by_row
from datong.ledger.position import UnderWay
from datong.model.flow import FloatArray, Item, PlannedOrder
from datong.model.settings import ChainSettings

# Below this many units there is nothing left.
NOTHING = 1e-9

# Money by what it is for. `stock_change` is unit cost x the fall of (stock - owed): it takes the cost of what was made
# for stock off again and adds that of what was taken from it or is owed, so that a policy neither gains by living on
# stock or on its buyers' patience, nor loses by leaving some.
COST_TERMS = ("production", "stock_change", "holding", "late", "lost")

Due = tuple[Item, date]


@dataclass(frozen=True, eq=False)
class Scene:
    """What is the same for every policy.

    economics, unit_cost (cheapest way, money per unit), opening_units: by product. opening_owed: units by item and
    due day. demand_units: by bucket, units due in it by item and due day, less what had been served ahead.
    line_hours: by bucket, hours that each line could run. ways: by name, with the yield that was really had; `way_of`
    an order is the version of its recipe or offer that held on the day it starts.
    lead_days: by way, lead times that orders on it really had; where none are recorded, the way's own holds.
    """

    settings: ChainSettings
    buckets: tuple[date, ...]
    products: tuple[str, ...]
    economics: Mapping[str, Economics]
    unit_cost: Mapping[str, float]
    ways: Mapping[str, Way]
    opening_units: Mapping[str, float]
    opening_owed: Mapping[Due, float]
    demand_units: tuple[Mapping[Due, float], ...]
    line_hours: tuple[Mapping[str, float], ...]
    lead_days: Mapping[str, tuple[float, ...]] = field(default_factory=dict)

    @cached_property
    def _by_row(self) -> Mapping[tuple[str, str], tuple[Way, ...]]:
        return ways_by_row(self.ways.values())

    def way_of(self, order: PlannedOrder | UnderWay) -> Way | None:
        """None where the chain has none of that name."""
        versions = self._by_row.get((order.kind, order.recipe or order.offer or ""))
        return None if versions is None else way_on(versions, order.start)


@dataclass(frozen=True)
class Batch:
    """Good units of a product that are there in the bucket which starts at `arrives`. cost: money for all of them.

    planned: the order as the policy gave it; None for one that was out already, and for what the company made.
    scrap_units: what was started for it and did not become good.
    """

    order: str
    kind: str
    product: str
    units: float
    arrives: date
    cost: float
    planned: PlannedOrder | None = None
    scrap_units: float = 0.0


@dataclass(frozen=True)
class Sent:
    """Units sent to the buyers of an item at the end of a bucket."""

    item: Item
    bucket: date
    units: float


class Simulation:
    """One policy's course through the buckets. The arrays are (bucket, product), filled bucket by bucket.

    demand_units: due in the bucket. on_time_units: served in it. late_units: still owed at its end, whenever due.
    lost_units: given up, more than max_late_days late. cost: by term, in money. waiting: orders given out that start
    later. released: by order, the bucket in which the policy gave it out.
    """

    def __init__(self, scene: Scene, under_way: Sequence[Batch] = ()) -> None:
        shape = (len(scene.buckets), len(scene.products))
        self.scene = scene
        self.on_hand = {p: max(scene.opening_units.get(p, 0.0), 0.0) for p in scene.products}
        self.owed: dict[Due, float] = dict(scene.opening_owed)
        self.waiting: list[PlannedOrder] = []
        self.released: dict[str, date] = {}
        self.coming: list[Batch] = list(under_way)
        self.arrived: list[Batch] = []
        self.sent: list[Sent] = []
        self.step_index = 0
        self.demand_units, self.on_time_units, self.late_units, self.lost_units, self.stock_units, self.made_units = (
            np.zeros(shape) for _ in range(6)
        )
        self.cost: Mapping[str, FloatArray] = {term: np.zeros(shape) for term in COST_TERMS}
        self._at = {p: i for i, p in enumerate(scene.products)}

    def release(self, orders: Sequence[PlannedOrder]) -> None:
        """Orders that go out in the current bucket: nobody takes them back, and each starts in the bucket it names."""
        bucket = self.scene.buckets[self.step_index]
        for order in orders:
            assert order.start >= bucket, f"{order.order} would start before it went out"
            assert order.order not in self.released, f"{order.order} went out twice"
            self.released[order.order] = bucket
        self.waiting += orders

    def run(self) -> None:
        """One bucket with the orders given out that start in it."""
        t = self.step_index
        started = batches(self.scene, t, self.waiting)
        after = self._after(t)
        self.waiting = [order for order in self.waiting if order.start >= after]
        self.step(started)

    def step(self, batches: Sequence[Batch]) -> None:
        """One bucket with the batches that start in it."""
        t = self.step_index
        opening = self._net()
        self.coming += batches
        self._receive(t)
        self._serve(t)
        self._count(t, opening)
        self.step_index += 1

    def _receive(self, t: int) -> None:
        after = self._after(t)
        for batch in [b for b in self.coming if b.arrives < after]:
            self.on_hand[batch.product] += batch.units
            self.made_units[t, self._at[batch.product]] += batch.units
            self.cost["production"][t, self._at[batch.product]] += batch.cost
            self.arrived.append(batch)
        self.coming = [b for b in self.coming if b.arrives >= after]

    def _serve(self, t: int) -> None:
        """First due first; of those due on the same day, markets in order of their name."""
        start, last_day = self.scene.buckets[t], self._after(t) - timedelta(days=1)
        for due, units in self.scene.demand_units[t].items():
            self.owed[due] = self.owed.get(due, 0.0) + units
            self.demand_units[t, self._at[due[0].product]] += units
        sent: dict[Item, float] = defaultdict(float)
        left: dict[Due, float] = {}
        for (item, day), units in sorted(self.owed.items(), key=lambda entry: (entry[0][1], entry[0][0])):
            at = self._at[item.product]
            if (last_day - day).days > self.scene.settings.max_late_days:
                self.lost_units[t, at] += units
                continue
            served = min(units, self.on_hand[item.product])
            self.on_hand[item.product] -= served
            sent[item] += served
            if day >= start:
                self.on_time_units[t, at] += served
            if units - served > NOTHING:
                left[item, day] = units - served
        self.owed = left
        self.sent += [Sent(item, start, units) for item, units in sorted(sent.items()) if units > NOTHING]

    def _count(self, t: int, opening: Mapping[str, float]) -> None:
        for (item, _), units in self.owed.items():
            self.late_units[t, self._at[item.product]] += units
        closing = self._net()
        for product, at in self._at.items():
            costs, stock = self.scene.economics[product], self.on_hand[product]
            self.stock_units[t, at] = stock
            self.cost["stock_change"][t, at] = (opening[product] - closing[product]) * self.scene.unit_cost[product]
            self.cost["holding"][t, at] = costs.holding_per_bucket * stock
            self.cost["late"][t, at] = costs.late_per_bucket * self.late_units[t, at]
            self.cost["lost"][t, at] = costs.lost_sale * self.lost_units[t, at]

    def _net(self) -> dict[str, float]:
        """Stock less what is owed, by product."""
        net = dict(self.on_hand)
        for (item, _), units in self.owed.items():
            net[item.product] -= units
        return net

    def _after(self, t: int) -> date:
        return self.scene.settings.calendar.shift(self.scene.buckets[t], 1)


def batches(scene: Scene, t: int, orders: Sequence[PlannedOrder]) -> list[Batch]:
    """What really comes of the orders that start in bucket t.

    Where a line is asked for more hours than it could run, all its orders are cut by the same share; so are orders
    on an offer beyond what it gives in a bucket. An order's units are units started, of which yield_share are good.
    """
    calendar = scene.settings.calendar
    start, after = scene.buckets[t], calendar.shift(scene.buckets[t], 1)
    ours = [(o, _known_way(scene, o)) for o in orders if start <= o.start < after]
    share = _shares(ours, scene.line_hours[t], calendar.bucket_days / 7)
    result = []
    for order, way in sorted(ours, key=lambda pair: pair[0].order):
        started = order.units * share[way.line if way.kind == "make" else way.name]
        if started <= NOTHING:
            continue
        arrives = arrival(scene, order)
        cost = started * way.cost_per_unit + way.setup_cost
        good = started * way.yield_share
        result.append(Batch(order.order, order.kind, way.product, good, arrives, cost, order, started - good))
    return result


def arrival(scene: Scene, order: PlannedOrder) -> date:
    """Start of the bucket in which an order's units are there: whole buckets of lead time after that of its start."""
    calendar = scene.settings.calendar
    return calendar.shift(calendar.bucket_start(order.start), calendar.lead_buckets(true_lead_days(scene, order)))


def true_lead_days(scene: Scene, order: PlannedOrder) -> float:
    """The lead time that an order turns out to have: one of those that its way really had, drawn by the order's number,
    so that the same order always has the same."""
    name = order.recipe or order.offer or ""
    past = scene.lead_days.get(name)
    if not past:
        return _known_way(scene, order).lead_days
    digest = hashlib.sha256(order.order.encode()).digest()
    return past[int.from_bytes(digest[:8], "little") % len(past)]


def _known_way(scene: Scene, order: PlannedOrder) -> Way:
    way = scene.way_of(order)
    assert way is not None, f"{order.order} names no way of the chain"
    return way


def _shares(
    ours: Sequence[tuple[PlannedOrder, Way]], line_hours: Mapping[str, float], weeks: float
) -> Mapping[str | None, float]:
    """By line or offer, the share of what was asked that there was room for; setups come first."""
    setup: dict[str, float] = defaultdict(float)
    asked: dict[str, float] = defaultdict(float)
    room: dict[str, float] = {}
    for order, way in ours:
        if way.kind == "make" and way.line is not None:
            setup[way.line] += way.setup_hours
            asked[way.line] += order.units * way.hours_per_unit
            room[way.line] = line_hours.get(way.line, 0.0)
        elif way.kind == "buy":
            asked[way.name] += order.units
            room[way.name] = way.units_per_week * weeks
    shares: dict[str | None, float] = {None: 1.0}
    for name, wanted in asked.items():
        free = max(room[name] - setup[name], 0.0)
        shares[name] = 1.0 if wanted <= free or math.isclose(wanted, free) else free / wanted
    return shares
