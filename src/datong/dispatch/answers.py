"""What reports mean for orders: which of them go in, and what they add to production, receipts and shipments."""

import re
from collections import defaultdict
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import cached_property
from math import isfinite
from typing import Any

import pyarrow as pa

from datong.dispatch.counterparty_of_order import other_firms
from datong.ledger.counter_offer import AS_ORDERED, Offer
from datong.ledger.order_life import (
    PATH,
    REPORTED,
    WORK_STATES,
    OrderEvent,
    OrderReport,
    Standing,
    advance,
    events_of_table,
    in_order,
    order_events_rows,
    standing,
    state_word,
)
from datong.ledger.row_checks import ROWS_NAMED_ONE_BY_ONE
from datong.ledger.standings import LEAST_UNITS, READ_FOR_STANDINGS, order_standings
from datong.ledger.state import State
from datong.model.calendar import FUTURE_SLACK, Calendar
from datong.model.errors import Refused
from datong.model.findings import Finding, finding
from datong.model.fractional_units import PIECE, is_measure, unit_word
from datong.model.tables import tables
from datong.model.words import Message, message
from datong.network.routes import Routes


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


# What nobody can confirm: a ledger with such numbers could not be planned.
MOST = tables()["order_events"].columns["good_units"].largest or float("inf")
# Units beyond this multiple of an order are a slip of the hand, unless the reason has one of these words.
MOST_TIMES = 2.0
# Work that is done with less than this share of an order, scrap included, is one too.
LEAST_SHARE = 0.01
# With less than this share of it, it is told.
SHORT_SHARE = 0.9
# Sheets write units with three decimals.
SHOWN_TO = 0.001
CONFIRMED = ("confirm", "确认", "属实")
# Who says so asks for a confirmation, or has none.
_NOT_CONFIRMED = re.compile(
    r"(?:[未没待请需不再等]|没有)(?:经|能|敢|要)?(?:您|你们?|贵方|贵司|对方|客户)?(?:再)?(?:确认|属实)"
    r"|unconfirmed|(?:not|please|pls|to be|cannot|can't|never|until|await\w*)(?: yet| you| be)* confirm\w*"
)
# Words of a reason that make fewer units than before a correction.
CORRECTED = ("correct", "更正", "改正", "纠正", "修正")
# A delivery that is offered so long after the day that was asked for is a slip of the hand, unless confirmed.
MOST_LATER = timedelta(days=366)
# More rows of one file than these on orders that are not known are one finding: the file is somebody else's.
MOST_UNKNOWN_APART = 3
# The rule of reports that leave out a step on the way of an order.
OUT_OF_ORDER = "out_of_order"
# Answers to an order, which an offer beside them turns into an offer.
_ANSWERED = ("offered", "accepted", "refused")
# In these an order was taken on: whoever cannot do it any more says so, and does not refuse it.
_TAKEN_ON = ("accepted", "started", "partly_done")
# Tables that `answers` reads.
READ_FOR_ANSWERS = (*READ_FOR_STANDINGS, "sites", "products", "recipes", "recipe_steps", "lines", "lanes", "offers")


def answers(state: State, reports: Sequence[OrderReport], now: datetime, heard_at: datetime | None = None) -> Answers:
    """Holds reports against the orders and all that is known of them at `state`. The same report again changes
    nothing. now: of the world; nobody reports what has not happened yet. heard_at: of the chain (default: of the
    world), whose records may be of the past: what does not say when it was said was not said after that."""
    taken, findings = _against_orders(state, reports, now, now if heard_at is None else heard_at)
    return Answers(_batches(state, taken), tuple(_together(findings, reports)))


@dataclass(frozen=True)
class _Taken:
    """A report that goes in, and the units that it adds to what was made or received before.

    most_good_units, most_scrap_units: units that are left in all where it corrects what was reported; None: it adds.
    """

    report: OrderReport
    good_units: float
    scrap_units: float
    most_good_units: float | None = None
    most_scrap_units: float | None = None


def _against_orders(
    state: State, reports: Sequence[OrderReport], now: datetime, heard_at: datetime
) -> tuple[list[_Taken], list[Finding]]:
    """Hold reports against the orders and all that is known of them, order by order, by when things happened."""
    orders = {row["order"]: row for row in state.table("orders").to_pylist()}
    known = events_of_table(state.table("order_events"))
    stands = order_standings(state)
    yield_share = {row["recipe"]: row["yield_share"] for row in state.table("recipes").to_pylist()}
    routes = Routes.of(state)
    base_units = {r["product"]: r["base_unit"] for r in state.table("products").to_pylist()}
    prices = {row["offer"]: row["price"] for row in state.table("offers").to_pylist()}
    local_date = state.settings.calendar.local_date
    others = other_firms(state)
    taken: list[_Taken] = []
    findings: list[Finding] = []
    by_order: dict[str, dict[str, OrderReport]] = {}
    unknown: dict[str, list[OrderReport]] = {}
    for report in reports:
        if report.event.order not in orders or not _speaks_of_its_own(report, known):
            unknown.setdefault(report.source, []).append(report)
        elif (owner := _whose(report, known, others)) is not None:
            findings.append(_found("error", "sender_unknown", report, "key", order=report.event.order, who=owner))
        elif report.event.assumed is None and report.event.happened_at > now + FUTURE_SLACK:
            days = {"then": local_date(report.event.happened_at), "today": local_date(now)}
            findings.append(_found("error", "not_yet", report, "happened_at", **days))
        else:
            by_order.setdefault(report.event.order, {}).setdefault(report.event.key, report)
    for of_source in unknown.values():
        findings += _unknown_orders(of_source)
    for order, once in sorted(by_order.items()):
        recipe = orders[order]["recipe"]
        expected = orders[order]["units"] * yield_share.get(routes.yields_as(recipe), 1.0)
        price = orders[order]["price"]
        agreed = Offer(
            orders[order]["units"], orders[order]["due"], prices.get(orders[order]["offer"]) if price is None else price
        )
        life = _Life(
            orders[order],
            list(known.get(order, [])),
            stands.get(order, Standing()),
            expected,
            _Asked(agreed, state.settings.calendar, heard_at, base_units.get(orders[order]["product"]) or PIECE),
        )
        # On one day an order is accepted before it is worked on, also where a report has only the day.
        for event in sorted(
            in_order(r.event for r in once.values()),
            key=lambda e: (local_date(e.happened_at), e.state != "accepted"),
        ):
            life.hear(once[event.key])
        taken += life.taken
        findings += life.findings
    return taken, findings


def _speaks_of_its_own(report: OrderReport, known: Mapping[str, Sequence[OrderEvent]]) -> bool:
    """Whether a report comes from whom the order went to; the chain's own people may speak of any. Of another's order
    nobody is told even that it is there."""
    if report.counterparty is None:
        return True
    events = known.get(report.event.order, ())
    return any(e.state == "released" and e.counterparty == report.counterparty for e in events)


def _whose(report: OrderReport, known: Mapping[str, Sequence[OrderEvent]], others: Container[str | None]) -> str | None:
    """The firm that an order went to, where nobody can tell whether it is the one that speaks: the report lay in no
    firm's folder, and carries no number of a message of the order. others: firms that are not our own."""
    if report.counterparty is not None or report.is_signed:
        return None
    events = known.get(report.event.order, ())
    return next((e.counterparty for e in events if e.state == "released" and e.counterparty in others), None)


def _found(severity: Any, rule: str, report: OrderReport, column: str, **params: Any) -> Finding:
    """Days are told as texts, as they are kept: what is found again is to be equal to what was kept of it."""
    told: dict[str, Any] = {n: str(value) if isinstance(value, date) else value for n, value in params.items()}
    found = finding(severity, f"dispatch.{rule}", report.source, row=report.row, column=column, **told)
    return replace(found, subject=report.event.order)


def _unknown_orders(reports: Sequence[OrderReport]) -> list[Finding]:
    """Reports of one file on orders that are not known: each by itself, or, of many, all in one."""
    if len(reports) <= MOST_UNKNOWN_APART:
        return [_found("error", "unknown_order", r, "order", order=r.event.order) for r in reports]
    some = ", ".join(r.event.order for r in reports[:3])
    found = _found("error", "unknown_orders", reports[0], "order", count=len(reports), orders=some)
    return [replace(found, subject=None, rows_affected=len({r.row for r in reports}))]


def _together(findings: Sequence[Finding], reports: Sequence[OrderReport]) -> list[Finding]:
    """Notes that say the same of several orders of one file as one, where the first stands; all others as they are."""
    of_row: dict[tuple[str, int | None], str] = {(r.source, r.row): r.event.order for r in reports}
    alike: dict[tuple[str, Message], list[Finding]] = {}
    for found in findings:
        if found.code == OUT_OF_ORDER:
            alike.setdefault((found.source, found.found), []).append(found)
    told: list[Finding] = []
    for found in findings:
        same = alike.get((found.source, found.found), []) if found.code == OUT_OF_ORDER else []
        orders = list(dict.fromkeys(of_row[one.source, one.row] for one in same))
        if len(orders) < 2:
            told.append(found)
        elif found is same[0]:
            some = ", ".join(orders[:ROWS_NAMED_ONE_BY_ONE]) + (" ..." if len(orders) > ROWS_NAMED_ONE_BY_ONE else "")
            words = {"count": len(orders), "orders": some, "problem": dict(found.found.params)["problem"]}
            many = message("dispatch.out_of_order.many", **words)
            told.append(replace(found, found=many, subject=None, rows_affected=len(same)))
    return told


@dataclass(frozen=True)
class _Asked:
    """What is agreed of an order (price None: nobody knows one), the chain's calendar and the moment on its clock, and
    the product's base unit."""

    agreed: Offer
    calendar: Calendar
    now: datetime
    unit: str = PIECE

    @property
    def today(self) -> date:
        return self.calendar.local_date(self.now)

    @property
    def comes_whole(self) -> bool:
        """Whether units are counted: no measure, and not ordered in fractions."""
        return not is_measure(self.unit) and (self.agreed.units or 0.0) % 1 == 0

    def differs(self, offer: Offer) -> Offer:
        """What of an offer is otherwise than agreed; an earlier day alone is none to decide on."""
        later = offer.due is not None and self.agreed.due is not None and offer.due > self.agreed.due
        units = None if offer.units == self.agreed.units else offer.units
        price = None if offer.price == self.agreed.price else offer.price
        is_other_day = offer.due != self.agreed.due and (later or not (units is None and price is None))
        return Offer(units, offer.due if is_other_day else None, price)


class _Life:
    """One order, hearing its reports one by one."""

    def __init__(
        self,
        order: Mapping[str, Any],
        events: list[OrderEvent],
        stand: Standing,
        expected_good_units: float,
        asked: _Asked,
    ) -> None:
        """expected_good_units: what comes of the units ordered when nobody counts them."""
        self._order = order
        self._asked = asked
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
        if not self._whole(report) or not self._is_as_shown(report):
            return
        offered = self._as_answer(report, event)
        if offered is None:
            return
        event = self._in_its_place(offered)
        if not self._rises(report, event):
            return
        event = self._after_what_it_corrects(event)
        if event.state == "done" and event.good_units is None:
            event = replace(event, good_units=max(self._expected, self._good), assumed="good_units")
        if not self._believable(report, event) or not self._possible(report, event):
            return
        good, scrap = event.good_units or 0.0, event.scrap_units or 0.0
        if self._corrects(event):
            now = self._good if event.good_units is None else good
            self._say("note", "corrected", report, "good_units", good_units=_told(now), before=_told(self._good))
            good = self._good if event.good_units is None else good
            scrap = self._scrap if event.scrap_units is None else scrap
        else:
            self._question_units(report, event)
            if event.state in WORK_STATES and event.assumed == "happened_at":
                day = self._asked.calendar.local_date(event.happened_at)
                self._say("note", "day_assumed", report, "happened_at", day=day, state=state_word(event.state))
            good, scrap = max(self._good, good), max(self._scrap, scrap)
        self._tell_used_up(report, event, good, scrap)
        more = (max(good - self._good, 0.0), max(scrap - self._scrap, 0.0))
        most = (good if good < self._good else None, scrap if scrap < self._scrap else None)
        self.taken.append(_Taken(replace(report, event=event), *more, *most))
        self._good, self._scrap = good, scrap
        self._events.append(event)

    def _as_answer(self, report: OrderReport, event: OrderEvent) -> OrderEvent | None:
        """An answer with an offer beside it is an offer, where that is otherwise than agreed; else it is what it says.
        None where it cannot be meant."""
        if event.state not in _ANSWERED:
            return event
        named, offer = event.offer, self._asked.differs(event.offer)
        said_on = min(self._asked.calendar.local_date(event.happened_at), self._asked.today)
        if named.due is not None and named.due < said_on and named.due != self._asked.agreed.due:
            self._say("error", "offered_past", report, "new_due", then=named.due, today=said_on)
            return None
        if event.state == "offered" and not named:
            self._say("error", "offers_nothing", report, "state")
            return None
        if not offer:
            if named.due is not None and self._asked.agreed.due is not None and named.due < self._asked.agreed.due:
                days = {"offered": named.due, "due": self._asked.agreed.due}
                self._say("note", "offered_earlier", report, "new_due", **days)
            return replace(event, state="accepted" if event.state == "offered" else event.state, offer=AS_ORDERED)
        return replace(event, state="offered", offer=offer) if self._can_be_meant(report, offer) else None

    def _whole(self, report: OrderReport) -> bool:
        """No part of a unit of what is counted: 1,5 screws are a slip of the hand."""
        event = report.event
        told = {"good_units": event.good_units, "scrap_units": event.scrap_units, "new_units": event.offer.units}
        parts = {name: units for name, units in told.items() if units is not None and units % 1 != 0}
        if not parts or not self._asked.comes_whole:
            return True
        unit = unit_word(self._asked.unit)
        for name, units in parts.items():
            self._say("error", "part_of_a_piece", report, name, units=_told(units), unit=unit)
        return False

    def _is_as_shown(self, report: OrderReport) -> bool:
        """Whether the sheet still says what was ordered: whoever writes another quantity or day over it and accepts
        may mean an offer; another product is another order."""
        shown, agreed, event = report.shown, self._asked.agreed, report.event
        product = self._order["product"]
        changed: list[tuple[str, str, str]] = []
        if shown.product is not None and not _same_code(shown.product, product):
            changed.append(("product", shown.product, product))
        # A sheet of before an offer was taken still says what was ordered then: a yes in it may be to that.
        is_first = not any(e.state in _ANSWERED for e in self._events)
        is_answer = event.state == "accepted" and (is_first or any(e.answers is not None for e in self._events))
        units, due, offer = shown.units, shown.due, event.offer
        is_other_number = units is not None and abs(units - (agreed.units or 0.0)) > SHOWN_TO
        if is_answer and is_other_number and offer.units is None:
            changed.append(("units", _told(units), _told(agreed.units)))
        if is_answer and None not in (due, agreed.due) and due != agreed.due and offer.due is None:
            changed.append(("due", str(due), str(agreed.due)))
        for column, theirs, ours in changed:
            self._say("error", "changed_order", report, column, theirs=theirs, ours=ours)
        return not changed

    def _can_be_meant(self, report: OrderReport, offer: Offer) -> bool:
        """No day that is over, and no slip of the hand: no multiple of what was asked for, and not years later, unless
        the reason confirms it."""
        agreed, today = self._asked.agreed, self._asked.today
        if offer.due is not None and offer.due < today:
            self._say("error", "offered_past", report, "new_due", then=offer.due, today=today)
            return False
        if any(n is not None and not (isfinite(n) and n > 0) for n in (offer.units, offer.price)):
            self._say("error", "offers_nothing", report, "state")
            return False
        doubts: list[tuple[str, str, float | date, float | date]] = []
        if offer.due is not None and agreed.due is not None and offer.due > agreed.due + MOST_LATER:
            doubts.append(("offered_far", "new_due", offer.due, agreed.due))
        if offer.units is not None and agreed.units and offer.units > MOST_TIMES * agreed.units:
            doubts.append(("offered_many", "new_units", offer.units, agreed.units))
        if offer.price is not None and agreed.price and offer.price > MOST_TIMES * agreed.price:
            doubts.append(("offered_dear", "new_price", offer.price, agreed.price))
        beyond = max(offer.units or 0.0, offer.price or 0.0) > MOST
        if not doubts or (_is_confirmed(report.event) and not beyond):
            return True
        for rule, column, offered, ordered in doubts:
            self._say("error", rule, report, column, offered=offered, ordered=ordered)
        return False

    def _in_its_place(self, event: OrderEvent) -> OrderEvent:
        """An answer of which only the day is known, or nothing, comes after what was heard of that day before; and
        not before the order went out, where nobody said when."""
        at = event.happened_at
        if event.assumed == "happened_at":
            at = min(at, self._asked.now)
            at = at if self._out_since is None else max(at, self._out_since)
        if event.date_only and event.state in _ANSWERED:
            same = [e.happened_at for e in self._events if at <= e.happened_at < at + timedelta(seconds=1)]
            if any(e.state in _ANSWERED for e in self._events if e.happened_at in same):
                at = max(same) + timedelta(microseconds=1)
        return replace(event, happened_at=at)

    def _corrects(self, event: OrderEvent) -> bool:
        """Whether fewer units are said than before, as a correction: the last word holds. What is done and said to be
        done once more is one; anything else says that it is."""
        now = standing(self._events)
        is_last = now.happened_at is not None and self._until(event) >= now.happened_at
        is_again = now.state == "done" and event.state == "done"
        return is_last and (is_again or _is_correction(event)) and self._falls(event, self._good, self._scrap)

    def _rises(self, report: OrderReport, event: OrderEvent) -> bool:
        """Whether units so far are no fewer than before: a row is taken whole or not at all."""
        before = standing(e for e in self._events if e.happened_at <= self._until(event, before_done=True))
        good, scrap = before.good_units, before.scrap_units
        if _is_correction(event):  # of what counts now
            good, scrap = self._good, self._scrap
        if self._corrects(event) or not self._falls(event, good, scrap):
            return True
        if event.good_units is not None and event.good_units < good:
            self._say("error", "fewer_units", report, "good_units", units=_told(event.good_units), before=_told(good))
        else:
            self._say(
                "error",
                "fewer_scrap",
                report,
                "scrap_units",
                units=_told(event.scrap_units),
                before=_told(scrap),
            )
        return False

    def _falls(self, event: OrderEvent, good: float, scrap: float) -> bool:
        told = ((event.good_units, good), (event.scrap_units, scrap))
        return any(units is not None and units < before for units, before in told)

    def _until(self, event: OrderEvent, before_done: bool = False) -> datetime:
        """The last moment of what an event of a day may come after on that day. before_done: not after the end of the
        work, unless it is one itself."""
        if not event.date_only:
            return event.happened_at
        end = event.happened_at + timedelta(days=1) - timedelta(microseconds=1)
        passes_done = event.state == "done" or not before_done
        may = [e for e in self._events if passes_done or e.state != "done"]
        own = [e.happened_at for e in may if e.happened_at <= end]
        return max([event.happened_at, *own])

    def _after_what_it_corrects(self, event: OrderEvent) -> OrderEvent:
        """A correction comes after all that was said until then, also of the same day or moment."""
        if not self._corrects(event):
            return event
        last = max((e.happened_at for e in self._events), default=event.happened_at)
        return replace(event, happened_at=max(event.happened_at, last + timedelta(microseconds=1)))

    def _believable(self, report: OrderReport, event: OrderEvent) -> bool:
        """Not from before the order went out, and neither a multiple of it nor next to nothing, unless the reason says
        that this is so."""
        if self._out_since is not None and event.happened_at < self._out_since - FUTURE_SLACK:
            local_date = self._asked.calendar.local_date
            days = {"then": local_date(event.happened_at), "out": local_date(self._out_since)}
            self._say("error", "before_order", report, "happened_at", **days)
            return False
        told = (event.good_units or 0.0) + (event.scrap_units or 0.0)
        is_few = event.assumed != "good_units" and told < LEAST_SHARE * self._order["units"]
        if event.state == "done" and is_few and not _is_confirmed(event):
            few, ordered = _told(event.good_units), _told(self._order["units"])
            self._say("error", "far_too_few", report, "good_units", good_units=few, units=ordered)
            return False
        most = max(event.good_units or 0.0, event.scrap_units or 0.0)
        if most > MOST_TIMES * self._order["units"] and not (_is_confirmed(event) and most <= MOST):
            ordered = _told(self._order["units"])
            self._say("error", "far_too_many", report, "good_units", good_units=_told(most), units=ordered)
            return False
        return True

    def _possible(self, report: OrderReport, event: OrderEvent) -> bool:
        before = standing(e for e in self._events if e.happened_at <= event.happened_at or self._same_day(e, event))
        now, then = standing(self._events), standing([*self._events, event])
        try:
            step = advance(before.without_offer or "released", event.state)
            late = now.happened_at is not None and event.happened_at < now.happened_at
            stood, stands = now.without_offer, then.without_offer
            if late and stood is not None and stood in REPORTED and stands != stood and event.state != "offered":
                advance(event.state, stood)  # late news must not rule out what was said to come after it
        except Refused as refusal:
            is_anew = before.without_offer == "refused" and event.state in PATH
            is_open = before.without_offer in _TAKEN_ON
            rule = "given_out_anew" if is_anew else "no_more" if is_open and event.state == "refused" else "check_state"
            step = message(f"dispatch.{rule}")
            self._say("error", "impossible_state", report, "state", problem=refusal.message, step=step)
            return False
        if step.note is not None:
            self._say("note", OUT_OF_ORDER, report, "state", problem=step.note)
        return True

    def _same_day(self, answer: OrderEvent, work: OrderEvent) -> bool:
        """Whether work of which only the day is known can come after an acceptance of that day."""
        is_known = not work.date_only or work.state not in WORK_STATES
        return not is_known and answer.state == "accepted" and answer.happened_at <= self._until(work)

    def _tell_used_up(self, report: OrderReport, event: OrderEvent, good: float, scrap: float) -> None:
        """That an order is closed, of which some units are said to be done, but none is left; more good ones than were
        ordered are told already."""
        ordered = self._order["units"]
        is_open = good + scrap < ordered - LEAST_UNITS or self._order["kind"] == "move"
        if event.state != "partly_done" or is_open or good > ordered:
            return
        severity = "warning" if good + scrap > ordered + LEAST_UNITS else "note"
        words = {"good_units": _told(good), "scrap_units": _told(scrap), "units": _told(ordered)}
        self._say(severity, "used_up", report, "good_units", total=_told(good + scrap), **words)

    def _question_units(self, report: OrderReport, event: OrderEvent) -> None:
        ordered, good = self._order["units"], event.good_units
        if event.assumed == "good_units":
            self._say("note", "units_assumed", report, "good_units", units=_told(good))
        elif event.state == "done" and good is not None and good + (event.scrap_units or 0.0) < SHORT_SHARE * ordered:
            self._say("warning", "too_few_units", report, "good_units", good_units=_told(good), units=_told(ordered))
        elif good is not None and good > ordered:
            self._say("warning", "too_many_units", report, "good_units", good_units=_told(good), units=_told(ordered))

    def _say(self, severity: Any, rule: str, report: OrderReport, column: str, **params: Any) -> None:
        self.findings.append(_found(severity, rule, report, column, **params))


def _same_code(one: str, other: str) -> bool:
    """Whether two codes of a product are one, as a spreadsheet spells it: without zeros before it, or as 6.93E+12."""
    plain, ours = (text.strip().casefold().lstrip("0") for text in (one, other))
    return plain == ours or re.fullmatch(r"\d(\.\d+)?e\+?\d+", plain) is not None


def _told(units: float | None) -> str:
    """A number that was reported, as it is, its digits in groups of three."""
    return "–" if units is None else f"{units:,.10g}"


def _is_correction(event: OrderEvent) -> bool:
    return any(word in (event.reason or "").casefold() for word in CORRECTED)


def _is_confirmed(event: OrderEvent) -> bool:
    reason = _NOT_CONFIRMED.sub(" ", (event.reason or "").casefold())
    return any(word in reason for word in CONFIRMED)


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

    def row_of(one: _Taken) -> tuple[str, dict[str, Any] | None]:
        """The table in which a report's units are booked, and the row that adds them; None where it adds none."""
        kind = _kind(orders, one)
        if kind == "make":
            made = one.good_units or one.scrap_units
            return "production", _production(one, orders, recipes, line_site) if made else None
        if kind == "buy":
            return "receipts", _receipt(one, orders) if one.good_units else None
        return "shipments", _shipment(one, orders, lanes) if one.good_units else None

    booked = {table: _Booked(state, table) for table in _BOOKED_UNITS}
    batches = []
    for source in sorted({t.report.source for t in taken}):
        part = sorted((t for t in taken if t.report.source == source), key=lambda t: t.report.row)
        for one in part:
            table, row = row_of(one)
            booked[table].correct(one)
            if row is not None:
                booked[table].add(row)
        for table, book in booked.items():
            if rows := book.rows_to_write():
                batches.append(Batch(table, _typed(rows), source))
        events = order_events_rows([t.report.event for t in part], [t.report.row for t in part])
        batches.append(Batch("order_events", events, source))
    return tuple(batches)


# Columns of units of the tables in which reports are booked; the first one is of good units.
_BOOKED_UNITS = {"production": ("good_units", "scrap_units"), "receipts": ("units",), "shipments": ("units",)}


class _Booked:
    """The rows of a table in which units of orders are booked: what is there, and what reports add and correct.

    A correction leaves no row below zero: the last rows of its order are said anew, with fewer units, until all of them
    together are what it says. So the same correction read again changes nothing.
    """

    def __init__(self, state: State, table: str) -> None:
        self._state, self._table = state, table
        self._key = tables()[table].key[0]
        self._columns = _BOOKED_UNITS[table]
        self._new: dict[str, dict[str, Any]] = {}

    @cached_property
    def _rows(self) -> dict[str, list[dict[str, Any]]]:
        """Rows that have a key of their own, by order, the last of an order first."""
        found: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for row in self._state.table(self._table).to_pylist():
            if row["order"] is not None and row[self._key] is not None:
                found[row["order"]].append(row)
        for rows in found.values():
            rows.sort(key=lambda row: (row["happened_at"], row[self._key]), reverse=True)
        return found

    def add(self, row: dict[str, Any]) -> None:
        self._rows[row["order"]].insert(0, row)
        self._new[row[self._key]] = row

    def correct(self, taken: _Taken) -> None:
        event = taken.report.event
        most = (taken.most_good_units, taken.most_scrap_units)
        for column, units in zip(self._columns, most, strict=False):
            if units is None:
                continue
            rows = self._rows[event.order]
            beyond = sum(row[column] or 0.0 for row in rows) - units
            for i, row in enumerate(rows):
                less = min(row[column] or 0.0, beyond)
                if less > 0:
                    rows[i] = self._new[row[self._key]] = self._said_anew(row, taken) | {column: row[column] - less}
                    beyond -= less

    def _said_anew(self, row: dict[str, Any], taken: _Taken) -> dict[str, Any]:
        """A row as it is written once more, known later than it was before."""
        if "__row__" in row:
            return row
        names = [self._key, *(n for n in tables()[self._table].columns if n in row and n != self._key)]
        known = max(taken.report.event.happened_at, row["known_at"] + timedelta(microseconds=1))
        return {n: row[n] for n in names} | {
            "known_at": known,
            "__row__": taken.report.row,
            "__date_only__": False,
        }

    def rows_to_write(self) -> list[dict[str, Any]]:
        """Rows added or said anew since the last time."""
        rows, self._new = list(self._new.values()), {}
        return rows


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
    types |= {"known_at": moment, "__row__": pa.int64(), "__date_only__": pa.bool_()}
    names = list(dict.fromkeys(name for row in rows for name in row))
    return pa.table({name: pa.array([row.get(name) for row in rows], types.get(name, pa.string())) for name in names})
