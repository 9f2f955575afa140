"""Grids that people change in a spreadsheet: orders, the forecast and tables of what exists, out and in again.

A workbook that comes back is held against the chain as it is: what it changes is shown, and what somebody else changed
meanwhile is left as it is and told. It is applied by the same doors as a change on a page: orders and edits of the
forecast one by one, rows of a table all together or none.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import pyarrow as pa
import pyarrow.compute as pc

from datong.app.chain import Chain
from datong.app.service import demand, order_edits
from datong.app.service.data import change_rows, check_rows
from datong.app.service.grid_as_workbook import CellChange, Differences, SheetGrid, Value, differences, same, workbook
from datong.app.service.grids import Wanted, piece
from datong.app.service.order_edit_rules import Change
from datong.app.service.orders_shown import everything
from datong.app.service.roles_and_permissions import Permission, Who
from datong.app.service.served_chain import Served
from datong.app.service.table_of_orders import OrdersNow, row_of, version_of
from datong.app.service.what_if import changeable, table_rows
from datong.model.errors import BadInput, NotFound, Refused
from datong.model.findings import Finding, finding, has_errors
from datong.model.tables import BESIDE, tables
from datong.model.words import Message, message

ORDERS, FORECAST = "orders", "forecast"
ROW_KEY = "row_key"
# Columns of orders that a workbook changes; the day on which units are there moves with the start.
OF_ORDERS = ("units", "start", "locked")
EDITED = "edited_units"
# Tables that are changed through a grid of their own.
_ELSEWHERE = ("orders", demand.TABLE)
State = Literal["ready", "contested", "refused", "done"]
STATES = get_args(State)


@dataclass(frozen=True)
class SheetCell:
    """A cell that a workbook changes. sent: what it said when it was written; came: what it is to say; now: what the
    chain says; is_contested: which somebody changed meanwhile."""

    column: str
    sent: Value
    came: Value
    now: Value
    is_contested: bool


@dataclass(frozen=True)
class SheetRow:
    """A row that a workbook changes. state: 'ready' to be changed; 'contested': somebody else changed one of its cells
    meanwhile, so that it is left; 'refused': it cannot be, for the findings or what is `said`; 'done'."""

    key: str
    cells: tuple[SheetCell, ...]
    state: State
    findings: tuple[Finding, ...] = ()
    said: Message | None = None

    @property
    def came(self) -> Mapping[str, Value]:
        return {cell.column: cell.came for cell in self.cells}


@dataclass(frozen=True)
class Reviewed:
    """What a workbook changes, or has changed. gone: keys of rows that the chain has no more; missing: how many rows
    it was written with and has no more, which change nothing. counts: rows by state."""

    grid: str
    rows: tuple[SheetRow, ...]
    gone: tuple[str, ...]
    missing: int
    counts: Mapping[str, int]


@dataclass(frozen=True)
class _Grid:
    """How a grid is read, looked at and changed. check: rows with what is wrong with them; do: rows as they became."""

    sees: Permission
    changes: Permission
    read: Callable[[Served], SheetGrid]
    check: Callable[[Served, Who, Sequence[SheetRow]], list[SheetRow]]
    do: Callable[[Served, Who, Sequence[SheetRow], str], list[SheetRow]]


def table_names() -> tuple[str, ...]:
    """Tables that can be changed in a workbook: those that say what exists."""
    return tuple(name for name in changeable() if name not in _ELSEWHERE)


def sheet(served: Served, who: Who, name: str, wanted: Wanted, language: str) -> bytes:
    """A grid as a workbook, or the rows of it that are wanted. name: 'orders', 'forecast' or a table. Raises
    NotAllowed, NotFound, and Refused for more rows than a workbook takes."""
    grid = _grid(name)
    who.require(grid.sees)
    whole = grid.read(served)
    return workbook(replace(whole, rows=piece(whole.rows, whole.key, replace(wanted, is_whole=True)).rows), language)


def preview(served: Served, who: Who, name: str, content: bytes) -> Reviewed:
    """What a workbook that came back would change, with all that is wrong with it; nothing is changed. Raises
    NotAllowed, NotFound, and BadInput where it is no workbook of this grid or cells of it cannot be read."""
    grid = _grid(name)
    who.require(grid.changes)
    found, rows = _read(served, grid, content)
    checked = grid.check(served, who, [row for row in rows if row.state == "ready"])
    return _reviewed(name, found, rows, checked)


def apply(served: Served, who: Who, name: str, content: bytes, why: str = "") -> Reviewed:
    """Change what a workbook changes, but for rows that somebody else changed meanwhile. Orders and the forecast row by
    row, each told how it went; of a table all rows or, where one of them is wrong, none. Raises as `preview`."""
    grid = _grid(name)
    who.require(grid.changes)
    found, rows = _read(served, grid, content)
    done = grid.do(served, who, [row for row in rows if row.state == "ready"], why)
    return _reviewed(name, found, rows, done)


def _grid(name: str) -> _Grid:
    """Raises NotFound."""
    if name in _GRIDS:
        return _GRIDS[name]
    if name not in table_names():
        raise NotFound(message("sheets.no_grid", grid=name, grids=", ".join((*_GRIDS, *table_names()))))
    return _of_table(name)


def _read(served: Served, grid: _Grid, content: bytes) -> tuple[Differences, list[SheetRow]]:
    now = grid.read(served)
    found = differences(content, now)
    by_key: dict[str, list[CellChange]] = {}
    for one in found.changes:
        if not same(one.came, one.now):  # somebody made the same change
            by_key.setdefault(one.key, []).append(one)
    return found, [_row(key, cells) for key, cells in by_key.items()]


def _row(key: str, changes: Sequence[CellChange]) -> SheetRow:
    cells = tuple(SheetCell(one.column, one.sent, one.came, one.now, one.is_contested) for one in changes)
    return SheetRow(key, cells, "contested" if any(cell.is_contested for cell in cells) else "ready")


def _reviewed(name: str, found: Differences, rows: Sequence[SheetRow], told: Sequence[SheetRow]) -> Reviewed:
    by_key = {row.key: row for row in told}
    final = tuple(by_key.get(row.key, row) for row in rows)
    counts = {state: sum(row.state == state for row in final) for state in STATES}
    return Reviewed(name, final, found.gone, found.unread, counts)


def _refused(row: SheetRow, error: Refused | NotFound | BadInput) -> SheetRow:
    found = tuple(error.findings) if isinstance(error, BadInput) else ()
    return replace(row, state="refused", findings=found, said=error.message)


def _wrong(row: SheetRow, key: str, column: str) -> SheetRow:
    """A row that cannot be changed so. key: of the words that say why."""
    return replace(row, state="refused", findings=(finding("error", key, row.key, column=column),))


# orders ------------------------------------------------------------------------------------------


def _orders(served: Served) -> SheetGrid:
    return SheetGrid(ORDERS, served.chain_thread.settings.name, "order", OF_ORDERS, everything(served).rows)


def _unreadable_order(row: SheetRow, now: OrdersNow) -> SheetRow | None:
    """The row with what is wrong with it before it is asked of an order: empty cells, and a lock that is no hand's."""
    for cell in row.cells:
        if cell.came is None:
            return _wrong(row, "sheets.empty", cell.column)
    if row.came.get("locked") is False:
        if len(row.cells) > 1:
            return _wrong(row, "sheets.unlock_alone", "locked")
        if row_of(now.rows, row.key)["origin"] != "edit":
            return _wrong(row, "sheets.no_lock_of_hand", "locked")
    return None


def _change(row: SheetRow) -> Change:
    units, start = row.came.get("units"), row.came.get("start")
    return Change(row.key, units=units, start=start)  # ty: ignore[invalid-argument-type]


def _check_orders(served: Served, who: Who, rows: Sequence[SheetRow]) -> list[SheetRow]:
    now, told = everything(served), []
    for row in rows:
        wrong = _unreadable_order(row, now)
        if wrong is not None or row.came.get("locked") is False:
            told.append(wrong or row)
            continue
        try:
            found = order_edits.check(served, who, _change(row)).findings
        except (Refused, NotFound) as error:
            told.append(_refused(row, error))
        else:
            told.append(replace(row, state="refused" if has_errors(found) else "ready", findings=found))
    return told


def _do_orders(served: Served, who: Who, rows: Sequence[SheetRow], why: str) -> list[SheetRow]:
    now, told = everything(served), []
    for row in rows:
        wrong = _unreadable_order(row, now)
        if wrong is not None:
            told.append(wrong)
            continue
        try:
            if row.came.get("locked") is False:
                _unlock(served, who, row.key)
            else:
                order_edits.edit(served, who, _change(row), version_of(row_of(now.rows, row.key)), why)
        except (Refused, NotFound, BadInput) as error:
            told.append(_refused(row, error))
        else:
            told.append(replace(row, state="done"))
    return told


def _unlock(served: Served, who: Who, name: str) -> None:
    """Take every change of an order back, so that the next plan proposes it as it sees fit."""
    left = order_edits.undo(served, who, name)
    while left is not None and left.row["origin"] == "edit":
        left = order_edits.undo(served, who, name)


# the forecast ------------------------------------------------------------------------------------


def _forecast(served: Served) -> SheetGrid:
    rows = served.chain_thread.kept("workbooks.forecast", demand.forecast_rows)
    return SheetGrid(FORECAST, served.chain_thread.settings.name, ROW_KEY, (EDITED,), rows)


def _place(served: Served, who: Who, row: SheetRow) -> tuple[demand.Bucket, demand.Told | None]:
    """The bucket that a row of the forecast is of, and the edit that it has."""
    rows = _forecast(served).rows
    found = rows.filter(pc.equal(rows[ROW_KEY], row.key)).to_pylist()[0]
    place = demand.Bucket(found["product"], found["market"], found["bucket"])
    return place, demand.hand_edit(served, who, place)


def _check_forecast(served: Served, who: Who, rows: Sequence[SheetRow]) -> list[SheetRow]:
    told = []
    for row in rows:
        units = row.came[EDITED]
        try:
            if units is not None:
                demand.check_edit(served, who, _place(served, who, row)[0], float(units))  # ty: ignore[invalid-argument-type]
        except (Refused, NotFound) as error:
            told.append(_refused(row, error))
        else:
            told.append(row)
    return told


def _do_forecast(served: Served, who: Who, rows: Sequence[SheetRow], why: str) -> list[SheetRow]:
    told = []
    places = [_place(served, who, row) for row in rows]
    for row, (place, there) in zip(rows, places, strict=True):
        units, seen = row.came[EDITED], "" if there is None else there.version
        try:
            if units is None:
                demand.clear_edit(served, who, place, seen=seen, why=why)
            else:
                at = (place.product, place.market, place.first)
                demand.edit_forecast(served, who, *at, float(units), why=why, seen=seen)  # ty: ignore[invalid-argument-type]
        except (Refused, NotFound) as error:
            told.append(_refused(row, error))
        else:
            told.append(replace(row, state="done"))
    return told


# tables ------------------------------------------------------------------------------------------


def _of_table(name: str) -> _Grid:
    table = tables()[name]
    fixed = (*table.key, *table.finer, "valid_from", *BESIDE)
    editable = tuple(c.name for c in table.columns.values() if c.name not in fixed and c.type != "moment")

    def read(served: Served) -> SheetGrid:
        def rows(chain: Chain) -> pa.Table:
            held = table_rows(chain, name)
            return held.rename_columns([ROW_KEY if c == "key" else c for c in held.column_names])

        return SheetGrid(
            name,
            served.chain_thread.settings.name,
            ROW_KEY,
            editable,
            served.chain_thread.kept(("workbooks", name), rows),
        )

    def check(served: Served, who: Who, rows: Sequence[SheetRow]) -> list[SheetRow]:
        return _told(rows, check_rows(served, who, name, {row.key: row.came for row in rows}))

    def do(served: Served, who: Who, rows: Sequence[SheetRow], why: str) -> list[SheetRow]:
        seen = {row.key: {cell.column: cell.now for cell in row.cells} for row in rows}
        try:
            change_rows(served, who, name, {row.key: row.came for row in rows}, seen, why)
        except BadInput as error:  # all or none: those that are right say why they were left
            return [
                row if row.state == "refused" else replace(row, state="refused", said=error.message)
                for row in _told(rows, error.findings)
            ]
        return [replace(row, state="done") for row in rows]

    return _Grid(Permission.SEE_DATA, Permission.CHANGE_DATA, read, check, do)


def _told(rows: Sequence[SheetRow], found: Sequence[Finding]) -> list[SheetRow]:
    """Rows of a table with their findings; one that is of none of them stands with the first."""
    own: list[list[Finding]] = [[] for _ in rows]
    for one in found:
        at = 0 if one.row is None else one.row - 1
        own[at].append(replace(one, row=None))
    return [
        replace(row, state="refused" if has_errors(of) else row.state, findings=tuple(of))
        for row, of in zip(rows, own, strict=True)
    ]


_GRIDS: Mapping[str, _Grid] = {
    ORDERS: _Grid(Permission.SEE_PLAN, Permission.EDIT_ORDERS, _orders, _check_orders, _do_orders),
    FORECAST: _Grid(Permission.SEE_DEMAND, Permission.CHANGE_DEMAND, _forecast, _check_forecast, _do_forecast),
}
