"""Totals over firms, for a platform: of no firm its own figures."""

from datetime import datetime

from fastapi import APIRouter
from pydantic import BaseModel

from datong.app.rest.around_every_call import Called, OfChain
from datong.app.rest.json_answers import Grid
from datong.app.rest.tables_by_cursor import Asked, grid
from datong.app.rest.workbooks import Workbook, as_file
from datong.app.service import totals

router = APIRouter(prefix="/totals", tags=["totals"], route_class=OfChain)


class OfPlan(BaseModel):
    """as_of: the moment of the plan that totals are of. least_firms, most_share: a total has at least so many firms,
    and none of them more than this share of it."""

    as_of: datetime
    least_firms: int
    most_share: float


@router.get("")
def of_plan(call: Called) -> OfPlan:
    """Which plan totals are of, and how many firms each has at least."""
    moment = totals.of_plan(call.served, call.who).as_of
    return OfPlan(as_of=moment, least_firms=totals.LEAST_FIRMS, most_share=totals.MOST_SHARE)


@router.get("/demand")
def demand(call: Called, wanted: Asked) -> Grid:
    """Demand of the last plan over all firms, and what of it is on time, by bucket and category. A category that would
    tell one firm's own figures is told together with others (category: null), or not at all."""
    return grid(lambda asked: totals.demand(call.served, call.who, asked), wanted, call.language)


@router.get("/demand.xlsx", response_class=Workbook)
def demand_out(call: Called, wanted: Asked) -> Workbook:
    """The same as a workbook."""
    return as_file(totals.demand_sheet(call.served, call.who, wanted, call.language))


@router.get("/hours")
def hours(call: Called, wanted: Asked) -> Grid:
    """Hours of the last plan over all firms, used and free, by bucket and category; as `demand`."""
    return grid(lambda asked: totals.hours(call.served, call.who, asked), wanted, call.language)


@router.get("/hours.xlsx", response_class=Workbook)
def hours_out(call: Called, wanted: Asked) -> Workbook:
    """The same as a workbook."""
    return as_file(totals.hours_sheet(call.served, call.who, wanted, call.language))
