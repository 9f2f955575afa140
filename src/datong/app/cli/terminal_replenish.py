"""What `datong replenish` shows: each order in a sentence, most worth first."""

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from datong.app.cli import terminal
from datong.app.wording import figures
from datong.app.wording.names import Names
from datong.model.flow import IMPLIED
from datong.model.settings import ChainSettings
from datong.model.words import say

if TYPE_CHECKING:  # it imports every stage
    from datong.questions.replenish import ReplenishResult

ORDERS_SHOWN = 10
# A smaller chance that an order never comes is not told.
LOST_TOLD = 0.05
# A product that runs short with such a chance, and for which nothing is ordered, is named; of many, the first.
SHORT_TOLD = 0.5
PRODUCTS_NAMED = 5


def show_replenishment(result: "ReplenishResult", language: str, console: Console | None = None) -> None:
    console = console or terminal.make_console()
    settings = result.settings
    rows, without = result.orders.arrow.to_pylist(), result.tables["without_way"].to_pylist()
    names = Names(result.tables)
    wanted = [row for row in rows if row["units"] > 0]
    local = result.as_of.astimezone(settings.calendar.zone)
    words = {"name": settings.name, "as_of": f"{local:%Y-%m-%d %H:%M}"}
    counts = {"orders": figures.number(len(wanted)), "products": figures.number(len(rows))}
    console.print(Text(say("replenish.header", language, **words, **counts), style="bold"))
    for row in without[:PRODUCTS_NAMED]:
        console.print(Text(without_words(row, names, language), style="yellow"))
    if len(without) > PRODUCTS_NAMED:
        count = figures.number(len(without) - PRODUCTS_NAMED)
        console.print(Text(say("replenish.without_more", language, count=count), style="yellow"))
    if not rows:
        console.print(Text(say("replenish.nothing_sold", language)))
        return
    short = [row for row in rows if row["units"] <= 0 and row["short_before"] >= SHORT_TOLD]
    if not wanted:
        console.print(Text(say("replenish.none" if short else "replenish.enough", language)))
    several = {product for product, count in Counter(row["product"] for row in rows).items() if count > 1}
    for row in wanted[:ORDERS_SHOWN]:
        console.print(Text(order_words(row, names, settings, language, at_site=row["product"] in several)))
    if len(wanted) > ORDERS_SHOWN:
        count = figures.number(len(wanted) - ORDERS_SHOWN)
        console.print(Text(say("replenish.more", language, count=count), style="dim"))
    _name_products("replenish.short", short, names, language, console)
    _name_products("replenish.uncounted", [row for row in rows if not row["counted"]], names, language, console)
    console.print(Text(say("replenish.alone", language), style="dim"))
    if any(row["kind"] == "move" for row in rows):
        console.print(Text(say("replenish.of_lanes", language), style="dim"))


def _name_products(words: str, rows: list[dict[str, Any]], names: Names, language: str, console: Console) -> None:
    """A line that counts the products of these rows and names the first, where there are any."""
    products = sorted({row["product"] for row in rows})
    if products:
        some = ("、" if language == "zh" else ", ").join(map(names.called, products[:PRODUCTS_NAMED]))
        some += " ..." if len(products) > PRODUCTS_NAMED else ""
        console.print(Text(say(words, language, count=figures.number(len(products)), products=some)))


def without_words(row: Mapping[str, Any], names: Names, language: str) -> str:
    """A product that is asked for and that nothing brings now: why, and what to do about it."""
    words = {"product": names.called(row["product"]), "units": figures.fitting(row["units"])}
    if row["lacks"] is not None:
        return say("replenish.without_held", language, **words, name=names.called(row["lacks"]))
    if row["refused"]:
        return say("replenish.without_refused", language, **words, day=row["opens"])
    if row["opens"] is not None:
        return say("replenish.without_yet", language, **words, day=row["opens"])
    if row["comes_with"] is not None:
        return say("replenish.without_own", language, **words, other=names.called(row["comes_with"]))
    return say("replenish.without", language, **words)


def order_words(
    row: Mapping[str, Any], names: Names, settings: ChainSettings, language: str, *, at_site: bool = False
) -> str:
    """One order with its reason. at_site: the product is looked at in several places."""
    name = row["recipe"] or row["lane"] or row["offer"]
    implied = name is None or name.endswith(IMPLIED)
    way = say("replenish.by_anyone", language) if implied else say(f"replenish.by_{row['kind']}", language, name=name)
    then = round(row["stock_then_units"], 6)
    product = names.called(row["product"])
    text = say(
        "replenish.order",
        language,
        product=f"{product} @ {row['site']}" if at_site or row["kind"] == "move" else product,
        units=figures.fitting(row["units"]),
        way=way,
        due=row["due"],
        there=figures.fitting(row["on_hand_units"]),
        coming=figures.fitting(row["under_way_units"]),
        then=say("replenish.owed" if then < 0 else "replenish.left", language, units=figures.fitting(abs(then))),
        demand=figures.fitting(row["demand_units"]),
        before=figures.share(row["short_before"], 0),
        after=figures.share(row["short_after"], 0),
        why=say("replenish.late_alone", language) if row["demand_known"] and row["short_after"] > 0 else "",
        value=figures.money(row["value"], settings.currency, language),
    )
    more = []
    if row["base_stock_units"] is not None:
        more.append(say("replenish.base_stock", language, base=figures.fitting(row["base_stock_units"])))
    if row["overdue_units"] > 0:
        more.append(say("replenish.overdue", language, overdue=figures.fitting(row["overdue_units"])))
    if row["lost_chance"] >= LOST_TOLD:
        more.append(say("replenish.may_be_lost", language, share=figures.share(row["lost_chance"], 0)))
    return figures.one_after_another([text, *more], language)
