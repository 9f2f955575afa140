"""The market in the chain: hours and their prices, where demand is lost, quotes."""

from typing import Annotated, Any, ClassVar

from fastapi import APIRouter, Query

from datong.app.http.request_rates import QUOTE, Rate
from datong.app.rest.around_every_call import Called, OfChain, Signed
from datong.app.rest.json_answers import Grid, many, plain, shape
from datong.app.rest.lists_by_cursor import AskedPiece, piece, piece_of
from datong.app.rest.shapes import Body, Code, Day, Units
from datong.app.rest.tables_by_cursor import Asked, grid
from datong.app.service import market
from datong.app.service.jobs import Job
from datong.app.service.market import Heat, Lost, Scarce


class Quoted(Signed):
    """An endpoint whose answers would tell a rival's hours, were they had in numbers."""

    rate: ClassVar[Rate | None] = QUOTE


router = APIRouter(prefix="/market", tags=["market"], route_class=OfChain)
quotes = APIRouter(prefix="/quotes", tags=["market"], route_class=Quoted)

OfBranch = Annotated[str | None, Query(max_length=200, description="A what-if; without one, the plan.")]


class RushOrder(Body):
    """What an order more is asked for. units: above 0. due: a day. market: where the product has only one, it may be
    left out."""

    product: Code
    units: Units
    due: Day
    market: Code | None = None
    branch: Code | None = None


@router.get("/hours", response_model=shape(Heat))
def hours(call: Called, branch: OfBranch = None) -> Any:
    """Hours by line and bucket in the last plan, and what one more is worth."""
    return plain(market.heat(call.served, call.who, branch))


@router.get("/scarce", response_model=many(Scarce))
def scarce(call: Called) -> Any:
    """What one more of would save most, the dearest first."""
    return plain(market.scarce(call.served, call.who))


@router.get("/lost")
def lost(call: Called, wanted: Asked) -> Grid:
    """Demand that is late or lost in the last plan, and what it would take."""
    return grid(lambda asked: market.lost(call.served, call.who, asked), wanted, call.language)


@router.get("/in-the-way", response_model=piece_of(Lost))
def in_the_way(call: Called, wanted: AskedPiece) -> Any:
    """Units that are late or lost for want of each scarce thing, the most first."""
    return piece(
        market.in_the_way(call.served, call.who),
        wanted,
        lambda one: f"{one.cause}/{'+'.join((one.name, *one.beside))}/{one.unit}",
    )


@quotes.post("", status_code=202)
def quote(sent: RushOrder, call: Called) -> Job:
    """Ask what an order more would cost: a job."""
    return market.start_quote(call.served, call.who, sent.product, sent.units, sent.due, sent.market, sent.branch)
