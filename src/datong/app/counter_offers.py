"""What counterparties offer instead of what was ordered: the list, and what a planner decides."""

import hashlib
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from datong.app.chain import Chain
from datong.app.order_messages_now import messages_now
from datong.ledger.counter_offer import Offer, told_offer
from datong.ledger.order_life import OrderEvent, events_of_table, order_events_rows
from datong.ledger.standings import OPEN_STATES, READ_FOR_STANDINGS, order_standings
from datong.model.errors import DatongError, NotFound, Refused
from datong.model.flow import OrderMessage
from datong.model.words import Message, message

if TYPE_CHECKING:  # it imports every stage
    from datong.questions.counter_offers import OfferCost, OpenOffer


def open_offers(chain: Chain, order: str | None = None) -> "tuple[tuple[OpenOffer, OfferCost], ...]":
    """The offers that wait for a decision (of one order: its own), each with what it would cost to take it alone."""
    from datong.questions.counter_offers import OfferCost, offer_costs, open_offers

    state = chain.state()
    offers = tuple(offer for offer in open_offers(state) if order in (None, offer.order["order"]))
    try:
        chain.can_plan(state)
    except DatongError as error:
        return tuple((offer, OfferCost(why=error.message)) for offer in offers)
    costs = offer_costs(state, chain.learnt(state.as_of), chain.settings.seed, offers)
    return tuple(zip(offers, costs, strict=True))


def decide(chain: Chain, order: str, take: bool, why: str = "") -> "OpenOffer":
    """Take the offer that stands for an order, or do not: the order is as offered then, or as it was and to be
    answered. The counterparty is told with the next exchange. Raises NotFound where no offer of the order stands,
    Refused on a branch."""
    from datong.questions.counter_offers import decision, open_offers, taken_order

    if chain.branch_name is not None:
        raise Refused(message("branch.not_given_out", branch=chain.branch_name))
    state = chain.state(names=(*READ_FOR_STANDINGS, "products", "recipes", "offers", "lanes"))
    offers = {offer.order["order"]: offer for offer in open_offers(state)}
    if order not in offers:
        raise NotFound(message("offers.none_of", order=order, orders=", ".join(offers) or "-"))
    offer, moment = offers[order], chain.clock()
    event = decision(offer, take, moment, why, chain.world_clock())
    rows = {"order_events": order_events_rows([event])}
    if take:
        changed = taken_order(state.table("orders"), offer)
        changed = changed.filter(pc.equal(changed["order"], order)).drop_columns(["row_id", "known_at"])
        rows = {"orders": changed.append_column("__row__", pa.array([1], pa.int64())), **rows}
    with chain.ledger.together():
        for table, new in rows.items():
            known_at = pa.array([moment] * new.num_rows, pa.timestamp("us", tz="UTC"))
            told = new.append_column("known_at", known_at)
            chain.ledger.ingest(table, told, None, (), "offers", moment, by=chain.by)
    return offer


def decided_messages(chain: Chain) -> dict[str, list[OrderMessage]]:
    """What became of the offers for orders that are still out, as messages to those who made them, by the run that
    proposed the order: each with the order as it is now."""
    state = chain.state(names=READ_FOR_STANDINGS)
    stands = order_standings(state)
    events = events_of_table(state.table("order_events"))
    sent_by = messages_now(chain, state, {order for order, own in events.items() if any(e.answers for e in own)})
    found: dict[str, list[OrderMessage]] = {}
    for row in sorted(state.table("orders").to_pylist(), key=lambda r: r["order"]):
        own = events.get(row["order"], [])
        decisions = [event for event in own if event.answers is not None]
        if not decisions or row["run"] is None or stands[row["order"]].state not in OPEN_STATES:
            continue
        sent = sent_by.get(row["run"], {}).get(row["order"])
        if sent is None:
            continue
        offers = {event.key: event.offer for event in own if event.state == "offered"}
        for decision in sorted(decisions, key=lambda event: (event.happened_at, event.key)):
            is_accepted = stands[row["order"]].without_offer not in (None, "released")
            note = _note(decision, offers.get(str(decision.answers), Offer()), chain.settings.currency, is_accepted)
            key = _key(row["order"], decision)
            found.setdefault(row["run"], []).append(
                OrderMessage(key, sent.counterparty, sent.order, note, row["price"])
            )
    return found


def _key(order: str, decision: OrderEvent) -> str:
    """Of the message that tells a decision: the same decision has the same."""
    return f"{order}-{hashlib.sha256(f'{decision.answers}|{decision.state}'.encode()).hexdigest()[:12]}"


def _note(decision: OrderEvent, offer: Offer, currency: str, is_accepted: bool) -> Message:
    """is_accepted: whether the order was accepted meanwhile as it was."""
    refused = "dispatch.offer_refused_accepted" if is_accepted else "dispatch.offer_refused"
    rule = "dispatch.offer_taken" if decision.state == "accepted" else refused
    told = message(rule, offer=told_offer(offer, currency))
    return told if not decision.reason else message("dispatch.because", text=told, why=decision.reason)
