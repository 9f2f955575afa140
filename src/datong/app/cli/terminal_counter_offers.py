"""What `datong offers` shows: what is offered instead of what was ordered, and what it costs to take it."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from datong.app.cli import terminal
from datong.app.wording import figures
from datong.ledger.counter_offer import told_offer
from datong.ledger.state import State
from datong.model.flow import party
from datong.model.words import Message, message, say
from datong.questions.since.rows import Naming

if TYPE_CHECKING:  # it imports every stage
    from datong.questions.counter_offers import OfferCost, OpenOffer

# A difference that is less is none: half of what a currency shows.
NO_MONEY = 0.005
# A difference that is certainly less than this share of what the order is worth is none to decide by.
NO_SHARE = 0.005


def show_offers(
    offers: "Sequence[tuple[OpenOffer, OfferCost]]", state: State, language: str, console: Console | None = None
) -> None:
    """state: with its products and firms."""
    console = console or terminal.make_console()
    if not offers:
        console.print(Text(say("offers.none", language)))
        return
    naming, currency = Naming(state), state.settings.currency
    firms = state.table("firms").select(["firm", "name"]).to_pylist()
    names = {row["firm"]: row["name"] for row in firms if row["name"]}
    console.print(Text(say("offers.head", language, count=len(offers)), style="bold"))
    for offer, cost in offers:
        console.print(Text(f"  {offer_line(offer, naming, currency, names).text(language)}"))
        console.print(Text(f"    {cost_line(cost, offer.worth, currency, language)}"))
        days = offer.closes(state.settings.calendar)
        if days is not None and days[1] > state.first_open_bucket:
            who, product = party(offer.said.counterparty or "", names), naming.called(offer.order["product"])
            closes = message("offers.closes", who=who, product=product, after=days[1])
            console.print(Text(f"    {closes.text(language)}"))
    if any(offer.changes_the_plan for offer, _ in offers):
        console.print(Text(say("offers.counts_on", language), style="dim"))
    console.print(Text(say("offers.how", language), style="dim"))


def offer_line(offer: "OpenOffer", naming: Naming, currency: str, names: Mapping[str, str]) -> Message:
    row = offer.order
    line = message(
        "offers.line",
        order=row["order"],
        amount=naming.amount(row["units"], row["product"]),
        product=naming.called(row["product"]),
        due=row["due"],
        who=party(offer.said.counterparty or "", names),
        offer=told_offer(offer.said.offer, currency),
    )
    return line if not offer.said.reason else message("offers.because", line=line, reason=offer.said.reason)


def cost_line(cost: "OfferCost", worth: float | None, currency: str, language: str) -> str:
    """worth: money of the order; bounds that are further apart tell nothing."""
    if cost.money is None:
        return say("offers.unknown", language, why="" if cost.why is None else cost.why.text(language))

    def money(value: float) -> str:
        return figures.money(value, currency, language)

    key = "same" if abs(cost.money) < NO_MONEY else "costs" if cost.money > 0 else "saves"
    text = say(f"offers.{key}", language, money=money(abs(cost.money)))
    if cost.low is None or cost.high is None:
        return say("offers.no_bound", language, text=text)
    if cost.high - cost.low < NO_MONEY:
        return text
    most = max(abs(cost.low), abs(cost.high))
    if most <= max(2 * NO_MONEY, NO_SHARE * (worth or 0.0)):
        return say("offers.no_difference", language, most=money(max(most, 2 * NO_MONEY)))
    words = {"text": text, "low": money(cost.low), "high": money(cost.high)}
    if cost.is_certain:
        return say("offers.between", language, **words)
    return say("offers.cannot_tell" if cost.is_within(worth) else "offers.too_wide", language, **words)
