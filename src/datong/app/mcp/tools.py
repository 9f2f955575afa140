"""The tools: each asks the service as somebody, and answers with a short value in their language.

What people wrote (reviews, remarks, reasons) stands in fields of its own whose names begin with `quoted_`: it is data.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pydantic_core import to_jsonable_python

from datong.app.http.request_rates import CHANGE, QUOTE, READ, Rate
from datong.app.mcp import arguments as of
from datong.app.service import market, market_findings, orders_shown, proposals_and_approvals, what_if
from datong.app.service.grids import Filter, Wanted
from datong.app.service.jobs import Job
from datong.app.service.order_edit_rules import Change
from datong.app.service.proposals_and_approvals import Asked, Decide, Proposal, Release
from datong.app.service.roles_and_permissions import Permission, Who
from datong.app.service.served_chain import Served
from datong.app.service.what_if import NewRow
from datong.app.wording.columns import coded
from datong.app.wording.market_findings import decision_words, strength_words
from datong.model.errors import Refused
from datong.model.words import Message, message
from datong.network.finding_decisions import Change as DemandChange

if TYPE_CHECKING:  # it imports every stage
    from datong.questions.market_findings_shown import ShownFinding

Told = dict[str, Any]
# Columns of an order that a list of them names, and those that one alone has besides.
LISTED = (
    *("order", "kind", "product", "name", "units", "base_unit", "start", "due", "counted_on", "line"),
    *("counterparty", "counterparty_name", "state", "origin", "is_due", "is_overdue", "to_come_units", "value", "late"),
)
ALONE = ("needed_by", "recipe", "offer", "lane", "from_site", "site", "good_units", "locked", "cost", "behind", "hurts")
# Rows of each table of a comparison, orders of a finding, quotes of one among several, and changes that are named.
MOST_COMPARED, MOST_OF_FINDING, MOST_QUOTED, MOST_CHANGES = 20, 6, 2, 50
COMPARED = ("cost", "demand", "orders", "prices", "settings", "changed_rows", "forecast")


@dataclass(frozen=True)
class Pending:
    """An answer that a job belongs to. wait_s: for so many seconds its end is waited for. told: the answer, by how far
    the job is."""

    job: Job
    wait_s: float
    told: Callable[[Job], Told]


@dataclass(frozen=True)
class Tool:
    """needs: one must be allowed to do one of these to be told of it; what else an answer needs, the service asks.
    rate: how often it may be called. is_read: it changes nothing at all."""

    arguments: type[of.Arguments]
    answer: Callable[[Served, Who, Any], Told | Pending]
    needs: tuple[Permission, ...]
    rate: Rate = READ
    is_read: bool = True


def findings(served: Served, who: Who, asked: of.OfFindings) -> Told:
    if asked.finding is not None:
        return {"finding": _finding(served, who, market_findings.finding(served, who, asked.finding), None)}
    heard = market_findings.findings(served, who)
    shown = () if heard.market is None else heard.market.findings
    rows = [_finding(served, who, one, MOST_QUOTED) for one in shown[: asked.count]]
    return {"run": heard.run, "as_of": heard.as_of, "findings": rows, "total": len(shown)}


def _finding(served: Served, who: Who, shown: "ShownFinding", most_quoted: int | None) -> Told:
    one, zone = shown.finding, served.chain_thread.settings.calendar.zone
    reason = "" if one.decision is None else one.decision.reason
    decided = one if one.decision is None else replace(one, decision=replace(one.decision, reason=""))
    return {
        "finding": one.finding,
        "kind": str(coded("kind", one.kind, who.language)),
        "about": _text(one.about, who),
        "first": one.first,
        "last": one.last,
        "strength": strength_words(one.strength, who.language),
        "text": _text(one.text, who),
        "does": _text(one.proposal, who),
        "decision": decision_words(decided, zone, who.language),
        "quoted_reason": reason,
        "effect": None if shown.effect is None else _text(shown.effect, who),
        "orders": one.orders[:MOST_OF_FINDING],
        "quoted_from_buyers": [
            {"text": quote.text, "day": quote.day, "stars": quote.stars} for quote in shown.quotes[:most_quoted]
        ],
    }


def why(served: Served, who: Who, asked: of.OfWhy) -> Told:
    shown = orders_shown.order(served, who, asked.order)
    return {
        "order": {name: shown.row[name] for name in (*LISTED, *ALONE)},
        "reasons": [
            {"rank": one.rank, "text": one.text[who.language], "table": one.table, "rows": one.rows}
            for one in shown.reasons
        ],
        "planned": shown.planned,
        "counted_on": shown.counted_on,
        "history": [
            {"at": one.at, "by": one.by, "text": one.text[who.language], "quoted_remark": one.why}
            for one in shown.history
        ],
    }


def list_orders(served: Served, who: Who, asked: of.OfOrders) -> Told:
    filters = tuple(Filter(one.column, one.op, one.value) for one in asked.conditions)
    wanted = Wanted(filters, asked.search, asked.sort, asked.descending, asked.cursor, asked.count)
    piece = orders_shown.orders(served, who, wanted)
    currency = served.chain_thread.settings.currency
    return {
        "rows": piece.rows.select(LISTED).to_pylist(),
        "cursor": piece.cursor,
        "total": piece.total,
        "currency": currency,
    }


def quote(served: Served, who: Who, asked: of.OfQuote) -> Pending:
    job = market.start_quote(served, who, asked.product, asked.units, _day(asked.due), asked.market, asked.branch)
    return Pending(job, asked.wait_seconds, lambda now: _how_far(now, who))


def job(served: Served, who: Who, asked: of.OfJob) -> Pending:
    return Pending(served.jobs.job(who, asked.job), asked.wait_seconds, lambda now: _how_far(now, who))


def _how_far(job: Job, who: Who) -> Told:
    error = None if job.error is None else job.error[who.language]
    told = {"job": job.job, "kind": job.kind, "state": job.state, "result": job.result, "error": error}
    return told | ({"next": message("mcp.not_yet", job=job.job).text(who.language)} if job.is_open else {})


def branch(served: Served, who: Who, asked: of.OfBranch) -> Told | Pending:
    there = {one.name: one for one in what_if.branches(served, who)}
    is_new = asked.name not in there
    one = what_if.make(served, who, asked.name, asked.note, asked.parent) if is_new else there[asked.name]
    told: Told = {"branch": one.name, "parent": one.parent, "made": is_new}
    if asked.changes:
        said = [
            what_if.Change(each.table, each.key, each.column, each.text)
            if isinstance(each, of.Value)
            else NewRow(each.table, each.values)
            for each in asked.changes
        ]
        taken = what_if.change(served, who, one.name, said)
        told["notes"] = [found.text(who.language) for found in taken.findings]
    changes = what_if.changes(served, who, one.name)
    told |= {"changes": changes[:MOST_CHANGES], "change_count": len(changes)}
    if not asked.run:
        return told
    started = what_if.start_run(served, who, one.name)
    return Pending(started, asked.wait_seconds, lambda now: told | {"run": _how_far(now, who)})


def compare(served: Served, who: Who, asked: of.OfCompare) -> Told:
    found = what_if.compare(served, who, asked.name, asked.against)
    sides = {name: {"name": side.name, "run": side.run} for name, side in (("a", found.a), ("b", found.b))}
    tables = {name: _first_rows(found.tables[name]) for name in COMPARED}
    return sides | {"currency": served.chain_thread.settings.currency, "tables": tables}


def _first_rows(table: pa.Table) -> Told:
    return {"rows": table.slice(0, MOST_COMPARED).to_pylist(), "total": table.num_rows}


def propose(served: Served, who: Who, asked: of.OfPropose) -> Told:
    return {"proposal": _proposal(proposals_and_approvals.propose(served, who, _asked(asked), asked.why), who)}


def _asked(told: of.OfPropose) -> Asked:
    """What is proposed. Raises Refused where what its kind needs is not there."""
    if told.kind == "release":
        return Release(tuple(told.orders))
    if told.kind == "change":
        if told.order is None:
            raise Refused(message("mcp.wrong_arguments", wrong="order: -"))
        start = None if told.start is None else _day(told.start)
        return Change(told.order, told.units, start, told.way, tuple(told.split))
    if told.finding is None or told.state is None:
        raise Refused(message("mcp.wrong_arguments", wrong="finding: -; state: -"))
    demand = told.demand
    if demand is None:
        return Decide(told.finding, told.state)
    days = (_day(demand.first), _day(demand.after))
    return Decide(told.finding, told.state, DemandChange(*days, demand.share, demand.low, demand.high))


def list_proposals(served: Served, who: Who, asked: of.OfProposals) -> Told:
    return {"proposals": [_proposal(one, who) for one in proposals_and_approvals.proposals(served, who, asked.state)]}


def _proposal(one: Proposal, who: Who) -> Told:
    return {
        "proposal": one.proposal,
        "kind": one.kind,
        "what": [line[who.language] for line in one.told],
        "by": one.by,
        "quoted_why": one.why,
        "state": one.state,
        "decided_by": one.decided_by,
        "quoted_answer": one.decided_why,
        "stale": None if one.stale is None else one.stale[who.language],
    }


def _day(text: str) -> date:
    """Raises Refused for a day that is none."""
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise Refused(message("mcp.wrong_arguments", wrong=text)) from error


def _text(words: Message | str, who: Who) -> str:
    return words if isinstance(words, str) else words.text(who.language)


def plain(told: Mapping[str, Any]) -> Told:
    """An answer as JSON has it; a number that is none is null."""
    return to_jsonable_python(dict(told), inf_nan_mode="null")


_P = Permission
TOOLS: Mapping[str, Tool] = {
    "findings": Tool(of.OfFindings, findings, (_P.SEE_FINDINGS,)),
    "orders": Tool(of.OfOrders, list_orders, (_P.SEE_PLAN,)),
    "why": Tool(of.OfWhy, why, (_P.SEE_PLAN,)),
    "quote": Tool(of.OfQuote, quote, (_P.QUOTE,), QUOTE, is_read=False),
    "branch": Tool(of.OfBranch, branch, (_P.WHAT_IF,), CHANGE, is_read=False),
    "compare": Tool(of.OfCompare, compare, (_P.SEE_PLAN,)),
    "job": Tool(of.OfJob, job, (_P.QUOTE, _P.WHAT_IF)),
    "propose": Tool(of.OfPropose, propose, (_P.SEE_PLAN, _P.SEE_FINDINGS), CHANGE, is_read=False),
    "proposals": Tool(of.OfProposals, list_proposals, (_P.SEE_PLAN, _P.SEE_FINDINGS)),
}
