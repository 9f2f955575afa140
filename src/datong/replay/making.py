"""What really comes of the orders that start in a bucket: within the hours, the offers, the lanes and the components
that there are.

1. Hours. Where a line is asked for more hours than it could run, all its orders are cut by the same share; set-ups come
   first. So are those by an offer or a lane beyond what it gives in a bucket. A lot that works over several buckets
   (network/ways.py, `span`) takes an even part of its hours in each.
2. Components. Orders take theirs one after the other, by their start and number, but each after those that bring one
   of its components in the same bucket. One that lacks some is cut to what it finds, whole units of whole orders; the
   rest is not made, and the policy is free to order it again.
"""

import hashlib
import heapq
import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date

from datong.model.flow import PlannedOrder
from datong.network.ways import Way, lead_buckets
from datong.network.weekly_limits import units_in_bucket
from datong.replay.scene_and_batches import NOTHING, Batch, Begun, Scene

_Work = tuple[PlannedOrder, Way]


def begin(
    scene: Scene, t: int, orders: Sequence[PlannedOrder], stock: Mapping[str, float], in_work: Sequence[Batch] = ()
) -> Begun:
    """What begins in bucket t. stock: units there by label, after what arrived. in_work: what was to come before it.

    An order's units are units started, of which yield_share are good.
    """
    calendar = scene.settings.calendar
    start, after = scene.buckets[t], calendar.shift(scene.buckets[t], 1)
    ours = sorted(
        ((o, known_way(scene, o)) for o in orders if start <= o.start < after), key=lambda w: (w[0].start, w[0].order)
    )
    share = _shares(ours, _free_hours(scene, t, in_work), start, calendar.bucket_days)
    there, short = dict(stock), defaultdict[str, float](float)
    begun = []
    for order, way in _in_turn(ours, {o.order for o, _ in ours if arrival(scene, o) < after}):
        asked = order.units * min((share[limit] for limit, *_ in _limits(way)), default=1.0)
        started = _with_components(scene, order, way, asked, there)
        if started < asked - NOTHING:
            short[way.product] += asked - started
            order = replace(order, units=started)
        if started <= NOTHING:
            continue
        uses = _taken(scene, way, started, there)
        for label, units in uses:
            there[label] -= units
        good, arrives = started * way.yield_share, arrival(scene, order)
        besides = tuple((output.product, started * output.units_per_unit) for output in way.outputs)
        cost, scrap = started * way.cost_per_unit + way.setup_cost, started - good
        batch = Batch(order.order, order.kind, way.product, good, arrives, cost, order, scrap, uses, besides)
        for label, units in batch.brings if arrives < after else ():
            there[label] = there.get(label, 0.0) + units
        begun.append(batch)
    return Begun(begun, short)


def _with_components(scene: Scene, order: PlannedOrder, way: Way, asked: float, there: Mapping[str, float]) -> float:
    """Units that find all their components."""
    per_lot = dict(way.lot_uses)
    if any(_lies(scene, component, there) < units - NOTHING for component, units in way.lot_uses):
        return 0.0
    most = min(
        (
            (_lies(scene, u.component, there) - per_lot.get(u.component, 0.0)) / u.units_per_unit
            for u in way.uses
            if u.units_per_unit > 0
        ),
        default=asked,
    )
    if most >= asked or math.isclose(most, asked):
        return asked
    return float(math.floor(most + NOTHING)) if order.units % 1 == 0 else max(most, 0.0)


def _lies(scene: Scene, label: str, there: Mapping[str, float]) -> float:
    """Units of a component; of what is taken of alternatives, those that any of them makes up."""
    return there.get(label, 0.0) + sum(_made_up(pick, there) for pick in scene.picks.get(label, ()))


def _made_up(pick: Way, there: Mapping[str, float]) -> float:
    """Units of a group of alternatives that what lies of one of them makes up."""
    return min(max(there.get(u.component, 0.0), 0.0) / u.units_per_unit for u in pick.uses)


def _taken(scene: Scene, way: Way, started: float, there: Mapping[str, float]) -> tuple[tuple[str, float], ...]:
    """Units of each component that a start takes; of alternatives those that lie there, the cheapest first."""
    wanted, taken = dict(way.lot_uses), dict[str, float]()
    for use in way.uses:
        wanted[use.component] = wanted.get(use.component, 0.0) + started * use.units_per_unit
    for component, units in wanted.items():
        for pick in scene.picks.get(component, ()):
            some = min(units, _made_up(pick, there))
            for part in pick.uses if some > NOTHING else ():
                taken[part.component] = taken.get(part.component, 0.0) + some * part.units_per_unit
            units -= some
        if units > NOTHING or component not in scene.picks:
            taken[component] = taken.get(component, 0.0) + units
    return tuple(taken.items())


def _in_turn(work: Sequence[_Work], there_at_once: set[str]) -> list[_Work]:
    """Work in the order given, each after what brings one of its components in this bucket; where goods go round in a
    circle, the first of them goes first. there_at_once: orders whose units are there in this bucket."""
    bringing = Counter(label for order, way in work if order.order in there_at_once for label, _ in way.brings)
    taking: dict[str, list[int]] = defaultdict(list)
    for i, (_, way) in enumerate(work):
        for label in {u.component for u in way.uses if bringing[u.component]}:
            taking[label].append(i)
    waits = Counter(i for waiting in taking.values() for i in waiting)
    ready = [i for i in range(len(work)) if not waits[i]]
    left, found = dict.fromkeys(range(len(work))), []
    while left:
        i = heapq.heappop(ready) if ready else next(iter(left))
        if i not in left:
            continue
        del left[i]
        found.append(work[i])
        order, way = work[i]
        if order.order not in there_at_once:
            continue
        for label, _ in way.brings:
            bringing[label] -= 1
            for j in taking[label] if not bringing[label] else ():
                waits[j] -= 1
                if not waits[j]:
                    heapq.heappush(ready, j)
    return found


def arrival(scene: Scene, order: PlannedOrder) -> date:
    """Start of the bucket in which an order's units are there: whole buckets of lead time after that of its start."""
    calendar = scene.settings.calendar
    way, had = known_way(scene, order), _past_lead_days(scene, order)
    lead = lead_buckets(way, calendar)
    if had is not None:
        lead_time = way.lead_days if way.lead_time is None else way.lead_time
        more = math.ceil((had - lead_time) / calendar.bucket_days - 1e-9)
        # Of one that is timed within its buckets, as many more as it took longer than the plan counts on.
        lead = (
            calendar.lead_buckets(had) if way.buckets is None else min(max(lead + more, 0), calendar.lead_buckets(had))
        )
    return calendar.shift(calendar.bucket_start(order.start), lead)


def true_lead_days(scene: Scene, order: PlannedOrder) -> float:
    """The lead time that an order turns out to have: one of those that its way really had, drawn by the order's number,
    so that the same order always has the same."""
    had = _past_lead_days(scene, order)
    return known_way(scene, order).lead_days if had is None else had


def _past_lead_days(scene: Scene, order: PlannedOrder) -> float | None:
    """The one of the record; None where there is none."""
    past = scene.lead_days.get(order.recipe or order.offer or order.lane or "")
    if not past:
        return None
    digest = hashlib.sha256(order.order.encode()).digest()
    return past[int.from_bytes(digest[:8], "little") % len(past)]


def known_way(scene: Scene, order: PlannedOrder) -> Way:
    way = scene.way_of(order)
    assert way is not None, f"{order.order} names no way of the chain"
    return way


def _limits(way: Way) -> list[tuple[tuple[str, str], float, float]]:
    """What limits a way, with what a unit and an order take of it: lines, or what stands for one; else an offer."""
    if way.on_lines:
        return [(("line", held.line), held.hours_per_unit, held.setup_hours) for held in way.on_lines]
    return [(("offer", way.name), 1.0, 0.0)] if way.kind == "buy" else []


def _free_hours(scene: Scene, t: int, in_work: Sequence[Batch]) -> Mapping[str, float]:
    """Hours by line that lots which work over several buckets leave."""
    calendar, hours = scene.settings.calendar, dict(scene.line_hours[t])
    for batch in in_work:
        if batch.planned is None:
            continue
        way = known_way(scene, batch.planned)
        share = way.worked.share_in(calendar.index(scene.buckets[t], batch.planned.start))
        if share > 0:
            started = batch.units + batch.scrap_units
            for held in way.on_lines:
                taken = (held.setup_hours + started * held.hours_per_unit) * share
                hours[held.line] = max(hours.get(held.line, 0.0) - taken, 0.0)
    return hours


def _shares(
    ours: Sequence[_Work], line_hours: Mapping[str, float], start: date, days: int
) -> Mapping[tuple[str, str], float]:
    """By line, lane or offer, the share of what was asked that there was room for; set-ups come first. start, days: of
    the bucket."""
    setup: dict[tuple[str, str], float] = defaultdict(float)
    asked: dict[tuple[str, str], float] = defaultdict(float)
    room: dict[tuple[str, str], float] = {}
    for order, way in ours:
        for limit, each, for_order in _limits(way):
            setup[limit] += for_order * way.worked.share[0]
            asked[limit] += order.units * each * way.worked.share[0]
            is_line = limit[0] == "line"
            room[limit] = line_hours.get(limit[1], 0.0) if is_line else units_in_bucket(way.units_per_week, start, days)
    shares: dict[tuple[str, str], float] = {}
    for limit, wanted in asked.items():
        free = max(room[limit] - setup[limit], 0.0)
        shares[limit] = 1.0 if wanted <= free or math.isclose(wanted, free) else free / wanted
    return shares
