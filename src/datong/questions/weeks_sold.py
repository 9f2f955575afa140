"""Demand by week, as findings are shown: the last year that is known, and what is expected.

Buckets are joined to weeks back from the last closed one, and on from the first open one.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datong.ledger.columns import day_number
from datong.model.flow import FloatArray, IntArray, Item, SeriesSet, Subject
from datong.sense.weeks_looked_at import WEEK_DAYS, WEEKS_MAX


@dataclass(frozen=True, eq=False)
class WeeksSold:
    """items: in the order of the arrays. starts, ahead_starts: first day of each week, closed and open. units: (item,
    week) demand, NaN where unknown. sold: (item, week) units as recorded. ahead: (item, open week) expected units, NaN
    where there is no forecast. category: (item) '' where not given."""

    items: tuple[Item, ...]
    starts: tuple[date, ...]
    ahead_starts: tuple[date, ...]
    units: FloatArray
    sold: FloatArray
    ahead: FloatArray
    category: tuple[str, ...]

    @property
    def end(self) -> int:
        """The day after the last closed week, in days since 1970-01-01."""
        return day_number(self.starts[-1]) + WEEK_DAYS

    @cached_property
    def _of_product(self) -> Mapping[str, Sequence[int]]:
        found: dict[str, list[int]] = defaultdict(list)
        for i, item in enumerate(self.items):
            found[item.product].append(i)
        return found

    @cached_property
    def _of_category(self) -> Mapping[str, Sequence[int]]:
        found: dict[str, list[int]] = defaultdict(list)
        for i, category in enumerate(self.category):
            found[category].append(i)
        return found

    def of(self, subject: Subject) -> list[int]:
        """Positions of the items that a finding is about."""
        if subject.kind == "chain":
            return list(range(len(self.items)))
        if subject.kind == "category":
            return list(self._of_category.get(subject.name, ()))
        own = self._of_product.get(subject.name, ()) if subject.kind == "product" else ()
        return [i for i in own if subject.market in ("all", self.items[i].market)]

    def by_week(self, day: IntArray, values: FloatArray) -> FloatArray:
        """(closed week) sum of (row) values. day: (row) local day, in days since 1970-01-01."""
        week = (day - day_number(self.starts[0])) // WEEK_DAYS
        inside = (week >= 0) & (week < len(self.starts))
        return np.asarray(np.bincount(week[inside], values[inside], len(self.starts)), np.float64)

    def span(self, first: date, last: date) -> tuple[int, int]:
        """Positions of the weeks that hold two days, open weeks after closed ones; those outside are cut off."""
        days = np.array([day_number(start) for start in (*self.starts, *self.ahead_starts)])
        ends = np.searchsorted(days, [day_number(first), day_number(last)], side="right") - 1
        return max(int(ends[0]), 0), max(int(ends[1]), 0)


def weeks_of_run(
    tables: Mapping[str, pa.Table], bucket_days: int, categories: Mapping[str, str | None]
) -> WeeksSold | None:
    """From a run's tables `series` and `forecast`, which hold every bucket of an item, item by item. categories: of
    products. None where no whole week is closed."""
    series, per = tables["series"], WEEK_DAYS // bucket_days
    items, starts = _axes(series)
    weeks = min(len(starts) // per, WEEKS_MAX)
    if not weeks:
        return None
    units, sold = (_matrix(series, name, items) for name in ("units", "sold_units"))
    ahead_starts, ahead = _ahead(tables["forecast"], items, per)
    return WeeksSold(
        items,
        tuple(starts[-weeks * per :: per]),
        ahead_starts,
        _joined(units[:, -weeks * per :], per),
        _joined(sold[:, -weeks * per :], per),
        ahead,
        tuple(categories.get(item.product) or "" for item in items),
    )


def weeks_of_series(series: SeriesSet, bucket_days: int) -> WeeksSold | None:
    """As `weeks_of_run`, of what `sense` gives: without what is expected."""
    per = WEEK_DAYS // bucket_days
    weeks = min(len(series.bucket_starts) // per, WEEKS_MAX)
    if not weeks or not series.items:
        return None
    starts = series.bucket_starts[-weeks * per :: per]
    units, sold = (_joined(values[:, -weeks * per :], per) for values in (series.units, series.sold_units))
    return WeeksSold(series.items, starts, (), units, sold, np.zeros((len(series.items), 0)), series.category)


def _joined(values: FloatArray, per: int) -> FloatArray:
    """(item, bucket) to (item, week), each of `per` buckets."""
    return values.reshape(len(values), -1, per).sum(axis=2)


def _axes(table: pa.Table) -> tuple[tuple[Item, ...], list[date]]:
    """Items and buckets of a table with a row for each bucket of an item, item by item."""
    starts = pc.unique(table["bucket"]).to_pylist()
    firsts = table.select(["product", "market"]).take(np.arange(0, table.num_rows, max(len(starts), 1)))
    return tuple(map(Item, firsts["product"].to_pylist(), firsts["market"].to_pylist())), starts


def _matrix(table: pa.Table, column: str, items: Sequence[Item]) -> FloatArray:
    values = table[column].to_numpy(zero_copy_only=False)
    return np.asarray(values, np.float64).reshape(len(items), -1)


def _ahead(forecast: pa.Table, items: Sequence[Item], per: int) -> tuple[tuple[date, ...], FloatArray]:
    """First days of the open weeks, and (item, week) expected units."""
    own, starts = _axes(forecast)
    weeks = len(starts) // per
    units = _joined(_matrix(forecast, "mean_units", own)[:, : weeks * per], per) if own else np.zeros((0, weeks))
    place = {item: i for i, item in enumerate(own)}
    unknown = np.full(weeks, np.nan)
    found = [units[place[item]] if item in place else unknown for item in items]
    return tuple(starts[: weeks * per : per]), np.array(found).reshape(len(items), weeks)
