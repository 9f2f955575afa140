"""Days of orders within a bucket: a component is finished before what it goes into begins.

Of lots of one week that go into one another, each step has its part of the working days: of n days and k steps step i,
from 0, has those from floor(i n / k) to before floor((i + 1) n / k). Where there are fewer days than steps, some share
a day. A day that a customer named ends the days of what is made for it. No order begins before the last of what it
takes of orders that are out is there.
"""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import date, timedelta

from datong.model.calendar import Calendar
from datong.plan.lots_along_clearing import Lot
from datong.plan.pegging import Peg, Pegged
from datong.plan.work import Work

# Monday to Friday.
WORKING_DAYS = 5


@dataclass(frozen=True, slots=True)
class Days:
    """The days within which a lot is made, of the bucket in which it starts."""

    # First day.
    start: date
    # Last working day that leaves what it goes into its own, and keeps the days that customers named.
    last: date
    # Steps of the bucket that it is one of, where it shares a day with what it goes into; else 0.
    crowded: int
    # First day on which it can be there, where it had to wait; else its start.
    there: date


def days_of(work: Work, lots: Sequence[Lot], found: Pegged, today: date) -> dict[Lot, Days]:
    """The days of each lot. One that takes more than its bucket begins no later than its own due day allows, or than
    what it takes of orders that are out."""
    pegs = found.pegs
    into = {lot: {p for peg in pegs[lot] if (p := peg.use.parent) is not None} for lot in lots}
    same = {lot: {p for p in parents if _in_one_bucket(lot, p)} for lot, parents in into.items()}
    level = {product: i for i, product in enumerate(work.order)}
    rising = sorted(lots, key=lambda x: level[x.way.product])
    before: dict[Lot, int] = defaultdict(int)
    for lot in rising:
        for parent in same[lot]:
            before[parent] = max(before[parent], before[lot] + 1)
    ready = _ready(work, rising, into, found, today)
    # Orders of later buckets first, and in a bucket what is made of others before these.
    falling = sorted(lots, key=lambda x: (-x.start, -level[x.way.product]))
    after: dict[Lot, int] = {}
    until: dict[Lot, date] = {}
    days: dict[Lot, Days] = {}
    for lot in falling:
        after[lot] = max((after[parent] + 1 for parent in same[lot]), default=0)
        first = ready[lot]
        there = due_by(lot, pegs[lot], into[lot] - same[lot], days, work)
        own = there if lot.arrive == lot.start else last_working_day(work.starts[0], lot.start, work.calendar)
        until[lot] = max(min([own, *(until[parent] for parent in same[lot])]), first)
        count, steps = (until[lot] - first).days + 1, before[lot] + after[lot] + 1
        begin = first + timedelta(days=before[lot] * count // steps)
        if lot.arrive > lot.start:
            begin = max(min(begin, there - timedelta(days=lot.way.lead_days)), first)
        end = max(first + timedelta(days=(before[lot] + 1) * count // steps - 1), begin)
        for parent in same[lot]:
            end = max(min(end, days[parent].start - timedelta(days=1)), first)
        shares = any(end >= days[parent].start for parent in same[lot])
        begin = min(begin, end)
        waited = first > _first_day(work, lot, today)
        days[lot] = Days(begin, end, steps if shares else 0, _there(lot, begin) if waited else begin)
    return days


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


def _first_day(work: Work, lot: Lot, today: date) -> date:
    return max(work.starts[lot.start], today) if lot.start == 0 else work.starts[lot.start]


def _there(lot: Lot, begin: date) -> date:
    """The day on which what begins on a day can be there; of one bucket, that day."""
    return begin if lot.arrive == lot.start else begin + timedelta(days=math.ceil(lot.way.lead_days - 1e-9))


def _last_day(work: Work, bucket: int) -> date:
    return work.calendar.shift(work.starts[0], bucket + 1) - timedelta(days=1)


def share_left(work: Work, bucket: int, day: date) -> float:
    """The share of a bucket's working days that is left from one of its days on."""
    last = last_working_day(work.starts[0], bucket, work.calendar)
    return max((last - day).days + 1, 0) / ((last - work.starts[bucket]).days + 1)


def due_by(lot: Lot, pegs: Sequence[Peg], later: Set[Lot], days: Mapping[Lot, Days], work: Work) -> date:
    """The day by which a lot is to be there: the last working day of its bucket, the day that a customer named in it,
    or that on which an order of it begins that takes of it and that started as a step of its own (`later`)."""
    first = work.starts[lot.arrive]
    named = [peg.use.due for peg in pegs if peg.use.kind == "request" and peg.use.due >= first]
    takes = [days[p].start for p in later if p in days]
    return min([last_working_day(work.starts[0], lot.arrive, work.calendar), *named, *takes])


def _in_one_bucket(lot: Lot, parent: Lot) -> bool:
    """Whether both are made, one after the other, in one bucket."""
    made = lot.way.kind == parent.way.kind == "make"
    return made and lot.start == lot.arrive == parent.start and lot.way.product != parent.way.product


def last_working_day(first: date, bucket: int, calendar: Calendar) -> date:
    """Of a bucket: the Friday of a week, or the day itself."""
    day = calendar.shift(first, bucket)
    return day + timedelta(days=min(WORKING_DAYS, calendar.bucket_days) - 1)
