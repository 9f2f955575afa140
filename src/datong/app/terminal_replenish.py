"""What `datong replenish` shows: each order in a sentence, most worth first."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from datong.app import terminal
from datong.app.report import figures
from datong.ledger.facts import IMPLIED
from datong.model.settings import ChainSettings
from datong.model.words import say

if TYPE_CHECKING:  # it imports every stage
    from datong.app.replenishing import ReplenishResult

ORDERS_SHOWN = 10
# A smaller chance that an order never comes is not told.
LOST_TOLD = 0.05


def show_replenishment(result: "ReplenishResult", language: str, console: Console | None = None) -> None:
    console = console or terminal.make_console()
    settings = result.settings
    rows = result.orders.arrow.to_pylist()
    wanted = [row for row in rows if row["units"] > 0]
    local = result.as_of.astimezone(settings.calendar.zone)
    words = {"name": settings.name, "as_of": f"{local:%Y-%m-%d %H:%M}"}
    counts = {"orders": figures.number(len(wanted)), "products": figures.number(len(rows))}
    console.print(Text(say("replenish.header", language, **words, **counts), style="bold"))
    if not wanted:
        console.print(Text(say("replenish.none" if rows else "replenish.nothing_sold", language)))
        return
    for row in wanted[:ORDERS_SHOWN]:
        console.print(Text(order_words(row, settings, language)))
    if len(wanted) > ORDERS_SHOWN:
        count = figures.number(len(wanted) - ORDERS_SHOWN)
        console.print(Text(say("replenish.more", language, count=count), style="dim"))
    console.print(Text(say("replenish.alone", language), style="dim"))


def order_words(row: Mapping[str, Any], settings: ChainSettings, language: str) -> str:
    """One order with its reason."""
    name = row["recipe"] or row["lane"] or row["offer"]
    implied = name is None or name.endswith(IMPLIED)
    way = say("replenish.by_anyone", language) if implied else say(f"replenish.by_{row['kind']}", language, name=name)
    text = say(
        "replenish.order",
        language,
        product=row["product"] if row["kind"] != "move" else f"{row['product']} @ {row['site']}",
        units=figures.fitting(row["units"]),
        way=way,
        due=row["due"],
        there=figures.fitting(row["on_hand_units"]),
        coming=figures.fitting(row["under_way_units"]),
        demand=figures.fitting(row["demand_units"]),
        before=figures.share(row["short_before"], 0),
        after=figures.share(row["short_after"], 0),
        value=figures.money(row["value"], settings.currency, language),
    )
    if row["lost_chance"] < LOST_TOLD:
        return text
    lost = say("replenish.may_be_lost", language, share=figures.share(row["lost_chance"], 0))
    return figures.one_after_another([text, lost], language)
