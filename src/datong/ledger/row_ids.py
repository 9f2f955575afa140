"""Which row is it, and since when is it known? The rules of docs/architecture.md, "Events", as pure functions.

A row is one version of a fact. Versions of the same fact share a row id; the latest version known at a moment counts.
A master row that gives another `valid_from` starts a further chain of versions of the same fact.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from datong.ledger.cells import database
from datong.model.calendar import Calendar
from datong.model.flow import BoolArray
from datong.model.settings import ChainSettings
from datong.model.tables import ACTED_AT, Column, Table

# known_at of master rows that a declared history does not date: before everything else.
SINCE_EVER = datetime(1970, 1, 1, tzinfo=UTC)


def keyed_row_id(table: Table, row: Mapping[str, Any]) -> str | None:
    """The id of a row by its own key columns; None where they are all empty.

    Parts of a composite key are joined with '|'; a '|' or '\\' within a part is escaped with '\\'. What tells rows of
    one key apart (`Table.finer`) is a part where it is filled.
    """
    parts = [_key_text(row.get(name)) for name in table.key]
    if not any(parts):
        return None
    parts += [text for name in table.finer if (text := _key_text(row.get(name)))]
    if len(parts) > 1:
        parts = [part.replace("\\", "\\\\").replace("|", "\\|") for part in parts]
    return f"{table.name}:{'|'.join(parts)}"


def unkeyed_row_id(table: Table, content_hash: int, occurrence: int) -> str:
    """The id of a row without a key: 16 hex digits of its content's 128 bits, and its number among equal rows, from 1.

    Equal rows of one source are different facts (equal lines of an order are real); equal rows of two sources are one,
    unless they name different customers.
    """
    return f"{table.name}:#{content_hash >> 64:016x}.{occurrence}"


def identities(table: Table, rows: pa.Table) -> pa.Table:
    """Which fact each row is, and what it says: columns that depend on the row alone, in the order of the rows.

    rows: columns of the table, each in `arrow_type`; those that are missing are null. `row_id` text: `keyed_row_id`, or
    of a row without a key `unkeyed_row_id` without its number ('.1'), which depends on the rows beside it. `_keyed`
    bool: the row has a key. `_content_high`, `_content_low` uint64: a hash of 128 bits of all columns but known_at,
    acted_at and who bought.
    """
    given = [column for column in table.columns.values() if column.name in rows.column_names]
    key = {name: _sql_key_text(table.columns[name]) for name in (*table.key, *table.finer) if name in rows.column_names}
    has_key = " OR ".join(f"{key[name]} <> ''" for name in table.key if name in key) or "false"
    unkeyed = f"'{table.name}:#' || printf('%016x', (content >> 64)::UBIGINT)"
    with database().cursor() as connection:
        connection.register("given", rows.select([column.name for column in given]))
        return connection.sql(
            f"SELECT CASE WHEN keyed THEN {_sql_row_id(table, key)} ELSE {unkeyed} END AS row_id, keyed AS _keyed,"
            " (content >> 64)::UBIGINT AS _content_high,"
            " (content & 18446744073709551615)::UBIGINT AS _content_low"
            f" FROM (SELECT *, {has_key} AS keyed, {_sql_content(given)} AS content FROM given)"
        ).to_arrow_table()


def _sql_content(given: Sequence[Column]) -> str:
    """128-bit hash of all columns but known_at, acted_at and who bought. Nulls leave no trace, so a later column does
    not change old hashes. A hash of a customer could be held against a name, and would change with the key that is
    destroyed.

    Texts carry their length, so that no text can pass for the next column. One call of concat for the whole row is a
    third quicker than one for each part.
    """
    left_out = ("known_at", ACTED_AT)
    hashed = [column for column in given if column.name not in left_out and column.personal != "customer"]
    if hashed and hashed[0].required:  # it is always there and needs nothing before it
        parts = [_sql_content_part(hashed[0], ""), *(_sql_content_part(c) for c in hashed[1:])]
        return f"md5_number(concat({', '.join(parts)}))"
    return f"md5_number(substr(concat('', {', '.join(_sql_content_part(c) for c in hashed)}), 2))"


def _sql_content_part(column: Column, separator: str = "chr(31) || ") -> str:
    name = f'"{column.name}"'
    match column.type:
        case "text":
            value = f"strlen({name}), ':', {name}"
        case "moment":
            value = f"epoch_us({name})"
        case "number":
            value = f"{name} + 0"  # + 0: minus zero is zero
        case _:
            value = f"{name}::VARCHAR"
    return f"CASE WHEN {name} IS NOT NULL THEN concat({separator}'{column.name}:', {value}) END"


def _sql_row_id(table: Table, key: Mapping[str, str]) -> str:
    """SQL of keyed_row_id, for rows that have a key. key: SQL of the text of each key column that the rows have."""
    parts, finer = ([key.get(name, "''") for name in names] for names in (table.key, table.finer))
    if len(parts) + len(finer) > 1:
        parts, finer = ([rf"replace(replace({p}, '\', '\\'), '|', '\|')" for p in some] for some in (parts, finer))
    filled = "".join(f" || CASE WHEN {part} <> '' THEN '|' || {part} ELSE '' END" for part in finer)
    return f"'{table.name}:' || " + " || '|' || ".join(parts) + filled


def _sql_key_text(column: Column) -> str:
    name = f'"{column.name}"'
    match column.type:
        case "text":
            return f"coalesce({name}, '')"
        case "moment":
            return f"coalesce(replace(strftime({name}, '%Y-%m-%dT%H:%M:%S.%fZ'), '.000000Z', 'Z'), '')"
        case _:
            return f"coalesce({name}::VARCHAR, '')"


def _key_text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ").replace(".000000Z", "Z")
    return value.isoformat() if isinstance(value, date) else str(value)


def event_known_at(
    happened_at: pa.ChunkedArray,
    known_at: pa.ChunkedArray,
    date_only: BoolArray,
    settings: ChainSettings,
    arrived_at: datetime,
    opening: date | None = None,
    now: datetime | None = None,
) -> pa.ChunkedArray:
    """known_at of events (moments in UTC), filled where it is missing. date_only: (row,) happened_at was a date alone.

    Declared history: when it happened; an event that only gives its day is known when that local day is over, but on
    the `opening` day when it begins, and on a day that is not over by the clock of the world (`now`; None: not asked)
    it is known now. Live: when it arrived.
    """
    if settings.history == "live":
        return known_at.fill_null(pa.scalar(arrived_at, known_at.type))
    moments = happened_at.to_numpy().astype("M8[us]")
    days, at = np.unique(moments[date_only], return_inverse=True)
    starts = [day.item().replace(tzinfo=UTC) for day in days]
    known = [_known_of_day(day, settings.calendar, opening, now) for day in starts]
    moments[date_only] = np.array([moment.replace(tzinfo=None) for moment in known], dtype="M8[us]")[at]
    given = known_at.to_numpy().astype("M8[us]")
    filled = np.where(np.isnat(given), moments, given)
    return pa.chunked_array([pa.array(filled).cast(known_at.type)])


def _known_of_day(day: datetime, calendar: Calendar, opening: date | None, now: datetime | None) -> datetime:
    """When an event of declared history is known that only gives its day; day: its local midnight."""
    if calendar.local_date(day) == opening:
        return day
    end = end_of_local_day(day, calendar)
    return now if now is not None and day <= now < end else end


def end_of_local_day(moment: datetime, calendar: Calendar) -> datetime:
    """The local midnight after a moment, in UTC."""
    return calendar.midnight(calendar.local_date(moment) + timedelta(days=1))
