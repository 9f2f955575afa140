"""Workbooks of grids as a person has them open: cells by the key of their row and the name of their column."""

import io
import json
from collections.abc import Mapping
from datetime import date
from typing import Any

import xlsxwriter
from python_calamine import CalamineWorkbook

from datong.app.service.grid_as_workbook import KEPT


def _about(book: CalamineWorkbook) -> dict[str, Any]:
    return json.loads(book.get_sheet_by_name(KEPT).to_python(skip_empty_area=False)[1][0])


def rows_of(content: bytes) -> list[dict[str, Any]]:
    """The rows of a workbook by names of columns."""
    book = CalamineWorkbook.from_filelike(io.BytesIO(content))
    table = book.get_sheet_by_name(book.sheet_names[0]).to_python(skip_empty_area=False)
    return [dict(zip(_about(book)["columns"], row, strict=False)) for row in table[1:]]


def saved(content: bytes, cells: Mapping[tuple[str, str], Any]) -> bytes:
    """A workbook as somebody saves it after changing cells. A cell that is a pair is a formula with its last value."""
    book, kept = CalamineWorkbook.from_filelike(io.BytesIO(content)), io.BytesIO()
    about, left = _about(book), dict(cells)
    columns, key = about["columns"], about["columns"].index(about["key"])
    new = xlsxwriter.Workbook(kept, {"in_memory": True, "strings_to_formulas": False})
    day = new.add_format({"num_format": "yyyy-mm-dd"})
    for name in book.sheet_names:
        sheet = new.add_worksheet(name)
        for r, row in enumerate(book.get_sheet_by_name(name).to_python(skip_empty_area=False)):
            for c, value in enumerate(row):
                if name != KEPT and r:
                    value = left.pop((row[key], columns[c]), value)
                if isinstance(value, tuple):
                    sheet.write_formula(r, c, value[0], None, value[1])
                elif isinstance(value, date):
                    sheet.write_datetime(r, c, value, day)
                elif isinstance(value, str):
                    sheet.write_string(r, c, value)
                elif value is not None:
                    sheet.write(r, c, value)
    new.close()
    assert not left, left
    return kept.getvalue()
