"""The jobs that work out what changes of orders would cost: those of a planner, and those that counterparties offer."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from datong.app.chain import Chain
from datong.app.service.order_edit_rules import Change, changed
from datong.app.service.table_of_orders import orders_now
from datong.ledger.state import State
from datong.model.errors import Refused
from datong.model.flow import Learnt
from datong.model.words import LANGUAGES, message
from datong.questions.counter_offers import OfferCost, OpenOffer, offer_costs, open_offers
from datong.questions.edit_price import EditAsked


def change_of(asked: Mapping[str, Any]) -> Change:
    """A change out of JSON."""
    start = asked.get("start")
    split = tuple(float(units) for units in asked.get("split") or ())
    day = None if start is None else date.fromisoformat(start)
    return Change(asked["order"], asked.get("units"), day, asked.get("way"), split)


def ask_price(chain: Chain, asked: Mapping[str, Any]) -> EditAsked:
    """Raises as order_changes.changed, and Refused where the cost of the order's way is not known."""
    made = changed(chain, orders_now(chain), change_of(asked))
    made.refuse_errors()
    if made.paid is None:
        raise Refused(message("service_orders.no_price", why=message("service_orders.unknown_way_cost")))
    state = chain.state()
    chain.can_plan(state)
    return EditAsked(state, chain.learnt(state.as_of), chain.seed_of(None), (made.before,), made.after, made.paid)


def keep_price(chain: Chain, _asked: Mapping[str, Any], cost: OfferCost) -> Mapping[str, Any]:
    """Nothing is kept in the chain: what is shown of it."""
    why = None if cost.why is None else {language: cost.why.text(language) for language in LANGUAGES}
    return {
        "money": cost.money,
        "low": cost.low,
        "high": cost.high,
        "why": why,
        "currency": chain.settings.currency,
    }


@dataclass(frozen=True, eq=False)
class OffersAsked:
    """What the prices of offers are worked out from: a value, which any process can answer."""

    state: State
    learnt: Learnt
    seed: int
    offers: tuple[OpenOffer, ...]

    def answer(self, on_stage: Callable[[str], None] = lambda _stage: None) -> tuple[tuple[str, OfferCost], ...]:
        """What taking each offer alone would cost, by order."""
        on_stage("plan")
        costs = offer_costs(self.state, self.learnt, self.seed, self.offers)
        return tuple((one.order["order"], cost) for one, cost in zip(self.offers, costs, strict=True))


def ask_offers(chain: Chain, _asked: Mapping[str, Any]) -> OffersAsked:
    """Raises what planning raises."""
    state = chain.state()
    chain.can_plan(state)
    return OffersAsked(state, chain.learnt(state.as_of), chain.seed_of(None), open_offers(state))


def keep_offers(chain: Chain, asked: Mapping[str, Any], costs: tuple[tuple[str, OfferCost], ...]) -> Mapping[str, Any]:
    """Nothing is kept in the chain: what is shown of each, by order."""
    return {order: keep_price(chain, asked, cost) for order, cost in costs}
