"""Proposals: made by programs and people, approved or refused by a person with a session."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from datong.app.rest.around_every_call import Called, Signed
from datong.app.rest.json_answers import many, plain, shape
from datong.app.rest.market_findings import DemandChange
from datong.app.rest.shapes import Body, Code, Count, Day, Name, Units, Why
from datong.app.service import proposals_and_approvals
from datong.app.service.order_edit_rules import Change
from datong.app.service.proposals_and_approvals import MOST_ORDERS, Asked, Decide, Proposal, Release
from datong.network.finding_decisions import Change as OfDemand

router = APIRouter(prefix="/proposals", tags=["proposals"], route_class=Signed)

OfProposal = Annotated[int, Path(ge=1, le=2**62, description="The number of a proposal.")]
Reason = Annotated[str, Field(min_length=1, max_length=2000)]


class NewRelease(Body):
    """Give orders out."""

    kind: Literal["release"]
    orders: Annotated[list[Code], Field(min_length=1, max_length=MOST_ORDERS)]
    why: Reason


class NewChange(Body):
    """Change a proposed order; with nothing but its number, lock it as it is. way: its recipe, offer or lane. split:
    units of further orders that are split off it."""

    kind: Literal["change"]
    order: Code
    units: Units | None = None
    start: Day | None = None
    way: Name | None = None
    split: list[Units] = Field([], max_length=20)
    why: Reason


class NewDecision(Body):
    """Decide about a finding, perhaps with a change of demand."""

    kind: Literal["decide"]
    finding: Code
    state: Literal["taken", "dismissed"]
    change: DemandChange | None = None
    why: Reason


class Reasoned(Body):
    why: Why = ""


def _asked(sent: NewRelease | NewChange | NewDecision) -> Asked:
    if isinstance(sent, NewRelease):
        return Release(tuple(sent.orders))
    if isinstance(sent, NewChange):
        return Change(sent.order, sent.units, sent.start, sent.way, tuple(sent.split))
    return Decide(sent.finding, sent.state, None if sent.change is None else OfDemand(**sent.change.model_dump()))


class Proposals(BaseModel):
    """cursor: asks for the proposals before these; None: there are none."""

    rows: many(Proposal)  # ty: ignore[invalid-type-form]
    cursor: str | None


@router.get("")
def list_proposals(
    call: Called,
    state: Annotated[Literal["open", "approved", "refused"], Query()] = "open",
    count: Count = 100,
    cursor: Annotated[str | None, Query(pattern=r"^\d{1,18}$", description="Where the piece before ended.")] = None,
) -> Proposals:
    """Proposals that one may see, newest first; of open ones whether they are out of date."""
    before = None if cursor is None else int(cursor)
    found = proposals_and_approvals.proposals(call.served, call.who, state, count + 1, before)
    more = str(found[count - 1].proposal) if len(found) > count else None
    return Proposals(rows=plain(found[:count]), cursor=more)


@router.post("", status_code=201, response_model=shape(Proposal))
def propose(sent: Annotated[NewRelease | NewChange | NewDecision, Field(discriminator="kind")], call: Called) -> Any:
    """Propose something: nothing is done before a person approves it."""
    return plain(proposals_and_approvals.propose(call.served, call.who, _asked(sent), sent.why))


@router.get("/{proposal}", response_model=shape(Proposal))
def one(proposal: OfProposal, call: Called) -> Any:
    """One proposal."""
    return plain(proposals_and_approvals.proposal(call.served, call.who, proposal))


@router.post("/{proposal}/approval", response_model=shape(Proposal))
def approve(proposal: OfProposal, sent: Reasoned, call: Called) -> Any:
    """Do what was proposed, as whoever approves it: a person with a session, not a token."""
    return plain(proposals_and_approvals.approve(call.served, call.own_session.who, proposal, sent.why))


@router.post("/{proposal}/refusal", response_model=shape(Proposal))
def refuse(proposal: OfProposal, sent: Reasoned, call: Called) -> Any:
    """Let what was proposed be: by a person with a session, not a token."""
    return plain(proposals_and_approvals.refuse(call.served, call.own_session.who, proposal, sent.why))
