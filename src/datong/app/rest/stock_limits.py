"""What lies in stock and how long it lasts; how much is to lie there, and what the economics alone would keep."""

from fastapi import APIRouter

from datong.app.rest.around_every_call import Called, OfChain
from datong.app.rest.json_answers import Grid
from datong.app.rest.tables_by_cursor import Asked, grid
from datong.app.rest.workbooks import Workbook, as_file
from datong.app.service import stock_cover, stock_limits

router = APIRouter(prefix="/plan", tags=["plan"], route_class=OfChain)


@router.get("/stock-cover")
def cover(call: Called, wanted: Asked) -> Grid:
    """Products and sites of the last plan: what lies there when it begins, how many weeks that lasts without supply,
    what comes and goes over the horizon, and how low stock falls."""
    return grid(lambda asked: stock_cover.cover(call.served, call.who, asked), wanted, call.language)


@router.get("/stock-cover.xlsx", response_class=Workbook)
def cover_out(call: Called, wanted: Asked) -> Workbook:
    """The same as a workbook."""
    return as_file(stock_cover.cover_sheet(call.served, call.who, wanted, call.language))


@router.get("/stock-places")
def places(call: Called, wanted: Asked) -> Grid:
    """Products and sites with a smallest or largest stock, over the horizon of the last plan: where stock is below or
    above, what the economics alone would keep, and what the difference costs a week."""
    return grid(lambda asked: stock_limits.places(call.served, call.who, asked), wanted, call.language)


@router.get("/stock-places.xlsx", response_class=Workbook)
def places_out(call: Called, wanted: Asked) -> Workbook:
    """The same as a workbook."""
    return as_file(stock_limits.places_sheet(call.served, call.who, wanted, call.language))


@router.get("/stock-limits")
def limits(call: Called, wanted: Asked) -> Grid:
    """The same bucket by bucket, with the stock that the last plan expects."""
    return grid(lambda asked: stock_limits.limits(call.served, call.who, asked), wanted, call.language)


@router.get("/stock-limits.xlsx", response_class=Workbook)
def limits_out(call: Called, wanted: Asked) -> Workbook:
    """The same bucket by bucket, as a workbook."""
    return as_file(stock_limits.limits_sheet(call.served, call.who, wanted, call.language))
