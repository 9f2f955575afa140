"""What reports mean for orders: which of them go in, and what they add to production, receipts and shipments."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import pyarrow as pa

from datong.ledger.life import (
    REPORTED,
    OrderEvent,
    OrderReport,
    Standing,
    advance,
    events_of_table,
    in_order,
    order_events_rows,
    standing,
)
from datong.ledger.standings import READ_FOR_STANDINGS, order_standings
from datong.ledger.state import State
from datong.ledger.validate import ROWS_NAMED_ONE_BY_ONE
from datong.model.calendar import FUTURE_SLACK
from datong.model.errors import Refused
from datong.model.findings import Finding, finding


@dataclass(frozen=True, eq=False)
class Batch:
    """Rows for one table of the ledger, from one source: `ledger.ingest(table, rows, None, (), source, now)`."""

    table: str
    rows: pa.Table
    source: str


@dataclass(frozen=True, eq=False)
class Answers:
    """What reports come to. batches: what to ingest, in this order. findings: what is odd or wrong with reports."""

    batches: tuple[Batch, ...]
    findings: tuple[Finding, ...]


# Units beyond this multiple of an order are a slip of the hand, unless the reason has one of these words.
MOST_TIMES = 2.0
CONFIRMED = ("confirm", "确认", "属实")
# Tables that `answers` reads.
READ_FOR_ANSWERS = (*READ_FOR_STANDINGS, "recipes", "lines", "lanes")


def answers(state: State, reports: Sequence[OrderReport], now: datetime) -> Answers:
    """Holds reports against the orders and all that is known of them at `state`. The same report again changes
    nothing. now: of the world; nobody reports what has not happened yet."""
    taken, findings = _against_orders(state, reports, now)
    return Answers(_batches(state, taken), tuple(findings))


@dataclass(frozen=True)
class _Taken:
    """A report that goes in, and the units that it adds to what was made or received before; below zero where it
    corrects what was reported."""

    report: OrderReport
    good_units: float
    scrap_units: float


def _against_orders(state: State, reports: Sequence[OrderReport], now: datetime) -> tuple[list[_Taken], list[Finding]]:
    """Hold reports against the orders and all that is known of them, order by order, by when things happened."""
    orders = {row["order"]: row for row in state.table("orders").to_pylist()}
    known = events_of_table(state.table("order_events"))
    stands = order_standings(state)
    yield_share = {row["recipe"]: row["yield_share"] for row in state.table("recipes").to_pylist()}
    taken: list[_Taken] = []
    findings: list[Finding] = []
    by_order: dict[str, dict[str, OrderReport]] = {}
    unknown: dict[str, list[OrderReport]] = {}
    for report in reports:
        if report.event.order not in orders:
            unknown.setdefault(report.source, []).append(report)
        elif report.event.happened_at > now + FUTURE_SLACK:
            then = f"{report.event.happened_at:%Y-%m-%d}"
            findings.append(_found("error", "not_yet", report, "happened_at", then=then, today=f"{now:%Y-%m-%d}"))
        else:
            by_order.setdefault(report.event.order, {}).setdefault(report.event.key, report)
    for of_source in unknown.values():
        findings += _unknown_orders(of_source)
    for order, once in sorted(by_order.items()):
        expected = orders[order]["units"] * yield_share.get(orders[order]["recipe"], 1.0)
        life = _Life(orders[order], list(known.get(order, [])), stands.get(order, Standing()), expected)
        for event in in_order(r.event for r in once.values()):
            life.hear(once[event.key])
        taken += life.taken
        findings += life.findings
    return taken, findings


def _found(severity: Any, rule: str, report: OrderReport, column: str, **params: Any) -> Finding:
    return finding(severity, f"dispatch.{rule}", report.source, row=report.row, column=column, **params)


def _unknown_orders(reports: Sequence[OrderReport]) -> list[Finding]:
    """Reports of one file on orders that are not known: each by itself, or, of many, all in one."""
    if len(reports) <= ROWS_NAMED_ONE_BY_ONE:
        return [_found("error", "unknown_order", r, "order", order=r.event.order) for r in reports]
    some = ", ".join(r.event.order for r in reports[:3])
    return [_found("error", "unknown_orders", reports[0], "order", count=len(reports), orders=some)]


class _Life:
    """One order, hearing its reports one by one."""

    def __init__(
        self, order: Mapping[str, Any], events: list[OrderEvent], stand: Standing, expected_good_units: float
    ) -> None:
        """expected_good_units: what comes of the units ordered when nobody counts them."""
        self._order = order
        self._events = events
        self._known = {event.key for event in events}
        self._out_since = min((e.happened_at for e in events if e.state == "released"), default=None)
        self._counterparty = next((e.counterparty for e in events if e.state == "released"), None)
        self._expected = expected_good_units
        # Reports give units so far, in all; the most so far is what was made.
        self._good, self._scrap = stand.good_units, stand.scrap_units
        self.taken: list[_Taken] = []
        self.findings: list[Finding] = []

    def hear(self, report: OrderReport) -> None:
        if report.event.key in self._known:
            return  # said before
        event = replace(report.event, counterparty=self._counterparty, order_event=report.event.key)
        if event.state == "done" and event.good_units is None:
            event = replace(event, good_units=max(self._expected, self._good), assumed="good_units")
        if not self._believable(report, event) or not self._possible(report, event):
            return
        good, scrap = event.good_units or 0.0, event.scrap_units or 0.0
        if self._corrects(event):
            self._say("note", "corrected", report, "good_units", good_units=f"{good:g}", before=f"{self._good:g}")
            scrap = self._scrap if event.scrap_units is None else scrap
        else:
            self._question_units(report, event)
            good, scrap = max(self._good, good), max(self._scrap, scrap)
        self.taken.append(_Taken(replace(report, event=event), good - self._good, scrap - self._scrap))
        self._good, self._scrap = good, scrap
        self._events.append(event)

    def _corrects(self, event: OrderEvent) -> bool:
        """Whether what is done is said to be done once more, with fewer units: the last word on it holds."""
        now = standing(self._events)
        is_last = now.state == "done" and now.happened_at is not None and event.happened_at >= now.happened_at
        return is_last and event.state == "done" and event.good_units is not None and event.good_units < self._good

    def _believable(self, report: OrderReport, event: OrderEvent) -> bool:
        """Not from before the order went out, and no multiple of it, unless the reason says that this is so."""
        if self._out_since is not None and event.happened_at < self._out_since - FUTURE_SLACK:
            out = f"{self._out_since:%Y-%m-%d}"
            self._say("error", "before_order", report, "happened_at", then=f"{event.happened_at:%Y-%m-%d}", out=out)
            return False
        most = max(event.good_units or 0.0, event.scrap_units or 0.0)
        confirmed = any(word in (event.reason or "").casefold() for word in CONFIRMED)
        if most > MOST_TIMES * self._order["units"] and not confirmed:
            ordered = f"{self._order['units']:g}"
            self._say("error", "far_too_many", report, "good_units", good_units=f"{most:g}", units=ordered)
            return False
        return True

    def _possible(self, report: OrderReport, event: OrderEvent) -> bool:
        before = standing(e for e in self._events if e.happened_at <= event.happened_at)
        now, then = standing(self._events), standing([*self._events, event])
        try:
            step = advance(before.state or "released", event.state)
            late = now.happened_at is not None and event.happened_at < now.happened_at
            if late and now.state is not None and now.state in REPORTED and then.state != now.state:
                advance(event.state, now.state)  # late news must not rule out what was said to come after it
        except Refused as refusal:
            self._say("error", "impossible_state", report, "state", problem=refusal.message)
            return False
        if step.note is not None:
            self._say("note", "out_of_order", report, "state", problem=step.note)
        return True

    def _question_units(self, report: OrderReport, event: OrderEvent) -> None:
        ordered, good = self._order["units"], event.good_units
        if event.assumed:
            self._say("note", "units_assumed", report, "good_units", units=f"{good:g}")
        elif good is not None and good > ordered:
            self._say("warning", "too_many_units", report, "good_units", good_units=f"{good:g}", units=f"{ordered:g}")
        before = standing(e for e in self._events if e.happened_at <= event.happened_at).good_units
        if good is not None and good < before:
            self._say("warning", "fewer_units", report, "good_units", good_units=f"{good:g}", before=f"{before:g}")

    def _say(self, severity: Any, rule: str, report: OrderReport, column: str, **params: Any) -> None:
        self.findings.append(_found(severity, rule, report, column, **params))


# rows for the ledger -------------------------------------------------------------------------------


def _batches(state: State, taken: Sequence[_Taken]) -> tuple[Batch, ...]:
    """Order events, and what they add to production (work orders), receipts (purchase orders) or shipments (transfer
    orders), file by file.

    The events come last: while one is missing, its report is read again, and units that are in already count once.
    """
    orders = {row["order"]: row for row in state.table("orders").to_pylist()}
    recipes = {row["recipe"]: row for row in state.table("recipes").to_pylist()}
    line_site = {row["line"]: row["site"] for row in state.table("lines").to_pylist()}
    lanes = {row["lane"]: row for row in state.table("lanes").to_pylist()}
    batches = []
    for source in sorted({t.report.source for t in taken}):
        part = sorted((t for t in taken if t.report.source == source), key=lambda t: t.report.row)
        made = [t for t in part if t.good_units or t.scrap_units]
        production = [_production(t, orders, recipes, line_site) for t in made if _kind(orders, t) == "make"]
        receipts = [_receipt(t, orders) for t in made if _kind(orders, t) == "buy" and t.good_units]
        moved = [_shipment(t, orders, lanes) for t in made if _kind(orders, t) == "move" and t.good_units]
        for table, rows in (("production", production), ("receipts", receipts), ("shipments", moved)):
            if rows:
                batches.append(Batch(table, _typed(rows), source))
        events = order_events_rows([t.report.event for t in part], [t.report.row for t in part])
        batches.append(Batch("order_events", events, source))
    return tuple(batches)


def _kind(orders: Mapping[str, Mapping[str, Any]], taken: _Taken) -> str:
    return orders[taken.report.event.order]["kind"]


def _production(
    taken: _Taken,
    orders: Mapping[str, Mapping[str, Any]],
    recipes: Mapping[str, Mapping[str, Any]],
    line_site: Mapping[str, str | None],
) -> dict[str, Any]:
    order = orders[taken.report.event.order]
    recipe = recipes.get(order["recipe"], {"line": None, "site": None})
    line = order["line"] or recipe["line"]
    return {
        **_common(taken, order),
        "production": taken.report.event.key,
        "line": line,
        "site": recipe["site"] or line_site.get(line),
        "good_units": taken.good_units,
        "scrap_units": taken.scrap_units,
    }


def _receipt(taken: _Taken, orders: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """A supplier's units are taken to be here when it says that they are done."""
    event = taken.report.event
    order = orders[event.order]
    return {**_common(taken, order), "receipt": event.key, "site": order["site"], "units": taken.good_units}


def _shipment(
    taken: _Taken, orders: Mapping[str, Mapping[str, Any]], lanes: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """What a transfer reports has left the lane's one end and lies at its other."""
    event = taken.report.event
    order = orders[event.order]
    lane = lanes.get(order["lane"], {"from_site": None, "to_site": None})
    return {
        **_common(taken, order),
        "shipment": event.key,
        "from_site": lane["from_site"],
        "to_site": order["site"] or lane["to_site"],
        "units": taken.good_units,
    }


def _common(taken: _Taken, order: Mapping[str, Any]) -> dict[str, Any]:
    event = taken.report.event
    return {
        "happened_at": event.happened_at,
        "order": event.order,
        "product": order["product"],
        "assumed": event.assumed,
        "__row__": taken.report.row,
        "__date_only__": event.date_only,
    }


def _typed(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    moment = pa.timestamp("us", tz="UTC")
    types = {"happened_at": moment, "good_units": pa.float64(), "scrap_units": pa.float64(), "units": pa.float64()}
    types |= {"__row__": pa.int64(), "__date_only__": pa.bool_()}
    return pa.table({name: pa.array([row[name] for row in rows], types.get(name, pa.string())) for name in rows[0]})
