"""What programs and people propose, and a person approves or refuses: to give orders out, change one, decide a finding.

Whoever proposes changes nothing. What is approved is done as whoever approves it, and the audit says who proposed it; a
token approves nothing. A proposal knows how the things were that it is about: where one is another now, it is stale.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from datong.app.release_rules import refuse_undue
from datong.app.service.database_note import Note
from datong.app.service.market_findings import decide, finding, refuse_odd_decision
from datong.app.service.order_edit_rules import WAY_OF
from datong.app.service.order_edit_rules import Change as OrderChange
from datong.app.service.order_edits import checked, edit
from datong.app.service.orders_shown import everything
from datong.app.service.releases import release
from datong.app.service.roles_and_permissions import NotAllowed, Permission, Who
from datong.app.service.served_chain import Served
from datong.app.service.table_of_orders import row_of, version_of
from datong.model.errors import NotFound, Refused
from datong.model.flow import ANY_SUPPLIER, OWN_WORKS
from datong.model.words import LANGUAGES, Message, message
from datong.network.finding_decisions import Change as DemandChange

# Orders of one proposal, proposals of one account that wait, and proposals that are listed at once; at most.
MOST_ORDERS, MOST_OPEN, MOST_LISTED = 50, 100, 1000
OPEN, APPROVED, REFUSED = "open", "approved", "refused"
STATES = (OPEN, APPROVED, REFUSED)
Texts = Mapping[str, str]
Row = Mapping[str, Any]
# How things are, by name, by kind of proposal.
Versions = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True)
class Release:
    """Orders, by their numbers, that are to be given out."""

    orders: tuple[str, ...]


@dataclass(frozen=True)
class Decide:
    """A decision about a finding. state: 'taken' or 'dismissed'. change: of demand, taken with it."""

    finding: str
    state: str
    change: DemandChange | None = None


Asked = Release | OrderChange | Decide


class Stale(Refused):
    """What is proposed is about things that are others now."""


@dataclass(frozen=True)
class Proposal:
    """One proposal. kind: release, change or decide. asked: what exactly, as JSON has it; told: the same in words, as
    things were, line by line. why: in the words of whoever proposed it, which are no words of this server. by: their
    login. made, decided: seconds since 1970. state: open, approved or refused. stale: why an open one cannot be
    approved any more."""

    proposal: int
    kind: str
    asked: Mapping[str, Any]
    told: tuple[Texts, ...]
    why: str
    by: str
    made: float
    state: str
    decided_by: str | None
    decided: float | None
    decided_why: str
    stale: Texts | None


@dataclass(frozen=True)
class _Look:
    """How the things are that a proposal is about. versions: by name; told: what would be done."""

    versions: Mapping[str, str]
    told: tuple[Message, ...]


@dataclass(frozen=True)
class _Kind:
    """A kind of proposals. sees: who may propose it and see it; may: who may approve and refuse it. look: raises where
    it cannot be done. versions: how things of these names are now, '' for one that is not there. do: does it. read:
    what was asked, of what is kept."""

    sees: Permission
    may: Permission
    look: Callable[[Served, Who, Any], _Look]
    versions: Callable[[Served, Who, tuple[str, ...]], Mapping[str, str]]
    do: Callable[[Served, Who, Any, Mapping[str, str], str], object]
    read: Callable[[Mapping[str, Any]], Asked]


def propose(served: Served, who: Who, asked: Asked, why: str) -> Proposal:
    """Propose something, or find the same that waits already. Raises NotAllowed; NotFound, Refused and BadInput for
    what could not be done as things are; Refused without a reason, and for too many that wait."""
    kind = _KIND_OF[type(asked)]
    who.require(KINDS[kind].sees)
    if not why.strip():
        raise Refused(message("proposals.no_why"))
    look = KINDS[kind].look(served, who, asked)
    values = {"kind": kind, "asked": _json(asdict(asked)), "seen": _json(look.versions), "by": who.login}
    with served.database.together():
        waits = served.database.rows(f"SELECT * FROM proposals WHERE state = '{OPEN}' AND by = ?", (who.login,))
        same = [row for row in waits if all(row[name] == value for name, value in values.items())]
        if same:
            return _seen_now(served, who, same[0])
        if len(waits) >= MOST_OPEN:
            raise Refused(message("proposals.too_many", most=MOST_OPEN))
        told = _json([{language: line.text(language) for language in LANGUAGES} for line in look.told])
        row = {**values, "told": told, "why": why.strip(), "way": served.audit.way, "made": served.now().timestamp()}
        names = ", ".join(row)
        places = ", ".join("?" * len(row))
        number = served.database.add(f"INSERT INTO proposals ({names}) VALUES ({places})", tuple(row.values()))
        served.audit.note(who.login, "propose", _subject(number), after={"kind": kind, "asked": asdict(asked)}, why=why)
    _tell(served, kind, number)
    return proposal(served, who, number)


def proposals(
    served: Served, who: Who, state: str = OPEN, count: int = 100, before: int | None = None
) -> list[Proposal]:
    """Proposals of a state that one may see, newest first. before: a number, for older ones. Raises NotAllowed, Refused
    for another state."""
    kinds = _kinds_seen(who)
    if state not in STATES:
        raise Refused(message("proposals.wrong_state", state=state, states=", ".join(STATES)))
    among = ", ".join("?" * len(kinds))
    older = "" if before is None else "AND proposal < ?"
    asked = f"SELECT * FROM proposals WHERE state = ? AND kind IN ({among}) {older} ORDER BY proposal DESC LIMIT ?"
    rows = served.database.rows(asked, (state, *kinds, *(() if before is None else (before,)), min(count, MOST_LISTED)))
    now = _versions_now(served, who, rows)
    return [_shown(row, now) for row in rows]


def proposal(served: Served, who: Who, number: int) -> Proposal:
    """One of them. Raises NotAllowed, NotFound for one that is not there or that one may not see."""
    return _seen_now(served, who, _row(served, who, number))


def approve(served: Served, who: Who, number: int, why: str = "") -> Proposal:
    """Do what was proposed, as the person who approves it. Raises NotAllowed, also for a token; NotFound; Refused where
    it was decided, Stale where things are others now, Meanwhile where somebody wrote at the same moment, and what doing
    it raises: then nothing is done, and it waits on."""
    version = served.chain_thread.version
    row = _waiting(served, who, number)
    now = _versions_now(served, who, [row])
    stale = _stale(row, now)
    if stale is not None:
        raise Stale(stale)
    one = _shown(row, now)
    kind, seen = KINDS[one.kind], json.loads(row["seen"])
    told = {"kind": one.kind, "asked": one.asked, "proposed_by": one.by, "proposed_why": one.why}
    approval = (
        Note("proposals", _decided(served, who, APPROVED, why), {"proposal": number, "state": OPEN}),
        served.audit.entry(who.login, "approve_proposal", _subject(number), after=told, why=why),
    )
    audit = served.audit.by(proposal=number, proposed_by=one.by)
    kind.do(replace(served, audit=audit, besides=approval, only_at=version), who, kind.read(one.asked), seen, why)
    _tell(served, one.kind, number)
    return proposal(served, who, number)


def refuse(served: Served, who: Who, number: int, why: str = "") -> Proposal:
    """Let what was proposed be. Raises as `approve`, but for things that are others now."""
    one = _seen_now(served, who, _waiting(served, who, number))
    with served.database.together():
        served.database.keep(
            Note("proposals", _decided(served, who, REFUSED, why), {"proposal": number, "state": OPEN})
        )
        told = {"kind": one.kind, "asked": one.asked, "proposed_by": one.by}
        served.audit.note(who.login, "refuse_proposal", _subject(number), after=told, why=why)
    _tell(served, one.kind, number)
    return proposal(served, who, number)


def may_decide(who: Who, kind: str) -> bool:
    """Whether somebody may approve and refuse proposals of a kind: a person with the right, not a token."""
    return who.scopes is None and who.may(KINDS[kind].may)


# looking -----------------------------------------------------------------------------------------


def _kinds_seen(who: Who) -> list[str]:
    """Raises NotAllowed where there are none."""
    kinds = [name for name, kind in KINDS.items() if who.may(kind.sees)]
    if not kinds:
        who.require(Permission.SEE_PLAN)
    return kinds


def _row(served: Served, who: Who, number: int) -> Row:
    kinds = _kinds_seen(who)
    row = served.database.row("SELECT * FROM proposals WHERE proposal = ?", (number,))
    if row is None or row["kind"] not in kinds:
        raise NotFound(message("proposals.none", proposal=number))
    return row


def _waiting(served: Served, who: Who, number: int) -> Row:
    """One that this person may decide. Raises NotAllowed, NotFound, Refused where it was decided."""
    row = _row(served, who, number)
    if who.scopes is not None:
        raise NotAllowed(message("proposals.person_needed"))
    who.require(KINDS[row["kind"]].may)
    if row["state"] != OPEN:
        raise Refused(message("proposals.decided", proposal=number, by=row["decided_by"]))
    return row


def _seen_now(served: Served, who: Who, row: Row) -> Proposal:
    return _shown(row, _versions_now(served, who, [row]))


def _shown(row: Row, now: Versions) -> Proposal:
    names = ("proposal", "kind", "why", "by", "made", "state", "decided_by", "decided", "decided_why")
    told = tuple(json.loads(row["told"]))
    stale = _stale(row, now) if row["state"] == OPEN else None
    texts = None if stale is None else {language: stale.text(language) for language in LANGUAGES}
    return Proposal(**{name: row[name] for name in names}, asked=json.loads(row["asked"]), told=told, stale=texts)


def _versions_now(served: Served, who: Who, rows: Sequence[Row]) -> Versions:
    """How the things are now that open proposals are about, by kind."""
    names: dict[str, dict[str, None]] = {}
    for row in rows:
        if row["state"] == OPEN:
            names.setdefault(row["kind"], {}).update(dict.fromkeys(json.loads(row["seen"])))
    return {kind: KINDS[kind].versions(served, who, tuple(own)) for kind, own in names.items()}


def _stale(row: Row, now: Versions) -> Message | None:
    """Which of the things are others than they were; None: none is."""
    seen = json.loads(row["seen"])
    changed = [name for name, version in seen.items() if now[row["kind"]][name] != version]
    return message("proposals.stale", names=", ".join(changed)) if changed else None


def _orders_now(served: Served, _who: Who, names: tuple[str, ...]) -> Mapping[str, str]:
    rows = everything(served).rows
    there = rows.filter(pc.is_in(rows["order"], pa.array(names, pa.string()))).to_pylist()
    return dict.fromkeys(names, "") | {row["order"]: version_of(row) for row in there}


def _findings_now(served: Served, who: Who, names: tuple[str, ...]) -> Mapping[str, str]:
    return {name: _version_of_finding(served, who, name) for name in names}


def _version_of_finding(served: Served, who: Who, name: str) -> str:
    """Names how a finding stands: found anew, of other days or strength, or decided about, it has another version."""
    try:
        one = finding(served, who, name).finding
    except NotFound:
        return ""
    decision = None if one.decision is None else (one.decision.state, one.decision.decided_at, one.decision.change)
    strength = None if one.signal is None else one.signal.strength
    told = repr((one.finding, one.first, one.last, strength, decision))
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def _look_at_release(served: Served, _who: Who, asked: Release) -> _Look:
    names = tuple(dict.fromkeys(asked.orders))
    if not 0 < len(names) <= MOST_ORDERS:
        raise Refused(message("proposals.wrong_count", most=MOST_ORDERS))
    rows = [row_of(everything(served).rows, name) for name in names]
    for row in rows:
        refuse_undue(row)
    told = tuple(message("proposals.told.release", **_words(row), to=_party(row)) for row in rows)
    return _Look({name: version_of(row) for name, row in zip(names, rows, strict=True)}, told)


def _look_at_change(served: Served, _who: Who, asked: OrderChange) -> _Look:
    row, made = row_of(everything(served).rows, asked.order), checked(served, asked)
    made.refuse_errors()
    before, after = made.before, made.after[0]
    way = WAY_OF.get(before["kind"], "recipe")
    changed = [name for name in ("units", "start", "due", way) if before[name] != after[name]]
    told = [message("proposals.told.change" if changed else "proposals.told.lock", **_words(before))]
    told += [
        message(
            "proposals.told.value",
            name=message(f"column.{name}"),
            before=_value(before[name]),
            after=_value(after[name]),
        )
        for name in changed
    ]
    told += [message("proposals.told.split", **_words(part)) for part in made.after[1:]]
    told += [message("proposals.told.odd", what=one.found) for one in made.findings]
    return _Look({asked.order: version_of(row)}, tuple(told))


def _look_at_decision(served: Served, who: Who, asked: Decide) -> _Look:
    refuse_odd_decision(asked.state, asked.change)
    one = finding(served, who, asked.finding).finding
    told = [message(f"proposals.told.{asked.state}", finding=one.finding, text=one.text)]
    if asked.change is not None:
        days = {"first": asked.change.first, "after": asked.change.after}
        told.append(message("proposals.told.demand", share=f"{asked.change.share:+.0%}", **days))
    return _Look({one.finding: _version_of_finding(served, who, one.finding)}, tuple(told))


def _words(row: Mapping[str, Any]) -> dict[str, Any]:
    product = f"{row['name']} ({row['product']})" if row.get("name") else row["product"]
    doing = message(f"code.kind_{row['kind']}")
    return {
        "order": row["order"],
        "doing": doing,
        "product": product,
        "units": _value(row["units"]),
        "start": row["start"],
        "due": row["due"],
    }


def _party(row: Mapping[str, Any]) -> Message | str:
    code, name = row["counterparty"], row["counterparty_name"]
    if code in (OWN_WORKS, ANY_SUPPLIER):
        return message(f"dispatch.party.{code}")
    return f"{code} · {name}" if name and name != code else str(code or "–")


def _value(value: Any) -> str:
    return "–" if value is None else f"{value:,.10g}" if isinstance(value, float) else str(value)


# doing -------------------------------------------------------------------------------------------


def _release(served: Served, who: Who, asked: Release, _seen: Mapping[str, str], why: str) -> object:
    return release(served, who, asked.orders, why)


def _change(served: Served, who: Who, asked: OrderChange, seen: Mapping[str, str], why: str) -> object:
    return edit(served, who, asked, seen[asked.order], why)


def _decide(served: Served, who: Who, asked: Decide, _seen: Mapping[str, str], why: str) -> object:
    return decide(served, who, asked.finding, asked.state, why, asked.change)


def _read_release(told: Mapping[str, Any]) -> Asked:
    return Release(tuple(told["orders"]))


def _read_change(told: Mapping[str, Any]) -> Asked:
    start = None if told["start"] is None else date.fromisoformat(told["start"])
    return OrderChange(told["order"], told["units"], start, told["way"], tuple(told["split"]))


def _read_decision(told: Mapping[str, Any]) -> Asked:
    change = told["change"]
    if change is not None:
        first, after = (date.fromisoformat(change[name]) for name in ("first", "after"))
        change = DemandChange(first, after, change["share"], change["low"], change["high"])
    return Decide(told["finding"], told["state"], change)


_P = Permission
KINDS: Mapping[str, _Kind] = {
    "release": _Kind(_P.SEE_PLAN, _P.RELEASE_ORDERS, _look_at_release, _orders_now, _release, _read_release),
    "change": _Kind(_P.SEE_PLAN, _P.EDIT_ORDERS, _look_at_change, _orders_now, _change, _read_change),
    "decide": _Kind(_P.SEE_FINDINGS, _P.DECIDE_FINDINGS, _look_at_decision, _findings_now, _decide, _read_decision),
}
_KIND_OF: Mapping[type, str] = {Release: "release", OrderChange: "change", Decide: "decide"}


def _decided(served: Served, who: Who, state: str, why: str) -> dict[str, Any]:
    return {"state": state, "decided_by": who.login, "decided": served.now().timestamp(), "decided_why": why}


def _subject(number: int) -> str:
    """How the audit names a proposal; no order has such a number."""
    return f"proposal {number}"


def _tell(served: Served, kind: str, number: int) -> None:
    served.events.tell("proposals", str(number), KINDS[kind].sees)


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, default=lambda day: day.isoformat())
