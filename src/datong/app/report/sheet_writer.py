"""Sheets of a workbook: how a table becomes one, and the formulas that add its columns up."""

import math
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import pyarrow as pa
from xlsxwriter import Workbook
from xlsxwriter.format import Format
from xlsxwriter.utility import xl_col_to_name
from xlsxwriter.worksheet import Worksheet

from datong.app.wording import figures
from datong.app.wording.columns import coded, method_words, title
from datong.model.words import say

# The format's own limits.
MAX_ROWS, MAX_TEXT = 1_048_576, 32_767
EVIDENCE_SHOWN = 20
# Height of a line of a wrapped column in points.
LINE_HEIGHT = 15
# From here on a fraction says nothing.
SMALL = 100
# Columns that are wrapped, and how many characters wide.
WRAPPED = dict.fromkeys(("text", "reason", "derivation", "found", "expected", "remedy"), 80)
WRAPPED |= {"does": 40, "orders": 32, "effect": 48, "quotes": 64}
# What is multiplied by many units is shown with more digits.
FINE = ("rate", "hours_per_unit", "cost_per_unit", "units_per_unit", "price", "multiple_units")
FINE_ENDS = ("_per_unit", "_factor")


@dataclass(frozen=True)
class Placed:
    """Where a table lies in the workbook: its rows begin in row 2. cut: not all of them fit."""

    sheet: str
    letters: Mapping[str, str]
    rows: int
    cut: bool

    def cells(self, column: str) -> str | None:
        """'Gaps'!$D$2:$D$40; None where there are no rows, or not all of them."""
        if not self.rows or self.cut:
            return None
        letter = self.letters[column]
        name = self.sheet.replace("'", "''")
        return f"'{name}'!${letter}$2:${letter}${self.rows + 1}"


class Writer:
    """Writes sheets of a book. Texts are always written as text, so that none of them can become a formula; formulas
    are only those that add up cells of the book, and carry their value."""

    def __init__(self, book: Workbook, language: str) -> None:
        self.book, self.language, self.formats = book, language, _formats(book)

    def sheet(self, name: str) -> Worksheet:
        sheet = self.book.add_worksheet(name)
        sheet.set_landscape()
        sheet.set_paper(9)
        sheet.fit_to_pages(1, 0)
        return sheet

    def text(self, sheet: Worksheet, row: int, column: int, text: str, form: str = "text") -> None:
        sheet.write_string(row, column, text[:MAX_TEXT], self.formats[form])

    def number(self, sheet: Worksheet, row: int, column: int, value: float, form: str, formula: str | None) -> None:
        """A number; with the formula that gives it, where there is one."""
        if formula is None:
            sheet.write_number(row, column, value, self.formats[form])
        else:
            sheet.write_formula(row, column, formula, self.formats[form], value)

    def cell(self, sheet: Worksheet, row: int, column: int, name: str, value: Any) -> None:
        if value is None or (isinstance(value, float) and not math.isfinite(value)):
            return
        if isinstance(value, bool):
            sheet.write_boolean(row, column, value, self.formats["text"])
        elif isinstance(value, (int, float)):
            sheet.write_number(row, column, value, self.formats[number_format(name, value)])
        elif isinstance(value, datetime):
            sheet.write_datetime(row, column, value.replace(tzinfo=None), self.formats["moment"])
        elif isinstance(value, date):
            sheet.write_datetime(row, column, datetime(value.year, value.month, value.day), self.formats["day"])  # noqa: DTZ001
        else:
            form = "wrap" if name in WRAPPED else "text"
            self.text(sheet, row, column, plain_text(in_words(name, value, self.language)), form)

    def table(
        self,
        name: str,
        table: pa.Table,
        titles: Mapping[str, str] | None = None,
        totals: Collection[str] = (),
        notes: Sequence[str] = (),
    ) -> Placed:
        """One sheet: titles, then rows. titles: the catalogue's name of a column, where it has another. totals: columns
        that are added up in a last row. notes: texts below all that, a row each."""
        sheet = self.sheet(name)
        fits = min(table.num_rows, MAX_ROWS - 2)
        heads = [title((titles or {}).get(c, c), self.language) for c in table.column_names]
        for i, head in enumerate(heads):
            self.text(sheet, 0, i, head, "head")
        widths = [min(width(head), 18) for head in heads]
        for i, column in enumerate(table.column_names):
            for r, value in enumerate(table[column].slice(0, fits).to_pylist()):
                self.cell(sheet, r + 1, i, column, value)
                if r < 500:
                    widths[i] = max(widths[i], width(_shown(column, value, self.language)))
            sheet.set_column(i, i, min(widths[i], WRAPPED.get(column, 40)) + 2)
        self._heights(sheet, table.slice(0, fits))
        sheet.freeze_panes(1, 0)
        if table.num_rows:
            sheet.autofilter(0, 0, fits, len(heads) - 1)
        sheet.repeat_rows(0)
        letters = {column: xl_col_to_name(i) for i, column in enumerate(table.column_names)}
        placed = Placed(name, letters, fits, fits < table.num_rows)
        if placed.cut:
            words = say("report.sheet.cut", self.language, shown=fits, all=table.num_rows)
            self.text(sheet, fits + 1, 0, words, "note")
        elif fits and totals:
            self.text(sheet, fits + 1, 0, say("report.sheet.total", self.language), "bold")
            for column in totals:
                value = math.fsum(v for v in table[column].to_pylist() if v is not None)
                at = table.column_names.index(column)
                form = "bold_" + ("count" if number_format(column, value) == "count" else "units")
                self.number(sheet, fits + 1, at, value, form, f"=SUM({letters[column]}2:{letters[column]}{fits + 1})")
        for r, note in enumerate(notes, start=fits + 2):
            self.text(sheet, r, 0, note, "note")
        return placed

    def _heights(self, sheet: Worksheet, table: pa.Table) -> None:
        """Rows as high as their wrapped text: not every program finds that out when it opens the file."""
        wrapped = {c: table[c].to_pylist() for c in table.column_names if c in WRAPPED}
        for r, texts in enumerate(zip(*wrapped.values(), strict=True)):
            told = zip(texts, wrapped, strict=True)
            lines = max(lines_of(plain_text(text or ""), WRAPPED[column]) for text, column in told)
            if lines > 1:
                sheet.set_row(r + 1, LINE_HEIGHT * lines)


def _formats(book: Workbook) -> dict[str, Format]:
    return {
        "head": book.add_format({"bold": True, "bg_color": "#E3EAF4", "text_wrap": True, "valign": "top", "border": 1}),
        "title": book.add_format({"bold": True, "font_size": 14}),
        "section": book.add_format({"bold": True, "font_size": 12, "font_color": "#1F66C9"}),
        "bold": book.add_format({"bold": True, "valign": "top"}),
        "text": book.add_format({"valign": "top"}),
        "right": book.add_format({"valign": "top", "align": "right"}),
        "gap": book.add_format({"num_format": "0.00%", "valign": "top"}),
        "wrap": book.add_format({"valign": "top", "text_wrap": True}),
        "count": book.add_format({"num_format": "#,##0", "valign": "top"}),
        "units": book.add_format({"num_format": "#,##0.00", "valign": "top"}),
        "fine": book.add_format({"num_format": "#,##0.00####", "valign": "top"}),
        "bold_count": book.add_format({"num_format": "#,##0", "valign": "top", "bold": True, "top": 1}),
        "bold_units": book.add_format({"num_format": "#,##0.00", "valign": "top", "bold": True, "top": 1}),
        "share": book.add_format({"num_format": "0.0%", "valign": "top"}),
        "small": book.add_format({"num_format": "0.0000", "valign": "top"}),
        "day": book.add_format({"num_format": "yyyy-mm-dd", "valign": "top", "align": "left"}),
        "moment": book.add_format({"num_format": "yyyy-mm-dd hh:mm", "valign": "top", "align": "left"}),
        "note": book.add_format({"italic": True, "font_color": "#8A5300", "indent": 1, "valign": "top"}),
        "indent": book.add_format({"indent": 1}),
    }


def number_format(column: str, value: float) -> str:
    """By the column's name: shares in percent, probabilities and rates with four digits and more; other small numbers
    with two digits."""
    column = column.removesuffix("_a").removesuffix("_b")
    if column.endswith("_share"):
        return "share"
    if column in ("p_value", "q_value"):
        return "small"
    if float(value).is_integer():
        return "count"
    if column in FINE or column.endswith(FINE_ENDS):
        return "fine"
    return "count" if abs(value) >= SMALL else "units"


def in_words(column: str, value: Any, language: str) -> object:
    return method_words(value, language) if column == "method" else coded(column, value, language)


def plain_text(value: object) -> str:
    if isinstance(value, (list, tuple)):
        rest = len(value) - EVIDENCE_SHOWN
        return ", ".join(str(v) for v in value[:EVIDENCE_SHOWN]) + (f" … (+{rest})" if rest > 0 else "")
    return str(value)


def _shown(column: str, value: Any, language: str) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return figures.number(value, 2)
    if isinstance(value, date):
        return "2023-01-01"
    return plain_text(in_words(column, value, language))


def width(text: str) -> int:
    """Columns that a text takes: two for each wide (Chinese) character."""
    if text.isascii():
        return len(text)
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def lines_of(text: str, columns: int) -> int:
    """Lines that a text takes in so many columns."""
    return sum(max(1, math.ceil(width(line) / columns)) for line in text.split("\n"))
