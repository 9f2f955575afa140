"""A quote in sentences: its price and what it is made of, when it is cheaper, and who then waits."""

from collections.abc import Mapping, Sequence
from typing import Any

from datong.app.wording import figures
from datong.app.wording.columns import coded, rounded
from datong.app.wording.names import Names
from datong.app.wording.waits_longer import later_line, when
from datong.balance.unit_prices import SAME_SHARE
from datong.model.settings import ChainSettings
from datong.model.words import say

WAITS_SHOWN = 5
# Fewer units that are not served are none.
LEAST_LOST = 0.5


def quote_lines(summary: Mapping[str, Any], settings: ChainSettings, names: Names, language: str) -> list[str]:
    """The quote in sentences."""

    def money(value: float | None) -> str:
        return figures.money(value, settings.currency, language)

    lines, product = [], names.called(summary["product"])
    if "exact" in summary:
        lines += [*_exact(summary, money, product, language), *_there_on(summary, language)]
    if not summary["marginal"]:
        return [*lines, say("quote.no_marginal", language)] if summary["served"] else lines
    if summary["price_per_unit"] is None:
        lines.append(say("quote.not_in_time", language, due=summary["due"]))
    else:
        words = {"price": money(summary["marginal_price"]), "way": way_words(summary, language)}
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


def waits_lines(
    rows: Sequence[Mapping[str, Any]],
    later: Sequence[Mapping[str, Any]],
    settings: ChainSettings,
    names: Names,
    language: str,
    count: int = WAITS_SHOWN,
) -> list[str]:
    """Who waits longer, or is no more served, because of the order; the most first. rows: of the table `waits`; later:
    of the table `later`."""
    lines = []
    for row in rows[:count]:
        words = {"product": names.called(row["product"]), "when": when(row["bucket"], settings, language)}
        for name in ("lost", "late"):
            if row[f"{name}_units"] >= 0.5:
                units = figures.fitting(row[f"{name}_units"])
                whose = row.get(f"{name}_of")  # a server may keep a quote of an earlier version
                key = f"quote.waits_{name}" + ("_of" if whose else "")
                lines.append(say(key, language, units=units, whose=whose, **words))
    lines += [later_line(row, settings, names, language) for row in later[: max(count - len(lines), 0)]]
    if not rows and not later:
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


def _there_on(summary: Mapping[str, Any], language: str) -> list[str]:
    """The day by which the orders of the plan with it have it there, beside the day that was asked for."""
    day = summary.get("there_on")  # a server may keep a quote of an earlier version
    if day is None or not summary["served"]:
        return []
    exact, key = summary["exact"], "by"
    if exact["own_lost_units"] >= LEAST_LOST:
        key = "part"
    elif day > summary["due"]:
        key = "late" if exact["own_late_units"] >= LEAST_LOST else "late_on_time"
    return [say(f"quote.there_{key}", language, day=day, due=summary["due"])]


def _changes(exact: Mapping[str, Any], product: str, language: str) -> str:
    changes = []
    for name in ("own_late", "own_lost", "other_late", "other_lost"):
        units = exact[f"{name}_units"]
        if abs(units) >= LEAST_LOST:
            key = f"quote.change_{name}_{'more' if units > 0 else 'fewer'}"
            changes.append(say(key, language, units=figures.fitting(abs(units)), product=product))
    return say("quote.exact_changes", language, changes=say("quote.and", language).join(changes))


def way_words(row: Mapping[str, Any], language: str) -> str:
    """The way by which an order would be there."""
    kind = str(coded("kind", row["kind"], language))
    name = row["recipe"] or row["offer"] or row["lane"]
    if name is None:
        return say("quote.from_site", language, kind=kind, site=row["from_site"]) if row["from_site"] else kind
    return f"{kind} {name}" + (f" · {row['line']}" if row["line"] else "")


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
