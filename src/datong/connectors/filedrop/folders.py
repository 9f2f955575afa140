"""The folders of a file drop, and writing a file so that nobody ever sees half of it."""

import csv
import io
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from pathlib import Path

from datong.connectors.files.whole import write_whole
from datong.model.errors import DatongError
from datong.model.words import LANGUAGES, message, say

# Columns of a sheet that tell an order, and those in which it is answered.
ORDER_COLUMNS = (
    *("order", "kind", "product", "product_name", "units", "unit", "start", "due"),
    *("ordered_on", "arrives_on"),
    *("offer", "price", "line", "why", "from_site", "site", "key", "sheet"),
)
ANSWER_COLUMNS = ("state", "good_units", "scrap_units", "happened_at", "reason")
# What stands for the order in a row that shows how to answer.
EXAMPLE = {"en": "example", "zh": "示例"}
OUTBOX, INBOX, DONE, BAD = "outbox", "inbox", "done", "bad"


@contextmanager
def reachable(folder: Path) -> Generator[None]:
    """A file system's refusals as an error that says what to do."""
    try:
        yield
    except OSError as error:
        raise DatongError(message("dispatch.no_access", path=str(folder), reason=error.strerror)) from error


def write_csv(path: Path, rows: Iterable[Sequence[object]]) -> None:
    """Write a CSV file that spreadsheets read as UTF-8, whole or not at all."""
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    write_text(path, text.getvalue())


def write_text(path: Path, text: str) -> None:
    """Write a text, whole or not at all. With a byte order mark, for Excel."""
    write_whole(path, text.encode("utf-8-sig"))


# What people call a column, beside its own titles.
_ALSO = {
    "order": ("order no", "order number", "工单号", "订单号", "采购单号"),
    "state": ("answer", "status", "答复", "回复"),
    "good_units": ("good units", "units done", "良品数量", "良品数", "完成数量", "完工数量"),
    "scrap_units": ("scrap", "scrapped", "scrapped units", "报废数量", "报废数", "不良数"),
    "happened_at": ("date", "time", "日期", "完成日期"),
    "reason": ("remark", "remarks", "comment", "note", "备注", "说明"),
}


def titles(column: str) -> set[str]:
    """Every way in which a column may be titled: its name, its title in each language, and what people call it."""
    told = (say(f"dispatch.title.{column}", language) for language in LANGUAGES)
    return {plain(title) for title in (column, *told, *_ALSO.get(column, ()))}


def plain(text: str) -> str:
    """A title or coded word without case, and with one sign for spaces and underscores."""
    return "_".join(text.strip().lower().replace("_", " ").split())
