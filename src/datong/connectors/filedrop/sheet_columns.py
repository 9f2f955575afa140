"""The columns of a sheet that orders go out with and answers come back in, and what people call them."""

from datong.model.words import LANGUAGES, say

# Columns of a sheet that tell an order, and those in which it is answered.
ORDER_COLUMNS = (
    *("order", "kind", "product", "product_name", "units", "unit", "start", "due"),
    *("ordered_on", "arrives_on"),
    *("offer", "price", "line", "why", "from_site", "site", "deliver_to", "note", "key", "sheet"),
)
ANSWER_COLUMNS = (
    *("state", "new_units", "new_due", "new_price"),
    *("good_units", "scrap_units", "happened_at", "reason"),
)
# What stands for the order in a row that shows how to answer.
EXAMPLE = {"en": "example", "zh": "示例"}

# What people call a column, beside its own titles.
_ALSO = {
    "order": ("order no", "order number", "工单号", "订单号", "采购单号"),
    "state": ("answer", "status", "答复", "回复"),
    "good_units": ("good units", "units done", "良品数量", "良品数", "完成数量", "完工数量"),
    "scrap_units": ("scrap", "scrapped", "scrapped units", "报废数量", "报废数", "不良数"),
    "new_units": ("units instead", "new quantity", "units offered", "可做数量", "可供数量", "新数量"),
    "new_due": (
        "new date",
        "new day",
        "new due date",
        "new delivery date",
        "delivery date instead",
        "新日期",
        "延期至",
        "改期至",
    ),
    "new_price": ("new price", "price instead", "新价格"),
    "happened_at": ("date", "time", "日期", "完成日期"),
    "reason": ("remark", "remarks", "comment", "note", "备注", "说明"),
}


def titles(column: str) -> set[str]:
    """Every way in which a column may be titled: its name, its title in each language, and what people call it."""
    return own_titles(column) | {plain(title) for title in _ALSO.get(column, ())}


def own_titles(column: str) -> set[str]:
    """Those that it has in our sheets."""
    return {plain(title) for title in (column, *(say(f"dispatch.title.{column}", language) for language in LANGUAGES))}


def plain(text: str) -> str:
    """A title or coded word without case, and with one sign for spaces and underscores."""
    return "_".join(text.strip().lower().replace("_", " ").split())
