"""Several sheets of a workbook as one table: those that are alike are read together, the others are named."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa

from datong.connectors.exports.cells import Cells
from datong.connectors.exports.columns import header_score, named_fields
from datong.connectors.exports.find_table import find_table
from datong.connectors.exports.periods_across import YEAR, bare_month, period_of
from datong.connectors.exports.questions import Asking, Option, Question
from datong.connectors.exports.read_grids import Grid
from datong.connectors.exports.table import PERIOD_COLUMN, PRODUCT_COLUMN, UNITS_COLUMN, Table
from datong.connectors.exports.vocabulary import is_total, kind_named
from datong.model.words import Message, message

KIND_COLUMN = "type (sheet)"  # of documents, by the names of sheets
SHEETS, PRODUCTS, REFUSE = "sheets", "products", "refuse"
_LEAST_COPIED = 5  # rows of a sheet that stand in another one too


def one_table(
    grids: Sequence[Grid], name: str, asking: Asking, likeness: Callable[[Table], int] | None = None
) -> tuple[Table, pa.Table, list[Message]]:
    """The table of a file, its rows that could not be read, and what is to be said of its sheets. likeness: how much a
    table is like the list that is looked for, below 3 where another one is no such list; None: like one of sales."""
    likeness = likeness or sales_likeness
    tables = [find_table(grid, (grid.sheet, name)) for grid in grids]
    main = max(range(len(tables)), key=lambda i: (likeness(tables[i]), tables[i].height, -i))
    alike = [i for i, table in enumerate(tables) if _alike(table, tables[main])]
    notes = []
    hidden = [i for i in alike if grids[i].hidden]
    if len(hidden) < len(alike):  # else somebody hid the list under a report of it
        alike = [i for i in alike if i not in hidden]
        notes = [_hidden(grids[i], tables[i]) for i in hidden]
    main = main if main in alike else alike[0]
    said = {i: kind_named(grids[i].sheet) for i in alike}
    if any(kind == "" for kind in said.values()):
        alike = [i for i in alike if said[i] != "other"]
    if len(alike) > 1:
        tables = [_dated(t, grids[i].sheet, name) if i in alike else t for i, t in enumerate(tables)]
    copies = _copies([tables[i] for i in alike])
    for i in [alike[place] for place in copies]:
        alike.remove(i)
        notes.append(message("export.sheet_again", sheet=grids[i].sheet, count=f"{tables[i].height:,}"))
    for i, table in enumerate(tables):
        if i in alike or i in hidden or not table.height or (i in said and said[i] != "other"):
            continue
        if likeness(table) >= 3 and table.height > 1:
            option = Option("leave_out", message("export.reading.leave_sheet", count=f"{table.height:,}"))
            asks = message("export.asks.sheet", sheet=grids[i].sheet)
            asking.ask(Question(f"sheet:{grids[i].sheet}", asks, (), tuple(list(table.columns)[:3]), (option,)))
        notes.append(message("export.sheet_not_read", sheet=grids[i].sheet, count=f"{table.height:,}"))
    parts = [tables[i] for i in alike]
    if {said[i] for i in alike} >= {"", "return"}:
        parts = [_of_kind(part, said[i] or "sale") for part, i in zip(parts, alike, strict=True)]
    if len(parts) > 1:
        sheets = ", ".join(grids[i].sheet for i in alike)
        notes.append(message("export.sheets", count=len(parts), sheets=sheets))
        parts = _of_products(parts, [grids[i].sheet for i in alike], asking)
    rejected = pa.concat_tables([grids[i].rejected for i in alike])
    table = _stacked(parts)
    return replace(table, separator=grids[main].delimiter), rejected, notes


def _of_products(tables: Sequence[Table], sheets: Sequence[str], asking: Asking) -> list[Table]:
    """Tables without a column of products, each with the name of its sheet as the product, where somebody says that
    the sheets are some."""
    if named_fields([name for name, cells in tables[0].columns.items() if cells.filled.any()]) & {"product", "name"}:
        return [*tables]
    options = (
        Option(PRODUCTS, message("export.reading.sheets_products", count=f"{len(sheets):,}")),
        Option(REFUSE, message("export.reading.sheets_refuse")),
    )
    if any(period_of(sheet) is not None or bare_month(sheet) for sheet in sheets) or (
        asking.ask(Question(SHEETS, message("export.asks.sheets"), (), tuple(sheets), options)) == REFUSE
    ):
        return [*tables]
    return [
        replace(table, columns={**table.columns, PRODUCT_COLUMN: Cells(pa.array([sheet] * table.height, pa.string()))})
        for table, sheet in zip(tables, sheets, strict=True)
    ]


def _hidden(grid: Grid, table: Table) -> Message:
    return message("export.hidden_sheet", sheet=grid.sheet, count=f"{table.height:,}")


def _copies(tables: Sequence[Table]) -> list[int]:
    """The places of tables whose rows all stand in one other table too: a whole beside its parts, or a copy."""
    if len(tables) < 2:
        return []
    names = [n for n in tables[0].columns if all(n in t.columns for t in tables)]
    rows = [Counter(_rows_of(t, names)) for t in tables]
    left: list[int] = []
    for i, own in reversed(list(enumerate(rows))):
        if own.total() >= _LEAST_COPIED and any(
            own <= other for j, other in enumerate(rows) if j != i and j not in left
        ):
            left.append(i)
    return sorted(left)


def _rows_of(table: Table, names: Sequence[str]) -> list[tuple[str | None, ...]]:
    """The cells of the rows of a table, without rows of sums."""
    rows = zip(*(table.columns[n].text.to_pylist() for n in names), strict=True)
    return [row for row in rows if not any(cell is not None and is_total(cell) for cell in row)]


def _of_kind(table: Table, kind: str) -> Table:
    """A table with a column that says of which kind of document its rows are."""
    said = Cells(pa.array([kind] * table.height, pa.string()))
    return replace(table, columns={**table.columns, KIND_COLUMN: said})


def sales_likeness(table: Table) -> int:
    """How many of date, product and units a table has columns for."""
    found = named_fields(list(table.columns))
    if PERIOD_COLUMN in table.columns:
        found |= {"date"}
    if UNITS_COLUMN in table.columns:
        found |= {"units"}
    return len({"date", "units"} & found) + bool({"product", "name"} & found)


def _alike(table: Table, other: Table) -> bool:
    def names(of: Table) -> set[str]:
        return {name for name in of.columns if not name.startswith("#")}

    return (names(table) == names(other) and table.height > 0) or table is other


def _dated(table: Table, sheet: str, file: str) -> Table:
    """A table of a sheet that is named after a day, week or month and has no dates of its own. A month without a year
    is of the year in the file's name."""
    years = set(YEAR.findall(file))
    period = period_of(f"{years.pop()} {sheet}") if bare_month(sheet) and len(years) == 1 else period_of(sheet)
    if (
        period is None
        or any(header_score("date", name) >= 0.5 for name in table.columns)
        or PERIOD_COLUMN in table.columns
    ):
        return table
    dated = Cells(pa.array([period.text] * table.height, pa.string()))
    columns = {**table.columns, PERIOD_COLUMN: dated}
    return Table(table.name, columns, table.numbers, table.wide, table.repeated, table.notes)


def _stacked(tables: Sequence[Table]) -> Table:
    """Tables with the same columns, one under the other."""
    first = tables[0]
    if len(tables) == 1:
        return first
    columns = {}
    names = [n for n in first.columns if all(n in t.columns for t in tables)]
    for name in names:
        cells = [table.columns[name] for table in tables]
        typed = any(c.kind is not None for c in cells)
        kinds = [np.zeros(len(c), np.uint8) if c.kind is None else c.kind for c in cells]
        columns[name] = Cells(pa.concat_arrays([c.text for c in cells]), np.concatenate(kinds) if typed else None)
    numbers = np.concatenate([t.numbers for t in tables])
    return Table(first.name, columns, numbers, first.wide, sum(t.repeated for t in tables), first.notes)
