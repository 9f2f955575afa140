"""Which row is it, and since when is it known? The rules of docs/architecture.md, "Events", as pure functions.

A row is one version of a fact. Versions of the same fact share a row id; the latest version known at a moment counts.
A master row that gives another `valid_from` starts a further chain of versions of the same fact.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from datong.model.calendar import Calendar
from datong.model.flow import BoolArray
from datong.model.settings import ChainSettings
from datong.model.tables import Table

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

    Equal rows of one source are different facts (equal lines of an order are real); equal rows of two sources are one.
    """
    return f"{table.name}:#{content_hash >> 64:016x}.{occurrence}"


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
) -> pa.ChunkedArray:
    """known_at of events (moments in UTC), filled where it is missing. date_only: (row,) happened_at was a date alone.

    Declared history: when it happened; an event that only gives its day is known when that local day is over, but on
    the `opening` day when it begins. Live: when it arrived.
    """
    if settings.history == "live":
        return known_at.fill_null(pa.scalar(arrived_at, known_at.type))
    moments = happened_at.to_numpy().astype("M8[us]")
    days, at = np.unique(moments[date_only], return_inverse=True)
    starts = [day.item().replace(tzinfo=UTC) for day in days]
    known = [
        day if settings.calendar.local_date(day) == opening else end_of_local_day(day, settings.calendar)
        for day in starts
    ]
    moments[date_only] = np.array([moment.replace(tzinfo=None) for moment in known], dtype="M8[us]")[at]
    given = known_at.to_numpy().astype("M8[us]")
    filled = np.where(np.isnat(given), moments, given)
    return pa.chunked_array([pa.array(filled).cast(known_at.type)])


def end_of_local_day(moment: datetime, calendar: Calendar) -> datetime:
    """The local midnight after a moment, in UTC."""
    return calendar.midnight(calendar.local_date(moment) + timedelta(days=1))
