"""A run as one workbook that a planner can read and filter, and in which every figure of the first sheet adds up."""

from datetime import datetime
from io import BytesIO
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from xlsxwriter import Workbook
from xlsxwriter.utility import xl_col_to_name

from datong.app.report.first_sheet import write_first_sheet
from datong.app.report.market_findings import aspect_rows, market_rows
from datong.app.report.sheet_writer import MAX_ROWS, Writer, number_format
from datong.app.wording.columns import coded, title
from datong.app.wording.late import LATE_SCHEMA, to_tell
from datong.app.wording.market_findings import attribute_rows
from datong.app.wording.names import Names
from datong.app.wording.product_by_week import LEVELS
from datong.app.wording.proposed_orders import ORDER_ROWS_SCHEMA
from datong.app.wording.report_inputs import ReportInputs
from datong.app.wording.view import RunView
from datong.model.tables import BESIDE
from datong.model.words import say
from datong.plan.reason import sentence
from datong.questions.compare import Comparison
from datong.questions.tables_out import planned_orders, rendered

# What the ledger knows of a row, and a planner does not read.
UNREAD = frozenset({"row_id", "valid_from", *BESIDE, "locked", "run"})
# Tables of the run that become sheets, in this order: name -> columns that are added up in a last row. Units of
# products that go into one another are not added up.
SHEETS = {
    "deliveries": ("units",),
    "after_due": ("units", "late_money"),
    "kept": (),
    "gaps": ("demand_units", "on_time_units", "late_units", "lost_units", "refused_units", "served_units"),
    "flow": (),
    "stock_limits": (),
    "hours": ("run_hours", "setup_hours", "under_way_hours", "free_hours", "available_hours", "overtime_hours"),
    "money": ("money",),
    "prices": (),
    "forecast": (),
    "netting": ("units",),
    "ways": (),
    "parts": (),
    "taken": (),
    "besides": (),
    "used_for": (),
    "order_hours": (),
    "unit_costs": (),
    "signals": (),
    "reasons": (),
}
# Of these a sheet without rows is left out.
WHERE_ANY = frozenset({"stock_limits", "taken", "besides", "used_for", "order_hours"})
# Columns under other titles than those of their name.
TITLES = {
    "deliveries": {"what": "service", "bucket": "served_in", "demand": "request"},
    "after_due": {"demand": "request"},
    "netting": {"demand": "request"},
    "money": {"name": "of_what", "unit": "counted_by"},
    "ways": {"valid_from": "from_day", "valid_to": "to_day"},
    "parts": {"valid_from": "from_day", "valid_to": "to_day"},
    "taken": {"money": "picked_money"},
    "besides": {"bucket": "counted_in", "units_per_unit": "units_of_start"},
    "used_for": {"bucket": "used_in"},
}


def workbook_bytes(inputs: ReportInputs, language: str) -> bytes:
    """The .xlsx as bytes; the same inputs give the same bytes."""
    sink = BytesIO()
    book = Workbook(sink, {"in_memory": True})
    book.set_properties({"title": inputs.settings.name, "created": datetime(2000, 1, 1)})  # noqa: DTZ001
    write, view = Writer(book, language), RunView(inputs, language)
    first = write.sheet(_name("first", language))
    tables = _readable(view)
    placed = {}
    if view.findings:
        write.table(_name("findings", language), _findings(view))
    if "since" in tables:
        write.table(_name("since", language), tables["since"].drop_columns(["kind", "name"]))
    placed["orders"] = write.table(_name("orders", language), _orders(view), {"value": "value_money"}, ("cost",))
    late = _told(pa.Table.from_pylist(_late(view), schema=LATE_SCHEMA), LATE_COLUMNS)
    placed["late"] = write.table(_name("late", language), late, {"demand": "request"}, ("units",))
    if (tell := to_tell(inputs)).num_rows:
        write.table(_name("to_tell", language), _told(tell, LATE_COLUMNS), {"demand": "request"})
    _write_grid(write, _name("grid", language), view)
    _write_market(write, view)
    for name, totals in SHEETS.items():
        if name in tables and (tables[name].num_rows or name not in WHERE_ANY):
            placed[name] = write.table(_name(name, language), tables[name], TITLES.get(name), totals)
    write.table(_name("assumed", language), _assumed(inputs))
    write_first_sheet(write, first, view, placed)
    book.close()
    return sink.getvalue()


def comparison_bytes(comparison: Comparison, language: str) -> bytes:
    """Every table of a comparison as a sheet of one .xlsx; the same comparison gives the same bytes."""
    sink = BytesIO()
    book = Workbook(sink, {"in_memory": True})
    book.set_properties({"title": comparison.settings.name, "created": datetime(2000, 1, 1)})  # noqa: DTZ001
    write = Writer(book, language)
    for name, table in comparison.tables.items():
        write.table(say(f"compare.sheet.{name}", language), table)
    book.close()
    return sink.getvalue()


def _name(sheet: str, language: str) -> str:
    return say(f"report.sheet.{sheet}", language)


# tables as they are read -------------------------------------------------------------------------

# Of these columns those that hold nothing are left out.
LATE_COLUMNS = frozenset(
    {"market", "firm", "priority", "due", "demand", "served_in", "needed_days", "kept_for"}
    | {"soonest_start", "soonest_days", "soonest_through", "short_too", "fenced_until"}
)
ORDER_COLUMNS = frozenset(
    {"value", "behind", "from_site", "site", "offer", "lane", "recipe", "hours", "good_units", "counted_in"}
)
MARKET_COLUMNS = frozenset({"market", "decision", "decided_by", "reason", "decided_at", "effect", "quotes"})


def _told(table: pa.Table, maybe: frozenset[str]) -> pa.Table:
    empty = [c for c in table.column_names if c in maybe and table[c].null_count == table.num_rows]
    return table.drop_columns(empty)


def _readable(view: RunView) -> dict[str, pa.Table]:
    """The run's tables with texts in the language and the products' names beside their codes."""
    names, tables = view.names, rendered(view.inputs.tables, view.language)
    for name in {"parts", "taken"} & set(tables):
        tables[name] = _with_names(tables[name], names, "component", "component_name")
    result = {}
    for name, table in tables.items():
        table = table.select([c for c in table.column_names if c not in UNREAD or name in ("ways", "parts")])
        table = _with_names(table, names, "product", "product_name")
        if name == "prices":  # what is scarce may be a material
            table = _with_names(table, names, "name", "product_name")
        result[name] = table
    return result


def _with_names(table: pa.Table, names: Names, column: str, beside: str) -> pa.Table:
    """With the names of products behind the column of their codes, where any has one."""
    if column not in table.column_names or not names.named:
        return table
    codes = table[column].unique()
    known = pa.array([names.name(code) or None for code in codes.to_pylist()], pa.string())
    named = pc.take(known, pc.index_in(table[column], codes))
    return table.add_column(table.column_names.index(column) + 1, beside, named)


def _orders(view: RunView) -> pa.Table:
    """The orders with the sentence that says why as their last column."""
    reasons = {o.order: sentence(o, view.language) for o in planned_orders(view.inputs.tables)}
    table = _told(pa.Table.from_pylist(view.orders, schema=ORDER_ROWS_SCHEMA), ORDER_COLUMNS)
    return table.append_column("reason", pa.array([reasons[o] for o in table["order"].to_pylist()], pa.string()))


def _late(view: RunView) -> list[dict[str, Any]]:
    """What is late, with a name for the rows that have no product, and with what stands in the way in words."""
    others = view.say("late.small")
    named = (row if row["product"] else row | {"product_name": others} for row in view.late)
    return [row | {"binding": view.cause(row)} for row in named]


def _findings(view: RunView) -> pa.Table:
    names = ("severity", "found", "expected", "remedy")
    return pa.Table.from_pylist([{name: f[name] for name in names} for f in view.findings])


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


# what the market says ----------------------------------------------------------------------------


def _write_market(write: Writer, view: RunView) -> None:
    """A row for each finding, below them how long it takes from the market to an order and which reviews count less;
    what attributes will be; and what reviews speak of."""
    market = view.inputs.market
    if market is None:
        return
    rows = _told(_with_names(market_rows(view, market), view.names, "product", "product_name"), MARKET_COLUMNS)
    notes = [said.text(view.language) for said in market.hours.text]
    notes += [said.text(view.language) for said in market.less]
    write.table(_name("market", view.language), rows, {"finding": "finding_id"}, notes=notes)
    if market.attributes.num_rows:
        write.table(_name("attributes", view.language), attribute_rows(market.attributes, view.language))
    if market.aspects.num_rows:
        rows = _with_names(aspect_rows(view, market), view.names, "product", "product_name")
        read_by = [view.say("market.by_shipped")] if market.by_shipped else []
        write.table(_name("aspects", view.language), rows, notes=read_by)


# product by week ---------------------------------------------------------------------------------


def _write_grid(write: Writer, name: str, view: RunView) -> None:
    """A block of rows for each product, a column for each bucket, and their sum; of the stock what it opens with."""
    sheet, language, names, starts = write.sheet(name), write.language, view.names, view.inputs.starts
    heads = ["product", "product_name", "base_unit", "row", "opening_units"]
    for i, head in enumerate(heads):
        write.text(sheet, 0, i, title(head, language), "head")
    first, last = len(heads), len(heads) + len(starts) - 1
    for i, start in enumerate(starts, start=first):
        write.text(sheet, 0, i, start.isoformat(), "head")
    write.text(sheet, 0, last + 1, view.say("sheet.total"), "head")
    row = 0
    for block in view.blocks:
        if row + len(block.rows) > MAX_ROWS - 2:
            every = sum(len(b.rows) for b in view.blocks)
            write.text(sheet, row + 1, 0, view.say("sheet.cut", shown=row, all=every), "note")
            break
        for what, values in block.rows.items():
            row += 1
            text = (block.product, names.name(block.product), names.unit(block.product))
            for i, cell in enumerate(text):
                write.text(sheet, row, i, cell)
            write.text(sheet, row, 3, str(coded("row", what, language)))
            for i, value in enumerate(values.tolist(), start=first):
                write.cell(sheet, row, i, "units", value)
            if what == "stock":
                write.cell(sheet, row, first - 1, "units", block.opening)
            elif len(values) and what not in LEVELS:
                total = float(values.sum())
                cells = f"{xl_col_to_name(first)}{row + 1}:{xl_col_to_name(last)}{row + 1}"
                write.number(sheet, row, last + 1, total, number_format("units", total), f"=SUM({cells})")
    sheet.set_column(0, 0, 14)
    sheet.set_column(1, 1, 24)
    sheet.set_column(3, 3, 20)
    sheet.set_column(first, last + 1, 11)
    sheet.freeze_panes(1, first - 1)
    if row:
        sheet.autofilter(0, 0, row, last + 1)
    sheet.repeat_rows(0)
