"""What a planner looks at first, and decides."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel

from datong.app.rest.around_every_call import Called, Signed
from datong.app.rest.json_answers import many, plain, shape
from datong.app.rest.last_order_edit_price import LastPrice, last_price_of
from datong.app.rest.shapes import Body, Count, Done, Login, Why
from datong.app.service import today
from datong.app.service.jobs import Job
from datong.app.service.today import Decision, Today

router = APIRouter(prefix="/today", tags=["today"], route_class=Signed)
decisions = APIRouter(prefix="/decisions", tags=["today"], route_class=Signed)

OfDecision = Annotated[str, Path(max_length=400, description="The key of a decision.")]


class Reasoned(Body):
    why: Why = ""


class Assignment(Body):
    """to: a planner's login."""

    to: Login


class Decisions(BaseModel):
    """cursor: asks for those after these; None: there are none. total: how many wait."""

    rows: many(Decision)  # ty: ignore[invalid-type-form]
    cursor: str | None
    total: int


@router.get("", response_model=shape(Today))
def look(call: Called) -> Any:
    """What came back, what is late and for whom, and the decisions that matter most in money."""
    return plain(today.today(call.served, call.who))


@decisions.get("")
def list_decisions(
    call: Called,
    count: Count = 100,
    cursor: Annotated[str | None, Query(max_length=4000, description="Where the piece before ended.")] = None,
) -> Decisions:
    """What waits for a decision, the dearest first, and how much of it there is."""
    found, total = today.decisions(call.served, call.who, count + 1, cursor)
    more = found[count - 1].key if len(found) > count else None
    return Decisions(rows=plain(found[:count]), cursor=more, total=total)


@decisions.get("/planners")
def planners(call: Called) -> dict[str, str]:
    """Whom something can be assigned to: names by login."""
    return today.planners(call.served, call.who)


@decisions.get("/prices")
def last_prices(call: Called) -> LastPrice:
    """The last prices of all offers that anybody asked for, and whether they still hold."""
    return last_price_of(call)


@decisions.post("/prices", status_code=202)
def price_offers(call: Called) -> Job:
    """Ask what taking each offer that waits would cost: a job."""
    return today.price_offers(call.served, call.who)


@decisions.post("/{key:path}/taking")
def take(key: OfDecision, sent: Reasoned, call: Called) -> Done:
    """Do it: give the order out, or take the offer."""
    today.take(call.served, call.who, key, sent.why)
    return Done()


@decisions.post("/{key:path}/holding")
def hold(key: OfDecision, sent: Reasoned, call: Called) -> Done:
    """Keep an order as it was, and refuse the offer of its counterparty."""
    today.hold(call.served, call.who, key, sent.why)
    return Done()


@decisions.post("/{key:path}/dismissal")
def dismiss(key: OfDecision, sent: Reasoned, call: Called) -> Done:
    """Show it no more, so long as the order stays as it is."""
    today.dismiss(call.served, call.who, key, sent.why)
    return Done()


@decisions.put("/{key:path}/assignment")
def assign(key: OfDecision, sent: Assignment, call: Called) -> Done:
    """Say who is to decide."""
    today.assign(call.served, call.who, key, sent.to)
    return Done()
