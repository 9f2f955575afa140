"""A grid as a workbook, there and back: what somebody changed in it is shown before anything is done with it.

A second, hidden sheet keeps what each cell that may be changed said when the workbook was written. So a cell that comes
back as it went is no change, whoever changed the chain meanwhile; and one that both changed is told as such. Texts are
written as texts, so that none becomes a formula; of a cell with a formula the value counts that the spreadsheet program
saved, and nothing is worked out here.
"""

import io
import json
import math
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import pyarrow as pa
import xlsxwriter
from python_calamine import CalamineError, CalamineWorkbook

from datong.app.wording.columns import shown_value, title
from datong.model.errors import BadInput, Refused
from datong.model.findings import Finding, finding, has_errors
from datong.model.words import message, say, visible

# The hidden sheet; its first row says of which grid it is.
KEPT = "datong"
FORMAT = "datong grid 1"
# What kind of file a workbook is.
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
# A workbook beyond this is none of a grid's.
MOST_BYTES, MOST_ROWS = 50_000_000, 200_000
# Two numbers nearer than this are one: a spreadsheet keeps 15 digits.
NEAR = 1e-9
Value = str | float | bool | date | None


@dataclass(frozen=True, eq=False)
class SheetGrid:
    """A table that can be changed in a workbook. name: of the grid; chain: its name; key: the column that tells rows
    apart; editable: columns that may be changed."""

    name: str
    chain: str
    key: str
    editable: tuple[str, ...]
    rows: pa.Table


@dataclass(frozen=True)
class CellChange:
    """A cell that somebody changed. sent: what it said when the workbook was written; came: what it says; now: what the
    chain says by now, which is another than `sent` where somebody else changed it meanwhile."""

    key: str
    column: str
    sent: Value
    came: Value
    now: Value

    @property
    def is_contested(self) -> bool:
        return not same(self.sent, self.now)


@dataclass(frozen=True)
class Differences:
    """What a workbook changes. gone: keys of its rows that the chain has no more. unread: how many rows of it were left
    as they are."""

    changes: tuple[CellChange, ...]
    gone: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    unread: int = 0


def workbook(grid: SheetGrid, language: str) -> bytes:
    """The grid as an .xlsx: yellow cells may be changed. Raises Refused for more rows than one takes."""
    if grid.rows.num_rows > MOST_ROWS:
        raise Refused(message("sheets.too_many", rows=grid.rows.num_rows, most=MOST_ROWS))
    kept = io.BytesIO()
    book = xlsxwriter.Workbook(kept, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False})
    book.set_properties({"created": datetime(2000, 1, 1)})  # noqa: DTZ001 - the same rows are the same bytes
    head = book.add_format({"bold": True, "bg_color": "#E3EAF4", "text_wrap": True, "valign": "top", "border": 1})
    yellow = {"bg_color": "#FFF7CC", "border": 1, "border_color": "#D9CE8F"}
    plain, changed = book.add_format({}), book.add_format(yellow)
    days = book.add_format({"num_format": "yyyy-mm-dd"}), book.add_format(yellow | {"num_format": "yyyy-mm-dd"})
    sheet = book.add_worksheet(say("sheets.name", language))
    names = grid.rows.column_names
    for at, name in enumerate(names):
        sheet.write_string(0, at, title(name, language), head)
        sheet.set_column(at, at, 16)
    for number, row in enumerate(grid.rows.to_pylist(), start=1):
        for at, name in enumerate(names):
            is_editable = name in grid.editable
            _write(sheet, number, at, row[name], changed if is_editable else plain, days[is_editable], language)
    sheet.freeze_panes(1, 1 if names[0] == grid.key else 0)
    if grid.rows.num_rows:
        sheet.autofilter(0, 0, grid.rows.num_rows, len(names) - 1)
    hidden = book.add_worksheet(KEPT)
    hidden.hide()
    hidden.write_string(0, 0, FORMAT)
    about = {"grid": grid.name, "chain": grid.chain, "key": grid.key, "editable": grid.editable, "columns": names}
    hidden.write_string(1, 0, json.dumps(about, ensure_ascii=False))
    for number, row in enumerate(grid.rows.select([grid.key, *grid.editable]).to_pylist(), start=2):
        hidden.write_string(number, 0, json.dumps(row, ensure_ascii=False, default=str))
    book.close()
    return kept.getvalue()


def _write(sheet: Any, row: int, column: int, value: Any, form: Any, day: Any, language: str) -> None:
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        sheet.write_blank(row, column, None, form)
    elif isinstance(value, bool):
        sheet.write_boolean(row, column, value, form)
    elif isinstance(value, int | float):
        sheet.write_number(row, column, value, form)
    elif isinstance(value, datetime):
        sheet.write_string(row, column, value.isoformat(" ", "seconds"), form)
    elif isinstance(value, date):
        sheet.write_datetime(row, column, datetime(value.year, value.month, value.day), day)  # noqa: DTZ001
    elif isinstance(value, list):
        sheet.write_string(row, column, shown_value("", value, language), form)
    else:
        sheet.write_string(row, column, visible(str(value)), form)


def differences(content: bytes, grid: SheetGrid) -> Differences:
    """What a workbook that came back changes of the grid as it is now. Nothing is changed.

    Raises BadInput, with all that is wrong, where it is no workbook of this grid, or cells cannot be read.
    """
    table, about, sent = _read(content)
    if (about["grid"], about["chain"]) != (grid.name, grid.chain):
        raise _bad("sheets.other", grid=str(about["grid"]), chain=str(about["chain"]))
    columns = {name: at for at, name in enumerate(about["columns"])}
    editable = [name for name in grid.editable if name in about["editable"]]
    now = {str(row[grid.key]): row for row in grid.rows.select([grid.key, *editable]).to_pylist()}
    found: list[Finding] = []
    changes: list[CellChange] = []
    seen: dict[str, int] = {}
    gone: list[str] = []
    for number, cells in enumerate(table[1:], start=2):
        cell = cells[columns[grid.key]] if columns[grid.key] < len(cells) else ""
        key = _key_text(cell)
        if not key:
            if any(str(c).strip() for c in cells):
                found.append(finding("error", "sheets.no_key", KEPT, row=number, key=grid.key))
            continue
        if key in seen:
            found.append(finding("error", "sheets.twice", KEPT, row=number, key=key, before=seen[key]))
            continue
        seen[key] = number
        if key not in sent:
            found.append(finding("error", "sheets.unknown", KEPT, row=number, key=key))
            continue
        if key not in now:
            gone.append(key)
            continue
        for name in editable:
            kind = grid.rows.schema.field(name).type
            text = cells[columns[name]] if columns[name] < len(cells) else ""
            try:
                came = read_cell(text, kind)
            except ValueError:
                found.append(finding("error", "sheets.unreadable", KEPT, row=number, column=name, value=str(text)))
                continue
            before = _sent_value(sent[key].get(name), kind)
            if not same(came, before):
                changes.append(CellChange(key, name, before, came, now[key][name]))
    if has_errors(found):
        raise BadInput(message("sheets.wrong", count=len(found)), found)
    return Differences(tuple(changes), tuple(gone), tuple(found), len(sent) - len(seen))


def grid_of(content: bytes) -> str:
    """The grid that a workbook is of. Raises BadInput for one that is of none."""
    return str(_read(content)[1]["grid"])


def _bad(code: str, **params: Any) -> BadInput:
    return BadInput(message("sheets.wrong", count=1), [finding("error", code, KEPT, **params)])


def _read(content: bytes) -> tuple[list[list[Any]], dict[str, Any], dict[str, dict[str, Any]]]:
    """The rows of the first sheet, what the hidden one says of the grid, and what was sent, by key."""
    if len(content) > MOST_BYTES:
        raise _bad("sheets.too_large", megabytes=MOST_BYTES // 1_000_000)
    try:
        book = CalamineWorkbook.from_filelike(io.BytesIO(content))
        first = next(name for name in book.sheet_names if name != KEPT)
        kept = book.get_sheet_by_name(KEPT).to_python(skip_empty_area=False)
        table = book.get_sheet_by_name(first).to_python(skip_empty_area=False)
        if not kept or kept[0][0] != FORMAT:
            raise ValueError(FORMAT)
        about = json.loads(str(kept[1][0]))
        rows = [json.loads(str(row[0])) for row in kept[2:] if str(row[0]).strip()]
        if not table or len(table[0]) < len(about["columns"]):
            raise ValueError("columns")
        return table, about, {str(row[about["key"]]): row for row in rows}
    except (CalamineError, OSError, ValueError, KeyError, IndexError, StopIteration, TypeError) as error:
        raise _bad("sheets.not_ours") from error


def _key_text(cell: Any) -> str:
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell).strip()


_TRUE, _FALSE = frozenset({"true", "yes", "1", "是", "真"}), frozenset({"false", "no", "0", "否", "假"})
_EXCEL_BEGINS = date(1899, 12, 30)


def read_cell(cell: Any, kind: pa.DataType) -> Value:
    """A cell as a value of its column's type; None where it is empty. Raises ValueError for what is none."""
    if cell is None or (isinstance(cell, str) and not cell.strip()):
        return None
    if pa.types.is_boolean(kind):
        text = str(int(cell)) if isinstance(cell, float | int) else str(cell).strip().lower()
        if text in _TRUE | _FALSE:
            return text in _TRUE
        raise ValueError(text)
    if pa.types.is_date(kind):
        if isinstance(cell, datetime):
            return cell.date()
        if isinstance(cell, date):
            return cell
        if isinstance(cell, float | int) and not isinstance(cell, bool):
            return _EXCEL_BEGINS + timedelta(days=int(cell))
        return date.fromisoformat(str(cell).strip().replace("/", "-"))
    if pa.types.is_floating(kind) or pa.types.is_integer(kind):
        if isinstance(cell, bool | date):
            raise ValueError(str(cell))
        number = float(cell)  # a text with a comma is none: nobody knows what it means here
        if not math.isfinite(number):
            raise ValueError(str(cell))
        if pa.types.is_integer(kind):
            if not number.is_integer():
                raise ValueError(str(cell))
            return int(number)
        return number
    return _key_text(cell)


def _sent_value(value: Any, kind: pa.DataType) -> Value:
    return date.fromisoformat(value) if value is not None and pa.types.is_date(kind) else value


def same(a: Value, b: Value) -> bool:
    """Whether two cells say the same; an empty text is none."""
    if isinstance(a, int | float) and isinstance(b, int | float):
        return math.isclose(a, b, rel_tol=NEAR, abs_tol=NEAR)
    return (a or None) == (b or None)
