"""`datong offers`: what counterparties offer instead of what was ordered, and what it would cost to take it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

import pyarrow as pa

from datong.balance.conflict import refuse_conflicts
from datong.balance.solution import Limits
from datong.balance.solvers import Cleared, can_start, in_orders
from datong.cycle import Head, decide, head
from datong.ledger.counter_offer import AS_ORDERED, Offer
from datong.ledger.order_life import OrderEvent, order_events_rows
from datong.ledger.standings import begun_at, order_standings
from datong.ledger.state import State
from datong.model.calendar import Calendar
from datong.model.errors import DatongError
from datong.model.flow import Learnt
from datong.model.words import Message
from datong.network.position import position
from datong.network.refusals import closed_by_offer

# Where the money that a unit of an order costs stands, besides its components: by kind, table, key and column.
_PAID_FOR = {
    "make": ("recipes", "recipe", "cost_per_unit"),
    "buy": ("offers", "offer", "price"),
    "move": ("lanes", "lane", "cost_per_unit"),
}
# The plans with and without an offer are looked for alike. Branching takes minutes for an offer, and moves both costs
# by less than what is uncertain of them.
ALIKE = Limits(most_nodes=0)


@dataclass(frozen=True)
class OpenOffer:
    """An offer that nobody has decided on. order: the row of `orders`; said: the offer as an event.

    unit_cost: money that a unit costs as ordered, without components; None: nobody knows. worth: money of the order,
    at the price of its product or that of the order itself; None: neither is known. begun: whether a start, or units,
    were reported.
    """

    order: Mapping[str, Any]
    said: OrderEvent
    unit_cost: float | None
    worth: float | None = None
    begun: bool = False

    @property
    def taken(self) -> Offer:
        """Units, day and price of the order if the offer is taken."""
        offer = self.said.offer
        return Offer(
            self.order["units"] if offer.units is None else offer.units,
            self.order["due"] if offer.due is None else offer.due,
            self.order["price"] if offer.price is None else offer.price,
        )

    @property
    def start(self) -> date:
        """Day on which the order starts if the offer is taken: work or a transfer that has not begun is put off by as
        many days as its due day, and never starts after it. A purchase is ordered already."""
        start, due = self.order["start"], self.taken.due
        if self.begun or self.order["kind"] == "buy" or due is None:
            return start
        return min(start + max(due - self.order["due"], timedelta()), due)

    @property
    def changes_the_plan(self) -> bool:
        """Whether other units would come, or on another day."""
        return (self.taken.units, self.taken.due) != (self.order["units"], self.order["due"])

    def closes(self, calendar: Calendar) -> tuple[date, date] | None:
        """Days (first, after) on which the same is asked for no more of the product if the offer is taken."""
        row, due, units = self.order, self.taken.due, self.taken.units
        now = (self.start, row["due"] if due is None else due)
        is_fewer = units is not None and units < row["units"]
        said_on = calendar.local_date(self.said.happened_at)
        return closed_by_offer((row["start"], row["due"]), now, is_fewer, said_on, calendar)

    @property
    def paid_more(self) -> float:
        """Money that is paid more for the order itself if the offer is taken."""
        before = self.unit_cost or 0.0
        after = before if self.said.offer.price is None else self.said.offer.price
        return (self.taken.units or 0.0) * after - self.order["units"] * before


@dataclass(frozen=True)
class OfferCost:
    """What it costs more, in money, to take an offer than to have the order as it was: the difference of two plans'
    costs, and between what it lies for certain (low, high; None: no bound is known). why: it cannot be told."""

    money: float | None = None
    low: float | None = None
    high: float | None = None
    why: Message | None = None

    @property
    def is_certain(self) -> bool:
        """Whether it is certain that taking it costs more, or that it costs less."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)

    def is_within(self, worth: float | None) -> bool:
        """Whether it is certain more closely than so much money (None: than any)."""
        return self.low is not None and self.high is not None and (worth is None or self.high - self.low <= worth)


def open_offers(state: State) -> tuple[OpenOffer, ...]:
    """By the day on which the order is due, then its number."""
    stands = order_standings(state)
    said_of = {order: stand.offer for order, stand in stands.items() if stand.offer is not None}
    if not said_of:
        return ()
    rows = [row for row in state.table("orders").to_pylist() if row["order"] in said_of]
    paid = {kind: (key, _values(state, table, key, column)) for kind, (table, key, column) in _PAID_FOR.items()}
    prices = _values(state, "products", "product", "price")
    found = []
    for row in sorted(rows, key=lambda r: (r["due"], r["order"])):
        key, costs = paid[row["kind"]]
        unit_cost = costs.get(row[key]) if row["price"] is None else row["price"]
        price = prices.get(row["product"])
        price = unit_cost if price is None else price
        worth = None if price is None else row["units"] * price
        begun = begun_at(stands[row["order"]], row["start"], state.settings.calendar) is not None
        found.append(OpenOffer(row, said_of[row["order"]], unit_cost, worth, begun))
    return tuple(found)


def _values(state: State, table: str, key: str, column: str) -> dict[str, float | None]:
    rows = state.table(table)
    return dict(zip(rows[key].to_pylist(), rows[column].to_pylist(), strict=True))


def offer_costs(
    state: State, learnt: Learnt, seed: int, offers: tuple[OpenOffer, ...], limits: Limits = ALIKE
) -> tuple[OfferCost, ...]:
    """What each offer costs if it alone is taken. Each that changes the plan is planned for; with none, nothing is.

    What is asked for is worked out once: the plans with and without an offer are for the same demand, on the same
    paths. Both are found by the same search, and each may also take the lots of the other where they can run: so a plan
    is not cheaper only because its search was luckier.
    """
    if not any(offer.changes_the_plan for offer in offers):
        return tuple(_paid_alone(offer) for offer in offers)
    try:
        begun = head(state, learnt, seed)
        base = decide(begun, limits=limits).given_out
    except DatongError as error:
        return tuple(OfferCost(why=error.message) for _ in offers)
    return tuple(_cost(begun, offer, base, limits) for offer in offers)


def _paid_alone(offer: OpenOffer) -> OfferCost:
    """Of an offer under which the same units come on the same day, for another price: for certain that."""
    return OfferCost(offer.paid_more, offer.paid_more, offer.paid_more)


def _cost(begun: Head, offer: OpenOffer, base: Cleared, limits: Limits) -> OfferCost:
    """base: the plan with the order as it was."""
    if not offer.changes_the_plan:
        return _paid_alone(offer)
    return cost_of_change(begun, with_offer(begun.state, offer), base, offer.paid_more, limits)


def cost_of_change(begun: Head, state: State, base: Cleared, paid: float, limits: Limits = ALIKE) -> OfferCost:
    """What the plan costs more where orders that are out or locked are as in `state`, for the same demand on the same
    paths. base: the plan without; paid: money that is paid more for those orders themselves."""
    try:
        where = position(state)
        refuse_conflicts(state, begun.learnt, where)
        taken = decide(replace(begun, state=state, where=where), limits=limits).given_out
    except DatongError as error:
        return OfferCost(why=error.message)
    costs = (_least_cost(base, taken), _least_cost(taken, base))
    low = taken.bound - costs[0] + paid if math.isfinite(taken.bound) else None
    high = costs[1] - base.bound + paid if math.isfinite(base.bound) else None
    return OfferCost(costs[1] - costs[0] + paid, low, high)


def _least_cost(own: Cleared, other: Cleared) -> float:
    """Money of a plan, or of the lots of another plan in its market where they can run there and cost less."""
    if other.lots is None or not can_start(own.market, other.solution.started, other.lots):
        return own.total_cost
    return min(own.total_cost, in_orders(own, other.solution.started, other.lots).total_cost)


def with_offer(state: State, offer: OpenOffer) -> State:
    """The state as if an offer had been taken: what it leaves is not asked of the same again."""
    events, taken = state.table("order_events"), decision(offer, True, state.as_of)
    told = order_events_rows([taken])
    row = {"row_id": taken.key, "known_at": state.as_of} | {n: told[n][0].as_py() for n in told.column_names}
    row = {name: row.get(name) for name in events.column_names}
    both = pa.concat_tables([events, pa.Table.from_pylist([row], schema=events.schema)])
    return state.with_tables(orders=taken_order(state.table("orders"), offer), order_events=both)


def decision(
    offer: OpenOffer, take: bool, moment: datetime, why: str = "", acted_at: datetime | None = None
) -> OrderEvent:
    """The event that takes an offer, or does not; one that takes it says how the order was."""
    before = Offer(offer.order["units"], offer.order["due"]) if take else AS_ORDERED
    return OrderEvent(
        offer.order["order"],
        "accepted" if take else "released",
        moment,
        reason=why or None,
        counterparty=offer.said.counterparty,
        answers=offer.said.key,
        offer=before,
        acted_at=acted_at,
    )


def taken_order(orders: pa.Table, offer: OpenOffer) -> pa.Table:
    """Rows of `orders` with that of an offer as it is if it is taken."""
    agreed = offer.taken
    new = {"units": agreed.units, "start": offer.start, "due": agreed.due, "price": agreed.price}
    rows = [row | new if row["order"] == offer.order["order"] else row for row in orders.to_pylist()]
    return pa.Table.from_pylist(rows, schema=orders.schema)


def offers_table(offers: tuple[OpenOffer, ...], costs: tuple[OfferCost, ...]) -> pa.Table:
    """A row for each offer: order, kind, product, counterparty; units, due and price (of a unit) as ordered and as
    offered (null: as ordered); said_at; reason; costs_more and its bounds (money; null: it cannot be told)."""
    rows = [_record(offer, cost) for offer, cost in zip(offers, costs, strict=True)]
    return pa.Table.from_pylist(rows, schema=OFFERS_SCHEMA)


OFFERS_SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in ("order", "kind", "product", "counterparty")),
        *((name, kind) for name, kind in (("units", pa.float64()), ("due", pa.date32()), ("price", pa.float64()))),
        ("offered_units", pa.float64()),
        ("offered_due", pa.date32()),
        ("offered_price", pa.float64()),
        ("said_at", pa.timestamp("us", tz="UTC")),
        ("reason", pa.string()),
        *((name, pa.float64()) for name in ("costs_more", "costs_more_low", "costs_more_high")),
    ]
)


def _record(offer: OpenOffer, cost: OfferCost) -> dict[str, Any]:
    row, said = offer.order, offer.said
    return {
        **{name: row[name] for name in ("order", "kind", "product", "units", "due")},
        "counterparty": said.counterparty,
        "price": offer.unit_cost if row["kind"] == "buy" else row["price"],
        "offered_units": said.offer.units,
        "offered_due": said.offer.due,
        "offered_price": said.offer.price,
        "said_at": said.happened_at,
        "reason": said.reason,
        "costs_more": cost.money,
        "costs_more_low": cost.low,
        "costs_more_high": cost.high,
    }
