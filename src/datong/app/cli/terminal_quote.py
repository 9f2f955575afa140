"""What `datong quote` shows: the price of an order, how it is made up, when it is cheaper, and the alternatives."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from datong.app.cli import terminal
from datong.app.wording import figures
from datong.app.wording.columns import shown_value
from datong.app.wording.names import Names
from datong.app.wording.quotes import quote_lines, waits_lines, way_words
from datong.model.words import say

if TYPE_CHECKING:  # it imports every stage
    from datong.questions.quote import QuoteResult

WEEKS_SHOWN, WAYS_SHOWN = 8, 8


def show_quote(result: "QuoteResult", language: str, console: Console | None = None) -> None:
    """The price and its parts, dates, how far the price holds; the price by week, and each way at its best start."""
    console = console or terminal.make_console()
    settings, summary = result.settings, result.summary
    local = result.as_of.astimezone(settings.calendar.zone)
    names = Names({"products": result.products})
    product = names.called(summary["product"])
    words = {"name": settings.name, "as_of": f"{local:%Y-%m-%d %H:%M}", "product": product}
    units, due = figures.fitting(summary["units"]), summary["due"]
    console.print(Text(say("quote.header", language, units=units, due=due, **words), style="bold"))
    for line in quote_lines(summary, settings, names, language):
        console.print(Text(line))
    if summary["cleared_as_of"] not in (None, summary["as_of"]):
        console.print(Text(say("quote.older", language, then=summary["cleared_as_of"]), style="yellow"))
    if "waits" in result.tables:
        for text in waits_lines(*_waits(result), settings, names, language):
            console.print(Text("  " + text))
    if not summary["marginal"]:
        return
    console.print()
    key = "quote.by_week_fixed" if summary["set_ups_fixed"] else "quote.by_week"
    console.print(Text(say(key, language), style="bold"))
    weeks = result.tables["weeks"].slice(0, WEEKS_SHOWN).to_pylist()
    terminal.records([_week(row, names, language) for row in weeks], language, console)
    options = best_of_eachway_words(result.tables["alternatives"].to_pylist())
    if options:
        console.print()
        console.print(Text(say("quote.alternatives", language), style="bold"))
        shown = [_alternative(row, names, language) for row in options[:WAYS_SHOWN]]
        terminal.records(shown, language, console)


def _waits(result: "QuoteResult") -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    return result.tables["waits"].to_pylist(), result.tables["later"].to_pylist()


def best_of_eachway_words(rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Of rows in order of price, the first of each way, and what else the plan has of it."""
    best: dict[tuple[Any, ...], Mapping[str, Any]] = {}
    chosen = []
    for row in rows:
        way = tuple(row[name] for name in ("kind", "recipe", "offer", "lane", "from_site"))
        if way not in best or row["planned_units"] > 0:
            chosen.append(row)
        best.setdefault(way, row)
    return chosen


def _week(row: Mapping[str, Any], names: Names, language: str) -> dict[str, str]:
    has_price = row["price_per_unit"] is not None
    return {
        "due_in": str(row["bucket"]),
        "price_per_unit": shown_value("price_per_unit", row["price_per_unit"], language) if has_price else "–",
        "way": way_words(row, language) if has_price else "",
        "arrives": shown_value("arrives", row["arrives"], language),
        "scarce": _scarce_short(row, names, language),
    }


def _alternative(row: Mapping[str, Any], names: Names, language: str) -> dict[str, str]:
    numbers = {
        "price_per_unit": row["price_per_unit"],
        "more_than_best": row["more_than_best"],
        "normal_cost": row["own_cost"] + row["material_cost"],
        "premium": row["hours_premium"] + row["material_premium"] + row["rules_cost"],
        "held_or_late": row["holding_cost"] + row["late_cost"],
        "planned_units": row["planned_units"],
    }
    return {
        "way": way_words({**row, "line": None}, language),
        "start": "–" if row["start"] is None else str(row["start"]),
        "arrives": str(row["arrives"]),
        **{name: "–" if value is None else figures.fitting(value) for name, value in numbers.items()},
        "scarce": _scarce_short(row, names, language),
    }


def _scarce_short(row: Mapping[str, Any], names: Names, language: str) -> str:
    if row["scarce"] is None:
        return ""
    day, price = figures.short_day(row["scarce_bucket"], language), figures.fitting(row["scarce_price"])
    return f"{names.beside(row['scarce'])} · {day} · {price}"
