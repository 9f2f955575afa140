"""What `datong quote` shows: the price of an order, how it is made up, when it is cheaper, and the alternatives."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from datong.app.cli import terminal
from datong.app.wording import figures
from datong.app.wording.columns import coded, rounded, shown_value
from datong.app.wording.names import Names
from datong.balance.unit_prices import SAME_SHARE
from datong.model.settings import ChainSettings
from datong.model.words import say

if TYPE_CHECKING:  # it imports every stage
    from datong.questions.quote import QuoteResult

WEEKS_SHOWN, WAYS_SHOWN, WAITS_SHOWN = 8, 8, 5


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
    for text in waits_lines(result, language):
        console.print(Text("  " + text))
    if not summary["marginal"]:
        return
    console.print()
    key = "quote.by_week_fixed" if summary["set_ups_fixed"] else "quote.by_week"
    console.print(Text(say(key, language), style="bold"))
    weeks = result.tables["weeks"].slice(0, WEEKS_SHOWN).to_pylist()
    terminal.records([_week(row, names, language) for row in weeks], language, console)
    options = best_of_each_way(result.tables["alternatives"].to_pylist())
    if options:
        console.print()
        console.print(Text(say("quote.alternatives", language), style="bold"))
        shown = [_alternative(row, names, language) for row in options[:WAYS_SHOWN]]
        terminal.records(shown, language, console)


def quote_lines(summary: Mapping[str, Any], settings: ChainSettings, names: Names, language: str) -> list[str]:
    """The quote in sentences."""

    def money(value: float | None) -> str:
        return figures.money(value, settings.currency, language)

    lines, product = [], names.called(summary["product"])
    if "exact" in summary:
        lines += _exact(summary, money, product, language)
    if not summary["marginal"]:
        return [*lines, say("quote.no_marginal", language)] if summary["served"] else lines
    if summary["price_per_unit"] is None:
        lines.append(say("quote.not_in_time", language, due=summary["due"]))
    else:
        words = {"price": money(summary["marginal_price"]), "way": _way(summary, language)}
        key = "price_fixed" if summary["set_ups_fixed"] else "price_confirmed" if "exact" in summary else "price"
        lines.append(say(f"quote.{key}", language, money=money(summary["money"]), **words))
        parts = {
            "cost": money(summary["own_cost"] + summary["material_cost"]),
            "premium": money(summary["scarcity_premium"]),
            "other": money(summary["holding_cost"] + summary["late_cost"]),
        }
        lines.append(say("quote.parts", language, **parts))
        if summary["scarce"] is not None:
            lines.append(say("quote.scarce", language, scarce=_scarce(summary, settings, names, language)))
    normal = summary["normal_price"]
    if normal is not None:
        key = "quote.normal" if summary["earliest_normal"] else "quote.never_normal"
        words = {"price": money(normal), "day": summary["earliest_normal"] or "", "share": figures.share(SAME_SHARE, 0)}
        lines.append(say(key, language, **words))
    if summary["earliest"] is None:
        lines.append(say("quote.never", language))
    elif summary["price_per_unit"] is None or summary["earliest"] != summary["earliest_normal"]:
        price = money(summary["earliest_price"])
        lines.append(say("quote.earliest", language, day=summary["earliest"], price=price))
    if summary["earliest"] is not None:
        lines.append(say("quote.rounded", language, rounded=rounded(settings, language)))
    if summary["price_per_unit"] is not None and "exact" not in summary:
        lines.append(_holds(summary, language))
    return lines


def waits_lines(result: "QuoteResult", language: str, count: int = WAITS_SHOWN) -> list[str]:
    """Who waits longer, or is no more served, because of the order; the most first."""
    if "waits" not in result.tables:
        return []
    rows, names = result.tables["waits"].to_pylist(), Names({"products": result.products})
    lines = []
    for row in rows[:count]:
        words = {"product": names.called(row["product"]), "when": when(row["bucket"], result.settings, language)}
        for name in ("lost", "late"):
            if row[f"{name}_units"] >= 0.5:
                units = figures.fitting(row[f"{name}_units"])
                lines.append(say(f"quote.waits_{name}", language, units=units, **words))
    if not rows:
        lines.append(say("quote.nobody_waits", language))
    return lines


def _holds(summary: Mapping[str, Any], language: str) -> str:
    holds = summary["holds_units"]
    if holds is None:
        return say("quote.holds_all", language)
    if holds < 1:
        return say("quote.holds_none", language)
    return say(
        "quote.holds_less" if holds < summary["units"] else "quote.holds", language, units=figures.fitting(holds)
    )


def _exact(summary: Mapping[str, Any], money: Any, product: str, language: str) -> list[str]:
    exact = summary["exact"]
    if not summary["served"]:
        own = figures.fitting(exact["own_lost_units"])
        lines = [say("quote.refused", language, own=own, product=product, money=money(exact["money"]))]
        return lines if abs(exact["other_lost_units"]) < 0.5 else [*lines, _changes(exact, product, language)]
    change = say("quote.less" if exact["money"] < 0 else "quote.more", language, money=money(abs(exact["money"])))
    words = {"change": change, "per_unit": money(exact["money_per_unit"])}
    if exact["money_low"] is None or exact["money_high"] is None:
        lines = [say("quote.exact_no_bound", language, **words)]
    else:
        low, high = money(exact["money_low"]), money(exact["money_high"])
        lines = [say("quote.exact", language, low=low, high=high, **words)]
    if any(abs(exact[name]) >= 0.5 for name in exact if name.endswith("_units")):
        lines.append(_changes(exact, product, language))
    return lines


def _changes(exact: Mapping[str, Any], product: str, language: str) -> str:
    changes = {name: terminal.signed(exact[name]) for name in exact if name.endswith("_units")}
    return say("quote.exact_changes", language, product=product, **changes)


def best_of_each_way(rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
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
        "way": _way(row, language) if has_price else "",
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
        "way": _way({**row, "line": None}, language),
        "start": str(row["start"]),
        "arrives": str(row["arrives"]),
        **{name: "–" if value is None else figures.fitting(value) for name, value in numbers.items()},
        "scarce": _scarce_short(row, names, language),
    }


def _way(row: Mapping[str, Any], language: str) -> str:
    kind = str(coded("kind", row["kind"], language))
    name = row["recipe"] or row["offer"] or row["lane"]
    if name is None:
        return say("quote.from_site", language, kind=kind, site=row["from_site"]) if row["from_site"] else kind
    return f"{kind} {name}" + (f" · {row['line']}" if row["line"] else "")


def _scarce_short(row: Mapping[str, Any], names: Names, language: str) -> str:
    if row["scarce"] is None:
        return ""
    day, price = figures.short_day(row["scarce_bucket"], language), figures.fitting(row["scarce_price"])
    return f"{names.beside(row['scarce'])} · {day} · {price}"


def _scarce(row: Mapping[str, Any], settings: ChainSettings, names: Names, language: str) -> str:
    if row["scarce"] is None:
        return ""
    bucket = row["scarce_bucket"]
    return say(
        f"quote.scarce_{row['scarce_what']}",
        language,
        name=names.called(row["scarce"]),
        price=figures.money(row["scarce_price"], settings.currency, language),
        when=when(bucket, settings, language),
    )


def when(bucket: date | str, settings: ChainSettings, language: str) -> str:
    """A bucket in words: the week of ..., or the day."""
    return say("plan.week" if settings.bucket == "week" else "plan.day", language, day=bucket)
