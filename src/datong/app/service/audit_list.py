"""The audit as a list: looked through by who, what, which thing and when, newest first; and as a workbook."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import MINYEAR, UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa

from datong.app.service.accounts import BY_COMMAND_LINE
from datong.app.service.audit import told_to
from datong.app.service.audit_words import fields_words, way_words
from datong.app.service.grid_as_workbook import MOST_ROWS, SheetGrid, workbook
from datong.app.service.roles_and_permissions import Permission, Who
from datong.app.service.served_chain import Served
from datong.app.service.server_database import folded
from datong.model.calendar import Calendar
from datong.model.words import catalogue, say

# Entries of one piece of the list at most.
MOST_LISTED = 500


@dataclass(frozen=True)
class Looked:
    """What is looked for. by: a login; what: a key of words; subject: a part of what was changed; '' for any. first,
    last: days in the chain's zone, both included; None: any."""

    by: str = ""
    what: str = ""
    subject: str = ""
    first: date | None = None
    last: date | None = None


@dataclass(frozen=True)
class Entry:
    """One change. entry: its number. at: in UTC. by: the login. what: was done, a key of words. way: by which door.
    is_hidden: it has values or a reason that whoever asks may not see."""

    entry: int
    at: datetime
    by: str
    what: str
    subject: str
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None
    why: str
    way: str
    is_hidden: bool


@dataclass(frozen=True)
class Entries:
    """rows: the newest first. total: of how many. before: asks for those that follow; None: there are none."""

    rows: Sequence[Entry]
    total: int
    before: int | None


def audit_list(served: Served, who: Who, looked: Looked, before: int | None = None, count: int = 100) -> Entries:
    """A piece of the audit. before: the number of an entry, older than which they are. Raises NotAllowed."""
    who.require(Permission.SEE_AUDIT)
    where, values = _where(looked, served.chain_thread.settings.calendar)
    count = min(count, MOST_LISTED)
    total = served.database.rows(f"SELECT count(*) AS n FROM audit WHERE {where}", values)[0]["n"]
    older = ("", ()) if before is None else (" AND entry < ?", (before,))
    asked = f"SELECT * FROM audit WHERE {where}{older[0]} ORDER BY entry DESC LIMIT ?"
    rows = [_entry(row, who) for row in served.database.rows(asked, (*values, *older[1], count + 1))]
    return Entries(rows[:count], total, rows[count - 1].entry if len(rows) > count else None)


def acts(served: Served, who: Who) -> dict[str, int]:
    """What was done so far, by the key of its words, and how often. Raises NotAllowed."""
    who.require(Permission.SEE_AUDIT)
    found = served.database.rows("SELECT what, count(*) AS n FROM audit GROUP BY what ORDER BY what")
    return {row["what"]: row["n"] for row in found}


def audit_sheet(served: Served, who: Who, looked: Looked, language: str) -> bytes:
    """What is looked for as a workbook, the newest first, as many as it takes. Raises NotAllowed."""
    who.require(Permission.SEE_AUDIT)
    settings = served.chain_thread.settings
    where, values = _where(looked, settings.calendar)
    asked = f"SELECT * FROM audit WHERE {where} ORDER BY entry DESC LIMIT ?"
    rows = [_entry(row, who) for row in served.database.rows(asked, (*values, MOST_ROWS))]
    told = [entry_words(one, language) for one in rows]
    columns = {
        "entry": [one.entry for one in rows],
        "at": [f"{one.at.astimezone(settings.calendar.zone):%Y-%m-%d %H:%M:%S}" for one in rows],
        "by": [by_words(one.by, language) for one in rows],
        "by_way": [way_words(one.way, language) for one in rows],
        "act": [act_words(one.what, language) for one in rows],
        "what_changed": [one.subject for one in rows],
        "before": [before for before, _, _ in told],
        "after": [after for _, after, _ in told],
        "reason": [why for _, _, why in told],
    }
    types = {"entry": pa.int64()}
    table = pa.table({name: pa.array(cells, types.get(name, pa.string())) for name, cells in columns.items()})
    return workbook(SheetGrid("audit", settings.name, "entry", (), table), language)


def act_words(what: str, language: str) -> str:
    """What was done, in words; one that an earlier or later version knows stays as it is."""
    keys = (f"service_orders.did.{what}", f"service.did.{what}")
    return next((say(key, language) for key in keys if key in catalogue()), what)


def by_words(by: str, language: str) -> str:
    """Who did something: a login, or whoever is at the server's command line."""
    return say("service.by_command_line", language) if by == BY_COMMAND_LINE else by


def entry_words(entry: Entry, language: str) -> tuple[str, str, str]:
    """Values before and after a change, a line for each field, and why it was made."""
    if entry.is_hidden:
        hidden = say("service.values_hidden", language)
        return hidden, hidden, hidden
    before, after = entry.before, entry.after
    return fields_words(before, after, language), fields_words(after, before, language), entry.why


def _where(looked: Looked, calendar: Calendar) -> tuple[str, tuple[Any, ...]]:
    """SQL of what is looked for, and its values."""
    parts: list[tuple[str, Any]] = []
    if looked.by:
        parts.append(("by = ?", looked.by.strip().lower()))
    if looked.what:
        parts.append(("what = ?", looked.what))
    if looked.subject:
        parts.append(("instr(folded(subject), ?) > 0", folded(looked.subject.strip())))
    if looked.first is not None:
        parts.append(("at >= ?", _begins(looked.first, 0, calendar)))
    if looked.last is not None:
        parts.append(("at < ?", _begins(looked.last, 1, calendar)))
    return " AND ".join(["1", *(sql for sql, _ in parts)]), tuple(value for _, value in parts)


def _begins(day: date, later: int, calendar: Calendar) -> float:
    """When the day that is so many days later begins, in seconds since 1970; infinite where no calendar has it."""
    try:
        return calendar.midnight(day + timedelta(days=later)).timestamp()
    except OverflowError:
        return math.inf if day.year > MINYEAR else -math.inf


def _entry(row: Mapping[str, Any], who: Who) -> Entry:
    at = datetime.fromtimestamp(row["at"], UTC)
    told = {name: row[name] for name in ("entry", "by", "what", "subject", "way")}
    return Entry(at=at, **told, **told_to(row, who))
