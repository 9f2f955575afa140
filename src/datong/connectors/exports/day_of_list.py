"""A list without any date: all of its rows are of one day, which the file says, or of today, as somebody chooses."""

import re
from collections.abc import Iterable
from datetime import date, timedelta

import pyarrow as pa

from datong.connectors.exports.cells import Cells
from datong.connectors.exports.columns import Choice, facts_of, header_score
from datong.connectors.exports.day_month_order import day_of
from datong.connectors.exports.questions import Asking, Option, Question
from datong.connectors.exports.table import Table
from datong.model.words import message

DAY_OF_LIST, FILE, TODAY, REFUSE = "day_of_list", "file", "today", "refuse"
# What may be a day or a month within a text.
_WITHIN = (
    re.compile(r"(?<![\d.])\d{1,4}(?:[-./_年月 ]\d{1,4}){1,2}[日月]?(?![\d.])"),
    re.compile(r"(?<!\d)(?:19|20)\d{4}(?:\d{2})?(?!\d)"),
    re.compile(r"(?:\d{1,2}\.? )?[^\W\d_]{3,12}[ _-]20\d{2}"),
)
_HARDLY, _PERHAPS = 0.2, 0.4


def day_of_list(table: Table, choice: Choice, name: str, today: date | None, asking: Asking) -> Cells | None:
    """A column of one day for a table in which no column has dates, as somebody chooses; None where one may have them,
    no day is known, or the list is to be refused. name: of the file. today: None where nobody says."""
    if choice.column("product") is None or any(_may_be_dates(n, cells) for n, cells in table.columns.items()):
        return None
    said = days_within((name.rpartition(".")[0] or name, table.name.partition("/")[2], table.above))
    days = {FILE: min(said)} if 0 < len(said) <= 2 else {}
    days |= {} if today is None else {TODAY: today}
    if not days:
        return None
    options = [Option(n, message(f"export.reading.day_{n}", day=str(day))) for n, day in days.items()]
    options.append(Option(REFUSE, message("export.reading.day_refuse")))
    asks = message("export.asks.day_of_list", count=f"{table.height:,}")
    kept = asking.answers.get(DAY_OF_LIST)
    key = f"{DAY_OF_LIST}:{name}" if kept == FILE and FILE not in days else DAY_OF_LIST  # another file said its day
    chosen = asking.ask(Question(key, asks, (), (), tuple(options)))
    return None if chosen == REFUSE else Cells(pa.array([str(days[chosen])] * table.height, pa.string()))


def _may_be_dates(name: str, cells: Cells) -> bool:
    """Whether a column has dates in some of its cells, or is called as if it had."""
    return header_score("date", name) >= _PERHAPS or facts_of(name, cells).dates > _HARDLY


def days_within(texts: Iterable[str]) -> set[date]:
    """The days that texts name, of a month its first; those of the first text that names any. What one pattern took is
    gone for the next: 'list 2026-12-01' has no 'list 2026', which would be a November in Czech."""
    for text in texts:
        parts = []
        left = text
        for pattern in _WITHIN:
            parts += [part.replace("_", "-").strip() for part in pattern.findall(left)]
            left = pattern.sub(" ", left)
        found = {day for part in parts if (day := day_of(part)) is not None}
        if found:
            return {date(1970, 1, 1) + timedelta(days=day) for day in found}
    return set()
