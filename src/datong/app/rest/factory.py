"""A firm and its own orders: what was given out to it, its answers, photos of defects, free hours."""

from datetime import datetime
from typing import Annotated, Any, ClassVar

from fastapi import APIRouter, Path, Response
from fastapi import Body as Sent
from pydantic import BaseModel, Field

from datong.app.rest.around_every_call import Called, Signed
from datong.app.rest.json_answers import many, plain, shape
from datong.app.rest.shapes import Body, Day
from datong.app.rest.tables_by_cursor import Asked
from datong.app.service import factory, idle_hours, photos
from datong.app.service.answers_sent_late import own_late_answers
from datong.app.service.factory import Answered, OwnOrder
from datong.app.service.idle_hours import IdleHours
from datong.app.service.photo_checked_and_cleaned import MOST_BYTES
from datong.app.service.photos import Photo
from datong.app.service.typed_answers import ANSWERS, Typed
from datong.model.errors import BadInput
from datong.model.words import message


class WithPhoto(Signed):
    """An endpoint that is sent a photo."""

    most_bytes: ClassVar[int] = MOST_BYTES


router = APIRouter(prefix="/own-orders", tags=["factory"], route_class=Signed)
pictures = APIRouter(prefix="/own-orders", tags=["factory"], route_class=WithPhoto)
hours = APIRouter(prefix="/own-hours", tags=["factory"], route_class=Signed)

OfOrder = Annotated[str, Path(max_length=200, description="The number of an order.")]
OfPhoto = Annotated[str, Path(max_length=64, description="The digest of a photo.")]
Typing = Annotated[str, Field(max_length=100)]


class Answer(Body):
    """An answer as somebody types it: numbers and days are read as in the sheets of the drop folder.

    key: the same for the same answer sent again: it counts once. units, due, price: what is offered instead.
    good_units, scrap_units: so far, in all. when: it happened; '': now. is_confirmed: what seems a slip of the hand is
    meant. is_correction: fewer than before is right. agreed: what the order asked for when it was answered (its
    `agreed_key`): where that changed since, nothing is accepted. waited_s: seconds that it waited before it was sent.
    """

    state: Annotated[str, Field(max_length=20, json_schema_extra={"enum": list(ANSWERS)})]
    key: Annotated[str, Field(pattern=factory.KEY.pattern)]
    units: Typing = ""
    due: Typing = ""
    price: Typing = ""
    good_units: Typing = ""
    scrap_units: Typing = ""
    when: Typing = ""
    remark: Annotated[str, Field(max_length=4000)] = ""
    is_confirmed: bool = False
    is_correction: bool = False
    agreed: Typing = ""
    waited_s: Annotated[float, Field(ge=0, le=1e8, allow_inf_nan=False)] = 0.0


_ORDER = shape(OwnOrder, part=str, agreed_key=str)


class OwnOrders(BaseModel):
    """orders: those to answer first, then those that run, then those that ended, where nothing else is asked for.
    cursor: asks for those after these; None: there are none. total: how many meet the conditions. today: the chain's
    day."""

    orders: list[_ORDER]  # ty: ignore[invalid-type-form]
    cursor: str | None
    total: int
    currency: str
    today: Day
    firm_name: str


class LateAnswer(BaseModel):
    """given_at: when it was given; arrived_at: when it came in."""

    given_at: datetime
    arrived_at: datetime


class Free(BaseModel):
    """Hours of the own lines that the last plan leaves free, and what they would earn."""

    hours: shape(IdleHours)  # ty: ignore[invalid-type-form]
    free_hours: float
    would_earn_money: float | None


@router.get("")
def own_orders(call: Called, wanted: Asked) -> OwnOrders:
    """The orders that were given out to the own firm. Conditions are on order, kind, product, product_name, units,
    start, due, state and part (to_answer, running, ended)."""
    found = factory.own_orders(call.served, call.who, wanted)
    return OwnOrders(
        orders=[_order(one) for one in found.orders],
        cursor=found.cursor,
        total=found.total,
        currency=found.currency,
        today=found.today,
        firm_name=found.firm_name,
    )


def _order(one: OwnOrder) -> Any:
    return plain(one) | {"part": one.part, "agreed_key": one.agreed_key}


@router.post("/{order:path}/answers", response_model=shape(Answered))
def answer(order: OfOrder, sent: Answer, call: Called) -> Any:
    """Accept, refuse, offer another day, quantity or price, start, report progress, end, remark."""
    made = factory.answer(call.served, call.who, order, Typed(**sent.model_dump()))
    if not made.is_taken:
        raise BadInput(message("rest.not_taken", order=made.order), made.findings)
    return plain(made, call.language)


@pictures.post("/{order:path}/photos", status_code=201, response_model=shape(Photo))
def add_photo(order: OfOrder, content: Annotated[bytes, Sent(media_type="image/jpeg")], call: Called) -> Any:
    """Keep a photo of an own order (JPEG or PNG), without what the file says beside the picture."""
    return plain(photos.add_photo(call.served, call.who, order, content))


@router.get("/{order:path}/photos", response_model=many(Photo))
def list_photos(order: OfOrder, call: Called) -> Any:
    """Photos of an order: of an own one, or, for who sees the plan, of any."""
    return plain(photos.photos(call.served, call.who, order))


@router.get(
    "/{order:path}/photos/{digest}",
    response_class=Response,
    responses={200: {"content": {"image/jpeg": {}, "image/png": {}}, "description": "The photo."}},
)
def photo(order: OfOrder, digest: OfPhoto, call: Called) -> Response:
    """One photo."""
    found, content = photos.photo(call.served, call.who, order, digest)
    return Response(content, media_type=found.kind)


@router.get("/{order:path}/late-answers")
def late_answers(order: OfOrder, call: Called) -> list[LateAnswer]:
    """Answers to an own order that waited before they were sent."""
    found = own_late_answers(call.served, call.who, factory.own_order(call.served, call.who, order).order)
    return [LateAnswer(given_at=given, arrived_at=came) for given, came in sorted(found.items())]


@router.get("/{order:path}", response_model=_ORDER)
def own_order(order: OfOrder, call: Called) -> Any:
    """One of the own orders."""
    return _order(factory.own_order(call.served, call.who, order))


@hours.get("")
def free_hours(call: Called) -> Free:
    """What the last plan leaves free on the firm's own lines, and what it would earn."""
    found = idle_hours.idle_hours(call.served, call.who)
    return Free(hours=plain(found), free_hours=found.free_hours, would_earn_money=found.would_earn_money)
