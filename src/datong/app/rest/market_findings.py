"""What the market says: findings with all that is known of them, and deciding about one."""

from typing import Annotated, Any, Literal

import pyarrow as pa
from fastapi import APIRouter, Path
from pydantic import BaseModel

from datong.app.rest.around_every_call import Called, OfChain
from datong.app.rest.json_answers import Rows, Texts, both, plain, shape
from datong.app.rest.lists_by_cursor import AskedPiece, RowsPiece, piece, rows_piece
from datong.app.rest.shapes import Body, Day, Units, Why
from datong.app.service import market_findings
from datong.network.finding_decisions import Change
from datong.questions.decision_effect import EffectResult
from datong.questions.market_findings import MarketFinding
from datong.questions.market_findings_shown import ShownFinding

router = APIRouter(prefix="/findings", tags=["findings"], route_class=OfChain)

OfFinding = Annotated[str, Path(max_length=400, description="The number of a finding.")]


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
    run, which does not say what they are about. cursor: asks for those after these; None: there are none. total: how
    many there are. less: how many reviews count less than one, and why."""

    run: str
    findings: list[FindingShown] | None
    cursor: str | None
    total: int
    less: list[Texts]


@router.get("")
def list_findings(call: Called, wanted: AskedPiece) -> Heard:
    """What the market says: each finding with its strength, picture, quotes, orders and decision."""
    found = market_findings.findings(call.served, call.who)
    market = found.market
    if market is None:
        return Heard(run=found.run, findings=None, cursor=None, total=0, less=[])
    shown = piece(market.findings, wanted, lambda one: one.finding.finding, _shown)
    findings = {"findings": shown["rows"], "cursor": shown["cursor"], "total": shown["total"]}
    return Heard(run=found.run, less=plain(market.less), **findings)


@router.get("/aspects")
def aspects(call: Called, wanted: AskedPiece) -> RowsPiece:
    """What reviews praise and blame, by product."""
    market = market_findings.findings(call.served, call.who).market
    return RowsPiece(**rows_piece(pa.table({}) if market is None else market.aspects, wanted))


@router.get("/{finding:path}/effect", response_model=shape(EffectResult))
def effect(finding: OfFinding, call: Called) -> Any:
    """What came after a decision, held against like products."""
    return plain(market_findings.effect(call.served, call.who, finding))


@router.get("/{finding:path}")
def finding(finding: OfFinding, call: Called) -> FindingShown:
    """One finding."""
    return _shown(market_findings.finding(call.served, call.who, finding))


@router.post("/{finding:path}/decision", response_model=_FINDING)
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
