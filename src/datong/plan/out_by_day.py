"""By which day orders that are out are done: the hours of their lines day by day, and what they take.

In each bucket they have the hours that the plan counts for them (network/committed.py), before the lots of the plan and
among themselves the one first that was promised first. Each is worked from the day on which it is to begin, or on which
the last of what it takes is there. Where the bucket's hours are too few from these days on, it begins earlier in the
bucket, as soon as what it takes is there: the plan counts on its hours in that bucket.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np

from datong.model.flow import Clearing, FloatArray
from datong.network.committed import Committed, Worked, brought
from datong.plan.days_within_bucket import Days, days_of, last_working_day
from datong.plan.earliest_due_first import LEAST_HOURS, Course, Job, worked
from datong.plan.lots_along_clearing import Lot
from datong.plan.pegging import Pegged, pegged
from datong.plan.planning_inputs import Work
from datong.plan.split_lots_that_wait import split_lots


@dataclass(frozen=True, eq=False)
class Dated:
    """A plan with its days."""

    # What it was made of, with the days of orders that are out in `promised`.
    work: Work
    # Who uses what.
    found: Pegged
    # Lot -> its days. A lot may be split into parts (split_lots_that_wait.py).
    days: Mapping[Lot, Days]
    # Order that is out and begins later for want of a component in its bucket -> that component.
    lacks: Mapping[str, str]


@dataclass(frozen=True, eq=False)
class OutByDay:
    """When orders that are out are worked."""

    # Line -> (bucket, day) hours that they leave.
    free: Mapping[str, FloatArray]
    # Order -> day on which it begins.
    begins: Mapping[str, date]
    # Order -> day by which its hours are worked; without hours, on which it begins.
    done: Mapping[str, date]


def dated(work: Work, clearing: Clearing, lots: Sequence[Lot], there: Mapping[str, FloatArray], today: date) -> Dated:
    """The days of orders that are out and of lots. An order that is out waits for what it takes in its bucket, and lots
    for what they take of it: so both are dealt until none begins before what it takes is there, which they do, since
    each turn one begins later, or a lot is split. lots: those that serve markets among them. there: `worked_hours`."""
    lots = list(lots)
    ready: dict[str, date] = {}
    lacks: dict[str, str] = {}
    while True:
        out = out_by_day(work, there, today, ready)
        now = replace(work, promised=_with_days(work.promised, out, work.starts))
        found = pegged(now, clearing, lots)
        days = days_of(now, [lot for lot in lots if lot.way.is_order], found, today, out.free)
        waits = {o: last for o, last in _parts_there(now, found, days).items() if o in out.begins}
        later = {order: last for order, last in waits.items() if last[0] > out.begins[order]}
        if not later:
            split = split_lots(now, lots, found, {lot for lot, own in days.items() if own.short_of is not None})
            if split == lots:
                return Dated(now, found, days, lacks)
            lots = split
        ready |= {order: day for order, (day, _) in later.items()}
        lacks |= {order: component for order, (_, component) in later.items()}


def out_by_day(work: Work, there: Mapping[str, FloatArray], today: date, ready: Mapping[str, date]) -> OutByDay:
    """there: line -> (bucket, day) hours. ready: order -> day on which the last of what it takes is there, where it
    waits for that."""
    free = {line: hours.copy() for line, hours in there.items()}
    in_bucket: dict[int, list[Worked]] = defaultdict(list)
    for own in work.promised.worked:
        for t in sorted({own.begins, *np.flatnonzero(own.hours > LEAST_HOURS).tolist()}):
            in_bucket[t].append(own)
    begins: dict[str, date] = {}
    done: dict[str, date] = {}
    for t, orders in sorted(in_bucket.items()):
        first, last = work.starts[t], last_working_day(work.starts[0], t, work.calendar)
        by_line = {line: hours[t] for line, hours in free.items()}
        least = [_first(own, t, first, today, ready) for own in orders]
        jobs = [_job(own, t, first, max(day, _begin(own, t)), by_line) for own, day in zip(orders, least, strict=True)]
        courses = worked(jobs, by_line, work.calendar.bucket_days)
        short = {job.line for job, course in zip(jobs, courses, strict=True) if course.done is None}
        if short:
            closer = [_job(own, t, first, day, by_line) for own, day in zip(orders, least, strict=True)]
            jobs = [c if job.line in short else job for job, c in zip(jobs, closer, strict=True)]
            courses = worked(jobs, by_line, work.calendar.bucket_days)
        for own, job, course in zip(orders, jobs, courses, strict=True):
            name = own.order.order
            begins.setdefault(name, first + timedelta(days=job.first if course.begins is None else course.begins))
            done[name] = max(last, begins[name]) if course.done is None else first + timedelta(days=course.done)
            _take(free, job, t, course)
    return OutByDay(free, begins, done)


def _first(own: Worked, t: int, first: date, today: date, ready: Mapping[str, date]) -> date:
    """The first day of a bucket on which an order can be worked."""
    waits = ready.get(own.order.order, first) if t == own.begins else first
    return max(first, waits, today if t == 0 else first)


def _begin(own: Worked, t: int) -> date:
    """The day on which an order is to begin."""
    return own.order.start if t == own.begins and own.order.stage != "begun" else date.min


def _job(own: Worked, t: int, first: date, begin: date, free: Mapping[str, FloatArray]) -> Job:
    """What an order needs in a bucket. first: of the bucket. begin: the day from which it is worked. What is shared of
    a lane has no days."""
    line = own.line if own.line in free and own.hours[t] > LEAST_HOURS else None
    return Job(line, float(own.hours[t]) if line else 0.0, (begin - first).days, (own.order.promised - first).days)


def _take(free: Mapping[str, FloatArray], job: Job, t: int, course: Course) -> None:
    """Takes the hours of an order off those of its line."""
    if job.line is None:
        return
    of_line = free[job.line]
    for day, hours in course.parts:
        of_line[t, day] = max(of_line[t, day] - hours, 0.0)


def _with_days(promised: Committed, out: OutByDay, starts: Sequence[date]) -> Committed:
    """With the day on which each order brings its units, and takes its components."""
    day = {}
    for own in promised.worked:
        name = own.order.order
        day[name] = brought(own.order, own.way, out.begins[name], out.done[name])
    comes = [replace(one, day=max(one.day, day[one.order])) if one.is_worked else one for one in promised.comes]
    pulls = [replace(pull, day=max(out.begins[pull.order], starts[pull.bucket])) for pull in promised.pulls]
    return replace(promised, comes=tuple(sorted(comes, key=lambda c: (c.product, c.day, c.order))), pulls=tuple(pulls))


def _parts_there(work: Work, found: Pegged, days: Mapping[Lot, Days]) -> dict[str, tuple[date, str]]:
    """Order that is out -> day on which the last of what it takes is there, of what comes in the bucket in which it
    begins, and by its last day; and that component."""
    comes = [(one.bucket, one.day, one.product, peg.use) for one, peg in found.of_out]
    comes += [
        (lot.arrive, days[lot].due, peg.product(lot), peg.use)
        for lot, own in found.pegs.items()
        if lot in days
        for peg in own
    ]
    there: dict[str, tuple[date, str]] = {}
    for bucket, day, component, use in comes:
        if use.kind == "out" and bucket == use.bucket:
            by = min(day, work.calendar.shift(work.starts[bucket], 1) - timedelta(days=1))
            there[use.name] = max(there.get(use.name, (by, component)), (by, component))
    return there
