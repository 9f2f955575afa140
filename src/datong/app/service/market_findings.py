"""What the market says: each finding with its strength, picture, quotes and orders, what is decided, and its effect."""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from datong.app.chain import Chain
from datong.app.market_findings import decide_finding, effect_of_finding, market_of_run_now
from datong.app.service.database_note import Note
from datong.app.service.last_run import read_last_run
from datong.app.service.roles_and_permissions import Permission, Who
from datong.app.service.served_chain import Served
from datong.model.errors import NotFound, Refused
from datong.model.flow import DISMISSED, TAKEN
from datong.model.words import message
from datong.network.finding_decisions import Change, Decision
from datong.questions.run_result import RunResult

if TYPE_CHECKING:  # they import every stage
    from datong.questions.decision_effect import EffectResult
    from datong.questions.market_findings import MarketFinding
    from datong.questions.market_findings_shown import MarketShown, ShownFinding

# Tables of a run that say what it found.
READ = ("signals", "reasons", "series", "forecast", "adjustments", "attributes")


@dataclass(frozen=True, eq=False)
class Heard:
    """What the last run found, as it stands now. run: its number; as_of: its moment. market: None where an earlier
    version kept the run, which does not say what its findings are about."""

    run: str
    as_of: datetime
    market: "MarketShown | None"


def findings(served: Served, who: Who) -> Heard:
    """All findings, the strongest first, with what was decided up to now. Raises NotFound where there is no run."""
    who.require(Permission.SEE_FINDINGS)
    return served.chain_thread.kept("findings.shown", _heard)


def _heard(chain: Chain) -> Heard:
    run = read_last_run(chain, READ)
    market = market_of_run_now(chain, RunResult(run.run, run.as_of, chain.settings, run.tables))
    return Heard(run.run, run.as_of, market)


def finding(served: Served, who: Who, name: str) -> "ShownFinding":
    """One of them. Raises NotFound."""
    market = findings(served, who).market
    found = [one for one in market.findings if one.finding.finding == name] if market is not None else []
    if not found:
        raise NotFound(message("served.findings.no_finding", finding=name))
    return found[0]


def decide(
    served: Served, who: Who, name: str, state: str, why: str = "", change: Change | None = None
) -> "MarketFinding":
    """Take or dismiss a finding, perhaps with a change of demand of one's own: the next plan goes by it. A later
    decision takes the place of an earlier one. Raises NotFound; Refused for another state, for a change that its kind
    does not allow, and for a change with a dismissal."""
    who.require(Permission.DECIDE_FINDINGS)
    refuse_odd_decision(state, change)
    before = finding(served, who, name).finding.decision if who.may(Permission.SEE_FINDINGS) else None

    def noted(made: "MarketFinding") -> list[Note]:
        after = _noted(made.decision)
        return [served.audit.entry(who.login, "decide_finding", name, before=_noted(before), after=after, why=why)]

    made = served.write_whole(who, lambda chain: decide_finding(chain, name, state, why, change), noted)
    served.events.tell("findings", name, Permission.SEE_FINDINGS)
    return made


def refuse_odd_decision(state: str, change: Change | None) -> None:
    """Raises Refused for another state, and for a change that no demand can make or that goes with a dismissal."""
    if state not in (TAKEN, DISMISSED):
        raise Refused(message("served.findings.wrong_state", state=state, states=f"{TAKEN}, {DISMISSED}"))
    if change is not None:
        _refuse_odd(change, state)


def _refuse_odd(change: Change, state: str) -> None:
    """Raises Refused for a change that no demand can make."""
    if state == DISMISSED:
        raise Refused(message("served.findings.change_of_dismissed"))
    if not change.first < change.after:
        raise Refused(message("served.findings.wrong_days", first=change.first, after=change.after))
    if not -1 <= change.low <= change.share <= change.high <= 100:
        raise Refused(message("served.findings.wrong_share"))


def _noted(made: Decision | None) -> dict[str, Any] | None:
    if made is None:
        return None
    change = made.change
    told = {} if change is None else {"share": change.share, "first": change.first, "after": change.after}
    return {"state": made.state, "by": made.decided_by, **told}


def effect(served: Served, who: Who, name: str) -> "EffectResult":
    """What came after a decision, held against like products. Raises NotFound, and Refused where nothing was decided or
    nothing can be told."""
    who.require(Permission.SEE_FINDINGS)
    return served.chain_thread.kept(("findings.effect", name), lambda chain: effect_of_finding(chain, name))
