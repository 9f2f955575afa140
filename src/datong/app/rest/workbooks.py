"""Every table as a workbook (.xlsx), and back where it can be changed in one."""

from collections.abc import Callable
from dataclasses import replace
from typing import Annotated, Any, ClassVar

import pyarrow as pa
from fastapi import APIRouter, Path, Query, Response
from fastapi import Body as Sent

from datong.app.rest.around_every_call import Call, Called, OfChain, Signed
from datong.app.rest.json_answers import plain, shape
from datong.app.rest.shapes import Why
from datong.app.rest.tables_by_cursor import Asked
from datong.app.service import changes_by_workbook, data, demand, factory, market, releases, what_if
from datong.app.service.changes_by_workbook import FORECAST, ORDERS, Reviewed
from datong.app.service.grid_as_workbook import MOST_BYTES, XLSX, SheetGrid, workbook
from datong.app.service.grids import Piece, Wanted, piece
from datong.app.service.roles_and_permissions import Permission
from datong.model.errors import NotFound
from datong.model.words import message


class Workbook(Response):
    """A workbook, to be kept as a file."""

    media_type = XLSX


class WithWorkbook(Signed):
    """An endpoint that is sent a workbook."""

    most_bytes: ClassVar[int] = MOST_BYTES


router = APIRouter(tags=["workbooks"], route_class=OfChain)
sent_back = APIRouter(tags=["workbooks"], route_class=WithWorkbook)

Content = Annotated[bytes, Sent(media_type="application/octet-stream")]
Reason = Annotated[Why, Query(description="Why, for the audit.")]
OfTable = Annotated[str, Path(max_length=100, description="A table that says what exists.")]
_REVIEWED: type = shape(Reviewed)


def _whole(call: Call, name: str, key: str, ask: Callable[[Wanted], Piece], wanted: Wanted) -> Workbook:
    """All rows of a table that meet the conditions. key: the column that tells them apart."""
    rows: pa.Table = ask(replace(wanted, is_whole=True)).rows
    grid = SheetGrid(name, call.served.chain_thread.settings.name, key, (), rows)
    return as_file(workbook(grid, call.language))


def _changeable(call: Call, name: str, wanted: Wanted) -> Workbook:
    return as_file(changes_by_workbook.sheet(call.served, call.who, name, wanted, call.language))


def as_file(content: bytes) -> Workbook:
    """To be kept by whoever asked."""
    return Workbook(content, headers={"content-disposition": "attachment"})


def _table(call: Call, table: str, needed: Permission) -> str:
    """Raises NotAllowed, and NotFound for what is no table that can be changed in a workbook."""
    call.who.require(needed)
    if table not in changes_by_workbook.table_names():
        raise NotFound(message("sheets.no_grid", grid=table, grids=", ".join(changes_by_workbook.table_names())))
    return table


def _looked(call: Call, name: str, content: bytes) -> Any:
    return plain(changes_by_workbook.preview(call.served, call.who, name, content), call.language)


def _applied(call: Call, name: str, content: bytes, why: str) -> Any:
    return plain(changes_by_workbook.apply(call.served, call.who, name, content, why), call.language)


@router.get("/orders.xlsx", response_class=Workbook)
def orders_out(call: Called, wanted: Asked) -> Workbook:
    """All orders as they stand now; units, start and lock of proposals may be changed in it."""
    return _changeable(call, ORDERS, wanted)


@sent_back.post("/orders.xlsx/preview", response_model=_REVIEWED)
def orders_looked_at(content: Content, call: Called) -> Any:
    """What a workbook of orders would change, with all that is wrong with it; nothing is written."""
    return _looked(call, ORDERS, content)


@sent_back.post("/orders.xlsx", response_model=_REVIEWED)
def orders_back(content: Content, call: Called, why: Reason = "") -> Any:
    """Change orders as a workbook says, one by one; what somebody else changed meanwhile is left. The answer tells of
    each row whether it is done."""
    return _applied(call, ORDERS, content, why)


@router.get("/releases.xlsx", response_class=Workbook)
def releases_out(call: Called, wanted: Asked) -> Workbook:
    """Proposals that are due to be given out now."""
    return _whole(
        call,
        "releases",
        "order",
        lambda asked: piece(releases.to_release(call.served, call.who), "order", asked),
        wanted,
    )


@router.get("/demand.xlsx", response_class=Workbook)
def demand_out(call: Called, wanted: Asked) -> Workbook:
    """Products and markets with what was sold of late and what is expected."""
    return _whole(call, "demand", "item", lambda asked: demand.items(call.served, call.who, asked), wanted)


@router.get("/demand/forecast.xlsx", response_class=Workbook)
def forecast_out(call: Called, wanted: Asked) -> Workbook:
    """The forecast, a row a bucket; what is expected by hand may be changed in it, and emptied."""
    return _changeable(call, FORECAST, wanted)


@sent_back.post("/demand/forecast.xlsx/preview", response_model=_REVIEWED)
def forecast_looked_at(content: Content, call: Called) -> Any:
    """What a workbook of the forecast would change, with all that is wrong with it; nothing is written."""
    return _looked(call, FORECAST, content)


@sent_back.post("/demand/forecast.xlsx", response_model=_REVIEWED)
def forecast_back(content: Content, call: Called, why: Reason = "") -> Any:
    """Edit the forecast as a workbook says, bucket by bucket; what somebody else changed meanwhile is left."""
    return _applied(call, FORECAST, content, why)


@router.get("/own-orders.xlsx", response_class=Workbook)
def own_orders_out(call: Called, wanted: Asked) -> Workbook:
    """The orders that were given out to the own firm, all that meet the conditions."""
    return as_file(factory.own_order_sheet(call.served, call.who, wanted, call.language))


@router.get("/market/lost.xlsx", response_class=Workbook)
def lost_out(call: Called, wanted: Asked) -> Workbook:
    """Demand that is late or lost in the last plan, and what it would take."""
    return _whole(call, "lost", "cell", lambda asked: market.lost(call.served, call.who, asked), wanted)


@router.get("/data/arrivals.xlsx", response_class=Workbook)
def arrivals_out(call: Called, wanted: Asked) -> Workbook:
    """What was written to the chain, by whom, the last first."""
    return _whole(call, "arrivals", "write", lambda asked: data.arrivals(call.served, call.who, asked), wanted)


@router.get("/quarantine.xlsx", response_class=Workbook)
def quarantine_out(call: Called, wanted: Asked) -> Workbook:
    """Rows that wait, since something is wrong with them."""
    return _whole(
        call, "quarantine", "quarantine_id", lambda asked: data.quarantine(call.served, call.who, asked), wanted
    )


@router.get("/branches/{name}/rows/{table}.xlsx", response_class=Workbook)
def rows_out(
    name: Annotated[str, Path(max_length=200, description="The name of a what-if, or main.")],
    table: OfTable,
    call: Called,
    wanted: Asked,
) -> Workbook:
    """Rows of a table as a what-if (or 'main') has them."""
    return _whole(call, table, "key", lambda asked: what_if.rows(call.served, call.who, name, table, asked), wanted)


@router.get("/data/tables/{table}.xlsx", response_class=Workbook)
def table_out(table: OfTable, call: Called, wanted: Asked) -> Workbook:
    """A table that says what exists; all but what names its rows may be changed in it."""
    return _changeable(call, _table(call, table, Permission.SEE_DATA), wanted)


@sent_back.post("/data/tables/{table}.xlsx/preview", response_model=_REVIEWED)
def table_looked_at(table: OfTable, content: Content, call: Called) -> Any:
    """What a workbook of a table would change, with all that is wrong with it; nothing is written."""
    return _looked(call, _table(call, table, Permission.CHANGE_DATA), content)


@sent_back.post("/data/tables/{table}.xlsx", response_model=_REVIEWED)
def table_back(table: OfTable, content: Content, call: Called, why: Reason = "") -> Any:
    """Change rows of a table as a workbook says: all of them, or where one is wrong none; what somebody else changed
    meanwhile is left."""
    return _applied(call, _table(call, table, Permission.CHANGE_DATA), content, why)
