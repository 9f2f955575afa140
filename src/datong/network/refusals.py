"""What was refused, and is not asked of the same again: a refusal closes its way in the bucket of the order's start.

So does a firm that cancels an order which it had taken on, in the bucket in which it says so too; orders that we take
back close nothing.
An offer that was taken says no to what it leaves: fewer units close the way for the rest in the week of the order as it
was, a later day closes it up to the week of the new start. Once the order is done, it closes nothing. Whoever withdraws
the event (`datong withdraw order_events ROW`) opens the way again.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

from datong.ledger.counter_offer import AS_ORDERED, Offer, told_offer
from datong.ledger.order_life import WORK_STATES, OrderEvent, events_of_table, in_order, standing
from datong.ledger.state import State
from datong.model.calendar import Calendar
from datong.model.flow import OrderKind
from datong.model.words import Message, message
from datong.network.routes import Routes

# By kind of order, the table that says how, and its key.
_ROWS: Mapping[str, tuple[str, str]] = {
    "make": ("recipes", "recipe"),
    "buy": ("offers", "offer"),
    "move": ("lanes", "lane"),
}
# A refusal for a time that has passed closes nothing any more; for so long it is told beside what is asked again.
RECALLED = timedelta(days=28)


@dataclass(frozen=True)
class Refusal:
    """An order that was refused, or what of it an offer that was taken leaves. row: key of its recipe, offer or lane;
    units: refused ones; first, after: days of the buckets that are closed, the last not included. reason, counterparty:
    as they were told. event: row id of the refusal, or of the offer. instead: what was offered and taken. is_cancelled:
    the order had been taken on, and was cancelled by its firm.
    """

    order: str
    kind: OrderKind
    product: str
    row: str
    units: float
    first: date
    after: date
    reason: str | None
    counterparty: str | None
    event: str
    instead: Offer = AS_ORDERED
    is_cancelled: bool = False
    firm: str | None = None
    else_rows: frozenset[str] = frozenset()

    @property
    def rule(self) -> str:
        """Which sentence tells it."""
        return "agreed" if self.instead else "cancelled" if self.is_cancelled else "refused"

    @property
    def way(self) -> tuple[OrderKind, str, str]:
        """Kind, row and product of what it closes."""
        return self.kind, self.row, self.product

    @property
    def why(self) -> Message:
        """The reason as it was told, or that none was; of an offer, what it was."""
        if self.instead:
            offer = told_offer(self.instead, "")
            told = message("facts.offered_instead", offer=offer)
            return told if not self.reason else message("facts.offered_because", offer=offer, reason=self.reason)
        return message("facts.no_reason") if not self.reason else message("facts.reason", reason=self.reason)


def refusals(state: State, from_day: date) -> tuple[Refusal, ...]:
    """Refusals of orders that were to start in the bucket of `from_day` or later, and what offers that were taken leave
    from then on, by start and number. An order that names no recipe, offer or lane is one of its product's only one."""
    events = state.table("order_events")
    routes = Routes.of(state)
    keys = events.select(["order_event", "row_id"]).to_pylist()
    row_ids = {row["order_event"] or row["row_id"]: row["row_id"] for row in keys}
    nos = list(_said_no(state, from_day))
    firms = _firms(state) if nos else {}
    found = [
        Refusal(
            order=said.order["order"],
            kind=said.order["kind"],
            product=routes.brings(said.order["product"], said.row),
            row=routes.last(said.row) or said.row,
            units=said.units,
            first=said.first,
            after=said.after,
            reason=said.event.reason,
            counterparty=said.event.counterparty,
            event=row_ids[said.event.key],
            instead=said.instead,
            is_cancelled=said.event.state == "cancelled",
            firm=(firm := firms.get((said.order["kind"], said.row))),
            else_rows=_others_of_firm(firms, said.order["kind"], said.row, firm),
        )
        for said in nos
        if said.row is not None  # `unnamed_refusals` tells it
    ]
    return tuple(sorted(found, key=lambda r: (r.first, r.order)))


def _firms(state: State) -> dict[tuple[str, str], str]:
    """(kind of order, recipe, offer or lane) -> who makes, delivers or sends it: its site's firm, else the site."""
    of_site = {row["site"]: row["firm"] or row["site"] for row in state.table("sites").to_pylist()}
    of_line = {row["line"]: row["site"] for row in state.table("lines").to_pylist()}
    found = {}
    for kind, (table, key) in _ROWS.items():
        for row in state.versions(table).to_pylist():
            site = row["from_site"] if kind == "move" else row["site"]
            if site is None and kind == "make":
                site = of_line.get(row["line"])
            if site is not None:
                found[kind, row[key]] = of_site.get(site, site)
    return found


def _others_of_firm(firms: Mapping[tuple[str, str], str], kind: str, row: str, firm: str | None) -> frozenset[str]:
    """The other recipes, offers or lanes of a firm."""
    if firm is None:
        return frozenset()
    return frozenset(other for (of, other), its in firms.items() if of == kind and its == firm and other != row)


def unnamed_refusals(state: State, from_day: date) -> tuple[str, ...]:
    """Orders that were refused, name no recipe, offer or lane, and could have been by several or by none: what the
    refusal closes is not known. In order."""
    return tuple(sorted({said.order["order"] for said in _said_no(state, from_day) if said.row is None}))


@dataclass(frozen=True)
class _No:
    """A refusal, or an offer that was taken, before its way is known. order: row of `orders`; row: its recipe, offer or
    lane, None where nobody can tell; event: the refusal or the offer; units: refused; first, after: days that it
    closes; instead: what was taken.
    """

    order: Mapping[str, Any]
    row: str | None
    event: OrderEvent
    units: float
    first: date
    after: date
    instead: Offer = AS_ORDERED


def _said_no(state: State, from_day: date) -> Iterator[_No]:
    """What was refused or left by an offer in the bucket of `from_day` or later, each with the recipe, offer or lane
    that the order names, or its product's only one."""
    events = state.table("order_events")
    if not events.num_rows:
        return
    told, calendar = events_of_table(events), state.settings.calendar
    only: Mapping[tuple[str, str], str] | None = None
    for order in state.table("orders").to_pylist():
        own = in_order(told.get(order["order"], ()))
        for no in (*_refused(order, own, calendar), *_left_by_offers(order, own, calendar)):
            if no.after <= calendar.bucket_start(from_day):
                continue
            row = order[_ROWS[order["kind"]][1]]
            if row is None:
                only = _only_rows(state) if only is None else only
                row = only.get((order["kind"], order["product"]))
            # Of buckets of which the first have passed, the open ones are told.
            first = min(max(no.first, state.first_open_bucket), calendar.shift(no.after, -1))
            yield replace(no, row=row, first=first)


def _only_rows(state: State) -> dict[tuple[str, str], str]:
    """(kind of order, product) -> its recipe, offer or lane, where it has one alone; a lane of no product is of all."""
    found: dict[tuple[str, str], set[str]] = {}
    products = state.table("products")["product"].to_pylist()
    for kind, (table, key) in _ROWS.items():
        for row in state.versions(table).select([key, "product"]).to_pylist():
            for product in products if row["product"] is None else (row["product"],):
                found.setdefault((kind, product), set()).add(row[key])
    return {key: next(iter(rows)) for key, rows in found.items() if len(rows) == 1}


def _refused(order: Mapping[str, Any], told: Sequence[OrderEvent], calendar: Calendar) -> Iterator[_No]:
    """The last refusal of an order that stands refused, or that of its firm's cancellation: of the units that were not
    made, and also until the bucket is over in which it said so."""
    stand = standing(told)
    if stand.state not in ("refused", "cancelled"):
        return
    event = next(event for event in reversed(told) if event.state == stand.state)
    first = calendar.bucket_start(order["start"])
    if stand.state == "refused":
        yield _No(order, None, event, order["units"], first, calendar.shift(first, 1))
        return
    left = order["units"] - stand.good_units
    said_in = calendar.bucket_start(calendar.local_date(event.happened_at))
    if event.counterparty is not None and left > 0:
        yield _No(order, None, event, left, first, calendar.shift(max(first, said_in), 1))


def closed_by_offer(
    was: tuple[date, date], now: tuple[date, date], is_fewer: bool, said_on: date, calendar: Calendar
) -> tuple[date, date] | None:
    """Days (first, after) on which the way of an order is closed where an offer for it is taken; None: on none. was,
    now: its start and due day before and after; said_on: day of the offer.

    The bucket of its start is closed for what it has fewer, and all buckets before its new start for what comes later.
    The rest of an order that began in an earlier bucket is not asked for at once either.
    """
    first = calendar.bucket_start(was[0])
    later = max(calendar.index(now[0], first), calendar.index(now[1], was[1]), 0)
    after = calendar.shift(first, later)
    if is_fewer:
        after = max(after, calendar.shift(max(first, calendar.bucket_start(said_on)), 1))
    return (first, after) if after > first else None


def _left_by_offers(order: Mapping[str, Any], told: Sequence[OrderEvent], calendar: Calendar) -> Iterator[_No]:
    """What the offers for an order leave that were taken: the units that it no longer has, and all of it before its new
    start. An offer whose decision does not say how the order was, or that gives no less and no later, leaves nothing;
    nor does an order that is done or was taken back."""
    if standing(told).state in ("cancelled", "done"):
        return
    said = {event.key: event for event in told if event.state == "offered"}
    start, due = order["start"], order["due"]
    for decision in reversed(told):  # the row of the order is as the last one left it
        offered, before = said.get(decision.answers or ""), decision.offer
        if offered is None or decision.state != "accepted" or before.units is None or before.due is None:
            continue
        has_begun = any(e.state in WORK_STATES and e.happened_at <= decision.happened_at for e in told)
        put_off = timedelta() if has_begun or order["kind"] == "buy" else max(due - before.due, timedelta())
        was = start - put_off
        fewer = before.units - (before.units if offered.offer.units is None else offered.offer.units)
        said_on = calendar.local_date(offered.happened_at)
        days = closed_by_offer((was, before.due), (start, due), fewer > 0, said_on, calendar)
        if days is not None:
            is_later = calendar.index(start, was) > 0 or calendar.index(due, before.due) > 0
            units, instead = (before.units if is_later else fewer), replace(offered.offer, price=None)
            yield _No(order, None, offered, units, *days, instead)
        start, due = was, before.due


def closed_days(refused: Sequence[Refusal]) -> dict[tuple[OrderKind, str, str], tuple[tuple[date, date], ...]]:
    """Days on which a way (kind, row, product) is closed, as (first, after)."""
    days: dict[tuple[OrderKind, str, str], set[tuple[date, date]]] = {}
    for refusal in refused:
        days.setdefault(refusal.way, set()).add((refusal.first, refusal.after))
    return {way: tuple(sorted(spans)) for way, spans in days.items()}
