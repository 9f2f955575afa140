"""A run as one workbook that a planner can read and filter."""

import math
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from functools import partial
from io import BytesIO
from typing import Any

import pyarrow as pa
from xlsxwriter import Workbook
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from datong.app.compare import Comparison
from datong.app.report import figures
from datong.app.report.columns import coded, method_words, title
from datong.app.report.html import gap_sum, gap_totals
from datong.app.report.inputs import PLAN, ReportInputs, resting_on
from datong.app.tables_out import planned_orders, rendered
from datong.model.words import say
from datong.plan.reason import sentence

# The format's own limits.
MAX_ROWS, MAX_TEXT = 1_048_576, 32_767
EVIDENCE_SHOWN = 20
# What the ledger knows of a row, and a planner does not read.
UNREAD = frozenset({"row_id", "valid_from", "known_at", "assumed"})
# Tables of the run that become sheets after the summary, in this order.
SHEETS = ("orders", "kept", "gaps", "signals", "forecast", "prices", "clearing", "demand", "series", "cost")
SHEETS += ("reasons", "scores", "messages")


def workbook_bytes(inputs: ReportInputs, language: str) -> bytes:
    """The .xlsx as bytes; the same inputs give the same bytes."""
    sink = BytesIO()
    book = Workbook(sink, {"in_memory": True})
    book.set_properties({"title": inputs.settings.name, "created": datetime(2000, 1, 1)})  # noqa: DTZ001
    write = _Writer(book, language, _formats(book))
    words: Callable[..., str] = partial(_say, language)
    _summary(write, inputs, words)
    tables = rendered(inputs.tables, language)
    tables["orders"] = _with_reasons(inputs.tables, language)
    for name in SHEETS:
        if name in tables:
            shown = tables[name].select([c for c in tables[name].column_names if c not in UNREAD])
            write.table(words(f"sheet.{name}"), shown, {"value": "value_money"} if name == "orders" else {})
    write.table(words("sheet.assumed"), _assumed(inputs), {})
    book.close()
    return sink.getvalue()


def comparison_bytes(comparison: Comparison, language: str) -> bytes:
    """Every table of a comparison as a sheet of one .xlsx; the same comparison gives the same bytes."""
    sink = BytesIO()
    book = Workbook(sink, {"in_memory": True})
    book.set_properties({"title": comparison.settings.name, "created": datetime(2000, 1, 1)})  # noqa: DTZ001
    write = _Writer(book, language, _formats(book))
    for name, table in comparison.tables.items():
        write.table(say(f"compare.sheet.{name}", language), table, {})
    book.close()
    return sink.getvalue()


def _say(language: str, key: str, /, **params: Any) -> str:
    return say(f"report.{key}", language, **params)


def _formats(book: Workbook) -> dict[str, Format]:
    return {
        "head": book.add_format({"bold": True, "bg_color": "#E3EAF4", "text_wrap": True, "valign": "top", "border": 1}),
        "title": book.add_format({"bold": True, "font_size": 14}),
        "bold": book.add_format({"bold": True}),
        "text": book.add_format({"valign": "top"}),
        "right": book.add_format({"valign": "top", "align": "right"}),
        "gap": book.add_format({"num_format": "0.000%", "valign": "top"}),
        "wrap": book.add_format({"valign": "top", "text_wrap": True}),
        "count": book.add_format({"num_format": "#,##0", "valign": "top"}),
        "units": book.add_format({"num_format": "#,##0.00", "valign": "top"}),
        "share": book.add_format({"num_format": "0.0%", "valign": "top"}),
        "small": book.add_format({"num_format": "0.0000", "valign": "top"}),
        "day": book.add_format({"num_format": "yyyy-mm-dd", "valign": "top", "align": "left"}),
        "moment": book.add_format({"num_format": "yyyy-mm-dd hh:mm", "valign": "top", "align": "left"}),
        "note": book.add_format({"italic": True, "font_color": "#8A5300", "indent": 1}),
        "indent": book.add_format({"indent": 1}),
    }


class _Writer:
    """Writes sheets of a book. Texts are always written as text, so that none of them can become a formula."""

    def __init__(self, book: Workbook, language: str, formats: Mapping[str, Format]) -> None:
        self.book, self.language, self.formats = book, language, formats

    def sheet(self, name: str) -> Worksheet:
        sheet = self.book.add_worksheet(name)
        sheet.set_landscape()
        sheet.set_paper(9)
        sheet.fit_to_pages(1, 0)
        return sheet

    def text(self, sheet: Worksheet, row: int, column: int, text: str, form: str = "text") -> None:
        sheet.write_string(row, column, text[:MAX_TEXT], self.formats[form])

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
            self.text(sheet, row, column, _plain_text(_in_words(name, value, self.language)), form)

    def table(self, name: str, table: pa.Table, titles: Mapping[str, str]) -> None:
        """One sheet: titles, then rows. `titles`: the catalogue's name of a column, where it has another."""
        sheet = self.sheet(name)
        fits = min(table.num_rows, MAX_ROWS - 2)
        heads = [title(titles.get(c, c), self.language) for c in table.column_names]
        for i, head in enumerate(heads):
            self.text(sheet, 0, i, head, "head")
        widths = [min(width(head), 18) for head in heads]
        for i, column in enumerate(table.column_names):
            for r, value in enumerate(table[column].slice(0, fits).to_pylist()):
                self.cell(sheet, r + 1, i, column, value)
                if r < 500:
                    widths[i] = max(widths[i], width(_shown(column, value, self.language)))
            sheet.set_column(i, i, min(widths[i], WRAP_WIDTH if column in WRAPPED else 40) + 2)
        self._heights(sheet, table.slice(0, fits))
        sheet.freeze_panes(1, 0)
        if table.num_rows:
            sheet.autofilter(0, 0, fits, len(heads) - 1)
        sheet.repeat_rows(0)
        if fits < table.num_rows:
            self.text(sheet, fits + 1, 0, _say(self.language, "sheet.cut", shown=fits, all=table.num_rows), "note")

    def _heights(self, sheet: Worksheet, table: pa.Table) -> None:
        """Rows as high as their wrapped text: not every program finds that out when it opens the file."""
        for column in (c for c in table.column_names if c in WRAPPED):
            for r, text in enumerate(table[column].to_pylist()):
                lines = math.ceil(width(text or "") / WRAP_WIDTH)
                if lines > 1:
                    sheet.set_row(r + 1, LINE_HEIGHT * lines)


# Characters of a wrapped column, and the height of one of its lines in points.
WRAP_WIDTH, LINE_HEIGHT = 80, 15
# From here on a fraction says nothing.
SMALL = 100
WRAPPED = frozenset({"text", "reason", "derivation"})


def number_format(column: str, value: float) -> str:
    """By the column's name: shares in percent, probabilities with four digits; small numbers with two digits."""
    if column.removesuffix("_a").removesuffix("_b").endswith("_share"):
        return "share"
    if column in ("p_value", "q_value"):
        return "small"
    return "count" if float(value).is_integer() or abs(value) >= SMALL else "units"


def _in_words(column: str, value: Any, language: str) -> object:
    return method_words(value, language) if column == "method" else coded(column, value, language)


def _plain_text(value: object) -> str:
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
    return _plain_text(_in_words(column, value, language))


def width(text: str) -> int:
    """Columns that a text takes: two for each wide (Chinese) character."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def _with_reasons(tables: Mapping[str, pa.Table], language: str) -> pa.Table:
    """The orders by day of start, the most valuable first, with the sentence that says why as their last column."""
    orders = tables["orders"].drop_columns(["locked"])
    reasons = [sentence(o, language) for o in planned_orders(tables)]
    orders = orders.append_column("reason", pa.array(reasons, pa.string()))
    return orders.sort_by([("start", "ascending"), ("value", "descending"), ("order", "ascending")])


def _assumed(inputs: ReportInputs) -> pa.Table:
    rows = sorted(inputs.assumed)
    return pa.table(
        {
            "assumed_table": pa.array([a.table for a in rows], pa.string()),
            "assumed_column": pa.array([a.column for a in rows], pa.string()),
            "rows": pa.array([a.rows for a in rows], pa.int64()),
            "derivation": pa.array([a.derivation for a in rows], pa.string()),
        }
    )


def _summary(write: _Writer, inputs: ReportInputs, words: Callable[..., str]) -> None:
    """What this is, as of when, the money by term and the gap, and what of it is assumed."""
    settings, tables = inputs.settings, inputs.tables
    language = write.language
    sheet = write.sheet(words("sheet.summary"))
    write.text(sheet, 0, 0, words("summary.what", name=settings.name), "title")
    local = inputs.as_of.astimezone(settings.calendar.zone)
    starts = tables["forecast_total"]["bucket"].to_pylist()
    rests = words("summary.assumed_in") if resting_on(inputs, PLAN) else ""
    gap = gap_sum(gap_totals(tables["gaps"], "product"))
    certificate = tables["certificate"].to_pylist()[0]
    rows: Sequence[tuple[str, Any, str, str]] = [
        (words("summary.as_of"), f"{local:%Y-%m-%d %H:%M} {settings.time_zone}", "", ""),
        (words("summary.currency"), settings.currency, "", ""),
        *(
            [(words("summary.horizon"), words("summary.horizon_text", first=starts[0], last=starts[-1]), "", "")]
            if starts
            else []
        ),
        (words("summary.demand"), gap["demand_units"], "", ""),
        (words("summary.served"), gap["on_time_units"], "", rests),
        (words("summary.late"), gap["late_units"], "", rests),
        (words("summary.lost"), gap["lost_units"], "", rests),
        (words("summary.orders"), tables["orders"].num_rows, "", rests),
        *(
            (
                words("summary.cost", term=coded("term", r["term"], language), currency=settings.currency),
                r["money"],
                "",
                rests,
            )
            for r in tables["cost"].to_pylist()
        ),
        (words("certificate.total"), certificate["total_cost"], "", rests),
        (words("certificate.bound"), certificate["lower_bound"], "", rests),
        (words("certificate.gap"), certificate["gap_share"], "gap", rests),
    ]
    for r, (name, value, kind, note) in enumerate(rows, start=2):
        write.text(sheet, r, 0, name, "bold")
        if isinstance(value, str):
            write.text(sheet, r, 1, value, "right")
        elif isinstance(value, (int, float)) and math.isfinite(value):
            sheet.write_number(r, 1, value, write.formats[kind or "count"])
        if note:
            write.text(sheet, r, 2, note, "note")
    last = len(rows) + 3
    write.text(sheet, last, 0, words("assumptions.title"), "title")
    if inputs.assumed:
        for c, name in enumerate(("column", "rows", "derivation")):
            write.text(sheet, last + 1, c, words(f"assumptions.{name}"), "head")
        for r, a in enumerate(sorted(inputs.assumed), start=last + 2):
            write.text(sheet, r, 0, f"{a.table}.{a.column}", "bold")
            sheet.write_number(r, 1, a.rows, write.formats["count"])
            write.text(sheet, r, 2, a.derivation or words("assumptions.not_stated"), "indent")
    else:
        write.text(sheet, last + 1, 0, words("assumptions.none"))
    sheet.set_column(0, 0, 44)
    sheet.set_column(1, 1, 30)
    sheet.set_column(2, 2, 80)
