"""Repair: lots -> lots that the factory can run, bucket by bucket from the first.

In each bucket a line's hours and the components that are there go to the lots that are worth most by the hour. What
finds no room is made ahead, in buckets before that have some, or goes to another way with room in the same bucket,
where that costs less than waiting; else it waits for the next bucket. So hours are never exceeded, and no stock falls
below zero: what orders that are out take later is kept for them, but for components of which lots that are still to
start are to bring it (`Room.follows`); whether they do is seen in the end.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

import numpy as np

from datong.model.calendar import Calendar
from datong.model.flow import FloatArray
from datong.network.bills import ComponentUse
from datong.network.horizon import valid_on
from datong.network.shelf_life import Keeps, wasted
from datong.network.ways import Way, lead_buckets
from datong.network.weekly_limits import units_in_bucket
from datong.plan.lots_along_clearing import NOTHING, Lot, round_up, step_of


@dataclass(frozen=True, eq=False)
class Room:
    """What lots share.

    hours: line -> (bucket) still free. stock: component -> (bucket) what comes less what is promised. levels:
    product -> place in the order of components first. whole: products that come in whole units. following: way name ->
    the next version of it, where it ends. alike: way name -> those of its row with other lengths of its working days.
    begun: way name -> (bucket) units that it starts in any case, whose hours and components are off those; lots join.
    life: component that goes bad -> how long it keeps. first_start: the first bucket in which something may start.
    follows: components of which nothing is kept for what orders that are out take later, as far as lots that are still
    to start bring it by then.
    """

    bucket_starts: Sequence[date]
    hours: Mapping[str, FloatArray]
    stock: Mapping[str, FloatArray]
    levels: Mapping[str, int]
    whole: Mapping[str, bool]
    following: Mapping[str, Way]
    calendar: Calendar
    alike: Mapping[str, Sequence[Way]]
    begun: Mapping[str, FloatArray]
    life: Mapping[str, Keeps]
    first_start: int
    follows: frozenset[str] = frozenset()


def make_feasible(
    lots: Sequence[Lot],
    room: Room,
    worth_per_hour: Mapping[Lot, float],
    instead: Mapping[tuple[str, int], Sequence[Lot]],
    ahead: Callable[[Lot], int],
) -> list[Lot]:
    """worth_per_hour: of each lot, for the order on a line. instead: (way name, start) -> empty lots of other ways that
    may take over there, cheapest first. ahead: by how many buckets at most a lot may rather start before.

    Returns lots in order of (start, product, way); what was put off is joined to the way's next lot.
    """
    left = _Left(room)
    buckets = len(room.bucket_starts)
    waiting: list[dict[str, Lot]] = [{} for _ in range(buckets)]
    done: list[dict[str, Lot]] = [{} for _ in range(buckets)]
    worth: dict[str, float] = {}
    for lot in lots:
        _put(waiting[lot.start], lot)
        left.expect(lot, 1.0)
        worth[lot.way.name] = max(worth.get(lot.way.name, -math.inf), worth_per_hour[lot])
    for t in range(buckets):
        order = sorted(waiting[t].values(), key=lambda x: (room.levels[x.way.product], -worth[x.way.name], x.way.name))
        over = []
        for lot in order:
            left.expect(lot, -1.0)
            units = left.take(lot)
            if units > NOTHING:
                _put(done[t], replace(lot, units=units))
            rest = replace(lot, units=lot.units - units)
            for sooner in _made_ahead(left, rest, ahead) if rest.units > NOTHING else ():
                _put(done[sooner.start], sooner)
                rest = replace(rest, units=rest.units - sooner.units)
            if rest.units > NOTHING:
                over.append(rest)
        for lot in over:
            rest = lot
            for other in instead.get((lot.way.name, t), ()):
                wanted = rest.units * lot.way.yield_share / other.way.yield_share
                wanted = round_up(wanted, step_of(other.way, room.whole[other.way.product]))
                units = left.take(replace(other, units=wanted))
                if units > NOTHING:
                    _put(done[t], replace(other, units=units))
                    given = units * other.way.yield_share / lot.way.yield_share
                    rest = replace(rest, units=max(rest.units - given, 0.0))
            if rest.units > NOTHING and t + 1 < buckets:
                way, then = _next_start(room, rest.way, t + 1)
                arrive = then + lead_buckets(way, room.calendar)
                if arrive < buckets and way.is_open(room.bucket_starts[then]):
                    wanted = rest.units * rest.way.yield_share / way.yield_share
                    units = round_up(wanted, step_of(way, room.whole[way.product]))
                    moved = replace(rest, way=way, start=then, arrive=arrive, units=units)
                    _put(waiting[then], moved)
                    left.expect(moved, 1.0)
                    worth[way.name] = max(worth.get(way.name, 0.0), worth[rest.way.name])
    return sorted((x for d in done for x in d.values()), key=lambda x: (x.start, x.way.product, x.way.name))


def _made_ahead(left: "_Left", rest: Lot, ahead: Callable[[Lot], int]) -> Iterator[Lot]:
    """Lots of a way that take what finds no room in its bucket, in those before it, the last first. ahead: as of
    `make_feasible`."""
    room, units = left.room, rest.units
    for t in range(rest.start - 1, max(rest.start - ahead(rest), room.first_start) - 1, -1):
        for way in (rest.way, *room.alike.get(rest.way.name, ())):
            arrive = t + lead_buckets(way, room.calendar)
            if units <= NOTHING or arrive > rest.arrive:
                continue
            sooner = replace(rest, way=way, start=t, arrive=arrive, units=units)
            taken = left.take(sooner)
            if taken > NOTHING:
                units -= taken
                yield replace(sooner, units=taken)


def _next_start(room: Room, way: Way, t: int) -> tuple[Way, int]:
    """What a way is in a bucket, or the version of its row that follows it, and the bucket; with working days, the
    first from there on in which it is open."""
    for then in range(t, len(room.bucket_starts) if way.course is not None else t + 1):
        day = room.bucket_starts[then]
        for one in (way, *room.alike.get(way.name, ()), room.following.get(way.name, way)):
            if one.is_open(day):
                return one, then
    return way, t


class _Left:
    """Hours, offers and components that are still left while lots take them."""

    def __init__(self, room: Room) -> None:
        self.room = room
        self.hours = {line: hours.copy() for line, hours in room.hours.items()}
        self.there = {component: np.cumsum(units) for component, units in room.stock.items()}
        # What lots that are still to start bring of some components, up to each bucket.
        self.expected = {part: np.zeros(len(room.bucket_starts)) for part in room.follows}
        self.came, self.taken = ({part: np.zeros(len(room.bucket_starts)) for part in room.life} for _ in range(2))
        self.bought = {(way, t): float(u) for way, units in room.begun.items() for t, u in enumerate(units) if u > 0}

    def expect(self, lot: Lot, share: float) -> None:
        """Counts a share of a lot among those that are still to start."""
        for product, each in lot.way.brings if self.expected else ():
            if product in self.expected:
                self.expected[product][lot.arrive :] += share * lot.units * each

    def take(self, lot: Lot) -> float:
        """Takes as many of the lot's units as fit and returns them. The first of its way and bucket sets its line up;
        the others join it, and set it up again where all are more than a largest lot."""
        way, t, begun = lot.way, lot.start, self.bought.get((lot.way.name, lot.start), 0.0)
        day = self.room.bucket_starts[t]
        if not way.is_open(day):
            return 0.0
        sizes = way.sizes(self.room.whole[way.product])
        before = max(sizes.orders(begun), 1) if begun > 0 else 0
        units, orders = 0.0, 0
        for count in range(max(sizes.orders(begun + lot.units), before, 1), max(before, 1) - 1, -1):
            if count * sizes.largest - begun <= units + NOTHING:
                break
            most = self._most(lot, count - before)
            own = _fit(lot, most, sizes.step, way.min_units if before == 0 else 0.0)
            if math.isfinite(sizes.largest):
                own = max(sizes.down(begun + min(own, count * sizes.largest - begun)) - begun, 0.0)
            if own > units + NOTHING:
                units, orders = own, count - before
        if units <= NOTHING:
            return 0.0
        for held in (h for h in way.on_lines if h.line in self.hours):
            at, share = way.worked.at(t, len(self.hours[held.line]))
            self.hours[held.line][at] -= (orders * held.setup_hours + units * held.hours_per_unit) * share
        for use in self._uses(lot):
            self._move(use.component, t, -units * use.units_per_unit)
        for part, taken in way.lot_uses if orders else ():
            self._move(part, t, -orders * taken)
        for product, each in way.brings:
            if product in self.there:
                self._move(product, lot.arrive, units * each)
        self.bought[way.name, t] = begun + units
        return units

    def _most(self, lot: Lot, orders: int) -> float:
        """Units of a lot that limits, hours and components allow with so many set-ups more."""
        way, t = lot.way, lot.start
        most = units_in_bucket(way.units_per_week, self.room.bucket_starts[t], self.room.calendar.bucket_days)
        most -= self.bought.get((way.name, t), 0.0)
        for held in (h for h in way.on_lines if h.line in self.hours):
            free, setup = way.worked.most_at(self.hours[held.line], t), orders * held.setup_hours
            if held.hours_per_unit > 0:
                most = min(most, (free - setup) / held.hours_per_unit)
            elif free < setup:
                most = 0.0
        per_lot = {part: orders * units for part, units in way.lot_uses} if orders else {}
        if any(self._lies(part, t) < units - NOTHING for part, units in per_lot.items()):
            return 0.0
        for use in self._uses(lot):
            lies = self._lies(use.component, t) - per_lot.get(use.component, 0.0)
            most = min(most, lies / use.units_per_unit)
        return most

    def _uses(self, lot: Lot) -> list[ComponentUse]:
        """What a lot takes by the unit of what is looked at."""
        day = self.room.bucket_starts[lot.start]
        return [u for u in lot.way.uses if u.component in self.there and valid_on(day, u.valid_from, u.valid_to)]

    def _move(self, part: str, t: int, units: float) -> None:
        """Units of a component that come (below nothing: are taken) in a bucket."""
        self.there[part][t:] += units
        if part in self.came:
            (self.came if units > 0 else self.taken)[part][t] += abs(units)

    def _lies(self, part: str, t: int) -> float:
        """Units of a component that can be taken in a bucket, so that none of it goes short then or later."""
        if part in self.expected:
            later = self.there[part][t:] + self.expected[part][t:]
            return min(float(self.there[part][t]), float(later.min()))
        most = float(self.there[part][t:].min())
        if part not in self.came:
            return most
        comes, came, keeps = self.room.stock[part], self.came[part], self.room.life[part]

        def left(more: float) -> float:
            taken = self.taken[part].copy()
            taken[t] += more
            bad = wasted(comes, came, taken, keeps.buckets, keeps.spoils)
            return float(np.cumsum(comes + came - taken - bad)[t:].min())

        least, most = 0.0, max(float(self.there[part][t]), 0.0)
        if left(most) >= -NOTHING:
            return most
        while most - least > NOTHING / 10:
            middle = (least + most) / 2
            least, most = (middle, most) if left(middle) >= -NOTHING / 10 else (least, middle)
        return least


class Hours:
    """The hours and limits that lots leave one another, whatever components there are."""

    def __init__(self, room: Room) -> None:
        self._left = _Left(replace(room, stock={}, life={}))

    def within(self, lots: Sequence[Lot], ahead: Callable[[Lot], int]) -> list[Lot]:
        """Lots of one product, each with what its bucket has no hours for made ahead, as far as hours before have room
        for it; the rest stays. ahead: as of `make_feasible`. In order of (arrive, start, way)."""
        found: dict[tuple[str, int], Lot] = {}
        for lot in lots:
            rest = replace(lot, units=lot.units - self._left.take(lot))
            sooner = list(_made_ahead(self._left, rest, ahead)) if rest.units > NOTHING else []
            stays = replace(lot, units=lot.units - sum(one.units for one in sooner))
            for one in (*sooner, stays):
                if one.units > NOTHING:
                    before = found.get(_place(one))
                    found[_place(one)] = one if before is None else replace(one, units=before.units + one.units)
        return sorted(found.values(), key=lambda x: (x.arrive, x.start, x.way.name))


def _place(lot: Lot) -> tuple[str, int]:
    return lot.way.name, lot.start


def _fit(lot: Lot, most: float, step: float, smallest: float) -> float:
    """As much of the lot as fits: in its steps, and not less than the smallest lot."""
    units = lot.units
    if units > most + 1e-9:
        units = math.floor(most / step + 1e-9) * step if step > 0 else most
    return units if units > NOTHING and units >= smallest - 1e-9 else 0.0


def _put(into: dict[str, Lot], lot: Lot) -> None:
    """Adds a lot to those of one bucket, joined to the one of the same way."""
    before = into.get(lot.way.name)
    if before is not None:
        lot = replace(before, units=before.units + lot.units)
    into[lot.way.name] = lot
