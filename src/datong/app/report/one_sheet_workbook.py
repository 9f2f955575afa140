"""A small workbook of one sheet: some lines, and a table below them."""

import io
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import xlsxwriter

# What is the same in each file, so that the same list gives the same bytes.
_MADE = datetime(2000, 1, 1)  # noqa: DTZ001


def one_sheet_workbook(
    sheet: str,
    top: Sequence[str],
    heads: Sequence[str],
    rows: Sequence[Sequence[Any]],
    widths: Sequence[int],
    share_column: int | None,
) -> bytes:
    """The file's bytes: some lines, a header, rows. widths: of columns, in characters. share_column: a column of
    shares, if any."""
    kept = io.BytesIO()
    book = xlsxwriter.Workbook(kept, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False})
    book.set_properties({"created": _MADE})
    bold, text = book.add_format({"bold": True}), book.add_format({"num_format": "@"})
    share = book.add_format({"num_format": "0%"})
    page = book.add_worksheet(sheet)
    for i, width in enumerate(widths):
        page.set_column(i, i, width)
    for i, line in enumerate(top):
        page.write_string(i, 0, line, bold if i == 0 else None)
    first = len(top) + (1 if top else 0)
    for i, head in enumerate(heads):
        page.write_string(first, i, head, bold)
    page.freeze_panes(first + 1, 1)
    for at, row in enumerate(rows, start=first + 1):
        for i, value in enumerate(row):
            if isinstance(value, str):
                page.write_string(at, i, value, text)
            elif value is not None:
                page.write_number(at, i, value, share if i == share_column else None)
    page.set_landscape()
    page.fit_to_pages(1, 0)
    book.close()
    return kept.getvalue()
