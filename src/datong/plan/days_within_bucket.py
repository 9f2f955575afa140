"""Days of orders within a bucket: a component is finished before what it goes into begins, and a lot when its line can.

Of lots of one week that go into one another, each step has its part of the working days: of n days and k steps step i,
from 0, has those from floor(i n / k) to before floor((i + 1) n / k). Where there are fewer days than steps, some share
a day. A day that a customer named ends the days of what is made for it. No order begins before the last of what it
takes of orders that are out is there. A transfer that takes of a lot of its own week leaves when that is done: as late
as who waits for it allows, and at once where somebody waits already.

A lot is due as late as it is wanted; where that is a closed day, on the last open day before it on which it can be
there. What somebody waits for already is due as soon as its hours are worked in its turn.

A lot begins when its line gets to it, the one that is wanted first before others: the line has no hours on days on
which it is shut, or that orders which are out take whole. Where the hours of a line are too few for these days, the
lots of the bucket are worked day by day (earliest_due_first.py), and begin and are done when they do there: later than
a customer named, perhaps, but in the bucket that the plan counts. Steps that do not fit one after the other share
days; where that is not enough, they overlap.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Literal

from datong.model.calendar import Calendar
from datong.model.flow import FloatArray
from datong.network.line_hours import WORKING_DAYS
from datong.network.ways import Way, received_on, there_after
from datong.network.working_days import OpenDays
from datong.plan.earliest_due_first import LEAST_HOURS, Course, Job, all_fit, first_with_hours, worked
from datong.plan.lots_along_clearing import Lot
from datong.plan.pegging import Peg, Pegged
from datong.plan.planning_inputs import Work

# How steps of one bucket follow one another: on days of their own, on one day where need be, or at the same time.
Steps = Literal["apart", "same day", "overlapping"]
CLOSER: tuple[Steps, ...] = ("same day", "overlapping")


@dataclass(frozen=True, slots=True)
class Days:
    """The days within which a lot is made, or on which it leaves and arrives."""

    # First day.
    start: date
    # Day by which it is done; of a purchase or transfer, on which it is there.
    due: date
    # Steps of the bucket that it is one of, where it shares a day with what it goes into; else 0.
    crowded: int
    # Whether it does so because hours are too few, and not days.
    by_hours: bool
    # Hours that its line has for it in its bucket, where these are too few; else None.
    short_of: float | None
    # Where these are too few, the day on which it is done, its rest before all lots of later buckets; None: not within
    # the horizon, and `due` is the first day after it.
    done_by: date | None = None


@dataclass(frozen=True, slots=True)
class Aim:
    """The days that a lot should have in the bucket in which it starts, whatever else its line has to do."""

    # First day on which it can begin.
    first: date
    # Day on which it should begin.
    begin: date
    # Day by which it should be done; of a transfer, by which it should leave.
    last: date
    # Day by which it should be there.
    there: date
    # Steps of the bucket that it is one of.
    steps: int
    # It shares a day with what it goes into.
    shares: bool
    # It has to wait for an order that is out.
    waits: bool
    # Somebody waits for it already, so that it is there as soon as its line has done it.
    late: bool


def days_of(
    work: Work, lots: Sequence[Lot], found: Pegged, today: date, free: Mapping[str, FloatArray]
) -> dict[Lot, Days]:
    """The days of each lot. free: line -> (bucket, day) hours."""
    into = {lot: {p for peg in found.pegs[lot] if (p := peg.use.parent) is not None} for lot in lots}
    return _Dealt(work, lots, into, _aims(work, lots, into, found, today), free).days


def _turn(job: Job, turn: Course, free: Mapping[str, FloatArray]) -> int:
    """The day of a bucket on which a lot begins where each has the hours that it needs: that of its turn on its line,
    as far as it is done by then. turn: of the line's lots one after the other."""
    if turn.begins is None or turn.done is None or turn.done > job.last:
        return first_with_hours(job, free)
    return turn.begins


def _aims(work: Work, lots: Sequence[Lot], into: Mapping[Lot, Set[Lot]], found: Pegged, today: date) -> dict[Lot, Aim]:
    """What each lot should have. One that takes more than its bucket begins no later than its own due day allows, or
    than what it takes of orders that are out."""
    pegs = found.pegs
    same = {lot: {p for p in parents if _in_one_bucket(lot, p)} for lot, parents in into.items()}
    level = {product: i for i, product in enumerate(work.order)}
    takes: dict[Lot, list[Lot]] = defaultdict(list)
    for lot in lots:
        for parent in same[lot]:
            takes[parent].append(lot)
    rising = _components_first(sorted(lots, key=lambda x: level[x.way.product]), takes)
    place = {lot: number for number, lot in enumerate(rising)}
    same = {lot: {p for p in parents if place[p] > place[lot]} for lot, parents in same.items()}
    before: dict[Lot, int] = defaultdict(int)
    for lot in rising:
        for parent in same[lot]:
            before[parent] = max(before[parent], before[lot] + 1)
    waits_days = {p for lot, parents in into.items() for p in parents if _takes_days(lot, p)}
    ready = _ready(work, rising, into, found, today)
    # Orders of later buckets first, and in a bucket what is made of others before these.
    falling = sorted(lots, key=lambda x: (-x.start, -place[x]))
    after: dict[Lot, int] = {}
    until: dict[Lot, date] = {}
    aims: dict[Lot, Aim] = {}
    for lot in falling:
        after[lot] = max((after[parent] + 1 for parent in same[lot]), default=0)
        first = _start_from(work, lot, ready[lot])
        later = [p for p in into[lot] - same[lot] if p in aims]
        takes_on = [aims[p].last if _leaves(lot, p) else aims[p].begin for p in later]
        there = due_by(lot, pegs[lot], takes_on, work, first)
        own = there if lot.arrive == lot.start else min(there, _last_start(work, lot.way, lot.start))
        late = any(peg.use.late for peg in pegs[lot])
        if lot.way.kind == "move":
            own = first if late else min(own, _latest_start(lot.way, there, first))
        until[lot] = max(min([own, *(until[parent] for parent in same[lot])]), first)
        open_days = _open_days(lot.way, first, until[lot])
        count, steps = len(open_days), before[lot] + after[lot] + 1
        begin = until[lot] if lot in waits_days else open_days[before[lot] * count // steps]
        if lot.way.lead_days > 0:
            begin = max(min(begin, _latest_start(lot.way, there, first)), first)
        end = max(open_days[max((before[lot] + 1) * count // steps - 1, 0)], begin)
        for parent in same[lot]:
            end = max(min(end, aims[parent].begin - timedelta(days=1)), first)
            end = _open_days(lot.way, first, end)[-1]
        shares = any(end >= aims[parent].begin for parent in same[lot])
        waits = first > _first_day(work, lot, today)
        aims[lot] = Aim(first, min(begin, end), end, there, steps, shares, waits, late)
    return aims


class _Dealt:
    """The days of lots, dealt bucket by bucket; what is there later than it should puts off what takes of it."""

    def __init__(
        self,
        work: Work,
        lots: Sequence[Lot],
        into: Mapping[Lot, Set[Lot]],
        aims: Mapping[Lot, Aim],
        free: Mapping[str, FloatArray],
    ) -> None:
        self.work, self.into, self.aims = work, into, aims
        # Line -> (bucket, day) hours; what a bucket had too few for has taken its own of later ones.
        self.free = {line: hours.copy() for line, hours in free.items()}
        self.days: dict[Lot, Days] = {}
        # The first day on which a lot can begin, where it was put off.
        self.put_off: dict[Lot, date] = {}
        # The day on which the hours of a lot are worked in its turn; where these are too few, the last one for it.
        self.worked: dict[Lot, date] = {}
        # What a lot takes of, and goes into, in the bucket in which all start.
        self.takes: dict[Lot, list[Lot]] = defaultdict(list)
        self.gives: dict[Lot, list[Lot]] = defaultdict(list)
        level = {product: i for i, product in enumerate(work.order)}
        in_bucket: dict[int, list[Lot]] = defaultdict(list)
        for lot in sorted(lots, key=lambda x: (x.start, level[x.way.product])):
            for bucket in lot.way.worked.at(lot.start, len(work.starts))[0].tolist():
                in_bucket[bucket].append(lot)
            self.gives[lot] = [p for p in into[lot] if p in aims and lot.start == lot.arrive == p.start]
            for parent in self.gives[lot]:
                self.takes[parent].append(lot)
        for bucket in sorted(in_bucket):
            in_order = _components_first(in_bucket[bucket], self.takes)
            place = {lot: number for number, lot in enumerate(in_order)}
            for lot in in_order:  # two transfers that wait for one another wait one way
                self.takes[lot] = [o for o in self.takes[lot] if place.get(o, -1) < place[lot]]
                self.gives[lot] = [p for p in self.gives[lot] if place.get(p, len(place)) > place[lot]]
            self._deal(bucket, in_order)

    def _deal(self, bucket: int, lots: Sequence[Lot]) -> None:
        """lots: what is worked in the bucket, components first."""
        size = self.work.calendar.bucket_days
        free = {line: of_line[bucket] for line, of_line in self.free.items()}
        steps: dict[Lot, Steps] = dict.fromkeys(lots, "apart")
        jobs = [self._job(lot, bucket, self._begin(lot)) for lot in lots]
        if all_fit(jobs, free, size):
            turns = worked(jobs, free, size)
            courses = [
                Course(_turn(job, turn, free), job.last, job.hours) for job, turn in zip(jobs, turns, strict=True)
            ]
            done = [turn.done for turn in turns]
        else:
            at = {lot: j for j, lot in enumerate(lots)}
            for closer in (*CLOSER, None):
                jobs = [self._job(lot, bucket, self._first(lot), self._after(lot, at, steps[lot])) for lot in lots]
                courses = worked(jobs, free, size)
                undone = [lot for lot, course in zip(lots, courses, strict=True) if course.done is None]
                if not undone or closer is None:
                    break
                steps |= dict.fromkeys(self._connected(undone), closer)
            done = [course.done for course in courses]
        for lot, number in zip(lots, done, strict=True):
            last = _last_start(self.work, lot.way, bucket)
            self.worked[lot] = last if number is None else self.work.starts[bucket] + timedelta(days=number)
        self._keep(bucket, dict(zip(lots, courses, strict=True)), steps)

    def _begin(self, lot: Lot) -> date:
        """The day on which a lot should begin."""
        return max(self.aims[lot].begin, self.put_off.get(lot, date.min))

    def _first(self, lot: Lot) -> date:
        """The first day on which a lot can begin."""
        return max(self.aims[lot].first, self.put_off.get(lot, date.min))

    def _job(self, lot: Lot, bucket: int, first: date, after: tuple[tuple[int, int], ...] = ()) -> Job:
        """What a lot needs in a bucket. first: the first day on which it can be worked; after: as of a job."""
        way, aim, day = lot.way, self.aims[lot], self.work.starts[bucket]
        share = way.worked.share_in(bucket - lot.start) if way.line in self.free else 0.0
        hours = (lot.units * way.hours_per_unit + way.setup_hours) * share
        last = aim.last if bucket == lot.start else _last_start(self.work, way, bucket)
        if way.span > 1 and bucket == lot.arrive:
            last = min(last, aim.there)
        begin = max((first - day).days, 0)
        days = range(self.work.calendar.bucket_days)
        is_open = None if way.course is None or way.course.starts is None else way.course.starts
        closed = () if is_open is None else tuple(d for d in days if not is_open.on(day.toordinal() + d))
        return Job(way.line if hours > 0 else None, hours, begin, max((last - day).days, begin), after, closed)

    def _after(self, lot: Lot, at: Mapping[Lot, int], steps: Steps) -> tuple[tuple[int, int], ...]:
        """What is done before a lot begins, and days in between. Moved or bought goods serve on the day on which they
        are there. at: what is worked in the bucket; a lot over several has begun before, with what it takes."""
        both_made = {other: lot.way.kind == other.way.kind == "make" for other in self.takes[lot] if other in at}
        follows = [other for other, made in both_made.items() if not (made and steps == "overlapping")]
        apart = {other: both_made[other] and steps == "apart" and other.way.lead_days == 0 for other in follows}
        return tuple((at[other], int(apart[other]) + other.way.lead_days) for other in follows)

    def _connected(self, some: Sequence[Lot]) -> set[Lot]:
        """These lots, and those of the bucket that are tied to them by what goes into what."""
        found, rest = set(some), list(some)
        while rest:
            lot = rest.pop()
            more = [other for other in (*self.takes[lot], *self.gives[lot]) if other not in found]
            found.update(more)
            rest += more
        return found

    # the days ------------------------------------------------------------------------------------

    def _keep(self, bucket: int, courses: Mapping[Lot, Course], steps: Mapping[Lot, Steps]) -> None:
        """The days of what is worked in a bucket. courses: components first."""
        ends: dict[Lot, date] = {}
        for lot in reversed(list(courses)):
            ends[lot] = self._end(lot, bucket, courses, steps[lot], ends)
        for lot, course in courses.items():
            if lot.start != bucket:
                if bucket == lot.arrive:
                    end = self.worked[lot] if self.aims[lot].late else ends[lot]
                    self.days[lot] = replace(self.days[lot], due=max(self.days[lot].due, end))
            else:
                self.days[lot] = self._days(lot, course, steps[lot], ends[lot])
                self._put_off(lot)
        for lot in courses:
            parents = [p for p in self.gives[lot] if lot.way.kind == p.way.kind == "make"]
            fits = lot.way.lead_days == 0 and self.days[lot].done_by is None
            share = fits and any(self.days[lot].due >= self.days[p].start for p in parents)
            if lot.start == bucket and share:
                aim = self.aims[lot]
                self.days[lot] = replace(self.days[lot], crowded=aim.steps, by_hours=not aim.shares)

    def _end(
        self, lot: Lot, bucket: int, courses: Mapping[Lot, Course], steps: Steps, ends: Mapping[Lot, date]
    ) -> date:
        """The day by which a lot is to be done, or a transfer to leave: it has as long as what it goes into leaves it,
        and as long as it takes; no closed day, but the last open one before. ends: of what it goes into."""
        first, done = self.work.starts[bucket], courses[lot].done
        latest = [self.aims[lot].last]
        for parent in self.gives[lot] if lot.start == bucket else ():
            begins = courses[parent].begins
            if parent.way.kind != "make":
                latest.append(ends[parent])
            elif begins is not None and steps != "overlapping":
                apart = steps == "apart" and lot.way.kind == "make" and lot.way.lead_days == 0
                latest.append(first + timedelta(days=begins - int(apart)))
        if done is None:
            return _last_start(self.work, lot.way, bucket)
        soonest = first + timedelta(days=done)
        return _open_days(lot.way, soonest, max(soonest, min(latest)))[-1]

    def _days(self, lot: Lot, course: Course, steps: Steps, end: date) -> Days:
        """Of a lot in the bucket in which it starts. end: `_end`."""
        aim, start = self.aims[lot], self._begin(lot)
        made = lot.way.kind == "make"
        for other in self.takes[lot]:
            if not (made and steps == "overlapping"):
                apart = steps == "apart" and made and other.way.kind == "make" and other.way.lead_days == 0
                start = max(start, self.days[other].due + timedelta(days=int(apart)))
        takes_until = start
        start = _start_from(self.work, lot, min(start, _last_day(self.work, lot.start)))
        if not made:  # what it takes may be done after its bucket (`done_by`)
            return Days(start, there_after(lot.way, max(start, takes_until)), 0, by_hours=False, short_of=None)
        begins = self.work.starts[lot.start] + timedelta(days=course.begins or 0)
        if course.begins is not None:
            waits_for = [o for o in self.takes[lot] if o.way.kind != "make" or o.way.lead_days > 0]
            start = begins if course.hours > LEAST_HOURS else min(start, begins)
            start = max([start, *(self.days[other].due for other in waits_for)])
        short = course.hours if course.done is None and lot.way.span == 1 else None
        if aim.late and start <= begins:
            end = self.worked[lot]
        due = self._there_by(lot, start, end)
        done_by = None if short is None else self._rest_done(lot, course)
        if done_by is not None:
            due = max(due, done_by if course.hours > LEAST_HOURS else _there(lot, done_by))
        if short is not None and done_by is None:
            due = max(due, self.work.calendar.shift(self.work.starts[-1], 1))
        due = max(due, start)
        return Days(start, due, 0, by_hours=False, short_of=short, done_by=done_by)

    def _there_by(self, lot: Lot, start: date, end: date) -> date:
        """The day on which a lot is there that begins on a day: as soon as it is worked where somebody waits for it,
        else as late as it is wanted. One that counts in a later bucket and keeps no calendar is there in that, as its
        lead time is rounded up. end: the day by which it is done."""
        aim = self.aims[lot]
        if lot.arrive == lot.start:
            return max(end, there_after(lot.way, start)) if lot.way.lead_days > 0 else end
        there = _there(lot, start)
        least = aim.there
        if aim.late:
            least = self.work.starts[lot.arrive] if lot.way.course is None else start
        return max(least, there, received_on(lot.way, self.worked[lot]))

    def _rest_done(self, lot: Lot, course: Course) -> date | None:
        """The day on which what a lot's bucket has too few hours for is done, once what it takes is there. Its hours
        are taken off those of later buckets, before all other lots."""
        takes = [self.days[other] for other in self.takes[lot]]
        if any(days.short_of is not None and days.done_by is None for days in takes):
            return None
        left = lot.units * lot.way.hours_per_unit + lot.way.setup_hours - course.hours
        ready = max((days.due for days in takes), default=date.min)
        for t in range(lot.start + 1, len(self.work.starts)):
            hours = self.free[lot.way.line][t] if lot.way.line in self.free else None
            for day in _open_days(lot.way, max(self.work.starts[t], ready), _last_day(self.work, t)):
                at = (day - self.work.starts[t]).days
                if at >= self.work.calendar.bucket_days:
                    break
                if hours is not None:
                    some = min(float(hours[at]), left)
                    hours[at] -= some
                    left -= some
                if hours is None or left <= LEAST_HOURS:
                    return day
        return None

    def _put_off(self, lot: Lot) -> None:
        """What takes of a lot in a later bucket than it starts waits for it, where it begins or is there later than it
        should."""
        days, aim = self.days[lot], self.aims[lot]
        if days.due <= aim.there and (lot.arrive == lot.start or days.start <= aim.begin):
            return
        for parent in self.into[lot]:
            if parent in self.aims and lot.start < parent.start and lot.arrive <= parent.start:
                day = min(days.due, _last_day(self.work, parent.start))
                self.put_off[parent] = max(self.put_off.get(parent, day), day)


def named_due(work: Work, lot: Lot, days: Days) -> date:
    """The day that a lot's order names: where its bucket has too few hours for it and no calendar says its days, the
    end of the bucket in which the plan counts it; reasons and the first screen say when it is done (`done_by`)."""
    if days.short_of is None or lot.way.course is not None:
        return days.due
    return max(min(days.due, _last_start(work, lot.way, lot.arrive)), days.start)


def _ready(
    work: Work, rising: Sequence[Lot], into: Mapping[Lot, Set[Lot]], found: Pegged, today: date
) -> dict[Lot, date]:
    """The first day on which each lot can begin: of its bucket, or the one on which the last of what it takes of orders
    that are out is there, or a component's lot that had to wait for such. rising: components first."""
    ready: dict[Lot, date] = {}
    for lot in rising:
        first = _first_day(work, lot, today)
        last = max([first, *(wait.comes.day for wait in found.waits.get(lot, ()))])
        ready[lot] = max(ready.get(lot, first), last)
        if ready[lot] == first:
            continue
        there = _there(lot, ready[lot])
        for parent in into[lot]:
            if parent.start == lot.arrive:
                after = there + timedelta(days=1) if _in_one_bucket(lot, parent) else there
                ready[parent] = max(ready.get(parent, there), min(after, _last_day(work, parent.start)))
    return ready


def _components_first(lots: Sequence[Lot], takes: Mapping[Lot, Sequence[Lot]]) -> list[Lot]:
    """Lots in their order, but each after what it takes of, as far as that can be: where lanes go round in a circle,
    the levels of products do not say so, and two transfers may take of one another."""
    there = set(lots)
    placed: dict[Lot, None] = {}
    for lot in lots:
        open_ = [lot]
        while open_:
            now = open_[-1]
            waits_for = [o for o in takes.get(now, ()) if o in there and o not in placed and o not in open_]
            if waits_for:
                open_.append(waits_for[0])
            else:
                placed.setdefault(open_.pop())
    return list(placed)


def _first_day(work: Work, lot: Lot, today: date) -> date:
    return max(work.starts[lot.start], today) if lot.start == 0 else work.starts[lot.start]


def _there(lot: Lot, begin: date) -> date:
    """The day on which what begins on a day can be there; without a lead time, that day."""
    return begin if lot.way.lead_days == 0 and lot.arrive == lot.start else there_after(lot.way, begin)


def _latest_start(way: Way, there: date, first: date) -> date:
    """The latest day on which a way may begin, none before `first`, to be there by a day."""
    if way.course is None:
        return there - timedelta(days=way.lead_days)
    return way.course.latest_start(there, first)


def _start_from(work: Work, lot: Lot, day: date) -> date:
    """The first day from one on, in the bucket in which a lot starts, on which it may; else the last one before."""
    if lot.way.course is None or lot.way.course.starts is None:
        return day
    found = lot.way.course.first_start(day, work.calendar.shift(work.starts[lot.start], 1))
    return min(_last_start(work, lot.way, lot.start), day) if found is None else found


def _open_days(way: Way, first: date, last: date) -> list[date]:
    """The days from one to another on which a way may start, or the first, where there is none."""
    days = [first + timedelta(days=i) for i in range((last - first).days + 1)]
    if way.course is not None and way.course.starts is not None:
        days = [day for day in days if way.course.starts.on(day.toordinal())]
    return days or [first]


def _last_start(work: Work, way: Way, bucket: int) -> date:
    """The last day of a bucket on which a way may start: of one without a calendar, its last working day."""
    days = None if way.course is None else way.course.starts
    return _last_open(work, days, bucket)


def _last_open(work: Work, days: OpenDays | None, bucket: int) -> date:
    first = work.calendar.shift(work.starts[0], bucket)
    found = None if days is None else days.last(_last_day(work, bucket).toordinal(), first.toordinal())
    return last_working_day(work.starts[0], bucket, work.calendar) if found is None else date.fromordinal(found)


def _last_day(work: Work, bucket: int) -> date:
    return work.calendar.shift(work.starts[0], bucket + 1) - timedelta(days=1)


def due_by(lot: Lot, pegs: Sequence[Peg], takes: Sequence[date], work: Work, begins: date) -> date:
    """The day by which a lot is to be there: the last working day of its bucket, the day that a customer named in it,
    that on which an order which is out takes of it, or a lot that starts as a step of its own (`takes`). Where that is
    a closed day, the last open one before it, of an earlier bucket if need be, on which it can be there; else the next.
    begins: the first day on which it can begin."""
    first = work.starts[lot.arrive]
    named = [peg.use.due for peg in pegs if peg.use.kind in ("request", "out") and peg.use.due >= first]
    days = None if lot.way.course is None else lot.way.course.arrives
    due = min([_last_open(work, days, lot.arrive), *named, *takes])
    if days is None:
        return due
    soonest = first if lot.way.span > 1 else _there(lot, begins)
    open_day = days.last(due.toordinal(), soonest.toordinal()) or days.next(due.toordinal())
    return due if open_day is None else date.fromordinal(open_day)


def _leaves(lot: Lot, parent: Lot) -> bool:
    """Whether a transfer takes a lot in the bucket in which both start: it leaves when that is there."""
    return parent.way.kind == "move" and lot.start == lot.arrive == parent.start


def _takes_days(lot: Lot, parent: Lot) -> bool:
    """Whether a lot takes days of the bucket in which both start, before what it goes into can begin."""
    return lot.start == lot.arrive == parent.start and lot.way.lead_days > 0


def _in_one_bucket(lot: Lot, parent: Lot) -> bool:
    """Whether both are made, one after the other, in one bucket."""
    made = lot.way.kind == parent.way.kind == "make"
    at_once = lot.start == lot.arrive == parent.start and lot.way.lead_days == 0
    return made and at_once and lot.way.product != parent.way.product


def last_working_day(first: date, bucket: int, calendar: Calendar) -> date:
    """Of a bucket: the Friday of a week, or the day itself."""
    day = calendar.shift(first, bucket)
    return day + timedelta(days=min(WORKING_DAYS, calendar.bucket_days) - 1)
