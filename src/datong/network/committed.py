"""What stock and orders under way fix before anything is planned: the units that come, and what is still taken.

An order that has not begun takes its components at its start, all at once, and its line's hours, its set-up's among
them, from that day on, in the buckets in which the line has some left: orders that a planner locked before others,
those promised first before those promised later. So the chain must have its components there by then: `units` may fall
below nothing, and what is missing is made or bought by the plan.

Where that cannot be, the order starts in the first bucket in which it can: the components that are neither there nor
coming are taken to be started as late as possible by the cheapest way, in its lots, within its limits and the hours
that orders leave. Such starts (`covering`) prove that there is a plan; the plan itself is free to choose others. An
order that finds its components in no bucket takes what there is where most is there, in whole units where it is of
whole units.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import cached_property

import numpy as np

from datong.ledger.columns import grouped
from datong.model.calendar import Calendar
from datong.model.flow import FloatArray
from datong.network.facts import ChainFacts, located
from datong.network.position import Position, UnderWay
from datong.network.ways import Way, lead_buckets, received_on, there_after, way_on
from datong.network.weekly_limits import units_in_bucket

# Units and hours of which a smaller share is rounding, and the least that is any.
TOLERANCE = 1e-6
NOTHING = 1e-9


@dataclass(frozen=True)
class Pull:
    """Units of a component that an order under way takes in a bucket. parent: what the order makes. day: of the bucket,
    its first where the hours of lines are not looked at by day. turn: of the order, among those that are out."""

    order: str
    parent: str
    component: str
    bucket: int
    day: date
    units: float
    turn: tuple[bool, date, str]


@dataclass(frozen=True)
class Comes:
    """Good units that an order under way brings. product: with its site, in a chain with lanes. day: of the bucket.
    besides: it is no order of this product, which comes besides (network/co_products.py). is_worked: the order still
    takes hours or components, so that its day is that by which it has them."""

    order: str
    product: str
    bucket: int
    day: date
    units: float
    besides: bool = False
    is_worked: bool = False


@dataclass(frozen=True, eq=False)
class Worked:
    """When an order under way that still takes hours or components is worked."""

    order: UnderWay
    # Bucket in which it begins.
    begins: int
    # The line that works it; None: it takes no hours of one.
    line: str | None
    # (bucket) hours that it takes.
    hours: FloatArray
    # How it is made or moved.
    way: Way


def brought(order: UnderWay, way: Way, begins: date, done: date) -> date:
    """The day on which the units of an order under way are there that begins on a day and has its hours by another:
    where it begins later than it says, after its lead time. Its calendars hold for it as for new orders."""
    there = there_after(way, begins) if order.stage != "begun" and begins > order.start else begins
    return received_on(way, max(done, there))


@dataclass(frozen=True)
class PutOff:
    """An order that cannot run as it says. units: of it that can run from `start` on, None: in no open bucket.

    component, line: what it waits for, one of them None. arrives: bucket in which its units are there, None: beyond
    the horizon. said: buckets of its start and its arrival as recorded.
    """

    order: UnderWay
    said: tuple[int, int]
    start: int | None
    arrives: int | None
    units: float
    component: str | None
    line: str | None


@dataclass(frozen=True, eq=False)
class Committed:
    """What stock and orders under way already fix, per open bucket.

    units: product -> (bucket) units that come, opening stock in the first bucket, less what orders will take; in sum
    below zero where components are still to be made or bought. hours: line -> (bucket) hours that orders will take,
    within those of the line. covering: way -> (bucket) starts that would bring what is missing. pulls: what orders
    take. put_off: orders that start or arrive later than they say, or in part. arrives: of each order that takes hours
    or components, the bucket in which its units are there, None: beyond the horizon. comes: what orders bring in it.
    worked: of the orders in `arrives` that begin at all, in the order in which they have hours.
    """

    units: Mapping[str, FloatArray]
    hours: Mapping[str, FloatArray]
    covering: Mapping[str, FloatArray] = field(default_factory=dict)
    pulls: tuple[Pull, ...] = ()
    put_off: tuple[PutOff, ...] = ()
    arrives: Mapping[str, int | None] = field(default_factory=dict)
    comes: tuple[Comes, ...] = ()
    worked: tuple[Worked, ...] = ()


def committed(
    facts: ChainFacts, where: Position, bucket_starts: Sequence[date], calendar: Calendar, frozen_buckets: int
) -> Committed:
    """Opening stock, receipts of orders out, and the hours and components that they will still take.

    Of the units of an order that are still to be started, the yield of its way arrives. One that was reported to have
    begun before the first bucket, and is not yet due, has spent its hours, unless a part of it was reported: then the
    rest still takes its own. One that should have begun and of which no start is reported begins in the first bucket:
    it takes its hours and components from then on, today at the soonest, and is there after its lead time, or when it
    is due if that is later. Nothing is there on a day that is closed for who brings or gets it. Stock below zero cannot
    lie anywhere: records that say so count as 0.
    """
    return _Schedule(facts, located(facts, where), bucket_starts, calendar, frozen_buckets).run()


def covered(promised: Committed, facts: ChainFacts, bucket_starts: Sequence[date], calendar: Calendar) -> Committed:
    """What is committed with `covering` among it, as if those starts were out already: units never fall short then."""
    arrays, at = facts.arrays, {p: i for i, p in enumerate(facts.products)}
    units = np.array([promised.units[p] for p in facts.products])
    hours = {line: of_line.copy() for line, of_line in promised.hours.items()}
    _, use_open = arrays.open_in(bucket_starts)
    uses, first = grouped(arrays.use_way, len(facts.ways))
    for w, way in enumerate(facts.ways):
        for t in np.flatnonzero(promised.covering.get(way.name, ())).tolist():
            started = float(promised.covering[way.name][t])
            orders = max(way.sizes(True).orders(started), 1)
            for product, each in way.brings:
                units[at[product], t + lead_buckets(way, calendar)] += started * each
            for use in uses[first[w] : first[w + 1]]:
                if use_open[use, t]:
                    units[arrays.use_component[use], t] -= started * arrays.use_units[use]
            for part, each in way.lot_uses:
                units[at[part], t] -= orders * each
            for held in way.on_lines:
                if held.line in hours:
                    works, share = way.worked.at(t, len(hours[held.line]))
                    hours[held.line][works] += (started * held.hours_per_unit + orders * held.setup_hours) * share
    return replace(promised, units=dict(zip(facts.products, units, strict=True)), hours=hours, covering={})


@dataclass(eq=False)
class _Task:
    """An order that still takes hours or components. product: its number; start: bucket; due: the day on which it is
    there where nothing delays it. worked: (bucket) hours; takes: components; soonest: the day on which it can begin;
    short: the component it was first found to lack; by_day: bucket -> (day) of `worked`; waits: the day of its bucket
    on which the last of what it takes is there, and that component, where it waits for that; lines: what it
    works on at once, its own line first -> hours for each hour of that."""

    order: UnderWay
    way: Way
    product: int
    start: int
    due: date
    setup_hours: float
    run_hours: float
    lines: Mapping[str, float]
    worked: FloatArray
    takes: bool
    soonest: date
    short: str | None = None
    lacks: str | None = None
    by_day: dict[int, FloatArray] = field(default_factory=dict)
    waits: tuple[date, str | None] = (date.min, None)

    @property
    def line(self) -> str | None:
        """The line whose hours are told of it; None where it takes none."""
        return next(iter(self.lines), None)

    def first_day(self, t: int, starts: date) -> int:
        """The day of a bucket, from 0, on which it can first be worked. starts: the bucket's first."""
        return max((self.soonest - starts).days, (self.waits[0] - starts).days, 0)

    @property
    def begins(self) -> int:
        """The bucket of its first hours; a task without hours, of its start. Beyond all buckets: it has no hours."""
        if self.line is None:
            return self.start
        worked = np.flatnonzero(self.worked > NOTHING)
        return int(worked[0]) if len(worked) else len(self.worked)

    @property
    def ends(self) -> int:
        """The bucket of its last hours; beyond all buckets where they are not all worked."""
        return (
            int(np.flatnonzero(self.worked > NOTHING)[-1]) if self.is_done() and self.hours() > 0 else len(self.worked)
        )

    def hours(self, share: float = 1.0) -> float:
        """Hours of its line that a share of its units takes."""
        return self.setup_hours + share * self.run_hours

    def is_done(self, share: float = 1.0) -> bool:
        """All its hours, or those of a share of it, are worked in the open buckets."""
        wanted = self.hours(share)
        return float(self.worked.sum()) >= wanted - TOLERANCE * max(wanted, 1.0)


def _turn(order: UnderWay) -> tuple[bool, date, str]:
    """Of two orders under way the one first that has hours and components first: what a planner locked, then what was
    promised first."""
    return not order.fixed, order.promised, order.order


class _Schedule:
    """Orders under way in time. level: (product, bucket) what lies at the end of each bucket, with what covers."""

    def __init__(
        self,
        facts: ChainFacts,
        where: Position,
        starts: Sequence[date],
        calendar: Calendar,
        frozen_buckets: int,
    ) -> None:
        self.facts, self.calendar, self.starts, self.frozen = facts, calendar, starts, frozen_buckets
        self.buckets = len(starts)
        self.at = {p: i for i, p in enumerate(facts.products)}
        shape = (len(facts.products), self.buckets)
        self.came, self.used = np.zeros(shape), np.zeros(shape)
        for product, units in where.on_hand_units.items():
            if product in self.at:
                self.came[self.at[product], 0] = max(units, 0.0)
        self.free = {line: np.maximum(hours, 0.0) for line, hours in facts.line_hours.items()}
        # line -> (bucket, day) hours that orders leave.
        self.free_by_day = {
            line: self.free[line][:, None] * shares for line, shares in facts.shares_by_day.items() if line in self.free
        }
        self.taken = {line: np.zeros(self.buckets) for line in facts.line_hours}
        self.pulls: list[Pull] = []
        self.put_off: list[PutOff] = []
        self.arrives: dict[str, int | None] = {}
        self.comes: list[Comes] = []
        # (bucket, product) -> those of `comes`.
        self.comes_in: dict[tuple[int, str], list[Comes]] = defaultdict(list)
        self.worked: list[Worked] = []
        # Orders that a line makes, of those in `worked`.
        self.made: set[str] = set()
        self.tasks: list[_Task] = []
        self.ways = {w.name: w for w in facts.ways}
        for order in where.under_way:
            if order.product in self.at:
                self._enter(order, self.ways.get(order.recipe or ""))
        self.cover = _Cover(self)

    def _enter(self, order: UnderWay, way: Way | None) -> None:
        origin = self.starts[0]
        start = self.calendar.index(order.start, origin)
        if way is None:  # bought, or nobody knows how it is made
            own = self._bought(order)
            day = order.due if own is None else received_on(own, order.due)
            self._arrive(order, day, ((order.product, order.units),))
            return
        if start >= self.buckets:
            return
        line = way.line_of(order.line) or ""
        begun = order.stage == "begun"
        spent = begun and start < 0 <= self.calendar.index(order.due, origin) and not order.partly
        soonest = self.facts.today if begun else max(order.start, self.facts.today)  # nobody reported a start: now
        due = received_on(way, max(order.due, order.due if begun else brought(order, way, soonest, soonest)))
        on_line = line in self.free and not spent
        run_hours = order.units * way.hours_per_unit if on_line else 0.0
        setup_hours = way.setup_hours if on_line and not begun else 0.0
        beside = {held.line: order.units * held.hours_per_unit for held in way.beside if held.line in self.free}
        beside |= {h.line: beside[h.line] + h.setup_hours for h in way.beside if h.line in beside and not begun}
        if spent:
            beside = {}
        if setup_hours + run_hours <= 0 and any(beside.values()):  # its own line takes none: the first of the others
            line = next(held for held, hours in beside.items() if hours > 0)
            run_hours = beside.pop(line)
        own = setup_hours + run_hours
        lines = {line: 1.0} | {held: hours / own for held, hours in beside.items() if hours > 0} if own > 0 else {}
        product = self.at[order.product]
        task = _Task(
            order=order,
            way=way,
            product=product,
            start=max(start, 0),
            due=due,
            setup_hours=setup_hours,
            run_hours=run_hours,
            lines=lines,
            worked=np.zeros(self.buckets),
            takes=any(self._takes(order, part) for part in (*(u.component for u in way.uses), *dict(way.lot_uses))),
            soonest=soonest,
        )
        if task.takes or task.line is not None:
            self.tasks.append(task)
        else:
            self._arrive(order, due, [(made, order.units * each) for made, each in way.brings])

    def _takes(self, order: UnderWay, label: str) -> bool:
        return order.takes(self.facts.taken_as(label))

    def _bought(self, order: UnderWay) -> Way | None:
        """How what takes neither hours nor components comes; of what is on its way, any way there is to its site."""
        row = order.offer or order.lane or ""
        own = [w for w in self.facts.ways_of_row.get((order.kind, row), ()) if w.product == order.product]
        if not own and order.kind == "move":
            own = self._moves_to.get(order.product, [])[:1]
        return way_on(own, order.start) if own else None

    @cached_property
    def _moves_to(self) -> dict[str, list[Way]]:
        """Lanes to a site, by its product there."""
        found: dict[str, list[Way]] = defaultdict(list)
        for way in self.facts.ways:
            if way.lane is not None:
                found[way.product].append(way)
        return found

    def _place(self, task: _Task) -> tuple[int, bool, date, str]:
        """Where a task stands among others: components before what is made of them."""
        return int(self.facts.arrays.level[task.product]), *_turn(task.order)

    def _bucket(self, day: date) -> int:
        """That of a day, the first one where it is past."""
        return max(self.calendar.index(day, self.starts[0]), 0)

    def _arrive(self, order: UnderWay, day: date, brings: Iterable[tuple[str, float]], is_worked: bool = False) -> None:
        """On a day, or as the first bucket begins. brings: units by product."""
        day, bucket = max(day, self.starts[0]), self._bucket(day)
        for product, units in brings if bucket < self.buckets else ():
            self.came[self.at[product], bucket] += units
            self.comes.append(Comes(order.order, product, bucket, day, units, product != order.product, is_worked))
            self.comes_in[bucket, product].append(self.comes[-1])

    def run(self) -> Committed:
        self._share_hours()
        self.cover.open()
        waiting = self.tasks
        for t in range(self.buckets):
            now = sorted((task for task in waiting if task.start <= t), key=self._place)
            begun = {id(task) for task in now if self._begin(task, t)}
            waiting = [task for task in waiting if id(task) not in begun]
        self._take_what_there_is(waiting)
        return Committed(
            units=dict(zip(self.facts.products, self.came - self.used, strict=True)),
            hours=self.taken,
            covering=self.cover.starts(),
            pulls=tuple(self.pulls),
            put_off=tuple(sorted(self.put_off, key=lambda h: (h.said, h.order.order))),
            arrives=self.arrives,
            comes=tuple(sorted(self.comes, key=lambda c: (c.product, c.day, c.order))),
            worked=tuple(sorted(self.worked, key=lambda w: _turn(w.order))),
        )

    # hours ----------------------------------------------------------------------------------------

    def _share_hours(self) -> None:
        """Bucket by bucket: what a planner locked first, then what was promised first."""
        tasks = sorted((task for task in self.tasks if task.line is not None), key=lambda task: _turn(task.order))
        left = {id(task): task.hours() for task in tasks}
        for t in range(self.buckets):
            for task in tasks:
                if task.start <= t and left[id(task)] > 0:
                    left[id(task)] -= self._work(task, t, left[id(task)])
            tasks = [task for task in tasks if left[id(task)] > 0]

    def _work(self, task: _Task, t: int, hours: float) -> float:
        """Takes up to so many hours of the task's line in a bucket, from the day on on which it is to begin."""
        assert task.line is not None
        some = min(float(self.free[task.line][t]), hours)
        for held, each in list(task.lines.items())[1:]:
            some = min(some, max(float(self.free[held][t]), 0.0) / each)
        if (by_day := self.free_by_day.get(task.line)) is not None:
            first = task.first_day(t, self.starts[t])
            there = np.clip(some - (np.cumsum(by_day[t, first:]) - by_day[t, first:]), 0.0, by_day[t, first:])
            if there.sum() < some - NOTHING:
                some = round(float(there.sum()), 9)
            by_day[t, first:] -= there
            task.by_day.setdefault(t, np.zeros(by_day.shape[1]))[first:] += there
        task.worked[t] += some
        for held, each in task.lines.items():
            self.free[held][t] -= some * each
            self.taken[held][t] += some * each
        return some

    def _give_back(self, task: _Task) -> None:
        if task.line is not None:
            for held, each in task.lines.items():
                self.free[held] += task.worked * each
                self.taken[held] -= task.worked * each
            for t, hours in task.by_day.items():
                self.free_by_day[task.line][t] += hours
            task.worked, task.by_day = np.zeros(self.buckets), {}

    def _work_from(self, task: _Task, t: int, share: float = 1.0) -> None:
        """Works the task anew, from a bucket on, in what hours are left."""
        self._give_back(task)
        left = task.hours(share)
        for later in range(t, self.buckets) if task.line is not None else ():
            left -= self._work(task, later, left)

    # components -----------------------------------------------------------------------------------

    def _begin(self, task: _Task, t: int) -> bool:
        """Whether the task begins in a bucket: then its components are taken, and what comes of it is on its way."""
        if task.begins < t:  # it had to wait for components
            self._work_from(task, t)
        if task.begins > t:
            return False
        last = self._parts_there(task, t)
        if last is not None and last.day > self.starts[t] + timedelta(days=task.first_day(t, self.starts[t])):
            ended = task.ends
            task.waits = last.day, last.product
            if task.line in self.free_by_day:
                self._work_from(task, t)
                if task.ends > ended and last.order in self.made:  # as the lots of a plan, which follow one another
                    task.waits = date.min, None
                    self._work_from(task, t)
            if task.begins > t:
                return False
        missing = self.cover.take(self._needs(task, t))
        if missing is None:
            self._start(task, t, 1.0)
        else:
            task.short = task.short or missing
        return missing is None

    def _parts_there(self, task: _Task, t: int) -> Comes | None:
        """The last of what the task takes that comes of orders in a bucket; None where it finds all of it before."""
        last: Comes | None = None
        for part, units, _ in self._needs(task, t):
            spare = self.cover.there(part, t) - units
            name = self.facts.products[part]
            for one in sorted(self.comes_in[t, name], key=lambda one: one.day, reverse=True):
                if spare < one.units - TOLERANCE * max(one.units, 1.0):
                    last = one if last is None or one.day > last.day else last
                    break
                spare -= one.units
        return last

    def _needs(self, task: _Task, t: int, share: float = 1.0) -> list[tuple[int, float, int]]:
        """(component, units, bucket) of a start in a bucket."""
        if not task.takes:
            return []
        units = task.order.units * share
        parts = self.cover.parts(self.cover.way_at[task.way.name], t)
        takes = [(p, each) for p, each in parts if self._takes(task.order, self.facts.products[p])]
        needs = [(part, units * each, t) for part, each in takes]
        # What an order takes whatever its size was taken with the first units that were reported of it.
        per_lot = () if task.order.partly else task.way.lot_uses
        return needs + [(self.at[part], each, t) for part, each in per_lot if self._takes(task.order, part)]

    def _start(self, task: _Task, t: int, share: float) -> None:
        for part, units, bucket in self._needs(task, t, share):
            self.used[part, bucket] += units
            name = self.facts.products[part]
            day = self.starts[bucket]
            order = task.order
            self.pulls.append(Pull(order.order, order.product, name, bucket, day, units, _turn(order)))
        units = task.order.units * share
        self.worked.append(Worked(task.order, t, task.line, task.worked, task.way))
        if task.line is not None and task.way.kind == "make":
            self.made.add(task.order.order)
        there = self._there(task, t, share)
        bucket = self.buckets if there is None else self._bucket(there)
        arrives = self.arrives[task.order.order] = bucket if bucket < self.buckets else None
        if there is not None and arrives is not None:
            brings = [(product, units * each) for product, each in task.way.brings]
            self._arrive(task.order, there, brings, is_worked=True)
            for product, good in brings:
                self.cover.arrive(self.at[product], arrives, good)
        as_said = due if (due := self._bucket(task.due)) < self.buckets else None
        if task.short is not None or arrives != as_said:
            self._put_off(task, t, arrives, units)

    def _there(self, task: _Task, t: int, share: float) -> date | None:
        """Day on which the units of a task that begins in `t` are there: when it is due, or, where it begins later than
        it says or is worked for longer, when they can be; None where its hours go on beyond the horizon."""
        if task.line is not None and not task.is_done(share):
            return None
        begins = done = self.starts[t] + timedelta(days=task.first_day(t, self.starts[t]))
        if task.line is not None:
            begins = self._day_of(task, t, 0, begins)
            last = int(np.flatnonzero(task.worked > NOTHING)[-1])
            done = self._day_of(task, last, -1, max(self.starts[last], begins))
        there = max(task.due, brought(task.order, task.way, begins, done))
        later = t + lead_buckets(task.way, self.calendar)
        if t > task.start and self.cover.brings and later < self.buckets:  # on any day of the bucket
            there = max(there, self.starts[later])
        return there

    def _day_of(self, task: _Task, t: int, at: int, otherwise: date) -> date:
        """The first (at 0) or last (-1) day of a bucket on which a task is worked; as given where its hours are not
        looked at by day."""
        days = np.flatnonzero(task.by_day.get(t, np.zeros(0)) > NOTHING)
        return self.starts[t] + timedelta(days=int(days[at])) if len(days) else otherwise

    def _put_off(self, task: _Task, start: int | None, arrives: int | None, units: float) -> None:
        lacks = task.short or task.waits[1]
        line, said = task.line if lacks is None else None, (task.start, self._bucket(task.due))
        self.put_off.append(PutOff(task.order, said, start, arrives, units, lacks, line))

    def _take_what_there_is(self, tasks: Sequence[_Task]) -> None:
        """Tasks that found their components in no bucket, or hours in none; those that start beyond the horizon are
        none of them."""
        for task in tasks:
            self._give_back(task)
        for task in sorted(tasks, key=self._place):
            best, best_share = None, 0.0
            for t in range(task.start, self.buckets):
                share = min((self.cover.there(part, t) / units for part, units, _ in self._needs(task, t)), default=1.0)
                if task.order.units % 1 == 0:
                    share = float(np.floor(share * task.order.units + TOLERANCE)) / task.order.units
                if share > best_share + NOTHING:
                    best, best_share = t, min(share, 1.0)
            if best is not None:
                self._work_from(task, best, best_share)
                needs = self._needs(task, best, best_share)
                if task.is_done(best_share) and self.cover.take(needs) is None:
                    self._start(task, best, best_share)
                    continue
            self._give_back(task)
            self.arrives[task.order.order] = None
            self._put_off(task, None, None, 0.0)


class _Cover:
    """What lies in each bucket, and starts of ways that bring what is missing."""

    def __init__(self, schedule: _Schedule) -> None:
        self.schedule = schedule
        self.facts, self.buckets = schedule.facts, schedule.buckets
        self.level = np.zeros(schedule.came.shape)
        self.started: dict[int, FloatArray] = {}
        # What was done since a need was asked for, to be undone where it cannot be met: (array, from, to, amount).
        self.journal: list[tuple[FloatArray, int, int, float]] = []

    @property
    def brings(self) -> bool:
        """Whether starts of ways bring what was taken last."""
        return any(array is units for array, *_ in self.journal for units in self.started.values())

    def open(self) -> None:
        """Stock and what comes of orders that take nothing more are there from the start."""
        self.level = np.cumsum(self.schedule.came, axis=1)

    def arrive(self, product: int, bucket: int, units: float) -> None:
        self.level[product, bucket:] += units

    def there(self, product: int, bucket: int) -> float:
        """Units that lie there from a bucket on, and nobody takes later."""
        return max(float(self.level[product, bucket:].min()), 0.0)

    def parts(self, w: int, t: int) -> list[tuple[int, float]]:
        """Components that a unit of a way takes when it is started in a bucket, and units of each."""
        uses, first = self._uses_of
        arrays = self.facts.arrays
        of_way = uses[first[w] : first[w + 1]]
        return [(int(arrays.use_component[u]), float(arrays.use_units[u])) for u in of_way if self._open[1][u, t]]

    def take(self, needs: Sequence[tuple[int, float, int]]) -> str | None:
        """Takes units of components, with what brings those that are missing; None where that can be, else the
        component that cannot be there (then nothing is taken)."""
        self.journal = []
        for part, units, t in needs:
            if not self._take(part, units, t, frozenset()):
                self._undo(0)
                return self.facts.products[part]
        return None

    def starts(self) -> dict[str, FloatArray]:
        return {self.facts.ways[w].name: units for w, units in sorted(self.started.items()) if units.any()}

    def _change(self, array: FloatArray, first: int, after: int, amount: float) -> None:
        array[first:after] += amount
        self.journal.append((array, first, after, amount))

    def _undo(self, until: int) -> None:
        while len(self.journal) > until:
            array, first, after, amount = self.journal.pop()
            array[first:after] -= amount

    def _take(self, part: int, units: float, t: int, above: frozenset[int]) -> bool:
        self._change(self.level[part], t, self.buckets, -units)
        missing = -float(self.level[part, t:].min())
        return missing <= TOLERANCE * max(units, 1.0) or self._bring(part, missing, t, above | {part})

    def _bring(self, part: int, good: float, t: int, above: frozenset[int]) -> bool:
        """Starts ways so that so many good units more are there by a bucket: the cheapest way first, each as late as
        can be, and not so early that they go bad before. above: what it is for, which it cannot be made of."""
        keeps = self.facts.keeps.get(self.facts.products[part], self.buckets)
        for w, share in self._ways_of(part):
            lead = lead_buckets(self.facts.ways[w], self.schedule.calendar)
            without: list[tuple[int, float]] | None = None  # parts that were missing at a later start: earlier, too
            for start in range(t - lead, max(self.schedule.frozen, t - lead - keeps) - 1, -1):
                if not self._open[0][w, start] or self.parts(w, start) == without:
                    continue
                wanted = self._in_lots(w, start, good / share)
                if wanted <= NOTHING:
                    continue
                units = self._start(w, start, start + lead, wanted, above)
                if units < wanted - NOTHING:
                    without = self.parts(w, start)
                good -= units * share
                if good <= NOTHING:
                    return True
        return False

    def _in_lots(self, w: int, start: int, units: float) -> float:
        """Units to start beside those of the bucket, so that all of them are a lot, for `units` more or, where it does
        not fit, as many as do: within the way's limit and the hours of its line that orders leave. Whole units, which
        suit all that lots are for."""
        way, schedule = self.facts.ways[w], self.schedule
        there = float(self._of(w)[start])
        step, sizes = way.multiple_units if way.multiple_units > 0 else 1.0, way.sizes(True)
        wanted = math.ceil(max(there + units, way.min_units) / step - TOLERANCE) * step
        wanted = sizes.up(wanted) if math.isfinite(sizes.largest) else wanted
        most = units_in_bucket(way.units_per_week, schedule.starts[start], schedule.calendar.bucket_days)
        for held in way.on_lines:
            if held.line not in schedule.free:
                continue
            hours = way.worked.most_at(schedule.free[held.line], start)
            if there > 0:
                hours += there * held.hours_per_unit + sizes.orders(there) * held.setup_hours
            if hours < held.setup_hours:
                return 0.0
            if held.hours_per_unit > 0:
                most = min(most, sizes.within(hours, held.setup_hours, held.hours_per_unit))
        if wanted > most + TOLERANCE:
            wanted = math.floor(most / step + TOLERANCE) * step
            wanted = sizes.down(wanted) if math.isfinite(sizes.largest) else wanted
        return max(wanted - there, 0.0) if wanted >= way.min_units - TOLERANCE else 0.0

    def _start(self, w: int, start: int, arrives: int, units: float, above: frozenset[int]) -> float:
        """Starts a way; of it as much as its components allow: all, or else what lies there. Returns units started."""
        way = self.facts.ways[w]
        parts = self.parts(w, start)
        lies = min((self.there(part, start) / each for part, each in parts), default=0.0)
        for amount in (units, self._lot_below(w, start, min(lies, units))):
            if amount <= NOTHING:
                break
            mark, there, sizes = len(self.journal), float(self._of(w)[start]), way.sizes(True)
            orders = sizes.orders(there + amount) - sizes.orders(there)
            needs = [(part, amount * each) for part, each in parts]
            needs += [(self.schedule.at[part], orders * each) for part, each in way.lot_uses if orders]
            # Its hours first, so that what brings its components takes none of them.
            self._change(self._of(w), start, start + 1, amount)
            for held in (one for one in way.on_lines if one.line in self.schedule.free):
                hours = amount * held.hours_per_unit + orders * held.setup_hours
                for at, share in zip(*way.worked.at(start, self.buckets), strict=True):
                    self._change(self.schedule.free[held.line], at, at + 1, -hours * share)
            if all(part not in above and self._take(part, needed, start, above) for part, needed in needs):
                for product, each in way.brings:
                    self._change(self.level[self.schedule.at[product]], arrives, self.buckets, amount * each)
                return amount
            self._undo(mark)
        return 0.0

    def _lot_below(self, w: int, start: int, units: float) -> float:
        """At most so many units more, that make a lot with those of the bucket."""
        way, there = self.facts.ways[w], float(self._of(w)[start])
        step = way.multiple_units if way.multiple_units > 0 else 1.0
        in_all = math.floor((there + units) / step + TOLERANCE) * step
        in_all = way.sizes(True).down(in_all) if math.isfinite(way.max_units) else in_all
        return max(in_all - there, 0.0) if in_all >= way.min_units - TOLERANCE else 0.0

    def _of(self, w: int) -> FloatArray:
        return self.started.setdefault(w, np.zeros(self.buckets))

    @cached_property
    def _open(self) -> tuple[np.ndarray, np.ndarray]:
        """(way, bucket) it may start there, (use, bucket) it is taken there."""
        return self.facts.arrays.open_in(self.schedule.starts)

    @cached_property
    def way_at(self) -> dict[str, int]:
        return {w.name: i for i, w in enumerate(self.facts.ways)}

    @cached_property
    def _uses_of(self) -> tuple[np.ndarray, np.ndarray]:
        return grouped(self.facts.arrays.use_way, len(self.facts.ways))

    @cached_property
    def _ranked(self) -> tuple[np.ndarray, np.ndarray]:
        """Ways in order of what a good unit costs, and of their name, grouped by product."""
        arrays = self.facts.arrays
        cost = arrays.good_unit_costs(arrays.least_costs(self.schedule.starts))
        name = np.argsort(np.array([w.name for w in self.facts.ways], dtype=np.str_), kind="stable")
        ranked = name[np.argsort(cost[name], kind="stable")]
        order, first = grouped(arrays.product[ranked], len(self.facts.products))
        return ranked[order], first

    def _ways_of(self, product: int) -> list[tuple[int, float]]:
        """Ways that bring a product, and units of it for a unit started: those of which it is the product first."""
        (ways, first), arrays = self._ranked, self.facts.arrays
        own = [(int(w), float(arrays.yield_share[w])) for w in ways[first[product] : first[product + 1]]]
        besides = np.flatnonzero(arrays.outputs.product == product).tolist() if len(arrays.outputs.product) else ()
        return own + [(int(arrays.outputs.way[o]), float(arrays.outputs.units[o])) for o in besides]
