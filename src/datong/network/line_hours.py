"""Hours that lines can work, day by day: of a line that is open, and where a span of the calendar says otherwise.

A week's hours are worked from Monday to Friday, on as many days more as they need where that were beyond 24 hours a
day; of a line with working days (working_days.py), on those of a usual week, and on its closed days it has none, so
that a week with a holiday has less.
A line has none before its valid_from and from its valid_to on; in a bucket in which it opens, ends, or changes its
hours it has those of each day. Of spans of the line's calendar that overlap, the one that starts last holds; one that
lies on closed days alone opens them, each with a seventh of its hours per week. Of a bucket that has begun, only the
days that are left count.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import numpy as np

from datong.ledger.state import State
from datong.ledger.versions import Span, span
from datong.model.flow import BoolArray, FloatArray
from datong.network.working_days import OpenDays, monday_to_friday, narrowed, working_days

# Days of a week that are worked where no calendar says which: Monday to Friday.
WORKING_DAYS = 5
DAYS_OF_WEEK, HOURS_OF_DAY = 7, 24.0


def line_hours(state: State, bucket_starts: Sequence[date]) -> dict[str, FloatArray]:
    """line -> (bucket) hours, of every line that the chain has, has had or will have."""
    days = _Days(state, bucket_starts)
    return {line: days.in_buckets(line, per_week) for line, per_week in days.usual().items()}


def hours_by_day(state: State, bucket_starts: Sequence[date]) -> dict[str, FloatArray]:
    """line -> (bucket, day) usual hours of each day; of one that is gone 0."""
    days = _Days(state, bucket_starts)
    found = {}
    for line, per_week in days.usual().items():
        found[line] = days.worked(line, per_week).reshape(-1, days.per_bucket) / 7
        found[line][:1, : days.gone] = 0.0
    return found


def lines_with_calendar(state: State, bucket_starts: Sequence[date]) -> frozenset[str]:
    """Lines whose days a calendar says."""
    return frozenset(working_days(state, bucket_starts).of_line)


def said_per_hour(state: State, bucket_starts: Sequence[date]) -> dict[str, FloatArray]:
    """line -> (bucket) hours per week that a span of just this bucket says for each hour, of 24 a day at most, that the
    line is to have in it."""
    days = _Days(state, bucket_starts)
    by_week = np.where(days.weekday < WORKING_DAYS, DAYS_OF_WEEK / WORKING_DAYS, 0.0)
    found = {}
    for line in days.is_open:
        share = days.share.get(line, by_week).reshape(-1, days.per_bucket).sum(axis=1)
        found[line] = DAYS_OF_WEEK / np.where(share > 0, share, days.per_bucket)
    return found


def usual_hours(state: State, bucket_starts: Sequence[date]) -> dict[str, float]:
    """line -> hours of a bucket in which it is open as in a usual week."""
    days = _Days(state, bucket_starts)
    found = {}
    for row in state.table("lines").to_pylist():
        own, per_week = days.open_days.get(row["line"]), row["hours_per_week"]
        number = _days_worked(np.array([per_week]))[0] if own is None else sum(own.week) or DAYS_OF_WEEK
        found[row["line"]] = per_week if days.is_by_week else per_week / float(number)
    return found


def _days_worked(per_week: FloatArray) -> FloatArray:
    """Days of a week, from Monday on, on which so many hours per week are worked where no calendar says which."""
    return np.clip(np.ceil(per_week / HOURS_OF_DAY), WORKING_DAYS, DAYS_OF_WEEK)


def days_of_lines(state: State, bucket_starts: Sequence[date]) -> dict[str, OpenDays]:
    """line -> the days on which it is open: of one with a calendar, those on which it has hours; of any other, Monday
    to Friday without those on which it has none. Beyond the buckets, as the calendar says."""
    days = _Days(state, bucket_starts)
    found: dict[str, OpenDays] = {}
    overtime_hours = {line: np.zeros(days.count) for line in days.is_open}
    for row in days.calendar:
        overtime_hours[row["line"]][days.of_calendar(row)] = row["overtime_hours"]
    for line, per_week in days.usual().items():
        beyond = (days.worked(line, overtime_hours[line]) > 0) & days.is_open[line]
        works = (days.worked(line, per_week) > 0) | beyond
        has = days.open_days.get(line)

        def on(day: int, works: BoolArray = works) -> bool | None:
            at = day - days.first
            return bool(works[at]) if 0 <= at < days.count else None

        found[line] = narrowed(has or monday_to_friday(days.first, days.count), on)
    return found


def shares_by_day(state: State, bucket_starts: Sequence[date]) -> dict[str, FloatArray]:
    """line -> (bucket, day) the share of its hours in a bucket that is worked on each of its days."""
    gone = max((state.today - bucket_starts[0]).days, 0) if bucket_starts else 0
    found = hours_by_day(state, bucket_starts)
    for of_line in found.values():
        for t, by_day in enumerate(of_line):
            of_line[t] = day_shares(by_day, gone if t == 0 else 0)
    return found


def day_shares(by_day: FloatArray, gone: int) -> FloatArray:
    """(day) the share of a bucket's hours that is worked on each of its days: by its usual hours, and where it has
    none, on its working days. gone: days that are past."""
    days = np.arange(len(by_day))
    there = days >= gone
    for weights in (by_day, there & (days < WORKING_DAYS), there):
        if weights.sum() > 0:
            return weights / weights.sum()
    return np.zeros(len(by_day))


def overtime(state: State, bucket_starts: Sequence[date]) -> tuple[dict[str, FloatArray], dict[str, FloatArray]]:
    """Overtime hours, and the cost of one: line -> (bucket), of the lines that have any."""
    days = _Days(state, bucket_starts)
    lines = {row["line"] for row in days.calendar if row["overtime_hours"] > 0}
    hours: dict[str, FloatArray] = {line: np.zeros(days.count) for line in sorted(lines)}
    each: dict[str, FloatArray] = {line: np.zeros(days.count) for line in sorted(lines)}
    for row in (row for row in days.calendar if row["line"] in lines):
        of_row = days.of_calendar(row)
        hours[row["line"]][of_row] = row["overtime_hours"] * days.spread(row["line"], of_row)
        each[row["line"]][of_row] = row["overtime_cost_per_hour"]
    found, cost = {}, {}
    for line, of_line in hours.items():
        open_hours = np.where(days.is_open[line], of_line, 0.0)
        found[line] = days.in_buckets(line, open_hours)
        cost[line] = days.means(each[line], days.worked(line, open_hours))
    return found, cost


class _Days:
    """The days of the open buckets, and the rows that say something of them.

    lines, calendar: rows of these tables in the order in which they hold. is_open: line -> (day). open_days: line ->
    its working days, where a calendar says them. weekday: (day) 0 is a Monday. share: line -> (day) part of a week's
    hours, times seven. opened: line -> (day) whether a span of nothing but a weekend opens it.
    """

    def __init__(self, state: State, bucket_starts: Sequence[date]) -> None:
        self.per_bucket = state.settings.calendar.bucket_days
        self.count = len(bucket_starts) * self.per_bucket
        self.first = bucket_starts[0].toordinal() if bucket_starts else 0
        self.weekday = (self.first - 1 + np.arange(self.count)) % DAYS_OF_WEEK
        self.gone = min(max(state.today.toordinal() - self.first, 0), self.per_bucket) if bucket_starts else 0
        self.lines = sorted(state.versions("lines").to_pylist(), key=lambda r: r["line"])
        self.is_open: Mapping[str, BoolArray] = {
            line: np.zeros(self.count, dtype=bool) for line in dict.fromkeys(row["line"] for row in self.lines)
        }
        for row in self.lines:
            self.is_open[row["line"]][self.of(span(row["valid_from"], row["valid_to"]))] = True
        rows = (row for row in state.versions("line_calendar").to_pylist() if row["line"] in self.is_open)
        self.calendar = sorted(rows, key=lambda r: (r["line"], r["from"], r["to"]))
        self.is_by_week = self.per_bucket == DAYS_OF_WEEK
        self.opened = {line: np.zeros(self.count, dtype=bool) for line in self.is_open}
        for row in self.calendar:
            own = span(row["from"], row["to"])
            weekday = (own.first - 1) % DAYS_OF_WEEK
            is_weekend = weekday >= WORKING_DAYS and own.after - own.first <= DAYS_OF_WEEK - weekday
            self.opened[row["line"]][self.of_calendar(row)] = is_weekend
        self.open_days = working_days(state, bucket_starts).of_line
        self.share = {line: self._shares(days) for line, days in self.open_days.items()}

    def _shares(self, days: OpenDays) -> FloatArray:
        each = 7.0 / (sum(days.week) or 7)
        return np.array([each if days.on(self.first + i) else 0.0 for i in range(self.count)])

    def spread(self, line: str, days: slice) -> FloatArray | float:
        """What hours per week are on each of these days, times seven: on closed days alone, as if all were open."""
        share = self.share.get(line)
        return 1.0 if share is None or not share[days].any() else share[days]

    def usual(self) -> dict[str, FloatArray]:
        """line -> (day) hours per week."""
        hours = {line: np.zeros(self.count) for line in self.is_open}
        for row in self.lines:
            hours[row["line"]][self.of(span(row["valid_from"], row["valid_to"]))] = row["hours_per_week"]
        for line, share in self.share.items():
            if line in hours:
                hours[line] *= share
        for row in self.calendar:
            of_row = self.of_calendar(row)
            hours[row["line"]][of_row] = row["hours"] * self.spread(row["line"], of_row)
        return {line: np.where(self.is_open[line], of_line, 0.0) for line, of_line in hours.items()}

    def of(self, days: Span) -> slice:
        """Where these days lie among those of the buckets."""
        return slice(*(min(max(day - self.first, 0), self.count) for day in days))

    def of_calendar(self, row: Mapping[str, Any]) -> slice:
        """Those of a span in the calendar, while its row holds."""
        own, holds = span(row["from"], row["to"]), span(row["valid_from"], row["valid_to"])
        first = max(own.first, holds.first)
        return self.of(Span(first, max(min(own.after, holds.after), first)))

    def worked(self, line: str, per_week: FloatArray) -> FloatArray:
        """(day) what a week's hours are on each day, times seven."""
        if line in self.share:
            return per_week
        number = _days_worked(per_week)
        return np.where(self.opened[line], per_week, per_week * (DAYS_OF_WEEK / number) * (self.weekday < number))

    def in_buckets(self, line: str, per_week: FloatArray) -> FloatArray:
        """(bucket) of hours per week by day."""
        raw, by_bucket = (of_day.reshape(-1, self.per_bucket) for of_day in (per_week, self.worked(line, per_week)))
        even = (
            self.is_by_week
            & (raw == raw[:, :1]).all(axis=1)
            & ~self.opened[line].reshape(-1, self.per_bucket).any(axis=1)
        )
        hours = np.where(even, raw[:, 0], by_bucket.sum(axis=1) / 7)
        if self.gone:
            hours[:1] = by_bucket[:1, self.gone :].sum(axis=1) / 7
        return hours

    def means(self, values: FloatArray, weights: FloatArray) -> FloatArray:
        """(bucket) mean of daily values; 0 where no day has a weight."""
        value, weight = (of_day.reshape(-1, self.per_bucket) for of_day in (values, weights))
        low = np.where(weight > 0, value, np.inf).min(axis=1, initial=np.inf)
        high = np.where(weight > 0, value, -np.inf).max(axis=1, initial=-np.inf)
        total = weight.sum(axis=1)
        mean = np.divide((value * weight).sum(axis=1), total, out=np.zeros(len(total)), where=total > 0)
        return np.where(low == high, low, mean)
