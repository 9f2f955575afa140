"""Which order has the hours of its line first, the earliest due one, and by which day it is done: hours day by day.

A bucket's hours are worked on its working days, each day in the measure of the hours that the calendar gives it; on
other days only where these have none. Orders that are out come first (out_by_day.py). What is left of each day goes to
the lots that can be worked, the one that is wanted first before others: the earliest due date, with work that may be
interrupted, which keeps all due days where any order of work does (Horn 1974, Naval Research Logistics Quarterly 21).
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from datong.ledger.state import State
from datong.model.flow import Clearing, FloatArray
from datong.network.line_hours import day_shares, hours_by_day

# Hours below this are rounding.
LEAST_HOURS = 1e-6


def worked_hours(state: State, clearing: Clearing, starts: Sequence[date]) -> dict[str, FloatArray]:
    """line -> (bucket, day) hours that can be worked, overtime that is worked among them. clearing: what the plan
    does."""
    at = {s: t for t, s in enumerate(starts)}
    gone = max((state.today - starts[0]).days, 0) if starts else 0
    usual, there = hours_by_day(state, starts), {}
    for row in clearing.hours.to_pylist():
        line, t = row["line"], at[row["bucket"]]
        if line not in usual:
            continue
        by_day = usual[line][t]
        used = row["run_hours"] + row["setup_hours"] + row["under_way_hours"]
        in_all = max(float(by_day.sum()), used) * day_shares(by_day, gone if t == 0 else 0)
        there.setdefault(line, np.zeros(usual[line].shape))[t] = in_all
    return there


@dataclass(frozen=True, slots=True)
class Job:
    """A lot in a bucket that it is worked in."""

    # Line; None: it takes no hours.
    line: str | None
    # Hours in the bucket.
    hours: float
    # First day of the bucket on which it can be worked, from 0.
    first: int
    # Day by which it is wanted.
    last: int
    # Jobs that are done before it begins, and the days in between: 0, the day of their end itself.
    after: tuple[tuple[int, int], ...] = ()
    # Days on which it is not worked, whatever hours its line has.
    closed: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Course:
    """When a job is worked."""

    # Day of its first hours; None: it has none.
    begins: int | None
    # Day on which it is done; None: not in its bucket.
    done: int | None
    # Hours that it has in its bucket.
    hours: float
    # Day and hours of each part of these.
    parts: tuple[tuple[int, float], ...] = ()


def all_fit(jobs: Sequence[Job], free: Mapping[str, FloatArray], days: int) -> bool:
    """Whether each job can be done from its first to its last day: of no run of days do jobs need more hours than it
    has. free: line -> (day) hours."""
    needed: dict[str, FloatArray] = defaultdict(lambda: np.zeros((days, days)))
    for job in jobs:
        if job.line is not None:
            if job.first >= days:  # what it takes is there after the bucket
                return False
            needed[job.line][job.first, job.last] += job.hours
    for line, of_line in needed.items():
        for first in range(days):
            within = np.cumsum(of_line[first:].sum(axis=0))[first:]
            if (within > np.cumsum(free[line][first:]) + LEAST_HOURS).any():
                return False
    return True


def first_with_hours(job: Job, free: Mapping[str, FloatArray]) -> int:
    """The first day from which a job can be worked on which its line has hours. free: line -> (day) hours."""
    if job.line is not None:
        for day in range(job.first, job.last + 1):
            if free[job.line][day] > LEAST_HOURS and day not in job.closed:
                return day
    return job.first


def worked(jobs: Sequence[Job], free: Mapping[str, FloatArray], days: int) -> list[Course]:
    """The jobs day by day, each after those that it takes of. jobs: what others take of before these."""
    queue = sorted(range(len(jobs)), key=lambda j: (jobs[j].last, j))
    left = [job.hours for job in jobs]
    parts: list[list[tuple[int, float]]] = [[] for _ in jobs]
    begins: list[int | None] = [None] * len(jobs)
    done: list[int | None] = [None] * len(jobs)
    depends = any(job.after for job in jobs)
    for day in range(days):
        room = {line: float(of_line[day]) for line, of_line in free.items()}
        again = True
        while again:  # what is done today may let others begin today
            again, waiting = False, []
            for j in queue:
                job = jobs[j]
                if day < job.first or day in job.closed or not _may_begin(job, done, day):
                    waiting.append(j)
                    continue
                if job.line is not None:
                    some = min(room[job.line], left[j])
                    if some > LEAST_HOURS and begins[j] is None:
                        begins[j] = day
                    left[j] -= some
                    room[job.line] -= some
                    if some > 0:
                        parts[j].append((day, some))
                if job.line is None or left[j] <= LEAST_HOURS:
                    done[j] = day
                    begins[j] = day if begins[j] is None else begins[j]
                    again = depends
                else:
                    waiting.append(j)
            queue = waiting
    return [Course(begins[j], done[j], job.hours - left[j], tuple(parts[j])) for j, job in enumerate(jobs)]


def _may_begin(job: Job, done: Sequence[int | None], day: int) -> bool:
    return all((end := done[other]) is not None and end + gap <= day for other, gap in job.after)
