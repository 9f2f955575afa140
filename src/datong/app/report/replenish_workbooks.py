"""Two small workbooks: the order list, to send; and the count sheet, to fill in."""

import io
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

import xlsxwriter

from datong.app.wording.order_list import OrderList
from datong.model.fractional_units import PIECE, unit_word
from datong.model.words import Message, say

# What is the same in each file, so that the same list gives the same bytes.
_MADE = datetime(2000, 1, 1)  # noqa: DTZ001
_WIDTHS = (40, 16, 40, 10, 12, 12, 14, 12, 16, 16, 44)
_COUNT_WIDTHS = (20, 44, 14, 16, 14, 16)


def order_list_bytes(listed: OrderList) -> bytes:
    """Every product, the most urgent first; figures as numbers."""
    language = listed.language
    keys = ["product", "code", "picture", "unit", "in_stock", "under_way", "a_week", "order_now", "lasts_until", "risk"]
    share_column = len(keys) - 1
    keys += ["remark"] if any(map(listed.remark, listed.rows)) else []
    rows = []
    for row in listed.rows:
        rows.append([
            row["name"] or row["product"], row["product"], row["image"],
            _in_words(unit_word(row["base_unit"] or PIECE), language),
            row["on_hand_units"] if row["counted"] else listed.in_stock(row), round(row["under_way_units"], 2),
            round(row["week_units"], 2), round(row["order_units"], 2), listed.lasts(row), row["short_chance"],
            *([listed.remark(row)] if "remark" in keys else []),
        ])  # fmt: skip
    heads = [listed.head(key) for key in keys]
    left_out = [listed.left_out] if listed.left_out else []
    top = [listed.title(), *listed.notes(), *left_out, *listed.apart_notes()]
    return _workbook(say("order_list.sheet", language), top, heads, rows, _WIDTHS, share_column)


def _in_words(text: Message | str, language: str) -> str:
    return text if isinstance(text, str) else text.text(language)


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
    return _workbook(say("count.sheet", language), [], heads, rows, _COUNT_WIDTHS, None)


def _workbook(
    sheet: str,
    top: Sequence[str],
    heads: Sequence[str],
    rows: Sequence[Sequence[Any]],
    widths: Sequence[int],
    share_column: int | None,
) -> bytes:
    """One sheet: some lines, a header, rows. share_column: a column of shares, if any."""
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
