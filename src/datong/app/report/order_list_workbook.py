"""The order list as a workbook, to send to suppliers."""

from datong.app.report.one_sheet_workbook import one_sheet_workbook
from datong.app.wording.order_list import OrderList
from datong.model.fractional_units import PIECE, unit_word
from datong.model.words import Message, say

# Of columns, in characters.
_WIDTHS = (40, 16, 40, 10, 12, 12, 14, 12, 16, 16, 44)


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
    return one_sheet_workbook(say("order_list.sheet", language), top, heads, rows, _WIDTHS, share_column)


def _in_words(text: Message | str, language: str) -> str:
    return text if isinstance(text, str) else text.text(language)
