"""Moments that a clock which ran ahead wrote into a ledger: which there are, and how they are put back.

A moment is put back where this program's own clock gave it: when rows came in, when they became known by that, when
orders were given out, when a run was made. What a source itself says of a later time is left: it waits for it.
Moments keep their order: the last becomes now, each other a microsecond before the one after it.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from datong.ledger.protocol import Ahead
from datong.model.tables import tables
from datong.store.migrations import chain_table, quoted
from datong.store.take_in_sql import moment_sql

Rows = Callable[..., list[tuple[Any, ...]]]
Run = Callable[..., None]
# Of each repair, which row said what before: see _put_back in migrations.py.
_NOTE = (
    'INSERT INTO put_back (repair, "at", "by", "table", row_id, version, "column", recorded, became)'
    " SELECT {repair}, {at}, ?, {name}, {row_id}, {version}, {column}, {value}, back.became"
    " FROM {table} JOIN back ON back.recorded = {value} WHERE {where}"
)


class _Column(NamedTuple):
    """A column of moments: its SQL table and name, and which rows of it this program's clock gave."""

    name: str
    table: str
    column: str
    where: str
    row_id: str = "NULL"
    version: str = "NULL"


def _columns(now: datetime, branch_tables: Sequence[str]) -> list[_Column]:
    """Columns of chain tables come first: which of their rows count is told by when they came in."""
    late = f"> {moment_sql(now)}"
    found = []
    for table in tables().values():
        rows = chain_table(table)
        arrived = f"(SELECT max(arrived_at) FROM ingests WHERE ingest = {rows}._ingest)"
        own = {"row_id": "row_id", "version": "_version"}
        mine = f"(known_at <= {arrived} OR _known_at_assumed)"
        found.append(_Column(table.name, rows, "known_at", f"known_at {late} AND {mine}", **own))
        if table.name == "order_events":
            mine = f"happened_at <= {arrived}"
            found.append(_Column(table.name, rows, "happened_at", f"happened_at {late} AND {mine}", **own))
    for name in branch_tables:
        rows = f"branch.{quoted(name)}"
        found.append(_Column(name, rows, "known_at", f"known_at {late}", "row_id", "_version"))
    others = {
        "ingests": ("arrived_at",),
        "branch_ingests": ("arrived_at",),
        "quarantine": ("arrived_at",),
        "branch_quarantine": ("arrived_at",),
        "writes": ("at", "acted_at"),
        "runs": ("as_of",),
        "branches": ("moment", "made_at"),
        "deliveries": ("noted_at",),
    }
    for table, columns in others.items():
        found += [_Column(table, table, column, f"{quoted(column)} {late}") for column in columns]
    return found


def ahead(rows: Rows, now: datetime, branch_tables: Sequence[str]) -> tuple[Ahead, ...]:
    """What would be put back to a moment, by table and column."""
    found = []
    for column in _columns(now, branch_tables):
        value = quoted(column.column)
        ((count, first, last),) = rows(
            f"SELECT count(*), min({value}), max({value}) FROM {column.table} WHERE {column.where}"
        )
        if count:
            found.append(Ahead(column.name, column.column, count, first, last))
    return tuple(found)


def put_back(rows: Rows, run: Run, now: datetime, by: str, branch_tables: Sequence[str]) -> int:
    """Put back what is ahead of a moment, in the transaction that goes on. Returns how many moments of rows."""
    columns = _columns(now, branch_tables)
    every = " UNION ALL ".join(f"SELECT {quoted(c.column)} AS m FROM {c.table} WHERE {c.where}" for c in columns)
    before = " UNION ALL ".join(
        f"SELECT max({quoted(c.column)}) AS m FROM {c.table} WHERE {quoted(c.column)} <= {moment_sql(now)}"
        for c in columns
    )
    run(f"CREATE OR REPLACE TEMP TABLE ahead AS SELECT DISTINCT m AS recorded FROM ({every})")
    run(
        "CREATE OR REPLACE TEMP TABLE back AS SELECT recorded, greatest("
        f" {moment_sql(now)} - to_microseconds((SELECT count(*) FROM ahead)), (SELECT max(m) FROM ({before})))"
        " + to_microseconds(row_number() OVER (ORDER BY recorded)) AS became FROM ahead"
    )
    ((repair,),) = rows("SELECT coalesce(max(repair), 0) + 1 FROM put_back")
    for c in columns:
        run(
            _NOTE.format(
                repair=repair,
                at=moment_sql(now),
                name=f"'{c.name}'",
                row_id=c.row_id,
                version=c.version,
                column=f"'{c.column}'",
                value=f"{c.table}.{quoted(c.column)}",
                table=c.table,
                where=c.where,
            ),
            [by],
        )
    for c in columns:  # those that came in last: by their moments the others are known
        run(
            f"UPDATE {c.table} SET {quoted(c.column)} = back.became FROM back"
            f" WHERE {c.table}.{quoted(c.column)} = back.recorded AND {c.where}"
        )
    run("DROP TABLE temp.back")
    run("DROP TABLE temp.ahead")
    ((count,),) = rows("SELECT count(*) FROM put_back WHERE repair = ?", [repair])
    return count
