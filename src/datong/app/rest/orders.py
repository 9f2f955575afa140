"""Orders: listed, looked at with their reasons, changed by hand, given out."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, Field

from datong.app.rest.around_every_call import Call, Called, OfChain, Signed
from datong.app.rest.json_answers import Grid, Rows, plain, shape
from datong.app.rest.last_order_edit_price import LastPrice, last_price_of
from datong.app.rest.lists_by_cursor import AskedPiece, RowsPiece, rows_piece
from datong.app.rest.problems import Changed, NotConditional
from datong.app.rest.shapes import Body, Code, Day, Units, Why
from datong.app.rest.tables_by_cursor import Asked, grid
from datong.app.service import order_edits, orders_shown, releases
from datong.app.service.grids import piece
from datong.app.service.jobs import Job
from datong.app.service.order_edit_rules import Change
from datong.app.service.order_edit_rules import Changed as ChangedOrder
from datong.app.service.orders_shown import OrderShown
from datong.app.service.releases import Released
from datong.app.service.roles_and_permissions import Permission
from datong.model.words import message

router = APIRouter(prefix="/orders", tags=["orders"], route_class=Signed)
listed = APIRouter(prefix="/orders", tags=["orders"], route_class=OfChain)
given_out = APIRouter(prefix="/releases", tags=["orders"], route_class=OfChain)

OfOrder = Annotated[str, Path(max_length=200, description="The number of an order.")]


class OrderChange(Body):
    """What is left out stays. units: of the order itself; split: units of further orders that are split off it. start:
    day on which it starts; the day on which it is there moves with it. way: its recipe, offer or lane."""

    units: Units | None = None
    start: Day | None = None
    way: Code | None = None
    split: list[Units] = Field([], max_length=50)

    def of(self, order: str) -> Change:
        return Change(order, self.units, self.start, self.way, tuple(self.split))


class OrderEdit(OrderChange):
    """With nothing but `why` the order is locked as it is."""

    why: Why = ""


class Release(Body):
    """orders: numbers; None: all that are due."""

    orders: Annotated[list[Code], Field(max_length=100_000)] | None = None
    why: Why = ""


class Evidence(RowsPiece):
    """Rows of a table of the chain. cursor: asks for the rows after these; None: there are none. total: how many there
    are."""

    table: str


class Steps(BaseModel):
    """Whether there is a change of the order to undo, and one to make again."""

    can_undo: bool
    can_redo: bool


class Undone(BaseModel):
    """order: as it is now; None: without that change no plan proposes it any more."""

    order: shape(OrderShown) | None  # ty: ignore[invalid-type-form]


@listed.get("")
def list_orders(call: Called, wanted: Asked) -> Grid:
    """All orders as they stand now: what the last plan proposes, and what is out or was changed by hand."""
    return grid(lambda asked: orders_shown.orders(call.served, call.who, asked), wanted, call.language)


@router.get("/{order:path}/reasons/{rank}/evidence")
def evidence(order: OfOrder, rank: Annotated[int, Path(ge=0, le=1000)], call: Called, wanted: AskedPiece) -> Evidence:
    """The rows behind one of an order's reasons."""
    table, rows = orders_shown.evidence(call.served, call.who, order, rank)
    return Evidence(table=table, **rows_piece(rows, wanted))


@router.get("/{order:path}/ways")
def ways(order: OfOrder, call: Called) -> Rows:
    """The ways by which an order could be made, bought or moved."""
    return plain(order_edits.ways(call.served, call.who, order))


@router.get("/{order:path}/steps")
def steps(order: OfOrder, call: Called) -> Steps:
    """Whether a change of an order can be undone, or made again."""
    can_undo, can_redo = order_edits.can_undo(call.served, call.who, order)
    return Steps(can_undo=can_undo, can_redo=can_redo)


@router.post("/{order:path}/check", response_model=shape(ChangedOrder))
def check(order: OfOrder, sent: OrderChange, call: Called) -> Any:
    """What a change would come to, with all that is wrong with it; nothing is written."""
    return plain(order_edits.check(call.served, call.who, sent.of(order)), call.language)


@router.post("/{order:path}/price", status_code=202)
def price(order: OfOrder, sent: OrderChange, call: Called) -> Job:
    """Ask what a change would cost: a job that plans with and without it."""
    return order_edits.price(call.served, call.who, sent.of(order))


@router.get("/{order:path}/price")
def last_price(order: OfOrder, call: Called) -> LastPrice:
    """The last price of a change of an order that one asked for, and whether it still holds."""
    return last_price_of(call, order)


@router.post("/{order:path}/undo")
def undo(order: OfOrder, call: Called) -> Undone:
    """Take the last change of an order back, whoever made it."""
    left = order_edits.undo(call.served, call.who, order)
    return Undone(order=None if left is None else plain(left))


@router.post("/{order:path}/redo", response_model=shape(OrderShown))
def redo(order: OfOrder, call: Called, response: Response) -> Any:
    """Make the change that was undone last again."""
    return _shown(order_edits.redo(call.served, call.who, order), response)


@router.get("/{order:path}", response_model=shape(OrderShown))
def order(order: OfOrder, call: Called, response: Response) -> Any:
    """One order, with why it is there and what became of it; its ETag goes with a change as If-Match."""
    return _shown(orders_shown.order(call.served, call.who, order), response)


@router.patch("/{order:path}", response_model=shape(OrderShown))
def edit(order: OfOrder, sent: OrderEdit, call: Called, response: Response) -> Any:
    """Change a proposed order by hand, or with no change lock it as it is: every later plan counts on it. If-Match is
    needed: where somebody changed it meanwhile nothing is done, and `current` says how it is now."""
    version = _seen_version(call, order)
    try:
        made = order_edits.edit(call.served, call.who, sent.of(order), version, sent.why)
    except order_edits.Conflict as error:
        now = plain(orders_shown.order(call.served, call.who, order))
        raise Changed(error.message, now) from error
    return _shown(made, response)


def _seen_version(call: Call, order: str) -> str:
    """The version of an order that whoever changes it has seen. Raises NotAllowed, and NotConditional."""
    call.who.require(Permission.EDIT_ORDERS)
    if call.if_match is None:
        raise NotConditional(message("rest.if_match_needed"))
    seen = call.if_match.strip().removeprefix("W/").strip('"')
    return orders_shown.order(call.served, call.who, order).version if seen == "*" else seen


def _shown(found: OrderShown, response: Response) -> Any:
    response.headers["etag"] = f'"{found.version}"'
    return plain(found)


@given_out.get("")
def to_release(call: Called, wanted: Asked) -> Grid:
    """Proposals that are due to be given out now."""
    return grid(lambda asked: piece(releases.to_release(call.served, call.who), "order", asked), wanted, call.language)


@given_out.post("", response_model=shape(Released))
def release(sent: Release, call: Called) -> Any:
    """Give orders out to those who make or deliver them: all that are named, or none."""
    return plain(releases.release(call.served, call.who, sent.orders, sent.why))
