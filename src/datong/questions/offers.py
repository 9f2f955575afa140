"""`datong offers`: what counterparties offer instead of what was ordered, and what it would cost to take it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from datong.balance.solution import USUAL_LIMITS, Limits
from datong.ledger.life import Offer, OrderEvent
from datong.ledger.standings import order_standings
from datong.ledger.state import State
from datong.model.errors import DatongError
from datong.model.flow import Learnt
from datong.model.words import Message
from datong.questions.clear import clear

# Where the money that a unit of an order costs stands, besides its components: by kind, table, key and column.
_PAID_FOR = {
    "make": ("recipes", "recipe", "cost_per_unit"),
    "buy": ("offers", "offer", "price"),
    "move": ("lanes", "lane", "cost_per_unit"),
}


@dataclass(frozen=True)
class OpenOffer:
    """An offer that nobody has decided on. order: the row of `orders`; said: the offer as an event.

    unit_cost: money that a unit costs as ordered, without components; None: nobody knows.
    """

    order: Mapping[str, Any]
    said: OrderEvent
    unit_cost: float | None

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
    def paid_more(self) -> float:
        """Money that is paid more for the order itself if the offer is taken."""
        before = self.unit_cost or 0.0
        after = before if self.said.offer.price is None else self.said.offer.price
        return (self.taken.units or 0.0) * after - self.order["units"] * before


@dataclass(frozen=True)
class OfferCost:
    """What it costs more, in money, to take an offer than to have the order as it was: the difference of two plans'
    costs, and between what it lies for certain (None: no bound is known). why: it cannot be told."""

    money: float | None = None
    low: float | None = None
    high: float | None = None
    why: Message | None = None


def open_offers(state: State) -> tuple[OpenOffer, ...]:
    """By the day on which the order is due, then its number."""
    stands = order_standings(state)
    rows = [row for row in state.table("orders").to_pylist() if row["order"] in stands]
    found = []
    for row in sorted(rows, key=lambda r: (r["due"], r["order"])):
        said = stands[row["order"]].offer
        if said is not None:
            found.append(OpenOffer(row, said, _unit_cost(state, row)))
    return tuple(found)


def _unit_cost(state: State, order: Mapping[str, Any]) -> float | None:
    if order["price"] is not None:
        return order["price"]
    table, key, column = _PAID_FOR[order["kind"]]
    costs = {row[key]: row[column] for row in state.table(table).select([key, column]).to_pylist()}
    return costs.get(order[key])


def offer_costs(
    state: State, learnt: Learnt, seed: int, offers: tuple[OpenOffer, ...], limits: Limits = USUAL_LIMITS
) -> tuple[OfferCost, ...]:
    """What each offer costs if it alone is taken. Each is planned for; with none, nothing is."""
    if not offers:
        return ()
    try:
        base = _plan(state, learnt, seed, limits)
    except DatongError as error:
        return tuple(OfferCost(why=error.message) for _ in offers)
    return tuple(_cost(state, learnt, seed, offer, base, limits) for offer in offers)


@dataclass(frozen=True)
class _Planned:
    """Cost of a plan, and the bound below it (None: none is known), in money."""

    cost: float
    bound: float | None


def _plan(state: State, learnt: Learnt, seed: int, limits: Limits) -> _Planned:
    certificate = clear(state, learnt, seed, limits=limits).certificate
    return _Planned(certificate["total_cost"], certificate["lower_bound"])


def _cost(state: State, learnt: Learnt, seed: int, offer: OpenOffer, base: _Planned, limits: Limits) -> OfferCost:
    try:
        taken = _plan(with_offer(state, offer), learnt, seed, limits)
    except DatongError as error:
        return OfferCost(why=error.message)
    paid = offer.paid_more
    low = None if taken.bound is None else taken.bound - base.cost + paid
    high = None if base.bound is None else taken.cost - base.bound + paid
    return OfferCost(taken.cost - base.cost + paid, low, high)


def with_offer(state: State, offer: OpenOffer) -> State:
    """The state as if an offer had been taken."""
    return state.with_tables(orders=taken_order(state.table("orders"), offer))


def taken_order(orders: pa.Table, offer: OpenOffer) -> pa.Table:
    """Rows of `orders` with that of an offer as it is if it is taken."""
    agreed = offer.taken
    new = {"units": agreed.units, "due": agreed.due, "price": agreed.price}
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
