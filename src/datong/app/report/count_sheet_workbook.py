"""The sheet on which stock is counted, as a workbook to fill in; connectors/exports/count_sheet.py reads it again."""

from collections.abc import Mapping, Sequence
from datetime import date

from datong.app.report.one_sheet_workbook import one_sheet_workbook
from datong.model.words import say

# Of columns, in characters.
_WIDTHS = (20, 44, 14, 16, 14, 16)


def count_sheet_bytes(
    products: Sequence[tuple[str, str | None]], last: Mapping[str, tuple[float, date]], day: date, language: str
) -> bytes:
    """A row for each product (code, name), with room for what is counted. last: units and day of the last count by
    code, which stand beside it. day: of the count, where nobody says so."""
    heads = [say(f"count.{key}", language) for key in ("code", "name", "counted", "day", "last_units", "last_day")]
    rows = []
    for code, name in products:
        units, counted_on = last.get(code, (None, None))
        rows.append([code, name or code, None, str(day), units, None if counted_on is None else str(counted_on)])
    return one_sheet_workbook(say("count.sheet", language), [], heads, rows, _WIDTHS, None)
