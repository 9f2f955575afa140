"""Where each row of `orders` stands, worked out anew only for those of which something changed since it was last asked:
a hand edit touches one order of a hundred thousand.
"""

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datong.ledger.standings import OPEN_STATES, READ_FOR_STANDINGS, only_orders
from datong.ledger.standings_by_column import stands_by_row
from datong.ledger.state import State

# By order. said: the counterparty that its last event with one names. origin: as ORDERS_NOW.
STANDS = pa.schema(
    [
        ("order", pa.string()),
        ("state", pa.string()),
        ("good_units", pa.float64()),
        ("to_come_units", pa.float64()),
        ("said", pa.string()),
        ("origin", pa.string()),
    ]
)
# So few rows are compared cell by cell; more by halves, since most of them are the same.
_FEW = 64
# The place of a row that is not there; no place is next to it.
_NOWHERE = -2


@dataclass(frozen=True, eq=False)
class Stands:
    """rows: in STANDS, in the order of the table `orders`. tables: of the state that they were worked out of. changed:
    numbers of the orders of which something is other than it was before; None: of any."""

    rows: pa.Table
    tables: Mapping[str, pa.Table]
    changed: pa.Array | None


def where_orders_stand(state: State, before: Stands | None) -> Stands:
    """before: as it was asked last; None: it never was."""
    tables = {name: state.table(name) for name in READ_FOR_STANDINGS}
    changed = None if before is None else changed_orders(before.tables, tables)
    if before is None or changed is None:
        return Stands(stands_of(state), tables, None)
    if not len(changed):
        return Stands(before.rows, tables, changed)
    kept = before.rows.filter(pc.invert(pc.is_in(before.rows["order"], changed)))
    every = pa.concat_tables([kept, stands_of(only_orders(state, changed))]).combine_chunks()
    found = every.take(pc.index_in(tables["orders"]["order"], every["order"].combine_chunks()))
    return Stands(found, tables, changed)


def changed_orders(before: Mapping[str, pa.Table], after: Mapping[str, pa.Table]) -> pa.Array | None:
    """Numbers of the orders of which a row came, went or changed; None: that cannot be told."""
    found = []
    for name in READ_FOR_STANDINGS:
        old, new = before[name], after[name]
        if old is new:
            continue
        if _has_versions(old) or _has_versions(new):
            return None
        begin, end = _common(old, new)
        parts = [rows.slice(begin, rows.num_rows - begin - end) for rows in (old, new)]
        found += [_unlike(*parts), _unlike(*reversed(parts))]
    return pc.unique(pa.concat_arrays(found)) if found else pa.array([], pa.string())


def _has_versions(rows: pa.Table) -> bool:
    """Whether a fact has more than one row: they stand together."""
    ids = rows["row_id"].combine_chunks()
    return len(ids) > 1 and pc.any(pc.equal(ids[1:], ids[:-1])).as_py()


def _common(one: pa.Table, other: pa.Table) -> tuple[int, int]:
    """How many rows two tables have in common from the first on, and up to the last. Found by halves."""
    few = min(one.num_rows, other.num_rows)

    def is_unlike_before(count: int) -> bool:
        return not one.slice(0, count).equals(other.slice(0, count))

    begin = bisect_left(range(1, few + 1), True, key=is_unlike_before)

    def is_unlike_after(count: int) -> bool:
        return not one.slice(one.num_rows - count).equals(other.slice(other.num_rows - count))

    return begin, bisect_left(range(1, few - begin + 1), True, key=is_unlike_after)


def _unlike(rows: pa.Table, others: pa.Table) -> pa.Array:
    """Orders of the rows that are not the same among the others. Long stretches of both are compared as they lie."""
    at = pc.fill_null(pc.index_in(rows["row_id"], others["row_id"].combine_chunks()), _NOWHERE).to_numpy()
    ends = [*np.flatnonzero(np.diff(at) != 1) + 1, rows.num_rows]
    found, begin = [], 0
    for end in ends:
        part, there = rows.slice(begin, end - begin), 0 if begin == end else at[begin]
        found += [part["order"]] if there == _NOWHERE else _differing(part, others.slice(there, end - begin))
        begin = end
    every = [chunk for column in found for chunk in column.chunks]
    return pa.chunked_array(every, pa.string()).combine_chunks().drop_null()


def _differing(rows: pa.Table, others: pa.Table) -> list[pa.ChunkedArray]:
    """Orders of the rows that are not as those beside them."""
    count = rows.num_rows
    if rows.equals(others):
        return []
    if count > _FEW:
        half = count // 2
        return [
            *_differing(rows.slice(0, half), others.slice(0, half)),
            *_differing(rows.slice(half), others.slice(half)),
        ]
    same = pa.array(np.ones(count, dtype=bool))
    for name in rows.column_names:
        both_null = pc.and_(pc.is_null(rows[name]), pc.is_null(others[name]))
        same = pc.and_(same, pc.or_(both_null, pc.fill_null(pc.equal(rows[name], others[name]), False)))
    return [rows["order"].filter(pc.invert(same))]


def stands_of(state: State) -> pa.Table:
    """In STANDS, worked out of every row of a state."""
    orders, found = state.table("orders"), stands_by_row(state)
    will_bring = pc.is_in(found.state, pa.array(["proposed", *sorted(OPEN_STATES)]))
    left = np.maximum(0.0, orders["units"].to_numpy() - found.good_units - found.scrap_units)
    locked = pc.fill_null(orders["locked"], False).combine_chunks()
    columns = {
        "order": orders["order"],
        "state": found.state,
        "good_units": found.good_units,
        "to_come_units": pc.if_else(will_bring, pa.array(left), 0.0),
        "said": found.said,
        "origin": pc.if_else(pc.and_(pc.equal(found.state, "proposed"), locked), "edit", "out"),
    }
    return pa.table(columns, STANDS)
