"""The life of an order: proposed -> released -> accepted or refused -> started -> partly done -> done; or cancelled.

What a counterparty says may come late, twice or with steps left out; what counts is when it happened. Folding the
same messages in any order of arrival gives the same standing.

A counterparty may answer with an offer instead: another day, other units, another price. The order is neither accepted
nor refused then, but `offered`, until a planner takes the offer or does not, or the counterparty says otherwise.
"""

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import get_args

import pyarrow as pa

from datong.ledger.counter_offer import AS_ORDERED, Offer
from datong.model.calendar import Calendar
from datong.model.errors import Refused
from datong.model.flow import OrderState
from datong.model.tables import ACTED_AT
from datong.model.words import Message, message

# Steps of an order that goes well, in order. A step may be left out: a report of a later one implies it.
PATH: tuple[OrderState, ...] = ("proposed", "released", "accepted", "started", "partly_done", "done")
_STEP: Mapping[OrderState, int] = {state: step for step, state in enumerate(PATH)}
# Steps that need not be told: work that is done was not always partly done before.
_OPTIONAL: frozenset[OrderState] = frozenset({"partly_done"})
# Steps that are work, which is done on a day of its own.
WORK_STATES: frozenset[OrderState] = frozenset({"started", "partly_done", "done"})
# Events of one moment are taken in this order.
RANK: Mapping[OrderState, float] = {**_STEP, "offered": 1.5, "refused": len(PATH), "cancelled": len(PATH) + 1}
# Of an order in these states another day, quantity or price can be offered; said by a counterparty, the others say
# that no offer of its stands any more.
_OFFERABLE: frozenset[OrderState] = frozenset({"released", "accepted", "started", "partly_done"})
_ENDS_OFFER: frozenset[OrderState] = frozenset({"accepted", "refused", "done", "cancelled"})


@dataclass(frozen=True)
class Step:
    """Where an order stands after a message, and what was odd about the message, if anything."""

    state: OrderState
    note: Message | None = None


def advance(current: OrderState | None, to: OrderState) -> Step:
    """The state after a message says that an order went from `current` (None: not heard of yet) to `to`.

    A step that was left out is noted; a step before the current one does not move the order back and is noted; the
    current state again changes nothing. Raises Refused for what cannot be: going on with an order that was refused
    or cancelled, refusing one that was accepted, taking back one that is done. An offer moves no order.
    """
    if to == "offered" and (current is None or current in _OFFERABLE):
        return Step(current or "released")
    if current == to or current is None:
        return Step(to)
    if to == "cancelled" and current != "done":
        return Step(to)
    if to == "refused" and current == "released":
        return Step(to)
    if current not in _STEP or to not in _STEP:
        raise Refused(message("dispatch.impossible", current=state_word(current), to=state_word(to)))
    if _STEP[to] < _STEP[current]:
        return Step(current, message("dispatch.late", current=state_word(current), to=state_word(to)))
    skipped = [state for state in PATH[_STEP[current] + 1 : _STEP[to]] if state not in _OPTIONAL]
    if skipped:
        return Step(to, message("dispatch.skipped", to=state_word(to), skipped=state_word(skipped[-1])))
    return Step(to)


def state_word(state: OrderState) -> Message:
    """The state in a person's words."""
    return message(f"dispatch.state.{state}")


# What a counterparty can say; proposing and releasing are ours.
REPORTED = tuple(state for state in get_args(OrderState) if state not in ("proposed", "released"))


@dataclass(frozen=True)
class OrderEvent:
    """One message about an order. good_units and scrap_units: so far, in all; None: not said.

    offer: what is offered instead; of a decision that takes an offer, how the order was before. answers: key of the
    offer that this decides on: accepted, or released as it was. order_event: its key where it has one of its own; else
    what it says is its key. What does not say when it happened (`happened_at` is assumed) is the same message whenever
    it comes. acted_at: when it was said, by the clock of the world; None: not noted.
    """

    order: str
    state: OrderState
    happened_at: datetime
    good_units: float | None = None
    scrap_units: float | None = None
    reason: str | None = None
    counterparty: str | None = None
    date_only: bool = False
    assumed: str | None = None
    offer: Offer = AS_ORDERED
    answers: str | None = None
    order_event: str | None = None
    acted_at: datetime | None = None

    @property
    def said_at(self) -> datetime:
        """When it was said, as far as that is noted; else when it happened."""
        return self.acted_at or self.happened_at

    def other_day(self, calendar: Calendar) -> date | None:
        """Of work: the day from which it counts, where that is another than the day on which it was said."""
        day = calendar.local_date(self.happened_at)
        is_other = self.state in WORK_STATES and day != calendar.local_date(self.said_at)
        return day if is_other else None

    @property
    def key(self) -> str:
        """The same message has the same key, however often it comes."""
        if self.order_event is not None:
            return self.order_event
        good, scrap = (None if units is None else float(units) for units in (self.good_units, self.scrap_units))
        when = None if self.assumed == "happened_at" else self.happened_at.astimezone(UTC)
        said: tuple[object, ...] = (self.order, self.state, when, good, scrap, self.reason)
        if self.offer:
            units, price = (None if n is None else float(n) for n in (self.offer.units, self.offer.price))
            said += (units, self.offer.due, price)
        return hashlib.sha256("|".join(str(part) for part in said).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Shown:
    """What a sheet that came back says that was ordered; None where it does not say. product: code. units. due: day."""

    product: str | None = None
    units: float | None = None
    due: date | None = None


@dataclass(frozen=True)
class OrderReport:
    """What a counterparty said of an order, and where: a file, and the row of it. Not yet held against the order.

    counterparty: whose place it came from, which speaks only of its own orders; None: where everybody may put it.
    is_signed: it carries the number of a message that went out with the order. shown: what stands there as ordered.
    """

    source: str
    row: int
    event: OrderEvent
    counterparty: str | None = None
    is_signed: bool = False
    shown: Shown = Shown()


@dataclass(frozen=True)
class Standing:
    """Where an order stands: its state, the moment of the last event, good and scrapped units so far, and the moment of
    the last event that told of more good ones.

    started_at: when it was told to have started; reported_at: first moment of a report that implies it (units, done).
    offer: the offer that stands and is not decided on; the state is `offered` then. without_offer: the state if it
    were not there.
    """

    state: OrderState | None = None
    happened_at: datetime | None = None
    good_units: float = 0.0
    scrap_units: float = 0.0
    more_at: datetime | None = None
    started_at: datetime | None = None
    reported_at: datetime | None = None
    offer: OrderEvent | None = None
    without_offer: OrderState | None = None


def in_order(events: Iterable[OrderEvent]) -> list[OrderEvent]:
    """Events by when they happened; those of one moment in the order of an order's life, and by units so far; each
    once."""
    once = {event.key: event for event in events}
    return sorted(
        once.values(),
        key=lambda e: (e.happened_at, RANK[e.state], e.good_units or 0.0, e.scrap_units or 0.0, e.key),
    )


def standings(events: Iterable[OrderEvent]) -> list[Standing]:
    """Where one order stood after each of its events, in any order of arrival. What cannot be (see advance) is left
    out."""
    told = in_order(events)
    decided = {event.answers for event in told if event.answers is not None}
    now, after = Standing(), []
    for event in told:
        try:
            state = advance(now.without_offer, event.state).state
        except Refused:
            continue
        offer = _offer_after(now.offer, event, decided)
        good = now.good_units if event.good_units is None else event.good_units
        implies_start = event.state in ("partly_done", "done")
        now = Standing(
            state if offer is None else "offered",
            event.happened_at,
            good,
            now.scrap_units if event.scrap_units is None else event.scrap_units,
            event.happened_at if good > now.good_units else now.more_at,
            now.started_at or (event.happened_at if event.state == "started" else None),
            now.reported_at or (event.happened_at if implies_start else None),
            offer,
            state,
        )
        after.append(now)
    return after


def _offer_after(before: OrderEvent | None, event: OrderEvent, decided: Collection[str]) -> OrderEvent | None:
    """The offer that stands after an event: the last one, unless somebody decided on it, or its maker says otherwise.
    A decision ends the offer that it names, whenever it was made."""
    if event.state == "offered":
        return None if event.key in decided else event
    return None if event.state in _ENDS_OFFER and event.answers is None else before


def standing(events: Iterable[OrderEvent]) -> Standing:
    """Where one order stands after all of its events."""
    return next(reversed(standings(events)), Standing())


def order_events_rows(events: Sequence[OrderEvent], row_numbers: Sequence[int] | None = None) -> pa.Table:
    """Events as rows of `order_events` that a ledger takes in. row_numbers: where each stood in its source."""
    numbers = range(1, len(events) + 1) if row_numbers is None else row_numbers
    moment = pa.timestamp("us", tz="UTC")
    return pa.table(
        {
            "happened_at": pa.array([e.happened_at for e in events], moment),
            "order_event": pa.array([e.key for e in events], pa.string()),
            "order": pa.array([e.order for e in events], pa.string()),
            "state": pa.array([e.state for e in events], pa.string()),
            "good_units": pa.array([e.good_units for e in events], pa.float64()),
            "scrap_units": pa.array([e.scrap_units for e in events], pa.float64()),
            "reason": pa.array([e.reason for e in events], pa.string()),
            "counterparty": pa.array([e.counterparty for e in events], pa.string()),
            "assumed": pa.array([e.assumed for e in events], pa.string()),
            "offered_units": pa.array([e.offer.units for e in events], pa.float64()),
            "offered_due": pa.array([e.offer.due for e in events], pa.date32()),
            "offered_price": pa.array([e.offer.price for e in events], pa.float64()),
            "answers": pa.array([e.answers for e in events], pa.string()),
            ACTED_AT: pa.array([e.acted_at for e in events], moment),
            "__row__": pa.array(numbers, pa.int64()),
            "__date_only__": pa.array([e.date_only for e in events], pa.bool_()),
        }
    )


def events_of_table(rows: pa.Table) -> dict[str, list[OrderEvent]]:
    """Rows of `order_events` in a state, by order."""
    result: dict[str, list[OrderEvent]] = {}
    for row in rows.drop_columns(["known_at"]).to_pylist():
        key = row.pop("order_event") or row["row_id"]
        del row["row_id"]
        offer = Offer(row.pop("offered_units"), row.pop("offered_due"), row.pop("offered_price"))
        result.setdefault(row["order"], []).append(OrderEvent(**row, offer=offer, order_event=key))
    return result
