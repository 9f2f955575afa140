"""Hours that lines can work, day by day: of a line that is open, and where a span of the calendar says otherwise.

A week's hours are spread evenly over its days. A line has none before its valid_from and from its valid_to on; in a
bucket in which it opens, ends, or changes its hours it has those of each day. Of spans of the calendar that overlap,
the one that starts last holds. Of a bucket that has begun, only the days that are left count.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import numpy as np

from datong.ledger.state import State
from datong.ledger.versions import Span, span
from datong.model.flow import BoolArray, FloatArray


def line_hours(state: State, bucket_starts: Sequence[date]) -> dict[str, FloatArray]:
    """line -> (bucket) hours, of every line that the chain has, has had or will have."""
    days = _Days(state, bucket_starts)
    return {line: days.in_buckets(per_week) for line, per_week in days.usual().items()}


def hours_by_day(state: State, bucket_starts: Sequence[date]) -> dict[str, FloatArray]:
    """line -> (bucket, day) usual hours of each day; of one that is gone 0."""
    days = _Days(state, bucket_starts)
    found = {}
    for line, per_week in days.usual().items():
        found[line] = per_week.reshape(-1, days.per_bucket) / 7
        found[line][:1, : days.gone] = 0.0
    return found


def overtime(state: State, bucket_starts: Sequence[date]) -> tuple[dict[str, FloatArray], dict[str, FloatArray]]:
    """Overtime hours, and the cost of one: line -> (bucket), of the lines that have any."""
    days = _Days(state, bucket_starts)
    lines = {row["line"] for row in days.calendar if row["overtime_hours"] > 0}
    hours: dict[str, FloatArray] = {line: np.zeros(days.count) for line in sorted(lines)}
    each: dict[str, FloatArray] = {line: np.zeros(days.count) for line in sorted(lines)}
    for row in (row for row in days.calendar if row["line"] in lines):
        of_row = days.of_calendar(row)
        hours[row["line"]][of_row] = row["overtime_hours"]
        each[row["line"]][of_row] = row["overtime_cost_per_hour"]
    found, cost = {}, {}
    for line, of_line in hours.items():
        open_hours = np.where(days.is_open[line], of_line, 0.0)
        found[line] = days.in_buckets(open_hours)
        cost[line] = days.means(each[line], open_hours)
    return found, cost


class _Days:
    """The days of the open buckets, and the rows that say something of them.

    lines, calendar: rows of these tables in the order in which they hold. is_open: line -> (day).
    """

    def __init__(self, state: State, bucket_starts: Sequence[date]) -> None:
        self.per_bucket = state.settings.calendar.bucket_days
        self.count = len(bucket_starts) * self.per_bucket
        self.first = bucket_starts[0].toordinal() if bucket_starts else 0
        self.gone = min(max(state.today.toordinal() - self.first, 0), self.per_bucket) if bucket_starts else 0
        self.lines = sorted(state.versions("lines").to_pylist(), key=lambda r: r["line"])
        self.is_open: Mapping[str, BoolArray] = {
            line: np.zeros(self.count, dtype=bool) for line in dict.fromkeys(row["line"] for row in self.lines)
        }
        for row in self.lines:
            self.is_open[row["line"]][self.of(span(row["valid_from"], row["valid_to"]))] = True
        rows = (row for row in state.versions("line_calendar").to_pylist() if row["line"] in self.is_open)
        self.calendar = sorted(rows, key=lambda r: (r["line"], r["from"], r["to"]))

    def usual(self) -> dict[str, FloatArray]:
        """line -> (day) hours per week."""
        hours = {line: np.zeros(self.count) for line in self.is_open}
        for row in self.lines:
            hours[row["line"]][self.of(span(row["valid_from"], row["valid_to"]))] = row["hours_per_week"]
        for row in self.calendar:
            hours[row["line"]][self.of_calendar(row)] = row["hours"]
        return {line: np.where(self.is_open[line], of_line, 0.0) for line, of_line in hours.items()}

    def of(self, days: Span) -> slice:
        """Where these days lie among those of the buckets."""
        return slice(*(min(max(day - self.first, 0), self.count) for day in days))

    def of_calendar(self, row: Mapping[str, Any]) -> slice:
        """Those of a span in the calendar, while its row holds."""
        own, holds = span(row["from"], row["to"]), span(row["valid_from"], row["valid_to"])
        first = max(own.first, holds.first)
        return self.of(Span(first, max(min(own.after, holds.after), first)))

    def in_buckets(self, per_week: FloatArray) -> FloatArray:
        """(bucket) of hours per week by day."""
        by_bucket = per_week.reshape(-1, self.per_bucket)
        even = (by_bucket == by_bucket[:, :1]).all(axis=1)
        hours = np.where(even, by_bucket[:, 0] * (self.per_bucket / 7), by_bucket.sum(axis=1) / 7)
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
