"""All orders as they stand now, and one of them with why it is there and what became of it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from datong.app.chain import Chain
from datong.app.service.answers_sent_late import LateArrivals, late_arrivals
from datong.app.service.grids import Piece, Wanted, piece
from datong.app.service.last_run import table_of_run
from datong.app.service.last_run_in_memory import run_table
from datong.app.service.roles_and_permissions import Permission, Who
from datong.app.service.served_chain import Served
from datong.app.service.sorted_rows import rows_with
from datong.app.service.table_of_orders import OrdersNow, orders_now, row_of, version_of
from datong.ledger.counter_offer import told_offer
from datong.ledger.order_life import REPORTED, events_of_table, in_order
from datong.ledger.standings import possible_lines
from datong.model.errors import NotFound
from datong.model.flow import ANY_SUPPLIER, OWN_WORKS
from datong.model.settings import ChainSettings
from datong.model.words import LANGUAGES, Message, message, say
from datong.questions.tables_out import message_of


@dataclass(frozen=True)
class Reason:
    """Why an order is there. rank: its place among the reasons, from 1. text: in both languages. rows: how many rows of
    which table say so."""

    rank: int
    stage: str
    text: Mapping[str, str]
    table: str | None
    rows: int


@dataclass(frozen=True)
class Happened:
    """Something that became of an order. at: when it was said or done, in UTC. by: who said or did it; '' where nobody
    is told. text: in both languages. why: as it was written. arrived_at: when what was said came here, where that was
    later."""

    at: datetime
    by: str
    text: Mapping[str, str]
    why: str = ""
    arrived_at: datetime | None = None


@dataclass(frozen=True, eq=False)
class OrderShown:
    """One order. row: of ORDERS_NOW. version: names what is shown; who changes it says which they saw. planned: units
    and day that the reasons are of, where they are others now. history: oldest first. lines: on which it may be made,
    where the one is not told and there are several; '' among them: without a line. counted_on: of an order that is out,
    as in its row."""

    row: Mapping[str, Any]
    version: str
    reasons: tuple[Reason, ...]
    history: tuple[Happened, ...]
    planned: Mapping[str, Any] | None = None
    lines: tuple[str, ...] = ()
    counted_on: date | None = None


def orders(served: Served, who: Who, wanted: Wanted) -> Piece:
    """One piece of the list of all orders. Raises NotAllowed, and what grids.piece raises."""
    who.require(Permission.SEE_PLAN)
    return piece(everything(served).rows, "order", wanted)


def order(served: Served, who: Who, name: str) -> OrderShown:
    """One order, with why it is there and what became of it. Raises NotAllowed, NotFound."""
    who.require(Permission.SEE_PLAN)
    rows, said = served.chain_thread.kept("orders", lambda _: (everything(served).rows, events_said(served)))
    row = row_of(rows, name)
    reasons = tuple(
        Reason(
            r["rank"],
            r["stage"],
            _both(message_of(r["text_key"], r["text_params"])),
            r["evidence_table"],
            len(r["evidence"] or ()),
        )
        for r in _reasons(None if row["run"] is None else table_of_run(served, row["run"], "reasons"), name)
    )
    plan = None if row["run"] is None else table_of_run(served, row["run"], "orders")
    own = said.filter(pc.equal(said["order"], name))
    events = _events(own, name, served.chain_thread.settings, late_arrivals(served, [name]))
    history = tuple(sorted([*events, *_noted(served, name)], key=lambda one: one.at))
    lines = _lines(served, row)
    told = lines if len(lines) > 1 else ()
    return OrderShown(row, version_of(row), reasons, history, _planned(plan, row), told, row["counted_on"])


def _lines(served: Served, row: Mapping[str, Any]) -> tuple[str, ...]:
    """Lines on which an order may be made that names none."""
    if row["kind"] != "make" or row["line"]:
        return ()
    state = served.chain_thread.kept("lines and recipes", lambda chain: chain.state(names=("recipes", "lines")))
    return possible_lines(state, row)


def evidence(served: Served, who: Who, name: str, rank: int) -> tuple[str, pa.Table]:
    """The table, and the rows of it, behind one of an order's reasons. Raises NotAllowed, NotFound."""
    who.require(Permission.SEE_PLAN)

    def read(chain: Chain) -> tuple[str, pa.Table]:
        run = row_of(everything(served).rows, name)["run"]
        reasons = None if run is None else run_table(chain, run, "reasons")
        found = [r for r in _reasons(reasons, name) if r["rank"] == rank and r["evidence_table"]]
        if not found:
            raise NotFound(message("service_orders.no_reason", order=name, rank=rank))
        return found[0]["evidence_table"], chain.evidence(run, found[0]["evidence_table"], found[0]["evidence"])

    return served.chain_thread.kept(("evidence", name, rank), read)


def everything(served: Served) -> OrdersNow:
    """The whole list, worked out once after each change of the chain. For this layer: a door asks for `orders`."""
    return served.chain_thread.kept("orders_now", orders_now)


def events_said(served: Served) -> pa.Table:
    """All rows of `order_events`, read once after each change of the chain."""
    return served.chain_thread.kept(
        "order_events", lambda chain: chain.state(names=("order_events",)).table("order_events")
    )


def _reasons(table: pa.Table | None, name: str) -> list[dict[str, Any]]:
    """table: all reasons of the run that proposed the order."""
    return [] if table is None else sorted(rows_with(table, "order", name).to_pylist(), key=lambda r: r["rank"])


def _planned(table: pa.Table | None, row: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Units and days as they were planned, of an order that is another now. table: the orders of its run."""
    found = [] if table is None else rows_with(table, "order", row["order"]).to_pylist()
    if not found or all(found[0][name] == row[name] for name in ("units", "start", "due", "line")):
        return None
    return {name: found[0][name] for name in ("units", "start", "due", "line")}


def _events(rows: pa.Table, name: str, settings: ChainSettings, came: LateArrivals) -> list[Happened]:
    """rows: of `order_events`, those of the order."""
    found = []
    keys = [
        key or row_id for key, row_id in zip(*(rows[n].to_pylist() for n in ("order_event", "row_id")), strict=True)
    ]
    known_at = dict(zip(keys, rows["known_at"].to_pylist(), strict=True))
    for event in in_order(events_of_table(rows).get(name, [])):
        words: Message = message(f"dispatch.state.{event.state}")
        if event.good_units is not None:
            words = message(
                "service_orders.happened_units", state=words, good=event.good_units, scrap=event.scrap_units or 0.0
            )
        if event.offer and event.answers is None:
            offer = told_offer(event.offer, settings.currency)
            words = message("service_orders.happened_offer", state=words, offer=offer)
        if (day := event.other_day(settings.calendar)) is not None:
            words = message("service_orders.happened_on", what=words, day=day)
        if event.state == "released" and event.counterparty and event.answers is None:
            words = message("service_orders.happened_to", what=words, party=_party(event.counterparty))
        # Proposing, releasing and deciding on an offer are ours: the counterparty is only whom it goes to.
        by = event.counterparty or "" if event.state in REPORTED and event.answers is None else ""
        arrived_at = came.of(name, event.said_at, known_at[event.key]) if event.counterparty else None
        found.append(Happened(event.said_at, by, _both(words), event.reason or "", arrived_at))
    return found


def _noted(served: Served, name: str) -> list[Happened]:
    """What people did to an order here, by the audit."""
    rows = served.database.rows(
        "SELECT at, by, what, before, after, why FROM audit WHERE subject = ? ORDER BY entry", (name,)
    )
    found = []
    for row in rows:
        before, after = (json.loads(row[key]) if row[key] else {} for key in ("before", "after"))
        text = _both(did(row["what"], before, after))
        found.append(Happened(datetime.fromtimestamp(row["at"], UTC), row["by"], text, row["why"]))
    return found


def did(what: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Message:
    """What somebody did, with each value that changed."""
    told = message(f"service_orders.did.{what}")
    changed = [name for name in CHANGEABLE if name in after and before.get(name) != after[name]]
    for place, name in enumerate(changed):
        value = message(
            "service_orders.changed_value",
            name=message(f"column.{name}"),
            before=_value(before.get(name)),
            after=_value(after[name]),
        )
        told = message("service_orders.did_first" if place == 0 else "service_orders.did_more", did=told, value=value)
    return told


# Values of an order that people change, as the audit names them.
CHANGEABLE = ("units", "start", "due", "line", "recipe", "offer", "lane", "locked")


def _value(value: Any) -> Message | str:
    if isinstance(value, bool):
        return message("shown.yes" if value else "shown.no")
    if value is None:
        return "–"
    return f"{value:,.10g}" if isinstance(value, float) else str(value)


def _both(words: Message) -> dict[str, str]:
    return {language: words.text(language) for language in LANGUAGES}


def _party(code: str) -> Message | str:
    return message(f"dispatch.party.{code}") if code in (OWN_WORKS, ANY_SUPPLIER) else code


def party_word(code: str | None, name: str | None, language: str) -> str:
    """A counterparty as people call it."""
    if code is None:
        return ""
    if code in (OWN_WORKS, ANY_SUPPLIER):
        return say(f"dispatch.party.{code}", language)
    return f"{code} · {name}" if name and name != code else code
