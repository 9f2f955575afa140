"""Which version of a master row holds on a day.

Rows of one key with other days of `valid_from` are versions of one thing: they hold one after the other, and nothing
may read two of them as two things. On a day, of the rows of a key that hold then (valid_from <= day < valid_to), the
last to start counts. A row that another one covers for a while holds again after it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from datong.ledger.columns import codes, distinct
from datong.model.flow import IntArray
from datong.model.tables import Table

# In place of the day before which, or after which, nothing ends.
EVER, NEVER = date.min.toordinal(), date.max.toordinal()
# 1970-01-01, from which Arrow and numpy count days.
EPOCH = date(1970, 1, 1).toordinal()


class Span(NamedTuple):
    """Days on which something holds, as numbers of date.toordinal: from `first` to the day before `after`."""

    first: int
    after: int


# Without limits. It is one and the same wherever `span` gives it, so that `is` tells it.
ALWAYS = Span(EVER, NEVER)


def span(valid_from: date | None, valid_to: date | None) -> Span:
    """The days from valid_from (None: always) to the day before valid_to (None: without end)."""
    if valid_from is None and valid_to is None:
        return ALWAYS
    return Span(
        EVER if valid_from is None else valid_from.toordinal(), NEVER if valid_to is None else valid_to.toordinal()
    )


def day_or_none(number: int) -> date | None:
    """The day of a number; None where it is no limit."""
    return None if number in (EVER, NEVER) else date.fromordinal(number)


def one_by_one(spans: Sequence[Span]) -> list[tuple[int, Span]]:
    """The days of each of several spans that lie over one another: (its place, days), by day, no two on one day.

    On each day the last to start counts; of two that start together, the later in order.
    """
    days = sorted({day for own in spans for day in own if own.first < own.after})
    found: list[tuple[int, Span]] = []
    for first, after in pairwise(days):
        holding = [(own.first, i) for i, own in enumerate(spans) if own.first <= first and after <= own.after]
        if not holding:
            continue
        place = max(holding)[1]
        if found and found[-1][0] == place and found[-1][1].after == first:
            found[-1] = (place, Span(found[-1][1].first, after))
        else:
            found.append((place, Span(first, after)))
    return found


def without(own: Span, others: Iterable[Span]) -> list[Span]:
    """The days of a span on which none of the others holds, in order."""
    left = [own]
    for other in others:
        left = [part for part in left for part in _around(part, other)]
    return left


def _around(own: Span, other: Span) -> list[Span]:
    """The days of a span before the other one begins, and those after it has ended."""
    if other.first >= other.after:
        return [own]
    parts = (Span(own.first, min(own.after, other.first)), Span(max(own.first, other.after), own.after))
    return [part for part in parts if part.first < part.after]


@dataclass(frozen=True, eq=False)
class _Pieces:
    """Rows with the days on which they hold, by key and then by day. row: place among the rows; first, after: days."""

    row: IntArray
    key: IntArray
    first: IntArray
    after: IntArray


def versions(table: Table, rows: pa.Table) -> pa.Table:
    """The rows with the days on which each holds in valid_from and valid_to: no two of a key on one day.

    A row that holds again after another one comes twice; one that never holds is left out.
    """
    if not _has_days(rows):
        return rows
    pieces = _pieces(table, rows)
    found = rows.take(pa.array(pieces.row))
    for name, days in (("valid_from", pieces.first), ("valid_to", pieces.after)):
        at = found.schema.get_field_index(name)
        if at >= 0:
            column = pa.array([day_or_none(day) for day in days.tolist()], pa.date32())
            found = found.set_column(at, found.schema.field(at), column)
    return found


def in_force(table: Table, rows: pa.Table, day: date) -> pa.Table:
    """One row of each key, as it stands: the one that holds on the day; where none does, the last that has ended, or
    else the first to come."""
    if not _has_days(rows):
        return rows
    pieces, today = _pieces(table, rows), day.toordinal()
    if len(pieces.row) == rows.num_rows and len(np.unique(pieces.key)) == rows.num_rows:
        return rows
    # By key: held or ended ones by day, so that the last of them counts; before them those to come, latest first.
    came = pieces.first <= today
    order = np.lexsort((np.where(came, pieces.first, -pieces.first), came, pieces.key))
    last = np.append(np.flatnonzero(np.diff(pieces.key[order])), len(order) - 1) if len(order) else order
    return rows.take(pa.array(np.sort(pieces.row[order[last]])))


def _has_days(rows: pa.Table) -> bool:
    return any(
        rows[name].null_count < rows.num_rows for name in ("valid_from", "valid_to") if name in rows.column_names
    )


def _pieces(table: Table, rows: pa.Table) -> _Pieces:
    first = _days(rows, "valid_from", EVER)
    after = _days(rows, "valid_to", NEVER)
    key = np.zeros(rows.num_rows, np.int64)
    for name in table.key:
        code, kinds = codes(rows[name])
        key, _ = distinct(key * max(len(kinds), 1) + code)
    several = np.bincount(key)[key] > 1 if len(key) else np.zeros(0, dtype=bool)
    alone = np.flatnonzero(~several)
    parts = [(alone, key[alone], first[alone], after[alone])]
    of_key: dict[int, list[int]] = {}
    for row in np.flatnonzero(several).tolist():
        of_key.setdefault(int(key[row]), []).append(row)
    for own, places in of_key.items():
        held = one_by_one([Span(int(first[i]), int(after[i])) for i in places])
        parts.append(
            (
                np.array([places[i] for i, _ in held], dtype=np.int64),
                np.full(len(held), own),
                np.array([days.first for _, days in held], dtype=np.int64),
                np.array([days.after for _, days in held], dtype=np.int64),
            )
        )
    row, key, first, after = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.lexsort((first, key))
    return _Pieces(row[order], key[order], first[order], after[order])


def _days(rows: pa.Table, name: str, missing: int) -> IntArray:
    if name not in rows.column_names:
        return np.full(rows.num_rows, missing, dtype=np.int64)
    days = rows[name].cast(pa.int32()).fill_null(missing - EPOCH).to_numpy()
    return days.astype(np.int64) + EPOCH
