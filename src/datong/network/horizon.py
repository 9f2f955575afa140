"""The days that a plan looks at, and the versions of a row that hold on them."""

import math
from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa

from datong.ledger.state import State
from datong.ledger.versions import ALWAYS, Span, day_or_none, span
from datong.model.flow import IntArray
from datong.model.tables import tables
from datong.network.places import unlike

# A row of a table as it comes from Arrow.
Row = dict[str, Any]


# 1970-01-01, from which arrays count their days: its number in date.toordinal, and its weekday (Monday is 0).
EPOCH, EPOCH_WEEKDAY = date(1970, 1, 1).toordinal(), date(1970, 1, 1).weekday()


def day_numbers(days: Sequence[date | None], missing: date = date.min) -> IntArray:
    """Days since 1970-01-01."""
    least = missing.toordinal()
    return np.array([least if d is None else d.toordinal() for d in days], dtype=np.int64) - EPOCH


def valid_on(day: date, valid_from: date | None, valid_to: date | None) -> bool:
    return (valid_from is None or valid_from <= day) and (valid_to is None or day < valid_to)


def or_default(value: float | None, default: float) -> float:
    return default if value is None or math.isnan(value) else float(value)


@dataclass(frozen=True)
class Horizon:
    """The days that a plan looks at: those of the open buckets, from today on.

    Within a bucket the rule is: what is valid on its first day is so in all of it. In the bucket that has begun that
    day is today: what begins or ends in it up to today has done so on its first day, `start`.
    """

    days: Span
    start: int

    @classmethod
    def of(cls, state: State, bucket_starts: Sequence[date]) -> "Horizon":
        today = state.today.toordinal()
        if not bucket_starts:
            return cls(Span(today, today + 1), today)
        start = bucket_starts[0].toordinal()
        end = state.settings.calendar.shift(bucket_starts[-1], 1).toordinal()
        return cls(Span(max(today, start), end), start)

    def held(self, key: str, rows: Sequence[Row], taken: Container[str]) -> list[Row]:
        """The versions of one row that hold on any of the days; where none does, the last that has ended, or else the
        first to come. rows: by day, no two on one day, fresh from their table. They get a `name`: the first of them is
        called by the key, each other one by its day too.
        """
        spans = [span(row["valid_from"], row["valid_to"]) for row in rows]
        if len(spans) == 1 and spans[0] is ALWAYS:
            rows[0]["name"] = key
            return [rows[0]]
        inside = [i for i, own in enumerate(spans) if own.first < self.days.after and self.days.first < own.after]
        ended = max((i for i, own in enumerate(spans) if own.after <= self.days.first), default=0)
        found = []
        for i in inside or [ended]:
            name = key if not found else unlike(f"{key} ({rows[i]['valid_from']})", taken)
            first, after = (self._limit(day) for day in spans[i])
            found.append({**rows[i], "name": name, "valid_from": first, "valid_to": after})
        return found

    def _limit(self, day: int) -> date | None:
        return day_or_none(self.start if self.start < day <= self.days.first else day)


def versions_in(state: State, table: str, horizon: Horizon) -> list[Row]:
    """The versions in the horizon of all rows of a table, each with its `name` (`Horizon.held`)."""
    (key,) = tables()[table].key
    return held_rows(state.versions(table).to_pylist(), key, horizon)


def held_rows(rows: Iterable[Row], key: str, horizon: Horizon) -> list[Row]:
    of_key: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        of_key[row[key]].append(row)
    return [row for name, own in of_key.items() for row in horizon.held(name, own, of_key)]


def rows_of(table: pa.Table, columns: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    """Rows as tuples of these columns."""
    return zip(*(table[name].to_pylist() for name in columns), strict=True)
