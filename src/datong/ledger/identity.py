"""Which row is it, and since when is it known? The rules of docs/architecture.md, "Events", as pure functions.

A row is one version of a fact. Versions of the same fact share a row id; the latest version known at a moment counts.
A master row that gives another `valid_from` starts a further chain of versions of the same fact.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from datong.model.calendar import Calendar
from datong.model.settings import ChainSettings
from datong.model.tables import Table

# known_at of master rows that a declared history does not date: before everything else.
SINCE_EVER = datetime(1970, 1, 1, tzinfo=UTC)


def keyed_row_id(table: Table, row: Mapping[str, Any]) -> str | None:
    """The id of a row by its own key columns; None where they are all empty.

    Parts of a composite key are joined with '|'; a '|' or '\\' within a part is escaped with '\\'.
    """
    parts = [_key_text(row.get(name)) for name in table.key]
    if not any(parts):
        return None
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
    date_only: pa.ChunkedArray,
    settings: ChainSettings,
    arrived_at: datetime,
) -> pa.ChunkedArray:
    """known_at of events (moments in UTC), filled where it is missing.

    Declared history: when it happened; an event that only gives its day is known when that local day is over.
    Live: when it arrived.
    """
    if settings.history == "live":
        return pc.fill_null(known_at, pa.scalar(arrived_at, known_at.type))
    days = pc.unique(pc.filter(happened_at, date_only))
    ends = pa.array([end_of_local_day(moment, settings.calendar) for moment in days.to_pylist()], known_at.type)
    end_of_day = pc.take(ends, pc.index_in(happened_at, days))
    return pc.coalesce(known_at, pc.if_else(date_only, end_of_day, happened_at))


def end_of_local_day(moment: datetime, calendar: Calendar) -> datetime:
    """The local midnight after a moment, in UTC."""
    return calendar.midnight(calendar.local_date(moment) + timedelta(days=1))
