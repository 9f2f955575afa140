"""The last plan as a picture: lines with their orders, and stock; and what differs between two plans."""

from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel

from datong.app.rest.around_every_call import Called, OfChain
from datong.app.rest.json_answers import Rows, many, plain, shape
from datong.app.rest.lists_by_cursor import AskedPiece, rows_piece
from datong.app.rest.shapes import Day
from datong.app.service import gantt, plan_differences, stock
from datong.app.service.gantt import Bars, Closed, Line
from datong.app.service.plan_differences import Difference, KeptRun

router = APIRouter(prefix="/plan", tags=["plan"], route_class=OfChain)

Row = Annotated[int, Query(ge=0, le=1_000_000)]
OfRun = Annotated[str, Query(max_length=100, description="The number of a kept plan.")]
OnDay = Annotated[Day, Query()]


class PlanLines(BaseModel):
    """lines: in the order of the rows. first, last: days between which there are orders. today: the chain's day."""

    lines: many(Line)  # ty: ignore[invalid-type-form]
    first: Day
    last: Day
    today: Day


@router.get("/lines")
def lines(call: Called) -> PlanLines:
    """Lines that have open orders, each with how many."""
    return PlanLines(**plain(gantt.lines(call.served, call.who)))


@router.get("/bars", response_model=shape(Bars))
def bars(call: Called, from_row: Row, to_row: Row, first: OnDay, last: OnDay) -> Any:
    """Orders of the rows from `from_row` to before `to_row`, and of the days from `first` to `last`; where too many are
    in view, how full each line is by bucket."""
    return plain(gantt.bars(call.served, call.who, from_row, to_row, first, last))


@router.get("/closed-days", response_model=many(Closed))
def closed_days(call: Called) -> Any:
    """Closed days of lines that have a calendar, from the first order to the last: rows of lines, spans of days."""
    return plain(gantt.closed(call.served, call.who))


@router.get("/stock")
def stock_of(call: Called, product: Annotated[str, Query(max_length=200)]) -> Rows:
    """Units of a product over all sites by bucket, as the last plan expects them."""
    return plain(stock.stock(call.served, call.who, product))


@router.get("/runs", response_model=many(KeptRun))
def runs(call: Called) -> Any:
    """The plans that are kept, newest first."""
    return plain(plan_differences.runs(call.served, call.who))


@router.get("/difference", response_model=shape(Difference, cursor=str | None, total=int))
def difference(call: Called, a: OfRun, b: OfRun, wanted: AskedPiece) -> Any:
    """What differs between two kept plans: their orders, paired, piece by piece; and what they cost."""
    found = plan_differences.difference(call.served, call.who, a, b)
    shown = rows_piece(found.orders, wanted)
    orders = {"orders": shown["rows"], "cursor": shown["cursor"], "total": shown["total"]}
    return plain(replace(found, orders=found.orders.slice(0, 0))) | orders
