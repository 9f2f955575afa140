"""The market in the chain: hours and their prices, where demand is lost, quotes; and what the market says."""

from typing import Annotated, Any, ClassVar, Literal

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel

from datong.app.http.request_rates import QUOTE, Rate
from datong.app.rest.calls import Called, OfChain, Signed
from datong.app.rest.grids import Asked, grid
from datong.app.rest.plain import Grid, Rows, Texts, both, many, plain, shape
from datong.app.rest.shapes import Body, Code, Day, Units, Why
from datong.app.service import market, market_findings
from datong.app.service.jobs import Job
from datong.app.service.market import Heat, Lost, Scarce
from datong.network.finding_decisions import Change
from datong.questions.effect import EffectResult
from datong.questions.market_findings import MarketFinding
from datong.questions.market_shown import ShownFinding


class Quoted(Signed):
    """An endpoint whose answers would tell a rival's hours, were they had in numbers."""

    rate: ClassVar[Rate | None] = QUOTE


router = APIRouter(prefix="/market", tags=["market"], route_class=OfChain)
quotes = APIRouter(prefix="/quotes", tags=["market"], route_class=Quoted)
heard = APIRouter(prefix="/findings", tags=["findings"], route_class=OfChain)

OfBranch = Annotated[str | None, Query(max_length=200, description="A what-if; without one, the plan.")]
OfFinding = Annotated[str, Path(max_length=400, description="The number of a finding.")]


class RushOrder(Body):
    """What an order more is asked for. units: above 0. due: a day. market: where the product has only one, it may be
    left out."""

    product: Code
    units: Units
    due: Day
    market: Code | None = None
    branch: Code | None = None


class DemandChange(Body):
    """A change of demand from `first` to before `after`, as shares of usual demand: 0.2 is a fifth more. low, high:
    nine times in ten it lies between them."""

    first: Day
    after: Day
    share: Units
    low: Units
    high: Units


class Decided(Body):
    state: Literal["taken", "dismissed"]
    why: Why = ""
    change: DemandChange | None = None


_FINDING = shape(MarketFinding, text=Texts, proposal=Texts)


class FindingShown(BaseModel):
    """A finding with its picture (None: of a weak one, or where nothing is known), what buyers wrote (masked), and what
    came of a decision about it."""

    finding: _FINDING  # ty: ignore[invalid-type-form]
    picture: dict[str, Any] | None
    quotes: Rows
    effect: Texts | None


class Heard(BaseModel):
    """The findings of a run, the strongest first, as they stand now. findings: None where an earlier version kept the
    run, which does not say what they are about. aspects: what reviews praise and blame; less: how many reviews count
    less than one, and why."""

    run: str
    findings: list[FindingShown] | None
    aspects: Rows
    less: list[Texts]


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


@router.get("/in-the-way", response_model=many(Lost))
def in_the_way(call: Called) -> Any:
    """Units that are late or lost for want of each scarce thing, the most first."""
    return plain(market.in_the_way(call.served, call.who))


@quotes.post("", status_code=202)
def quote(sent: RushOrder, call: Called) -> Job:
    """Ask what an order more would cost: a job."""
    return market.start_quote(call.served, call.who, sent.product, sent.units, sent.due, sent.market, sent.branch)


@heard.get("")
def list_findings(call: Called) -> Heard:
    """All that the market says: each finding with its strength, picture, quotes, orders and decision."""
    found = market_findings.findings(call.served, call.who)
    shown = None if found.market is None else [_shown(one) for one in found.market.findings]
    market = found.market
    aspects, less = ([], []) if market is None else (plain(market.aspects), plain(market.less))
    return Heard(run=found.run, findings=shown, aspects=aspects, less=less)


@heard.get("/{finding:path}/effect", response_model=shape(EffectResult))
def effect(finding: OfFinding, call: Called) -> Any:
    """What came after a decision, held against like products."""
    return plain(market_findings.effect(call.served, call.who, finding))


@heard.get("/{finding:path}")
def finding(finding: OfFinding, call: Called) -> FindingShown:
    """One finding."""
    return _shown(market_findings.finding(call.served, call.who, finding))


@heard.post("/{finding:path}/decision", response_model=_FINDING)
def decide(finding: OfFinding, sent: Decided, call: Called) -> Any:
    """Take or dismiss a finding, perhaps with a change of demand of one's own: the next plan goes by it. A later
    decision takes the place of an earlier one."""
    change = None if sent.change is None else Change(**sent.change.model_dump())
    return _finding(market_findings.decide(call.served, call.who, finding, sent.state, sent.why, change))


def _finding(one: MarketFinding) -> dict[str, Any]:
    return plain(one) | {"text": both(one.text), "proposal": both(one.proposal)}


def _shown(one: ShownFinding) -> FindingShown:
    picture = None if one.picture is None else plain(one.picture)
    effect = None if one.effect is None else both(one.effect)
    return FindingShown(finding=_finding(one.finding), picture=picture, quotes=plain(one.quotes), effect=effect)
