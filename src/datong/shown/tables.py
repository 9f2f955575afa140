"""How results show themselves in Python: a few lines of plain text, and a small HTML table in a notebook."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from html import escape
from typing import Any

from datong.model.words import catalogue, digits_of, say, visible

ROWS_SHOWN = 10
_MOST_LETTERS = 40

Rows = Sequence[Mapping[str, Any]]


def column_title(column: str, language: str) -> str:
    """The title of a column of results; a name that the catalogue does not know stays as it is."""
    return say(f"column.{column}", language) if f"column.{column}" in catalogue() else column


def cell(column: str, value: object, language: str) -> str:
    """A value of a table as a short text; coded ones in words."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return say("shown.yes" if value else "shown.no", language)
    if isinstance(value, float):
        text = f"{value:,.{2 if abs(value) < 100 else digits_of(value)}f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, list):
        return ", ".join(str(one) for one in value[:3]) + (" …" if len(value) > 3 else "")
    key = f"code.{column}_{value}"
    text = say(key, language) if isinstance(value, str) and key in catalogue() else str(value)
    return visible(text)


def text_table(rows: Rows, language: str, count: int | None = None) -> str:
    """The first rows under their titles, in columns of equal width. count: of rows in all, where these are not all."""
    if not rows:
        return say("shown.no_rows", language)
    shown = rows[:ROWS_SHOWN]
    columns = [[column_title(name, language), *(cell(name, row[name], language) for row in shown)] for name in shown[0]]
    cut = [[text if len(text) <= _MOST_LETTERS else text[: _MOST_LETTERS - 1] + "…" for text in c] for c in columns]
    numbers = [all(isinstance(row[name], int | float | None) for row in shown) for name in shown[0]]
    widths = [max(map(len, column)) for column in cut]
    lines = []
    for line in zip(*cut, strict=True):
        parts = zip(line, widths, numbers, strict=True)
        lines.append("  ".join(t.rjust(w) if right else t.ljust(w) for t, w, right in parts).rstrip())
    more = (len(rows) if count is None else count) - len(shown)
    return "\n".join([*lines, *([say("shown.more", language, count=f"{more:,}")] if more > 0 else [])])


def html_table(title: str, rows: Rows, language: str, notes: Sequence[str] = (), count: int | None = None) -> str:
    """A title, the first rows as a table, and notes below. Every text is escaped. count: as in `text_table`."""
    parts = [f"<div><strong>{escape(visible(title))}</strong>"]
    shown = rows[:ROWS_SHOWN]
    if shown:
        head = "".join(f"<th>{escape(column_title(name, language))}</th>" for name in shown[0])
        parts.append(f"<table><thead><tr>{head}</tr></thead><tbody>")
        for row in shown:
            cells = "".join(f"<td>{escape(cell(name, value, language))}</td>" for name, value in row.items())
            parts.append(f"<tr>{cells}</tr>")
        parts.append("</tbody></table>")
    more = (len(rows) if count is None else count) - len(shown)
    said = [*notes, *([say("shown.more", language, count=f"{more:,}")] if more > 0 else [])]
    parts += [f"<div><small>{escape(visible(text))}</small></div>" for text in said]
    return "".join(parts) + "</div>"
