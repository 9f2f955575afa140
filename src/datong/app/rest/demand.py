"""Demand: what was sold, what is expected and what moves it; and a planner's own hand in it."""

from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import Field

from datong.app.rest.around_every_call import Called, OfChain
from datong.app.rest.json_answers import Grid, many, plain, shape
from datong.app.rest.lists_by_cursor import AskedPiece, piece, piece_of, rows_piece
from datong.app.rest.shapes import Body, Code, Day, Done, Units, Why
from datong.app.rest.tables_by_cursor import Asked, grid
from datong.app.service import demand
from datong.app.service.demand import Accuracy, Edited, ItemDemand, Told

router = APIRouter(prefix="/demand", tags=["demand"], route_class=OfChain)

OfEdit = Annotated[str, Path(max_length=400, description="The number of an edit.")]


class ForecastEdit(Body):
    """What a product will sell in an open bucket, in units. bucket: its first day. seen: the version of the edit that
    whoever edits has seen ('': there was none; None: it does not matter)."""

    product: Code
    market: Code
    bucket: Day
    units: Units
    why: Why = ""
    seen: Annotated[str, Field(max_length=80)] | None = None


# version: what an edit of the same bucket says as `seen`.
_TOLD: type = shape(Told, version=str)


@router.get("")
def items(call: Called, wanted: Asked) -> Grid:
    """Products and markets with what was sold of late and what is expected, in units a bucket."""
    return grid(lambda asked: demand.items(call.served, call.who, asked), wanted, call.language)


@router.get("/item", response_model=shape(ItemDemand, statements=many(_TOLD)))
def item(
    call: Called,
    product: Annotated[str, Query(max_length=200)],
    market: Annotated[str | None, Query(max_length=200, description="Without one, that with the most demand.")] = None,
) -> Any:
    """Demand of one product in one market: history, forecast with its interval, signals, and what people say of it."""
    return _with_versions(demand.item(call.served, call.who, product, market))


def _with_versions(found: ItemDemand) -> Any:
    return plain(found) | {"statements": [_told(one) for one in found.statements]}


def _told(one: Told) -> Any:
    return plain(one) | {"version": one.version}


@router.get("/edits", response_model=piece_of(_TOLD))
def edits(call: Called, wanted: AskedPiece) -> Any:
    """What people say will change demand: promotions, edits, and what was taken with findings."""
    return piece(demand.edits(call.served, call.who), wanted, lambda one: one.edit, _told)


@router.put("/edits", response_model=shape(Edited))
def edit_forecast(sent: ForecastEdit, call: Called) -> Any:
    """Say what a product will sell in an open bucket: the next plan goes by it, and it is later held against what was
    sold."""
    made = demand.edit_forecast(
        call.served, call.who, sent.product, sent.market, sent.bucket, sent.units, why=sent.why, seen=sent.seen
    )
    return plain(made)


@router.delete("/edits/{edit:path}")
def take_back(edit: OfEdit, call: Called) -> Done:
    """Undo an edit: what stood before it stands again."""
    demand.take_back(call.served, call.who, edit)
    return Done()


@router.get("/accuracy", response_model=shape(Accuracy, cursor=str | None, total=int))
def accuracy(call: Called, wanted: AskedPiece) -> Any:
    """How edits did beside the machine, in buckets that have closed since."""
    found = demand.accuracy(call.served, call.who)
    return plain(replace(found, rows=found.rows.slice(0, 0))) | rows_piece(found.rows, wanted)
