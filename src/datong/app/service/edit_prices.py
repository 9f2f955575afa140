"""The job that works out what a change of an order would cost."""

from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

from datong.app.chain import Chain
from datong.app.service.all_orders import orders_now
from datong.app.service.order_changes import Change, changed
from datong.model.errors import Refused
from datong.model.words import LANGUAGES, message

if TYPE_CHECKING:  # they import every stage
    from datong.questions.edit_price import EditAsked
    from datong.questions.offers import OfferCost


def change_of(asked: Mapping[str, Any]) -> Change:
    """A change out of JSON."""
    start = asked.get("start")
    split = tuple(float(units) for units in asked.get("split") or ())
    day = None if start is None else date.fromisoformat(start)
    return Change(asked["order"], asked.get("units"), day, asked.get("way"), split)


def ask_price(chain: Chain, asked: Mapping[str, Any]) -> "EditAsked":
    """Raises as order_changes.changed, and Refused where the cost of the order's way is not known."""
    from datong.questions.edit_price import EditAsked

    made = changed(chain, orders_now(chain), change_of(asked))
    made.refuse_errors()
    if made.paid is None:
        raise Refused(message("service_orders.no_price", why=message("service_orders.unknown_way_cost")))
    state = chain.state()
    chain.can_plan(state)
    return EditAsked(state, chain.learnt(state.as_of), chain.seed_of(None), (made.before,), made.after, made.paid)


def keep_price(chain: Chain, _asked: Mapping[str, Any], cost: "OfferCost") -> Mapping[str, Any]:
    """Nothing is kept in the chain: what is shown of it."""
    why = None if cost.why is None else {language: cost.why.text(language) for language in LANGUAGES}
    return {
        "money": cost.money,
        "low": cost.low,
        "high": cost.high,
        "why": why,
        "currency": chain.settings.currency,
    }
