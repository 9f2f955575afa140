"""Columns of a state as arrays: codes of texts, moments and local days as numbers."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datong.model.flow import FloatArray, IntArray

if TYPE_CHECKING:
    from datong.ledger.state import State

# Rows that are Python objects at a time.
ROWS_AT_ONCE = 10_000


def codes(column: pa.ChunkedArray) -> tuple[IntArray, list[str]]:
    """(row) position of its text in the list of those there are."""
    encoded = column.combine_chunks().dictionary_encode("encode")
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    return encoded.indices.to_numpy().astype(np.int64), encoded.dictionary.to_pylist()


def pairs(one: pa.ChunkedArray, other: pa.ChunkedArray) -> tuple[IntArray, list[tuple[str, str]]]:
    """(row) position of its two texts in the list of those there are, in order of their first appearance."""
    (first, firsts), (second, seconds) = codes(one), codes(other)
    position, kinds = distinct(first * max(len(seconds), 1) + second)
    return position, [(firsts[k // len(seconds)], seconds[k % len(seconds)]) for k in kinds.tolist()]


def tuples(rows: pa.Table, *names: str) -> Iterator[tuple[Any, ...]]:
    """The rows as tuples of these columns, some at a time: of a large table `to_pylist` takes many times its memory."""
    for batch in rows.select(list(names)).to_batches(max_chunksize=ROWS_AT_ONCE):
        yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)


def microseconds(rows: pa.Table) -> IntArray:
    """(row) happened_at in microseconds since 1970."""
    return rows["happened_at"].cast(pa.int64()).to_numpy()


def local_days(rows: pa.Table, state: "State") -> IntArray:
    """(row) the chain's calendar day of happened_at, in days since 1970-01-01."""
    return days_in_zone(rows["happened_at"], state.settings.time_zone).to_numpy().astype(np.int64)


def days_in_zone(moments: pa.ChunkedArray, zone: str) -> pa.ChunkedArray:
    """(row) the calendar day of a moment in a zone, in days since 1970-01-01; null where there is no moment."""
    local = pc.local_timestamp(moments.cast(pa.timestamp("us", tz=zone)))
    return local.cast(pa.date32(), safe=False).cast(pa.int32())


def distinct(values: IntArray) -> tuple[IntArray, IntArray]:
    """(value) its position among the distinct ones in order of their first appearance, and the distinct ones."""
    kinds, first, at = np.unique(values, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty(len(kinds), np.int64)
    rank[order] = np.arange(len(kinds))
    return rank[at], kinds[order]


def grouped(group: IntArray, count: int) -> tuple[IntArray, IntArray]:
    """Members in order of their group, and where in them each group starts (count + 1)."""
    order = np.argsort(group, kind="stable")
    return order, np.searchsorted(group[order], np.arange(count + 1))


def before_in_group(group: IntArray, values: FloatArray) -> FloatArray:
    """(row) sum of the values of earlier rows of its group; the rows of a group lie together."""
    if not len(group):
        return np.zeros(0)
    before = np.cumsum(values) - values
    starts = np.flatnonzero(np.diff(group, prepend=group[0] - 1))
    return before - np.repeat(before[starts], np.diff(np.append(starts, len(group))))


def day_number(day: date) -> int:
    """Days since 1970-01-01."""
    return (day - date(1970, 1, 1)).days


def as_day(number: int) -> date:
    """The day that is so many days after 1970-01-01."""
    return date(1970, 1, 1) + timedelta(days=int(number))
